#include "server/directory.hpp"

#include <gtest/gtest.h>

namespace cw::server {
namespace {

Settings listening(std::string_view address, sip::Transport transport = sip::Transport::Udp) {
    Settings settings;
    settings.listeners.push_back({transport, {*IpAddress::parse(address), 5060}, {}});
    return settings;
}

bool names(const Settings& settings, std::string_view text) {
    const Directory directory{std::make_shared<const Settings>(settings)};
    const auto uri = sip::parse_uri(text);
    return uri && directory.is_listener(*uri);
}

TEST(Directory, KnowsItselfByTheNamesOfLoopback) {
    for (const auto* address : {"127.0.0.1", "0.0.0.0", "::1", "::"}) {
        for (const auto* uri : {"sip:localhost", "sip:alice@LocalHost:5060", "sip:a.localhost"}) {
            EXPECT_TRUE(names(listening(address), uri)) << address << ' ' << uri;
        }
        for (const auto* uri :
             {"sip:localhost:5061", "sip:notlocalhost", "sip:localhost.example"}) {
            EXPECT_FALSE(names(listening(address), uri)) << address << ' ' << uri;
        }
    }
    EXPECT_FALSE(names(listening("192.0.2.1"), "sip:localhost"));
}

TEST(Directory, KnowsItselfByLoopbackAddressesThatItHears) {
    EXPECT_TRUE(names(listening("0.0.0.0"), "sip:127.0.0.1"));
    EXPECT_TRUE(names(listening("0.0.0.0"), "sip:127.1.2.3"));
    EXPECT_TRUE(names(listening("::"), "sip:[::1]"));
    EXPECT_TRUE(names(listening("127.0.0.1"), "sip:127.0.0.1"));
    EXPECT_FALSE(names(listening("127.0.0.1"), "sip:127.0.0.2"));
    EXPECT_FALSE(names(listening("0.0.0.0"), "sip:[::1]"));
    EXPECT_FALSE(names(listening("192.0.2.1"), "sip:127.0.0.1"));
}

} // namespace
} // namespace cw::server
