// What became of a call, read off its messages.
#pragma once

#include "flow/call.hpp"

namespace cw::flow {

// Which kind the messages make it: an INVITE anywhere makes it a call.
Kind kind_of(const Call& call);

// Fills kind, state, start, end, answered, duration_s, final_status and cut_off. `capture_end` is
// the time of the last packet of the capture. Messages must be in the order of time.
void conclude(Call& call, Instant capture_end);

} // namespace cw::flow
