// Calls through the server, from end to end.
#include <gtest/gtest.h>

#include "server/test_network.hpp"

namespace cw::server::test {
namespace {

using sip::HeaderId;

struct ServerCall : testing::Test {
    // Registers both and lets alice call bob, up to the INVITE that bob receives.
    MessagePtr invite(Phone::Request r = {}) {
        EXPECT_EQ(alice.register_now()->status(), 200);
        EXPECT_EQ(bob.register_now()->status(), 200);
        alice.send(alice.make(r));
        network.run();
        const auto challenge = alice.take_response(407);
        EXPECT_TRUE(challenge);
        alice.send(alice.ack_of_failure(*challenge, r));
        ++r.cseq;
        alice.send(alice.make_with_credentials(r, *challenge));
        network.run();
        return bob.take_request("INVITE");
    }

    Network network;
    Phone& alice = network.add_phone("alice");
    Phone& bob = network.add_phone("bob");
};

TEST_F(ServerCall, IsMadeAndEndedOverTheConnectionsThatThePhonesRegisteredOn) {
    const auto invite_at_bob = invite({.body = "v=0\r\n"});
    ASSERT_TRUE(invite_at_bob);
    EXPECT_TRUE(alice.take_response(100));
    EXPECT_EQ(invite_at_bob->view.request_uri(), bob.contact());
    EXPECT_EQ(invite_at_bob->value(HeaderId::MaxForwards), "69");
    EXPECT_EQ(invite_at_bob->list(HeaderId::Via).size(), 2U);
    EXPECT_EQ(invite_at_bob->list(HeaderId::RecordRoute).size(), 2U);
    EXPECT_FALSE(invite_at_bob->view.has(HeaderId::ProxyAuthorization));
    EXPECT_EQ(invite_at_bob->view.body(), "v=0\r\n");

    bob.send(bob.reply(*invite_at_bob, 180));
    network.run();
    EXPECT_TRUE(alice.take_response(180));
    EXPECT_FALSE(network.server.idle());
    bob.send(bob.reply(*invite_at_bob, 200));
    network.run();
    const auto ok = alice.take_response(200);
    ASSERT_TRUE(ok);
    EXPECT_TRUE(network.server.idle()) << "nobody waits, though transactions linger";
    EXPECT_EQ(ok->list(HeaderId::Via).size(), 1U);

    alice.send(alice.in_dialog("ACK", *ok, 2));
    network.run();
    const auto ack = bob.take_request("ACK");
    ASSERT_TRUE(ack);
    EXPECT_EQ(ack->view.request_uri(), bob.contact());
    EXPECT_FALSE(ack->view.has(HeaderId::Route));

    bob.send(bob.in_dialog_called("BYE", *invite_at_bob, 1));
    network.run();
    const auto bye = alice.take_request("BYE");
    ASSERT_TRUE(bye);
    EXPECT_FALSE(bye->view.has(HeaderId::Route));
    alice.send(alice.reply(*bye, 200));
    network.run();
    EXPECT_TRUE(bob.take_response(200));
    EXPECT_TRUE(alice.inbox.empty());
    EXPECT_TRUE(bob.inbox.empty());

    network.run(seconds(64));
    EXPECT_TRUE(network.server.idle());
    EXPECT_EQ(network.server.counters().transactions_now, 0U);
}

TEST_F(ServerCall, IsCancelled) {
    const auto at_bob = invite({.call_id = "c2"});
    ASSERT_TRUE(at_bob);
    bob.send(bob.reply(*at_bob, 180));
    network.run();
    ASSERT_TRUE(alice.take_response(180));
    auto cancel =
        alice.make({.method = "CANCEL", .call_id = "c2", .cseq = 2, .branch = "z9hG4bKalice4"});
    alice.send(cancel);
    network.run();
    EXPECT_TRUE(alice.take_response(200));
    const auto cancel_at_bob = bob.take_request("CANCEL");
    ASSERT_TRUE(cancel_at_bob);
    EXPECT_EQ(cancel_at_bob->list(HeaderId::Via)[0], at_bob->list(HeaderId::Via)[0]);
    EXPECT_EQ(cancel_at_bob->list(HeaderId::Via).size(), 1U);
    bob.send(bob.reply(*cancel_at_bob, 200));
    bob.send(bob.reply(*at_bob, 487));
    network.run();
    EXPECT_TRUE(bob.take_request("ACK"));
    EXPECT_TRUE(alice.take_response(487));
    network.run(seconds(64));
    EXPECT_TRUE(network.server.idle());
}

TEST_F(ServerCall, ToSomebodyWhoIsNotThereFails) {
    alice.register_now();
    for (const auto& [who, status] : {std::pair{"bob", 480}, std::pair{"nobody", 404}}) {
        Phone::Request r{.uri = fmt::format("sip:{}@example.com", who), .call_id = who};
        alice.send(alice.make(r));
        network.run();
        const auto challenge = alice.take_response(407);
        ASSERT_TRUE(challenge);
        ++r.cseq;
        alice.send(alice.make_with_credentials(r, *challenge));
        network.run();
        EXPECT_TRUE(alice.take_response(status)) << who;
    }
}

} // namespace
} // namespace cw::server::test
