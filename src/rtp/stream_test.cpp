#include "rtp/stream.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>

#include "rtp/payload_types.hpp"

namespace cw::rtp {
namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr Instant begin{1'700'000'000'000'000'000};

// Packet number n of a clean 20 ms G.711 stream, with sequence numbers from `first`.
Arrival clean(std::uint32_t n, std::uint16_t first = 100) {
    return {.time = begin + milliseconds(20 * n),
            .timestamp = 160 * n,
            .clock = 8000,
            .sequence = static_cast<std::uint16_t>(first + n)};
}

StreamStats stats_of(std::initializer_list<std::uint32_t> numbers) {
    StreamStats stats;
    for (const auto n : numbers) {
        stats.add(clean(n));
    }
    return stats;
}

TEST(StreamStats, FindsNothingWrongInACleanStream) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 500; ++n) {
        stats.add(clean(n));
    }
    EXPECT_EQ(stats.packets(), 500U);
    EXPECT_EQ(stats.expected(), 500U);
    EXPECT_EQ(stats.lost(), 0);
    EXPECT_EQ(stats.missing(), 0U);
    EXPECT_EQ(stats.duplicates() + stats.out_of_order() + stats.strays() + stats.restarts(), 0U);
    EXPECT_EQ(stats.jitter_ms(), 0);
    EXPECT_EQ(stats.longest_gap(), milliseconds(20));
}

TEST(StreamStats, IsSmall) {
    EXPECT_LE(sizeof(StreamStats), 256 + 1024 / 8);
}

TEST(StreamStats, CountsOnePacket) {
    const auto stats = stats_of({0});
    EXPECT_EQ(stats.packets(), 1U);
    EXPECT_EQ(stats.expected(), 1U);
    EXPECT_EQ(StreamStats{}.expected(), 0U);
}

TEST(StreamStats, DuplicatesDoNotHideLoss) {
    // 2, 5 and 6 are missing; two duplicates make RFC 3550's figure 1.
    const auto stats = stats_of({0, 1, 3, 3, 4, 7, 1, 8});
    EXPECT_EQ(stats.missing(), 3U);
    EXPECT_EQ(stats.duplicates(), 2U);
    EXPECT_EQ(stats.expected(), 9U);
    EXPECT_EQ(stats.lost(), 1);
}

TEST(StreamStats, APacketThatComesLateIsNoLongerMissing) {
    auto stats = stats_of({0, 1, 3, 4});
    EXPECT_EQ(stats.missing(), 1U);
    stats.add(clean(2));
    EXPECT_EQ(stats.missing(), 0U);
    EXPECT_EQ(stats.out_of_order(), 1U);
    stats.add(clean(2));
    EXPECT_EQ(stats.duplicates(), 1U);
}

TEST(StreamStats, APacketFromBeforeTheFirstOneExtendsTheStreamDownwards) {
    const auto stats = stats_of({5, 6, 2, 7});
    EXPECT_EQ(stats.missing(), 2U) << "3 and 4";
    EXPECT_EQ(stats.out_of_order(), 1U);
    EXPECT_EQ(stats.expected(), 3U) << "RFC 3550 counts from the first received";
    EXPECT_EQ(stats.lost(), -1);
}

TEST(StreamStats, CountsOverTheEndOfTheSequenceNumbers) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 200'000; ++n) {
        if (n % 1000 != 7) {
            stats.add(clean(n, 65000));
        }
    }
    EXPECT_EQ(stats.missing(), 200U);
    EXPECT_EQ(stats.lost(), 200);
    EXPECT_EQ(stats.expected(), 200'000U);
    EXPECT_EQ(stats.wraps(), 4U) << "at 536, and each 65536 after";
}

TEST(StreamStats, RemembersAThousandSequenceNumbers) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 5000; ++n) {
        if (n != 4010) {
            stats.add(clean(n));
        }
    }
    stats.add(clean(4010)); // 989 late
    stats.add(clean(4011));
    EXPECT_EQ(stats.missing(), 0U);
    EXPECT_EQ(stats.out_of_order(), 1U);
    EXPECT_EQ(stats.duplicates(), 1U);
    EXPECT_EQ(stats.restarts(), 0U);
}

TEST(StreamStats, ALongGapForgetsNothingThatMatters) {
    StreamStats stats;
    stats.add(clean(0));
    stats.add(clean(2500)); // more than the window, less than a restart
    EXPECT_EQ(stats.missing(), 2499U);
    stats.add(clean(2499));
    EXPECT_EQ(stats.missing(), 2498U);
    stats.add(clean(2500));
    EXPECT_EQ(stats.duplicates(), 1U);
}

TEST(StreamStats, TwoPacketsInSequenceAfterALeapAreARestart) {
    auto stats = stats_of({0, 1, 2});
    for (std::uint32_t n = 0; n < 5; ++n) {
        stats.add({.time = begin + milliseconds(60 + 20 * n),
                   .timestamp = 0x9000'0000 + 160 * n,
                   .clock = 8000,
                   .sequence = static_cast<std::uint16_t>(30000 + n)});
    }
    EXPECT_EQ(stats.restarts(), 1U);
    EXPECT_EQ(stats.packets(), 8U);
    EXPECT_EQ(stats.expected(), 8U);
    EXPECT_EQ(stats.lost(), 0);
    EXPECT_EQ(stats.missing(), 0U);
    EXPECT_EQ(stats.jitter_ms(), 0) << "the new run has its own timestamps";
}

TEST(StreamStats, OnePacketFromElsewhereIsAStray) {
    auto stats = stats_of({0, 1, 2});
    auto stray = clean(3);
    stray.sequence = 40000;
    stats.add(stray);
    EXPECT_EQ(stats.strays(), 1U) << "while nothing has come after it";
    stats.add(clean(3));
    stats.add(clean(4));
    EXPECT_EQ(stats.strays(), 1U);
    EXPECT_EQ(stats.packets(), 6U);
    EXPECT_EQ(stats.lost(), 0);
    EXPECT_EQ(stats.restarts(), 0U);
}

TEST(StreamStats, AMinuteAndMoreWithoutCaptureIsLossWhenTheMediaClockWentOn) {
    auto stats = stats_of({0, 1, 2});
    stats.add(clean(6003));
    stats.add(clean(6004));
    EXPECT_EQ(stats.restarts(), 0U);
    EXPECT_EQ(stats.missing(), 6000U);
    EXPECT_EQ(stats.longest_gap(), milliseconds(6001 * 20));
}

TEST(StreamStats, JitterFollowsTheFormulaOfRfc3550) {
    // Every second packet is 8 ms late: |D| is 8 from the second packet on.
    StreamStats stats;
    double j = 0;
    double sum = 0;
    for (std::uint32_t n = 0; n < 100; ++n) {
        auto packet = clean(n);
        packet.time = packet.time + Duration{n % 2 == 1 ? 8 * ms : 0};
        stats.add(packet);
        if (n > 0) {
            j += (8 - j) / 16;
            sum += j;
        }
    }
    EXPECT_NEAR(stats.jitter_ms(), j, 1e-9);
    EXPECT_NEAR(stats.max_jitter_ms(), j, 1e-9);
    EXPECT_NEAR(stats.mean_jitter_ms(), sum / 99, 1e-9);
}

TEST(StreamStats, EventsDoNotDisturbJitter) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 50; ++n) {
        auto packet = clean(n);
        if (n >= 10 && n < 20) { // all packets of an event carry its start
            packet.event = true;
            packet.payload_type = 101;
            packet.timestamp = clean(10).timestamp;
        }
        stats.add(packet);
    }
    EXPECT_EQ(stats.max_jitter_ms(), 0);
    EXPECT_EQ(stats.packets(), 50U);
    EXPECT_EQ(stats.payload_type(), 0);
}

TEST(StreamStats, ComfortNoiseOfAnotherClockDoesNotDisturbJitter) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 20; ++n) {
        auto packet = clean(n);
        packet.payload_type = 97;
        packet.clock = 16000;
        packet.timestamp = 320 * n;
        if (n == 7) {
            packet.payload_type = comfort_noise;
            packet.clock = 8000;
        }
        stats.add(packet);
    }
    EXPECT_EQ(stats.max_jitter_ms(), 0);
    EXPECT_EQ(stats.clock_changes(), 0U);
}

TEST(StreamStats, AChangeOfClockStartsAnew) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 10; ++n) {
        stats.add(clean(n));
    }
    for (std::uint32_t n = 10; n < 30; ++n) {
        auto packet = clean(n);
        packet.clock = 48000;
        packet.timestamp = 0x7000'0000 + 960 * n;
        packet.payload_type = 111;
        stats.add(packet);
    }
    EXPECT_EQ(stats.max_jitter_ms(), 0);
    EXPECT_EQ(stats.clock_changes(), 1U);
    EXPECT_EQ(stats.payload_type(), 111) << "it has the majority";
}

TEST(StreamStats, ATimestampSetAnewIsNotJitter) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 10; ++n) {
        stats.add(clean(n));
    }
    for (std::uint32_t n = 10; n < 20; ++n) {
        auto packet = clean(n);
        packet.timestamp += 8000 * 60;
        stats.add(packet);
    }
    EXPECT_EQ(stats.timestamp_jumps(), 1U);
    EXPECT_EQ(stats.max_jitter_ms(), 0);
}

TEST(StreamStats, WithoutAClockThereIsNoJitter) {
    StreamStats stats;
    for (std::uint32_t n = 0; n < 10; ++n) {
        auto packet = clean(n * n);
        packet.clock = 0;
        packet.sequence = static_cast<std::uint16_t>(n);
        stats.add(packet);
    }
    EXPECT_EQ(stats.max_jitter_ms(), 0);
    EXPECT_EQ(stats.mean_jitter_ms(), 0);
}

TEST(StreamStats, KeepsItsBooksWhateverComes) {
    // Hostile sequence numbers: whatever the order, no count may run below zero.
    StreamStats stats;
    std::uint64_t x = 88172645463325252ULL;
    for (int n = 0; n < 200'000; ++n) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        const auto step = static_cast<std::uint16_t>(x % 5 == 0 ? x >> 20 : x >> 40 & 0x3ff);
        stats.add({.time = begin + Duration{static_cast<std::int64_t>(x >> 30)},
                   .timestamp = static_cast<std::uint32_t>(x >> 8),
                   .clock = 8000,
                   .sequence = static_cast<std::uint16_t>(step + n / 50)});
    }
    EXPECT_EQ(stats.packets(), 200'000U);
    EXPECT_LT(stats.missing(), 1ULL << 40) << "it went below zero";
    EXPECT_LT(stats.expected(), 1ULL << 40);
    EXPECT_LT(stats.duplicates() + stats.out_of_order() + stats.strays(), 200'001U);
    EXPECT_TRUE(std::isfinite(stats.mean_jitter_ms()));
}

} // namespace
} // namespace cw::rtp
