// Content-Type and Content-Disposition [RFC 3261 §20.15, §20.11; RFC 2045 §5.1; RFC 2183].
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace cw::sip {

// Every view lives as long as the value that was parsed.
struct ContentType {
    std::string_view type;    // "application"
    std::string_view subtype; // "sdp"
    std::string_view
        essence;             // "application/sdp", as written: with blanks where its sender put them
    std::string_view params; // for ParamCursor and find_param()

    // In any case: is("application", "sdp").
    [[nodiscard]] bool is(std::string_view type, std::string_view subtype) const;
};

Result<ContentType> parse_content_type(std::string_view value);

struct ContentDisposition {
    std::string_view type; // "session", "render", "attachment"…
    std::string_view params;
    bool required = true; // ";handling=optional" makes it false [RFC 3261 §20.11]
};

Result<ContentDisposition> parse_content_disposition(std::string_view value);

} // namespace cw::sip
