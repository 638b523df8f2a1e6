#include "play/load/histogram.hpp"

#include <algorithm>
#include <bit>

namespace cw::play {

namespace {

// Microseconds up to 2·half are counted one by one; beyond that each power of two has `half`
// buckets.
constexpr std::uint64_t half = 128;
constexpr unsigned half_bits = 7;
constexpr std::uint64_t most = (std::uint64_t{1} << 31) - 1; // microseconds: 35 minutes
constexpr std::size_t bucket_count = (31 - half_bits + 1) * half;

std::size_t bucket_of(Duration time) {
    const auto us =
        std::min(most, static_cast<std::uint64_t>(std::max<std::int64_t>(0, time.ns / 1000)));
    if (us < 2 * half) {
        return us;
    }
    const auto power = static_cast<unsigned>(std::bit_width(us)) - half_bits - 1;
    return power * half + (us >> power);
}

// The first time that is above the bucket.
Duration edge_of(std::size_t bucket) {
    const auto next = bucket + 1;
    if (next <= 2 * half) {
        return microseconds(static_cast<std::int64_t>(next));
    }
    const auto power = bucket / half - 1;
    return microseconds(static_cast<std::int64_t>((next - power * half) << power));
}

} // namespace

void Histogram::add(Duration time) {
    if (counts_.empty()) {
        counts_.resize(bucket_count);
    }
    min_ = count_ == 0 ? time : std::min(min_, time);
    max_ = std::max(max_, time);
    const auto bucket = bucket_of(time);
    first_ = count_ == 0 ? bucket : std::min(first_, bucket);
    end_ = std::max(end_, bucket + 1);
    ++count_;
    sum_ += time.seconds();
    ++counts_[bucket];
}

void Histogram::merge(const Histogram& other) {
    if (other.count_ == 0) {
        return;
    }
    if (counts_.empty()) {
        counts_.resize(bucket_count);
    }
    for (auto i = other.first_; i < other.end_; ++i) {
        counts_[i] += other.counts_[i];
    }
    first_ = count_ == 0 ? other.first_ : std::min(first_, other.first_);
    end_ = std::max(end_, other.end_);
    min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
    count_ += other.count_;
    sum_ += other.sum_;
}

void Histogram::clear() {
    std::fill(counts_.begin() + static_cast<std::ptrdiff_t>(first_),
              counts_.begin() + static_cast<std::ptrdiff_t>(end_), 0);
    first_ = end_ = 0;
    count_ = 0;
    sum_ = 0;
    min_ = max_ = {};
}

Duration Histogram::mean() const {
    return count_ == 0
               ? Duration{}
               : Duration{static_cast<std::int64_t>(sum_ / static_cast<double>(count_) * 1e9)};
}

Duration Histogram::at(double share) const {
    if (count_ == 0) {
        return {};
    }
    const auto exact = share * static_cast<double>(count_);
    auto rank = static_cast<std::uint64_t>(exact);
    rank += static_cast<double>(rank) < exact ? 1 : 0; // as many as that, rounded up
    rank = std::clamp<std::uint64_t>(rank, 1, count_);
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        seen += counts_[i];
        if (seen >= rank) {
            return std::min(edge_of(i), max_);
        }
    }
    return max_;
}

std::uint64_t Histogram::below(Duration time) const {
    if (count_ == 0) {
        return 0;
    }
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < bucket_of(time); ++i) {
        seen += counts_[i];
    }
    return seen;
}

std::vector<Histogram::Bucket> Histogram::buckets() const {
    std::vector<Bucket> out;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
        if (counts_[i] != 0) {
            out.push_back({edge_of(i), counts_[i]});
        }
    }
    return out;
}

} // namespace cw::play
