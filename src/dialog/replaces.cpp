#include "dialog/replaces.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;

// A peer of RFC 2543 gave no tag: "a tag of zero matches both tags of zero and null" [RFC 3891
// §6.1].
bool same_tag(std::string_view wanted, std::string_view tag) {
    return wanted == tag || (tag.empty() && wanted == "0");
}

bool means(const sip::DialogId& id, const Dialog& dialog) {
    return id.call_id == dialog.call_id && same_tag(id.local_tag, dialog.local_tag) &&
           same_tag(id.remote_tag, dialog.remote_tag);
}

ReplacesVerdict judge(const ReplacesCandidate& found, bool early_only) {
    if (!found.by_invite) {
        return {481, 0, false};
    }
    if (found.is_over || found.dialog->state == Dialog::State::Terminated) {
        return {603, 0, false};
    }
    const bool early = found.dialog->state == Dialog::State::Early;
    if (!early) {
        return early_only ? ReplacesVerdict{486, 0, false} : ReplacesVerdict{0, found.ref, false};
    }
    // "an early dialog that was not initiated by this UA" [RFC 3891 §3]
    return found.dialog->role == Dialog::Role::Uac ? ReplacesVerdict{0, found.ref, true}
                                                   : ReplacesVerdict{481, 0, false};
}

} // namespace

ReplacesVerdict judge_replaces(const sip::MessageView& request,
                               std::span<const ReplacesCandidate> candidates) {
    if (!request.has(HeaderId::Replaces)) {
        return {};
    }
    // "If more than one Replaces header field is present in an INVITE, or if a Replaces header
    // field is present in a request other than INVITE, the UAS MUST reject the request with a 400";
    // so too with a header of contradictory semantics, as Join is [RFC 3891 §3].
    const auto id = sip::parse_dialog_id(request.value(HeaderId::Replaces));
    if (request.repeated(HeaderId::Replaces) || request.method() != sip::Method::Invite ||
        request.has(HeaderId::Join) || !id) {
        return {400, 0, false};
    }
    const ReplacesCandidate* found = nullptr;
    for (const auto& candidate : candidates) {
        if (means(*id, *candidate.dialog)) {
            if (found != nullptr) {
                return {481, 0, false}; // "MUST act as if no match is found"
            }
            found = &candidate;
        }
    }
    return found == nullptr ? ReplacesVerdict{481, 0, false} : judge(*found, id->early_only);
}

std::string replaces_value(const Dialog& dialog, bool early_only) {
    // Whoever gets it matches to-tag with its local tag: that is our remote one.
    auto out = dialog.call_id +
               ";to-tag=" + (dialog.remote_tag.empty() ? std::string{"0"} : dialog.remote_tag) +
               ";from-tag=" + (dialog.local_tag.empty() ? std::string{"0"} : dialog.local_tag);
    return early_only ? out + ";early-only" : out;
}

} // namespace cw::dialog
