// When calls are to begin: a rate that is flat or changes in a straight line, stage after stage.
// Each arrival has an instant of its own, computed from its number alone; so it does not move when
// the ones before it were late, whatever the answers do. Values; no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"

namespace cw::play {

// A part of the schedule: the rate goes from one to the other in a straight line.
struct RateStage {
    double from = 0; // calls a second
    double to = 0;
    Duration length; // of the last one: no length means that it goes on for ever
};

class Arrivals {
  public:
    Arrivals() = default;
    explicit Arrivals(std::vector<RateStage> stages);

    // When arrival number `n`, from 0, is due, counted from the beginning; nothing when the
    // schedule has ended before it.
    [[nodiscard]] std::optional<Duration> at(std::uint64_t n) const;
    // The rate at that moment.
    [[nodiscard]] double rate(Duration since) const;
    // How long it lasts; nothing: for ever.
    [[nodiscard]] std::optional<Duration> length() const;

  private:
    struct Part {
        RateStage stage;
        Duration begins;
        double before = 0; // arrivals of the parts above
        double count = 0;  // of its own
    };
    std::vector<Part> parts_;
};

} // namespace cw::play
