// How soon the next turn of a loop may begin. Waking up costs more than a message, and what comes
// meanwhile shares reads, records and writes. So, on a loop that has something to do, what comes
// within `gather` of the beginning of a turn waits for the rest of that time. With little to do
// (fewer than sixteen things in that time, on average) nothing waits, nor does what comes later.
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
    // 0: nothing waits. A second at most.
    explicit Pace(Duration gather) : gather_(gather) {}

    // After the turn that began at `began`, in which so many things came: a thing is a message, as
    // far as can be told. None: it was only about time, and delays nothing.
    void turn(Instant began, std::size_t things) {
        if (things == 0) {
            return;
        }
        last_ = began;
        things_ += things;
        const auto passed = began - since_;
        if (things_ >= many || passed > time_for_many()) {
            rest_ = {};
            if (things_ >= many && passed <= time_for_many()) {
                const auto enough = std::int64_t{plenty} * passed.ns;
                rest_ = std::min(gather_, Duration{enough / static_cast<std::int64_t>(things_)});
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
    static constexpr std::size_t many = 64;
    static constexpr std::size_t plenty = 32;
    static constexpr std::size_t worth_waiting = 16; // within `gather`
    [[nodiscard]] Duration time_for_many() const {
        return {gather_.ns * std::int64_t{many / worth_waiting}};
    }

    Duration gather_;
    Instant last_; // beginning of the last turn in which something came
    Instant since_;
    std::size_t things_ = 0; // since then
    Duration rest_;          // from the beginning of a turn to that of the next
};

} // namespace cw::net
