// A request while it is being dealt with: the message, where it came from and where answers go.
// Lives during one call of Server.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "server/host_side.hpp"
#include "sip/check.hpp"
#include "sip/message.hpp"
#include "sip/via.hpp"
#include "transaction/table.hpp"
#include "transaction/wire.hpp"

namespace cw::server {

struct Incoming {
    const sip::MessageView& message;
    const sip::Values& values; // of the message
    sip::Via via;              // the topmost one
    transaction::Wire wire;    // it came on
    transaction::Wire back;    // its responses go there
    std::span<const std::string> peer_domains;
    Instant now;
    Requests& out;
    transaction::Handle transaction{}; // its server transaction, once there is one
    std::string via_value{};           // the topmost Via with received and rport

    [[nodiscard]] std::string_view call_id() const { return message.value(sip::HeaderId::CallId); }
    // To has a tag: within a dialog.
    [[nodiscard]] bool in_dialog() const { return values.to && !values.to->tag.empty(); }
};

// Fills `back` and `via_value` in [RFC 3261 §18.2.1, §18.2.2; RFC 3581 §4].
void stamp_via(Incoming& in);

} // namespace cw::server
