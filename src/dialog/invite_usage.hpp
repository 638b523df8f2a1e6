// What an INVITE makes of a dialog, with the states of RFC 5407 §2: from the INVITE to the ACK, the
// call, and the time after BYE in which late messages are still understood. A table, as in
// transaction/machine.hpp; the user agent performs.
//
//   caller and callee:          Preparative
//                      3-6xx    │1xx-tag  │2xx
//              ┌────────────────┤         │
//              │        ┌───── Early ─────┤
//              │  3-6xx │    BYE│         ▼
//              │        │       │     Moratorium ──ACK──▶ Established
//              ▼        ▼       ▼         │BYE               │BYE
//            Morgue ◀─time── Mortal ◀─────┴──────────────────┘
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cw::dialog {

enum class InviteState : std::uint8_t {
    Preparative,
    Early,
    Moratorium, // 2xx without its ACK
    Established,
    Mortal, // BYE was sent or received
    Morgue,
};
inline constexpr std::size_t invite_state_count = 6;

enum class InviteSide : std::uint8_t { Caller, Callee };

// The caller receives responses and sends ACK; the callee sends responses and receives ACK.
enum class InviteEvent : std::uint8_t {
    Provisional, // 101–199 with a tag
    Success,     // 2xx
    Failure,     // 3xx–6xx, also a timeout
    Ack,
    ByeSent,
    ByeReceived,
    AckTimeout, // callee: 64*T1 without ACK
    Over,       // Mortal has lasted long enough
};
inline constexpr std::size_t invite_event_count = 8;

enum InviteDo : std::uint8_t {
    InviteNothing = 0,
    AckIt = 1,         // caller: send the ACK, or send it again
    ResendSuccess = 2, // callee: send the 2xx until the ACK
    StopSuccess = 4,
    HangUp = 8,        // send BYE
    RefuseInvite = 16, // answer the INVITE with 487 [RFC 3261 §15.1.2]
};

struct InviteStep {
    InviteSide side;
    InviteState state;
    InviteEvent event;
    InviteState next;
    std::uint8_t actions;
};

// Every pair that is not here is not legal: it changes nothing and does nothing.
// clang-format off
inline constexpr auto invite_steps = std::to_array<InviteStep>({
    // [RFC 5407 figure 1]
    {InviteSide::Caller, InviteState::Preparative, InviteEvent::Provisional, InviteState::Early,       InviteNothing},
    {InviteSide::Caller, InviteState::Preparative, InviteEvent::Success,     InviteState::Moratorium,  AckIt},
    {InviteSide::Caller, InviteState::Preparative, InviteEvent::Failure,     InviteState::Morgue,      InviteNothing},
    {InviteSide::Caller, InviteState::Early,       InviteEvent::Provisional, InviteState::Early,       InviteNothing},
    {InviteSide::Caller, InviteState::Early,       InviteEvent::Success,     InviteState::Moratorium,  AckIt},
    {InviteSide::Caller, InviteState::Early,       InviteEvent::Failure,     InviteState::Morgue,      InviteNothing},
    {InviteSide::Caller, InviteState::Early,       InviteEvent::ByeSent,     InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Early,       InviteEvent::ByeReceived, InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Moratorium,  InviteEvent::Success,     InviteState::Moratorium,  AckIt},
    {InviteSide::Caller, InviteState::Moratorium,  InviteEvent::Ack,         InviteState::Established, InviteNothing},
    {InviteSide::Caller, InviteState::Moratorium,  InviteEvent::ByeSent,     InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Moratorium,  InviteEvent::ByeReceived, InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Established, InviteEvent::Success,     InviteState::Established, AckIt},
    {InviteSide::Caller, InviteState::Established, InviteEvent::Ack,         InviteState::Established, InviteNothing},
    {InviteSide::Caller, InviteState::Established, InviteEvent::ByeSent,     InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Established, InviteEvent::ByeReceived, InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Mortal,      InviteEvent::Success,     InviteState::Mortal,      AckIt},
    {InviteSide::Caller, InviteState::Mortal,      InviteEvent::Ack,         InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Mortal,      InviteEvent::Failure,     InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Mortal,      InviteEvent::ByeReceived, InviteState::Mortal,      InviteNothing},
    {InviteSide::Caller, InviteState::Mortal,      InviteEvent::Over,        InviteState::Morgue,      InviteNothing},
    // [RFC 5407 figure 2]. Note: "The callee's UA MUST NOT send a BYE on a confirmed dialog until it
    // has received an ACK for its 2xx response or until the server transaction times out" [RFC 3261
    // §15]: no ByeSent in Moratorium, nor in Early [§15: only the caller may].
    {InviteSide::Callee, InviteState::Preparative, InviteEvent::Provisional, InviteState::Early,       InviteNothing},
    {InviteSide::Callee, InviteState::Preparative, InviteEvent::Success,     InviteState::Moratorium,  ResendSuccess},
    {InviteSide::Callee, InviteState::Preparative, InviteEvent::Failure,     InviteState::Morgue,      InviteNothing},
    {InviteSide::Callee, InviteState::Early,       InviteEvent::Provisional, InviteState::Early,       InviteNothing},
    {InviteSide::Callee, InviteState::Early,       InviteEvent::Success,     InviteState::Moratorium,  ResendSuccess},
    {InviteSide::Callee, InviteState::Early,       InviteEvent::Failure,     InviteState::Morgue,      InviteNothing},
    {InviteSide::Callee, InviteState::Early,       InviteEvent::ByeReceived, InviteState::Mortal,      RefuseInvite},
    {InviteSide::Callee, InviteState::Moratorium,  InviteEvent::Ack,         InviteState::Established, StopSuccess},
    {InviteSide::Callee, InviteState::Moratorium,  InviteEvent::ByeReceived, InviteState::Mortal,      StopSuccess},
    {InviteSide::Callee, InviteState::Moratorium,  InviteEvent::AckTimeout,  InviteState::Established, StopSuccess | HangUp},
    {InviteSide::Callee, InviteState::Established, InviteEvent::Ack,         InviteState::Established, InviteNothing},
    {InviteSide::Callee, InviteState::Established, InviteEvent::ByeSent,     InviteState::Mortal,      InviteNothing},
    {InviteSide::Callee, InviteState::Established, InviteEvent::ByeReceived, InviteState::Mortal,      InviteNothing},
    {InviteSide::Callee, InviteState::Mortal,      InviteEvent::Ack,         InviteState::Mortal,      StopSuccess},
    {InviteSide::Callee, InviteState::Mortal,      InviteEvent::ByeReceived, InviteState::Mortal,      InviteNothing},
    {InviteSide::Callee, InviteState::Mortal,      InviteEvent::Over,        InviteState::Morgue,      InviteNothing},
});
// clang-format on

struct InviteOutcome {
    InviteState next;
    std::uint8_t actions;
    bool legal;
};
InviteOutcome step(InviteSide side, InviteState state, InviteEvent event);

std::string_view to_string(InviteState state);
// The name that the dialog package has for it: "trying", "early", "confirmed", "terminated"
// [RFC 4235 §3.7.1].
std::string_view dialog_info_state(InviteState state);

} // namespace cw::dialog
