#include "net/handshakes.hpp"

#include "net/test_certificates.hpp"
#include "net/test_loop.hpp"

namespace cw::net {
namespace {

TEST(Handshakes, KnowTheOldestOfAllAndOfEachSource) {
    const auto a = *IpAddress::parse("192.0.2.1");
    const auto b = *IpAddress::parse("192.0.2.2");
    Handshakes all;
    const auto one = all.enter(1, a);
    const auto two = all.enter(2, b);
    const auto three = all.enter(3, a);
    const auto four = all.enter(4, a);
    EXPECT_EQ(4U, all.size());
    EXPECT_EQ(3U, all.size_of(a));
    EXPECT_EQ(1U, all.oldest());
    EXPECT_EQ(2U, all.oldest_of(b));
    all.leave(one);
    EXPECT_EQ(2U, all.oldest());
    EXPECT_EQ(3U, all.oldest_of(a));
    all.leave(three); // between two others
    EXPECT_EQ(4U, all.oldest_of(a));
    all.leave(two);
    EXPECT_EQ(0U, all.size_of(b));
    all.leave(four); // the newest
    EXPECT_EQ(0U, all.size());
    all.enter(5, b);
    EXPECT_EQ(5U, all.oldest());
}

class Storm : public test::LoopTest {
  protected:
    explicit Storm(Duration patience = seconds(10))
        : LoopTest({.handshakes = 64,
                    .handshakes_per_source = 16,
                    .handshake = patience,
                    .linger = milliseconds(20)}) {
        TlsSettings settings;
        settings.certificates = {test::write(folder, "example", {test::make({})})};
        where = listen(*TlsContext::make(TlsContext::Role::Server, settings));
        settings.trusted = settings.certificates[0].certificate;
        client = *TlsContext::make(TlsContext::Role::Client, settings);
    }
    test::Folder folder;
    Endpoint where;
    std::shared_ptr<const TlsContext> client;
};

TEST_F(Storm, TheOldestHandshakesOfASourceGiveWayToAnHonestOne) {
    std::vector<Descriptor> silent;
    for (int i = 0; i < 40; ++i) {
        silent.push_back(raw(where));
    }
    const auto mine = loop.connect(where, client.get(), "example.com");
    std::size_t most = 0;
    ASSERT_TRUE(run_until([&] {
        most = std::max(most, loop.handshakes());
        return h.opened.size() == 2;
    }));
    EXPECT_LE(most, 16U);
    EXPECT_TRUE(loop.is_open(mine));
    EXPECT_GE(h.failed.size(), 25U);
    EXPECT_EQ("TLS handshake: too many from this address", h.failed[0].why);
}

class ShortStorm : public Storm {
  protected:
    ShortStorm() : Storm(milliseconds(20)) {}
};

TEST_F(ShortStorm, AHandshakeThatTakesTooLongIsEnded) {
    const auto silent = raw(where);
    ASSERT_TRUE(run_until([&] { return h.failed.size() == 1; }));
    EXPECT_EQ("TLS handshake: took too long", h.failed[0].why);
    EXPECT_EQ(0U, loop.handshakes());
    EXPECT_EQ(0U, loop.connections());
}

TEST_F(Storm, OpenConnectionsAreServedBeforeNewcomers) {
    const auto mine = loop.connect(where, client.get(), "example.com");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    std::vector<Key> newcomers;
    for (int i = 0; i < 12; ++i) {
        newcomers.push_back(loop.connect(where, client.get(), "example.com"));
    }
    ASSERT_TRUE(run_until([&] { return loop.handshakes() > 0; }));
    // The others are about to come. What the open connection sends now comes before most of them.
    loop.send(mine, "call");
    int answered_before = -1;
    h.when_bytes = [&](Key, Bytes) { answered_before = static_cast<int>(h.opened.size()) - 2; };
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 26; }));
    EXPECT_GE(answered_before, 0);
    EXPECT_LT(answered_before, 12);
}

} // namespace
} // namespace cw::net
