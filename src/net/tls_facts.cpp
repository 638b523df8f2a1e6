#include "net/tls_facts.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace cw::net {
namespace {

// An SSL's extra data: nothing is allocated for it before there is something to remember.
void free_chain(void*, void* chain, CRYPTO_EX_DATA*, int, long, void*) {
    sk_X509_pop_free(static_cast<STACK_OF(X509)*>(chain), X509_free);
}
int chain_slot() {
    static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_chain);
    return slot;
}
int alert_slot() {
    static const int slot = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return slot;
}

// Two octets of alerts and whether there was one, in the pointer itself.
constexpr std::uintptr_t present = 0x100;
constexpr unsigned sent_shift = 16;

std::uintptr_t alerts_of(const SSL* ssl) {
    return reinterpret_cast<std::uintptr_t>(SSL_get_ex_data(ssl, alert_slot()));
}

std::optional<std::uint8_t> alert_in(std::uintptr_t bits) {
    return (bits & present) != 0 ? std::optional{static_cast<std::uint8_t>(bits)} : std::nullopt;
}

void on_info(const SSL* ssl, int where, int value) {
    if ((where & SSL_CB_ALERT) == 0) {
        return;
    }
    const auto shift = (where & SSL_CB_WRITE) != 0 ? sent_shift : 0U;
    const auto alert = (static_cast<std::uintptr_t>(value) & 0xff) | present;
    const auto kept = alerts_of(ssl) & ~(std::uintptr_t{0xffff} << shift);
    SSL_set_ex_data(const_cast<SSL*>(ssl), alert_slot(),
                    reinterpret_cast<void*>(kept | alert << shift));
}

int verify(X509_STORE_CTX* store, void*) {
    const int good = X509_verify_cert(store);
    if (good != 1) {
        auto* ssl = static_cast<SSL*>(
            X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
        free_chain(nullptr, SSL_get_ex_data(ssl, chain_slot()), nullptr, 0, 0, nullptr);
        SSL_set_ex_data(ssl, chain_slot(), X509_chain_up_ref(X509_STORE_CTX_get0_untrusted(store)));
    }
    return good;
}

} // namespace

void remember_facts(SSL_CTX* context) {
    SSL_CTX_set_info_callback(context, on_info);
    SSL_CTX_set_cert_verify_callback(context, verify, nullptr);
}

TlsFacts tls_facts(SSL* ssl) {
    TlsFacts facts;
    if (const char* cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl));
        SSL_get_current_cipher(ssl) != nullptr) {
        facts.cipher = cipher;
        facts.version = SSL_get_version(ssl);
    }
    // Without a session OpenSSL 3.0 has nothing that it could ask for the group.
    if (const auto id = SSL_get_session(ssl) != nullptr ? SSL_get_negotiated_group(ssl) : 0;
        id > 0) {
        const char* name = SSL_group_to_name(ssl, static_cast<int>(id));
        facts.group = name != nullptr ? name : "";
    }
    if (const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name); name != nullptr) {
        facts.sni = name;
    }
    const unsigned char* alpn = nullptr;
    unsigned alpn_size = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
    facts.alpn.assign(reinterpret_cast<const char*>(alpn), alpn_size);
    facts.resumed = SSL_session_reused(ssl) == 1;
    facts.verify_result = SSL_get_verify_result(ssl);
    facts.verify_text = X509_verify_cert_error_string(facts.verify_result);
    const auto alerts = alerts_of(ssl);
    facts.alert_sent = alert_in(alerts >> sent_shift);
    facts.alert_received = alert_in(alerts);
    return facts;
}

std::vector<X509*> peer_chain(const SSL* ssl) {
    std::vector<X509*> chain;
    const auto* stack = static_cast<const STACK_OF(X509)*>(SSL_get_ex_data(ssl, chain_slot()));
    if (stack == nullptr) {
        // A server's stack lacks the leaf.
        if (auto* leaf = SSL_get0_peer_certificate(ssl); leaf != nullptr) {
            chain.push_back(leaf);
        }
        stack = SSL_get_peer_cert_chain(ssl);
    }
    for (int i = 0; i < sk_X509_num(stack); ++i) {
        if (auto* next = sk_X509_value(stack, i); chain.empty() || next != chain.front()) {
            chain.push_back(next);
        }
    }
    return chain;
}

std::string alert_text(std::uint8_t description) {
    // Those of TLS 1.3 that OpenSSL 3.0 has no words for [RFC 8446 §6.2].
    if (description == 116) {
        return "certificate required";
    }
    if (description == 109) {
        return "missing extension";
    }
    return SSL_alert_desc_string_long(description);
}

} // namespace cw::net
