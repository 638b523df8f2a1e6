#include "server/incoming.hpp"

#include "base/text.hpp"
#include "server/directory.hpp"
#include "sip/host.hpp"
#include "sip/params.hpp"

namespace cw::server {
namespace {

constexpr std::size_t room_for_stamp = 80; // ";received=…;rport=65535", IPv6 too

// The parameters of the Via with what we saw in place of what its sender says we saw.
void append_params(std::string& out, const sip::Via& via, bool received,
                   const transaction::Wire& wire) {
    sip::ParamCursor params{via.params};
    for (sip::Param param; params.next(param);) {
        if (iequals(param.name, "received") || iequals(param.name, "rport")) {
            continue;
        }
        out += ';';
        // Name and value as they stand, with quotes.
        const auto* end = param.has_value
                              ? param.value.data() + param.value.size() + (param.is_quoted ? 1 : 0)
                              : param.name.data() + param.name.size();
        out.append(param.name.data(), end);
    }
    if (received) {
        // Note: an IPv6 address stands without brackets [RFC 3261 §25.1 via-received].
        out += ";received=";
        out += to_string(wire.remote.address);
    }
    if (via.has_rport) {
        out += ";rport=";
        out += std::to_string(wire.remote.port);
    }
}

} // namespace

void stamp_via(Incoming& in) {
    const auto& via = in.via;
    const auto named = sip::host_to_address(via.host);
    // "If the host portion of the "sent-by" parameter contains a domain name, or if it contains an
    // IP address that differs from the packet source address, the server MUST add a "received"
    // parameter" [RFC 3261 §18.2.1]; with rport always [RFC 3581 §4].
    const bool received = via.has_rport || !named || *named != in.wire.remote.address;
    const auto value = in.message.value(sip::HeaderId::Via);
    in.via_value.reserve(value.size() + room_for_stamp);
    in.via_value.assign(value.data(), via.params.data());
    while (!in.via_value.empty() && is_blank(in.via_value.back())) {
        in.via_value.pop_back();
    }
    append_params(in.via_value, via, received, in.wire);
    in.back = in.wire;
    if (in.wire.transport == sip::Transport::Udp && !via.has_rport) {
        // Note: maddr is not followed: whoever writes it would choose where our answers go.
        in.back.remote.port = via.port != 0 ? via.port : default_port(sip::Transport::Udp);
    }
}

} // namespace cw::server
