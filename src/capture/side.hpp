// The two directions of a connection.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cw::capture {

enum class Side : std::uint8_t { Client = 0, Server = 1 }; // the sender of the bytes

constexpr Side other(Side side) {
    return side == Side::Client ? Side::Server : Side::Client;
}
constexpr std::size_t index_of(Side side) {
    return static_cast<std::size_t>(side);
}

} // namespace cw::capture
