// The parts of a Loop, for loop.cpp and connection.cpp alone.
#pragma once

#include <sys/socket.h>

#include <array>
#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "net/loop.hpp"

namespace cw::net {

// What a ready descriptor belongs to, in epoll's 64 bits: owner 8, generation 24, index 32.
enum class Owner : std::uint8_t { Wake, Newcomers, Waiting, Listener, Socket, Connection, Guest };

inline std::uint64_t tag_of(Owner owner, std::size_t index, std::uint32_t generation = 0) {
    return std::uint64_t{static_cast<std::uint8_t>(owner)} << 56 |
           std::uint64_t{generation & 0xff'ffff} << 32 | index;
}

// Kept small: a server holds a hundred thousand.
struct Loop::Connection {
    Descriptor fd;
    std::shared_ptr<const TlsContext> tls; // OpenSSL calls into it
    Ssl ssl;
    Endpoint remote;
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    std::uint32_t place = Deadlines<std::uint32_t, Places>::nowhere; // in deadlines_
    std::uint32_t hands = Handshakes::nowhere;                       // in handshakes_
    std::uint32_t listener = 0;
    Phase phase = Phase::Free;
    bool incoming = false;
    bool newcomer = false; // waited for in newcomers_
    bool waits = false;    // waited for in waiting_, and timed
    bool output_watched = false;
    bool input_watched = false;
    bool dirty = false;
    bool tapped = false;
    bool ended = false;     // the peer sends no more
    bool hung_up = false;   // and reads no more
    bool abandoned = false; // closed before it was open
    bool aborted = false;   // closed without waiting for anything
    std::string out;        // not yet written
    std::string why;        // it is being closed
};

struct Loop::Listener {
    Descriptor fd;
    std::uint32_t number = 0;
    std::shared_ptr<const TlsContext> tls;
    Endpoint local;  // as bound
    int accepts = 1; // at once: more when the last time there were as many
    bool ended = false;
};

struct Loop::Socket {
    Descriptor fd;
    std::uint32_t number = 0;
    bool timed = false;
    Instant emptied; // nothing waited there then
};

struct Loop::Watched {
    Guest* guest = nullptr;
    int fd = -1;
};

class Loop::Buffers {
  public:
    static constexpr std::size_t largest_datagram = 65'535;
    static constexpr std::size_t datagrams_a_read = 32;
    using Control = std::array<std::uint8_t, CMSG_SPACE(sizeof(timespec))>;

    Buffers();
    // The first `count` headers as they were before they were read into.
    void make_ready(std::size_t count);

    std::array<std::uint8_t, 65'536> stream;
    std::array<std::array<std::uint8_t, largest_datagram>, datagrams_a_read> datagrams;
    std::array<sockaddr_storage, datagrams_a_read> sources;
    std::array<iovec, datagrams_a_read> pieces;
    std::array<mmsghdr, datagrams_a_read> headers;
    alignas(cmsghdr) std::array<Control, datagrams_a_read> controls; // aligned, each of them
};

// Datagrams on their way out: kept until the end of the turn, then sent many at a time.
class Loop::Datagrams {
  public:
    static constexpr std::size_t a_send = 64;
    static constexpr std::size_t most_bytes = std::size_t{1} << 18; // then they go at once

    void add(int fd, const Endpoint& to, std::string_view bytes);
    void flush();

  private:
    struct One {
        int fd;
        Endpoint to;
        std::size_t begin;
        std::size_t size;
    };
    std::size_t send_some(std::size_t first);

    std::string bytes_;
    std::vector<One> waiting_;
};

} // namespace cw::net
