#include "capture/defragment.hpp"

#include <algorithm>
#include <random>

namespace cw::capture {
namespace {

constexpr std::uint32_t largest_datagram = 65'535;
constexpr std::size_t most_bytes = 16 * 1024 * 1024;
constexpr std::size_t most_datagrams = 4'096;
constexpr Duration patience = seconds(60);
// Copies of a packet from two places come within milliseconds; sixteen bits of identification may
// come round within a few seconds.
constexpr Duration copies_within = seconds(1);

constexpr std::uint32_t units_of(std::uint32_t bytes) {
    return (bytes + 7) / 8;
}

} // namespace

std::size_t Defragmenter::KeyHash::operator()(const FragmentKey& k) const {
    auto h = mix_hash(seed, hash_value(k.source));
    h = mix_hash(h, hash_value(k.destination));
    return mix_hash(h, static_cast<std::uint64_t>(k.id) << 32 ^ k.place ^ k.protocol);
}

// The seed keeps a capture from choosing keys that fall into one bucket.
Defragmenter::Defragmenter(Ignored& ignored)
    : index_(0, KeyHash{std::random_device{}()}), finished_(0, index_.hash_function()),
      ignored_(ignored) {}

std::size_t Defragmenter::cost(const Waiting& w) {
    return sizeof(Waiting) + w.made.bytes.capacity();
}

Defragmenter::Waiting& Defragmenter::entry_for(const Fragment& fragment) {
    const auto known = index_.find(fragment.key);
    if (known != index_.end()) {
        return *known->second;
    }
    if (waiting_.size() >= most_datagrams) {
        give_up_oldest();
    }
    auto& entry = waiting_.emplace_back();
    entry.made.key = fragment.key;
    entry.made.time = fragment.time;
    entry.made.frame = fragment.frame;
    entry.made.input = fragment.input;
    entry.made.protocol = fragment.protocol;
    const auto whole = finished_.find(fragment.key);
    entry.again = whole != finished_.end() && fragment.time - whole->second <= copies_within;
    bytes_ += cost(entry);
    index_.emplace(fragment.key, std::prev(waiting_.end()));
    return entry;
}

std::optional<Reassembled> Defragmenter::add(const Fragment& fragment) {
    const auto length = static_cast<std::uint32_t>(fragment.data.size()) + fragment.cut;
    const auto end = fragment.offset + length;
    // [RFC 8200 §4.5] the length of all but the last fragment is a multiple of 8 octets.
    if (length == 0 || end > largest_datagram || (fragment.more && length % 8 != 0)) {
        ignored_.add("malformed fragments");
        return std::nullopt;
    }
    auto& entry = entry_for(fragment);
    if (entry.spoilt) {
        return std::nullopt;
    }
    const bool contradicts = fragment.more
                                 ? entry.total != 0 && end > entry.total
                                 : (entry.total != 0 && end != entry.total) ||
                                       (entry.total == 0 && entry.made.bytes.size() > end);
    if (contradicts || !copy(entry, fragment)) {
        spoil(entry);
        return std::nullopt;
    }
    if (!fragment.more) {
        entry.total = end;
    }
    if (fragment.offset == 0) {
        entry.made.protocol = fragment.protocol;
    }
    if (entry.total != 0 && entry.units == units_of(entry.total)) {
        remember_finished(fragment.key, fragment.time);
        return finish(index_.find(fragment.key)->second);
    }
    while (bytes_ > most_bytes && waiting_.size() > 1) {
        give_up_oldest();
    }
    return std::nullopt;
}

// False when bytes that came before are different now.
bool Defragmenter::copy(Waiting& entry, const Fragment& fragment) {
    auto& bytes = entry.made.bytes;
    const auto length = static_cast<std::uint32_t>(fragment.data.size());
    const auto claimed = fragment.offset + length + fragment.cut;
    if (fragment.cut != 0) {
        entry.held_to = std::min(entry.held_to, fragment.offset + length);
    }
    if (bytes.size() < claimed) {
        bytes_ -= cost(entry);
        bytes.resize(claimed);
        bytes_ += cost(entry);
    }
    const auto first = fragment.offset / 8;
    const auto last = units_of(claimed);
    for (auto unit = first; unit < last; ++unit) {
        const auto from = unit * 8;
        const auto here = from - fragment.offset; // of fragment.data
        const auto n = here < length ? std::min<std::uint32_t>(8, length - here) : 0;
        const auto* source = fragment.data.data() + here;
        if (!entry.seen[unit]) {
            entry.seen.set(unit);
            ++entry.units;
            std::copy_n(source, n, bytes.data() + from);
        } else if (from + n <= entry.held_to &&
                   !std::equal(source, source + n, bytes.data() + from)) {
            return false;
        }
    }
    return true;
}

void Defragmenter::spoil(Waiting& entry) {
    ignored_.add("overlapping fragments");
    entry.spoilt = true;
    bytes_ -= cost(entry);
    entry.made.bytes = {};
    bytes_ += cost(entry);
}

// Takes the entry out; what it holds from its start on without a gap.
Reassembled Defragmenter::finish(List::iterator at) {
    auto& entry = *at;
    std::size_t unit = 0;
    while (unit < entry.seen.size() && entry.seen[unit]) {
        ++unit;
    }
    const auto held =
        std::min({entry.made.bytes.size(), unit * 8, static_cast<std::size_t>(entry.held_to)});
    bytes_ -= cost(entry);
    entry.made.bytes.resize(held);
    entry.made.missing = entry.total > held ? entry.total - static_cast<std::uint32_t>(held) : 0;
    auto made = std::move(entry.made);
    index_.erase(made.key);
    waiting_.erase(at);
    return made;
}

void Defragmenter::remember_finished(const FragmentKey& key, Instant now) {
    const auto [at, fresh] = finished_.insert_or_assign(key, now);
    if (!fresh) {
        return;
    }
    finished_order_.push_back(key);
    if (finished_order_.size() > most_datagrams) {
        finished_.erase(finished_order_.front());
        finished_order_.pop_front();
    }
}

void Defragmenter::give_up_oldest() {
    const bool spoilt = waiting_.front().spoilt;
    const bool again = waiting_.front().again;
    auto made = finish(waiting_.begin());
    if (spoilt) {
        return; // counted when it was spoilt
    }
    if (again) {
        ignored_.add("fragments captured twice");
        return;
    }
    ignored_.add("incomplete fragments");
    if (!made.bytes.empty() && given_up_.size() < 64) {
        given_up_.push_back(std::move(made));
    }
}

std::optional<Reassembled> Defragmenter::expire(Instant now) {
    while (!waiting_.empty() && now - waiting_.front().made.time > patience) {
        give_up_oldest();
        if (!given_up_.empty()) {
            break;
        }
    }
    if (given_up_.empty()) {
        return std::nullopt;
    }
    auto made = std::move(given_up_.front());
    given_up_.pop_front();
    return made;
}

std::optional<Reassembled> Defragmenter::flush() {
    while (!waiting_.empty() && given_up_.empty()) {
        give_up_oldest();
    }
    return expire({});
}

} // namespace cw::capture
