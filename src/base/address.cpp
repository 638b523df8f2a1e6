#include "base/address.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace cw {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

} // namespace

IpAddress IpAddress::v4(const std::uint8_t* four_octets) {
    IpAddress a;
    std::copy_n(mapped_prefix.data(), 12, a.octets.data());
    std::copy_n(four_octets, 4, a.octets.data() + 12);
    return a;
}

IpAddress IpAddress::v6(const std::uint8_t* sixteen_octets) {
    IpAddress a;
    std::copy_n(sixteen_octets, 16, a.octets.data());
    return a;
}

namespace {

// Four numbers up to 255 with dots between them, no leading zeros.
bool parse_v4(std::string_view text, std::array<std::uint8_t, 16>& raw) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0 && (at == text.size() || text[at++] != '.')) {
            return false;
        }
        const auto begin = at;
        unsigned value = 0;
        while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 3) {
            value = value * 10 + static_cast<unsigned>(text[at++] - '0');
        }
        if (at == begin || value > 255 || (text[begin] == '0' && at - begin > 1)) {
            return false;
        }
        raw[i] = static_cast<std::uint8_t>(value);
    }
    return at == text.size();
}

} // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
        text = text.substr(1, text.size() - 2);
    }
    std::array<std::uint8_t, 16> raw{};
    if (parse_v4(text, raw)) {
        return v4(raw.data());
    }
    std::array<char, INET6_ADDRSTRLEN> buffer{};
    if (text.size() >= buffer.size() || text.find(':') == std::string_view::npos) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), buffer.begin());
    if (inet_pton(AF_INET6, buffer.data(), raw.data()) == 1) {
        return v6(raw.data());
    }
    return std::nullopt;
}

bool IpAddress::is_v4() const {
    return std::memcmp(octets.data(), mapped_prefix.data(), mapped_prefix.size()) == 0;
}

bool IpAddress::is_unspecified() const {
    const auto from = is_v4() ? octets.begin() + 12 : octets.begin();
    return std::all_of(from, octets.end(), [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_loopback() const {
    if (is_v4()) {
        return octets[12] == 127;
    }
    return octets[15] == 1 &&
           std::all_of(octets.begin(), octets.end() - 1, [](std::uint8_t b) { return b == 0; });
}

bool IpAddress::is_private() const {
    if (is_v4()) {
        const auto a = octets[12];
        const auto b = octets[13];
        return a == 10 || (a == 172 && (b & 0xf0) == 16) || (a == 192 && b == 168) ||
               (a == 169 && b == 254);
    }
    return (octets[0] & 0xfe) == 0xfc || (octets[0] == 0xfe && (octets[1] & 0xc0) == 0x80);
}

namespace {

// At most INET6_ADDRSTRLEN characters at `at`; returns their end.
char* write_address(char* at, const IpAddress& a) {
    if (!a.is_v4()) {
        inet_ntop(AF_INET6, a.octets.data(), at, INET6_ADDRSTRLEN);
        return at + std::strlen(at);
    }
    for (std::size_t i = 12; i < 16; ++i) {
        at = std::to_chars(at, at + 3, a.octets[i]).ptr;
        *at++ = '.';
    }
    return at - 1;
}

} // namespace

std::string to_string(const IpAddress& a) {
    std::array<char, INET6_ADDRSTRLEN> buffer;
    return {buffer.data(), write_address(buffer.data(), a)};
}

std::string to_string(const Endpoint& e) {
    std::array<char, INET6_ADDRSTRLEN + 8> buffer; // with brackets, a colon and five digits
    auto* at = buffer.data();
    if (e.address.is_v4()) {
        at = write_address(at, e.address);
    } else {
        *at++ = '[';
        at = write_address(at, e.address);
        *at++ = ']';
    }
    *at++ = ':';
    return {buffer.data(), std::to_chars(at, buffer.data() + buffer.size(), e.port).ptr};
}

std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port) {
    auto host = text;
    auto port = default_port;
    const auto bracket = text.rfind(']');
    const auto colon = text.rfind(':');
    const bool has_port =
        colon != std::string_view::npos &&
        (bracket != std::string_view::npos ? colon > bracket : text.find(':') == colon);
    if (has_port) {
        host = text.substr(0, colon);
        const auto digits = text.substr(colon + 1);
        const auto* end = digits.data() + digits.size();
        const auto [at, error] = std::from_chars(digits.data(), end, port);
        if (error != std::errc{} || at != end) {
            return std::nullopt;
        }
    }
    const auto address = IpAddress::parse(host);
    if (!address) {
        return std::nullopt;
    }
    return Endpoint{*address, port};
}

} // namespace cw
