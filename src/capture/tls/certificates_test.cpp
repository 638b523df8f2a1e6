#include "capture/tls/certificates.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace cw::capture::tls {
namespace {

std::vector<std::uint8_t> make_der(const char* name, const char* names) {
    auto* key = EVP_EC_gen("P-256");
    auto* certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_TIME_set_string(X509_getm_notBefore(certificate), "20260501100000Z");
    ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z");
    X509_set_pubkey(certificate, key);
    auto* subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>("Example, Inc"), -1, -1, 0);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    if (names != nullptr) {
        X509V3_CTX context;
        X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
        auto* extension = X509V3_EXT_conf_nid(nullptr, &context, NID_subject_alt_name, names);
        X509_add_ext(certificate, extension, -1);
        X509_EXTENSION_free(extension);
    }
    X509_sign(certificate, key, EVP_sha256());
    unsigned char* der = nullptr;
    const auto size = i2d_X509(certificate, &der);
    std::vector<std::uint8_t> out(der, der + size);
    OPENSSL_free(der);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return out;
}

void put24(std::vector<std::uint8_t>& to, std::size_t value) {
    to.insert(to.end(), {static_cast<std::uint8_t>(value >> 16),
                         static_cast<std::uint8_t>(value >> 8), static_cast<std::uint8_t>(value)});
}

std::vector<std::uint8_t> message_of(const std::vector<std::vector<std::uint8_t>>& chain) {
    std::vector<std::uint8_t> list;
    for (const auto& der : chain) {
        put24(list, der.size());
        list.insert(list.end(), der.begin(), der.end());
    }
    std::vector<std::uint8_t> out;
    put24(out, list.size());
    out.insert(out.end(), list.begin(), list.end());
    return out;
}

TEST(Certificate, ShowsNamesAndDates) {
    const auto der = make_der(
        "Zoë\x01", "DNS:example.com,URI:sip:example.com,IP:192.0.2.1,IP:2001:db8::1,email:a@b.c");
    const auto read = read_certificate(der);
    EXPECT_EQ(read.subject, "CN=Zoë\\01,O=Example\\, Inc");
    EXPECT_EQ(read.names,
              (std::vector<std::string>{"DNS:example.com", "URI:sip:example.com", "IP:192.0.2.1",
                                        "IP:2001:db8::1", "email:a@b.c"}));
    EXPECT_EQ(to_rfc3339(read.not_before), "2026-05-01T10:00:00.000000Z");
    EXPECT_EQ(read.not_after.ns, INT64_MAX); // beyond what an Instant holds
}

TEST(Certificate, ThatIsCutShortIsMalformed) {
    const auto der = make_der("x", "DNS:example.com");
    for (std::size_t size = 0; size < der.size(); ++size) {
        EXPECT_EQ(read_certificate(Bytes{der}.first(size)).subject, "(malformed)");
    }
}

TEST(CertificateCache, ParsesAChainOnce) {
    Hasher hasher;
    CertificateCache cache;
    const auto body = message_of({make_der("leaf", nullptr), make_der("ca", nullptr)});
    const auto first = cache.get(body, false, hasher);
    const auto second = cache.get(std::vector(body), false, hasher);
    ASSERT_EQ(first.certificates->size(), 2U);
    EXPECT_EQ(first.certificates->at(1).subject, "CN=ca,O=Example\\, Inc");
    EXPECT_EQ(first.certificates, second.certificates); // the same object
    EXPECT_NE(first.leaf_key, nullptr);
}

TEST(CertificateCache, KeepsItsBounds) {
    Hasher hasher;
    CertificateCache cache;
    const auto der = make_der("leaf", nullptr);
    const auto body = message_of(
        std::vector<std::vector<std::uint8_t>>(3 * CertificateCache::longest_chain, der));
    EXPECT_EQ(cache.get(body, false, hasher).certificates->size(), CertificateCache::longest_chain);
    for (std::size_t size = 0; size < body.size(); size += 97) {
        const auto chain = cache.get(Bytes{body}.first(size), false, hasher);
        EXPECT_EQ(chain.certificates->size(), 0U); // its length is wrong
    }
    const auto empty = cache.get(message_of({}), false, hasher);
    ASSERT_NE(empty.certificates, nullptr);
    EXPECT_TRUE(empty.certificates->empty());
}

} // namespace
} // namespace cw::capture::tls
