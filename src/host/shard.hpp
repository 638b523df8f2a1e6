// One core's share of the server: a loop, its sockets and connections, and a server::Server. Bytes
// come from the loop, are cut into messages and told to the Server; what the Server then wants is
// done before it is told the next thing.
//
// A turn of the loop: everything that has come is handled; then the location changes of the whole
// turn are made durable in one batch and told to the other shards; then what waited for that is
// sent. What belongs to another shard (a response whose branch it minted, bytes for a connection
// that it owns) is gathered and posted to it, once a turn.
//
// Threads: run() is the thread. Others may call post() and stop(), and nothing else, once it runs.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/counters.hpp"
#include "host/dialing.hpp"
#include "host/log.hpp"
#include "host/peer.hpp"
#include "host/resolver.hpp"
#include "host/tls_set.hpp"
#include "host/trace.hpp"
#include "net/loop.hpp"
#include "server/server.hpp"
#include "sip/message.hpp"
#include "store/location.hpp"

namespace cw::host {

// A socket of this shard's own, bound.
struct ListeningSocket {
    std::uint32_t number = 0; // the listener's place in Settings::listeners
    server::Listener listener;
    net::Descriptor fd;
};

// A connection that somebody has opened to a server, or wanted to.
struct Reached {
    sip::Transport transport = sip::Transport::Tls;
    Endpoint remote;
    bool open = false;
    std::string why; // it is not
};
using OnReached = std::function<void(const Reached&)>;
// As store::Location::apply().
using Store = std::function<store::Stored(std::span<const store::LocationRow> rows,
                                          const std::function<void()>& then)>;

struct ShardLimits {
    net::Limits net;
    Duration idle = seconds(3600); // a connection on which nothing comes for so long is closed
    // Of a message, from its first byte to its last: a byte every so often must not hold its memory
    // for ever.
    Duration unfinished = seconds(60);
};

class Shard final : private net::Handler {
  public:
    struct Setup {
        server::ShardIdentity identity;
        std::shared_ptr<const server::Settings> settings;
        std::shared_ptr<const TlsSet> tls;
        std::shared_ptr<const FixedPlaces> fixed_places;
        Abilities abilities;
        std::string dns_servers; // empty: those of the system
        ShardLimits limits;
        Store store;
        const Log* log = nullptr;   // outlives the shard
        TraceSink* trace = nullptr; // outlives the shard; null: no trace
        OnReached on_reached = {};  // called in the shard's thread; may be empty
    };
    explicit Shard(Setup setup);
    ~Shard() override;
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    // ---- before run() ----
    void add(ListeningSocket socket);
    // All shards by number, this one too; they outlive run().
    void meet(std::vector<Shard*> all);
    void restore(const server::LocationChange& change); // from disk

    void run() { loop_.run(); }
    // After run(), in its thread: as net::Loop::close_all().
    void close_all();

    // ---- from any thread ----
    bool post(std::function<void()> job) { return loop_.post(std::move(job)); }
    void stop();

    // ---- in its own thread: from a job ----
    void reload(std::shared_ptr<const server::Settings> settings, std::shared_ptr<const TlsSet> tls,
                std::shared_ptr<const FixedPlaces> fixed_places);
    // Takes no new connections and no new calls.
    void drain();
    [[nodiscard]] bool idle() const { return server_.idle(); }
    [[nodiscard]] server::Counters server_counters() const { return server_.counters(); }
    [[nodiscard]] TransportCounters transport_counters() const;

  private:
    // What the server is told when the present request of it has been done.
    struct Answer {
        enum class Kind : std::uint8_t { Resolved, Sent, Unsent, Closed };
        Kind kind = Kind::Closed;
        std::uint64_t token = 0;
        transaction::Wire wire;
        std::string reason;
        std::vector<server::Hop> hops;
    };
    // What goes to another shard at the end of the turn.
    struct Parcel {
        struct Piece {
            transaction::Wire wire;
            std::string bytes;
            std::vector<std::string> domains; // of the peer, of an arrival
        };
        std::vector<Piece> arrivals;           // responses to what it has sent
        std::vector<Piece> sends;              // on its wires
        std::vector<Piece> undelivered;        // what it has sent, and where to
        std::vector<transaction::Wire> closed; // tell your transactions
        std::vector<transaction::Wire> close;  // yours: close them
        [[nodiscard]] bool empty() const {
            return arrivals.empty() && sends.empty() && undelivered.empty() && closed.empty() &&
                   close.empty();
        }
    };

    void on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) override;
    void on_undelivered(std::uint32_t socket, const Endpoint& remote, Bytes bytes) override;
    void on_open(net::Key key, const net::ConnectionInfo& info) override;
    void on_bytes(net::Key key, Bytes bytes) override;
    void on_closed(net::Key key, std::string_view why) override;
    void on_failed(net::Key key, const Endpoint& remote, bool incoming,
                   std::string_view why) override;
    void on_turn(Instant now) override;
    Instant next_deadline() override;

    // in (shard.cpp)
    Peer* find_peer(net::Key key);
    Peer& make_peer(net::Key key, const net::ConnectionInfo& info, sip::Transport transport);
    void message(std::string_view text, const transaction::Wire& wire, const Peer* peer);
    bool hand_over(const sip::MessageView& response, const transaction::Wire& wire,
                   const Peer* peer);
    void note_alias(const sip::MessageView& message, const Peer& peer);
    void stream_bytes(net::Key key, Peer& peer, Bytes bytes);
    void websocket_bytes(net::Key key, Peer& peer, Bytes bytes);
    void limit_unfinished(net::Key key, Peer& peer);
    void keep_alive_until(net::Key key, Peer& peer);

    // out (shard_out.cpp)
    void settle(); // does what the server wants, tells it how that went, until it wants no more
    void perform();
    void tell(const Answer& answer);
    void send(const transaction::Wire& wire, std::string_view bytes);
    void send_bytes(const Peer& peer, std::string_view bytes);
    void send_datagram(std::uint32_t socket, const Endpoint& to, std::string_view bytes);
    void send_to(server::SendTo request);
    void send_datagram_to(const server::SendTo& request);
    void dial(server::SendTo request);
    void dialed(net::Key key, Dialing dialing, const net::ConnectionInfo& info);
    void sent(std::uint64_t token, const transaction::Wire& wire);
    void unsent(std::uint64_t token, std::string reason);
    void resolved(std::uint64_t token, std::vector<server::Hop> hops);
    void commit();
    void refuse_unsaved();
    void post_parcels();
    void take(const Parcel& parcel, std::uint8_t from);

    std::uint8_t number_;
    ShardLimits limits_;
    std::shared_ptr<const TlsSet> tls_;
    Store store_;
    const Log* log_;
    std::vector<Shard*> all_;
    std::vector<server::Listener> sockets_; // by number; the transports of what they accept
    std::vector<std::uint32_t> datagram_sockets_;

    std::unique_ptr<Trace> trace_; // null: none
    OnReached on_reached_;
    net::Loop loop_;
    server::Server server_;
    Resolver resolver_;
    Instant now_;
    sip::HeaderIndex index_;
    std::vector<Peer> peers_; // by net::Key::index
    Dialings dialings_;

    server::Requests requests_;
    std::vector<Answer> answers_;
    std::vector<server::LocationChange> changes_; // of this turn
    transaction::Outbox held_;                    // until they are on disk
    std::vector<Parcel> parcels_;                 // by shard
    TransportCounters counters_;
};

} // namespace cw::host
