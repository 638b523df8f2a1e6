#include "smime/opening.hpp"

#include <array>

#include <gtest/gtest.h>

#include "base/base64.hpp"
#include "smime/sealing.hpp"

namespace cw::smime {
namespace {

using State = Signature::State;

constexpr Instant now{1'790'000'000'000'000'000}; // 2026-09-21

const crypto::Credential& test_ca() {
    static const auto ca =
        crypto::make_ca({.name = "Test CA", .validity = crypto::valid_for(now, 365)}).value();
    return ca;
}
crypto::Credential person(const char* user, int days = 30) {
    return crypto::issue(test_ca(), {.users = {user},
                                     .validity = crypto::valid_for(now, days),
                                     .email_protection = true})
        .value();
}
class SecuredBody : public ::testing::Test {
  protected:
    SecuredBody() {
        keys_.trust(test_ca().certificate.get());
        keys_.add(bob_);
    }
    [[nodiscard]] Opened open(const Sealed& sealed,
                              std::string sender = "alice@example.com") const {
        return open_body(sealed.type, sealed.encoding, sealed.body,
                         {.keys = keys_, .at = now, .sender = std::move(sender)});
    }
    [[nodiscard]] Sealed encrypted(std::string_view entity) const {
        const std::array<const X509*, 1> to{bob_.certificate.get()};
        return encrypt(entity, to, crypto::ContentCipher::Aes128Gcm).value();
    }
    [[nodiscard]] Sealed signed_by(const crypto::Credential& who, std::string_view entity) const {
        return sign_beside(entity, who, now).value();
    }

    crypto::Credential alice_ = person("alice@example.com");
    crypto::Credential bob_ = person("bob@example.com");
    Keyring keys_;
    std::string text_ = to_entity("text/plain", "Hello!");
};

TEST_F(SecuredBody, ASignedTextIsReadAndItsSignerNamed) {
    for (const auto& sealed :
         {sign_beside(text_, alice_, now).value(), sign_around(text_, alice_, now).value()}) {
        const auto opened = open(sealed);
        EXPECT_TRUE(opened.good()) << opened.fault();
        EXPECT_EQ(opened.badge(), "signed by alice@example.com");
        ASSERT_EQ(opened.parts.size(), 1U);
        EXPECT_EQ(opened.parts[0].content, "Hello!");
        EXPECT_TRUE(opened.parts[0].is_signed);
        EXPECT_FALSE(opened.parts[0].encrypted);
        EXPECT_EQ(opened.certificates.size(), 1U);
        EXPECT_EQ(opened.layers[0].signatures[0].signed_at.ns, now.ns);
    }
}

TEST_F(SecuredBody, SignedAndEncryptedIsReadInEitherOrder) {
    const auto sdp = to_entity("application/sdp", "v=0\r\n");
    const auto outer = open(signed_by(alice_, encrypted(sdp).as_entity()));
    EXPECT_TRUE(outer.good()) << outer.fault();
    EXPECT_EQ(outer.badge(),
              "signed by alice@example.com, encrypted for bob@example.com (AES-128-GCM)");
    const auto inner = open(encrypted(signed_by(alice_, sdp).as_entity()));
    EXPECT_TRUE(inner.good()) << inner.fault();
    EXPECT_EQ(inner.badge(),
              "encrypted for bob@example.com (AES-128-GCM), signed by alice@example.com");
    for (const auto* opened : {&outer, &inner}) {
        const auto* part = opened->part("application/sdp");
        ASSERT_NE(part, nullptr);
        EXPECT_EQ(part->content, "v=0\r\n");
        EXPECT_TRUE(part->is_signed && part->encrypted);
    }
}

TEST_F(SecuredBody, WhatIsWrongWithASignatureIsTold) {
    auto changed = signed_by(alice_, text_);
    changed.body.replace(changed.body.find("Hello!"), 6, "Hullo!");
    EXPECT_EQ(open(changed).layers[0].signatures[0].state, State::Changed);
    EXPECT_EQ(open(changed).fault(), "it was changed after alice@example.com had signed it");
    EXPECT_FALSE(open(changed).parts[0].is_signed);
    EXPECT_EQ(open(changed).parts[0].content, "Hullo!"); // shown, and not believed

    const auto other = open(signed_by(person("mallory@example.com"), text_));
    EXPECT_EQ(other.layers[0].signatures[0].state, State::OtherSender);
    EXPECT_EQ(other.fault(), "signed by mallory@example.com, but sent by alice@example.com");

    const auto expired = open(signed_by(person("alice@example.com", -1), text_));
    EXPECT_EQ(expired.layers[0].signatures[0].state, State::Untrusted);
    EXPECT_TRUE(expired.fault().contains("expired")) << expired.fault();

    const auto stranger_ca =
        crypto::make_ca({.name = "Other CA", .validity = crypto::valid_for(now, 30)}).value();
    const auto stranger = crypto::issue(stranger_ca, {.users = {"alice@example.com"},
                                                      .validity = crypto::valid_for(now, 30),
                                                      .email_protection = true})
                              .value();
    const auto untrusted = open(signed_by(stranger, text_));
    EXPECT_EQ(untrusted.layers[0].signatures[0].state, State::Untrusted);
    EXPECT_TRUE(untrusted.fault().contains("Other CA")) << untrusted.fault();

    const auto for_tls = crypto::issue(test_ca(), {.users = {"alice@example.com"},
                                                   .validity = crypto::valid_for(now, 30)})
                             .value();
    EXPECT_TRUE(open(signed_by(for_tls, text_)).fault().contains("emailProtection"));
}

TEST_F(SecuredBody, WhatIsForSomebodyElseSaysForWhom) {
    const auto carol = person("carol@example.com");
    const std::array<const X509*, 1> to{carol.certificate.get()};
    const auto sealed = encrypt(text_, to, crypto::ContentCipher::Aes256Cbc).value();
    const auto stranger = open(sealed);
    EXPECT_FALSE(stranger.good());
    EXPECT_TRUE(stranger.parts.empty());
    EXPECT_TRUE(stranger.fault().starts_with("encrypted for serial ")) << stranger.fault();
    keys_.add_certificate(carol.certificate.get());
    EXPECT_EQ(open(sealed).fault(),
              "encrypted for carol@example.com, and no key of theirs is here");
    EXPECT_EQ(open(sealed).badge(),
              "encrypted for carol@example.com (AES-256-CBC), no key of theirs is here");
}

TEST_F(SecuredBody, TwoCertificatesOfOneNameDoNotHideTheRightKey) {
    auto key = crypto::make_key(crypto::KeyKind::EcdsaP256).value();
    crypto::CertificatePtr twin{X509_dup(bob_.certificate.get())};
    X509_set_pubkey(twin.get(), key.get());
    X509_sign(twin.get(), key.get(), EVP_sha256());
    Keyring keys;
    keys.trust(test_ca().certificate.get());
    keys.add({std::move(twin), std::move(key)});
    keys.add(bob_);
    const auto sealed = encrypted(text_);
    const auto opened =
        open_body(sealed.type, sealed.encoding, sealed.body, {.keys = keys, .at = now});
    EXPECT_EQ(opened.parts.at(0).content, "Hello!");
}

TEST_F(SecuredBody, WhatStandsBesideIsReadAsWell) {
    const auto sealed = signed_by(alice_, text_);
    const auto mixed = "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b\r\n" +
                       sealed.as_entity() + "\r\n--b--\r\n";
    const auto opened = open_body("multipart/mixed;boundary=b", "", mixed,
                                  {.keys = keys_, .at = now, .sender = "alice@example.com"});
    EXPECT_TRUE(opened.good()) << opened.fault();
    ASSERT_EQ(opened.parts.size(), 2U);
    EXPECT_FALSE(opened.part("application/sdp")->is_signed);
    EXPECT_TRUE(opened.part("text/plain")->is_signed);
}

TEST_F(SecuredBody, Base64IsUndone) {
    auto sealed = encrypted(text_);
    auto base64 = to_base64(as_bytes(sealed.body));
    for (std::size_t at = 64; at < base64.size(); at += 66) {
        base64.insert(at, "\r\n");
    }
    sealed.body = base64;
    sealed.encoding = "Base64";
    EXPECT_EQ(open(sealed).parts.at(0).content, "Hello!");
    sealed.encoding = "x-uuencode";
    EXPECT_TRUE(open(sealed).fault().contains("x-uuencode"));
    sealed.encoding = "base64";
    sealed.body = std::string(65536, '?');
    EXPECT_TRUE(open(sealed).fault().contains("cannot be undone"));
}

TEST_F(SecuredBody, AnOrdinaryBodyIsNone) {
    const auto opened = open_body("text/plain", "", "Hello!", {.keys = keys_, .at = now});
    EXPECT_FALSE(opened.secured());
    EXPECT_FALSE(opened.good());
    EXPECT_TRUE(opened.badge().empty());
    EXPECT_EQ(opened.parts.at(0).content, "Hello!");
    EXPECT_TRUE(may_be_secured("multipart/mixed;boundary=x"));
    EXPECT_TRUE(may_be_secured("Application / PKCS7-MIME"));
    EXPECT_FALSE(may_be_secured("application/sdp"));
    EXPECT_FALSE(may_be_secured(""));
}

TEST_F(SecuredBody, CertificatesAloneAreTakenOut) {
    const std::array<const X509*, 1> one{bob_.certificate.get()};
    const auto opened = open(certificates_only(one).value());
    ASSERT_EQ(opened.certificates.size(), 1U);
    EXPECT_EQ(person_of(opened.certificates[0].get()), "bob@example.com");
    EXPECT_TRUE(opened.parts.empty());
}

// ---- hostile ones

TEST_F(SecuredBody, MultipartsFiftyDeepAreRefusedWithTheReason) {
    std::string body = "bottom";
    std::string type = "text/plain";
    for (int i = 0; i < 50; ++i) {
        const auto boundary = "b" + std::to_string(i);
        body = "--" + boundary + "\r\nContent-Type: " + type + "\r\n\r\n" + body + "\r\n--" +
               boundary + "--";
        type = "multipart/mixed;boundary=" + boundary;
    }
    EXPECT_EQ(open_body(type, "", body, {.keys = keys_, .at = now}).fault(),
              "its parts are nested deeper than 12");
}

TEST_F(SecuredBody, FiftyEnvelopesWithinEachOtherAreRefusedWithTheReason) {
    auto sealed = encrypted(text_);
    for (int i = 0; i < 50; ++i) {
        sealed = encrypted(sealed.as_entity());
    }
    const auto opened = open(sealed);
    EXPECT_EQ(opened.fault(), "its parts are nested deeper than 12");
    EXPECT_TRUE(opened.parts.empty());
}

TEST_F(SecuredBody, AThousandSignedPartsAreRefusedWithTheReason) {
    const auto sealed = signed_by(alice_, text_).as_entity();
    std::string body;
    for (int i = 0; i < 1000; ++i) {
        body += "--b\r\n" + sealed + "\r\n";
    }
    const auto opened = open_body("multipart/mixed;boundary=b", "", body + "--b--",
                                  {.keys = keys_, .at = now, .sender = "alice@example.com"});
    EXPECT_EQ(opened.fault(), "it takes more than 64 signatures and keys to read");
    EXPECT_LE(opened.layers.size(), 64U);
}

// What claims to be large, or nests without end, is refused by its first octets.
TEST_F(SecuredBody, BombsAreRefusedWithTheReason) {
    std::string nested;
    for (int i = 0; i < 30000; ++i) {
        nested += "\x30\x80"; // indefinite lengths within each other
    }
    const std::string signed_type("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", 11);
    const std::string compressed(
        "\x30\x0f\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09\xa0\x00", 17);
    for (const auto& bomb : {nested, "\x30\x80" + signed_type + nested,
                             std::string{"\x30\x84\x7f\xff\xff\xff"} + signed_type,
                             std::string(65536, 'A'), compressed, std::string(2 << 20, '\x30')}) {
        for (const char* encoding : {"", "base64"}) {
            const auto opened =
                open_body("application/pkcs7-mime", encoding, bomb, {.keys = keys_, .at = now});
            EXPECT_FALSE(opened.good());
            EXPECT_FALSE(opened.problem.empty()) << encoding << " " << bomb.size();
            EXPECT_TRUE(opened.parts.empty());
        }
    }
}

TEST_F(SecuredBody, MalformedOnesSayWhatIsMissing) {
    const auto fault = [&](std::string_view type, std::string_view body) {
        return open_body(type, "", body, {.keys = keys_, .at = now}).fault();
    };
    EXPECT_EQ(fault("application/pkcs7-mime", ""), "no CMS: its DER cannot be read");
    EXPECT_EQ(fault("application/pkcs7-mime", std::string(70000, '\x30')),
              "no CMS: its DER cannot be read");
    EXPECT_EQ(fault("multipart/signed", "x"), "a multipart without a boundary");
    EXPECT_EQ(fault("multipart/signed;boundary=b", "x"), "a multipart without its delimiter");
    EXPECT_EQ(fault("multipart/signed;boundary=b", "--b\r\n\r\nx\r\n--b--"),
              "a multipart/signed has two parts, this one has not");
    EXPECT_EQ(fault("multipart/signed;boundary=b",
                    "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pgp-signature\r\n\r\ny\r\n"
                    "--b--"),
              "it is signed, but not by S/MIME: application/pgp-signature");
    EXPECT_EQ(fault("multipart/signed;boundary=b",
                    "--b\r\n\r\nx\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\ny\r\n"
                    "--b--"),
              "its signature: no CMS: its DER cannot be read");
}

TEST_F(SecuredBody, NoPrefixAndNoChangedOctetOfAWholeOneIsTakenForGood) {
    const auto whole = signed_by(alice_, encrypted(text_).as_entity());
    // Without its last delimiter it is still whole, and so without line ends and padding before it.
    const auto signature_end = whole.body.rfind("\r\n--") - 8;
    for (std::size_t i = 0; i < signature_end; i += 7) {
        auto cut = whole;
        cut.body.resize(i);
        EXPECT_FALSE(open(cut).good()) << i;
    }
    const auto begin = whole.body.find("\r\n\r\n");                       // of what is encrypted
    const auto end = whole.body.find("application/pkcs7-signature") - 60; // of what is signed
    for (std::size_t i = begin + 4; i < end; i += 11) {
        auto changed = whole;
        changed.body[i] = static_cast<char>(changed.body[i] ^ 1);
        EXPECT_FALSE(open(changed).good()) << i;
    }
}

TEST(Keyring, TakesKeysAndCertificatesOfOnePem) {
    const auto alice = person("alice@example.com");
    Keyring keys;
    EXPECT_EQ(keys.add_pem("notes\n" + crypto::to_pem(alice.certificate.get()) +
                           crypto::to_pem(alice.key.get()))
                  .value(),
              2U);
    EXPECT_TRUE(keys.has_keys());
    EXPECT_EQ(keys.add_pem("nothing").value(), 0U);
    const auto pem = crypto::to_pem(alice.key.get());
    std::string many;
    for (int i = 0; i < 70; ++i) {
        many += pem;
    }
    EXPECT_EQ(keys.add_pem(many).error().code, Code::LimitExceeded);
}

} // namespace
} // namespace cw::smime
