#include "script/facts.hpp"

#include <gtest/gtest.h>

#include "script/print.hpp"
#include "script/test_flow.hpp"

namespace cw::script {
namespace {

// The only fact of the statement in `text`; fails the test when there is not exactly one.
Fact only_fact(const std::string& text) {
    const auto parsed = parse(text);
    EXPECT_TRUE(parsed.ok()) << text << test::report(text, parsed);
    Facts all = parsed.plan.settings;
    const auto take = [&](const Facts& facts) {
        all.insert(all.end(), facts.begin(), facts.end());
    };
    for (const auto& party : parsed.plan.parties) {
        if (party.id == "p") {
            take(party.facts);
        }
    }
    for (const auto& step : parsed.plan.steps) {
        if (const auto* arrow = std::get_if<Arrow>(&step.what)) {
            take(arrow->facts);
        } else if (const auto* block = std::get_if<Block>(&step.what)) {
            take(block->facts);
        }
    }
    EXPECT_EQ(all.size(), 1U) << text;
    return all.empty() ? Fact{} : all[0];
}

template <class T>
T value_of(const std::string& text) {
    const auto fact = only_fact(text);
    const auto* value = std::get_if<T>(&fact.value);
    EXPECT_NE(value, nullptr) << text;
    return value == nullptr ? T{} : *value;
}

std::string request(std::string_view fact) {
    return test::flow("bob->>alice: MESSAGE \"x\" (" + std::string(fact) + ")");
}
std::string response(std::string_view fact) {
    return test::flow("loop\nbob->>alice: OPTIONS\nalice-->>bob: 200 OK (" + std::string(fact) +
                      ")\nend");
}
std::string channel(std::string_view fact) {
    return test::flow("bob<<->>alice: TLS (" + std::string(fact) + ")");
}
std::string media(std::string_view fact) {
    return test::flow("bob<<-->>alice: SRTP both ways (" + std::string(fact) + ")");
}
std::string party(std::string_view fact) {
    return test::flow("participant p as P (" + std::string(fact) + ")");
}
std::string beneath_party(std::string_view fact) {
    return test::flow("participant p\n%% " + std::string(fact));
}
std::string setting(std::string_view fact) {
    return "sequenceDiagram\n    %% " + std::string(fact) + "\n    actor alice\n";
}

TEST(MessageFacts, AreTyped) {
    EXPECT_EQ(value_of<Description>(request("SRTP offer")), (Description{Protection::Srtp, false}));
    EXPECT_EQ(value_of<Description>(request("RTP answer")), (Description{Protection::Rtp, true}));
    EXPECT_EQ(value_of<Description>(request("DTLS-SRTP offer")).protection, Protection::DtlsSrtp);
    EXPECT_EQ(value_of<Description>(request("SDP answer")), (Description{Protection::Sdp, true}));
    EXPECT_EQ(value_of<Description>(request("OSRTP offer")).protection, Protection::Osrtp);
    EXPECT_EQ(value_of<Word>(request("new key")), Word::NewKey);
    EXPECT_EQ(value_of<Word>(request("no call")), Word::NoCall);
    EXPECT_EQ(value_of<Word>(request("no SDP")), Word::NoSdp);
    EXPECT_EQ(value_of<Word>(request("hold")), Word::Hold);
    EXPECT_EQ(value_of<Word>(request("resume")), Word::Resume);
    EXPECT_EQ(value_of<Word>(request("digest")), Word::Digest);
    EXPECT_EQ(value_of<Word>(request("wrong password")), Word::WrongPassword);
    EXPECT_EQ(value_of<Word>(request("AKA")), Word::Aka);
    EXPECT_EQ(value_of<Algorithm>(response("SHA-512-256")).hash, Hash::Sha512Half);
    EXPECT_EQ(value_of<Signed>(request("signed")).by, std::nullopt);
    EXPECT_EQ(value_of<Signed>(request("signed by alice")).by, PartyId{0});
    EXPECT_EQ(value_of<Encrypted>(request("encrypted for bob")).recipient, PartyId{2});
    EXPECT_EQ(value_of<Answers>(response("OPTIONS")).method, sip::Method::Options);
    EXPECT_EQ(value_of<Within>(response("within 1.5s")).time, milliseconds(1500));
    EXPECT_EQ(value_of<After>(request("after 2m")).time, seconds(120));
    EXPECT_EQ(value_of<Body>(request("body: pidf.xml")).file, "pidf.xml");
    EXPECT_EQ(value_of<Suite>(request("AEAD_AES_256_GCM")).name, "AEAD_AES_256_GCM");
}

TEST(MessageFacts, ReportAStatusInANotify) {
    const auto text = test::flow("bob->>alice: NOTIFY (180 Ringing)");
    EXPECT_EQ(value_of<Sipfrag>(text), (Sipfrag{180, "Ringing"}));
}

TEST(MessageFacts, HoldHeaderFieldsOfAnyKnownName) {
    const auto header = value_of<Header>(request("Require: 100rel"));
    EXPECT_EQ(header.id, sip::HeaderId::Require);
    EXPECT_EQ(header.value.pieces, (std::vector<Piece>{std::string("100rel")}));
    EXPECT_EQ(value_of<Header>(request("k: timer")).id, sip::HeaderId::Supported);
    EXPECT_EQ(value_of<Header>(request("X-Trace: on")).name, "X-Trace");
    EXPECT_TRUE(value_of<Header>(request("no Via")).absent);
}

TEST(MessageFacts, DivideAHeadersValueAtGapsAndVariables) {
    const auto header = value_of<Header>(test::flow(
        "bob->>alice: OPTIONS\n%% History-Info: <{alice.uri}>;*cause=486*, no ck, no ik"));
    ASSERT_EQ(header.value.pieces.size(), 6U);
    EXPECT_EQ(std::get<std::string>(header.value.pieces[0]), "<");
    EXPECT_EQ(std::get<Variable>(header.value.pieces[1]).party_field, PartyField::Uri);
    EXPECT_EQ(header.value.pieces[3], Piece{Any{}});
    EXPECT_EQ(std::get<std::string>(header.value.pieces[4]), "cause=486");
    EXPECT_EQ(header.without, (std::vector<std::string>{"ck", "ik"}));
}

TEST(MessageFacts, KeepCommasInQuotesAndBrackets) {
    const auto text =
        test::flow("bob->>alice: OPTIONS (Subject: \"a, b\", Contact: <sip:a,b@c>, hold)");
    const auto parsed = parse(text);
    ASSERT_TRUE(parsed.ok()) << test::report(text, parsed);
    EXPECT_EQ(test::arrow(parsed.plan, 0).facts.size(), 3U);
}

TEST(MessageFacts, HoldLinesOfTheSdp) {
    const auto line =
        value_of<SdpLine>(test::flow("bob->>alice: INVITE\n%% m=audio * RTP/AVP 0 8"));
    EXPECT_EQ(line.letter, 'm');
    EXPECT_EQ(line.value.pieces.size(), 3U);
    const auto absent = value_of<SdpLine>(test::flow("bob->>alice: INVITE\n%% no a=crypto"));
    EXPECT_TRUE(absent.absent);
}

TEST(MessageFacts, MayRepeatHeaderFieldsOnly) {
    EXPECT_TRUE(
        parse(test::flow("bob->>alice: INVITE\n%% Route: <sip:a>\n%% Route: <sip:b>")).ok());
    EXPECT_FALSE(parse(test::flow("bob->>alice: INVITE\n%% digest\n%% digest")).ok());
}

TEST(MessageFacts, SayTheCallAndWhichOneItReplacesInOneOrInTwo) {
    const std::string calls = "bob->>alice: INVITE\nalice-->>bob: 200 OK\n"
                              "bob->>pbx: INVITE (call 2)\npbx-->>bob: 200 OK\n";
    for (const auto* facts :
         {"call 1 replaces call 2", "call 1, replaces call 2", "replaces call 2, hold, call 1"}) {
        const auto text = test::flow(calls + "bob->>alice: REFER to pbx (" + facts + ")");
        const auto parsed = parse(text);
        ASSERT_TRUE(parsed.ok()) << test::report(text, parsed);
        const auto* said = find<InCall>(test::arrow(parsed.plan, 4).facts);
        ASSERT_NE(said, nullptr);
        EXPECT_EQ(*said, (InCall{1, 2}));
    }
    EXPECT_FALSE(parse(test::flow(calls + "bob->>alice: INFO (call 1, call 2)")).ok());
}

TEST(ChannelFacts, AreTyped) {
    EXPECT_EQ(value_of<ServerName>(channel("proxy.example.com")).name, "proxy.example.com");
    EXPECT_EQ(value_of<Word>(channel("mutual")), Word::Mutual);
    EXPECT_EQ(value_of<Word>(channel("resumed")), Word::Resumed);
    EXPECT_EQ(value_of<Key>(channel("Ed25519")).kind, KeyKind::Ed25519);
    EXPECT_EQ(value_of<BadCertificate>(channel("untrusted certificate")).fault, Fault::Untrusted);
    EXPECT_EQ(value_of<BadCertificate>(channel("wrong name of alice")).of, PartyId{0});
    EXPECT_EQ(value_of<BadCertificate>(channel("no certificate")).fault, Fault::None);
    EXPECT_EQ(value_of<Alert>(channel("alert unknown_ca")).code, 48);
    EXPECT_EQ(value_of<Cipher>(channel("cipher TLS_AES_128_GCM_SHA256")).name,
              "TLS_AES_128_GCM_SHA256");
}

TEST(MediaFacts, AreTyped) {
    EXPECT_EQ(value_of<Lasts>(media("3s")).time, seconds(3));
    EXPECT_EQ(value_of<Codec>(media("PCMA")).name, "PCMA");
    EXPECT_EQ(value_of<LossBelow>(media("loss < 0.5%")).share, Percent{5000});
    EXPECT_EQ(value_of<JitterBelow>(media("jitter < 20ms")).time, milliseconds(20));
    EXPECT_EQ(value_of<MosAbove>(media("MOS > 4.05")).hundredths, 405);
}

TEST(PartyFacts, AreTyped) {
    EXPECT_EQ(value_of<Word>(party("under test")), Word::UnderTest);
    EXPECT_EQ(value_of<Word>(party("played")), Word::Played);
    EXPECT_EQ(value_of<InRole>(party("B2BUA")).role, Role::B2bua);
    EXPECT_TRUE(parse(party("proxy, registrar")).ok());
    EXPECT_EQ(value_of<IpVersion>(party("IPv6")).version, 6);
    EXPECT_EQ(value_of<Over>(party("WSS")).transport, sip::Transport::Wss);
    EXPECT_EQ(value_of<PartyUri>(party("sip:p@example.net")).uri.pieces.size(), 1U);
    EXPECT_EQ(value_of<PartyUri>(beneath_party("uri: sip:p{n}@example.net")).uri.pieces.size(), 3U);
    EXPECT_EQ(value_of<At>(beneath_party("at: tls:[2001:db8::1]:5061")),
              (At{sip::Transport::Tls, "2001:db8::1", 5061}));
    EXPECT_EQ(value_of<User>(beneath_party("user: {env.NAME}")).name.pieces.size(), 1U);
    EXPECT_EQ(value_of<Password>(beneath_party("password: {env.SECRET}")).secret.name, "SECRET");
    EXPECT_EQ(value_of<CertificateFile>(beneath_party("certificate: p.pem")).file, "p.pem");
    EXPECT_EQ(value_of<BadCertificate>(beneath_party("certificate: wrong name")).fault,
              Fault::WrongName);
    EXPECT_EQ(value_of<Key>(beneath_party("certificate: RSA")).kind, KeyKind::Rsa);
    EXPECT_EQ(value_of<Trusts>(beneath_party("trusts: nobody")).whom, Trusts::Whom::Nobody);
    EXPECT_EQ(value_of<Trusts>(beneath_party("trusts: ca.pem")).file, "ca.pem");
    EXPECT_EQ(value_of<Codecs>(beneath_party("codecs: PCMA, PCMU")).names,
              (std::vector<std::string>{"PCMA", "PCMU"}));
    EXPECT_EQ(value_of<ViaParty>(beneath_party("via: pbx")).party, 1);
}

TEST(BlockFacts, AreTyped) {
    EXPECT_EQ(value_of<Weight>(test::flow("opt x (30%)\nend")).share, Percent{300'000});
    EXPECT_EQ(value_of<Times>(test::flow("loop (3 times)\nend")).count, 3U);
    EXPECT_EQ(value_of<Every>(test::flow("loop\n%% every 30s\nend")).time, seconds(30));
    EXPECT_EQ(value_of<Gap>(test::flow("loop (500ms)\nend")).time, milliseconds(500));
    EXPECT_EQ(value_of<Within>(test::flow("critical (within 800ms)\nend")).time, milliseconds(800));
    EXPECT_EQ(value_of<Word>(test::flow("break (fail)\nend")), Word::Fail);
}

TEST(FlowFacts, AreTyped) {
    const auto load = value_of<Load>(setting("load: 50 calls/m for 10m, 900 calls, ramp 1m"));
    EXPECT_EQ(load, (Load{50, seconds(60), seconds(600), 900, seconds(60)}));
    const auto pass = value_of<Pass>(setting("pass: failures < 0.1%, 95% of answers < 800ms"));
    ASSERT_EQ(pass.criteria.size(), 2U);
    EXPECT_EQ(pass.criteria[1],
              (Criterion{Criterion::Of::Answers, Percent{950'000}, milliseconds(800)}));
    const auto safe =
        value_of<Pass>(setting("pass: every hop TLS 1.2 or better, failures < 1%, media SRTP"));
    EXPECT_EQ(safe.criteria.size(), 1U);
    EXPECT_EQ(safe.demands, (std::vector{Demand::HopTls12, Demand::MediaSrtp}));
    EXPECT_EQ(value_of<Pass>(setting("pass: every hop TLS")).demands, std::vector{Demand::HopTls});
    EXPECT_EQ(value_of<Before>(setting("before: register.mmd")).file, "register.mmd");
    EXPECT_EQ(value_of<Timeout>(setting("timeout: 5s")).time, seconds(5));
    EXPECT_EQ(value_of<Set>(setting("set: who = Alice and Bob")), (Set{"who", "Alice and Bob"}));
    EXPECT_EQ(value_of<CorrelateBy>(setting("set: correlate by To")).header, sip::HeaderId::To);
    EXPECT_EQ(value_of<RowsFrom>(setting("set: rows from users.csv")).file, "users.csv");
}

TEST(Facts, AreReadAsTheyArePrinted) {
    const std::string texts[] = {
        request("DTLS-SRTP offer"),
        request("encrypted for bob"),
        request("encrypted, encrypted for bob, encrypted for alice, signed"),
        response("within 1500ms"),
        request("X-Trace: {env.A}, no b"),
        request("no X-Trace"),
        channel("alert unknown_ca"),
        channel("expired certificate of bob"),
        media("MOS > 4.05"),
        media("loss < 0.125%"),
        party("gateway"),
        beneath_party("at: udp:[::1]:5060"),
        beneath_party("certificate: none"),
        beneath_party("trusts: anyone"),
        setting("load: 1 calls/h"),
        setting("pass: 99.5% of ringing < 2s"),
        setting("set: correlate by X"),
        test::flow("loop (1h, 90m, 0.5ms)\nend"),
    };
    for (const auto& text : texts) {
        const auto parsed = parse(text);
        if (parsed.ok()) {
            const auto printed = to_mermaid(parsed.plan);
            EXPECT_EQ(parse(printed).plan, parsed.plan) << printed;
        } else {
            EXPECT_NE(text.find("correlate by X"), std::string::npos) << test::report(text, parsed);
        }
    }
}

TEST(Facts, ArePlacedWhereTheyStand) {
    const auto parsed =
        parse(test::flow("alice->>pbx: INVITE bob (SRTP offer, digest)\n%% Require: 100rel"));
    const auto& facts = test::arrow(parsed.plan, 0).facts;
    ASSERT_EQ(facts.size(), 3U);
    EXPECT_EQ(facts[1].place.line, 6U);
    EXPECT_EQ(facts[1].place.column, 42U);
    EXPECT_EQ(facts[1].place.length, 6U);
    EXPECT_EQ(facts[2].place.line, 7U);
    EXPECT_EQ(facts[2].place.column, 8U);
    EXPECT_FALSE(facts[0].beneath);
    EXPECT_TRUE(facts[2].beneath);
}

} // namespace
} // namespace cw::script
