#include "play/load/limit.hpp"

#include <algorithm>
#include <cmath>

namespace cw::play {
namespace {

constexpr double close_enough = 1.05;

// Rates are said to people: two figures are all that a search to 5 % knows.
double rounded(double rate) {
    const auto unit = std::pow(10.0, std::floor(std::log10(rate)) - 1);
    return std::round(rate / unit) * unit;
}

} // namespace

Limit find_limit(double first, double highest,
                 const std::function<std::optional<Rung>(double)>& attempt) {
    Limit limit;
    double next = first;
    while (true) {
        auto rung = attempt(next);
        if (!rung) {
            limit.interrupted = true;
            return limit;
        }
        (rung->met ? limit.rate : limit.too_much) = next;
        limit.rungs.push_back(std::move(*rung));
        if (limit.too_much == 0) {
            if (next >= highest) {
                return limit;
            }
            next = std::min(next * 2, highest);
        } else if (limit.rate == 0) {
            return limit; // less than the first was not asked for
        } else {
            const auto middle = rounded(std::sqrt(limit.rate * limit.too_much));
            if (limit.too_much <= limit.rate * close_enough || middle <= limit.rate ||
                middle >= limit.too_much) {
                return limit;
            }
            next = middle;
        }
    }
}

} // namespace cw::play
