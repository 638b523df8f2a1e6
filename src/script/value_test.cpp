#include "script/value.hpp"

#include <gtest/gtest.h>

#include "script/colours.hpp"
#include "script/utf8.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

std::string printed(auto value) {
    std::string out;
    append(out, value);
    return out;
}

TEST(Durations, AreReadInFourUnits) {
    EXPECT_EQ(parse_duration("500ms"), milliseconds(500));
    EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
    EXPECT_EQ(parse_duration("10m"), seconds(600));
    EXPECT_EQ(parse_duration("1000h"), seconds(3'600'000));
    EXPECT_EQ(parse_duration("0s"), Duration{});
    EXPECT_EQ(parse_duration("0.001ms"), microseconds(1));
}

TEST(Durations, AreRefusedInAnyOtherForm) {
    for (const auto* text : {"", "s", "5", "5 s", "-5s", "5S", "1001h", "1.2345s", "1..5s", "1.-5s",
                             ".5s", "5.s", "9999999999s", "1e3s", "5sec", "5s ", "+5s"}) {
        EXPECT_FALSE(parse_duration(text)) << text;
    }
}

TEST(Durations, ArePrintedInTheLargestUnitThatHoldsThem) {
    EXPECT_EQ(printed(milliseconds(500)), "500ms");
    EXPECT_EQ(printed(milliseconds(1500)), "1500ms");
    EXPECT_EQ(printed(seconds(90)), "90s");
    EXPECT_EQ(printed(seconds(120)), "2m");
    EXPECT_EQ(printed(seconds(7200)), "2h");
    EXPECT_EQ(printed(microseconds(1500)), "1.5ms");
}

TEST(Shares, AreExact) {
    EXPECT_EQ(parse_percent("0.1%"), Percent{1000});
    EXPECT_EQ(parse_percent("100%"), Percent{1'000'000});
    EXPECT_EQ(printed(Percent{1250}), "0.125%");
    EXPECT_EQ(printed(Percent{300'000}), "30%");
    for (const auto* text : {"", "%", "5", "100.001%", "-1%", "1.%"}) {
        EXPECT_FALSE(parse_percent(text)) << text;
    }
}

TEST(Facts, AreDividedOutsideOfQuotesAndBrackets) {
    EXPECT_EQ(split_facts("a, b"), (std::vector<std::string_view>{"a", "b"}));
    EXPECT_EQ(split_facts("\"a, b\", <c,d>, {e,f}").size(), 3U);
    EXPECT_EQ(split_facts("loss < 1%, MOS > 4").size(), 2U);
    EXPECT_EQ(split_facts("").size(), 1U);
}

TEST(Parentheses, AreTheLastGroupOfTheLine) {
    const auto parts = divide("Park (main) server (under test)");
    EXPECT_EQ(parts.head, "Park (main) server");
    EXPECT_EQ(parts.facts, "under test");
    EXPECT_FALSE(divide("a (b) c").has_facts);
    EXPECT_TRUE(divide("MESSAGE \"(\" (signed)").has_facts);
    EXPECT_EQ(divide("a (b").fault, Divided::Fault::NotClosed);
    EXPECT_EQ(divide("a b)").fault, Divided::Fault::NotOpened);
    EXPECT_EQ(divide("a (b (c))").facts, "b (c)");
}

TEST(Letters, AreRefusedUnlessTheyAreUtf8) {
    EXPECT_EQ(next_letter("é", 0).code, 0xe9U);
    EXPECT_EQ(next_letter("😀", 0).size, 4U);
    for (const auto* text : {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                             "\xc3", "\xe2\x82", "\x80"}) {
        EXPECT_FALSE(next_letter(text, 0).valid);
    }
}

TEST(Colours, AreThoseOfCss) {
    EXPECT_TRUE(is_colour("Orange"));
    EXPECT_TRUE(is_colour("transparent"));
    EXPECT_FALSE(is_colour("Office"));
    EXPECT_FALSE(is_colour(""));
}

} // namespace
} // namespace cw::script
