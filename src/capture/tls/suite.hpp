// TLS cipher suites: name, key exchange, and how each protects records [RFC 5246 §A.5, RFC 8446
// §B.4]. Static data; everything here may be used by any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cw::capture::tls {

enum class Exchange : std::uint8_t {
    Rsa,       // the premaster secret is encrypted to the server's key: the key opens it
    Ephemeral, // (EC)DHE, DH, PSK, SRP…: no long-term key tells the secret
    Tls13,     // negotiated apart from the suite
};
enum class Hash : std::uint8_t { None, Md5, Sha1, Sha256, Sha384 };
enum class Mode : std::uint8_t { Unknown, Gcm, Ccm, ChaCha, Cbc, Stream, Null };

// What encrypts the records, as its OpenSSL name and its sizes in bytes.
struct Bulk {
    const char* name = ""; // for EVP_CIPHER_fetch
    Mode mode = Mode::Unknown;
    std::uint8_t key_size = 0;
    std::uint8_t block_size = 0; // CBC only
    std::uint8_t tag_size = 0;   // AEAD only
    bool legacy = false;         // OpenSSL has it in its legacy provider only
};

struct Suite {
    std::uint16_t number = 0;
    Exchange exchange = Exchange::Ephemeral;
    Hash mac = Hash::None;   // of CBC, stream and NULL suites
    Hash prf = Hash::Sha256; // of TLS 1.2 and 1.3
    std::uint8_t bulk = 0;   // index for bulk_of(); 0: not one that we can open
    std::string_view name;   // "TLS_AES_256_GCM_SHA384", static and ended by a zero byte
};

inline constexpr std::size_t bulk_kinds = 23;

// Nothing when the number is not registered. The suite is static.
const Suite* find_suite(std::uint16_t number);
const Bulk& bulk_of(const Suite& suite);
const Bulk& bulk_at(std::uint8_t index); // below bulk_kinds

std::size_t size_of(Hash hash); // in bytes: 0, 16, 20, 32, 48

// "TLS_AES_256_GCM_SHA384", or "0x1399" for one that is not registered.
std::string suite_name(std::uint16_t number);
// "SSLv3", "TLSv1.0" … "TLSv1.3", "TLSv1.3 (draft 28)", or "0x0399".
std::string version_name(std::uint16_t version);
// "x25519", "secp256r1", "x25519mlkem768", or "0x1234".
std::string group_name(std::uint16_t group);
// "close_notify", "unknown_ca" … [RFC 8446 §6], "unknown" for the others. Static.
std::string_view alert_name(std::uint8_t number);

// GREASE values mean nothing [RFC 8701 §2].
constexpr bool is_grease(std::uint16_t value) {
    return (value & 0x0f0f) == 0x0a0a && (value >> 8) == (value & 0xff);
}

namespace version {
inline constexpr std::uint16_t ssl3 = 0x0300;
inline constexpr std::uint16_t tls10 = 0x0301;
inline constexpr std::uint16_t tls11 = 0x0302;
inline constexpr std::uint16_t tls12 = 0x0303;
inline constexpr std::uint16_t tls13 = 0x0304;
inline constexpr std::uint16_t dtls10 = 0xfeff;
inline constexpr std::uint16_t dtls12 = 0xfefd;
inline constexpr std::uint16_t dtls13 = 0xfefc;
} // namespace version

// TLS 1.3 or one of its drafts.
constexpr bool is_tls13(std::uint16_t v) {
    return v == version::tls13 || (v & 0xff00) == 0x7f00;
}
// The drafts before 22 have another ServerHello, those before 20 other labels in the key schedule.
constexpr bool is_readable_tls13(std::uint16_t v) {
    return v == version::tls13 || (v >= 0x7f16 && v <= 0x7f1c);
}
// The record header is authenticated since draft 25 [RFC 8446 §5.2].
constexpr bool authenticates_header(std::uint16_t v) {
    return v == version::tls13 || v >= 0x7f19;
}

} // namespace cw::capture::tls
