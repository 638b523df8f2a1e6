#include "play/load/arrivals.hpp"

#include <cmath>
#include <limits>

namespace cw::play {

namespace {

Duration of_seconds(double s) {
    return Duration{std::llround(s * 1e9)};
}

} // namespace

Arrivals::Arrivals(std::vector<RateStage> stages) {
    Duration begins;
    double before = 0;
    for (const auto& stage : stages) {
        const bool endless = stage.length.ns == 0;
        const auto count = endless ? std::numeric_limits<double>::infinity()
                                   : stage.length.seconds() * (stage.from + stage.to) / 2;
        parts_.push_back({stage, begins, before, count});
        if (endless) {
            break;
        }
        begins = begins + stage.length;
        before += count;
    }
}

std::optional<Duration> Arrivals::at(std::uint64_t n) const {
    const auto number = static_cast<double>(n);
    // What the sum of the parts has lost in rounding must not lose an arrival.
    constexpr double rounding = 1e-6;
    for (const auto& part : parts_) {
        const auto here = std::max(0.0, number - part.before);
        if (here >= part.count - rounding) {
            continue;
        }
        const auto& [from, to, length] = part.stage;
        if (from == to || length.ns == 0) {
            return part.begins + of_seconds(here / to);
        }
        // from·t + (to − from)·t²/(2·length) = here, in the form that does not lose digits
        const auto slope = (to - from) / length.seconds();
        const auto root = std::sqrt(std::max(0.0, from * from + 2 * slope * here));
        return part.begins + of_seconds(from + root == 0 ? 0 : 2 * here / (from + root));
    }
    return std::nullopt;
}

double Arrivals::rate(Duration since) const {
    for (const auto& part : parts_) {
        const auto& [from, to, length] = part.stage;
        if (length.ns == 0) {
            return to;
        }
        if (since < part.begins + length) {
            return from + (to - from) * (since - part.begins).seconds() / length.seconds();
        }
    }
    return 0;
}

std::optional<Duration> Arrivals::length() const {
    if (parts_.empty()) {
        return Duration{};
    }
    const auto& last = parts_.back();
    return last.stage.length.ns == 0 ? std::nullopt
                                     : std::optional{last.begins + last.stage.length};
}

} // namespace cw::play
