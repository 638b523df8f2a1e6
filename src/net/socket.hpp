// Sockets, non-blocking, with our own addresses. What fails returns errno's text through Opened.
#pragma once

#include <sys/socket.h>

#include <expected>
#include <string>

#include "base/address.hpp"

namespace cw::net {

// Owns a file descriptor.
class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(other.release());
        return *this;
    }
    ~Descriptor() { reset(); }

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] bool open() const { return fd_ >= 0; }
    int release() {
        const int fd = fd_;
        fd_ = -1;
        return fd;
    }
    void reset(int fd = -1);

  private:
    int fd_ = -1;
};

using Opened = std::expected<Descriptor, std::string>; // or what went wrong, for a person

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out);
Endpoint from_sockaddr(const sockaddr_storage& address);
Endpoint local_endpoint(int fd);

// Bound, and for streams listening. Port 0 chooses a free one. Several of one endpoint share the
// load between shards (SO_REUSEPORT); with `exclusive`, an endpoint that somebody else already
// listens on is refused instead.
Opened listen_stream(const Endpoint& at, bool exclusive);
Opened bind_datagram(const Endpoint& at, bool exclusive);
// Begins to connect; done when it can be written to.
Opened connect_stream(const Endpoint& to);
// How an attempt ended: 0, or errno.
int connect_result(int fd);

} // namespace cw::net
