// The server's logic on one shard: registrar, location service and stateful proxy. Does no I/O (see
// host_side.hpp): each function is one mutation; what it wants done is appended to `out`, which the
// host performs before it calls again. Not thread-safe; every shard has its own.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "server/host_side.hpp"
#include "server/settings.hpp"

namespace cw::server {

// Who this shard is, and its secrets. `secret` is the same on all shards and across restarts (the
// host keeps it): nonces, flow tokens and GRUUs are sealed with it, so that any shard can open what
// another one gave out. `boot` tells this start of the process from earlier ones: a flow token of
// an earlier one leads nowhere.
struct ShardIdentity {
    std::uint8_t shard = 0;
    std::uint64_t boot = 0;
    std::string secret;     // 32 octets or more
    std::uint64_t seed = 0; // random, for tables that an attacker must not make collide
};

// Counted since the start; for metrics.
struct Counters {
    std::uint64_t requests = 0;
    std::uint64_t responses = 0;
    std::uint64_t malformed = 0;
    std::uint64_t calls = 0; // INVITEs forwarded
    std::uint64_t answered = 0;
    std::uint64_t failed = 0;
    std::uint64_t registrations = 0; // answered 200
    std::uint64_t challenges = 0;
    std::uint64_t rejected_credentials = 0;
    std::uint64_t forbidden = 0;
    std::uint64_t transactions_now = 0;
    std::uint64_t bindings_now = 0;
};

class Server {
  public:
    Server(std::shared_ptr<const Settings> settings, ShardIdentity identity);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    // Takes effect for requests that come from now on.
    void set_settings(std::shared_ptr<const Settings> settings);

    void on_message(const Arrival& arrival, Instant now, Requests& out);
    // A message that could not be parsed: answered where RFC 3261 lets one answer (400, 505, 416…),
    // as RFC 4475 says; `bytes` is what came.
    void on_malformed(std::string_view bytes, const transaction::Wire& wire, const Error& error,
                      Instant now, Requests& out);
    void on_resolved(std::uint64_t token, std::span<const Hop> hops, Instant now, Requests& out);
    void on_sent(std::uint64_t token, const transaction::Wire& wire, Instant now, Requests& out);
    void on_unsent(std::uint64_t token, std::string_view reason, Instant now, Requests& out);
    // To be told to the shard that owns the wire.
    void on_wire_closed(const transaction::Wire& wire, Instant now, Requests& out);
    // The network says that a datagram did not reach `remote`: `bytes` is how it began. To be told
    // to the shard that sent_by() names.
    void on_undelivered(std::string_view bytes, const Endpoint& remote, Instant now, Requests& out);
    // The changes that came with `response`, a final one, could not be made durable: its sender is
    // told `instead`, now by the host and later by us.
    void on_unsaved(std::string_view response, std::string_view instead);
    // A change that was read from disk at the start, or that another shard made.
    void on_location(const LocationChange& change, Instant now);
    void advance(Instant now, Requests& out);
    [[nodiscard]] Instant next_deadline() const; // not known(): none

    // No new calls; idle() is true when nobody waits for an answer any more. For SIGTERM.
    void drain();
    [[nodiscard]] bool idle() const;
    [[nodiscard]] Counters counters() const;

    // The shard that minted this branch, for a response that came in on a connection of another
    // shard; 255 when it is none of ours. O(1), no state.
    static std::uint8_t shard_of_branch(std::string_view branch);
    // The same for a request that this server has sent, or its beginning.
    static std::uint8_t sent_by(std::string_view request);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace cw::server
