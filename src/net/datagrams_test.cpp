#include <set>
#include <vector>

#include <sys/socket.h>

#include "net/test_loop.hpp"

namespace cw::net {
namespace {

using test::LoopTest;

Endpoint socket_at(Loop& loop, std::uint32_t number, const char* at, bool timed = false) {
    auto fd = bind_datagram({*IpAddress::parse(at), 0}, true);
    const auto where = local_endpoint(fd->get());
    loop.receive(std::move(*fd), number, timed);
    return where;
}

// A peer outside of the loop.
class Sender {
  public:
    explicit Sender(const Endpoint& to) : fd_(*bind_datagram({to.address, 0}, true)) {
        length_ = to_sockaddr(to, to_);
    }
    void send(std::string_view text) const {
        EXPECT_EQ(static_cast<ssize_t>(text.size()),
                  sendto(fd_.get(), text.data(), text.size(), 0,
                         reinterpret_cast<const sockaddr*>(&to_), length_));
    }

  private:
    Descriptor fd_;
    sockaddr_storage to_{};
    socklen_t length_ = 0;
};

TEST_F(LoopTest, DatagramsPassOverIpv4AndIpv6InOrderAndWhole) {
    std::uint32_t number = 0;
    for (const char* at : {"127.0.0.1", "::1"}) {
        h.datagrams.clear();
        const auto from = socket_at(loop, number, at);
        const auto to = socket_at(loop, number + 1, at);
        for (int i = 0; i < 100; ++i) {
            loop.send_datagram(number, to, std::string(static_cast<std::size_t>(i) + 1, 'x'));
        }
        loop.send_datagram(number, to, std::string(60'000, 'y'));
        ASSERT_TRUE(run_until([&] { return h.datagrams.size() == 101; })) << at;
        for (std::size_t i = 0; i < 100; ++i) {
            EXPECT_EQ(from, h.datagrams[i].first);
            EXPECT_EQ(i + 1, h.datagrams[i].second.size());
        }
        EXPECT_EQ(60'000U, h.datagrams[100].second.size());
        number += 2;
    }
}

TEST_F(LoopTest, HeldDatagramsShareATurnAndTellWhenTheyCame) {
    const Sender sender{socket_at(loop, 1, "127.0.0.1", true)};
    bool timed = false;
    // The system begins to note times some time after it was first asked to.
    for (int i = 0; i < 100 && !timed; ++i) {
        h.datagrams.clear();
        h.came.clear();
        const auto sent = Loop::now();
        for (int n = 0; n < 100; ++n) {
            sender.send(std::to_string(n));
        }
        h.look = Loop::now() + milliseconds(40);
        ASSERT_TRUE(run_until([&] { return h.datagrams.size() == 100; }));
        for (int n = 0; n < 100; ++n) {
            const auto& came = h.came[static_cast<std::size_t>(n)];
            EXPECT_EQ(h.datagrams[static_cast<std::size_t>(n)].second, std::to_string(n));
            EXPECT_EQ(came.turn, h.came.front().turn);
            EXPECT_GE(came.told, h.look);
            EXPECT_LE(came.at, came.told);
            EXPECT_GE(came.at + milliseconds(1), sent); // our clock, by way of the system's
        }
        timed = h.came.back().at < h.look;
        h.look = {};
    }
    EXPECT_TRUE(timed);
}

TEST_F(LoopTest, HeldDatagramsAreHeldNoLongerWhenNobodyAsks) {
    const Sender timed{socket_at(loop, 1, "127.0.0.1", true)};
    const Sender other{socket_at(loop, 2, "127.0.0.1")};
    h.look = Loop::now() + seconds(3600);
    timed.send("held");
    other.send("at once");
    ASSERT_TRUE(run_until([&] { return !h.datagrams.empty(); }));
    EXPECT_EQ("at once", h.datagrams[0].second);
    h.look = {};
    ASSERT_TRUE(run_until([&] { return h.datagrams.size() == 2; }));
    EXPECT_EQ("held", h.datagrams[1].second);
}

TEST_F(LoopTest, ADatagramThatCannotBeSentCostsNoOther) {
    socket_at(loop, 1, "127.0.0.1");
    const auto to = socket_at(loop, 2, "127.0.0.1");
    loop.send_datagram(1, to, "first");
    loop.send_datagram(1, to, std::string(70'000, 'x')); // larger than a datagram can be
    loop.send_datagram(1, {*IpAddress::parse("::1"), 5060}, "of another family");
    loop.send_datagram(77, to, "of a socket that is not there");
    loop.send_datagram(1, to, "");
    loop.send_datagram(1, to, "last");
    ASSERT_TRUE(run_until([&] { return h.datagrams.size() == 3; }));
    EXPECT_EQ("first", h.datagrams[0].second);
    EXPECT_EQ("", h.datagrams[1].second);
    EXPECT_EQ("last", h.datagrams[2].second);
}

TEST_F(LoopTest, WhatDoesNotArriveIsTold) {
    std::uint32_t number = 1;
    for (const char* at : {"127.0.0.1", "::1"}) {
        h.undelivered.clear();
        h.datagrams.clear();
        const auto from = socket_at(loop, number, at);
        Endpoint nobody;
        {
            const auto there = bind_datagram({*IpAddress::parse(at), 0}, true);
            nobody = local_endpoint(there->get());
        }
        loop.send_datagram(number, nobody, "lost");
        ASSERT_TRUE(run_until([&] { return !h.undelivered.empty(); })) << at;
        EXPECT_EQ(h.undelivered[0].first, nobody);
        EXPECT_EQ(h.undelivered[0].second, "lost");
        loop.send_datagram(number, nobody, "lost too");
        loop.send_datagram(number, from, "to itself");
        ASSERT_TRUE(
            run_until([&] { return h.datagrams.size() == 1 && h.undelivered.size() == 2; }));
        number += 2;
    }
}

TEST(Sockets, AnEndpointThatIsTakenIsRefusedAndASharedOneIsNot) {
    const Endpoint any{*IpAddress::parse("127.0.0.1"), 0};
    const auto stream = listen_stream(any, true);
    const auto taken = local_endpoint(stream->get());
    const auto refused = listen_stream(taken, true);
    ASSERT_FALSE(refused);
    EXPECT_EQ("bind: Address already in use", refused.error());
    EXPECT_TRUE(listen_stream(taken, false)); // another shard of ours

    const auto datagram = bind_datagram(any, true);
    const auto also = local_endpoint(datagram->get());
    EXPECT_FALSE(bind_datagram(also, true));
    EXPECT_TRUE(bind_datagram(also, false));
}

// The system's own choice must be free: two parties of two flows once had one media port.
TEST(Sockets, PortsThatTheSystemChoosesAreAllDifferent) {
    const Endpoint any{*IpAddress::parse("127.0.0.1"), 0};
    std::vector<Descriptor> open;
    std::set<std::uint16_t> ports;
    for (int i = 0; i < 800; ++i) {
        auto fd = bind_datagram(any, true);
        ASSERT_TRUE(fd) << fd.error();
        EXPECT_TRUE(ports.insert(local_endpoint(fd->get()).port).second) << "socket " << i;
        open.push_back(std::move(*fd));
    }
}

} // namespace
} // namespace cw::net
