#include "rtp/audio_track.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include <opus/opus.h>

#include "rtp/g711.hpp"

namespace cw::rtp {
namespace {

constexpr Instant start{1'700'000'000'000'000'000};

Instant at(double s) {
    return Instant{start.ns + static_cast<std::int64_t>(s * 1e9)};
}

// 20 ms of one level.
AudioPacket packet(double s, std::uint16_t sequence, std::uint32_t timestamp, std::int16_t level) {
    return {.time = at(s),
            .timestamp = timestamp,
            .clock = 8000,
            .sequence = sequence,
            .codec = 0,
            .payload = std::vector<std::uint8_t>(160, compress(Law::Mu, level))};
}

std::int16_t heard(std::int16_t level) {
    return expand(Law::Mu, compress(Law::Mu, level));
}

std::vector<std::int16_t> all(AudioTrack& track, std::uint32_t rate, std::size_t piece = 100) {
    track.lay_out(track.first(), rate);
    std::vector<std::int16_t> out;
    while (out.size() < track.end()) {
        std::vector<std::int16_t> next(piece);
        track.mix(out.size(), next);
        out.insert(out.end(), next.begin(), next.end());
    }
    out.resize(std::min<std::size_t>(out.size(), track.end()));
    return out;
}

class Track : public testing::Test {
  protected:
    Track() { EXPECT_TRUE(track.codec(0, "PCMU", 8000)); }
    AudioTrack track;
};

TEST_F(Track, PacketsStandInTheirOrderCopiesOnceAndLossIsSilence) {
    track.add(packet(0, 65'534, 1000, 1000));
    track.add(packet(0.020, 65'535, 1160, 2000));
    track.add(packet(0.061, 1, 1480, 4000)); // before the one before it
    track.add(packet(0.062, 0, 1320, 3000));
    track.add(packet(0.062, 0, 1320, 3000));
    track.add(packet(0.100, 3, 1800, 6000)); // number 2 is lost
    const auto sound = all(track, 8000);
    ASSERT_EQ(sound.size(), 960U);
    for (std::size_t i = 0; i < 6; ++i) {
        const auto level = i == 4 ? 0 : heard(static_cast<std::int16_t>((i + 1) * 1000));
        EXPECT_TRUE(std::all_of(sound.begin() + static_cast<std::ptrdiff_t>(i * 160),
                                sound.begin() + static_cast<std::ptrdiff_t>(i * 160 + 160),
                                [&](std::int16_t s) { return s == level; }))
            << i;
    }
}

TEST_F(Track, WhereTimestampsLeapTheClockCounts) {
    track.add(packet(0, 1, 1000, 1000));
    track.add(packet(0.5, 2, 4'000'000'000, 2000));
    track.add(packet(0.52, 3, 4'000'000'160, 2000));
    const auto sound = all(track, 8000, 8000);
    ASSERT_EQ(sound.size(), 4320U);
    EXPECT_EQ(sound[3999], 0);
    EXPECT_EQ(sound[4000], heard(2000));
}

TEST_F(Track, TimesThatNoCallHasDoNotMakeAnEndlessFile) {
    track.add(packet(0, 1, 1000, 1000));
    track.add(packet(4e8, 2, 1160, 1000)); // twelve years
    track.lay_out(track.first(), 8000);
    EXPECT_LE(track.end(), 25ULL * 3600 * 8000);
}

TEST_F(Track, HigherRatesForThoseWhoAreMixedWithIt) {
    track.add(packet(0, 1, 0, 1000));
    const auto sound = all(track, 48'000, 7);
    ASSERT_EQ(sound.size(), 960U);
    EXPECT_EQ(sound[100], heard(1000));
    EXPECT_LT(sound[0], sound[3]) << "a line from the sample before";
}

TEST(AudioDecoder, OpusGivesBackATone) {
    int error = 0;
    auto* encoder = opus_encoder_create(48000, 1, OPUS_APPLICATION_AUDIO, &error);
    ASSERT_EQ(error, OPUS_OK);
    const auto decoder = AudioDecoder::make("opus", 48000);
    ASSERT_NE(decoder, nullptr);
    std::vector<std::int16_t> out;
    for (int n = 0; n < 50; ++n) {
        std::vector<std::int16_t> in(960);
        for (std::size_t i = 0; i < in.size(); ++i) {
            in[i] = static_cast<std::int16_t>(
                8000 * std::sin(2 * 3.14159265 * 440 * static_cast<double>(960 * n) / 48000 +
                                2 * 3.14159265 * 440 * static_cast<double>(i) / 48000));
        }
        std::vector<std::uint8_t> bytes(1000);
        const auto size = opus_encode(encoder, in.data(), 960, bytes.data(), 1000);
        ASSERT_GT(size, 0);
        decoder->decode(Bytes{bytes}.first(static_cast<std::size_t>(size)), out);
    }
    opus_encoder_destroy(encoder);
    ASSERT_EQ(out.size(), 48'000U);
    int crossings = 0;
    for (std::size_t i = 24'001; i < out.size(); ++i) {
        crossings += (out[i - 1] < 0) != (out[i] < 0) ? 1 : 0;
    }
    EXPECT_NEAR(crossings, 440, 4) << "in half a second";
}

TEST(AudioDecoder, WhatIsNoOpusAndWhatNobodyKnowsIsNoSound) {
    const auto decoder = AudioDecoder::make("OPUS", 48000);
    std::vector<std::int16_t> out;
    for (unsigned size = 0; size < 300; ++size) {
        std::vector<std::uint8_t> bytes(size);
        for (unsigned i = 0; i < size; ++i) {
            bytes[i] = static_cast<std::uint8_t>(i * 91 + size);
        }
        out.clear();
        decoder->decode(bytes, out);
        EXPECT_LE(out.size(), 5760U);
    }
    EXPECT_EQ(AudioDecoder::make("G729", 8000), nullptr);
    EXPECT_EQ(AudioDecoder::make("", 0), nullptr);
    EXPECT_EQ(AudioDecoder::make("L16", 44100), nullptr);
}

} // namespace
} // namespace cw::rtp
