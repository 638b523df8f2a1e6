#include "host/stage/places.hpp"

#include <gtest/gtest.h>

#include "host/own_address.hpp"

namespace cw::host {
namespace {

using sip::Transport;

play::Cast cast_with(std::string_view real_system) {
    play::Cast cast;
    for (const auto* id : {"alice", "sbc"}) {
        auto& member = cast.members.emplace_back();
        member.id = id;
        member.listens[static_cast<std::size_t>(Transport::Udp)] = true;
    }
    cast.members[1].control = script::Control::External;
    cast.members[1].at[static_cast<std::size_t>(Transport::Udp)] =
        Endpoint{*IpAddress::parse(real_system), 5060};
    return cast;
}
Endpoint udp_of(const Places& places, const play::Cast& cast, bool ipv6 = false) {
    return places.of(cast.members[0], Transport::Udp, ipv6);
}

TEST(Places, AreOnTheLoopbackWhereTheRealSystemIs) {
    const auto cast = cast_with("127.0.0.1");
    const auto places = Places::make(cast, {});
    ASSERT_TRUE(places);
    EXPECT_EQ(to_string(udp_of(*places, cast)), "127.0.0.1:0");
    EXPECT_EQ(to_string(udp_of(*places, cast, true)), "[::1]:0");
    EXPECT_EQ(to_string(places->media_of(cast.members[0], false)), "127.0.0.1");
}

TEST(Places, FaceARealSystemOnAnotherMachine) {
    const auto other = *IpAddress::parse("198.51.100.7");
    const auto cast = cast_with("198.51.100.7");
    const auto places = Places::make(cast, {});
    ASSERT_TRUE(places);
    EXPECT_EQ(udp_of(*places, cast).address, own_address_towards(other));
    EXPECT_EQ(places->media_of(cast.members[0], false), own_address_towards(other));
    EXPECT_EQ(to_string(udp_of(*places, cast, true)), "[::1]:0"); // it has no IPv6
}

TEST(Places, AreWhereListenSays) {
    const auto cast = cast_with("127.0.0.1");
    const auto places = Places::make(cast, {{"alice", Transport::Udp, "127.0.0.9", 5062}});
    ASSERT_TRUE(places);
    EXPECT_EQ(to_string(udp_of(*places, cast)), "127.0.0.9:5062");
    EXPECT_EQ(to_string(udp_of(*places, cast, true)), "[::1]:0");
    EXPECT_EQ(to_string(places->media_of(cast.members[0], false)), "127.0.0.9");
}

TEST(Places, WhatCannotBeIsRefused) {
    const auto cast = cast_with("127.0.0.1");
    const auto why = [&](RealSystem listen) { return Places::make(cast, {listen}).error(); };
    EXPECT_EQ(why({"alice", Transport::Tls, "127.0.0.1", 0}),
              "--listen: alice is not reached over tls in this flow, but over udp");
    EXPECT_EQ(why({"alice", Transport::Udp, "alice.lab", 0}),
              "--listen: alice.lab is no IP address");
    EXPECT_EQ(why({"sbc", Transport::Udp, "127.0.0.1", 0}),
              "--listen: sbc is a real system; --at says where it is");
}

} // namespace
} // namespace cw::host
