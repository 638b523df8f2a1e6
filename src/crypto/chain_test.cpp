#include "crypto/chain.hpp"

#include <array>

#include <gtest/gtest.h>

#include "crypto/test_certificates.hpp"

namespace cw::crypto {
namespace {

using Chain = std::vector<CertificatePtr>;

CertificatePtr share(const CertificatePtr& certificate) {
    X509_up_ref(certificate.get());
    return CertificatePtr{certificate.get()};
}
template <class... T>
Chain chain(const T&... certificates) {
    Chain out;
    (out.push_back(share(certificates)), ...);
    return out;
}

// A root, an intermediate below it, and what they issue.
class ChainOfTrust : public testing::Test {
  protected:
    ChainOfTrust()
        : root_(make_ca({.name = "Root", .validity = valid_for(made::now, 365), .path_length = 1})
                    .value()),
          between_(
              make_intermediate(root_, {.name = "Between", .validity = valid_for(made::now, 200)})
                  .value()),
          trusted_(chain(root_.certificate)) {}

    static LeafSpec leaf() {
        return {.domains = {"example.com"}, .validity = valid_for(made::now, 90)};
    }
    ChainVerdict verify(const Chain& presented, ChainQuestion question) const {
        question.presented = presented;
        if (!question.at.known()) {
            question.at = made::now;
        }
        if (question.trusted.empty()) {
            question.trusted = trusted_;
        }
        return verify_chain(question);
    }
    ChainVerdict verify(const Chain& presented, std::string expected = "example.com") const {
        return verify(presented, ChainQuestion{.presented = {},
                                               .trusted = {},
                                               .crls = {},
                                               .at = {},
                                               .expected = std::move(expected)});
    }
    // The one fault of a verdict, whole.
    static ChainFault only_fault(const ChainVerdict& verdict) {
        EXPECT_EQ(verdict.faults.size(), 1U);
        for (const auto& fault : verdict.faults) {
            EXPECT_FALSE(fault.what.empty());
            if (verdict.faults.size() > 1) {
                ADD_FAILURE() << describe(fault);
            }
        }
        return verdict.faults.empty() ? ChainFault{} : verdict.faults.front();
    }

    Credential root_;
    Credential between_;
    Chain trusted_;
};

TEST_F(ChainOfTrust, AGoodChainIsGoodAndSaysForWhom) {
    const auto made = issue(between_, leaf());
    const auto verdict = verify(chain(made->certificate, between_.certificate));
    EXPECT_TRUE(verdict.good()) << verdict.summary();
    EXPECT_TRUE(verdict.trusted());
    EXPECT_EQ(verdict.path, (std::vector<std::string>{"example.com", "Between", "Root"}));
    EXPECT_EQ(verdict.summary(), "good: it speaks for example.com");
    EXPECT_TRUE(verdict.notes.empty());
}

TEST_F(ChainOfTrust, AMissingIntermediateIsNamedWithTheWayOut) {
    const auto made = issue(between_, leaf());
    const auto fault = only_fault(verify(chain(made->certificate)));
    EXPECT_EQ(fault.rule, ChainRule::MissingIssuer);
    EXPECT_EQ(describe(fault),
              "example.com: its issuer CN=Between was not sent along and is not trusted here");
    EXPECT_NE(fault.advice.find("append it to the certificate's file"), std::string::npos);
}

TEST_F(ChainOfTrust, AnUnknownCaIsToldFromASelfSignedCertificate) {
    const auto other = made::ca("Foreign CA");
    const auto made = issue(other, leaf());
    auto fault = only_fault(verify(chain(made->certificate, other.certificate)));
    EXPECT_EQ(fault.rule, ChainRule::UnknownCa);
    EXPECT_EQ(fault.certificate, "Foreign CA");
    EXPECT_EQ(verify(chain(other.certificate), std::string{}).faults.front().rule,
              ChainRule::SelfSigned);
}

TEST_F(ChainOfTrust, ASelfSignedCertificateThatIsTrustedIsGood) {
    const auto other = made::ca("Pinned");
    const auto trusted = chain(other.certificate);
    const auto verdict = verify(
        chain(other.certificate),
        ChainQuestion{.presented = {}, .trusted = trusted, .crls = {}, .at = {}, .expected = ""});
    // A CA's key may sign certificates, not handshakes: that alone is wrong with it.
    EXPECT_EQ(only_fault(verdict).rule, ChainRule::WrongKeyUsage);
    EXPECT_TRUE(verdict.trusted());
}

TEST_F(ChainOfTrust, ACaMadeAnewUnderTheOldNameIsRecognised) {
    const auto renewed = make_ca({.name = "Root", .validity = valid_for(made::now, 365)});
    const auto made = issue(*renewed, leaf());
    auto fault = only_fault(verify(chain(made->certificate)));
    EXPECT_EQ(fault.rule, ChainRule::UnknownCa);
    EXPECT_NE(fault.what.find("with another key"), std::string::npos);
    fault = only_fault(verify(chain(made->certificate, renewed->certificate)));
    EXPECT_EQ(fault.rule, ChainRule::UnknownCa);
    EXPECT_NE(fault.what.find("with another key"), std::string::npos);
}

TEST_F(ChainOfTrust, DatesAreJudgedAtTheGivenInstant) {
    const auto made = issue(root_, leaf());
    const auto at = [&](Instant t) {
        return verify(
            chain(made->certificate),
            ChainQuestion{
                .presented = {}, .trusted = {}, .crls = {}, .at = t, .expected = "example.com"});
    };
    EXPECT_TRUE(at(made::now).good());
    const auto expired = only_fault(at(made::now + seconds(86400 * 93)));
    EXPECT_EQ(expired.rule, ChainRule::Expired);
    EXPECT_EQ(expired.what, "expired 3 days ago, on 2026-12-20");
    const auto early = at(made::now - seconds(86400 * 10));
    EXPECT_EQ(early.faults.size(), 2U); // the CA is not valid yet either
    EXPECT_EQ(early.faults[0].rule, ChainRule::NotYetValid);
    EXPECT_NE(early.faults[0].what.find("valid only in 9 days"), std::string::npos);
    const auto late = at(made::now + seconds(86400 * 80));
    ASSERT_EQ(late.notes.size(), 1U);
    EXPECT_EQ(late.notes[0], "example.com expires soon: in 10 days, on 2026-12-20");
}

TEST_F(ChainOfTrust, AnotherNameIsToldWithThoseItHas) {
    auto spec = leaf();
    spec.domains = {"a.example", "b.example"};
    const auto made = issue(root_, spec);
    const auto fault = only_fault(verify(chain(made->certificate), "c.example"));
    EXPECT_EQ(fault.rule, ChainRule::OtherNames);
    EXPECT_EQ(fault.what, "it speaks for a.example and b.example, not for c.example");
}

TEST_F(ChainOfTrust, PurposesAreJudgedByThePolicy) {
    auto spec = leaf();
    spec.client_auth = false;
    const auto made = issue(root_, spec);
    const auto with = [&](Role role, PurposePolicy policy) {
        return verify(chain(made->certificate), ChainQuestion{.presented = {},
                                                              .trusted = {},
                                                              .crls = {},
                                                              .at = {},
                                                              .expected = "example.com",
                                                              .role = role,
                                                              .identity = {.purposes = policy}});
    };
    EXPECT_TRUE(with(Role::Server, PurposePolicy::ByRole).good());
    EXPECT_TRUE(with(Role::Client, PurposePolicy::AcceptServerAuth).good());
    const auto refused = with(Role::Client, PurposePolicy::ByRole);
    EXPECT_EQ(only_fault(refused).rule, ChainRule::WrongPurpose);
    EXPECT_TRUE(refused.trusted());
}

TEST_F(ChainOfTrust, RevocationIsCheckedWhereListsAreGiven) {
    const auto made = issue(root_, leaf());
    std::vector<CrlPtr> crls;
    crls.push_back(std::move(
        *make_crl(root_, std::vector<Revocation>{{serial_of(made->certificate.get()), made::now}},
                  made::now - seconds(10), made::now + seconds(86400), 1)));
    const auto with = [&](const Chain& presented, Instant at) {
        return verify(
            presented,
            ChainQuestion{
                .presented = {}, .trusted = {}, .crls = crls, .at = at, .expected = "example.com"});
    };
    const auto revoked = with(chain(made->certificate), made::now);
    EXPECT_EQ(only_fault(revoked).rule, ChainRule::Revoked);
    EXPECT_FALSE(revoked.trusted());
    const auto good = issue(root_, leaf());
    EXPECT_TRUE(with(chain(good->certificate), made::now).good());
    EXPECT_EQ(only_fault(with(chain(good->certificate), made::now + seconds(86400 * 2))).rule,
              ChainRule::NoCrl);
    // A list that was made after that date knows no less of it.
    EXPECT_TRUE(with(chain(good->certificate), made::now - seconds(20)).good());
    EXPECT_EQ(only_fault(with(chain(made->certificate), made::now - seconds(20))).rule,
              ChainRule::Revoked);
    const auto below = issue(between_, leaf());
    EXPECT_EQ(only_fault(with(chain(below->certificate, between_.certificate), made::now)).rule,
              ChainRule::NoCrl);
}

TEST_F(ChainOfTrust, Sha1IsRefusedUnlessTold) {
    auto spec = leaf();
    spec.sha1 = true;
    const auto made = issue(root_, spec);
    const auto fault = only_fault(verify(chain(made->certificate)));
    EXPECT_EQ(fault.rule, ChainRule::Weak);
    EXPECT_EQ(fault.what, "its signature is weak: ecdsa-with-SHA1 can be forged");
    EXPECT_TRUE(verify(chain(made->certificate), ChainQuestion{.presented = {},
                                                               .trusted = {},
                                                               .crls = {},
                                                               .accept_weak = true,
                                                               .at = {},
                                                               .expected = "example.com"})
                    .good());
}

TEST_F(ChainOfTrust, AChangedCertificateIsFoundOut) {
    const auto made = issue(root_, leaf());
    unsigned char* der = nullptr;
    const int size = i2d_X509(made->certificate.get(), &der);
    der[size - 1] = static_cast<unsigned char>(der[size - 1] ^ 1);
    const unsigned char* at = der;
    const CertificatePtr changed{d2i_X509(nullptr, &at, size)};
    OPENSSL_free(der);
    ASSERT_NE(changed, nullptr);
    EXPECT_EQ(verify(chain(changed)).faults.front().rule, ChainRule::BadSignature);
}

TEST_F(ChainOfTrust, ALeafMayNotIssue) {
    const auto leaf_as_ca = issue(root_, leaf());
    auto spec = leaf();
    spec.domains = {"bank.example"};
    const auto forged = issue(*leaf_as_ca, spec);
    const auto verdict =
        verify(chain(forged->certificate, leaf_as_ca->certificate), "bank.example");
    EXPECT_EQ(verdict.faults.front().rule, ChainRule::NotACa);
    EXPECT_EQ(verdict.faults.front().certificate, "example.com");
}

TEST_F(ChainOfTrust, AllThatIsWrongIsTold) {
    const auto other = made::ca("Foreign CA");
    auto spec = leaf();
    spec.server_auth = false;
    spec.validity = {made::now - seconds(86400 * 9), made::now - seconds(86400 * 2)};
    const auto made = issue(other, spec);
    const auto verdict = verify(chain(made->certificate, other.certificate), "b.example");
    std::vector<ChainRule> rules;
    for (const auto& fault : verdict.faults) {
        rules.push_back(fault.rule);
    }
    EXPECT_EQ(rules, (std::vector{ChainRule::UnknownCa, ChainRule::Expired, ChainRule::WrongPurpose,
                                  ChainRule::OtherNames}));
}

TEST_F(ChainOfTrust, OrderAndASuperfluousRootAreNotesOnly) {
    const auto made = issue(between_, leaf());
    auto verdict = verify(chain(made->certificate, between_.certificate, root_.certificate));
    EXPECT_TRUE(verdict.good());
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_EQ(verdict.notes[0], "the root CA was sent along, which nobody needs");
    verdict = verify(chain(made->certificate, root_.certificate, between_.certificate));
    EXPECT_TRUE(verdict.good());
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_NE(verdict.notes[0].find("TLS 1.2 may refuse the order"), std::string::npos);
}

TEST_F(ChainOfTrust, NothingShownIsAFaultToo) {
    const auto verdict = verify(Chain{});
    EXPECT_EQ(only_fault(verdict).rule, ChainRule::Malformed);
    EXPECT_FALSE(verdict.trusted());
}

TEST_F(ChainOfTrust, AChainWithoutEndIsCutAndAnswered) {
    // A thousand copies in front of what matters: the rest is not looked at.
    const auto made = issue(between_, leaf());
    Chain presented = chain(made->certificate);
    for (int i = 0; i < 1000; ++i) {
        presented.push_back(share(made->certificate));
    }
    presented.push_back(share(between_.certificate));
    const auto verdict = verify(presented);
    EXPECT_EQ(verdict.faults.front().rule, ChainRule::Other);
    EXPECT_TRUE(verdict.summary().contains("longer than 16")) << verdict.summary();
}

TEST_F(ChainOfTrust, OfAHundredCertificatesThatAllFitIsRefused) {
    const auto top =
        make_ca({.name = "Top", .validity = valid_for(made::now, 365), .path_length = 200}).value();
    std::vector<Credential> links;
    for (int i = 0; i < 100; ++i) {
        const CaSpec spec{.name = "Link " + std::to_string(i),
                          .validity = valid_for(made::now, 200),
                          .path_length = 150 - i};
        links.push_back(make_intermediate(i == 0 ? top : links.back(), spec).value());
    }
    const auto last = issue(links.back(), leaf()).value();
    Chain presented = chain(last.certificate);
    for (auto link = links.rbegin(); link != links.rend(); ++link) {
        presented.push_back(share(link->certificate));
    }
    const auto trusted = chain(top.certificate);
    const auto verdict = verify(
        presented,
        {.presented = {}, .trusted = trusted, .crls = {}, .at = {}, .expected = "example.com"});
    EXPECT_FALSE(verdict.good());
    EXPECT_TRUE(verdict.summary().contains("longer than 16")) << verdict.summary();
}

// RFC 6216 section 6, its 17 cases.
TEST(ChainOfRfc6216, IsJudgedAsTheTableSays) {
    const auto root =
        made::from_pem(made::content_of(CALLWRIGHT_SHARED_DIR "/material/rfc6216/pem/ca_cert.pem"));
    if (root == nullptr) {
        GTEST_SKIP() << "no shared material";
    }
    const auto trusted = chain(root);
    const auto crls =
        read_crls(made::content_of(CALLWRIGHT_SHARED_DIR "/material/rfc6216/sec6/ca.crl.pem"));
    ASSERT_TRUE(crls);
    struct Row {
        const char* file;
        const char* expected;
        ChainRule rule;
        bool with_crl = false;
        bool smime = false;
    };
    constexpr auto good = ChainRule::Other; // stands for no fault
    const auto rows = std::to_array<Row>({
        {"01_smime_good", "fluffy@example.com", good, true, true},
        {"02_smime_uri_mismatch", "fluffy@example.com", ChainRule::OtherNames, false, true},
        {"03_smime_untrusted_root", "fluffy@example.com", ChainRule::MissingIssuer, false, true},
        {"04_smime_incomplete_chain", "fluffy@example.com", ChainRule::MissingIssuer, false, true},
        {"05_smime_expired", "fluffy@example.com", ChainRule::Expired, false, true},
        {"06_smime_revoked", "fluffy@example.com", ChainRule::Revoked, true, true},
        {"07_smime_no_digitalSignature", "fluffy@example.com", ChainRule::WrongKeyUsage, false,
         true},
        {"08_tls_good_dns", "example.com", good, true},
        {"09_tls_good_cn_no_dns", "example.com", good},
        {"09b_tls_good_cn_wildcard_no_dns", "a.example.com", good},
        {"10_tls_ip_san_empty_subject", "127.0.0.1", good},
        {"11_tls_bad_no_match", "example.com", ChainRule::OtherNames},
        {"11b_tls_bad_dns_mismatch_cn_match", "example.com", ChainRule::OtherNames},
        {"11c_tls_bad_wildcard_dns", "a.example.com", ChainRule::OtherNames},
        {"12_tls_untrusted_root", "example.com", ChainRule::MissingIssuer},
        {"13_tls_incomplete_chain", "example.com", ChainRule::MissingIssuer},
        {"14_tls_expired", "example.com", ChainRule::Expired},
        {"14b_tls_not_yet_valid", "example.com", ChainRule::NotYetValid},
        {"15_tls_revoked", "example.com", ChainRule::Revoked, true},
        {"16_tls_no_serverAuth", "example.com", ChainRule::WrongPurpose},
        {"17_tls_no_sipDomain_eku", "example.com", ChainRule::WrongPurpose},
        {"17b_tls_any_eku_good", "example.com", good},
    });
    const Instant at{1'796'000'000'000'000'000}; // 2026-11-30
    for (const auto& row : rows) {
        const auto presented = chain(made::of_rfc6216(row.file));
        ChainQuestion question{
            .presented = presented,
            .trusted = trusted,
            .crls = {},
            .at = at,
            .expected = row.expected,
            .identity = {.purposes = row.smime ? PurposePolicy::Smime : PurposePolicy::Strict}};
        if (row.with_crl) {
            question.crls = *crls;
        }
        const auto verdict = verify_chain(question);
        if (row.rule == good) {
            EXPECT_TRUE(verdict.good()) << row.file << ": " << verdict.summary();
        } else {
            ASSERT_FALSE(verdict.good()) << row.file;
            EXPECT_EQ(verdict.faults.front().rule, row.rule)
                << row.file << ": " << verdict.summary();
        }
    }
}

TEST(CertificateFacts, SayWhatAPersonAsks) {
    const auto made = issue(made::ca(), {.domains = {"example.com"},
                                         .users = {"alice@example.com"},
                                         .validity = valid_for(made::now, 90),
                                         .sip_domain = true});
    const auto facts = describe(made->certificate.get());
    EXPECT_EQ(facts.subject, "CN=example.com");
    EXPECT_EQ(facts.issuer, "CN=Test CA");
    EXPECT_EQ(facts.key, "ECDSA P-256");
    EXPECT_EQ(facts.signature, "ecdsa-with-SHA256");
    EXPECT_FALSE(facts.is_ca || facts.self_issued || facts.weak_signature);
    EXPECT_EQ(facts.names,
              (std::vector<std::string>{"URI:sip:example.com", "URI:sip:alice@example.com",
                                        "DNS:example.com"}));
    EXPECT_EQ(facts.purposes, (std::vector<std::string>{"serverAuth", "clientAuth", "sipDomain"}));
    EXPECT_EQ(facts.key_usages, std::vector<std::string>{"digitalSignature"});
    EXPECT_EQ(facts.fingerprint.size(), 95U);
    EXPECT_EQ(facts.not_after, made::now + seconds(90 * 86400));
}

TEST(CertificateFacts, ANulInANameIsShownAndNotBelieved) {
    using namespace std::string_view_literals;
    const auto facts =
        describe(made::with_names({{GEN_DNS, "a.example\0.evil.example"sv}}, "a\x01z").get());
    EXPECT_EQ(facts.names, std::vector<std::string>{"DNS:a.example?.evil.example"});
    EXPECT_TRUE(facts.identity.empty());
    EXPECT_FALSE(facts.identity_problem.empty());
    EXPECT_EQ(facts.name, "a?z");
}

TEST(CertificateFacts, TimeIsToldInOneUnit) {
    EXPECT_EQ(in_words(seconds(59)), "59 seconds");
    EXPECT_EQ(in_words(seconds(60)), "1 minute");
    EXPECT_EQ(in_words(seconds(47 * 3600)), "47 hours");
    EXPECT_EQ(in_words(seconds(2 * 86400)), "2 days");
    EXPECT_EQ(in_words(seconds(-700 * 86400)), "700 days");
    EXPECT_EQ(in_words(seconds(800 * 86400)), "2 years");
    EXPECT_EQ(validity_in_words(made::now, made::now + seconds(90), made::now),
              "good for 1 minute more");
}

TEST(CertificateFiles, PemWithKeysAroundAndDerAreRead) {
    const auto ca = made::ca();
    const auto made = issue(ca, {.domains = {"a.example"}, .validity = valid_for(made::now, 1)});
    const auto text = "a comment\n" + to_pem(made->key.get()) + to_pem(made->certificate.get()) +
                      to_pem(ca.certificate.get());
    const auto both = read_certificates(text);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->size(), 2U);
    EXPECT_EQ(describe((*both)[1].get()).name, "Test CA");
    unsigned char* der = nullptr;
    const int size = i2d_X509(ca.certificate.get(), &der);
    const auto one =
        read_certificates({reinterpret_cast<char*>(der), static_cast<std::size_t>(size)});
    OPENSSL_free(der);
    EXPECT_TRUE(one);
    EXPECT_FALSE(read_certificates(""));
    EXPECT_FALSE(read_certificates("-----BEGIN CERTIFICATE-----\nMIIB\n"));
    EXPECT_FALSE(read_certificates(to_pem(ca.key.get())));
}

} // namespace
} // namespace cw::crypto
