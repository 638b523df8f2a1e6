// TLS contexts: what we show, whom we trust, what we accept. A context is immutable once made and
// may be used by all shards at once; a reload makes another one, and connections that were opened
// under the old one live on. Who a certificate belongs to in SIP terms is decided above (RFC 5922);
// here only its chain is verified.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

#include <openssl/types.h>

namespace cw::net {

struct FreeTls {
    void operator()(SSL_CTX* context) const;
    void operator()(SSL* ssl) const;
};
using Ssl = std::unique_ptr<SSL, FreeTls>;

enum class ClientCertificates : std::uint8_t { None, Optional, Required };

struct CertificateFiles {
    std::string certificate; // PEM: the certificate and the chain that follows it
    std::string key;         // PEM
};

struct TlsSettings {
    // The first is shown when no other one has the name that a client asks for (SNI).
    std::vector<CertificateFiles> certificates;
    std::string trusted;       // PEM file with the CAs that peers are verified against
    bool system_trust = false; // …and those of the system
    std::string revoked;       // PEM file with CRLs; empty: not asked for
    ClientCertificates clients = ClientCertificates::None;
    std::uint16_t minimum_version = 0x0303; // TLS 1.2; 0x0304: TLS 1.3
    std::string ciphers; // of TLS 1.2, as OpenSSL writes them; empty: forward-secret AEAD
};

class TlsContext {
  public:
    enum class Role : std::uint8_t { Server, Client };
    // Fails with a sentence that names the file.
    static std::expected<std::shared_ptr<const TlsContext>, std::string>
    make(Role role, const TlsSettings& settings);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // For one connection, on `fd`, which the caller keeps. `name` is the SNI that a client sends.
    // Null when OpenSSL has no memory.
    [[nodiscard]] Ssl connection(int fd, const std::string& name) const;
    [[nodiscard]] Role role() const { return role_; }

  private:
    explicit TlsContext(Role role) : role_(role) {}
    static int choose_certificate(SSL* ssl, int* alert, void* self);

    using Context = std::unique_ptr<SSL_CTX, FreeTls>;
    Role role_;
    std::vector<Context> contexts_; // one a certificate; the first is the default
};

// Why the last operation of this thread failed, in words: "certificate has expired", "alert unknown
// ca from the peer". Empties OpenSSL's error queue.
std::string last_tls_error(const SSL* ssl);

} // namespace cw::net
