#include "play/load/limit.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace cw::play {
namespace {

// A server that bears so many calls a second.
struct Server {
    double bears = 0;
    std::vector<double> asked;

    Limit searched(double first, double highest = 1e6) {
        return find_limit(first, highest, [this](double rate) {
            asked.push_back(rate);
            Rung rung;
            rung.rate = rate;
            rung.met = rate <= bears;
            return std::optional{rung};
        });
    }
};

TEST(FindLimit, DoublesAndThenHalvesToFivePercent) {
    for (const double bears : {50.0, 73.0, 999.0, 12'345.0, 400'000.0}) {
        Server server{bears, {}};
        const auto limit = server.searched(50);
        EXPECT_LE(limit.rate, bears);
        EXPECT_GT(limit.too_much, bears);
        EXPECT_LE(limit.too_much, limit.rate * 1.1) << bears;
        EXPECT_LT(server.asked.size(), 25U);
        EXPECT_EQ(limit.rungs.size(), server.asked.size());
        EXPECT_FALSE(limit.interrupted);
    }
}

TEST(FindLimit, LessThanTheFirstIsNotTried) {
    Server server{10, {}};
    const auto limit = server.searched(50);
    EXPECT_EQ(server.asked, std::vector<double>{50});
    EXPECT_EQ(limit.rate, 0);
    EXPECT_EQ(limit.too_much, 50);
}

TEST(FindLimit, EndsAtTheHighest) {
    Server server{1e9, {}};
    const auto limit = server.searched(50, 150);
    EXPECT_EQ(server.asked, (std::vector<double>{50, 100, 150}));
    EXPECT_EQ(limit.rate, 150);
    EXPECT_EQ(limit.too_much, 0);
}

TEST(FindLimit, SaysThatItWasInterrupted) {
    int left = 2;
    const auto limit = find_limit(50, 1e6, [&](double rate) -> std::optional<Rung> {
        if (left-- == 0) {
            return std::nullopt;
        }
        return Rung{.rate = rate,
                    .met = true,
                    .own_limit = false,
                    .why = {},
                    .answers_95 = {},
                    .failed = 0,
                    .cpu = {}};
    });
    EXPECT_TRUE(limit.interrupted);
    EXPECT_EQ(limit.rate, 100);
    EXPECT_EQ(limit.rungs.size(), 2U);
}

} // namespace
} // namespace cw::play
