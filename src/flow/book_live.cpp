// The Book of a capture that goes on: calls that have ended are handed out and forgotten.
#include <algorithm>
#include <utility>

#include <boost/unordered/unordered_flat_set.hpp>

#include "flow/archive.hpp"
#include "flow/book.hpp"

namespace cw::flow {

void Book::Slots::release(std::uint32_t number) {
    (*this)[number].released = true;
    ++released_;
}

// The front is moved off when it is half of all, so that a slot is moved once on the average.
void Book::Slots::trim() {
    const auto kept = std::ranges::find(slots_, false, &Slot::released);
    const auto count = static_cast<std::size_t>(kept - slots_.begin());
    if (count >= 256 && count * 2 >= slots_.size()) {
        slots_.erase(slots_.begin(), kept);
        first_ += static_cast<std::uint32_t>(count);
        released_ -= count;
    }
}

void Book::take_ended(Instant now, const std::function<void(const Call&)>& visit) {
    close_quiet_legs(now);
    constexpr Duration now_and_then = seconds(10); // some end by saying nothing
    open_streams_.clear();
    if (!std::exchange(may_have_ended_, false) && now - looked_ < now_and_then) {
        return;
    }
    looked_ = now;
    order_calls();
    std::vector<std::uint32_t> over; // calls
    boost::unordered_flat_set<std::uint32_t> legs;
    for (std::uint32_t number = 0; number + 1 < call_begins_.size(); ++number) {
        if (is_over(slots_of(number), now)) {
            over.push_back(number);
            legs.insert(slots_of(number).begin(), slots_of(number).end());
        }
    }
    if (over.empty()) {
        return;
    }
    media_.end([&](std::uint32_t slot) { return legs.contains(slot); });
    sort_records();
    end_ = now;
    Call call;
    for (const auto number : over) {
        call.clear();
        assemble(number, call);
        call.id = ++handed_out_;
        visit(call);
    }
    for (const auto number : over) {
        release(slots_of(number));
    }
    slots_.trim();
    const auto gone = [this](std::uint32_t slot) { return slot != none && !slots_.has(slot); };
    std::erase_if(streams_, [&](const StoredStream& stream) {
        return gone(stream.slot) && (spool_.drop(stream.blob), true);
    });
    std::erase_if(joins_, [&](const JoinRecord& join) {
        return gone(join.newer) && (spool_.drop(join.evidence), true);
    });
    forget_closed(now);
}

void Book::note_change(std::uint32_t slot) {
    if (noting_ && !std::exchange(slots_[slot].changed, true)) {
        changed_.push_back(slot);
    }
}

// After order_calls(): which call has this root.
std::uint32_t Book::number_of(std::uint32_t root) const {
    const auto place = [this](std::uint32_t begin) {
        return std::pair{slots_[members_[begin]].start, members_[begin]};
    };
    // A call stands where its root does, and its root is its first leg.
    const auto at = std::ranges::lower_bound(call_begins_.begin(), call_begins_.end() - 1,
                                             std::pair{slots_[root].start, root}, {}, place);
    return at + 1 < call_begins_.end() && members_[*at] == root
               ? static_cast<std::uint32_t>(at - call_begins_.begin())
               : none;
}

void Book::gather_open_streams(std::vector<std::uint32_t> slots) {
    std::ranges::sort(slots);
    open_streams_.clear();
    const auto wanted = [&](std::uint32_t slot) { return std::ranges::binary_search(slots, slot); };
    media_.look(wanted,
                [this](std::uint32_t slot, const MediaStream& stream, const TextPool& texts) {
                    pack(stream, texts.bytes(), packed_);
                    open_streams_.push_back({slot, packed_});
                });
    std::ranges::stable_sort(open_streams_, {}, &OpenStream::slot);
}

void Book::take_changed(Instant now, const std::function<bool(const Call&)>& visit) {
    if (changed_.empty()) {
        return;
    }
    order_calls();
    sort_records();
    end_ = now;
    std::vector<std::uint32_t> numbers;
    std::vector<std::uint32_t> slots;
    for (const auto slot : changed_) {
        if (slots_.has(slot)) {
            slots_[slot].changed = false;
            if (const auto number = number_of(root_of(slot)); number != none) {
                numbers.push_back(number);
            }
        }
    }
    changed_.clear();
    std::ranges::sort(numbers);
    numbers.erase(std::ranges::unique(numbers).begin(), numbers.end());
    for (const auto number : numbers) {
        const auto legs = slots_of(number);
        slots.insert(slots.end(), legs.begin(), legs.end());
    }
    gather_open_streams(std::move(slots));
    Call call;
    bool more = true;
    for (const auto number : numbers) {
        if (more) {
            call.clear();
            assemble(number, call);
            more = visit(call);
        }
        if (!more) {
            note_change(slots_of(number).front());
        }
    }
}

bool Book::look(std::uint32_t key, Instant now, const std::function<void(const Call&)>& visit) {
    if (!slots_.has(key)) {
        return false;
    }
    order_calls();
    const auto number = number_of(root_of(key));
    if (number == none) {
        return false;
    }
    sort_records();
    end_ = now;
    const auto legs = slots_of(number);
    gather_open_streams({legs.begin(), legs.end()});
    Call call;
    assemble(number, call);
    visit(call);
    return true;
}

// Nothing is retransmitted any more on any of its legs, and no dialog is up.
bool Book::is_over(std::span<const std::uint32_t> slots, Instant now) const {
    return std::ranges::all_of(slots, [&](std::uint32_t number) {
        const auto& slot = slots_[number];
        const auto quiet_for = now - slot.closed;
        return slot.open == none && (!slot.dialog.ringing || quiet_for > unanswered) &&
               (!slot.dialog.established || quiet_for > abandoned);
    });
}

void Book::release(std::span<const std::uint32_t> slots) {
    for (const auto number : slots) {
        auto& slot = slots_[number];
        slot_by_id_.erase(slot.id);
        drop_leg(slot);
        slots_.release(number);
    }
}

void Book::drop_leg(Slot& slot) {
    for (auto ref = slot.last; !ref.empty();) {
        const auto previous = previous_of(spool_.get(ref));
        spool_.drop(ref);
        ref = previous;
    }
}

// What a call would want of connections that were closed long ago.
void Book::forget_closed(Instant now) {
    std::erase_if(connections_, [&](const StoredConnection& stored) {
        const bool old = now - stored.closed > closed_kept;
        if (old) {
            spool_.drop(stored.blob);
            desk_.loaded_.erase(stored.id);
        }
        return old;
    });
    std::erase_if(undecrypted_,
                  [&](const Undecrypted& one) { return now - one.last > closed_kept; });
    std::erase_if(unnamed_, [&](const Unnamed& one) { return now - one.opened > closed_kept; });
    // RTP that no session description announced.
    if (constexpr std::size_t most_strays = 1000; streams_.size() > most_strays) {
        std::erase_if(streams_, [&](const StoredStream& stream) {
            return stream.slot == none && (spool_.drop(stream.blob), true);
        });
    }
}

} // namespace cw::flow
