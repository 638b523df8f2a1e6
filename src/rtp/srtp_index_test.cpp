#include "rtp/srtp_index.hpp"

#include <gtest/gtest.h>

#include <set>

namespace cw::rtp {
namespace {

TEST(SrtpIndex, counts_the_turns_of_the_sequence_number) {
    SrtpIndex index{128};
    EXPECT_EQ(index.guess(0xfffe), 0xfffeU);
    index.note(0xfffe);
    EXPECT_EQ(index.guess(0xffff), 0xffffU);
    EXPECT_EQ(index.guess(0), 0x1'0000U);
    index.note(0x1'0000);
    EXPECT_EQ(index.roc(), 1U);
    EXPECT_EQ(index.guess(0xffff), 0xffffU); // late, of the turn before
    index.note(0xffff);
    EXPECT_EQ(index.roc(), 1U);
    EXPECT_EQ(index.guess(1), 0x1'0001U);
}

// [RFC 3711 §3.3.1] Of all indexes with this number, the one nearest to the highest.
TEST(SrtpIndex, guesses_the_nearest) {
    for (const std::uint64_t highest :
         {0x2'0000ULL, 0x2'0001ULL, 0x2'7fffULL, 0x2'8000ULL, 0x2'8001ULL, 0x2'ffffULL}) {
        SrtpIndex index{128, 2};
        index.note(highest);
        for (std::int64_t away = -0x7fff; away <= 0x7fff; away += 0x0fff) {
            const auto expected =
                static_cast<std::uint64_t>(static_cast<std::int64_t>(highest) + away);
            EXPECT_EQ(index.guess(static_cast<std::uint16_t>(expected)), expected)
                << highest << ' ' << away;
        }
    }
}

TEST(SrtpIndex, has_a_beginning_and_an_end) {
    SrtpIndex young{128};
    young.note(3);
    EXPECT_FALSE(young.guess(0xffff)); // it would lie before the first
    SrtpIndex old{128, 0xffff'ffff};
    EXPECT_TRUE(old.guess(0xffff));
    old.note(0xffff'ffff'ffff);
    EXPECT_FALSE(old.guess(0)); // there is no index behind
}

TEST(ReplayWindow, knows_each_index_it_has_seen_within_its_size) {
    for (const std::uint64_t size : {64U, 128U, 1024U}) {
        ReplayWindow window{size};
        std::set<std::uint64_t> seen;
        std::uint64_t highest = 0;
        std::uint64_t chance = 1;
        for (int i = 0; i < 5000; ++i) {
            chance = chance * 6364136223846793005ULL + 1442695040888963407ULL;
            const auto step = chance >> 33U;
            const auto index = step % 3 == 0 ? highest + step % 7
                               : step % 50 == 1
                                   ? highest + step % 3000
                                   : highest - std::min<std::uint64_t>(highest, step % 1500);
            const bool too_old = !seen.empty() && highest >= size && index <= highest - size;
            EXPECT_EQ(window.is_new(index), !too_old && !seen.contains(index))
                << size << ' ' << index;
            if (window.is_new(index)) {
                window.note(index);
                seen.insert(index);
                highest = std::max(highest, index);
            }
        }
    }
}

} // namespace
} // namespace cw::rtp
