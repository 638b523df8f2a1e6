// The findings of a call in words, for beneath its ladder: what was seen, what to change, the RFC.
#pragma once

#include <string>
#include <string_view>

#include "view/ladder.hpp"
#include "view/ladder_text.hpp"

namespace cw::view {

// Appends nothing when there is no finding but notes.
void append_findings(std::string& out, const Ladder& ladder, const TextOptions& options);

// `text` in lines of at most `width` cells, each after `indent` blanks; the first line begins where
// `out` ends.
void append_wrapped(std::string& out, std::string_view text, std::size_t indent, std::size_t width);

// Our own words for a terminal that knows ASCII alone, "§" as "section ".
std::string said_in(std::string_view text, bool ascii);

} // namespace cw::view
