// The value of a=candidate, as far as it says where RTP may go [RFC 8839 §5.1]. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "base/address.hpp"

namespace cw::sdp {

// Of "1 1 udp 2130706431 192.0.2.1 5000 typ host" the address; nothing for one of RTCP, of TCP, or
// by a name.
std::optional<Endpoint> rtp_candidate(std::string_view value);

} // namespace cw::sdp
