// Expected values: RFC 4231 §4 (HMAC), RFC 8448 §3 (HKDF-Expand-Label), `openssl kdf` (TLS1-PRF).
#include "capture/tls/key_schedule.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "capture/test_frames.hpp"

namespace cw::capture::tls {
namespace {

std::string hex(Bytes bytes) {
    std::string out;
    for (const auto byte : bytes) {
        out += fmt::format("{:02x}", byte);
    }
    return out;
}

TEST(Hasher, ComputesHmac) {
    Hasher hasher;
    std::array<std::uint8_t, 48> out{};
    ASSERT_TRUE(hasher.hmac(Hash::Sha256, as_bytes("Jefe"),
                            {as_bytes("what do ya want "), as_bytes("for nothing?")}, out.data()));
    EXPECT_EQ(hex(Bytes{out}.first(32)),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    ASSERT_TRUE(hasher.hmac(Hash::Sha384, as_bytes("Jefe"),
                            {as_bytes("what do ya want for nothing?")}, out.data()));
    EXPECT_EQ(hex(out), "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
                        "8e2240ca5e69e2c78b3239ecfab21649");
    const std::vector<std::uint8_t> long_key(131, 0xaa); // longer than a block
    ASSERT_TRUE(hasher.hmac(Hash::Sha256, long_key,
                            {as_bytes("Test Using Larger Than Block-Size Key - Hash Key First")},
                            out.data()));
    EXPECT_EQ(hex(Bytes{out}.first(32)),
              "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Hasher, ExpandsLabelsAsRfc8448Prints) {
    Hasher hasher;
    // The server's handshake write key and IV.
    const auto secret =
        made::hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
    std::array<std::uint8_t, 16> key{};
    std::array<std::uint8_t, 12> iv{};
    ASSERT_TRUE(hasher.expand_label(Hash::Sha256, secret, "key", key));
    ASSERT_TRUE(hasher.expand_label(Hash::Sha256, secret, "iv", iv));
    EXPECT_EQ(hex(key), "3fce516009c21727d0f2e4e86ee403bc");
    EXPECT_EQ(hex(iv), "5d313eb2671276ee13000b30");
    std::array<std::uint8_t, 40> too_long{};
    EXPECT_FALSE(hasher.expand_label(Hash::Sha256, secret, "key", too_long));
}

TEST(Hasher, ComputesThePrfOfEachVersion) {
    Hasher hasher;
    const auto secret = made::hex("9bbe436ba940f017b17652849a71db35");
    const auto seed = made::hex("a0ba9f936cda311827a6f796ffd5198c");
    std::array<std::uint8_t, 100> out{};
    ASSERT_TRUE(hasher.prf(version::tls12, Hash::Sha256, secret, "test label", seed, {}, out));
    EXPECT_EQ(hex(out), "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b"
                        "301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab4fbc"
                        "91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff70187347b"
                        "66");
    ASSERT_TRUE(hasher.prf(version::tls12, Hash::Sha384, secret, "test label", seed, {}, out));
    EXPECT_EQ(hex(out), "dd88775cd827187b67a3f7652b5c13f715791cc46e0274a6d3fb16651103defc54"
                        "4cd8afb68369a219bb918b8b21ddb1764af0a70339e6dec085e574f655851ba692"
                        "513203536bdfc3675e53768210f0a2389dd324311a440c7c30ef44b391d914c3b0"
                        "c7");
    ASSERT_TRUE(hasher.prf(version::tls10, Hash::Sha256, secret, "test label", Bytes{seed}.first(5),
                           Bytes{seed}.subspan(5), out));
    EXPECT_EQ(hex(out), "661740e6f98bc901efd2738502a71c03f76dd2f86298549b1148eff06714cf0f6b"
                        "7c532cd8c69f1530e0bb680eec34c495fa75a8bfcc9c335484c0d3d194ab6e3297"
                        "5903c50ebcdbe9d67c0591bdbd80dddcc36d33ccd58adf96caae173f48dc40f983"
                        "e2");
    // A secret of an odd number of bytes: its halves share one.
    ASSERT_TRUE(hasher.prf(version::tls11, Hash::Sha256, Bytes{secret}.first(15), "test label",
                           seed, {}, out));
    EXPECT_EQ(hex(out), "9cdd9053742667b628ac7c1c747825e1fcb0f2b91ed98fc3f52e811e4e0f105413"
                        "343f357ddf4ab97ac55d24be5e148f1224d9c8b84131342f5f096f4e18f46ab0ce"
                        "621d256c57d42f425a21e9201e6d592d1ebec600e254f8d310179861efc5009405"
                        "5d");
}

// Computed with another program from RFC 8446 §7.5 and RFC 9147 §5.9: Python's hmac.
TEST(Hasher, ExportsAsDtls13Does) {
    Hasher hasher;
    std::vector<std::uint8_t> secret;
    for (std::uint8_t i = 0; i < 32; ++i) {
        secret.push_back(i);
    }
    std::vector<std::uint8_t> out(60);
    ASSERT_TRUE(hasher.export_dtls13(Hash::Sha256, secret, "EXTRACTOR-dtls_srtp", out));
    EXPECT_EQ(hex(out), "eb8b7bc6476536f59509c76535c731b1e20e3081d2a8e0165d129870e254a371341d47fed0"
                        "a26bfd4b9a84967514696866115940ba7016013ca0320a");
}

} // namespace
} // namespace cw::capture::tls
