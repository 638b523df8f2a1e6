// Reason and Warning: what a sender says about why [RFC 3326; RFC 3261 §20.43].
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace cw::sip {

// Every view lives as long as the text that was parsed.
struct Reason {
    std::string_view protocol; // "SIP", "Q.850", "preemption"…
    std::uint16_t cause = 0;   // 0: none given, or not a number
    std::string_view text;     // inside of the quotes, escapes untouched
    std::string_view params;
    std::string_view rest; // the values after this one
};

// The first value of `text`, a header value or the rest of one.
Result<Reason> parse_reason(std::string_view text);

struct Warning {
    std::uint16_t code = 0; // three digits
    std::string_view agent;
    std::string_view text; // inside of the quotes, escapes untouched
    std::string_view rest; // the values after this one
};

Result<Warning> parse_warning(std::string_view text);

} // namespace cw::sip
