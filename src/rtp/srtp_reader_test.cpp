#include "rtp/srtp_reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "rtp/packet.hpp"
#include "rtp/srtp.hpp"

namespace cw::rtp {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::size_t header = 12;

Octets speech(std::uint16_t sequence) {
    Octets out{0x80,
               0,
               static_cast<std::uint8_t>(sequence >> 8U),
               static_cast<std::uint8_t>(sequence),
               0,
               0,
               0,
               160,
               1,
               2,
               3,
               4};
    for (unsigned i = 0; i < 160; ++i) {
        out.push_back(static_cast<std::uint8_t>(i * 7 + sequence));
    }
    return out;
}

SrtpParameters key_of(SrtpSuite suite, std::uint8_t begin = 1, Octets mki = {}) {
    const auto& facts = facts_of(suite);
    Octets secret;
    for (unsigned i = 0; i < static_cast<unsigned>(facts.key + facts.salt); ++i) {
        secret.push_back(static_cast<std::uint8_t>(begin + i));
    }
    SrtpParameters out{.suite = suite, .keys = {SrtpMasterKey{}}};
    out.keys[0].secret = SrtpSecret{secret};
    out.keys[0].mki = std::move(mki);
    return out;
}

// One who sends.
struct Sender {
    explicit Sender(const SrtpParameters& p, std::uint32_t roc = 0)
        : session(std::move(*SrtpSession::make(SrtpSession::Way::Send, p))) {
        session.set_roc(0x01020304, roc);
    }
    Octets say(std::uint16_t sequence) {
        auto packet = speech(sequence);
        EXPECT_TRUE(session.protect(packet));
        return packet;
    }
    SrtpSession session;
};

class Reads : public testing::Test {
  protected:
    // What was said in the packet, or nothing.
    bool opens(Bytes packet, std::uint16_t sequence) {
        const auto clear = reader.open(packet, header, budget);
        return clear && std::ranges::equal(*clear, speech(sequence));
    }
    SrtpReader reader;
    SrtpReader::Budget budget;
};

TEST_F(Reads, EverySuiteWithAndWithoutMki) {
    for (const auto& facts : all_srtp_suites()) {
        for (const Octets& mki : {Octets{}, Octets{7}, Octets{0, 0, 0, 9}}) {
            const auto key = key_of(facts.suite, 1, mki);
            Sender sender{key};
            SrtpReader one;
            one.add_key(key_of(SrtpSuite::AesCm128Sha1_80, 77), 1);
            one.add_key(key, 2);
            const auto packet = sender.say(5);
            const auto clear = one.open(packet, header, budget);
            ASSERT_TRUE(clear) << facts.name;
            EXPECT_TRUE(std::ranges::equal(*clear, speech(5))) << facts.name;
            EXPECT_EQ(one.label(), 2U);
            Octets report{0x80, 201, 0, 1, 1, 2, 3, 4};
            const auto plain = report;
            ASSERT_TRUE(sender.session.protect_rtcp(report));
            const auto opened = one.open_rtcp(report, budget);
            ASSERT_TRUE(opened) << facts.name;
            EXPECT_TRUE(std::ranges::equal(*opened, plain));
            report.back() ^= 1;
            EXPECT_FALSE(one.open_rtcp(report, budget)) << facts.name;
        }
    }
}

TEST_F(Reads, WhatIsAuthenticatedAndNotEncrypted) {
    auto key = key_of(SrtpSuite::AesCm128Sha1_32);
    key.encrypt_rtp = false;
    Sender sender{key};
    reader.add_key(key, 0);
    auto packet = sender.say(1);
    EXPECT_TRUE(opens(packet, 1));
    EXPECT_FALSE(reader.is_encrypted());
    packet[20] ^= 1;
    EXPECT_FALSE(opens(packet, 1));
}

TEST_F(Reads, WhatIsEncryptedAndNotAuthenticatedAndSaysThatNothingProvesIt) {
    auto key = key_of(SrtpSuite::AesCm128Sha1_80);
    key.authenticate_rtp = false;
    Sender sender{key};
    reader.add_key(key, 0);
    EXPECT_TRUE(opens(sender.say(9), 9));
    EXPECT_FALSE(reader.is_proved());
}

TEST_F(Reads, AStreamJoinedLateWithItsRolloverCounter) {
    Sender sender{key_of(SrtpSuite::AeadAes128Gcm), 171};
    reader.add_key(key_of(SrtpSuite::AeadAes128Gcm), 0);
    EXPECT_TRUE(opens(sender.say(40'000), 40'000));
    EXPECT_EQ(reader.roc(), 171U);
    EXPECT_EQ(reader.counter_jumps(), 0U) << "the first one is found, and is no jump";
}

TEST_F(Reads, OverTheWrapAndLatePacketsBeforeIt) {
    Sender sender{key_of(SrtpSuite::AesCm128Sha1_80)};
    reader.add_key(key_of(SrtpSuite::AesCm128Sha1_80), 0);
    EXPECT_TRUE(opens(sender.say(65'533), 65'533));
    const auto late = sender.say(65'534);
    EXPECT_TRUE(opens(sender.say(65'535), 65'535));
    EXPECT_TRUE(opens(sender.say(0), 0));
    EXPECT_TRUE(opens(sender.say(1), 1));
    EXPECT_TRUE(opens(late, 65'534));
    EXPECT_TRUE(opens(late, 65'534)) << "a copy in the capture";
    EXPECT_EQ(reader.roc(), 1U);
    EXPECT_EQ(reader.counter_jumps(), 0U);
}

TEST_F(Reads, OnWithANewKeyWhetherItsSenderKeepsTheCounterOrBeginsAnew) {
    for (const std::uint32_t roc : {3U, 0U}) {
        SrtpReader one;
        Sender before{key_of(SrtpSuite::AesCm128Sha1_80), 3};
        Sender after{key_of(SrtpSuite::AesCm256Sha1_80, 50), roc};
        one.add_key(key_of(SrtpSuite::AesCm128Sha1_80), 1);
        ASSERT_TRUE(one.open(before.say(100), header, budget));
        const auto packet = after.say(101);
        EXPECT_FALSE(one.open(packet, header, budget));
        EXPECT_TRUE(one.add_key(key_of(SrtpSuite::AesCm256Sha1_80, 50), 2));
        EXPECT_FALSE(one.add_key(key_of(SrtpSuite::AesCm256Sha1_80, 50), 2)) << "it is known";
        EXPECT_TRUE(one.open(packet, header, budget));
        EXPECT_EQ(one.label(), 2U);
        EXPECT_EQ(one.roc(), roc);
        EXPECT_EQ(one.counter_jumps(), roc == 0 ? 1U : 0U);
    }
}

TEST_F(Reads, OneOfTwoKeysByItsMki) {
    auto both = key_of(SrtpSuite::AesCm128Sha1_80, 1, {1});
    both.keys.push_back(key_of(SrtpSuite::AesCm128Sha1_80, 90, {2}).keys[0]);
    auto second = both;
    second.keys.erase(second.keys.begin());
    Sender sender{second};
    reader.add_key(both, 4);
    EXPECT_EQ(reader.keys(), 2U);
    EXPECT_TRUE(opens(sender.say(8), 8));
}

TEST_F(Reads, NothingThatIsDamagedForgedOrTooShort) {
    Sender sender{key_of(SrtpSuite::AesCm128Sha1_80)};
    reader.add_key(key_of(SrtpSuite::AesCm128Sha1_80), 0);
    for (const auto& facts : all_srtp_suites()) {
        reader.add_key(key_of(facts.suite, 33, {1, 2, 3, 4}), 1);
    }
    const auto packet = sender.say(1);
    EXPECT_TRUE(opens(packet, 1));
    for (std::size_t size = 0; size < packet.size(); ++size) {
        EXPECT_FALSE(reader.open(Bytes{packet}.first(size), std::min(size, header), budget));
        EXPECT_FALSE(reader.open_rtcp(Bytes{packet}.first(size), budget));
    }
    EXPECT_FALSE(reader.open(packet, packet.size() + 1, budget));
    EXPECT_TRUE(opens(packet, 1)) << "a key that is in use stays so";
}

TEST_F(Reads, NoKeyThatHasNotTheLengthOfItsSuiteAndNoMoreThanSomeKeys) {
    auto wrong = key_of(SrtpSuite::AesCm128Sha1_80);
    wrong.suite = SrtpSuite::AesCm256Sha1_80;
    EXPECT_FALSE(reader.add_key(wrong, 0));
    for (unsigned i = 0; i < 200; ++i) {
        reader.add_key(key_of(SrtpSuite::AesCm128Sha1_80, static_cast<std::uint8_t>(i)), i);
    }
    EXPECT_EQ(reader.keys(), SrtpReader::most_keys);
    Sender latest{key_of(SrtpSuite::AesCm128Sha1_80, 199)};
    EXPECT_TRUE(opens(latest.say(1), 1)) << "the latest stay";
}

// Work that is asked for by packets that no key opens, counted and not timed.
TEST_F(Reads, ForgedPacketsCostAFewTrialsEach) {
    for (unsigned i = 0; i < SrtpReader::most_keys; ++i) {
        reader.add_key(key_of(SrtpSuite::AesCm128Sha1_80, static_cast<std::uint8_t>(i)), i);
    }
    const auto forged = speech(7);
    std::uint64_t left = 0;
    while (budget.spend()) {
        ++left; // how many there are at the beginning
    }
    SrtpReader::Budget fresh;
    constexpr std::uint64_t packets = 20'000;
    for (std::uint64_t i = 0; i < packets; ++i) {
        fresh.earn();
        EXPECT_FALSE(reader.open(forged, header, fresh));
    }
    std::uint64_t rest = 0;
    while (fresh.spend()) {
        ++rest;
    }
    EXPECT_LT(left - rest, packets * 20);
    EXPECT_GT(rest, 0U);
}

} // namespace
} // namespace cw::rtp
