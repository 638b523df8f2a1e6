// What a server is told to do. Immutable once made: a reload makes another one. No paths, no
// sockets: those are the host's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "sip/transport.hpp"

namespace cw::server {

// Someone who may register and call. The password itself is not kept: one H(user:realm:password) an
// algorithm, in hex [RFC 7616 §3.4.2], empty where it is not known. Each one that is there is
// offered, strongest first; a phone that gives up at the first algorithm that it does not know
// (baresip does, at SHA-512-256, its version 1.0 at SHA-256 too) needs a user with its one alone.
struct User {
    std::string name; // the user part of the address of record
    std::string ha1_md5;
    std::string ha1_sha256;
    std::string ha1_sha512_256;
};

// A domain that this server is responsible for. Its name is also the realm.
struct Domain {
    std::string name; // in lower case
    bool authenticate = true;
    bool allow_md5 = false; // for phones that know nothing better
    std::vector<User> users;
};

// Another domain, or a carrier, and how to come to it.
struct Trunk {
    std::string domain;      // requests for this domain go there; "*": all that is nobody's
    std::string next_hop;    // a SIP URI; empty: the domain itself, by DNS
    bool require_tls = true; // both ways; the peer must prove `domain` or `identity`
    std::string identity;    // what its certificate must say when that is not `domain`
    bool inbound = true;     // requests of its users are taken without digest
    std::vector<std::string> from_domains; // domains besides `domain` that it may speak for
};

enum class Forking : std::uint8_t { Parallel, Serial };

// A place that this server listens on, as others reach it.
struct Listener {
    sip::Transport transport = sip::Transport::Udp;
    Endpoint at;      // bound
    std::string host; // to be written into Via and Record-Route; empty: the address
};

struct Settings {
    std::vector<Listener> listeners;
    std::vector<Domain> domains;
    std::vector<Trunk> trunks;
    // A request from the outside whose From domain the peer's certificate does not say gets 403;
    // one without a verified certificate too.
    bool federation = false; // with domains that are no trunk of ours, by DNS
    // Registrar
    std::uint32_t minimum_expires_s = 60; // below: 423 [RFC 3261 §10.3]
    std::uint32_t maximum_expires_s = 7200;
    std::uint32_t default_expires_s = 3600;
    std::uint32_t contacts_per_user = 10;
    bool gruu = true;
    std::string service_route; // [RFC 3608]; empty: none
    // Proxy
    Forking forking = Forking::Parallel; // within one q value; q values are always tried in order
    bool redirect = false;               // answer 302 instead of forwarding
    Duration timer_c = seconds(180);     // more than 3 minutes [RFC 3261 §16.6]
    // How long 100 Trying waits for a response that makes it needless, where the caller's transport
    // is reliable; 200 ms at most [RFC 3261 §17.2.1], 0: it comes at once.
    Duration trying = milliseconds(200);
    Duration serial_wait = seconds(20); // before the next q value is tried
    std::uint32_t branches = 16;        // of one request
    std::uint32_t transactions = 500'000;
};

} // namespace cw::server
