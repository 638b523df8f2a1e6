// The colour words of CSS Color Module Level 4 §6.1, and "transparent": Mermaid takes the first
// word of a box's title for a colour if it is one of these.
#pragma once

#include <string_view>

namespace cw::script {

bool is_colour(std::string_view word); // case does not count

} // namespace cw::script
