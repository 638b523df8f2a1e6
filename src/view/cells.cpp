#include "view/cells.hpp"

#include <algorithm>
#include <iterator>

#include "view/width_tables.hpp"

namespace cw::view {
namespace {

constexpr char32_t replacement = 0xfffd;
constexpr int max_combining = 3;

template <std::size_t N>
bool within(const unicode::Range (&table)[N], char32_t code) {
    const auto* at = std::upper_bound(std::begin(table), std::end(table), code,
                                      [](char32_t c, const auto& r) { return c < r.first; });
    return at != std::begin(table) && code <= std::prev(at)->last;
}

bool is_variation_selector(char32_t c) {
    return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef) ||
           (c >= 0x180b && c <= 0x180d);
}

// U+2400.. shows the controls by name; C1 controls have no pictures.
char32_t picture_of(char32_t control) {
    if (control < 0x20) {
        return 0x2400 + control;
    }
    return control == 0x7f ? char32_t{0x2421} : replacement;
}

bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

std::string_view ascii_of(char32_t code) {
    switch (code) {
    case 0xb7: // ·
    case 0x2013:
    case 0x2014:
        return "-";
    case 0xb5: // µ
        return "u";
    case 0xd7: // ×
        return "x";
    case 0x2026:
        return "...";
    case 0x2192:
    case 0x25b6: // ▶
        return "->";
    case 0x2190:
    case 0x25c0: // ◀
        return "<-";
    case 0x25b8: // ▸
        return ">";
    case 0x2713: // ✓
        return "ok";
    case 0x2717: // ✗
        return "x";
    default:
        return "?";
    }
}

} // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[at + i]); };
    const auto left = text.size() - at;
    const auto lead = byte(0);
    if (lead < 0x80) {
        return {.code = lead};
    }
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    constexpr CodePoint broken{.code = replacement, .size = 1, .valid = false};
    if (lead < 0xc2 || lead > 0xf4 || left < size) {
        return broken;
    }
    char32_t code = lead & (0x7fU >> size);
    for (std::size_t i = 1; i < size; ++i) {
        if ((byte(i) & 0xc0) != 0x80) {
            return broken;
        }
        code = code << 6 | (byte(i) & 0x3fU);
    }
    constexpr char32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (code < smallest[size] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        return broken;
    }
    return {.code = code, .size = static_cast<std::uint8_t>(size)};
}

void append_utf8(std::string& out, char32_t code) {
    const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
    if (code < 0x80) {
        put(code);
    } else if (code < 0x800) {
        put(0xc0 | code >> 6);
        put(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        put(0xe0 | code >> 12);
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    } else {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
        put(0x80 | (code >> 6 & 0x3f));
        put(0x80 | (code & 0x3f));
    }
}

int cell_width(char32_t code) {
    if (code < 0x300) {
        return 1;
    }
    if (within(unicode::zero_width, code)) {
        return 0;
    }
    return code >= 0x1100 && within(unicode::double_width, code) ? 2 : 1;
}

std::size_t cell_width(std::string_view text) {
    std::size_t cells = 0;
    for (std::size_t at = 0; at < text.size();) {
        const auto point = decode_utf8(text, at);
        cells += static_cast<std::size_t>(cell_width(point.code));
        at += point.size;
    }
    return cells;
}

bool is_deceptive(char32_t c) {
    return c == 0xad || c == 0x61c || c == 0x6dd || c == 0x70f || c == 0x8e2 || c == 0x180e ||
           (c >= 0x600 && c <= 0x605) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
           (c >= 0xfff9 && c <= 0xfffb) || (c >= 0x1d173 && c <= 0x1d17a) ||
           (c >= 0xe0000 && c <= 0xe0fff) || (c & 0xfffe) == 0xfffe;
}

void append_printable(std::string& out, std::string_view wire, std::size_t max_bytes) {
    if (wire.size() > max_bytes) {
        append_printable(out, wire.substr(0, max_bytes / 2), max_bytes);
        out += "…";
        append_printable(out, wire.substr(wire.size() - max_bytes / 2), max_bytes);
        return;
    }
    int combining = max_combining; // none may open the text: it would change what stands before
    for (std::size_t at = 0; at < wire.size();) {
        const auto byte = static_cast<std::uint8_t>(wire[at]);
        if (byte >= 0x20 && byte < 0x7f) {
            out += wire[at++];
            combining = 0;
            continue;
        }
        const auto point = decode_utf8(wire, at);
        at += point.size;
        auto code = point.code;
        if (is_variation_selector(code)) {
            continue;
        }
        if (is_control(code)) {
            code = picture_of(code);
        } else if (is_deceptive(code)) {
            code = replacement;
        }
        if (cell_width(code) == 0) {
            if (++combining > max_combining) {
                continue;
            }
        } else {
            combining = 0;
        }
        append_utf8(out, code);
    }
}

std::string printable(std::string_view wire, std::size_t max_bytes) {
    std::string out;
    append_printable(out, wire, max_bytes);
    return out;
}

std::string shorten(std::string_view text, std::size_t cells, std::string_view ellipsis) {
    if (cell_width(text) <= cells) {
        return std::string{text};
    }
    const auto sign = cell_width(ellipsis);
    const bool room = cells >= sign + 2;
    const auto kept = room ? cells - sign : cells;
    const auto front = room ? (kept + 1) / 2 : kept;

    // The offset after the last code point that still fits into `limit` cells from the left.
    std::size_t cut = 0;
    for (std::size_t at = 0, used = 0; at < text.size();) {
        const auto point = decode_utf8(text, at);
        used += static_cast<std::size_t>(cell_width(point.code));
        if (used > front) {
            break;
        }
        at += point.size;
        cut = at;
    }
    std::string out{text.substr(0, cut)};
    if (!room) {
        return out;
    }
    // From the right: drop code points until the rest fits; the rest must not begin with a mark.
    auto rest = text.substr(cut);
    auto left = cell_width(rest);
    while (!rest.empty() && (left > kept - front || cell_width(decode_utf8(rest, 0).code) == 0)) {
        const auto point = decode_utf8(rest, 0);
        left -= static_cast<std::size_t>(cell_width(point.code));
        rest.remove_prefix(point.size);
    }
    out += ellipsis;
    out += rest;
    return out;
}

std::string to_ascii(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const auto point = decode_utf8(text, at);
        at += point.size;
        if (point.code < 0x80) {
            out += static_cast<char>(point.code);
        } else if (cell_width(point.code) > 0) {
            out += ascii_of(point.code);
        }
    }
    return out;
}

} // namespace cw::view
