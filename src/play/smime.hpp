// Bodies that are signed and encrypted as the facts of an arrow say: made by the party that sends,
// opened by the one at the end, and compared with what was drawn, also where it was drawn wrong on
// purpose. Internal to play.
#pragma once

#include <expected>
#include <string>

#include "dialog/draft.hpp"
#include "play/state.hpp"

namespace cw::play {

// Wraps the draft's body where the arrow says so; a 493 gets the certificate of who sends it
// [RFC 3261 §23.2].
std::expected<void, std::string> seal_body(State& state, const Arrow& arrow, dialog::Draft& draft);

} // namespace cw::play
