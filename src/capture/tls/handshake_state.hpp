// Private to the implementation of Connection: what it keeps while a handshake goes on.
#pragma once

#include "capture/tls/connection.hpp"

namespace cw::capture::tls {

struct Connection::Handshake {
    std::array<std::uint8_t, 32> client_random{};
    std::array<std::uint8_t, 32> server_random{};
    std::array<std::uint8_t, 32> client_session{};
    std::array<std::uint8_t, 32> server_session{};
    std::uint8_t client_session_size = 0;
    std::uint8_t server_session_size = 0;
    bool server_hello = false;
    bool retry = false;           // a HelloRetryRequest was answered
    bool early_offered = false;   // early data, in the ClientHello
    bool early_accepted = false;  // in EncryptedExtensions
    bool extensions_seen = false; // EncryptedExtensions
    bool extended_master = false;
    bool encrypt_then_mac = false;
    bool server_certificate = false; // so it is no resumption
    bool master_known = false;
    bool client_random_known = true; // false: the ClientHello was not captured
    bool transcript_lost = false;
    std::uint32_t looked = 0xffff'ffff; // generation of the ring when no master secret was found
    MasterSecret master{};
    std::vector<std::uint8_t> ticket;           // that the client offered
    std::vector<std::uint8_t> issued;           // a ticket that the server gave
    std::vector<std::uint8_t> transcript;       // up to ClientKeyExchange, where a premaster may be
    std::vector<std::uint8_t> encrypted;        // the premaster secret, in RSA key exchange
    std::shared_ptr<const EVP_PKEY> server_key; // of the certificate
    std::array<std::unique_ptr<DirectionKeys>, 2> pending; // by role, until ChangeCipherSpec

    ~Handshake();
    [[nodiscard]] Bytes client_id() const {
        return Bytes{client_session}.first(client_session_size);
    }
    [[nodiscard]] Bytes server_id() const {
        return Bytes{server_session}.first(server_session_size);
    }
};

} // namespace cw::capture::tls
