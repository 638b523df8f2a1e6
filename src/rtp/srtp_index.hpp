// Which packets of one source have been here: the index of SRTP, made of sequence numbers and a
// rollover counter, and the window that finds replays [RFC 3711 §3.3.1, §3.3.2, Appendix A]. Look
// first, and note the packet when it is proved to be genuine. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace cw::rtp {

// Indexes that were seen, of the last ones up to the highest.
class ReplayWindow {
  public:
    static constexpr std::uint64_t most = 1024;

    // `size`: how far back it looks, 64 to `most`.
    explicit ReplayWindow(std::uint64_t size) : size_(size < 64 ? 64 : size > most ? most : size) {}

    // Not seen yet, and not too old to tell.
    [[nodiscard]] bool is_new(std::uint64_t index) const {
        if (empty_ || index > highest_) {
            return true;
        }
        return highest_ - index < size_ && !bit(index);
    }
    void note(std::uint64_t index) {
        if (empty_ || index > highest_) {
            const auto from = empty_ || index - highest_ >= most ? index - most + 1 : highest_ + 1;
            for (auto i = from; i != index; ++i) {
                set(i, false);
            }
            highest_ = index;
            empty_ = false;
        }
        set(index, true);
    }
    [[nodiscard]] std::uint64_t highest() const { return highest_; }
    [[nodiscard]] bool empty() const { return empty_; }

  private:
    [[nodiscard]] bool bit(std::uint64_t index) const {
        return (seen_[index % most / 64] >> (index % 64) & 1U) != 0;
    }
    void set(std::uint64_t index, bool seen) {
        auto& word = seen_[index % most / 64];
        const auto mask = std::uint64_t{1} << (index % 64);
        word = seen ? word | mask : word & ~mask;
    }

    std::array<std::uint64_t, most / 64> seen_{};
    std::uint64_t size_;
    std::uint64_t highest_ = 0;
    bool empty_ = true;
};

class SrtpIndex {
  public:
    explicit SrtpIndex(std::uint64_t window, std::uint32_t roc = 0) : window_(window), roc_(roc) {}

    // The index that a packet with this number has: the one nearest to the highest. Nothing when it
    // would lie before the first, or behind the last [RFC 3711 §9.2].
    [[nodiscard]] std::optional<std::uint64_t> guess(std::uint16_t sequence) const {
        if (window_.empty()) {
            return std::uint64_t{roc_} << 16U | sequence;
        }
        const auto last = static_cast<std::uint16_t>(window_.highest());
        std::int64_t roc = roc_;
        if (last < 0x8000 && sequence > last + 0x8000) {
            --roc;
        } else if (last >= 0x8000 && sequence < last - 0x8000) {
            ++roc;
        }
        if (roc < 0 || roc > 0xffff'ffff) {
            return std::nullopt;
        }
        return static_cast<std::uint64_t>(roc) << 16U | sequence;
    }
    [[nodiscard]] bool is_new(std::uint64_t index) const { return window_.is_new(index); }
    void note(std::uint64_t index) {
        window_.note(index);
        roc_ = static_cast<std::uint32_t>(window_.highest() >> 16U);
    }
    [[nodiscard]] std::uint32_t roc() const { return roc_; }

  private:
    ReplayWindow window_;
    std::uint32_t roc_;
};

} // namespace cw::rtp
