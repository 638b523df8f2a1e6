#include "crypto/siphash.hpp"

#include <gtest/gtest.h>

#include <string>

namespace cw::crypto {
namespace {

// The key 00 01 … 0f and the texts 00, 00 01, … of the paper that defines SipHash.
const SipHashKey key{0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

std::string counting(std::size_t n) {
    std::string text;
    for (std::size_t i = 0; i < n; ++i) {
        text += static_cast<char>(i);
    }
    return text;
}

TEST(SipHash, GivesTheValuesOfItsPaper) {
    EXPECT_EQ(SipHash{key}.finish(), 0x726fdb47dd0e0e31ULL);
    EXPECT_EQ(SipHash{key}.add(counting(1)).finish(), 0x74f839c593dc67fdULL);
    EXPECT_EQ(SipHash{key}.add(counting(15)).finish(), 0xa129ca6149be45e5ULL);
}

TEST(SipHash, IsTheSameInWhateverPieces) {
    const auto text = counting(40);
    const auto whole = SipHash{key}.add(text).finish();
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
        const std::string_view view{text};
        EXPECT_EQ(SipHash{key}.add(view.substr(0, cut)).add(view.substr(cut)).finish(), whole);
    }
}

TEST(SipHash, HasAnotherKeyForEachPurpose) {
    const auto a = derive_key("secret", "nonce");
    const auto b = derive_key("secret", "flow");
    EXPECT_NE(a.low, b.low);
    EXPECT_EQ(a.low, derive_key("secret", "nonce").low);
    EXPECT_NE(a.high, derive_key("other", "nonce").high);
}

} // namespace
} // namespace cw::crypto
