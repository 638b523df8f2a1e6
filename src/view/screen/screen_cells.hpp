// Text of the screens in cells of the terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "view/ladder.hpp"

namespace cw::view {

// `text`, which may hold SGR sequences, from column `from` on, `cells` wide, filled with blanks. A
// character that is cut in half becomes blanks.
std::string window(std::string_view text, std::size_t from, std::size_t cells);
std::string without_colour(std::string_view text);
// Exactly so wide: shortened in the middle, or filled with blanks.
std::string in_cells(std::string_view text, std::size_t cells, bool ascii);
// "✗ ", "✓ ", "! " or blanks.
std::string_view sign_of(Tone tone, bool ascii);

} // namespace cw::view
