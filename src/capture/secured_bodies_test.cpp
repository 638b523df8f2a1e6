// The messages of RFC 6216 as a capture shows them, and what is remembered of signers.
#include "capture/secured_bodies.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "flow/book.hpp"
#include "smime/sealing.hpp"

namespace cw::capture {
namespace {

using Signed = flow::SecuredBody::Signed;
using Sealed = flow::SecuredBody::Sealed;

constexpr Instant in_2011{1'300'000'000'000'000'000};
constexpr Instant now{1'790'000'000'000'000'000};

std::string material(const std::string& path) {
    std::ifstream in{CALLWRIGHT_SHARED_DIR "/material/rfc6216/" + path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

flow::Call call_with(flow::BodyOpener& opener, const std::string& text, Instant at) {
    flow::Book book;
    book.open_bodies_with(opener);
    flow::SipEvent event;
    event.at.time = at;
    event.at.source = *parse_endpoint("192.0.2.2:5060", 5060);
    event.at.destination = *parse_endpoint("192.0.2.9:5060", 5060);
    event.bytes = text;
    book.on_sip(event);
    book.finish(at + seconds(1));
    flow::Call found;
    book.for_each_call([&](const flow::Call& call) {
        found = call;
        return true;
    });
    return found;
}

smime::Keyring keys_of_rfc6216() {
    smime::Keyring keys;
    EXPECT_TRUE(keys.add_trusted(material("pem/ca_cert.pem")));
    for (const std::string who : {"fluffy@example.com", "kumiko@example.net"}) {
        for (const std::string kind : {"cert_", "key_"}) {
            EXPECT_TRUE(keys.add_pem(material("pem/eku/user_" + kind + who + ".pem")));
        }
    }
    return keys;
}

TEST(SecuredBodies, OfRfc6216ShowWhoSignedAndWhatIsInside) {
    if (material("README.md").empty()) {
        GTEST_SKIP() << "no shared material";
    }
    struct Row {
        const char* file;
        Signed is_signed;
        Sealed sealed;
        const char* badge;
    };
    for (const auto& row :
         {Row{"smime-msg", Signed::Good, Sealed::No,
              "signed by fluffy@example.com (SHA-1, which can be forged)"},
          Row{"smime-encrypted", Signed::No, Sealed::Opened,
              "encrypted for kumiko@example.net (AES-128-CBC)"},
          Row{"smime-sign-encrypt", Signed::Good, Sealed::Opened,
              "signed by fluffy@example.com (SHA-1, which can be forged), encrypted for "
              "kumiko@example.net (AES-128-CBC)"}}) {
        SecuredBodies bodies{keys_of_rfc6216()};
        const auto call =
            call_with(bodies, material("repaired/" + std::string{row.file} + ".dat"), in_2011);
        ASSERT_EQ(call.messages.size(), 1U) << row.file;
        const auto& message = call.messages[0];
        EXPECT_EQ(call.text(message.badge), row.badge);
        EXPECT_EQ(call.text(message.words), "Hello!");
        EXPECT_EQ(message.is_signed, static_cast<std::uint32_t>(row.is_signed)) << row.file;
        EXPECT_EQ(message.sealed, static_cast<std::uint32_t>(row.sealed)) << row.file;
    }
    SecuredBodies stranger{{}};
    const auto call = call_with(stranger, material("repaired/smime-encrypted.dat"), in_2011);
    EXPECT_EQ(call.messages[0].sealed, static_cast<std::uint32_t>(Sealed::Closed));
    EXPECT_TRUE(call.text(call.messages[0].badge).ends_with("no key of theirs is here"));
    EXPECT_TRUE(call.text(call.messages[0].words).empty());
}

class Remembered : public ::testing::Test {
  protected:
    [[nodiscard]] crypto::Credential alice() const {
        return crypto::issue(ca_, {.users = {"alice@example.com"},
                                   .validity = crypto::valid_for(now, 30),
                                   .email_protection = true})
            .value();
    }
    static std::string message(const smime::Sealed& sealed) {
        return "MESSAGE sip:bob@example.com SIP/2.0\r\n"
               "Via: SIP/2.0/TLS a.example.com;branch=z9hG4bK1\r\n"
               "From: <sip:alice@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\n"
               "Call-ID: 1\r\nCSeq: 1 MESSAGE\r\nContent-Type: " +
               sealed.type + "\r\nContent-Length: " + std::to_string(sealed.body.size()) +
               "\r\n\r\n" + sealed.body;
    }
    flow::SecuredBody open(const std::string& text) {
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{text}, index);
        return bodies_->open(*message, now).value();
    }
    void SetUp() override {
        smime::Keyring keys;
        keys.trust(ca_.certificate.get());
        bodies_ = std::make_unique<SecuredBodies>(std::move(keys));
    }

    crypto::Credential ca_ = crypto::make_ca({.validity = crypto::valid_for(now, 365)}).value();
    std::unique_ptr<SecuredBodies> bodies_;
    std::string text_ = smime::to_entity("text/plain", "Hello!");
};

TEST_F(Remembered, ACertificateOnceSeenServesLaterAndAnotherIsTold) {
    const auto first = alice();
    EXPECT_EQ(open(message(smime::sign_beside(text_, first, now).value())).badge,
              "signed by alice@example.com");
    // Now without it.
    const auto der = crypto::cms_sign(text_, first, {.send_certificate = false, .at = now}).value();
    const smime::Sealed bare{"multipart/signed;boundary=b", "", "",
                             "--b\r\n" + text_ +
                                 "\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n" +
                                 der + "\r\n--b--"};
    EXPECT_EQ(open(message(bare)).is_signed, Signed::Good);
    const auto other = open(message(smime::sign_beside(text_, alice(), now).value()));
    EXPECT_EQ(other.badge, "signed by alice@example.com, the certificate of alice@example.com is "
                           "another than before");
}

TEST_F(Remembered, AMessageWithinThatDiffersIsTold) {
    const auto plain = message({"text/plain", "", "", "x"});
    sip::HeaderIndex index;
    auto inner = "MESSAGE sip:bob@example.com SIP/2.0\r\nSubject: lunch\r\n"
                 "From: <sip:alice@example.com>;tag=1\r\nContent-Length: 0\r\n\r\n";
    const auto sealed =
        smime::sign_beside(smime::to_entity("message/sip", inner), alice(), now).value();
    const auto opened = open(message(sealed));
    EXPECT_EQ(opened.is_signed, Signed::Bad);
    EXPECT_EQ(opened.badge,
              "signed by alice@example.com, Subject within is lunch, and outside there is none, "
              "unprotected, outside alone: To Call-ID CSeq");
}

TEST_F(Remembered, WhatCannotBeReadIsNoSignature) {
    const auto damaged = open(message({"application/pkcs7-mime", "", "", "no DER"}));
    EXPECT_EQ(damaged.is_signed, Signed::No);
    EXPECT_EQ(damaged.sealed, Sealed::Unreadable);
    EXPECT_TRUE(damaged.badge.starts_with("cannot be read: no CMS")) << damaged.badge;
    const auto beside = open(
        message({"multipart/signed;boundary=b", "", "",
                 "--b\r\n" + text_ +
                     "\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--"}));
    EXPECT_EQ(beside.is_signed, Signed::No);
    EXPECT_EQ(beside.sealed, Sealed::Unreadable);
    EXPECT_EQ(beside.text, "Hello!");
}

TEST_F(Remembered, ACertificateThatHasExpiredIsNotMerelyUnproven) {
    const auto expired =
        crypto::issue(ca_, {.users = {"alice@example.com"},
                            .validity = {now - seconds(9 * 86400), now - seconds(86400)},
                            .email_protection = true})
            .value();
    EXPECT_EQ(open(message(smime::sign_beside(text_, expired, now).value())).is_signed,
              Signed::Bad);
    const auto elsewhere = crypto::make_ca({.validity = crypto::valid_for(now, 365)}).value();
    const auto stranger = crypto::issue(elsewhere, {.users = {"alice@example.com"},
                                                    .validity = crypto::valid_for(now, 30),
                                                    .email_protection = true})
                              .value();
    EXPECT_EQ(open(message(smime::sign_beside(text_, stranger, now).value())).is_signed,
              Signed::Unproven);
}

TEST_F(Remembered, ASessionDescriptionBesideWhatIsEncryptedIsInClear) {
    const auto person = alice();
    const std::array<const X509*, 1> to{person.certificate.get()};
    const auto sdp = std::string{"Content-Type: application/sdp\r\n\r\nv=0\r\n"};
    const auto hidden = smime::encrypt(text_, to, crypto::ContentCipher::Aes128Gcm).value();
    const auto mixed = [&](const std::string& first) {
        return open(
            message({"multipart/mixed;boundary=b", "", "",
                     "--b\r\n" + first + "\r\n--b\r\n" + hidden.as_entity() + "\r\n--b--"}));
    };
    EXPECT_EQ(mixed(sdp).sealed, Sealed::Partly);
    EXPECT_EQ(mixed(text_).sealed, Sealed::Closed);
}

TEST_F(Remembered, OrdinaryBodiesAreNone) {
    sip::HeaderIndex index;
    const auto text = message({"multipart/mixed;boundary=b", "", "",
                               "--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--b--"});
    const auto message = sip::index(std::string_view{text}, index);
    EXPECT_FALSE(bodies_->open(*message, now));
}

} // namespace
} // namespace cw::capture
