// For tests: a CA, certificates and revocation lists of every fault, in files of a folder that
// vanishes at the end.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "net/tls.hpp"

namespace cw::net::test {

class Folder {
  public:
    Folder() {
        std::string name = std::filesystem::temp_directory_path() / "net-test-XXXXXX";
        path_ = mkdtemp(name.data());
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

struct Certificate {
    std::shared_ptr<X509> x509;
    std::shared_ptr<EVP_PKEY> key;
};

struct Wanted {
    std::string name = "example.com"; // common name
    std::string alternative = "DNS:example.com";
    const Certificate* issuer = nullptr; // null: self-signed
    bool ca = false;
    bool rsa = false;
    long from_s = -3600;
    long until_s = 3600;
    std::string usage{}; // extendedKeyUsage
};

inline void extend(X509* x509, X509* issuer, int nid, const std::string& value) {
    if (value.empty()) {
        return;
    }
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, x509, nullptr, nullptr, 0);
    auto* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
}

inline Certificate make(const Wanted& wanted) {
    static long serial = 1;
    Certificate made;
    made.key = {wanted.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256"), EVP_PKEY_free};
    made.x509 = {X509_new(), X509_free};
    auto* x = made.x509.get();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), wanted.from_s);
    X509_gmtime_adj(X509_getm_notAfter(x), wanted.until_s);
    X509_set_pubkey(x, made.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(wanted.name.c_str()), -1, -1,
                               0);
    const auto& issuer = wanted.issuer != nullptr ? *wanted.issuer : made;
    X509_set_issuer_name(x, X509_get_subject_name(issuer.x509.get()));
    extend(x, issuer.x509.get(), NID_basic_constraints,
           wanted.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    extend(x, issuer.x509.get(), NID_subject_alt_name, wanted.alternative);
    extend(x, issuer.x509.get(), NID_ext_key_usage, wanted.usage);
    X509_sign(x, issuer.key.get(), EVP_sha256());
    return made;
}

inline Certificate make_ca(const std::string& name, const Certificate* issuer = nullptr) {
    return make({.name = name, .alternative = "", .issuer = issuer, .ca = true});
}

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

inline void write_certificates(const std::string& path, const std::vector<Certificate>& all) {
    const File file{std::fopen(path.c_str(), "w"), std::fclose};
    for (const auto& one : all) {
        PEM_write_X509(file.get(), one.x509.get());
    }
}

// NAME.pem with the leaf and what follows it, and NAME.key.
inline CertificateFiles write(const Folder& folder, const std::string& name,
                              const std::vector<Certificate>& chain) {
    CertificateFiles files{folder.file(name + ".pem"), folder.file(name + ".key")};
    write_certificates(files.certificate, chain);
    const File file{std::fopen(files.key.c_str(), "w"), std::fclose};
    PEM_write_PrivateKey(file.get(), chain[0].key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return files;
}

struct List {
    Certificate issuer;
    std::vector<Certificate> revoked;
    long until_s = 3600;
};

inline void write_lists(const std::string& path, const std::vector<List>& lists) {
    const File file{std::fopen(path.c_str(), "w"), std::fclose};
    for (const auto& list : lists) {
        const std::shared_ptr<X509_CRL> crl{X509_CRL_new(), X509_CRL_free};
        X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2);
        X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(list.issuer.x509.get()));
        const std::shared_ptr<ASN1_TIME> time{X509_gmtime_adj(nullptr, -7200), ASN1_TIME_free};
        X509_CRL_set1_lastUpdate(crl.get(), time.get());
        X509_gmtime_adj(time.get(), list.until_s);
        X509_CRL_set1_nextUpdate(crl.get(), time.get());
        for (const auto& one : list.revoked) {
            auto* entry = X509_REVOKED_new();
            X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(one.x509.get()));
            X509_gmtime_adj(time.get(), -60);
            X509_REVOKED_set_revocationDate(entry, time.get());
            X509_CRL_add0_revoked(crl.get(), entry);
        }
        X509_CRL_sign(crl.get(), list.issuer.key.get(), EVP_sha256());
        PEM_write_X509_CRL(file.get(), crl.get());
    }
}

} // namespace cw::net::test
