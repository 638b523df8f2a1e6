// What the sources of flows (the capture decoder, HEP, later the tap in host/) tell the Book.
// Events are arguments: their views are valid only during the call that brings them.
#pragma once

#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/call.hpp"
#include "sip/message.hpp"

namespace cw::flow {

// Where and when something was seen.
struct Sighting {
    Instant time;
    std::uint32_t frame = 0; // packet number in its input, from 1
    std::uint16_t input = 0;
    std::uint16_t ip_id = 0; // IPv4 identification: equal in two copies of one packet; 0: not known
    Endpoint source;
    Endpoint destination;
};

struct MessageEvent {
    Sighting at;
    Transport transport = Transport::Udp;
    std::uint32_t connection = 0; // Connection::id; 0 for UDP
    bool truncated = false;       // the capture does not hold all of it
    const sip::MessageView& message;
};

// A UDP payload that could be RTP or RTCP by its first bytes (RFC 7983).
struct MediaEvent {
    Sighting at;
    Bytes payload;
    std::uint32_t missing = 0; // bytes of the payload that were not captured
};

} // namespace cw::flow
