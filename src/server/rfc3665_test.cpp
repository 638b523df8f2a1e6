// The flows of RFC 3665 that a registrar and proxy takes part in: what each phone sees, message by
// message. Where the RFC draws two proxies, the second one is the peer here.
#include <gtest/gtest.h>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

struct Rfc3665 : testing::Test {
    // What a phone has received, as the ladder of the RFC names it.
    static std::string seen(Phone& phone) {
        std::string out;
        for (const auto& m : std::exchange(phone.inbox, {})) {
            out += out.empty() ? "" : " ";
            out += m->view.is_request() ? m->method() : fmt::format("{}", m->status());
        }
        return out;
    }
    // Alice's INVITE up to bob, with what she saw; 100 is there already.
    MessagePtr call() {
        EXPECT_EQ(alice.register_now()->status(), 200);
        EXPECT_EQ(bob.register_now()->status(), 200);
        Phone::Request r{};
        alice.send(alice.make(r));
        network.run();
        const auto challenge = alice.take_response(407);
        EXPECT_TRUE(challenge);
        alice.send(alice.ack_of_failure(*challenge, r));
        ++r.cseq;
        r.branch = "z9hG4bKcall";
        alice.send(alice.make_with_credentials(r, *challenge));
        network.run();
        EXPECT_EQ(seen(alice), "100");
        return bob.take_request("INVITE");
    }
    void is_over() {
        network.run(seconds(64));
        EXPECT_TRUE(network.server.idle());
        EXPECT_EQ(network.server.counters().transactions_now, 0U);
    }

    Network network;
    Phone& alice = network.add_phone("alice");
    Phone& bob = network.add_phone("bob");
};

TEST_F(Rfc3665, Section2_1To2_4Registrations) {
    const Phone::Request fetch{
        .method = "REGISTER", .uri = "sip:example.com", .to = "<sip:bob@example.com>"};
    bob.send(bob.make(fetch));
    network.run();
    EXPECT_EQ(seen(bob), "401");
    EXPECT_EQ(bob.register_now()->status(), 200);                      // 2.1
    EXPECT_EQ(bob.register_now(";expires=600", {}, 3)->status(), 200); // 2.2
    const auto cancelled = bob.register_now(";expires=0", {}, 5);      // 2.4
    EXPECT_EQ(cancelled->status(), 200);
    EXPECT_FALSE(cancelled->view.has(sip::HeaderId::Contact));
}

TEST_F(Rfc3665, Section2_5UnsuccessfulRegistration) {
    Phone::Request r{.method = "REGISTER", .uri = "sip:example.com", .to = "<sip:bob@example.com>"};
    bob.send(bob.make(r));
    network.run();
    const auto challenge = bob.take_response(401);
    ASSERT_TRUE(challenge);
    ++r.cseq;
    bob.send(bob.make_with_credentials(r, *challenge, 1, "wrong"));
    network.run();
    EXPECT_EQ(seen(bob), "401");
    EXPECT_EQ(network.server.counters().bindings_now, 0U);
    EXPECT_EQ(network.server.counters().rejected_credentials, 1U);
}

TEST_F(Rfc3665, Section3_2SessionThroughTheProxy) {
    const auto invite = call();
    ASSERT_TRUE(invite);
    bob.send(bob.reply(*invite, 180));
    network.run();
    bob.send(bob.reply(*invite, 200));
    network.run();
    EXPECT_EQ(alice.inbox.size(), 2U);
    const auto ok = alice.inbox.back();
    EXPECT_EQ(seen(alice), "180 200");
    alice.send(alice.in_dialog("ACK", *ok, 2));
    network.run();
    EXPECT_EQ(seen(bob), "ACK");
    bob.send(bob.in_dialog_called("BYE", *invite, 1));
    network.run();
    ASSERT_EQ(alice.inbox.size(), 1U);
    alice.send(alice.reply(*alice.inbox[0], 200));
    network.run();
    EXPECT_EQ(seen(alice), "BYE");
    EXPECT_EQ(seen(bob), "200");
    is_over();
}

TEST_F(Rfc3665, Section3_8NoAnswer) {
    const auto invite = call();
    ASSERT_TRUE(invite);
    bob.send(bob.reply(*invite, 180));
    network.run();
    EXPECT_EQ(seen(alice), "180");
    alice.send(alice.make({.method = "CANCEL", .cseq = 2, .branch = "z9hG4bKcall"}));
    network.run();
    ASSERT_EQ(bob.inbox.size(), 1U);
    bob.send(bob.reply(*bob.inbox[0], 200));
    bob.send(bob.reply(*invite, 487));
    network.run();
    EXPECT_EQ(seen(bob), "CANCEL ACK");
    EXPECT_EQ(seen(alice), "200 487");
    is_over();
}

TEST_F(Rfc3665, Section3_9Busy) {
    const auto invite = call();
    ASSERT_TRUE(invite);
    bob.send(bob.reply(*invite, 486));
    network.run();
    EXPECT_EQ(seen(bob), "ACK");
    ASSERT_EQ(alice.inbox.size(), 1U);
    alice.send(alice.ack_of_failure(*alice.inbox[0], {.cseq = 2, .branch = "z9hG4bKcall"}));
    EXPECT_EQ(seen(alice), "486");
    is_over();
    EXPECT_EQ(seen(bob), "");
}

TEST_F(Rfc3665, Section3_10NoResponse) {
    ASSERT_TRUE(call());
    network.run(seconds(33));
    EXPECT_EQ(seen(alice), "408");
    EXPECT_EQ(seen(bob), "");
    is_over();
}

TEST_F(Rfc3665, Section3_11TemporarilyUnavailable) {
    const auto invite = call();
    ASSERT_TRUE(invite);
    bob.send(bob.reply(*invite, 180));
    network.run();
    bob.send(bob.reply(*invite, 480));
    network.run();
    EXPECT_EQ(seen(alice), "180 480");
    EXPECT_EQ(seen(bob), "ACK");
    is_over();
}

} // namespace
} // namespace cw::server::test
