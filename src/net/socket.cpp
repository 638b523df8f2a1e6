#include "net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "net/source.hpp"

namespace cw::net {
namespace {

std::unexpected<std::string> failed(const char* what) {
    return std::unexpected{std::string{what} + ": " + std::strerror(errno)};
}

void set(int fd, int level, int option, int value) {
    setsockopt(fd, level, option, &value, sizeof value);
}

Opened make(const Endpoint& at, int type) {
    const int family = at.address.is_v4() ? AF_INET : AF_INET6;
    Descriptor fd{socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
    if (!fd.open()) {
        return failed("socket");
    }
    if (family == AF_INET6) {
        set(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1); // IPv4 has listeners of its own
    }
    return fd;
}

Opened bound(const Endpoint& at, int type, bool exclusive) {
    auto fd = make(at, type);
    if (!fd) {
        return fd;
    }
    if (type == SOCK_STREAM) {
        set(fd->get(), SOL_SOCKET, SO_REUSEADDR, 1);
    }
    sockaddr_storage address{};
    const auto length = to_sockaddr(at, address);
    // SO_REUSEPORT would let us share a port with another process of the same user and take half of
    // its calls. So the first shard binds without it. So does whoever lets the system choose: with
    // it, it may give the port of another such socket.
    set(fd->get(), SOL_SOCKET, SO_REUSEPORT, exclusive || at.port == 0 ? 0 : 1);
    if (bind(fd->get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        return failed("bind");
    }
    return fd;
}

// What is bound is ours: from now on our other shards may bind there too.
void share(int fd) {
    set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
}

// What is not acknowledged for this long ends the connection; TCP itself would try for a quarter of
// an hour. Connections inherit it from their listener, as they do TCP_NODELAY.
constexpr int unacknowledged_ms = 30'000;
constexpr int backlog = 4096; // the system's limit (somaxconn) where that is less

void set_stream_options(int fd) {
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, unacknowledged_ms);
}

} // namespace

void Descriptor::reset(int fd) {
    if (fd_ >= 0) {
        close(fd_);
    }
    fd_ = fd;
}

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out) {
    if (endpoint.address.is_v4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(endpoint.port);
        std::memcpy(&v4.sin_addr, endpoint.address.octets.data() + 12, 4);
        std::memcpy(&out, &v4, sizeof v4);
        return sizeof v4;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(endpoint.port);
    std::memcpy(&v6.sin6_addr, endpoint.address.octets.data(), 16);
    std::memcpy(&out, &v6, sizeof v6);
    return sizeof v6;
}

Endpoint from_sockaddr(const sockaddr_storage& address) {
    Endpoint endpoint;
    if (address.ss_family == AF_INET) {
        sockaddr_in v4{};
        std::memcpy(&v4, &address, sizeof v4);
        endpoint.address = IpAddress::v4(reinterpret_cast<const std::uint8_t*>(&v4.sin_addr));
        endpoint.port = ntohs(v4.sin_port);
    } else if (address.ss_family == AF_INET6) {
        sockaddr_in6 v6{};
        std::memcpy(&v6, &address, sizeof v6);
        endpoint.address = IpAddress::v6(reinterpret_cast<const std::uint8_t*>(&v6.sin6_addr));
        endpoint.port = ntohs(v6.sin6_port);
    }
    return endpoint;
}

Endpoint local_endpoint(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
    return from_sockaddr(address);
}

Opened listen_stream(const Endpoint& at, bool exclusive) {
    auto fd = bound(at, SOCK_STREAM, exclusive);
    if (!fd) {
        return fd;
    }
    set_stream_options(fd->get());
    // Of two that have bound, it is listening that one of them is refused. No other socket may ask
    // ahead whether the port is free: who connects to that one is reset.
    if (listen(fd->get(), backlog) != 0) {
        return failed("listen");
    }
    share(fd->get());
    return fd;
}

Opened bind_datagram(const Endpoint& at, bool exclusive) {
    auto fd = bound(at, SOCK_DGRAM, exclusive);
    if (fd) {
        share(fd->get());
        set(fd->get(), SOL_SOCKET, SO_RCVBUF, 4 << 20); // a burst waits here, not on the floor
        const bool v4 = at.address.is_v4(); // what does not arrive is told by ICMP, if at all
        set(fd->get(), v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, 1);
    }
    return fd;
}

Opened connect_stream(const Endpoint& to) {
    auto fd = make(to, SOCK_STREAM);
    if (!fd) {
        return fd;
    }
    set_stream_options(fd->get());
    sockaddr_storage address{};
    if (const auto& from = Source::now()) {
        // The port is chosen when it connects: so each far end has as many as there are.
        set(fd->get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        const auto own = to_sockaddr({*from, 0}, address);
        if (bind(fd->get(), reinterpret_cast<const sockaddr*>(&address), own) != 0) {
            return failed("bind");
        }
        address = {};
    }
    const auto length = to_sockaddr(to, address);
    if (connect(fd->get(), reinterpret_cast<const sockaddr*>(&address), length) != 0 &&
        errno != EINPROGRESS) {
        return failed("connect");
    }
    return fd;
}

int connect_result(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
}

} // namespace cw::net
