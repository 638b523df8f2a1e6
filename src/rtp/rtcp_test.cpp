#include "rtp/rtcp.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace cw::rtp {
namespace {

using Octets = std::vector<std::uint8_t>;

void append(Octets& to, const Octets& more) {
    to.insert(to.end(), more.begin(), more.end());
}

// A sender report with one block, an SDES with a CNAME, and a BYE with a reason.
Octets compound() {
    Octets raw = {0x81, 200, 0, 12, 0, 0, 0, 1};
    append(raw, {0x83, 0xaa, 0x7e, 0x80, 0x80, 0, 0, 0}); // NTP: half a second past
    append(raw, {0, 0, 0, 160, 0, 0, 0, 50, 0, 0, 0x1f, 0x40});
    append(raw, {0, 0, 0, 2, 64, 0xff, 0xff, 0xfe}); // a quarter lost; minus two in all
    append(raw, {0, 1, 0, 5, 0, 0, 0, 80, 0x7e, 0x80, 0x80, 0, 0, 1, 0, 0});
    append(raw, {0x81, 202, 0, 3, 0, 0, 0, 1, 1, 3, 'a', '@', 'b', 0, 0, 0});
    raw[raw.size() - 13] = 3;
    append(raw, {0x81, 203, 0, 3, 0, 0, 0, 1, 4, 'd', 'o', 'n', 'e', 0, 0, 0});
    return raw;
}

TEST(Rtcp, WalksACompoundPacket) {
    const auto raw = compound();
    CompoundReader reader{raw};
    const auto report = reader.next();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->type, RtcpType::SenderReport);
    EXPECT_EQ(report->ssrc, 1U);
    const auto sent = sender_report(*report);
    ASSERT_TRUE(sent);
    EXPECT_EQ(sent->ntp, 0x83aa7e8080000000ULL);
    EXPECT_EQ(sent->packets, 50U);
    EXPECT_EQ(sent->octets, 8000U);

    const auto blocks = report_blocks(*report);
    ASSERT_EQ(blocks.size(), 1U);
    const auto block = *blocks.begin();
    EXPECT_EQ(block.ssrc, 2U);
    EXPECT_DOUBLE_EQ(block.fraction_lost, 0.25);
    EXPECT_EQ(block.lost, -2) << "24 bits with a sign";
    EXPECT_EQ(block.highest, 0x10005U);
    EXPECT_EQ(block.jitter, 80U);
    EXPECT_EQ(block.report_delay, 0x10000U);

    const auto description = reader.next();
    ASSERT_TRUE(description);
    EXPECT_EQ(canonical_name(*description), "a@b");
    const auto bye = reader.next();
    ASSERT_TRUE(bye);
    EXPECT_EQ(bye_reason(*bye), "done");
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.complete());
}

TEST(Rtcp, StopsWhereCiphertextBegins) {
    auto raw = compound();
    raw.resize(52); // the sender report
    append(raw, {0xff, 0x13, 0x77, 0x01, 0x80, 0, 0, 1});
    CompoundReader reader{raw};
    EXPECT_TRUE(reader.next());
    EXPECT_FALSE(reader.next());
    EXPECT_FALSE(reader.complete());
    EXPECT_FALSE(reader.next()) << "it stays stopped";
}

TEST(Rtcp, GivesOnlyReportBlocksThatFit) {
    Octets raw = {0x9f, 201, 0, 7, 0, 0, 0, 1}; // says 31 blocks, has room for one
    raw.resize(32);
    CompoundReader reader{raw};
    const auto packet = reader.next();
    ASSERT_TRUE(packet);
    EXPECT_EQ(report_blocks(*packet).size(), 1U);
}

TEST(Rtcp, TakesPaddingOffAndRefusesPaddingThatDoesNotFit) {
    Octets raw = {0xa0, 201, 0, 2, 0, 0, 0, 1, 0, 0, 0, 4};
    const auto packet = CompoundReader{raw}.next();
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->body.size(), 4U);
    raw.back() = 9;
    EXPECT_FALSE(CompoundReader{raw}.next());
}

TEST(Rtcp, SurvivesEveryPrefixAndEveryOctetChanged) {
    const auto original = compound();
    const auto walk = [](Bytes bytes) {
        std::size_t sum = 0;
        CompoundReader reader{bytes};
        while (const auto packet = reader.next()) {
            for (const auto& block : report_blocks(*packet)) {
                sum += block.highest;
            }
            sum += canonical_name(*packet).value_or("").size() + bye_reason(*packet).size() +
                   application_name(*packet).size() + feedback_source(*packet).value_or(0) +
                   (voip_metrics(*packet) ? 1U : 0U) + (sender_report(*packet) ? 1U : 0U);
        }
        return sum;
    };
    ASSERT_GT(walk(original), 0U);
    for (std::size_t n = 0; n < original.size(); ++n) {
        const Octets exact(original.begin(), original.begin() + static_cast<std::ptrdiff_t>(n));
        CompoundReader reader{exact};
        while (reader.next()) {
        }
        EXPECT_EQ(reader.complete(), n == 0 || n == 52 || n == 68) << n;
        for (const std::uint8_t value : Octets{0x00, 0xcf, 0xff}) {
            auto changed = original;
            changed[n] = value;
            walk(changed);
        }
    }
}

TEST(Rtcp, ReadsVoipMetrics) {
    Octets raw = {0x80, 207, 0, 10, 0, 0, 0, 1, 7, 0, 0, 8, 0, 0, 0, 2};
    append(raw, {64, 128, 0, 0, 0, 100, 3, 232, 0, 150, 0, 60});
    append(raw, {0xec, 127, 127, 16, 93, 127, 41, 127, 0, 0, 0, 40, 0, 80, 0, 120});
    const auto packet = CompoundReader{raw}.next();
    ASSERT_TRUE(packet);
    const auto m = voip_metrics(*packet);
    ASSERT_TRUE(m);
    EXPECT_EQ(m->ssrc, 2U);
    EXPECT_DOUBLE_EQ(m->loss, 0.25);
    EXPECT_DOUBLE_EQ(m->discard, 0.5);
    EXPECT_EQ(m->burst_ms, 100);
    EXPECT_EQ(m->gap_ms, 1000);
    EXPECT_EQ(m->round_trip_ms, 150);
    EXPECT_EQ(m->end_system_ms, 60);
    EXPECT_EQ(m->signal_dbm, -20);
    EXPECT_FALSE(m->noise_dbm) << "127 says unavailable";
    EXPECT_EQ(m->r_factor, 93);
    EXPECT_DOUBLE_EQ(m->mos_listening.value_or(0), 4.1);
    EXPECT_FALSE(m->mos_conversational);
    EXPECT_EQ(m->buffer_nominal_ms, 40);
    EXPECT_EQ(m->buffer_maximum_ms, 80);
}

TEST(Rtcp, ReadsApplicationAndFeedbackPackets) {
    const Octets application = {0x80, 204, 0, 2, 0, 0, 0, 1, 'n', 'a', 'm', 'e'};
    EXPECT_EQ(application_name(*CompoundReader{application}.next()), "name");
    const Octets picture_loss = {0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9};
    const auto packet = CompoundReader{picture_loss}.next();
    ASSERT_TRUE(packet);
    EXPECT_EQ(packet->count, 1) << "the feedback message type";
    EXPECT_EQ(feedback_source(*packet), 9U);
}

} // namespace
} // namespace cw::rtp
