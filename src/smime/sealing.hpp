// Makes bodies that are signed or encrypted [RFC 3261 §23.3, RFC 8551 §3], also of each other. In
// SIP their encoding is binary [RFC 3261 §23.3 and RFC 3853]. Pure but for random keys.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "crypto/cms.hpp"

namespace cw::smime {

// A body and what its message says about it.
struct Sealed {
    std::string type; // of the header fields of these names; empty: not to be said
    std::string disposition;
    std::string encoding; // Content-Transfer-Encoding
    std::string body;

    // With its header fields, to be signed or encrypted in its turn.
    [[nodiscard]] std::string as_entity() const;
};

// "Content-Type: text/plain", an empty line, the content: what is signed or encrypted.
std::string to_entity(std::string_view content_type, std::string_view content);

// multipart/signed: whoever knows no S/MIME can read it all the same.
Result<Sealed> sign_beside(std::string_view entity, const crypto::Credential& signer, Instant at);
// application/pkcs7-mime; smime-type=signed-data.
Result<Sealed> sign_around(std::string_view entity, const crypto::Credential& signer, Instant at);
// application/pkcs7-mime; smime-type=enveloped-data, or authEnveloped-data with AES-GCM.
Result<Sealed> encrypt(std::string_view entity, std::span<const X509* const> recipients,
                       crypto::ContentCipher cipher);
// What a 493 (Undecipherable) carries [RFC 3261 §23.2].
Result<Sealed> certificates_only(std::span<const X509* const> certificates);

} // namespace cw::smime
