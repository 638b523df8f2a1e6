#include "view/cells.hpp"

#include <gtest/gtest.h>

namespace cw::view {
namespace {

bool is_valid_utf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto point = decode_utf8(text, at);
        if (!point.valid) {
            return false;
        }
        at += point.size;
    }
    return true;
}

TEST(Cells, WidthFollowsTheUnicodeDatabase) {
    EXPECT_EQ(cell_width("INVITE"), 6U);
    EXPECT_EQ(cell_width("🔒"), 2U);
    EXPECT_EQ(cell_width("名前"), 4U);
    EXPECT_EQ(cell_width("é"), 1U);
    EXPECT_EQ(cell_width("e\xcc\x81"), 1U); // e and a combining acute
    EXPECT_EQ(cell_width("├──▶│╌░┃"), 8U);
    EXPECT_EQ(cell_width("한글"), 4U);
    EXPECT_EQ(cell_width(U'\U0001F600'), 2);
    EXPECT_EQ(cell_width(U'\u0301'), 0);
}

TEST(Cells, BrokenUtf8IsReadOneByteAtATime) {
    for (const std::string_view broken :
         {"\x80", "\xc3", "\xc0\xaf", "\xe2\x82", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
          "\xe0\x80\x80", "\xf0\x82\x82\xac"}) {
        const auto point = decode_utf8(broken, 0);
        EXPECT_FALSE(point.valid);
        EXPECT_EQ(point.size, 1);
        EXPECT_EQ(point.code, U'\uFFFD');
    }
    EXPECT_EQ(decode_utf8("\xf4\x8f\xbf\xbf", 0).code, char32_t{0x10ffff});
}

TEST(Cells, NothingThatATerminalObeysIsPrintable) {
    EXPECT_EQ(printable("\x1b[2Jx"), "␛[2Jx");
    EXPECT_EQ(printable("a\r\nb\tc\x7f"), "a␍␊b␉c␡");
    EXPECT_EQ(printable(std::string_view{"\0", 1}), "␀");
    EXPECT_EQ(printable("\xc2\x9b"
                        "31m"),
              "\uFFFD31m"); // C1: CSI
    EXPECT_EQ(printable("\xe2\x80\xae"
                        "evil"),
              "\uFFFDevil"); // RIGHT-TO-LEFT OVERRIDE
    EXPECT_EQ(printable("a\xe2\x80\x8b"
                        "b"),
              "a\uFFFDb");                              // ZERO WIDTH SPACE
    EXPECT_EQ(printable("\xf3\xa0\x81\x81"), "\uFFFD"); // a tag character
    EXPECT_EQ(printable("\xe2\x80\xa8"), "\uFFFD");     // LINE SEPARATOR
}

TEST(Cells, EveryByteStringBecomesValidAndFreeOfControls) {
    // All pairs of bytes, and a run of each byte.
    for (int a = 0; a < 256; ++a) {
        for (int b = 0; b < 256; ++b) {
            const std::string wire{static_cast<char>(a), static_cast<char>(b)};
            const auto text = printable(wire);
            ASSERT_TRUE(is_valid_utf8(text)) << a << ' ' << b;
            for (std::size_t at = 0; at < text.size();) {
                const auto point = decode_utf8(text, at);
                at += point.size;
                ASSERT_FALSE(point.code < 0x20 || (point.code >= 0x7f && point.code < 0xa0));
            }
        }
    }
}

TEST(Cells, CombiningMarksDoNotPileUp) {
    std::string zalgo = "a";
    for (int i = 0; i < 1000; ++i) {
        zalgo += "\xcc\x81";
    }
    EXPECT_EQ(printable(zalgo).size(), 1U + 3 * 2);
    EXPECT_EQ(printable("\xcc\x81x"), "x"); // none at the beginning: it would sit on our own text
}

TEST(Cells, LongTextIsCutInItsMiddle) {
    const std::string wire(100'000, 'x');
    const auto text = printable(wire, 100);
    EXPECT_EQ(cell_width(text), 101U);
    EXPECT_NE(text.find("…"), std::string::npos);
    EXPECT_TRUE(is_valid_utf8(printable(std::string(999, '\xe2'), 101)));
}

TEST(Cells, ShortenKeepsBothEndsAndNeverExceeds) {
    EXPECT_EQ(shorten("alice", 5), "alice");
    EXPECT_EQ(shorten("alice@example.com", 9), "alic….com");
    EXPECT_EQ(shorten("名前名前名前", 5), "名…前");
    EXPECT_EQ(shorten("abcdef", 2), "ab");
    EXPECT_EQ(shorten("abcdef", 0), "");
    for (std::size_t cells = 0; cells < 20; ++cells) {
        EXPECT_LE(cell_width(shorten("日本e\xcc\x81语 alice@example.com", cells)), cells);
    }
}

TEST(Cells, AsciiSpellsOurOwnSigns) {
    EXPECT_EQ(to_ascii("a → b · ×6 ▸ 120 µs …"), "a -> b - x6 > 120 us ...");
    EXPECT_EQ(to_ascii("名e\xcc\x81"), "?e");
}

} // namespace
} // namespace cw::view
