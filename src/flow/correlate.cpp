#include "flow/correlate.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::flow {
namespace {

// A B2BUA starts its outgoing leg within moments, or after it has found out where to.
constexpr Duration longest_delay = seconds(60);
constexpr Duration prompt = seconds(3);
// Two capture points may disagree by this much about what came first.
constexpr Duration clock_skew = milliseconds(50);

// What each piece of scored evidence weighs. Two independent ones reach Correlator::threshold.
constexpr int same_media_key = 50;
constexpr int same_media_address = 45;
constexpr int same_origin = 40;
constexpr int same_fingerprint = 30;
constexpr int same_users = 30;
constexpr int same_callee = 15;
constexpr int adjacent = 30;
constexpr int started_promptly = 10;

enum KeySpace : std::uint64_t { // keeps equal values of different headers apart
    OriginKey = 0x6f01,
    MediaKeyKey,
    FingerprintKey,
    MediaKey,
    CalleeKey,
    IdentityKey,
};

std::uint64_t key_in(KeySpace space, std::uint64_t value) {
    return mix_hash(value, space);
}

bool equal_and_known(std::uint64_t a, std::uint64_t b) {
    return a != 0 && a == b;
}

// Does `newer` leave the box that `older` went into?
bool is_adjacent(const LegStart& older, const LegStart& newer) {
    if (older.destination.address != newer.source.address) {
        return false;
    }
    if (older.source.address != older.destination.address) {
        return true;
    }
    // All on one host: only the port tells the boxes apart.
    return newer.source == older.destination || newer.sent_by == older.destination;
}

// Both legs run between the same two boxes: two calls side by side, not one behind the other.
bool is_same_hop(const LegStart& a, const LegStart& b) {
    if (a.destination == b.destination) {
        return true;
    }
    return a.source.address == b.source.address && a.destination.address == b.destination.address &&
           a.source.address != a.destination.address;
}

void say(std::string* why, std::string_view text) {
    if (why != nullptr) {
        why->append(why->empty() ? "" : ", ").append(text);
    }
}

} // namespace

std::uint64_t text_key(std::string_view text) {
    std::uint64_t h = 0xcbf29ce484222325ULL;
    for (const char c : text) {
        h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
    }
    return h == 0 ? 1 : h;
}

std::uint64_t user_key(std::string_view user) {
    if (user.empty() || iequals(user, "anonymous")) {
        return 0;
    }
    std::array<char, 32> digits{};
    std::size_t n = 0;
    bool number = true;
    for (const char c : user) {
        if (is_digit(c) && n < digits.size()) {
            digits[n++] = c;
        } else if (c != '+' && c != '-' && c != '.' && c != '(' && c != ')') {
            number = false;
            break;
        }
    }
    constexpr std::size_t suffix = 7; // what survives country and area codes coming and going
    if (number && n >= suffix) {
        return text_key({digits.data() + n - suffix, suffix});
    }
    std::uint64_t h = 0x51;
    for (const char c : user) {
        h = mix_hash(h, static_cast<std::uint8_t>(ascii_lower(c)));
    }
    return h == 0 ? 1 : h;
}

int Correlator::score(const Card& older, const LegStart& newer, std::string* why) const {
    const auto& a = older.start;
    const auto delay = newer.time - a.time;
    if (delay < Duration{-clock_skew.ns} || delay > longest_delay || is_same_hop(a, newer)) {
        return 0;
    }
    if (older.final_answer.known() && newer.time > older.final_answer + clock_skew) {
        return 0;
    }
    int total = 0;
    const auto add = [&](bool holds, int weight, std::string_view text) {
        if (holds) {
            total += weight;
            say(why, text);
        }
    };
    add(equal_and_known(a.media_key, newer.media_key), same_media_key, "same media key");
    add(equal_and_known(a.media, newer.media), same_media_address, "same media address");
    add(equal_and_known(a.origin, newer.origin), same_origin, "same SDP origin");
    add(equal_and_known(a.fingerprint, newer.fingerprint), same_fingerprint,
        "same DTLS fingerprint");
    const bool callee = equal_and_known(a.to_user, newer.to_user);
    const bool users = callee && equal_and_known(a.from_user, newer.from_user);
    add(users, same_users, "same caller and callee");
    add(callee && !users, same_callee, "same callee");
    add(is_adjacent(a, newer), adjacent, "leaves the box that the other enters");
    if (total > 0 && delay <= prompt) {
        add(true, started_promptly,
            why == nullptr ? "" : fmt::format("{:.0f} ms after it", delay.milliseconds()));
    }
    return total;
}

void Correlator::remember(std::uint64_t key, Card& card) {
    auto& bucket = index_[key];
    const auto slot = card.start.slot;
    const auto end = bucket.slots.begin() + bucket.count;
    if (std::find(bucket.slots.begin(), end, slot) != end) {
        return;
    }
    if (bucket.count == bucket.slots.size()) { // crowded: the oldest goes
        std::rotate(bucket.slots.begin(), bucket.slots.begin() + 1, bucket.slots.end());
        --bucket.count;
    }
    bucket.slots[bucket.count++] = slot;
    card.keys.push_back(key);
}

void Correlator::on_start(const LegStart& start, std::vector<JoinFound>& found) {
    const std::array keys{
        std::pair{start.origin, key_in(OriginKey, start.origin)},
        std::pair{start.media_key, key_in(MediaKeyKey, start.media_key)},
        std::pair{start.fingerprint, key_in(FingerprintKey, start.fingerprint)},
        std::pair{start.media, key_in(MediaKey, start.media)},
        std::pair{start.to_user, key_in(CalleeKey, start.to_user)},
    };
    candidates_.clear();
    for (const auto& [value, key] : keys) {
        const auto at = value == 0 ? index_.end() : index_.find(key);
        if (at == index_.end()) {
            continue;
        }
        for (std::size_t i = 0; i < at->second.count; ++i) {
            const auto slot = at->second.slots[i];
            if (slot != start.slot &&
                std::find(candidates_.begin(), candidates_.end(), slot) == candidates_.end()) {
                candidates_.push_back(slot);
            }
        }
    }
    // The best of them; of two that are equally good, the one that has no outgoing leg yet.
    int best = threshold - 1;
    Card* parent = nullptr;
    for (const auto slot : candidates_) {
        const auto at = cards_.find(slot);
        if (at == cards_.end()) {
            continue;
        }
        auto& card = at->second;
        const auto points = score(card, start, nullptr);
        if (points > best ||
            (points == best && parent != nullptr && parent->children > 0 && card.children == 0)) {
            best = points;
            parent = &card;
        }
    }
    if (parent != nullptr) {
        std::string why;
        best = score(*parent, start, &why);
        ++parent->children;
        found.push_back({parent->start.slot, start.slot,
                         static_cast<std::uint8_t>(std::min(best, 99)), std::move(why)});
    }
    auto& card = cards_[start.slot];
    card.start = start;
    for (const auto& [value, key] : keys) {
        if (value != 0) {
            remember(key, card);
        }
    }
}

void Correlator::on_identity(std::uint32_t slot, std::string_view what, std::string_view value,
                             std::vector<JoinFound>& found) {
    const auto key = key_in(IdentityKey, mix_hash(text_key(what), text_key(value)));
    if (const auto at = index_.find(key); at != index_.end()) {
        for (std::size_t i = 0; i < at->second.count; ++i) {
            if (at->second.slots[i] == slot) {
                return;
            }
        }
        found.push_back({at->second.slots[0], slot, 100, fmt::format("same {} {}", what, value)});
    }
    auto& card = cards_[slot];
    card.start.slot = slot;
    remember(key, card);
}

void Correlator::on_final(std::uint32_t slot, Instant time) {
    if (const auto at = cards_.find(slot); at != cards_.end()) {
        at->second.final_answer = time;
    }
}

void Correlator::forget(std::uint32_t slot) {
    const auto at = cards_.find(slot);
    if (at == cards_.end()) {
        return;
    }
    for (const auto key : at->second.keys) {
        const auto entry = index_.find(key);
        if (entry == index_.end()) {
            continue;
        }
        auto& bucket = entry->second;
        const auto end = bucket.slots.begin() + bucket.count;
        bucket.count = static_cast<std::uint8_t>(std::remove(bucket.slots.begin(), end, slot) -
                                                 bucket.slots.begin());
        if (bucket.count == 0) {
            index_.erase(entry);
        }
    }
    cards_.erase(at);
}

} // namespace cw::flow
