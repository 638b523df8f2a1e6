// How soon the next turn of a loop may begin. Waking up costs more than a message, and what comes
// meanwhile shares reads, records and writes. So, on a loop that has something to do, what comes
// within `gather` of the beginning of a turn waits for the rest of that time. With little to do
// (fewer than four things in that time, on average) nothing waits, nor does what comes later.
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
            busy_ = things_ >= many && passed <= time_for_many();
            since_ = began;
            things_ = 0;
        }
    }
    // How long nothing is looked at, `gather` at most.
    [[nodiscard]] Duration rest(Instant now) const {
        return busy_ ? std::clamp(last_ + gather_ - now, Duration{}, gather_) : Duration{};
    }

  private:
    static constexpr std::size_t many = 64;
    static constexpr std::size_t worth_waiting = 4; // within `gather`
    [[nodiscard]] Duration time_for_many() const {
        return {gather_.ns * std::int64_t{many / worth_waiting}};
    }

    Duration gather_;
    Instant last_; // beginning of the last turn in which something came
    Instant since_;
    std::size_t things_ = 0; // since then
    bool busy_ = false;      // so many came in so short a time when that was last known
};

} // namespace cw::net
