#include "server/proxy.hpp"

#include <gtest/gtest.h>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

using sip::HeaderId;

// Nobody is asked for a digest here: what is tested is the way of the messages.
Settings open_settings() {
    auto s = plain_settings();
    s.domains[0].authenticate = false;
    return s;
}

struct ProxyTest : testing::Test {
    explicit ProxyTest(Settings settings = open_settings()) : network(std::move(settings)) {}

    void enrol(Phone& phone, std::string_view params = {}, std::string_view uri = {}) {
        auto text = phone.make({.method = "REGISTER",
                                .uri = "sip:example.com",
                                .to = fmt::format("<sip:{}@example.com>", phone.name),
                                .call_id = "r" + to_string(phone.wire.remote.address)});
        const auto line = fmt::format("Contact: <{}>", phone.contact());
        text.replace(text.find(line), line.size(),
                     fmt::format("Contact: <{}>{}",
                                 uri.empty() ? phone.contact() : std::string{uri}, params));
        phone.send(text);
        network.run();
        EXPECT_EQ(phone.take()->status(), 200);
    }
    void ends_idle() {
        network.run(seconds(100));
        EXPECT_TRUE(network.server.idle());
        EXPECT_EQ(network.server.counters().transactions_now, 0U);
    }

    Network network;
    Phone& alice = network.add_phone("alice");
    Phone& bob1 = network.add_phone("bob");
    Phone& bob2 = network.add_phone("bob");
};

TEST_F(ProxyTest, ForksToAllAndCancelsThoseWhoDidNotAnswer) {
    enrol(bob1);
    enrol(bob2);
    alice.send(alice.make({}));
    network.run();
    const auto at1 = bob1.take_request("INVITE");
    const auto at2 = bob2.take_request("INVITE");
    ASSERT_TRUE(at1 && at2);
    EXPECT_NE(at1->list(HeaderId::Via)[0], at2->list(HeaderId::Via)[0]);
    bob1.send(bob1.reply(*at1, 180, {}, "one"));
    bob2.send(bob2.reply(*at2, 200, {}, "two"));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    const auto cancel = bob1.take_request("CANCEL");
    ASSERT_TRUE(cancel);
    bob1.send(bob1.reply(*cancel, 200));
    bob1.send(bob1.reply(*at1, 487, {}, "one"));
    network.run();
    EXPECT_TRUE(bob1.take_request("ACK"));
    EXPECT_TRUE(alice.inbox.empty());
    ends_idle();
}

// [RFC 3261 §16.6 step 1] "The proxy MUST NOT add to, modify, or remove the message body."
TEST_F(ProxyTest, PassesSignedAndEncryptedBodiesOnOctetForOctet) {
    enrol(bob1);
    std::string der; // every octet there is, CR and LF as they may stand in a signature
    for (int i = 0; i < 1024; ++i) {
        der += static_cast<char>(i * 7);
        der += i % 9 == 0 ? "\r\n\r\n" : i % 5 == 0 ? "\n" : "";
    }
    for (const std::string type :
         {"multipart/signed;boundary=b;micalg=sha-256;protocol=\"application/pkcs7-signature\"",
          "application/pkcs7-mime;smime-type=enveloped-data;name=smime.p7m"}) {
        const auto body =
            "--b\r\nContent-Type: text/plain\r\n\r\nHello!\r\n--b\r\n\r\n" + der + "\r\n--b--";
        const auto headers = "Content-Type: " + type +
                             "\r\nContent-Disposition: attachment;handling=required\r\n"
                             "Content-Transfer-Encoding: binary\r\nMIME-Version: 1.0\r\n";
        const auto with_body = [&](std::string text) {
            const auto length = text.find("Content-Length: 0\r\n");
            EXPECT_NE(length, std::string::npos);
            text.replace(length, std::string_view{"Content-Length: 0\r\n"}.size(),
                         headers + fmt::format("Content-Length: {}\r\n", body.size()));
            return text + body;
        };
        alice.send(with_body(alice.make({.method = "MESSAGE", .call_id = type.substr(0, 5)})));
        network.run();
        const auto message = bob1.take_request("MESSAGE");
        ASSERT_TRUE(message);
        EXPECT_TRUE(message->view.body() == body);
        EXPECT_EQ(message->value(HeaderId::ContentType), type);
        EXPECT_NE(message->text.find(headers), std::string::npos);
        bob1.send(with_body(bob1.reply(*message, 200)));
        network.run();
        const auto answer = alice.take_response(200);
        ASSERT_TRUE(answer);
        EXPECT_TRUE(answer->view.body() == body);
        EXPECT_NE(answer->text.find(headers), std::string::npos);
    }
    ends_idle();
}

TEST_F(ProxyTest, WaitsForAProvisionalResponseBeforeItCancels) {
    enrol(bob1);
    enrol(bob2);
    alice.send(alice.make({}));
    network.run();
    const auto at1 = bob1.take_request("INVITE");
    bob2.send(bob2.reply(*bob2.take_request("INVITE"), 200));
    network.run();
    EXPECT_FALSE(bob1.take_request("CANCEL"));
    bob1.send(bob1.reply(*at1, 100));
    network.run();
    EXPECT_TRUE(bob1.take_request("CANCEL"));
    bob1.send(bob1.reply(*at1, 487));
    ends_idle();
}

// Over a reliable transport 100 Trying is for those who would else wonder.
struct LateTrying : ProxyTest {
    static Settings settings() {
        auto s = open_settings();
        s.trying = milliseconds(200);
        return s;
    }
    LateTrying() : ProxyTest(settings()) { enrol(bob1); }

    MessagePtr call(Phone& caller, Phone& callee) {
        caller.send(caller.make({.branch = "z9hG4bKcall"}));
        network.run(milliseconds(50));
        return callee.take_request("INVITE");
    }
};

TEST_F(LateTrying, IsNotSaidToWhoHearsMoreInTime) {
    const auto at_bob = call(alice, bob1);
    ASSERT_TRUE(at_bob);
    EXPECT_TRUE(alice.inbox.empty());
    bob1.send(bob1.reply(*at_bob, 180));
    network.run(seconds(1));
    EXPECT_TRUE(alice.take_response(180));
    EXPECT_TRUE(alice.inbox.empty());
    bob1.send(bob1.reply(*at_bob, 200));
    network.run(seconds(1));
    EXPECT_TRUE(alice.take_response(200));
    EXPECT_TRUE(alice.inbox.empty());
    ends_idle();
}

TEST_F(LateTrying, IsSaidAfter200MillisecondsAndOnce) {
    const auto at_bob = call(alice, bob1);
    ASSERT_TRUE(at_bob);
    bob1.send(bob1.reply(*at_bob, 100)); // goes no further
    network.run(milliseconds(145));
    EXPECT_TRUE(alice.inbox.empty());
    network.run(milliseconds(10));
    const auto trying = alice.take_response(100);
    ASSERT_TRUE(trying);
    EXPECT_EQ(trying->list(HeaderId::Via).size(), 1U);
    network.run(seconds(10));
    EXPECT_TRUE(alice.inbox.empty());
    bob1.send(bob1.reply(*at_bob, 486));
    network.run();
    EXPECT_TRUE(alice.take_response(486));
    EXPECT_TRUE(alice.inbox.empty());
    ends_idle();
}

TEST_F(LateTrying, IsSaidAtOnceOverUdp) {
    auto& carol = network.add_phone("carol", sip::Transport::Udp);
    ASSERT_TRUE(call(carol, bob1));
    EXPECT_TRUE(carol.take_response(100));
    network.run(seconds(1));
    EXPECT_TRUE(carol.inbox.empty());
}

TEST_F(LateTrying, IsNotSaidAfterAFinalResponseOfOurs) {
    alice.send(alice.make({.uri = "sip:carol@example.com"}));
    network.run(seconds(1));
    EXPECT_TRUE(alice.take_response(480));
    EXPECT_TRUE(alice.inbox.empty());
    network.close(bob1);
    alice.send(alice.make({.call_id = "gone", .branch = "z9hG4bKgone"}));
    network.run(seconds(1));
    EXPECT_EQ(alice.inbox.size(), 1U);
    EXPECT_FALSE(alice.take_response(100));
}

// Who asks DNS may take long: the caller hears of it.
TEST_F(LateTrying, IsSaidWhileTheNextHopIsLookedFor) {
    network.dns_takes = seconds(3);
    alice.send(alice.make({.uri = "sip:bob@example.com;maddr=192.0.2.12"}));
    network.run(milliseconds(150));
    EXPECT_TRUE(alice.inbox.empty());
    network.run(milliseconds(100));
    EXPECT_TRUE(alice.take_response(100));
    network.run(seconds(4));
    EXPECT_TRUE(alice.take_response(502));
    EXPECT_TRUE(alice.inbox.empty());
    ends_idle();
}

// [RFC 3261 §9.1] A caller that waits for a provisional response before it cancels gets one.
TEST_F(LateTrying, LetsACallerCancel) {
    const auto at_bob = call(alice, bob1);
    ASSERT_TRUE(at_bob);
    network.run(milliseconds(200));
    EXPECT_TRUE(alice.take_response(100));
    alice.send(alice.make({.method = "CANCEL", .branch = "z9hG4bKcall"}));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    bob1.send(bob1.reply(*at_bob, 180));
    network.run();
    EXPECT_TRUE(bob1.take_request("CANCEL"));
    bob1.send(bob1.reply(*at_bob, 487));
    network.run();
    EXPECT_TRUE(alice.take_response(180));
    EXPECT_TRUE(alice.take_response(487));
    EXPECT_TRUE(alice.inbox.empty());
    ends_idle();
}

TEST_F(LateTrying, IsNotSaidToACallerThatIsGone) {
    ASSERT_TRUE(call(alice, bob1));
    network.close(alice);
    network.run(seconds(1));
    EXPECT_TRUE(alice.inbox.empty());
}

// [RFC 6026 §7.2]: a second answer of a fork is for the caller to end.
TEST_F(ProxyTest, PassesALateSecondAnswer) {
    enrol(bob1);
    enrol(bob2);
    alice.send(alice.make({}));
    network.run();
    const auto at1 = bob1.take_request("INVITE");
    const auto at2 = bob2.take_request("INVITE");
    bob1.send(bob1.reply(*at1, 200, {}, "one"));
    network.run();
    bob2.send(bob2.reply(*at2, 200, {}, "two"));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    const auto second = alice.take_response(200);
    ASSERT_TRUE(second);
    EXPECT_NE(second->value(HeaderId::To).find("two"), std::string::npos);
    bob2.send(bob2.reply(*at2, 200, {}, "two")); // again, for want of an ACK
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    ends_idle();
    bob2.send(bob2.reply(*at2, 200, {}, "two")); // after everything: stray
    network.run();
    EXPECT_TRUE(alice.inbox.empty());
}

TEST_F(ProxyTest, TriesTheNextQWhenTheFirstIsBusy) {
    enrol(bob1, ";q=1.0");
    enrol(bob2, ";q=0.5");
    alice.send(alice.make({}));
    network.run();
    EXPECT_TRUE(bob2.inbox.empty());
    bob1.send(bob1.reply(*bob1.take_request("INVITE"), 486));
    network.run();
    EXPECT_TRUE(bob1.take_request("ACK"));
    EXPECT_FALSE(alice.take_response(486));
    bob2.send(bob2.reply(*bob2.take_request("INVITE"), 200));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    ends_idle();
}

TEST_F(ProxyTest, TriesTheNextQWhenTheFirstRingsTooLong) {
    enrol(bob1, ";q=1.0");
    enrol(bob2, ";q=0.5");
    alice.send(alice.make({}));
    network.run();
    const auto at1 = bob1.take_request("INVITE");
    bob1.send(bob1.reply(*at1, 180));
    network.run(seconds(21));
    EXPECT_TRUE(bob1.take_request("CANCEL"));
    EXPECT_TRUE(bob2.take_request("INVITE"));
    bob1.send(bob1.reply(*at1, 487));
    ends_idle();
}

TEST_F(ProxyTest, SendsTheBestOfTheAnswers) {
    enrol(bob1);
    enrol(bob2);
    for (const auto& [first, second, best] :
         {std::tuple{486, 404, 486}, std::tuple{302, 404, 302}, std::tuple{500, 404, 404},
          std::tuple{487, 486, 486}, std::tuple{480, 401, 401}, std::tuple{503, 503, 500},
          std::tuple{404, 603, 603}}) {
        alice.send(alice.make({.call_id = fmt::format("c{}-{}", first, second)}));
        network.run();
        bob1.send(bob1.reply(*bob1.take_request("INVITE"), first));
        network.run();
        bob2.send(bob2.reply(*bob2.take_request("INVITE"), second));
        network.run();
        EXPECT_TRUE(alice.take_response(best)) << first << ' ' << second;
        ends_idle();
        bob1.inbox.clear();
        bob2.inbox.clear();
    }
}

// [RFC 3261 §16.7 item 7]
TEST_F(ProxyTest, GathersTheChallengesOfAllBranches) {
    enrol(bob1);
    enrol(bob2);
    alice.send(alice.make({}));
    network.run();
    bob1.send(bob1.reply(*bob1.take_request("INVITE"), 401,
                         "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"\r\n"));
    bob2.send(bob2.reply(*bob2.take_request("INVITE"), 407,
                         "Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"\r\n"));
    network.run();
    const auto got = alice.take_response(401);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->values(HeaderId::WwwAuthenticate).size(), 1U);
    EXPECT_EQ(got->values(HeaderId::ProxyAuthenticate).size(), 1U);
    ends_idle();
}

TEST_F(ProxyTest, A6xxEndsTheOtherBranches) {
    enrol(bob1);
    enrol(bob2);
    alice.send(alice.make({}));
    network.run();
    const auto at1 = bob1.take_request("INVITE");
    bob1.send(bob1.reply(*at1, 180));
    bob2.send(bob2.reply(*bob2.take_request("INVITE"), 603));
    network.run();
    EXPECT_TRUE(bob1.take_request("CANCEL"));
    EXPECT_FALSE(alice.take_response(603)); // not before the others are over
    bob1.send(bob1.reply(*at1, 487));
    network.run();
    EXPECT_TRUE(alice.take_response(603));
    ends_idle();
}

// [RFC 3261 §16.8]
TEST_F(ProxyTest, TimerCEndsACallThatRingsForEver) {
    enrol(bob1);
    alice.send(alice.make({}));
    network.run();
    const auto invite = bob1.take_request("INVITE");
    bob1.send(bob1.reply(*invite, 180));
    network.run(seconds(179));
    EXPECT_FALSE(bob1.take_request("CANCEL"));
    network.run(seconds(3));
    EXPECT_TRUE(bob1.take_request("CANCEL"));
    network.run(seconds(33)); // and bob is silent
    EXPECT_TRUE(alice.take_response(408));
    ends_idle();
}

TEST_F(ProxyTest, AnswersACancelWhileNobodyHasRungYet) {
    enrol(bob1);
    alice.send(alice.make({.branch = "z9hG4bKx"}));
    network.run();
    alice.send(alice.make({.method = "CANCEL", .branch = "z9hG4bKx"}));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    EXPECT_FALSE(bob1.take_request("CANCEL"));
    network.run(seconds(33)); // timer B
    EXPECT_TRUE(alice.take_response(408) != nullptr);
    alice.send(alice.make({.method = "CANCEL", .branch = "z9hG4bKother"}));
    network.run();
    EXPECT_TRUE(alice.take_response(481));
    ends_idle();
}

// [RFC 4320 §4.2]
TEST_F(ProxyTest, SaysNothingWhenAMessageIsNotAnswered) {
    enrol(bob1);
    alice.send(alice.make({.method = "MESSAGE"}));
    network.run(seconds(40));
    EXPECT_TRUE(bob1.take_request("MESSAGE"));
    EXPECT_TRUE(alice.inbox.empty());
    ends_idle();
}

TEST_F(ProxyTest, AClosedConnectionFailsItsCallsAndBindings) {
    enrol(bob1, {}, "sip:bob@10.0.0.1:5061");
    alice.send(alice.make({}));
    network.run();
    network.close(bob1);
    network.run();
    EXPECT_TRUE(alice.take_response(480));
    alice.send(alice.make({.call_id = "again"}));
    network.run();
    EXPECT_TRUE(alice.take_response(480));
    ends_idle();
}

// [RFC 5626 §7]
TEST_F(ProxyTest, TakesTheOtherFlowOfAPhoneWhenOneIsGone) {
    const std::string flow = ";+sip.instance=\"<urn:uuid:1>\";reg-id=";
    enrol(bob1, flow + "1", "sip:bob@10.0.0.1:1");
    enrol(bob2, flow + "2", "sip:bob@10.0.0.1:2");
    alice.send(alice.make({}));
    network.run();
    EXPECT_TRUE(bob2.take_request("INVITE")) << "over the flow that was refreshed last";
    network.close(bob2);
    network.run();
    const auto invite = bob1.take_request("INVITE");
    ASSERT_TRUE(invite);
    EXPECT_EQ(invite->view.request_uri(), "sip:bob@10.0.0.1:1");
    bob1.send(bob1.reply(*invite, 200));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    ends_idle();
}

TEST_F(ProxyTest, EndsACallOverTheOtherFlowOfAPhone) {
    const std::string flow = ";+sip.instance=\"<urn:uuid:1>\";reg-id=";
    enrol(bob1, flow + "1", "sip:bob@10.0.0.1:1");
    enrol(bob2, flow + "2", "sip:bob@10.0.0.1:2");
    alice.send(alice.make({}));
    network.run();
    bob2.send(bob2.reply(*bob2.take_request("INVITE"), 200));
    network.run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);
    alice.send(alice.in_dialog("ACK", *ok, 1));
    network.run();
    network.close(bob2);
    alice.send(alice.in_dialog("BYE", *ok, 2));
    network.run();
    // The network of the test delivers to nobody what goes over a closed connection, and tells it.
    network.close(bob2);
    network.run();
    const auto bye = bob1.take_request("BYE");
    ASSERT_TRUE(bye);
    EXPECT_EQ(bye->view.request_uri(), bob2.contact()) << "what the dialog knows him by";
    bob1.send(bob1.reply(*bye, 200));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    ends_idle();
}

TEST_F(ProxyTest, APhoneThatCameBackOverANewConnectionKeepsItsCalls) {
    enrol(bob1);
    alice.send(alice.make({}));
    network.run();
    bob1.send(bob1.reply(*bob1.take_request("INVITE"), 200));
    network.run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);
    alice.send(alice.in_dialog("ACK", *ok, 1));
    network.run();
    network.close(bob1);
    enrol(bob2, {}, "sip:bob@192.0.2.11:41234;transport=tls");
    alice.send(alice.in_dialog("BYE", *ok, 2));
    network.run();
    network.close(bob1);
    network.run();
    EXPECT_TRUE(bob2.take_request("BYE"));
    network.close(bob2);
    alice.send(alice.in_dialog("INFO", *ok, 3));
    network.run();
    network.close(bob1);
    network.run();
    const auto gone = alice.take_response(480);
    EXPECT_TRUE(gone) << "and when it is nowhere, that is said";
}

// [RFC 5626 §5.3.1, §11.5]
TEST_F(ProxyTest, TellsAProxyThatAFlowIsGone) {
    enrol(bob1, {}, "sip:bob@10.0.0.1:5061");
    const Phone::Request r{.headers = "Via: SIP/2.0/TLS 10.0.0.9;branch=z9hG4bKbehind\r\n"};
    alice.send(alice.make(r));
    network.run();
    network.close(bob1);
    network.run();
    EXPECT_TRUE(alice.take_response(430));
}

TEST_F(ProxyTest, GoesToTheContactWhenTheConnectionIsGone) {
    enrol(bob1);
    network.dns[bob1.contact()] = {
        {sip::Transport::Tls, {ip("192.0.2.11"), 40'011}, "192.0.2.11", {}}};
    network.listening[{ip("192.0.2.11"), 40'011}] = &bob2;
    alice.send(alice.make({}));
    network.run();
    EXPECT_TRUE(bob1.take_request("INVITE"));
    network.close(bob1);
    network.run();
    const auto invite = bob2.take_request("INVITE");
    ASSERT_TRUE(invite);
    bob2.send(bob2.reply(*invite, 200));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    ends_idle();
}

// [RFC 3261 §18.1.1]
TEST_F(ProxyTest, SendsWhatIsTooLargeForADatagramOverTcpIfItCan) {
    auto& datagrams = network.add_phone("carol", sip::Transport::Udp);
    auto& stream = network.add_phone("carol", sip::Transport::Tcp);
    const Endpoint there{ip("192.0.2.77"), 5060};
    network.dns["sip:192.0.2.77;lr"] = {{sip::Transport::Udp, there, "192.0.2.77", {}}};
    const auto send = [&](std::size_t size, const char* call_id) {
        alice.send(alice.make({.uri = "sip:carol@example.com",
                               .call_id = call_id,
                               .headers = "Route: <sip:192.0.2.77;lr>\r\n",
                               .body = std::string(size, 'x')}));
        network.run();
    };
    network.listening[there] = &stream; // whatever the transport of the hop is
    send(1400, "large");
    const auto large = stream.take_request("INVITE");
    ASSERT_TRUE(large);
    EXPECT_TRUE(large->list(HeaderId::Via)[0].starts_with("SIP/2.0/TCP "));
    network.listening[there] = &datagrams;
    send(10, "small");
    const auto small = datagrams.take_request("INVITE");
    ASSERT_TRUE(small);
    EXPECT_TRUE(small->list(HeaderId::Via)[0].starts_with("SIP/2.0/UDP "));
    network.refuses_streams.insert(there);
    send(1400, "large-again");
    const auto back = datagrams.take_request("INVITE");
    ASSERT_TRUE(back) << "nobody listens for TCP there";
    EXPECT_TRUE(back->list(HeaderId::Via)[0].starts_with("SIP/2.0/UDP "));
    network.run(seconds(300));
    EXPECT_TRUE(network.server.idle());
}

TEST_F(ProxyTest, SaysAtOnceThatARouteLeadsNowhere) {
    for (const auto* route : {"sip:nowhere.invalid;lr", "sip:192.0.2.99;lr"}) {
        network.dns["sip:192.0.2.99;lr"] = {
            {sip::Transport::Tcp, {ip("192.0.2.99"), 5060}, "192.0.2.99", {}}};
        alice.send(
            alice.make({.call_id = route, .headers = fmt::format("Route: <{}>\r\n", route)}));
        network.run();
        EXPECT_TRUE(alice.take_response(502)) << route;
    }
    ends_idle();
}

TEST_F(ProxyTest, AnAnswerForAClosedConnectionTriesToOpenAnother) {
    enrol(bob1);
    network.listening[{alice.wire.remote.address, alice.wire.remote.port}] = &alice;
    alice.send(alice.make({.method = "MESSAGE"}));
    network.run();
    network.close(alice);
    bob1.send(bob1.reply(*bob1.take_request("MESSAGE"), 200));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    ends_idle();
}

TEST_F(ProxyTest, DrainsWithoutCuttingCalls) {
    enrol(bob1);
    alice.send(alice.make({}));
    network.run();
    bob1.send(bob1.reply(*bob1.take_request("INVITE"), 200));
    network.run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);
    alice.send(alice.in_dialog("ACK", *ok, 1));
    network.run();
    network.server.drain();
    alice.send(alice.make({.call_id = "new"}));
    network.run();
    const auto refused = alice.take_response(503);
    ASSERT_TRUE(refused);
    EXPECT_TRUE(refused->view.has(HeaderId::RetryAfter));
    alice.send(alice.in_dialog("BYE", *ok, 2));
    network.run();
    EXPECT_TRUE(bob1.take_request("BYE"));
    ends_idle();
}

TEST_F(ProxyTest, AnswersOptionsItself) {
    alice.send(alice.make({.method = "OPTIONS", .uri = "sip:example.com", .max_forwards = 0}));
    alice.send(
        alice.make({.method = "OPTIONS", .uri = "sip:proxy.example.com:5061;transport=tls"}));
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    EXPECT_TRUE(alice.take_response(200));
}

TEST_F(ProxyTest, RefusesAProxyRequireThatItDoesNotKnow) {
    alice.send(alice.make({.headers = "Proxy-Require: magic\r\n"}));
    network.run();
    const auto got = alice.take_response(420);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->value(HeaderId::Unsupported), "magic");
}

// [RFC 5630 §5.3]
TEST_F(ProxyTest, NeverMakesSipOfSips) {
    enrol(bob1);
    alice.send(alice.make({.uri = "sips:bob@example.com"}));
    network.run();
    const auto refused = alice.take_response(480);
    ASSERT_TRUE(refused);
    EXPECT_NE(refused->text.find("Warning: 380"), std::string::npos);
    enrol(bob2, {}, "sips:bob@192.0.2.12:40012");
    alice.send(alice.make({.uri = "sips:bob@example.com", .call_id = "2"}));
    network.run();
    const auto at2 = bob2.take_request("INVITE");
    ASSERT_TRUE(at2);
    EXPECT_EQ(at2->view.request_uri(), "sips:bob@192.0.2.12:40012");
    EXPECT_TRUE(at2->list(HeaderId::RecordRoute)[0].starts_with("<sips:"));
    EXPECT_TRUE(bob1.inbox.empty());
    alice.send(alice.make({.call_id = "3"}));
    network.run();
    const auto plain = bob2.take_request("INVITE");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->view.request_uri(), "sip:bob@192.0.2.12:40012");
}

// [RFC 3261 §26.2.2, RFC 5630 §5.3]
TEST_F(ProxyTest, RefusesASipsRequestThatCameInClear) {
    enrol(bob2, {}, "sips:bob@192.0.2.12:40012");
    for (const auto transport : {sip::Transport::Udp, sip::Transport::Tcp}) {
        auto& carol = network.add_phone("carol", transport);
        int cseq = 0;
        for (const auto method : {"INVITE", "MESSAGE", "REGISTER", "OPTIONS"}) {
            const auto* uri =
                method == std::string_view{"INVITE"} ? "sips:bob@example.com" : "sips:example.com";
            carol.send(carol.make({.method = method, .uri = uri, .cseq = ++cseq}));
            network.run();
            EXPECT_TRUE(carol.take_response(400)) << method;
        }
    }
    network.run(seconds(40));
    EXPECT_TRUE(bob2.inbox.empty());
    EXPECT_TRUE(network.resolved.empty());
}

TEST_F(ProxyTest, NeverSendsToASipsContactInClear) {
    auto& carol = network.add_phone("carol", sip::Transport::Udp);
    enrol(carol, {}, "sips:carol@192.0.2.13:5061");
    for (const auto uri : {"sips:carol@example.com", "sip:carol@example.com"}) {
        alice.send(alice.make({.uri = uri, .call_id = uri}));
        network.run();
        EXPECT_TRUE(alice.take_response(480)) << uri;
    }
    EXPECT_TRUE(carol.inbox.empty());
}

// [RFC 3261 §16.4, §16.5]
TEST_F(ProxyTest, FollowsAMaddrUnlessItNamesUs) {
    enrol(bob1);
    alice.send(alice.make({.uri = "sip:bob@example.com:5061;Maddr=192.0.2.1;transport=tls;x=y"}));
    network.run();
    EXPECT_TRUE(bob1.take_request("INVITE")) << "it names us";
    const std::string elsewhere = "sip:bob@example.com;maddr=192.0.2.12";
    network.dns[elsewhere] = {{sip::Transport::Tcp, {ip("192.0.2.12"), 5060}, "192.0.2.12", {}}};
    network.listening[{ip("192.0.2.12"), 5060}] = &bob2;
    alice.send(alice.make({.uri = elsewhere, .call_id = "2"}));
    network.run();
    const auto invite = bob2.take_request("INVITE");
    ASSERT_TRUE(invite);
    EXPECT_EQ(invite->view.request_uri(), elsewhere);
    EXPECT_TRUE(bob1.inbox.empty());
}

TEST_F(ProxyTest, MeansOneInstanceByAGruu) {
    enrol(bob1, ";+sip.instance=\"<urn:uuid:1>\"");
    enrol(bob2, ";+sip.instance=\"<urn:uuid:2>\"");
    alice.send(alice.make({.uri = "sip:bob@example.com;gr=urn:uuid:2"}));
    network.run();
    EXPECT_TRUE(bob2.take_request("INVITE"));
    EXPECT_TRUE(bob1.inbox.empty());
}

TEST_F(ProxyTest, SplitsMaxBreadthAmongItsBranches) {
    enrol(bob1);
    enrol(bob2);
    alice.send(alice.make({.headers = "Max-Breadth: 5\r\n"}));
    alice.send(alice.make({.call_id = "2", .headers = "Max-Breadth: 1\r\n"}));
    network.run();
    EXPECT_EQ(bob1.take_request("INVITE")->value(HeaderId::MaxBreadth), "2");
    EXPECT_TRUE(alice.take_response(440));
}

TEST_F(ProxyTest, BringsDatagramsBackToWhereTheyCameFrom) {
    auto& carol = network.add_phone("carol", sip::Transport::Udp);
    enrol(bob1);
    carol.send(carol.make({}));
    network.run();
    const auto at1 = bob1.take_request("INVITE");
    ASSERT_TRUE(at1);
    const auto vias = at1->list(HeaderId::Via);
    EXPECT_NE(vias[1].find(";received=192.0.2.13;rport=5060"), std::string::npos);
    EXPECT_NE(at1->list(HeaderId::RecordRoute)[0].find("transport=tls"), std::string::npos);
    EXPECT_NE(at1->list(HeaderId::RecordRoute)[1].find("transport=udp"), std::string::npos);
    bob1.send(bob1.reply(*at1, 200));
    network.run();
    EXPECT_TRUE(carol.take_response(200));
}

// Over UDP with a fifth of all datagrams lost, and some twice and late.
TEST_F(ProxyTest, GetsCallsThroughALossyNetwork) {
    auto& carol = network.add_phone("carol", sip::Transport::Udp);
    auto& dave = network.add_phone("bob", sip::Transport::Udp);
    enrol(dave);
    network.loss = 0.2;
    network.duplicate = 0.1;
    network.delay_most = milliseconds(300);
    for (int n = 0; n < 40; ++n) {
        const Phone::Request r{.call_id = fmt::format("lossy{}", n),
                               .branch = fmt::format("z9hG4bKlossy{}", n)};
        const auto invite = carol.make(r);
        MessagePtr ok;
        MessagePtr at_dave;
        bool acknowledged = false;
        for (int tick = 0; tick < 60 && !acknowledged; ++tick) {
            if (!ok && !at_dave) {
                carol.send(invite); // timer A
            }
            network.run(milliseconds(500));
            for (const auto& m : std::exchange(dave.inbox, {})) {
                if (m->value(HeaderId::CallId) == r.call_id) {
                    at_dave = m->method() == "INVITE" ? m : at_dave;
                    acknowledged = acknowledged || m->method() == "ACK";
                }
            }
            if (at_dave) {
                dave.send(dave.reply(*at_dave, 200)); // again and again until the ACK [§13.3.1.4]
            }
            for (const auto& m : std::exchange(carol.inbox, {})) {
                if (m->status() == 200 && m->value(HeaderId::CallId) == r.call_id) {
                    ok = m;
                    carol.send(carol.in_dialog("ACK", *ok, 1));
                }
            }
        }
        EXPECT_TRUE(acknowledged) << n;
    }
    ends_idle();
}

TEST(Redirect, TellsWhereTheUserIs) {
    auto settings = open_settings();
    settings.redirect = true;
    Network network{settings};
    auto& bob = network.add_phone("bob");
    bob.send(bob.make({.method = "REGISTER", .uri = "sip:example.com"}));
    network.run();
    auto& alice = network.add_phone("alice");
    alice.send(alice.make({}));
    network.run();
    const auto moved = alice.take_response(302);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->value(HeaderId::Contact), fmt::format("<{}>;q=1.000", bob.contact()));
}

TEST(Bounds, MoreTransactionsThanAllowedAreRefusedWithoutOne) {
    auto settings = open_settings();
    settings.transactions = 10;
    Network network{settings};
    auto& bob = network.add_phone("bob");
    bob.send(bob.make({.method = "REGISTER", .uri = "sip:example.com"}));
    network.run();
    auto& alice = network.add_phone("alice");
    for (int n = 0; n < 50; ++n) {
        alice.send(alice.make({.call_id = fmt::format("{}", n)}));
    }
    network.run();
    EXPECT_LE(network.server.counters().transactions_now, 12U);
    EXPECT_TRUE(alice.take_response(503));
}

} // namespace
} // namespace cw::server::test
