// The seam between the server's logic and its host. The logic does no I/O: the host tells it what
// arrived and what time it is, then takes from Requests what it wants done. One mutation, then
// drain, then the next.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "sip/message.hpp"
#include "transaction/outbox.hpp"
#include "transaction/wire.hpp"

namespace cw::server {

// A message as it came. Its views live during the call that brings it.
struct Arrival {
    const sip::MessageView& message;
    transaction::Wire wire;
    // The SIP domains for which the peer's certificate is good, in lower case, once its chain has
    // been verified [RFC 5922 §7.1]; empty without TLS or without a certificate.
    std::span<const std::string> peer_domains;
};

// Where a request can go next, one of the places that RFC 3263 finds for a URI.
struct Hop {
    sip::Transport transport = sip::Transport::Udp;
    Endpoint endpoint;
    // For TLS: what the peer's certificate must say [RFC 5922 §7.2], and the SNI: the host of the
    // URI that was resolved. `identity` will do as well, when it is not empty.
    std::string domain;
    std::string identity;
};

// Find the places for a URI [RFC 3263 §4]. Answered by on_resolved(token, hops), always, within
// some seconds; no hops: nowhere. `identity` is copied into each Hop; with `secure` there are only
// TLS hops.
struct Resolve {
    std::uint64_t token = 0;
    std::string uri;
    std::string identity;
    bool secure = false;
};

// Send to a hop, on a connection that is open to this verified identity or on a new one. Answered
// by on_sent(token, wire), or by on_unsent(token, reason) when it could not be: not reached, no
// handshake, or a certificate for somebody else. What comes back over the wire is told after
// on_sent(). Token 0: no answer is wanted.
struct SendTo {
    std::uint64_t token = 0;
    Hop hop;
    std::string bytes; // whole; their top Via is ours, for hop.transport
};

// A change to the location service: to be on disk, and told to the other shards, before anything of
// `outbox` is sent.
struct LocationChange {
    std::string aor;             // "sip:alice@example.com"
    std::string key;             // tells its bindings apart
    std::int64_t expires_ns = 0; // an Instant
    std::string data;            // a Binding, encoded; empty: removed
};

enum class LogLevel : std::uint8_t { Error, Warning, Info, Debug };
// One line of the log: "refused", "user=alice reason=…". Never a credential, a nonce or a key.
struct LogLine {
    LogLevel level = LogLevel::Info;
    const char* what = "";
    std::string fields;
};

struct Requests {
    // Over wires that are open. One that is gone by now is told by on_wire_closed(), so that who
    // waits for an answer need not wait for a timer.
    transaction::Outbox outbox;
    std::vector<Resolve> resolve;
    std::vector<SendTo> send_to;
    std::vector<LocationChange> location;
    std::vector<transaction::Wire> close; // connections that do not deserve to stay open
    std::vector<LogLine> log;
    void clear() {
        outbox.clear();
        resolve.clear();
        send_to.clear();
        location.clear();
        close.clear();
        log.clear();
    }
};

} // namespace cw::server
