// Verifying a certificate's chain at a given date [RFC 5280 §6], and explaining: which certificate
// breaks which rule, in words, and what to do about it. All that is wrong is told, not only the
// first. Used by `certs check`, `probe`, and whoever refuses a peer and has to say why.
//
// Pure: no clock, no network (no CRL or issuer is fetched). May be called from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "crypto/certificate.hpp"
#include "crypto/identity.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

// Named as the TLS alert or the person would, in the order of their weight.
enum class ChainRule : std::uint8_t {
    Malformed,     // nothing was shown, or it cannot be read
    BadSignature,  // changed after it was signed, or signed by another key of the same name
    Revoked,       // on the list of its CA
    SelfSigned,    // nobody vouches for it
    UnknownCa,     // ends at a CA that is not trusted here
    MissingIssuer, // the issuer was not sent and is not known
    NotACa,        // a certificate in the middle may not issue
    Constraint,    // its CA may not issue for this name
    Expired,       //
    NotYetValid,   //
    NoCrl,         // revocation was to be checked, and there is no usable list
    Weak,          // a key or a digest that can be forged
    WrongKeyUsage, // the key may not sign
    WrongPurpose,  // extended key usage
    NoNames,       // it has no SIP name
    OtherNames,    // it speaks for others
    Other,         // in OpenSSL's words
};
const char* to_string(ChainRule rule); // "missing issuer"

struct ChainFault {
    ChainRule rule = ChainRule::Other;
    std::string certificate; // its name
    std::string what;        // "expired 3 days ago, on 2026-05-01"
    std::string advice;      // what to do; may be empty
};
std::string describe(const ChainFault& fault); // "example.com: expired 3 days ago, on 2026-05-01"

struct ChainQuestion {
    std::span<const CertificatePtr> presented; // the peer's own first
    std::span<const CertificatePtr> trusted;   // CAs
    std::span<const CrlPtr> crls;              // if any: every certificate must be covered by one
    bool system_trust = false;                 // trust the system's CAs too
    bool accept_weak = false;
    Instant at;
    std::string expected; // as judge_name() takes it; empty: any name will do
    Role role = Role::Server;
    IdentityPolicy identity = {};
};

struct ChainVerdict {
    std::vector<ChainFault> faults; // by weight; none: good
    std::vector<std::string> path;  // names, from the peer's own certificate to the last found
    std::string name;               // "it speaks for example.com"; empty when it does not
    std::vector<std::string> notes; // nothing wrong, but worth knowing: "good for 9 days more"

    [[nodiscard]] bool good() const { return faults.empty(); }
    // Is the chain good, whatever its names and purposes are?
    [[nodiscard]] bool trusted() const;
    // One sentence: "good: it speaks for example.com", or the first fault.
    [[nodiscard]] std::string summary() const;
};
ChainVerdict verify_chain(const ChainQuestion& question);

} // namespace cw::crypto
