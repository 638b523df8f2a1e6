// libre on the INVITE: sip_msg_decode() reads Via, To, From, CSeq and the body's length; Contact,
// the second Via and the Request-URI are decoded by further calls, as its users do.
#include "invite.hpp"
#include "rounds.hpp"

#include <cstdbool>
#include <cstdint>
#include <sys/socket.h>

#define HAVE_INET6 1
#define HAVE_STDBOOL_H 1
extern "C" {
#include <re/re.h>
}

namespace {

bool decode_all_vias(const sip_msg* message) {
    int vias = 0;
    const auto count = [](const sip_hdr* header, const sip_msg*, void* arg) {
        sip_via via;
        if (sip_via_decode(&via, &header->val) == 0) {
            ++*static_cast<int*>(arg);
        }
        return false;
    };
    sip_msg_hdr_apply(message, true, SIP_HDR_VIA, count, &vias);
    return vias == 2;
}

bool parse_one(mbuf* bytes) {
    sip_msg* message = nullptr;
    bytes->pos = 0;
    if (sip_msg_decode(&message, bytes) != 0) {
        return false;
    }
    const auto* contact = sip_msg_hdr(message, SIP_HDR_CONTACT);
    sip_addr address;
    uri request_uri;
    const bool ok = contact != nullptr && sip_addr_decode(&address, &contact->val) == 0 &&
                    uri_decode(&request_uri, &message->ruri) == 0 && address.uri.host.l != 0 &&
                    message->from.uri.host.l != 0 && message->to.uri.host.l != 0 &&
                    message->callid.l != 0 && message->cseq.num == 271828 &&
                    decode_all_vias(message);
    mem_deref(message);
    return ok;
}

} // namespace

int main() {
    libre_init();
    auto* bytes = mbuf_alloc(2048);
    mbuf_write_mem(bytes, reinterpret_cast<const std::uint8_t*>(bench_invite.data()),
                   bench_invite.size());
    const auto status = run_rounds(20'000, [bytes] { return parse_one(bytes); });
    mem_deref(bytes);
    libre_close();
    return status;
}
