#include <array>

#include <gtest/gtest.h>

#include "host/probe/resolution.hpp"
#include "host/probe/target.hpp"
#include "host/probe/wire.hpp"

namespace cw::host {
namespace {

using sip::Transport;

TEST(ProbeTarget, IsReadInEveryFormThatIsPromised) {
    struct Row {
        const char* text;
        const char* host;
        std::uint16_t port;
        std::optional<Transport> transport;
        bool secure;
        const char* uri;
    };
    const auto rows = std::to_array<Row>({
        {"sips:Example.com", "example.com", 0, {}, true, "sips:example.com"},
        {"example.com", "example.com", 0, {}, true, "sips:example.com"},
        {"example.com:5071", "example.com", 5071, {}, true, "sips:example.com:5071"},
        {"sip:example.com", "example.com", 0, {}, false, "sip:example.com"},
        {"sip:alice@example.com;transport=tcp", "example.com", 0, Transport::Tcp, false,
         "sip:example.com;transport=tcp"},
        {"tls:192.0.2.1:5061", "192.0.2.1", 5061, Transport::Tls, true,
         "sip:192.0.2.1:5061;transport=tls"},
        {"tls:[2001:db8::1]", "2001:db8::1", 0, Transport::Tls, true,
         "sip:[2001:db8::1];transport=tls"},
        {"tls:[2001:db8::1]:5061", "2001:db8::1", 5061, Transport::Tls, true,
         "sip:[2001:db8::1]:5061;transport=tls"},
        {"udp:localhost", "localhost", 0, Transport::Udp, false, "sip:localhost;transport=udp"},
        {"wss://example.com/ws", "example.com", 0, Transport::Wss, true,
         "sip:example.com;transport=ws"},
    });
    for (const auto& row : rows) {
        const auto target = parse_probe_target(row.text);
        ASSERT_TRUE(target) << row.text << ": " << target.error().what;
        EXPECT_EQ(target->host, row.host) << row.text;
        EXPECT_EQ(target->port, row.port) << row.text;
        EXPECT_EQ(target->transport, row.transport) << row.text;
        EXPECT_EQ(target->secure, row.secure) << row.text;
        EXPECT_EQ(target->uri(), row.uri) << row.text;
    }
    EXPECT_EQ(parse_probe_target("wss:example.com/ws")->path, "/ws");
    EXPECT_EQ(parse_probe_target("wss:example.com:443")->host_header(), "example.com");
    EXPECT_EQ(parse_probe_target("ws:example.com:443")->host_header(), "example.com:443");
    EXPECT_EQ(parse_probe_target("wss:[2001:db8::1]:8443")->host_header(), "[2001:db8::1]:8443");
}

TEST(ProbeTarget, WhatIsNoTargetIsRefused) {
    for (const auto* text :
         {"", "tls:", "tls:example.com:0", "tls:example.com:99999", "tls:a b",
          "sips:", "sips:example.com;transport=udp", "tls:example.com/path",
          "sip:example.com;transport=pigeon", "ws:example.com/a b", "tls:exa\r\nmple.com"}) {
        const auto target = parse_probe_target(text);
        EXPECT_FALSE(target) << text;
    }
}

TEST(ProbeResolution, AddressesAndLocalhostNeedNoDns) {
    auto found = resolve(*parse_probe_target("tls:192.0.2.1"), seconds(1));
    ASSERT_EQ(found.places.size(), 1U);
    EXPECT_EQ(to_string(found.places[0].endpoint), "192.0.2.1:5061");
    found = resolve(*parse_probe_target("sip:localhost"), seconds(1));
    ASSERT_EQ(found.places.size(), 2U);
    EXPECT_EQ(found.places[0].transport, Transport::Udp);
    EXPECT_EQ(to_string(found.places[1].endpoint), "[::1]:5060");
    EXPECT_EQ(found.steps.size(), 1U);
}

TEST(HandshakeLog, NamesMessagesAndRemembersWhatTheServerAsks) {
    HandshakeLog log;
    const std::array<std::uint8_t, 5> request{13, 0, 0, 1, 0};
    log.on_handshake(false, request, {7});
    ASSERT_EQ(log.steps.size(), 1U);
    EXPECT_EQ(log.steps[0].name, "CertificateRequest");
    EXPECT_FALSE(log.steps[0].from_client);
    EXPECT_TRUE(log.certificate_asked);
    const std::array<std::uint8_t, 3> cut{13, 0, 0};
    log.on_handshake(false, cut, {8});
    EXPECT_EQ(log.steps.size(), 1U);
    const std::array<std::uint8_t, 2> alert{2, 116};
    log.on_alert(false, alert, {9});
    ASSERT_EQ(log.alerts.size(), 1U);
    EXPECT_EQ(log.alerts[0].name, "certificate_required");
    EXPECT_TRUE(log.alerts[0].fatal);
}

TEST(HandshakeLog, HoldsABoundedNumberOfMessages) {
    HandshakeLog log;
    const std::array<std::uint8_t, 4> message{24, 0, 0, 0};
    const std::array<std::uint8_t, 2> alert{1, 90};
    for (int i = 0; i < 10'000; ++i) {
        log.on_handshake(false, message, {1});
        log.on_alert(false, alert, {1});
    }
    EXPECT_EQ(log.steps.size(), 64U);
    EXPECT_EQ(log.alerts.size(), 64U);
}

TEST(ProbeWire, SaysWhyNobodyIsThere) {
    // A port that was free a moment ago.
    auto listener = net::listen_stream({*IpAddress::parse("127.0.0.1"), 0}, true);
    ASSERT_TRUE(listener);
    const auto at = net::local_endpoint(listener->get());
    listener->reset();
    Wire wire;
    const auto outcome = wire.connect(at, Instant{INT64_MAX});
    EXPECT_EQ(outcome.end, Wire::End::Failed);
    EXPECT_EQ(outcome.why, "connection refused");
    EXPECT_FALSE(wire.connected());
}

} // namespace
} // namespace cw::host
