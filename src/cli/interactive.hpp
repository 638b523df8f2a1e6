// The terminal of `read -i`: raw keys in, frames out, and the terminal as it was afterwards,
// whatever ends the program.
#pragma once

#include "view/screen/screen.hpp"

namespace cw::cli {

// Runs until the user leaves. False: there is no terminal to talk to.
bool run_interactive(view::Screen& screen);

// What the terminal can show: its size, colours, 256 of them.
view::ScreenOptions look_at_screen(bool ascii, bool colour);

} // namespace cw::cli
