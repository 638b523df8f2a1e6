// A URI with a display name and parameters: From, To, Contact, Route, Record-Route, Path, Refer-To,
// P-Asserted-Identity and the like [RFC 3261 §20.10, §25.1 name-addr, addr-spec].
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "sip/uri.hpp"

namespace cw::sip {

// What a sender did that the grammar does not allow, though its meaning is clear.
enum class AddrQuirk : std::uint8_t {
    None,
    OpenQuote,    // a display name whose quote never closes [RFC 4475 §3.1.2.6]
    LooseDisplay, // a display name that should have been quoted [RFC 4475 §3.1.2.15]
    Spaces,       // white space inside <…> [RFC 4475 §3.1.2.14]
    Unbracketed,  // a URI with "?" that is not in <…> [RFC 4475 §3.1.2.13]
    BadUri,       // what should be a URI is none; uri.scheme is then None
    BadParam,     // an empty parameter, or one with stray characters
};
const char* quirk_text(AddrQuirk quirk);

// Every view lives as long as the text that was parsed.
struct NameAddr {
    std::string_view display;  // of a quoted one the inside, escapes untouched: see unquote()
    std::string_view uri_text; // without the brackets and the blanks inside them
    std::string_view params;   // of the header, not of the URI: for ParamCursor and find_param()
    std::string_view tag;      // empty when there is none
    std::string_view rest;     // the values after this one, behind the comma; empty for the last
    bool more = false;         // there is a comma behind this value
    bool star = false;         // "Contact: *"; there is no URI then
    bool bracketed = false;    // <…>
    AddrQuirk quirk = AddrQuirk::None; // the first one met
    Uri uri;                           // scheme None when it could not be read
};

// The first value of `text`, which is a header value or the rest of one. Fails (Malformed) when
// there is nothing to take for a URI: no text, a "<" that never closes, text after the parameters.
Result<NameAddr> parse_name_addr(std::string_view text);

// Its uri_text alone, for little; empty when there is none.
std::string_view uri_text_of(std::string_view text);

} // namespace cw::sip
