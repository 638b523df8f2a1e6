// The identity of a header field: an id for those that have a meaning here, Other for all the rest.
// Generated from headers.def. Field names are compared without regard to case, and a compact form
// is the same header as the long one [RFC 3261 §7.3.1, §7.3.3].
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cw::sip {

enum class HeaderId : std::uint8_t {
    Other,
#define CW_SIP_HEADER(id, name, compact, list, rfc) id,
#include "sip/headers.def"
#undef CW_SIP_HEADER
};

inline constexpr std::size_t header_id_count = 1
#define CW_SIP_HEADER(id, name, compact, list, rfc) +1
#include "sip/headers.def"
#undef CW_SIP_HEADER
    ;

// `name` is a field name without blanks, in any case, long or compact. O(1).
HeaderId header_id(std::string_view name);

// The long name as its RFC writes it; empty for Other. Static text.
std::string_view to_string(HeaderId id);
// The one-letter form, or 0.
char compact_form(HeaderId id);
// May one field hold several values, with commas between them?
bool is_list(HeaderId id);
// Where the header is defined: "RFC 3261 §20.42"; empty for Other. Static text.
std::string_view defined_in(HeaderId id);

} // namespace cw::sip
