#include "rtp/packet.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "rtp/payload_types.hpp"

namespace cw::rtp {
namespace {

using Octets = std::vector<std::uint8_t>;

Octets plain(std::uint8_t first = 0x80, std::uint8_t second = 0x80) {
    return {first, second, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef};
}

TEST(RtpPacket, ReadsTheFixedHeader) {
    auto raw = plain(0x80, 0x80 | 8);
    raw.insert(raw.end(), {1, 2, 3});
    const auto p = parse(raw);
    ASSERT_TRUE(p);
    EXPECT_TRUE(p->marker);
    EXPECT_EQ(p->payload_type, 8);
    EXPECT_EQ(p->sequence, 0x1234);
    EXPECT_EQ(p->timestamp, 160U);
    EXPECT_EQ(p->ssrc, 0xdeadbeefU);
    EXPECT_EQ(p->payload.size(), 3U);
}

TEST(RtpPacket, TakesOffSourcesExtensionAndPadding) {
    auto raw = plain(0x80 | 0x20 | 0x10 | 2);
    raw.insert(raw.end(), {0, 0, 0, 1, 0, 0, 0, 2}); // two CSRCs
    raw.insert(raw.end(), {0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0});
    raw.insert(raw.end(), {7, 7, 7, 0, 0, 3}); // three octets, three of padding
    const auto p = parse(raw);
    ASSERT_TRUE(p);
    EXPECT_EQ(p->csrcs.size(), 8U);
    EXPECT_EQ(p->extension_profile, 0xbede);
    EXPECT_EQ(p->extension.size(), 4U);
    EXPECT_EQ(p->padding, 3);
    EXPECT_EQ(p->payload.size(), 3U);
    EXPECT_EQ(p->payload[2], 7);
}

TEST(RtpPacket, MarksPaddingThatDoesNotFitAndKeepsThePayload) {
    for (const std::uint8_t count : Octets{0, 4, 255}) {
        auto raw = plain(0xa0);
        raw.insert(raw.end(), {1, 2, count});
        const auto p = parse(raw);
        ASSERT_TRUE(p);
        EXPECT_TRUE(p->padding_is_bad) << int{count};
        EXPECT_EQ(p->payload.size(), 3U);
    }
    const auto p = parse(plain(0xa0));
    ASSERT_TRUE(p);
    EXPECT_TRUE(p->padding_is_bad) << "no payload, so no count";
}

TEST(RtpPacket, DoesNotLookForPaddingWhereTheCaptureIsCut) {
    auto raw = plain(0xa0);
    raw.insert(raw.end(), {1, 2, 2});
    const auto p = parse(raw, true);
    ASSERT_TRUE(p);
    EXPECT_FALSE(p->padding_is_bad);
    EXPECT_EQ(p->payload.size(), 3U);
}

TEST(RtpPacket, RefusesEveryShorterPrefixOfAFullHeader) {
    auto raw = plain(0x80 | 0x10 | 15);
    raw.resize(raw.size() + 60);
    raw.insert(raw.end(), {0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, 8});
    ASSERT_TRUE(parse(raw));
    for (std::size_t n = 0; n < raw.size(); ++n) {
        const auto p = parse(Bytes{raw}.first(n));
        ASSERT_FALSE(p) << n;
        EXPECT_EQ(p.error().code, Code::Truncated);
    }
}

TEST(RtpPacket, RefusesOtherVersions) {
    for (const std::uint8_t first : Octets{0x00, 0x40, 0xc0}) {
        const auto p = parse(plain(first));
        ASSERT_FALSE(p);
        EXPECT_EQ(p.error().code, Code::Malformed);
    }
}

TEST(Demultiplex, FollowsTheTableOfFirstOctets) {
    const auto kind = [](std::uint8_t first) {
        auto raw = plain(first, 0);
        return demultiplex(raw);
    };
    EXPECT_EQ(kind(0), Kind::Stun);
    EXPECT_EQ(kind(3), Kind::Stun);
    EXPECT_EQ(kind(4), Kind::Unknown);
    EXPECT_EQ(kind(16), Kind::Zrtp);
    EXPECT_EQ(kind(19), Kind::Zrtp);
    EXPECT_EQ(kind(20), Kind::Dtls);
    EXPECT_EQ(kind(63), Kind::Dtls);
    EXPECT_EQ(kind(64), Kind::TurnChannel);
    EXPECT_EQ(kind(79), Kind::TurnChannel);
    EXPECT_EQ(kind(80), Kind::Unknown);
    EXPECT_EQ(kind(128), Kind::Rtp);
    EXPECT_EQ(kind(191), Kind::Rtp);
    EXPECT_EQ(kind(192), Kind::Unknown);
    EXPECT_EQ(demultiplex({}), Kind::Unknown);
}

TEST(Demultiplex, TellsRtcpFromRtpOnOnePort) {
    Octets report = {0x80, 201, 0, 1, 1, 2, 3, 4};
    EXPECT_EQ(demultiplex(report), Kind::Rtcp);
    report[3] = 2; // says twelve octets, has eight
    EXPECT_FALSE(looks_like_rtcp(report));
    EXPECT_EQ(demultiplex(plain(0x80, 0x80 | 96)), Kind::Rtp) << "96 with the marker is 224";
    EXPECT_EQ(demultiplex(plain(0x80, 0x80 | 63)), Kind::Rtp) << "63 with the marker is 191";
}

TEST(PayloadTypes, KnowsTheAssignedOnesOnly) {
    ASSERT_NE(static_payload_type(0), nullptr);
    EXPECT_EQ(static_payload_type(0)->name, "PCMU");
    EXPECT_EQ(static_payload_type(9)->clock, 8000U) << "G.722's clock is 8 kHz by mistake";
    EXPECT_EQ(static_payload_type(10)->channels, 2);
    EXPECT_EQ(static_payload_type(34)->clock, 90000U);
    for (const std::uint8_t reserved : Octets{1, 2, 19, 20, 24, 27, 29, 30, 35, 72, 96, 127, 255}) {
        EXPECT_EQ(static_payload_type(reserved), nullptr) << int{reserved};
    }
}

} // namespace
} // namespace cw::rtp
