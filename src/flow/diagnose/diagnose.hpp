// What went wrong, read off the model alone: so the same rules serve captures, live calls, flows
// that were performed and a server's trace. A rule says what was seen and what the RFC says about
// it, and is silent where the capture could not have shown the contrary. Any thread.
#pragma once

#include "flow/call.hpp"
#include "flow/diagnose/case.hpp"

namespace cw::flow::diagnose {

// Fills call.findings. The call must be complete, security and connections included.
void judge(Call& call, const Window& window);

} // namespace cw::flow::diagnose
