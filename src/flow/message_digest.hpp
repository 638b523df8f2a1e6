// What a ladder keeps of one message, as far as its bytes tell it by themselves: on any thread,
// before anybody knows to which leg it belongs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "sdp/session.hpp"
#include "sip/message.hpp"

namespace cw::flow {

// The views live as long as the bytes of the message, and the two of DigestTexts.
struct MessageDigest {
    // Without what is not in its bytes, and without texts but the names of known methods.
    Message message;
    std::uint64_t fingerprint = 0; // of the bytes
    std::string_view call_id;
    std::string_view from; // the values of From and To
    std::string_view to;
    std::string_view method_text; // of a method that is not known
    std::string_view request_uri;
    std::string_view reason;
    std::string_view contact;      // the URI
    std::string_view content_type; // with its parameters
    std::string_view body_type;    // without them
    std::string_view body;
    std::string_view problem; // why it is malformed, of a static text
    std::string_view note;
    std::string_view facts;
    bool refers = false; // it may name another leg: for_each_reference() may find something
};

// Where those texts are that do not stand in the message.
struct DigestTexts {
    std::string note;
    std::string facts;
};

// Overwrites `out` and `texts`, whose memory is used again. `session` is the session description of
// the body as it was parsed, or nullptr.
void digest(const sip::MessageView& message, const sdp::Session* session, MessageDigest& out,
            DigestTexts& texts);
// The same before the body is parsed; what misses_facts() tells may then be missing.
void digest_head(const sip::MessageView& message, MessageDigest& out, DigestTexts& texts);
// The session description, or a body that should be one, has facts that digest_head() does not see.
bool misses_facts(const MessageDigest& digest, const sdp::Session* session);

} // namespace cw::flow
