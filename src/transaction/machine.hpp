// The four transaction machines of RFC 3261 §17, with the Accepted state of RFC 6026 and what RFC
// 4320 takes back. A machine is a table: state and event → next state and what is to be done. Pure:
// no I/O, no time; timer.hpp says how long a state lasts, Table performs.
//
//   client INVITE           client non-INVITE      server INVITE             server non-INVITE
//
//      Calling                  Trying               Proceeding                 Trying
//     1xx│  │2xx  │3-6xx       1xx│ │2-6xx        2xx│      │3-6xx           1xx│  │2-6xx
//        ▼  ▼     │               ▼ │                ▼      ▼                   ▼  │
//  Proceeding─▶Accepted       Proceeding        Accepted  Completed       Proceeding│
//        │        │           2-6xx│ │               │   ACK│                  │   │
//        ▼  3-6xx │ M              ▼ ▼               │L     ▼                  ▼   ▼
//    Completed    │            Completed             │   Confirmed            Completed
//        │D       ▼                │K                ▼      │I                  │J
//        └─▶ Terminated ◀──────────┘              Terminated◀───────────────────┘
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace cw::transaction {

enum class Kind : std::uint8_t { ClientInvite, ClientNonInvite, ServerInvite, ServerNonInvite };

enum class State : std::uint8_t {
    Calling,
    Trying,
    Proceeding,
    Completed,
    Accepted,
    Confirmed,
    Terminated,
};

// To a client, responses come from the wire and to a server from its user.
enum class Event : std::uint8_t {
    Retransmit,     // timer A, E or G
    Limit,          // timer B, D, F, H, I, J, K, L or M: the state has lasted long enough
    Provisional,    // 1xx
    Success,        // 2xx
    Failure,        // 300–699
    Request,        // the request, once more
    Ack,            // for the INVITE of a server transaction
    TransportError, // its wire is gone
};

// What is to be done; several at once.
enum Do : std::uint8_t {
    Nothing = 0,
    SendLast = 1,      // the request, or the last response
    SendAck = 2,       // for a 300–699 [§17.1.1.3]
    Deliver = 4,       // to the user of the transaction
    ReportTimeout = 8, // to the user
    ReportError = 16,  // to the user
};

struct Step {
    Kind kind;
    State state;
    Event event;
    State next;
    std::uint8_t actions;
};

// Every pair that is not here changes nothing and does nothing.
// clang-format off
inline constexpr auto steps = std::to_array<Step>({
    // Client INVITE [RFC 3261 figure 5, RFC 6026 figure 3]
    {Kind::ClientInvite, State::Calling,    Event::Retransmit,     State::Calling,    SendLast},
    {Kind::ClientInvite, State::Calling,    Event::Limit,          State::Terminated, ReportTimeout},
    {Kind::ClientInvite, State::Calling,    Event::Provisional,    State::Proceeding, Deliver},
    {Kind::ClientInvite, State::Calling,    Event::Success,        State::Accepted,   Deliver},
    {Kind::ClientInvite, State::Calling,    Event::Failure,        State::Completed,  Deliver | SendAck},
    {Kind::ClientInvite, State::Calling,    Event::TransportError, State::Terminated, ReportError},
    {Kind::ClientInvite, State::Proceeding, Event::Provisional,    State::Proceeding, Deliver},
    {Kind::ClientInvite, State::Proceeding, Event::Success,        State::Accepted,   Deliver},
    {Kind::ClientInvite, State::Proceeding, Event::Failure,        State::Completed,  Deliver | SendAck},
    // Note: figure 5 has no such arrow; but no response can come any more, and timer C would be the
    // only end.
    {Kind::ClientInvite, State::Proceeding, Event::TransportError, State::Terminated, ReportError},
    {Kind::ClientInvite, State::Completed,  Event::Failure,        State::Completed,  SendAck},
    {Kind::ClientInvite, State::Completed,  Event::TransportError, State::Terminated, Nothing},
    {Kind::ClientInvite, State::Completed,  Event::Limit,          State::Terminated, Nothing},
    {Kind::ClientInvite, State::Accepted,   Event::Success,        State::Accepted,   Deliver},
    {Kind::ClientInvite, State::Accepted,   Event::Limit,          State::Terminated, Nothing},
    // Client non-INVITE [RFC 3261 figure 6]
    {Kind::ClientNonInvite, State::Trying,     Event::Retransmit,     State::Trying,     SendLast},
    {Kind::ClientNonInvite, State::Trying,     Event::Limit,          State::Terminated, ReportTimeout},
    {Kind::ClientNonInvite, State::Trying,     Event::Provisional,    State::Proceeding, Deliver},
    {Kind::ClientNonInvite, State::Trying,     Event::Success,        State::Completed,  Deliver},
    {Kind::ClientNonInvite, State::Trying,     Event::Failure,        State::Completed,  Deliver},
    {Kind::ClientNonInvite, State::Trying,     Event::TransportError, State::Terminated, ReportError},
    {Kind::ClientNonInvite, State::Proceeding, Event::Retransmit,     State::Proceeding, SendLast},
    {Kind::ClientNonInvite, State::Proceeding, Event::Limit,          State::Terminated, ReportTimeout},
    {Kind::ClientNonInvite, State::Proceeding, Event::Provisional,    State::Proceeding, Deliver},
    {Kind::ClientNonInvite, State::Proceeding, Event::Success,        State::Completed,  Deliver},
    {Kind::ClientNonInvite, State::Proceeding, Event::Failure,        State::Completed,  Deliver},
    {Kind::ClientNonInvite, State::Proceeding, Event::TransportError, State::Terminated, ReportError},
    {Kind::ClientNonInvite, State::Completed,  Event::Limit,          State::Terminated, Nothing},
    // Server INVITE [RFC 3261 figure 7, RFC 6026 figures 1 and 2]
    {Kind::ServerInvite, State::Proceeding, Event::Request,        State::Proceeding, SendLast},
    {Kind::ServerInvite, State::Proceeding, Event::Provisional,    State::Proceeding, SendLast},
    {Kind::ServerInvite, State::Proceeding, Event::Success,        State::Accepted,   SendLast},
    {Kind::ServerInvite, State::Proceeding, Event::Failure,        State::Completed,  SendLast},
    {Kind::ServerInvite, State::Proceeding, Event::TransportError, State::Proceeding, ReportError},
    {Kind::ServerInvite, State::Accepted,   Event::Success,        State::Accepted,   SendLast},
    {Kind::ServerInvite, State::Accepted,   Event::Ack,            State::Accepted,   Deliver},
    {Kind::ServerInvite, State::Accepted,   Event::TransportError, State::Accepted,   ReportError},
    {Kind::ServerInvite, State::Accepted,   Event::Limit,          State::Terminated, Nothing},
    {Kind::ServerInvite, State::Completed,  Event::Request,        State::Completed,  SendLast},
    {Kind::ServerInvite, State::Completed,  Event::Retransmit,     State::Completed,  SendLast},
    {Kind::ServerInvite, State::Completed,  Event::Ack,            State::Confirmed,  Nothing},
    {Kind::ServerInvite, State::Completed,  Event::TransportError, State::Completed,  ReportError},
    {Kind::ServerInvite, State::Completed,  Event::Limit,          State::Terminated, ReportTimeout},
    {Kind::ServerInvite, State::Confirmed,  Event::Limit,          State::Terminated, Nothing},
    // Server non-INVITE [RFC 3261 figure 8]
    {Kind::ServerNonInvite, State::Trying,     Event::Provisional,    State::Proceeding, SendLast},
    {Kind::ServerNonInvite, State::Trying,     Event::Success,        State::Completed,  SendLast},
    {Kind::ServerNonInvite, State::Trying,     Event::Failure,        State::Completed,  SendLast},
    {Kind::ServerNonInvite, State::Proceeding, Event::Request,        State::Proceeding, SendLast},
    {Kind::ServerNonInvite, State::Proceeding, Event::Provisional,    State::Proceeding, SendLast},
    {Kind::ServerNonInvite, State::Proceeding, Event::Success,        State::Completed,  SendLast},
    {Kind::ServerNonInvite, State::Proceeding, Event::Failure,        State::Completed,  SendLast},
    {Kind::ServerNonInvite, State::Proceeding, Event::TransportError, State::Terminated, ReportError},
    {Kind::ServerNonInvite, State::Completed,  Event::Request,        State::Completed,  SendLast},
    {Kind::ServerNonInvite, State::Completed,  Event::TransportError, State::Terminated, Nothing},
    {Kind::ServerNonInvite, State::Completed,  Event::Limit,          State::Terminated, Nothing},
});
// clang-format on

inline constexpr std::size_t kind_count = 4;
inline constexpr std::size_t state_count = 7;
inline constexpr std::size_t event_count = 8;

struct Outcome {
    State next;
    std::uint8_t actions;
};

constexpr State first_state(Kind kind) {
    switch (kind) {
    case Kind::ClientInvite:
        return State::Calling;
    case Kind::ServerInvite:
        return State::Proceeding;
    case Kind::ClientNonInvite:
    case Kind::ServerNonInvite:
        return State::Trying;
    }
    return State::Terminated;
}

// O(1).
Outcome step(Kind kind, State state, Event event);

std::string_view to_string(State state);
std::string_view to_string(Kind kind);

} // namespace cw::transaction
