#include "base/base64.hpp"

#include <gtest/gtest.h>

#include <array>

namespace cw {
namespace {

std::optional<std::string> decoded(std::string_view text) {
    std::array<std::uint8_t, 16> out{};
    const auto size = decode_base64(text, out);
    return size ? std::optional{std::string{as_text(Bytes{out}.first(*size))}} : std::nullopt;
}

TEST(Base64, writes_and_reads_the_examples_of_the_rfc) {
    // [RFC 4648 §10]
    const std::array<std::pair<std::string_view, std::string_view>, 7> examples{
        {{"", ""},
         {"f", "Zg=="},
         {"fo", "Zm8="},
         {"foo", "Zm9v"},
         {"foob", "Zm9vYg=="},
         {"fooba", "Zm9vYmE="},
         {"foobar", "Zm9vYmFy"}}};
    for (const auto& [plain, text] : examples) {
        EXPECT_EQ(to_base64(as_bytes(plain)), text);
        EXPECT_EQ(decoded(text), plain);
    }
}

TEST(Base64, reads_text_without_padding) {
    EXPECT_EQ(decoded("Zg"), "f");
    EXPECT_EQ(decoded("Zm9vYmE"), "fooba");
}

TEST(Base64, refuses_what_has_two_readings_or_none) {
    for (const auto* text : {"Z", "Zg=", "Zg===", "Zh==", "Zm9=", "Zm 9v", "Zm9v====", "=",
                             "Z-8=", "Zg==Zg==", "Zm9v\n"}) {
        EXPECT_FALSE(decoded(text).has_value()) << text;
    }
}

TEST(Base64, refuses_what_does_not_fit) {
    EXPECT_TRUE(decoded("AAAAAAAAAAAAAAAAAAAAAA==").has_value());
    EXPECT_FALSE(decoded("AAAAAAAAAAAAAAAAAAAAAAA=").has_value());
}

} // namespace
} // namespace cw
