// Puts received audio where its timestamp says, and gives it out a little later in even steps, with
// silence where nothing came. Holds one second at most, whatever the sender does. 8000 samples a
// second. One object a session; one thread.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cw::rtp {

class JitterBuffer {
  public:
    static constexpr std::uint32_t depth = 480;     // samples between arrival and ear: 60 ms
    static constexpr std::uint32_t capacity = 8000; // samples

    JitterBuffer() : ring_(capacity) {}

    // False when it came too late to be heard. `talkspurt`, the marker: after a pause the sender
    // may have moved its timestamps [RFC 3551 §4.1].
    bool put(std::uint32_t timestamp, std::span<const std::int16_t> samples, bool talkspurt);
    // The next samples; silence before the first packet.
    void take(std::span<std::int16_t> out);
    // Another source: what waits is dropped, and its first packet sets the time.
    void reset();

  private:
    static constexpr std::uint32_t late_until_restart = 5; // packets in a row

    void restart(std::uint32_t timestamp);

    std::vector<std::int16_t> ring_;
    std::uint32_t at_ = 0;        // in the ring, what is given out next
    std::uint32_t timestamp_ = 0; // its timestamp
    std::uint32_t late_ = 0;
    bool started_ = false;
};

} // namespace cw::rtp
