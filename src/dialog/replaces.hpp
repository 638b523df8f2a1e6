// Replaces: an INVITE that takes the place of a dialog [RFC 3891 §3]. The judgement, as a table of
// the RFC's sentences; what follows from it (200 and BYE, or 200 and CANCEL) the user agent does.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dialog/dialog.hpp"
#include "sip/dialog_id.hpp"

namespace cw::dialog {

// A dialog that may be meant, as its user agent knows it.
struct ReplacesCandidate {
    const Dialog* dialog = nullptr;
    bool by_invite = true; // made by INVITE, not by SUBSCRIBE or REFER
    bool is_over = false;  // its call has ended
    std::uint64_t ref = 0; // the user's own number
};

struct ReplacesVerdict {
    // 0: there is no Replaces, or it may be followed. Else what to answer: 400, 481, 486, 603.
    std::uint16_t status = 0;
    std::uint64_t ref = 0; // of the dialog to be replaced; 0: none
    bool early = false;    // that we began: it is shut down by CANCEL, not by BYE
};

ReplacesVerdict judge_replaces(const sip::MessageView& request,
                               std::span<const ReplacesCandidate> candidates);

// The value of a Replaces that means this dialog, for the peer of the dialog [RFC 3891 §4].
std::string replaces_value(const Dialog& dialog, bool early_only = false);

} // namespace cw::dialog
