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

// What `inner` says otherwise than the message around it, though nobody on the way may change it.
// An encrypted one may have header fields that the outer one lacks, and another From and To
// [RFC 3261 §23.4.1.2]. At most 32 are told.
std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer,
                                           const sip::MessageView& inner, bool encrypted);
// The same of the text of a message/sip or message/sipfrag part. A fragment may lack its start
// line.
std::vector<Discrepancy> compare_tunnelled(const sip::MessageView& outer, std::string_view inner,
                                           bool encrypted);

// What `message` says to its end, as a message/sip body: everything but its Content-Length where
// `body` takes the place of its body.
std::string tunnelled_copy(const sip::MessageView& message, std::string_view content_type,
                           std::string_view body);

} // namespace cw::smime
