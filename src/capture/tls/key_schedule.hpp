// Hashes, and what TLS derives from secrets with them: the PRF of TLS 1.0–1.2 [RFC 2246 §5,
// RFC 5246 §5] and HKDF-Expand-Label of TLS 1.3 [RFC 8446 §7.1]. A Hasher belongs to one thread.
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

#include <openssl/evp.h>

#include "base/bytes.hpp"
#include "capture/tls/suite.hpp"

namespace cw::capture::tls {

using MasterSecret = std::array<std::uint8_t, 48>;

class Hasher {
  public:
    // `out` holds size_of(hash) bytes. False when OpenSSL is configured without that hash (MD5).
    bool digest(Hash hash, std::initializer_list<Bytes> parts, std::uint8_t* out);
    bool hmac(Hash hash, Bytes key, std::initializer_list<Bytes> parts, std::uint8_t* out);

    // [RFC 8446 §7.1], with an empty context. `out` is at most size_of(hash) bytes long.
    bool expand_label(Hash hash, Bytes secret, std::string_view label, std::span<std::uint8_t> out);

    // What DTLS 1.3 exports for `label`, without a context [RFC 8446 §7.5]; its labels begin with
    // "dtls13" [RFC 9147 §5.9].
    bool export_dtls13(Hash hash, Bytes exporter_secret, std::string_view label,
                       std::span<std::uint8_t> out);

    // The PRF of `version` with `hash` (TLS 1.2; the earlier ones use MD5 and SHA-1 together).
    bool prf(std::uint16_t version, Hash hash, Bytes secret, std::string_view label, Bytes seed_a,
             Bytes seed_b, std::span<std::uint8_t> out);

  private:
    bool expand_label(Hash hash, Bytes secret, std::string_view prefix, std::string_view label,
                      Bytes context, std::span<std::uint8_t> out);
    bool p_hash(Hash hash, Bytes secret, std::string_view label, Bytes seed_a, Bytes seed_b,
                std::span<std::uint8_t> out); // XORs onto `out`

    struct FreeMd {
        void operator()(EVP_MD* md) const { EVP_MD_free(md); }
        void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
    };
    // Fetched when it is first asked for: most captures need none of them, and OpenSSL begins by
    // setting itself up.
    struct Engine {
        bool fetched = false;
        std::unique_ptr<EVP_MD, FreeMd> md;
        std::unique_ptr<EVP_MD_CTX, FreeMd> context;
    };
    // Its context, begun anew; null when OpenSSL has not got that hash.
    EVP_MD_CTX* begin(Hash hash);

    std::array<Engine, 5> engines_; // by Hash
};

} // namespace cw::capture::tls
