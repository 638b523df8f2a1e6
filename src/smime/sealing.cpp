#include "smime/sealing.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/sha.h>

namespace cw::smime {

namespace {

// [RFC 3261 §23.3] "S/MIME bodies SHOULD have a Content-Disposition header field, and the value of
// the "handling" parameter SHOULD be "required.""
Sealed pkcs7_mime(std::string_view smime_type, std::string_view file, std::string der) {
    return {fmt::format("application/pkcs7-mime; smime-type={}; name={}", smime_type, file),
            fmt::format("attachment; handling=required; filename={}", file), "binary",
            std::move(der)};
}

// A text that is not in the content: found by its hash, and tried again where an attacker has
// prepared for it.
std::string boundary_for(std::string_view entity) {
    std::string boundary;
    for (unsigned char salt = 0;; ++salt) {
        const auto salted = std::string{entity} + static_cast<char>(salt);
        unsigned char digest[SHA256_DIGEST_LENGTH];
        SHA256(as_bytes(salted).data(), salted.size(), digest);
        boundary.clear();
        for (int i = 0; i < 12; ++i) {
            boundary += fmt::format("{:02x}", digest[i]);
        }
        if (!entity.contains(boundary)) {
            return boundary;
        }
    }
}

} // namespace

std::string to_entity(std::string_view content_type, std::string_view content) {
    return fmt::format("Content-Type: {}\r\n\r\n{}", content_type, content);
}

std::string Sealed::as_entity() const {
    std::string out = "Content-Type: " + type + "\r\n";
    out += disposition.empty() ? "" : "Content-Disposition: " + disposition + "\r\n";
    out += encoding.empty() ? "" : "Content-Transfer-Encoding: " + encoding + "\r\n";
    return out + "\r\n" + body;
}

Result<Sealed> sign_beside(std::string_view entity, const crypto::Credential& signer, Instant at) {
    const auto der = crypto::cms_sign(entity, signer, {.at = at});
    if (!der) {
        return std::unexpected{der.error()};
    }
    const auto boundary = boundary_for(entity);
    return Sealed{
        fmt::format("multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=sha-256; "
                    "boundary={}",
                    boundary),
        "", "",
        fmt::format("--{}\r\n{}\r\n--{}\r\n"
                    "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                    "Content-Disposition: attachment; handling=required; filename=smime.p7s\r\n"
                    "Content-Transfer-Encoding: binary\r\n\r\n{}\r\n--{}--\r\n",
                    boundary, entity, boundary, *der, boundary)};
}

Result<Sealed> sign_around(std::string_view entity, const crypto::Credential& signer, Instant at) {
    auto der = crypto::cms_sign(entity, signer, {.enclose = true, .at = at});
    if (!der) {
        return std::unexpected{der.error()};
    }
    return pkcs7_mime("signed-data", "smime.p7m", std::move(*der));
}

Result<Sealed> encrypt(std::string_view entity, std::span<const X509* const> recipients,
                       crypto::ContentCipher cipher) {
    auto der = crypto::cms_encrypt(entity, recipients, cipher);
    if (!der) {
        return std::unexpected{der.error()};
    }
    const bool gcm =
        cipher == crypto::ContentCipher::Aes128Gcm || cipher == crypto::ContentCipher::Aes256Gcm;
    // [RFC 8551 §3.2.2]
    return pkcs7_mime(gcm ? "authEnveloped-data" : "enveloped-data", "smime.p7m", std::move(*der));
}

Result<Sealed> certificates_only(std::span<const X509* const> certificates) {
    auto der = crypto::cms_certificates(certificates);
    if (!der) {
        return std::unexpected{der.error()};
    }
    return pkcs7_mime("certs-only", "smime.p7c", std::move(*der));
}

} // namespace cw::smime
