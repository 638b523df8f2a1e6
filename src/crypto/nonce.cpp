#include "crypto/nonce.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "crypto/base64url.hpp"

namespace cw::crypto {
namespace {

// What is sealed: milliseconds, a number of its own, the shard, the start of the process.
struct Payload {
    std::uint64_t time_ms = 0;
    std::uint64_t number = 0;
    std::uint8_t shard = 0;
    std::uint16_t boot = 0;
};
constexpr std::size_t payload_size = 6 + 5 + 1 + 2;
constexpr std::size_t nonce_size = payload_size + 8;
using Octets = std::array<std::uint8_t, nonce_size>;

void store(std::uint8_t* p, std::uint64_t value, std::size_t octets) {
    for (std::size_t i = 0; i < octets; ++i) {
        p[i] = static_cast<std::uint8_t>(value >> (8 * i));
    }
}
std::uint64_t load(const std::uint8_t* p, std::size_t octets) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < octets; ++i) {
        value |= std::uint64_t{p[i]} << (8 * i);
    }
    return value;
}

void write(Octets& out, const Payload& p) {
    store(out.data(), p.time_ms, 6);
    store(out.data() + 6, p.number, 5);
    out[11] = p.shard;
    store(out.data() + 12, p.boot, 2);
}
Payload read(const Octets& in) {
    return {load(in.data(), 6), load(in.data() + 6, 5), in[11],
            static_cast<std::uint16_t>(load(in.data() + 12, 2))};
}
std::string_view payload_of(const Octets& octets) {
    return {reinterpret_cast<const char*>(octets.data()), payload_size};
}
std::uint64_t milliseconds_of(Instant t) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(t.ns, 0) / 1'000'000);
}

} // namespace

Nonces::Nonces(std::string_view secret, std::uint8_t shard, std::uint64_t boot, Limits limits)
    : key_(derive_key(secret, "nonce")), shard_(shard),
      boot_(static_cast<std::uint16_t>(boot ^ boot >> 16 ^ boot >> 32 ^ boot >> 48)),
      limits_(limits) {}

std::uint64_t Nonces::tag(std::string_view payload, std::string_view realm) const {
    return SipHash{key_}.add(payload).add_part(realm).finish();
}

void Nonces::append(std::string& out, std::string_view realm, Instant now) {
    Octets octets{};
    write(octets, {milliseconds_of(now), ++next_, shard_, boot_});
    store(octets.data() + payload_size, tag(payload_of(octets), realm), 8);
    append_base64url(out, octets);
}

Nonces::Verdict Nonces::use(std::string_view nonce, std::string_view realm, std::uint32_t nc,
                            Instant now) {
    Octets octets{};
    if (decode_base64url(nonce, octets) != nonce_size ||
        load(octets.data() + payload_size, 8) != tag(payload_of(octets), realm)) {
        return Verdict::Unknown;
    }
    const auto p = read(octets);
    const auto now_ms = milliseconds_of(now);
    const auto lifetime = static_cast<std::uint64_t>(limits_.lifetime.ns / 1'000'000);
    if (p.shard != shard_ || p.boot != boot_ || p.time_ms > now_ms ||
        now_ms - p.time_ms > lifetime) {
        return Verdict::Stale;
    }
    make_room(now_ms);
    return count(p.number, p.time_ms, nc) ? Verdict::Fresh : Verdict::Stale;
}

// Counts may come out of order, as requests do over UDP: the last 64 are known one by one.
bool Nonces::count(std::uint64_t number, std::uint64_t time_ms, std::uint32_t nc) {
    auto at = counts_.find(number);
    if (at == counts_.end()) {
        if (time_ms < floor_ms_ || nc == 0) {
            return false;
        }
        counts_.emplace(number, Seen{nc, 1, time_ms});
        return true;
    }
    auto& seen = at->second;
    if (nc > seen.highest) {
        const auto by = nc - seen.highest;
        seen.window = by < 64 ? seen.window << by | 1 : 1;
        seen.highest = nc;
        return true;
    }
    const auto back = seen.highest - nc;
    if (back >= 64 || nc == 0 || (seen.window >> back & 1) != 0) {
        return false;
    }
    seen.window |= std::uint64_t{1} << back;
    return true;
}

// When full, the older half goes; whoever still has one of those is asked again.
void Nonces::make_room(std::uint64_t now_ms) {
    if (counts_.size() < limits_.remembered) {
        return;
    }
    std::vector<std::uint64_t> times;
    times.reserve(counts_.size());
    for (const auto& [number, seen] : counts_) {
        times.push_back(seen.time_ms);
    }
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::ranges::nth_element(times, middle);
    const auto lifetime = static_cast<std::uint64_t>(limits_.lifetime.ns / 1'000'000);
    const auto expired = now_ms > lifetime ? now_ms - lifetime : 0;
    floor_ms_ = std::max({floor_ms_, *middle + 1, expired});
    boost::unordered::erase_if(
        counts_, [this](const auto& entry) { return entry.second.time_ms < floor_ms_; });
}

} // namespace cw::crypto
