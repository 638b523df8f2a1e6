// The streams of real captures against what was sent and what others measured.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "rtp/heuristic.hpp"
#include "rtp/packet.hpp"
#include "rtp/payload_types.hpp"
#include "rtp/stream.hpp"

namespace cw::rtp {
namespace {

std::uint32_t little32(const std::uint8_t* p) {
    return __builtin_bswap32(load_be32(p));
}

// Calls use(time, payload) for each UDP datagram in a little-endian microsecond pcap of Ethernet or
// raw IPv4 frames: as much of a reader as this test needs.
template <class Use>
void each_datagram(const std::vector<std::uint8_t>& file, Use use) {
    const std::size_t link = file[20] == 1 ? 14 : 0;
    for (std::size_t at = 24; at + 16 <= file.size();) {
        const auto* record = file.data() + at;
        const std::size_t size = little32(record + 8);
        if (size > file.size() - at - 16) {
            return;
        }
        const Bytes ip = Bytes{record + 16, size}.subspan(link);
        const Instant time{little32(record) * 1'000'000'000LL + little32(record + 4) * 1000LL};
        const std::size_t header = (ip[0] & 0x0fU) * 4U;
        if (ip.size() > header + 8 && ip[0] >> 4 == 4 && ip[9] == 17) {
            use(time, ip.subspan(header + 8));
        }
        at += 16 + size;
    }
}

std::vector<std::uint8_t> material(const std::string& name) {
    std::ifstream in{std::string{CALLWRIGHT_SHARED_DIR "/material/captures/"} + name,
                     std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

// By SSRC; only packets that a Recogniser was sure of.
std::map<std::uint32_t, StreamStats> streams_of(const std::vector<std::uint8_t>& file) {
    std::map<std::uint32_t, StreamStats> streams;
    Recogniser recogniser;
    each_datagram(file, [&](Instant time, Bytes payload) {
        if (!recogniser.add(payload, time)) {
            return;
        }
        const auto packet = parse(payload);
        auto& stream = streams[packet->ssrc];
        for (const auto& held : recogniser.held()) {
            stream.add(held);
        }
        const auto* type = static_payload_type(packet->payload_type);
        stream.add({.time = time,
                    .timestamp = packet->timestamp,
                    .clock = type == nullptr ? 0 : type->clock,
                    .sequence = packet->sequence,
                    .payload_type = packet->payload_type,
                    .marker = packet->marker});
    });
    return streams;
}

TEST(Material, AnUndisturbedCallHasBothStreamsWhole) {
    const auto file = material("lab/udp_rtp.pcap");
    if (file.empty()) {
        GTEST_SKIP() << "the shared captures are not here";
    }
    const auto streams = streams_of(file);
    ASSERT_EQ(streams.size(), 2U);
    const auto& there = streams.at(0x61b36857);
    EXPECT_EQ(there.packets(), 350U);
    EXPECT_EQ(there.lost(), 0);
    EXPECT_NEAR(there.max_jitter_ms(), 1.983, 0.001);
    EXPECT_NEAR(there.mean_jitter_ms(), 1.077, 0.001);
    EXPECT_NEAR(there.longest_gap().milliseconds(), 25.362, 0.001);
    const auto& back = streams.at(0x25d7dacc);
    EXPECT_EQ(back.packets(), 350U);
    EXPECT_NEAR(back.max_jitter_ms(), 1.638, 0.001);
}

TEST(Material, SeventeenDroppedPacketsAreMissingThoughSixDuplicatesHideThemFromTheRfcCount) {
    const auto file = material("lab-derived/rtp_loss17_dup.pcap");
    if (file.empty()) {
        GTEST_SKIP() << "the shared captures are not here";
    }
    const auto streams = streams_of(file);
    const auto& stream = streams.at(0x25d7dacc);
    EXPECT_EQ(stream.packets(), 339U);
    EXPECT_EQ(stream.missing(), 17U);
    EXPECT_EQ(stream.duplicates(), 6U);
    EXPECT_EQ(stream.lost(), 11);
    EXPECT_EQ(stream.expected(), 350U);
    EXPECT_NEAR(stream.max_jitter_ms(), 1.590, 0.001);
    EXPECT_NEAR(stream.longest_gap().milliseconds(), 159.376, 0.001) << "the burst of seven";
}

} // namespace
} // namespace cw::rtp
