#include <set>
#include <vector>

#include <sys/socket.h>

#include "net/test_loop.hpp"

namespace cw::net {
namespace {

using test::LoopTest;

Endpoint socket_at(Loop& loop, std::uint32_t number, const char* at) {
    auto fd = bind_datagram({*IpAddress::parse(at), 0}, true);
    const auto where = local_endpoint(fd->get());
    loop.receive(std::move(*fd), number);
    return where;
}

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
