#include "view/page.hpp"

#include <gtest/gtest.h>

#include "view/test_calls.hpp"

namespace cw::view {
namespace {

constexpr std::string_view evil = "</script><script>alert(1)</script>";

std::string page_of(const flow::Call& call, std::string_view bytes) {
    std::string out;
    PageWriter page{[&](std::string_view piece) { out += piece; },
                    {.title = "</title>" + std::string{evil},
                     .version = "0.0.0",
                     .command = "callwright read 'a</script>.pcap'",
                     .script_hash = "sha256-abc"}};
    page.call(call, layout(call), [&](const flow::Message&) { return bytes; });
    InputReport input;
    input.file = evil;
    input.ignored = {{std::string{evil}, 1}};
    page.finish({&input, 1});
    return out;
}

std::size_t count_of(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

TEST(Page, NothingOfACaptureCanEndAScriptOrBeginOne) {
    auto call = made::hostile_call();
    call.messages[0].note = call.pool.add(evil);
    call.security.weakest = evil;
    call.findings = {{evil, "error", evil, {0}, evil, evil}};
    const auto page = page_of(call, evil);
    // about, one call, rows, inputs, and the script itself; each ends once.
    EXPECT_EQ(count_of(page, "<script"), 5U);
    EXPECT_EQ(count_of(page, "</script"), 5U);
    EXPECT_EQ(count_of(page, "<title>"), 1U);
    EXPECT_NE(page.find("\\u003c/script>"), std::string::npos);
}

TEST(Page, OnlyItsOwnScriptMayRunAndNothingIsLoaded) {
    const auto page = page_of(made::good_call(), "");
    EXPECT_NE(page.find("default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-abc'"),
              std::string::npos);
    EXPECT_EQ(page.find(" src="), std::string::npos);
    EXPECT_EQ(page.find("<link"), std::string::npos);
    EXPECT_EQ(page.find("url("), std::string::npos);
}

TEST(Page, StreamsAreChartedPeriodByPeriod) {
    const auto call = made::good_call();
    flow::MediaCourse courses;
    const auto& stream = call.streams.front();
    for (std::uint16_t i = 0; i < 150; ++i) {
        if (i == 60) {
            continue; // lost in the second second
        }
        courses.on_media_packet({.time = stream.first + milliseconds(20 * i),
                                 .source = stream.source,
                                 .destination = stream.destination,
                                 .ssrc = stream.ssrc,
                                 .timestamp = i * 160U,
                                 .clock = 8000,
                                 .sequence = i,
                                 .encoding = "PCMU",
                                 .payload = {}});
    }
    std::string out;
    const auto none = [](const flow::Message&) { return std::string_view{}; };
    write_page_entry([&](std::string_view piece) { out += piece; }, call, layout(call), none,
                     &courses);
    EXPECT_NE(out.find("\"period_s\":1,\"periods\":[[50,0,0.00,4.41],[49,1,"), std::string::npos)
        << out.substr(out.find("\"courses\""), 200);
    EXPECT_NE(out.find("]},null]"), std::string::npos) << "the other one was not noted";
    out.clear();
    write_page_entry([&](std::string_view piece) { out += piece; }, call, layout(call), none);
    EXPECT_EQ(out.find("\"courses\""), std::string::npos);
}

TEST(Page, MessagesAreTextOrHexadecimalWhenTheyAreNoUtf8) {
    EXPECT_NE(page_of(made::slow_registration(), "REGISTER sip:x SIP/2.0\r\n")
                  .find("\"raw\":[\"REGISTER sip:x SIP/2.0\\r\\n\""),
              std::string::npos);
    EXPECT_NE(
        page_of(made::slow_registration(), std::string_view{"a\xff\0", 3}).find("[\"61ff00\"]"),
        std::string::npos);
    EXPECT_NE(page_of(made::slow_registration(), "").find("\"raw\":[null"), std::string::npos);
}

TEST(Page, APerformanceComesWithItsVerdicts) {
    std::string out;
    PageWriter page{[&](std::string_view piece) { out += piece; }, {}};
    const PageVerdict verdict{.place = "12",
                              .at = "0.031",
                              .who = "alice → proxy",
                              .what = "INVITE",
                              .verdict = "failed",
                              .why = "another status",
                              .expected = "200",
                              .received = "403",
                              .tone = Tone::Bad};
    page.flow(layout(made::good_call()), {&verdict, 1}, "sequenceDiagram\n");
    page.finish({});
    EXPECT_NE(out.find("\"verdict\":\"failed\",\"why\":\"another status\",\"expected\":\"200\""),
              std::string::npos);
    EXPECT_NE(out.find("\"source\":\"sequenceDiagram\\n\""), std::string::npos);
}

TEST(Page, APageWithoutCallsIsWhole) {
    std::string out;
    PageWriter page{[&](std::string_view piece) { out += piece; }, {}};
    page.finish({});
    EXPECT_NE(out.find("id=\"rows\">[]</script>"), std::string::npos);
    EXPECT_TRUE(out.ends_with("</body></html>\n"));
}

} // namespace
} // namespace cw::view
