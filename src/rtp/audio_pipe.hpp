// From what one call has brought to what another says: a mixer's way through a party that is in
// several calls at once. 8000 samples a second, linear. Shared by the two ends; one thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace cw::rtp {

class AudioPipe {
  public:
    // What was heard. Of what nobody takes the latest 200 ms are kept.
    void push(std::span<const std::int16_t> samples) {
        for (const auto sample : samples) {
            kept_[end_++ % kept_.size()] = sample;
        }
        begin_ = std::max(begin_, end_ - std::min(end_, kept_.size()));
    }
    // Adds as much to `out` as there is; the rest of it stays as it is. What is too loud is cut.
    void add_to(std::span<std::int16_t> out) {
        for (auto& sample : out) {
            if (begin_ == end_) {
                return;
            }
            const int sum = sample + kept_[begin_++ % kept_.size()];
            sample = static_cast<std::int16_t>(std::clamp(sum, -32'768, 32'767));
        }
    }

  private:
    std::array<std::int16_t, 1600> kept_{};
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

} // namespace cw::rtp
