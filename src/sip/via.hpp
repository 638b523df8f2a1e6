// Via: which way a request came [RFC 3261 §20.42, §18.2; rport RFC 3581].
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace cw::sip {

// Every view lives as long as the text that was parsed.
struct Via {
    std::string_view protocol;  // "SIP"
    std::string_view version;   // "2.0"
    std::string_view transport; // "TLS"
    std::string_view host;      // sent-by, an IPv6 reference with its brackets
    std::uint16_t port = 0;     // 0: none given
    bool has_rport = false;     // ";rport", with or without a value
    std::uint16_t rport = 0;    // its value, 0 for none
    std::string_view branch;    // empty when there is none
    std::string_view received;  // an address; IPv6 with brackets where its sender wrote them
    std::string_view maddr;
    std::string_view params;     // all of them, for ParamCursor and find_param()
    std::string_view rest;       // the values after this one, behind the comma; empty for the last
    bool more = false;           // there is a comma behind this value
    const char* quirk = nullptr; // the first thing that broke the grammar, but not the meaning

    // A branch that is unique for the transaction, as RFC 3261 §8.1.1.7 wants it.
    [[nodiscard]] bool has_cookie() const;
};

// The first value of `text`, which is a header value or the rest of one. Fails (Malformed) without
// protocol, transport or sent-by.
Result<Via> parse_via(std::string_view text);

// The same, but its parameters are not looked at and stay empty.
Result<Via> parse_sent_by(std::string_view text);

} // namespace cw::sip
