// Against OpenSSL's EVP, which seals what is opened here.
#include "capture/tls/gcm.hpp"

#include <numeric>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace cw::capture::tls {
namespace {

using Octets = std::vector<std::uint8_t>;

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
        Octets out(size);
        ASSERT_TRUE(gcm.open(nonce.data(), additional, all.first(size), all.last(16), out.data()))
            << size;
        ASSERT_EQ(out, plaintext) << size;
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
    Octets out(100);
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

INSTANTIATE_TEST_SUITE_P(Keys, GcmOpens, testing::Values(16, 32));

} // namespace
} // namespace cw::capture::tls
