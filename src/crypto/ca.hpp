// A small certification authority for SIP: makes keys, a self-signed CA, certificates whose
// subjectAltName says what RFC 5922 reads, and revocation lists. In memory; ca_directory.hpp keeps
// one on disk. It can also make certificates that are wrong on purpose, for tests: what is asked
// for is what is issued.
//
// Profile: RFC 5280, v3, ECDSA P-256 with SHA-256 unless RSA is asked for, random serial numbers of
// 127 bits. No clock: validity is an argument. Functions may be called from any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

enum class KeyKind : std::uint8_t { EcdsaP256, Rsa2048, Ed25519 };
Result<KeyPtr> make_key(KeyKind kind);

// A certificate and the key that belongs to it.
struct Credential {
    CertificatePtr certificate;
    KeyPtr key;
};

struct Validity {
    Instant from; // both to the second
    Instant until;
};
// `days` from now. It begins an hour ago: clocks of phones differ.
Validity valid_for(Instant now, int days);

struct CaSpec {
    std::string name = "Callwright CA"; // the common name
    Validity validity = {};
    KeyKind kind = KeyKind::EcdsaP256;
    int path_length = 0; // CAs that may follow below it
};
Result<Credential> make_ca(const CaSpec& spec);
// A CA below another one.
Result<Credential> make_intermediate(const Credential& above, const CaSpec& spec);

// What a certificate is to say. Domains become "URI:sip:NAME" and "DNS:NAME", users
// "URI:sip:alice@example.com" [RFC 5922 §7.1, §6].
struct LeafSpec {
    std::vector<std::string> domains = {};
    std::vector<std::string> users = {}; // "alice@example.com"
    std::vector<IpAddress> addresses = {};
    Validity validity = {};
    KeyKind kind = KeyKind::EcdsaP256;
    bool server_auth = true;
    bool client_auth = true;
    bool sip_domain = false;       // id-kp-sipDomain [RFC 5924]
    bool email_protection = false; // S/MIME [RFC 5750 §4.4.4]; its key may encrypt too
    bool any_purpose = false;      // anyExtendedKeyUsage. No purpose at all: no extension
    bool sha1 = false;             // signed with SHA-1: only for tests
    // Where one may ask whether it is revoked, http URLs; empty: it does not say.
    std::string ocsp_url = {}; // [RFC 5280 §4.2.2.1]
    std::string crl_url = {};  // [RFC 5280 §4.2.1.13]
};
// Fails (Usage) when a name or URL is none, or there is no name at all.
Result<Credential> issue(const Credential& ca, const LeafSpec& spec);

// Sorts "example.com", "192.0.2.1", "[2001:db8::1]", "alice@example.com" and "sip:" URIs of these
// into `spec`. Fails (Usage) on anything else, wildcards too.
Result<void> add_name(std::string_view name, LeafSpec& spec);

struct Revocation {
    std::string serial; // hexadecimal, as serial_of() writes it
    Instant when;
};
// A list of all of them, good until `next_update`. `number` grows from one list to the next
// [RFC 5280 §5.2.3].
Result<CrlPtr> make_crl(const Credential& ca, std::span<const Revocation> revoked, Instant now,
                        Instant next_update, std::uint64_t number);
// What a list holds, and its number (0 when it has none).
std::vector<Revocation> revocations_of(const X509_CRL* crl);
std::uint64_t number_of(const X509_CRL* crl);

std::string serial_of(const X509* certificate); // "3FA9…", even number of digits
std::string to_pem(const X509* certificate);
std::string to_pem(const X509_CRL* crl);
std::string to_pem(const EVP_PKEY* private_key); // PKCS #8, not encrypted: a secret

} // namespace cw::crypto
