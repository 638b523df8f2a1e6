#include "view/screen/screen_cells.hpp"

#include <algorithm>

#include "view/cells.hpp"

namespace cw::view {

std::string window(std::string_view text, std::size_t from, std::size_t cells) {
    std::string out;
    std::size_t at = 0; // cells passed
    for (std::size_t i = 0; i < text.size();) {
        if (text[i] == '\x1b') {
            const auto end = std::min(text.find('m', i), text.size() - 1);
            out += text.substr(i, end + 1 - i);
            i = end + 1;
            continue;
        }
        const auto point = decode_utf8(text, i);
        const auto size = static_cast<std::size_t>(cell_width(point.code));
        if (at >= from && at + size <= from + cells) {
            out += text.substr(i, point.size);
        } else if (at + size > from && at < from + cells) {
            out.append(std::min(at + size, from + cells) - std::max(at, from), ' ');
        }
        at += size;
        i += point.size;
    }
    const auto filled = at > from ? std::min(at - from, cells) : 0;
    return out + std::string(cells - filled, ' ');
}

std::string without_colour(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\x1b') {
            i = std::min(text.find('m', i), text.size());
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string in_cells(std::string_view text, std::size_t cells, bool ascii) {
    return ascii ? window(shorten(to_ascii(text), cells, "..."), 0, cells)
                 : window(shorten(text, cells), 0, cells);
}

std::string_view sign_of(Tone tone, bool ascii) {
    return tone == Tone::Bad    ? (ascii ? "x " : "✗ ")
           : tone == Tone::Good ? (ascii ? "+ " : "✓ ")
           : tone == Tone::Slow ? "! "
                                : "  ";
}

} // namespace cw::view
