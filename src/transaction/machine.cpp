#include "transaction/machine.hpp"

#include <utility>

namespace cw::transaction {
namespace {

constexpr std::size_t place(Kind kind, State state, Event event) {
    return (static_cast<std::size_t>(kind) * state_count + static_cast<std::size_t>(state)) *
               event_count +
           static_cast<std::size_t>(event);
}

constexpr auto make_outcomes() {
    std::array<Outcome, kind_count * state_count * event_count> outcomes{};
    for (std::size_t kind = 0; kind < kind_count; ++kind) {
        for (std::size_t state = 0; state < state_count; ++state) {
            for (std::size_t event = 0; event < event_count; ++event) {
                outcomes[(kind * state_count + state) * event_count + event] = {
                    static_cast<State>(state), Nothing};
            }
        }
    }
    for (const auto& s : steps) {
        outcomes[place(s.kind, s.state, s.event)] = {s.next, s.actions};
    }
    return outcomes;
}
constexpr auto outcomes = make_outcomes();

} // namespace

Outcome step(Kind kind, State state, Event event) {
    return outcomes[place(kind, state, event)];
}

std::string_view to_string(State state) {
    switch (state) {
    case State::Calling:
        return "Calling";
    case State::Trying:
        return "Trying";
    case State::Proceeding:
        return "Proceeding";
    case State::Completed:
        return "Completed";
    case State::Accepted:
        return "Accepted";
    case State::Confirmed:
        return "Confirmed";
    case State::Terminated:
        return "Terminated";
    }
    return "";
}

std::string_view to_string(Kind kind) {
    switch (kind) {
    case Kind::ClientInvite:
        return "client INVITE";
    case Kind::ClientNonInvite:
        return "client non-INVITE";
    case Kind::ServerInvite:
        return "server INVITE";
    case Kind::ServerNonInvite:
        return "server non-INVITE";
    }
    return "";
}

} // namespace cw::transaction
