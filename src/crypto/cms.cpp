#include "crypto/cms.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/err.h>

#include "crypto/certificate.hpp"
#include "crypto/cms_names.hpp"

namespace cw::crypto {

namespace {

constexpr int most_agreed_keys = 64; // within one key agreement

CmsKind kind_of_cms(const CMS_ContentInfo* cms) {
    switch (OBJ_obj2nid(CMS_get0_type(cms))) {
    case NID_pkcs7_signed:
        return CmsKind::Signed;
    case NID_pkcs7_enveloped:
        return CmsKind::Enveloped;
    case NID_id_smime_ct_authEnvelopedData:
        return CmsKind::AuthEnveloped;
    default:
        return CmsKind::Other;
    }
}

// DER elements, one after the other, of what OpenSSL has written itself.
struct Elements {
    const unsigned char* at;
    const unsigned char* end;

    // The tag of the next one, whose content is then `inside`; -1 at the end.
    int next(Elements& inside) {
        long size = 0;
        int tag = 0;
        int of_class = 0;
        const auto* begin = at;
        if (at >= end || (ASN1_get_object(&begin, &size, &tag, &of_class, end - at) & 0x80) != 0) {
            return -1;
        }
        inside = {begin, begin + size};
        at = inside.end;
        return of_class == V_ASN1_UNIVERSAL ? tag : 0x100 + tag;
    }
};

} // namespace

std::string describe(const CmsName& name) {
    return name.key_id.empty() ? fmt::format("serial {} of {}", name.serial, name.issuer)
                               : fmt::format("key {}", name.key_id);
}

// Before anything is worked on. What can cost more than it takes to send: signatures, key
// transports, certificates.
Result<void> Cms::check_bounds(CMS_ContentInfo* cms, CmsKind kind) {
    if (kind == CmsKind::Signed) {
        if (sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(cms)) > most_signers) {
            return fail(Code::LimitExceeded, 0, "more than 16 signers");
        }
        auto* certificates = CMS_get1_certs(cms);
        const auto count = sk_X509_num(certificates);
        sk_X509_pop_free(certificates, X509_free);
        if (count > most_cms_certificates) {
            return fail(Code::LimitExceeded, 0, "more than 64 certificates are sent along");
        }
    }
    if (kind == CmsKind::Enveloped || kind == CmsKind::AuthEnveloped) {
        auto* infos = CMS_get0_RecipientInfos(cms);
        int count = sk_CMS_RecipientInfo_num(infos);
        for (int i = 0; i < sk_CMS_RecipientInfo_num(infos) && count <= most_recipients; ++i) {
            auto* info = sk_CMS_RecipientInfo_value(infos, i);
            if (CMS_RecipientInfo_type(info) == CMS_RECIPINFO_AGREE) {
                count +=
                    sk_CMS_RecipientEncryptedKey_num(CMS_RecipientInfo_kari_get0_reks(info)) - 1;
            }
        }
        if (count > most_recipients) {
            return fail(Code::LimitExceeded, 0, "more than 64 recipients");
        }
    }
    return {};
}

Result<Cms> Cms::read(Bytes der) {
    if (der.size() > largest_cms) {
        return fail(Code::LimitExceeded, 0, "a CMS body of more than 1 MiB");
    }
    const auto* at = der.data();
    Pointer parsed{d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(der.size()))};
    ERR_clear_error();
    if (parsed == nullptr) {
        return fail(Code::Malformed, 0, "no CMS: its DER cannot be read");
    }
    if (at != der.data() + der.size()) {
        return fail(Code::Malformed, static_cast<std::size_t>(at - der.data()),
                    "octets follow the CMS");
    }
    const auto kind = kind_of_cms(parsed.get());
    if (const auto good = check_bounds(parsed.get(), kind); !good) {
        ERR_clear_error();
        return std::unexpected{good.error()};
    }
    ERR_clear_error();
    return Cms{std::string{as_text(der)}, std::move(parsed), kind};
}

std::string Cms::type() const {
    std::array<char, 80> text{};
    OBJ_obj2txt(text.data(), text.size(), CMS_get0_type(parsed_.get()), 0);
    return text.data();
}

std::optional<std::string_view> Cms::content() const {
    auto** at = kind_ == CmsKind::Signed ? CMS_get0_content(parsed_.get()) : nullptr;
    ERR_clear_error();
    if (at == nullptr || *at == nullptr) {
        return std::nullopt;
    }
    return std::string_view{reinterpret_cast<const char*>(ASN1_STRING_get0_data(*at)),
                            static_cast<std::size_t>(std::max(ASN1_STRING_length(*at), 0))};
}

std::vector<CertificatePtr> Cms::certificates() const {
    std::vector<CertificatePtr> out;
    auto* certificates = kind_ == CmsKind::Signed ? CMS_get1_certs(parsed_.get()) : nullptr;
    for (int i = 0; i < sk_X509_num(certificates); ++i) {
        out.emplace_back(sk_X509_value(certificates, i));
    }
    sk_X509_free(certificates); // the list; its members have owners now
    ERR_clear_error();
    return out;
}

// EncryptedContentInfo's algorithm [RFC 5652 §6.1], which OpenSSL shows nobody.
std::string Cms::cipher() const {
    unsigned char* der = nullptr;
    const int size = i2d_CMS_ContentInfo(parsed_.get(), &der);
    const std::unique_ptr<unsigned char, decltype([](unsigned char* p) { OPENSSL_free(p); })> owner{
        der};
    ERR_clear_error();
    if (size <= 0 || kind_ == CmsKind::Signed || kind_ == CmsKind::Other) {
        return {};
    }
    Elements outer{der, der + size};
    Elements info{};
    Elements skipped{};
    Elements tagged{};
    Elements data{};
    if (outer.next(info) != V_ASN1_SEQUENCE || info.next(skipped) != V_ASN1_OBJECT ||
        info.next(tagged) != 0x100 || tagged.next(data) != V_ASN1_SEQUENCE) {
        return {};
    }
    int tag = 0;
    while (tag >= 0 && tag != V_ASN1_SEQUENCE) { // version, originator, recipients
        tag = data.next(skipped);
    }
    Elements content = skipped;
    Elements algorithm{};
    if (tag < 0 || content.next(skipped) != V_ASN1_OBJECT ||
        content.next(algorithm) != V_ASN1_SEQUENCE) {
        return {};
    }
    const auto* at = algorithm.at;
    const std::unique_ptr<ASN1_OBJECT, Free<ASN1_OBJECT_free>> object{
        d2i_ASN1_OBJECT(nullptr, &at, algorithm.end - algorithm.at)};
    ERR_clear_error();
    const auto* cipher = object == nullptr ? nullptr : EVP_get_cipherbyobj(object.get());
    switch (cipher == nullptr ? NID_undef : EVP_CIPHER_get_nid(cipher)) {
    case NID_undef:
        return {};
    case NID_aes_128_gcm: // "id-aes128-GCM"
        return "AES-128-GCM";
    case NID_aes_256_gcm:
        return "AES-256-GCM";
    default:
        return EVP_CIPHER_get0_name(cipher);
    }
}

} // namespace cw::crypto
