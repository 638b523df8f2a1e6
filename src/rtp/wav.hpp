// WAV files, for what a party says and what was heard: any common PCM or G.711 file to 8000 samples
// a second, one channel, 16 bits, and back [Multimedia Programming Interface 1.0, RIFF WAVE]. Bytes
// in, values out; every length in the file is checked. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "rtp/audio_source.hpp"

namespace cw::rtp {

// PCM of 8 or 16 bits, A-law or µ-law; 4000 to 192000 samples a second; up to 8 channels, which are
// mixed. Errors name what is wrong with the file, and their offset where. Of a file whose end is
// missing, what is there is read. LimitExceeded for more than half an hour.
Result<Samples> read_wav(Bytes file);

// 16 bits, 8000 a second, mono.
std::vector<std::uint8_t> write_wav(std::span<const std::int16_t> samples);
// What stands before `frames` samples of 16 bits for each of `channels`, little-endian. At most 4
// GiB of them: more are said to be that many.
std::array<std::uint8_t, 44> wav_header(std::uint32_t rate, std::uint16_t channels,
                                        std::uint64_t frames);

} // namespace cw::rtp
