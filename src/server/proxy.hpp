// The stateful proxy [RFC 3261 §16]: forwards requests to one or several targets and brings back
// the responses. Does no I/O; not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/deadlines.hpp"
#include "server/context.hpp"
#include "server/core.hpp"
#include "server/incoming.hpp"
#include "server/route.hpp"

namespace cw::server {

class Proxy {
  public:
    explicit Proxy(Core& core);

    // A request whose sender was admitted. Answers it, now or later.
    void forward(Incoming& in, const Route& route, Sender sender);
    // A CANCEL for a transaction of ours: answers it too.
    void cancel(const Incoming& in, transaction::Handle invite);
    // An ACK for a 2xx: passed on without state [RFC 3261 §16.11].
    void pass_ack(Incoming& in, const Route& route);

    void on_response(const sip::MessageView& response, const sip::Via& top, Instant now,
                     Requests& out);
    void on_resolved(std::uint64_t token, std::span<const Hop> hops, Instant now, Requests& out);
    void on_sent(std::uint64_t token, const transaction::Wire& wire, Instant now, Requests& out);
    void on_unsent(std::uint64_t token, Instant now, Requests& out);
    void on_occurrence(const transaction::Table::Occurrence& occurrence, Instant now,
                       Requests& out);
    void advance(Instant now, Requests& out);
    [[nodiscard]] Instant next_deadline() const;
    [[nodiscard]] std::size_t size() const { return contexts_.size() - free_.size(); }
    // Does anybody wait for an answer? Looks at all that is in progress.
    [[nodiscard]] bool owes_an_answer() const;

  private:
    struct Places {
        Proxy* proxy;
        std::uint32_t& place(std::uint32_t index) const;
    };
    struct Found {
        std::uint32_t index = 0;
        Context* context = nullptr;
        Branch* branch = nullptr;
        std::uint8_t number = 0;
    };

    std::uint32_t make_context(const Incoming& in, Sender sender, const Passage& passage);
    void release(std::uint32_t index);
    void drop_one(std::uint32_t index); // of Context::alive
    [[nodiscard]] std::uint64_t owner_of(std::uint32_t index, std::uint8_t branch) const;
    Found find(std::uint64_t owner);
    void rearm(std::uint32_t index);
    void say_trying(Context& context, const Incoming& in);

    // branches.cpp: what goes out
    void start_class(std::uint32_t index, const Incoming& in, const Route& route);
    void start_stored(std::uint32_t index, Instant now, Requests& out);
    void start(std::uint32_t index, std::uint8_t number, const Incoming& in, const Route& route);
    void send_over(std::uint32_t index, std::uint8_t number, const Incoming& in,
                   const Route& route);
    void write_for(std::uint32_t index, std::uint8_t number, const Place& place, Instant now,
                   Requests& out);
    void send_to_next_hop(std::uint32_t index, std::uint8_t number, Instant now, Requests& out);
    template <class Act>
    void with_stored(std::uint32_t index, Instant now, Requests& out, Act act);
    void cancel_branch(Context& context, Branch& branch, Instant now, Requests& out);
    void cancel_all(Context& context, Instant now, Requests& out);

    // responses.cpp: what comes back
    void pass_on(Context& context, const sip::MessageView& response, Instant now, Requests& out);
    void branch_failed(std::uint32_t index, std::uint8_t number, std::uint16_t status,
                       const sip::MessageView* response, Instant now, Requests& out);
    void finish_if_done(std::uint32_t index, Instant now, Requests& out);
    void send_best(std::uint32_t index, Instant now, Requests& out);
    void send_final(Context& context, std::uint16_t status, std::string_view bytes, Instant now,
                    Requests& out);
    bool try_next_hop(std::uint32_t index, std::uint8_t number, std::uint16_t status, Instant now,
                      Requests& out);
    bool try_other_way(std::uint32_t index, std::uint8_t number, Instant now, Requests& out);
    void unreachable(std::uint32_t index, std::uint8_t number, Instant now, Requests& out);

    Core& core_;
    std::vector<std::unique_ptr<Context>> contexts_;
    std::vector<std::uint32_t> free_;
    Deadlines<std::uint32_t, Places> deadlines_;
    sip::HeaderIndex stored_headers_;
    std::string bytes_; // scratch
};

// Gives `act` the stored request as it came in.
template <class Act>
void Proxy::with_stored(std::uint32_t index, Instant now, Requests& out, Act act) {
    auto& context = *contexts_[index];
    const auto message = sip::index(std::string_view{context.request}, stored_headers_);
    if (!message) {
        return;
    }
    const auto via = sip::parse_via(message->value(sip::HeaderId::Via));
    if (!via) {
        return;
    }
    const auto values = sip::read_values(*message);
    Incoming in{.message = *message,
                .values = values,
                .via = *via,
                .wire = context.wire,
                .back = context.wire,
                .peer_domains = context.peer_domains,
                .now = now,
                .out = out,
                .transaction = context.server};
    stamp_via(in);
    act(in, read_route(core_, in));
}

} // namespace cw::server
