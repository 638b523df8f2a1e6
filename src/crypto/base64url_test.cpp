#include "crypto/base64url.hpp"

#include <gtest/gtest.h>

#include <array>

namespace cw::crypto {
namespace {

std::string encode(std::string_view text) {
    std::string out;
    append_base64url(out, as_bytes(text));
    return out;
}

std::string decode(std::string_view text) {
    std::array<std::uint8_t, 64> out{};
    const auto size = decode_base64url(text, out);
    return size ? std::string{as_text(Bytes{out}.first(*size))} : "none";
}

// [RFC 4648 §10], without the padding.
TEST(Base64Url, WritesAndReadsTheExamplesOfItsRfc) {
    for (const auto& [plain, written] :
         {std::pair{"", ""}, std::pair{"f", "Zg"}, std::pair{"fo", "Zm8"}, std::pair{"foo", "Zm9v"},
          std::pair{"foob", "Zm9vYg"}, std::pair{"foobar", "Zm9vYmFy"}}) {
        EXPECT_EQ(encode(plain), written);
        EXPECT_EQ(decode(written), plain);
    }
    EXPECT_EQ(encode("\xfb\xff"), "-_8");
}

TEST(Base64Url, HasOneReading) {
    EXPECT_EQ(decode("Zh"), "none"); // a bit that belongs to no octet
    EXPECT_EQ(decode("Z"), "none");
    EXPECT_EQ(decode("Zg=="), "none");
    EXPECT_EQ(decode("Z+8"), "none");
}

TEST(Base64Url, NeverWritesBeyondItsRoom) {
    std::array<std::uint8_t, 2> out{};
    EXPECT_FALSE(decode_base64url("Zm9v", out));
    EXPECT_EQ(decode_base64url("Zm8", out), 2U);
}

} // namespace
} // namespace cw::crypto
