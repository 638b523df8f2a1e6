#include "crypto/aka.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/base64.hpp"
#include "crypto/digest_client.hpp"

namespace cw::crypto {
namespace {

template <std::size_t size>
std::array<std::uint8_t, size> bytes(std::string_view hex) {
    std::array<std::uint8_t, size> out{};
    EXPECT_EQ(hex.size(), 2 * size);
    for (std::size_t i = 0; i < size && 2 * i + 1 < hex.size(); ++i) {
        out[i] =
            static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
    }
    return out;
}

struct TestSet { // of 3GPP TS 35.208 §4.3
    const char *k, *rand, *sqn, *amf, *op, *opc, *f1, *f1s, *f2, *f5, *f3, *f4, *f5s;
};
constexpr TestSet sets[] = {
    {"465b5ce8b199b49faa5f0a2ee238a6bc", "23553cbe9637a89d218ae64dae47bf35", "ff9bb4d0b607", "b9b9",
     "cdc202d5123e20f62b6d676ac72cb318", "cd63cb71954a9f4e48a5994e37a02baf", "4a9ffac354dfafb3",
     "01cfaf9ec4e871e9", "a54211d5e3ba50bf", "aa689c648370", "b40ba9a3c58b2a05bbf0d987b21bf8cb",
     "f769bcd751044604127672711c6d3441", "451e8beca43b"},
    {"0396eb317b6d1c36f19c1c84cd6ffd16", "c00d603103dcee52c4478119494202e8", "fd8eef40df7d", "af17",
     "ff53bade17df5d4e793073ce9d7579fa", "53c15671c60a4b731c55b4a441c0bde2", "5df5b31807e258b0",
     "a8c016e51ef4a343", "d3a628ed988620f0", "c47783995f72", "58c433ff7a7082acd424220f2b67c556",
     "21a8c1f929702adb3e738488b9f5c5da", "30f1197061c1"},
    {"fec86ba6eb707ed08905757b1bb44b8f", "9f7c8d021accf4db213ccff0c7f71a6a", "9d0277595ffc", "725c",
     "dbc59adcb6f9a0ef735477b7fadf8374", "1006020f0a478bf6b699f15c062e42b3", "9cabc3e99baf7281",
     "95814ba2b3044324", "8011c48c0c214ed2", "33484dc2136b", "5dbdbb2954e8f3cde665b046179a5098",
     "59a92d3b476a0443487055cf88b2307b", "deacdd848cc6"},
    {"9e5944aea94b81165c82fbf9f32db751", "ce83dbc54ac0274a157c17f80d017bd6", "0b604a81eca8", "9e09",
     "223014c5806694c007ca1eeef57f004f", "a64a507ae1a2a98bb88eb4210135dc87", "74a58220cba84c49",
     "ac2cc74a96871837", "f365cd683cd92e96", "f0b9c08ad02e", "e203edb3971574f5a94b0d61b816345d",
     "0c4524adeac041c4dd830d20854fc46b", "6085a86c6f63"},
    {"4ab1deb05ca6ceb051fc98e77d026a84", "74b0cd6031a1c8339b2b6ce2b8c4a186", "e880a1b580b6", "9f07",
     "2d16c5cd1fdf6b22383584e3bef2a8d8", "dcf07cbd51855290b92a07a9891e523e", "49e785dd12626ef2",
     "9e85790336bb3fa2", "5860fc1bce351e7e", "31e11a609118", "7657766b373d1c2138f307e3de9242f9",
     "1c42e960d89b8fa99f2744e0708ccb53", "fe2555e54aa9"},
    {"6c38a116ac280c454f59332ee35c8c4f", "ee6466bc96202c5a557abbeff8babf63", "414b98222181", "4464",
     "1ba00a1a7c6700ac8c3ff3e96ad08725", "3803ef5363b947c6aaa225e58fae3934", "078adfb488241a57",
     "80246b8d0186bcf1", "16c8233f05a0ac28", "45b0f69ab06c", "3f8c7587fe8e4b233af676aede30ba3b",
     "a7466cc1e6b2a1337d49d3b66e95d7b4", "1f53cd2b1113"},
};

TEST(Milenage, GivesTheValuesOfItsTestSets) {
    for (const auto& set : sets) {
        const auto k = bytes<16>(set.k);
        const auto opc = derive_opc(k, bytes<16>(set.op));
        EXPECT_EQ(opc, bytes<16>(set.opc)) << set.k;
        const auto out =
            milenage({k, opc}, {bytes<16>(set.rand), bytes<6>(set.sqn), bytes<2>(set.amf)});
        EXPECT_EQ(out.mac_a, bytes<8>(set.f1)) << set.k;
        EXPECT_EQ(out.mac_s, bytes<8>(set.f1s)) << set.k;
        EXPECT_EQ(out.res, bytes<8>(set.f2)) << set.k;
        EXPECT_EQ(out.ck, bytes<16>(set.f3)) << set.k;
        EXPECT_EQ(out.ik, bytes<16>(set.f4)) << set.k;
        EXPECT_EQ(out.ak, bytes<6>(set.f5)) << set.k;
        EXPECT_EQ(out.ak_resync, bytes<6>(set.f5s)) << set.k;
    }
}

const MilenageSecret secret{bytes<16>(sets[0].k), bytes<16>(sets[0].opc)};
const Block128 some = bytes<16>(sets[1].rand);

TEST(Aka, OpensWhatItMade) {
    const auto made = make_aka_vector(secret, some, 33);
    const auto opened = open_aka_nonce(secret, made.nonce, 32);
    EXPECT_EQ(opened.verdict, AkaOpened::Verdict::Good);
    EXPECT_EQ(opened.sqn, 33U);
    EXPECT_EQ(opened.res, made.res);
    EXPECT_EQ(opened.res.size(), 8U);
    EXPECT_EQ(opened.ck, made.ck);
    EXPECT_EQ(opened.ik, made.ik);
}

TEST(Aka, KnowsANetworkThatDoesNotKnowTheKey) {
    auto other = secret;
    other.k[0] ^= 1U;
    const auto opened = open_aka_nonce(secret, make_aka_vector(other, some, 33).nonce, 32);
    EXPECT_EQ(opened.verdict, AkaOpened::Verdict::Stranger);
    EXPECT_TRUE(opened.res.empty());
}

TEST(Aka, DoesNotTakeASequenceNumberTwice) {
    const auto made = make_aka_vector(secret, some, 33);
    const auto opened = open_aka_nonce(secret, made.nonce, 33);
    EXPECT_EQ(opened.verdict, AkaOpened::Verdict::Replayed);
    EXPECT_TRUE(opened.res.empty());
    std::array<std::uint8_t, 32> auts{};
    ASSERT_EQ(decode_base64(opened.auts, auts), 14U); // [TS 33.102 §6.3.3]: 48 and 64 bits
    const auto values = milenage(secret, {some, {0, 0, 0, 0, 0, 33}, {}});
    EXPECT_EQ(auts[5] ^ values.ak_resync[5], 33);
    EXPECT_TRUE(std::equal(values.mac_s.begin(), values.mac_s.end(), auts.begin() + 6));
}

TEST(Aka, ReadsTheSequenceNumberThatAnAutsAsksFor) {
    auto other = secret;
    other.k[0] ^= 1U;
    const auto made = make_aka_vector(secret, some, 33);
    for (const std::uint64_t last : {std::uint64_t{33}, (std::uint64_t{1} << 48U) - 1}) {
        const auto auts = open_aka_nonce(secret, made.nonce, last).auts;
        EXPECT_EQ(sqn_of_auts(secret, made.nonce, auts), last);
        EXPECT_FALSE(sqn_of_auts(other, made.nonce, auts));
        EXPECT_FALSE(sqn_of_auts(secret, make_aka_vector(secret, {}, 33).nonce, auts));
        EXPECT_FALSE(sqn_of_auts(secret, made.nonce, auts.substr(4)));
        EXPECT_FALSE(sqn_of_auts(secret, "", auts));
    }
}

TEST(Aka, MakesThePasswordOfVersionTwoOfAllThreeValues) {
    // By Python's hmac: base64(HMAC-MD5(00…07 || 11 × 16 || 22 × 16, label)).
    Block128 ik{};
    Block128 ck{};
    ik.fill(0x11);
    ck.fill(0x22);
    const std::string res{"\0\1\2\3\4\5\6\7", 8};
    EXPECT_EQ(aka_password({2, DigestAlgorithm::Md5}, res, ik, ck), "FkFMrezB1GW0ncK+cegg4A==");
    EXPECT_EQ(aka_password({2, DigestAlgorithm::Sha256}, res, ik, ck),
              "qg+MdAXWLrzD31iQZiF8ltLrINPi8vxYyZFPhmfMaaI=");
    EXPECT_EQ(aka_password({1, DigestAlgorithm::Md5}, res, ik, ck), res);
}

TEST(Aka, KnowsTheNamesOfItsAlgorithms) {
    EXPECT_EQ(parse_aka_algorithm("AKAv1-MD5")->version, 1U);
    EXPECT_EQ(parse_aka_algorithm("akav2-sha-256")->hash, DigestAlgorithm::Sha256);
    for (const auto* name : {"MD5", "AKAv1-", "AKAv3-MD5", "AKAv1-SHA-1", ""}) {
        EXPECT_FALSE(parse_aka_algorithm(name)) << name;
    }
}

TEST(Aka, FindsEveryOctetThatWasChanged) {
    const auto made = make_aka_vector(secret, some, 33);
    std::array<std::uint8_t, 64> octets{};
    ASSERT_EQ(decode_base64(made.nonce, octets), 32U);
    for (std::size_t i = 0; i < 32; ++i) {
        auto changed = octets;
        changed[i] ^= 0x10U;
        const auto nonce = to_base64(std::span(changed).first(32));
        EXPECT_EQ(open_aka_nonce(secret, nonce, 0).verdict, AkaOpened::Verdict::Stranger) << i;
    }
}

TEST(Aka, RefusesWhatIsNoNonceOfItsKind) {
    const auto made = make_aka_vector(secret, some, 33);
    ASSERT_TRUE(made.nonce.ends_with('=')); // which may be missing
    for (std::size_t size = 0; size + 1 < made.nonce.size(); ++size) {
        EXPECT_NE(open_aka_nonce(secret, made.nonce.substr(0, size), 0).verdict,
                  AkaOpened::Verdict::Good);
    }
    EXPECT_EQ(open_aka_nonce(secret, std::string(4096, 'A'), 0).verdict,
              AkaOpened::Verdict::Malformed);
}

TEST(Aka, AnswersWithResForThePassword) {
    Digester digester;
    const auto made = make_aka_vector(secret, some, 33);
    const auto value = "Digest realm=\"home.example.net\", nonce=\"" + made.nonce +
                       "\", algorithm=AKAv1-MD5, qop=\"auth\"";
    const auto challenge = parse_challenge(value);
    ASSERT_TRUE(challenge);
    const std::string_view values[] = {value};
    EXPECT_FALSE(choose_challenge(values)); // nobody answers it with a password of his own
    const auto answer = answer_challenge(digester, *challenge,
                                         {.username = "alice@home.example.net",
                                          .password = made.res,
                                          .method = "REGISTER",
                                          .uri = "sip:home.example.net",
                                          .body = "",
                                          .cnonce = "0a4f113b"});
    const auto given = parse_credentials(answer);
    ASSERT_TRUE(given);
    EXPECT_EQ(given->algorithm, aka_algorithm);
    EXPECT_TRUE(given->auts.empty());
    const auto resync = answer_challenge(digester, *challenge,
                                         {.username = "alice@home.example.net",
                                          .password = "",
                                          .method = "REGISTER",
                                          .uri = "sip:home.example.net",
                                          .body = "",
                                          .cnonce = "0a4f113b",
                                          .auts = "CjkyMzRfOiwg5CfkJ2U="});
    EXPECT_EQ(parse_credentials(resync)->auts, "CjkyMzRfOiwg5CfkJ2U=");
    // [RFC 3310 §3.3, §4] MD5, and RES in the place of the password.
    const auto ha1 =
        digester.ha1(DigestAlgorithm::Md5, "alice@home.example.net", "home.example.net", made.res);
    EXPECT_EQ(given->response, digester
                                   .response({.algorithm = DigestAlgorithm::Md5,
                                              .ha1 = ha1.text(),
                                              .method = "REGISTER",
                                              .uri = "sip:home.example.net",
                                              .nonce = made.nonce,
                                              .qop = "auth",
                                              .nc = "00000001",
                                              .cnonce = "0a4f113b",
                                              .body = ""})
                                   .text());
}

} // namespace
} // namespace cw::crypto
