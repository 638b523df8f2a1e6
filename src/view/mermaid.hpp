// A ladder as a Mermaid sequence diagram that GitHub draws, also with strict security and in old
// versions (10.9 on). Nothing from the wire can end a label, start a directive, become markup or
// mathematics, or break the diagram.
#pragma once

#include <string>
#include <string_view>

#include "view/ladder.hpp"

namespace cw::view {

// Appends the bare diagram. Mermaid refuses more than 50,000 characters; a longer ladder ends with
// a note that says how much is missing.
void append_mermaid(std::string& out, const Ladder& ladder);

// Appends a heading and the diagram in a fence: a Markdown document of several calls is one of
// these after the other.
void append_mermaid_section(std::string& out, const Ladder& ladder);

// Appends `text` as it must stand in a label, note or alias: characters that Mermaid, HTML or KaTeX
// would interpret become entities.
void append_mermaid_text(std::string& out, std::string_view text);

} // namespace cw::view
