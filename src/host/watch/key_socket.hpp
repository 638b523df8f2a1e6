// A socket that `callwright keys -o unix:PATH` sends secrets to: one message is some whole lines of
// a key log. It is made here, readable by its owner alone, and goes when this does. Secrets: what
// comes goes to `to` and nowhere else. Not thread-safe.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "net/socket.hpp"

namespace cw::host {

inline constexpr std::string_view key_socket_prefix = "unix:";

class KeySocket {
  public:
    static constexpr std::size_t most_senders = 1024;

    // `path` without "unix:". A socket there that nobody listens on any more is replaced; anything
    // else is an error in words.
    static std::expected<KeySocket, std::string> open(const std::string& path);
    KeySocket(KeySocket&& other) noexcept;
    KeySocket& operator=(KeySocket&&) = delete;
    ~KeySocket();

    // Takes what has come, without waiting; at most 4 MB a call.
    void poll(const std::function<void(std::string_view lines)>& to);

  private:
    KeySocket(std::string path, net::Descriptor listener);

    std::string path_; // empty: moved away
    net::Descriptor listener_;
    std::vector<net::Descriptor> senders_;
};

} // namespace cw::host
