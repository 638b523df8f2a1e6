#include "flow/media_course.hpp"

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

constexpr Instant start{1'700'000'000'000'000'000};

class Courses : public testing::Test {
  protected:
    Courses() {
        stream_.source = *parse_endpoint("10.0.0.1:4000", 0);
        stream_.destination = *parse_endpoint("10.0.0.2:6000", 0);
        stream_.ssrc = 7;
        stream_.first = start;
    }
    void packet(std::uint32_t number, Duration late = {}) {
        stream_.last = start + milliseconds(20 * std::int64_t{number}) + late;
        course_.on_media_packet({.time = stream_.last,
                                 .source = stream_.source,
                                 .destination = stream_.destination,
                                 .ssrc = stream_.ssrc,
                                 .timestamp = number * 160U,
                                 .clock = 8000,
                                 .sequence = static_cast<std::uint16_t>(number),
                                 .payload_type = 0,
                                 .encoding = "PCMU",
                                 .payload = {}});
    }
    MediaCourse course_;
    MediaStream stream_;
};

TEST_F(Courses, TellInWhichSecondPacketsWereMissingAndWhenTheyCameLate) {
    for (std::uint32_t i = 0; i < 500; ++i) { // ten seconds
        if (i < 210 || i >= 220) {            // the fifth lacks ten
            packet(i, i / 50 == 7 && i % 2 == 0 ? milliseconds(15) : Duration{});
        }
    }
    const auto* course = course_.of(stream_);
    ASSERT_NE(course, nullptr);
    EXPECT_EQ(course->begin, start);
    EXPECT_EQ(course->period, seconds(1));
    ASSERT_EQ(course->periods.size(), 10U);
    for (std::size_t i = 0; i < 10; ++i) {
        EXPECT_EQ(course->periods[i].missing, i == 4 ? 10U : 0U) << i;
        EXPECT_EQ(course->periods[i].packets, i == 4 ? 40U : 50U) << i;
    }
    EXPECT_LT(course->periods[3].jitter_ms, 0.01);
    EXPECT_GT(course->periods[7].jitter_ms, 5);
    stream_.ssrc = 8;
    EXPECT_EQ(course_.of(stream_), nullptr);
}

TEST_F(Courses, APacketThatComesLateIsNotMissing) {
    for (const std::uint32_t i : {0U, 1U, 3U, 4U, 2U, 5U, 60U}) {
        packet(i);
    }
    const auto* course = course_.of(stream_);
    ASSERT_NE(course, nullptr);
    ASSERT_EQ(course->periods.size(), 2U);
    EXPECT_EQ(course->periods[0].missing, 0U);
    EXPECT_EQ(course->periods[1].missing, 54U);
}

TEST_F(Courses, AStreamThatLastsGetsLongerPeriodsAndNothingIsLost) {
    constexpr std::uint32_t count = 60'000; // twenty minutes
    for (std::uint32_t i = 0; i < count; ++i) {
        if (i % 1000 != 0 || i == 0) {
            packet(i);
        }
    }
    const auto* course = course_.of(stream_);
    ASSERT_NE(course, nullptr);
    EXPECT_EQ(course->period, seconds(16));
    EXPECT_LE(course->periods.size(), MediaCourse::most_periods);
    std::uint64_t packets = 0;
    std::uint64_t missing = 0;
    for (const auto& period : course->periods) {
        packets += period.packets;
        missing += period.missing;
    }
    EXPECT_EQ(packets, count - 59);
    EXPECT_EQ(missing, 59U);
}

TEST_F(Courses, TheSameEndsAndSsrcInALaterCallAreAnotherStream) {
    packet(0);
    packet(49);
    const auto early = stream_;
    stream_.first = start + seconds(200);
    packet(10'000);
    const auto late = stream_;
    ASSERT_NE(course_.of(early), nullptr);
    ASSERT_NE(course_.of(late), nullptr);
    EXPECT_EQ(course_.of(early)->begin, start);
    EXPECT_EQ(course_.of(late)->begin, start + seconds(200));
}

} // namespace
} // namespace cw::flow
