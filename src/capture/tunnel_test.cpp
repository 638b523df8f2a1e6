#include <gtest/gtest.h>

#include "capture/decapsulate.hpp"
#include "capture/exported_message.hpp"
#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

constexpr const char* the_call = "udp 10.0.0.1:5060 > 10.0.0.2:5070 hello";

std::string inside(std::uint32_t protocol, const Octets& payload) {
    Bench bench{101};
    const auto out = bench.frame(
        ipv4({.protocol = protocol, .source = "c0000201", .destination = "c0000202"}, payload));
    return out.empty() ? "ignored: " + bench.ignored() : out;
}
std::string inside_udp(std::uint32_t port, const Octets& payload) {
    return inside(17, udp(40000, port, payload));
}

TEST(Tunnel, IpInIp) {
    EXPECT_EQ(inside(4, call()), the_call);
    EXPECT_EQ(inside(41, ipv6(17, udp(1, 2, text("six")))),
              "udp [2001:db8::1]:1 > [2001:db8::2]:2 six");
    EXPECT_EQ(inside(137, hex("00001140") + call()), the_call);
}

TEST(Tunnel, GreWithEachOfItsFields) {
    EXPECT_EQ(inside(47, hex("0000 0800") + call()), the_call);
    EXPECT_EQ(inside(47, hex("b000 0800 00000000 0000002a 00000001") + call()), the_call);
    EXPECT_EQ(inside(47, hex("2000 6558 0000002a") + ethernet(0x0800, call())), the_call);
    EXPECT_EQ(inside(47, hex("3081 880b 0000002a 00000001 00000002 ff03 0021") + call()), the_call);
    EXPECT_EQ(inside(47, hex("4000 0800 00000000") + call()), "ignored: gre routing 0 1");
    EXPECT_EQ(inside(47, hex("2000 0800")), "ignored: gre header cut 1");
}

TEST(Tunnel, ErspanOfThreeTypes) {
    const auto frame = ethernet(0x0800, call());
    EXPECT_EQ(inside(47, hex("0000 88be") + frame), the_call);
    EXPECT_EQ(inside(47, hex("1000 88be 00000001 10640001 00000000") + frame), the_call);
    EXPECT_EQ(inside(47, hex("1000 22eb 00000001 20640001 00000000 00000000") + frame), the_call);
    EXPECT_EQ(inside(47, hex("1000 22eb 00000001 20640001 00000000 00000001") + zeros(8) + frame),
              the_call);
    EXPECT_EQ(inside(47, hex("1000 22eb 00000001 20640001 00000000 00000800") + call()), the_call);
}

TEST(Tunnel, VxlanAndGeneve) {
    const auto frame = ethernet(0x0800, call());
    EXPECT_EQ(inside_udp(4789, hex("08000000 00002a00") + frame), the_call);
    EXPECT_EQ(inside_udp(8472, hex("88000007 00002a00") + frame), the_call);
    EXPECT_EQ(inside_udp(6081, hex("0000 6558 00002a00") + frame), the_call);
    EXPECT_EQ(inside_udp(6081, hex("0240 0800 00002a00 0000000000000000") + call()), the_call);
}

TEST(Tunnel, GtpWithItsExtensionHeaders) {
    const auto n = static_cast<std::uint32_t>(call().size());
    EXPECT_EQ(inside_udp(2152, hex("30ff") + be16(n) + be32(7) + call()), the_call);
    EXPECT_EQ(inside_udp(2152, hex("34ff") + be16(n + 8) + be32(7) + hex("000000 85 01 1000 00") +
                                   call()),
              the_call);
    EXPECT_EQ(inside_udp(2152, hex("32ff") + be16(n + 4) + be32(7) + hex("000100 00") + call()),
              the_call);
    EXPECT_EQ(inside_udp(2152, hex("3201 0004 00000000 00000000")), "ignored: gtp control 1");
}

TEST(Tunnel, Tzsp) {
    EXPECT_EQ(inside_udp(37008, hex("0100 0001 00 0a0101 01") + ethernet(0x0800, call())),
              the_call);
}

TEST(Tunnel, WhatOnlyHasThePortIsPlainUdp) {
    for (const auto port : {4789U, 8472U, 6081U, 2152U, 37008U}) {
        EXPECT_EQ(inside_udp(port, text("INVITE sip:x")),
                  "udp 192.0.2.1:40000 > 192.0.2.2:" + std::to_string(port) + " INVITE sip:x");
    }
}

TEST(ExportedPdu, SipIsWhole) {
    Bench bench{252};
    const auto tags = hex("000c 0004 73697000 0014 0004 0a000001 0015 0004 0a000002 0018 0004") +
                      be32(2) + hex("0019 0004 000013c4 001a 0004 000013c5 0000 0000");
    EXPECT_EQ(bench.frame(tags + text("BYE sip:x")), "sip 10.0.0.1:5060 > 10.0.0.2:5061 BYE sip:x");
    EXPECT_EQ(bench.last.carried_over, sip::Transport::Tcp);
}

TEST(ExportedPdu, WhatWeExportReadsBackAsItWas) {
    using sip::Transport;
    for (const auto transport : {Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Ws,
                                 Transport::Wss, Transport::Sctp}) {
        Bench bench{252};
        std::string packet;
        append_exported_message(packet, {*IpAddress::parse("192.0.2.1"), 5061},
                                {*IpAddress::parse("2001:db8::2"), 5062}, transport, "BYE sip:x");
        EXPECT_EQ(bench.frame(text(packet)), "sip 192.0.2.1:5061 > [2001:db8::2]:5062 BYE sip:x");
        EXPECT_EQ(bench.last.carried_over, transport);
    }
}

TEST(ExportedPdu, OthersByUdpOrByName) {
    Bench bench{252};
    EXPECT_EQ(bench.frame(hex("000c 0003 727470 0018 0004 00000003 0000 0000") + text("media")),
              "udp [::]:0 > [::]:0 media");
    EXPECT_EQ(bench.frame(hex("000c 0002 6970 0000 0000") + call()), the_call);
    EXPECT_EQ(bench.frame(hex("000c 0004 68747470 0018 0004 00000002 0000 0000") + text("GET /")),
              "");
    EXPECT_EQ(bench.frame(hex("000c 00ff 6874")), "");
    EXPECT_EQ(bench.ignored(), "exported pdu http 1, exported pdu malformed 1");
}

} // namespace
} // namespace cw::capture
