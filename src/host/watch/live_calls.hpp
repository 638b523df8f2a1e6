// The calls of a Watch as a screen or a page wants them: those that go on, as they change, and
// those that ended, with the bytes of their messages. A call keeps its number from the first
// message on.
//
//   LiveCalls calls{watch, {.ended = 20'000}};      // the Watch was opened with show_going_on
//   while (…) { watch->turn(…); calls.refresh(listener); }
//
// Single-threaded. Memory is bounded: calls that ended lie in a spool (a temporary file without a
// name), and the oldest of them are forgotten when they are too many.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/spool.hpp"
#include "host/watch/watch.hpp"

namespace cw::host {

class LiveCalls {
  public:
    // Of a call, as they were on the wire; empty where the bytes are not known.
    using Messages = std::vector<std::string_view>;
    struct Limits {
        std::size_t ended = 20'000;                   // calls
        std::uint64_t bytes = std::uint64_t{2} << 30; // of them, in the spool
        std::size_t at_once = 2'000;                  // open calls that one refresh() shows
    };
    // Who is told what changed. The calls are valid during the visit; Call::id is not their number.
    struct Listener {
        std::function<void(std::uint32_t number, const flow::Call& call)> changed;
        // It has ended, and will not change any more.
        std::function<void(std::uint32_t number, const flow::Call& call, const Messages& messages)>
            ended;
        // It is forgotten, or (`into` is not 0) was found to be part of another call.
        std::function<void(std::uint32_t number, std::uint32_t into)> gone;
    };

    // `watch` must outlive this.
    LiveCalls(Watch& watch, const Limits& limits) : watch_(watch), limits_(limits) {}

    // Tells what changed since the last time.
    void refresh(const Listener& listener);
    // After Watch::finish(): what still went on has ended.
    void finish(const Listener& listener);
    // A call as it is now, numbered, and its messages as they were on the wire. Valid during the
    // visit. False: it was forgotten.
    using Visit = std::function<void(const flow::Call& call, const Messages& messages)>;
    bool load(std::uint32_t number, const Visit& visit);
    // All of them, in the order of their numbers, until `visit` returns false.
    void for_each(const std::function<bool(const flow::Call& call)>& visit);
    // Forgets calls that have ended and that `which` names.
    void forget(const std::function<bool(std::uint32_t number)>& which, const Listener& listener);
    [[nodiscard]] std::size_t open() const { return number_of_.size(); }
    [[nodiscard]] std::size_t ended() const { return ended_.size(); }

  private:
    std::uint32_t number_of(std::uint32_t key);
    void tell_joined(const Listener& listener);
    void put_away(std::uint32_t number, const flow::Call& call, const Listener& listener);
    bool load_ended(flow::BlobRef blob, std::uint32_t number, const Visit& visit);
    void gather(const flow::Call& call, std::string& out, Messages& messages);
    void forget_oldest(const Listener& listener);

    Watch& watch_;
    Limits limits_;
    std::uint32_t latest_ = 0;
    boost::unordered_flat_map<std::uint32_t, std::uint32_t> number_of_; // by key of the Book
    boost::unordered_flat_map<std::uint32_t, std::uint32_t> key_of_;    // the other way
    flow::Spool spool_;
    boost::unordered_flat_map<std::uint32_t, flow::BlobRef> ended_; // by number
    std::deque<std::uint32_t> order_; // of ended_, the oldest first; some may be gone
    Instant swept_;                   // messages that became part of no call were forgotten
};

} // namespace cw::host
