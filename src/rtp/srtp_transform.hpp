// The cryptography of SRTP and of SRTCP with one master key: session keys derived from it, packets
// encrypted, decrypted and authenticated at an index [RFC 3711 §4; RFC 6188; RFC 7714 §8, §9, §11].
// Knows nothing of what came before: indexes and replays are above. By OpenSSL. One thread; keys
// are wiped at the end.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <openssl/evp.h>

#include "base/result.hpp"
#include "rtp/srtp_suite.hpp"

namespace cw::rtp {

// How session keys come of a master key of 192 bits: with AES-192 [RFC 6188 §3], or as libsrtp does
// it, and with it most phones and servers that have these suites: with AES-256, what the key lacks
// taken from the salt, and what that lacks being zero. Of other lengths both are the same.
enum class KeyDerivation : std::uint8_t { Rfc6188, Libsrtp };

class SrtpTransform {
  public:
    // The suite must be one whose key has this length.
    static Result<SrtpTransform> make(const SrtpParameters& parameters, const SrtpMasterKey& key,
                                      KeyDerivation derivation = KeyDerivation::Rfc6188);

    // In place: encrypts what is behind the header of `header` octets, and appends MKI and tag.
    // False when OpenSSL fails.
    bool protect(std::vector<std::uint8_t>& rtp, std::size_t header, std::uint64_t index);
    bool protect_rtcp(std::vector<std::uint8_t>& rtcp, std::uint32_t index);
    // In place: takes tag and MKI off, and decrypts. False when the tag is not right, and the
    // packet is of no use then.
    bool unprotect(std::vector<std::uint8_t>& rtp, std::size_t header, std::uint64_t index);
    bool unprotect_rtcp(std::vector<std::uint8_t>& rtcp);
    // The index that an SRTCP packet says it has; nothing when it is too short to have one.
    [[nodiscard]] std::optional<std::uint32_t> rtcp_index(Bytes rtcp) const;

    [[nodiscard]] const std::vector<std::uint8_t>& mki() const { return mki_; }

  private:
    struct FreeContext {
        void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
        void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
    };
    // Of SRTP, or of SRTCP.
    struct Half {
        std::unique_ptr<EVP_CIPHER_CTX, FreeContext> cipher;
        std::unique_ptr<EVP_MAC_CTX, FreeContext> mac; // not with AEAD
        std::array<std::uint8_t, 14> salt{};
        std::size_t tag = 0;
        bool encrypt = true;
    };
    using Parts = std::initializer_list<Bytes>;

    SrtpTransform() = default;
    static bool derive(Half& half, const SrtpSuiteFacts& facts, Bytes key, Bytes salt, bool rtcp);
    static bool crypt(Half& half, std::uint32_t ssrc, std::uint64_t index,
                      std::span<std::uint8_t> data);
    static bool authenticate(Half& half, Parts parts, std::span<std::uint8_t> tag);
    static bool seal(Half& half, Bytes iv, Parts associated, std::span<std::uint8_t> data,
                     std::span<std::uint8_t> tag);
    static bool open(Half& half, Bytes iv, Parts associated, std::span<std::uint8_t> data,
                     Bytes tag);

    bool aead_ = false;
    Half rtp_;
    Half rtcp_;
    std::vector<std::uint8_t> mki_;
};

} // namespace cw::rtp
