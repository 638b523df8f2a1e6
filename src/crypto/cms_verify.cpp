#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <openssl/err.h>

#include "crypto/certificate.hpp"
#include "crypto/cms.hpp"
#include "crypto/cms_names.hpp"

namespace cw::crypto {

namespace {

using BioChain = std::unique_ptr<BIO, Free<BIO_free_all>>;

// The content, run through this digest. SignedData lists digests as well, but a list is long where
// its sender wants it to be, and each of it would be computed.
BioChain digested(std::string_view content, const EVP_MD* digest) {
    BioChain chain{BIO_new(BIO_f_md())};
    BIO* sink = BIO_new(BIO_s_null());
    if (chain == nullptr || sink == nullptr || BIO_set_md(chain.get(), digest) != 1) {
        BIO_free(sink);
        return nullptr;
    }
    BIO_push(chain.get(), sink);
    std::size_t written = 0;
    const bool done = content.empty() ||
                      (BIO_write_ex(chain.get(), content.data(), content.size(), &written) == 1 &&
                       written == content.size());
    return done ? std::move(chain) : nullptr;
}

Instant signing_time_of(const CMS_SignerInfo* signer) {
    const auto* object = OBJ_nid2obj(NID_pkcs9_signingTime);
    for (const int type : {V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME}) {
        // lastpos -3: the attribute is there once, with one value
        if (const auto* value = static_cast<const ASN1_TIME*>(CMS_signed_get0_data_by_OBJ(
                const_cast<CMS_SignerInfo*>(signer), object, -3, type))) {
            return to_instant(value);
        }
    }
    return {};
}

// [RFC 5652 §11.1] It has to be there, once, and to name the type of what is signed.
bool content_type_fits(CMS_SignerInfo* signer, const ASN1_OBJECT* type) {
    const auto* said = static_cast<const ASN1_OBJECT*>(
        CMS_signed_get0_data_by_OBJ(signer, OBJ_nid2obj(NID_pkcs9_contentType), -3, V_ASN1_OBJECT));
    return said != nullptr && OBJ_cmp(said, type) == 0;
}

CmsSigner::State verify_with(CMS_SignerInfo* signer, X509* certificate, std::string_view content,
                             const EVP_MD* digest, const ASN1_OBJECT* type) {
    using State = CmsSigner::State;
    CMS_SignerInfo_set1_signer_cert(signer, certificate);
    const bool attributes = CMS_signed_get_attr_count(signer) >= 0;
    if (attributes && CMS_SignerInfo_verify(signer) <= 0) {
        return State::BadSignature;
    }
    if (attributes && !content_type_fits(signer, type)) {
        return State::Changed;
    }
    const auto chain = digested(content, digest);
    if (chain == nullptr) {
        return State::Unsupported;
    }
    // Without attributes the signature is over the content itself: which of both was changed,
    // nobody can tell.
    return CMS_SignerInfo_verify_content(signer, chain.get()) == 1 ? State::Good : State::Changed;
}

} // namespace

std::string cms_key_id(const ASN1_OCTET_STRING* octets) {
    std::string out;
    const auto size = std::min(ASN1_STRING_length(octets), 64);
    for (int i = 0; i < size; ++i) {
        out += fmt::format("{:02X}", ASN1_STRING_get0_data(octets)[i]);
    }
    return out;
}

CmsName cms_name(const ASN1_OCTET_STRING* key_id, const X509_NAME* issuer,
                 const ASN1_INTEGER* serial) {
    CmsName name;
    if (key_id != nullptr) {
        name.key_id = cms_key_id(key_id);
        return name;
    }
    if (issuer != nullptr) {
        name.issuer = in_one_line(issuer);
    }
    if (serial != nullptr) {
        name.serial = cms_key_id(serial);
    }
    return name;
}

std::vector<CmsSigner> Cms::verify(std::string_view content,
                                   std::span<const CertificatePtr> known) const {
    std::vector<CmsSigner> out;
    auto* signers = kind_ == CmsKind::Signed ? CMS_get0_SignerInfos(parsed_.get()) : nullptr;
    const auto sent = certificates();
    for (int i = 0; i < sk_CMS_SignerInfo_num(signers); ++i) {
        auto* info = sk_CMS_SignerInfo_value(signers, i);
        CmsSigner signer;
        ASN1_OCTET_STRING* key_id = nullptr;
        X509_NAME* issuer = nullptr;
        ASN1_INTEGER* serial = nullptr;
        CMS_SignerInfo_get0_signer_id(info, &key_id, &issuer, &serial);
        signer.name = cms_name(key_id, issuer, serial);
        signer.signed_at = signing_time_of(info);
        X509_ALGOR* algorithm = nullptr;
        CMS_SignerInfo_get0_algs(info, nullptr, nullptr, &algorithm, nullptr);
        const int nid = algorithm == nullptr ? NID_undef : OBJ_obj2nid(algorithm->algorithm);
        const auto* digest = EVP_get_digestbynid(nid);
        signer.digest = digest == nullptr ? "" : EVP_MD_get0_name(digest);
        signer.weak = nid == NID_sha1 || nid == NID_md5;
        // Two certificates may have one name: RFC 6216's own do.
        signer.state =
            digest == nullptr ? CmsSigner::State::Unsupported : CmsSigner::State::NoCertificate;
        int tried = 0;
        for (const auto& group : {std::span<const CertificatePtr>{sent}, known}) {
            for (const auto& candidate : group) {
                if (digest == nullptr || signer.state == CmsSigner::State::Good || tried == 4 ||
                    CMS_SignerInfo_cert_cmp(info, candidate.get()) != 0) {
                    continue;
                }
                ++tried;
                signer.state = verify_with(info, candidate.get(), content, digest,
                                           CMS_get0_eContentType(parsed_.get()));
                X509_up_ref(candidate.get());
                signer.certificate.reset(candidate.get());
            }
        }
        ERR_clear_error();
        out.push_back(std::move(signer));
    }
    return out;
}

} // namespace cw::crypto
