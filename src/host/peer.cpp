#include "host/peer.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace cw::host {

std::unique_ptr<const crypto::Identity> verified_identity(const SSL* ssl, crypto::Role role,
                                                          const crypto::IdentityPolicy& policy,
                                                          std::string& why) {
    const X509* certificate = ssl != nullptr ? SSL_get0_peer_certificate(ssl) : nullptr;
    if (certificate == nullptr) {
        return nullptr;
    }
    if (const auto verdict = SSL_get_verify_result(ssl); verdict != X509_V_OK) {
        why = X509_verify_cert_error_string(verdict);
        return nullptr;
    }
    const auto purposes = crypto::read_purposes(certificate);
    if (!purposes) {
        why = purposes.error().what;
        return nullptr;
    }
    if (auto verdict = crypto::judge_purposes(*purposes, role, policy.purposes);
        !verdict.accepted()) {
        why = std::move(verdict.why);
        return nullptr;
    }
    auto identity = crypto::read_identity(certificate);
    if (!identity) {
        why = identity.error().what;
        return nullptr;
    }
    return std::make_unique<const crypto::Identity>(std::move(*identity));
}

} // namespace cw::host
