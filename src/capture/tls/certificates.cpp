#include "capture/tls/certificates.hpp"

#include <algorithm>
#include <ctime>
#include <string>
#include <vector>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace cw::capture::tls {

namespace {

constexpr std::size_t longest_name = 1024;
constexpr int most_names = 64;

template <auto free>
struct Free {
    template <class T>
    void operator()(T* what) const {
        free(what);
    }
};
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using MemoryBio = std::unique_ptr<BIO, Free<BIO_free>>;

Certificate parse(Bytes der) {
    const auto* at = der.data();
    return Certificate{d2i_X509(nullptr, &at, static_cast<long>(der.size()))};
}

// [RFC 2253], with UTF-8 left as it is, control characters escaped.
std::string one_line(const X509_NAME* name) {
    MemoryBio bio{BIO_new(BIO_s_mem())};
    if (!bio || name == nullptr ||
        X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0) {
        return {};
    }
    char* text = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &text);
    return {text, std::min(static_cast<std::size_t>(std::max(size, 0L)), longest_name)};
}

Instant to_instant(const ASN1_TIME* time) {
    std::tm fields{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) {
        return {};
    }
    const auto year = fields.tm_year + 1900;
    if (year < 1700 || year > 2250) { // nanoseconds in 64 bits reach no further
        return {year < 1700 ? INT64_MIN : INT64_MAX};
    }
    return {static_cast<std::int64_t>(timegm(&fields)) * 1'000'000'000};
}

std::string text_of(const ASN1_STRING* string) {
    const auto size = static_cast<std::size_t>(std::max(ASN1_STRING_length(string), 0));
    std::string out{reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                    std::min(size, longest_name)};
    std::ranges::replace_if(
        out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
    return out;
}

std::string name_of(const GENERAL_NAME* name) {
    switch (name->type) {
    case GEN_DNS:
        return "DNS:" + text_of(name->d.dNSName);
    case GEN_URI:
        return "URI:" + text_of(name->d.uniformResourceIdentifier);
    case GEN_EMAIL:
        return "email:" + text_of(name->d.rfc822Name);
    case GEN_IPADD: {
        const auto* data = ASN1_STRING_get0_data(name->d.iPAddress);
        const auto size = ASN1_STRING_length(name->d.iPAddress);
        return size == 4    ? "IP:" + to_string(IpAddress::v4(data))
               : size == 16 ? "IP:" + to_string(IpAddress::v6(data))
                            : std::string{};
    }
    default:
        return {};
    }
}

std::vector<std::string> alternative_names(const X509* certificate) {
    std::vector<std::string> out;
    std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
    const auto count = names ? std::min(sk_GENERAL_NAME_num(names.get()), most_names) : 0;
    for (int i = 0; i < count; ++i) {
        if (auto text = name_of(sk_GENERAL_NAME_value(names.get(), i)); !text.empty()) {
            out.push_back(std::move(text));
        }
    }
    return out;
}

// "RSA", "EC"; empty for one that cannot be read.
std::string key_name(const EVP_PKEY* key) {
    const auto* name = key != nullptr ? EVP_PKEY_get0_type_name(key) : nullptr;
    return name != nullptr ? name : "";
}

std::string signature_name(const X509* certificate) {
    const auto nid = X509_get_signature_nid(certificate);
    return nid == NID_undef ? "" : OBJ_nid2ln(nid);
}

flow::Certificate describe(const X509* certificate) {
    if (certificate == nullptr) {
        flow::Certificate malformed;
        malformed.subject = "(malformed)";
        return malformed;
    }
    const auto* key = X509_get0_pubkey(certificate);
    const auto key_bits = key != nullptr ? EVP_PKEY_get_bits(key) : 0;
    return {.subject = one_line(X509_get_subject_name(certificate)),
            .issuer = one_line(X509_get_issuer_name(certificate)),
            .names = alternative_names(certificate),
            .not_before = to_instant(X509_get0_notBefore(certificate)),
            .not_after = to_instant(X509_get0_notAfter(certificate)),
            .key = key_name(key),
            .key_bits = static_cast<std::uint16_t>(std::clamp(key_bits, 0, 0xffff)),
            .signature = signature_name(certificate)};
}

KnownChain read_chain(Bytes body, bool modern) {
    Reader reader{body};
    if (modern) {
        (void)reader.vec8(); // certificate_request_context [RFC 8446 §4.4.2]
    }
    Reader list{reader.vec24()};
    auto certificates = std::make_shared<std::vector<flow::Certificate>>();
    KnownChain out;
    while (list.ok() && list.left() != 0 &&
           certificates->size() < CertificateCache::longest_chain) {
        const auto der = list.vec24();
        if (modern) {
            (void)list.vec16();
        }
        if (!list.ok()) {
            break;
        }
        const auto certificate = parse(der);
        if (certificates->empty() && certificate) {
            out.leaf_key = {X509_get_pubkey(certificate.get()), EVP_PKEY_free};
        }
        certificates->push_back(describe(certificate.get()));
    }
    ERR_clear_error();
    out.certificates = std::move(certificates);
    return out;
}

} // namespace

flow::Certificate read_certificate(Bytes der) {
    auto out = describe(parse(der).get());
    ERR_clear_error();
    return out;
}

KnownChain CertificateCache::get(Bytes body, bool modern, Hasher& hasher) {
    std::array<std::uint8_t, 32> key{};
    if (!hasher.digest(Hash::Sha256, {body}, key.data())) {
        return read_chain(body, modern);
    }
    key[0] = static_cast<std::uint8_t>((key[0] & 0xfe) | (modern ? 1 : 0));
    if (const auto found = chains_.find(key); found != chains_.end()) {
        return found->second;
    }
    if (chains_.size() >= most_chains) {
        chains_.clear();
    }
    return chains_.emplace(key, read_chain(body, modern)).first->second;
}

} // namespace cw::capture::tls
