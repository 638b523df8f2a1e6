#include "rtp/stream.hpp"

#include <algorithm>
#include <cmath>

#include "rtp/payload_types.hpp"

namespace cw::rtp {
namespace {

constexpr std::uint32_t sequence_modulus = 1U << 16;
constexpr std::uint32_t max_dropout = 3000; // [RFC 3550 §A.1]
// Note: RFC 3550 takes 100. An observer has no playout to protect, and the larger value keeps a
// path with long reordering from being taken for a restart.
constexpr std::uint32_t max_misorder = 1000;
// Note: RFC 3550 has no such bound. A timestamp that leaves the wall clock by more than this
// between two packets was set anew (a gateway coming back from T.38, a phone from hold): no network
// delays one packet that long, and a single such value would be the stream's jitter for seconds.
constexpr double largest_deviation_ms = 10'000;

} // namespace

void StreamStats::add(const Arrival& packet) {
    if (packets_ == 0) {
        start(packet);
        return;
    }
    ++packets_;
    longest_gap_ = std::max(longest_gap_, packet.time - last_time_);
    last_time_ = packet.time;
    follow_sequence(packet);
    measure_jitter(packet);
}

std::uint64_t StreamStats::expected() const {
    return packets_ == 0 ? 0 : expected_before_ + (highest_ - base_ + 1);
}

void StreamStats::start(const Arrival& packet) {
    packets_ = 1;
    first_time_ = packet.time;
    last_time_ = packet.time;
    payload_type_ = packet.payload_type;
    highest_ = base_ = lowest_ = sequence_modulus + packet.sequence;
    mark(highest_);
    measure_jitter(packet);
}

void StreamStats::follow_sequence(const Arrival& packet) {
    const auto ahead = static_cast<std::uint16_t>(packet.sequence - highest_);
    if (ahead == 1) [[likely]] {
        ++highest_;
        mark(highest_);
        wraps_ += packet.sequence == 0 ? 1U : 0U;
        unmark(highest_ + 1);
    } else if (ahead != 0 && ahead < max_dropout) {
        go_forward(ahead);
    } else if (ahead != 0 && ahead <= sequence_modulus - max_misorder) {
        jump(packet);
        return;
    } else {
        go_back(ahead == 0 ? 0 : sequence_modulus - ahead);
    }
    if (suspect_) [[unlikely]] {
        ++strays_; // the old run goes on, so the suspect was alone
        suspect_ = false;
    }
}

void StreamStats::go_forward(std::uint32_t steps) {
    const auto before = highest_;
    highest_ += steps;
    wraps_ += highest_ / sequence_modulus != before / sequence_modulus ? 1U : 0U;
    if (steps >= window) {
        seen_.fill(0);
    } else {
        for (auto number = before + 1; number <= highest_; ++number) {
            unmark(number);
        }
    }
    mark(highest_);
    unmark(highest_ + 1);
    missing_ += steps - 1;
}

void StreamStats::go_back(std::uint32_t steps) {
    const auto number = highest_ - steps;
    if (number >= lowest_) {
        if (seen(number)) {
            ++duplicates_;
            return;
        }
        --missing_;
    } else {
        missing_ += lowest_ - number - 1;
        lowest_ = number;
    }
    mark(number);
    ++out_of_order_;
}

// A capture that stopped for a while and a sender that began anew both make the sequence number
// leap. Only in the first case has the media clock gone on with the wall clock.
bool StreamStats::continues_in_time(const Arrival& packet, std::uint32_t steps) const {
    if (!reference_ || clock_ == 0 || packet.clock != clock_) {
        return false;
    }
    const auto ticks = static_cast<std::uint32_t>(packet.timestamp - media_timestamp_);
    const double media_ms = ticks * ms_per_tick_;
    const double wall_ms = (packet.time - media_time_).milliseconds();
    return std::abs(media_ms - wall_ms) < 500 && wall_ms > steps; // more than 1 ms a packet
}

void StreamStats::jump(const Arrival& packet) {
    const auto ahead = static_cast<std::uint16_t>(packet.sequence - highest_);
    if (continues_in_time(packet, ahead)) {
        go_forward(ahead);
    } else if (suspect_ && packet.sequence == suspect_next_) {
        // [RFC 3550 §A.1] "Two sequential packets -- assume that the other side restarted without
        // telling us so just re-sync". Unlike there, the first of the two counts as well.
        restart(static_cast<std::uint16_t>(packet.sequence - 1), packet.sequence);
    } else {
        strays_ += suspect_ ? 1U : 0U;
        suspect_ = true;
        suspect_next_ = static_cast<std::uint16_t>(packet.sequence + 1);
        return;
    }
    suspect_ = false;
}

void StreamStats::restart(std::uint16_t first, std::uint16_t sequence) {
    ++restarts_;
    expected_before_ += highest_ - base_ + 1;
    seen_.fill(0);
    base_ = lowest_ = sequence_modulus + first;
    highest_ = base_ + 1;
    wraps_ += sequence == 0 ? 1U : 0U;
    mark(base_);
    mark(highest_);
    reference_ = false; // the new run has a new timestamp offset
}

void StreamStats::measure_jitter(const Arrival& packet) {
    const bool noise = is_comfort_noise(packet.payload_type);
    if (packet.event) {
        return;
    }
    if (!noise) {
        vote_payload_type(packet.payload_type);
    }
    if (packet.clock == 0 || (noise && packet.clock != clock_)) {
        return;
    }
    if (packet.clock != clock_) [[unlikely]] {
        clock_changes_ += clock_ != 0 ? 1U : 0U;
        clock_ = packet.clock;
        ms_per_tick_ = 1000.0 / clock_;
        reference_ = false; // timestamps of two clocks cannot be subtracted
    }
    const auto ticks = static_cast<std::int32_t>(packet.timestamp - media_timestamp_);
    const double wall_ms = (packet.time - media_time_).milliseconds();
    const double deviation = std::abs(wall_ms - ticks * ms_per_tick_);
    media_time_ = packet.time;
    media_timestamp_ = packet.timestamp;
    if (!reference_ || deviation > largest_deviation_ms) [[unlikely]] {
        timestamp_jumps_ += reference_ ? 1U : 0U;
        reference_ = true;
        return;
    }
    // [RFC 3550 §6.4.1] D(i,j) = (Rj − Ri) − (Sj − Si); J += (|D| − J)/16.
    jitter_ += (deviation - jitter_) / 16;
    max_jitter_ = std::max(max_jitter_, jitter_);
    // Note: the first packet after a silence waits for nothing; counting it would let a talkative
    // pause pattern shift the mean.
    if (!packet.marker) {
        jitter_sum_ += jitter_;
        ++jitter_count_;
    }
}

// Boyer–Moore majority vote: right whenever one payload type has more than half of the packets.
void StreamStats::vote_payload_type(std::uint8_t type) {
    if (votes_ == 0) {
        payload_type_ = type;
    }
    if (type == payload_type_) {
        ++votes_;
    } else {
        --votes_;
    }
}

} // namespace cw::rtp
