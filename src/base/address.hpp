// An IP address, and an address with a port. Plain values, 16 and 18 bytes.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace cw {

// IPv4 is kept as an IPv4-mapped address (::ffff:a.b.c.d, RFC 4291 §2.5.5.2), so that one type and
// one comparison serve both families. All zero stands for "no address".
struct IpAddress {
    std::array<std::uint8_t, 16> octets{};

    static IpAddress v4(const std::uint8_t* four_octets);
    static IpAddress v6(const std::uint8_t* sixteen_octets);
    // Reads "192.0.2.1", "2001:db8::1" or "[2001:db8::1]"; nothing else, no names.
    static std::optional<IpAddress> parse(std::string_view text);

    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] bool is_unspecified() const; // 0.0.0.0, :: or no address
    [[nodiscard]] bool is_loopback() const;    // 127/8, ::1
    [[nodiscard]] bool is_private() const;     // RFC 1918, RFC 4193, link-local
    auto operator<=>(const IpAddress&) const = default;
};

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;
};

std::string to_string(const IpAddress& a); // "192.0.2.1", "2001:db8::1"
std::string to_string(const Endpoint& e);  // "192.0.2.1:5061", "[2001:db8::1]:5061"
std::optional<Endpoint> parse_endpoint(std::string_view text, std::uint16_t default_port);

inline std::uint64_t mix_hash(std::uint64_t a, std::uint64_t b) {
    auto x = (a ^ (b + 0x9e3779b97f4a7c15ULL + (a << 6) + (a >> 2))) * 0xff51afd7ed558ccdULL;
    return x ^ (x >> 32);
}
inline std::size_t hash_value(const IpAddress& a) {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::memcpy(&high, a.octets.data(), 8);
    std::memcpy(&low, a.octets.data() + 8, 8);
    return mix_hash(high, low);
}
inline std::size_t hash_value(const Endpoint& e) {
    return mix_hash(hash_value(e.address), e.port);
}

} // namespace cw

template <>
struct std::hash<cw::IpAddress> {
    std::size_t operator()(const cw::IpAddress& a) const { return cw::hash_value(a); }
};
template <>
struct std::hash<cw::Endpoint> {
    std::size_t operator()(const cw::Endpoint& e) const { return cw::hash_value(e); }
};
