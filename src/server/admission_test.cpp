#include "server/admission.hpp"

#include <gtest/gtest.h>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

using sip::HeaderId;

Settings with_peers() {
    auto s = plain_settings();
    s.federation = true;
    Trunk carrier;
    carrier.domain = "carrier.example";
    carrier.next_hop = "sip:gw.carrier.example;transport=tls";
    carrier.from_domains = {"customer.example"};
    s.trunks.push_back(carrier);
    Trunk lab;
    lab.domain = "lab.example";
    lab.next_hop = "sip:192.0.2.12:5060";
    lab.require_tls = false;
    s.trunks.push_back(lab);
    return s;
}

struct AdmissionTest : testing::Test {
    Network network{with_peers()};
    Phone& alice = network.add_phone("alice");
    Phone& peer = network.add_phone("peer");                    // 192.0.2.11
    Phone& lab = network.add_phone("lab", sip::Transport::Udp); // 192.0.2.12

    // What comes of an INVITE from `from` over the peer's connection.
    int sent_by_peer(Phone& phone, std::vector<std::string> proven, std::string from,
                     std::string uri = "sip:alice@example.com") {
        phone.peer_domains = std::move(proven);
        phone.send(phone.make({.uri = std::move(uri),
                               .to = "<sip:alice@example.com>",
                               .from = "<" + std::move(from) + ">",
                               .call_id = fmt::format("adm{}", ++calls_)}));
        network.run();
        int status = 0;
        while (!phone.inbox.empty()) {
            status = phone.take()->status();
        }
        return status; // 100: taken
    }
    void have_alice() { ASSERT_EQ(alice.register_now()->status(), 200); }

  private:
    int calls_ = 0;
};

TEST_F(AdmissionTest, APeerSpeaksForTheDomainsOfItsCertificateAlone) {
    have_alice();
    EXPECT_EQ(sent_by_peer(peer, {"b.example"}, "sip:bob@b.example"), 100);
    EXPECT_EQ(sent_by_peer(peer, {"b.example"}, "sip:bob@B.Example"), 100);
    EXPECT_EQ(sent_by_peer(peer, {"b.example"}, "sip:bob@c.example"), 403);
    EXPECT_EQ(sent_by_peer(peer, {}, "sip:bob@b.example"), 403);
    EXPECT_EQ(sent_by_peer(peer, {"b.example"}, "sip:alice@example.com"), 407);
}

TEST_F(AdmissionTest, ATrunkSpeaksForTheDomainsThatItIsGiven) {
    have_alice();
    EXPECT_EQ(sent_by_peer(peer, {"carrier.example"}, "sip:1@carrier.example"), 100);
    EXPECT_EQ(sent_by_peer(peer, {"carrier.example"}, "sip:1@customer.example"), 100);
    EXPECT_EQ(sent_by_peer(peer, {"b.example"}, "sip:1@customer.example"), 403);
    EXPECT_EQ(sent_by_peer(lab, {}, "sip:1@lab.example"), 100);  // by its address
    EXPECT_EQ(sent_by_peer(peer, {}, "sip:1@lab.example"), 403); // not from there
}

TEST_F(AdmissionTest, NobodyIsRelayedFromOutsideToOutside) {
    EXPECT_EQ(sent_by_peer(peer, {"b.example"}, "sip:bob@b.example", "sip:x@c.example"), 404);
    EXPECT_EQ(sent_by_peer(peer, {"carrier.example"}, "sip:1@carrier.example", "sip:x@c.example"),
              404);
}

TEST_F(AdmissionTest, FromMustBeWhoAuthenticated) {
    Phone::Request r{.from = "<sip:carol@example.com>"};
    alice.send(alice.make(r));
    network.run();
    const auto challenge = alice.take_response(407);
    ASSERT_TRUE(challenge);
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge));
    network.run();
    EXPECT_TRUE(alice.take_response(403));
    EXPECT_EQ(network.server.counters().forbidden, 1U);
}

TEST_F(AdmissionTest, EveryMethodIsAsked) {
    for (const auto method : {"INVITE", "MESSAGE", "SUBSCRIBE", "BYE", "OPTIONS", "REFER", "NOTIFY",
                              "PUBLISH", "UPDATE", "INFO", "PRACK", "SOMETHING"}) {
        alice.send(alice.make({.method = method, .call_id = method}));
        network.run();
        EXPECT_TRUE(alice.take_response(407)) << method;
    }
}

TEST_F(AdmissionTest, ARetransmissionIsNoReplay) {
    auto& carol = network.add_phone("carol", sip::Transport::Udp);
    Phone::Request r{};
    carol.send(carol.make(r));
    network.run();
    const auto challenge = carol.take_response(407);
    ASSERT_TRUE(challenge);
    ++r.cseq;
    const auto invite = carol.make_with_credentials(r, *challenge);
    carol.send(invite);
    carol.send(invite);
    network.run();
    EXPECT_TRUE(carol.take_response(480));
    EXPECT_TRUE(carol.take_response(480));
    auto replay = invite;
    replay.replace(replay.find("z9hG4bKcarol2"), 13, "z9hG4bKcarolX");
    carol.send(replay);
    network.run();
    EXPECT_TRUE(carol.take_response(407));
}

// Over the trunk: hop by hop, and in the dialog by what the Record-Route says.
TEST_F(AdmissionTest, OutboundCallsGoFromHopToHop) {
    const Hop dead{sip::Transport::Tls, {ip("203.0.113.1"), 5061}, "gw.carrier.example", {}};
    const Hop good{sip::Transport::Tls, {ip("203.0.113.2"), 5061}, "gw.carrier.example", {}};
    network.dns["sip:gw.carrier.example;transport=tls"] = {dead, good};
    network.listening[good.endpoint] = &peer;
    peer.peer_domains = {"carrier.example"};
    Phone::Request r{.uri = "sip:+49@carrier.example", .to = "<sip:+49@carrier.example>"};
    alice.send(alice.make(r));
    network.run();
    const auto challenge = alice.take_response(407);
    ++r.cseq;
    r.headers = "Authorization: Digest username=\"x\", realm=\"elsewhere\", nonce=\"n\", "
                "uri=\"u\", response=\"r\"\r\n"
                "P-Asserted-Identity: <sip:boss@example.com>\r\n";
    alice.send(alice.make_with_credentials(r, *challenge));
    network.run();
    ASSERT_EQ(network.resolved.size(), 1U);
    EXPECT_TRUE(network.resolved[0].secure);
    EXPECT_EQ(network.resolved[0].identity, "carrier.example");
    const auto invite = peer.take_request("INVITE");
    ASSERT_TRUE(invite);
    EXPECT_FALSE(invite->view.has(HeaderId::ProxyAuthorization));
    EXPECT_TRUE(invite->view.has(HeaderId::Authorization)); // of another realm: not ours to take
    EXPECT_FALSE(invite->view.has(HeaderId::PAssertedIdentity));
    peer.send(peer.reply(*invite, 200));
    network.run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);

    network.dns[peer.contact()] = {good};
    alice.send(alice.in_dialog("ACK", *ok, 2));
    network.run();
    EXPECT_TRUE(peer.take_request("ACK"));
    peer.send(peer.in_dialog_called("BYE", *invite, 1));
    network.run();
    EXPECT_TRUE(alice.take_request("BYE"));
}

TEST_F(AdmissionTest, ATokenOfOneCallServesNoOther) {
    have_alice();
    auto& bob = network.add_phone("bob");
    ASSERT_EQ(bob.register_now()->status(), 200);
    Phone::Request r{};
    alice.send(alice.make(r));
    network.run();
    const auto challenge = alice.take_response(407);
    ++r.cseq;
    alice.send(alice.make_with_credentials(r, *challenge));
    network.run();
    const auto invite = bob.take_request("INVITE");
    ASSERT_TRUE(invite);
    bob.send(bob.reply(*invite, 200));
    network.run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);
    auto bye = alice.in_dialog("BYE", *ok, 3);
    auto other = bye;
    other.replace(other.find("Call-ID: call"), 13, "Call-ID: else");
    alice.send(other);
    network.run();
    EXPECT_FALSE(bob.take_request("BYE"));
    EXPECT_TRUE(alice.take_response(407));
    // From another connection the same BYE is asked for credentials.
    auto& thief = network.add_phone("alice");
    thief.send(bye);
    network.run();
    EXPECT_TRUE(thief.take_response(407));
    alice.send(bye);
    network.run();
    EXPECT_TRUE(bob.take_request("BYE"));
}

} // namespace
} // namespace cw::server::test
