#include "crypto/identity.hpp"

#include <array>

#include <gtest/gtest.h>

#include "crypto/test_certificates.hpp"

namespace cw::crypto {
namespace {

using Finding = Verdict::Finding;
using namespace std::string_view_literals;
using Strings = std::vector<std::string>;

Identity identity_of(std::initializer_list<made::Name> names, std::string_view common_name = "") {
    const auto certificate = made::with_names(names, common_name);
    auto identity = read_identity(certificate.get());
    EXPECT_TRUE(identity) << identity.error().what;
    return identity ? *identity : Identity{};
}

TEST(SipIdentity, ASipUriWithoutUserIsADomain) {
    const auto identity = identity_of({{GEN_URI, "SIP:Example.COM"}});
    EXPECT_EQ(identity.domains, Strings{"example.com"});
    EXPECT_TRUE(identity.from_uris);
    EXPECT_TRUE(identity.speaks_for("EXAMPLE.com"));
}

TEST(SipIdentity, PortAndParametersOfTheUriDoNotBelongToTheDomain) {
    EXPECT_EQ(identity_of({{GEN_URI, "sip:a.example:5061;transport=tls?x=y"}}).domains,
              Strings{"a.example"});
}

TEST(SipIdentity, AUriWithUserIsAPersonAndNeverADomain) {
    const auto identity = identity_of({{GEN_URI, "sip:Alice@Example.com"}});
    EXPECT_TRUE(identity.domains.empty());
    EXPECT_EQ(identity.users, Strings{"sip:Alice@example.com"});
    EXPECT_FALSE(identity.speaks_for("example.com"));
    EXPECT_TRUE(identity.speaks_for_user("sip:Alice@EXAMPLE.com"));
    EXPECT_TRUE(identity.speaks_for_user("Alice@example.com;user=phone"));
    EXPECT_FALSE(identity.speaks_for_user("alice@example.com"));
    EXPECT_FALSE(identity.speaks_for_user("example.com"));
}

TEST(SipIdentity, AUserPartThatLooksLikeADomainDoesNotBecomeOne) {
    const auto identity = identity_of({{GEN_URI, "sip:bank.example;x@evil.example"}});
    EXPECT_TRUE(identity.domains.empty());
    EXPECT_FALSE(identity.speaks_for("bank.example"));
    EXPECT_FALSE(identity.speaks_for("evil.example"));
}

TEST(SipIdentity, OtherSchemesThanSipMakeNoDomain) {
    const auto identity = identity_of({{GEN_URI, "sips:a.example"},
                                       {GEN_URI, "https://b.example"},
                                       {GEN_URI, "im:c.example"},
                                       {GEN_EMAIL, "d@e.example"}});
    EXPECT_TRUE(identity.domains.empty());
    EXPECT_EQ(identity.passed_over.size(), 4U);
}

TEST(SipIdentity, DnsNamesCountWhereThereIsNoSipUri) {
    const auto identity = identity_of({{GEN_DNS, "B.example"}, {GEN_DNS, "a.example."}});
    EXPECT_EQ(identity.domains, (Strings{"b.example", "a.example"}));
    EXPECT_FALSE(identity.from_uris);
}

TEST(SipIdentity, DnsNamesDoNotCountBesideASipUri) {
    const auto identity = identity_of({{GEN_DNS, "host.example"}, {GEN_URI, "sip:example.com"}});
    EXPECT_EQ(identity.domains, Strings{"example.com"});
    EXPECT_FALSE(identity.speaks_for("host.example"));
    const auto verdict = judge_name(identity, "host.example");
    EXPECT_EQ(verdict.finding, Finding::OtherNames);
    EXPECT_EQ(verdict.why, "it speaks for example.com, not for host.example (its DNS names do not "
                           "count beside its sip URIs)");
}

TEST(SipIdentity, AUriOfAPersonLeavesTheDnsNamesInForce) {
    EXPECT_TRUE(identity_of({{GEN_URI, "sip:bob@example.com"}, {GEN_DNS, "example.com"}})
                    .speaks_for("example.com"));
}

TEST(SipIdentity, TheCommonNameCountsOnlyWithoutAnySubjectAltName) {
    const auto old = identity_of({}, "Example.com");
    EXPECT_TRUE(old.empty());
    EXPECT_FALSE(old.speaks_for("example.com")) << "nobody gets in by it";
    EXPECT_TRUE(judge_name(old, "example.com.").accepted());
    EXPECT_EQ(judge_name(old, "pbx.example.com").finding, Finding::NoNames);
    EXPECT_EQ(judge_name(old, "alice@example.com").finding, Finding::NoNames);
    const auto wildcard = identity_of({}, "*.example.com");
    EXPECT_TRUE(judge_name(wildcard, "pbx.example.com").accepted());
    EXPECT_FALSE(judge_name(wildcard, "a.pbx.example.com").accepted());
    EXPECT_FALSE(judge_name(identity_of({}, "Bob of example.com"), "example.com").accepted());
    // Other names are there, of whatever kind.
    const auto person = identity_of({{GEN_URI, "sip:bob@example.com"}}, "example.com");
    EXPECT_FALSE(judge_name(person, "example.com").accepted());
    const auto mail = identity_of({{GEN_EMAIL, "bob@example.com"}}, "example.com");
    EXPECT_EQ(judge_name(mail, "example.com").finding, Finding::NoNames);
}

TEST(SipIdentity, NamesMatchWhole) {
    const auto identity = identity_of({{GEN_DNS, "example.com"}, {GEN_DNS, ".dot.example"}});
    EXPECT_TRUE(identity.speaks_for("example.com."));
    EXPECT_FALSE(identity.speaks_for("foo.example.com"));
    EXPECT_FALSE(identity.speaks_for("xample.com"));
    EXPECT_FALSE(identity.speaks_for("com"));
    EXPECT_FALSE(identity.speaks_for(""));
    EXPECT_FALSE(identity.speaks_for("foo.dot.example"));
}

TEST(SipIdentity, AWildcardCountsOnlyWhenTold) {
    const auto identity = identity_of({{GEN_DNS, "*.example.com"}});
    EXPECT_FALSE(identity.speaks_for("pbx.example.com"));
    EXPECT_TRUE(identity.speaks_for("pbx.example.com", true));
    EXPECT_FALSE(identity.speaks_for("a.b.example.com", true));
    EXPECT_FALSE(identity.speaks_for("example.com", true));
    EXPECT_FALSE(identity.speaks_for(".example.com", true));
    EXPECT_EQ(judge_name(identity, "pbx.example.com").why,
              "it speaks for *.example.com, not for pbx.example.com (wildcards do not count in "
              "SIP)");
}

TEST(SipIdentity, AddressesMatchAddressesInEverySpelling) {
    const std::array<char, 16> v6{0x20, 0x01, 0x0d, '\xb8', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    const auto identity =
        identity_of({{GEN_IPADD, "\xc0\x00\x02\x01"sv}, {GEN_IPADD, {v6.data(), v6.size()}}});
    EXPECT_TRUE(identity.speaks_for("192.0.2.1"));
    EXPECT_TRUE(identity.speaks_for("2001:DB8:0::1"));
    EXPECT_TRUE(judge_name(identity, "sip:[2001:db8::1]:5061").accepted());
    EXPECT_TRUE(judge_name(identity, "2001:db8::1").accepted());
    EXPECT_FALSE(identity.speaks_for("192.0.2.2"));
}

TEST(SipIdentity, ADnsNameThatSpellsAnAddressIsNoAddress) {
    EXPECT_FALSE(identity_of({{GEN_DNS, "192.0.2.1"}}).speaks_for("192.0.2.1"));
}

TEST(SipIdentity, NamesWithTricksInThemAreRefused) {
    for (const auto& name :
         {made::Name{GEN_DNS, "example.com\0.evil.example"sv},
          made::Name{GEN_URI, "sip:example.com\0@evil.example"sv},
          made::Name{GEN_DNS, "example.com\n"sv},
          made::Name{GEN_URI, "sip:example.com sip:b.example"sv},
          made::Name{GEN_DNS, "ex\xc3\xa4mple.com"sv}, made::Name{GEN_DNS, "ex\xff.com"sv},
          made::Name{GEN_EMAIL, "a@b\0c"sv}, made::Name{GEN_IPADD, "\x01\x02\x03"sv}}) {
        const auto certificate = made::with_names({{GEN_DNS, "example.com"}, name});
        const auto identity = read_identity(certificate.get());
        ASSERT_FALSE(identity) << name.bytes;
        EXPECT_EQ(identity.error().code, Code::Malformed);
        const auto verdict = judge(certificate.get(), "example.com", Role::Server);
        EXPECT_EQ(verdict.finding, Finding::Unreadable);
    }
}

TEST(SipIdentity, TooManyOrTooLongNamesAreRefused) {
    const std::string long_name(3000, 'a');
    const auto too_long = made::with_names({{GEN_DNS, long_name}});
    EXPECT_EQ(read_identity(too_long.get()).error().code, Code::LimitExceeded);

    LeafSpec spec{.validity = valid_for(made::now, 1)};
    for (int i = 0; i < most_names; ++i) {
        spec.domains.push_back("n" + std::to_string(i) + ".example");
    }
    const auto many = issue(made::ca(), spec);
    ASSERT_TRUE(many);
    EXPECT_EQ(read_identity(many->certificate.get()).error().code, Code::LimitExceeded);
}

TEST(SipIdentity, TwoExtensionsOfNamesAreRefused) {
    auto certificate = made::with_names({{GEN_DNS, "a.example"}});
    const auto other = made::with_names({{GEN_DNS, "b.example"}});
    auto* extension = X509_get_ext(other.get(), 0);
    ASSERT_EQ(X509_add_ext(certificate.get(), extension, -1), 1);
    EXPECT_EQ(read_identity(certificate.get()).error().code, Code::Malformed);
}

TEST(SipIdentity, IsReadFromDerOrRefused) {
    const auto made =
        issue(made::ca(), {.domains = {"example.com"}, .validity = valid_for(made::now, 1)});
    unsigned char* der = nullptr;
    const auto size = static_cast<std::size_t>(i2d_X509(made->certificate.get(), &der));
    const Bytes bytes{der, size};
    EXPECT_EQ(read_identity(bytes)->domains, Strings{"example.com"});
    for (std::size_t n = 0; n < size; ++n) {
        EXPECT_FALSE(read_identity(bytes.first(n))) << n;
    }
    OPENSSL_free(der);
}

TEST(KeyPurpose, WithoutTheExtensionEverythingFits) {
    for (const auto policy : {PurposePolicy::Strict, PurposePolicy::ByRole,
                              PurposePolicy::AcceptServerAuth, PurposePolicy::Ignore}) {
        EXPECT_TRUE(judge_purposes({}, Role::Server, policy).accepted());
        EXPECT_TRUE(
            judge_purposes({.restricted = true, .any = true, .others = {}}, Role::Client, policy)
                .accepted());
    }
}

TEST(KeyPurpose, PoliciesDifferInWhatTheyAskFor) {
    struct Row {
        bool server, client, sip_domain;
        Role role;
        bool strict, by_role, accept_server_auth;
    };
    const auto rows = std::to_array<Row>({
        {true, false, false, Role::Server, false, true, true},
        {true, false, true, Role::Server, true, true, true},
        {false, true, true, Role::Server, false, false, false},
        {false, false, true, Role::Server, false, true, true},
        {false, false, false, Role::Server, false, false, false},
        {true, false, false, Role::Client, false, false, true},
        {true, true, true, Role::Client, true, true, true},
        {false, true, false, Role::Client, false, true, true},
        {false, false, false, Role::Client, false, false, false},
    });
    for (const auto& row : rows) {
        const KeyPurposes purposes{.restricted = true,
                                   .server = row.server,
                                   .client = row.client,
                                   .sip_domain = row.sip_domain,
                                   .others = {}};
        const auto accepted = [&](PurposePolicy policy) {
            return judge_purposes(purposes, row.role, policy).accepted();
        };
        EXPECT_EQ(accepted(PurposePolicy::Strict), row.strict);
        EXPECT_EQ(accepted(PurposePolicy::ByRole), row.by_role);
        EXPECT_EQ(accepted(PurposePolicy::AcceptServerAuth), row.accept_server_auth);
        EXPECT_TRUE(accepted(PurposePolicy::Ignore));
    }
}

TEST(KeyPurpose, IsReadFromTheExtension) {
    const auto ca = made::ca();
    const auto full = issue(
        ca, {.domains = {"a.example"}, .validity = valid_for(made::now, 1), .sip_domain = true});
    const auto purposes = read_purposes(full->certificate.get());
    ASSERT_TRUE(purposes);
    EXPECT_TRUE(purposes->restricted && purposes->server && purposes->client &&
                purposes->sip_domain);
    EXPECT_FALSE(purposes->any);
    const auto none = made::with_names({{GEN_DNS, "a.example"}});
    EXPECT_FALSE(read_purposes(none.get())->restricted);
}

// The table of RFC 6216 section 6 for TLS, as far as it is about names and purposes.
TEST(SipIdentity, JudgesTheCertificatesOfRfc6216) {
    if (made::of_rfc6216("08_tls_good_dns") == nullptr) {
        GTEST_SKIP() << "no shared material";
    }
    struct Row {
        const char* file;
        const char* expected;
        Finding finding;
    };
    const auto rows = std::to_array<Row>({
        {"08_tls_good_dns", "example.com", Finding::Accepted},
        {"09_tls_good_cn_no_dns", "example.com", Finding::Accepted},
        {"09b_tls_good_cn_wildcard_no_dns", "a.example.com", Finding::Accepted},
        {"10_tls_ip_san_empty_subject", "192.0.2.1", Finding::Accepted},
        {"11_tls_bad_no_match", "example.com", Finding::OtherNames},
        {"11b_tls_bad_dns_mismatch_cn_match", "example.com", Finding::OtherNames},
        {"11c_tls_bad_wildcard_dns", "pbx.example.com", Finding::OtherNames},
        {"16_tls_no_serverAuth", "example.com", Finding::WrongPurpose},
        {"17_tls_no_sipDomain_eku", "example.com", Finding::WrongPurpose},
        {"17b_tls_any_eku_good", "example.com", Finding::Accepted},
    });
    for (const auto& row : rows) {
        const auto certificate = made::of_rfc6216(row.file);
        ASSERT_NE(certificate, nullptr) << row.file;
        const auto verdict = judge(certificate.get(), row.expected, Role::Server,
                                   {.purposes = PurposePolicy::Strict});
        EXPECT_EQ(verdict.finding, row.finding) << row.file << ": " << verdict.why;
    }
    // What public CAs issue is good enough unless RFC 5924 is insisted on.
    EXPECT_TRUE(
        judge(made::of_rfc6216("17_tls_no_sipDomain_eku").get(), "example.com", Role::Server)
            .accepted());
    const auto alice = read_identity(made::of_rfc6216("01_smime_good").get());
    ASSERT_TRUE(alice);
    EXPECT_TRUE(alice->speaks_for_user("sip:fluffy@example.com"));
    EXPECT_FALSE(read_identity(made::of_rfc6216("02_smime_uri_mismatch").get())
                     ->speaks_for_user("sip:fluffy@example.com"));
}

} // namespace
} // namespace cw::crypto
