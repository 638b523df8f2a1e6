// What a request says about other legs, and what its first INVITE says about its own: the evidence
// that the correlator weighs.
#pragma once

#include <functional>
#include <string_view>

#include "flow/correlate.hpp"
#include "flow/event.hpp"
#include "flow/leg.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

// An identity that legs of one call share.
struct Reference {
    static constexpr std::string_view call_id = "Call-ID";
    static constexpr std::string_view session_id = "Session-ID";
    static constexpr std::string_view icid = "icid";

    std::string_view what;   // one of the above
    std::string_view value;  // valid during the visit
    std::string_view header; // where it stands: "Replaces"
};

// Session-ID [RFC 7989], P-Charging-Vector's icid-value [RFC 7315 §4.6], and the Call-IDs in
// Replaces, Join, Target-Dialog, Refer-To?Replaces, X-Call-ID and X-CID.
void for_each_reference(const sip::MessageView& message,
                        const std::function<void(const Reference&)>& visit);

// False when for_each_reference() would find nothing, which is so of most requests.
bool may_refer(const sip::MessageView& request);

// Of the INVITE that was added to `stretch` last; `session` is its SDP or nullptr.
LegStart start_of(std::uint32_t slot, const Sighting& at, const Stretch& stretch,
                  const sdp::Session* session);

// The session description in the message's body, alone or within a multipart; false if there is
// none or it cannot be read.
bool parse_session(const sip::MessageView& message, sdp::Session& session);
// The same of a body and its Content-Type.
bool parse_session(std::string_view body, std::string_view content_type, sdp::Session& session);

} // namespace cw::flow
