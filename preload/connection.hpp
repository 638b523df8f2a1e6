// The comment line that stands before the secrets of a connection.
#pragma once

#include <cstdint>
#include <string_view>

#include "output.hpp"

namespace cw::preload {

struct Connection {
    int fd = -1; // that the library knows
    bool is_server = false;
    bool datagrams = false;                       // DTLS
    unsigned version = 0;                         // as records have it; 0: not known
    unsigned suite = 0;                           // its number; 0: not known
    std::string_view suite_name = {};             // where there is no number
    const unsigned char* server_random = nullptr; // 32 bytes; below TLS 1.3 keys come of it as well
};

// One secret: `random` and `secret` in hexadecimal, as key logs have them. The comment comes before
// the first secret of each connection.
void log_secret(const Connection& connection, std::string_view label, std::string_view random,
                std::string_view secret);

} // namespace cw::preload
