#include "net/tls.hpp"

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/address.hpp"
#include "net/certificate_names.hpp"
#include "net/tls_facts.hpp"
#include "net/token_key.hpp"

namespace cw::net {
namespace {

// Forward-secret AEAD alone [RFC 9325 §4.2].
constexpr const char* good_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// The same order as above: the SHA-384 of the other AES suite costs a handshake 15 µs more.
constexpr const char* good_suites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr long session_seconds = 3600; // a certificate that is revoked meanwhile lives on in it

std::unexpected<std::string> failed(std::string what) {
    if (const auto code = ERR_peek_last_error(); code != 0) {
        const char* reason = ERR_reason_error_string(code);
        what += std::string{": "} + (reason != nullptr ? reason : "OpenSSL refuses it");
    }
    ERR_clear_error();
    return std::unexpected{std::move(what)};
}

int no_password(char*, int, int, void*) {
    return 0; // without this OpenSSL would ask the terminal
}

// A session is resumed without looking at certificates again, so only where they would be judged
// alike: what is trusted becomes part of its context, equal in all shards and after a restart.
std::vector<unsigned char> session_context(const TlsSettings& settings) {
    std::string all = std::to_string(static_cast<int>(settings.clients)) +
                      (settings.system_trust ? " system" : "");
    for (const auto* path : {&settings.trusted, &settings.revoked}) {
        std::ifstream file{*path, std::ios::binary};
        all.append(1, '\0').append(std::istreambuf_iterator<char>{file}, {});
    }
    std::vector<unsigned char> id(SSL_MAX_SID_CTX_LENGTH);
    unsigned size = 0;
    EVP_Digest(all.data(), all.size(), id.data(), &size, EVP_sha256(), nullptr);
    return id;
}

// Whoever has no list for an issuer is not asked: a file of lists need not cover the world.
int forgive_missing_list(int good, X509_STORE_CTX* store) {
    if (good == 0 && X509_STORE_CTX_get_error(store) == X509_V_ERR_UNABLE_TO_GET_CRL) {
        X509_STORE_CTX_set_error(store, X509_V_OK);
        return 1;
    }
    return good;
}

void set_verification(SSL_CTX* context, TlsContext::Role role, const TlsSettings& settings) {
    // A certificate may be for servers only and still serve as a client's, as public CAs issue
    // them: which extended key usage is good enough is judged with the identity.
    X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(context), X509_PURPOSE_ANY);
    int verify = SSL_VERIFY_NONE;
    const bool asks = role == TlsContext::Role::Client
                          ? !settings.any_server
                          : settings.clients != ClientCertificates::None;
    if (asks) {
        verify = SSL_VERIFY_PEER;
    }
    if (role == TlsContext::Role::Server && settings.clients == ClientCertificates::Required) {
        verify |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    }
    SSL_CTX_set_verify(context, verify, forgive_missing_list);
    // A peer's chain costs a signature a link: more than ten are nobody's.
    SSL_CTX_set_verify_depth(context, 10);
    const auto id = session_context(settings);
    SSL_CTX_set_session_id_context(context, id.data(), static_cast<unsigned>(id.size()));
}

void set_memory(SSL_CTX* context) {
    // An idle connection holds no buffers; a read takes all records that the socket has.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_NO_AUTO_CHAIN); // the file has the chain: none is sought
    SSL_CTX_set_read_ahead(context, 1);
    // Sessions live in tickets, which cost the server no memory; one is enough [RFC 8446 §4.6.1].
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, session_seconds);
    SSL_CTX_set_num_tickets(context, 1);
}

std::expected<void, std::string> set_policy(SSL_CTX* context, const TlsSettings& settings) {
    if (SSL_CTX_set_min_proto_version(context, settings.minimum_version) != 1 ||
        SSL_CTX_set_max_proto_version(context, settings.maximum_version) != 1) {
        return failed("TLS version");
    }
    if (SSL_CTX_set_cipher_list(
            context, settings.ciphers.empty() ? good_ciphers : settings.ciphers.c_str()) != 1) {
        return failed("ciphers \"" + settings.ciphers + "\"");
    }
    if (SSL_CTX_set_ciphersuites(context, settings.suites.empty() ? good_suites
                                                                  : settings.suites.c_str()) != 1) {
        return failed("TLS 1.3 cipher suites \"" + settings.suites + "\"");
    }
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE);
    return {};
}

std::string on_the_wire(const std::vector<std::string>& protocols) {
    std::string out;
    for (const auto& name : protocols) {
        out += static_cast<char>(static_cast<unsigned char>(name.size()));
        out += name;
    }
    return out;
}

} // namespace

void FreeTls::operator()(SSL_CTX* context) const {
    SSL_CTX_free(context);
}
void FreeTls::operator()(SSL* ssl) const {
    SSL_free(ssl);
}
void FreeTls::operator()(SSL_SESSION* session) const {
    SSL_SESSION_free(session);
}
void FreeTls::operator()(X509_STORE* store) const {
    X509_STORE_free(store);
}

// ---- making one

TlsContext::TlsContext(Role role, const TlsSettings& settings)
    : role_(role), store_(X509_STORE_new()), alpn_(on_the_wire(settings.alpn)),
      tickets_(settings.tickets != nullptr ? settings.tickets : std::make_shared<Tickets>()),
      key_log_(settings.key_log), accepts_staple_(settings.accepts_staple) {}

TlsContext::~TlsContext() = default;

std::expected<std::shared_ptr<const TlsContext>, std::string>
TlsContext::make(Role role, const TlsSettings& settings) {
    std::shared_ptr<TlsContext> made{new TlsContext(role, settings)};
    if (std::ranges::any_of(settings.alpn,
                            [](const auto& name) { return name.empty() || name.size() > 255; })) {
        return failed("a protocol name for ALPN has 1 to 255 octets");
    }
    if (auto r = made->load_trust(settings); !r) {
        return std::unexpected{r.error()};
    }
    for (const auto& files : settings.certificates) {
        if (auto r = made->add_certificate(settings, files); !r) {
            return std::unexpected{r.error()};
        }
    }
    if (made->contexts_.empty()) {
        auto context = made->new_context(settings);
        if (!context) {
            return std::unexpected{context.error()};
        }
        made->contexts_.push_back(std::move(*context));
    }
    return made;
}

std::expected<TlsContext::Context, std::string>
TlsContext::new_context(const TlsSettings& settings) const {
    Context context{SSL_CTX_new(role_ == Role::Server ? TLS_server_method() : TLS_client_method())};
    if (context == nullptr) {
        return failed("no TLS context");
    }
    if (auto r = set_policy(context.get(), settings); !r) {
        return std::unexpected{r.error()};
    }
    SSL_CTX_set_default_passwd_cb(context.get(), no_password);
    set_memory(context.get());
    set_verification(context.get(), role_, settings);
    SSL_CTX_set1_cert_store(context.get(), store_.get());
    // Names of CAs help a client to choose among its certificates. With those of the system there
    // would be too many, and a client that finds no name of its own may send nothing.
    if (role_ == Role::Server && settings.clients != ClientCertificates::None &&
        !settings.system_trust && !settings.trusted.empty()) {
        SSL_CTX_set_client_CA_list(context.get(),
                                   SSL_load_client_CA_file(settings.trusted.c_str()));
    }
    remember_facts(context.get());
    set_callbacks(context.get());
    return context;
}

TlsContext::Done TlsContext::add_certificate(const TlsSettings& settings,
                                             const CertificateFiles& files) {
    auto fresh = new_context(settings);
    if (!fresh) {
        return std::unexpected{fresh.error()};
    }
    const auto load = [this, &files](SSL_CTX* context) -> Done {
        if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
            return failed(files.certificate + ": no certificate in PEM");
        }
        if (is_token_key(files.key)) {
            const auto key = load_token_key(files.key);
            if (!key) {
                return std::unexpected{key.error()};
            }
            if (SSL_CTX_use_PrivateKey(context, key->get()) != 1) {
                return failed(without_pin(files.key) + ": does not fit " + files.certificate);
            }
        } else if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
            return failed(files.key + ": no private key that fits " + files.certificate);
        }
        return files.ocsp.empty() ? Done{} : add_staple(context, files.ocsp);
    };
    if (auto r = load(fresh->get()); !r) {
        return r;
    }
    auto* leaf = SSL_CTX_get0_certificate(fresh->get());
    const auto names = certificate_names(leaf);
    // The same names with another kind of key: OpenSSL keeps one certificate a kind, and shows what
    // the client understands.
    for (std::size_t i = 0; i < contexts_.size(); ++i) {
        const auto* other = SSL_CTX_get0_certificate(contexts_[i].get());
        if (names_[i] == names && !names.empty() &&
            EVP_PKEY_get_base_id(X509_get0_pubkey(leaf)) !=
                EVP_PKEY_get_base_id(X509_get0_pubkey(other))) {
            return load(contexts_[i].get());
        }
    }
    learn_names(names, contexts_.size());
    names_.push_back(names);
    contexts_.push_back(std::move(*fresh));
    return {};
}

TlsContext::Done TlsContext::add_staple(SSL_CTX* context, const std::string& path) {
    constexpr std::size_t most = 65536;
    std::ifstream file{path, std::ios::binary};
    std::string response(most + 1, '\0');
    file.read(response.data(), static_cast<std::streamsize>(response.size()));
    response.resize(static_cast<std::size_t>(file.gcount()));
    const auto* at = reinterpret_cast<const unsigned char*>(response.data());
    const std::unique_ptr<OCSP_RESPONSE, decltype(&OCSP_RESPONSE_free)> parsed{
        response.size() > most
            ? nullptr
            : d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(response.size())),
        OCSP_RESPONSE_free};
    const std::unique_ptr<OCSP_BASICRESP, decltype(&OCSP_BASICRESP_free)> basic{
        parsed != nullptr ? OCSP_response_get1_basic(parsed.get()) : nullptr, OCSP_BASICRESP_free};
    auto* single = basic != nullptr ? OCSP_resp_get0(basic.get(), 0) : nullptr;
    if (single == nullptr) {
        ERR_clear_error();
        return std::unexpected{path + ": no OCSP response in DER"};
    }
    ASN1_GENERALIZEDTIME* next = nullptr;
    OCSP_single_get0_status(single, nullptr, nullptr, nullptr, &next);
    tm fields{};
    const bool ends = next != nullptr && ASN1_TIME_to_tm(next, &fields) == 1;
    auto& kept = staples_.emplace_back(
        Staple{std::move(response), ends ? std::int64_t{::timegm(&fields)} : 0});
    SSL_CTX_set_tlsext_status_cb(context, staple);
    SSL_CTX_set_tlsext_status_arg(context, &kept);
    return {};
}

// One that is past its time would be taken for an attack: better none.
int TlsContext::staple(SSL* ssl, void* what) {
    const auto& kept = *static_cast<const Staple*>(what);
    if (kept.until != 0 && kept.until < ::time(nullptr)) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    auto* copy = OPENSSL_memdup(kept.response.data(), kept.response.size());
    if (copy == nullptr) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(kept.response.size()));
    return SSL_TLSEXT_ERR_OK; // OpenSSL frees it
}

// [RFC 6066 §8] Called when the chain was verified, also where nothing was stapled; 0 is the alert
// bad_certificate_status_response.
int TlsContext::judge_staple(SSL* ssl, void* self) {
    const unsigned char* response = nullptr;
    const long size = SSL_get_tlsext_status_ocsp_resp(ssl, &response);
    const auto* chain = SSL_get0_verified_chain(ssl);
    const auto* issuer = sk_X509_num(chain) > 1 ? sk_X509_value(chain, 1) : nullptr;
    return static_cast<const TlsContext*>(self)->accepts_staple_(
               size > 0 ? Bytes{response, static_cast<std::size_t>(size)} : Bytes{},
               SSL_get0_peer_certificate(ssl), issuer)
               ? 1
               : 0;
}

TlsContext::Done TlsContext::load_trust(const TlsSettings& settings) {
    if (!settings.trusted.empty() &&
        X509_STORE_load_file(store_.get(), settings.trusted.c_str()) != 1) {
        return failed(settings.trusted + ": no CA certificates in PEM");
    }
    if (settings.system_trust) {
        X509_STORE_set_default_paths(store_.get());
    }
    if (!settings.revoked.empty()) {
        auto* lookup = X509_STORE_add_lookup(store_.get(), X509_LOOKUP_file());
        if (X509_load_crl_file(lookup, settings.revoked.c_str(), X509_FILETYPE_PEM) < 1) {
            return failed(settings.revoked + ": no revocation list in PEM");
        }
        X509_STORE_set_flags(store_.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    ERR_clear_error();
    return {};
}

void TlsContext::learn_names(const std::vector<std::string>& names, std::size_t context) {
    for (const auto& name : names) {
        by_name_.emplace(name, context);
    }
}

void TlsContext::set_callbacks(SSL_CTX* context) const {
    auto* self = const_cast<TlsContext*>(this);
    SSL_CTX_set_app_data(context, self);
    if (role_ == Role::Client && accepts_staple_) {
        SSL_CTX_set_tlsext_status_type(context, TLSEXT_STATUSTYPE_ocsp);
        SSL_CTX_set_tlsext_status_cb(context, judge_staple);
        SSL_CTX_set_tlsext_status_arg(context, self);
    }
    if (role_ == Role::Server) {
        SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
        SSL_CTX_set_tlsext_servername_arg(context, self);
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, seal_ticket);
    }
    if (!alpn_.empty() && role_ == Role::Server) {
        SSL_CTX_set_alpn_select_cb(context, choose_protocol, self);
    } else if (!alpn_.empty()) {
        SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(alpn_.data()),
                                static_cast<unsigned>(alpn_.size()));
    }
    if (key_log_) {
        SSL_CTX_set_keylog_callback(context, log_key);
    }
}

// ---- what OpenSSL asks

const TlsContext& TlsContext::of(const SSL* ssl) {
    return *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

SSL_CTX* TlsContext::context_for(std::string_view name) const {
    auto wanted = lower_case(name);
    auto at = by_name_.find(wanted);
    if (const auto dot = wanted.find('.'); at == by_name_.end() && dot != std::string::npos) {
        at = by_name_.find("*" + wanted.substr(dot));
    }
    return at == by_name_.end() ? nullptr : contexts_[at->second].get();
}

// An unknown name gets the default certificate, as a phone that was given an address or another
// name must see something to complain about.
int TlsContext::choose_certificate(SSL* ssl, int* /*alert*/, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (name == nullptr) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    if (auto* context = static_cast<const TlsContext*>(self)->context_for(name);
        context != nullptr && context != SSL_get_SSL_CTX(ssl)) {
        SSL_set_SSL_CTX(ssl, context);
    }
    return SSL_TLSEXT_ERR_OK;
}

int TlsContext::choose_protocol(SSL* /*ssl*/, const unsigned char** out, unsigned char* size,
                                const unsigned char* offered, unsigned offered_size, void* self) {
    const auto& ours = static_cast<const TlsContext*>(self)->alpn_;
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, size, reinterpret_cast<const unsigned char*>(ours.data()),
                              static_cast<unsigned>(ours.size()), offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK; // what we speak, we speak without asking too
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

int TlsContext::seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                            EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seal) {
    return of(ssl).tickets_->prepare(seal != 0, name, iv, cipher, mac);
}

void TlsContext::log_key(const SSL* ssl, const char* line) {
    of(ssl).key_log_(line);
}

// ---- connections

Ssl TlsContext::connection(int fd, const std::string& name) const {
    Ssl ssl{SSL_new(contexts_[0].get())};
    if (ssl == nullptr || SSL_set_fd(ssl.get(), fd) != 1) {
        return nullptr;
    }
    SSL_clear_mode(ssl.get(), SSL_MODE_RELEASE_BUFFERS); // see settle_memory()
    if (role_ == Role::Server) {
        SSL_set_accept_state(ssl.get());
    } else {
        SSL_set_connect_state(ssl.get());
        // [RFC 6066 §3] Literal IPv4 and IPv6 addresses are not permitted in "HostName".
        if (!name.empty() && !IpAddress::parse(name)) {
            SSL_set_tlsext_host_name(ssl.get(), name.c_str());
        }
    }
    return ssl;
}

void settle_memory(SSL* ssl) {
    SSL_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_free_buffers(ssl); // unless something is in them
}

std::string last_tls_error(const SSL* ssl) {
    const auto code = ERR_peek_error();
    const int reason = ERR_GET_REASON(code);
    std::string text;
    if (code == 0 || reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        text = "closed without close_notify";
    } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        text = X509_verify_cert_error_string(SSL_get_verify_result(ssl));
    } else if (reason > SSL_AD_REASON_OFFSET) {
        text = "alert " + alert_text(static_cast<std::uint8_t>(reason - SSL_AD_REASON_OFFSET)) +
               " from the peer";
    } else {
        const char* words = ERR_reason_error_string(code);
        text = words != nullptr ? words : "TLS failed";
    }
    ERR_clear_error();
    return text;
}

} // namespace cw::net
