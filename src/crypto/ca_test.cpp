#include "crypto/ca.hpp"

#include <filesystem>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/ca_directory.hpp"
#include "crypto/identity.hpp"
#include "crypto/ocsp.hpp"
#include "crypto/test_certificates.hpp"

namespace cw::crypto {
namespace {

using Strings = std::vector<std::string>;

// OpenSSL's verdict: X509_V_OK, or why not.
int verify(const X509* root, const X509* leaf, X509* between = nullptr, X509_CRL* crl = nullptr) {
    const std::unique_ptr<X509_STORE, Free<X509_STORE_free>> store{X509_STORE_new()};
    X509_STORE_add_cert(store.get(), const_cast<X509*>(root));
    const std::unique_ptr<X509_STORE_CTX, Free<X509_STORE_CTX_free>> context{X509_STORE_CTX_new()};
    auto* chain = sk_X509_new_null();
    if (between != nullptr) {
        sk_X509_push(chain, between);
    }
    X509_STORE_CTX_init(context.get(), store.get(), const_cast<X509*>(leaf), chain);
    auto* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_time(parameters, made::now.ns / 1'000'000'000);
    X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
    X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER);
    if (crl != nullptr) {
        X509_STORE_add_crl(store.get(), crl);
        X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_CRL_CHECK);
    }
    const int good = X509_verify_cert(context.get());
    sk_X509_free(chain);
    return good == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context.get());
}

LeafSpec leaf(const char* name) {
    return {.domains = {name}, .validity = valid_for(made::now, 30)};
}

TEST(Ca, WhatItIssuesVerifiesStrictlyAndSpeaksForItsNames) {
    const auto ca = made::ca();
    for (const auto kind : {KeyKind::EcdsaP256, KeyKind::Rsa2048, KeyKind::Ed25519}) {
        auto spec = leaf("example.com");
        spec.kind = kind;
        spec.users = {"alice@example.com"};
        spec.addresses = {*IpAddress::parse("192.0.2.1"), *IpAddress::parse("2001:db8::1")};
        const auto made = issue(ca, spec);
        ASSERT_TRUE(made) << made.error().what;
        EXPECT_EQ(verify(ca.certificate.get(), made->certificate.get()), X509_V_OK);
        EXPECT_EQ(X509_check_private_key(made->certificate.get(), made->key.get()), 1);
        const auto identity = read_identity(made->certificate.get());
        ASSERT_TRUE(identity);
        EXPECT_EQ(identity->domains, Strings{"example.com"});
        EXPECT_TRUE(identity->from_uris);
        EXPECT_TRUE(identity->speaks_for_user("alice@example.com"));
        EXPECT_TRUE(identity->speaks_for("2001:db8::1"));
        EXPECT_TRUE(identity->speaks_for("192.0.2.1"));
    }
}

TEST(Ca, AnIntermediateIsNeededAndCounts) {
    const auto root = make_ca({.validity = valid_for(made::now, 99), .path_length = 1});
    const auto between =
        make_intermediate(*root, {.name = "Below", .validity = valid_for(made::now, 90)});
    const auto made = issue(*between, leaf("example.com"));
    EXPECT_EQ(verify(root->certificate.get(), made->certificate.get(), between->certificate.get()),
              X509_V_OK);
    EXPECT_EQ(verify(root->certificate.get(), made->certificate.get()),
              X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    // Path length 0: none may follow below it.
    const auto strict = made::ca();
    const auto below =
        make_intermediate(strict, {.name = "Too deep", .validity = valid_for(made::now, 90)});
    const auto deep = issue(*below, leaf("a.example"));
    EXPECT_EQ(verify(strict.certificate.get(), deep->certificate.get(), below->certificate.get()),
              X509_V_ERR_PATH_LENGTH_EXCEEDED);
}

TEST(Ca, IssuesWhatIsWrongWhenAsked) {
    const auto ca = made::ca();
    auto spec = leaf("example.com");
    spec.validity = {made::now - seconds(86400 * 2), made::now - seconds(86400)};
    EXPECT_EQ(verify(ca.certificate.get(), issue(ca, spec)->certificate.get()),
              X509_V_ERR_CERT_HAS_EXPIRED);
    spec.validity = {made::now + seconds(86400), made::now + seconds(86400 * 2)};
    EXPECT_EQ(verify(ca.certificate.get(), issue(ca, spec)->certificate.get()),
              X509_V_ERR_CERT_NOT_YET_VALID);
    spec = leaf("example.com");
    spec.server_auth = false;
    EXPECT_EQ(verify(ca.certificate.get(), issue(ca, spec)->certificate.get()),
              X509_V_ERR_INVALID_PURPOSE);
    EXPECT_EQ(verify(made::ca("Another CA").certificate.get(),
                     issue(ca, leaf("example.com"))->certificate.get()),
              X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
}

TEST(Ca, SaysWhereToAskWhetherItIsRevoked) {
    const auto ca = made::ca();
    auto spec = leaf("example.com");
    spec.ocsp_url = "http://ca.example.com:8888/";
    spec.crl_url = "http://ca.example.com/crl.pem";
    const auto made = issue(ca, spec);
    ASSERT_TRUE(made);
    EXPECT_EQ(verify(ca.certificate.get(), made->certificate.get()), X509_V_OK);
    EXPECT_EQ(ocsp_url(made->certificate.get()), spec.ocsp_url);
    EXPECT_EQ(describe(made->certificate.get()).revocation,
              (Strings{"OCSP http://ca.example.com:8888/", "CRL http://ca.example.com/crl.pem"}));
    EXPECT_TRUE(describe(issue(ca, leaf("example.com"))->certificate.get()).revocation.empty());
    for (const auto* wrong :
         {"ca.example.com", "ldap://x/", "http://", "http://a b/", "http://a\n"}) {
        spec.ocsp_url = wrong;
        EXPECT_FALSE(issue(ca, spec)) << wrong;
    }
}

TEST(Ca, SerialNumbersDiffer) {
    const auto ca = made::ca();
    const auto a = serial_of(issue(ca, leaf("example.com"))->certificate.get());
    const auto b = serial_of(issue(ca, leaf("example.com"))->certificate.get());
    EXPECT_NE(a, b);
    EXPECT_EQ(a.size(), 32U);
}

TEST(Ca, ANameTooLongForTheSubjectLeavesItEmptyAndTheNamesCritical) {
    const auto label = std::string(60, 'a');
    const auto made = issue(made::ca(), leaf((label + "." + label + ".example").c_str()));
    ASSERT_TRUE(made);
    auto* certificate = made->certificate.get();
    EXPECT_EQ(X509_NAME_entry_count(X509_get_subject_name(certificate)), 0);
    const int at = X509_get_ext_by_NID(certificate, NID_subject_alt_name, -1);
    EXPECT_EQ(X509_EXTENSION_get_critical(X509_get_ext(certificate, at)), 1);
}

TEST(Ca, NamesAreSortedByWhatTheyAre) {
    LeafSpec spec;
    for (const auto* name : {"Example.com", "sip:b.example", "Alice@Example.COM", "192.0.2.1",
                             "[2001:db8::1]", "localhost"}) {
        EXPECT_TRUE(add_name(name, spec)) << name;
    }
    EXPECT_EQ(spec.domains, (Strings{"example.com", "b.example", "localhost"}));
    EXPECT_EQ(spec.users, Strings{"Alice@example.com"});
    EXPECT_EQ(spec.addresses.size(), 2U);
    for (const auto* name : {"", "*.example.com", "a..b", "-a.example", "a b", "a@", "@b",
                             "a\nb.example", "ä.example", "DNS:x,URI:y", "../x"}) {
        EXPECT_FALSE(add_name(name, spec)) << name;
    }
    EXPECT_EQ(issue(made::ca(), {}).error().code, Code::Usage);
}

TEST(Ca, ARevocationListIsObeyed) {
    const auto ca = made::ca();
    const auto bad = issue(ca, leaf("bad.example"));
    const auto good = issue(ca, leaf("good.example"));
    const auto serial = serial_of(bad->certificate.get());
    const auto crl = make_crl(ca, std::vector<Revocation>{{serial, made::now}}, made::now,
                              made::now + seconds(86400), 7);
    ASSERT_TRUE(crl) << crl.error().what;
    EXPECT_EQ(verify(ca.certificate.get(), bad->certificate.get(), nullptr, crl->get()),
              X509_V_ERR_CERT_REVOKED);
    EXPECT_EQ(verify(ca.certificate.get(), good->certificate.get(), nullptr, crl->get()),
              X509_V_OK);
    ASSERT_EQ(revocations_of(crl->get()).size(), 1U);
    EXPECT_EQ(revocations_of(crl->get())[0].serial, serial);
    EXPECT_EQ(revocations_of(crl->get())[0].when, made::now);
    EXPECT_EQ(number_of(crl->get()), 7U);
    EXPECT_FALSE(
        make_crl(ca, std::vector<Revocation>{{"xyz", made::now}}, made::now, made::now, 1));
}

class CaOnDisk : public testing::Test {
  protected:
    void SetUp() override {
        path_ = testing::TempDir() + "callwright-ca-" + std::to_string(::getpid()) + "-" +
                testing::UnitTest::GetInstance()->current_test_info()->name();
        std::filesystem::remove_all(path_);
    }
    void TearDown() override { std::filesystem::remove_all(path_); }
    CaDirectory create() const {
        return CaDirectory::create(path_, {.validity = valid_for(made::now, 100)}, IfThere::Refuse)
            .value();
    }
    static mode_t mode_of(const std::string& path) {
        struct stat info{};
        EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
        return info.st_mode & 0777;
    }
    std::string path_;
};

TEST_F(CaOnDisk, KeysAreForTheirOwnerAlone) {
    auto ca = create();
    const auto issued = ca.issue(leaf("example.com"), IfThere::Refuse);
    ASSERT_TRUE(issued) << issued.error().why;
    EXPECT_EQ(mode_of(path_), 0700U);
    EXPECT_EQ(mode_of(path_ + "/ca.key"), 0600U);
    EXPECT_EQ(mode_of(issued->key), 0600U);
    EXPECT_EQ(issued->certificate, path_ + "/example.com.pem");
    for (const auto& entry : std::filesystem::recursive_directory_iterator{path_}) {
        EXPECT_NE(entry.path().extension(), ".tmp");
    }
}

TEST_F(CaOnDisk, NothingIsReplacedUnlessAsked) {
    auto ca = create();
    const auto first = ca.issue(leaf("example.com"), IfThere::Refuse);
    const auto text = made::content_of(first->key);
    const auto second = ca.issue(leaf("example.com"), IfThere::Refuse);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::Usage);
    EXPECT_EQ(made::content_of(first->key), text);
    const auto again =
        CaDirectory::create(path_, {.validity = valid_for(made::now, 100)}, IfThere::Refuse);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().where, path_ + "/ca.pem");

    ASSERT_TRUE(ca.issue(leaf("example.com"), IfThere::Replace));
    EXPECT_NE(made::content_of(first->key), text);
    EXPECT_EQ(mode_of(first->key), 0600U);
}

TEST_F(CaOnDisk, IsOpenedAgainAndTheSameCaSigns) {
    (void)create();
    auto ca = CaDirectory::open(path_);
    ASSERT_TRUE(ca) << ca.error().why;
    const auto issued = ca->issue(leaf("example.com"), IfThere::Refuse);
    const auto certificate = made::from_pem(made::content_of(issued->certificate));
    const auto root = made::from_pem(made::content_of(ca->ca_file()));
    EXPECT_EQ(verify(root.get(), certificate.get()), X509_V_OK);
}

TEST_F(CaOnDisk, WhatIsBrokenHasItsFileNamed) {
    EXPECT_EQ(CaDirectory::open(path_).error().code, Code::NotFound);
    (void)create();
    std::filesystem::remove(path_ + "/ca.key");
    EXPECT_EQ(CaDirectory::open(path_).error().where, path_ + "/ca.key");
    const auto other = to_pem(made::ca().key.get());
    ASSERT_TRUE(write_whole(path_ + "/ca.key", other, for_owner, IfThere::Replace));
    EXPECT_EQ(CaDirectory::open(path_).error().code, Code::CryptoFailed);
    ASSERT_TRUE(write_whole(path_ + "/ca.key", "no key", for_owner, IfThere::Replace));
    EXPECT_EQ(CaDirectory::open(path_).error().code, Code::Malformed);
}

TEST_F(CaOnDisk, NoCertificateOutlivesTheCa) {
    auto ca = create();
    auto spec = leaf("example.com");
    spec.validity = valid_for(made::now, 1000);
    EXPECT_EQ(ca.issue(spec, IfThere::Refuse)->validity.until, made::now + seconds(100 * 86400));
}

TEST_F(CaOnDisk, KeepsACertificateAsLongAsItServes) {
    auto ca = create();
    EXPECT_TRUE(ca.keep_issued(leaf("localhost"), made::now)->made);
    EXPECT_FALSE(ca.keep_issued(leaf("localhost"), made::now)->made);
    auto more = leaf("localhost");
    more.addresses = {*IpAddress::parse("127.0.0.1")};
    EXPECT_TRUE(ca.keep_issued(more, made::now)->made);
    EXPECT_FALSE(ca.keep_issued(leaf("localhost"), made::now)->made);
    more.validity = valid_for(made::now + seconds(29 * 86400), 30);
    EXPECT_TRUE(ca.keep_issued(more, made::now + seconds(29 * 86400))->made);
}

TEST_F(CaOnDisk, RevokesByNameFileAndSerial) {
    auto ca = create();
    const auto a = ca.issue(leaf("a.example"), IfThere::Refuse);
    const auto b = ca.issue(leaf("b.example"), IfThere::Refuse);
    EXPECT_EQ(ca.revoke("a.example", made::now, 30).value(), a->serial);
    EXPECT_EQ(ca.revoke(b->certificate, made::now, 30).value(), b->serial);
    EXPECT_EQ(ca.revoke(a->serial, made::now, 30).value(), a->serial);
    const auto text = made::content_of(ca.crl_file());
    const BioPtr bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
    const CrlPtr crl{PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)};
    EXPECT_EQ(revocations_of(crl.get()).size(), 2U);
    EXPECT_EQ(number_of(crl.get()), 3U);
    EXPECT_EQ(ca.revoke("c.example", made::now, 30).error().code, Code::NotFound);
    EXPECT_EQ(ca.revoke("00AA", made::now, 30).error().code, Code::NotFound);
    const auto foreign = path_ + "/foreign.pem";
    ASSERT_TRUE(
        write_whole(foreign, to_pem(made::ca().certificate.get()), for_all, IfThere::Refuse));
    EXPECT_EQ(ca.revoke(foreign, made::now, 30).error().code, Code::Usage);
}

TEST_F(CaOnDisk, ADamagedRevocationListIsNotForgotten) {
    auto ca = create();
    (void)ca.issue(leaf("a.example"), IfThere::Refuse);
    ASSERT_TRUE(write_whole(ca.crl_file(), "cut", for_all, IfThere::Replace));
    EXPECT_EQ(ca.revoke("a.example", made::now, 30).error().code, Code::Malformed);
    EXPECT_EQ(made::content_of(ca.crl_file()), "cut");
}

TEST_F(CaOnDisk, NamesCannotLeaveTheDirectory) {
    EXPECT_EQ(file_name_of({.domains = {"a/../b"}}), "a_.._b");
    EXPECT_EQ(file_name_of({.addresses = {*IpAddress::parse("2001:db8::1")}}), "2001_db8__1");
    auto ca = create();
    EXPECT_EQ(ca.issue(leaf("ca"), IfThere::Replace).error().code, Code::Usage);
}

} // namespace
} // namespace cw::crypto
