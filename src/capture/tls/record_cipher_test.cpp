// Suites that libssl no longer speaks, the pool of contexts, and the finding of sequence numbers.
#include "capture/tls/record_cipher.hpp"

#include <algorithm>
#include <numeric>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/provider.h>

namespace cw::capture::tls {
namespace {

struct Sealed {
    std::vector<std::uint8_t> bytes;
    [[nodiscard]] Record record() const {
        const auto all = Bytes{bytes};
        return {.type = all[0],
                .version = load_be16(all.data() + 1),
                .header = all.first(5),
                .body = all.subspan(5)};
    }
};

Sealed with_header(std::uint8_t type, std::uint16_t version,
                   const std::vector<std::uint8_t>& body) {
    Sealed out;
    out.bytes = {type, static_cast<std::uint8_t>(version >> 8), static_cast<std::uint8_t>(version),
                 static_cast<std::uint8_t>(body.size() >> 8),
                 static_cast<std::uint8_t>(body.size())};
    out.bytes.insert(out.bytes.end(), body.begin(), body.end());
    return out;
}

void fill(DirectionKeys& keys, std::uint16_t suite, std::uint16_t version) {
    keys.suite = find_suite(suite);
    keys.version = version;
    std::iota(keys.key.begin(), keys.key.end(), std::uint8_t{1});
    std::iota(keys.iv.begin(), keys.iv.end(), std::uint8_t{100});
    std::iota(keys.secret.begin(), keys.secret.end(), std::uint8_t{50});
}

std::vector<std::uint8_t> mac_of(const DirectionKeys& keys, std::uint64_t sequence,
                                 std::string_view text) {
    std::vector<std::uint8_t> data;
    for (int shift = 56; shift >= 0; shift -= 8) {
        data.push_back(static_cast<std::uint8_t>(sequence >> shift));
    }
    data.insert(data.end(), {23, static_cast<std::uint8_t>(keys.version >> 8),
                             static_cast<std::uint8_t>(keys.version),
                             static_cast<std::uint8_t>(text.size() >> 8),
                             static_cast<std::uint8_t>(text.size())});
    data.insert(data.end(), text.begin(), text.end());
    Hasher hasher;
    std::vector<std::uint8_t> mac(size_of(keys.suite->mac));
    hasher.hmac(keys.suite->mac, Bytes{keys.secret}.first(mac.size()), {data}, mac.data());
    return mac;
}

// Seals `text` by MAC, then CBC with an explicit IV of zeros, or a stream.
std::vector<std::uint8_t> seal_legacy(const DirectionKeys& keys, OSSL_LIB_CTX* library,
                                      std::uint64_t sequence, std::string_view text) {
    const auto& bulk = bulk_of(*keys.suite);
    std::vector<std::uint8_t> plain(text.begin(), text.end());
    const auto mac = mac_of(keys, sequence, text);
    plain.insert(plain.end(), mac.begin(), mac.end());
    const std::array<std::uint8_t, 16> iv{};
    std::vector<std::uint8_t> out;
    if (bulk.mode == Mode::Cbc) {
        const auto padding = bulk.block_size - 1 - plain.size() % bulk.block_size;
        plain.insert(plain.end(), padding + 1, static_cast<std::uint8_t>(padding));
        out.assign(bulk.block_size, 0);
    }
    auto* cipher = EVP_CIPHER_fetch(library, bulk.name, nullptr);
    auto* context = EVP_CIPHER_CTX_new();
    int length = 0;
    const auto at = out.size();
    out.resize(at + plain.size());
    EVP_EncryptInit_ex2(context, cipher, keys.key.data(), iv.data(), nullptr);
    EVP_CIPHER_CTX_set_padding(context, 0);
    EVP_EncryptUpdate(context, out.data() + at, &length, plain.data(),
                      static_cast<int>(plain.size()));
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
    return out;
}

Sealed seal_modern(const DirectionKeys& keys, std::uint64_t sequence, std::string_view text,
                   std::size_t padding = 0) {
    std::vector<std::uint8_t> plain(text.begin(), text.end());
    plain.push_back(content::application_data);
    plain.insert(plain.end(), padding, 0);
    auto sealed = with_header(23, 0x0303, std::vector<std::uint8_t>(plain.size() + 16));
    std::array<std::uint8_t, 12> nonce{};
    std::copy_n(keys.iv.begin(), 12, nonce.begin());
    for (std::size_t i = 0; i < 8; ++i) {
        nonce[11 - i] ^= static_cast<std::uint8_t>(sequence >> (8 * i));
    }
    auto* cipher = EVP_CIPHER_fetch(nullptr, bulk_of(*keys.suite).name, nullptr);
    auto* context = EVP_CIPHER_CTX_new();
    int length = 0;
    EVP_EncryptInit_ex2(context, cipher, keys.key.data(), nonce.data(), nullptr);
    EVP_EncryptUpdate(context, nullptr, &length, sealed.bytes.data(), 5);
    EVP_EncryptUpdate(context, sealed.bytes.data() + 5, &length, plain.data(),
                      static_cast<int>(plain.size()));
    EVP_EncryptFinal_ex(context, sealed.bytes.data() + 5 + length, &length);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16,
                        sealed.bytes.data() + sealed.bytes.size() - 16);
    EVP_CIPHER_CTX_free(context);
    EVP_CIPHER_free(cipher);
    return sealed;
}

TEST(CipherPool, OpensWhatLibsslNoLongerSpeaks) {
    auto* library = OSSL_LIB_CTX_new();
    auto* standard = OSSL_PROVIDER_load(library, "default");
    auto* legacy = OSSL_PROVIDER_load(library, "legacy"); // may be absent
    CipherPool pool;
    for (const auto number :
         std::to_array<std::uint16_t>({0x000a, 0xc012, 0x0096, 0x0007, 0x0009, 0x0005, 0x0004})) {
        const auto* suite = find_suite(number);
        ASSERT_NE(suite, nullptr);
        auto* cipher = EVP_CIPHER_fetch(library, bulk_of(*suite).name, nullptr);
        const bool there = cipher != nullptr; // OpenSSL may be built without it
        EVP_CIPHER_free(cipher);
        if (!there) {
            EXPECT_FALSE(pool.supports(*suite));
            continue;
        }
        ASSERT_TRUE(pool.supports(*suite)) << suite->name;
        DirectionKeys keys;
        fill(keys, number, version::tls12);
        DirectionKeys again;
        fill(again, number, version::tls12);
        const bool stream = bulk_of(*suite).mode == Mode::Stream;
        const auto sealed = with_header(23, 0x0303, seal_legacy(keys, library, 0, "hello there"));
        auto opened = pool.open(keys, 0, sealed.record());
        ASSERT_TRUE(opened) << suite->name;
        EXPECT_EQ(as_text(opened->plaintext), "hello there");
        EXPECT_FALSE(pool.open(stream ? again : keys, 1, sealed.record())) << suite->name;
    }
    for (auto* provider : {legacy, standard}) {
        if (provider != nullptr) {
            OSSL_PROVIDER_unload(provider); // a provider that is loaded keeps its library alive
        }
    }
    OSSL_LIB_CTX_free(library);
}

TEST(CipherPool, RefusesWhatWasChanged) {
    CipherPool pool;
    for (const auto number : std::to_array<std::uint16_t>({0x1301, 0x1302, 0x1303})) {
        DirectionKeys keys;
        fill(keys, number, version::tls13);
        const auto good = seal_modern(keys, 5, "hello", 20);
        auto opened = pool.open(keys, 5, good.record());
        ASSERT_TRUE(opened);
        EXPECT_EQ(as_text(opened->plaintext), "hello"); // without the padding
        EXPECT_EQ(opened->type, content::application_data);
        EXPECT_FALSE(pool.open(keys, 6, good.record()));
        for (std::size_t i = 0; i < good.bytes.size(); ++i) {
            auto bad = good;
            bad.bytes[i] ^= 1;
            const auto whole = bad.record();
            EXPECT_FALSE(pool.open(keys, 5, whole)) << i;
        }
        for (std::size_t size = 5; size < good.bytes.size(); ++size) {
            auto bad = good;
            bad.bytes.resize(size);
            EXPECT_FALSE(pool.open(keys, 5, bad.record())) << size;
        }
        EXPECT_TRUE(pool.open(keys, 5, good.record()));
    }
}

TEST(CipherPool, FindsTheNumberOfAnyRecordOfAesGcm) {
    CipherPool pool;
    for (const auto number : std::to_array<std::uint16_t>({0x1301, 0x1302})) {
        DirectionKeys keys;
        fill(keys, number, version::tls13);
        for (const std::uint64_t sequence :
             {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{70'000}, std::uint64_t{1} << 40}) {
            const auto sealed = seal_modern(keys, sequence, "hello");
            EXPECT_EQ(pool.find_sequence(keys, sealed.record()), sequence);
            auto bad = sealed;
            bad.bytes.back() ^= 1;
            EXPECT_EQ(pool.find_sequence(keys, bad.record()), std::nullopt);
        }
        DirectionKeys wrong;
        fill(wrong, number, version::tls13);
        wrong.key[0] ^= 1;
        EXPECT_EQ(pool.find_sequence(wrong, seal_modern(keys, 3, "hello").record()), std::nullopt);
    }
    DirectionKeys chacha;
    fill(chacha, 0x1303, version::tls13);
    EXPECT_FALSE(CipherPool::can_find_sequence(chacha));
}

TEST(CipherPool, ServesMoreConnectionsThanItHasContexts) {
    CipherPool pool;
    constexpr std::size_t count = CipherPool::most_contexts + 500;
    std::vector<std::unique_ptr<DirectionKeys>> all;
    std::vector<Sealed> records;
    for (std::size_t i = 0; i < count; ++i) {
        all.push_back(std::make_unique<DirectionKeys>());
        constexpr std::array<std::uint16_t, 3> suites{0x1301, 0x1302, 0x1303};
        fill(*all.back(), suites[i % 3], version::tls13);
        all.back()->key[1] = static_cast<std::uint8_t>(i);
        all.back()->key[2] = static_cast<std::uint8_t>(i >> 8);
        records.push_back(seal_modern(*all.back(), 0, std::to_string(i)));
    }
    for (int round = 0; round < 2; ++round) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto opened = pool.open(*all[i], 0, records[i].record());
            ASSERT_TRUE(opened) << i;
            ASSERT_EQ(as_text(opened->plaintext), std::to_string(i));
        }
    }
}

TEST(Suites, AreReadOutOfTheirNames) {
    const auto check = [](std::uint16_t number, std::string_view name, Exchange exchange, Mode mode,
                          Hash mac, Hash prf) {
        const auto* suite = find_suite(number);
        ASSERT_NE(suite, nullptr);
        EXPECT_EQ(suite->name, name);
        EXPECT_EQ(suite->exchange, exchange) << name;
        EXPECT_EQ(bulk_of(*suite).mode, mode) << name;
        EXPECT_EQ(suite->mac, mac) << name;
        EXPECT_EQ(suite->prf, prf) << name;
    };
    check(0x1301, "TLS_AES_128_GCM_SHA256", Exchange::Tls13, Mode::Gcm, Hash::None, Hash::Sha256);
    check(0x1302, "TLS_AES_256_GCM_SHA384", Exchange::Tls13, Mode::Gcm, Hash::None, Hash::Sha384);
    check(0x1303, "TLS_CHACHA20_POLY1305_SHA256", Exchange::Tls13, Mode::ChaCha, Hash::None,
          Hash::Sha256);
    check(0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA", Exchange::Rsa, Mode::Cbc, Hash::Sha1,
          Hash::Sha256);
    check(0x0095, "TLS_RSA_PSK_WITH_AES_256_CBC_SHA", Exchange::Ephemeral, Mode::Cbc, Hash::Sha1,
          Hash::Sha256);
    check(0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384", Exchange::Ephemeral, Mode::Cbc,
          Hash::Sha384, Hash::Sha384);
    check(0xc0a0, "TLS_RSA_WITH_AES_128_CCM_8", Exchange::Rsa, Mode::Ccm, Hash::None, Hash::Sha256);
    check(0x0005, "TLS_RSA_WITH_RC4_128_SHA", Exchange::Rsa, Mode::Stream, Hash::Sha1,
          Hash::Sha256);
    check(0x003b, "TLS_RSA_WITH_NULL_SHA256", Exchange::Rsa, Mode::Null, Hash::Sha256,
          Hash::Sha256);
    check(0x0083, "TLS_GOSTR341001_WITH_NULL_GOSTR3411", Exchange::Ephemeral, Mode::Unknown,
          Hash::None, Hash::Sha256);
    EXPECT_EQ(bulk_of(*find_suite(0xc0a0)).tag_size, 8);
    EXPECT_EQ(find_suite(0x1399), nullptr);
    EXPECT_EQ(suite_name(0x1399), "0x1399");
    EXPECT_EQ(version_name(0x7f1c), "TLSv1.3 (draft 28)");
    EXPECT_EQ(group_name(4588), "x25519mlkem768");
    EXPECT_EQ(alert_name(48), "unknown_ca");
}

} // namespace
} // namespace cw::capture::tls
