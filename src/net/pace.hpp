// How soon the next turn of a loop may begin. Waking up costs more than a message, and what comes
// meanwhile shares reads, records and writes. So, on a loop that has something to do, what comes
// within `gather` of the beginning of a turn waits for the rest of that time. With little to do
// (fewer than sixteen things in that time, on average, of all loops that share the work) nothing
// waits, nor does what comes later.
// With much to do the time is shorter: 32 things together save most of what can be saved, and who
// has no more than some dozens of requests open would wait for us while we wait for more of them.
// Knows no clock; one thread.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/time.hpp"

namespace cw::net {

class Pace {
  public:
    // 0: nothing waits. A second at most. Of several loops that share what comes, evenly and at
    // random, each is busy when its share says that all of them are. A message often goes through
    // two of them, is counted by both, and waits in both: so in each of them not as long.
    explicit Pace(Duration gather, std::size_t loops = 1) {
        const auto n = static_cast<std::int64_t>(std::clamp<std::size_t>(loops, 1, most_loops));
        const auto visits = 2 * n - 1; // that n messages pay to loops, on average
        gather_ = {gather.ns * n / visits};
        time_for_many_ = {gather.ns * many / std::max(worth_waiting * visits / (n * n), fewest)};
    }

    // After the turn that began at `began`, in which so many things came: a thing is a message, as
    // far as can be told. None: it was only about time, and delays nothing.
    void turn(Instant began, std::size_t things) {
        if (things == 0) {
            return;
        }
        last_ = began;
        things_ += static_cast<std::int64_t>(things);
        const auto passed = began - since_;
        if (things_ >= many || passed > time_for_many_) {
            rest_ = {};
            if (things_ >= many && passed <= time_for_many_) {
                rest_ = std::min(gather_, Duration{plenty * passed.ns / things_});
            }
            since_ = began;
            things_ = 0;
        }
    }
    // How long nothing is looked at, `gather` at most.
    [[nodiscard]] Duration rest(Instant now) const {
        return std::clamp(last_ + rest_ - now, Duration{}, rest_);
    }

  private:
    static constexpr std::int64_t many = 64;
    static constexpr std::int64_t plenty = 32;
    static constexpr std::int64_t worth_waiting = 16; // within `gather`, of all loops
    static constexpr std::int64_t fewest = 4;         // of one: fewer together save little
    static constexpr std::size_t most_loops = 1024;

    Duration gather_;
    Duration time_for_many_; // on a busy loop, at most
    Instant last_;           // beginning of the last turn in which something came
    Instant since_;
    std::int64_t things_ = 0; // since then
    Duration rest_;           // from the beginning of a turn to that of the next
};

} // namespace cw::net
