// The HTTP request and answer by which a connection becomes a WebSocket [RFC 6455 §4].
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace cw::net {

// What a client asks for.
struct UpgradeWish {
    std::string host; // "example.com", "example.com:8443"
    std::string path = "/";
    std::string origin{};                 // empty: none
    std::array<std::uint8_t, 16> nonce{}; // random
};

// What a server was asked for. Views of the head.
struct UpgradeRequest {
    std::string_view path;
    std::string_view key;
    std::string_view origin;
};
struct UpgradeRefusal {
    const char* status; // "400 Bad Request"
    const char* why;
};

std::string key_of_nonce(const std::array<std::uint8_t, 16>& nonce);
// What the server answers to `key` [RFC 6455 §4.2.2].
std::string accept_of_key(std::string_view key);

// `head` reaches to the blank line and includes it. `protocol`: the subprotocol that both name.
std::variant<UpgradeRequest, UpgradeRefusal> read_upgrade_request(std::string_view head,
                                                                  std::string_view protocol);
// Null when it is good, or what is wrong.
const char* fault_of_upgrade_answer(std::string_view head, std::string_view accept,
                                    std::string_view protocol);

void write_upgrade_request(std::string& out, const UpgradeWish& wish, std::string_view protocol);
void write_upgrade_answer(std::string& out, std::string_view key, std::string_view protocol);
void write_upgrade_refusal(std::string& out, const UpgradeRefusal& refusal);

} // namespace cw::net
