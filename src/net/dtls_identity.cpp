#include <array>
#include <cstdint>

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "net/dtls.hpp"
#include "net/fingerprint.hpp"

namespace cw::net {
namespace {

constexpr std::int64_t day = 86'400;

bool set_serial(X509* certificate) {
    BIGNUM* number = BN_new();
    const bool made = number != nullptr &&
                      BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
    BN_free(number);
    return made;
}

// Nobody reads the name: the fingerprint says who this is [RFC 5763 §5].
bool set_name(X509* certificate) {
    auto* name = X509_get_subject_name(certificate);
    const auto* text = reinterpret_cast<const unsigned char*>("callwright");
    return X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, name) == 1;
}

bool set_validity(X509* certificate, Instant now) {
    const auto seconds = now.ns / 1'000'000'000;
    return ASN1_TIME_set(X509_getm_notBefore(certificate), seconds - day) != nullptr &&
           ASN1_TIME_set(X509_getm_notAfter(certificate), seconds + 30 * day) != nullptr;
}

} // namespace

std::expected<std::shared_ptr<const DtlsIdentity>, std::string> DtlsIdentity::make(Instant now) {
    std::shared_ptr<DtlsIdentity> out{new DtlsIdentity};
    out->key_ = EVP_EC_gen("P-256");
    out->certificate_ = X509_new();
    auto* certificate = out->certificate_;
    const bool made = out->key_ != nullptr && certificate != nullptr &&
                      X509_set_version(certificate, X509_VERSION_3) == 1 &&
                      set_serial(certificate) && set_name(certificate) &&
                      set_validity(certificate, now) &&
                      X509_set_pubkey(certificate, out->key_) == 1 &&
                      X509_sign(certificate, out->key_, EVP_sha256()) != 0;
    if (!made) {
        return std::unexpected("OpenSSL could not make a certificate for DTLS");
    }
    out->fingerprint_ = fingerprint_of(certificate, FingerprintHash::Sha256);
    return out;
}

DtlsIdentity::~DtlsIdentity() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
}

} // namespace cw::net
