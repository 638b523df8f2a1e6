#include "view/screen/keys.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "view/cells.hpp"

namespace cw::view {
namespace {

using Named = std::pair<std::string_view, std::string_view>;

// What follows the escape: xterm, rxvt, the Linux console, tmux and screen.
constexpr std::array sequences{
    Named{"[A", "up"},       Named{"[B", "down"},       Named{"[C", "right"}, Named{"[D", "left"},
    Named{"OA", "up"},       Named{"OB", "down"},       Named{"OC", "right"}, Named{"OD", "left"},
    Named{"[H", "home"},     Named{"[F", "end"},        Named{"OH", "home"},  Named{"OF", "end"},
    Named{"[1~", "home"},    Named{"[4~", "end"},       Named{"[7~", "home"}, Named{"[8~", "end"},
    Named{"[5~", "page-up"}, Named{"[6~", "page-down"}, Named{"OP", "f1"},    Named{"OQ", "f2"},
    Named{"OR", "f3"},       Named{"OS", "f4"},         Named{"[11~", "f1"},  Named{"[12~", "f2"},
    Named{"[13~", "f3"},     Named{"[14~", "f4"},       Named{"[[A", "f1"},   Named{"[[B", "f2"},
    Named{"[[C", "f3"},      Named{"[[D", "f4"},        Named{"[[E", "f5"},   Named{"[15~", "f5"},
    Named{"[17~", "f6"},     Named{"[18~", "f7"},       Named{"[19~", "f8"},  Named{"[20~", "f9"},
    Named{"[21~", "f10"},    Named{"[3~", "delete"},
};
constexpr std::size_t longest_sequence = 24;

std::string control(char c) {
    switch (c) {
    case '\r':
    case '\n':
        return "enter";
    case '\t':
        return "tab";
    case '\b':
    case '\x7f':
        return "backspace";
    case ' ':
        return "space";
    default:
        return std::string{"ctrl-"} + static_cast<char>(c + 'a' - 1);
    }
}

// "[<0;12;3M": the mouse, as terminals report it since xterm's mode 1006. Nothing: it is not whole.
std::optional<std::string> take_mouse(std::string_view& bytes) {
    const auto rest = bytes.substr(3);
    const auto end = rest.find_first_not_of("0123456789;");
    if (end == std::string_view::npos || end > longest_sequence) {
        if (rest.size() <= longest_sequence) {
            return std::nullopt;
        }
        bytes.remove_prefix(3);
        return "unknown";
    }
    const auto first = rest.find(';');
    const auto second = first < end ? rest.find(';', first + 1) : first;
    const bool pressed = rest[end] == 'M';
    bytes.remove_prefix(3 + end + 1);
    if (second >= end || !pressed) {
        return "unknown"; // a button that was let go
    }
    const auto button = rest.substr(0, first);
    if (button == "64" || button == "65") {
        return button == "64" ? "wheel-up" : "wheel-down";
    }
    return button != "0" ? "unknown"
                         : "click " + std::string{rest.substr(first + 1, second - first - 1)} +
                               " " + std::string{rest.substr(second + 1, end - second - 1)};
}

std::optional<std::string> take_sequence(std::string_view& bytes, bool last) {
    const auto rest = bytes.substr(1);
    if (rest.starts_with("[<")) {
        auto key = take_mouse(bytes);
        if (!key && last) {
            bytes = {};
            return "unknown";
        }
        return key;
    }
    for (const auto& [sequence, name] : sequences) {
        if (rest.starts_with(sequence)) {
            bytes.remove_prefix(1 + sequence.size());
            return std::string{name};
        }
    }
    if (rest.starts_with('[') || rest.starts_with('O')) {
        // One that is not known ends with its first letter or "~".
        const auto end = std::find_if(rest.begin() + 1, rest.end(),
                                      [](char c) { return c >= '@' && c <= '~' && c != '['; });
        if (end != rest.end()) {
            bytes.remove_prefix(static_cast<std::size_t>(end - rest.begin()) + 2);
            return "unknown";
        }
        if (!last && rest.size() < longest_sequence) {
            return std::nullopt;
        }
    } else if (rest.empty() && !last) {
        return std::nullopt;
    }
    bytes.remove_prefix(1);
    return "esc";
}

} // namespace

std::optional<std::string> take_key(std::string_view& bytes, bool last) {
    if (bytes.empty()) {
        return std::nullopt;
    }
    const auto first = bytes.front();
    if (first == '\x1b') {
        return take_sequence(bytes, last);
    }
    if ((first >= 0 && first <= ' ') || first == '\x7f') {
        bytes.remove_prefix(1);
        return first == 0 ? std::string{"unknown"} : control(first);
    }
    const auto point = decode_utf8(bytes, 0);
    if (!point.valid && bytes.size() < 4 && !last) {
        return std::nullopt; // the rest of a character
    }
    const std::string key{point.valid ? bytes.substr(0, point.size) : std::string_view{"unknown"}};
    bytes.remove_prefix(point.size);
    return key;
}

} // namespace cw::view
