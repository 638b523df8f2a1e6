#include "capture/defragment.hpp"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "capture/test_frames.hpp"

namespace cw::capture {
namespace {

using namespace made;

// A datagram of UDP cut into fragments of 24 bytes, the last shorter.
std::vector<Octets> fragments(const Octets& datagram, std::uint32_t id = 9) {
    std::vector<Octets> all;
    for (std::size_t at = 0; at < datagram.size(); at += 24) {
        const auto n = std::min<std::size_t>(24, datagram.size() - at);
        const auto from = datagram.begin() + static_cast<std::ptrdiff_t>(at);
        all.push_back(ipv4(
            {.id = id, .offset = static_cast<std::uint32_t>(at), .more = at + n < datagram.size()},
            Octets{from, from + static_cast<std::ptrdiff_t>(n)}));
    }
    return all;
}
const std::string_view message = "a message that is long enough to be cut into several fragments, "
                                 "all of them of 24 bytes but for the last";
std::string the_message() {
    return "udp 10.0.0.1:5060 > 10.0.0.2:5070 " + std::string{message};
}
std::vector<Octets> the_fragments() {
    return fragments(udp(5060, 5070, text(message)));
}

TEST(Defragmenter, TakesFragmentsInAnyOrder) {
    std::mt19937 random{7};
    for (int round = 0; round < 200; ++round) {
        auto parts = the_fragments();
        std::ranges::shuffle(parts, random);
        Bench bench{101};
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            ASSERT_EQ(bench.frame(parts[i]), "");
        }
        ASSERT_EQ(bench.frame(parts.back()), the_message());
        ASSERT_EQ(bench.last.frame, parts.size());
        ASSERT_EQ(bench.finish() + bench.ignored(), "");
    }
}

TEST(Defragmenter, TakesFragmentsOfIpv6) {
    const auto datagram = udp(5060, 5070, text(message));
    Bench bench{101};
    const Octets first{datagram.begin(), datagram.begin() + 48};
    const Octets second{datagram.begin() + 48, datagram.end()};
    EXPECT_EQ(bench.frame(ipv6(44, hex("1100") + be16(48) + be32(5) + second)), "");
    EXPECT_EQ(bench.frame(ipv6(44, hex("1100 0001") + be32(5) + first)),
              "udp [2001:db8::1]:5060 > [2001:db8::2]:5070 " + std::string{message});
}

TEST(Defragmenter, TakesExactCopies) {
    Bench bench{101};
    auto parts = the_fragments();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        EXPECT_EQ(bench.frame(parts[i]) + bench.frame(parts[i]), "");
    }
    EXPECT_EQ(bench.frame(parts.back()), the_message());
}

// Captured at two places, a fragment may come again when its datagram is whole: that is no message
// of which the end is missing.
TEST(Defragmenter, TakesCopiesThatComeAfterTheWholeForWhatTheyAre) {
    auto parts = the_fragments();
    std::ranges::reverse(parts);
    Bench bench{101};
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        EXPECT_EQ(bench.frame(parts[i]), "");
    }
    EXPECT_EQ(bench.frame(parts.back()), the_message());
    EXPECT_EQ(bench.frame(parts.back()), "");
    EXPECT_EQ(bench.finish(), "");
    EXPECT_EQ(bench.ignored(), "fragments captured twice 1");
}

TEST(Defragmenter, DropsADatagramWhoseFragmentsContradict) {
    auto parts = the_fragments();
    auto forged = parts[1];
    forged.back() ^= 1;
    Bench bench{101};
    EXPECT_EQ(bench.frame(parts[0]) + bench.frame(parts[1]) + bench.frame(forged), "");
    for (const auto& part : parts) {
        EXPECT_EQ(bench.frame(part), ""); // stays dropped
    }
    EXPECT_EQ(bench.finish(), "");
    EXPECT_EQ(bench.ignored(), "overlapping fragments 1");
}

TEST(Defragmenter, DropsADatagramWithTwoEnds) {
    auto parts = the_fragments();
    Bench bench{101};
    const auto early_end = ipv4({.id = 9, .offset = 24, .more = false}, zeros(8));
    EXPECT_EQ(bench.frame(parts.back()) + bench.frame(early_end), "");
    EXPECT_EQ(bench.ignored(), "overlapping fragments 1");
    Bench beyond{101};
    EXPECT_EQ(beyond.frame(parts[2]) + beyond.frame(early_end), "");
    EXPECT_EQ(beyond.ignored(), "overlapping fragments 1");
}

TEST(Defragmenter, RefusesImpossibleFragments) {
    Bench bench{101};
    bench.frame(ipv4({.id = 1, .offset = 0, .more = true}, zeros(7)));
    bench.frame(ipv4({.id = 1, .offset = 65528, .more = false}, zeros(24)));
    bench.frame(ipv4({.id = 1, .offset = 8, .more = true}, {}));
    EXPECT_EQ(bench.ignored(), "malformed fragments 3");
}

TEST(Defragmenter, GivesTheStartOfWhatStaysIncomplete) {
    auto parts = the_fragments();
    Bench bench{101};
    bench.frame(parts[0]);
    bench.frame(parts[1]);
    bench.frame(parts[3]);
    const auto rest = bench.finish();
    EXPECT_EQ(rest, the_message().substr(0, 34 + 40) + "-" + std::to_string(message.size() - 40));
    EXPECT_TRUE(bench.last.truncated);
    EXPECT_EQ(bench.last.frame, 1U);
    EXPECT_EQ(bench.ignored(), "incomplete fragments 1");
}

TEST(Defragmenter, WaitsSixtySeconds) {
    auto parts = the_fragments();
    Bench bench{101};
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        bench.frame(parts[i], 0, 100);
    }
    EXPECT_EQ(bench.frame(parts.back(), 0, 160), the_message());
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        bench.frame(parts[i], 0, 200);
    }
    EXPECT_NE(bench.frame(parts.back(), 0, 261), the_message());
    EXPECT_EQ(bench.ignored(), "incomplete fragments 1");
}

TEST(Defragmenter, SaysWhatTheCaptureCutOffAFragment) {
    const auto datagram = udp(5060, 5070, text(message));
    Bench bench{101};
    auto first =
        ipv4({.id = 9, .offset = 0, .more = true}, Octets{datagram.begin(), datagram.begin() + 48});
    first.resize(first.size() - 10);
    bench.frame(first, 10);
    EXPECT_EQ(bench.frame(ipv4({.id = 9, .offset = 48, .more = false},
                               Octets{datagram.begin() + 48, datagram.end()})),
              "udp 10.0.0.1:5060 > 10.0.0.2:5070 " + std::string{message.substr(0, 30)} + "-" +
                  std::to_string(message.size() - 30));
}

TEST(Defragmenter, KeepsCapturesOfOneWireApart) {
    Ignored ignored;
    Defragmenter defragmenter{ignored};
    Fragment part;
    const auto bytes = zeros(8);
    part.data = bytes;
    part.more = true;
    EXPECT_FALSE(defragmenter.add(part));
    part.more = false;
    part.offset = 8;
    part.key.place = 1;
    EXPECT_FALSE(defragmenter.add(part));
    part.key.place = 0;
    EXPECT_TRUE(defragmenter.add(part));
}

TEST(Defragmenter, HoldsNoMoreThanItsBounds) {
    Ignored ignored;
    Defragmenter defragmenter{ignored};
    const auto bytes = zeros(8);
    Fragment part;
    part.data = bytes;
    part.offset = 65'520; // makes room for a whole datagram
    part.more = true;
    constexpr std::uint32_t rounds = 20'000;
    for (std::uint32_t i = 0; i < rounds; ++i) {
        part.key.id = i;
        EXPECT_FALSE(defragmenter.add(part));
    }
    // 16 MiB over 64 KiB: what is not counted as given up still waits.
    EXPECT_GE(ignored.count_of("incomplete fragments"), rounds - 256);
    part.offset = 0;
    for (std::uint32_t i = 0; i < rounds; ++i) {
        part.key.id = rounds + i;
        EXPECT_FALSE(defragmenter.add(part));
    }
    EXPECT_GE(ignored.count_of("incomplete fragments"), 2 * rounds - 4096);
}

} // namespace
} // namespace cw::capture
