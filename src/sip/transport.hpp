// What carries SIP: the transports of Via [RFC 3261 §20.42, RFC 4168, RFC 7118], and HEP, by which
// a server reports messages that it saw on another.
#pragma once

#include <cstdint>
#include <string_view>

namespace cw::sip {

enum class Transport : std::uint8_t { Udp, Tcp, Tls, Ws, Wss, Sctp, Hep };

std::string_view to_string(Transport t); // "udp", "tcp", "tls", "ws", "wss", "sctp", "hep"

constexpr bool is_secure(Transport t) {
    return t == Transport::Tls || t == Transport::Wss;
}
// Nothing is lost on the way, so nothing is retransmitted by us [RFC 3261 §17].
constexpr bool is_reliable(Transport t) {
    return t != Transport::Udp;
}

} // namespace cw::sip
