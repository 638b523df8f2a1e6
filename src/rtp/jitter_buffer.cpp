#include "rtp/jitter_buffer.hpp"

#include <algorithm>

namespace cw::rtp {

void JitterBuffer::reset() {
    std::ranges::fill(ring_, std::int16_t{0});
    started_ = false;
    late_ = 0;
}

void JitterBuffer::restart(std::uint32_t timestamp) {
    reset();
    timestamp_ = timestamp - depth;
    started_ = true;
}

bool JitterBuffer::put(std::uint32_t timestamp, std::span<const std::int16_t> samples,
                       bool talkspurt) {
    if (samples.size() > capacity - 2 * depth) {
        return false;
    }
    auto ahead = static_cast<std::int32_t>(timestamp - timestamp_);
    const auto last_place = static_cast<std::int32_t>(capacity - samples.size());
    const bool moved = ahead < 0 || ahead > static_cast<std::int32_t>(2 * depth);
    late_ = started_ && ahead < 0 ? late_ + 1 : 0;
    if (!started_ || ahead > last_place || (talkspurt && moved) || late_ >= late_until_restart) {
        restart(timestamp);
        ahead = depth;
    }
    if (ahead < 0) {
        return false;
    }
    auto place = (at_ + static_cast<std::uint32_t>(ahead)) % capacity;
    for (const auto sample : samples) {
        ring_[place] = sample;
        place = place + 1 == capacity ? 0 : place + 1;
    }
    return true;
}

void JitterBuffer::take(std::span<std::int16_t> out) {
    for (auto& sample : out) {
        sample = ring_[at_];
        ring_[at_] = 0;
        at_ = at_ + 1 == capacity ? 0 : at_ + 1;
    }
    timestamp_ += static_cast<std::uint32_t>(out.size());
}

} // namespace cw::rtp
