#include "play/load/arrivals.hpp"

#include <gtest/gtest.h>

#include "play/load/histogram.hpp"
#include "play/load/rows.hpp"
#include "play/load/tally.hpp"

namespace cw::play {
namespace {

TEST(Arrivals, AFlatRateIsEvenToTheNanosecond) {
    const Arrivals arrivals{{{250, 250, seconds(2)}}};
    EXPECT_EQ(arrivals.at(0), Duration{});
    EXPECT_EQ(arrivals.at(1), milliseconds(4));
    EXPECT_EQ(arrivals.at(499), milliseconds(1996));
    EXPECT_FALSE(arrivals.at(500).has_value());
    EXPECT_EQ(arrivals.length(), seconds(2));
}

TEST(Arrivals, ARampHasHalfOfItsCallsInItsLastThirtyPerCent) {
    const Arrivals arrivals{{{0, 100, seconds(10)}, {100, 100, Duration{}}}};
    // 500 calls in the ramp; the first half takes √½ of the time.
    EXPECT_EQ(arrivals.at(0), Duration{});
    EXPECT_NEAR(arrivals.at(250)->seconds(), 7.071, 0.001);
    EXPECT_NEAR(arrivals.at(500)->seconds(), 10, 1e-6);
    EXPECT_NEAR(arrivals.at(600)->seconds(), 11, 1e-6);
    EXPECT_FALSE(arrivals.length().has_value());
    EXPECT_NEAR(arrivals.rate(seconds(5)), 50, 1e-9);
    EXPECT_NEAR(arrivals.rate(seconds(50)), 100, 1e-9);
}

TEST(Arrivals, StepsFollowEachOther) {
    const Arrivals arrivals{{{10, 10, seconds(1)}, {20, 20, seconds(1)}, {5, 5, seconds(2)}}};
    EXPECT_EQ(arrivals.at(10), seconds(1));
    EXPECT_EQ(arrivals.at(11), milliseconds(1050));
    EXPECT_EQ(arrivals.at(30), seconds(2));
    EXPECT_EQ(arrivals.at(39), milliseconds(3800));
    EXPECT_FALSE(arrivals.at(40).has_value());
}

TEST(Arrivals, ARateThatFallsToNothingEnds) {
    const Arrivals arrivals{{{100, 0, seconds(2)}}};
    EXPECT_TRUE(arrivals.at(99).has_value());
    EXPECT_LE(*arrivals.at(99), seconds(2));
    EXPECT_FALSE(arrivals.at(100).has_value());
}

TEST(Histogram, APercentileIsExactToOnePartIn128) {
    Histogram times;
    for (int i = 1; i <= 100'000; ++i) {
        times.add(microseconds(i * 10));
    }
    for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999}) {
        const auto exact = share * 1e6; // µs
        const auto got = static_cast<double>(times.at(share).ns) / 1e3;
        EXPECT_GE(got, exact);
        EXPECT_LE(got, exact * (1 + 1 / 128.0) + 1);
    }
    EXPECT_EQ(times.max(), seconds(1));
    EXPECT_EQ(times.at(1), seconds(1));
    EXPECT_NEAR(times.mean().seconds(), 0.5, 0.001);
}

TEST(Histogram, TwoMakeOne) {
    Histogram a;
    Histogram b;
    a.add(milliseconds(1));
    b.add(milliseconds(3));
    b.add(seconds(100'000)); // beyond its range: counted as its longest
    a.merge(b);
    EXPECT_EQ(a.count(), 3U);
    EXPECT_EQ(a.min(), milliseconds(1));
    EXPECT_EQ(a.max(), seconds(100'000));
    EXPECT_EQ(a.below(milliseconds(2)), 1U);
    a.clear();
    EXPECT_EQ(a.count(), 0U);
    EXPECT_EQ(a.at(0.5), Duration{});
    EXPECT_TRUE(a.buckets().empty());
}

TEST(Histogram, EveryTimeIsInTheBucketWhoseEdgeIsNextToIt) {
    for (std::int64_t us = 0; us < 3'000'000; us += us / 300 + 1) {
        Histogram times;
        times.add(microseconds(us));
        const auto buckets = times.buckets();
        ASSERT_EQ(buckets.size(), 1U);
        EXPECT_GT(buckets[0].to, microseconds(us));
        EXPECT_LE(buckets[0].to.ns, microseconds(us).ns * 129 / 128 + 1000);
    }
}

TEST(Rows, AreReadAsRfc4180SaysAndSpreadsheetsWrite) {
    const auto rows =
        parse_rows("\xef\xbb\xbfuser, password\r\nalice,secret\r\n\"bob, jr\",\"a\"\"b\"\r\n\r\n");
    ASSERT_TRUE(rows.has_value()) << rows.error();
    EXPECT_EQ(rows->columns, (std::vector<std::string>{"user", "password"}));
    ASSERT_EQ(rows->rows.size(), 2U);
    EXPECT_EQ(rows->row(1).at("user"), "bob, jr");
    EXPECT_EQ(rows->row(1).at("password"), "a\"b");
}

TEST(Rows, SayWhichLineIsWrong) {
    EXPECT_EQ(parse_rows("a,b\n1,2\n3\n").error(),
              "line 3: 1 values, but the heading has 2 columns");
    EXPECT_EQ(parse_rows("a\n\"1\n").error(), "line 2: a quotation mark is not closed");
    EXPECT_EQ(parse_rows("a,b\n").error(), "it has no row below its heading");
    EXPECT_EQ(parse_rows("").error(), "it has no row below its heading");
}

TEST(Tally, ACriterionIsNotMetByNothing) {
    const Tally nothing;
    const script::Criterion failures{script::Criterion::Of::Failures, {1000}, {}};
    const script::Criterion quick{script::Criterion::Of::Answers, {950'000}, milliseconds(800)};
    for (const auto& one : judge({failures, quick}, nothing)) {
        EXPECT_FALSE(one.met);
        EXPECT_FALSE(one.measured);
    }
}

TEST(Tally, CallsThatCouldNotBeginCountAsFailures) {
    Tally tally;
    tally.passed = 999;
    const script::Criterion failures{script::Criterion::Of::Failures, {1000}, {}}; // 0.1 %
    EXPECT_TRUE(judge({failures}, tally).front().met);
    tally.held_back = 1;
    EXPECT_FALSE(judge({failures}, tally).front().met) << "0.1 % is not below 0.1 %";
    EXPECT_EQ(to_string(failures), "failures < 0.1%");
}

TEST(Tally, APercentileIsComparedWithTheTimeThatItMayTake) {
    Tally tally;
    for (int i = 0; i < 95; ++i) {
        tally.answers.add(milliseconds(100));
    }
    for (int i = 0; i < 5; ++i) {
        tally.answers.add(seconds(2));
    }
    const script::Criterion of95{script::Criterion::Of::Answers, {950'000}, milliseconds(800)};
    const script::Criterion of96{script::Criterion::Of::Answers, {960'000}, milliseconds(800)};
    EXPECT_TRUE(judge({of95}, tally).front().met);
    EXPECT_FALSE(judge({of96}, tally).front().met);
}

} // namespace
} // namespace cw::play
