// A certificate as a person wants to know it, and certificates out of files. Values own what they
// hold. Texts are as the certificate has them, without control characters; what is shown on a
// terminal goes through view/cells.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "crypto/identity.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

struct CertificateFacts {
    std::string subject; // RFC 2253: "CN=example.com,O=Example"; empty when it has none
    std::string issuer;
    std::string name; // the shortest that tells it apart: its CN, a SIP name, or the serial number
    std::string serial;
    std::string fingerprint; // SHA-256, "3F:A9:…"
    Instant not_before;
    Instant not_after;
    std::string key; // "ECDSA P-256", "RSA 2048"
    int key_bits = 0;
    int key_strength = 0;        // bits of security, 112 is the least that is worth something
    std::string signature;       // "ecdsa-with-SHA256"
    bool weak_signature = false; // MD5 or SHA-1
    bool is_ca = false;
    bool self_issued = false;            // subject and issuer are equal
    std::vector<std::string> names;      // subjectAltName: "URI:sip:example.com", "DNS:…", "IP:…"
    std::vector<std::string> key_usages; // "digitalSignature"; empty: not restricted
    std::vector<std::string> purposes;   // extended: "serverAuth"; empty: not restricted
    std::vector<std::string> revocation; // where to ask: "OCSP http://…", "CRL http://…"
    Identity identity;
    std::string identity_problem; // why it could not be read; empty when it was
};
CertificateFacts describe(const X509* certificate);

std::string in_one_line(const X509_NAME* name); // RFC 2253, without control characters

Instant to_instant(const ASN1_TIME* time); // not known() when it cannot be read

// "27 days", "3 hours", "2 years": one unit, rounded down, without a sign.
std::string in_words(Duration d);
// "good for 27 days more", "expired 3 days ago", "valid only in 2 hours".
std::string validity_in_words(Instant not_before, Instant not_after, Instant now);

inline constexpr std::size_t most_certificates = 1000;
// All certificates of a PEM text (keys and whatever else are passed over), or the one in DER, in
// their order. Malformed when there is none.
Result<std::vector<CertificatePtr>> read_certificates(std::string_view text);
// The same for revocation lists.
Result<std::vector<CrlPtr>> read_crls(std::string_view text);

// The first private key in PEM. Unsupported when it is encrypted, Malformed when there is none.
Result<KeyPtr> read_key(std::string_view text);
bool belong_together(const X509* certificate, const EVP_PKEY* private_key);

} // namespace cw::crypto
