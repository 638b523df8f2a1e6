// Whether a certificate is revoked, by the Online Certificate Status Protocol [RFC 6960]: a
// response that a server staples to its handshake [RFC 6066 §8, RFC 8446 §4.4.2.1] or that was
// asked for. Responses come from outside: their size is bounded, and nothing of them counts that is
// not signed by the certificate's CA or by whom that CA names for it. Pure, no clock, no network;
// any thread.
#pragma once

#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "crypto/certificate.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

inline constexpr std::size_t largest_ocsp = 65536;

struct OcspVerdict {
    enum class State : std::uint8_t {
        Good,    // not revoked, says its CA
        Revoked, //
        Unknown, // the responder does not know the certificate
        Useless, // no proof: out of date, of somebody else, malformed; see `what`
    };
    State state = State::Useless;
    std::string what; // a sentence without its end: "not revoked, as of 2026-11-30T10:00:00Z"
    Instant produced; // thisUpdate; not known() where it could not be read
    Instant next;     // nextUpdate; not known() when the response gives none
};
const char* to_string(OcspVerdict::State state); // "good", "revoked", "unknown", "useless"

struct OcspQuestion {
    const X509* certificate = nullptr;
    const X509* issuer = nullptr;           // the CA that has signed it
    std::span<const CertificatePtr> others; // certificates that may be the responder's, too
    Instant at;
};
OcspVerdict judge_ocsp(Bytes response, const OcspQuestion& question);

// Where its CA says that one may ask, an http URL; empty when it does not say.
std::string ocsp_url(const X509* certificate);
// A request for the status of one certificate, in DER. Unsupported when OpenSSL cannot.
Result<std::string> ocsp_request(const X509* certificate, const X509* issuer);

} // namespace cw::crypto
