// The Cryptographic Message Syntax [RFC 5652], with AES-GCM too: what S/MIME puts into SIP
// bodies, as DER octets. Signing, verifying, encrypting for several, opening. MIME around it is
// smime's.
//
// Everything that comes is hostile: size, signers, recipients and certificates have bounds, what is
// compressed is not opened, and no work grows faster than the input. A signature says only which
// key made it; whether the certificate can be trusted is chain.hpp's business. No clock. A Cms is
// for one thread at a time; the functions may be called from any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/cms.h>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "crypto/ca.hpp"
#include "crypto/openssl.hpp"

namespace cw::crypto {

inline constexpr std::size_t largest_cms = std::size_t{1} << 20;
inline constexpr int most_signers = 16;
inline constexpr int most_recipients = 64;
inline constexpr int most_cms_certificates = 64;

enum class CmsKind : std::uint8_t {
    Signed,
    Enveloped,
    AuthEnveloped, // AES-GCM: what was changed on the way is found out
    Other,         // compressed, digested, …
};

// How a signer or recipient is named: by issuer and serial number, or by the key.
struct CmsName {
    std::string issuer; // RFC 2253
    std::string serial; // "3FA9…"
    std::string key_id; // the subject key identifier in hexadecimal; then the others are empty
};
std::string cms_key_id(const ASN1_OCTET_STRING* octets); // as CmsName has it
std::string describe(const CmsName& name);               // "serial 3FA9… of CN=Example CA"

struct CmsSigner {
    enum class State : std::uint8_t {
        Good,          // signed with the key of `certificate`, over this very content
        Changed,       // the content is not what was signed
        BadSignature,  // the signature does not fit the certificate that it names
        NoCertificate, // that certificate was neither sent along nor is known here
        Unsupported,   // an algorithm that is not understood
    };
    State state = State::Unsupported;
    CmsName name;
    std::string digest;         // "SHA256"
    bool weak = false;          // SHA-1 or MD5: can be forged
    CertificatePtr certificate; // the one that the name means; null: none was found
    Instant signed_at;          // as the signer says; not known() when it does not say
};

struct CmsKey {
    EVP_PKEY* key = nullptr;           // private
    const X509* certificate = nullptr; // of this key; null: it is tried on every recipient
};

class Cms {
  public:
    // Fails (Malformed, LimitExceeded) on what is no CMS, goes on behind it, or is too much.
    static Result<Cms> read(Bytes der);

    [[nodiscard]] CmsKind kind() const { return kind_; }
    [[nodiscard]] std::string type() const; // "id-smime-ct-compressedData"
    // Of Signed: what it encloses; nothing when the signature stands beside its content. Valid as
    // long as this lives.
    [[nodiscard]] std::optional<std::string_view> content() const;
    // Of Signed: the certificates that were sent along, the signers' and others.
    [[nodiscard]] std::vector<CertificatePtr> certificates() const;
    // Of Signed: a verdict for each signer. Their certificates are looked for in those sent along
    // and in `known`; where several have the name, one that fits is taken.
    [[nodiscard]] std::vector<CmsSigner> verify(std::string_view content,
                                                std::span<const CertificatePtr> known) const;

    // Of Enveloped and AuthEnveloped: for whom it is.
    [[nodiscard]] std::vector<CmsName> recipients() const;
    [[nodiscard]] bool is_for(const X509* certificate) const;
    [[nodiscard]] std::string cipher() const; // "AES-128-GCM"; empty when it is not understood
    // What is inside. With AES-CBC a wrong key may give octets without meaning instead of an error.
    [[nodiscard]] Result<std::string> open(const CmsKey& key) const;

  private:
    struct Released {
        void operator()(CMS_ContentInfo* cms) const { CMS_ContentInfo_free(cms); }
    };
    using Pointer = std::unique_ptr<CMS_ContentInfo, Released>;
    Cms(std::string der, Pointer parsed, CmsKind kind)
        : der_(std::move(der)), parsed_(std::move(parsed)), kind_(kind) {}
    static Result<void> check_bounds(CMS_ContentInfo* cms, CmsKind kind);

    std::string der_; // OpenSSL leaves traces in what it has worked on: each opening begins anew
    Pointer parsed_;
    CmsKind kind_;
};

struct SignSpec {
    bool enclose = false;         // the content inside, instead of beside it
    bool attributes = true;       // signed attributes, with the time below
    bool send_certificate = true; // the signer's
    bool by_key_id = false;       // names the signer by its key
    std::string_view digest = "SHA256";
    Instant at = {}; // the time of signing; attributes need it
};
Result<std::string> cms_sign(std::string_view content, const Credential& signer,
                             const SignSpec& spec);

enum class ContentCipher : std::uint8_t { Aes128Gcm, Aes256Gcm, Aes128Cbc, Aes256Cbc };
// RSA keys get the content key transported, EC keys agreed upon.
Result<std::string> cms_encrypt(std::string_view content, std::span<const X509* const> recipients,
                                ContentCipher cipher);
// A body without content that carries certificates [RFC 8551 §3.8].
Result<std::string> cms_certificates(std::span<const X509* const> certificates);

} // namespace cw::crypto
