// Keys pressed, as RTP events [RFC 4733 §2.5.1]: the payloads of the packets that take the place of
// audio. Asked once for each packet interval of the stream, whose timestamps and sequence numbers
// the events share. No allocation; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace cw::rtp {

// '0'–'9', '*', '#', 'A'–'D' → 0 to 15 [RFC 4733 §3.2]; nothing for other characters.
std::optional<std::uint8_t> event_of(char key);

class DtmfSender {
  public:
    struct Settings {
        std::uint32_t clock = 8000;           // Hz, of telephone-event in the SDP
        Duration interval = milliseconds(20); // between packets
        Duration length = milliseconds(100);  // of a key; at most what 16 bits of ticks hold
        Duration pause = milliseconds(60);    // after each key
        std::uint8_t volume = 10;             // dBm0 without its sign
    };
    struct Packet {
        std::uint32_t timestamp = 0; // of the event's beginning: it stays while the event lasts
        bool marker = false;
        std::array<std::uint8_t, 4> payload{};
    };

    explicit DtmfSender(const Settings& settings);

    // Appends to what is to be pressed. False, and nothing is appended, when a character is no key
    // or more than 64 keys wait.
    [[nodiscard]] bool press(std::string_view keys);
    // The stream's next packet, which would begin at `timestamp`: an event, or nothing, and audio
    // goes in its place.
    std::optional<Packet> next(std::uint32_t timestamp);
    [[nodiscard]] bool idle() const { return keys_.empty() && step_ == 0; }

  private:
    [[nodiscard]] std::uint32_t ticks(Duration time) const;

    std::string keys_; // those that wait, and first the one that is pressed
    std::uint32_t clock_;
    std::uint32_t interval_; // ticks
    std::uint32_t length_;
    std::uint32_t updates_; // packets until the key is let go, its first end packet included
    std::uint32_t pause_;   // packets
    std::uint32_t begin_ = 0;
    std::uint32_t step_ = 0; // packets since the key was pressed
    std::uint8_t volume_;
};

} // namespace cw::rtp
