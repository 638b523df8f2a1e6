// Session descriptions as the model keeps them.
#pragma once

#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

// The media line as the ladder shows it, with its texts in `pool`.
MediaLine media_line_of(const sdp::Session& session, const sdp::Media& media, TextPool& pool);

// How the line protects its media: the crypto suite of its first a=crypto, "DTLS-SRTP", or empty.
std::string srtp_of(const sdp::Session& session, const sdp::Media& media);

} // namespace cw::flow
