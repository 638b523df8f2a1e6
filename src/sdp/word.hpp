// Words of a line, as the values of a session description have them. For the files of this folder.
#pragma once

#include <string_view>

#include "base/scan.hpp"
#include "base/text.hpp"

namespace cw::sdp {

// Where `wanted` stands first; npos when nowhere. Inline, since what is searched is short.
template <char wanted>
std::size_t find(std::string_view text) {
    const auto* end = text.data() + text.size();
    const auto* at = find_first<wanted>(text.data(), end);
    return at == end ? std::string_view::npos : static_cast<std::size_t>(at - text.data());
}

// The next word of `text`, which loses it and the blanks around it.
inline std::string_view take_word(std::string_view& text) {
    const auto* at = text.data();
    const auto* const end = at + text.size();
    while (at != end && is_blank(*at)) {
        ++at;
    }
    const auto* const word = at;
    at = find_first<' ', '\t'>(at, end);
    const std::string_view out{word, static_cast<std::size_t>(at - word)};
    while (at != end && is_blank(*at)) {
        ++at;
    }
    text = {at, static_cast<std::size_t>(end - at)};
    return out;
}

// As trim(), which most words need not.
inline std::string_view trimmed(std::string_view text) {
    const auto is_mark = [](char c) { return static_cast<unsigned char>(c) > ' '; };
    return text.empty() || (is_mark(text.front()) && is_mark(text.back())) ? text : trim(text);
}

} // namespace cw::sdp
