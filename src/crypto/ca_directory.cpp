#include "crypto/ca_directory.hpp"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "base/text.hpp"
#include "crypto/certificate.hpp"
#include "crypto/identity.hpp"

namespace cw::crypto {

namespace {

constexpr std::size_t largest_file = std::size_t{4} * 1024 * 1024;
constexpr Duration worth_keeping = seconds(3 * 86400);

std::unexpected<CaFailure> failed(const Error& error, std::string where) {
    return std::unexpected{CaFailure{error.code, std::move(where), error.what}};
}
std::unexpected<CaFailure> failed(Code code, std::string where, std::string why) {
    return std::unexpected{CaFailure{code, std::move(where), std::move(why)}};
}

CaResult<void> write(const std::string& path, std::string_view text, mode_t mode,
                     IfThere if_there) {
    if (auto r = write_whole(path, text, mode, if_there); !r) {
        return failed(r.error(), path);
    }
    return {};
}

// No question at the terminal: an encrypted key is an error.
int no_password(char*, int, int, void*) {
    return -1;
}

template <class Parse>
auto parse_pem(std::string_view text, Parse parse) {
    const BioPtr bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    auto* result = bio == nullptr ? nullptr : parse(bio.get());
    ERR_clear_error();
    return result;
}

CaResult<CertificatePtr> load_certificate(const std::string& path) {
    const auto text = read_whole(path, largest_file);
    if (!text) {
        return failed(text.error(), path);
    }
    CertificatePtr certificate{parse_pem(
        *text, [](BIO* bio) { return PEM_read_bio_X509(bio, nullptr, no_password, nullptr); })};
    if (certificate == nullptr) {
        return failed(Code::Malformed, path, "no certificate in PEM");
    }
    return certificate;
}

CaResult<Credential> load_credential(const std::string& path) {
    auto certificate = load_certificate(path + "/ca.pem");
    if (!certificate) {
        return std::unexpected{certificate.error()};
    }
    auto text = read_whole(path + "/ca.key", largest_file);
    if (!text) {
        return failed(text.error(), path + "/ca.key");
    }
    auto key = read_key(*text);
    OPENSSL_cleanse(text->data(), text->size());
    if (!key) {
        return failed(key.error(), path + "/ca.key");
    }
    if (!belong_together(certificate->get(), key->get())) {
        return failed(Code::CryptoFailed, path + "/ca.key", "does not belong to ca.pem");
    }
    return Credential{std::move(*certificate), std::move(*key)};
}

Instant end_of(const X509* certificate) {
    return to_instant(X509_get0_notAfter(certificate));
}

CaResult<void> write_key_and_certificate(const std::string& base, const Credential& made,
                                         IfThere if_there) {
    std::error_code ignored;
    if (if_there == IfThere::Refuse && std::filesystem::exists(base + ".pem", ignored)) {
        return failed(Code::Usage, base + ".pem", "is there already");
    }
    // The key first: a certificate without its key would be of no use.
    auto key = to_pem(made.key.get());
    auto written = write(base + ".key", key, for_owner, if_there);
    OPENSSL_cleanse(key.data(), key.size());
    if (!written) {
        return written;
    }
    return write(base + ".pem", to_pem(made.certificate.get()), for_all, if_there);
}

bool is_serial(std::string_view text) {
    return !text.empty() && text.size() <= 40 && text.size() % 2 == 0 &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool covers(const Identity& identity, const LeafSpec& spec) {
    return std::ranges::all_of(spec.domains, [&](auto& d) { return identity.speaks_for(d); }) &&
           std::ranges::all_of(spec.users, [&](auto& u) { return identity.speaks_for_user(u); }) &&
           std::ranges::all_of(spec.addresses,
                               [&](auto& a) { return identity.speaks_for(to_string(a)); });
}

} // namespace

std::string file_name_of(const LeafSpec& spec) {
    auto name = !spec.domains.empty()     ? spec.domains.front()
                : !spec.users.empty()     ? spec.users.front()
                : !spec.addresses.empty() ? to_string(spec.addresses.front())
                                          : std::string{};
    std::ranges::replace_if(name, [](char c) { return c == '/' || c == ':'; }, '_');
    return name;
}

CaResult<CaDirectory> CaDirectory::create(const std::string& path, const CaSpec& spec,
                                          IfThere if_there) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) {
        std::filesystem::create_directories(path, error);
        if (!std::filesystem::is_directory(path, error)) {
            return failed(Code::CannotRead, path, "the directory cannot be made");
        }
        std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
    }
    auto made = make_ca(spec);
    if (!made) {
        return failed(made.error(), spec.name);
    }
    if (auto r = write_key_and_certificate(path + "/ca", *made, if_there); !r) {
        return std::unexpected{r.error()};
    }
    // The list of a CA that is no more would be refused everywhere.
    std::filesystem::remove(path + "/crl.pem", error);
    return CaDirectory{path, std::move(*made)};
}

CaResult<CaDirectory> CaDirectory::open(const std::string& path) {
    auto loaded = load_credential(path);
    if (!loaded) {
        return std::unexpected{loaded.error()};
    }
    return CaDirectory{path, std::move(*loaded)};
}

CaResult<CaDirectory> CaDirectory::open_or_create(const std::string& path, const CaSpec& spec) {
    std::error_code ignored;
    if (std::filesystem::exists(path + "/ca.pem", ignored)) {
        return open(path);
    }
    return create(path, spec, IfThere::Refuse);
}

CaResult<IssuedFiles> CaDirectory::issue(LeafSpec spec, IfThere if_there) {
    spec.validity.until = std::min(spec.validity.until, end_of(ca_.certificate.get()));
    const auto name = file_name_of(spec);
    if (name == "ca" || name == "crl" || name == "issued") {
        return failed(Code::Usage, name, "the CA's own files have this name");
    }
    auto made = crypto::issue(ca_, spec);
    if (!made) {
        return failed(made.error(), name);
    }
    const auto base = path_ + "/" + name;
    const auto serial = serial_of(made->certificate.get());
    std::error_code error;
    std::filesystem::create_directories(path_ + "/issued", error);
    if (auto r = write_key_and_certificate(base, *made, if_there); !r) {
        return std::unexpected{r.error()};
    }
    if (auto r = write(path_ + "/issued/" + serial + ".pem", to_pem(made->certificate.get()),
                       for_all, IfThere::Refuse);
        !r) {
        return std::unexpected{r.error()};
    }
    return IssuedFiles{base + ".pem", base + ".key", serial, spec.validity, true};
}

CaResult<IssuedFiles> CaDirectory::keep_issued(const LeafSpec& spec, Instant now) {
    const auto base = path_ + "/" + file_name_of(spec);
    std::error_code ignored;
    if (const auto old = load_certificate(base + ".pem");
        old && std::filesystem::exists(base + ".key", ignored)) {
        auto* certificate = old->get();
        const auto identity = read_identity(certificate);
        const bool ours = X509_verify(certificate, X509_get0_pubkey(ca_.certificate.get())) == 1;
        ERR_clear_error();
        if (ours && identity && covers(*identity, spec) &&
            end_of(certificate) - now > worth_keeping) {
            return IssuedFiles{base + ".pem",
                               base + ".key",
                               serial_of(certificate),
                               {spec.validity.from, end_of(certificate)},
                               false};
        }
    }
    return issue(spec, IfThere::Replace);
}

CaResult<std::string> CaDirectory::serial_meant_by(const std::string& what) const {
    std::error_code ignored;
    const auto by_name = path_ + "/" + what + ".pem";
    const bool is_file = std::filesystem::is_regular_file(what, ignored);
    const bool is_name =
        what.find('/') == std::string::npos && std::filesystem::is_regular_file(by_name, ignored);
    if (!is_file && !is_name) {
        if (!is_serial(what)) {
            return failed(Code::NotFound, what,
                          "neither a certificate's file, nor a name that was issued here, nor a "
                          "serial number");
        }
        std::string serial = what;
        std::ranges::transform(serial, serial.begin(),
                               [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        if (!std::filesystem::exists(path_ + "/issued/" + serial + ".pem", ignored)) {
            return failed(Code::NotFound, what, "no certificate of this serial number is known");
        }
        return serial;
    }
    const auto& file = is_file ? what : by_name;
    const auto certificate = load_certificate(file);
    if (!certificate) {
        return std::unexpected{certificate.error()};
    }
    const int ours = X509_verify(certificate->get(), X509_get0_pubkey(ca_.certificate.get()));
    ERR_clear_error();
    if (ours != 1) {
        return failed(Code::Usage, file, "was not issued by this CA");
    }
    return serial_of(certificate->get());
}

CaResult<std::string> CaDirectory::revoke(const std::string& what, Instant now, int days) {
    auto serial = serial_meant_by(what);
    if (!serial) {
        return serial;
    }
    if (auto r = write_crl(&*serial, now, days); !r) {
        return std::unexpected{r.error()};
    }
    return serial;
}

CaResult<void> CaDirectory::renew_crl(Instant now, int days) {
    return write_crl(nullptr, now, days);
}

CaResult<void> CaDirectory::write_crl(const std::string* serial, Instant now, int days) {
    std::vector<Revocation> revoked;
    std::uint64_t number = 0;
    if (const auto text = read_whole(crl_file(), largest_file)) {
        const CrlPtr old{parse_pem(*text, [](BIO* bio) {
            return PEM_read_bio_X509_CRL(bio, nullptr, no_password, nullptr);
        })};
        if (old == nullptr) { // never forget who was revoked
            return failed(Code::Malformed, crl_file(), "no revocation list in PEM");
        }
        revoked = revocations_of(old.get());
        number = number_of(old.get());
    } else if (text.error().code != Code::NotFound) {
        return failed(text.error(), crl_file());
    }
    if (serial != nullptr &&
        std::ranges::find(revoked, *serial, &Revocation::serial) == revoked.end()) {
        revoked.push_back({*serial, now});
    }
    const auto crl =
        make_crl(ca_, revoked, now, now + seconds(std::int64_t{days} * 86400), number + 1);
    if (!crl) {
        return failed(crl.error(), crl_file());
    }
    return write(crl_file(), to_pem(crl->get()), for_all, IfThere::Replace);
}

} // namespace cw::crypto
