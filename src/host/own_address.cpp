#include "host/own_address.hpp"

#include <sys/socket.h>

#include "net/socket.hpp"

namespace cw::host {

IpAddress own_address_towards(const IpAddress& other) {
    const bool v4 = other.is_v4();
    net::Descriptor fd{socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_storage address{};
    const auto length = net::to_sockaddr({other, 9}, address);
    if (fd.open() && connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) {
        return net::local_endpoint(fd.get()).address;
    }
    return *IpAddress::parse(v4 ? "127.0.0.1" : "::1");
}

std::string own_address(bool v4) {
    // Addresses of the documentation [RFC 5737, RFC 3849]: any that is not on a local network.
    const auto own = own_address_towards(*IpAddress::parse(v4 ? "192.0.2.1" : "2001:db8::1"));
    return v4 ? to_string(own) : "[" + to_string(own) + "]";
}

} // namespace cw::host
