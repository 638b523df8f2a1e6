// For tests: two OpenSSL peers that speak TLS in memory, and what went over the wire.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <openssl/ssl.h>

#include "capture/side.hpp"

namespace cw::capture::tls::test {

struct FreeSsl {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};

struct Options {
    int version = TLS1_3_VERSION;
    std::string ciphers = "ALL:@SECLEVEL=0";       // up to TLS 1.2
    std::string suites = "TLS_AES_256_GCM_SHA384"; // TLS 1.3
    std::string client_groups = "X25519:P-256";
    std::string server_groups = "X25519:P-256";
    bool rsa = true; // the server's key; else P-256
    bool client_certificate = false;
    bool tickets = true;
    bool encrypt_then_mac = true;
    bool extended_master = true;
    bool psk = false; // up to TLS 1.2
    std::string early_data = {};
    std::string alpn = {};
    SSL_SESSION* resume = nullptr;
    int max_fragment = 0; // SSL_set_max_send_fragment
};

// One connection. The contexts live in it, unless those of an earlier one are taken over.
class Peers {
  public:
    struct Piece {
        Side from;
        std::string bytes;
    };

    explicit Peers(const Options& options, Peers* earlier = nullptr);
    ~Peers();

    // All return false when OpenSSL refuses.
    bool handshake();
    bool send(Side from, std::string_view text);
    bool update_key(Side from, bool ask_other);
    bool renegotiate();
    bool close(Side from);

    [[nodiscard]] const std::vector<Piece>& wire() const { return wire_; }
    [[nodiscard]] const std::string& sent(Side from) const { return sent_[index_of(from)]; }
    [[nodiscard]] const std::string& key_log() const { return *key_log_; }
    // The session that the client may resume; null when there is none.
    [[nodiscard]] SSL_SESSION* session();
    [[nodiscard]] bool resumed() const;
    [[nodiscard]] bool early_data_accepted() const;
    [[nodiscard]] std::string cipher() const; // IANA name
    [[nodiscard]] std::string version() const;

    // All of one side's bytes, one after the other.
    [[nodiscard]] std::string bytes_of(Side from) const;

  private:
    SSL* ssl(Side side) { return side == Side::Client ? client_.get() : server_.get(); }
    void carry(); // bytes from each to the other, until nothing moves
    bool read_all(Side at);

    std::shared_ptr<SSL_CTX> client_context_;
    std::shared_ptr<SSL_CTX> server_context_;
    std::shared_ptr<std::string> key_log_;
    std::shared_ptr<std::unique_ptr<SSL_SESSION, FreeSsl>> session_;
    std::unique_ptr<SSL, FreeSsl> client_;
    std::unique_ptr<SSL, FreeSsl> server_;
    std::string early_;
    std::vector<Piece> wire_;
    std::string sent_[2];
};

// The server's RSA key, in PEM.
const std::string& rsa_key_pem();

} // namespace cw::capture::tls::test
