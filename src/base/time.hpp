// Instants and durations: whole nanoseconds, so that captures of any resolution add up exactly.
// No layer below net/ asks a clock; time comes in as an argument.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace cw {

namespace detail {
// Times come from outside: a sum that does not fit stays at the end of the range.
constexpr std::int64_t add_saturating(std::int64_t a, std::int64_t b) {
    std::int64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? INT64_MIN : INT64_MAX) : sum;
}
constexpr std::int64_t subtract_saturating(std::int64_t a, std::int64_t b) {
    std::int64_t difference = 0;
    return __builtin_sub_overflow(a, b, &difference) ? (b < 0 ? INT64_MAX : INT64_MIN) : difference;
}
constexpr std::int64_t multiply_saturating(std::int64_t a, std::int64_t positive) {
    std::int64_t product = 0;
    return __builtin_mul_overflow(a, positive, &product) ? (a < 0 ? INT64_MIN : INT64_MAX)
                                                         : product;
}
} // namespace detail

struct Duration {
    std::int64_t ns = 0;

    [[nodiscard]] constexpr double seconds() const { return static_cast<double>(ns) / 1e9; }
    [[nodiscard]] constexpr double milliseconds() const { return static_cast<double>(ns) / 1e6; }
    constexpr auto operator<=>(const Duration&) const = default;
    friend constexpr Duration operator+(Duration a, Duration b) {
        return {detail::add_saturating(a.ns, b.ns)};
    }
    friend constexpr Duration operator-(Duration a, Duration b) {
        return {detail::subtract_saturating(a.ns, b.ns)};
    }
};

constexpr Duration seconds(std::int64_t n) {
    return {detail::multiply_saturating(n, 1'000'000'000)};
}
constexpr Duration milliseconds(std::int64_t n) {
    return {detail::multiply_saturating(n, 1'000'000)};
}
constexpr Duration microseconds(std::int64_t n) {
    return {detail::multiply_saturating(n, 1'000)};
}

// Nanoseconds since 1970-01-01T00:00:00Z. 0 stands for "not known".
struct Instant {
    std::int64_t ns = 0;

    [[nodiscard]] constexpr bool known() const { return ns != 0; }
    constexpr auto operator<=>(const Instant&) const = default;
    friend constexpr Duration operator-(Instant a, Instant b) {
        return {detail::subtract_saturating(a.ns, b.ns)};
    }
    friend constexpr Instant operator+(Instant a, Duration d) {
        return {detail::add_saturating(a.ns, d.ns)};
    }
    friend constexpr Instant operator-(Instant a, Duration d) {
        return {detail::subtract_saturating(a.ns, d.ns)};
    }
};

// "2026-05-01T10:00:01.120000Z": UTC with microseconds, RFC 3339.
std::string to_rfc3339(Instant t);
// "10:00:01.120": time of day in UTC with milliseconds, for people.
std::string to_time_of_day(Instant t);

} // namespace cw
