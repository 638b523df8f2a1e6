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
    const auto begin = out.size();
    out.resize(begin + (bytes.size() * 4 + 2) / 3);
    auto* at = out.data() + begin;
    std::size_t i = 0;
    for (; bytes.size() - i >= 3; i += 3) {
        const auto bits = std::uint32_t{bytes[i]} << 16 | std::uint32_t{bytes[i + 1]} << 8 |
                          std::uint32_t{bytes[i + 2]};
        *at++ = letters[bits >> 18];
        *at++ = letters[bits >> 12 & 63];
        *at++ = letters[bits >> 6 & 63];
        *at++ = letters[bits & 63];
    }
    if (bytes.size() - i == 1) {
        *at++ = letters[bytes[i] >> 2];
        *at = letters[bytes[i] << 4 & 63];
    } else if (bytes.size() - i == 2) {
        const auto bits = std::uint32_t{bytes[i]} << 8 | std::uint32_t{bytes[i + 1]};
        *at++ = letters[bits >> 10];
        *at++ = letters[bits >> 4 & 63];
        *at = letters[bits << 2 & 63];
    }
}

std::optional<std::size_t> decode_base64url(std::string_view text, std::span<std::uint8_t> out) {
    const auto value_of = [&](std::size_t at) {
        return std::int32_t{values[static_cast<std::uint8_t>(text[at])]};
    };
    std::size_t size = 0;
    std::size_t i = 0;
    for (; text.size() - i >= 4 && out.size() - size >= 3; i += 4) {
        const auto a = value_of(i);
        const auto b = value_of(i + 1);
        const auto c = value_of(i + 2);
        const auto d = value_of(i + 3);
        if ((a | b | c | d) < 0) {
            return std::nullopt;
        }
        const auto bits = static_cast<std::uint32_t>(a << 18 | b << 12 | c << 6 | d);
        out[size++] = static_cast<std::uint8_t>(bits >> 16);
        out[size++] = static_cast<std::uint8_t>(bits >> 8);
        out[size++] = static_cast<std::uint8_t>(bits);
    }
    std::uint32_t bits = 0;
    int count = 0;
    for (const auto c : text.substr(i)) {
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
