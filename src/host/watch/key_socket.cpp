#include "host/watch/key_socket.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace cw::host {
namespace {

constexpr std::size_t largest_message = 16384;
constexpr std::size_t most_messages = 1024; // a call

net::Descriptor new_socket() {
    return net::Descriptor{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
}

// What a reader that was killed has left behind.
bool is_left_over(const sockaddr_un& at) {
    struct stat there{};
    if (::lstat(at.sun_path, &there) != 0 || !S_ISSOCK(there.st_mode)) {
        return false;
    }
    const auto probe = new_socket();
    return ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 &&
           errno == ECONNREFUSED;
}

} // namespace

KeySocket::KeySocket(std::string path, net::Descriptor listener)
    : path_(std::move(path)), listener_(std::move(listener)) {}

KeySocket::KeySocket(KeySocket&& other) noexcept
    : path_(std::exchange(other.path_, {})), listener_(std::move(other.listener_)),
      senders_(std::move(other.senders_)) {}

KeySocket::~KeySocket() {
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
}

std::expected<KeySocket, std::string> KeySocket::open(const std::string& path) {
    const auto failed = [&](const char* why) {
        return std::unexpected{fmt::format("{}{}: {}", key_socket_prefix, path, why)};
    };
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof at.sun_path) {
        return failed("a socket's path has 1 to 107 characters");
    }
    std::memcpy(at.sun_path, path.c_str(), path.size());
    auto listener = new_socket();
    if (!listener.open()) {
        return failed(std::strerror(errno));
    }
    // Owner alone, from the first moment on. Note: no other thread makes files when this is called.
    const auto mask = ::umask(S_IRWXG | S_IRWXO | S_IXUSR);
    const auto bind = [&] {
        return ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
    };
    bool bound = bind();
    int why = errno;
    if (!bound && why == EADDRINUSE && is_left_over(at)) {
        ::unlink(at.sun_path);
        bound = bind();
        why = errno;
    }
    ::umask(mask);
    if (!bound) {
        return failed(why == EADDRINUSE
                          ? "is there already: another reader listens on it, or it is "
                            "no socket"
                          : std::strerror(why));
    }
    KeySocket socket{path, std::move(listener)};
    if (::listen(socket.listener_.get(), SOMAXCONN) != 0) {
        return failed(std::strerror(errno));
    }
    return socket;
}

void KeySocket::poll(const std::function<void(std::string_view lines)>& to) {
    while (senders_.size() < most_senders) {
        net::Descriptor sender{
            ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
        if (!sender.open()) {
            break;
        }
        senders_.push_back(std::move(sender));
    }
    std::string message(largest_message, '\0');
    std::size_t messages = 0;
    std::erase_if(senders_, [&](const net::Descriptor& sender) {
        while (messages < most_messages) {
            const auto got = ::recv(sender.get(), message.data(), message.size(), 0);
            if (got <= 0) {
                return got == 0 || (errno != EAGAIN && errno != EINTR);
            }
            ++messages;
            const std::string_view lines{message.data(), static_cast<std::size_t>(got)};
            if (lines.ends_with('\n')) { // one that is too long was cut
                to(lines);
            }
        }
        return false;
    });
    OPENSSL_cleanse(message.data(), message.size());
}

} // namespace cw::host
