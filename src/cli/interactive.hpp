// The terminal of `read -i` and `watch`: raw keys in, frames out, and the terminal as it was
// afterwards, whatever ends the program.
#pragma once

#include <functional>
#include <string>

#include "view/screen/screen.hpp"

namespace cw::cli {

// What goes on meanwhile: called again and again, it works until a key can be read at `terminal`,
// or for `wait_ms`. False: it is time to leave.
using Meanwhile = std::function<bool(int terminal, int wait_ms)>;

// Runs until the user leaves. False: there is no terminal to talk to.
bool run_interactive(view::Screen& screen, const Meanwhile& meanwhile = {});

// Keeps the columns of the list for the next time, in callwright/columns of the configuration
// folder; returns what to say about it.
std::string keep_columns(const std::string& columns);

// What the terminal can show: its size, colours, 256 of them; and the columns that were kept.
view::ScreenOptions look_at_screen(bool ascii, bool colour);

} // namespace cw::cli
