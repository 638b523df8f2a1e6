#include "rtp/heuristic.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace cw::rtp {
namespace {

constexpr Instant begin{1'700'000'000'000'000'000};

struct Flow {
    Recogniser recogniser;
    std::uint8_t payload_type = 0;
    std::uint32_t ssrc = 0x12345678;

    bool packet(std::int64_t at_ms, std::uint16_t sequence, std::uint32_t timestamp) {
        std::vector<std::uint8_t> raw = {0x80, payload_type};
        const auto put = [&raw](std::uint32_t value, int octets) {
            for (int shift = 8 * (octets - 1); shift >= 0; shift -= 8) {
                raw.push_back(static_cast<std::uint8_t>(value >> shift));
            }
        };
        put(sequence, 2);
        put(timestamp, 4);
        put(ssrc, 4);
        raw.resize(raw.size() + 160);
        return recogniser.add(raw, begin + milliseconds(at_ms));
    }
    // Packets `from` to `to` of a clean stream; true when the last one is known as RTP.
    bool clean(std::uint16_t from, std::uint16_t to) {
        bool rtp = false;
        for (auto n = from; n <= to; ++n) {
            rtp = packet(20 * n, n, 160U * n);
        }
        return rtp;
    }
};

TEST(Recogniser, IsCertainAtTheFifthPacketAndHandsOutTheFourBefore) {
    Flow flow;
    EXPECT_FALSE(flow.clean(0, 3));
    EXPECT_TRUE(flow.clean(4, 4));
    const auto held = flow.recogniser.held();
    ASSERT_EQ(held.size(), 4U);
    EXPECT_EQ(held[0].sequence, 0);
    EXPECT_EQ(held[0].clock, 8000U);
    EXPECT_EQ(held[3].time, begin + milliseconds(60));
    EXPECT_TRUE(flow.clean(5, 5));
    EXPECT_TRUE(flow.recogniser.held().empty()) << "only once";
}

TEST(Recogniser, BearsLossReorderingAndDuplicates) {
    Flow flow;
    EXPECT_FALSE(flow.packet(0, 65534, 0));
    EXPECT_FALSE(flow.packet(21, 65535, 160));
    EXPECT_FALSE(flow.packet(21, 65535, 160)); // a duplicate proves nothing
    EXPECT_FALSE(flow.packet(60, 1, 480));     // one before it is late
    EXPECT_FALSE(flow.packet(61, 0, 320));
    EXPECT_TRUE(flow.packet(140, 4, 960)); // and two are lost
}

TEST(Recogniser, WatchesSeveralSourcesOfOneFlow) {
    Flow flow;
    bool audio = false;
    bool video = false;
    for (std::uint16_t n = 0; n < 6; ++n) {
        flow.ssrc = 1;
        flow.payload_type = 111;
        audio = flow.packet(20 * n, n, 960U * n);
        flow.ssrc = 2;
        flow.payload_type = 96;
        video = flow.packet(20 * n, static_cast<std::uint16_t>(500 + n), 3000U * (n / 3U));
    }
    EXPECT_TRUE(audio);
    EXPECT_TRUE(video);
}

TEST(Recogniser, IsNotFooledByWhatOnlyLooksLikeIt) {
    {
        Flow frozen; // a counter, but no clock
        for (std::uint16_t n = 0; n < 100; ++n) {
            EXPECT_FALSE(frozen.packet(20 * n, n, 77));
        }
    }
    {
        Flow repeated; // one datagram, sent again and again
        for (int n = 0; n < 100; ++n) {
            EXPECT_FALSE(repeated.packet(20 * n, 5, 800));
        }
    }
    {
        Flow leaping; // sequence numbers far apart
        for (std::uint16_t n = 0; n < 100; ++n) {
            EXPECT_FALSE(leaping.packet(20 * n, static_cast<std::uint16_t>(n * 300), 160U * n));
        }
    }
    {
        Flow racing; // its clock is none of this world
        for (std::uint16_t n = 0; n < 100; ++n) {
            EXPECT_FALSE(racing.packet(20 * n, n, 5'000'000U * n));
        }
    }
    {
        Flow slow; // a packet each minute
        for (std::uint16_t n = 0; n < 100; ++n) {
            EXPECT_FALSE(slow.packet(60'000 * n, n, 480'000U * n));
        }
    }
    {
        Flow zero;
        zero.ssrc = 0;
        EXPECT_FALSE(zero.clean(0, 50));
    }
    {
        Flow report; // payload type 73 is an RTCP receiver report
        report.payload_type = 73;
        EXPECT_FALSE(report.clean(0, 50));
    }
}

TEST(Recogniser, AsksMoreOfUnusualPayloadTypes) {
    Flow flow;
    flow.payload_type = 40;
    EXPECT_FALSE(flow.clean(0, 6));
    EXPECT_TRUE(flow.clean(7, 7));
    EXPECT_EQ(flow.recogniser.held().size(), 7U);
}

TEST(Recogniser, WaitsForTheTimestampOfAVideoFrameToMove) {
    Flow flow;
    flow.payload_type = 96;
    for (std::uint16_t n = 0; n < 30; ++n) {
        EXPECT_FALSE(flow.packet(n / 10, n, 9000));
    }
    EXPECT_TRUE(flow.packet(33, 30, 12000));
    EXPECT_EQ(flow.recogniser.held().back().sequence, 29);
}

TEST(Recogniser, FindsNothingInRandomBytes) {
    Recogniser recogniser;
    std::uint64_t x = 88172645463325252ULL;
    for (int n = 0; n < 100'000; ++n) {
        std::vector<std::uint8_t> raw(static_cast<std::size_t>(n % 64));
        for (auto& octet : raw) {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            octet = static_cast<std::uint8_t>(x >> 32);
        }
        ASSERT_FALSE(recogniser.add(raw, begin + milliseconds(n)));
    }
}

} // namespace
} // namespace cw::rtp
