#include "rtp/srtp_transform.hpp"

#include <algorithm>
#include <string>

#include <openssl/core_names.h>
#include <openssl/crypto.h>

namespace cw::rtp {
namespace {

constexpr std::size_t rtcp_header = 8; // with the sender's SSRC, which stays in clear
constexpr std::size_t rtcp_word = 4;   // E flag and SRTCP index
constexpr std::size_t aead_tag = 16;
constexpr std::size_t sha1_tag = 10; // of SRTCP in every suite with HMAC-SHA1 [RFC 4568 §6.2]
constexpr std::size_t authentication_key = 20;
constexpr std::uint32_t encrypted_flag = 0x8000'0000U;

using Block = std::array<std::uint8_t, 16>;

const EVP_CIPHER* counter_mode(std::size_t key) {
    return key == 16 ? EVP_aes_128_ctr() : key == 24 ? EVP_aes_192_ctr() : EVP_aes_256_ctr();
}
const EVP_CIPHER* galois_mode(std::size_t key) {
    return key == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
}

std::array<std::uint8_t, 4> big_endian(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 24U), static_cast<std::uint8_t>(value >> 16U),
            static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
}

void xor_into(std::span<std::uint8_t> to, std::uint64_t value) {
    for (auto at = to.rbegin(); at != to.rend(); ++at, value >>= 8U) {
        *at ^= static_cast<std::uint8_t>(value);
    }
}

int size_of(Bytes bytes) {
    return static_cast<int>(bytes.size());
}

// [RFC 3711 §4.3.1, §4.3.3] The key stream of the master key at the salt, with the label where
// key_id has it; the salt of AEAD is padded at its end [RFC 7714 §11]. The derivation rate is zero.
bool derive_key(Bytes master, Bytes salt, std::uint8_t label, std::span<std::uint8_t> out) {
    Block block{};
    std::ranges::copy(salt, block.begin());
    block[7] ^= label;
    std::ranges::fill(out, std::uint8_t{0});
    auto* context = EVP_CIPHER_CTX_new();
    int size = 0;
    const bool done = context != nullptr &&
                      EVP_EncryptInit_ex(context, counter_mode(master.size()), nullptr,
                                         master.data(), block.data()) == 1 &&
                      EVP_EncryptUpdate(context, out.data(), &size, out.data(), size_of(out)) == 1;
    EVP_CIPHER_CTX_free(context);
    return done;
}

EVP_MAC_CTX* make_mac(Bytes key) {
    auto* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    auto* context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    std::string digest = "SHA1";
    const std::array<OSSL_PARAM, 2> parameters{
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
        OSSL_PARAM_construct_end()};
    if (context != nullptr &&
        EVP_MAC_init(context, key.data(), key.size(), parameters.data()) != 1) {
        EVP_MAC_CTX_free(context);
        return nullptr;
    }
    return context;
}

// [RFC 7714 §8.1] two octets of zeros, SSRC, rollover counter, sequence number; §9.1 for SRTCP:
// SSRC, two octets of zeros, index. Both xored with the salt.
std::array<std::uint8_t, 12> aead_iv(Bytes salt, std::uint32_t ssrc, std::uint64_t index,
                                     bool rtcp) {
    std::array<std::uint8_t, 12> iv{};
    std::copy_n(salt.begin(), iv.size(), iv.begin());
    const std::span all{iv};
    xor_into(all.subspan(2, 4), ssrc);
    xor_into(rtcp ? all.subspan(8, 4) : all.subspan(6, 6), index);
    return iv;
}

} // namespace

Result<SrtpTransform> SrtpTransform::make(const SrtpParameters& parameters,
                                          const SrtpMasterKey& key, KeyDerivation derivation) {
    const auto& facts = facts_of(parameters.suite);
    SrtpTransform out;
    out.aead_ = facts.aead;
    out.mki_ = key.mki;
    out.rtp_.encrypt = parameters.encrypt_rtp;
    out.rtcp_.encrypt = parameters.encrypt_rtcp;
    out.rtp_.tag = parameters.authenticate_rtp ? facts.rtp_tag : 0U;
    out.rtcp_.tag = facts.aead ? aead_tag : sha1_tag;
    std::array<std::uint8_t, SrtpSecret::most> secret{};
    std::ranges::copy(key.secret.octets(), secret.begin());
    const bool padded = derivation == KeyDerivation::Libsrtp && facts.key == 24;
    const std::size_t size = padded ? 32 : facts.key;
    const auto master = Bytes{secret}.first(size);
    const auto salt = Bytes{secret}.subspan(size, facts.salt);
    const bool done = derive(out.rtp_, facts, master, salt, false) &&
                      derive(out.rtcp_, facts, master, salt, true);
    OPENSSL_cleanse(secret.data(), secret.size());
    if (!done) {
        return fail(Code::Unsupported, 0, "OpenSSL does not have this SRTP suite");
    }
    return out;
}

// [RFC 3711 §4.3.1, §4.3.2] labels 0 to 2 for SRTP, 3 to 5 for SRTCP.
bool SrtpTransform::derive(Half& half, const SrtpSuiteFacts& facts, Bytes key, Bytes salt,
                           bool rtcp) {
    const std::uint8_t label = rtcp ? 3 : 0;
    std::array<std::uint8_t, 32> cipher_key{};
    std::array<std::uint8_t, authentication_key> mac_key{};
    const auto used = std::span{cipher_key}.first(facts.key);
    bool done = derive_key(key, salt, label, used) &&
                derive_key(key, salt, static_cast<std::uint8_t>(label + 1), mac_key) &&
                derive_key(key, salt, static_cast<std::uint8_t>(label + 2),
                           std::span{half.salt}.first(facts.salt));
    half.cipher.reset(EVP_CIPHER_CTX_new());
    const auto* mode = facts.aead ? galois_mode(facts.key) : counter_mode(facts.key);
    done = done && half.cipher != nullptr &&
           EVP_CipherInit_ex(half.cipher.get(), mode, nullptr, used.data(), nullptr, 1) == 1;
    if (!facts.aead) {
        half.mac.reset(make_mac(mac_key));
        done = done && half.mac != nullptr;
    }
    OPENSSL_cleanse(cipher_key.data(), cipher_key.size());
    OPENSSL_cleanse(mac_key.data(), mac_key.size());
    return done;
}

// [RFC 3711 §4.1.1] IV = (salt × 2^16) ⊕ (SSRC × 2^64) ⊕ (index × 2^16).
bool SrtpTransform::crypt(Half& half, std::uint32_t ssrc, std::uint64_t index,
                          std::span<std::uint8_t> data) {
    Block block{};
    std::ranges::copy(half.salt, block.begin());
    const std::span all{block};
    xor_into(all.subspan(4, 4), ssrc);
    xor_into(all.subspan(8, 6), index);
    int size = 0;
    return EVP_EncryptInit_ex(half.cipher.get(), nullptr, nullptr, nullptr, block.data()) == 1 &&
           EVP_EncryptUpdate(half.cipher.get(), data.data(), &size, data.data(), size_of(data)) ==
               1;
}

// [RFC 3711 §4.2.1] the leftmost octets of the HMAC.
bool SrtpTransform::authenticate(Half& half, Parts parts, std::span<std::uint8_t> tag) {
    if (EVP_MAC_init(half.mac.get(), nullptr, 0, nullptr) != 1) {
        return false;
    }
    for (const auto part : parts) {
        if (EVP_MAC_update(half.mac.get(), part.data(), part.size()) != 1) {
            return false;
        }
    }
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> mac{};
    std::size_t size = 0;
    if (EVP_MAC_final(half.mac.get(), mac.data(), &size, mac.size()) != 1 || size < tag.size()) {
        return false;
    }
    std::copy_n(mac.begin(), tag.size(), tag.begin());
    return true;
}

bool SrtpTransform::seal(Half& half, Bytes iv, Parts associated, std::span<std::uint8_t> data,
                         std::span<std::uint8_t> tag) {
    auto* cipher = half.cipher.get();
    int size = 0;
    bool done = EVP_EncryptInit_ex(cipher, nullptr, nullptr, nullptr, iv.data()) == 1;
    for (const auto part : associated) {
        done = done && EVP_EncryptUpdate(cipher, nullptr, &size, part.data(), size_of(part)) == 1;
    }
    return done && EVP_EncryptUpdate(cipher, data.data(), &size, data.data(), size_of(data)) == 1 &&
           EVP_EncryptFinal_ex(cipher, data.data() + data.size(), &size) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag.size()),
                               tag.data()) == 1;
}

bool SrtpTransform::open(Half& half, Bytes iv, Parts associated, std::span<std::uint8_t> data,
                         Bytes tag) {
    auto* cipher = half.cipher.get();
    int size = 0;
    bool done = EVP_DecryptInit_ex(cipher, nullptr, nullptr, nullptr, iv.data()) == 1;
    for (const auto part : associated) {
        done = done && EVP_DecryptUpdate(cipher, nullptr, &size, part.data(), size_of(part)) == 1;
    }
    return done && EVP_DecryptUpdate(cipher, data.data(), &size, data.data(), size_of(data)) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, size_of(tag),
                               const_cast<std::uint8_t*>(tag.data())) == 1 &&
           EVP_DecryptFinal_ex(cipher, data.data() + data.size(), &size) == 1;
}

bool SrtpTransform::protect(std::vector<std::uint8_t>& rtp, std::size_t header,
                            std::uint64_t index) {
    const auto ssrc = load_be32(rtp.data() + 8);
    const auto size = rtp.size();
    // The tag of AEAD is part of the ciphertext, before the MKI [RFC 7714 §8.2]; that of HMAC
    // stands behind it [RFC 3711 §3.1].
    rtp.resize(size + mki_.size() + rtp_.tag);
    const std::span all{rtp};
    const auto body = all.subspan(header, size - header);
    std::ranges::copy(mki_,
                      rtp.begin() + static_cast<std::ptrdiff_t>(size + (aead_ ? rtp_.tag : 0)));
    if (aead_) {
        const auto iv = aead_iv(rtp_.salt, ssrc, index, false);
        return seal(rtp_, iv, {all.first(header)}, body, all.subspan(size, rtp_.tag));
    }
    if (rtp_.encrypt && !crypt(rtp_, ssrc, index, body)) {
        return false;
    }
    const auto roc = big_endian(static_cast<std::uint32_t>(index >> 16U));
    return rtp_.tag == 0 || authenticate(rtp_, {all.first(size), roc}, all.last(rtp_.tag));
}

bool SrtpTransform::unprotect(std::vector<std::uint8_t>& rtp, std::size_t header,
                              std::uint64_t index) {
    if (rtp.size() < header + rtp_.tag + mki_.size()) {
        return false;
    }
    const auto ssrc = load_be32(rtp.data() + 8);
    const auto size = rtp.size() - rtp_.tag - mki_.size();
    const std::span all{rtp};
    const auto body = all.subspan(header, size - header);
    if (aead_) {
        const auto iv = aead_iv(rtp_.salt, ssrc, index, false);
        if (!open(rtp_, iv, {all.first(header)}, body, all.subspan(size, rtp_.tag))) {
            return false;
        }
    } else {
        std::array<std::uint8_t, sha1_tag> tag{};
        const auto right = std::span{tag}.first(rtp_.tag);
        const auto roc = big_endian(static_cast<std::uint32_t>(index >> 16U));
        if (rtp_.tag != 0 &&
            (!authenticate(rtp_, {all.first(size), roc}, right) ||
             CRYPTO_memcmp(right.data(), all.last(rtp_.tag).data(), rtp_.tag) != 0)) {
            return false;
        }
        if (rtp_.encrypt && !crypt(rtp_, ssrc, index, body)) {
            return false;
        }
    }
    rtp.resize(size);
    return true;
}

// [RFC 3711 §3.4] Behind the packet: E flag and index, MKI, tag; with AEAD the tag stands first
// [RFC 7714 §9.2].
bool SrtpTransform::protect_rtcp(std::vector<std::uint8_t>& rtcp, std::uint32_t index) {
    const auto ssrc = load_be32(rtcp.data() + 4);
    const auto size = rtcp.size();
    const auto word = big_endian((rtcp_.encrypt ? encrypted_flag : 0U) | index);
    rtcp.resize(size + rtcp_word + mki_.size() + rtcp_.tag);
    const std::span all{rtcp};
    const auto header = all.first(rtcp_header);
    const auto body = all.subspan(rtcp_header, size - rtcp_header);
    const auto word_at = size + (aead_ ? rtcp_.tag : 0);
    std::ranges::copy(word, all.subspan(word_at).begin());
    std::ranges::copy(mki_, all.subspan(word_at + rtcp_word).begin());
    if (aead_) {
        const auto iv = aead_iv(rtcp_.salt, ssrc, index, true);
        const auto tag = all.subspan(size, rtcp_.tag);
        return rtcp_.encrypt ? seal(rtcp_, iv, {header, word}, body, tag)
                             : seal(rtcp_, iv, {header, body, word}, all.subspan(size, 0), tag);
    }
    return (!rtcp_.encrypt || crypt(rtcp_, ssrc, index, body)) &&
           authenticate(rtcp_, {all.first(size + rtcp_word)}, all.last(rtcp_.tag));
}

std::optional<std::uint32_t> SrtpTransform::rtcp_index(Bytes rtcp) const {
    const auto behind = mki_.size() + (aead_ ? 0 : rtcp_.tag);
    if (rtcp.size() < rtcp_header + rtcp_word + mki_.size() + rtcp_.tag) {
        return std::nullopt;
    }
    return load_be32(rtcp.data() + rtcp.size() - behind - rtcp_word) & ~encrypted_flag;
}

bool SrtpTransform::unprotect_rtcp(std::vector<std::uint8_t>& rtcp) {
    if (rtcp.size() < rtcp_header + rtcp_word + mki_.size() + rtcp_.tag) {
        return false;
    }
    const auto ssrc = load_be32(rtcp.data() + 4);
    const auto size = rtcp.size() - rtcp_word - mki_.size() - rtcp_.tag;
    const std::span all{rtcp};
    const auto header = all.first(rtcp_header);
    const auto body = all.subspan(rtcp_header, size - rtcp_header);
    const auto word = all.subspan(size + (aead_ ? rtcp_.tag : 0), rtcp_word);
    const auto flag_and_index = load_be32(word.data());
    const bool encrypted = (flag_and_index & encrypted_flag) != 0;
    const auto index = flag_and_index & ~encrypted_flag;
    bool right = false;
    if (aead_) {
        const auto iv = aead_iv(rtcp_.salt, ssrc, index, true);
        const auto tag = all.subspan(size, rtcp_.tag);
        right = encrypted ? open(rtcp_, iv, {header, word}, body, tag)
                          : open(rtcp_, iv, {header, body, word}, all.subspan(size, 0), tag);
    } else {
        std::array<std::uint8_t, sha1_tag> tag{};
        right = authenticate(rtcp_, {all.first(size + rtcp_word)}, tag) &&
                CRYPTO_memcmp(tag.data(), all.last(tag.size()).data(), tag.size()) == 0 &&
                (!encrypted || crypt(rtcp_, ssrc, index, body));
    }
    rtcp.resize(size);
    return right;
}

} // namespace cw::rtp
