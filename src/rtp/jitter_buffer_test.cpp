#include "rtp/jitter_buffer.hpp"

#include <gtest/gtest.h>

#include <array>

namespace cw::rtp {
namespace {

using Packet = std::array<std::int16_t, 160>;

Packet packet(std::int16_t value) {
    Packet out{};
    out.fill(value);
    return out;
}
bool put(JitterBuffer& buffer, std::uint32_t number, bool talkspurt = false) {
    return buffer.put(0xffff'ff00U + number * 160, packet(static_cast<std::int16_t>(number + 1)),
                      talkspurt);
}
std::int16_t take(JitterBuffer& buffer) {
    Packet out{};
    buffer.take(out);
    EXPECT_EQ(out.front(), out.back());
    return out.front();
}

TEST(JitterBuffer, gives_out_what_came_three_packets_later_and_in_order) {
    JitterBuffer buffer;
    EXPECT_EQ(take(buffer), 0);
    EXPECT_TRUE(put(buffer, 0)); // its timestamps wrap after the first packets
    EXPECT_TRUE(put(buffer, 2));
    EXPECT_TRUE(put(buffer, 1));
    EXPECT_TRUE(put(buffer, 4)); // 3 is lost
    for (const int expected : {0, 0, 0, 1, 2, 3, 0, 5, 0}) {
        EXPECT_EQ(take(buffer), expected);
    }
}

TEST(JitterBuffer, refuses_what_comes_too_late) {
    JitterBuffer buffer;
    EXPECT_TRUE(put(buffer, 0));
    for (int i = 0; i < 5; ++i) {
        take(buffer);
    }
    EXPECT_FALSE(put(buffer, 0));
    EXPECT_TRUE(put(buffer, 3));
}

TEST(JitterBuffer, begins_anew_when_all_comes_too_late) {
    JitterBuffer buffer;
    EXPECT_TRUE(put(buffer, 0));
    for (int i = 0; i < 50; ++i) { // the sender paused, and its timestamps with it
        take(buffer);
    }
    unsigned refused = 0;
    for (std::uint32_t i = 1; i <= 10; ++i) {
        refused += put(buffer, i) ? 0 : 1;
        take(buffer);
    }
    EXPECT_EQ(refused, 4U);
    EXPECT_NE(take(buffer), 0);
}

TEST(JitterBuffer, a_talkspurt_may_have_other_timestamps) {
    JitterBuffer buffer;
    EXPECT_TRUE(put(buffer, 100));
    EXPECT_TRUE(put(buffer, 3, true));
    for (const int expected : {0, 0, 0, 4, 0}) {
        EXPECT_EQ(take(buffer), expected);
    }
}

TEST(JitterBuffer, a_leap_forward_is_followed_at_once) {
    JitterBuffer buffer;
    EXPECT_TRUE(put(buffer, 0));
    EXPECT_TRUE(put(buffer, 1000));
    for (const int expected : {0, 0, 0, 1001, 0}) {
        EXPECT_EQ(take(buffer), expected);
    }
}

TEST(JitterBuffer, a_packet_longer_than_the_buffer_is_refused) {
    JitterBuffer buffer;
    EXPECT_FALSE(buffer.put(0, std::vector<std::int16_t>(JitterBuffer::capacity), false));
    EXPECT_TRUE(put(buffer, 0));
}

} // namespace
} // namespace cw::rtp
