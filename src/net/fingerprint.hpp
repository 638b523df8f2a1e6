// The fingerprint of a certificate, as a=fingerprint of a session description writes it
// [RFC 8122 §5]. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <openssl/types.h>

namespace cw::net {

// Hashes that are not broken; MD5 and SHA-1 are refused.
enum class FingerprintHash : std::uint8_t { Sha256, Sha384, Sha512 };

// "sha-256 0A:1B:…"
std::string fingerprint_of(const X509* certificate, FingerprintHash hash);

// "SHA-256 0a:1b:…" in the one form that fingerprint_of() writes; nothing when it is none.
struct Fingerprint {
    FingerprintHash hash{};
    std::string text;
};
std::optional<Fingerprint> parse_fingerprint(std::string_view text);

} // namespace cw::net
