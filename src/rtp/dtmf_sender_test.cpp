#include "rtp/dtmf_sender.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "rtp/dtmf.hpp"

namespace cw::rtp {
namespace {

std::vector<std::optional<DtmfSender::Packet>> take(DtmfSender& sender, std::size_t count) {
    std::vector<std::optional<DtmfSender::Packet>> out;
    for (std::size_t i = 0; i < count; ++i) {
        out.push_back(sender.next(1000 + static_cast<std::uint32_t>(i) * 160));
    }
    return out;
}

TEST(DtmfSender, SendsAKeyAsUpdatesAndThreeEnds) {
    DtmfSender sender{DtmfSender::Settings{}};
    ASSERT_TRUE(sender.press("5"));
    const auto packets = take(sender, 11);
    for (std::size_t i = 0; i < 7; ++i) {
        ASSERT_TRUE(packets[i]) << i;
        const auto event = parse_telephone_event(packets[i]->payload);
        ASSERT_TRUE(event);
        EXPECT_EQ(packets[i]->timestamp, 1000U);
        EXPECT_EQ(packets[i]->marker, i == 0);
        EXPECT_EQ(event->event, 5);
        EXPECT_EQ(event->volume, 10);
        EXPECT_EQ(event->end, i >= 4);
        EXPECT_EQ(event->duration, i >= 4 ? 800 : 160 * (i + 1));
    }
    for (std::size_t i = 7; i < 11; ++i) {
        EXPECT_FALSE(packets[i]);
    }
    EXPECT_TRUE(sender.idle());
}

TEST(DtmfSender, IsUnderstoodByTheCollector) {
    DtmfSender sender{DtmfSender::Settings{}};
    ASSERT_TRUE(sender.press("0123456789*#ABCD"));
    DtmfCollector collector;
    std::string heard;
    std::uint32_t timestamp = 50;
    for (int i = 0; i < 1000 && !sender.idle(); ++i, timestamp += 160) {
        if (const auto packet = sender.next(timestamp)) {
            const auto digit = collector.add({Instant{1} + milliseconds(20 * i), packet->timestamp,
                                              8000, packet->marker, packet->payload});
            if (digit) {
                heard += digit->digit;
                EXPECT_EQ(digit->duration_ms, 100);
            }
        }
    }
    EXPECT_EQ(heard, "0123456789*#ABCD");
    EXPECT_TRUE(sender.idle());
}

TEST(DtmfSender, SendsTheSameKeyTwiceAsTwoEvents) {
    DtmfSender sender{DtmfSender::Settings{}};
    ASSERT_TRUE(sender.press("11"));
    std::size_t markers = 0;
    for (const auto& packet : take(sender, 30)) {
        markers += packet && packet->marker ? 1 : 0;
    }
    EXPECT_EQ(markers, 2U);
}

TEST(DtmfSender, RefusesWhatIsNoKeyAndTooMany) {
    DtmfSender sender{DtmfSender::Settings{}};
    EXPECT_FALSE(sender.press("12E"));
    EXPECT_FALSE(sender.press(std::string(65, '1')));
    EXPECT_TRUE(sender.idle());
    EXPECT_FALSE(sender.next(0));
}

TEST(DtmfSender, KeepsItsDurationsWithinSixteenBits) {
    DtmfSender sender{{.clock = 48'000, .length = seconds(60)}};
    ASSERT_TRUE(sender.press("1"));
    std::uint32_t longest = 0;
    for (std::uint32_t i = 0; !sender.idle() && i < 10'000; ++i) {
        if (const auto packet = sender.next(i * 960)) {
            const auto event = parse_telephone_event(packet->payload);
            EXPECT_GE(event->duration, longest);
            longest = event->duration;
        }
    }
    EXPECT_EQ(longest, 0xffffU);
}

TEST(DtmfSender, KnowsSixteenKeys) {
    EXPECT_EQ(event_of('#'), 11);
    EXPECT_EQ(event_of('D'), 15);
    EXPECT_FALSE(event_of('a'));
    EXPECT_FALSE(event_of('\0'));
}

} // namespace
} // namespace cw::rtp
