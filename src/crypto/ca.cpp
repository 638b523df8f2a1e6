#include "crypto/ca.hpp"

#include <algorithm>
#include <array>
#include <ctime>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include "base/text.hpp"
#include "crypto/certificate.hpp"

namespace cw::crypto {

namespace {

constexpr std::size_t longest_common_name = 64; // [RFC 5280 §A.1] ub-common-name
constexpr std::size_t longest_name = 255;

using BigNumber = std::unique_ptr<BIGNUM, Free<BN_free>>;
using SerialPtr = std::unique_ptr<ASN1_INTEGER, Free<ASN1_INTEGER_free>>;
using TimePtr = std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using NamePtr = std::unique_ptr<X509_NAME, Free<X509_NAME_free>>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>>;
using AccessPtr = std::unique_ptr<AUTHORITY_INFO_ACCESS, Free<AUTHORITY_INFO_ACCESS_free>>;
using PointsPtr = std::unique_ptr<CRL_DIST_POINTS, Free<CRL_DIST_POINTS_free>>;
using RevokedPtr = std::unique_ptr<X509_REVOKED, Free<X509_REVOKED_free>>;

std::unexpected<Error> crypto_failed(const char* what) {
    ERR_clear_error();
    return fail(Code::CryptoFailed, 0, what);
}

std::time_t to_time(Instant t) {
    return static_cast<std::time_t>(t.ns / 1'000'000'000);
}

// [RFC 5280 §4.1.2.2] positive, at most 20 octets; unpredictable, so that nobody can prepare a
// collision for it.
bool set_random_serial(X509* certificate) {
    const BigNumber number{BN_new()};
    return number != nullptr &&
           BN_rand(number.get(), 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_name(X509_NAME* name, std::string_view common_name) {
    return X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                      as_bytes(common_name).data(),
                                      static_cast<int>(common_name.size()), -1, 0) == 1;
}

bool add_extension(X509* certificate, const X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context{};
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, const_cast<X509*>(issuer), certificate, nullptr, nullptr, 0);
    const ExtensionPtr extension{X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str())};
    return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

// Ed25519 hashes by itself [RFC 8410 §3].
const EVP_MD* digest_for(const EVP_PKEY* key) {
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
}

// What CA and leaf have in common; its names and extensions are still to come.
Result<CertificatePtr> begin(const Validity& validity, EVP_PKEY* key) {
    CertificatePtr made{X509_new()};
    if (made == nullptr || X509_set_version(made.get(), X509_VERSION_3) != 1 ||
        !set_random_serial(made.get()) ||
        ASN1_TIME_set(X509_getm_notBefore(made.get()), to_time(validity.from)) == nullptr ||
        ASN1_TIME_set(X509_getm_notAfter(made.get()), to_time(validity.until)) == nullptr ||
        X509_set_pubkey(made.get(), key) != 1) {
        return crypto_failed("the certificate cannot be filled in");
    }
    return made;
}

Result<Credential> make_authority(const Credential* above, const CaSpec& spec) {
    if (spec.name.empty() || spec.name.size() > longest_common_name) {
        return fail(Code::Usage, 0, "the name of a CA has 1 to 64 characters");
    }
    auto key = make_key(spec.kind);
    if (!key) {
        return std::unexpected(key.error());
    }
    auto made = begin(spec.validity, key->get());
    if (!made) {
        return std::unexpected(made.error());
    }
    auto* certificate = made->get();
    const auto* issuer = above != nullptr ? above->certificate.get() : certificate;
    auto* signer = above != nullptr ? above->key.get() : key->get();
    const bool done =
        set_name(X509_get_subject_name(certificate), spec.name) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
        // [RFC 5280 §4.2.1.9, §4.2.1.3] both critical in a CA
        add_extension(certificate, issuer, NID_basic_constraints,
                      "critical,CA:TRUE,pathlen:" + std::to_string(spec.path_length)) &&
        add_extension(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
        X509_sign(certificate, signer, digest_for(signer)) != 0;
    if (!done) {
        return crypto_failed("the CA certificate cannot be made");
    }
    return Credential{std::move(*made), std::move(*key)};
}

bool is_label_text(std::string_view label) {
    return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
           std::ranges::all_of(label,
                               [](char c) { return is_alpha(c) || is_digit(c) || c == '-'; });
}
bool is_domain(std::string_view name) {
    if (name.empty() || name.size() > longest_name) {
        return false;
    }
    while (true) {
        const auto dot = name.find('.');
        if (!is_label_text(name.substr(0, dot))) {
            return false;
        }
        if (dot == std::string_view::npos) {
            return true;
        }
        name.remove_prefix(dot + 1);
    }
}

// The unreserved and user-unreserved characters of [RFC 3261 §25.1], without escapes.
bool is_user_text(std::string_view user) {
    return !user.empty() && std::ranges::all_of(user, [](char c) {
        return is_alpha(c) || is_digit(c) ||
               std::string_view{"-_.!~*'()&=+$,;?/"}.find(c) != std::string_view::npos;
    });
}
bool is_user(std::string_view user) {
    const auto at = user.find('@');
    return at != std::string_view::npos && user.size() <= longest_name &&
           is_user_text(user.substr(0, at)) && is_domain(user.substr(at + 1));
}

bool push_text(GENERAL_NAMES* names, int type, std::string_view text) {
    std::unique_ptr<GENERAL_NAME, Free<GENERAL_NAME_free>> name{GENERAL_NAME_new()};
    auto* value = ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    if (name == nullptr || value == nullptr ||
        ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) != 1) {
        ASN1_STRING_free(value);
        return false;
    }
    GENERAL_NAME_set0_value(name.get(), type, value);
    if (sk_GENERAL_NAME_push(names, name.get()) == 0) {
        return false;
    }
    (void)name.release();
    return true;
}

bool push_address(GENERAL_NAMES* names, const IpAddress& address) {
    const auto octets = as_text(Bytes{address.octets});
    return push_text(names, GEN_IPADD, address.is_v4() ? octets.substr(12) : octets);
}

bool add_alternative_names(X509* certificate, const LeafSpec& spec, bool critical) {
    const NamesPtr names{GENERAL_NAMES_new()};
    bool done = names != nullptr;
    for (const auto& domain : spec.domains) {
        done = done && push_text(names.get(), GEN_URI, "sip:" + domain);
    }
    for (const auto& user : spec.users) {
        done = done && push_text(names.get(), GEN_URI, "sip:" + user);
    }
    for (const auto& domain : spec.domains) {
        done = done && push_text(names.get(), GEN_DNS, domain);
    }
    for (const auto& address : spec.addresses) {
        done = done && push_address(names.get(), address);
    }
    return done && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(),
                                     critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1;
}

bool add_ocsp_url(X509* certificate, const std::string& url) {
    const AccessPtr access{AUTHORITY_INFO_ACCESS_new()};
    auto* one = ACCESS_DESCRIPTION_new();
    auto* text = ASN1_STRING_type_new(V_ASN1_IA5STRING);
    if (access == nullptr || one == nullptr || text == nullptr ||
        ASN1_STRING_set(text, url.data(), static_cast<int>(url.size())) != 1 ||
        sk_ACCESS_DESCRIPTION_push(access.get(), one) == 0) {
        ASN1_STRING_free(text);
        ACCESS_DESCRIPTION_free(one);
        return false;
    }
    GENERAL_NAME_set0_value(one->location, GEN_URI, text);
    ASN1_OBJECT_free(one->method);
    one->method = OBJ_nid2obj(NID_ad_OCSP);
    return X509_add1_ext_i2d(certificate, NID_info_access, access.get(), 0, X509V3_ADD_DEFAULT) ==
           1;
}

bool add_crl_url(X509* certificate, const std::string& url) {
    const PointsPtr points{CRL_DIST_POINTS_new()};
    auto* point = DIST_POINT_new();
    if (points == nullptr || point == nullptr || sk_DIST_POINT_push(points.get(), point) == 0) {
        DIST_POINT_free(point);
        return false;
    }
    point->distpoint = DIST_POINT_NAME_new();
    if (point->distpoint == nullptr) {
        return false;
    }
    point->distpoint->type = 0; // a full name
    point->distpoint->name.fullname = GENERAL_NAMES_new();
    return point->distpoint->name.fullname != nullptr &&
           push_text(point->distpoint->name.fullname, GEN_URI, url) &&
           X509_add1_ext_i2d(certificate, NID_crl_distribution_points, points.get(), 0,
                             X509V3_ADD_DEFAULT) == 1;
}

bool is_http_url(std::string_view url) {
    constexpr std::string_view scheme = "http://"; // what is fetched is signed by itself
    return istarts_with(url, scheme) && url.size() > scheme.size() && url.size() <= longest_name &&
           std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f && c != '"'; });
}

std::string purposes_of(const LeafSpec& spec) {
    std::string out;
    const auto add = [&](bool wanted, const char* name) {
        if (wanted) {
            out += (out.empty() ? "" : ",") + std::string{name};
        }
    };
    add(spec.server_auth, "serverAuth");
    add(spec.client_auth, "clientAuth");
    add(spec.sip_domain, "1.3.6.1.5.5.7.3.20");
    add(spec.email_protection, "emailProtection");
    add(spec.any_purpose, "anyExtendedKeyUsage");
    return out;
}

Result<void> check_names(const LeafSpec& spec) {
    if (spec.domains.empty() && spec.users.empty() && spec.addresses.empty()) {
        return fail(Code::Usage, 0, "a certificate needs a name to speak for");
    }
    if (!std::ranges::all_of(spec.domains, is_domain)) {
        return fail(Code::Usage, 0, "not a domain name");
    }
    if (!std::ranges::all_of(spec.users, is_user)) {
        return fail(Code::Usage, 0, "not a user: alice@example.com is one");
    }
    for (const auto& url : {spec.ocsp_url, spec.crl_url}) {
        if (!url.empty() && !is_http_url(url)) {
            return fail(Code::Usage, 0, "not a URL as http://ca.example.com/ocsp");
        }
    }
    return {};
}

// For people only; no reader of SIP identities looks at it.
std::string common_name_of(const LeafSpec& spec) {
    auto name = !spec.domains.empty() ? spec.domains.front()
                : !spec.users.empty() ? spec.users.front()
                                      : to_string(spec.addresses.front());
    return name.size() <= longest_common_name ? name : std::string{};
}

template <class Write>
std::string write_pem(Write write) {
    const BioPtr bio{BIO_new(BIO_s_secmem())};
    if (bio == nullptr || write(bio.get()) != 1) {
        ERR_clear_error();
        return {};
    }
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    return {text, static_cast<std::size_t>(std::max(size, 0L))};
}

std::string to_hex(const ASN1_INTEGER* serial) {
    const BigNumber number{ASN1_INTEGER_to_BN(serial, nullptr)};
    char* text = number == nullptr ? nullptr : BN_bn2hex(number.get());
    std::string out = text == nullptr ? "" : text;
    OPENSSL_free(text);
    return out;
}

bool add_revocation(X509_CRL* crl, const Revocation& revocation) {
    BIGNUM* parsed = nullptr;
    const int digits = BN_hex2bn(&parsed, revocation.serial.c_str());
    const BigNumber number{parsed};
    const SerialPtr serial{number == nullptr ? nullptr : BN_to_ASN1_INTEGER(number.get(), nullptr)};
    const TimePtr when{ASN1_TIME_set(nullptr, to_time(revocation.when))};
    RevokedPtr entry{X509_REVOKED_new()};
    if (serial == nullptr || static_cast<std::size_t>(digits) != revocation.serial.size() ||
        when == nullptr || entry == nullptr ||
        X509_REVOKED_set_serialNumber(entry.get(), serial.get()) != 1 ||
        X509_REVOKED_set_revocationDate(entry.get(), when.get()) != 1 ||
        X509_CRL_add0_revoked(crl, entry.get()) != 1) {
        return false;
    }
    (void)entry.release();
    return true;
}

} // namespace

Result<KeyPtr> make_key(KeyKind kind) {
    KeyPtr key{kind == KeyKind::EcdsaP256 ? EVP_EC_gen("P-256")
               : kind == KeyKind::Ed25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")
                                          : EVP_RSA_gen(2048)};
    if (key == nullptr) {
        return crypto_failed("the key cannot be made");
    }
    return key;
}

Validity valid_for(Instant now, int days) {
    return {now - seconds(3600), now + seconds(std::int64_t{days} * 86400)};
}

Result<Credential> make_ca(const CaSpec& spec) {
    return make_authority(nullptr, spec);
}
Result<Credential> make_intermediate(const Credential& above, const CaSpec& spec) {
    return make_authority(&above, spec);
}

Result<Credential> issue(const Credential& ca, const LeafSpec& spec) {
    if (auto r = check_names(spec); !r) {
        return std::unexpected(r.error());
    }
    auto key = make_key(spec.kind);
    if (!key) {
        return std::unexpected(key.error());
    }
    auto made = begin(spec.validity, key->get());
    if (!made) {
        return std::unexpected(made.error());
    }
    auto* certificate = made->get();
    const auto* issuer = ca.certificate.get();
    const auto common_name = common_name_of(spec);
    const auto purposes = purposes_of(spec);
    // RSA key exchange of TLS 1.2 needs keyEncipherment [RFC 5246 §7.4.2].
    // So does S/MIME; with an EC key one is agreed upon.
    const char* usage = spec.kind == KeyKind::Rsa2048 ? "critical,digitalSignature,keyEncipherment"
                        : spec.email_protection       ? "critical,digitalSignature,keyAgreement"
                                                      : "critical,digitalSignature";
    const bool done =
        (common_name.empty() || set_name(X509_get_subject_name(certificate), common_name)) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
        add_extension(certificate, issuer, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(certificate, issuer, NID_key_usage, usage) &&
        (purposes.empty() || add_extension(certificate, issuer, NID_ext_key_usage, purposes)) &&
        (spec.ocsp_url.empty() || add_ocsp_url(certificate, spec.ocsp_url)) &&
        (spec.crl_url.empty() || add_crl_url(certificate, spec.crl_url)) &&
        // [RFC 5280 §4.2.1.6] critical where the subject is empty
        add_alternative_names(certificate, spec, common_name.empty()) &&
        add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
        add_extension(certificate, issuer, NID_authority_key_identifier, "keyid") &&
        X509_sign(certificate, ca.key.get(), spec.sha1 ? EVP_sha1() : digest_for(ca.key.get())) !=
            0;
    if (!done) {
        return crypto_failed("the certificate cannot be made");
    }
    return Credential{std::move(*made), std::move(*key)};
}

Result<void> add_name(std::string_view name, LeafSpec& spec) {
    if (istarts_with(name, "sip:") || istarts_with(name, "sips:")) {
        name.remove_prefix(name.find(':') + 1);
    }
    if (const auto address = IpAddress::parse(name)) {
        spec.addresses.push_back(*address);
        return {};
    }
    std::string lower{name};
    const auto at = name.find('@'); // the user part keeps its case
    const auto host = lower.begin() + static_cast<std::ptrdiff_t>(at + 1); // npos + 1 is 0
    std::transform(host, lower.end(), host, ascii_lower);
    if (is_user(lower)) {
        spec.users.push_back(std::move(lower));
        return {};
    }
    if (name.starts_with("*")) {
        return fail(Code::Usage, 0, "wildcards do not count in SIP (RFC 5922 section 7.2)");
    }
    if (!is_domain(lower)) {
        return fail(Code::Usage, 0, "neither a domain, nor an address, nor user@domain");
    }
    spec.domains.push_back(std::move(lower));
    return {};
}

Result<CrlPtr> make_crl(const Credential& ca, std::span<const Revocation> revoked, Instant now,
                        Instant next_update, std::uint64_t number) {
    CrlPtr crl{X509_CRL_new()};
    const TimePtr from{ASN1_TIME_set(nullptr, to_time(now))};
    const TimePtr until{ASN1_TIME_set(nullptr, to_time(next_update))};
    const SerialPtr count{ASN1_INTEGER_new()};
    bool done =
        crl != nullptr && from != nullptr && until != nullptr && count != nullptr &&
        X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) == 1 &&
        X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(ca.certificate.get())) == 1 &&
        X509_CRL_set1_lastUpdate(crl.get(), from.get()) == 1 &&
        X509_CRL_set1_nextUpdate(crl.get(), until.get()) == 1 &&
        ASN1_INTEGER_set_uint64(count.get(), number) == 1 &&
        X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, count.get(), 0, X509V3_ADD_DEFAULT) == 1;
    for (const auto& revocation : revoked) {
        done = done && add_revocation(crl.get(), revocation);
    }
    X509V3_CTX context{};
    X509V3_set_ctx(&context, ca.certificate.get(), nullptr, nullptr, crl.get(), 0);
    const ExtensionPtr issuer{
        X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid")};
    done = done && issuer != nullptr && X509_CRL_add_ext(crl.get(), issuer.get(), -1) == 1 &&
           X509_CRL_sort(crl.get()) == 1 &&
           X509_CRL_sign(crl.get(), ca.key.get(), digest_for(ca.key.get())) != 0;
    if (!done) {
        return crypto_failed("the revocation list cannot be made");
    }
    return crl;
}

std::vector<Revocation> revocations_of(const X509_CRL* crl) {
    std::vector<Revocation> out;
    auto* entries = X509_CRL_get_REVOKED(const_cast<X509_CRL*>(crl));
    for (int i = 0; i < sk_X509_REVOKED_num(entries); ++i) {
        const auto* entry = sk_X509_REVOKED_value(entries, i);
        out.push_back({to_hex(X509_REVOKED_get0_serialNumber(entry)),
                       to_instant(X509_REVOKED_get0_revocationDate(entry))});
    }
    return out;
}

std::uint64_t number_of(const X509_CRL* crl) {
    const SerialPtr number{
        static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, nullptr, nullptr))};
    std::uint64_t value = 0;
    if (number == nullptr || ASN1_INTEGER_get_uint64(&value, number.get()) != 1) {
        ERR_clear_error();
        return 0;
    }
    return value;
}

std::string serial_of(const X509* certificate) {
    return to_hex(X509_get0_serialNumber(certificate));
}
std::string to_pem(const X509* certificate) {
    return write_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}
std::string to_pem(const X509_CRL* crl) {
    return write_pem([&](BIO* bio) { return PEM_write_bio_X509_CRL(bio, crl); });
}
std::string to_pem(const EVP_PKEY* private_key) {
    return write_pem([&](BIO* bio) {
        return PEM_write_bio_PKCS8PrivateKey(bio, private_key, nullptr, nullptr, 0, nullptr,
                                             nullptr);
    });
}

} // namespace cw::crypto
