// What many calls have in common, for people and for programs: docs/formats/stats-json.md.
#pragma once

#include <string>
#include <string_view>

#include "flow/statistics.hpp"

namespace cw::view {

// `ascii`: no other characters.
std::string statistics_text(const flow::Statistics& statistics, bool ascii);
// One object; `version` is the program's.
std::string statistics_json(const flow::Statistics& statistics, std::string_view version);

} // namespace cw::view
