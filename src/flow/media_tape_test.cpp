#include "flow/media_tape.hpp"

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

constexpr Instant start{1'700'000'000'000'000'000};

TEST(MediaTape, PlaysEachStreamInItsOrderAndOnlyInItsTime) {
    MediaTape tape;
    MediaStream first;
    first.source = *parse_endpoint("10.0.0.1:4000", 0);
    first.destination = *parse_endpoint("10.0.0.2:6000", 0);
    first.ssrc = 7;
    auto second = first; // the same ends and SSRC, an hour later
    first.first = start;
    first.last = start + seconds(20);
    second.first = start + seconds(3600);
    second.last = start + seconds(3620);
    auto other = first;
    other.ssrc = 8;
    std::vector<std::uint8_t> payload(160);
    for (std::uint16_t i = 0; i < 1000; ++i) { // many blocks
        payload[0] = static_cast<std::uint8_t>(i);
        for (const auto* stream : {&first, &second, &other}) {
            tape.on_media_packet({.time = stream->first + milliseconds(20 * i),
                                  .source = stream->source,
                                  .destination = stream->destination,
                                  .ssrc = stream->ssrc,
                                  .timestamp = i * 160U,
                                  .clock = 8000,
                                  .sequence = i,
                                  .payload_type = 0,
                                  .encoding = stream == &other ? "PCMA" : "PCMU",
                                  .payload = payload});
        }
    }
    for (const auto* stream : {&first, &second, &other}) {
        std::uint16_t next = 0;
        tape.play(*stream, [&](const MediaPacket& packet) {
            EXPECT_EQ(packet.sequence, next);
            EXPECT_EQ(packet.timestamp, next * 160U);
            ASSERT_EQ(packet.payload.size(), 160U);
            EXPECT_EQ(packet.payload[0], next & 0xff);
            EXPECT_EQ(packet.encoding, stream == &other ? "PCMA" : "PCMU");
            EXPECT_EQ(packet.clock, 8000U);
            ++next;
        });
        EXPECT_EQ(next, 1000U);
    }
    auto unknown = first;
    unknown.ssrc = 9;
    tape.play(unknown, [](const MediaPacket&) { FAIL(); });
}

} // namespace
} // namespace cw::flow
