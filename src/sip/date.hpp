// Date: "Sat, 13 Nov 2010 23:29:00 GMT" [RFC 3261 §20.17: RFC 1123 dates, always in GMT].
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace cw::sip {

// Fails (Malformed) for another time zone, a day that does not exist, or a weekday that is not that
// day's. Years 1900 to 2200.
Result<Instant> parse_date(std::string_view value);

} // namespace cw::sip
