#include "flow/media.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

// Ten calls a second, all of them with media at one address, as behind a relay.
TEST(MediaTable, KeepsNothingOfCallsThatAreLongOver) {
    const auto session =
        sdp::parse("v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
                   "m=audio 4000 RTP/SAVP 0\r\n"
                   "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
                   "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n");
    ASSERT_TRUE(session);
    MediaTable table{[](std::uint32_t, const MediaStream&, const TextPool&) {}};
    constexpr std::uint32_t in_a_minute = 600;
    std::size_t most = 0;
    for (std::uint32_t call = 0; call < 20'000; ++call) {
        const auto now = Instant{} + milliseconds(std::int64_t{100} * call);
        Sighting at;
        at.time = now;
        table.announce(call, *session, at);
        table.release(call, now + seconds(1));
        most = std::max(most, table.kept_legs());
    }
    EXPECT_GE(most, 2 * std::size_t{in_a_minute}) << "the last minute, by its keys and as over";
    EXPECT_LT(most, 8 * std::size_t{in_a_minute});
}

} // namespace
} // namespace cw::flow
