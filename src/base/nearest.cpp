#include "base/nearest.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace cw {
namespace {

// Levenshtein's distance, where two letters in the wrong order are one mistake.
std::size_t distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    std::vector<std::size_t> above;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto two_above = std::exchange(above, row);
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const auto replaced = above[j] + (a[i] == b[j] ? 0 : 1);
            row[j + 1] = std::min({replaced, row[j] + 1, above[j + 1] + 1});
            if (i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j]) {
                row[j + 1] = std::min(row[j + 1], two_above[j - 1] + 1);
            }
        }
    }
    return row.back();
}

} // namespace

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
    std::string_view best;
    auto least = name.size() / 2 + 2; // further away, it is another word
    if (name.size() > 64) {
        return best;
    }
    for (const auto candidate : known) {
        if (const auto d = distance(name, candidate); d < least) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

} // namespace cw
