// TLS contexts: what we show, whom we trust, what we accept. A context is immutable once made and
// may be used by all shards at once; a reload makes another one, and connections that were opened
// under the old one live on. Who a certificate belongs to is decided above; here only its chain is
// verified, and OpenSSL's verdict chooses the alert that the peer gets.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/bytes.hpp"
#include "net/tickets.hpp"

using SSL_SESSION = struct ssl_session_st; // <openssl/ssl.h> is large

namespace cw::net {

struct FreeTls {
    void operator()(SSL_CTX* context) const;
    void operator()(SSL* ssl) const;
    void operator()(SSL_SESSION* session) const;
    void operator()(X509_STORE* store) const;
};
using Ssl = std::unique_ptr<SSL, FreeTls>;
using TlsSession = std::unique_ptr<SSL_SESSION, FreeTls>;

// A certificate that is shown is verified in any case.
enum class ClientCertificates : std::uint8_t { None, Optional, Required };

struct CertificateFiles {
    std::string certificate; // PEM: the certificate and the chain that follows it
    std::string key;         // PEM, not encrypted; or a PKCS#11 URI, of a key in a token
    // DER: an OCSP response for the certificate, which is stapled to handshakes until its
    // nextUpdate [RFC 6066 §8]; empty: none.
    std::string ocsp = {};
};

struct TlsSettings {
    // The first is shown when no other one has the name that a client asks for (SNI). One with RSA
    // and one with ECDSA for the same names complete each other.
    std::vector<CertificateFiles> certificates;
    std::string trusted;       // PEM file with the CAs that peers are verified against
    bool system_trust = false; // …and those of the system
    // A client takes whatever certificate it is shown: for tests of a system whose CA is not known.
    bool any_server = false;
    // PEM file with CRLs; empty: not asked for. Each certificate of a chain is looked up whose
    // issuer has a list in the file; a list past its nextUpdate refuses.
    std::string revoked;
    ClientCertificates clients = ClientCertificates::None;
    std::uint16_t minimum_version = 0x0303; // TLS 1.2; 0x0304: TLS 1.3
    std::uint16_t maximum_version = 0;      // 0: the newest
    std::string ciphers;           // of TLS 1.2, as OpenSSL writes them; empty: forward-secret AEAD
    std::string suites;            // of TLS 1.3; empty: ours
    std::vector<std::string> alpn; // offered, or the first of these that the client offers
    // A client asks for a stapled OCSP response, and is told what came (empty: none), the server's
    // certificate and its issuer (null: not known). False ends the handshake. Null: it does not
    // ask.
    std::function<bool(Bytes response, const X509* certificate, const X509* issuer)> accepts_staple;
    // What tickets are sealed with; null: keys that this context alone knows.
    std::shared_ptr<Tickets> tickets;
    // Gets each line of the NSS key log format, from the thread of the connection. Secret.
    std::function<void(std::string_view line)> key_log;
};

class TlsContext : public std::enable_shared_from_this<TlsContext> {
  public:
    enum class Role : std::uint8_t { Server, Client };
    // Fails with a sentence that names the file.
    static std::expected<std::shared_ptr<const TlsContext>, std::string>
    make(Role role, const TlsSettings& settings);
    ~TlsContext();
    TlsContext(const TlsContext&) = delete;
    TlsContext& operator=(const TlsContext&) = delete;

    // For one connection, on `fd`, which the caller keeps; the context must outlive it. `name` is
    // the SNI that a client sends. Null when OpenSSL has no memory.
    [[nodiscard]] Ssl connection(int fd, const std::string& name) const;
    [[nodiscard]] Role role() const { return role_; }

  private:
    using Context = std::unique_ptr<SSL_CTX, FreeTls>;
    using Store = std::unique_ptr<X509_STORE, FreeTls>;
    using Done = std::expected<void, std::string>;

    TlsContext(Role role, const TlsSettings& settings);
    std::expected<Context, std::string> new_context(const TlsSettings& settings) const;
    Done add_certificate(const TlsSettings& settings, const CertificateFiles& files);
    Done add_staple(SSL_CTX* context, const std::string& path);
    Done load_trust(const TlsSettings& settings);
    void learn_names(const std::vector<std::string>& names, std::size_t context);
    void set_callbacks(SSL_CTX* context) const;
    [[nodiscard]] SSL_CTX* context_for(std::string_view name) const;

    static const TlsContext& of(const SSL* ssl);
    static int choose_certificate(SSL* ssl, int* alert, void* self);
    static int staple(SSL* ssl, void* what);
    static int judge_staple(SSL* ssl, void* self);
    static int choose_protocol(SSL* ssl, const unsigned char** out, unsigned char* size,
                               const unsigned char* offered, unsigned offered_size, void* self);
    static int seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                           EVP_MAC_CTX* mac, int seal);
    static void log_key(const SSL* ssl, const char* line);

    Role role_;
    std::vector<Context> contexts_;               // one a set of names; the first is the default
    std::vector<std::vector<std::string>> names_; // of each
    boost::unordered_flat_map<std::string, std::size_t> by_name_;
    struct Staple {
        std::string response;
        std::int64_t until = 0; // seconds since 1970; 0: it does not say
    };
    std::deque<Staple> staples_; // contexts point into it
    Store store_;
    std::string alpn_; // as on the wire
    std::shared_ptr<Tickets> tickets_;
    std::function<void(std::string_view)> key_log_;
    std::function<bool(Bytes, const X509*, const X509*)> accepts_staple_;
};

// When the handshake is done. Its messages share two buffers; an idle connection has none, and gets
// them for each record, which for a handshake would be a dozen large allocations.
void settle_memory(SSL* ssl);

// Why the last operation of this thread failed, in words: "certificate has expired", "alert unknown
// ca from the peer". Empties OpenSSL's error queue.
std::string last_tls_error(const SSL* ssl);

} // namespace cw::net
