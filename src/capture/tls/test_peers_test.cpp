// Not tests: the peers of test_peers.hpp. The name makes them part of the test program only.
#include "capture/tls/test_peers.hpp"

#include <array>
#include <ctime>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace cw::capture::tls::test {

namespace {

struct Identity {
    EVP_PKEY* key;
    X509* certificate;
};

Identity make_identity(EVP_PKEY* key, const char* name) {
    auto* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_time_adj_ex(X509_getm_notBefore(certificate), -1, 0, nullptr);
    X509_time_adj_ex(X509_getm_notAfter(certificate), 365, 0, nullptr);
    X509_set_pubkey(certificate, key);
    auto* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    auto* names = X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name,
                                      "DNS:example.com,URI:sip:example.com,IP:192.0.2.1");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    return {key, certificate};
}

// They live as long as the program; leak checkers see them through these statics.
const Identity& rsa_identity() {
    static const auto identity = make_identity(EVP_RSA_gen(2048), "rsa.example.com");
    return identity;
}
const Identity& ec_identity() {
    static const auto identity = make_identity(EVP_EC_gen("P-256"), "ec.example.com");
    return identity;
}

void on_key_log(const SSL* ssl, const char* line) {
    auto* log = static_cast<std::string*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    *log += line;
    *log += '\n';
}

int on_session(SSL* ssl, SSL_SESSION* session) {
    static_cast<std::unique_ptr<SSL_SESSION, FreeSsl>*>(SSL_get_app_data(ssl))->reset(session);
    return 1;
}

unsigned on_psk_client(SSL*, const char*, char* identity, unsigned size, unsigned char* key,
                       unsigned) {
    std::snprintf(identity, size, "phone");
    std::fill_n(key, 16, static_cast<unsigned char>(7));
    return 16;
}
unsigned on_psk_server(SSL*, const char*, unsigned char* key, unsigned) {
    std::fill_n(key, 16, static_cast<unsigned char>(7));
    return 16;
}

int choose_alpn(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                unsigned in_size, void*) {
    static constexpr std::array<unsigned char, 4> sip{3, 's', 'i', 'p'};
    return SSL_select_next_proto(const_cast<unsigned char**>(out), size, sip.data(), sip.size(), in,
                                 in_size) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

void set_up(SSL_CTX* context, const Options& options) {
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, options.version);
    SSL_CTX_set_max_proto_version(context, options.version);
    SSL_CTX_set_cipher_list(context, options.ciphers.c_str());
    SSL_CTX_set_ciphersuites(context, options.suites.c_str());
    std::uint64_t flags = SSL_OP_ALLOW_CLIENT_RENEGOTIATION;
    flags |= options.tickets ? 0 : SSL_OP_NO_TICKET;
    flags |= options.encrypt_then_mac ? 0 : SSL_OP_NO_ENCRYPT_THEN_MAC;
    flags |= options.extended_master ? 0 : SSL_OP_NO_EXTENDED_MASTER_SECRET;
    SSL_CTX_set_options(context, flags);
}

} // namespace

const std::string& rsa_key_pem() {
    static const auto pem = [] {
        auto* bio = BIO_new(BIO_s_mem());
        PEM_write_bio_PrivateKey(bio, rsa_identity().key, nullptr, nullptr, 0, nullptr, nullptr);
        char* data = nullptr;
        const auto size = BIO_get_mem_data(bio, &data);
        std::string text(data, static_cast<std::size_t>(size));
        BIO_free(bio);
        return text;
    }();
    return pem;
}

Peers::Peers(const Options& options, Peers* earlier) : early_(options.early_data) {
    if (earlier != nullptr) {
        client_context_ = earlier->client_context_;
        server_context_ = earlier->server_context_;
        key_log_ = earlier->key_log_;
        session_ = earlier->session_;
    } else {
        client_context_ = {SSL_CTX_new(TLS_client_method()), SSL_CTX_free};
        server_context_ = {SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
        key_log_ = std::make_shared<std::string>();
        session_ = std::make_shared<std::unique_ptr<SSL_SESSION, FreeSsl>>();
        const auto& identity = options.rsa ? rsa_identity() : ec_identity();
        auto* server = server_context_.get();
        SSL_CTX_use_certificate(server, identity.certificate);
        SSL_CTX_use_PrivateKey(server, identity.key);
        SSL_CTX_set_session_id_context(server, reinterpret_cast<const unsigned char*>("cw"), 2);
        SSL_CTX_set_max_early_data(server, 16384);
        SSL_CTX_set_dh_auto(server, 1);
        SSL_CTX_set_alpn_select_cb(server, choose_alpn, nullptr);
        auto* client = client_context_.get();
        SSL_CTX_set_app_data(client, key_log_.get());
        SSL_CTX_set_keylog_callback(client, on_key_log);
        SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
        SSL_CTX_sess_set_new_cb(client, on_session);
        if (options.client_certificate) {
            SSL_CTX_use_certificate(client, ec_identity().certificate);
            SSL_CTX_use_PrivateKey(client, ec_identity().key);
            SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                               [](int, X509_STORE_CTX*) { return 1; });
        }
        if (options.psk) {
            SSL_CTX_set_psk_client_callback(client, on_psk_client);
            SSL_CTX_set_psk_server_callback(server, on_psk_server);
        }
        set_up(client, options);
        set_up(server, options);
    }
    client_.reset(SSL_new(client_context_.get()));
    server_.reset(SSL_new(server_context_.get()));
    SSL_set1_groups_list(client_.get(), options.client_groups.c_str());
    SSL_set1_groups_list(server_.get(), options.server_groups.c_str());
    for (auto* one : {client_.get(), server_.get()}) {
        SSL_set_bio(one, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        if (options.max_fragment != 0) {
            SSL_set_max_send_fragment(one, options.max_fragment);
        }
    }
    SSL_set_app_data(client_.get(), session_.get());
    SSL_set_tlsext_host_name(client_.get(), "sip.example.com");
    if (!options.alpn.empty()) {
        SSL_set_alpn_protos(client_.get(),
                            reinterpret_cast<const unsigned char*>(options.alpn.data()),
                            static_cast<unsigned>(options.alpn.size()));
    }
    if (options.resume != nullptr) {
        SSL_set_session(client_.get(), options.resume);
    }
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
}

Peers::~Peers() = default;

void Peers::carry() {
    for (bool moved = true; moved;) {
        moved = false;
        for (const auto from : {Side::Client, Side::Server}) {
            char buffer[20000];
            int n = 0;
            while ((n = BIO_read(SSL_get_wbio(ssl(from)), buffer, sizeof buffer)) > 0) {
                wire_.push_back({from, {buffer, static_cast<std::size_t>(n)}});
                BIO_write(SSL_get_rbio(ssl(other(from))), buffer, n);
                moved = true;
            }
        }
    }
}

bool Peers::handshake() {
    if (!early_.empty()) {
        std::size_t written = 0;
        if (SSL_write_early_data(client_.get(), early_.data(), early_.size(), &written) != 1) {
            return false;
        }
        carry();
        char buffer[20000];
        for (int status = SSL_READ_EARLY_DATA_SUCCESS; status == SSL_READ_EARLY_DATA_SUCCESS;) {
            std::size_t n = 0;
            status = SSL_read_early_data(server_.get(), buffer, sizeof buffer, &n);
            if (status == SSL_READ_EARLY_DATA_SUCCESS) {
                sent_[0].append(buffer, n);
            }
        }
        carry();
    }
    for (int i = 0; i < 20; ++i) {
        const int c = SSL_do_handshake(client_.get());
        carry();
        const int s = SSL_do_handshake(server_.get());
        carry();
        if (c == 1 && s == 1) {
            return read_all(Side::Client) && read_all(Side::Server); // tickets
        }
    }
    return false;
}

bool Peers::read_all(Side at) {
    char buffer[20000];
    int n = 0;
    while ((n = SSL_read(ssl(at), buffer, sizeof buffer)) > 0) {
    }
    const int error = SSL_get_error(ssl(at), n);
    carry();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_ZERO_RETURN;
}

bool Peers::send(Side from, std::string_view text) {
    if (SSL_write(ssl(from), text.data(), static_cast<int>(text.size())) !=
        static_cast<int>(text.size())) {
        return false;
    }
    sent_[index_of(from)] += text;
    carry();
    return read_all(other(from)) && read_all(from);
}

bool Peers::update_key(Side from, bool ask_other) {
    if (SSL_key_update(ssl(from),
                       ask_other ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) != 1) {
        return false;
    }
    SSL_do_handshake(ssl(from));
    carry();
    return read_all(other(from)) && read_all(from);
}

bool Peers::renegotiate() {
    if (SSL_renegotiate(client_.get()) != 1) {
        return false;
    }
    for (int i = 0; i < 10; ++i) {
        SSL_do_handshake(client_.get());
        carry();
        read_all(Side::Server);
        read_all(Side::Client);
    }
    return SSL_renegotiate_pending(client_.get()) == 0;
}

bool Peers::close(Side from) {
    SSL_shutdown(ssl(from));
    carry();
    return read_all(other(from));
}

SSL_SESSION* Peers::session() {
    return session_->get();
}
bool Peers::resumed() const {
    return SSL_session_reused(client_.get()) == 1;
}
bool Peers::early_data_accepted() const {
    return SSL_get_early_data_status(client_.get()) == SSL_EARLY_DATA_ACCEPTED;
}
std::string Peers::cipher() const {
    return SSL_CIPHER_standard_name(SSL_get_current_cipher(client_.get()));
}
std::string Peers::version() const {
    return SSL_get_version(client_.get());
}

std::string Peers::bytes_of(Side from) const {
    std::string out;
    for (const auto& piece : wire_) {
        if (piece.from == from) {
            out += piece.bytes;
        }
    }
    return out;
}

} // namespace cw::capture::tls::test
