#include "host/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>

#include "net/socket.hpp"

namespace cw::host {

void notify_systemd(std::string_view lines) {
    const char* place = std::getenv("NOTIFY_SOCKET");
    if (place == nullptr) {
        return;
    }
    const std::string_view path{place};
    sockaddr_un address{};
    if ((!path.starts_with('/') && !path.starts_with('@')) ||
        path.size() >= sizeof address.sun_path) {
        return;
    }
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    if (path.front() == '@') { // in the abstract namespace
        address.sun_path[0] = '\0';
    }
    const net::Descriptor fd{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    const auto length = offsetof(sockaddr_un, sun_path) + path.size();
    sendto(fd.get(), lines.data(), lines.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length));
}

} // namespace cw::host
