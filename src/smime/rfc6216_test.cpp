// Every S/MIME message of RFC 6216 (Appendix C, as repaired), and the S/MIME cases of its
// section 6.
#include <fstream>

#include <gtest/gtest.h>

#include "smime/opening.hpp"

namespace cw::smime {
namespace {

using State = Signature::State;

const std::string material = CALLWRIGHT_SHARED_DIR "/material/rfc6216/";
constexpr Instant in_2011{1'300'000'000'000'000'000}; // within all its certificates' validity
constexpr Instant in_2026{1'796'000'000'000'000'000}; // within those of section 6
constexpr Instant before{1'290'000'000'000'000'000};  // 2010-11

std::string content_of(const std::string& path) {
    std::ifstream in{material + path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

class Rfc6216 : public ::testing::Test {
  protected:
    void SetUp() override {
        if (content_of("README.md").empty()) {
            GTEST_SKIP() << "no shared material";
        }
        ASSERT_TRUE(keys_.add_trusted(content_of("pem/ca_cert.pem")));
    }
    void give(const std::string& set) {
        for (const std::string who : {"fluffy@example.com", "kumiko@example.net"}) {
            for (const std::string kind : {"cert_", "key_"}) {
                ASSERT_TRUE(
                    keys_.add_pem(content_of("pem/" + set + "/user_" + kind + who + ".pem")));
            }
        }
    }
    [[nodiscard]] Opened open(const std::string& file, Instant at, bool weak = true,
                              std::string sender = "fluffy@example.com") const {
        const auto text = content_of("repaired/" + file + ".dat");
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{text}, index);
        EXPECT_TRUE(message) << file;
        return open_body(
            *message, {.keys = keys_, .at = at, .sender = std::move(sender), .accept_weak = weak});
    }

    Keyring keys_;
};

TEST_F(Rfc6216, EveryMessageIsReadAsTheDocumentSays) {
    give("eku");
    give("noeku");
    // A trap: this CA has the issuer and the serial number of noeku's kumiko.
    for (const std::string file : {"ca_cert_example.net", "ca_key_example.net"}) {
        ASSERT_TRUE(keys_.add_pem(content_of("pem/nonroot/" + file + ".pem")));
    }
    struct Row {
        const char* file;
        bool is_signed;
        bool encrypted;
    };
    for (const auto& row :
         {Row{"smime-msg", true, false}, Row{"cms-smime-msg", true, false},
          Row{"smime-encrypted", false, true}, Row{"smime-sign-encrypt", true, true},
          Row{"noeku-smime-msg", true, false}, Row{"noeku-cms-smime-msg", true, false},
          Row{"noeku-smime-encrypted", false, true}, Row{"noeku-smime-sign-encrypt", true, true}}) {
        const auto opened = open(row.file, in_2011);
        EXPECT_TRUE(opened.good()) << row.file << ": " << opened.fault();
        ASSERT_EQ(opened.parts.size(), 1U) << row.file;
        EXPECT_EQ(opened.parts[0].content, "Hello!") << row.file;
        EXPECT_EQ(opened.parts[0].is_signed, row.is_signed) << row.file;
        EXPECT_EQ(opened.parts[0].encrypted, row.encrypted) << row.file;
        for (const auto& layer : opened.layers) {
            if (layer.encrypted) {
                EXPECT_EQ(layer.cipher, "AES-128-CBC");
                EXPECT_EQ(layer.opened_by, "kumiko@example.net");
            } else {
                EXPECT_EQ(layer.signatures.at(0).who, "fluffy@example.com");
            }
        }
    }
}

TEST_F(Rfc6216, WhatIsNamedNoekuWasMadeWithTheOthers) {
    give("noeku");
    EXPECT_EQ(open("noeku-smime-sign-encrypt", in_2011).layers.at(0).signatures.at(0).state,
              State::NoCertificate);
    EXPECT_TRUE(open("noeku-smime-msg", in_2011).good());
    EXPECT_FALSE(open("smime-encrypted", in_2011).good());
}

TEST_F(Rfc6216, NothingIsValidBeforeFebruary2011) {
    give("eku");
    const auto opened = open("smime-msg", before);
    EXPECT_EQ(opened.layers.at(0).signatures.at(0).state, State::Untrusted);
    EXPECT_TRUE(opened.fault().contains("valid only in")) << opened.fault();
}

TEST_F(Rfc6216, Sha1IsRefusedUnlessAccepted) {
    give("eku");
    EXPECT_EQ(open("smime-msg", in_2011, false).layers.at(0).signatures.at(0).state,
              State::Untrusted);
}

TEST_F(Rfc6216, TheSignerHasToBeTheSender) {
    give("eku");
    EXPECT_EQ(open("smime-msg", in_2011, true, "kumiko@example.net").fault(),
              "signed by fluffy@example.com, but sent by kumiko@example.net");
}

TEST_F(Rfc6216, TheContentEndsWithoutALineEndAndIsSignedToTheOctet) {
    give("eku");
    const auto der = content_of("parts/smime-msg/smime.p7s.der");
    const auto text = content_of("repaired/smime-msg-what-got-signed.dat");
    const auto cms = crypto::Cms::read(as_bytes(der));
    ASSERT_TRUE(cms);
    using Signer = crypto::CmsSigner::State;
    EXPECT_EQ(cms->verify(text, keys_.certificates()).at(0).state, Signer::Good);
    EXPECT_EQ(cms->verify(text + "\r\n", keys_.certificates()).at(0).state, Signer::Changed);
}

TEST_F(Rfc6216, TheArchiveAsPublishedIsRefused) {
    give("eku");
    const auto text = content_of("archive/smime-encrypted.dat");
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{text}, index);
    ASSERT_TRUE(message);
    EXPECT_FALSE(open_body(*message, {.keys = keys_, .at = in_2011}).good());
}

TEST_F(Rfc6216, TheSevenSmimeCasesOfSection6) {
    ASSERT_TRUE(keys_.add_crls(content_of("sec6/ca.crl.pem")));
    struct Row {
        const char* file;
        State state;
        const char* why; // in its fault
    };
    for (const auto& row :
         {Row{"01_smime_good", State::Good, ""},
          Row{"02_smime_uri_mismatch", State::OtherSender, "mallory@example.com"},
          Row{"03_smime_untrusted_root", State::Untrusted, "is not trusted here"},
          Row{"04_smime_incomplete_chain", State::Untrusted, "was not sent along"},
          Row{"05_smime_expired", State::Untrusted, "expired"},
          Row{"06_smime_revoked", State::Untrusted, "revoked"},
          Row{"07_smime_no_digitalSignature", State::Untrusted, "digitalSignature"}}) {
        const std::string base = "sec6/" + std::string{row.file};
        const auto certificate = crypto::read_certificates(content_of(base + ".pem"));
        ASSERT_TRUE(certificate) << row.file;
        Keyring keys;
        ASSERT_TRUE(keys.add_trusted(content_of("pem/ca_cert.pem")));
        // A list is there for the root's own certificates only: with it the others lack theirs.
        if (std::string_view{row.file}.starts_with("01") ||
            std::string_view{row.file}.starts_with("06")) {
            ASSERT_TRUE(keys.add_crls(content_of("sec6/ca.crl.pem")));
        }
        keys.add_certificate(certificate->front().get());
        const auto body = "--b\r\n" + content_of("repaired/smime-msg-what-got-signed.dat") +
                          "\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\n" +
                          content_of(base + ".p7s") + "\r\n--b--";
        const auto opened = open_body(
            "multipart/signed;boundary=b", "", body,
            {.keys = keys, .at = in_2026, .sender = "fluffy@example.com", .accept_weak = true});
        ASSERT_EQ(opened.layers.size(), 1U) << row.file << opened.fault();
        EXPECT_EQ(opened.layers[0].signatures.at(0).state, row.state)
            << row.file << ": " << opened.fault();
        EXPECT_TRUE(opened.fault().contains(row.why)) << row.file << ": " << opened.fault();
    }
}

} // namespace
} // namespace cw::smime
