#include "dialog/session_timer.hpp"

#include "dialog/test_message.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;
using sip::Refresher;
using test::Message;
using test::start;

// Table 2 of RFC 4028 §9.
TEST(SessionTimer, TheServerChoosesTheRefresherByTable2) {
    struct Case {
        bool supports;
        const char* asked;
        Refresher own;
        const char* granted;
    };
    const Case cases[] = {
        {false, "1800", Refresher::None, "1800;refresher=uas"},
        {true, "1800", Refresher::None, "1800;refresher=uac"},
        {true, "1800", Refresher::Uas, "1800;refresher=uas"},
        {true, "1800;refresher=uac", Refresher::Uas, "1800;refresher=uac"},
        {true, "1800;refresher=uas", Refresher::Uac, "1800;refresher=uas"},
    };
    for (const auto& c : cases) {
        const Message invite{test::invite_text("Session-Expires: " + std::string{c.asked} + "\n" +
                                               (c.supports ? "Supported: timer\n" : ""))};
        SessionTimer timer;
        auto response = Draft::response(200, "OK");
        answer(timer, {.refresher = c.own}, *invite, response, start);
        EXPECT_EQ(response.value("Session-Expires"), c.granted);
        EXPECT_EQ(response.has("Require"), c.supports);
        EXPECT_EQ(timer.we_refresh, std::string_view{c.granted}.ends_with("uas"));
    }
}

TEST(SessionTimer, TheServerShortensButNotBelowTheMinimum) {
    const auto granted = [](const char* fields, std::uint32_t own) {
        const Message invite{test::invite_text(std::string{"Supported: timer\n"} + fields)};
        SessionTimer timer;
        auto response = Draft::response(200, "OK");
        answer(timer, {.interval = own}, *invite, response, start);
        return timer.interval;
    };
    EXPECT_EQ(granted("Session-Expires: 1800\n", 0), 1800U);
    EXPECT_EQ(granted("Session-Expires: 1800\n", 600), 600U);
    EXPECT_EQ(granted("Session-Expires: 1800\nMin-SE: 900\n", 600), 900U);
    EXPECT_EQ(granted("Session-Expires: 1800\n", 10), 90U);
    EXPECT_EQ(granted("Session-Expires: 100\n", 600), 100U); // never longer
    EXPECT_EQ(granted("", 600), 600U);                       // it may ask by itself
    EXPECT_EQ(granted("Min-SE: 700\n", 600), 700U);
    EXPECT_EQ(granted("", 0), 0U);
}

TEST(SessionTimer, TooShortAnIntervalIsRefusedOfAClientThatUnderstands) {
    const auto refusal = [](const char* fields) {
        const Message invite{test::invite_text(fields)};
        return refusal_of_interval({.min_se = 120}, *invite);
    };
    EXPECT_EQ(refusal("Supported: timer\nx: 100\n"), 422);
    EXPECT_EQ(refusal("x: 100\n"), 0);
    EXPECT_EQ(refusal("Supported: timer\nSession-Expires: 120\n"), 0);
    EXPECT_EQ(refusal("Supported: timer\n"), 0);
}

TEST(SessionTimer, TheClientAsksAgainWithTheLargestMinimum) {
    SessionTimer timer;
    const SessionTimerPolicy policy{.interval = 100};
    auto first = Draft::request("INVITE", "sip:b");
    ask(timer, policy, first);
    EXPECT_EQ(first.value("Supported"), "timer");
    EXPECT_EQ(first.value("Session-Expires"), "100");
    EXPECT_FALSE(first.has("Min-SE"));
    const Message refused{test::response_text(422, "Min-SE: 600\n")};
    EXPECT_TRUE(on_too_small(timer, *refused));
    EXPECT_FALSE(on_too_small(timer, *refused)); // the same again leads nowhere
    auto second = Draft::request("INVITE", "sip:b");
    ask(timer, policy, second);
    EXPECT_EQ(second.value("Session-Expires"), "600");
    EXPECT_EQ(second.value("Min-SE"), "600");
}

TEST(SessionTimer, RefreshesAtHalfTimeAndGivesUpBeforeTheEnd) {
    SessionTimer timer;
    const Message ok{test::response_text(200, "Session-Expires: 1800;refresher=uac\n")};
    on_success(timer, {}, 1800, *ok, start);
    EXPECT_TRUE(timer.we_refresh);
    EXPECT_EQ(timer.next_deadline(), start + seconds(900));
    EXPECT_EQ(timer.advance(start + seconds(899)), SessionTimer::Due::Nothing);
    EXPECT_EQ(timer.advance(start + seconds(900)), SessionTimer::Due::Refresh);
    EXPECT_EQ(timer.next_deadline(), start + seconds(1800 - 32));
    auto refresh = Draft::request("UPDATE", "sip:b");
    ask(timer, {}, refresh);
    EXPECT_EQ(refresh.value("Session-Expires"), "1800;refresher=uac"); // the role stays [§7.4]
    EXPECT_EQ(timer.advance(start + seconds(1768)), SessionTimer::Due::Expired);
    EXPECT_FALSE(timer.next_deadline().known());
}

TEST(SessionTimer, TheOtherSideWaitsAThirdOfAShortInterval) {
    SessionTimer timer;
    const Message ok{test::response_text(200, "Session-Expires: 90;refresher=uas\n")};
    on_success(timer, {}, 90, *ok, start);
    EXPECT_FALSE(timer.we_refresh);
    EXPECT_EQ(timer.next_deadline(), start + seconds(60));
}

TEST(SessionTimer, RunsByItselfWhenThePeerKnowsNothingOfIt) {
    SessionTimer timer;
    const Message ok{test::response_text(200)};
    on_success(timer, {}, 600, *ok, start);
    EXPECT_TRUE(timer.we_refresh);
    EXPECT_EQ(timer.interval, 600U);
    on_success(timer, {}, 0, *ok, start); // and is turned off where nobody asked
    EXPECT_EQ(timer.interval, 0U);
}

} // namespace
} // namespace cw::dialog
