// Headers that name another dialog: Replaces [RFC 3891], Join [RFC 3911], Target-Dialog [RFC 4538];
// and Session-ID, which names one across B2BUAs [RFC 7989].
#pragma once

#include <string_view>

#include "base/result.hpp"

namespace cw::sip {

// Every view lives as long as the value that was parsed. The tags are named as their receiver sees
// the dialog: its local tag is what Replaces and Join call to-tag [RFC 3891 §3], and Target-Dialog
// local-tag [RFC 4538 §3].
struct DialogId {
    std::string_view call_id;
    std::string_view local_tag;
    std::string_view remote_tag;
    bool early_only = false; // Replaces alone
};

// The value of a Replaces, Join or Target-Dialog header; escapes of a Refer-To URI must have been
// resolved before. Fails (Malformed) without a Call-ID or one
// of the tags.
Result<DialogId> parse_dialog_id(std::string_view value);

struct SessionId {
    std::string_view local;  // 32 hexadecimal digits
    std::string_view remote; // empty when the parameter is not there
};

Result<SessionId> parse_session_id(std::string_view value);

} // namespace cw::sip
