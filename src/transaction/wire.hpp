// The way that bytes came, or are to go: a connection, or a UDP socket and who is at its other end.
// RFC 5626 calls it a flow; here a flow is the picture.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "sip/transport.hpp"

namespace cw::transaction {

// A plain value: a late answer on a wire that is gone is a harmless miss, because the generation
// of its place has moved on.
struct Wire {
    sip::Transport transport = sip::Transport::Udp;
    std::uint8_t shard = 0; // that owns the connection or the socket
    std::uint32_t connection =
        0; // its place in that shard's table; for UDP the number of the socket
    std::uint32_t generation = 0; // of that place; 0 for UDP
    Endpoint local;
    Endpoint remote;

    [[nodiscard]] bool reliable() const { return sip::is_reliable(transport); }
    bool operator==(const Wire&) const = default;
};

} // namespace cw::transaction
