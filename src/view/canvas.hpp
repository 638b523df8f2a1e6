// One line of terminal cells: put text at a column, over what is there, and write the line with or
// without colour. A double-width character takes two cells; what overwrites half of one clears the
// other half. Reused from line to line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cw::view {

// SGR colours; the terminal's own palette, so that every theme stays readable.
enum class Ink : std::uint8_t { Normal, Bold, Dim, Green, Red, Amber };

// Turns a text's ink on and off around it, when `colour`.
void append_inked(std::string& out, std::string_view text, Ink ink, bool colour);

class Canvas {
  public:
    void clear() { cells_.clear(); }
    // `text` must be printable (view/cells.hpp). Returns the column after it.
    std::size_t put(std::size_t column, std::string_view text, Ink ink = Ink::Normal);
    // `glyph` must be one cell wide. Fills [from, to).
    void fill(std::size_t from, std::size_t to, std::string_view glyph, Ink ink = Ink::Normal);
    // Appends the line without trailing blanks, and a line end.
    void write(std::string& out, bool colour) const;

  private:
    struct Cell {
        std::string
            glyph; // a character with its combining marks; empty: right half of the one before
        Ink ink = Ink::Normal;
    };
    void reserve(std::size_t columns);
    void vacate(std::size_t column);

    std::vector<Cell> cells_;
};

} // namespace cw::view
