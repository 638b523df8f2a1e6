#include "crypto/identity.hpp"

#include <algorithm>
#include <optional>

#include <openssl/err.h>

#include "base/text.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

namespace {

using AlternativeNames = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;

constexpr std::size_t longest_domain = 255; // [RFC 1035 §2.3.4]
constexpr std::size_t longest_uri = 2048;
constexpr std::size_t most_told = 8; // names in a sentence

std::string lower(std::string_view text) {
    std::string out{text};
    std::ranges::transform(out, out.begin(), ascii_lower);
    return out;
}

// "example.com." is the same name as "example.com".
std::string_view without_final_dot(std::string_view name) {
    if (name.size() > 1 && name.back() == '.') {
        name.remove_suffix(1);
    }
    return name;
}

// Letters, digits, "-", "_", "." and a "*" that later matches nothing but itself.
bool is_domain_text(std::string_view name) {
    return !name.empty() && name.size() <= longest_domain && std::ranges::all_of(name, [](char c) {
        return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '*';
    });
}

bool is_printable_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

// A sip or sips URI, cut into what an identity consists of.
struct SipUri {
    bool secure = false; // sips
    bool has_user = false;
    std::string_view user;
    std::string_view host; // without the brackets of an IPv6 reference
};

// The host at the front of "host:port;params", or nothing when it is not one.
std::optional<std::string_view> host_of(std::string_view rest) {
    if (rest.starts_with('[')) {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        return rest.substr(1, end - 1);
    }
    return rest.substr(0, rest.find_first_of(":;?/"));
}

std::optional<SipUri> parse_sip_uri(std::string_view text) {
    SipUri uri;
    if (istarts_with(text, "sips:")) {
        uri.secure = true;
        text.remove_prefix(5);
    } else if (istarts_with(text, "sip:")) {
        text.remove_prefix(4);
    } else {
        return std::nullopt;
    }
    // A user part may hold ";" and "?", but the "@" behind it ends it [RFC 3261 §25.1].
    if (const auto at = text.find('@'); at != std::string_view::npos) {
        uri.has_user = true;
        uri.user = text.substr(0, std::min(at, text.find(':')));
        text.remove_prefix(at + 1);
    }
    const auto host = host_of(text);
    if (!host || host->empty()) {
        return std::nullopt;
    }
    uri.host = *host;
    return uri;
}

void add_once(std::vector<std::string>& list, std::string text) {
    if (std::ranges::find(list, text) == list.end()) {
        list.push_back(std::move(text));
    }
}
void add_once(std::vector<IpAddress>& list, const IpAddress& address) {
    if (std::ranges::find(list, address) == list.end()) {
        list.push_back(address);
    }
}

std::string_view text_of(const ASN1_STRING* string) {
    const auto size = std::max(ASN1_STRING_length(string), 0);
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(size)};
}

// Goes through the names of one certificate.
class Collector {
  public:
    Result<void> add(const GENERAL_NAME* name) {
        switch (name->type) {
        case GEN_URI:
            return add_text(text_of(name->d.uniformResourceIdentifier), &Collector::add_uri);
        case GEN_DNS:
            return add_text(text_of(name->d.dNSName), &Collector::add_dns);
        case GEN_IPADD:
            return add_address(text_of(name->d.iPAddress));
        case GEN_EMAIL:
            return add_text(text_of(name->d.rfc822Name), &Collector::add_email);
        default:
            return {};
        }
    }

    Identity finish() {
        identity_.from_uris = !identity_.domains.empty();
        for (auto& name : dns_names_) {
            // [RFC 5922 §7.1] "accept a domain name system identifier as a SIP domain identity if
            // and only if no other identity is found that matches the "sip" URI type"
            if (!identity_.from_uris) {
                add_once(identity_.domains, std::move(name));
            } else if (std::ranges::find(identity_.domains, name) == identity_.domains.end()) {
                pass_over("DNS:" + name, "a DNS name does not count beside a sip URI");
            }
        }
        return std::move(identity_);
    }

  private:
    // These types are IA5Strings [RFC 5280 §4.2.1.6]. A NUL or a control in one has no other use
    // than to be read as two different names by two readers.
    Result<void> add_text(std::string_view text, void (Collector::*keep)(std::string_view)) {
        if (text.size() > longest_uri) {
            return fail(Code::LimitExceeded, 0, "a name in subjectAltName is longer than 2048");
        }
        if (!is_printable_ascii(text)) {
            return fail(Code::Malformed, 0,
                        "a name in subjectAltName holds a NUL, a control or a byte beyond ASCII");
        }
        (this->*keep)(text);
        return {};
    }

    void add_uri(std::string_view text) {
        const auto uri = parse_sip_uri(text);
        if (!uri) {
            pass_over("URI:" + std::string{text}, "not a sip URI");
            return;
        }
        if (uri->has_user) {
            // A person, never a domain [RFC 5922 §7.1].
            add_once(identity_.users, (uri->secure ? "sips:" : "sip:") + std::string{uri->user} +
                                          "@" + lower(without_final_dot(uri->host)));
            return;
        }
        if (uri->secure) {
            // [RFC 5922 §7.1] "If the scheme of the URI is not "sip", then the implementation MUST
            // NOT accept the value as a SIP domain identity."
            pass_over("URI:" + std::string{text}, "a domain is written as a sip URI, not sips");
            return;
        }
        if (const auto address = IpAddress::parse(uri->host)) {
            add_once(identity_.addresses, *address);
        } else if (is_domain_text(uri->host)) {
            add_once(identity_.domains, lower(without_final_dot(uri->host)));
        } else {
            pass_over("URI:" + std::string{text}, "its host is not a domain name");
        }
    }

    void add_dns(std::string_view text) {
        if (is_domain_text(text)) {
            dns_names_.push_back(lower(without_final_dot(text)));
        } else {
            pass_over("DNS:" + std::string{text}, "not a domain name");
        }
    }

    void add_email(std::string_view text) {
        pass_over("email:" + std::string{text}, "not a SIP identity");
    }

    Result<void> add_address(std::string_view octets) {
        const auto* data = as_bytes(octets).data();
        if (octets.size() == 4) {
            add_once(identity_.addresses, IpAddress::v4(data));
        } else if (octets.size() == 16) {
            add_once(identity_.addresses, IpAddress::v6(data));
        } else {
            return fail(Code::Malformed, 0, "an iPAddress in subjectAltName is not 4 or 16 octets");
        }
        return {};
    }

    void pass_over(std::string name, std::string_view why) {
        identity_.passed_over.push_back(std::move(name) + ": " + std::string{why});
    }

    Identity identity_;
    std::vector<std::string> dns_names_;
};

// "*.example.com" for "pbx.example.com", not for "example.com" nor "a.b.example.com".
bool matches_wildcard(std::string_view pattern, std::string_view name) {
    if (!pattern.starts_with("*.")) {
        return false;
    }
    const auto dot = name.find('.');
    return dot != 0 && dot != std::string_view::npos &&
           iequals(pattern.substr(1), name.substr(dot));
}

// Where it is a domain name, in lower case. The last of several is the most specific one.
std::string most_specific_common_name(const X509* certificate) {
    const auto* name = X509_get_subject_name(certificate);
    int at = -1;
    for (int i = 0; (i = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0;) {
        at = i;
    }
    if (at < 0) {
        return {};
    }
    const auto text = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    return is_domain_text(text) ? lower(without_final_dot(text)) : std::string{};
}

// What was asked for, out of a URI or as it is.
struct Expected {
    std::string_view name;
    std::string_view user; // with the domain: "alice@example.com"
};
Expected expected_of(std::string_view text) {
    const auto colon = text.find(':');
    const bool is_uri = istarts_with(text, "sip:") || istarts_with(text, "sips:");
    const auto bare = is_uri ? text.substr(colon + 1) : text;
    if (bare.find('@') != std::string_view::npos) {
        return {.name = {}, .user = bare.substr(0, bare.find_first_of(";?", bare.find('@')))};
    }
    if (IpAddress::parse(bare)) { // "2001:db8::1" is no host with a port
        return {.name = bare, .user = {}};
    }
    return {.name = host_of(bare).value_or(bare), .user = {}};
}

std::string names_in_words(const Identity& identity) {
    std::vector<std::string> names = identity.domains;
    for (const auto& address : identity.addresses) {
        names.push_back(to_string(address));
    }
    names.insert(names.end(), identity.users.begin(), identity.users.end());
    const auto told = std::min(names.size(), most_told);
    std::string out;
    for (std::size_t i = 0; i < told; ++i) {
        out += i == 0 ? "" : i + 1 == names.size() ? " and " : ", ";
        out += names[i];
    }
    if (told < names.size()) {
        out += " and " + std::to_string(names.size() - told) + " more";
    }
    return out;
}

bool has_near_wildcard(const Identity& identity, std::string_view name) {
    return std::ranges::any_of(identity.domains,
                               [&](const auto& d) { return matches_wildcard(d, name); });
}

} // namespace

bool Identity::speaks_for(std::string_view domain, bool wildcards) const {
    if (const auto address = IpAddress::parse(domain)) {
        return std::ranges::find(addresses, *address) != addresses.end();
    }
    const auto name = without_final_dot(domain);
    return std::ranges::any_of(domains, [&](const std::string& own) {
        return iequals(own, name) || (wildcards && matches_wildcard(own, name));
    });
}

bool Identity::speaks_for_user(std::string_view user) const {
    const auto wanted = expected_of(user).user;
    const auto at = wanted.rfind('@');
    if (at == std::string_view::npos) {
        return false;
    }
    return std::ranges::any_of(users, [&](std::string_view own) {
        own.remove_prefix(own.find(':') + 1);
        const auto own_at = own.rfind('@');
        return own.substr(0, own_at) == wanted.substr(0, at) &&
               iequals(own.substr(own_at + 1), without_final_dot(wanted.substr(at + 1)));
    });
}

Result<Identity> read_identity(const X509* certificate) {
    if (certificate == nullptr) {
        return fail(Code::Malformed, 0, "not a certificate");
    }
    int critical = 0;
    AlternativeNames names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr))};
    if (names == nullptr) {
        ERR_clear_error();
        if (critical == -2) {
            return fail(Code::Malformed, 0, "subjectAltName stands there twice");
        }
        if (critical != -1) {
            return fail(Code::Malformed, 0, "subjectAltName cannot be parsed");
        }
        Identity identity;
        identity.common_name = most_specific_common_name(certificate);
        return identity;
    }
    const int count = sk_GENERAL_NAME_num(names.get());
    if (count > most_names) {
        return fail(Code::LimitExceeded, 0, "subjectAltName has more than 512 names");
    }
    Collector collector;
    for (int i = 0; i < count; ++i) {
        if (auto r = collector.add(sk_GENERAL_NAME_value(names.get(), i)); !r) {
            return std::unexpected(r.error());
        }
    }
    return collector.finish();
}

Result<Identity> read_identity(Bytes der) {
    const auto* at = der.data();
    const CertificatePtr certificate{d2i_X509(nullptr, &at, static_cast<long>(der.size()))};
    ERR_clear_error();
    if (certificate == nullptr || at != der.data() + der.size()) {
        return fail(Code::Malformed, 0, "not a certificate in DER");
    }
    return read_identity(certificate.get());
}

Result<KeyPurposes> read_purposes(const X509* certificate) {
    using Usages = std::unique_ptr<EXTENDED_KEY_USAGE, Free<EXTENDED_KEY_USAGE_free>>;
    int critical = 0;
    const Usages usages{static_cast<EXTENDED_KEY_USAGE*>(
        X509_get_ext_d2i(certificate, NID_ext_key_usage, &critical, nullptr))};
    if (usages == nullptr) {
        ERR_clear_error();
        if (critical != -1) {
            return fail(Code::Malformed, 0, "the extended key usage cannot be read");
        }
        return KeyPurposes{};
    }
    KeyPurposes out;
    out.restricted = true;
    const int count = std::min(sk_ASN1_OBJECT_num(usages.get()), 64);
    for (int i = 0; i < count; ++i) {
        const auto* usage = sk_ASN1_OBJECT_value(usages.get(), i);
        char oid[80] = "";
        OBJ_obj2txt(oid, sizeof oid, usage, 1);
        const std::string_view text{oid};
        if (text == "1.3.6.1.5.5.7.3.1") {
            out.server = true;
        } else if (text == "1.3.6.1.5.5.7.3.2") {
            out.client = true;
        } else if (text == "1.3.6.1.5.5.7.3.20") {
            out.sip_domain = true;
        } else if (text == "2.5.29.37.0") {
            out.any = true;
        } else if (text == "1.3.6.1.5.5.7.3.4") {
            out.email = true;
        } else {
            char name[80] = "";
            OBJ_obj2txt(name, sizeof name, usage, 0);
            out.others.emplace_back(name);
        }
    }
    return out;
}

Verdict judge_purposes(const KeyPurposes& purposes, Role role, PurposePolicy policy) {
    using Finding = Verdict::Finding;
    const bool server = role == Role::Server;
    if (policy == PurposePolicy::Ignore || !purposes.restricted || purposes.any) {
        return {Finding::Accepted, "its extended key usage does not restrict it"};
    }
    if (policy == PurposePolicy::Smime) { // [RFC 5750 §4.4.4]
        return purposes.email
                   ? Verdict{Finding::Accepted, "its extended key usage has emailProtection"}
                   : Verdict{Finding::WrongPurpose, "its extended key usage lacks emailProtection: "
                                                    "it was not issued for S/MIME"};
    }
    const bool fits_role = server ? purposes.server : purposes.client;
    if (policy == PurposePolicy::Strict) {
        if (!purposes.sip_domain) {
            return {Finding::WrongPurpose, "its extended key usage lacks sipDomain "
                                           "(1.3.6.1.5.5.7.3.20), which is asked for here"};
        }
    } else if (purposes.sip_domain && !purposes.server && !purposes.client) {
        // [RFC 5924] sipDomain alone makes a SIP certificate; nothing in it denies the role.
        return {Finding::Accepted, "its extended key usage is sipDomain"};
    }
    if (fits_role) {
        return {Finding::Accepted, server ? "its extended key usage has serverAuth"
                                          : "its extended key usage has clientAuth"};
    }
    if (!server && purposes.server && policy == PurposePolicy::AcceptServerAuth) {
        return {Finding::Accepted,
                "its extended key usage has serverAuth alone, which is accepted of a client here"};
    }
    return {Finding::WrongPurpose,
            server ? "its extended key usage lacks serverAuth: it was not issued for a server"
                   : "its extended key usage lacks clientAuth: it was not issued for a client"};
}

Verdict judge_name(const Identity& identity, std::string_view expected, bool wildcards) {
    using Finding = Verdict::Finding;
    const auto wanted = expected_of(expected);
    const auto name = wanted.user.empty() ? wanted.name : wanted.user;
    const bool fits = wanted.user.empty() ? identity.speaks_for(wanted.name, wildcards)
                                          : identity.speaks_for_user(wanted.user);
    if (fits) {
        return {Finding::Accepted, "it speaks for " + std::string{name}};
    }
    if (identity.empty()) {
        // [RFC 5922 §7.1] "If and only if the subjectAltName does not appear in the certificate,
        // the implementation MAY examine the CN field". [RFC 6216 §6] "This match can be either
        // exact, or against an entry that uses the wildcard matching character".
        const auto& own = identity.common_name;
        if (wanted.user.empty() && !own.empty() &&
            (iequals(own, without_final_dot(name)) || matches_wildcard(own, name))) {
            return {Finding::Accepted, "its common name " + own + " stands for " +
                                           std::string{name} + ", as it has no subjectAltName"};
        }
        return {Finding::NoNames,
                "it has no subjectAltName with a sip URI or DNS name" +
                    (own.empty() ? std::string{} : ", and its common name " + own + " is another") +
                    "; it cannot speak for " + std::string{name}};
    }
    auto why = "it speaks for " + names_in_words(identity) + ", not for " + std::string{name};
    if (wanted.user.empty() && !wildcards && has_near_wildcard(identity, wanted.name)) {
        why += " (wildcards do not count in SIP)";
    } else if (identity.from_uris && std::ranges::any_of(identity.passed_over, [&](auto& passed) {
                   return istarts_with(passed, "DNS:" + std::string{name} + ":");
               })) {
        why += " (its DNS names do not count beside its sip URIs)";
    }
    return {Finding::OtherNames, std::move(why)};
}

Verdict judge(const X509* certificate, std::string_view expected, Role role,
              const IdentityPolicy& policy) {
    const auto purposes = read_purposes(certificate);
    if (!purposes) {
        return {Verdict::Finding::Unreadable, purposes.error().what};
    }
    auto verdict = judge_purposes(*purposes, role, policy.purposes);
    if (!verdict.accepted()) {
        return verdict;
    }
    const auto identity = read_identity(certificate);
    if (!identity) {
        return {Verdict::Finding::Unreadable, identity.error().what};
    }
    return judge_name(*identity, expected, policy.wildcards);
}

} // namespace cw::crypto
