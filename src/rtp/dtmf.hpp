// Key presses sent as RTP events [RFC 4733]. One collector for each stream; no allocation beyond
// the list that the caller keeps. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace cw::rtp {

// One telephone-event payload [RFC 4733 §2.3].
struct TelephoneEvent {
    std::uint8_t event = 0;
    bool end = false;
    std::uint8_t volume = 0;    // dBm0 without its sign
    std::uint16_t duration = 0; // in units of the event's clock
};
// The first event of a payload; nothing when it is shorter than four octets.
std::optional<TelephoneEvent> parse_telephone_event(Bytes payload);

// '0'–'9', '*', '#', 'A'–'D'; 'F' for a hook flash; 0 for other events [RFC 4733 §3.2].
char digit_of(std::uint8_t event);

struct Digit {
    Instant time; // its first packet
    char digit = 0;
    std::uint16_t duration_ms = 0;
    bool ended = false; // by a packet with the end bit
};

// Makes digits of event packets. A digit is all packets with one timestamp: its end packet comes
// three times or not at all, and packets may be lost or late.
class DtmfCollector {
  public:
    struct Packet {
        Instant time;
        std::uint32_t timestamp = 0;
        std::uint32_t clock = 8000; // Hz, from rtpmap
        bool marker = false;
        Bytes payload;
    };

    // Returns the digit that this packet completes: its own when the end bit is set for the first
    // time, or the one before when its end packets were lost.
    std::optional<Digit> add(const Packet& packet);
    // The stream is over: the digit that is still open, if any.
    std::optional<Digit> finish();

  private:
    struct Open {
        Instant time;
        Instant last;
        std::uint32_t timestamp = 0;
        std::uint32_t segment = 0; // timestamp of its newest packets [RFC 4733 §2.5.1.3]
        std::uint32_t clock = 8000;
        std::uint32_t ticks = 0;
        std::uint8_t event = 0;
    };

    [[nodiscard]] bool is_old(std::uint32_t timestamp) const;
    [[nodiscard]] bool continues(const Packet& packet, const TelephoneEvent& event) const;
    void remember(std::uint32_t timestamp);

    std::optional<Open> open_;
    std::array<std::uint32_t, 8> done_{}; // timestamps of the last digits, for their late packets
    std::uint8_t done_count_ = 0;
    std::uint8_t done_next_ = 0;
};

} // namespace cw::rtp
