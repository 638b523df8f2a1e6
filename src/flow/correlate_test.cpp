#include "flow/correlate.hpp"

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

Endpoint at(const char* text) {
    return *parse_endpoint(text, 5060);
}

// Phone 10.0.0.1 calls through a B2BUA 10.0.0.9 to the carrier 10.0.0.5.
LegStart incoming(std::uint32_t slot, std::int64_t ms) {
    return {.slot = slot,
            .time = Instant{milliseconds(1'000'000 + ms).ns},
            .source = at("10.0.0.1"),
            .destination = at("10.0.0.9"),
            .sent_by = {},
            .from_user = user_key("alice"),
            .to_user = user_key("+4930123456")};
}
LegStart outgoing(std::uint32_t slot, std::int64_t ms) {
    auto leg = incoming(slot, ms);
    leg.source = at("10.0.0.9");
    leg.destination = at("10.0.0.5");
    return leg;
}

std::vector<JoinFound> join_all(const std::vector<LegStart>& legs) {
    Correlator correlator;
    std::vector<JoinFound> found;
    for (const auto& leg : legs) {
        correlator.on_start(leg, found);
    }
    return found;
}

TEST(Correlator, JoinsTheLegThatLeavesTheBoxWithTheSameUsers) {
    const auto found = join_all({incoming(1, 0), outgoing(2, 20)});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].older, 1U);
    EXPECT_EQ(found[0].newer, 2U);
    EXPECT_NE(found[0].evidence.find("same caller and callee"), std::string::npos);
    EXPECT_NE(found[0].evidence.find("20 ms after it"), std::string::npos);
}

TEST(Correlator, FollowsANumberThatIsRewrittenOnTheWay) {
    auto out = outgoing(2, 20);
    out.to_user = user_key("004930123456");
    EXPECT_EQ(join_all({incoming(1, 0), out}).size(), 1U);
}

TEST(Correlator, DoesNotJoinCallsThatOnlyShareTheBox) {
    auto other = outgoing(2, 20);
    other.from_user = user_key("carol");
    other.to_user = user_key("+4940999999");
    EXPECT_TRUE(join_all({incoming(1, 0), other}).empty());
}

TEST(Correlator, NeverJoinsTwoCallsOverTheSameHopByLikeness) {
    auto a = incoming(1, 0);
    auto b = incoming(2, 5);
    for (auto* leg : {&a, &b}) { // canned SDP: everything is the same
        leg->origin = leg->media = leg->media_key = 42;
    }
    EXPECT_TRUE(join_all({a, b}).empty());
}

TEST(Correlator, PairsLegsOneToOneWhenCallsLookAlike) {
    const auto found = join_all({incoming(1, 0), incoming(2, 1), outgoing(3, 10), outgoing(4, 11)});
    ASSERT_EQ(found.size(), 2U);
    EXPECT_NE(found[0].older, found[1].older);
}

TEST(Correlator, JoinsASplitBorderControllerByMediaKeyAndUsers) {
    auto in = incoming(1, 0);
    auto out = outgoing(2, 40);
    out.source = at("203.0.113.7"); // another interface of the same box
    in.media_key = out.media_key = 7;
    EXPECT_EQ(join_all({in, out}).size(), 1U);
    out.media_key = 8;
    EXPECT_TRUE(join_all({in, out}).empty());
}

TEST(Correlator, TellsBoxesOnOneHostByTheirPorts) {
    auto in = incoming(1, 0);
    in.source = at("127.0.0.1:40000");
    in.destination = at("127.0.0.1:5060");
    auto out = outgoing(2, 3);
    out.source = at("127.0.0.1:50123"); // an ephemeral port…
    out.destination = at("127.0.0.1:5090");
    EXPECT_TRUE(join_all({in, out}).empty());
    out.sent_by = at("127.0.0.1:5060"); // …of the box that its Via names
    EXPECT_EQ(join_all({in, out}).size(), 1U);
}

TEST(Correlator, LooksNoLongerAtALegThatIsAnswered) {
    Correlator correlator;
    std::vector<JoinFound> found;
    correlator.on_start(incoming(1, 0), found);
    correlator.on_final(1, incoming(1, 100).time);
    correlator.on_start(outgoing(2, 5000), found);
    EXPECT_TRUE(found.empty());
}

TEST(Correlator, JoinsByASharedIdentityWhateverElseDiffers) {
    Correlator correlator;
    std::vector<JoinFound> found;
    correlator.on_identity(1, "Session-ID", "ab30317f1a784dc48ff824d0d3715d86", found);
    correlator.on_identity(2, "icid", "ab30317f1a784dc48ff824d0d3715d86", found);
    EXPECT_TRUE(found.empty()) << "equal values of different headers mean nothing";
    correlator.on_identity(3, "Session-ID", "ab30317f1a784dc48ff824d0d3715d86", found);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].score, 100);
}

TEST(Correlator, ForgetsAllOfAClosedLeg) {
    Correlator correlator;
    std::vector<JoinFound> found;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        auto leg = incoming(i, i);
        leg.media = 99; // all share one media address
        correlator.on_start(leg, found);
        correlator.forget(i);
    }
    EXPECT_EQ(correlator.size(), 0U);
    EXPECT_TRUE(found.empty());
}

TEST(UserKey, ComparesNumbersByTheirEndAndNamesWithoutCase) {
    EXPECT_EQ(user_key("+49 30 1234567"), user_key("+49 30 1234567"));
    EXPECT_EQ(user_key("+49301234567"), user_key("0301234567"));
    EXPECT_EQ(user_key("Alice"), user_key("alice"));
    EXPECT_NE(user_key("101"), user_key("102"));
    EXPECT_EQ(user_key("anonymous"), 0U);
    EXPECT_EQ(user_key(""), 0U);
}

} // namespace
} // namespace cw::flow
