// Who a certificate speaks for in SIP [RFC 5922 §7]: the domains, persons and addresses in its
// subjectAltName, whether its extended key usage lets it stand for a SIP peer [RFC 5924], and the
// verdict on an expected name with the reason in words. That the chain behind the certificate can
// be trusted is chain.hpp's business; without that, an identity is a claim.
//
// The common name (CN) counts only where there is no subjectAltName at all, as in certificates of
// before 2010: §7.1 leaves that to us, RFC 6216 §6 wants it of a server that we have connected to,
// and nobody gets in by it. Values own what they hold; functions are pure and may be called from
// any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/types.h>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cw::crypto {

struct Identity {
    std::vector<std::string> domains; // SIP domain identities, in lower case, each once
    std::vector<std::string> users;   // "sip:alice@example.com"
    std::vector<IpAddress> addresses; // from iPAddress, and from sip URIs with an address
    bool from_uris = false;           // domains are those of sip URIs, and DNS names do not count
    std::vector<std::string> passed_over; // "DNS:www.example.com: does not count beside a sip URI"
    std::string common_name;              // a domain; empty where there is a subjectAltName

    // [RFC 5922 §7.2] The whole name, without regard to case; a dot at the end of `domain` is
    // ignored. An address is compared with addresses. With `wildcards`, which the RFC forbids,
    // "*.example.com" stands for one label more.
    [[nodiscard]] bool speaks_for(std::string_view domain, bool wildcards = false) const;
    // "sip:alice@example.com" or "alice@example.com"; the user part with regard to case.
    [[nodiscard]] bool speaks_for_user(std::string_view user) const;
    [[nodiscard]] bool empty() const {
        return domains.empty() && users.empty() && addresses.empty();
    }
};

// Fails where the names cannot be trusted to mean what they seem to: a NUL, a control or another
// byte beyond ASCII in a name, two subjectAltName extensions, more than `most_names` names
// (LimitExceeded), a subjectAltName that cannot be parsed.
inline constexpr int most_names = 512;
Result<Identity> read_identity(const X509* certificate);
Result<Identity> read_identity(Bytes der);

// What the extended key usage extension says.
struct KeyPurposes {
    bool restricted = false; // the extension is there
    bool server = false;     // serverAuth
    bool client = false;     // clientAuth
    bool sip_domain = false; // id-kp-sipDomain, 1.3.6.1.5.5.7.3.20
    bool any = false;        // anyExtendedKeyUsage
    bool email = false;      // emailProtection: S/MIME
    std::vector<std::string> others = {};
};
Result<KeyPurposes> read_purposes(const X509* certificate);

// What the peer is in the TLS handshake.
enum class Role : std::uint8_t { Server, Client };

// Which certificates are good enough. Without the extension a certificate is good for everything,
// and anyExtendedKeyUsage fits always, with each of these.
enum class PurposePolicy : std::uint8_t {
    Strict,           // sipDomain, as RFC 5924 has it, and the one of the peer's role
    ByRole,           // serverAuth of a server, clientAuth of a client
    AcceptServerAuth, // as ByRole, but a client may bring serverAuth alone: what public CAs issue
    Ignore,           // the extension is not looked at
    Smime,            // emailProtection, of whoever signs bodies or reads encrypted ones
};

struct IdentityPolicy {
    PurposePolicy purposes = PurposePolicy::AcceptServerAuth;
    bool wildcards = false;
};

struct Verdict {
    enum class Finding : std::uint8_t {
        Accepted,
        Unreadable,   // its names or purposes cannot be read, or are a trick
        NoNames,      // it has none that counts
        OtherNames,   // it speaks for others
        WrongPurpose, // its issuer gave it for something else
    };
    Finding finding = Finding::Unreadable;
    std::string why; // "it speaks for a.example and b.example, not for example.com"

    [[nodiscard]] bool accepted() const { return finding == Finding::Accepted; }
};

Verdict judge_purposes(const KeyPurposes& purposes, Role role, PurposePolicy policy);
// `expected` is a domain, an address, a URI of either ("sip:example.com") or of a person. Here the
// common name counts for a domain.
Verdict judge_name(const Identity& identity, std::string_view expected, bool wildcards = false);
// Both, the purposes first [RFC 5922 §7.1].
Verdict judge(const X509* certificate, std::string_view expected, Role role,
              const IdentityPolicy& policy = {});

} // namespace cw::crypto
