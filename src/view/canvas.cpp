#include "view/canvas.hpp"

#include "view/cells.hpp"

namespace cw::view {
namespace {

std::string_view code_of(Ink ink) {
    switch (ink) {
    case Ink::Normal:
        return "";
    case Ink::Bold:
        return "\x1b[1m";
    case Ink::Dim:
        return "\x1b[2m";
    case Ink::Green:
        return "\x1b[32m";
    case Ink::Red:
        return "\x1b[31m";
    case Ink::Amber:
        return "\x1b[33m";
    }
    return "";
}
constexpr std::string_view plain_again = "\x1b[0m";

} // namespace

void append_inked(std::string& out, std::string_view text, Ink ink, bool colour) {
    const bool inked = colour && ink != Ink::Normal && !text.empty();
    if (inked) {
        out += code_of(ink);
    }
    out += text;
    if (inked) {
        out += plain_again;
    }
}

void Canvas::reserve(std::size_t columns) {
    if (cells_.size() < columns) {
        cells_.resize(columns, Cell{" ", Ink::Normal});
    }
}

void Canvas::vacate(std::size_t column) {
    if (column > 0 && cells_[column].glyph.empty()) {
        cells_[column - 1].glyph = " ";
    }
    if (column + 1 < cells_.size() && cells_[column + 1].glyph.empty()) {
        cells_[column + 1].glyph = " ";
    }
}

std::size_t Canvas::put(std::size_t column, std::string_view text, Ink ink) {
    for (std::size_t at = 0; at < text.size();) {
        const auto point = decode_utf8(text, at);
        const auto glyph = text.substr(at, point.size);
        at += point.size;
        const auto wide = static_cast<std::size_t>(cell_width(point.code));
        if (wide == 0) {
            if (column > 0 && column <= cells_.size()) {
                const bool half = cells_[column - 1].glyph.empty() && column > 1;
                cells_[column - (half ? 2 : 1)].glyph += glyph;
            }
            continue;
        }
        reserve(column + wide);
        for (std::size_t i = 0; i < wide; ++i) {
            vacate(column + i);
            cells_[column + i].ink = ink;
            cells_[column + i].glyph = i == 0 ? glyph : std::string_view{};
        }
        column += wide;
    }
    return column;
}

void Canvas::fill(std::size_t from, std::size_t to, std::string_view glyph, Ink ink) {
    for (; from < to; ++from) {
        put(from, glyph, ink);
    }
}

void Canvas::write(std::string& out, bool colour) const {
    auto size = cells_.size();
    while (size > 0 && cells_[size - 1].glyph == " ") {
        --size;
    }
    auto ink = Ink::Normal;
    for (std::size_t i = 0; i < size; ++i) {
        const auto& cell = cells_[i];
        // Blanks keep the ink before them: fewer escape sequences.
        if (colour && cell.ink != ink && cell.glyph != " ") {
            if (ink != Ink::Normal) {
                out += plain_again;
            }
            out += code_of(cell.ink);
            ink = cell.ink;
        }
        out += cell.glyph;
    }
    if (ink != Ink::Normal) {
        out += plain_again;
    }
    out += '\n';
}

} // namespace cw::view
