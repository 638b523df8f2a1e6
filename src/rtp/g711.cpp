#include "rtp/g711.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace cw::rtp {
namespace {

using Table = std::array<std::int16_t, 256>;

// An octet is a sign, three bits of a segment and four of a step within it. Each segment's steps
// are twice as wide as those of the one before it.

// µ-law sends all bits inverted; its segments begin at multiples of a power of two once 132 has
// been added, which is 33 steps of 4, in the 16 bit scale.
constexpr int mu_bias = 132;
constexpr int mu_limit = 32635; // more would leave the last segment

constexpr std::int16_t expand_mu(unsigned octet) {
    const unsigned code = ~octet;
    const int step = static_cast<int>((code & 0x0fU) << 3U) + mu_bias;
    const int magnitude = (step << ((code & 0x70U) >> 4U)) - mu_bias;
    return static_cast<std::int16_t>((code & 0x80U) != 0 ? -magnitude : magnitude);
}

constexpr std::uint8_t compress_mu(int sample) {
    const unsigned sign = sample < 0 ? 0x80U : 0;
    const auto magnitude =
        static_cast<unsigned>(std::min(sample < 0 ? -sample : sample, mu_limit) + mu_bias);
    const auto segment = static_cast<unsigned>(std::bit_width(magnitude)) - 8;
    const unsigned step = magnitude >> (segment + 3) & 0x0fU;
    return static_cast<std::uint8_t>(~(sign | segment << 4U | step));
}

// A-law inverts every other bit; its first two segments are equally wide.
constexpr unsigned a_mask = 0x55;

constexpr std::int16_t expand_a(unsigned octet) {
    const unsigned code = octet ^ a_mask;
    const unsigned segment = (code & 0x70U) >> 4U;
    const unsigned step = (code & 0x0fU) << 4U | 8U; // the middle of the step
    const auto magnitude = static_cast<int>(segment == 0 ? step : (step | 0x100U) << (segment - 1));
    return static_cast<std::int16_t>((code & 0x80U) != 0 ? magnitude : -magnitude);
}

constexpr std::uint8_t compress_a(int sample) {
    const unsigned sign = sample < 0 ? 0 : 0x80U;
    const auto magnitude = static_cast<unsigned>(sample < 0 ? ~sample : sample) >> 4U;
    const auto width = static_cast<unsigned>(std::bit_width(magnitude));
    const unsigned segment = width <= 4 ? 0 : width - 4;
    const unsigned step = (segment == 0 ? magnitude : magnitude >> (segment - 1)) & 0x0fU;
    return static_cast<std::uint8_t>((sign | segment << 4U | step) ^ a_mask);
}

constexpr Table table(std::int16_t (*expand_one)(unsigned)) {
    Table out{};
    for (unsigned octet = 0; octet < out.size(); ++octet) {
        out[octet] = expand_one(octet);
    }
    return out;
}
constexpr Table mu_table = table(expand_mu);
constexpr Table a_table = table(expand_a);

} // namespace

std::uint8_t compress(Law law, std::int16_t sample) {
    return law == Law::Mu ? compress_mu(sample) : compress_a(sample);
}

std::int16_t expand(Law law, std::uint8_t octet) {
    return (law == Law::Mu ? mu_table : a_table)[octet];
}

void compress(Law law, std::span<const std::int16_t> samples, std::span<std::uint8_t> out) {
    const auto count = std::min(samples.size(), out.size());
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = compress(law, samples[i]);
    }
}

void expand(Law law, Bytes octets, std::span<std::int16_t> out) {
    const auto& values = law == Law::Mu ? mu_table : a_table;
    const auto count = std::min(octets.size(), out.size());
    for (std::size_t i = 0; i < count; ++i) {
        out[i] = values[octets[i]];
    }
}

} // namespace cw::rtp
