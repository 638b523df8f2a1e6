// When media was put on hold, from the offers and answers of a call [RFC 3264 §8.4].
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "flow/call.hpp"
#include "view/ladder.hpp"

namespace cw::view {

// Every media line that is open is sendonly or inactive, or receives at no address, as in RFC 2543.
// False when none is open.
bool is_hold(const flow::Call& call, const flow::Message& message);

// `column` says where an end of a hop stands. In the order in which the holds began. What has no
// end lasts as long as the call.
std::vector<LadderHold> find_holds(const flow::Call& call,
                                   const std::function<std::uint16_t(const Endpoint&)>& column);

} // namespace cw::view
