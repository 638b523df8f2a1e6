// What a played party says of its calls to who has subscribed to them: a document of the dialog
// event package, whole each time [RFC 4235 §4]. Free of state.
#pragma once

#include <cstdint>
#include <string>

#include "play/state.hpp"

namespace cw::play {

// `version`: 0 in the first document of a subscription, one more in each that follows.
std::string dialog_info(const State& state, PartyId party, std::uint32_t version);

} // namespace cw::play
