// Speech out of RTP payloads: G.711, G.722 and linear PCM by ourselves, Opus by libopus. One stream
// each, in the order of its packets; one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace cw::rtp {

class AudioDecoder {
  public:
    // By the name in a=rtpmap and its clock, in Hz. Null for what we cannot decode.
    static std::unique_ptr<AudioDecoder> make(std::string_view encoding, std::uint32_t clock);
    virtual ~AudioDecoder() = default;

    // Of what comes out, one channel: 8000, 16000 or 48000 samples a second.
    [[nodiscard]] virtual std::uint32_t rate() const = 0;
    // Appends the samples of one payload; none when it is not well-formed. At most 120 ms for
    // Opus, and what the octets hold for the others.
    virtual void decode(Bytes payload, std::vector<std::int16_t>& out) = 0;
};

} // namespace cw::rtp
