// The loop of one shard: sockets, connections, TLS, and when to wake. Moves bytes and instants, and
// has never heard of SIP. One thread; only post() may be called from another.
//
// A turn: wait → for each socket that is ready, tell the Handler what came → Handler::on_turn() →
// write what was given to send(), each connection once. So many messages leave in one write.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/deadlines.hpp"
#include "base/time.hpp"
#include "net/socket.hpp"
#include "net/tls.hpp"

namespace cw::net {

// A connection. Of one that is gone, a key finds nothing.
struct Key {
    std::uint32_t index = 0xffff'ffff;
    std::uint32_t generation = 0;
    bool operator==(const Key&) const = default;
};

struct ConnectionInfo {
    Endpoint local;
    Endpoint remote;
    bool incoming = false;
    std::uint32_t listener = 0; // incoming: the number that listen() was given
    SSL* ssl = nullptr;         // null without TLS; valid while the connection is open
};

// What the loop tells. Within these functions send(), close() and connect() may be called; none of
// them calls back.
class Handler {
  public:
    virtual ~Handler() = default;
    virtual void on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) = 0;
    // Accepted, or our connect() is done; with TLS the handshake too.
    virtual void on_open(Key key, const ConnectionInfo& info) = 0;
    // Everything that one read gave. The view ends with the call.
    virtual void on_bytes(Key key, Bytes bytes) = 0;
    // The end of a connection that had been opened; and of one that had not, with the reason.
    virtual void on_closed(Key key, std::string_view why) = 0;
    virtual void on_failed(Key key, const Endpoint& remote, bool incoming,
                           std::string_view why) = 0;
    virtual void on_turn(Instant now) = 0;
    // When on_turn() is to be called at the latest; not known(): when something comes.
    virtual Instant next_deadline() = 0;
};

struct Limits {
    std::size_t connections = 100'000;
    std::size_t handshakes_per_source = 128;   // in progress, from one address
    Duration handshake = seconds(10);          // from accept or connect to the last Finished
    Duration linger = seconds(5);              // for what is still to be written when we close
    std::size_t output = std::size_t{1} << 20; // bytes waiting for a peer that does not read
};

class Loop {
  public:
    Loop(Handler& handler, const Limits& limits);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // `listener` comes back in ConnectionInfo. `tls` null: TCP.
    void listen(Descriptor fd, std::uint32_t listener, std::shared_ptr<const TlsContext> tls);
    // Another context for connections that are accepted from now on.
    void set_tls(std::uint32_t listener, std::shared_ptr<const TlsContext> tls);
    void stop_listening();
    // Datagrams of socket number `socket`.
    void receive(Descriptor fd, std::uint32_t socket);

    // Ends in on_open() or on_failed(), never before the next turn.
    Key connect(const Endpoint& to, const TlsContext* tls, const std::string& server_name);
    // Bytes that follow those given before; written at the end of the turn. A peer that does not
    // read for too long loses the connection (Limits::output).
    void send(Key key, std::string_view bytes);
    void send_datagram(std::uint32_t socket, const Endpoint& to, std::string_view bytes);
    // After what is to be written; with close_notify.
    void close(Key key, std::string_view why);
    // The connection is closed at `when` unless this is called again; not known(): never.
    void set_deadline(Key key, Instant when);
    [[nodiscard]] bool is_open(Key key) const { return find(key) != nullptr; }
    [[nodiscard]] std::size_t connections() const { return open_; }

    // Until stop().
    void run();
    void stop() { running_ = false; }
    // From any thread: `job` runs in the loop's, between turns. False when too many wait already.
    bool post(std::function<void()> job);

    static Instant now();

  private:
    enum class Phase : std::uint8_t { Free, Connecting, Handshake, Open, Closing };
    struct Connection;
    struct Listener {
        Descriptor fd;
        std::uint32_t number = 0;
        std::shared_ptr<const TlsContext> tls;
    };
    struct Socket {
        Descriptor fd;
        std::uint32_t number = 0;
    };
    struct Places {
        Loop* loop;
        std::uint32_t& place(std::uint32_t index) const;
    };
    class Buffers;

    Connection* find(Key key) const;
    Key key_of(const Connection& c) const;
    Connection& add(Descriptor fd, const Endpoint& remote, bool incoming);
    void watch(Connection& c, bool output);
    void dispatch(std::uint64_t tag, std::uint32_t events);
    void accept(Listener& listener);
    void read_datagrams(Socket& socket);
    void on_ready(Connection& c, std::uint32_t events);
    void handshake(Connection& c);
    void opened(Connection& c);
    void read(Connection& c);
    void read_tls(Connection& c);
    void read_plain(Connection& c);
    void mark(Connection& c);
    void flush();
    void write(Connection& c);
    long write_some(Connection& c, std::string_view bytes);
    void end(Connection& c, std::string_view why);
    void release_source(Connection& c);
    void on_deadlines(Instant now);
    void run_jobs();
    int wait_ms(Instant now);

    Handler& handler_;
    Limits limits_;
    Descriptor epoll_;
    Descriptor wake_;
    bool running_ = false;
    Instant now_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> dirty_; // have something to write
    std::size_t open_ = 0;
    boost::unordered_flat_map<IpAddress, std::uint32_t, std::hash<IpAddress>> handshakes_;
    Deadlines<std::uint32_t, Places> deadlines_;
    std::unique_ptr<Buffers> buffers_;
    std::mutex jobs_mutex_;
    std::vector<std::function<void()>> jobs_;
};

} // namespace cw::net
