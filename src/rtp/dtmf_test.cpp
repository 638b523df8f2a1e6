#include "rtp/dtmf.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace cw::rtp {
namespace {

constexpr Instant begin{1'700'000'000'000'000'000};

// Feeds packets and writes down what comes out.
struct Phone {
    DtmfCollector collector;
    std::string digits;
    Digit last;

    void note(const std::optional<Digit>& digit) {
        if (digit) {
            digits += digit->digit;
            last = *digit;
        }
    }
    void packet(int at_ms, std::uint32_t timestamp, int event, int duration, bool end = false,
                bool marker = false) {
        const std::array<std::uint8_t, 4> payload = {
            static_cast<std::uint8_t>(event), static_cast<std::uint8_t>(end ? 0x8a : 0x0a),
            static_cast<std::uint8_t>(duration >> 8), static_cast<std::uint8_t>(duration)};
        note(collector.add({begin + milliseconds(at_ms), timestamp, 8000, marker, payload}));
    }
    // A key as RFC 4733 sends it: updates each 20 ms, and three packets with the end bit.
    void press(int at_ms, int event, int ends = 3) {
        const auto timestamp = static_cast<std::uint32_t>(at_ms * 8);
        for (int i = 1; i <= 4; ++i) {
            packet(at_ms + 20 * (i - 1), timestamp, event, 160 * i, false, i == 1);
        }
        for (int i = 0; i < ends; ++i) {
            packet(at_ms + 80 + 20 * i, timestamp, event, 800, true);
        }
    }
};

TEST(Dtmf, NamesTheKeys) {
    std::string keys;
    for (std::uint8_t event = 0; event < 17; ++event) {
        keys += digit_of(event);
    }
    EXPECT_EQ(keys, "0123456789*#ABCDF");
    EXPECT_EQ(digit_of(17), 0);
    EXPECT_EQ(digit_of(255), 0);
}

TEST(Dtmf, MakesOneDigitOfAllPacketsWithOneTimestamp) {
    Phone phone;
    phone.press(0, 1);
    EXPECT_EQ(phone.digits, "1");
    EXPECT_EQ(phone.last.duration_ms, 100);
    EXPECT_EQ(phone.last.time, begin);
    phone.press(300, 1);
    phone.press(600, 11);
    EXPECT_EQ(phone.digits, "11#");
    EXPECT_FALSE(phone.collector.finish());
}

TEST(Dtmf, DoesWithoutEndPackets) {
    Phone phone;
    phone.press(0, 4, 0);
    EXPECT_EQ(phone.digits, "");
    phone.press(300, 4, 0);
    EXPECT_EQ(phone.digits, "4");
    EXPECT_EQ(phone.last.duration_ms, 80);
    phone.note(phone.collector.finish());
    EXPECT_EQ(phone.digits, "44");
}

TEST(Dtmf, OneEndPacketAloneIsADigit) {
    Phone phone;
    phone.packet(0, 800, 9, 1200, true);
    EXPECT_EQ(phone.digits, "9");
    EXPECT_EQ(phone.last.duration_ms, 150);
}

TEST(Dtmf, PacketsThatComeLateMakeNoNewDigit) {
    Phone phone;
    phone.press(0, 2);
    phone.packet(290, 0, 2, 320);
    phone.press(300, 3);
    phone.packet(450, 0, 2, 800, true);
    EXPECT_EQ(phone.digits, "23");
    EXPECT_FALSE(phone.collector.finish());
}

TEST(Dtmf, JoinsTheSegmentsOfALongKeyPress) {
    Phone phone;
    phone.packet(0, 1000, 5, 400, false, true);
    phone.packet(8191, 1000, 5, 0xffff);
    phone.packet(8200, 1000 + 0xffff, 5, 400);
    phone.packet(8250, 1000 + 0xffff, 5, 801, true);
    phone.packet(8270, 1000 + 0xffff, 5, 801, true);
    EXPECT_EQ(phone.digits, "5");
    EXPECT_EQ(phone.last.duration_ms, (0xffff + 801) / 8);
}

TEST(Dtmf, BearsSendersThatRaiseTheTimestampDuringAKey) {
    Phone phone;
    for (int i = 0; i < 5; ++i) {
        phone.packet(20 * i, static_cast<std::uint32_t>(160 * i), 7, 160, i == 4, i == 0);
    }
    EXPECT_EQ(phone.digits, "7");
    EXPECT_EQ(phone.last.duration_ms, 100);
}

TEST(Dtmf, IgnoresOtherEventsAndShortPayloads) {
    Phone phone;
    phone.packet(0, 0, 32, 160, true); // a fax tone
    const std::array<std::uint8_t, 3> cut = {1, 0x8a, 0};
    phone.note(phone.collector.add({begin, 5, 8000, false, cut}));
    EXPECT_EQ(phone.digits, "");
    EXPECT_FALSE(phone.collector.finish());
}

TEST(Dtmf, GivesNoDurationWithoutAClock) {
    DtmfCollector collector;
    const std::array<std::uint8_t, 4> payload = {1, 0x8a, 1, 0};
    const auto digit = collector.add({begin, 5, 0, true, payload});
    ASSERT_TRUE(digit);
    EXPECT_EQ(digit->duration_ms, 0);
}

} // namespace
} // namespace cw::rtp
