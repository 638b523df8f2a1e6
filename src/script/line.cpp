#include "script/line.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "script/utf8.hpp"

namespace cw::script {
namespace {

constexpr std::array<std::pair<std::string_view, char32_t>, 6> names{{
    {"lt", '<'},
    {"gt", '>'},
    {"quot", '"'},
    {"amp", '&'},
    {"apos", '\''},
    {"nbsp", ' '},
}};

// What stands between "#" and ";": a decimal number or one of the names.
std::optional<char32_t> entity(std::string_view name) {
    for (const auto& [known, code] : names) {
        if (name == known) {
            return code;
        }
    }
    const auto code = parse_number<std::uint32_t>(name);
    const bool letter = code && *code <= 0x10ffff && !(*code >= 0xd800 && *code <= 0xdfff);
    if (!letter || is_harmful(*code)) {
        return std::nullopt;
    }
    return *code;
}

// The length of "<br>", "<br/>" or "<br />" at the beginning of `text`; 0: none.
std::size_t line_break(std::string_view text) {
    if (!istarts_with(text, "<br")) {
        return 0;
    }
    std::size_t at = 3;
    while (at < text.size() && is_blank(text[at])) {
        ++at;
    }
    at += at < text.size() && text[at] == '/' ? 1 : 0;
    return at < text.size() && text[at] == '>' ? at + 1 : 0;
}

} // namespace

Line::Line(std::string_view source, std::uint32_t number, bool after_blank, Complaints& complaints)
    : number_(number), after_blank_(after_blank) {
    source = source.substr(0, source.find_last_not_of(" \t\r") + 1);
    sound_ = check_letters(source, complaints);
    if (sound_) {
        decode(source, complaints);
    }
    if (columns_.size() == text_.size()) {
        columns_.push_back(1); // nothing was decoded
    }
}

bool Line::check_letters(std::string_view source, Complaints& complaints) const {
    std::uint32_t column = 1;
    for (std::size_t at = 0; at < source.size(); ++column) {
        const auto letter = next_letter(source, at);
        if (!letter.valid) {
            complaints.error(at_column(column, 1), "these bytes are not UTF-8");
            return false;
        }
        if (letter.code == 0xfeff) {
            complaints.error(at_column(column, 1),
                             "a byte-order mark hides the front matter from Mermaid");
            return false;
        }
        if (is_harmful(letter.code)) {
            complaints.error(at_column(column, 1),
                             "a control character, or one that reorders the text around it");
            return false;
        }
        if (source.substr(at).starts_with("%%{")) {
            complaints.error(at_column(column, 3),
                             "“%%{” begins a Mermaid directive: all that follows would vanish from "
                             "the picture",
                             "a blank between “%%” and “{”");
            return false;
        }
        at += letter.size;
    }
    return true;
}

// In a comment line Mermaid sees nothing, and nothing needs an entity.
void Line::decode(std::string_view source, Complaints& complaints) {
    const auto begin = source.find_first_not_of(" \t");
    const bool hidden = begin != std::string_view::npos && source.substr(begin).starts_with("%%");
    std::uint32_t column = 1;
    for (std::size_t at = 0; at < source.size();) {
        const auto here = source.substr(at);
        std::size_t used = next_letter(source, at).size;
        std::uint32_t letters = 1;
        if (!hidden && here[0] == '#') {
            used = decode_entity(source, at, column, complaints);
            letters = static_cast<std::uint32_t>(used);
        } else if (const auto length = hidden ? 0 : line_break(here); length > 0) {
            put("\n", column);
            used = length;
            letters = static_cast<std::uint32_t>(used);
        } else if (!hidden && here[0] == ';') {
            sound_ = false;
            complaints.error(at_column(column, 1), "“;” ends a statement in Mermaid",
                             "#59; in its place, or the fact on a %% line beneath");
        } else {
            put(here.substr(0, used), column);
        }
        at += used;
        column += letters;
    }
    columns_.push_back(column);
}

// Returns the bytes of the source that it took.
std::size_t Line::decode_entity(std::string_view source, std::size_t at, std::uint32_t column,
                                Complaints& complaints) {
    std::size_t end = at + 1;
    while (end < source.size() && end < at + 12 &&
           (is_alpha(source[end]) || is_digit(source[end]))) {
        ++end;
    }
    const bool closed = end < source.size() && source[end] == ';' && end > at + 1;
    const auto code = closed ? entity(source.substr(at + 1, end - at - 1)) : std::nullopt;
    if (!code) {
        sound_ = false;
        complaints.error(at_column(column, 1),
                         closed ? "Mermaid has no such entity"
                                : "“#” cuts the rest of the text from the picture",
                         "#35; for a number sign, #59; for a semicolon");
        put("#", column);
        return closed ? end + 1 - at : 1;
    }
    std::string letter;
    append_letter(letter, *code);
    put(letter, column);
    return end + 1 - at;
}

void Line::put(std::string_view bytes, std::uint32_t column) {
    text_ += bytes;
    columns_.insert(columns_.end(), bytes.size(), column);
}

Place Line::at_column(std::uint32_t column, std::uint32_t length) const {
    return {number_, column, length, after_blank_};
}

std::string_view Line::text() const {
    const auto begin = std::min(text_.find_first_not_of(" \t"), text_.size());
    return std::string_view(text_).substr(begin);
}

void Line::flatten() {
    std::ranges::replace(text_, '\n', ' ');
}

Place Line::place(std::string_view part) const {
    const auto begin =
        part.data() == nullptr
            ? text_.size()
            : std::min(static_cast<std::size_t>(part.data() - text_.data()), text_.size());
    const auto end = std::min(begin + part.size(), text_.size());
    const auto length = end > begin ? columns_[end] - columns_[begin] : 0;
    return at_column(columns_[begin], length);
}

} // namespace cw::script
