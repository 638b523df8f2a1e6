// A ladder in a terminal.
//
//   10:00:01.120            ╞═ TLS 1.3 · edge ══╡                    │
//           .151   +31 ms  1├🔒 INVITE SRTP ───▶│                    │
//
// Columns stand at equal distances, chosen so that the whole fits `width` when it can; the text of
// an arrow is never cut, so a ladder with many columns or long texts is wider than the terminal and
// is meant to be scrolled sideways. A screen, which shows the message as well, asks for long texts
// to be shortened where that brings all columns into sight.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "view/ladder.hpp"

namespace cw::view {

struct TextOptions {
    std::size_t width = 100; // cells
    bool ascii = false;
    bool colour = false;
    bool fit = false; // texts of arrows may be shortened in their middle
};

// Appends the ladder to `out`.
void append_text(std::string& out, const Ladder& ladder, const TextOptions& options = {});

// The same line by line, for a screen that shows some of them.
struct TextLine {
    std::string text;
    std::size_t row = 0; // of Ladder::rows
};
struct TextLines {
    std::vector<std::string> heads; // names and addresses of the columns
    std::vector<TextLine> rows;
};
TextLines ladder_lines(const Ladder& ladder, const TextOptions& options = {});

} // namespace cw::view
