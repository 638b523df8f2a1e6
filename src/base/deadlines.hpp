// Who wants to be woken when: a heap of deadlines in which each knows its place, so that moving or
// taking out any of them costs O(log n). For hundreds of thousands of timers of which most are
// moved or taken out before they fire.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace cw {

// `T` is what is woken, a small value; its place in the heap is kept by its owner, whom
// `Places::place(T)` gives a std::uint32_t& for it. A place of `nowhere` says: not armed.
template <class T, class Places>
class Deadlines {
  public:
    static constexpr std::uint32_t nowhere = 0xffff'ffff;

    explicit Deadlines(Places places) : places_(places) {}

    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] std::size_t size() const { return heap_.size(); }
    // The earliest. Not to be called when empty.
    [[nodiscard]] Instant next() const { return heap_.front().when; }
    [[nodiscard]] T first() const { return heap_.front().who; }

    // Arms `who`, or moves its deadline.
    void arm(T who, Instant when) {
        auto& place = places_.place(who);
        if (place == nowhere) {
            place = static_cast<std::uint32_t>(heap_.size());
            heap_.push_back({when, who});
            up(place);
            return;
        }
        const auto before = heap_[place].when;
        heap_[place].when = when;
        if (when < before) {
            up(place);
        } else {
            down(place);
        }
    }
    void disarm(T who) {
        auto& place = places_.place(who);
        if (place == nowhere) {
            return;
        }
        const auto hole = place;
        place = nowhere;
        const auto last = heap_.back();
        heap_.pop_back();
        if (hole < heap_.size()) {
            put(hole, last);
            up(hole);
            down(places_.place(last.who));
        }
    }

  private:
    struct Entry {
        Instant when;
        T who;
    };
    static constexpr std::size_t ways = 4; // shallower than two: fewer cache lines on the way

    void put(std::size_t at, const Entry& entry) {
        heap_[at] = entry;
        places_.place(entry.who) = static_cast<std::uint32_t>(at);
    }
    void up(std::size_t at) {
        const auto entry = heap_[at];
        while (at > 0) {
            const auto parent = (at - 1) / ways;
            if (heap_[parent].when <= entry.when) {
                break;
            }
            put(at, heap_[parent]);
            at = parent;
        }
        put(at, entry);
    }
    void down(std::size_t at) {
        const auto entry = heap_[at];
        for (;;) {
            const auto begin = at * ways + 1;
            if (begin >= heap_.size()) {
                break;
            }
            auto least = begin;
            for (auto i = begin + 1; i < begin + ways && i < heap_.size(); ++i) {
                least = heap_[i].when < heap_[least].when ? i : least;
            }
            if (entry.when <= heap_[least].when) {
                break;
            }
            put(at, heap_[least]);
            at = least;
        }
        put(at, entry);
    }

    Places places_;
    std::vector<Entry> heap_;
};

} // namespace cw
