#include "capture/decapsulate.hpp"

#include <gtest/gtest.h>

#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

constexpr const char* the_call = "udp 10.0.0.1:5060 > 10.0.0.2:5070 hello";

std::string through(std::uint32_t link_type, const Octets& frame) {
    Bench bench{link_type};
    const auto out = bench.frame(frame);
    return out.empty() ? "ignored: " + bench.ignored() : out;
}

TEST(Link, EveryKnownTypeLeadsToIp) {
    EXPECT_EQ(through(1, ethernet(0x0800, call())), the_call);
    EXPECT_EQ(through(1, ethernet(0x0800, call()) + zeros(20)), the_call); // padding
    EXPECT_EQ(through(0, le32(2) + call()), the_call);
    EXPECT_EQ(through(0, be32(2) + call()), the_call);
    EXPECT_EQ(through(108, be32(2) + call()), the_call);
    for (const auto type : {12U, 14U, 101U, 228U}) {
        EXPECT_EQ(through(type, call()), the_call);
    }
    EXPECT_EQ(through(9, hex("ff03 0021") + call()), the_call);
    EXPECT_EQ(through(9, hex("0021") + call()), the_call);
    EXPECT_EQ(through(9, hex("21") + call()), the_call); // both fields compressed
    EXPECT_EQ(through(50, hex("ff03 0021") + call()), the_call);
    EXPECT_EQ(through(50, hex("0f00 0800") + call()), the_call);
    for (const auto type : {166U, 204U}) { // a direction before it
        EXPECT_EQ(through(type, hex("00 ff03 0021") + call()), the_call);
        EXPECT_EQ(through(type, hex("01 0021") + call()), the_call);
    }
    EXPECT_EQ(through(166, hex("01 03 0021") + call()), the_call); // instead of the address
    EXPECT_EQ(through(104, hex("8f00 0800") + call()), the_call);
    EXPECT_EQ(through(113, hex("0000 0001 0006 020000000001 0000 0800") + call()), the_call);
    EXPECT_EQ(through(276, hex("0800 0000 00000003 0001 00 06 0200000000010000") + call()),
              the_call);
    EXPECT_EQ(through(51, hex("11 00 1234") + be16(35) + hex("0021") + call()), the_call);
}

TEST(Link, NflogIsReadInTheByteOrderOfItsMachine) {
    const auto n = static_cast<std::uint32_t>(call().size()) + 4;
    EXPECT_EQ(through(239, hex("02 00 0000") + le16(5) + le16(10) + hex("00000000") + le16(n) +
                               le16(9) + call()),
              the_call);
    EXPECT_EQ(through(239, hex("02 00 0000") + be16(5) + be16(10) + hex("00000000") + be16(n) +
                               be16(9) + call()),
              the_call);
    EXPECT_EQ(through(239, hex("02 00 0000") + le16(5) + le16(10) + hex("00000000")),
              "ignored: nflog without payload 1");
}

TEST(Link, TagsLabelsAndSessionsAreTakenOff) {
    EXPECT_EQ(through(1, ethernet(0x8100, hex("0064 0800") + call())), the_call);
    EXPECT_EQ(through(1, ethernet(0x88a8, hex("0064 8100 0065 0800") + call())), the_call);
    EXPECT_EQ(through(1, ethernet(0x9100, hex("0064 8100 0065 0800") + call())), the_call);
    EXPECT_EQ(through(1, ethernet(0x8847, hex("00010040 00020140") + call())), the_call);
    const auto pseudowire = ethernet(0x0800, call());
    EXPECT_EQ(through(1, ethernet(0x8847, hex("00020140 00000000") + pseudowire)), the_call);
    EXPECT_EQ(through(1, ethernet(0x8847, hex("00020140") + pseudowire)), the_call);
    EXPECT_EQ(through(1, ethernet(0x8864, hex("11 00 1234") + be16(35) + hex("0021") + call())),
              the_call);
    EXPECT_EQ(through(1, ethernet(static_cast<std::uint32_t>(call().size()) + 8,
                                  hex("aaaa03 000000 0800") + call())),
              the_call);
}

TEST(Link, WhatIsNotUnderstoodIsCountedByName) {
    Bench bench{1};
    bench.frame(ethernet(0x0806, zeros(28)));
    bench.frame(ethernet(0x0806, zeros(28)));
    bench.frame(ethernet(0x88cc, zeros(28)));
    bench.frame(ethernet(0x88f7, zeros(28)));
    bench.frame(ethernet(38, hex("424203") + zeros(35)));
    bench.frame(zeros(13));
    EXPECT_EQ(bench.ignored(), "arp 2, lldp 1, ethertype 0x88f7 1, stp 1, ethernet header cut 1");
    EXPECT_EQ(through(147, call()), "ignored: link type 147 1");
    EXPECT_EQ(through(0, le32(99) + call()), "ignored: loopback family 99 1");
}

TEST(Ignored, KeepsNoMoreThanItsNames) {
    Ignored ignored;
    for (std::uint32_t i = 0; i < 1000; ++i) {
        ignored.add("link type", i);
    }
    ignored.add_named("exported pdu", "x\ny");
    EXPECT_EQ(ignored.entries().size(), 65U);
    EXPECT_EQ(ignored.count_of("link type 63"), 1U);
    EXPECT_EQ(ignored.count_of("others"), 1000U - 64 + 1);
}

TEST(Ip, ErrorsThatQuotePacketsAreNotPackets) {
    EXPECT_EQ(through(101, ipv4({.protocol = 1}, hex("0303 0000 00000000") + call())),
              "ignored: icmp 1");
    EXPECT_EQ(through(101, ipv6(58, hex("0104 0000 00000000") + call())), "ignored: icmpv6 1");
}

TEST(Ip, OptionsAndExtensionHeadersAreSteppedOver) {
    auto with_options = call();
    with_options[0] = 0x46;
    with_options[3] = static_cast<std::uint8_t>(with_options[3] + 4);
    with_options.insert(with_options.begin() + 20, {1, 1, 1, 0});
    EXPECT_EQ(through(101, with_options), the_call);

    const auto v6 = "udp [2001:db8::1]:5060 > [2001:db8::2]:5070 hello";
    const auto inside = udp(5060, 5070, text("hello"));
    EXPECT_EQ(through(101, ipv6(17, inside)), v6);
    EXPECT_EQ(through(229, ipv6(0, hex("3c00 000000000000 2b00 000000000000 1100 000000000000") +
                                       inside)),
              v6);
    EXPECT_EQ(through(101, ipv6(44, hex("1100 0000 00000007") + inside)), v6); // atomic fragment
    EXPECT_EQ(through(101, ipv6(51, hex("1101 0000 00000001 00000002") + inside)), v6);
    EXPECT_EQ(through(101, ipv4({.protocol = 51}, hex("1101 0000 00000001 00000002") + inside)),
              the_call);
    EXPECT_EQ(through(101, ipv6(59, {})), "ignored: ipv6 no next header 1");
    EXPECT_EQ(through(101, ipv6(0, hex("3cff 000000000000"))),
              "ignored: ipv6 extension header cut 1");
    EXPECT_EQ(through(101, ipv4({.protocol = 50}, zeros(40))), "ignored: esp 1");
}

TEST(Ip, LengthLeftToTheNetworkCardMeansAllOfTheFrame) {
    auto offloaded = call();
    offloaded[2] = offloaded[3] = 0;
    EXPECT_EQ(through(101, offloaded), the_call);
    auto no_udp_length = call();
    no_udp_length[24] = no_udp_length[25] = 0;
    EXPECT_EQ(through(101, no_udp_length), the_call);
}

TEST(Ip, BadLengthsAreRefused) {
    auto short_header = call();
    short_header[0] = 0x44;
    EXPECT_EQ(through(101, short_header), "ignored: ipv4 malformed 1");
    auto short_total = call();
    short_total[3] = 19;
    EXPECT_EQ(through(101, short_total), "ignored: ipv4 malformed 1");
    auto short_udp = call();
    short_udp[25] = 7;
    EXPECT_EQ(through(101, short_udp), "ignored: udp malformed 1");
    auto short_tcp = ipv4({.protocol = 6}, tcp(1, 2, 3, {}));
    short_tcp[32] = 0x40;
    EXPECT_EQ(through(101, short_tcp), "ignored: tcp malformed 1");
}

TEST(Ip, WhatTheCaptureCutIsCounted) {
    Bench bench{1};
    auto frame = ethernet(0x0800, call());
    frame.resize(frame.size() - 3);
    EXPECT_EQ(bench.frame(frame, 3), "udp 10.0.0.1:5060 > 10.0.0.2:5070 he-3");
    EXPECT_TRUE(bench.last.truncated);
    auto segment = ethernet(0x0800, ipv4({.protocol = 6}, tcp(1, 2, 3, text("stream"))));
    segment.resize(segment.size() - 6);
    EXPECT_EQ(bench.frame(segment, 6), "tcp 10.0.0.1:1 > 10.0.0.2:2 -6");
}

TEST(Transport, HeaderFieldsOfTcpComeWithThePayload) {
    Bench bench{101};
    auto segment = ipv4({.protocol = 6, .id = 0x1234}, tcp(5061, 40000, 0xfffffffe, text("abc")));
    EXPECT_EQ(bench.frame(segment), "tcp 10.0.0.1:5061 > 10.0.0.2:40000 abc");
    EXPECT_EQ(bench.last.tcp_sequence, 0xfffffffe);
    EXPECT_EQ(bench.last.tcp_acknowledged, 77U);
    EXPECT_EQ(bench.last.tcp_flags, 0x18);
    EXPECT_EQ(bench.last.ip_id, 0x1234);
    EXPECT_EQ(bench.last.frame, 1U);
    EXPECT_FALSE(bench.last.truncated);
}

TEST(Transport, SctpGivesItsChunks) {
    EXPECT_EQ(
        through(101, ipv4({.protocol = 132}, hex("13c4 13c5 00000001 00000000") + text("chunks"))),
        "sctp 10.0.0.1:5060 > 10.0.0.2:5061 chunks");
}

TEST(Decapsulator, StopsAtSixteenLevels) {
    auto packet = call();
    for (int i = 0; i < 15; ++i) {
        packet = ipv4({.protocol = 4}, packet);
    }
    EXPECT_EQ(through(101, packet), the_call);
    EXPECT_EQ(through(101, ipv4({.protocol = 4}, packet)), "ignored: nested too deep 1");
    Octets tags;
    for (int i = 0; i < 1000; ++i) {
        tags = tags + hex("0001 8100");
    }
    EXPECT_EQ(through(1, ethernet(0x8100, tags)), "ignored: nested too deep 1");
}

TEST(Decapsulator, TakesEveryBeginningOfAFrame) {
    const auto inner = ethernet(0x8100, hex("0064 0800") + call());
    const auto whole = ethernet(0x0800, ipv4({}, udp(9, 4789, hex("08000000 00002a00") + inner)));
    for (std::size_t n = 0; n < whole.size(); ++n) {
        Bench bench{1};
        const Octets part{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)};
        const auto out = bench.frame(part, static_cast<std::uint32_t>(whole.size() - n));
        EXPECT_TRUE(!out.empty() || !bench.ignored().empty()) << n;
    }
}

} // namespace
} // namespace cw::capture
