#include "view/svg.hpp"

#include <gtest/gtest.h>

#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::string svg_of(const flow::Call& call) {
    std::string out;
    append_svg(out, layout(call, {.calls_in_all = 1}));
    return out;
}

std::size_t times(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

TEST(Svg, EachArrowSaysInItsTitleWhatItIsAndHowItIsProtected) {
    const auto svg = svg_of(made::dropped_call());
    EXPECT_NE(svg.find("<title>3 · 10:00:01.174 · sbc.biloxi.example → Bob\nINVITE SRTP\nin clear"),
              std::string::npos);
    EXPECT_NE(svg.find("<title>1 · 10:00:01.151 · Alice → edge.atlanta.example\nINVITE SRTP\n"
                       "TLS here, another hop is clear"),
              std::string::npos);
}

TEST(Svg, LocksTellOpenShutAndBrokenApartByTheirShape) {
    const auto dropped = svg_of(made::dropped_call());
    EXPECT_GT(times(dropped, "href=\"#lock-open\""), 0U);
    EXPECT_GT(times(dropped, "href=\"#lock-part\""), 0U);
    const auto good = svg_of(made::good_call());
    EXPECT_EQ(times(good, "href=\"#lock-open\""), 0U);
    EXPECT_GT(times(good, "href=\"#lock-shut\""), 0U);
    auto sips = made::good_call();
    for (auto& m : sips.messages) {
        m.sips = m.status == 0;
    }
    EXPECT_GT(times(svg_of(sips), "href=\"#lock-sips\""), 0U);
}

TEST(Svg, RetransmissionsAreOneBandThatSaysHowManyAndHowLong) {
    const auto svg = svg_of(made::dropped_call());
    EXPECT_NE(svg.find("200 OK repeated ×10 over 31.5 s"), std::string::npos);
    EXPECT_EQ(times(svg, "class=\"row fold"), 1U);
}

TEST(Svg, MediaThatNeverCameIsHollowAndMediaThatCameLastsBesideItsLifeline) {
    const auto svg = svg_of(made::dropped_call());
    EXPECT_EQ(times(svg, "class=\"row media absent"), 1U);
    EXPECT_EQ(times(svg, "class=\"span good\""), 1U);
}

// A call on one hop that is answered, held and resumed.
flow::Call held_call() {
    const auto* alice = "192.0.2.10:40112";
    const auto* proxy = "203.0.113.5:5061";
    made::CallMaker made{flow::Kind::Call, "sip:alice@example.com", "sip:bob@example.com"};
    std::uint32_t cseq = 0;
    std::uint64_t branch = 1000;
    const auto exchange = [&](std::int64_t ms, char offered, char answered) {
        auto& offer = made.request(ms, alice, proxy, "INVITE");
        offer.to_tag = cseq > 0;
        offer.cseq = ++cseq;
        offer.branch = ++branch;
        made.media("192.0.2.10:30000", true, offered);
        auto& answer = made.response(ms + 20, proxy, alice, 200, "OK");
        answer.cseq = cseq;
        answer.branch = branch;
        made.media("203.0.113.5:20000", true, answered);
        made.request(ms + 30, alice, proxy, "ACK").cseq = cseq;
    };
    exchange(0, 'b', 'b');
    exchange(3000, 's', 'r');
    exchange(7200, 'b', 'b');
    made.request(9000, alice, proxy, "BYE").to_tag = true;
    made.response(9010, proxy, alice, 200, "OK");
    return made.finish(flow::State::Completed, 200, 8980);
}

TEST(Svg, WhatIsOnHoldIsShadedFromAnswerToAnswerAndSaysHowLong) {
    const auto call = held_call();
    const auto ladder = layout(call);
    ASSERT_EQ(ladder.holds.size(), 1U);
    EXPECT_EQ(ladder.holds[0].begin, made::CallMaker::time(3020));
    EXPECT_EQ(ladder.holds[0].end, made::CallMaker::time(7220));
    const SvgPainter painter{ladder};
    ASSERT_EQ(painter.holds().size(), 1U);
    EXPECT_GT(painter.holds()[0].x, painter.columns()[0]);
    EXPECT_LT(painter.holds()[0].x + painter.holds()[0].width, painter.columns()[1]);
    EXPECT_GT(ladder.rows[painter.holds()[0].first].time, ladder.holds[0].begin);
    EXPECT_LT(ladder.rows[painter.holds()[0].last].time, ladder.holds[0].end);
    const auto svg = svg_of(call);
    EXPECT_EQ(times(svg, "class=\"hold\"><title>hold 4.2 s</title>"), 1U);
}

TEST(Svg, WhatBeganInOneDirectionIsNotOnHoldAndAHoldWithoutEndLastsToTheBye) {
    auto call = held_call();
    for (auto& line : call.media_lines) { // nobody ever hears both
        line.direction = 's';
    }
    EXPECT_TRUE(layout(call).holds.empty());
    call = held_call();
    call.media_lines[4].direction = call.media_lines[5].direction = 'i';
    const auto holds = layout(call).holds;
    ASSERT_EQ(holds.size(), 1U);
    EXPECT_EQ(holds[0].end, made::CallMaker::time(9000));
    EXPECT_TRUE(layout(made::good_call()).holds.empty());
}

TEST(Svg, FindingsStandAtTheirMessageAndInWordsWithRfcAndAdvice) {
    const auto svg = svg_of(made::dropped_call());
    EXPECT_NE(svg.find("data-rule=\"D69\"><title>D69: the media key crossed a clear hop</title>"),
              std::string::npos);
    EXPECT_NE(svg.find("Let the SBC put itself into Contact and Record-Route."), std::string::npos);
    EXPECT_NE(svg.find("RFC 4568 §8.3 · message 3<"), std::string::npos);
}

TEST(Svg, NothingFromTheWireBecomesMarkup) {
    auto call = made::hostile_call();
    call.messages[2].reason = call.pool.add("</text></svg><script>alert(1)</script>\"'&");
    call.security.weakest = "</title><script>";
    const auto svg = svg_of(call);
    EXPECT_EQ(svg.find("<script"), std::string::npos);
    EXPECT_NE(svg.find("&lt;script&gt;"), std::string::npos);
    EXPECT_EQ(times(svg, "</svg>"), 1U);
    EXPECT_EQ(svg.find('\x1b'), std::string::npos);
}

TEST(Svg, NothingIsLoaded) {
    const auto svg = svg_of(made::dropped_call());
    EXPECT_EQ(svg.find("url("), std::string::npos);
    EXPECT_EQ(svg.find("@import"), std::string::npos);
    EXPECT_EQ(times(svg, "http"), 1U); // the name of SVG itself
}

TEST(Svg, HandshakeMessagesAreToldByTheirPill) {
    auto call = made::dropped_call();
    call.connections[0].handshake = {{made::CallMaker::time(100), true, "ClientHello", "TLS 1.3"},
                                     {made::CallMaker::time(110), false, "ServerHello", ""}};
    const auto svg = svg_of(call);
    EXPECT_NE(svg.find("\n→ ClientHello · TLS 1.3\n← ServerHello"), std::string::npos);
    EXPECT_EQ(times(svg, "ClientHello"), 1U);
}

TEST(Svg, ACallWithNothingInItIsAPictureWithoutRows) {
    EXPECT_NE(svg_of(flow::Call{}).find("Without a message"), std::string::npos);
}

} // namespace
} // namespace cw::view
