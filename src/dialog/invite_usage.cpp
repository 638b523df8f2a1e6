#include "dialog/invite_usage.hpp"

namespace cw::dialog {

InviteOutcome step(InviteSide side, InviteState state, InviteEvent event) {
    for (const auto& s : invite_steps) {
        if (s.side == side && s.state == state && s.event == event) {
            return {s.next, s.actions, true};
        }
    }
    return {state, InviteNothing, false};
}

std::string_view to_string(InviteState state) {
    constexpr std::array<std::string_view, invite_state_count> names{
        "Preparative", "Early", "Moratorium", "Established", "Mortal", "Morgue"};
    return names[static_cast<std::size_t>(state)];
}

std::string_view dialog_info_state(InviteState state) {
    switch (state) {
    case InviteState::Preparative:
        return "trying";
    case InviteState::Early:
        return "early";
    case InviteState::Moratorium:
    case InviteState::Established:
        return "confirmed";
    case InviteState::Mortal:
    case InviteState::Morgue:
        return "terminated";
    }
    return "";
}

} // namespace cw::dialog
