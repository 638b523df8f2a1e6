// What callwright load --find-limit says, for people and as JSON.
#pragma once

#include <string>

#include "cli/terminal.hpp"
#include "play/load/limit.hpp"

namespace cw::cli {

// A load at one rate, in a line.
std::string rung_text(const play::Rung& rung, const Terminal& terminal);
std::string limit_text(const play::Limit& limit);
std::string limit_json(const std::string& file, const play::Limit& limit);

} // namespace cw::cli
