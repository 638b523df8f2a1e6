// The response context of one request: its server transaction, its copies to targets, and what they
// answered [RFC 3261 §16.2].
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/forward.hpp"
#include "server/targets.hpp"
#include "transaction/table.hpp"

namespace cw::server {

struct Branch {
    enum class State : std::uint8_t {
        Waiting,   // its turn has not come
        Resolving, // the host looks for the places that its URI leads to
        Sending,   // the host opens a connection
        Trying,    // sent
        Ringing,   // and there was a provisional response
        Over,      // there was a final one, or there will be none
    };
    Target target;
    State state = State::Waiting;
    bool cancel = false; // a CANCEL is to go out as soon as it may [RFC 3261 §9.1]
    bool cancelled = false;
    std::uint16_t status = 0; // its final one
    std::uint8_t next_hop = 0;
    bool too_large = false; // for a datagram: it is being sent over TCP instead
    bool no_stream = false; // which cannot be done
    std::vector<Hop> hops;
    std::vector<std::uint64_t> tried; // ways to this phone that turned out to be gone
    Branches::Text name{};            // its Via branch
    std::string bytes;                // while the host sends them
    transaction::Handle client;
    Instant limit; // timer C
};

struct Context {
    std::uint32_t generation = 0;
    std::uint32_t place = 0xffff'ffff; // among the deadlines
    std::uint32_t alive = 0;           // transactions that are not over, and questions to the host
    bool used = false;
    bool invite = false;
    bool one_way = false;     // an ACK: nobody waits for an answer
    bool finished = false;    // its final response was sent, or there is none to send
    bool cancelled = false;   // by its sender
    bool sender_gone = false; // the wire that it came on is closed
    transaction::Handle server;
    transaction::Wire wire;
    std::vector<std::string> peer_domains;
    std::string request; // as it came
    Sender sender = Sender::Nobody;
    Passage passage;
    std::vector<Branch> branches;
    std::uint16_t best = 0; // status of best_response
    std::string best_response;
    std::string challenges; // header lines of all 401 and 407 [RFC 3261 §16.7 item 7]
    Instant next_class;     // when the next q value is tried
    Instant trying;         // when 100 Trying is due; not known(): it, or more, was said
};

} // namespace cw::server
