#include "crypto/cms.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

#include "crypto/certificate.hpp"
#include "crypto/test_certificates.hpp"

namespace cw::crypto {
namespace {

using State = CmsSigner::State;

Credential person(const char* user, KeyKind kind = KeyKind::EcdsaP256) {
    static const auto ca = made::ca();
    return issue(ca, {.users = {user},
                      .validity = valid_for(made::now, 30),
                      .kind = kind,
                      .email_protection = true})
        .value();
}
Cms parsed(const std::string& der) {
    return Cms::read(as_bytes(der)).value();
}
std::string encrypted(std::string_view text, const Credential& person, ContentCipher cipher) {
    const std::array<const X509*, 1> to{person.certificate.get()};
    return cms_encrypt(text, to, cipher).value();
}

constexpr std::string_view entity = "Content-Type: text/plain\r\n\r\nHello!\n\0\r\n";

TEST(CmsSignature, IsVerifiedBesideItsContentAndAroundIt) {
    for (const auto kind : {KeyKind::EcdsaP256, KeyKind::Rsa2048}) {
        const auto alice = person("alice@example.com", kind);
        for (const bool enclose : {false, true}) {
            for (const bool attributes : {false, true}) {
                const auto der = cms_sign(
                    entity, alice, {.enclose = enclose, .attributes = attributes, .at = made::now});
                ASSERT_TRUE(der);
                const auto cms = parsed(*der);
                ASSERT_EQ(cms.kind(), CmsKind::Signed);
                EXPECT_EQ(cms.content().has_value(), enclose);
                const auto signers = cms.verify(enclose ? *cms.content() : entity, {});
                ASSERT_EQ(signers.size(), 1U);
                EXPECT_EQ(signers[0].state, State::Good);
                EXPECT_EQ(signers[0].digest, "SHA256");
                EXPECT_EQ(X509_cmp(signers[0].certificate.get(), alice.certificate.get()), 0);
                EXPECT_EQ(signers[0].signed_at.known(), attributes);
                EXPECT_EQ(signers[0].signed_at.ns, attributes ? made::now.ns : 0);
            }
        }
    }
}

TEST(CmsSignature, OverOtherContentIsFoundOutToTheOctet) {
    const auto alice = person("alice@example.com");
    for (const bool attributes : {false, true}) {
        const auto cms =
            parsed(cms_sign("Hello!", alice, {.attributes = attributes, .at = made::now}).value());
        for (const auto* other : {"Hello", "Hello!\r\n", "hello!", ""}) {
            EXPECT_EQ(cms.verify(other, {})[0].state, State::Changed) << other;
        }
        EXPECT_EQ(cms.verify("Hello!", {})[0].state, State::Good);
    }
}

TEST(CmsSignature, NeedsTheCertificateAndTakesItFromWhoeverHasIt) {
    const auto alice = person("alice@example.com");
    const auto der = cms_sign(entity, alice, {.send_certificate = false, .at = made::now}).value();
    const auto missing = parsed(der).verify(entity, {});
    EXPECT_EQ(missing[0].state, State::NoCertificate);
    EXPECT_EQ(missing[0].certificate, nullptr);
    EXPECT_EQ(describe(missing[0].name),
              "serial " + serial_of(alice.certificate.get()) + " of CN=Test CA");
    std::vector<CertificatePtr> known;
    known.push_back(person("bob@example.com").certificate);
    X509_up_ref(alice.certificate.get());
    known.emplace_back(alice.certificate.get());
    EXPECT_EQ(parsed(der).verify(entity, known)[0].state, State::Good);

    const auto by_key = cms_sign(entity, alice, {.by_key_id = true, .at = made::now}).value();
    EXPECT_EQ(parsed(by_key).verify(entity, {})[0].state, State::Good);
    EXPECT_EQ(parsed(by_key).verify(entity, {})[0].name.key_id.size(), 40U);
}

TEST(CmsSignature, IsNotDeceivedByAnotherKeyUnderTheSameName) {
    const auto alice = person("alice@example.com");
    // Signed by somebody else, who sends a certificate of alice's along as if it were his.
    auto key = make_key(KeyKind::EcdsaP256).value();
    auto forged = CertificatePtr{X509_dup(alice.certificate.get())};
    X509_set_pubkey(forged.get(), key.get());
    X509_sign(forged.get(), key.get(), EVP_sha256());
    const Credential mallory{std::move(forged), std::move(key)};
    const auto der = cms_sign(entity, mallory, {.send_certificate = false, .at = made::now});
    std::vector<CertificatePtr> known;
    X509_up_ref(alice.certificate.get());
    known.emplace_back(alice.certificate.get());
    EXPECT_EQ(parsed(*der).verify(entity, known)[0].state, State::BadSignature);
    // Where both are known under one name, the one that fits is found.
    X509_up_ref(mallory.certificate.get());
    known.emplace_back(mallory.certificate.get());
    const auto found = parsed(*der).verify(entity, known);
    EXPECT_EQ(found[0].state, State::Good);
    EXPECT_EQ(X509_cmp(found[0].certificate.get(), mallory.certificate.get()), 0);
}

TEST(CmsSignature, Sha1IsMarkedAsWeak) {
    const auto alice = person("alice@example.com", KeyKind::Rsa2048);
    const auto der = cms_sign(entity, alice, {.digest = "SHA1", .at = made::now}).value();
    const auto signers = parsed(der).verify(entity, {});
    EXPECT_EQ(signers[0].state, State::Good);
    EXPECT_TRUE(signers[0].weak);
}

TEST(CmsEncryption, IsOpenedByEachRecipientAndByNobodyElse) {
    const auto alice = person("alice@example.com");
    const auto bob = person("bob@example.com", KeyKind::Rsa2048);
    const auto carol = person("carol@example.com");
    const auto dave = person("dave@example.com", KeyKind::Rsa2048);
    struct Row {
        ContentCipher cipher;
        const char* name;
        CmsKind kind;
    };
    for (const auto& row : {Row{ContentCipher::Aes128Gcm, "AES-128-GCM", CmsKind::AuthEnveloped},
                            Row{ContentCipher::Aes256Gcm, "AES-256-GCM", CmsKind::AuthEnveloped},
                            Row{ContentCipher::Aes128Cbc, "AES-128-CBC", CmsKind::Enveloped},
                            Row{ContentCipher::Aes256Cbc, "AES-256-CBC", CmsKind::Enveloped}}) {
        const std::array<const X509*, 3> to{alice.certificate.get(), bob.certificate.get(),
                                            carol.certificate.get()};
        const auto der = cms_encrypt(entity, to, row.cipher);
        ASSERT_TRUE(der) << row.name;
        EXPECT_EQ(der->find("Hello!"), std::string::npos);
        const auto cms = parsed(*der);
        EXPECT_EQ(cms.kind(), row.kind);
        EXPECT_EQ(cms.cipher(), row.name);
        ASSERT_EQ(cms.recipients().size(), 3U);
        EXPECT_TRUE(std::ranges::any_of(cms.recipients(), [&](const CmsName& name) {
            return name.serial == serial_of(bob.certificate.get());
        })); // a SET: its order is that of its octets
        for (const auto* one : {&alice, &bob, &carol}) {
            EXPECT_TRUE(cms.is_for(one->certificate.get()));
            const auto text = cms.open({one->key.get(), one->certificate.get()});
            ASSERT_TRUE(text) << row.name;
            EXPECT_EQ(*text, entity);
        }
        EXPECT_EQ(cms.open({bob.key.get(), nullptr}).value(), entity);
        EXPECT_FALSE(cms.is_for(dave.certificate.get()));
        EXPECT_FALSE(cms.open({dave.key.get(), dave.certificate.get()}));
    }
}

TEST(CmsEncryption, WithGcmNoOctetCanBeChanged) {
    const auto bob = person("bob@example.com", KeyKind::Rsa2048);
    const auto der = encrypted("attack at dawn", bob, ContentCipher::Aes128Gcm);
    // The ciphertext and the tag stand at the end.
    for (std::size_t i = der.size() - 32; i < der.size(); ++i) {
        auto changed = der;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        const auto cms = Cms::read(as_bytes(changed));
        EXPECT_FALSE(cms && cms->open({bob.key.get(), bob.certificate.get()})) << i;
    }
}

TEST(CmsEncryption, IsRefusedForKeysThatCannot) {
    KeyPtr key{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
    auto certificate = CertificatePtr{X509_new()};
    X509_set_pubkey(certificate.get(), key.get());
    const std::array<const X509*, 1> to{certificate.get()};
    EXPECT_FALSE(cms_encrypt("x", to, ContentCipher::Aes128Gcm));
    EXPECT_FALSE(cms_encrypt("x", {}, ContentCipher::Aes128Gcm));
}

TEST(CmsCertificates, AreCarriedWithoutContent) {
    const auto alice = person("alice@example.com");
    const std::array<const X509*, 1> one{alice.certificate.get()};
    const auto cms = parsed(cms_certificates(one).value());
    const auto carried = cms.certificates();
    ASSERT_EQ(carried.size(), 1U);
    EXPECT_EQ(X509_cmp(carried[0].get(), alice.certificate.get()), 0);
    EXPECT_TRUE(cms.verify("", {}).empty());
}

TEST(CmsBounds, WhatIsCutOrGoesOnIsRefused) {
    const auto bob = person("bob@example.com");
    for (const auto& whole : {cms_sign(entity, bob, {.enclose = true, .at = made::now}).value(),
                              encrypted(entity, bob, ContentCipher::Aes128Gcm)}) {
        for (std::size_t size = 0; size < whole.size(); ++size) {
            EXPECT_FALSE(Cms::read(as_bytes(std::string_view{whole}.substr(0, size))));
        }
        EXPECT_FALSE(Cms::read(as_bytes(whole + "\r\n")));
    }
    EXPECT_EQ(Cms::read(Bytes{}).error().code, Code::Malformed);
    EXPECT_EQ(Cms::read(as_bytes(std::string(largest_cms + 1, '0'))).error().code,
              Code::LimitExceeded);
}

TEST(CmsBounds, AHundredRecipientsSignersOrCertificatesAreTooMany) {
    const auto bob = person("bob@example.com");
    const std::vector<const X509*> many(100, bob.certificate.get());
    const auto for_many = cms_encrypt("x", many, ContentCipher::Aes128Gcm).value();
    EXPECT_STREQ(Cms::read(as_bytes(for_many)).error().what, "more than 64 recipients");

    std::vector<CertificatePtr> different;
    std::vector<const X509*> views;
    for (int i = 0; i < 100; ++i) {
        different.emplace_back(X509_dup(bob.certificate.get()));
        ASN1_INTEGER_set(X509_get_serialNumber(different.back().get()), i + 1);
        X509_sign(different.back().get(), bob.key.get(), EVP_sha256());
        views.push_back(different.back().get());
    }
    const auto chain = cms_certificates(views).value();
    EXPECT_STREQ(Cms::read(as_bytes(chain)).error().what,
                 "more than 64 certificates are sent along");

    const std::unique_ptr<CMS_ContentInfo, Free<CMS_ContentInfo_free>> signed_often{
        CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_DETACHED)};
    for (int i = 0; i < 17; ++i) {
        CMS_add1_signer(signed_often.get(), bob.certificate.get(), bob.key.get(), EVP_sha256(),
                        CMS_PARTIAL | CMS_NOCERTS | CMS_NOATTR);
    }
    const BioPtr data{BIO_new_mem_buf("x", 1)};
    ASSERT_EQ(CMS_final(signed_often.get(), data.get(), nullptr, CMS_BINARY), 1);
    unsigned char* der = nullptr;
    const int size = i2d_CMS_ContentInfo(signed_often.get(), &der);
    const std::string text{reinterpret_cast<char*>(der), static_cast<std::size_t>(size)};
    OPENSSL_free(der);
    EXPECT_STREQ(Cms::read(as_bytes(text)).error().what, "more than 16 signers");
}

// What `openssl cms` writes we read, and it reads ours.
class CmsPeer : public ::testing::Test {
  protected:
    void SetUp() override {
        if (run("openssl version") != 0) {
            GTEST_SKIP() << "no openssl program";
        }
        std::filesystem::create_directories(folder_);
        write("text", std::string{entity});
        for (const auto& [name, one] : {std::pair{"alice", &alice_}, {"bob", &bob_}}) {
            write(std::string{name} + ".pem",
                  to_pem(one->certificate.get()) + to_pem(one->key.get()));
        }
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    [[nodiscard]] std::string in(const std::string& name) const { return folder_ + "/" + name; }
    void write(const std::string& name, const std::string& text) const {
        std::ofstream{in(name), std::ios::binary} << text;
    }
    [[nodiscard]] std::string read(const std::string& name) const {
        return made::content_of(in(name));
    }
    [[nodiscard]] int run(const std::string& command) const {
        const auto here = std::filesystem::exists(folder_) ? "cd " + folder_ + " && " : "";
        return std::system((here + command + " >/dev/null 2>&1").c_str());
    }

    std::string folder_ =
        std::filesystem::temp_directory_path().string() + "/cms_peer." + std::to_string(::getpid());
    Credential alice_ = person("alice@example.com");
    Credential bob_ = person("bob@example.com", KeyKind::Rsa2048);
};

TEST_F(CmsPeer, ReadsWhatWeWrite) {
    for (const auto cipher : {ContentCipher::Aes128Gcm, ContentCipher::Aes256Gcm,
                              ContentCipher::Aes128Cbc, ContentCipher::Aes256Cbc}) {
        const std::array<const X509*, 2> to{alice_.certificate.get(), bob_.certificate.get()};
        write("sealed", cms_encrypt(entity, to, cipher).value());
        for (const auto* who : {"alice", "bob"}) {
            ASSERT_EQ(
                run("openssl cms -decrypt -binary -inform DER -in sealed -out opened -recip " +
                    std::string{who} + ".pem"),
                0);
            EXPECT_EQ(read("opened"), entity);
        }
    }
    for (const auto* one : {&alice_, &bob_}) {
        for (const bool enclose : {false, true}) {
            write("signature",
                  cms_sign(entity, *one, {.enclose = enclose, .at = made::now}).value());
            EXPECT_EQ(run("openssl cms -verify -noverify -binary -inform DER -in signature -out "
                          "opened" +
                          std::string{enclose ? "" : " -content text"}),
                      0);
            EXPECT_EQ(read("opened"), entity);
        }
    }
}

TEST_F(CmsPeer, WritesWhatWeRead) {
    for (const std::string cipher : {"-aes-128-gcm", "-aes-256-gcm", "-aes128", "-aes256"}) {
        ASSERT_EQ(run("openssl cms -encrypt -binary -outform DER -in text -out sealed " + cipher +
                      " -recip alice.pem -recip bob.pem -keyopt rsa_padding_mode:oaep"),
                  0);
        const auto der = read("sealed");
        const auto cms = Cms::read(as_bytes(der));
        ASSERT_TRUE(cms);
        EXPECT_EQ(cms->open({alice_.key.get(), alice_.certificate.get()}).value(), entity);
        EXPECT_EQ(cms->open({bob_.key.get(), bob_.certificate.get()}).value(), entity);
    }
    ASSERT_EQ(run("openssl cms -sign -binary -outform DER -in text -out signature -signer "
                  "alice.pem -signer bob.pem"),
              0);
    const auto der = read("signature");
    const auto signers = Cms::read(as_bytes(der))->verify(entity, {});
    ASSERT_EQ(signers.size(), 2U);
    EXPECT_EQ(signers[0].state, State::Good);
    EXPECT_EQ(signers[1].state, State::Good);
}

} // namespace
} // namespace cw::crypto
