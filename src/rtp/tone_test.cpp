#include "rtp/tone.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <set>
#include <utility>
#include <vector>

#include "rtp/g711.hpp"

namespace cw::rtp {
namespace {

std::vector<std::int16_t> tone(Mark mark, std::size_t samples) {
    std::vector<std::int16_t> out(samples);
    ToneSender(mark).fill(out);
    return out;
}

std::vector<std::int16_t> through(Law law, std::vector<std::int16_t> samples) {
    for (auto& sample : samples) {
        sample = expand(law, compress(law, sample));
    }
    return samples;
}

std::vector<std::int16_t> sine(double hertz, double amplitude, std::size_t samples) {
    std::vector<std::int16_t> out(samples);
    for (std::size_t i = 0; i < samples; ++i) {
        const double turn = 2 * std::numbers::pi * hertz * static_cast<double>(i) / 8000;
        out[i] = static_cast<std::int16_t>(amplitude * std::sin(turn));
    }
    return out;
}

std::vector<std::int16_t> mixed(const std::vector<std::int16_t>& a,
                                const std::vector<std::int16_t>& b) {
    std::vector<std::int16_t> out(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
        out[i] = static_cast<std::int16_t>(a[i] + b[i]);
    }
    return out;
}

TEST(Marks, AreSixtySixPairsOfTones) {
    std::set<std::pair<int, int>> all;
    for (unsigned i = 0; i < mark_count; ++i) {
        const auto mark = mark_of(i);
        EXPECT_LT(mark.low, mark.high);
        EXPECT_LT(mark.high, tone_count);
        all.insert({mark.low, mark.high});
    }
    EXPECT_EQ(all.size(), mark_count);
    EXPECT_EQ(mark_of(mark_count), mark_of(0));
}

TEST(Marks, OfSixNeighboursShareNoTone) {
    for (unsigned first = 0; first < mark_count; first += 6) {
        std::set<int> tones;
        for (unsigned i = first; i < first + 6; ++i) {
            tones.insert(mark_of(i).low);
            tones.insert(mark_of(i).high);
        }
        EXPECT_EQ(tones.size(), tone_count);
    }
}

TEST(Listener, HearsEveryMarkAndNoOtherThroughBothCodecs) {
    for (const auto law : {Law::Mu, Law::A}) {
        for (unsigned spoken = 0; spoken < mark_count; ++spoken) {
            ToneListener listener;
            listener.hear(through(law, tone(mark_of(spoken), 3200)));
            for (unsigned other = 0; other < mark_count; ++other) {
                const auto expected = other == spoken ? milliseconds(400) : Duration{};
                EXPECT_EQ(listener.heard(mark_of(other)), expected) << spoken << " " << other;
            }
            EXPECT_EQ(listener.unmarked(), Duration{});
        }
    }
}

TEST(Listener, DoesNotMindWhereAPacketBegins) {
    auto samples = tone(mark_of(3), 4000);
    ToneListener listener;
    for (std::size_t at = 37; at + 160 <= samples.size(); at += 160) {
        listener.hear(std::span(samples).subspan(at, 160));
    }
    EXPECT_GE(listener.heard(mark_of(3)), milliseconds(440));
}

TEST(Listener, HearsBothOfTwoWhoSpeakAtOnce) {
    ToneListener listener;
    listener.hear(through(Law::Mu, mixed(tone(mark_of(1), 3200), tone(mark_of(4), 3200))));
    EXPECT_EQ(listener.heard(mark_of(1)), milliseconds(400));
    EXPECT_EQ(listener.heard(mark_of(4)), milliseconds(400));
    EXPECT_EQ(listener.heard(mark_of(2)), Duration{});
}

TEST(Listener, TellsSilenceFromSound) {
    ToneListener listener;
    listener.hear(std::vector<std::int16_t>(1600, 0));
    listener.hear(sine(440, 20, 1600)); // comfort noise is louder than this
    EXPECT_EQ(listener.silence(), milliseconds(400));
    EXPECT_EQ(listener.sound(), Duration{});
    listener.hear(sine(440, 3000, 1600));
    EXPECT_EQ(listener.sound(), milliseconds(200));
    EXPECT_EQ(listener.unmarked(), milliseconds(200));
}

TEST(Listener, TakesNoOtherToneForAMark) {
    ToneListener listener;
    for (const double hertz : {350.0, 440.0, 697.0, 1000.0, 1633.0, 1700.0, 2100.0, 2750.0}) {
        listener.hear(sine(hertz, 8000, 1600));
    }
    listener.hear(mixed(sine(941, 8000, 1600), sine(1477, 8000, 1600)));
    for (unsigned i = 0; i < mark_count; ++i) {
        EXPECT_EQ(listener.heard(mark_of(i)), Duration{}) << i;
    }
}

TEST(Listener, TakesNoNoiseForAMark) {
    std::uint32_t seed = 1;
    std::vector<std::int16_t> noise(80'000);
    for (auto& sample : noise) {
        seed = seed * 1'664'525U + 1'013'904'223U;
        sample = static_cast<std::int16_t>(static_cast<std::int32_t>(seed >> 18U) - 8192);
    }
    ToneListener listener;
    listener.hear(noise);
    EXPECT_EQ(listener.unmarked(), milliseconds(10'000));
}

TEST(Listener, HearsAMarkDespiteLostPackets) {
    auto samples = tone(mark_of(7), 16'000);
    for (std::size_t at = 800; at + 160 < samples.size(); at += 1600) {
        std::fill_n(samples.begin() + static_cast<std::ptrdiff_t>(at), 160, std::int16_t{0});
    }
    ToneListener listener;
    listener.hear(samples);
    EXPECT_GE(listener.heard(mark_of(7)), milliseconds(1600));
}

} // namespace
} // namespace cw::rtp
