#include "rtp/rtcp_writer.hpp"

#include <gtest/gtest.h>

#include <array>

namespace cw::rtp {
namespace {

TEST(RtcpWriter, a_compound_packet_is_read_as_it_was_written) {
    std::vector<std::uint8_t> out;
    const SenderReport sent{.ntp = 0x0123'4567'89ab'cdef,
                            .rtp_timestamp = 0xdead'beef,
                            .packets = 1000,
                            .octets = 160'000};
    const std::array<ReportBlock, 2> blocks{{{.ssrc = 7,
                                              .fraction_lost = 0.25,
                                              .lost = -3,
                                              .highest = 0x1'0005,
                                              .jitter = 42,
                                              .last_report = 0x4567'89ab,
                                              .report_delay = 65536},
                                             {.ssrc = 8, .fraction_lost = 1, .lost = 0x900'0000}}};
    write_report(out, 0xa11ce, &sent, blocks);
    write_cname(out, 0xa11ce, "alice@example.com");
    write_bye(out, 0xa11ce);
    EXPECT_EQ(out.size() % 4, 0U);

    CompoundReader reader{out};
    const auto report = reader.next();
    ASSERT_TRUE(report && report->type == RtcpType::SenderReport);
    EXPECT_EQ(report->ssrc, 0xa11ceU);
    const auto read = sender_report(*report);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->ntp, sent.ntp);
    EXPECT_EQ(read->rtp_timestamp, sent.rtp_timestamp);
    EXPECT_EQ(read->packets, 1000U);
    EXPECT_EQ(read->octets, 160'000U);
    const auto found = report_blocks(*report);
    ASSERT_EQ(found.size(), 2U);
    const auto first = *found.begin();
    EXPECT_EQ(first.ssrc, 7U);
    EXPECT_EQ(first.fraction_lost, 0.25);
    EXPECT_EQ(first.lost, -3);
    EXPECT_EQ(first.highest, 0x1'0005U);
    EXPECT_EQ(first.jitter, 42U);
    EXPECT_EQ(first.last_report, 0x4567'89abU);
    EXPECT_EQ(first.report_delay, 65536U);
    const auto second = *++found.begin();
    EXPECT_EQ(second.lost, 0x7f'ffff); // as many as 24 bits hold
    EXPECT_NEAR(second.fraction_lost, 1, 0.01);

    const auto description = reader.next();
    ASSERT_TRUE(description);
    EXPECT_EQ(canonical_name(*description), "alice@example.com");
    const auto bye = reader.next();
    ASSERT_TRUE(bye && bye->type == RtcpType::Bye);
    EXPECT_EQ(bye->ssrc, 0xa11ceU);
    EXPECT_FALSE(reader.next());
    EXPECT_TRUE(reader.complete());
}

TEST(RtcpWriter, who_sends_nothing_writes_a_receiver_report) {
    std::vector<std::uint8_t> out;
    write_report(out, 1, nullptr, {});
    EXPECT_EQ(out, (std::vector<std::uint8_t>{0x80, 201, 0, 1, 0, 0, 0, 1}));
}

TEST(RtcpWriter, names_of_any_length_end_at_a_boundary) {
    for (std::size_t size = 0; size < 300; ++size) {
        std::vector<std::uint8_t> out;
        write_cname(out, 1, std::string(size, 'x'));
        CompoundReader reader{out};
        const auto packet = reader.next();
        ASSERT_TRUE(packet) << size;
        EXPECT_EQ(canonical_name(*packet)->size(), std::min<std::size_t>(size, 255));
        EXPECT_FALSE(reader.next());
        EXPECT_TRUE(reader.complete()) << size;
    }
}

TEST(RtcpWriter, more_blocks_than_a_packet_has_room_for_are_left_out) {
    std::vector<std::uint8_t> out;
    write_report(out, 1, nullptr, std::vector<ReportBlock>(40));
    CompoundReader reader{out};
    EXPECT_EQ(report_blocks(*reader.next()).size(), 31U);
}

TEST(RtcpWriter, time_is_counted_since_1900) {
    EXPECT_EQ(ntp_time(Instant{0}), std::uint64_t{2'208'988'800} << 32U);
    EXPECT_EQ(ntp_time(Instant{1'500'000'000}), std::uint64_t{2'208'988'801} << 32U | 0x8000'0000U);
}

} // namespace
} // namespace cw::rtp
