#include "crypto/base64url.hpp"

#include <array>

namespace cw::crypto {
namespace {

constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr auto values = [] {
    std::array<std::int8_t, 256> t{};
    t.fill(-1);
    for (std::size_t i = 0; i < letters.size(); ++i) {
        t[static_cast<std::uint8_t>(letters[i])] = static_cast<std::int8_t>(i);
    }
    return t;
}();

} // namespace

void append_base64url(std::string& out, Bytes bytes) {
    std::uint32_t bits = 0;
    int count = 0;
    for (const auto octet : bytes) {
        bits = bits << 8 | octet;
        for (count += 8; count >= 6; count -= 6) {
            out += letters[bits >> (count - 6) & 63];
        }
    }
    if (count != 0) {
        out += letters[bits << (6 - count) & 63];
    }
}

std::optional<std::size_t> decode_base64url(std::string_view text, std::span<std::uint8_t> out) {
    std::uint32_t bits = 0;
    int count = 0;
    std::size_t size = 0;
    for (const auto c : text) {
        const auto value = values[static_cast<std::uint8_t>(c)];
        if (value < 0) {
            return std::nullopt;
        }
        bits = bits << 6 | static_cast<std::uint32_t>(value);
        count += 6;
        if (count >= 8) {
            count -= 8;
            if (size == out.size()) {
                return std::nullopt;
            }
            out[size++] = static_cast<std::uint8_t>(bits >> count);
        }
    }
    if (count == 6 || (bits & ((1U << count) - 1)) != 0) {
        return std::nullopt;
    }
    return size;
}

} // namespace cw::crypto
