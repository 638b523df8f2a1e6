#include "rtp/srtp.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "rtp/packet.hpp"
#include "rtp/srtp_oracle.hpp"

namespace cw::rtp {
namespace {

using oracle::Octets;
using Way = SrtpSession::Way;

Octets hex(std::string_view text) {
    const auto digit = [](char c) {
        return static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    };
    Octets out;
    for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
        out.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4U | digit(text[i + 1])));
    }
    return out;
}

// A PCMU packet of 20 ms whose payload depends on its number.
Octets rtp_packet(std::uint16_t sequence, std::uint32_t ssrc = 0x01020304) {
    Octets out{0x80,
               0,
               static_cast<std::uint8_t>(sequence >> 8U),
               static_cast<std::uint8_t>(sequence),
               0,
               0,
               0,
               160};
    for (int shift = 24; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::uint8_t>(ssrc >> static_cast<unsigned>(shift)));
    }
    for (unsigned i = 0; i < 160; ++i) {
        out.push_back(static_cast<std::uint8_t>(i * 7 + sequence));
    }
    return out;
}

// A receiver report without blocks, and a CNAME.
Octets rtcp_packet() {
    return {0x80, 201, 0, 1, 1, 2, 3, 4, 0x81, 202, 0, 2, 1, 2, 3, 4, 1, 1, 'a', 0};
}

SrtpParameters parameters_of(SrtpSuite suite, std::uint8_t begin = 1) {
    const auto& facts = facts_of(suite);
    Octets key;
    for (unsigned i = 0; i < static_cast<unsigned>(facts.key + facts.salt); ++i) {
        key.push_back(static_cast<std::uint8_t>(begin + i));
    }
    SrtpParameters out{.suite = suite, .keys = {SrtpMasterKey{}}};
    out.keys[0].secret = SrtpSecret{key};
    return out;
}

struct Pair {
    SrtpSession sender;
    SrtpSession receiver;
};
Pair pair_of(const SrtpParameters& p) {
    auto sender = SrtpSession::make(Way::Send, p);
    auto receiver = SrtpSession::make(Way::Receive, p);
    EXPECT_TRUE(sender && receiver) << to_string(p.suite);
    return {std::move(*sender), std::move(*receiver)};
}

TEST(SrtpOracle, derives_the_keys_of_rfc_3711_b_3) {
    const auto keys = oracle::derive_all(hex("E1F97A0D3E018BE0D64FA32C06DE4139"),
                                         hex("0EC675AD498AFEEBB6960B3AABE6"), 0);
    EXPECT_EQ(keys.cipher, hex("C61E7A93744F39EE10734AFE3FF7A087"));
    EXPECT_EQ(keys.salt, hex("30CBBC08863D8C85D49DB34A9AE1"));
    EXPECT_EQ(keys.authentication, hex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4"));
}

TEST(SrtpOracle, derives_the_keys_of_rfc_6188_7) {
    const auto large =
        oracle::derive_all(hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
                           hex("3b04803de51ee7c96423ab5b78d2"), 0);
    EXPECT_EQ(large.cipher,
              hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"));
    EXPECT_EQ(large.salt, hex("fa31791685ca444a9e07c6c64e93"));
    EXPECT_EQ(large.authentication, hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
    const auto middle = oracle::derive_all(hex("73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1"),
                                           hex("c8522f3acd4ce86d5add78edbb11"), 0);
    EXPECT_EQ(middle.cipher, hex("31874736a8f1143870c26e4857d8a5b2c4a354407faadabb"));
    EXPECT_EQ(middle.salt, hex("2372b82d639b6d8503a47adc0a6c"));
    EXPECT_EQ(middle.authentication, hex("355b10973cd95b9eacf4061c7e1a7151e7cfbfcb"));
}

TEST(SrtpOracle, seals_the_packets_of_rfc_7714_16) {
    const auto plain = hex("8040f17b8041f8d35501a0b247616c6c696120657374206f6d6e6973206469"
                           "7669736120696e207061727465732074726573");
    const oracle::SessionKeys small{
        hex("000102030405060708090a0b0c0d0e0f"), {}, hex("517569642070726f2071756f")};
    EXPECT_EQ(oracle::protect_aead(small, 0, plain),
              hex("8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a"
                  "51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"));
    const oracle::SessionKeys large{
        hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"), {}, small.salt};
    EXPECT_EQ(oracle::protect_aead(large, 0, plain),
              hex("8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a02"
                  "76ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13"));
}

TEST(Srtp, protects_as_the_rfcs_say_in_every_suite) {
    for (const auto& facts : all_srtp_suites()) {
        const auto p = parameters_of(facts.suite);
        const auto master = p.keys[0].secret.octets();
        const Octets key(master.begin(), master.begin() + facts.key);
        const Octets salt(master.begin() + facts.key, master.end());
        const auto keys = oracle::derive_all(key, salt, 0);
        auto sender = pair_of(p).sender;
        for (const unsigned sequence : {0xfffeU, 0xffffU, 0x10000U, 0x10001U}) {
            auto packet = rtp_packet(static_cast<std::uint16_t>(sequence));
            const auto expected =
                facts.aead ? oracle::protect_aead(keys, sequence >> 16U, packet)
                           : oracle::protect(keys, sequence >> 16U, packet, facts.rtp_tag);
            ASSERT_TRUE(sender.protect(packet));
            EXPECT_EQ(packet, expected) << facts.name << ' ' << sequence;
        }
    }
}

TEST(Srtp, what_was_protected_opens_again_in_every_suite) {
    for (const auto& facts : all_srtp_suites()) {
        auto [sender, receiver] = pair_of(parameters_of(facts.suite));
        auto packet = rtp_packet(7);
        ASSERT_TRUE(sender.protect(packet));
        EXPECT_EQ(packet.size(), 172U + facts.rtp_tag) << facts.name;
        const auto clear = rtp_packet(7);
        EXPECT_FALSE(std::ranges::equal(Bytes{packet}.subspan(12, 160), Bytes{clear}.subspan(12)));
        ASSERT_TRUE(receiver.unprotect(packet)) << facts.name;
        EXPECT_EQ(packet, rtp_packet(7));
        auto report = rtcp_packet();
        ASSERT_TRUE(sender.protect_rtcp(report));
        // The index of four octets, and a tag that is long even where that of SRTP is short.
        EXPECT_EQ(report.size(), 20U + 4 + (facts.aead ? 16 : 10)) << facts.name;
        ASSERT_TRUE(receiver.unprotect_rtcp(report)) << facts.name;
        EXPECT_EQ(report, rtcp_packet());
        EXPECT_EQ(receiver.counts().packets, 2U);
    }
}

TEST(Srtp, a_wrong_key_fails_in_every_suite) {
    for (const auto& facts : all_srtp_suites()) {
        auto sender = pair_of(parameters_of(facts.suite)).sender;
        auto receiver = pair_of(parameters_of(facts.suite, 2)).receiver;
        auto packet = rtp_packet(7);
        auto report = rtcp_packet();
        ASSERT_TRUE(sender.protect(packet) && sender.protect_rtcp(report));
        const auto opened = receiver.unprotect(packet);
        ASSERT_FALSE(opened) << facts.name;
        EXPECT_EQ(opened.error().code, Code::CryptoFailed);
        EXPECT_FALSE(receiver.unprotect_rtcp(report));
        EXPECT_EQ(receiver.counts().authentication_failures, 2U);
        EXPECT_EQ(receiver.counts().packets, 0U);
    }
}

TEST(Srtp, any_octet_that_was_changed_on_the_way_is_noticed) {
    auto [sender, receiver] = pair_of(parameters_of(SrtpSuite::AesCm128Sha1_80));
    auto good = rtp_packet(7);
    ASSERT_TRUE(sender.protect(good));
    for (std::size_t i = 1; i < good.size(); ++i) {
        auto bad = good;
        bad[i] ^= 0x40;
        EXPECT_FALSE(receiver.unprotect(bad)) << i;
    }
    EXPECT_TRUE(receiver.unprotect(good));
}

TEST(Srtp, a_packet_that_comes_twice_is_a_replay) {
    auto [sender, receiver] = pair_of(parameters_of(SrtpSuite::AeadAes128Gcm));
    auto packet = rtp_packet(7);
    ASSERT_TRUE(sender.protect(packet));
    auto again = packet;
    ASSERT_TRUE(receiver.unprotect(packet));
    EXPECT_FALSE(receiver.unprotect(again));
    EXPECT_EQ(receiver.counts().replays, 1U);
    EXPECT_EQ(receiver.counts().authentication_failures, 0U);
}

TEST(Srtp, clear_rtp_where_srtp_was_agreed_on_is_no_srtp) {
    auto receiver = pair_of(parameters_of(SrtpSuite::AesCm128Sha1_80)).receiver;
    auto packet = rtp_packet(7);
    EXPECT_FALSE(receiver.unprotect(packet));
    EXPECT_EQ(receiver.counts().authentication_failures, 1U);
}

TEST(Srtp, packets_of_any_length_do_no_harm) {
    auto receiver = pair_of(parameters_of(SrtpSuite::AesCm256Sha1_80)).receiver;
    const auto whole = rtp_packet(7);
    for (std::size_t size = 0; size < 40; ++size) {
        Octets packet(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_FALSE(receiver.unprotect(packet)) << size;
        Octets report = rtcp_packet();
        report.resize(std::min(size, report.size()));
        EXPECT_FALSE(receiver.unprotect_rtcp(report)) << size;
    }
    Octets extended = rtp_packet(8);
    extended[0] = 0x9f; // CSRCs and an extension that are not there
    extended.resize(20);
    EXPECT_FALSE(receiver.unprotect(extended));
}

TEST(Srtp, the_rollover_counter_outlives_new_keys) {
    auto [sender, receiver] = pair_of(parameters_of(SrtpSuite::AesCm128Sha1_80));
    const auto pass = [&](std::uint16_t sequence) {
        auto packet = rtp_packet(sequence);
        return sender.protect(packet) && receiver.unprotect(packet) &&
               packet == rtp_packet(sequence);
    };
    EXPECT_TRUE(pass(0xffff));
    EXPECT_TRUE(pass(0));
    EXPECT_EQ(sender.roc(0x01020304), 1U);
    // Another suite, and the sequence wraps with the first packet of the new key.
    EXPECT_TRUE(pass(0x7fff));
    EXPECT_TRUE(pass(0xffff));
    const auto other = parameters_of(SrtpSuite::AeadAes256Gcm, 9);
    ASSERT_TRUE(sender.rekey(other) && receiver.rekey(other));
    EXPECT_TRUE(pass(0));
    EXPECT_EQ(sender.roc(0x01020304), 2U);
    EXPECT_EQ(receiver.roc(0x01020304), 2U);
    EXPECT_EQ(receiver.parameters(), other);
}

TEST(Srtp, one_who_joins_late_is_told_the_rollover_counter) {
    const auto p = parameters_of(SrtpSuite::AesCm128Sha1_32);
    auto [sender, receiver] = pair_of(p);
    for (const unsigned sequence : {0xffffU, 0U, 1U}) {
        auto packet = rtp_packet(static_cast<std::uint16_t>(sequence));
        ASSERT_TRUE(sender.protect(packet));
    }
    auto packet = rtp_packet(2);
    ASSERT_TRUE(sender.protect(packet));
    auto copy = packet;
    EXPECT_FALSE(receiver.unprotect(copy));
    auto late = pair_of(p).receiver;
    ASSERT_TRUE(late.set_roc(0x01020304, *sender.roc(0x01020304)));
    EXPECT_TRUE(late.unprotect(packet));
    EXPECT_EQ(late.roc(0x01020304), 1U);
    // And it takes new keys too.
    const auto other = parameters_of(SrtpSuite::AesCm128Sha1_80, 50);
    ASSERT_TRUE(sender.rekey(other) && late.rekey(other));
    auto next = rtp_packet(3);
    ASSERT_TRUE(sender.protect(next));
    EXPECT_TRUE(late.unprotect(next));
    EXPECT_FALSE(late.roc(0x999).has_value());
}

TEST(Srtp, a_key_index_goes_with_each_packet_and_chooses_the_key) {
    auto two = parameters_of(SrtpSuite::AesCm128Sha1_80);
    two.keys[0].mki = {0, 0, 0, 1};
    two.keys.push_back(parameters_of(SrtpSuite::AesCm128Sha1_80, 77).keys[0]);
    two.keys[1].mki = {0, 0, 0, 2};
    auto receiver = pair_of(two).receiver;
    auto second = two;
    std::swap(second.keys[0], second.keys[1]);
    auto sender = pair_of(second).sender;
    auto packet = rtp_packet(1);
    ASSERT_TRUE(sender.protect(packet));
    EXPECT_EQ(packet.size(), 172U + 4 + 10);
    EXPECT_EQ(packet[175], 2);
    ASSERT_TRUE(receiver.unprotect(packet));
    EXPECT_EQ(packet, rtp_packet(1));

    second.keys.resize(1);
    second.keys[0].mki = {0, 0, 0, 3};
    auto stranger = pair_of(second).sender;
    auto unknown = rtp_packet(2);
    ASSERT_TRUE(stranger.protect(unknown));
    EXPECT_FALSE(receiver.unprotect(unknown));
    EXPECT_EQ(receiver.counts().unknown_keys, 1U);
}

TEST(Srtp, services_can_be_switched_off) {
    auto p = parameters_of(SrtpSuite::AesCm128Sha1_80);
    p.encrypt_rtp = false;
    p.encrypt_rtcp = false;
    auto [sender, receiver] = pair_of(p);
    auto packet = rtp_packet(1);
    ASSERT_TRUE(sender.protect(packet));
    EXPECT_TRUE(std::ranges::equal(Bytes{packet}.first(172), rtp_packet(1)));
    EXPECT_EQ(packet.size(), 182U);
    packet[20] ^= 1;
    EXPECT_FALSE(receiver.unprotect(packet));
    packet[20] ^= 1;
    EXPECT_TRUE(receiver.unprotect(packet));

    p.encrypt_rtp = true;
    p.authenticate_rtp = false;
    auto [open_sender, open_receiver] = pair_of(p);
    auto open = rtp_packet(1);
    ASSERT_TRUE(open_sender.protect(open));
    EXPECT_EQ(open.size(), 172U);
    ASSERT_TRUE(open_receiver.unprotect(open));
    EXPECT_EQ(open, rtp_packet(1));
}

TEST(Srtp, an_encrypted_only_stream_cannot_fill_the_memory_with_sources) {
    auto p = parameters_of(SrtpSuite::AesCm128Sha1_80);
    p.authenticate_rtp = false;
    auto receiver = pair_of(p).receiver;
    for (std::uint32_t ssrc = 1; ssrc <= 100; ++ssrc) {
        auto packet = rtp_packet(1, ssrc);
        EXPECT_EQ(receiver.unprotect(packet).has_value(), ssrc <= SrtpSession::most_sources);
    }
}

TEST(Srtp, a_key_that_is_used_up_protects_no_more) {
    auto p = parameters_of(SrtpSuite::AesCm128Sha1_80);
    p.keys[0].lifetime = 2;
    auto sender = pair_of(p).sender;
    for (std::uint16_t i = 0; i < 3; ++i) {
        auto packet = rtp_packet(i);
        EXPECT_EQ(sender.protect(packet).has_value(), i < 2);
    }
}

TEST(Srtp, parameters_that_do_not_fit_are_refused) {
    auto p = parameters_of(SrtpSuite::AesCm128Sha1_80);
    p.suite = SrtpSuite::AesCm256Sha1_80;
    EXPECT_EQ(SrtpSession::make(Way::Send, p).error().code, Code::Usage);
    p = parameters_of(SrtpSuite::AesCm128Sha1_80);
    p.keys.push_back(p.keys[0]);
    EXPECT_EQ(SrtpSession::make(Way::Send, p).error().code, Code::Usage);
    p.keys.clear();
    EXPECT_EQ(SrtpSession::make(Way::Send, p).error().code, Code::Usage);
    p = parameters_of(SrtpSuite::AeadAes128Gcm);
    p.authenticate_rtp = false;
    EXPECT_EQ(SrtpSession::make(Way::Send, p).error().code, Code::Unsupported);
    p.authenticate_rtp = true;
    p.encrypt_rtp = false; // RFC 7714 knows no such packets
    EXPECT_EQ(SrtpSession::make(Way::Send, p).error().code, Code::Unsupported);
    auto sender = pair_of(parameters_of(SrtpSuite::AesCm128Sha1_80)).sender;
    EXPECT_FALSE(sender.rekey(p));
    auto packet = rtp_packet(1);
    EXPECT_TRUE(sender.protect(packet));
}

TEST(Srtp, what_dtls_agreed_on_becomes_parameters) {
    const Octets key(44, 5);
    const auto large = srtp_parameters_of_dtls(8, key);
    ASSERT_TRUE(large);
    EXPECT_EQ(large->suite, SrtpSuite::AeadAes256Gcm);
    EXPECT_TRUE(SrtpSession::make(Way::Send, *large));
    EXPECT_EQ(srtp_parameters_of_dtls(1, Bytes{key}.first(30))->suite, SrtpSuite::AesCm128Sha1_80);
    EXPECT_FALSE(srtp_parameters_of_dtls(1, key));
    EXPECT_FALSE(srtp_parameters_of_dtls(0, {}));
    EXPECT_FALSE(srtp_parameters_of_dtls(5, {}));
}

TEST(Srtp, random_keys_differ) {
    const auto a = random_srtp_parameters(SrtpSuite::AeadAes256Gcm);
    const auto b = random_srtp_parameters(SrtpSuite::AeadAes256Gcm);
    ASSERT_TRUE(a && b);
    EXPECT_EQ(a->keys[0].secret.octets().size(), 44U);
    EXPECT_FALSE(a->keys[0] == b->keys[0]);
    EXPECT_TRUE(SrtpSession::make(Way::Send, *a));
}

} // namespace
} // namespace cw::rtp
