// Tells by its first bytes what a payload is, on whatever port it travels.
#pragma once

#include <string_view>

#include "base/bytes.hpp"

namespace cw::capture {

// Whether `line`, without its line end, can be the start line of a SIP message
// [RFC 3261 §7.1, §7.2]. Lenient, because malformed messages are to be shown: any version number,
// any scheme, blanks in the URI, further digits in the status code. HTTP, RTSP and MSRP name
// another protocol and are refused.
bool is_sip_start_line(std::string_view line);

// Whether an incomplete line can still become such a start line. Never false for the beginning of
// a line that is_sip_start_line takes; looks at no more than the first 128 characters.
bool can_begin_sip_start_line(std::string_view beginning);

// Where in `line` a start line begins that has other bytes before it, 0 when there is none. Such
// bytes are the end of a body that has no line end: "</xml>BYE sip:b@example.com SIP/2.0". Only
// known methods are found, since nothing else tells where the method begins.
std::size_t glued_sip_start_line(std::string_view line);

// Whether a datagram, or a stream at this point, begins with a SIP message. Leading line ends are
// allowed [RFC 3261 §7.5]. When the first line is not complete in `first_bytes`, it has to show
// as much as "INVITE sip:" or "SIP/2.0 2". A request line whose version is damaged is taken too
// when its method and the scheme of its URI are SIP's.
bool looks_like_sip(std::string_view first_bytes);

// Whether a stream can hold TLS records from this point on: type 20 to 23, version 3.0 to 3.4 and
// a length within the bound, and the same for the next record where it is there
// [RFC 8446 §5.1, RFC 5246 §6.2.1].
bool looks_like_tls(Bytes first_bytes);

} // namespace cw::capture
