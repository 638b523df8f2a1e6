// What captures of real calls have that looks like a fault and is none: NAT that is lived with, fax
// that falls back, phones that are out while another one answers, captures that begin in the
// middle.
#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/diagnose/rule.hpp"
#include "flow/diagnose/test_scene.hpp"

namespace cw::flow::diagnose {
namespace {

const std::string sdp_type = "Content-Type: application/sdp\r\n";
const std::string at_alice = "Contact: <sip:alice@192.0.2.10>\r\n";
constexpr std::string_view pbx = "203.0.113.5:5061";

std::string sdp(std::string_view address, int port, std::string_view lines = "") {
    return fmt::format("v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\n"
                       "m=audio {1} RTP/AVP 0\r\n{2}",
                       address, port, lines);
}

std::string severity_of(Scene& s, std::string_view rule) {
    for (const auto& finding : s.findings()) {
        if (finding.rule == rule) {
            return std::string{finding.severity};
        }
    }
    return "silent";
}

TEST(Neighbours, AnAckToWhereABehindNatTheAnswerCameFrom) {
    for (const std::string_view target : {"198.51.100.7", "198.51.100.9"}) {
        Scene s;
        set_up(s, "Contact: <sip:bob@192.168.1.7>\r\n");
        s.say(1010, alice, bob, fmt::format("ACK sip:bob@{} SIP/2.0", target),
              {.cseq = "1 ACK", .branch = "ack", .inside = true});
        hang_up(s, 5000);
        EXPECT_EQ(s.rules().contains("D02"), target != "198.51.100.7");
    }
}

TEST(Neighbours, ABackToBackUserAgentWithTlsOnOneSideAndOneCallId) {
    for (const bool clear_leg : {true, false}) {
        Scene s;
        s.say(0, alice, pbx, invite,
              {.more = at_alice, .transport = Transport::Tls, .connection = 1});
        if (clear_leg) {
            s.say(10, pbx, bob, invite, {.more = at_alice, .branch = "2"});
            s.say(900, bob, pbx, "SIP/2.0 200 OK", {.more = at_bob, .branch = "2", .inside = true});
        }
        s.say(1000, pbx, alice, "SIP/2.0 200 OK",
              {.more = "Contact: <sip:203.0.113.5:5061;transport=tls>\r\n",
               .inside = true,
               .transport = Transport::Tls,
               .connection = 1});
        s.say(9000, pbx, bob, "BYE sip:bob@198.51.100.7 SIP/2.0",
              {.cseq = "1 BYE", .branch = "bye", .inside = true});
        s.say(9010, bob, pbx, "SIP/2.0 200 OK", {.cseq = "1 BYE", .branch = "bye", .inside = true});
        EXPECT_EQ(s.rules().contains("D03"), !clear_leg);
    }
}

TEST(Neighbours, ARequestThatWasSentOnceMayHaveBeenAnswered) {
    Scene s;
    s.say(0, alice, bob, "OPTIONS sip:bob@example.com SIP/2.0", {.cseq = "1 OPTIONS"});
    s.end(60'000);
    EXPECT_EQ(severity_of(s, "D07"), "note");
}

TEST(Neighbours, OnePhoneIsOutAndAnotherOneAnswers) {
    Scene s;
    const std::string_view out = "198.51.100.8:5060";
    s.say(0, proxy, bob, invite, {.more = at_alice, .branch = "1", .vias = 2});
    for (const auto ms : {1, 501, 1501, 3501, 7501}) {
        s.say(ms, proxy, out, invite, {.more = at_alice, .branch = "2", .vias = 2});
    }
    s.say(8000, bob, proxy, "SIP/2.0 200 OK",
          {.more = at_bob, .branch = "1", .inside = true, .vias = 2});
    s.say(8010, proxy, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "1 ACK", .branch = "ack", .inside = true, .vias = 2});
    s.end(60'000);
    EXPECT_EQ(severity_of(s, "D05"), "warning");
}

TEST(Neighbours, WhatTheCaptureLacksOfAStreamMayBeTheAnswer) {
    for (const std::uint64_t missing : {0, 400}) {
        Scene s;
        Connection c;
        c.id = 1;
        c.client = *parse_endpoint(alice, 0);
        c.server = *parse_endpoint(bob, 0);
        c.start_seen = c.accepted = c.fin = true;
        c.opened = Scene::at(0);
        c.closed = Scene::at(40'000);
        c.missing_bytes = missing;
        s.say(0, alice, bob, invite, {.transport = Transport::Tcp, .connection = 1});
        s.carry(c);
        s.end(60'000);
        const auto rules = s.rules();
        EXPECT_EQ(rules.contains("D05"), missing == 0);
        EXPECT_EQ(rules.contains("D57"), missing == 0);
    }
}

TEST(Neighbours, APrivateContactThatTheOtherSideLivesWith) {
    for (const bool over : {true, false}) {
        Scene s;
        s.say(0, alice, bob, invite, {.more = "Contact: <sip:alice@192.168.1.10>\r\n"});
        s.say(1000, bob, alice, "SIP/2.0 200 OK", {.more = at_bob, .inside = true});
        acknowledge(s);
        if (over) {
            hang_up(s, 5000);
        }
        s.end(9000);
        EXPECT_EQ(severity_of(s, "D12"), over ? "note" : "warning");
    }
}

TEST(Neighbours, FaxThatFallsBackIsNoRefreshThatFailed) {
    for (const std::string_view status : {"488 Not Acceptable Here", "500 Server Error"}) {
        Scene s;
        set_up(s);
        acknowledge(s);
        s.say(5000, bob, alice, "INVITE sip:alice@192.0.2.10 SIP/2.0",
              {.cseq = "7 INVITE",
               .more = sdp_type + "Session-Expires: 1800;refresher=uac\r\nSupported: timer\r\n",
               .body = "v=0\r\no=- 1 2 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 "
                       "0\r\nm=image 6000 udptl t38\r\n",
               .branch = "fax",
               .inside = true});
        s.say(5100, alice, bob, fmt::format("SIP/2.0 {}", status),
              {.cseq = "7 INVITE", .branch = "fax", .inside = true});
        s.say(5110, bob, alice, "ACK sip:alice@192.0.2.10 SIP/2.0",
              {.cseq = "7 ACK", .branch = "fax", .inside = true});
        hang_up(s, 60'000);
        const bool fax = status.starts_with("488");
        std::string found;
        for (const auto& one : s.findings()) {
            found += fmt::format("{} {} ", one.rule, one.severity);
        }
        EXPECT_EQ(found, fax ? "D67 warning " : "D24 error ");
    }
}

TEST(Neighbours, TwoOffersThatCrossAreTriedAgain) {
    Scene s;
    set_up(s);
    acknowledge(s);
    s.say(5000, alice, bob, "INVITE sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "2 INVITE", .more = at_alice, .branch = "glare1", .inside = true});
    s.say(5001, bob, alice, "INVITE sip:alice@192.0.2.10 SIP/2.0",
          {.cseq = "7 INVITE", .more = at_bob, .branch = "glare2", .inside = true});
    s.say(5050, bob, alice, "SIP/2.0 491 Request Pending",
          {.cseq = "2 INVITE", .branch = "glare1", .inside = true});
    s.say(5051, alice, bob, "SIP/2.0 491 Request Pending",
          {.cseq = "7 INVITE", .branch = "glare2", .inside = true});
    s.say(5060, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "2 ACK", .branch = "glare1", .inside = true});
    s.say(5061, bob, alice, "ACK sip:alice@192.0.2.10 SIP/2.0",
          {.cseq = "7 ACK", .branch = "glare2", .inside = true});
    s.say(8000, alice, bob, "INVITE sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "3 INVITE", .more = at_alice, .branch = "again", .inside = true});
    s.say(8050, bob, alice, "SIP/2.0 200 OK",
          {.cseq = "3 INVITE", .more = at_bob, .branch = "again", .inside = true});
    s.say(8060, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "3 ACK", .branch = "ack3", .inside = true});
    hang_up(s, 60'000);
    EXPECT_EQ(s.rules(), Rules{});
}

TEST(Neighbours, ACaptureThatBeginsInTheMiddleOfACall) {
    Scene s;
    s.say(0, bob, alice, "SIP/2.0 200 OK", {.cseq = "3 INVITE", .more = at_bob, .inside = true});
    s.say(10, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
          {.cseq = "3 ACK", .branch = "ack", .inside = true});
    s.rtp(20, "192.0.2.10:4000", "198.51.100.7:6000", 400);
    hang_up(s, 60'000);
    EXPECT_EQ(s.rules(), Rules{});
}

TEST(Neighbours, ASignOfLifeNeedsNoCredentials) {
    for (const std::string method : {"OPTIONS", "REGISTER"}) {
        Scene s;
        s.say(0, alice, proxy, fmt::format("{} sip:example.com SIP/2.0", method),
              {.cseq = "1 " + method});
        s.say(10, proxy, alice, "SIP/2.0 401 Unauthorized",
              {.cseq = "1 " + method,
               .more = "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n",
               .inside = true});
        s.end(60'000);
        EXPECT_EQ(s.rules().contains("D37"), method == "REGISTER");
    }
}

TEST(Neighbours, AScannerThatLeavesTheChallengeOfItsInviteLacksNoCredentials) {
    for (const bool acknowledges : {false, true}) {
        Scene s;
        s.say(0, alice, proxy, invite, {});
        s.say(10, proxy, alice, "SIP/2.0 401 Unauthorized",
              {.more = "WWW-Authenticate: Digest realm=\"a\", nonce=\"b\"\r\n", .inside = true});
        if (acknowledges) {
            s.say(20, alice, proxy, "ACK sip:bob@198.51.100.7 SIP/2.0",
                  {.cseq = "1 ACK", .inside = true});
        }
        s.end(60'000);
        EXPECT_EQ(s.rules().contains("D37"), acknowledges);
    }
}

TEST(Neighbours, WhoTransfersACallHoldsIt) {
    for (const bool transferred : {true, false}) {
        Scene s;
        s.say(0, alice, bob, invite,
              {.more = at_alice + sdp_type, .body = sdp("192.0.2.10", 4000)});
        s.say(1000, bob, alice, "SIP/2.0 200 OK",
              {.more = at_bob + sdp_type, .body = sdp("198.51.100.7", 6000), .inside = true});
        acknowledge(s);
        s.say(5000, alice, bob, "INVITE sip:bob@198.51.100.7 SIP/2.0",
              {.cseq = "2 INVITE",
               .more = at_alice + sdp_type,
               .body = sdp("192.0.2.10", 4000, "a=sendonly\r\n"),
               .branch = "hold",
               .inside = true});
        s.say(5010, bob, alice, "SIP/2.0 200 OK",
              {.cseq = "2 INVITE",
               .more = at_bob + sdp_type,
               .body = sdp("198.51.100.7", 6000, "a=recvonly\r\n"),
               .branch = "hold",
               .inside = true});
        s.say(5020, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
              {.cseq = "2 ACK", .branch = "ack2", .inside = true});
        if (transferred) {
            s.say(80'000, alice, bob, "REFER sip:bob@198.51.100.7 SIP/2.0",
                  {.cseq = "3 REFER", .branch = "refer", .inside = true});
            s.say(80'010, bob, alice, "SIP/2.0 202 Accepted",
                  {.cseq = "3 REFER", .branch = "refer", .inside = true});
            s.say(80'020, bob, alice, "NOTIFY sip:alice@192.0.2.10 SIP/2.0",
                  {.cseq = "1 NOTIFY", .branch = "notify", .inside = true});
            s.say(80'030, alice, bob, "SIP/2.0 200 OK",
                  {.cseq = "1 NOTIFY", .branch = "notify", .inside = true});
        }
        hang_up(s, 90'000);
        EXPECT_EQ(s.rules().contains("D78"), !transferred);
    }
}

// Media goes where ICE has found a way, which the address in c= need not be.
TEST(Neighbours, MediaBetweenCandidatesIsHeardBothWays) {
    for (const bool told : {true, false}) {
        Scene s;
        const auto ice = [told](std::string_view address, int port) {
            return told ? fmt::format("a=ice-ufrag:f\r\na=ice-pwd:0123456789012345678901\r\n"
                                      "a=candidate:1 1 udp 2130706431 {} {} typ host\r\n",
                                      address, port)
                        : std::string{};
        };
        s.say(0, alice, bob, invite,
              {.more = at_alice + sdp_type,
               .body = sdp("192.0.2.10", 4000, ice("192.168.1.10", 4000))});
        s.say(1000, bob, alice, "SIP/2.0 200 OK",
              {.more = at_bob + sdp_type,
               .body = sdp("198.51.100.7", 6000, ice("192.168.1.7", 6000)),
               .inside = true});
        acknowledge(s);
        s.rtp(1100, "192.168.1.77:4444", "198.51.100.7:6000", 300);
        s.rtp(1101, "192.168.1.7:6000", "192.168.1.10:4000", 300);
        hang_up(s, 9000);
        EXPECT_EQ(s.rules().contains("D73"), !told);
    }
}

TEST(Neighbours, ConnectionsThatAreHardlyOfSip) {
    const auto rules_of = [](std::uint16_t port, bool failed) {
        Connection c;
        c.id = 1;
        c.client = *parse_endpoint(alice, 0);
        c.server = {parse_endpoint(proxy, 0)->address, port};
        c.transport = Transport::Tls;
        c.version = "TLSv1.2";
        c.reason = "handshake not captured";
        if (failed) {
            c.alerts.push_back({.time = Scene::at(5),
                                .from_client = true,
                                .fatal = true,
                                .number = 48,
                                .name = "unknown_ca"});
        }
        Rules ids;
        for (const auto& one : judge_connection(c, {Scene::at(0), Scene::at(60'000)})) {
            ids.insert(std::string{one.rule});
        }
        return ids;
    };
    EXPECT_EQ(rules_of(993, false), Rules{});
    EXPECT_EQ(rules_of(443, false), Rules{});
    EXPECT_EQ(rules_of(5061, false), Rules{"C7"});
    EXPECT_TRUE(rules_of(443, true).contains("D48"));
}

TEST(Neighbours, ANameInTheSubjectOfACertificateThatHasNoOther) {
    Connection c;
    c.id = 1;
    c.client = *parse_endpoint(alice, 0);
    c.server = *parse_endpoint(pbx, 0);
    c.transport = Transport::Tls;
    c.version = "TLSv1.2";
    c.cipher = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    c.sni = "sbc.example.com";
    c.handshake_done = c.start_seen = c.accepted = true;
    const auto found = [&c] {
        Rules ids;
        for (const auto& one : judge_connection(c, {Scene::at(0), Scene::at(60'000)})) {
            ids.insert(std::string{one.rule});
        }
        return ids;
    };
    auto& leaf = c.server_chain.emplace_back();
    leaf.subject = "O=Example,CN=sbc.example.com";
    leaf.issuer = "CN=CA";
    EXPECT_EQ(found(), Rules{});
    leaf.names = {"DNS:other.example.com"};
    EXPECT_EQ(found(), Rules{"D50"});
    leaf.names.clear();
    leaf.subject = "CN=other.example.com";
    EXPECT_EQ(found(), Rules{"D50"});
    leaf.subject = "CN=sbc.example.com";
    leaf.key = "RSA";
    leaf.key_bits = 1024;
    EXPECT_EQ(found(), Rules{"D62"});
    leaf.key_bits = 2048;
    leaf.signature = "sha1WithRSAEncryption";
    EXPECT_EQ(found(), Rules{"D62"});
    leaf.subject = leaf.issuer = "CN=sbc.example.com";
    EXPECT_EQ(found(), Rules{}) << "its own signature proves nothing to anybody";
}

// Many phones behind one address that keep their connections are no client that begins anew.
TEST(Neighbours, ManyPhonesBehindOneAddress) {
    for (const bool kept : {true, false}) {
        ConnectionCrowd crowd;
        for (std::uint32_t i = 0; i < 20; ++i) {
            Connection c;
            c.id = i + 1;
            c.client = *parse_endpoint("192.0.2.10", static_cast<std::uint16_t>(40'000 + i));
            c.server = *parse_endpoint(pbx, 0);
            c.transport = Transport::Tls;
            c.version = "TLSv1.3";
            c.start_seen = c.handshake_done = true;
            c.sip_messages = 4;
            c.opened = Scene::at(i * 1000);
            c.closed = Scene::at(kept ? 600'000 : i * 1000 + 500);
            c.fin = true;
            crowd.add(c);
        }
        EXPECT_EQ(crowd.judge().size(), kept ? 0U : 1U);
    }
}

} // namespace
} // namespace cw::flow::diagnose
