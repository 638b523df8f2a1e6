// Small helpers for ASCII text. Protocol text is compared without locale, byte by byte.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace cw {

constexpr char ascii_lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}
constexpr bool is_digit(char c) {
    return c >= '0' && c <= '9';
}
constexpr bool is_alpha(char c) {
    return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z';
}
constexpr bool is_blank(char c) { // SP and HTAB
    return c == ' ' || c == '\t';
}

constexpr bool iequals(std::string_view a, std::string_view b) {
    if (a.size() != b.size()) {
        return false;
    }
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (ascii_lower(a[i]) != ascii_lower(b[i])) {
            return false;
        }
    }
    return true;
}
constexpr bool istarts_with(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && iequals(text.substr(0, prefix.size()), prefix);
}

// Without blanks, CR and LF at both ends (linear white space, RFC 3261 §25.1 LWS).
constexpr std::string_view trim(std::string_view text) {
    const auto white = [](char c) { return is_blank(c) || c == '\r' || c == '\n'; };
    while (!text.empty() && white(text.front())) {
        text.remove_prefix(1);
    }
    while (!text.empty() && white(text.back())) {
        text.remove_suffix(1);
    }
    return text;
}

// The whole of `text` as a decimal number; nothing when it is empty, has other characters or
// overflows T.
template <class T>
std::optional<T> parse_number(std::string_view text) {
    T value{};
    const auto* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || at != end || text.empty()) {
        return std::nullopt;
    }
    return value;
}

// As parse_number(), quicker for the few digits that messages have. For unsigned numbers of at most
// 32 bits.
template <class T>
std::optional<T> parse_short_number(std::string_view text) {
    constexpr std::size_t never_too_large = 9;
    if (text.empty() || text.size() > never_too_large) {
        return parse_number<T>(text);
    }
    std::uint32_t value = 0;
    for (const char c : text) {
        const auto digit = static_cast<std::uint32_t>(c) - '0';
        if (digit > 9) {
            return std::nullopt;
        }
        value = 10 * value + digit;
    }
    return value > std::numeric_limits<T>::max() ? std::nullopt
                                                 : std::optional{static_cast<T>(value)};
}

} // namespace cw
