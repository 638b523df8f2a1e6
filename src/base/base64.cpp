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
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto left = bytes.size() - i;
        const std::uint32_t group =
            static_cast<std::uint32_t>(bytes[i]) << 16U |
            (left > 1 ? static_cast<std::uint32_t>(bytes[i + 1]) << 8U : 0U) |
            (left > 2 ? bytes[i + 2] : 0U);
        out += letters[group >> 18U];
        out += letters[group >> 12U & 63U];
        out += left > 1 ? letters[group >> 6U & 63U] : '=';
        out += left > 2 ? letters[group & 63U] : '=';
    }
    return out;
}

std::optional<std::size_t> decode_base64(std::string_view text, std::span<std::uint8_t> out) {
    const auto bare = without_padding(text);
    if (!bare || bare->size() * 3 / 4 > out.size()) {
        return std::nullopt;
    }
    std::size_t size = 0;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char letter : *bare) {
        const auto value = values[static_cast<std::uint8_t>(letter)];
        if (value == no_letter) {
            return std::nullopt;
        }
        bits = (bits << 6U | value) & 0xffffU;
        count += 6;
        if (count >= 8) {
            count -= 8;
            out[size++] = static_cast<std::uint8_t>(bits >> count);
        }
    }
    const bool clean = (bits & ((1U << count) - 1)) == 0;
    return clean ? std::optional{size} : std::nullopt;
}

} // namespace cw
