// What somebody has to read and judge S/MIME bodies with: private keys, certificates of people, CAs
// that are trusted, revocation lists. Filled by one thread; then any number may look.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "crypto/certificate.hpp"
#include "crypto/cms.hpp"
#include "crypto/key_log.hpp"

namespace cw::smime {

inline constexpr std::size_t most_private_keys = 64;

class Keyring {
  public:
    // All private keys and certificates of a PEM text; what else is in it is passed over. Returns
    // how many there were. Unsupported when a key in it is encrypted, LimitExceeded when there are
    // too many.
    Result<std::size_t> add_pem(std::string_view text);
    void add(const crypto::Credential& credential); // shares it
    // The private keys and certificates that were given to read captures with.
    void add_all(const crypto::KeyRing& given);
    void add_certificate(const X509* certificate);
    void trust(const X509* ca);
    // All of a PEM text. Malformed when there is none.
    Result<void> add_trusted(std::string_view pem);
    Result<void> add_crls(std::string_view pem);

    struct Opener {
        crypto::CmsKey key;
        std::string name; // of the certificate; empty when there is none
    };
    // The keys that may open this, those whose certificate it names first.
    [[nodiscard]] std::vector<Opener> openers_of(const crypto::Cms& cms) const;
    // "bob@example.com" for who is named like this in CMS; empty when nobody of this name is known.
    [[nodiscard]] std::string person_named(const crypto::CmsName& name) const;

    [[nodiscard]] const std::vector<crypto::CertificatePtr>& certificates() const {
        return certificates_;
    }
    [[nodiscard]] const std::vector<crypto::CertificatePtr>& trusted() const { return trusted_; }
    [[nodiscard]] const std::vector<crypto::CrlPtr>& crls() const { return crls_; }
    [[nodiscard]] bool has_keys() const { return !keys_.empty(); }

  private:
    std::vector<crypto::KeyPtr> keys_;
    std::vector<crypto::CertificatePtr> certificates_;
    std::vector<crypto::CertificatePtr> trusted_;
    std::vector<crypto::CrlPtr> crls_;
};

// Whom a certificate is of, shortest: "bob@example.com", or its name.
std::string person_of(const X509* certificate);

} // namespace cw::smime
