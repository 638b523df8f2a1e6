// Session-Expires and Min-SE [RFC 4028 §4, §5], and every other header that is a number of seconds
// with parameters: Expires, Min-Expires, Retry-After.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace cw::sip {

struct Seconds {
    std::uint32_t seconds = 0;
    std::string_view params; // lives as long as the value
};

// "1800;refresher=uac", "120 (I'm in a meeting);duration=60". "Malformed values SHOULD be treated
// as equivalent to 3600" [RFC 3261 §20.19] is for the caller. Fails (Malformed), also beyond 2^32
// − 1.
Result<Seconds> parse_seconds(std::string_view value);

enum class Refresher : std::uint8_t { None, Uac, Uas };

struct SessionExpires {
    std::uint32_t seconds = 0;
    Refresher refresher = Refresher::None;
};

Result<SessionExpires> parse_session_expires(std::string_view value);

} // namespace cw::sip
