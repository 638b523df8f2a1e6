// A flow from any text that says one: a Mermaid sequence diagram, or a scenario of SIPp.
#pragma once

#include <string_view>

#include "script/parse.hpp"

namespace cw::script {

// Bytes that are worth reading of a file.
inline constexpr std::size_t longest_flow_text = 4 << 20;

// `name` is for the title where the text has none. Places are those of `text`.
Parsed read_flow(std::string_view text, std::string_view name);

} // namespace cw::script
