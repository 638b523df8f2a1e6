// sofia-sip on the INVITE: it parses every header that it knows while it reads the message.
#include "invite.hpp"
#include "rounds.hpp"

#include <sofia-sip/msg.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_header.h>
#include <sofia-sip/sip_parser.h>
#include <sofia-sip/su.h>

namespace {

bool parse_one() {
    auto* message = msg_make(sip_default_mclass(), 0, bench_invite.data(),
                             static_cast<ssize_t>(bench_invite.size()));
    if (message == nullptr) {
        return false;
    }
    const auto* sip = sip_object(message);
    const bool ok = sip != nullptr && sip->sip_error == nullptr && sip->sip_from != nullptr &&
                    sip->sip_from->a_url->url_host != nullptr && sip->sip_to != nullptr &&
                    sip->sip_to->a_url->url_host != nullptr && sip->sip_contact != nullptr &&
                    sip->sip_contact->m_url->url_host != nullptr && sip->sip_via != nullptr &&
                    sip->sip_via->v_next != nullptr && sip->sip_call_id != nullptr &&
                    sip->sip_cseq != nullptr && sip->sip_cseq->cs_seq == 271828 &&
                    sip->sip_request->rq_url->url_host != nullptr && sip->sip_payload != nullptr;
    msg_destroy(message);
    return ok;
}

} // namespace

int main() {
    su_init();
    return run_rounds(20'000, parse_one);
}
