#include <ctime>

#include <openssl/err.h>

#include "crypto/cms.hpp"

namespace cw::crypto {

namespace {

using WrittenCms = std::unique_ptr<CMS_ContentInfo, Free<CMS_ContentInfo_free>>;
using AsnTime = std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>>;

std::unexpected<Error> cannot_write(const char* what) {
    ERR_clear_error();
    return fail(Code::CryptoFailed, 0, what);
}

BioPtr reading(std::string_view content) {
    return BioPtr{BIO_new_mem_buf(content.data(), static_cast<int>(content.size()))};
}

Result<std::string> to_der(const CMS_ContentInfo* cms) {
    unsigned char* der = nullptr;
    const int size = i2d_CMS_ContentInfo(cms, &der);
    if (size <= 0) {
        return cannot_write("the CMS cannot be written");
    }
    std::string out{reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)};
    OPENSSL_free(der);
    ERR_clear_error();
    return out;
}

const EVP_CIPHER* evp_of(ContentCipher cipher) {
    switch (cipher) {
    case ContentCipher::Aes128Gcm:
        return EVP_aes_128_gcm();
    case ContentCipher::Aes256Gcm:
        return EVP_aes_256_gcm();
    case ContentCipher::Aes128Cbc:
        return EVP_aes_128_cbc();
    case ContentCipher::Aes256Cbc:
        break;
    }
    return EVP_aes_256_cbc();
}

bool add_signing_time(CMS_SignerInfo* signer, Instant at) {
    const AsnTime time{ASN1_TIME_set(nullptr, static_cast<std::time_t>(at.ns / 1'000'000'000))};
    return time != nullptr && CMS_signed_add1_attr_by_NID(signer, NID_pkcs9_signingTime, time->type,
                                                          time.get(), -1) == 1;
}

// Agreement on a key with SHA-256 [RFC 8551 §2.3] instead of OpenSSL's SHA-1.
bool add_recipient(CMS_ContentInfo* cms, const X509* certificate) {
    auto* info = CMS_add1_recipient_cert(cms, const_cast<X509*>(certificate), CMS_KEY_PARAM);
    if (info == nullptr) {
        return false;
    }
    auto* context = CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE
                        ? CMS_RecipientInfo_get0_pkey_ctx(info)
                        : nullptr;
    return context == nullptr || EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) > 0;
}

} // namespace

Result<std::string> cms_sign(std::string_view content, const Credential& signer,
                             const SignSpec& spec) {
    if (spec.attributes && !spec.at.known()) {
        return fail(Code::Usage, 0, "the time of signing is not given");
    }
    const auto data = reading(content);
    const auto* digest = EVP_get_digestbyname(std::string{spec.digest}.c_str());
    unsigned flags = CMS_BINARY | CMS_PARTIAL | CMS_NOSMIMECAP;
    flags |= spec.enclose ? 0U : CMS_DETACHED;
    flags |= spec.attributes ? 0U : CMS_NOATTR;
    flags |= spec.send_certificate ? 0U : CMS_NOCERTS;
    flags |= spec.by_key_id ? CMS_USE_KEYID : 0U;
    const WrittenCms cms{CMS_sign(nullptr, nullptr, nullptr, data.get(), flags)};
    auto* info =
        cms == nullptr || digest == nullptr
            ? nullptr
            : CMS_add1_signer(cms.get(), signer.certificate.get(), signer.key.get(), digest, flags);
    // Without a time from us OpenSSL asks the clock.
    const bool timed = info != nullptr && (!spec.attributes || add_signing_time(info, spec.at));
    if (!timed || CMS_final(cms.get(), data.get(), nullptr, flags) != 1) {
        return cannot_write("it cannot be signed with this key");
    }
    return to_der(cms.get());
}

Result<std::string> cms_encrypt(std::string_view content, std::span<const X509* const> recipients,
                                ContentCipher cipher) {
    const auto data = reading(content);
    constexpr unsigned flags = CMS_BINARY | CMS_PARTIAL;
    const WrittenCms cms{CMS_encrypt(nullptr, data.get(), evp_of(cipher), flags)};
    if (cms == nullptr || recipients.empty()) {
        return cannot_write("nothing can be encrypted for nobody");
    }
    for (const auto* recipient : recipients) {
        if (!add_recipient(cms.get(), recipient)) {
            return cannot_write("nothing can be encrypted for this key: it is neither RSA nor EC, "
                                "or its key usage forbids it");
        }
    }
    if (CMS_final(cms.get(), data.get(), nullptr, flags) != 1) {
        return cannot_write("it cannot be encrypted");
    }
    return to_der(cms.get());
}

Result<std::string> cms_certificates(std::span<const X509* const> certificates) {
    const WrittenCms cms{CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_DETACHED)};
    bool done = cms != nullptr;
    for (const auto* certificate : certificates) {
        done = done && CMS_add1_cert(cms.get(), const_cast<X509*>(certificate)) == 1;
    }
    if (!done) {
        return cannot_write("the certificates cannot be put together");
    }
    return to_der(cms.get());
}

} // namespace cw::crypto
