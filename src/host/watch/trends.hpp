// How it goes: what began, was answered and failed, how fast, how well protected and how well
// heard, in steps of ten seconds over the last hour. For charts.
//
// Single-threaded. Memory does not grow: a step keeps some hundred numbers.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "flow/call.hpp"

namespace cw::host {

class Trends {
  public:
    static constexpr Duration step = seconds(10);
    static constexpr std::size_t steps = 360;
    enum class Safety : std::uint8_t { Tls13, Tls12, OldTls, Mixed, Clear };
    static constexpr std::size_t safeties = 5;

    struct Step {
        Instant begin; // not known(): nothing is known of it
        std::uint32_t started = 0;
        std::uint32_t answered = 0; // of those that ended in it: with a 2xx
        std::uint32_t failed = 0;
        std::uint32_t open = 0;    // at its end, or now
        std::vector<float> waits;  // ms from a first request to its first response, a sample
        std::uint32_t answers = 0; // how many there were to take it from
        double mos_sum = 0;
        double mos_low = 0; // 0: there was no stream with a MOS
        std::uint32_t mos_count = 0;
        std::array<std::uint32_t, safeties> safety{}; // calls that ended

        // In ms, below which `share` of the waits lie; −1 when there were none.
        [[nodiscard]] double wait(double share) const;
    };

    void on_start(Instant now) { ++at(now).started; }
    void on_end(Instant now, const flow::Call& call);
    void set_open(Instant now, std::size_t calls) {
        at(now).open = static_cast<std::uint32_t>(calls);
    }
    // The step of `now`.
    Step& at(Instant now);
    // The latest `steps` of them, the oldest first.
    [[nodiscard]] std::vector<const Step*> all(Instant now);
    // Of the whole hour.
    [[nodiscard]] std::array<std::uint64_t, safeties> safety(Instant now);

  private:
    std::array<Step, steps> steps_;
};

} // namespace cw::host
