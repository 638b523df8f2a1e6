// IP packets made up around bytes that came without any: of a connection of ours, or of a capture
// agent. Checksums are right, so that other programs do not complain.
#pragma once

#include <cstdint>
#include <string>

#include "base/address.hpp"
#include "base/bytes.hpp"

namespace cw::host {

struct TcpFlags {
    bool syn = false;
    bool ack = true;
    bool fin = false;
    bool push = false;
};
struct TcpPacket {
    Endpoint from, to;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledged = 0;
    TcpFlags flags;
    Bytes payload; // at most most_payload octets
};
inline constexpr std::size_t most_payload = 60'000;

// Without a link layer: LINKTYPE_RAW. IPv4 when both addresses are.
std::string make_tcp_packet(const TcpPacket& packet);
// A longer payload is cut to most_payload.
std::string make_udp_packet(const Endpoint& from, const Endpoint& to, Bytes payload);

} // namespace cw::host
