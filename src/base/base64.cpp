#include "base/base64.hpp"

#include <array>

namespace cw {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::uint8_t no_letter = 0xff;
constexpr auto values = [] {
    std::array<std::uint8_t, 256> out{};
    out.fill(no_letter);
    for (std::size_t i = 0; i < letters.size(); ++i) {
        out[static_cast<std::uint8_t>(letters[i])] = static_cast<std::uint8_t>(i);
    }
    return out;
}();

// Without its padding; nothing when there is padding that does not fill a group of four.
std::optional<std::string_view> without_padding(std::string_view text) {
    const auto end = text.find('=');
    if (end == std::string_view::npos) {
        return text.size() % 4 == 1 ? std::nullopt : std::optional{text};
    }
    const auto padding = text.substr(end);
    const bool right = text.size() % 4 == 0 && (padding == "=" || padding == "==");
    return right ? std::optional{text.substr(0, end)} : std::nullopt;
}

} // namespace

std::string to_base64(Bytes bytes) {
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    const auto* letter = letters.data();
    const auto* from = bytes.data();
    auto* to = out.data();
    auto left = bytes.size();
    for (; left >= 3; left -= 3, from += 3, to += 4) {
        const std::uint32_t group = static_cast<std::uint32_t>(from[0]) << 16U |
                                    static_cast<std::uint32_t>(from[1]) << 8U | from[2];
        to[0] = letter[group >> 18U];
        to[1] = letter[group >> 12U & 63U];
        to[2] = letter[group >> 6U & 63U];
        to[3] = letter[group & 63U];
    }
    if (left > 0) { // the rest is padding
        const std::uint32_t group = static_cast<std::uint32_t>(from[0]) << 16U |
                                    (left > 1 ? static_cast<std::uint32_t>(from[1]) << 8U : 0U);
        to[0] = letter[group >> 18U];
        to[1] = letter[group >> 12U & 63U];
        if (left > 1) {
            to[2] = letter[group >> 6U & 63U];
        }
    }
    return out;
}

std::optional<std::size_t> decode_base64(std::string_view text, std::span<std::uint8_t> out) {
    const auto bare = without_padding(text);
    if (!bare || bare->size() * 3 / 4 > out.size()) {
        return std::nullopt;
    }
    const auto* from = reinterpret_cast<const std::uint8_t*>(bare->data());
    const auto* end = from + bare->size();
    auto* to = out.data();
    for (; end - from >= 4; from += 4, to += 3) {
        const auto a = values[from[0]];
        const auto b = values[from[1]];
        const auto c = values[from[2]];
        const auto d = values[from[3]];
        if (((a | b | c | d) & 0x80U) != 0) { // only no_letter has it
            return std::nullopt;
        }
        const std::uint32_t group =
            static_cast<std::uint32_t>(a) << 18U | static_cast<std::uint32_t>(b) << 12U |
            static_cast<std::uint32_t>(c) << 6U | static_cast<std::uint32_t>(d);
        to[0] = static_cast<std::uint8_t>(group >> 16U);
        to[1] = static_cast<std::uint8_t>(group >> 8U);
        to[2] = static_cast<std::uint8_t>(group);
    }
    std::uint32_t bits = 0; // of the last group, which has no four letters
    unsigned count = 0;
    for (; from != end; ++from) {
        const auto value = values[*from];
        if (value == no_letter) {
            return std::nullopt;
        }
        bits = bits << 6U | value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *to++ = static_cast<std::uint8_t>(bits >> count);
        }
    }
    const auto size = static_cast<std::size_t>(to - out.data());
    const bool clean = (bits & ((1U << count) - 1)) == 0;
    return clean ? std::optional{size} : std::nullopt;
}

} // namespace cw
