// The work of the SRTP benches: packets of 20 ms G.711 are protected, and opened at the other end.
// Prints the nanoseconds of both together, as `run_rounds` does.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "rounds.hpp"

namespace bench_srtp {

constexpr std::size_t header = 12;
constexpr std::size_t payload = 160;
constexpr std::size_t key_and_salt = 30; // octets; GCM takes 28 of them
using Packet = std::array<std::uint8_t, header + payload>;

inline bool is_gcm(int argc, char** argv) {
    return argc > 1 && std::string_view{argv[1]} == "gcm";
}

inline std::array<std::uint8_t, key_and_salt> key() {
    std::array<std::uint8_t, key_and_salt> octets{};
    for (std::size_t i = 0; i < octets.size(); ++i) {
        octets[i] = static_cast<std::uint8_t>(7 * i + 1);
    }
    return octets;
}

// The packet with that sequence number (its low 16 bits), as a sender of PCMU makes it.
inline Packet packet(std::uint32_t number) {
    Packet out{0x80, 0x00, static_cast<std::uint8_t>(number >> 8U),
               static_cast<std::uint8_t>(number)};
    const std::uint32_t timestamp = number * payload;
    for (std::size_t i = 0; i < 4; ++i) {
        out[4 + i] = static_cast<std::uint8_t>(timestamp >> (24 - 8 * i));
    }
    out[11] = 0x2a; // SSRC
    std::memset(out.data() + header, 0xd5, payload);
    return out;
}

} // namespace bench_srtp
