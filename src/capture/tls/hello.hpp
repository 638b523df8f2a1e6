// ClientHello and ServerHello, as far as reading a connection needs them [RFC 8446 §4.1, RFC 5246
// §7.4.1]. Views are of the message that was parsed.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cw::capture::tls {

struct ClientHelloFields {
    std::uint16_t version = 0; // legacy_version
    Bytes random;              // 32 bytes
    Bytes session_id;
    Bytes ticket;        // of the session_ticket extension [RFC 5077 §3.2]
    Bytes srtp_profiles; // that it offers, two bytes each [RFC 5764 §4.1.1]
    std::string offered;
    std::string sni;
    std::string alpn;
    std::size_t ciphers = 0;
    bool psk = false;
    bool early_data = false;
};

struct ServerHelloFields {
    std::uint16_t version = 0; // the one chosen, wherever it stands
    Bytes random;              // 32 bytes
    Bytes session_id;
    std::uint16_t suite = 0;
    std::uint16_t group = 0;
    std::uint16_t srtp_profile = 0; // chosen; 0: none
    std::string alpn;
    bool retry = false; // it is a HelloRetryRequest
    bool psk = false;
    bool extended_master_secret = false; // [RFC 7627]
    bool encrypt_then_mac = false;       // [RFC 7366]
};

// `body` is the handshake message after its header of 4 bytes; of DTLS, 12 bytes. That of DTLS has
// a cookie [RFC 6347 §4.2.1].
Result<ClientHelloFields> parse_client_hello(Bytes body, bool dtls = false);
Result<ServerHelloFields> parse_server_hello(Bytes body);
// A hello in the format of SSL 2.0 that offers TLS [RFC 5246 §E.2]; `message` begins with its type.
// The random is put into `random`, which the result views.
Result<ClientHelloFields> parse_sslv2_hello(Bytes message, std::array<std::uint8_t, 32>& random);

// What EncryptedExtensions tells.
struct EncryptedExtensionsFields {
    std::string alpn;
    bool early_data = false; // accepted
};
Result<EncryptedExtensionsFields> parse_encrypted_extensions(Bytes body);

} // namespace cw::capture::tls
