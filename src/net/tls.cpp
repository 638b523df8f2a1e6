#include "net/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace cw::net {
namespace {

// Forward-secret AEAD alone [RFC 9325 §4.2].
constexpr const char* good_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

std::unexpected<std::string> failed(std::string what) {
    char text[256] = "";
    if (const auto code = ERR_peek_last_error(); code != 0) {
        ERR_error_string_n(code, text, sizeof text);
        const char* reason = ERR_reason_error_string(code);
        what += std::string{": "} + (reason != nullptr ? reason : text);
    }
    ERR_clear_error();
    return std::unexpected{std::move(what)};
}

std::expected<void, std::string> load_certificate(SSL_CTX* context, const CertificateFiles& files) {
    if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
        return failed(files.certificate + ": no certificate in PEM");
    }
    if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
        return failed(files.key + ": no private key that fits " + files.certificate);
    }
    return {};
}

std::expected<void, std::string> load_trust(SSL_CTX* context, const TlsSettings& settings) {
    if (!settings.trusted.empty()) {
        if (SSL_CTX_load_verify_file(context, settings.trusted.c_str()) != 1) {
            return failed(settings.trusted + ": no CA certificates in PEM");
        }
        SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(settings.trusted.c_str()));
    }
    if (settings.system_trust) {
        SSL_CTX_set_default_verify_paths(context);
    }
    if (!settings.revoked.empty()) {
        auto* store = SSL_CTX_get_cert_store(context);
        auto* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
        if (X509_load_crl_file(lookup, settings.revoked.c_str(), X509_FILETYPE_PEM) < 1) {
            return failed(settings.revoked + ": no revocation list in PEM");
        }
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    }
    return {};
}

void set_policy(SSL_CTX* context, TlsContext::Role role, const TlsSettings& settings) {
    SSL_CTX_set_min_proto_version(context, settings.minimum_version);
    SSL_CTX_set_cipher_list(context,
                            settings.ciphers.empty() ? good_ciphers : settings.ciphers.c_str());
    // An idle connection holds no buffers; a read takes all records that the socket has.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Sessions live in tickets, which cost the server no memory; one is enough [RFC 8446 §4.6.1].
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 1);
    const unsigned char id[] = "callwright";
    SSL_CTX_set_session_id_context(context, id, sizeof id - 1);
    // SIP peers act as both, and public CAs issue certificates for servers only: which extended key
    // usage is good enough is judged with the identity, not by OpenSSL's purpose.
    X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_ANY);
    int verify = SSL_VERIFY_NONE;
    if (role == TlsContext::Role::Client || settings.clients != ClientCertificates::None) {
        verify = SSL_VERIFY_PEER;
    }
    if (role == TlsContext::Role::Server && settings.clients == ClientCertificates::Required) {
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(context, verify, nullptr);
}

bool names(SSL_CTX* context, const char* host) {
    return X509_check_host(SSL_CTX_get0_certificate(context), host, 0,
                           X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
}

} // namespace

void FreeTls::operator()(SSL_CTX* context) const {
    SSL_CTX_free(context);
}
void FreeTls::operator()(SSL* ssl) const {
    SSL_free(ssl);
}

TlsContext::~TlsContext() = default;

std::expected<std::shared_ptr<const TlsContext>, std::string>
TlsContext::make(Role role, const TlsSettings& settings) {
    std::shared_ptr<TlsContext> made{new TlsContext(role)};
    const auto count = std::max<std::size_t>(settings.certificates.size(), 1);
    for (std::size_t i = 0; i < count; ++i) {
        Context context{
            SSL_CTX_new(role == Role::Server ? TLS_server_method() : TLS_client_method())};
        if (context == nullptr) {
            return failed("no TLS context");
        }
        set_policy(context.get(), role, settings);
        if (i < settings.certificates.size()) {
            if (auto r = load_certificate(context.get(), settings.certificates[i]); !r) {
                return std::unexpected{r.error()};
            }
        }
        if (auto r = load_trust(context.get(), settings); !r) {
            return std::unexpected{r.error()};
        }
        made->contexts_.push_back(std::move(context));
    }
    if (made->contexts_.size() > 1) {
        SSL_CTX_set_tlsext_servername_callback(made->contexts_[0].get(), choose_certificate);
        SSL_CTX_set_tlsext_servername_arg(made->contexts_[0].get(), made.get());
    }
    return made;
}

// Exact names and wildcards of the DNS names; an unknown name gets the default certificate, as a
// phone that was given an address or another name must see something to complain about.
int TlsContext::choose_certificate(SSL* ssl, int* /*alert*/, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    for (const auto& context : static_cast<const TlsContext*>(self)->contexts_) {
        if (names(context.get(), name)) {
            SSL_set_SSL_CTX(ssl, context.get());
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_OK;
}

Ssl TlsContext::connection(int fd, const std::string& name) const {
    Ssl ssl{SSL_new(contexts_[0].get())};
    if (ssl == nullptr || SSL_set_fd(ssl.get(), fd) != 1) {
        return nullptr;
    }
    if (role_ == Role::Server) {
        SSL_set_accept_state(ssl.get());
    } else {
        SSL_set_connect_state(ssl.get());
        if (!name.empty()) {
            SSL_set_tlsext_host_name(ssl.get(), name.c_str());
        }
    }
    return ssl;
}

std::string last_tls_error(const SSL* ssl) {
    const auto code = ERR_peek_error();
    std::string text;
    if (const auto verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) {
        text = X509_verify_cert_error_string(verdict);
    } else if (code != 0) {
        const char* reason = ERR_reason_error_string(code);
        text = reason != nullptr ? reason : "TLS failed";
    }
    ERR_clear_error();
    return text;
}

} // namespace cw::net
