// All transactions of one shard: finds the one that a message belongs to [RFC 3261 §17.1.3,
// §17.2.3], steps its machine, and sends through an Outbox what the machine wants sent. The user
// (proxy, registrar, player) is told through return values and events(); nothing calls back.
// Time is an argument. One mutation, then drain. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/deadlines.hpp"
#include "base/time.hpp"
#include "sip/message.hpp"
#include "sip/via.hpp"
#include "transaction/machine.hpp"
#include "transaction/outbox.hpp"
#include "transaction/wire.hpp"

namespace cw::transaction {

// A transaction; of one that is over, a handle finds nothing.
struct Handle {
    std::uint32_t index = 0xffff'ffff;
    std::uint32_t generation = 0;
    explicit operator bool() const { return index != 0xffff'ffff; }
    bool operator==(const Handle&) const = default;
};

class Table {
  public:
    // `seed` is random: it keeps an attacker from choosing keys that collide.
    explicit Table(std::uint64_t seed);
    ~Table();
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    // ---- server side ----
    enum class Arrived : std::uint8_t {
        New,            // for the user, who answers by respond(); `transaction` is its server side
        Retransmission, // dealt with here
        AckOfFailure,   // dealt with here
        // An ACK for a 2xx, a transaction of its own: for the user, to be passed on. `transaction`
        // is the INVITE's while that is in Accepted.
        Ack,
    };
    struct Request {
        Arrived arrived = Arrived::New;
        Handle transaction;
        Handle invite; // CANCEL: the INVITE that it means, if there is one that can be cancelled
    };
    // `top` is the request's topmost Via, whose sent-by and branch are as its sender wrote them.
    // `owner` is the user's own number for a new transaction.
    // A user that may want to answer a new request without a transaction [RFC 3261 §8.2.7] says
    // Leave, and open()s one when it does not.
    enum class Fresh : std::uint8_t { Open, Leave };
    Request on_request(const sip::MessageView& request, const sip::Via& top, const Wire& wire,
                       Instant now, Outbox& outbox, Fresh fresh = Fresh::Open);
    // The transaction of the request that on_request() has just called New and left. `wire` is
    // where its responses go.
    Handle open(sip::Method method, const Wire& wire, Instant now);
    // Sends a response of the user and remembers it for retransmissions. False when there is no
    // such transaction any more, or when it has already had its final response: nothing is sent.
    bool respond(Handle server, std::uint16_t status, std::string_view response, Instant now,
                 Outbox& outbox);

    // From now on a retransmission of the request gets `instead`, not the final response `response`
    // that respond() was given: what that one says could not be kept.
    void replace_final(const sip::MessageView& response, std::string_view instead);

    // Ends a transaction without a word; occurrences() tells that it is over.
    void forget(Handle transaction);

    // ---- client side ----
    // Sends `request` (not an ACK) on `wire`. `branch` is that of its top Via; `owner` comes back
    // with everything that happens to it.
    Handle send(sip::Method method, std::string_view branch, std::string_view request,
                const Wire& wire, std::uint64_t owner, Instant now, Outbox& outbox);
    // The same for a request that is on its way already: nothing is sent now.
    Handle sent(sip::Method method, std::string_view branch, std::string_view request,
                const Wire& wire, std::uint64_t owner, Instant now);
    struct Response {
        Handle transaction; // none: stray
        std::uint64_t owner = 0;
        bool deliver = false; // for the user; else it was a retransmission, dealt with here
    };
    Response on_response(const sip::MessageView& response, const sip::Via& top, Instant now,
                         Outbox& outbox);
    // The request that a client transaction sent, and the wire that it went out on; empty when it
    // is over. Valid until the next call.
    [[nodiscard]] std::string_view request_of(Handle client) const;
    [[nodiscard]] const Wire* wire_of(Handle transaction) const;
    // Ends a transaction without more ado, which for a cancelled INVITE "SHOULD" be done that
    // nobody answers [RFC 3261 §9.1].
    void abandon(Handle transaction);
    [[nodiscard]] State state_of(Handle transaction) const; // Terminated when it is over

    // ---- time and wires ----
    enum class Happened : std::uint8_t {
        Timeout,        // of a client: nobody answered. Of a server INVITE: its ACK never came
        TransportError, // the wire is gone
        Over,           // the transaction exists no more; the last that is heard of it
    };
    struct Occurrence {
        Happened what = Happened::Over;
        Handle transaction;
        std::uint64_t owner = 0;
        Kind kind = Kind::ClientInvite;
    };
    void advance(Instant now, Outbox& outbox);
    void on_wire_closed(const Wire& wire, Instant now, Outbox& outbox);
    // A datagram with this request did not reach `remote` [RFC 3261 §18.4].
    void on_undelivered(std::string_view method, std::string_view branch, const Endpoint& remote,
                        Instant now, Outbox& outbox);
    [[nodiscard]] Instant next_deadline() const; // not known(): none
    // What happened since clear_occurrences(), in order.
    [[nodiscard]] std::span<const Occurrence> occurrences() const { return occurrences_; }
    void clear_occurrences() { occurrences_.clear(); }
    // The user's number for a server transaction, 0 at first.
    void set_owner(Handle transaction, std::uint64_t owner);
    [[nodiscard]] std::uint64_t owner_of(Handle transaction) const; // 0 when it is over

    [[nodiscard]] std::size_t size() const { return entries_.size() - free_.size(); }

  private:
    struct Entry;
    struct Places {
        Table* table;
        std::uint32_t& place(std::uint32_t index) const;
    };
    std::uint64_t hash(std::string_view key) const;
    // By key_.
    Handle create(Kind kind, const Wire& wire, std::uint64_t owner, Instant now);
    Entry* find(Handle handle) const;
    Entry* find_key(std::string_view key, Handle& handle) const;
    void make_server_key(const sip::MessageView& request, const sip::Via& top,
                         std::string_view method);
    void make_client_key(std::string_view branch, std::string_view method);
    std::uint8_t drive(Handle handle, Event event, Instant now, Outbox& outbox);
    void enter(Handle handle, Entry& entry, State state, Instant now);
    void rearm(std::uint32_t index, const Entry& entry);
    void retire(Handle handle);
    void link(std::uint32_t index);
    void unlink(std::uint32_t index);
    void send_ack(const Entry& entry, const sip::MessageView& response, Outbox& outbox);

    std::uint64_t seed_;
    std::vector<std::unique_ptr<Entry>> entries_;
    std::vector<std::uint32_t> free_;
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> by_key_;
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> by_wire_; // head of a chain
    Deadlines<std::uint32_t, Places> deadlines_;
    std::vector<Occurrence> occurrences_;
    std::string key_; // scratch
    sip::HeaderIndex ack_index_;
};

// A CANCEL for the INVITE that was sent as `invite` [RFC 3261 §9.1]; empty when that is none.
std::string make_cancel(std::string_view invite);

} // namespace cw::transaction
