// Is a message fit to be processed? The judgement that a receiver passes before anything else
// [RFC 3261 §8.2, §16.3, §8.1.1; RFC 4475 §3.1.2, §3.2, §3.3; RFC 5118 §4], with the response that
// the refusal deserves. Values that no rule of the core needs are not looked at.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "sip/message.hpp"
#include "sip/name_addr.hpp"
#include "sip/policy.hpp"
#include "sip/uri.hpp"
#include "sip/via.hpp"

namespace cw::sip {

struct Verdict {
    bool ok = true;
    // What to answer: 400, 416 (a Request-URI whose scheme nobody here knows), 505, 513. 0 for a
    // response, which is dropped and never answered.
    std::uint16_t status = 0;
    HeaderId header = HeaderId::Other; // where; Other for the start line and the shape
    Error error;                       // what, in words; its offset is from bytes().begin()
};

// Values that a check reads, for whoever needs them afterwards. Nothing: they cannot be read, or it
// did not come to that. Views live as long as the message's bytes.
struct Values {
    std::optional<Uri> request_uri; // nothing for a response
    std::optional<NameAddr> from;
    std::optional<NameAddr> to;
};
Values read_values(const MessageView& message);

// `message` comes from index() or parse(). An unknown scheme is reported only when all else is
// well.
Verdict check(const MessageView& message, const Policy& policy = Policy::strict());

// The same for a caller that has read the topmost Via by parse_via(): it is judged, not read again.
// `values`, which is empty, then has what was read.
Verdict check(const MessageView& message, const Via& top, Values& values,
              const Policy& policy = Policy::strict());

// The first option tag of a Require or Proxy-Require header (`id`) that is not in `supported`;
// empty when there is none. It deserves a 420 that names it in Unsupported [RFC 3261 §8.2.2.3].
// Lives as long as the message's bytes.
std::string_view unsupported_option(const MessageView& message, HeaderId id,
                                    std::span<const std::string_view> supported);

} // namespace cw::sip
