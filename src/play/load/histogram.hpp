// Times, counted in buckets whose width grows with the time, so that any percentile is exact to
// 1/128 of itself however long the run is (the idea of HdrHistogram). From a microsecond to hours,
// in 24 kB that are taken when the first time comes. Adding one costs a few instructions.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.hpp"

namespace cw::play {

class Histogram {
  public:
    void add(Duration time);
    void merge(const Histogram& other);
    void clear();

    [[nodiscard]] std::uint64_t count() const { return count_; }
    [[nodiscard]] Duration min() const { return count_ == 0 ? Duration{} : min_; }
    [[nodiscard]] Duration max() const { return max_; }
    [[nodiscard]] Duration mean() const;
    // The time that `share` (0 to 1) of them do not exceed: the upper edge of its bucket, and never
    // more than max().
    [[nodiscard]] Duration at(double share) const;
    // How many took less than that; those in its own bucket do not count.
    [[nodiscard]] std::uint64_t below(Duration time) const;
    // Each bucket that holds something: its upper edge, and how many.
    struct Bucket {
        Duration to;
        std::uint64_t count = 0;
    };
    [[nodiscard]] std::vector<Bucket> buckets() const;

  private:
    std::vector<std::uint64_t> counts_;
    std::size_t first_ = 0; // the buckets that hold something are in [first_, end_)
    std::size_t end_ = 0;
    std::uint64_t count_ = 0;
    double sum_ = 0; // of seconds
    Duration min_;
    Duration max_;
};

} // namespace cw::play
