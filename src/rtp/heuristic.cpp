#include "rtp/heuristic.hpp"

#include <algorithm>

#include "rtp/payload_types.hpp"

namespace cw::rtp {
namespace {

constexpr std::uint16_t most_ahead = 10; // packets that may be lost in a row while we watch
constexpr std::uint16_t most_behind = 3; // and by how many one may come late
constexpr std::int64_t fastest_clock = 192'000;
constexpr double longest_pause_s = 3;

// Media time may not run away from the wall clock, except by a burst of one second; it may step
// back a little, as reordering and video frames out of display order do.
bool timestamp_is_sane(const Arrival& before, const Arrival& now) {
    const double wall = (now.time - before.time).seconds();
    if (wall < -longest_pause_s || wall > longest_pause_s) {
        return false;
    }
    const auto ticks = static_cast<std::int32_t>(now.timestamp - before.timestamp);
    const double most = (std::max(wall, 0.0) + 1) * fastest_clock;
    return ticks > -45'000 && ticks < most;
}

enum class Step : std::uint8_t { Next, Same, Broken };

Step step(const Arrival& before, const Arrival& now) {
    const auto ahead = static_cast<std::uint16_t>(now.sequence - before.sequence);
    const auto behind = static_cast<std::uint16_t>(before.sequence - now.sequence);
    if (ahead == 0) {
        return now.timestamp == before.timestamp ? Step::Same : Step::Broken;
    }
    const bool near = ahead <= most_ahead || behind <= most_behind;
    return near && timestamp_is_sane(before, now) ? Step::Next : Step::Broken;
}

Arrival arrival_of(const Packet& packet, Instant time) {
    const auto* fixed = static_payload_type(packet.payload_type);
    return {time,
            packet.timestamp,
            fixed == nullptr ? 0 : fixed->clock,
            packet.sequence,
            packet.payload_type,
            packet.marker,
            false};
}

} // namespace

bool is_plausible_payload_type(std::uint8_t number) {
    return is_dynamic(number) || static_payload_type(number) != nullptr ||
           number == comfort_noise_old || number == 2; // 2 was G.721, now G.726-32
}

bool Recogniser::add(Bytes datagram, Instant time, bool cut) {
    held_ = {};
    if (datagram.size() <= header_size || looks_like_rtcp(datagram)) {
        return false;
    }
    const auto packet = parse(datagram, cut);
    if (!packet || packet->ssrc == 0 || packet->padding_is_bad ||
        conflicts_with_rtcp(packet->payload_type)) {
        return false;
    }
    auto& candidate = place_for(packet->ssrc);
    if (candidate.certain) {
        return true;
    }
    const auto now = arrival_of(*packet, time);
    if (candidate.good > 0) {
        const auto& before = candidate.packets[candidate.good - 1U];
        switch (step(before, now)) {
        case Step::Same:
            return false;
        case Step::Broken:
            candidate.good = 0;
            candidate.moved = false;
            break;
        case Step::Next:
            candidate.moved = candidate.moved || now.timestamp != before.timestamp;
            break;
        }
    }
    // [RFC 3551 §6] payload types outside table 4, 5 and 96–127 are used when those run out: more
    // packets must speak for them.
    const std::size_t enough =
        is_plausible_payload_type(packet->payload_type) ? needed : most_held + 1;
    if (candidate.good + 1U >= enough && candidate.moved) {
        candidate.certain = true;
        held_ = std::span{candidate.packets}.first(candidate.good);
        return true;
    }
    if (candidate.good == most_held) { // five and more parts of one video frame
        std::shift_left(candidate.packets.begin(), candidate.packets.end(), 1);
        --candidate.good;
    }
    candidate.packets[candidate.good] = now;
    ++candidate.good;
    return false;
}

// The candidate with this SSRC, a free one, or the next that is not certain. When all are certain a
// new SSRC takes turns with the oldest, so that a flow of random bytes cannot grow without bound.
Recogniser::Candidate& Recogniser::place_for(std::uint32_t ssrc) {
    for (auto& candidate : candidates_) {
        if (candidate.ssrc == ssrc) {
            return candidate;
        }
    }
    auto* victim = &candidates_[next_victim_ % candidates_.size()];
    for (std::size_t i = 0; i < candidates_.size() && victim->certain; ++i) {
        ++next_victim_;
        victim = &candidates_[next_victim_ % candidates_.size()];
    }
    ++next_victim_;
    *victim = {};
    victim->ssrc = ssrc;
    return *victim;
}

} // namespace cw::rtp
