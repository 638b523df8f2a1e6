// Which characters may stand where, as one table of bits [RFC 3261 §25.1], and a cursor that walks
// over text with it. For the parsers of this folder.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace cw::sip::chars {

enum Class : std::uint16_t {
    Digit = 1 << 0,
    Alpha = 1 << 1,
    Hex = 1 << 2,
    Token = 1 << 3,      // token
    White = 1 << 4,      // SP HTAB CR LF: within a value every line break is a fold
    Host = 1 << 5,       // hostname, IPv4address; "_" too, since hosts have it
    User = 1 << 6,       // unreserved, user-unreserved; not "%"
    Password = 1 << 7,   // unreserved, password's own; not "%"
    UriParam = 1 << 8,   // paramchar, ";" and "="; not "%"
    UriHeader = 1 << 9,  // hnv-unreserved, unreserved, "=" and "&"; not "%"
    Generic = 1 << 10,   // anything in a URI of RFC 3986; "%" too
    ParamValue = 1 << 11 // a parameter's value: token, host, IPv6reference; what senders put there
};

// The classes that hold all letters, digits, "-", "." and "_".
inline constexpr int plain = Token | Host | User | Password | UriParam | UriHeader | ParamValue;

constexpr void set(std::array<std::uint16_t, 256>& table, std::string_view text, int bits) {
    for (const auto c : text) {
        auto& entry = table[static_cast<std::uint8_t>(c)];
        entry = static_cast<std::uint16_t>(entry | bits);
    }
}

inline constexpr auto table = [] {
    std::array<std::uint16_t, 256> t{};
    constexpr int everywhere =
        Token | User | Password | UriParam | UriHeader | Generic | ParamValue;
    set(t, "0123456789", Digit | Hex | Host | everywhere);
    set(t, "abcdefABCDEF", Hex);
    set(t, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", Alpha | Host | everywhere);
    set(t, "-.!%*_+`'~", Token | ParamValue);
    set(t, " \t\r\n", White);
    set(t, "-._", Host);
    // unreserved = alphanum / mark
    set(t, "-_.!~*'()", User | Password | UriParam | UriHeader | Generic);
    set(t, "&=+$,;?/", User);
    set(t, "&=+$,", Password);
    set(t, "[]/:&+$;=`", UriParam);
    set(t, "[]/?:+$=&", UriHeader);
    set(t, ":/?#[]@!$&'()*+,;=%", Generic);
    set(t, "[]:/@()?&$#|", ParamValue);
    return t;
}();

constexpr bool is(char c, int classes) {
    return (table[static_cast<std::uint8_t>(c)] & classes) != 0;
}

constexpr bool all(std::string_view text, int classes) {
    for (const auto c : text) {
        if (!is(c, classes)) {
            return false;
        }
    }
    return true;
}

// Is `text` this word, in any case? `word` is lower-case letters alone: setting the case bit then
// makes two characters equal only when they are the same letter.
template <std::size_t n>
constexpr bool is_word(std::string_view text, const char (&word)[n]) {
    if (text.size() != n - 1) {
        return false;
    }
    unsigned different = 0;
    for (std::size_t i = 0; i < n - 1; ++i) {
        different |= (static_cast<std::uint8_t>(text.data()[i]) | 0x20U) ^
                     static_cast<std::uint8_t>(word[i]);
    }
    return different == 0;
}

constexpr bool is_token(std::string_view text) {
    return !text.empty() && all(text, Token);
}

} // namespace cw::sip::chars
