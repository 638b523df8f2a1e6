// One core's share of a load: the sockets of a play::Crowd, its TLS connections, and its clock. All
// calls of a party go through the same few sockets. One thread, its own; interrupt() may be called
// from another.
#pragma once

#include <atomic>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/stage/party_stream.hpp"
#include "host/stage/places.hpp"
#include "host/stage/scenery.hpp"
#include "host/stage/wardrobe.hpp"
#include "net/loop.hpp"
#include "net/tls.hpp"
#include "play/load/crowd.hpp"
#include "script/plan.hpp"

namespace cw::host {

// What all shards of a load have in common. The Wardrobe is asked by one at a time.
struct LoadScene {
    script::Plan plan;
    play::Given given;
    std::optional<play::Rows> rows;
    play::Cast cast; // with the addresses of real systems and embedded servers
    Places places;
    std::unique_ptr<Wardrobe> wardrobe;
    std::mutex mutex;
};

// What a shard has counted since it last told, about once a second.
struct LoadNews {
    std::uint32_t shard = 0;
    play::Crowd::Phase phase = play::Crowd::Phase::Enrolling;
    std::optional<std::uint64_t> second; // since calls began, the one that has ended
    std::size_t in_progress = 0;
    std::size_t connections = 0;
    play::Tally* tally = nullptr; // to be added up; cleared afterwards
    std::vector<play::FailedCall> failed;
    std::string hopeless;
};

struct LoadShardOptions {
    play::CrowdSettings crowd;
    std::optional<Duration> keep_alive;   // [RFC 5626 §4.4.1] on connections that we have opened
    std::vector<IpAddress> sources;       // connections and datagrams leave from these in turn
    bool real_time = false;               // see take_real_time()
    bool resume = false;                  // TLS sessions of earlier connections
    std::function<void(LoadNews&&)> tell; // on the shard's own thread
};

// From now on this thread runs before all that have no such priority. False: it may not.
bool take_real_time();
void leave_real_time();

class LoadShard final : private net::Handler {
  public:
    static std::expected<std::unique_ptr<LoadShard>, std::string> make(LoadScene& scene,
                                                                       LoadShardOptions options);
    ~LoadShard() override;
    LoadShard(const LoadShard&) = delete;
    LoadShard& operator=(const LoadShard&) = delete;

    // To the end of its share.
    void run();
    // From another thread: no call begins any more, and after that time those in progress end.
    void interrupt(Duration grace);

  private:
    struct Listening {
        script::PartyId party = 0;
        sip::Transport transport = sip::Transport::Tls;
        Endpoint at;
    };
    struct Peer {
        bool open = false;
        bool incoming = false;
        bool told = false; // the crowd knows of it
        script::PartyId party = 0;
        transaction::Wire wire;
        std::unique_ptr<PartyStream> stream;
        std::uint32_t token = 0;    // of one that we have opened
        script::PartyId server = 0; // whom it leads to
        bool session_kept = false;
        Instant pinged; // known(): the pong has not come
    };
    struct Asked {
        play::Connect what;
        net::Key key;
    };
    using Done = std::expected<void, std::string>;

    LoadShard(LoadScene& scene, LoadShardOptions options);
    Done open();
    Done listen(script::PartyId party, sip::Transport transport);
    Done listen_from_sources(script::PartyId party);
    void keep_session(net::Key key, Peer& peer);
    std::optional<play::MediaPlace> open_media();
    [[nodiscard]] script::PartyId party_of(std::uint32_t socket) const;

    void on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) override;
    void on_undelivered(std::uint32_t socket, const Endpoint& remote, Bytes bytes) override;
    void on_open(net::Key key, const net::ConnectionInfo& info) override;
    void on_bytes(net::Key key, Bytes bytes) override;
    void on_closed(net::Key key, std::string_view why) override;
    void on_failed(net::Key key, const Endpoint& remote, bool incoming,
                   std::string_view why) override;
    void on_turn(Instant now) override;
    Instant next_deadline() override;
    Instant next_look() override { return next_look_; }

    Peer* find(net::Key key);
    void ready(net::Key key);
    void both_ready(Peer& opener, const Peer& other);
    void drain();
    void connect(const play::Connect& asked);
    void send(const transaction::Wire& wire, std::string_view bytes);
    void ping();
    void miss_pongs();
    void tell();

    LoadScene& scene_;
    LoadShardOptions options_;
    play::Cast cast_;
    std::unique_ptr<net::Loop> loop_;
    std::unique_ptr<play::Crowd> crowd_;
    std::vector<Listening> listeners_;     // by the loop's number
    std::vector<Peer> peers_;              // by net::Key::index
    std::map<std::uint32_t, Asked> asked_; // by net::Key::index
    struct Source {                        // a datagram socket beside a party's first
        script::PartyId party = 0;
        Endpoint at;
    };
    std::vector<Source> sources_;                 // by socket number, from first_source on
    std::map<Endpoint, std::uint32_t> source_at_; // their socket numbers
    std::map<std::pair<script::PartyId, script::PartyId>, net::TlsSession> sessions_;
    std::map<Endpoint, net::Key> halves_; // of connections between two of us, by the opener's end
    std::uint32_t next_media_ = 0;
    IpAddress media_at_;
    bool keeps_sessions_ = false;
    bool gathers_ = false;
    Instant now_;
    Instant next_look_;
    Instant tell_at_;
    Instant ping_at_;
    std::size_t ping_share_ = 0;                      // of the connections, whose turn is next
    std::deque<std::pair<Instant, net::Key>> pinged_; // the earliest first
    std::vector<bool> answers_pings_;                 // by PartyId of the server
    bool counting_ = false;                           // the seconds since the first call
    std::uint64_t seconds_told_ = 0;
    bool stopping_ = false;
};

} // namespace cw::host
