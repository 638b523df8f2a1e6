// The messages that our parties send: complete and correct by themselves, then changed as the flow
// says, also for the worse. Internal to play.
#pragma once

#include <expected>
#include <string>

#include "play/state.hpp"

namespace cw::play {

// Or why it cannot be written: a sentence.
using Written = std::expected<std::string, std::string>;

// A request from the arrow's sender that goes out on `wire`; notes in the State what a dialog has
// to remember of it.
Written write_request(State& state, StepId step, const Arrow& arrow, const script::Request& request,
                      const Wire& wire);
Written write_response(State& state, StepId step, const Arrow& arrow,
                       const script::Response& response);
// The ACK to a 2xx that nobody draws [RFC 3261 §13.2.2.4].
Written write_ack(State& state, PartyId party, CallId call, const Wire& wire);

// A request that came on `came`, sent on as a proxy does it, to the arrow's receiver on `wire`.
Written write_passed_on(State& state, StepId step, const Arrow& arrow, std::string_view request,
                        const Wire& came, const Wire& wire);

// The branch of the topmost Via; empty when there is none to be read.
std::string branch_of(std::string_view text);

// The next hop of a request within the dialog of `party`: who of the cast is there.
std::optional<PartyId> next_hop_of(const State& state, PartyId party, SideKey key);

} // namespace cw::play
