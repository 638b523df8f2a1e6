#include "host/dialing.hpp"

#include <gtest/gtest.h>

namespace {

using namespace cw;
using namespace cw::host;

server::Hop hop(const char* endpoint, const char* domain,
                sip::Transport transport = sip::Transport::Tls) {
    return {transport, *parse_endpoint(endpoint, 0), domain, {}};
}
void open(Dialings& table, net::Key key, const char* endpoint, const char* name) {
    table.opened(key, sip::Transport::Tls, *parse_endpoint(endpoint, 0), name);
}

TEST(Dialings, OneConnectionServesAllThatGoTheSameWay) {
    Dialings table;
    const auto to = hop("192.0.2.1:5061", "Example.com");
    table.begin({1, 1}, {to, {{7, "a"}}});
    auto* coming = table.on_its_way(hop("192.0.2.1:5061", "example.COM"));
    ASSERT_NE(coming, nullptr);
    coming->waiting.push_back({8, "b"});
    EXPECT_EQ(table.on_its_way(hop("192.0.2.1:5062", "example.com")), nullptr);
    const auto ended = table.end({1, 1});
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->waiting.size(), 2U);
    EXPECT_EQ(table.on_its_way(to), nullptr);
    EXPECT_FALSE(table.end({1, 1}));
}

TEST(Dialings, AnAddressAloneIsNotEnough) {
    Dialings table;
    open(table, {1, 1}, "192.0.2.1:5061", "a.example");
    EXPECT_EQ(table.open_to(hop("192.0.2.1:5061", "a.example")), (net::Key{1, 1}));
    EXPECT_FALSE(table.open_to(hop("192.0.2.1:5061", "b.example")));
    EXPECT_FALSE(table.open_to(hop("192.0.2.1:5061", "a.example", sip::Transport::Tcp)));
}

TEST(Dialings, TheOtherNameThatWillDoIsEnough) {
    Dialings table;
    open(table, {1, 1}, "192.0.2.1:5061", "sbc.carrier.example");
    auto to = hop("192.0.2.1:5061", "carrier.example");
    EXPECT_FALSE(table.open_to(to));
    to.identity = "SBC.carrier.example";
    EXPECT_EQ(table.open_to(to), (net::Key{1, 1}));
}

TEST(Dialings, ForgetsAConnectionThatIsGone) {
    Dialings table;
    open(table, {1, 1}, "192.0.2.1:5061", "a.example");
    open(table, {1, 1}, "192.0.2.1:5061", "b.example");
    open(table, {2, 1}, "192.0.2.1:5061", "b.example");
    table.closed({1, 1});
    EXPECT_FALSE(table.open_to(hop("192.0.2.1:5061", "a.example")));
    EXPECT_EQ(table.open_to(hop("192.0.2.1:5061", "b.example")), (net::Key{2, 1}));
}

TEST(Dialings, APeerCannotFillTheTable) {
    Dialings table;
    for (int port = 1; port <= 100; ++port) {
        table.opened({1, 1}, sip::Transport::Tls,
                     {*IpAddress::parse("192.0.2.1"), static_cast<std::uint16_t>(port)},
                     "a.example");
    }
    EXPECT_TRUE(table.open_to(hop("192.0.2.1:8", "a.example")));
    EXPECT_FALSE(table.open_to(hop("192.0.2.1:9", "a.example")));
}

} // namespace
