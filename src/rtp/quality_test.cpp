#include "rtp/quality.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace cw::rtp {
namespace {

TEST(Quality, MapsRatingsAsAnnexBOfG107) {
    // [ITU-T G.107 Annex B, table B.1], which prints 4.03 where its own formula gives 4.024.
    EXPECT_NEAR(mos_from_rating(90), 4.34, 0.01);
    EXPECT_NEAR(mos_from_rating(80), 4.03, 0.01);
    EXPECT_NEAR(mos_from_rating(70), 3.60, 0.01);
    EXPECT_NEAR(mos_from_rating(60), 3.10, 0.01);
    EXPECT_NEAR(mos_from_rating(50), 2.58, 0.01);
    EXPECT_EQ(mos_from_rating(0), 1);
    EXPECT_EQ(mos_from_rating(-5), 1);
    EXPECT_EQ(mos_from_rating(3), 1) << "the cubic would go below one";
    EXPECT_EQ(mos_from_rating(120), 4.5);
}

TEST(Quality, ACleanG711StreamIsAsGoodAsATelephoneGets) {
    EXPECT_NEAR(mos("PCMU", {}), 4.41, 0.005);
    EXPECT_EQ(mos("PCMU", {}), mos("pcma", {}));
    EXPECT_NEAR(mos("G729", {}), mos_from_rating(82.2), 1e-9);
}

TEST(Quality, LossFollowsTheFormula) {
    // 3 % at random: Ie-eff = 95 · 3 / (3 + 25.1) = 10.14.
    EXPECT_NEAR(rating(*impairment_of("PCMU"), {.loss = 0.03}), 93.2 - 10.142, 0.001);
    EXPECT_LT(mos("G729", {.loss = 0.03}), mos("PCMU", {.loss = 0.03}));
    EXPECT_LT(rating(*impairment_of("PCMU"), {.loss = 0.03}),
              rating(*impairment_of("PCMU"), {.loss = 0.03, .burst = 0.2}) + 1e-9)
        << "a burst ratio below one is taken as one";
}

TEST(Quality, DelayHurtsMoreBeyond177Milliseconds) {
    const auto pcmu = *impairment_of("PCMU");
    const auto at = [&](double ms) { return rating(pcmu, {.delay_ms = ms}); };
    EXPECT_NEAR(at(0) - at(100), 2.4, 1e-9);
    EXPECT_NEAR(at(200) - at(300), 2.4 + 11, 1e-9);
    EXPECT_LT(rating(pcmu, {.jitter_ms = 150}), at(0));
}

TEST(Quality, SaysNothingWhereNothingIsPublished) {
    EXPECT_EQ(mos("opus", {}), 0);
    EXPECT_EQ(mos("G722", {}), 0);
    EXPECT_EQ(mos("", {}), 0);
    EXPECT_GT(mos("GSM", {}), 3);
    EXPECT_EQ(mos("GSM", {.loss = 0.01}), 0) << "no robustness factor is published";
}

TEST(Quality, StaysInItsRangeForAnyInput) {
    const double inf = std::numeric_limits<double>::infinity();
    for (const double loss : {-1.0, 0.0, 0.5, 1.0, 7.0, inf}) {
        for (const double delay : {-5.0, 0.0, 1e6, inf}) {
            const auto m = mos("PCMU", {.loss = loss, .jitter_ms = delay, .delay_ms = delay});
            EXPECT_GE(m, 1);
            EXPECT_LE(m, 4.5);
        }
    }
}

} // namespace
} // namespace cw::rtp
