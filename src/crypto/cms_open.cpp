#include <openssl/err.h>

#include "crypto/cms.hpp"
#include "crypto/cms_names.hpp"

namespace cw::crypto {

namespace {

template <class Visit>
void for_each_agreed_key(CMS_RecipientInfo* info, Visit visit) {
    auto* keys = CMS_RecipientInfo_kari_get0_reks(info);
    for (int i = 0; i < sk_CMS_RecipientEncryptedKey_num(keys); ++i) {
        visit(sk_CMS_RecipientEncryptedKey_value(keys, i));
    }
}

} // namespace

std::vector<CmsName> Cms::recipients() const {
    std::vector<CmsName> out;
    auto* infos = kind_ == CmsKind::Enveloped || kind_ == CmsKind::AuthEnveloped
                      ? CMS_get0_RecipientInfos(parsed_.get())
                      : nullptr;
    for (int i = 0; i < sk_CMS_RecipientInfo_num(infos); ++i) {
        auto* info = sk_CMS_RecipientInfo_value(infos, i);
        ASN1_OCTET_STRING* key_id = nullptr;
        X509_NAME* issuer = nullptr;
        ASN1_INTEGER* serial = nullptr;
        if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_TRANS) {
            CMS_RecipientInfo_ktri_get0_signer_id(info, &key_id, &issuer, &serial);
            out.push_back(cms_name(key_id, issuer, serial));
        } else if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE) {
            for_each_agreed_key(info, [&](CMS_RecipientEncryptedKey* key) {
                CMS_RecipientEncryptedKey_get0_id(key, &key_id, nullptr, nullptr, &issuer, &serial);
                out.push_back(cms_name(key_id, issuer, serial));
            });
        }
    }
    ERR_clear_error();
    return out;
}

bool Cms::is_for(const X509* certificate) const {
    auto* mutable_certificate = const_cast<X509*>(certificate); // OpenSSL caches inside
    auto* infos = kind_ == CmsKind::Enveloped || kind_ == CmsKind::AuthEnveloped
                      ? CMS_get0_RecipientInfos(parsed_.get())
                      : nullptr;
    bool found = false;
    for (int i = 0; i < sk_CMS_RecipientInfo_num(infos); ++i) {
        auto* info = sk_CMS_RecipientInfo_value(infos, i);
        if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_TRANS) {
            found = found || CMS_RecipientInfo_ktri_cert_cmp(info, mutable_certificate) == 0;
        } else if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE) {
            for_each_agreed_key(info, [&](CMS_RecipientEncryptedKey* key) {
                found = found || CMS_RecipientEncryptedKey_cert_cmp(key, mutable_certificate) == 0;
            });
        }
    }
    ERR_clear_error();
    return found;
}

// One error for whatever went wrong inside: who tells a bad key from bad padding helps the one who
// is trying.
Result<std::string> Cms::open(const CmsKey& key) const {
    const auto* at = as_bytes(der_).data();
    const Pointer fresh{d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(der_.size()))};
    const BioPtr out{BIO_new(BIO_s_mem())};
    if (fresh == nullptr || out == nullptr ||
        (kind_ != CmsKind::Enveloped && kind_ != CmsKind::AuthEnveloped)) {
        ERR_clear_error();
        return fail(Code::Malformed, 0, "it is not encrypted");
    }
    const bool opened = CMS_decrypt(fresh.get(), key.key, const_cast<X509*>(key.certificate),
                                    nullptr, out.get(), CMS_BINARY) == 1;
    ERR_clear_error();
    if (!opened) {
        return fail(Code::CryptoFailed, 0, "the key does not open it, or it was changed");
    }
    char* text = nullptr;
    const auto size = BIO_get_mem_data(out.get(), &text);
    return std::string{text, static_cast<std::size_t>(size < 0 ? 0 : size)};
}

} // namespace cw::crypto
