// One RTP stream as sound on the time line of its call: packets in the order of their sequence
// numbers, each where its timestamp says, and silence where some are missing. Where the timestamps
// leave the clock of the capture, as after a restart, the clock counts. Sound is asked for piece by
// piece, so that an hour of it needs no memory but that of its packets. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "rtp/audio_decoder.hpp"

namespace cw::rtp {

// A packet of speech as it was captured.
struct AudioPacket {
    Instant time;
    std::uint32_t timestamp = 0;
    std::uint32_t clock = 0; // Hz
    std::uint16_t sequence = 0;
    std::uint16_t codec = 0; // the caller's number, see AudioTrack::codec()
    std::vector<std::uint8_t> payload;
};

class AudioTrack {
  public:
    // Before the first packet: what a codec number means. False when it cannot be decoded.
    bool codec(std::uint16_t number, std::string_view encoding, std::uint32_t clock);
    void add(AudioPacket packet);

    // After the last: how many samples a second it needs at least; 0: nothing can be heard.
    [[nodiscard]] std::uint32_t rate() const { return rate_; }
    [[nodiscard]] Instant first() const { return packets_.front().time; }
    [[nodiscard]] bool empty() const { return packets_.empty(); }

    // Puts all in its place; `rate`: 8000, 16000 or 48000, no less than rate(); `begin`: the time
    // of sample 0.
    void lay_out(Instant begin, std::uint32_t rate);
    // In samples from `begin`: where the sound ends.
    [[nodiscard]] std::uint64_t end() const { return end_; }
    // Adds the samples from `position` on to `out`. Positions must not go back.
    void mix(std::uint64_t position, std::span<std::int16_t> out);

  private:
    struct Codec {
        std::unique_ptr<AudioDecoder> decoder;
        std::int16_t last = 0; // sample, for what stands between two
    };
    void decode_next();

    std::map<std::uint16_t, Codec> codecs_;
    std::vector<AudioPacket> packets_;
    std::vector<std::uint64_t> places_; // of the packets, in samples
    std::uint32_t rate_ = 0;
    std::uint32_t out_rate_ = 0;
    std::uint64_t end_ = 0;
    std::size_t next_ = 0;            // packet
    std::vector<std::int16_t> sound_; // decoded, not given yet
    std::uint64_t sound_at_ = 0;
    std::vector<std::int16_t> scratch_;
};

} // namespace cw::rtp
