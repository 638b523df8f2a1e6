// Certificates for the tests of this folder: names with any bytes in them, and those of the shared
// material. Not for other use.
#pragma once

#include <fstream>
#include <initializer_list>
#include <string>
#include <string_view>

#include <openssl/pem.h>

#include "crypto/ca.hpp"

namespace cw::crypto::made {

inline constexpr Instant now{1'790'000'000'000'000'000}; // 2026-09-21

struct Name {
    int type = GEN_DNS; // GEN_URI, GEN_IPADD, GEN_EMAIL
    std::string_view bytes;
};

inline Credential ca(std::string name = "Test CA") {
    return make_ca({.name = std::move(name), .validity = valid_for(now, 365)}).value();
}

// An unsigned certificate with this subjectAltName, bytes as they are, and this CN.
inline CertificatePtr with_names(std::initializer_list<Name> names,
                                 std::string_view common_name = "") {
    CertificatePtr certificate{X509_new()};
    if (!common_name.empty()) {
        X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.data()),
                                   static_cast<int>(common_name.size()), -1, 0);
    }
    const std::unique_ptr<GENERAL_NAMES, Free<GENERAL_NAMES_free>> list{GENERAL_NAMES_new()};
    for (const auto& name : names) {
        auto* entry = GENERAL_NAME_new();
        auto* value =
            ASN1_STRING_type_new(name.type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
        ASN1_STRING_set(value, name.bytes.data(), static_cast<int>(name.bytes.size()));
        GENERAL_NAME_set0_value(entry, name.type, value);
        sk_GENERAL_NAME_push(list.get(), entry);
    }
    if (names.size() > 0) {
        X509_add1_ext_i2d(certificate.get(), NID_subject_alt_name, list.get(), 0,
                          X509V3_ADD_DEFAULT);
    }
    return certificate;
}

inline std::string content_of(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

inline CertificatePtr from_pem(const std::string& text) {
    const BioPtr bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    return CertificatePtr{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
}

// Of the certificates for RFC 6216 section 6; null where the material is absent.
inline CertificatePtr of_rfc6216(const std::string& name) {
    return from_pem(content_of(CALLWRIGHT_SHARED_DIR "/material/rfc6216/sec6/" + name + ".pem"));
}

} // namespace cw::crypto::made
