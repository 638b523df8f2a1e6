#include "net/pace.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace cw::net {
namespace {

constexpr Duration gather = milliseconds(4);
constexpr Instant start{1'777'629'601'000'000'000};
constexpr Instant at(std::int64_t us) {
    return start + microseconds(us);
}

// A thing each `us`, and when that was over.
std::int64_t come(Pace& pace, std::int64_t from, std::int64_t us, int times) {
    for (int i = 0; i < times; ++i) {
        pace.turn(at(from), 1);
        from += us;
    }
    return from - us;
}

TEST(Pace, WhatComesToABusyLoopWaitsForTheRestOfTheTime) {
    Pace pace{gather};
    const auto last = come(pace, 0, 200, 130);
    EXPECT_EQ(gather, pace.rest(at(last)));
    EXPECT_EQ(milliseconds(3), pace.rest(at(last + 1000)));
    EXPECT_EQ(Duration{}, pace.rest(at(last + 4000)));
    EXPECT_EQ(Duration{}, pace.rest(at(last + 100'000))); // idle for longer than that
}

TEST(Pace, WithLittleToDoNothingWaits) {
    Pace pace{gather};
    EXPECT_EQ(Duration{}, pace.rest(at(0))); // the first of all
    const auto last = come(pace, 0, 300, 1000);
    EXPECT_EQ(Duration{}, pace.rest(at(last)));
}

TEST(Pace, ALoopOfSeveralIsBusyWithItsShare) {
    Pace one{gather};
    EXPECT_EQ(Duration{}, one.rest(at(come(one, 0, 500, 1000))));
    Pace of_four{gather, 4};
    // 7 of 16 messages come from another of the four, where they waited too.
    EXPECT_EQ((Duration{gather.ns * 4 / 7}), of_four.rest(at(come(of_four, 0, 500, 1000))));
    Pace of_two{gather, 2};
    EXPECT_EQ(Duration{}, of_two.rest(at(come(of_two, 0, 400, 1000)))); // and it has ten
    EXPECT_EQ((Duration{gather.ns * 2 / 3}), of_two.rest(at(come(of_two, 1'000'000, 300, 1000))));
}

TEST(Pace, HoweverManyLoopsThereAreAFewThingsDoNotWait) {
    Pace of_many{gather, 64};
    EXPECT_EQ(Duration{}, of_many.rest(at(come(of_many, 0, 1100, 1000))));
    EXPECT_NE(Duration{}, of_many.rest(at(come(of_many, 2'000'000, 900, 1000))));
}

// A call through a quiet server is four things within a millisecond.
TEST(Pace, AFewThingsTogetherAreNotMany) {
    Pace pace{gather};
    std::int64_t now = 0;
    for (int call = 0; call < 100; ++call) {
        now = come(pace, now + 20'000, 300, 4);
        EXPECT_EQ(Duration{}, pace.rest(at(now)));
    }
}

TEST(Pace, IsQuietAgainSoonAfterItWasBusy) {
    Pace pace{gather};
    auto last = come(pace, 0, 200, 1000);
    EXPECT_EQ(gather, pace.rest(at(last)));
    last = come(pace, last + 200'000, 10'000, 2);
    EXPECT_EQ(Duration{}, pace.rest(at(last)));
}

// Once they are gathered, many come in few turns.
TEST(Pace, StaysBusyWhenThingsComeTogether) {
    Pace pace{gather};
    std::int64_t now = come(pace, 0, 200, 200);
    for (int turn = 0; turn < 1000; ++turn) {
        now += 4000;
        EXPECT_EQ(Duration{}, pace.rest(at(now)));
        pace.turn(at(now), 20);
        EXPECT_EQ(gather, pace.rest(at(now)));
    }
}

TEST(Pace, TheMoreComesTheSoonerItIsEnough) {
    Pace pace{gather};
    std::int64_t now = 0;
    for (int turn = 0; turn < 10; ++turn) {
        pace.turn(at(now += 1000), 100);
    }
    EXPECT_EQ(microseconds(320), pace.rest(at(now)));
    EXPECT_EQ(Duration{}, pace.rest(at(now + 320)));
}

// Sixty requests are open and each answer brings the next one: there is nothing to wait for.
TEST(Pace, WhoWaitsForUsIsNotWaitedFor) {
    Pace pace{gather};
    std::int64_t now = 0;
    for (int turn = 0; turn < 200; ++turn) {
        now += std::max<std::int64_t>(500, pace.rest(at(now)).ns / 1000); // 500 µs of work
        pace.turn(at(now), 60);
    }
    EXPECT_LT(pace.rest(at(now)), microseconds(500)); // over before the work is
}

TEST(Pace, ATurnThatIsOnlyAboutTimeDelaysNothing) {
    Pace pace{gather};
    const auto last = come(pace, 0, 200, 200);
    pace.turn(at(last + 3000), 0);
    EXPECT_EQ(milliseconds(1), pace.rest(at(last + 3000)));
}

// The last turn took longer than what comes may wait.
TEST(Pace, AnOverloadedLoopNeverRests) {
    Pace pace{gather};
    for (std::int64_t us = 0; us < 1'000'000; us += 4500) {
        pace.turn(at(us), 100);
        EXPECT_EQ(Duration{}, pace.rest(at(us + 4500)));
    }
}

TEST(Pace, ZeroIsOff) {
    Pace pace{Duration{}};
    const auto last = come(pace, 0, 0, 1000);
    EXPECT_EQ(Duration{}, pace.rest(at(last)));
}

} // namespace
} // namespace cw::net
