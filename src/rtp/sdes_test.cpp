#include "rtp/sdes.hpp"

#include <gtest/gtest.h>

namespace cw::rtp {
namespace {

constexpr std::string_view suite = "AES_CM_128_HMAC_SHA1_80";
constexpr std::string_view key = "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

Result<SdesCrypto> read(std::string_view parameters, std::string_view session = "",
                        std::string_view name = suite) {
    return parse_sdes({1, name, parameters, session});
}
Result<SdesCrypto> with_key(std::string_view tail, std::string_view session = "") {
    return read(std::string{key} + std::string{tail}, session);
}

TEST(Sdes, reads_the_examples_of_the_rfc) {
    // [RFC 4568 §6.1]
    const auto first = with_key("|2^20|1:4");
    ASSERT_TRUE(first);
    const auto& p = first->parameters;
    EXPECT_EQ(p.suite, SrtpSuite::AesCm128Sha1_80);
    ASSERT_EQ(p.keys.size(), 1U);
    EXPECT_EQ(as_text(p.keys[0].secret.octets()), "wDfvg&T+)xG7@fb5jU,RaA}\\|p0%*#");
    EXPECT_EQ(p.keys[0].lifetime, 1U << 20U);
    EXPECT_EQ(p.keys[0].mki, (std::vector<std::uint8_t>{0, 0, 0, 1}));

    const auto second = read("inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4");
    ASSERT_TRUE(second);
    EXPECT_EQ(second->parameters.keys[0].lifetime, 0U);
    EXPECT_EQ(second->parameters.keys[0].mki, (std::vector<std::uint8_t>{0, 0, 4, 0x2a}));
}

TEST(Sdes, reads_several_keys_and_session_parameters) {
    const auto crypto =
        read("inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4;"
             "inline:YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|500|2:4",
             "UNENCRYPTED_SRTCP  UNENCRYPTED_SRTP UNAUTHENTICATED_SRTP WSH=90 -future=1");
    ASSERT_TRUE(crypto);
    const auto& p = crypto->parameters;
    ASSERT_EQ(p.keys.size(), 2U);
    EXPECT_EQ(p.keys[1].lifetime, 500U);
    EXPECT_FALSE(p.encrypt_rtp || p.encrypt_rtcp || p.authenticate_rtp);
    EXPECT_EQ(p.window, 90);
}

TEST(Sdes, writes_what_it_reads) {
    for (const auto* text : {"|2^20|1:4", "|500", "|7:1", ""}) {
        const auto crypto = with_key(text, "UNENCRYPTED_SRTCP WSH=64");
        ASSERT_TRUE(crypto) << text;
        EXPECT_EQ(to_sdes(*crypto), "1 " + std::string{suite} + " " + std::string{key} + text +
                                        " UNENCRYPTED_SRTCP WSH=64");
    }
    for (const auto& facts : all_srtp_suites()) {
        const auto random = random_srtp_parameters(facts.suite);
        ASSERT_TRUE(random);
        const auto text = to_sdes({3, *random});
        const auto space = text.find("inline:");
        const auto back = parse_sdes({3, facts.name, std::string_view{text}.substr(space), ""});
        ASSERT_TRUE(back) << facts.name;
        EXPECT_EQ(back->parameters, *random);
    }
}

TEST(Sdes, passes_over_what_is_not_ours) {
    EXPECT_EQ(read(key, "", "F8_128_HMAC_SHA1_80").error().code, Code::Unsupported);
    EXPECT_EQ(read("uri:https://example.com/key").error().code, Code::Unsupported);
    EXPECT_EQ(with_key("", "KDR=5").error().code, Code::Unsupported);
    EXPECT_EQ(with_key("", "FEC_ORDER=FEC_SRTP").error().code, Code::Unsupported);
    EXPECT_EQ(with_key("", "future=1").error().code, Code::Unsupported);
}

TEST(Sdes, refuses_broken_keys) {
    for (const auto* text :
         {"|2^49", "|0", "|2^", "|020", "|2^20|", "|x", "|1:0", "|1:129", "|256:1", "|01:4",
          "|1:4|2^20", "|:4", "|1:", "|-1:4", ";", "x", "|281474976710657", "|2^20|1:4;"}) {
        EXPECT_FALSE(with_key(text).has_value()) << text;
    }
    for (const auto* text :
         {"", "inline", "inline:", "inline:AAAA", "inline:d0RmdmcmVCspeEc3QGZiNWpV!"}) {
        EXPECT_FALSE(read(text).has_value()) << text;
    }
    EXPECT_EQ(read(key, "", "AES_256_CM_HMAC_SHA1_80").error().code, Code::Malformed);
    EXPECT_FALSE(with_key("", "WSH=63").has_value());
    EXPECT_FALSE(with_key("", "KDR=25").has_value());
}

TEST(Sdes, refuses_several_keys_that_cannot_be_told_apart) {
    const std::string one{key};
    EXPECT_FALSE(read(one + ";" + one).has_value());
    EXPECT_FALSE(read(one + "|1:4;" + one + "|1:4").has_value());
    EXPECT_FALSE(read(one + "|1:4;" + one + "|2:2").has_value());
    std::string many;
    for (int i = 1; i <= 17; ++i) {
        many += (many.empty() ? "" : ";") + one + "|" + std::to_string(i) + ":1";
    }
    EXPECT_EQ(read(many).error().code, Code::LimitExceeded);
}

TEST(Sdes, errors_do_not_quote_the_key) {
    const auto crypto = with_key("|2^99");
    ASSERT_FALSE(crypto);
    EXPECT_EQ(std::string_view{crypto.error().what}.find("d0Rm"), std::string_view::npos);
}

} // namespace
} // namespace cw::rtp
