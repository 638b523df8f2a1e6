// libosip2 on the INVITE: it parses every header that it knows while it reads the message.
#include "invite.hpp"
#include "rounds.hpp"

#include <cstdlib>
#include <sys/time.h>

#include <osipparser2/osip_parser.h>

namespace {

bool parse_one() {
    osip_message_t* message = nullptr;
    if (osip_message_init(&message) != 0) {
        return false;
    }
    bool ok = osip_message_parse(message, bench_invite.data(), bench_invite.size()) == 0;
    osip_contact_t* contact = nullptr;
    osip_via_t* via = nullptr;
    ok = ok && osip_message_get_contact(message, 0, &contact) >= 0 &&
         osip_message_get_via(message, 1, &via) >= 0 && contact->url->host != nullptr &&
         via->host != nullptr && message->from->url->host != nullptr &&
         message->to->url->host != nullptr && message->cseq->number != nullptr &&
         message->call_id->number != nullptr && message->req_uri->host != nullptr;
    osip_message_free(message);
    return ok;
}

} // namespace

int main() {
    parser_init();
    return run_rounds(20'000, parse_one);
}
