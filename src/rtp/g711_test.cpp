#include "rtp/g711.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <numbers>

namespace cw::rtp {
namespace {

constexpr Law laws[] = {Law::Mu, Law::A};

TEST(G711, ExpandsTheEndsOfItsScale) {
    EXPECT_EQ(expand(Law::Mu, 0xff), 0);
    EXPECT_EQ(expand(Law::Mu, 0x7f), 0);
    EXPECT_EQ(expand(Law::Mu, 0x80), 32124);
    EXPECT_EQ(expand(Law::Mu, 0x00), -32124);
    EXPECT_EQ(expand(Law::A, 0xd5), 8);
    EXPECT_EQ(expand(Law::A, 0x55), -8);
    EXPECT_EQ(expand(Law::A, 0xaa), 32256);
    EXPECT_EQ(expand(Law::A, 0x2a), -32256);
}

TEST(G711, CompressesItsOwnValuesToTheirOctets) {
    for (const auto law : laws) {
        for (int octet = 0; octet < 256; ++octet) {
            const auto code = static_cast<std::uint8_t>(octet);
            const bool negative_zero = law == Law::Mu && code == 0x7f;
            EXPECT_EQ(compress(law, expand(law, code)), negative_zero ? 0xff : code);
        }
    }
}

TEST(G711, IsNeverFurtherOffThanHalfAStep) {
    for (const auto law : laws) {
        for (int sample = -32768; sample <= 32767; ++sample) {
            const auto heard = expand(law, compress(law, static_cast<std::int16_t>(sample)));
            // A step is a sixteenth of its segment, the smallest 8 (µ-law) or 16 (A-law) wide; what
            // is above the scale becomes its end.
            const double allowed = std::max(std::abs(sample) / 31.0 + 8, 8.0);
            EXPECT_LE(std::abs(heard - sample), std::abs(sample) > 32124 ? 644 : allowed) << sample;
        }
    }
}

TEST(G711, KeepsTheOrderOfSamples) {
    for (const auto law : laws) {
        for (int sample = -32768; sample < 32767; ++sample) {
            EXPECT_LE(expand(law, compress(law, static_cast<std::int16_t>(sample))),
                      expand(law, compress(law, static_cast<std::int16_t>(sample + 1))));
        }
    }
}

// The octets that G.711 gives for a sine of 1 kHz at 0 dBm0 (its tables 5 and 6): all energy at
// that frequency, and 3.14 dB (A-law) or 3.17 dB (µ-law) below a sine that fills the scale.
TEST(G711, HearsTheDigitalMilliwattAsASine) {
    constexpr std::array<std::uint8_t, 8> a_law = {0x34, 0x21, 0x21, 0x34, 0xb4, 0xa1, 0xa1, 0xb4};
    constexpr std::array<std::uint8_t, 8> mu_law = {0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e};
    for (const auto law : laws) {
        std::array<std::int16_t, 8> samples{};
        expand(law, law == Law::A ? Bytes(a_law) : Bytes(mu_law), samples);
        double square = 0;
        double sine = 0;
        double cosine = 0;
        for (std::size_t i = 0; i < 8; ++i) {
            const double turn = 2 * std::numbers::pi * static_cast<double>(i) / 8;
            square += samples[i] * samples[i];
            sine += samples[i] * std::sin(turn);
            cosine += samples[i] * std::cos(turn);
        }
        EXPECT_GT((sine * sine + cosine * cosine) / 4 / square, 0.995);
        const double peak = law == Law::A ? 32256 : 32124;
        const double level = 10 * std::log10(square / 8 / (peak * peak / 2));
        EXPECT_NEAR(level, law == Law::A ? -3.14 : -3.17, 0.15);
    }
}

TEST(G711, WorksOnWholePackets) {
    const std::array<std::int16_t, 3> samples = {0, 1000, -1000};
    std::array<std::uint8_t, 3> octets{};
    std::array<std::int16_t, 3> heard{};
    compress(Law::A, samples, octets);
    expand(Law::A, octets, heard);
    EXPECT_EQ(heard[1], expand(Law::A, compress(Law::A, 1000)));
    EXPECT_EQ(heard[2], -heard[1]);
}

} // namespace
} // namespace cw::rtp
