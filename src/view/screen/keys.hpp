// Bytes of a terminal as keys with names: "a", "?", "enter", "space", "esc", "up", "page-down",
// "f2", "ctrl-l"; the mouse as "wheel-up", "wheel-down" and "click 12 3" (column and row, from 1).
// Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace cw::view {

// The key at the beginning of `bytes`, which is taken away. Nothing when more bytes must come; with
// `last`, none will, and a lone escape is the key of that name.
std::optional<std::string> take_key(std::string_view& bytes, bool last);

} // namespace cw::view
