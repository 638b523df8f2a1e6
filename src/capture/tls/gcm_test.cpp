// Against OpenSSL's EVP, which seals what is opened here, and the test cases of GCM's authors.
#include "capture/tls/gcm.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "capture/test_frames.hpp"

namespace cw::capture::tls {
namespace {

using made::Octets;

Octets counting(std::size_t size, std::uint8_t from) {
    Octets out(size);
    std::iota(out.begin(), out.end(), from);
    return out;
}

// The ciphertext, and after it the tag of 16 octets.
Octets seal(const Octets& key, const Octets& nonce, const Octets& additional,
            const Octets& plaintext) {
    Octets out(plaintext.size() + 16);
    auto* context = EVP_CIPHER_CTX_new();
    int length = 0;
    EVP_EncryptInit_ex2(context, key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(),
                        key.data(), nonce.data(), nullptr);
    EVP_EncryptUpdate(context, nullptr, &length, additional.data(),
                      static_cast<int>(additional.size()));
    EVP_EncryptUpdate(context, out.data(), &length, plaintext.data(),
                      static_cast<int>(plaintext.size()));
    EVP_EncryptFinal_ex(context, out.data() + length, &length);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + plaintext.size());
    EVP_CIPHER_CTX_free(context);
    return out;
}

// Room for `size` in whole blocks.
Octets room_for(std::size_t size) {
    return Octets((size + 15) / 16 * 16);
}

class GcmOpens : public testing::TestWithParam<std::size_t> {
  protected:
    void SetUp() override {
        if (!Gcm::available()) {
            GTEST_SKIP() << "this processor has no AES instructions";
        }
    }
};

TEST_P(GcmOpens, WhatOpenSslSealed) {
    const auto key = counting(GetParam(), 3);
    const auto nonce = counting(12, 200);
    const auto additional = counting(5, 20);
    Gcm gcm{key};
    // Every length around whole groups of blocks, and some that OpenSSL hashes in pieces.
    for (std::size_t size = 0; size < 9000; size += size < 300 ? 1 : 997) {
        const auto plaintext = counting(size, static_cast<std::uint8_t>(size));
        auto sealed = seal(key, nonce, additional, plaintext);
        const auto all = Bytes{sealed};
        auto out = room_for(size);
        ASSERT_TRUE(gcm.open(nonce.data(), additional, all.first(size), all.last(16), out.data()))
            << size;
        ASSERT_TRUE(std::equal(plaintext.begin(), plaintext.end(), out.begin())) << size;
        sealed[size / 2] ^= 0x10U;
        ASSERT_FALSE(gcm.open(nonce.data(), additional, all.first(size), all.last(16), out.data()))
            << size;
    }
}

TEST_P(GcmOpens, NothingOfAnotherNonceHeaderOrTag) {
    const auto key = counting(GetParam(), 3);
    const auto nonce = counting(12, 200);
    const auto additional = counting(13, 20);
    const auto sealed = seal(key, nonce, additional, counting(100, 0));
    const auto text = Bytes{sealed}.first(100);
    const auto tag = Bytes{sealed}.last(16);
    Gcm gcm{key};
    auto out = room_for(100);
    for (std::size_t i = 0; i < nonce.size(); ++i) {
        auto wrong = nonce;
        wrong[i] ^= 1U;
        EXPECT_FALSE(gcm.open(wrong.data(), additional, text, tag, out.data())) << i;
    }
    for (std::size_t i = 0; i < additional.size(); ++i) {
        auto wrong = additional;
        wrong[i] ^= 1U;
        EXPECT_FALSE(gcm.open(nonce.data(), wrong, text, tag, out.data())) << i;
    }
    for (std::size_t i = 0; i < tag.size(); ++i) {
        Octets wrong{tag.begin(), tag.end()};
        wrong[i] ^= 0x80U;
        EXPECT_FALSE(gcm.open(nonce.data(), additional, text, wrong, out.data())) << i;
    }
    EXPECT_TRUE(gcm.open(nonce.data(), additional, text, tag, out.data()));
}

// Additional data of every length up to two blocks, and all that is whole, partial or nothing.
TEST_P(GcmOpens, EveryLengthOfBoth) {
    const auto key = counting(GetParam(), 99);
    const auto nonce = counting(12, 7);
    Gcm gcm{key};
    for (std::size_t header = 0; header <= 33; ++header) {
        const auto additional = counting(header, static_cast<std::uint8_t>(header * 5));
        for (std::size_t size = 0; size <= 290; size += size < 150 ? 1 : 35) {
            const auto plaintext = counting(size, static_cast<std::uint8_t>(size * 3));
            const auto sealed = seal(key, nonce, additional, plaintext);
            const auto text = Bytes{sealed}.first(size);
            const auto tag = Bytes{sealed}.last(16);
            auto out = room_for(size);
            ASSERT_TRUE(gcm.open(nonce.data(), additional, text, tag, out.data()))
                << header << ' ' << size;
            ASSERT_TRUE(std::equal(plaintext.begin(), plaintext.end(), out.begin()))
                << header << ' ' << size;
        }
    }
}

// Keys, nonces and data of all bits, as no counting has them.
TEST_P(GcmOpens, WhatIsRandom) {
    std::mt19937 random{20261201};
    const auto octets = [&random](std::size_t size) {
        Octets out(size);
        std::generate(out.begin(), out.end(),
                      [&random] { return static_cast<std::uint8_t>(random()); });
        return out;
    };
    for (int round = 0; round < 500; ++round) {
        const auto key = octets(GetParam());
        const auto nonce = octets(12);
        const auto additional = octets(random() % 33);
        const auto plaintext = octets(random() % 2000);
        const auto sealed = seal(key, nonce, additional, plaintext);
        auto out = room_for(plaintext.size());
        Gcm gcm{key};
        ASSERT_TRUE(gcm.open(nonce.data(), additional, Bytes{sealed}.first(plaintext.size()),
                             Bytes{sealed}.last(16), out.data()))
            << round;
        ASSERT_TRUE(std::equal(plaintext.begin(), plaintext.end(), out.begin())) << round;
    }
}

// A tag may have been shortened [SP 800-38D §5.2.1.2], not to nothing and not made longer.
TEST_P(GcmOpens, TheFirstOctetsOfATag) {
    const auto key = counting(GetParam(), 3);
    const auto nonce = counting(12, 200);
    auto sealed = seal(key, nonce, {}, counting(40, 0));
    sealed.push_back(0);
    const auto text = Bytes{sealed}.first(40);
    Gcm gcm{key};
    auto out = room_for(40);
    for (std::size_t size = 0; size <= 17; ++size) {
        EXPECT_EQ(gcm.open(nonce.data(), {}, text, Bytes{sealed}.subspan(40, size), out.data()),
                  size != 0 && size != 17)
            << size;
    }
    sealed[40 + 7] ^= 1U;
    EXPECT_TRUE(gcm.open(nonce.data(), {}, text, Bytes{sealed}.subspan(40, 7), out.data()));
    EXPECT_FALSE(gcm.open(nonce.data(), {}, text, Bytes{sealed}.subspan(40, 8), out.data()));
}

struct Case {
    const char* name;
    std::string_view key;
    std::string_view nonce;
    std::string_view additional;
    std::string_view plaintext;
    std::string_view ciphertext;
    std::string_view tag;
};

// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B.
constexpr std::string_view text_of_cases =
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255";
constexpr std::string_view additional_of_cases = "feedfacedeadbeeffeedfacedeadbeefabaddad2";
constexpr std::array<Case, 6> cases{{
    {"1", "00000000000000000000000000000000", "000000000000000000000000", "", "", "",
     "58e2fccefa7e3061367f1d57a4e7455a"},
    {"2", "00000000000000000000000000000000", "000000000000000000000000", "",
     "00000000000000000000000000000000", "0388dace60b6a392f328c2b971b2fe78",
     "ab6e47d42cec13bdf53a67b21257bddf"},
    {"3", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", "", text_of_cases,
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985",
     "4d5c2af327cd64a62cf35abd2ba6fab4"},
    {"4", "feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888", additional_of_cases,
     text_of_cases.substr(0, 120),
     "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
     "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
     "5bc94fbc3221a5db94fae95ae7121a47"},
    {"15", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", "", text_of_cases,
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad",
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"16", "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
     "cafebabefacedbaddecaf888", additional_of_cases, text_of_cases.substr(0, 120),
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
     "76fc6ece0f4e1768cddf8853bb2d551b"},
}};

TEST(Gcm, TheCasesOfItsAuthors) {
    if (!Gcm::available()) {
        GTEST_SKIP() << "this processor has no AES instructions";
    }
    for (const auto& c : cases) {
        const auto plaintext = made::hex(c.plaintext);
        auto out = room_for(plaintext.size());
        Gcm gcm{made::hex(c.key)};
        EXPECT_TRUE(gcm.open(made::hex(c.nonce).data(), made::hex(c.additional),
                             made::hex(c.ciphertext), made::hex(c.tag), out.data()))
            << c.name;
        EXPECT_TRUE(std::equal(plaintext.begin(), plaintext.end(), out.begin())) << c.name;
    }
}

INSTANTIATE_TEST_SUITE_P(Keys, GcmOpens, testing::Values(16, 32));

} // namespace
} // namespace cw::capture::tls
