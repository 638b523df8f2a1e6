// REFER: asking somebody to send a request, and hearing what became of it [RFC 3515, RFC 4488, RFC
// 7647]. What a REFER says, whether it may be followed, and the bodies of its NOTIFYs; the
// subscription itself is subscription.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "dialog/draft.hpp"
#include "sip/message.hpp"

namespace cw::dialog {

// Copies, unescaped: all that the referred request is made of.
struct Reference {
    std::string uri;                // without method and headers
    std::string method = "INVITE";  // "sip:…;method=BYE"
    std::string replaces;           // from "?Replaces=…"; empty when there is none
    std::vector<Field> headers;     // the other headers of the URI that may be followed
    std::string referred_by;        // of the REFER [RFC 3892]; empty when there is none
    bool wants_subscription = true; // false for "Refer-Sub: false" [RFC 4488 §4]
};

inline constexpr std::size_t max_reference_headers = 16;

// Reads a Refer-To value, with brackets or without. Fails (Malformed) when it is no SIP URI.
Result<Reference> parse_refer_to(std::string_view value);
// Reads a REFER: 0 and `reference`, or what to answer: 400 without exactly one Refer-To [RFC 3515
// §2.4.2], 416 for a URI that is not SIP.
std::uint16_t read_refer(const sip::MessageView& refer, Reference& reference);

// A Refer-To value: "<sip:carol@example.com?Replaces=…>", escaped.
std::string refer_to(std::string_view uri, std::string_view replaces = {},
                     std::string_view method = {});
// What the request asks of its sender's changes: Replaces, Referred-By, the URI's headers.
void follow(const Reference& reference, Changes& changes);

// The body of a NOTIFY: a status line, "message/sipfrag;version=2.0" [RFC 3515 §2.4.5].
std::string sipfrag(std::uint16_t status, std::string_view reason = {});
inline constexpr std::string_view sipfrag_type = "message/sipfrag;version=2.0";
// The status in such a body; nothing when it does not begin with a status line.
std::optional<std::uint16_t> sipfrag_status(std::string_view body);

// `text` with what a URI's header may not have as itself escaped [RFC 3261 §19.1.2].
std::string escape_uri_header(std::string_view text);

} // namespace cw::dialog
