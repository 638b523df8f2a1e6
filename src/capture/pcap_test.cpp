#include "capture/pcap.hpp"

#include <gtest/gtest.h>

#include "capture/packet_source.hpp"
#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

// "time in ns/captured of original/link" of each packet, then the problems.
std::string read(const Octets& file) {
    auto source = PacketSource::open_memory(file);
    if (!source) {
        return source.error().what;
    }
    std::string all;
    while (const auto* packet = (*source)->next()) {
        all += std::to_string(packet->time.ns) + "/" + std::to_string(packet->data.size()) +
               " of " + std::to_string(packet->original_length) + "/" +
               std::to_string(packet->link_type) + "; ";
    }
    for (const auto& problem : (*source)->problems()) {
        all += "! " + problem + "; ";
    }
    return all;
}

TEST(Pcap, IsReadInBothByteOrders) {
    EXPECT_EQ(read(pcap_header(101) + pcap_record(7, zeros(5))), "7250000000/5 of 5/101; ");
    EXPECT_EQ(read(hex("a1b2c3d4 0002 0004 00000000 00000000 00040000 00000065"
                       "00000007 0003d090 00000002 00000009 abcd")),
              "7250000000/2 of 9/101; ");
}

TEST(Pcap, KnowsNanosecondsAndTheLongRecord) {
    EXPECT_EQ(read(hex("a1b23c4d 0002 0004 00000000 00000000 00040000 00000001"
                       "00000007 00000005 00000001 00000001 ab")),
              "7000000005/1 of 1/1; ");
    EXPECT_EQ(read(hex("a1b2cd34 0002 0004 00000000 00000000 00040000 00000001"
                       "00000007 00000005 00000001 00000001 00000002 0800 00 00 ab")),
              "7000005000/1 of 1/1; ");
}

TEST(Pcap, LeavesOutTheBitsOfTheFrameCheckSequence) {
    EXPECT_EQ(read(pcap_header(0x24000001) + pcap_record(7, zeros(5))), "7250000000/5 of 5/1; ");
}

TEST(Pcap, SwapsTheLengthsOfOldVersions) {
    EXPECT_EQ(read(hex("a1b2c3d4 0002 0002 00000000 00000000 00040000 00000001"
                       "00000007 00000005 00000009 00000002 abcd")),
              "7000005000/2 of 9/1; ");
}

TEST(Pcap, CutAnywhereGivesWhatItHoldsAndSaysSo) {
    const auto whole = pcap_header(1) + pcap_record(7, zeros(5)) + pcap_record(8, zeros(90));
    for (std::size_t n = 4; n < whole.size(); ++n) {
        const auto out = read({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)});
        const auto packets = std::string{n >= 45 ? "7250000000/5 of 5/1; " : ""};
        if (n == 24 || n == 45) {
            EXPECT_EQ(out, packets); // between packets: nothing tells
        } else {
            EXPECT_TRUE(out.starts_with(packets + "! cut in the ")) << n << ": " << out;
        }
    }
    EXPECT_EQ(read({whole.begin(), whole.end() - 67}),
              "7250000000/5 of 5/1; ! cut in the middle of packet 2 (23 of 90 bytes); ");
}

TEST(Pcap, FindsTheNextPacketAfterDamage) {
    const auto damage = hex("ffffffff ffffffff ffffffff ffffffff 0102030405");
    EXPECT_EQ(read(pcap_header(1) + pcap_record(7, zeros(50)) + damage + pcap_record(8, zeros(60)) +
                   pcap_record(9, zeros(70)) + damage),
              "7250000000/50 of 50/1; 8250000000/60 of 60/1; 9250000000/70 of 70/1; "
              "! packet 2 claims 4294967295 bytes, more than the 262144 that any link carries "
              "(and 1 more like this); "
              "! 21 damaged bytes before packet 2 were left out; "
              "! the last 21 bytes, after packet 3, make no sense; ");
}

TEST(Pcap, PassesOverAPacketThatIsTooLarge) {
    EXPECT_EQ(read(pcap_header(1) + pcap_record(7, zeros(300'000)) + pcap_record(8, zeros(60)) +
                   pcap_record(9, zeros(70))),
              "8250000000/60 of 60/1; 9250000000/70 of 70/1; "
              "! packet 1 claims 300000 bytes, more than the 262144 that any link carries; "
              "! 300016 damaged bytes before packet 1 were left out; ");
}

} // namespace
} // namespace cw::capture
