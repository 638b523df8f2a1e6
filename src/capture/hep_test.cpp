#include "capture/hep.hpp"

#include <gtest/gtest.h>

#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

Octets chunk(std::uint32_t type, const Octets& value) {
    return be16(0) + be16(type) + be16(static_cast<std::uint32_t>(value.size()) + 6) + value;
}
Octets version_3(std::uint32_t type, const Octets& more) {
    const auto chunks = chunk(1, u8(2)) + chunk(2, u8(6)) + chunk(3, hex("c0a80101")) +
                        chunk(4, hex("c0a80102")) + chunk(7, be16(5060)) + chunk(8, be16(5061)) +
                        chunk(9, be32(1'700'000'000)) + chunk(10, be32(250'000)) +
                        chunk(11, u8(type)) + chunk(12, be32(2001)) + more;
    return text("HEP3") + be16(static_cast<std::uint32_t>(chunks.size()) + 6) + chunks;
}

TEST(Hep, Version3CarriesItsOwnAddressesAndTime) {
    Bench bench{101};
    const auto packet = version_3(1, chunk(17, text("a@b")) + chunk(15, text("ACK sip:x")));
    EXPECT_EQ(bench.frame(ipv4({}, udp(50000, 9060, packet))),
              "sip 192.168.1.1:5060 > 192.168.1.2:5061 ACK sip:x");
    EXPECT_EQ(bench.last.time.ns, 1'700'000'000'250'000'000);
    EXPECT_EQ(bench.last.carried_over, sip::Transport::Tcp);
    const auto parsed = parse_hep(packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->agent, 2001U);
    EXPECT_EQ(as_text(parsed->correlation_id), "a@b");
}

TEST(Hep, Version3CarriesIpv6) {
    const auto six = chunk(5, hex("20010db8000000000000000000000005")) +
                     chunk(6, hex("20010db8000000000000000000000006")) + chunk(15, text("X"));
    const auto packet = version_3(1, six);
    const auto parsed = parse_hep(packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(to_string(parsed->source), "[2001:db8::5]:5060");
    EXPECT_EQ(to_string(parsed->destination), "[2001:db8::6]:5061");
}

TEST(Hep, OtherPayloadsAreCounted) {
    Bench bench{101};
    EXPECT_EQ(bench.frame(ipv4({}, udp(1, 2, version_3(5, chunk(15, text("{}")))))), "");
    EXPECT_EQ(bench.frame(ipv4({}, udp(1, 2, version_3(100, chunk(15, text("log")))))), "");
    EXPECT_EQ(bench.frame(ipv4({}, udp(1, 2, version_3(1, chunk(16, text("z")))))), "");
    EXPECT_EQ(bench.ignored(), "hep rtcp 1, hep type 100 1, hep compressed 1");
}

TEST(Hep, Version2HasATimeInLittleEndian) {
    const auto head = hex("02 1c 02 11 13c4 13c5 c0a80101 c0a80102");
    const auto time = le32(1'700'000'000) + le32(5) + le16(7);
    Bench bench{101};
    EXPECT_EQ(bench.frame(ipv4({}, udp(1, 9060, head + time + hex("0000") + text("ACK sip:x")))),
              "sip 192.168.1.1:5060 > 192.168.1.2:5061 ACK sip:x");
    EXPECT_EQ(bench.last.time.ns, 1'700'000'000'000'005'000);
    EXPECT_EQ(bench.last.carried_over, sip::Transport::Udp);
}

TEST(Hep, Version1HasNone) {
    const auto packet = hex("01 10 02 11 13c4 13c5 c0a80101 c0a80102") + text("ACK sip:x");
    const auto parsed = parse_hep(packet);
    ASSERT_TRUE(parsed);
    EXPECT_FALSE(parsed->time.known());
    EXPECT_EQ(as_text(parsed->payload), "ACK sip:x");
}

TEST(Hep, LengthIsKnownAfterSixBytes) {
    const auto packet = version_3(1, chunk(15, text("x")));
    const Bytes bytes = packet;
    for (std::size_t n = 0; n < 6; ++n) {
        EXPECT_EQ(hep_length(bytes.first(n)), 0U);
    }
    EXPECT_EQ(hep_length(bytes.first(6)), packet.size());
    EXPECT_FALSE(hep_length(as_bytes("HTTP")));
    EXPECT_FALSE(hep_length(as_bytes(std::string_view{"HEP3\0\5", 6})));
}

TEST(Hep, DamagedPacketsAreNotHep) {
    const auto packet = version_3(1, chunk(15, text("ACK")));
    for (std::size_t n = 0; n < packet.size(); ++n) {
        const Octets part{packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(n)};
        EXPECT_FALSE(parse_hep(part)) << n;
    }
    auto bad_chunk = packet;
    bad_chunk[10] = 0;
    bad_chunk[11] = 5; // a length smaller than its own header
    EXPECT_FALSE(parse_hep(bad_chunk));
    // RTP begins with 0x80; STUN with 0 or 1 and another second byte.
    EXPECT_FALSE(parse_hep(hex("0101 0044 2112a442 000000000000000000000000")));
}

} // namespace
} // namespace cw::capture
