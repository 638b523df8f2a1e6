#include "sdp/candidate.hpp"

#include <gtest/gtest.h>

namespace cw::sdp {
namespace {

TEST(Candidate, SaysWhereRtpMayGo) {
    EXPECT_EQ(rtp_candidate("1 1 udp 2130706431 192.0.2.1 5000 typ host"),
              parse_endpoint("192.0.2.1:5000", 0));
    EXPECT_EQ(rtp_candidate("a 1 UDP 5 2001:db8::1 5000 typ srflx raddr 10.0.0.1 rport 9"),
              parse_endpoint("[2001:db8::1]:5000", 0));
    for (const auto* wrong : {"1 2 udp 1 192.0.2.1 5001 typ host", "1 1 tcp 1 192.0.2.1 9 typ host",
                              "1 1 udp 1 f00f.local 5000 typ host", "1 1 udp 1 192.0.2.1 0",
                              "1 1 udp 1 192.0.2.1 70000", "1 1 udp 1 192.0.2.1", "", " "}) {
        EXPECT_EQ(rtp_candidate(wrong), std::nullopt) << wrong;
    }
}

} // namespace
} // namespace cw::sdp
