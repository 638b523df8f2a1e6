#include "base/time.hpp"

#include <chrono>

#include <fmt/format.h>

namespace cw {
namespace {

// Both halves of an instant: the civil date, and the nanoseconds of that day.
struct Civil {
    std::chrono::year_month_day date;
    std::int64_t ns_of_day;
};

Civil civil(Instant t) {
    constexpr std::int64_t day_ns = 86'400'000'000'000;
    auto days = t.ns / day_ns;
    auto rest = t.ns % day_ns;
    if (rest < 0) {
        --days;
        rest += day_ns;
    }
    return {std::chrono::sys_days{std::chrono::days{days}}, rest};
}

} // namespace

std::string to_rfc3339(Instant t) {
    const auto [date, ns] = civil(t);
    const auto s = ns / 1'000'000'000;
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                       static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                       s / 3600, s / 60 % 60, s % 60, ns % 1'000'000'000 / 1000);
}

std::string to_time_of_day(Instant t) {
    const auto ns = civil(t).ns_of_day;
    const auto s = ns / 1'000'000'000;
    return fmt::format("{:02}:{:02}:{:02}.{:03}", s / 3600, s / 60 % 60, s % 60,
                       ns % 1'000'000'000 / 1'000'000);
}

} // namespace cw
