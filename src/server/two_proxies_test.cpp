// The flows of RFC 3665 between two domains: two servers, each the other's peer over TLS, by
// certificate. What one sends to the other is what that one gets, octet by octet.
#include <gtest/gtest.h>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

constexpr const char* atlanta = "atlanta.example.com";
constexpr const char* biloxi = "biloxi.example.com";

Settings settings_of(const std::string& domain, std::string_view user) {
    auto s = plain_settings();
    s.domains[0].name = domain;
    s.domains[0].users = {make_user(user, domain, "secret")};
    for (auto& listener : s.listeners) {
        listener.host = "proxy." + domain;
    }
    s.federation = true;
    return s;
}

class TwoProxies : public testing::Test {
  protected:
    TwoProxies() {
        join(a, b_in_a, biloxi);
        join(b, a_in_b, atlanta);
        b_in_a.script = [this](Phone&, const MessagePtr& m) { a_in_b.send(m->text); };
        a_in_b.script = [this](Phone&, const MessagePtr& m) { b_in_a.send(m->text); };
    }
    static void join(Network& network, Phone& peer, const std::string& domain) {
        const Endpoint at{ip("198.51.100.7"), 5061};
        network.dns_names[domain] =
            network.dns_names["proxy." + domain] = {{sip::Transport::Tls, at, domain, {}}};
        network.listening[at] = &peer;
        peer.peer_domains = {domain};
    }
    // Both clocks, in small steps: what one sends the other gets within one.
    void run(Duration d = milliseconds(100)) {
        for (Duration done{}; done < d; done = done + milliseconds(2)) {
            a.run(milliseconds(2));
            b.run(milliseconds(2));
        }
    }
    static std::string seen(Phone& phone) {
        std::string out;
        for (const auto& m : std::exchange(phone.inbox, {})) {
            out += out.empty() ? "" : " ";
            out += m->view.is_request() ? m->method() : fmt::format("{}", m->status());
        }
        return out;
    }
    void enrol() {
        Phone::Request r{.method = "REGISTER",
                         .uri = fmt::format("sip:{}", biloxi),
                         .to = fmt::format("<sip:bob@{}>", biloxi),
                         .from = fmt::format("<sip:bob@{}>", biloxi)};
        bob.send(bob.make(r));
        run();
        const auto challenge = bob.take_response(401);
        ASSERT_TRUE(challenge);
        ++r.cseq;
        bob.send(bob.make_with_credentials(r, *challenge));
        run();
        ASSERT_TRUE(bob.take_response(200));
    }
    // Alice's INVITE up to bob; null when it does not come.
    MessagePtr call() {
        enrol();
        alice.send(alice.make(invite));
        run();
        const auto challenge = alice.take_response(407);
        if (!challenge) {
            return nullptr;
        }
        alice.send(alice.ack_of_failure(*challenge, invite));
        ++invite.cseq;
        invite.branch = "z9hG4bKcall";
        alice.send(alice.make_with_credentials(invite, *challenge));
        run();
        EXPECT_EQ(seen(alice), "100");
        return bob.take_request("INVITE");
    }
    void is_over() {
        run(seconds(70));
        for (auto* network : {&a, &b}) {
            EXPECT_TRUE(network->server.idle());
            EXPECT_EQ(network->server.counters().transactions_now, 0U);
        }
    }

    Network a{settings_of(atlanta, "alice")};
    Network b{settings_of(biloxi, "bob"), 2};
    Phone& alice = a.add_phone("alice");
    Phone& b_in_a = a.add_phone("proxy-b");
    Phone& a_in_b = b.add_phone("proxy-a");
    Phone& bob = b.add_phone("bob");
    Phone::Request invite{.uri = fmt::format("sip:bob@{}", biloxi),
                          .to = fmt::format("<sip:bob@{}>", biloxi),
                          .from = fmt::format("<sip:alice@{}>", atlanta)};
};

TEST_F(TwoProxies, Section3_2SessionThroughTwoProxies) {
    const auto at_bob = call();
    ASSERT_TRUE(at_bob);
    EXPECT_EQ(at_bob->list(sip::HeaderId::Via).size(), 3U);
    EXPECT_EQ(at_bob->value(sip::HeaderId::MaxForwards), "68");
    EXPECT_FALSE(at_bob->view.has(sip::HeaderId::ProxyAuthorization));
    EXPECT_EQ(at_bob->list(sip::HeaderId::RecordRoute).size(), 4U) << "one a side, of each";
    bob.send(bob.reply(*at_bob, 180));
    run();
    bob.send(bob.reply(*at_bob, 200));
    run();
    ASSERT_FALSE(alice.inbox.empty());
    const auto ok = alice.inbox.back();
    EXPECT_EQ(seen(alice), "180 200");
    EXPECT_EQ(ok->list(sip::HeaderId::Via).size(), 1U);
    alice.send(alice.in_dialog("ACK", *ok, 2));
    run();
    EXPECT_EQ(seen(bob), "ACK");
    bob.send(bob.in_dialog_called("BYE", *at_bob, 1));
    run();
    ASSERT_EQ(alice.inbox.size(), 1U);
    alice.send(alice.reply(*alice.inbox[0], 200));
    run();
    EXPECT_EQ(seen(alice), "BYE");
    EXPECT_EQ(seen(bob), "200");
    is_over();
}

TEST_F(TwoProxies, TheCallerHangsUp) {
    const auto at_bob = call();
    ASSERT_TRUE(at_bob);
    bob.send(bob.reply(*at_bob, 200));
    run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);
    alice.send(alice.in_dialog("ACK", *ok, 2));
    alice.send(alice.in_dialog("BYE", *ok, 3));
    run();
    ASSERT_EQ(bob.inbox.size(), 2U);
    bob.send(bob.reply(*bob.inbox[1], 200));
    run();
    EXPECT_EQ(seen(bob), "ACK BYE");
    EXPECT_EQ(seen(alice), "200");
    is_over();
}

TEST_F(TwoProxies, Section3_8UnsuccessfulNoAnswer) {
    const auto at_bob = call();
    ASSERT_TRUE(at_bob);
    bob.send(bob.reply(*at_bob, 180));
    run();
    auto cancel = invite;
    cancel.method = "CANCEL";
    alice.send(alice.make(cancel));
    run();
    ASSERT_EQ(bob.inbox.size(), 1U);
    bob.send(bob.reply(*bob.inbox[0], 200));
    bob.send(bob.reply(*at_bob, 487));
    run();
    EXPECT_EQ(seen(bob), "CANCEL ACK");
    EXPECT_EQ(seen(alice), "180 200 487");
    is_over();
}

TEST_F(TwoProxies, Section3_9UnsuccessfulBusy) {
    const auto at_bob = call();
    ASSERT_TRUE(at_bob);
    bob.send(bob.reply(*at_bob, 486));
    run();
    EXPECT_EQ(seen(bob), "ACK");
    ASSERT_EQ(alice.inbox.size(), 1U);
    alice.send(alice.ack_of_failure(*alice.inbox[0], invite));
    EXPECT_EQ(seen(alice), "486");
    is_over();
}

TEST_F(TwoProxies, Section3_11UnsuccessfulTemporarilyUnavailable) {
    const auto at_bob = call();
    ASSERT_TRUE(at_bob);
    bob.send(bob.reply(*at_bob, 180));
    run();
    bob.send(bob.reply(*at_bob, 480));
    run();
    EXPECT_EQ(seen(bob), "ACK");
    ASSERT_EQ(alice.inbox.size(), 2U);
    alice.send(alice.ack_of_failure(*alice.inbox[1], invite));
    EXPECT_EQ(seen(alice), "180 480");
    is_over();
}

// [RFC 3261 §26.3.2.2] The other company cannot say who our users are.
TEST_F(TwoProxies, APeerSpeaksForItsOwnDomainAlone) {
    enrol();
    for (const auto* from : {"<sip:carol@biloxi.example.com>", "<sip:carol@example.org>"}) {
        const Phone::Request forged{.uri = fmt::format("sip:bob@{}", biloxi), .from = from};
        b_in_a.script = {}; // this one is for the test
        a_in_b.script = {};
        a_in_b.send(a_in_b.make(forged));
        run();
        const auto answer = a_in_b.take();
        EXPECT_TRUE(answer->status() == 403 || answer->status() == 407) << answer->text;
        EXPECT_TRUE(bob.inbox.empty());
    }
}

} // namespace
} // namespace cw::server::test
