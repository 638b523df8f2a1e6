// SRTP a second time, for tests: written from RFC 3711 §4 and RFC 7714 §8 on OpenSSL's primitives,
// plainly and for one packet at a time, so that what is sent can be compared with what the RFCs
// say. RTP headers without CSRCs and extension only. The RFCs' own vectors check it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/bytes.hpp"

namespace cw::rtp::oracle {

using Octets = std::vector<std::uint8_t>;

// AES in counter mode over `data`, from this block on.
inline Octets aes_counter(const Octets& key, const std::array<std::uint8_t, 16>& block,
                          const Octets& data) {
    const auto* cipher = key.size() == 16   ? EVP_aes_128_ctr()
                         : key.size() == 24 ? EVP_aes_192_ctr()
                                            : EVP_aes_256_ctr();
    auto* context = EVP_CIPHER_CTX_new();
    Octets out(data.size());
    int size = 0;
    EVP_EncryptInit_ex(context, cipher, nullptr, key.data(), block.data());
    EVP_EncryptUpdate(context, out.data(), &size, data.data(), static_cast<int>(data.size()));
    EVP_CIPHER_CTX_free(context);
    return out;
}

// The salt at the left of a block, `label` xored in where the key_id of §4.3.1 has it.
inline Octets derive(const Octets& key, const Octets& salt, std::uint8_t label, std::size_t size) {
    std::array<std::uint8_t, 16> block{};
    std::copy(salt.begin(), salt.end(), block.begin());
    block[7] ^= label; // index DIV kdr is 0
    return aes_counter(key, block, Octets(size));
}

struct SessionKeys {
    Octets cipher;
    Octets authentication;
    Octets salt;
};
// Labels 0 to 2 for SRTP, 3 to 5 for SRTCP. The salt of AEAD, 12 octets, is padded on the right
// with zeros [RFC 7714 §11].
inline SessionKeys derive_all(const Octets& key, const Octets& salt, std::uint8_t first_label) {
    return {derive(key, salt, first_label, key.size()),
            derive(key, salt, static_cast<std::uint8_t>(first_label + 1), 20),
            derive(key, salt, static_cast<std::uint8_t>(first_label + 2), salt.size())};
}

inline Octets aead_seal(const Octets& key, const Octets& iv, const Octets& associated,
                        const Octets& data) {
    auto* context = EVP_CIPHER_CTX_new();
    Octets out(data.size() + 16);
    int size = 0;
    EVP_EncryptInit_ex(context, key.size() == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), nullptr,
                       key.data(), iv.data());
    EVP_EncryptUpdate(context, nullptr, &size, associated.data(),
                      static_cast<int>(associated.size()));
    EVP_EncryptUpdate(context, out.data(), &size, data.data(), static_cast<int>(data.size()));
    EVP_EncryptFinal_ex(context, out.data() + size, &size);
    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, out.data() + data.size());
    EVP_CIPHER_CTX_free(context);
    return out;
}

// [RFC 3711 §3.3, §4.1.1, §4.2.1]
inline Octets protect(const SessionKeys& keys, std::uint32_t roc, const Octets& rtp,
                      std::size_t tag) {
    std::array<std::uint8_t, 16> block{};
    std::copy(keys.salt.begin(), keys.salt.end(), block.begin());
    const std::array<std::uint8_t, 4> counter{
        static_cast<std::uint8_t>(roc >> 24U), static_cast<std::uint8_t>(roc >> 16U),
        static_cast<std::uint8_t>(roc >> 8U), static_cast<std::uint8_t>(roc)};
    for (std::size_t i = 0; i < 4; ++i) {
        block[4 + i] ^= rtp[8 + i];    // SSRC
        block[8 + i] ^= counter.at(i); // index: ROC, then sequence number
    }
    block[12] ^= rtp[2];
    block[13] ^= rtp[3];
    Octets out(rtp.begin(), rtp.begin() + 12);
    const auto body = aes_counter(keys.cipher, block, Octets(rtp.begin() + 12, rtp.end()));
    out.insert(out.end(), body.begin(), body.end());
    Octets authenticated = out;
    authenticated.insert(authenticated.end(), counter.begin(), counter.end());
    std::array<std::uint8_t, 20> mac{};
    unsigned size = 0;
    HMAC(EVP_sha1(), keys.authentication.data(), static_cast<int>(keys.authentication.size()),
         authenticated.data(), authenticated.size(), mac.data(), &size);
    out.insert(out.end(), mac.begin(), mac.begin() + static_cast<std::ptrdiff_t>(tag));
    return out;
}

// [RFC 7714 §8.1, §8.2]
inline Octets protect_aead(const SessionKeys& keys, std::uint32_t roc, const Octets& rtp) {
    Octets iv(12);
    std::copy_n(rtp.begin() + 8, 4, iv.begin() + 2);
    for (unsigned i = 0; i < 4; ++i) {
        iv[6 + i] = static_cast<std::uint8_t>(roc >> (24 - 8 * i));
    }
    iv[10] = rtp[2];
    iv[11] = rtp[3];
    for (std::size_t i = 0; i < 12; ++i) {
        iv[i] ^= keys.salt[i];
    }
    Octets out(rtp.begin(), rtp.begin() + 12);
    const auto body = aead_seal(keys.cipher, iv, out, Octets(rtp.begin() + 12, rtp.end()));
    out.insert(out.end(), body.begin(), body.end());
    return out;
}

} // namespace cw::rtp::oracle
