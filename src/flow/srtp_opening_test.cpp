// SRTP in a call, from its session descriptions and packets to what is said of the stream.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/book.hpp"
#include "rtp/sdes.hpp"
#include "rtp/srtp.hpp"

namespace cw::flow {
namespace {

constexpr std::string_view alice = "10.0.0.1:5060";
constexpr std::string_view bob = "10.0.0.2:5060";
constexpr std::string_view alice_media = "10.0.0.1:4000";
constexpr std::string_view bob_media = "10.0.0.2:6000";

rtp::SrtpParameters key_of(std::uint8_t begin,
                           rtp::SrtpSuite suite = rtp::SrtpSuite::AesCm128Sha1_80) {
    const auto& facts = rtp::facts_of(suite);
    std::vector<std::uint8_t> secret;
    for (unsigned i = 0; i < static_cast<unsigned>(facts.key + facts.salt); ++i) {
        secret.push_back(static_cast<std::uint8_t>(begin + i));
    }
    rtp::SrtpParameters out{.suite = suite, .keys = {rtp::SrtpMasterKey{}}};
    out.keys[0].secret = rtp::SrtpSecret{secret};
    return out;
}

std::string crypto_line(const rtp::SrtpParameters& key) {
    return "a=crypto:" + rtp::to_sdes({.tag = 1, .parameters = key}) + "\r\n";
}

std::string sdp(std::string_view media, std::string_view more, std::string_view profile) {
    const auto colon = media.find(':');
    return fmt::format("v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\n"
                       "m=audio {1} {2} 0 101\r\na=rtpmap:101 telephone-event/8000\r\n{3}",
                       media.substr(0, colon), media.substr(colon + 1), profile, more);
}

struct Heard final : MediaTap {
    void on_media_packet(const MediaPacket& packet) override {
        sequences.push_back(packet.sequence);
        payload.assign(packet.payload.begin(), packet.payload.end());
    }
    std::vector<std::uint16_t> sequences;
    std::vector<std::uint8_t> payload; // of the last one
};

class Opened : public testing::Test {
  protected:
    Opened() { book_.tap_media(heard_); }

    static Instant at(std::int64_t ms) {
        return Instant{1'700'000'000'000'000'000 + ms * 1'000'000};
    }
    void say(std::int64_t ms, bool from_alice, const std::string& start, std::string_view cseq,
             const std::string& body) {
        const auto text = fmt::format(
            "{}\r\nVia: SIP/2.0/TLS 10.0.0.1;branch=z9hG4bK{}\r\nFrom: <sip:a@x>;tag=1\r\n"
            "To: <sip:b@x>{}\r\nCall-ID: c@x\r\nCSeq: {}\r\n{}Content-Length: {}\r\n\r\n{}",
            start, cseq.substr(0, 1), start.starts_with("INVITE") && cseq[0] == '1' ? "" : ";tag=2",
            cseq, body.empty() ? "" : "Content-Type: application/sdp\r\n", body.size(), body);
        book_.on_sip({.at = {.time = at(ms),
                             .frame = ++frame_,
                             .source = *parse_endpoint(from_alice ? alice : bob, 5060),
                             .destination = *parse_endpoint(from_alice ? bob : alice, 5060)},
                      .transport = Transport::Tls,
                      .connection = 1,
                      .bytes = text});
    }
    void offer(std::int64_t ms, const std::string& lines, std::string_view cseq = "1 INVITE") {
        say(ms, true, "INVITE sip:b@x SIP/2.0", cseq, sdp(alice_media, lines, "RTP/SAVP"));
    }
    void answer(std::int64_t ms, const std::string& lines, std::string_view cseq = "1 INVITE",
                std::string_view profile = "RTP/SAVP") {
        say(ms, false, "SIP/2.0 200 OK", cseq, sdp(bob_media, lines, profile));
    }
    static std::vector<std::uint8_t> speech(std::uint16_t sequence) {
        std::vector<std::uint8_t> out{0x80,
                                      0,
                                      static_cast<std::uint8_t>(sequence >> 8U),
                                      static_cast<std::uint8_t>(sequence),
                                      0,
                                      0,
                                      static_cast<std::uint8_t>(sequence >> 8U),
                                      static_cast<std::uint8_t>(sequence),
                                      9,
                                      9,
                                      9,
                                      9};
        out.resize(172, static_cast<std::uint8_t>(sequence));
        return out;
    }
    void send(std::int64_t ms, std::span<const std::uint8_t> packet, std::string_view from,
              std::string_view to, std::uint32_t missing = 0) {
        book_.on_media({.at = {.time = at(ms),
                               .frame = ++frame_,
                               .source = *parse_endpoint(from, 0),
                               .destination = *parse_endpoint(to, 0)},
                        .payload = packet,
                        .missing = missing});
    }
    // Packets of Bob, 20 ms apart, from this number on.
    void bob_talks(rtp::SrtpSession& with, std::int64_t ms, std::uint16_t first,
                   std::uint16_t count) {
        for (std::uint16_t i = 0; i < count; ++i) {
            auto packet = speech(static_cast<std::uint16_t>(first + i));
            ASSERT_TRUE(with.protect(packet));
            send(ms + i * 20, packet, bob_media, alice_media);
        }
    }
    static rtp::SrtpSession sender(const rtp::SrtpParameters& key) {
        return std::move(*rtp::SrtpSession::make(rtp::SrtpSession::Way::Send, key));
    }
    // The only stream, and what is said of its failures.
    const MediaStream& stream() {
        book_.finish(at(60'000));
        book_.for_each_call([&](const Call& call) {
            call_ = call;
            return true;
        });
        EXPECT_EQ(call_.streams.size(), 1U);
        static const MediaStream nothing;
        return call_.streams.empty() ? nothing : call_.streams[0];
    }
    [[nodiscard]] std::string problem(const MediaStream& s) const {
        return std::string{call_.text(s.srtp_problem)};
    }

    Book book_;
    Heard heard_;
    Call call_;
    std::uint32_t frame_ = 0;
};

TEST_F(Opened, MediaThatComesBeforeItsAnswerWaitsForTheKey) {
    offer(0, crypto_line(key_of(1)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 10, 1000, 20);
    EXPECT_TRUE(heard_.sequences.empty());
    answer(500, crypto_line(key_of(100)));
    bob_talks(bobs, 510, 1020, 5);
    const auto& s = stream();
    EXPECT_EQ(s.opening.opened, 25U);
    EXPECT_EQ(s.opening.failed, 0U);
    EXPECT_EQ(s.opening.key_frame, 22U) << "the answer";
    EXPECT_EQ(call_.text(s.suite), "AES_CM_128_HMAC_SHA1_80");
    EXPECT_EQ(problem(s), "");
    ASSERT_EQ(heard_.sequences.size(), 25U);
    EXPECT_TRUE(std::ranges::is_sorted(heard_.sequences)) << "in their order";
    EXPECT_EQ(heard_.payload, std::vector<std::uint8_t>(160, std::uint8_t{1024 % 256}));
}

TEST_F(Opened, AnAnswerAfterAllMediaIsNotTooLate) {
    offer(0, crypto_line(key_of(1)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 10, 1000, 10);
    answer(500, crypto_line(key_of(100)));
    EXPECT_EQ(stream().opening.opened, 10U);
}

TEST_F(Opened, TheKeyOfAReInviteOpensWhatFollows) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 20, 65'530, 10); // over the wrap
    offer(300, crypto_line(key_of(2)), "2 INVITE");
    ASSERT_TRUE(bobs.rekey(key_of(150)));
    bob_talks(bobs, 310, 4, 3); // before its answer was seen
    answer(400, crypto_line(key_of(150)), "2 INVITE");
    bob_talks(bobs, 410, 7, 10);
    const auto& s = stream();
    EXPECT_EQ(s.opening.opened, 23U);
    EXPECT_EQ(s.opening.failed, 0U);
    EXPECT_EQ(s.opening.key_changes, 1U);
    EXPECT_EQ(s.opening.rollovers, 1U);
}

TEST_F(Opened, AKeyThatNobodyToldIsNamedWithThePacketWhereItBegins) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 20, 500, 10); // frames 3 to 12
    ASSERT_TRUE(bobs.rekey(key_of(222)));
    bob_talks(bobs, 300, 510, 10);
    const auto& s = stream();
    EXPECT_EQ(s.opening.opened, 10U);
    EXPECT_EQ(s.opening.failed, 10U);
    EXPECT_EQ(s.opening.failed_frame, 13U);
    EXPECT_EQ(s.opening.failed_since, at(300));
    EXPECT_EQ(problem(s), "from packet 13 (sequence number 510) on none is authentic, 10 packets "
                          "in all: "
                          "the sender has changed its key, and no message that could be read tells "
                          "the new one");
}

TEST_F(Opened, SinglePacketsThatAreDamagedAreCountedAndNamed) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 20, 1, 5);
    auto damaged = speech(6);
    ASSERT_TRUE(bobs.protect(damaged));
    damaged[40] ^= 1;
    send(120, damaged, bob_media, alice_media);
    bob_talks(bobs, 140, 7, 5);
    const auto& s = stream();
    EXPECT_EQ(s.opening.opened, 10U);
    EXPECT_EQ(s.opening.failed, 1U);
    EXPECT_TRUE(problem(s).starts_with("1 of 11 packets is not authentic, the first is packet 8 "))
        << problem(s);
}

TEST_F(Opened, ASenderThatUsesTheKeyOfItsReceiverIsFoundOut) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    auto bobs = sender(key_of(1)); // Alice's
    bob_talks(bobs, 20, 1, 5);
    const auto& s = stream();
    EXPECT_EQ(s.opening.opened, 5U);
    EXPECT_NE(problem(s).find("with the key of its receiver"), std::string::npos) << problem(s);
}

TEST_F(Opened, ASenderThatPromisedSrtpAndSendsInClearIsFoundOut) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    for (std::uint16_t i = 0; i < 10; ++i) {
        send(20 + i * 20, speech(i), bob_media, alice_media);
    }
    const auto& s = stream();
    EXPECT_EQ(s.opening.failed, 10U);
    EXPECT_NE(problem(s).find("does not protect them"), std::string::npos) << problem(s);
}

TEST_F(Opened, WhenTheAnswerIsForRtpInClearWhatWaitedIsHeard) {
    say(0, true, "INVITE sip:b@x SIP/2.0", "1 INVITE",
        sdp(alice_media, crypto_line(key_of(1)), "RTP/AVP")); // [RFC 8643]
    for (std::uint16_t i = 0; i < 4; ++i) {
        send(10 + i * 20, speech(i), bob_media, alice_media);
    }
    answer(100, "", "1 INVITE", "RTP/AVP");
    for (std::uint16_t i = 4; i < 8; ++i) {
        send(110 + i * 20, speech(i), bob_media, alice_media);
    }
    const auto& s = stream();
    EXPECT_EQ(call_.text(s.srtp), "");
    EXPECT_EQ(s.opening.failed, 0U);
    EXPECT_EQ(heard_.sequences.size(), 8U);
}

TEST_F(Opened, PacketsThatTheCaptureCutCannotBeProved) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    for (std::uint16_t i = 0; i < 5; ++i) {
        send(20 + i * 20, Bytes{speech(i)}.first(60), bob_media, alice_media, 122);
    }
    const auto& s = stream();
    EXPECT_EQ(s.opening.cut, 5U);
    EXPECT_NE(problem(s).find("snaplen"), std::string::npos);
}

TEST_F(Opened, AKeyOfTheWrongLengthIsNamedAndNeverShown) {
    offer(0, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2hvcnQ=\r\n");
    answer(10, "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + std::string(65'536, 'A') + "\r\n");
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 20, 1, 5);
    const auto& s = stream();
    EXPECT_EQ(call_.text(s.srtp), "AES_CM_128_HMAC_SHA1_80");
    EXPECT_EQ(s.opening.opened, 0U);
    EXPECT_EQ(problem(s), "a=crypto in packet 2: the SRTP key is no base64 of its suite's length");
}

TEST_F(Opened, DtmfInsideSrtp) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 20, 1, 5);
    for (std::uint16_t i = 0; i < 3; ++i) {
        std::vector<std::uint8_t> packet{0x80, 101,
                                         0,    static_cast<std::uint8_t>(6 + i),
                                         0,    0,
                                         9,    0,
                                         9,    9,
                                         9,    9,
                                         7,    static_cast<std::uint8_t>(i == 2 ? 0x8a : 10),
                                         3,    0x20};
        ASSERT_TRUE(bobs.protect(packet));
        send(120 + i * 20, packet, bob_media, alice_media);
    }
    const auto& s = stream();
    ASSERT_EQ(s.dtmf.size(), 1U);
    EXPECT_EQ(s.dtmf[0].digit, '7');
    EXPECT_EQ(s.dtmf[0].duration_ms, 100);
}

TEST_F(Opened, ReportsInsideSrtcpByTheKeyOfTheirMedia) {
    offer(0, crypto_line(key_of(1)));
    answer(10, crypto_line(key_of(100)));
    auto bobs = sender(key_of(100));
    bob_talks(bobs, 20, 1, 5);
    // Alice's receiver report on Bob's stream: a quarter lost.
    std::vector<std::uint8_t> report{0x81, 201, 0, 7, 5, 5, 5, 5, 9, 9, 9, 9, 64};
    report.resize(32);
    auto alices = sender(key_of(1));
    ASSERT_TRUE(alices.protect_rtcp(report));
    send(200, report, "10.0.0.1:4001", "10.0.0.2:6001");
    const auto& s = stream();
    EXPECT_EQ(s.rtcp_reports, 1U);
    EXPECT_DOUBLE_EQ(s.rtcp_loss, 0.25);
}

TEST_F(Opened, DtlsKeysByTheEndsOfTheMedia) {
    say(0, true, "INVITE sip:b@x SIP/2.0", "1 INVITE",
        sdp(alice_media, "a=fingerprint:sha-256 AA\r\na=setup:actpass\r\n", "UDP/TLS/RTP/SAVP"));
    answer(10, "a=fingerprint:sha-256 BB\r\na=setup:active\r\n", "1 INVITE", "UDP/TLS/RTP/SAVP");
    DtlsSrtp handshake{.at = {.time = at(20),
                              .frame = 77,
                              .source = *parse_endpoint(bob_media, 0),
                              .destination = *parse_endpoint(alice_media, 0)},
                       .client_key = key_of(100, rtp::SrtpSuite::AeadAes256Gcm),
                       .server_key = key_of(1, rtp::SrtpSuite::AeadAes256Gcm),
                       .version = "DTLSv1.2"};
    book_.on_dtls(handshake.at);
    book_.on_dtls_srtp(handshake);
    auto bobs = sender(*handshake.client_key);
    bob_talks(bobs, 30, 1, 5);
    const auto& s = stream();
    EXPECT_EQ(s.opening.opened, 5U);
    EXPECT_EQ(s.opening.by, KeyExchange::Dtls);
    EXPECT_EQ(s.opening.key_frame, 77U);
    EXPECT_EQ(call_.text(s.srtp), "DTLS-SRTP");
    EXPECT_EQ(call_.text(s.suite), "AEAD_AES_256_GCM");
}

// A host with two addresses; ICE that has moved the media to another pair.
TEST(SrtpKeysOfDtls, ServeMediaBetweenOtherAddressesThanTheHandshake) {
    SrtpKeys keys;
    const auto client = *parse_endpoint("192.0.2.7:6000", 0);
    const auto server = *parse_endpoint("192.0.2.9:4000", 0);
    const auto other_client = *parse_endpoint("10.0.0.7:6000", 0);
    const auto other_server = *parse_endpoint("10.0.0.9:4000", 0);
    keys.on_dtls({.at = {.time = Instant{}, .source = client, .destination = server},
                  .client_key = key_of(100),
                  .server_key = key_of(1)});
    const auto of_client = [&](const Endpoint& from, const Endpoint& to) {
        std::vector<const SrtpKey*> found;
        keys.collect({}, {from, to}, found);
        EXPECT_FALSE(found.empty());
        return !found.empty() && found.back()->parameters == key_of(100);
    };
    EXPECT_TRUE(of_client(other_client, other_server)) << "the same ports";
    EXPECT_FALSE(of_client(other_server, other_client));
    const auto third = *parse_endpoint("198.51.100.1:9", 0);
    EXPECT_TRUE(of_client(client, third)) << "the same end";
    EXPECT_TRUE(of_client(third, server));
    EXPECT_FALSE(of_client(server, third));
    EXPECT_FALSE(of_client(third, client));
    std::vector<const SrtpKey*> found;
    keys.collect({}, {third, other_server}, found);
    EXPECT_TRUE(found.empty()) << "neither";
}

TEST(SrtpKeysOfDtls, AreForgottenWithWhatLeadsToThem) {
    SrtpKeys keys;
    const rtp::SrtpParameters made{};
    for (std::uint16_t n = 0; n < 100; ++n) {
        Endpoint client = *parse_endpoint("192.0.2.7:6000", 0);
        client.port = static_cast<std::uint16_t>(client.port + n);
        keys.on_dtls({.at = {.time = Instant{} + seconds(n),
                             .source = client,
                             .destination = *parse_endpoint("192.0.2.9:4000", 0)},
                      .client_key = made,
                      .server_key = made});
    }
    const MediaFlow elsewhere{*parse_endpoint("198.51.100.1:9", 0),
                              *parse_endpoint("192.0.2.9:4000", 0)};
    std::vector<const SrtpKey*> found;
    keys.collect({}, elsewhere, found);
    EXPECT_EQ(found.size(), 4U) << "of those at this end the latest alone";
    keys.forget_before(Instant{} + seconds(1000));
    found.clear();
    keys.collect({}, elsewhere, found);
    EXPECT_TRUE(found.empty());
}

} // namespace
} // namespace cw::flow
