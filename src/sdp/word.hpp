// Words of a line, as the values of a session description have them. For the files of this folder.
#pragma once

#include <string_view>

#include "base/text.hpp"

namespace cw::sdp {

// The next word of `text`, which loses it and the blanks around it.
inline std::string_view take_word(std::string_view& text) {
    std::size_t begin = 0;
    while (begin < text.size() && is_blank(text[begin])) {
        ++begin;
    }
    auto end = begin;
    while (end < text.size() && !is_blank(text[end])) {
        ++end;
    }
    const auto word = text.substr(begin, end - begin);
    while (end < text.size() && is_blank(text[end])) {
        ++end;
    }
    text.remove_prefix(end);
    return word;
}

} // namespace cw::sdp
