#include "crypto/digest.hpp"

#include <gtest/gtest.h>

#include <array>

#include "crypto/digest_client.hpp"
#include "crypto/digest_fields.hpp"

namespace cw::crypto {
namespace {

constexpr std::string_view nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
constexpr std::string_view cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

std::string mufasa(DigestAlgorithm algorithm) {
    Digester digester;
    const auto ha1 = digester.ha1(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life");
    return std::string{digester
                           .response({.algorithm = algorithm,
                                      .ha1 = ha1.text(),
                                      .method = "GET",
                                      .uri = "/dir/index.html",
                                      .nonce = nonce,
                                      .qop = "auth",
                                      .nc = "00000001",
                                      .cnonce = cnonce,
                                      .body = {}})
                           .text()};
}

TEST(Digest, GivesTheResponsesOfRfc7616) {
    EXPECT_EQ(mufasa(DigestAlgorithm::Md5), "8ca523f5e9506fed4657c9700eebdbec");
    EXPECT_EQ(mufasa(DigestAlgorithm::Sha256),
              "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

// The example of RFC 7616 §3.9.2 was made with SHA-512 cut to 256 bits; this is what SHA-512/256 of
// FIPS 180-4 gives.
TEST(Digest, UsesSha512_256OfFips180) {
    Digester digester;
    const auto ha1 = digester.ha1(DigestAlgorithm::Sha512_256, "J\u00e4s\u00f8n Doe",
                                  "api@example.org", "Secret, or not?");
    const auto response =
        digester.response({.algorithm = DigestAlgorithm::Sha512_256,
                           .ha1 = ha1.text(),
                           .method = "GET",
                           .uri = "/doe.json",
                           .nonce = "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
                           .qop = "auth",
                           .nc = "00000001",
                           .cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
                           .body = {}});
    EXPECT_EQ(response.text(), "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5");
}

TEST(Digest, AuthIntCoversTheBody) {
    Digester digester;
    DigestQuestion q{.algorithm = DigestAlgorithm::Sha256,
                     .ha1 = "00",
                     .method = "INVITE",
                     .uri = "sip:b@example.com",
                     .nonce = "n",
                     .qop = "auth-int",
                     .nc = "00000001",
                     .cnonce = "c",
                     .body = "v=0"};
    const auto with = digester.response(q);
    q.body = "v=1";
    EXPECT_NE(with.text(), digester.response(q).text());
    // H(A2) = H(Method:digest-uri:H(entity-body)) [RFC 7616 §3.4.3]
    const auto body = digester.hash(q.algorithm, {"v=0"});
    const auto ha2 = digester.hash(q.algorithm, {"INVITE", "sip:b@example.com", body.text()});
    EXPECT_EQ(
        with.text(),
        digester.hash(q.algorithm, {"00", "n", "00000001", "c", "auth-int", ha2.text()}).text());
}

TEST(Digest, ComparesWholeResponsesInAnyCase) {
    EXPECT_TRUE(same_digest("8ca523f5", "8CA523F5"));
    EXPECT_FALSE(same_digest("8ca523f5", "8ca523f"));
    EXPECT_FALSE(same_digest("8ca523f5", "8ca523f6"));
    EXPECT_FALSE(same_digest("", ""));
}

TEST(DigestFields, ReadsCredentialsWithCommasAndEscapesInQuotes) {
    const auto c = parse_credentials(
        "Digest  username=\"a,\\\"b\", realm=\"example.com\",nonce=\"n\" ,\r\n uri=\"sip:x;y=z\","
        "response=\"00\", qop=auth, nc=00000001, cnonce=\"c\", algorithm=SHA-256, other=\"q\"");
    ASSERT_TRUE(c);
    EXPECT_EQ(c->username, "a,\\\"b");
    EXPECT_EQ(c->uri, "sip:x;y=z");
    EXPECT_EQ(c->nc, "00000001");
    EXPECT_EQ(c->algorithm, "SHA-256");
}

TEST(DigestFields, RefusesWhatTwoReadersCouldReadInTwoWays) {
    constexpr std::string_view whole =
        R"(Digest username="a", realm="r", nonce="n", uri="u", response="00")";
    EXPECT_TRUE(parse_credentials(whole));
    for (const auto more : {R"(, username="b")", R"(, REALM="s")", R"(, qop=a"uth")", ", nc",
                            R"(, opaque="x)", R"(, cnonce="a"b)"}) {
        EXPECT_FALSE(parse_credentials(std::string{whole} + more)) << more;
    }
    EXPECT_FALSE(parse_credentials(R"(Digest username="a", realm="r", nonce="n", uri="u")"));
    EXPECT_EQ(parse_credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").error().code,
              Code::Unsupported);
}

TEST(DigestFields, EveryPrefixOfCredentialsIsReadOrRefused) {
    constexpr std::string_view whole =
        R"(Digest username="a\"", realm="r", nonce="n", uri="u", response="00", qop=auth, nc=00000001)";
    for (std::size_t n = 0; n <= whole.size(); ++n) {
        const std::string part{whole.substr(0, n)};
        if (const auto c = parse_credentials(part)) {
            EXPECT_EQ(c->response, "00");
        }
    }
}

TEST(DigestClient, TakesTheFirstChallengeThatItCanAnswer) {
    const std::array<std::string_view, 4> values{
        R"(Bearer realm="x")", R"(Digest realm="r", nonce="1", algorithm=SHA3-256, qop="auth")",
        R"(Digest realm="r", nonce="2", algorithm=SHA-256, qop="auth-conf,auth")",
        R"(Digest realm="r", nonce="3", qop="auth")"};
    const auto challenge = choose_challenge(values);
    ASSERT_TRUE(challenge);
    EXPECT_EQ(challenge->nonce, "2");
    EXPECT_FALSE(choose_challenge(std::span{values}.first(2)));
}

TEST(DigestClient, AnswersWhatAServerAccepts) {
    Digester digester;
    const auto challenge = parse_challenge(
        R"(Digest realm="example.com", nonce="abc", algorithm=SHA-256, qop="auth", opaque="o")");
    ASSERT_TRUE(challenge);
    const auto value = answer_challenge(digester, *challenge,
                                        {.username = "alice",
                                         .password = "secret",
                                         .method = "REGISTER",
                                         .uri = "sip:example.com",
                                         .body = {},
                                         .cnonce = "xyz",
                                         .nc = 2});
    const auto c = parse_credentials(value);
    ASSERT_TRUE(c);
    EXPECT_EQ(c->nc, "00000002");
    EXPECT_EQ(c->opaque, "o");
    const auto ha1 = digester.ha1(DigestAlgorithm::Sha256, "alice", "example.com", "secret");
    const auto expected = digester.response({.algorithm = DigestAlgorithm::Sha256,
                                             .ha1 = ha1.text(),
                                             .method = "REGISTER",
                                             .uri = c->uri,
                                             .nonce = c->nonce,
                                             .qop = c->qop,
                                             .nc = c->nc,
                                             .cnonce = c->cnonce,
                                             .body = {}});
    EXPECT_TRUE(same_digest(c->response, expected.text()));
}

} // namespace
} // namespace cw::crypto
