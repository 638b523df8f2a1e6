// How well a call was protected: its signalling, hop by hop, and its media.
#pragma once

#include "flow/call.hpp"

namespace cw::flow {

// Judges call.messages, call.media_lines, call.streams and call.connections.
Security judge_security(const Call& call);

} // namespace cw::flow
