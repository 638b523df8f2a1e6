// A dialog: who talks to whom, in which order, and by which way [RFC 3261 §12]. Made by the first
// response that has a To tag, changed by what comes later, used to write requests. A plain struct
// and functions; no I/O, no time. Everything that is kept is copied: no view outlives its call.
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

inline constexpr std::size_t max_routes = 64; // in a route set from outside

struct Dialog {
    enum class Role : std::uint8_t { Uac, Uas }; // in the request that made the dialog
    enum class State : std::uint8_t { Early, Confirmed, Terminated };

    Role role = Role::Uac;
    State state = State::Early;
    bool secure = false; // [RFC 3261 §12.1.1, §12.1.2]
    std::string call_id;
    std::string local_tag;
    std::string remote_tag;             // empty: a peer of RFC 2543 gave none
    std::string local;                  // From or To as it was written, without its tag
    std::string remote;                 // likewise
    std::string remote_target;          // a URI
    std::vector<std::string> route_set; // values of Route in order, each with its brackets
    std::optional<std::uint32_t> local_cseq;
    std::optional<std::uint32_t> remote_cseq;
};

// The dialog that a response makes at the client. Fails (Malformed) when the response makes none: a
// 100, a failure, or one without a Contact that is a SIP URI (in a 1xx it may be missing; then the
// remote target is the Request-URI).
Result<Dialog> uac_dialog(const sip::MessageView& request, const sip::MessageView& response,
                          bool over_tls);
// The dialog that a server makes by answering `request` with this tag.
Result<Dialog> uas_dialog(const sip::MessageView& request, std::string_view local_tag,
                          Dialog::State state, bool over_tls);

// The 2xx of an early dialog: it is confirmed, and "the route set for the dialog MUST be recomputed
// based on the 2xx response" [RFC 3261 §13.2.2.4].
void confirm(Dialog& dialog, const sip::MessageView& response);

// Does the message belong to the dialog? Requests and responses from the peer.
bool matches(const Dialog& dialog, const sip::MessageView& message);

// A request arrived in the dialog: 0, or 500 because an earlier one overtook it [RFC 3261 §12.2.2].
// Not for ACK and CANCEL. Moves the remote sequence number.
std::uint16_t accept_sequence(Dialog& dialog, const sip::MessageView& request);

// INVITE, UPDATE, SUBSCRIBE, NOTIFY and REFER [RFC 3261 §12.2, RFC 3311 §5.1, RFC 6665 §3].
bool is_target_refresh(sip::Method method);
// Takes the Contact of a target refresh request that is accepted, or of its 2xx.
void refresh_target(Dialog& dialog, const sip::MessageView& message);

// A request in the dialog, with the next sequence number, but for Via and Contact. `method` ACK
// takes the number of the INVITE: give it as `cseq`.
Draft request_in(Dialog& dialog, std::string_view method, std::optional<std::uint32_t> cseq = {});
// The URI that a request of the dialog is sent to [RFC 3261 §8.1.2]: the first Route, or the remote
// target.
std::string_view next_hop(const Dialog& dialog);
// `value` of From, To or Contact without its tag.
std::string without_tag(std::string_view value);

std::string_view to_string(Dialog::State state);
// One line, for logs.
void describe(const Dialog& dialog, std::string& out);

} // namespace cw::dialog
