#include "rtp/g722.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace cw::rtp {
namespace {

// 20 ms of 1 kHz and 5.2 kHz together, encoded by spandsp 0.0.6.
constexpr std::string_view tones = "b712f3a004a0a02022b8128d901eafaa2dbb930f923e30ab2f3d941053bf30e"
                                   "cb07cd4d115fef12eb27d5592577fb26f"
                                   "74fc1753d73df3f033dfd913d87f33b0725fd85358bd3271f31fd8d359bdf23"
                                   "1f47c16d3597eb371f4bc56d3997ef5ef"
                                   "36bed654d6fb36af747cd81358be73f1f13cd7d616fff46fb67b15d5585cb27"
                                   "0f1bc1952da5ef4ee36bbd8135a7e78ad"
                                   "327f99d4547f34eef23bd897d89df1ef";

std::vector<std::uint8_t> octets_of(std::string_view hex) {
    const auto digit = [](char c) {
        return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
    };
    std::vector<std::uint8_t> out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(digit(hex[i]) << 4U | digit(hex[i + 1])));
    }
    return out;
}

TEST(G722, GivesWhatAnotherDecoderGivesBitByBit) {
    const auto octets = octets_of(tones);
    ASSERT_EQ(octets.size(), 160U);
    std::vector<std::int16_t> samples(320);
    G722Decoder decoder;
    decoder.decode(Bytes{octets}.first(70), samples); // in two packets
    decoder.decode(Bytes{octets}.subspan(70), std::span{samples}.subspan(140));
    const std::vector<std::int16_t> by_spandsp{3575, 11970, 8765,   5082,  9543,  4050,   -3627,
                                               -769, -4898, -12487, -6092, -7033, -10262, -1103,
                                               1933, -606,  7778,   11160, 5179,  8313};
    EXPECT_TRUE(std::ranges::equal(std::span{samples}.subspan(280, 20), by_spandsp));
}

TEST(G722, TakesAnyOctetsAndNeverWritesBehindItsRoom) {
    std::vector<std::uint8_t> octets;
    for (unsigned i = 0; i < 4096; ++i) {
        octets.push_back(static_cast<std::uint8_t>(i * 73 + i / 7));
    }
    std::vector<std::int16_t> samples(101, 7);
    G722Decoder decoder;
    decoder.decode(octets, samples);
    EXPECT_EQ(samples[100], 7);
    samples.resize(8192);
    decoder.decode(octets, samples);
}

} // namespace
} // namespace cw::rtp
