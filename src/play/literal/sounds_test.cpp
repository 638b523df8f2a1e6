#include <gtest/gtest.h>

#include "play/literal/sounds.hpp"

namespace cw::play::literal {
namespace {

using How = script::literal::Sound::How;

constexpr std::string_view answer = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"
                                    "v=0\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0 97\r\n"
                                    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:97 telephone-event/8000\r\n";

std::vector<std::string> all_of(Sounds& sounds, Instant now) {
    std::vector<std::string> out;
    for (int i = 0; i < 200; ++i) {
        Wants wants;
        sounds.advance(now, wants);
        for (auto& packet : wants.media) {
            out.push_back(std::move(packet.bytes));
        }
        now = now + milliseconds(20);
    }
    return out;
}

TEST(Sounds, AStreamIsWhatStandsInItsFileAsOftenAsIsAsked) {
    Given given;
    given.recordings["tone.raw"] =
        std::make_shared<const std::string>(std::string(160, 'a') + std::string(100, 'b'));
    Sounds sounds{given, MediaPlace{}, 7};
    sounds.learn(answer);
    const Instant now{1'000'000'000};
    sounds.begin({How::Stream, "tone.raw,2,8"}, now);
    const auto sent = all_of(sounds, now);
    ASSERT_EQ(sent.size(), 4U);
    EXPECT_EQ(sent[0].substr(12), std::string(160, 'a'));
    EXPECT_EQ(sent[3].substr(12), std::string(100, 'b'));
    EXPECT_EQ(static_cast<unsigned char>(sent[1][1]), 8U);
}

TEST(Sounds, DigitsHaveThePayloadTypeOfTheOtherSide) {
    const Given given;
    Sounds sounds{given, MediaPlace{}, 7};
    sounds.learn(answer);
    const Instant now{1'000'000'000};
    sounds.begin({How::Stream, "dtmf 5"}, now);
    const auto sent = all_of(sounds, now);
    ASSERT_EQ(sent.size(), 8U);
    EXPECT_EQ(static_cast<unsigned char>(sent[0][1]), 0x80U | 97U);
    EXPECT_EQ(sent[0][12], 5);
}

} // namespace
} // namespace cw::play::literal
