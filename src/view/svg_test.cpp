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
