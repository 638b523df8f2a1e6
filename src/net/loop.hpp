// The loop of one shard: sockets, connections, TLS, and when to wake. Moves bytes and instants, and
// has never heard of SIP. One thread; only post() may be called from another.
//
// A turn: wait → for each socket that is ready, tell the Handler what came → Handler::on_turn() →
// write what was given to send(), each connection once, and all datagrams of a socket together →
// then some handshakes of newcomers, for a millisecond, so that a storm of them delays no call.
// With Limits::gather a busy loop then lets more come before the next turn, see net/pace.hpp.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/deadlines.hpp"
#include "base/time.hpp"
#include "net/handshakes.hpp"
#include "net/pace.hpp"
#include "net/socket.hpp"
#include "net/tls.hpp"

struct epoll_event;

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
    // The network says that a datagram of ours did not reach `remote`: how it began, as far as the
    // network tells. On any socket with the same address, also one of another loop.
    virtual void on_undelivered(std::uint32_t /*socket*/, const Endpoint& /*remote*/,
                                Bytes /*bytes*/) {}
    // Accepted, or our connect() is done; with TLS the handshake too.
    virtual void on_open(Key key, const ConnectionInfo& info) = 0;
    // Everything that one read gave. The view ends with the call.
    virtual void on_bytes(Key key, Bytes bytes) = 0;
    // The end of a connection that had been opened; and of one that had not, with the reason. Its
    // key finds nothing any more, but for tls(). A connection that was refused at once has no key.
    virtual void on_closed(Key key, std::string_view why) = 0;
    virtual void on_failed(Key key, const Endpoint& remote, bool incoming,
                           std::string_view why) = 0;
    virtual void on_turn(Instant now) = 0;
    // When on_turn() is to be called at the latest; not known(): when something comes.
    virtual Instant next_deadline() = 0;
    // Datagrams of timed sockets, and connections that may_wait(), are not looked at before then,
    // so that many share a turn, and that turn begins without delay; not known(): they are looked
    // at as they come. Asked each turn.
    virtual Instant next_look() { return {}; }
};

// Sees the bytes of all connections as they are on the wire, handshakes included. Must not call
// the loop.
class Tap {
  public:
    virtual ~Tap() = default;
    // The transport's connection is there; TLS, if any, comes next.
    virtual void on_opened(Key key, const ConnectionInfo& info) = 0;
    virtual void on_raw(Key key, bool outgoing, Bytes bytes) = 0;
    // A TLS handshake message or alert, whole and in clear. `content_type` as in RFC 8446 §5.1.
    virtual void on_tls_message(Key key, bool outgoing, int content_type, Bytes bytes) = 0;
    virtual void on_closed(Key key) = 0; // the transport's, perhaps later than the Handler was told
};

// Somebody with descriptors of its own that are waited for here: the DNS client.
class Guest {
  public:
    virtual ~Guest() = default;
    virtual void on_ready(int fd, bool input, bool output) = 0;
    // As in Handler: asked each turn.
    virtual Instant next_deadline() = 0;
    virtual void on_deadline(Instant now) = 0;
};

struct Limits {
    std::size_t connections = 100'000;
    // Handshakes of newcomers in progress, in all and from one address. Beyond these the oldest
    // gives way: an honest one takes milliseconds, so it is hardly ever the oldest.
    std::size_t handshakes = 8192;
    std::size_t handshakes_per_source = 128;
    Duration handshake = seconds(10);          // from accept or connect to the last Finished
    Duration linger = seconds(5);              // for what is still to be written when we close
    std::size_t output = std::size_t{1} << 20; // bytes waiting for a peer that does not read
    // When busy, from the beginning of a turn to that of the next: what comes meanwhile, jobs and
    // deadlines too, shares that one (net/pace.hpp). Only handshakes of newcomers go on.
    // 0: nothing waits.
    Duration gather{};
    std::size_t loops = 1; // that share what comes: together they are busy
};

class Loop {
  public:
    Loop(Handler& handler, const Limits& limits);
    ~Loop();
    Loop(const Loop&) = delete;
    Loop& operator=(const Loop&) = delete;

    // `listener`, a number for each of a family, comes back in ConnectionInfo. `tls` null: TCP.
    void listen(Descriptor fd, std::uint32_t listener, std::shared_ptr<const TlsContext> tls);
    // Another context for connections that are accepted from now on.
    void set_tls(std::uint32_t listener, std::shared_ptr<const TlsContext> tls);
    void stop_listening();
    // Datagrams of socket number `socket`. `timed`: the system notes when each comes, see
    // arrived().
    void receive(Descriptor fd, std::uint32_t socket, bool timed = false);
    // Within on_datagram(): when it came, which may be long before it was looked at. Of a socket
    // that is not timed: now(). Within on_bytes() of a connection that may_wait(): when the last of
    // the bytes came, as TCP knows no more of those before.
    [[nodiscard]] Instant arrived() const { return arrived_; }

    // Ends in on_open() or on_failed(), never before the next turn. `session`: of an earlier
    // connection to the same server, to be resumed.
    Key connect(const Endpoint& to, const TlsContext* tls, const std::string& server_name,
                SSL_SESSION* session = nullptr);
    // Bytes that follow those given before; written at the end of the turn. A peer that does not
    // read for too long loses the connection (Limits::output).
    void send(Key key, std::string_view bytes);
    void send_datagram(std::uint32_t socket, const Endpoint& to, std::string_view bytes);
    // After what is to be written; with close_notify.
    void close(Key key, std::string_view why);
    // From now on what comes over an open connection may wait for Handler::next_look().
    void may_wait(Key key);
    // The connection is closed at `when` unless this is called again; not known(): never.
    void set_deadline(Key key, Instant when);
    [[nodiscard]] bool is_open(Key key) const { return find(key) != nullptr; }
    [[nodiscard]] std::size_t connections() const { return open_; }
    [[nodiscard]] std::size_t handshakes() const { return handshakes_.size(); }
    // For net/tls_facts.hpp. Null without TLS. Also within on_failed() and on_closed() of `key`.
    [[nodiscard]] SSL* tls(Key key) const;

    // Before the first connection. It outlives the loop.
    void set_tap(Tap* tap) { tap_ = tap; }
    // `guest` outlives the loop or is taken away by remove().
    void add(Guest& guest);
    void remove(Guest& guest);
    // What of `fd`, which stays the guest's, is waited for; nothing: forget it.
    void watch(Guest& guest, int fd, bool input, bool output);

    // Until stop(), which other threads post(). Its thread gets no SIGPIPE from then on.
    void run();
    // After run(), in its thread: closes what was opened there, silently. So what is left was
    // opened by whoever made the loop, who may have another table of descriptors
    // (net/own_table.hpp).
    void close_all();
    void stop() { running_ = false; }
    // From any thread: `job` runs in the loop's, between turns. False when too many wait already.
    bool post(std::function<void()> job);

    // Nanoseconds since 1970 that never go back, whatever is done to the clock meanwhile.
    static Instant now();

  private:
    enum class Phase : std::uint8_t {
        Free,
        Connecting,
        Handshake,
        Open,
        Closing,
        Ending,
        Draining
    };
    enum class Leave : std::uint8_t { Drain, AtOnce };
    struct Connection;
    struct Listener;
    struct Socket;
    struct Watched;
    struct Places {
        Loop* loop;
        std::uint32_t& place(std::uint32_t index) const;
    };
    class Buffers;
    class Datagrams;

    // loop.cpp: turns, listeners, datagrams
    void dispatch(std::uint64_t tag, std::uint32_t events);
    void shake_hands();
    void welcome(); // shakes hands, and does what comes of it
    void accept(Listener& listener);
    void admit(Descriptor fd, const Endpoint& remote, const Listener& listener);
    void rest_listeners();
    void wake_listeners(bool always);
    // True: there may be more.
    bool read_datagrams(Socket& socket);
    void read_held();
    void hold(Instant until);
    void look_at_waiting();
    Instant when_came(const Connection& c);
    void read_undelivered(Socket& socket);
    void read_again();
    void on_deadlines();
    void run_jobs();
    // How long nothing is due; nothing: nothing is at all.
    std::optional<Duration> patience();
    void gather();
    // How many of `events` it wrote, 0 when the time is over, negative when a signal came.
    int wait(const Descriptor& epoll, std::span<epoll_event> events, std::optional<Duration> time);

    // connection.cpp: one connection
    Connection* find(Key key) const;
    Key key_of(const Connection& c) const;
    Connection& add(Descriptor fd, const Endpoint& remote, bool incoming);
    [[nodiscard]] int epoll_of(const Connection& c) const;
    [[nodiscard]] ConnectionInfo info_of(const Connection& c) const;
    void enrol(Connection& c, bool output);
    void watch(Connection& c, bool output);
    void tap_tls(Connection& c);
    void on_ready(Connection& c, std::uint32_t events);
    void on_connected(Connection& c);
    void handshake(Connection& c);
    void opened(Connection& c);
    void read(Connection& c);
    void read_tls(Connection& c);
    void read_plain(Connection& c);
    void deliver(Connection& c, std::size_t count);
    void drain(Connection& c);
    void at_end(Connection& c, std::string_view why);
    void mark(Connection& c);
    void flush();
    void write(Connection& c);
    long write_some(Connection& c, std::string_view bytes);
    void written(Connection& c);
    void on_deadline(Connection& c);
    void end(Connection& c, std::string_view why, Leave leave);
    void free(Connection& c);

    Handler& handler_;
    Limits limits_;
    Pace pace_;
    bool waits_precisely_ = true; // until the system refuses
    Descriptor epoll_;
    Descriptor newcomers_; // another epoll, within the first: TLS listeners and their handshakes
    Descriptor waiting_;   // and a third: connections that may wait; opened for the first of them
    Descriptor wake_;
    std::size_t mail_ = 0; // came in this turn: about as many messages
    bool running_ = false;
    bool newcomers_ready_ = false;
    Instant now_;
    Instant arrived_;
    Instant held_until_;           // known(): what may wait does not wake us before
    Instant looked_;               // at what may wait, last
    Instant listeners_rest_until_; // known(): no descriptor was left for accept()
    Tap* tap_ = nullptr;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<std::unique_ptr<Socket>> sockets_;
    std::size_t timed_sockets_ = 0;
    std::vector<Guest*> guests_;
    std::vector<std::unique_ptr<Watched>> watched_;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<std::uint32_t> free_;
    std::vector<std::uint32_t> dirty_; // have something to write
    std::vector<Key> more_;            // have read bytes that epoll does not know of
    std::size_t open_ = 0;
    Handshakes handshakes_;
    Deadlines<std::uint32_t, Places> deadlines_;
    std::unique_ptr<Buffers> buffers_;
    std::unique_ptr<Datagrams> datagrams_; // to be sent at the end of the turn
    std::mutex jobs_mutex_;
    std::vector<std::function<void()>> jobs_;
};

} // namespace cw::net
