// The two ends of a connection. A TLS library that is given memory instead of a socket (Kamailio,
// baresip, everything on PJSIP) cannot name them: then it is the socket that the thread has read
// last. That is a guess; who reads a key log must prove it by opening a record.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

namespace cw::preload {

struct Ends {
    sockaddr_storage local;
    sockaddr_storage peer;
};

// `fd`: the socket that the library knows, or -1. False when there is none.
bool find_ends(int fd, bool datagrams, Ends& ends);

// The next function of that name after ours, in the order of the loader.
void* next_function(const char* name);

} // namespace cw::preload
