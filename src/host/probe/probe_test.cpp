#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <map>
#include <thread>

#include <gtest/gtest.h>

#include "host/probe/resolution.hpp"
#include "host/probe/target.hpp"
#include "host/probe/wire.hpp"
#include "net/socket.hpp"
#include "net/test_dns.hpp"

namespace cw::host {
namespace {

using sip::Transport;
using namespace std::string_literals;

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

// A name server on loopback that answers until the test is over.
class NameServer {
  public:
    NameServer() : fd_(std::move(*net::bind_datagram({*IpAddress::parse("127.0.0.1"), 0}, true))) {
        at_ = net::local_endpoint(fd_.get());
    }
    // Answers from now on.
    [[nodiscard]] const Endpoint& at() {
        if (!thread_.joinable()) {
            thread_ = std::jthread{[this](const std::stop_token& stop) {
                while (!stop.stop_requested()) {
                    serve();
                }
            }};
        }
        return at_;
    }
    // By name and type: "example.com 35". Before at() was asked for.
    std::map<std::string, net::test::Reply> replies;

  private:
    void serve() {
        pollfd wait{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        if (::poll(&wait, 1, 20) != 1) {
            return;
        }
        sockaddr_storage from{};
        socklen_t size = sizeof from;
        std::string text(4096, '\0');
        const auto got = ::recvfrom(fd_.get(), text.data(), text.size(), 0,
                                    reinterpret_cast<sockaddr*>(&from), &size);
        const auto end = got > 12 ? text.find('\0', 12) : std::string::npos;
        if (end == std::string::npos) {
            return;
        }
        std::string name;
        for (std::size_t i = 12; i < end; i += static_cast<std::size_t>(text[i]) + 1) {
            name +=
                (name.empty() ? "" : ".") + text.substr(i + 1, static_cast<std::size_t>(text[i]));
        }
        const auto type = load_be16(as_bytes(std::string_view{text}).data() + end + 1);
        const auto at = replies.find(name + ' ' + std::to_string(type));
        const auto answer = net::test::reply(
            text.substr(0, 2), text.substr(12, end + 5 - 12),
            at != replies.end() ? at->second
                                : net::test::Reply{.authority = {net::test::soa(60, 60)}});
        ::sendto(fd_.get(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from),
                 size);
    }

    net::Descriptor fd_;
    Endpoint at_;
    std::jthread thread_;
};

std::string naptr(int order, std::string_view service, std::string_view replacement) {
    using namespace net::test;
    std::string data = be(static_cast<std::uint64_t>(order), 2) + be(50, 2);
    for (const auto text : {std::string_view{"s"}, service, std::string_view{}}) {
        data += static_cast<char>(text.size());
        data += text;
    }
    return record(to_question, 35, 300, data + wire_name(replacement));
}

// [RFC 3263 §4.1, §4.2]
TEST(ProbeResolution, FollowsNaptrAndSrvToAddresses) {
    using namespace net::test;
    NameServer dns;
    dns.replies["example.com 35"] = {.answers = {naptr(50, "SIPS+D2T", "_sips._tcp.example.com"),
                                                 naptr(90, "SIP+D2T", "_sip._tcp.example.com")}};
    dns.replies["_sips._tcp.example.com 33"] = {
        .answers = {record(to_question, 33, 300, srv(1, 0, 5071, "one.example.com")),
                    record(to_question, 33, 300, srv(2, 0, 5072, "two.example.com"))}};
    dns.replies["_sip._tcp.example.com 33"] = {
        .answers = {record(to_question, 33, 300, srv(1, 0, 5060, "one.example.com"))}};
    dns.replies["one.example.com 1"] = {
        .answers = {record(to_question, 1, 300, "\xc0\x00\x02\x01"s)}};
    dns.replies["two.example.com 1"] = {
        .answers = {record(to_question, 1, 300, "\xc0\x00\x02\x02"s)}};
    const auto where = [&](std::string_view target) {
        std::string places;
        for (const auto& place :
             resolve(*parse_probe_target(target), seconds(5), to_string(dns.at())).places) {
            places += std::string{sip::to_string(place.transport)} + ' ' +
                      to_string(place.endpoint) + '\n';
        }
        return places;
    };
    EXPECT_EQ(where("sips:example.com"), "tls 192.0.2.1:5071\ntls 192.0.2.2:5072\n");
    EXPECT_EQ(where("sip:example.com"),
              "tls 192.0.2.1:5071\ntls 192.0.2.2:5072\ntcp 192.0.2.1:5060\n");
    EXPECT_EQ(where("sip:example.com;transport=tcp"), "tcp 192.0.2.1:5060\n");
    EXPECT_EQ(where("tls:one.example.com:7"), "tls 192.0.2.1:7\n");
    const auto steps =
        resolve(*parse_probe_target("sips:example.com"), seconds(5), to_string(dns.at())).steps;
    ASSERT_GE(steps.size(), 2U);
    EXPECT_TRUE(steps[0].starts_with("NAPTR example.com: SIPS+D2T by _sips._tcp.example.com"))
        << steps[0];
    EXPECT_TRUE(steps[1].contains("one.example.com:5071 (priority 1, weight 0)")) << steps[1];
}

TEST(ProbeResolution, AsksForServicesWhereThereIsNoNaptr) {
    using namespace net::test;
    NameServer dns;
    dns.replies["_sips._tcp.example.net 33"] = {
        .answers = {record(to_question, 33, 300, srv(1, 0, 5081, "edge.example.net"))}};
    dns.replies["edge.example.net 1"] = {
        .answers = {record(to_question, 1, 300, "\xc0\x00\x02\x03"s)}};
    const auto found = resolve(*parse_probe_target("example.net"), seconds(5), to_string(dns.at()));
    ASSERT_EQ(found.places.size(), 1U);
    EXPECT_EQ(to_string(found.places[0].endpoint), "192.0.2.3:5081");
    EXPECT_TRUE(found.failure.empty());
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
