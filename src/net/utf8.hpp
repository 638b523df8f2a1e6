// Whether bytes are UTF-8 [RFC 3629]: no surrogates, nothing overlong, nothing beyond U+10FFFF.
#pragma once

#include <cstdint>
#include <string_view>

namespace cw::net {

constexpr bool is_utf8(std::string_view text) {
    const auto at = [text](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    for (std::size_t i = 0; i < text.size();) {
        const auto first = at(i++);
        if (first < 0x80) {
            continue;
        }
        const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        if (first < 0xc2 || first > 0xf4 || text.size() - i < more) {
            return false;
        }
        // [RFC 3629 §4] What may follow these four is narrower.
        const auto least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        const auto most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (at(i) < least || at(i) > most) {
            return false;
        }
        for (const auto end = i++ + more; i < end; ++i) {
            if ((at(i) & 0xc0) != 0x80) {
                return false;
            }
        }
    }
    return true;
}

} // namespace cw::net
