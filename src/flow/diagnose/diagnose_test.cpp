// Rules on the model. Each fault has a neighbour that looks like it and is none.
#include "flow/diagnose/diagnose.hpp"

#include <set>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/diagnose/rule.hpp"
#include "flow/diagnose/test_scene.hpp"

namespace cw::flow::diagnose {
namespace {

TEST(Diagnosis, ACallWithoutFaultHasNoFinding) {
    Scene s;
    set_up(s);
    acknowledge(s);
    hang_up(s, 60'000);
    EXPECT_EQ(s.rules(), Rules{});
}

TEST(Diagnosis, ALostAckIsTheCauseOfTheByeAfterHalfAMinute) {
    Scene s;
    set_up(s);
    s.repeat({1500, 2500, 4500, 8500, 12'500, 16'500, 20'500, 24'500, 28'500, 32'500}, bob, alice,
             "SIP/2.0 200 OK", {.more = at_bob, .inside = true});
    hang_up(s, 33'000, "Reason: SIP;cause=408;text=\"ACK timeout\"\r\n");
    const auto found = s.findings();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].rule, "D01");
    EXPECT_EQ(found[0].severity, "error");
    EXPECT_EQ(found[0].messages.front(), 3U); // the first repetition
    EXPECT_EQ(found[0].rfc, "RFC 3261 §13.3.1.4");
    EXPECT_NE(found[0].evidence.find("32.0 s"), std::string::npos) << found[0].evidence;
    EXPECT_EQ(found[1].rule, "D28");
    EXPECT_EQ(found[1].cause, 0U);
}

TEST(Diagnosis, AnAckThatComesLateIsNotLost) {
    Scene s;
    set_up(s);
    s.repeat({1500, 2500}, bob, alice, "SIP/2.0 200 OK", {.more = at_bob, .inside = true});
    acknowledge(s, 2510);
    hang_up(s, 40'000);
    EXPECT_EQ(s.rules(), Rules{});
}

TEST(Diagnosis, AnAckForAnotherAddressBringsTheLostAck) {
    Scene s;
    set_up(s);
    s.say(1010, alice, proxy, "ACK sip:bob@203.0.113.5 SIP/2.0",
          {.cseq = "1 ACK", .branch = "ack", .inside = true});
    s.repeat({1500, 2500, 4500}, bob, alice, "SIP/2.0 200 OK", {.more = at_bob, .inside = true});
    const auto found = s.findings();
    ASSERT_GE(found.size(), 2U);
    EXPECT_EQ(found[0].rule, "D02");
    EXPECT_EQ(found[1].rule, "D01");
    EXPECT_EQ(found[1].cause, 0U);
}

TEST(Diagnosis, ARequestThatLeftTlsIsNamed) {
    for (const bool stays : {false, true}) {
        Scene s;
        const Words secure{.more = at_bob, .inside = true, .transport = Transport::Tls};
        s.say(0, alice, bob, invite, {.transport = Transport::Tls});
        s.say(1000, bob, alice, "SIP/2.0 200 OK", secure);
        s.say(1010, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
              {.cseq = "1 ACK",
               .branch = "ack",
               .inside = true,
               .transport = stays ? Transport::Tls : Transport::Udp});
        EXPECT_EQ(s.rules().contains("D03"), !stays);
    }
}

TEST(Diagnosis, AnInviteThatNobodyAnswers) {
    Scene s;
    s.repeat({0, 500, 1500, 3500, 7500, 15'500, 31'500}, alice, bob, invite);
    s.end(40'000);
    EXPECT_EQ(s.rules(), Rules{"D05"});

    Scene answered;
    answered.repeat({0, 500, 1500, 3500}, alice, bob, invite);
    answered.say(3600, bob, alice, "SIP/2.0 486 Busy Here", {.inside = true});
    answered.say(3610, alice, bob, "ACK sip:bob@example.com SIP/2.0",
                 {.cseq = "1 ACK", .inside = true});
    EXPECT_EQ(answered.rules(), Rules{});

    Scene cut; // the capture ends too early to say
    cut.repeat({0, 500}, alice, bob, invite);
    EXPECT_EQ(cut.rules(), Rules{});
}

TEST(Diagnosis, AByeThatNobodyAnswers) {
    Scene s;
    set_up(s);
    acknowledge(s);
    s.repeat({5000, 5500, 6500, 8500, 12'500}, bob, alice, "BYE sip:alice@192.0.2.10 SIP/2.0",
             {.cseq = "1 BYE", .branch = "bye", .inside = true});
    EXPECT_EQ(s.rules(), Rules{"D07"});
}

TEST(Diagnosis, ARefusalThatIsNotAcknowledged) {
    for (const bool acked : {false, true}) {
        Scene s;
        s.say(0, alice, bob, invite);
        s.repeat({100, 600, 1600}, bob, alice, "SIP/2.0 486 Busy Here", {.inside = true});
        if (acked) {
            s.say(1610, alice, bob, "ACK sip:bob@example.com SIP/2.0",
                  {.cseq = "1 ACK", .inside = true});
        }
        EXPECT_EQ(s.rules().contains("D04"), !acked);
    }
}

TEST(Diagnosis, AHundredAndThenSilence) {
    for (const bool rings : {false, true}) {
        Scene s;
        s.say(0, alice, proxy, invite);
        s.say(10, proxy, alice, "SIP/2.0 100 Trying");
        if (rings) {
            s.say(500, proxy, alice, "SIP/2.0 180 Ringing", {.inside = true});
        }
        s.say(30'000, alice, proxy, "CANCEL sip:bob@example.com SIP/2.0", {.cseq = "1 CANCEL"});
        s.say(30'010, proxy, alice, "SIP/2.0 200 OK", {.cseq = "1 CANCEL", .inside = true});
        EXPECT_EQ(s.rules().contains("D06"), !rings);
    }
}

TEST(Diagnosis, TheSessionTimerRunsOut) {
    const auto timer = at_bob + "Session-Expires: 1800;refresher=uac\r\n";
    for (const auto& [bye, expected] :
         {std::pair{1'769'000, true}, std::pair{1'500'000, false}, std::pair{1'801'000, true}}) {
        Scene s;
        set_up(s, timer);
        acknowledge(s);
        hang_up(s, bye);
        EXPECT_EQ(s.rules().contains("D23"), expected) << bye;
    }
}

TEST(Diagnosis, AContactBehindNat) {
    for (const auto& [contact, found] :
         {std::pair{"192.168.1.5", true}, std::pair{"192.0.2.10", false}}) {
        Scene s;
        s.say(0, alice, proxy, "REGISTER sip:example.com SIP/2.0",
              {.cseq = "1 REGISTER",
               .more = fmt::format("Contact: <sip:alice@{}>;expires=600\r\n", contact)});
        s.say(10, proxy, alice, "SIP/2.0 200 OK", {.cseq = "1 REGISTER", .inside = true});
        EXPECT_EQ(s.rules().contains("D12"), found);
    }
}

TEST(Diagnosis, TheProxyLeftItselfOutOfTheDialog) {
    Scene s;
    s.say(0, alice, proxy, invite, {.branch = "one"});
    s.say(5, proxy, bob, invite, {.branch = "two", .vias = 2});
    s.say(1000, bob, proxy, "SIP/2.0 200 OK",
          {.more = at_bob, .branch = "two", .inside = true, .vias = 2});
    s.say(1005, proxy, alice, "SIP/2.0 200 OK", {.more = at_bob, .branch = "one", .inside = true});
    acknowledge(s);
    s.repeat({5000, 5500, 6500, 8500, 12'500}, alice, bob, "BYE sip:bob@198.51.100.7 SIP/2.0",
             {.cseq = "2 BYE", .branch = "bye", .inside = true});
    const auto found = s.findings();
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].rule, "D10");
    EXPECT_EQ(found[1].rule, "D07");
    EXPECT_EQ(found[1].cause, 0U);
}

TEST(Diagnosis, ThePrackThatIsMissing) {
    const Words ringing{.more = at_bob + "Require: 100rel\r\nRSeq: 7\r\n", .inside = true};
    for (const auto& rack : {std::string{}, std::string{"8 1 INVITE"}, std::string{"7 1 INVITE"}}) {
        Scene s;
        s.say(0, alice, bob, invite);
        s.repeat({100, 600, 1600}, bob, alice, "SIP/2.0 183 Session Progress", ringing);
        if (!rack.empty()) {
            s.say(1700, alice, bob, "PRACK sip:bob@198.51.100.7 SIP/2.0",
                  {.cseq = "2 PRACK",
                   .more = "RAck: " + rack + "\r\n",
                   .branch = "prack",
                   .inside = true});
            s.say(1710, bob, alice, "SIP/2.0 200 OK",
                  {.cseq = "2 PRACK", .branch = "prack", .inside = true});
        }
        EXPECT_EQ(s.rules().contains("D19"), rack != "7 1 INVITE") << rack;
    }
}

TEST(Diagnosis, ASecondPhoneThatTookTheCall) {
    for (const bool ended : {false, true}) {
        Scene s;
        set_up(s);
        acknowledge(s);
        s.say(1100, bob, alice, "SIP/2.0 200 OK", {.more = at_bob, .inside = true, .tag = "c"});
        if (ended) {
            s.say(1110, alice, bob, "ACK sip:bob@198.51.100.7 SIP/2.0",
                  {.cseq = "1 ACK", .branch = "ack2", .inside = true, .tag = "c"});
            s.say(1120, alice, bob, "BYE sip:bob@198.51.100.7 SIP/2.0",
                  {.cseq = "2 BYE", .branch = "bye2", .inside = true, .tag = "c"});
            s.say(1130, bob, alice, "SIP/2.0 200 OK",
                  {.cseq = "2 BYE", .branch = "bye2", .inside = true, .tag = "c"});
        }
        s.end(10'000);
        EXPECT_EQ(s.rules().contains("D21"), !ended);
    }
}

TEST(Diagnosis, RingingThatTakesLong) {
    for (const auto& [ms, slow] : {std::pair{12'000, true}, std::pair{4000, false}}) {
        Scene s;
        s.say(0, alice, proxy, invite);
        s.say(10, proxy, alice, "SIP/2.0 100 Trying");
        s.say(ms, proxy, alice, "SIP/2.0 180 Ringing", {.inside = true});
        EXPECT_EQ(s.rules().contains("D32"), slow);
    }
}

TEST(Diagnosis, RegistrationsOneAfterTheOther) {
    for (const auto& [step, storm] : {std::pair{5000, true}, std::pair{300'000, false}}) {
        Scene s;
        for (int i = 0; i < 8; ++i) {
            const auto cseq = fmt::format("{} REGISTER", i + 1);
            const auto branch = fmt::format("r{}", i);
            s.say(i * step, alice, proxy, "REGISTER sip:example.com SIP/2.0",
                  {.cseq = cseq, .more = "Contact: <sip:alice@192.0.2.10>\r\n", .branch = branch});
            s.say(i * step + 10, proxy, alice, "SIP/2.0 200 OK",
                  {.cseq = cseq, .branch = branch, .inside = true});
        }
        EXPECT_EQ(s.rules().contains("D40"), storm);
    }
}

TEST(Diagnosis, TwoProxiesThatAskForCredentialsAreNoLoop) {
    for (const bool same_realm : {true, false}) {
        Scene s;
        for (int i = 0; i < 3; ++i) {
            const auto cseq = fmt::format("{} REGISTER", i + 1);
            const auto branch = fmt::format("r{}", i);
            const auto realm = same_realm ? std::string{"one"} : fmt::format("realm{}", i);
            const auto mine = same_realm ? std::string{"one"} : fmt::format("realm{}", i - 1);
            s.say(i * 100, alice, proxy, "REGISTER sip:example.com SIP/2.0",
                  {.cseq = cseq,
                   .more = i == 0 ? std::string{}
                                  : fmt::format("Authorization: Digest username=\"alice\", "
                                                "realm=\"{}\", uri=\"sip:example.com\", "
                                                "response=\"00\"\r\n",
                                                mine),
                   .branch = branch});
            s.say(i * 100 + 10, proxy, alice, "SIP/2.0 401 Unauthorized",
                  {.cseq = cseq,
                   .more = fmt::format("WWW-Authenticate: Digest realm=\"{}\", nonce=\"n{}\"\r\n",
                                       realm, i),
                   .branch = branch,
                   .inside = true});
        }
        EXPECT_EQ(s.rules().contains("D36"), same_realm);
    }
}

TEST(Diagnosis, AnAckThatTheCaptureCouldNotSeeIsNotLost) {
    Scene s; // what bob sends, and nothing else
    s.say(0, bob, alice, "SIP/2.0 200 OK", {.cseq = "7 OPTIONS", .branch = "o", .inside = true});
    s.say(2000, bob, alice, "SIP/2.0 180 Ringing", {.inside = true});
    s.repeat({3000, 3500, 4500, 6500, 10'500}, bob, alice, "SIP/2.0 200 OK",
             {.more = at_bob, .inside = true});
    s.say(20'000, bob, alice, "BYE sip:alice@192.0.2.10 SIP/2.0",
          {.cseq = "1 BYE", .branch = "bye", .inside = true});
    EXPECT_EQ(s.rules(), Rules{"C1"});
}

TEST(Diagnosis, ARequestThatNeedsAnAnswerProvesThatThereWasOne) {
    Scene s;
    s.say(0, alice, bob, "REGISTER sip:example.com SIP/2.0", {.cseq = "1 REGISTER"});
    s.say(50, alice, bob, "REGISTER sip:example.com SIP/2.0",
          {.cseq = "2 REGISTER",
           .more = "Authorization: Digest username=\"a\", realm=\"r\", nonce=\"n\"\r\n",
           .branch = "2"});
    s.end(60'000);
    EXPECT_TRUE(s.rules().contains("C1"));
    EXPECT_FALSE(s.rules().contains("D07"));
}

TEST(Diagnosis, OnAStreamSilenceNeedsTheOtherDirection) {
    for (const bool accepted : {true, false}) {
        Scene s;
        Connection c;
        c.id = 1;
        c.client = *parse_endpoint(alice, 0);
        c.server = *parse_endpoint(bob, 0);
        c.start_seen = true;
        c.sip_messages = 1;
        c.bytes = 300;
        c.accepted = accepted; // its SYN came the other way
        s.say(0, alice, bob, invite, {.transport = Transport::Tcp, .connection = 1});
        s.carry(c);
        s.end(60'000);
        EXPECT_EQ(s.rules(), accepted ? Rules{"D05"} : Rules{});
    }
}

TEST(Diagnosis, TheContactOfAPhoneBehindAProxyIsTheProxysMatter) {
    for (const bool with_route : {true, false}) {
        Scene s;
        const std::string contact = "Contact: <sip:bob@192.168.1.7>\r\n";
        set_up(s, contact + (with_route ? "Record-Route: <sip:198.51.100.7;lr>\r\n" : ""));
        s.say(1010, alice, bob, "ACK sip:bob@192.168.1.7 SIP/2.0",
              {.cseq = "1 ACK", .branch = "ack", .inside = true});
        hang_up(s, 5000);
        EXPECT_EQ(s.rules().contains("D12"), !with_route);
    }
}

TEST(Diagnosis, AReferOfWhichNobodyTellsTheOutcome) {
    for (const bool told : {true, false}) {
        Scene s;
        set_up(s);
        acknowledge(s);
        s.say(2000, alice, bob, "REFER sip:bob@198.51.100.7 SIP/2.0",
              {.cseq = "2 REFER", .branch = "refer", .inside = true});
        s.say(2010, bob, alice, "SIP/2.0 202 Accepted",
              {.cseq = "2 REFER", .branch = "refer", .inside = true});
        if (told) {
            s.say(2020, bob, alice, "NOTIFY sip:alice@192.0.2.10 SIP/2.0",
                  {.cseq = "1 NOTIFY", .branch = "notify", .inside = true});
            s.say(2030, alice, bob, "SIP/2.0 200 OK",
                  {.cseq = "1 NOTIFY", .branch = "notify", .inside = true});
        }
        s.end(20'000);
        EXPECT_EQ(s.rules().contains("D29"), !told);
    }
}

std::string dtls_sdp(std::string_view address, int port, std::string_view setup,
                     std::string_view fingerprint) {
    return fmt::format("v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\n"
                       "m=audio {1} UDP/TLS/RTP/SAVP 0\r\na=setup:{2}\r\n"
                       "a=fingerprint:sha-256 {3}\r\n",
                       address, port, setup, fingerprint);
}

// What is said of a handshake that alice's offer and bob's answer agree upon.
std::string said_of(DtlsExchange exchange, std::string_view roles = "actpass active") {
    Scene s;
    const auto space = roles.find(' ');
    const std::string type = "Content-Type: application/sdp\r\n";
    s.say(0, alice, bob, invite,
          {.more = type + "Contact: <sip:alice@192.0.2.10>\r\n",
           .body = dtls_sdp("192.0.2.10", 4000, roles.substr(0, space), "AA:AA")});
    s.say(1000, bob, alice, "SIP/2.0 200 OK",
          {.more = type + at_bob,
           .body = dtls_sdp("198.51.100.7", 6000, roles.substr(space + 1), "BB:BB"),
           .inside = true});
    acknowledge(s);
    exchange.client = *parse_endpoint("198.51.100.7:6000", 0);
    exchange.server = *parse_endpoint("192.0.2.10:4000", 0);
    exchange.first = exchange.last = Scene::at(1100);
    s.shake(exchange);
    hang_up(s, 20'000);
    for (const auto& finding : s.findings()) {
        if (finding.rule == "D72") {
            return finding.evidence;
        }
    }
    return {};
}

DtlsExchange hellos(std::uint32_t count) {
    DtlsExchange exchange;
    exchange.hellos = count;
    return exchange;
}

TEST(Diagnosis, ADtlsHandshakeThatGivesKeysIsWell) {
    auto well = hellos(2); // one was lost
    well.answered = well.agreed = well.client_went_on = well.server_went_on = true;
    well.client_certificate = "sha-1 00:00 sha-256 BB:BB";
    well.server_certificate = "sha-1 00:00 sha-256 aa:aa";
    EXPECT_EQ(said_of(well), "");
    EXPECT_EQ(said_of(well, "active active"), "") << "they came to terms";
    auto other = well;
    other.client_certificate = "sha-1 BB:BB sha-256 CC:CC";
    EXPECT_NE(said_of(other).find("sha-256 CC:CC, its session description says BB:BB"),
              std::string::npos)
        << said_of(other);
    other = well;
    other.no_profile = true;
    EXPECT_NE(said_of(other).find("no SRTP profile"), std::string::npos);
}

TEST(Diagnosis, ADtlsHandshakeThatGivesNone) {
    EXPECT_EQ(said_of(hellos(2)), "") << "the second may be answered yet";
    EXPECT_NE(said_of(hellos(5)).find("ClientHello sent 5 times"), std::string::npos);
    EXPECT_NE(said_of(hellos(5), "actpass actpass").find("nobody begins"), std::string::npos);
    auto stuck = hellos(1);
    stuck.answered = true;
    EXPECT_NE(said_of(stuck).find("never completed"), std::string::npos);
    stuck.alert_from_client = true;
    stuck.alert = 42;
    stuck.alert_name = "bad_certificate";
    EXPECT_NE(said_of(stuck).find("bad_certificate (42) from the client"), std::string::npos);
}

// A refusal is encrypted there, so that only what does not follow tells of it.
TEST(Diagnosis, ADtls13HandshakeIsWellWhenItsLastKeysAreUsed) {
    auto modern = hellos(1);
    modern.answered = modern.agreed = modern.client_went_on = modern.server_went_on = true;
    modern.modern = true;
    EXPECT_NE(said_of(modern).find("one side has refused the other"), std::string::npos);
    modern.confirmed = true;
    EXPECT_EQ(said_of(modern), "");
}

TEST(Diagnosis, ACaptureOfOneDirectionBlamesNobody) {
    Scene s;
    s.say(0, alice, bob, invite);
    acknowledge(s);
    s.repeat({5000, 5500, 6500, 8500, 12'500}, alice, bob, "BYE sip:bob@198.51.100.7 SIP/2.0",
             {.cseq = "2 BYE", .branch = "bye", .inside = true});
    s.end(60'000);
    EXPECT_EQ(s.rules(), Rules{"C1"});
}

TEST(Diagnosis, AConnectionThatDoesNotComeAbout) {
    Connection c;
    c.id = 1;
    c.client = *parse_endpoint(alice, 0);
    c.server = *parse_endpoint("203.0.113.5:5061", 0);
    c.start_seen = true;
    c.opened = Scene::at(0);
    const auto rules_of = [](const Connection& connection, std::int64_t end) {
        Rules ids;
        for (const auto& one : judge_connection(connection, {Scene::at(0), Scene::at(end)})) {
            ids.insert(std::string{one.rule});
        }
        return ids;
    };
    EXPECT_EQ(rules_of(c, 1000), Rules{}); // it may still be answered
    EXPECT_EQ(rules_of(c, 4000), Rules{"D45"});
    c.rst = true;
    EXPECT_EQ(rules_of(c, 1000), Rules{"D45"});
    c.to_client = true;
    EXPECT_EQ(rules_of(c, 1000), Rules{"D41"});
    c.accepted = true;
    EXPECT_EQ(rules_of(c, 4000), Rules{});
}

TEST(Diagnosis, WhatATlsConnectionShows) {
    Connection c;
    c.id = 1;
    c.client = *parse_endpoint(alice, 0);
    c.server = *parse_endpoint("203.0.113.5:5061", 0);
    c.transport = Transport::Tls;
    c.start_seen = c.accepted = true;
    c.opened = c.hello = Scene::at(0);
    c.version = "TLSv1.3";
    c.cipher = "TLS_AES_256_GCM_SHA384";
    c.sni = "example.com";
    c.server_chain = {{.subject = "CN=x",
                       .issuer = "CN=ca",
                       .names = {"DNS:example.com"},
                       .not_before = Scene::at(-86'400'000),
                       .not_after = Scene::at(86'400'000 * 40LL),
                       .key = "EC",
                       .key_bits = 256,
                       .signature = "ecdsa-with-SHA256"}};
    c.handshake_done = c.decrypted = true;
    const Window window{Scene::at(0), Scene::at(60'000)};
    const auto rules_of = [&window](const Connection& connection) {
        Rules ids;
        for (const auto& finding : judge_connection(connection, window)) {
            ids.emplace(finding.rule);
        }
        return ids;
    };
    EXPECT_EQ(rules_of(c), Rules{});
    const auto with = [&](auto change) {
        auto changed = c;
        change(changed);
        return rules_of(changed);
    };
    const auto alert = [](std::uint8_t number, bool from_client) {
        return [=](Connection& x) { x.alerts = {{{}, from_client, true, number, "alert"}}; };
    };
    EXPECT_EQ(with(alert(40, false)), Rules{"D47"});
    EXPECT_EQ(with(alert(48, true)), Rules{"D48"});
    EXPECT_EQ(with(alert(45, true)), Rules{"D49"});
    EXPECT_EQ(with(alert(116, false)), Rules{"D51"});
    EXPECT_EQ(with(alert(112, false)), Rules{"D52"});
    EXPECT_EQ(with(alert(0, false)), Rules{}); // close_notify
    EXPECT_EQ(with([](Connection& x) { x.server_chain[0].not_after = Scene::at(-1000); }),
              Rules{"D49"});
    EXPECT_EQ(with([](Connection& x) { x.server_chain[0].names = {"DNS:other.example.com"}; }),
              Rules{"D50"});
    EXPECT_EQ(with([](Connection& x) { x.server_chain[0].names = {"URI:sip:example.com"}; }),
              Rules{});
    EXPECT_EQ(with([](Connection& x) {
                  x.cipher.clear();
                  x.handshake_done = x.decrypted = false;
                  x.fin = true;
                  x.closed = Scene::at(10'000);
                  x.server_chain.clear();
              }),
              Rules{"D53"});
    EXPECT_EQ(with([](Connection& x) { x.fin = true, x.sip_messages = 1; }), Rules{"D55"});
    EXPECT_EQ(with([](Connection& x) { x.fin = true; }), Rules{}); // hardly one of SIP
    EXPECT_EQ(with([](Connection& x) {
                  x.fin = x.close_notify_server = true;
                  x.sip_messages = 1;
              }),
              Rules{});
    // A keep-alive: no answer for ten seconds, or the capture ends before.
    EXPECT_EQ(with([](Connection& x) { x.unanswered_ping = Scene::at(49'000); }), Rules{"D59"});
    EXPECT_EQ(with([](Connection& x) { x.unanswered_ping = Scene::at(55'000); }), Rules{});
    EXPECT_EQ(with([](Connection& x) { x.version = "TLSv1.0"; }), Rules{"D62"});
}

TEST(Diagnosis, WhatAnInputLacks) {
    const auto rules_of = [](const std::map<std::string, std::uint64_t>& ignored,
                             const std::vector<std::string>& problems) {
        Rules ids;
        for (const auto& finding :
             judge_input({.name = "x.pcap", .ignored = ignored, .problems = problems})) {
            ids.emplace(finding.rule);
        }
        return ids;
    };
    EXPECT_EQ(rules_of({{"arp", 3}, {"icmp", 7}}, {}), Rules{});
    EXPECT_EQ(rules_of({{"incomplete fragments", 2}}, {}), Rules{"C3"});
    EXPECT_EQ(rules_of({{"link type 147", 2}}, {}), Rules{"C9"});
    EXPECT_EQ(rules_of({}, {"cut in the middle of packet 7"}), Rules{"C5"});
}

TEST(Rules, EachIsWholeAndNamesOthersThatExist) {
    std::set<std::string_view> ids;
    for (const auto& family : all_families()) {
        for (const auto& rule : family.rules) {
            EXPECT_TRUE(ids.insert(rule.id).second) << rule.id;
            EXPECT_EQ(find_rule(rule.id), &rule);
            for (const auto text : {rule.title, rule.means, rule.fix, rule.needs, rule.picture}) {
                EXPECT_FALSE(text.empty()) << rule.id;
            }
            EXPECT_NE(rule.picture.find("[!]"), std::string_view::npos) << rule.id;
        }
    }
    EXPECT_GE(ids.size(), 60U);
    for (const auto& family : all_families()) {
        for (const auto& rule : family.rules) {
            for (auto left = rule.brings; !left.empty();) {
                const auto end = std::min(left.find(' '), left.size());
                EXPECT_TRUE(ids.contains(left.substr(0, end))) << rule.id;
                left.remove_prefix(std::min(end + 1, left.size()));
            }
        }
    }
    EXPECT_EQ(find_rule("d01"), find_rule("D01"));
    EXPECT_EQ(find_rule("D999"), nullptr);
}

TEST(Facts, CredentialsAreKeptWithoutWhatProvesThem) {
    Book book;
    sip::HeaderIndex index;
    const std::string text =
        "REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"
        "From: <sip:a@example.com>;tag=1\r\nTo: <sip:a@example.com>\r\n"
        "Call-ID: x\r\nCSeq: 1 REGISTER\r\n"
        "Authorization: Digest username=\"a\", realm=\"r\", nonce=\"n\", "
        "cnonce=\"secretcnonce\", response=\"secretresponse\"\r\n\r\n";
    const auto message = sip::index(text, index);
    ASSERT_TRUE(message);
    book.on_message({.at = {.time = Scene::at(0),
                            .frame = 1,
                            .input = 0,
                            .ip_id = 0,
                            .source = *parse_endpoint(alice, 0),
                            .destination = *parse_endpoint(bob, 0)},
                     .transport = Transport::Udp,
                     .connection = 0,
                     .truncated = false,
                     .message = *message});
    book.finish(Scene::at(0));
    book.for_each_call([](const Call& call) {
        EXPECT_NE(call.pool.bytes().find("username=\"a\""), std::string_view::npos);
        EXPECT_EQ(call.pool.bytes().find("secret"), std::string_view::npos);
        return true;
    });
}

} // namespace
} // namespace cw::flow::diagnose
