// A SIP message that travels within the body of another, signed or encrypted, so that its end can
// see what was changed on the way [RFC 3261 §23.4, RFC 3420 for parts of one]. Pure, any thread.
#pragma once

#include <string>
#include <vector>

#include "sip/message.hpp"

namespace cw::smime {

struct Discrepancy {
    std::string header;
    std::string inner;
    std::string outer; // empty: it is not there
};

std::string
describe(const Discrepancy& one); // "Subject within is Hello, and outside there is none"

// Whether a body part of this type is what `outer` says, whole or in part. The message/sipfrag of a
// NOTIFY tells of another message [RFC 3515 §2.4.5].
bool is_tunnelled(const sip::MessageView& outer, std::string_view content_type);

// What `inner` says otherwise than the message around it, though nobody on the way may change it:
// a header field that is another outside, or is not there [RFC 3261 §23.4.1.1]. Fields that are
// unknown here, or that only the outer one has, are no violation. An encrypted one may say all but
// Call-ID, CSeq, Contact and Date otherwise, and may say more [RFC 3261 §23.4.1.2]. At most 32 are
// told.
std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer,
                                           const sip::MessageView& inner, bool encrypted);
// The same of the text of a message/sip or message/sipfrag part. A fragment may lack its start
// line.
std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer, std::string_view inner,
                                           bool encrypted);

// The header fields that only the outer message has, though nobody on the way adds such: who reads
// them relies on what is neither signed nor encrypted. By name, each once, at most 32. Those that
// are unknown here are passed over, as are those of the body.
std::vector<std::string> only_outside(const sip::MessageView& outer, std::string_view inner);

// What `message` says to its end, as a message/sip body: everything but its Content-Length where
// `body` takes the place of its body.
std::string tunnelled_copy(const sip::MessageView& message, std::string_view content_type,
                           std::string_view body);

} // namespace cw::smime
