#include "sockets.hpp"

#include <cstddef>
#include <cstring>

#include <dlfcn.h>
#include <sys/types.h>
#include <sys/uio.h>

namespace cw::preload {
namespace {

constexpr int kept = 4;

// Trivial, so that a thread needs no set-up and none is missing within a signal handler.
struct Recent {
    int fds[kept]; // plus 1, the latest first
    int sender_fd; // plus 1: whose last datagram came from `sender`
    sockaddr_in6 sender;
};
__thread Recent recent __attribute__((tls_model("initial-exec")));

void note(int fd) {
    if (recent.fds[0] == fd + 1) {
        return;
    }
    int at = 1;
    while (at < kept - 1 && recent.fds[at] != fd + 1) {
        ++at;
    }
    for (; at > 0; --at) {
        recent.fds[at] = recent.fds[at - 1];
    }
    recent.fds[0] = fd + 1;
}

void note_sender(int fd, const void* address, std::size_t size) {
    note(fd);
    if (address != nullptr && size >= sizeof(sockaddr_in)) {
        std::memcpy(&recent.sender, address,
                    size < sizeof recent.sender ? size : sizeof recent.sender);
        recent.sender_fd = fd + 1;
    }
}

bool is_internet(const sockaddr_storage& address) {
    return address.ss_family == AF_INET || address.ss_family == AF_INET6;
}

bool ends_of(int fd, bool datagrams, Ends& ends) {
    int type = 0;
    socklen_t size = sizeof type;
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 ||
        type != (datagrams ? SOCK_DGRAM : SOCK_STREAM)) {
        return false;
    }
    size = sizeof ends.local;
    if (getsockname(fd, reinterpret_cast<sockaddr*>(&ends.local), &size) != 0 ||
        !is_internet(ends.local)) {
        return false;
    }
    size = sizeof ends.peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&ends.peer), &size) == 0) {
        return is_internet(ends.peer);
    }
    if (datagrams && recent.sender_fd == fd + 1) {
        std::memcpy(&ends.peer, &recent.sender, sizeof recent.sender);
        return is_internet(ends.peer);
    }
    return false;
}

// Found when first called: other libraries may read before our constructors have run.
template <class Function>
Function* next(Function*& known, const char* name) {
    if (known == nullptr) {
        known = reinterpret_cast<Function*>(next_function(name));
    }
    return known;
}

} // namespace

void* next_function(const char* name) {
    return dlsym(RTLD_NEXT, name);
}

bool find_ends(int fd, bool datagrams, Ends& ends) {
    ends = {};
    if (fd >= 0) {
        return ends_of(fd, datagrams, ends);
    }
    for (const int candidate : recent.fds) {
        if (candidate > 0 && ends_of(candidate - 1, datagrams, ends)) {
            return true;
        }
    }
    return false;
}

} // namespace cw::preload

// --- what programs read with; the checked forms are what _FORTIFY_SOURCE makes of them

#define CALLWRIGHT_HOOK extern "C" __attribute__((visibility("default")))

using cw::preload::next;
using cw::preload::note;
using cw::preload::note_sender;

CALLWRIGHT_HOOK ssize_t read(int fd, void* data, size_t size) {
    static decltype(&::read) real;
    const auto got = next(real, "read")(fd, data, size);
    if (got > 0) {
        note(fd);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t __read_chk(int fd, void* data, size_t size, size_t room) {
    static ssize_t (*real)(int, void*, size_t, size_t);
    const auto got = next(real, "__read_chk")(fd, data, size, room);
    if (got > 0) {
        note(fd);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t readv(int fd, const iovec* parts, int count) {
    static decltype(&::readv) real;
    const auto got = next(real, "readv")(fd, parts, count);
    if (got > 0) {
        note(fd);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t recv(int fd, void* data, size_t size, int flags) {
    static decltype(&::recv) real;
    const auto got = next(real, "recv")(fd, data, size, flags);
    if (got > 0) {
        note(fd);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t __recv_chk(int fd, void* data, size_t size, size_t room, int flags) {
    static ssize_t (*real)(int, void*, size_t, size_t, int);
    const auto got = next(real, "__recv_chk")(fd, data, size, room, flags);
    if (got > 0) {
        note(fd);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t recvfrom(int fd, void* data, size_t size, int flags, sockaddr* from,
                                 socklen_t* from_size) {
    static ssize_t (*real)(int, void*, size_t, int, sockaddr*, socklen_t*);
    const auto got = next(real, "recvfrom")(fd, data, size, flags, from, from_size);
    if (got > 0) {
        note_sender(fd, from, from_size != nullptr ? *from_size : 0);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t __recvfrom_chk(int fd, void* data, size_t size, size_t room, int flags,
                                       sockaddr* from, socklen_t* from_size) {
    static ssize_t (*real)(int, void*, size_t, size_t, int, sockaddr*, socklen_t*);
    const auto got = next(real, "__recvfrom_chk")(fd, data, size, room, flags, from, from_size);
    if (got > 0) {
        note_sender(fd, from, from_size != nullptr ? *from_size : 0);
    }
    return got;
}

CALLWRIGHT_HOOK ssize_t recvmsg(int fd, msghdr* message, int flags) {
    static decltype(&::recvmsg) real;
    const auto got = next(real, "recvmsg")(fd, message, flags);
    if (got > 0) {
        note_sender(fd, message->msg_name, message->msg_namelen);
    }
    return got;
}
