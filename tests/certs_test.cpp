// callwright certs, as it is used: a CA, certificates, and the verdict on them.
#include <sys/stat.h>

#include <fstream>

#include "program.hpp"

namespace {

using cw::tests::contains;
using cw::tests::content_of;

class Certs : public cw::tests::InFolder {
  protected:
    std::string done(const std::string& arguments) const {
        const auto outcome = run("certs " + arguments);
        EXPECT_EQ(outcome.status, 0) << arguments << "\n" << outcome.text;
        return outcome.text;
    }
    void expect(const std::string& arguments, int status, std::string_view words) const {
        const auto outcome = run("certs " + arguments);
        EXPECT_EQ(outcome.status, status) << arguments << "\n" << outcome.text;
        EXPECT_TRUE(contains(outcome.text, words)) << outcome.text;
    }
};

TEST_F(Certs, ACaIsMadeAndItsCertificatesVerify) {
    EXPECT_TRUE(contains(done("init"), "ca/ca.pem: give it to all"));
    const auto issued = done("issue example.com 192.0.2.1 alice@example.com");
    EXPECT_TRUE(contains(issued, "speaks for the domain example.com")) << issued;
    EXPECT_TRUE(contains(issued, "speaks for the user sip:alice@example.com")) << issued;
    expect("check ca/example.com.pem --for sip:example.com", 0, "good, it speaks for example.com");
    expect("check ca/example.com.pem --for 192.0.2.1 --ca ca/ca.pem --key ca/example.com.key", 0,
           "good");
    expect("check ca/example.com.pem --for sip:alice@example.com", 0, "good");
    // OpenSSL agrees, strictly.
    EXPECT_EQ(cw::tests::run_shell("openssl verify -x509_strict -purpose sslserver -CAfile " +
                                   path("ca/ca.pem") + " " + path("ca/example.com.pem") + " 2>&1")
                  .status,
              0);
    struct stat info{};
    ASSERT_EQ(::stat(path("ca/example.com.key").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(Certs, AVerdictSaysWhyAndWhatToDo) {
    (void)done("init");
    (void)done("init --dir other --name 'Other CA'");
    (void)done("issue a.example b.example");
    (void)done("issue old.example --from 2020-01-01 --days 30");
    expect("check ca/a.example.pem --for sip:c.example", 1,
           "other names: a.example: it speaks for a.example and b.example, not for c.example");
    expect("check ca/old.example.pem --for old.example", 1, "→ have a new certificate issued");
    expect("check ca/old.example.pem --for old.example --at 2020-01-15", 1, "not yet valid");
    expect("check ca/a.example.pem --ca other/ca.pem", 1, "was not sent along");
    expect("check ca/ca.pem --ca other/ca.pem", 1, "self-signed");
    expect("check ca/a.example.pem --policy strict", 1, "lacks sipDomain");
    expect("check ca/a.example.pem --key ca/old.example.key", 1, "does not belong to it");
    (void)done("issue s.example --sip-domain");
    expect("check ca/s.example.pem --policy strict --for s.example", 0, "good");
}

TEST_F(Certs, WhatWasRevokedIsRefused) {
    (void)done("init");
    (void)done("issue a.example");
    (void)done("issue b.example");
    EXPECT_TRUE(contains(done("revoke a.example"), "revoked a.example (serial "));
    expect("check ca/a.example.pem --crl ca/crl.pem", 1, "revoked: a.example: was revoked by");
    expect("check ca/b.example.pem --crl ca/crl.pem", 0, "good");
    expect("revoke c.example", 3, "neither a certificate's file");
    (void)done("revoke --days 5");
    expect("check ca/a.example.pem --crl ca/crl.pem", 1, "revoked");
}

TEST_F(Certs, NothingIsReplacedWithoutForce) {
    (void)done("init");
    (void)done("issue a.example");
    const auto key = content_of(path("ca/a.example.key"));
    const auto ca = content_of(path("ca/ca.key"));
    expect("init", 3, "ca/ca.pem: is there already; --force replaces it");
    expect("issue a.example", 3, "--force replaces it");
    EXPECT_EQ(content_of(path("ca/a.example.key")), key);
    EXPECT_EQ(content_of(path("ca/ca.key")), ca);
    (void)done("issue a.example --force");
    EXPECT_NE(content_of(path("ca/a.example.key")), key);
}

TEST_F(Certs, MistakesAreNamedWithTheWayOut) {
    expect("issue a.example", 3, "ca/ca.pem: no such file; 'callwright certs init' makes a CA");
    (void)done("init");
    expect("issue '*.example.com'", 2, "wildcards do not count in SIP");
    expect("issue 'a b'", 2, "neither a domain, nor an address, nor user@domain");
    expect("issue", 2, "which name");
    expect("issue a.example --from yesterday", 2, "not a date like 2026-05-01");
    expect("check ca/ca.pem --at tomorrow", 2, "not a date");
    expect("show nothing.pem", 3, "callwright: certs: nothing.pem: no such file");
    expect("show ca/ca.key", 3, "no certificate in it");
    expect("show ca", 3, "is it a directory?");
    expect("", 2, "See 'callwright certs --help'");
    (void)file("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    expect("check garbage.pem", 3, "no certificate in it");
}

TEST_F(Certs, ShowsEachCertificateOfAFileAsTextAndJson) {
    (void)done("init --name 'The CA'");
    (void)done("issue example.com --rsa");
    const auto chain = content_of(path("ca/example.com.pem")) + content_of(path("ca/ca.pem"));
    (void)file("chain.pem", chain);
    const auto text = done("show chain.pem");
    EXPECT_TRUE(contains(text, "chain.pem: example.com (1 of 2)")) << text;
    EXPECT_TRUE(contains(text, "chain.pem: The CA (2 of 2)")) << text;
    EXPECT_TRUE(contains(text, "RSA 2048, signed with ecdsa-with-SHA256")) << text;
    EXPECT_TRUE(contains(text, "nobody: it is a CA")) << text;
    const auto json = done("show chain.pem --format json");
    EXPECT_TRUE(contains(json, R"("names":["URI:sip:example.com","DNS:example.com"])")) << json;
    EXPECT_TRUE(contains(json, R"("domains":["example.com"])")) << json;
    const auto verdict = done("check chain.pem --for sip:example.com --format json");
    EXPECT_TRUE(contains(verdict, R"("good":true,"trusted":true)")) << verdict;
}

TEST_F(Certs, NoKeyIsEverPrinted) {
    std::string said = done("init");
    said += done("issue a.example");
    said += done("issue b.example --format json");
    (void)file("both.pem",
               content_of(path("ca/a.example.pem")) + content_of(path("ca/a.example.key")));
    said += done("show both.pem");
    said += done("check both.pem --key ca/a.example.key --format json");
    said += run("certs show ca/a.example.key").text;
    for (const auto* key : {"ca/ca.key", "ca/a.example.key", "ca/b.example.key"}) {
        const auto text = content_of(path(key));
        const auto line = text.find('\n') + 1;
        ASSERT_GT(text.size(), line + 40);
        EXPECT_FALSE(contains(said, text.substr(line, 40)));
    }
    EXPECT_FALSE(contains(said, "PRIVATE KEY"));
}

TEST_F(Certs, HaveThePurposesThatWereAskedFor) {
    (void)done("init");
    for (const auto& [purposes, shown] :
         {std::pair{"sipDomain,serverAuth", "serverAuth, sipDomain"},
          std::pair{"clientAuth", "clientAuth"}, std::pair{"any", "anyExtendedKeyUsage"}}) {
        (void)done(std::string{"issue a.example --force --eku "} + purposes);
        const auto text = done("show ca/a.example.pem");
        EXPECT_TRUE(contains(text, shown)) << text;
    }
    expect("check ca/a.example.pem --policy strict", 0, "good");
    (void)done("issue a.example --force --eku none");
    const auto none = cw::tests::run_shell("openssl x509 -noout -ext extendedKeyUsage -in " +
                                           path("ca/a.example.pem") + " 2>&1");
    EXPECT_TRUE(contains(none.text, "No extensions in certificate")) << none.text;
    expect("issue b.example --eku codeSigning", 2, "sipDomain");
}

TEST_F(Certs, SayWhereRevocationIsTold) {
    (void)done("init");
    (void)done("issue a.example --ocsp-url http://ca.example:8888 --crl-url http://ca.example/crl");
    const auto text = done("show ca/a.example.pem");
    EXPECT_TRUE(contains(text, "OCSP http://ca.example:8888")) << text;
    EXPECT_TRUE(contains(text, "CRL http://ca.example/crl")) << text;
    expect("check ca/a.example.pem --for sip:a.example", 0, "good");
    EXPECT_TRUE(contains(
        cw::tests::run_shell("openssl x509 -noout -ocsp_uri -in " + path("ca/a.example.pem")).text,
        "http://ca.example:8888"));
    expect("issue b.example --ocsp-url ca.example", 2, "not a URL");
}

TEST_F(Certs, ForBodiesAreTakenByOpenSsl) {
    (void)done("init");
    (void)done("issue alice@example.com --smime");
    (void)done("issue bob@example.com --smime --rsa");
    expect("check ca/alice@example.com.pem --policy smime --for alice@example.com", 0, "good");
    expect("check ca/alice@example.com.pem --for alice@example.com", 1, "serverAuth");
    expect("check ca/alice@example.com.pem --policy smime --for bob@example.com", 1, "other names");
    const auto openssl = [&](const std::string& arguments) {
        return cw::tests::run_shell("cd " + path("ca") + " && openssl cms " + arguments + " 2>&1");
    };
    for (const auto* who : {"alice", "bob"}) { // ECDSA and ECDH, RSA
        const auto file = std::string{who} + "@example.com";
        EXPECT_EQ(openssl("-sign -text -signer " + file + ".pem -inkey " + file +
                          ".key -out signed " +
                          "</etc/hostname && openssl cms -verify -CAfile ca.pem -purpose smimesign "
                          "-in signed && openssl cms -encrypt -aes128 -in signed -out sealed " +
                          file + ".pem && openssl cms -decrypt -in sealed -inkey " + file +
                          ".key -recip " + file + ".pem")
                      .status,
                  0)
            << who;
    }
}

// "certificates that need to be tested" [RFC 6216 §6], with the CA that the document prints.
TEST_F(Certs, OfRfc6216AreJudgedAsItsSection6Asks) {
    const std::string folder = CALLWRIGHT_SHARED_DIR "/material/rfc6216/";
    if (content_of(folder + "pem/ca_cert.pem").empty()) {
        GTEST_SKIP() << "no shared material";
    }
    struct Row {
        const char* file;
        const char* expected; // with "smime", a person
        int status;
        const char* words;
        bool crl = false;
    };
    for (const auto& row : {
             Row{"01_smime_good", "fluffy@example.com", 0, "good", true},
             Row{"02_smime_uri_mismatch", "fluffy@example.com", 1, "other names"},
             Row{"03_smime_untrusted_root", "fluffy@example.com", 1, "was not sent along"},
             Row{"04_smime_incomplete_chain", "fluffy@example.com", 1, "was not sent along"},
             Row{"05_smime_expired", "fluffy@example.com", 1, "expired"},
             Row{"06_smime_revoked", "fluffy@example.com", 1, "revoked", true},
             Row{"07_smime_no_digitalSignature", "fluffy@example.com", 1, "digitalSignature"},
             Row{"08_tls_good_dns", "example.com", 0, "good", true},
             Row{"09_tls_good_cn_no_dns", "example.com", 0, "good"},
             Row{"09b_tls_good_cn_wildcard_no_dns", "a.example.com", 0, "good"},
             Row{"10_tls_ip_san_empty_subject", "127.0.0.1", 0, "good"},
             Row{"11_tls_bad_no_match", "example.com", 1, "other names"},
             Row{"11b_tls_bad_dns_mismatch_cn_match", "example.com", 1, "other names"},
             Row{"11c_tls_bad_wildcard_dns", "a.example.com", 1, "other names"},
             Row{"12_tls_untrusted_root", "example.com", 1, "was not sent along"},
             Row{"13_tls_incomplete_chain", "example.com", 1, "was not sent along"},
             Row{"14_tls_expired", "example.com", 1, "expired"},
             Row{"14b_tls_not_yet_valid", "example.com", 1, "valid only in"},
             Row{"15_tls_revoked", "example.com", 1, "revoked", true},
             Row{"16_tls_no_serverAuth", "example.com", 1, "serverAuth"},
             Row{"17_tls_no_sipDomain_eku", "example.com", 1, "sipDomain"},
             Row{"17b_tls_any_eku_good", "example.com", 0, "good"},
         }) {
        const std::string file{row.file};
        expect("check " + folder + "sec6/" + file + ".pem --at 2026-11-30 --ca " + folder +
                   "pem/ca_cert.pem --for " + row.expected + " --policy " +
                   (contains(file, "smime") ? "smime" : "strict") +
                   (row.crl ? " --crl " + folder + "sec6/ca.crl.pem" : ""),
               row.status, row.words);
    }
}

// A party whose certificate was revoked is refused by who looks into the list, and by nobody else.
TEST_F(Certs, ThatAreRevokedAreRefusedInAFlow) {
    (void)done("init");
    (void)done("issue bob.example.com");
    std::ofstream{path("bob.both")} << content_of(path("ca/bob.example.com.pem"))
                                    << content_of(path("ca/bob.example.com.key"));
    std::ofstream{path("flow.mmd")} << "sequenceDiagram\n"
                                       "    actor alice as Alice\n"
                                       "    participant bob as bob.example.com (played)\n"
                                       "    %% certificate: bob.both\n\n"
                                       "    alice<<->>bob: TLS 1.3\n"
                                       "    alice->>bob: OPTIONS\n"
                                       "    bob-->>alice: 200 OK\n";
    const auto with_list = [&] { return run("run flow.mmd --trust ca/ca.pem --crl ca/crl.pem"); };
    (void)done("issue other.example.com");
    (void)done("revoke other.example.com");
    const auto good = with_list();
    EXPECT_EQ(good.status, 0) << good.text;
    (void)done("revoke bob.example.com");
    EXPECT_EQ(run("run flow.mmd --trust ca/ca.pem").status, 0);
    const auto revoked = with_list();
    EXPECT_EQ(revoked.status, 1) << revoked.text;
    EXPECT_TRUE(contains(revoked.text, "revoked")) << revoked.text;
    const auto no_list = run("run flow.mmd --crl flow.mmd");
    EXPECT_EQ(no_list.status, 3) << no_list.text;
    EXPECT_TRUE(contains(no_list.text, "no revocation list")) << no_list.text;
}

// Who signed and what was said, by the command line alone: certificates issued, a flow performed
// with them, its capture read with keys and CA, with a key alone, and with nothing.
TEST_F(Certs, OfPeopleOpenAndVerifyWhatIsReadOutOfACapture) {
    (void)done("init");
    for (const auto* who : {"alice", "bob"}) {
        (void)done(std::string{"issue "} + who + "@example.com --smime");
        const auto base = path(std::string{"ca/"} + who + "@example.com");
        std::ofstream{base + ".both"} << content_of(base + ".pem") << content_of(base + ".key");
    }
    std::ofstream{path("flow.mmd")} << "sequenceDiagram\n"
                                       "    actor alice as Alice\n"
                                       "    %% certificate: ca/alice@example.com.both\n"
                                       "    actor bob as Bob\n"
                                       "    %% certificate: ca/bob@example.com.both\n\n"
                                       "    alice->>bob: MESSAGE \"At nine.\" (signed, encrypted)\n"
                                       "    Note over bob: reads \"At nine.\" signed by alice\n"
                                       "    bob-->>alice: 200 OK\n";
    const auto performed = run("run flow.mmd --trust ca/ca.pem --pcap-out flow.pcapng");
    ASSERT_EQ(performed.status, 0) << performed.text;
    const auto ladder = [&](const std::string& options) {
        return run("read flow.pcapng --format ladder --width 200 " + options).text;
    };
    const auto all = ladder("--keys ca/bob@example.com.both --ca ca/ca.pem");
    EXPECT_TRUE(contains(all, "signed by alice@example.com, encrypted for bob@example.com")) << all;
    const auto no_ca = ladder("--keys ca/bob@example.com.both");
    EXPECT_TRUE(contains(no_ca, "certificate is not good")) << no_ca;
    const auto no_key = ladder("--keys ca/alice@example.com.both --ca ca/ca.pem");
    EXPECT_TRUE(contains(no_key, "no key of theirs is here")) << no_key;
    (void)done("revoke bob@example.com");
    EXPECT_TRUE(contains(ladder("--keys ca/bob@example.com.both --ca ca/ca.pem --crl ca/crl.pem"),
                         "✓ signed by alice@example.com"));
    (void)done("revoke alice@example.com");
    const auto revoked = ladder("--keys ca/bob@example.com.both --ca ca/ca.pem --crl ca/crl.pem");
    EXPECT_TRUE(contains(revoked, "was revoked by")) << revoked;
    EXPECT_TRUE(contains(revoked, "D65")) << revoked;
    EXPECT_EQ(run("read flow.pcapng --crl flow.mmd").status, 3);
    const auto missing = run("read flow.pcapng --ca no-such-file.pem");
    EXPECT_EQ(missing.status, 3) << missing.text;
    EXPECT_TRUE(contains(missing.text, "no-such-file.pem")) << missing.text;
}

} // namespace
