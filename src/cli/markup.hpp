// Text within HTML and XML.
#pragma once

#include <string>
#include <string_view>

namespace cw::cli {

// For the inside of elements and of attributes in double quotes.
inline std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
        case '<':
            out += "&lt;";
            break;
        case '>':
            out += "&gt;";
            break;
        case '&':
            out += "&amp;";
            break;
        case '"':
            out += "&quot;";
            break;
        default:
            out += c;
        }
    }
    return out;
}

} // namespace cw::cli
