// Session descriptions as the model keeps them.
#pragma once

#include <string>
#include <string_view>

#include "flow/call.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

// The media line as the ladder shows it. Its texts are added to `texts`, except for those that are
// the same in the line `like`, whose texts are in `texts` already.
MediaLine media_line_of(const sdp::Session& session, const sdp::Media& media, const MediaLine& like,
                        std::string& texts);

// Whether the protocol of a line is RTP, protected or not: "RTP/AVP", "UDP/TLS/RTP/SAVPF"; not
// "udptl" (T.38) or "TCP/MSRP" [RFC 8866 §8.2.2].
bool is_rtp(std::string_view profile);

// How the line protects its media: the crypto suite of its first a=crypto, "DTLS-SRTP", or empty.
std::string_view srtp_of(const sdp::Session& session, const sdp::Media& media);

} // namespace cw::flow
