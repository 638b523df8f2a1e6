// What is known of a TLS connection, open or failed: for whoever judges identities, and for
// whoever explains a handshake to a person.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <openssl/types.h>

namespace cw::net {

struct TlsFacts {
    std::string version; // "TLSv1.3"; empty while nothing is agreed upon, as each of these
    std::string cipher;  // "TLS_AES_256_GCM_SHA384"
    std::string group;   // of the key exchange: "x25519"
    std::string sni;
    std::string alpn;
    bool resumed = false;
    long verify_result = 0;  // X509_V_…; 0 also when there was nothing to verify
    std::string verify_text; // of it
    // Descriptions of the last alerts [RFC 8446 §6], close_notify (0) included.
    std::optional<std::uint8_t> alert_sent;
    std::optional<std::uint8_t> alert_received;
};
TlsFacts tls_facts(SSL* ssl);

// The peer's certificate, then what it sent behind it, also when that did not verify. Empty: it
// showed none. They live as long as the connection.
std::vector<X509*> peer_chain(const SSL* ssl);

// "unknown ca"
std::string alert_text(std::uint8_t description);

// For contexts: makes the connections made from them remember their alerts and the chain that
// failed.
void remember_facts(SSL_CTX* context);

} // namespace cw::net
