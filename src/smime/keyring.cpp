#include "smime/keyring.hpp"

#include <algorithm>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace cw::smime {

namespace {

crypto::CertificatePtr share_certificate(const X509* certificate) {
    auto* shared = const_cast<X509*>(certificate);
    X509_up_ref(shared);
    return crypto::CertificatePtr{shared};
}

} // namespace

std::string person_of(const X509* certificate) {
    const auto facts = crypto::describe(certificate);
    if (facts.identity.users.empty()) {
        return facts.name;
    }
    const auto& uri = facts.identity.users.front();
    return uri.substr(uri.find(':') + 1);
}

Result<std::size_t> Keyring::add_pem(std::string_view text) {
    std::size_t count = 0;
    bool encrypted = false;
    constexpr std::string_view begin = "-----BEGIN ";
    for (auto at = text.find(begin); at != std::string_view::npos;) {
        const auto next = text.find(begin, at + begin.size());
        const auto block = text.substr(at, next - at);
        at = next;
        const auto title = block.substr(0, block.find('\n'));
        if (title.contains("PRIVATE KEY")) {
            if (keys_.size() == most_private_keys) {
                return fail(Code::LimitExceeded, 0, "more than 64 private keys");
            }
            if (auto key = crypto::read_key(block)) {
                keys_.push_back(std::move(*key));
                ++count;
            } else {
                encrypted = encrypted || key.error().code == Code::Unsupported;
            }
        }
    }
    if (auto found = crypto::read_certificates(text)) {
        for (auto& certificate : *found) {
            if (certificates_.size() == crypto::most_certificates) {
                return fail(Code::LimitExceeded, 0, "more than 1000 certificates");
            }
            certificates_.push_back(std::move(certificate));
            ++count;
        }
    }
    return encrypted ? fail(Code::Unsupported, 0, "its private key is encrypted")
                     : Result<std::size_t>{count};
}

void Keyring::add(const crypto::Credential& credential) {
    EVP_PKEY_up_ref(credential.key.get());
    keys_.emplace_back(credential.key.get());
    add_certificate(credential.certificate.get());
}

void Keyring::add_all(const crypto::KeyRing& given) {
    for (const auto& key : given.all_keys()) {
        if (keys_.size() < most_private_keys) {
            EVP_PKEY_up_ref(key.get());
            keys_.emplace_back(key.get());
        }
    }
    for (const auto& certificate : given.certificates()) {
        add_certificate(certificate.get());
    }
}

void Keyring::add_certificate(const X509* certificate) {
    certificates_.push_back(share_certificate(certificate));
}

void Keyring::trust(const X509* ca) {
    trusted_.push_back(share_certificate(ca));
}

Result<void> Keyring::add_trusted(std::string_view pem) {
    auto found = crypto::read_certificates(pem);
    if (!found) {
        return std::unexpected{found.error()};
    }
    std::ranges::move(*found, std::back_inserter(trusted_));
    return {};
}

Result<void> Keyring::add_crls(std::string_view pem) {
    auto found = crypto::read_crls(pem);
    if (!found) {
        return std::unexpected{found.error()};
    }
    std::ranges::move(*found, std::back_inserter(crls_));
    return {};
}

std::vector<Keyring::Opener> Keyring::openers_of(const crypto::Cms& cms) const {
    std::vector<Opener> named;
    std::vector<Opener> others;
    for (const auto& key : keys_) {
        bool known = false;
        for (const auto& certificate : certificates_) {
            if (!crypto::belong_together(certificate.get(), key.get())) {
                continue;
            }
            known = true;
            if (cms.is_for(certificate.get())) {
                named.push_back({{key.get(), certificate.get()}, person_of(certificate.get())});
            }
        }
        if (!known) {
            others.push_back({{key.get(), nullptr}, {}});
        }
    }
    named.insert(named.end(), std::make_move_iterator(others.begin()),
                 std::make_move_iterator(others.end()));
    return named;
}

std::string Keyring::person_named(const crypto::CmsName& name) const {
    std::string found;
    for (const auto& certificate : certificates_) {
        const auto* key_id = X509_get0_subject_key_id(certificate.get());
        const bool fits =
            name.key_id.empty()
                ? crypto::serial_of(certificate.get()) == name.serial &&
                      crypto::in_one_line(X509_get_issuer_name(certificate.get())) == name.issuer
                : key_id != nullptr && crypto::cms_key_id(key_id) == name.key_id;
        if (fits) {
            const auto person = person_of(certificate.get());
            // Two with one name: nobody knows which is meant.
            found = found.empty() || found == person ? person : "";
            if (found.empty()) {
                return {};
            }
        }
    }
    ERR_clear_error();
    return found;
}

} // namespace cw::smime
