// G.711, the two codecs that every telephone speaks: PCMU (µ-law) and PCMA (A-law) [RFC 3551
// §4.5.14, ITU-T G.711]. One octet a sample, 8000 samples a second; a sample is 16 bits, linear.
// Pure.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"

namespace cw::rtp {

enum class Law : std::uint8_t { Mu, A };

std::uint8_t compress(Law law, std::int16_t sample);
std::int16_t expand(Law law, std::uint8_t octet);

// Both spans are of the same length; of two lengths the shorter counts.
void compress(Law law, std::span<const std::int16_t> samples, std::span<std::uint8_t> out);
void expand(Law law, Bytes octets, std::span<std::int16_t> out);

} // namespace cw::rtp
