// What the bytes of a message tell by themselves, whatever came before it: so whoever has the time
// for it may find it out, on any thread.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "flow/message_digest.hpp"
#include "sdp/session.hpp"
#include "sip/message.hpp"

namespace cw::flow {

struct PreparedMessage {
    MessageDigest digest;                  // of the message, if it is one
    Result<sip::MessageView> message;      // looks into the bytes and at `headers`
    const sdp::Session* session = nullptr; // of its body; nullptr: it has none
    sip::HeaderIndex headers;
};

// `session` is where one is parsed to. All views live as long as the bytes.
void prepare(std::string_view bytes, PreparedMessage& out, sdp::Session& session);

} // namespace cw::flow
