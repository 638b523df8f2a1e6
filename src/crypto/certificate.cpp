#include "crypto/certificate.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/address.hpp"
#include "crypto/ca.hpp"

namespace cw::crypto {

namespace {

constexpr std::size_t longest_text = 1024;
constexpr int most_shown = 64;

std::string clean(std::string_view text) {
    std::string out{text.substr(0, longest_text)};
    std::ranges::replace_if(
        out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return out;
}
std::string_view text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(std::max(ASN1_STRING_length(string), 0))};
}

std::string common_name_of(const X509_NAME* name) {
    const int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0) {
        return {};
    }
    unsigned char* utf8 = nullptr;
    const int size =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    auto out = size < 0
                   ? std::string{}
                   : clean({reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)});
    OPENSSL_free(utf8);
    return out;
}

std::string name_text(const GENERAL_NAME* name) {
    switch (name->type) {
    case GEN_DNS:
        return "DNS:" + clean(text_of(name->d.dNSName));
    case GEN_URI:
        return "URI:" + clean(text_of(name->d.uniformResourceIdentifier));
    case GEN_EMAIL:
        return "email:" + clean(text_of(name->d.rfc822Name));
    case GEN_IPADD: {
        const auto octets = text_of(name->d.iPAddress);
        const auto* data = as_bytes(octets).data();
        return octets.size() == 4    ? "IP:" + to_string(IpAddress::v4(data))
               : octets.size() == 16 ? "IP:" + to_string(IpAddress::v6(data))
                                     : "IP:(malformed)";
    }
    default:
        return "(another kind of name)";
    }
}

std::vector<std::string> alternative_names(const X509* certificate) {
    const std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> names{
        static_cast<GENERAL_NAMES*>(
            X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
    std::vector<std::string> out;
    const int count = names == nullptr ? 0 : sk_GENERAL_NAME_num(names.get());
    for (int i = 0; i < std::min(count, most_shown); ++i) {
        out.push_back(name_text(sk_GENERAL_NAME_value(names.get(), i)));
    }
    if (count > most_shown) {
        out.push_back(fmt::format("({} more)", count - most_shown));
    }
    return out;
}

std::string key_name(const EVP_PKEY* key) {
    if (key == nullptr) {
        return "(not understood)";
    }
    const int bits = EVP_PKEY_get_bits(key);
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return fmt::format("RSA {}", bits);
    case EVP_PKEY_EC: {
        std::array<char, 64> group{};
        EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr);
        const std::string_view name{group.data()};
        return fmt::format("ECDSA {}", name == "prime256v1"  ? "P-256"
                                       : name == "secp384r1" ? "P-384"
                                       : name == "secp521r1" ? "P-521"
                                                             : name);
    }
    default: {
        const char* name = EVP_PKEY_get0_type_name(key);
        return fmt::format("{} {}", name != nullptr ? name : "key", bits);
    }
    }
}

std::vector<std::string> key_usages_of(X509* certificate) {
    constexpr std::array usages{
        std::pair{KU_DIGITAL_SIGNATURE, "digitalSignature"},
        std::pair{KU_NON_REPUDIATION, "nonRepudiation"},
        std::pair{KU_KEY_ENCIPHERMENT, "keyEncipherment"},
        std::pair{KU_DATA_ENCIPHERMENT, "dataEncipherment"},
        std::pair{KU_KEY_AGREEMENT, "keyAgreement"},
        std::pair{KU_KEY_CERT_SIGN, "keyCertSign"},
        std::pair{KU_CRL_SIGN, "cRLSign"},
    };
    std::vector<std::string> out;
    if ((X509_get_extension_flags(certificate) & EXFLAG_KUSAGE) != 0) {
        const auto bits = X509_get_key_usage(certificate);
        for (const auto& [bit, name] : usages) {
            if ((bits & static_cast<std::uint32_t>(bit)) != 0) {
                out.emplace_back(name);
            }
        }
    }
    return out;
}

std::vector<std::string> purposes_of(const X509* certificate) {
    const auto purposes = read_purposes(certificate);
    if (!purposes) {
        return {"(malformed)"};
    }
    std::vector<std::string> out;
    const auto add = [&](bool there, const char* name) {
        if (there) {
            out.emplace_back(name);
        }
    };
    add(purposes->server, "serverAuth");
    add(purposes->client, "clientAuth");
    add(purposes->sip_domain, "sipDomain");
    add(purposes->any, "anyExtendedKeyUsage");
    add(purposes->email, "emailProtection");
    for (const auto& other : purposes->others) {
        out.push_back(clean(other));
    }
    return out;
}

std::string fingerprint_of(const X509* certificate) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) {
        return {};
    }
    std::string out;
    for (unsigned i = 0; i < size; ++i) {
        out += fmt::format("{}{:02X}", i == 0 ? "" : ":", digest[i]);
    }
    return out;
}

void describe_signature(X509* certificate, CertificateFacts& facts) {
    const int nid = X509_get_signature_nid(certificate);
    const char* name = OBJ_nid2ln(nid);
    facts.signature = nid != NID_undef && name != nullptr ? name : "(not understood)";
    int digest = NID_undef;
    X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr);
    facts.weak_signature = digest == NID_sha1 || digest == NID_md5 || digest == NID_md5_sha1;
}

// What PEM_read_… gives until there is no more.
template <class Pointer, class ReadPem, class ReadDer>
Result<std::vector<Pointer>> read_all(std::string_view text, ReadPem read_pem, ReadDer read_der) {
    std::vector<Pointer> out;
    const BioPtr bio{BIO_new_mem_buf(
        text.data(), static_cast<int>(std::min<std::size_t>(text.size(), INT32_MAX)))};
    while (bio != nullptr && out.size() < most_certificates) {
        Pointer one{read_pem(bio.get())};
        if (one == nullptr) {
            break;
        }
        out.push_back(std::move(one));
    }
    if (out.empty()) {
        const auto* at = as_bytes(text).data();
        if (Pointer one{read_der(&at, static_cast<long>(text.size()))}) {
            out.push_back(std::move(one));
        }
    }
    ERR_clear_error();
    return out;
}

int no_password(char*, int, int, void*) {
    return -1;
}

} // namespace

// [RFC 2253], with UTF-8 left as it is.
std::string in_one_line(const X509_NAME* name) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    if (bio == nullptr ||
        X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        return {};
    }
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    return clean({text, static_cast<std::size_t>(std::max(size, 0L))});
}

Instant to_instant(const ASN1_TIME* time) {
    std::tm fields{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) {
        ERR_clear_error();
        return {};
    }
    return Instant{} + seconds(static_cast<std::int64_t>(timegm(&fields)));
}

// http, ldap and whatever else it names.
void describe_revocation(const X509* certificate, CertificateFacts& facts) {
    const auto add = [&](const char* kind, const GENERAL_NAME* name) {
        int type = 0;
        const auto* value = GENERAL_NAME_get0_value(name, &type);
        if (type == GEN_URI && facts.revocation.size() < most_shown) {
            facts.revocation.push_back(
                fmt::format("{} {}", kind, clean(text_of(static_cast<const ASN1_STRING*>(value)))));
        }
    };
    const std::unique_ptr<AUTHORITY_INFO_ACCESS, Free<AUTHORITY_INFO_ACCESS_free>> access{
        static_cast<AUTHORITY_INFO_ACCESS*>(
            X509_get_ext_d2i(certificate, NID_info_access, nullptr, nullptr))};
    for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access.get()); ++i) {
        const auto* one = sk_ACCESS_DESCRIPTION_value(access.get(), i);
        if (OBJ_obj2nid(one->method) == NID_ad_OCSP) {
            add("OCSP", one->location);
        }
    }
    const std::unique_ptr<CRL_DIST_POINTS, Free<CRL_DIST_POINTS_free>> points{
        static_cast<CRL_DIST_POINTS*>(
            X509_get_ext_d2i(certificate, NID_crl_distribution_points, nullptr, nullptr))};
    for (int i = 0; i < sk_DIST_POINT_num(points.get()); ++i) {
        const auto* at = sk_DIST_POINT_value(points.get(), i)->distpoint;
        if (at == nullptr || at->type != 0) { // else relative to the issuer's name
            continue;
        }
        for (int j = 0; j < sk_GENERAL_NAME_num(at->name.fullname); ++j) {
            add("CRL", sk_GENERAL_NAME_value(at->name.fullname, j));
        }
    }
}

CertificateFacts describe(const X509* certificate) {
    auto* mutable_certificate = const_cast<X509*>(certificate); // OpenSSL caches inside
    CertificateFacts facts;
    facts.subject = in_one_line(X509_get_subject_name(certificate));
    facts.issuer = in_one_line(X509_get_issuer_name(certificate));
    facts.serial = serial_of(certificate);
    facts.fingerprint = fingerprint_of(certificate);
    facts.not_before = to_instant(X509_get0_notBefore(certificate));
    facts.not_after = to_instant(X509_get0_notAfter(certificate));
    const auto* key = X509_get0_pubkey(certificate);
    facts.key = key_name(key);
    facts.key_bits = key == nullptr ? 0 : EVP_PKEY_get_bits(key);
    facts.key_strength = key == nullptr ? 0 : EVP_PKEY_get_security_bits(key);
    describe_signature(mutable_certificate, facts);
    facts.is_ca = X509_check_ca(mutable_certificate) == 1;
    facts.self_issued =
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
    facts.names = alternative_names(certificate);
    facts.key_usages = key_usages_of(mutable_certificate);
    facts.purposes = purposes_of(certificate);
    describe_revocation(certificate, facts);
    if (auto identity = read_identity(certificate)) {
        facts.identity = std::move(*identity);
    } else {
        facts.identity_problem = identity.error().what;
    }
    facts.name = common_name_of(X509_get_subject_name(certificate));
    if (facts.name.empty()) {
        facts.name = !facts.identity.domains.empty() ? facts.identity.domains.front()
                     : !facts.identity.users.empty() ? facts.identity.users.front()
                     : !facts.subject.empty()        ? facts.subject
                                                     : "serial " + facts.serial;
    }
    ERR_clear_error();
    return facts;
}

std::string in_words(Duration d) {
    struct Unit {
        std::int64_t seconds;
        const char* name;
        std::int64_t least; // of these it is used from
    };
    constexpr std::array units{Unit{31'556'952, "year", 2}, Unit{86'400, "day", 2},
                               Unit{3'600, "hour", 1}, Unit{60, "minute", 1}};
    const auto whole = (d.ns < 0 ? -(d.ns / 1'000'000'000) : d.ns / 1'000'000'000);
    for (const auto& unit : units) {
        if (const auto n = whole / unit.seconds; n >= unit.least) {
            return fmt::format("{} {}{}", n, unit.name, n == 1 ? "" : "s");
        }
    }
    return fmt::format("{} second{}", whole, whole == 1 ? "" : "s");
}

std::string validity_in_words(Instant not_before, Instant not_after, Instant now) {
    if (!not_after.known()) {
        return "with dates that cannot be read";
    }
    if (now < not_before) {
        return "valid only in " + in_words(not_before - now);
    }
    if (now > not_after) {
        return "expired " + in_words(now - not_after) + " ago";
    }
    return "good for " + in_words(not_after - now) + " more";
}

Result<std::vector<CertificatePtr>> read_certificates(std::string_view text) {
    auto out = read_all<CertificatePtr>(
        text, [](BIO* bio) { return PEM_read_bio_X509_AUX(bio, nullptr, no_password, nullptr); },
        [](const unsigned char** at, long size) { return d2i_X509(nullptr, at, size); });
    if (out->empty()) {
        return fail(Code::Malformed, 0, "no certificate in it, neither in PEM nor in DER");
    }
    return out;
}

Result<std::vector<CrlPtr>> read_crls(std::string_view text) {
    auto out = read_all<CrlPtr>(
        text, [](BIO* bio) { return PEM_read_bio_X509_CRL(bio, nullptr, no_password, nullptr); },
        [](const unsigned char** at, long size) { return d2i_X509_CRL(nullptr, at, size); });
    if (out->empty()) {
        return fail(Code::Malformed, 0, "no revocation list in it, neither in PEM nor in DER");
    }
    return out;
}

Result<KeyPtr> read_key(std::string_view text) {
    const BioPtr bio{BIO_new_mem_buf(
        text.data(), static_cast<int>(std::min<std::size_t>(text.size(), INT32_MAX)))};
    bool asked = false;
    KeyPtr key{bio == nullptr ? nullptr
                              : PEM_read_bio_PrivateKey(
                                    bio.get(), nullptr,
                                    [](char*, int, int, void* was_asked) {
                                        *static_cast<bool*>(was_asked) = true;
                                        return -1;
                                    },
                                    &asked)};
    ERR_clear_error();
    if (key == nullptr) {
        return asked ? fail(Code::Unsupported, 0, "its private key is encrypted")
                     : fail(Code::Malformed, 0, "no private key in PEM in it");
    }
    return key;
}

bool belong_together(const X509* certificate, const EVP_PKEY* private_key) {
    const bool fits = X509_check_private_key(certificate, private_key) == 1;
    ERR_clear_error();
    return fits;
}

} // namespace cw::crypto
