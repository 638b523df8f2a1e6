// What one RTP stream (an SSRC between two endpoints) suffered on its way: loss, duplicates,
// reordering and jitter [RFC 3550 §6.4.1, §A.1, §A.3, §A.8]. One object a stream, 312 bytes,
// no allocation; add() is some ten nanoseconds. One thread.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.hpp"

namespace cw::rtp {

// One packet as it was captured.
struct Arrival {
    Instant time;
    std::uint32_t timestamp = 0;
    std::uint32_t clock = 0; // Hz of its payload type, 0 when not known
    std::uint16_t sequence = 0;
    std::uint8_t payload_type = 0;
    bool marker = false;
    bool event = false; // telephone-event: its timestamp is the start of the event, not its own
};

class StreamStats {
  public:
    void add(const Arrival& packet);

    // All packets of the stream, duplicates and strays included.
    [[nodiscard]] std::uint64_t packets() const { return packets_; }
    [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
    [[nodiscard]] std::uint64_t out_of_order() const { return out_of_order_; }
    // Single packets whose sequence number fits nowhere.
    [[nodiscard]] std::uint64_t strays() const { return strays_ + (suspect_ ? 1 : 0); }
    // Sequence numbers between first and last that no packet had. Duplicates do not hide them. A
    // packet that comes more than 1000 sequence numbers late is not recognised as the missing one.
    [[nodiscard]] std::uint64_t missing() const { return missing_; }
    // Highest minus first sequence number plus one, over all restarts [RFC 3550 §A.3].
    [[nodiscard]] std::uint64_t expected() const;
    // expected − received as RFC 3550 §A.3 counts: duplicates make it smaller, even negative.
    [[nodiscard]] std::int64_t lost() const {
        return static_cast<std::int64_t>(expected()) -
               static_cast<std::int64_t>(packets_ - strays());
    }
    // Sequence number and cycles, as reports carry them [RFC 3550 §6.4.1].
    [[nodiscard]] std::uint32_t extended_highest() const {
        return static_cast<std::uint32_t>(highest_ - 65536);
    }
    [[nodiscard]] std::uint32_t wraps() const { return wraps_; }       // 65535 → 0
    [[nodiscard]] std::uint32_t restarts() const { return restarts_; } // the sender began anew
    [[nodiscard]] std::uint32_t clock_changes() const { return clock_changes_; }
    // The timestamp left the wall clock by more than 10 s; such a step is not counted as jitter.
    [[nodiscard]] std::uint32_t timestamp_jumps() const { return timestamp_jumps_; }

    // The estimate J of RFC 3550 §A.8 by the capture's clock, in ms: after the last packet, its
    // highest value and its mean over the packets without marker. Events and payload types
    // without a known clock are left out. 0 as long as no clock rate is known.
    [[nodiscard]] double jitter_ms() const { return jitter_; }
    [[nodiscard]] double max_jitter_ms() const { return max_jitter_; }
    [[nodiscard]] double mean_jitter_ms() const {
        return jitter_count_ == 0 ? 0 : jitter_sum_ / static_cast<double>(jitter_count_);
    }
    // The longest time between two packets that follow each other in the capture.
    [[nodiscard]] Duration longest_gap() const { return longest_gap_; }

    [[nodiscard]] Instant first_time() const { return first_time_; }
    [[nodiscard]] Instant last_time() const { return last_time_; }
    // The one that most packets have; comfort noise and events do not count unless there is nothing
    // else.
    [[nodiscard]] std::uint8_t payload_type() const { return payload_type_; }

  private:
    static constexpr std::uint32_t window = 1024; // sequence numbers remembered, a power of two

    void start(const Arrival& packet);
    void restart(std::uint16_t first, std::uint16_t sequence);
    void follow_sequence(const Arrival& packet);
    void go_forward(std::uint32_t steps);
    void go_back(std::uint32_t steps);
    void jump(const Arrival& packet);
    void measure_jitter(const Arrival& packet);
    void vote_payload_type(std::uint8_t type);
    [[nodiscard]] bool continues_in_time(const Arrival& packet, std::uint32_t steps) const;

    [[nodiscard]] bool seen(std::uint64_t number) const {
        return (seen_[number % window / 64] >> (number % 64) & 1) != 0;
    }
    void mark(std::uint64_t number) { seen_[number % window / 64] |= 1ULL << (number % 64); }
    void unmark(std::uint64_t number) { seen_[number % window / 64] &= ~(1ULL << (number % 64)); }

    // Sequence numbers extended to 64 bits; they begin one cycle up, so that packets from before
    // the first one have a number too. A bit for each of the last 1024 up to highest_.
    std::array<std::uint64_t, window / 64> seen_{};
    std::uint64_t highest_ = 0;
    std::uint64_t base_ = 0;   // first received: what RFC 3550 counts from
    std::uint64_t lowest_ = 0; // base_, or a packet that came after it and belongs before it
    std::uint64_t expected_before_ = 0; // of the runs before the last restart
    std::uint64_t packets_ = 0;
    std::uint64_t duplicates_ = 0;
    std::uint64_t out_of_order_ = 0;
    std::uint64_t missing_ = 0;
    std::uint64_t strays_ = 0;
    double jitter_ = 0;
    double max_jitter_ = 0;
    double jitter_sum_ = 0;
    std::uint64_t jitter_count_ = 0;
    Instant first_time_;
    Instant last_time_;
    Instant media_time_; // of the last packet that jitter was measured with
    Duration longest_gap_;
    double ms_per_tick_ = 0;
    std::uint32_t clock_ = 0;
    std::uint32_t media_timestamp_ = 0;
    std::uint32_t wraps_ = 0;
    std::uint32_t restarts_ = 0;
    std::uint32_t clock_changes_ = 0;
    std::uint32_t timestamp_jumps_ = 0;
    std::uint32_t votes_ = 0;
    std::uint16_t suspect_next_ = 0; // the sequence number that would prove a restart
    bool suspect_ = false;
    bool reference_ = false; // media_time_ and media_timestamp_ hold a packet
    std::uint8_t payload_type_ = 0;
};

} // namespace cw::rtp
