// Marked tones: what a played party says, and how a listener proves whom it heard. Each party has a
// mark of its own, two frequencies that sound together; a listener finds marks in decoded audio by
// the energy at those frequencies (Goertzel), 40 ms at a time, and tells them from silence and from
// other sound. Lossy codecs, a mix of several parties and a lost packet leave a mark recognisable.
// 8000 samples a second. One object a direction of a stream; no allocation; one thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/time.hpp"

namespace cw::rtp {

inline constexpr unsigned tone_count = 12;
inline constexpr unsigned mark_count = 66; // pairs of tones

// Two tones of the twelve, 1700 Hz to 2800 Hz in steps of 100 Hz: above the keys of DTMF and the
// signals of exchanges, within what a telephone carries.
struct Mark {
    std::uint8_t low = 0; // 0 to 11
    std::uint8_t high = 1;
    bool operator==(const Mark&) const = default;
};
// The mark of party `index`. Six parties whose indexes begin at a multiple of six share no tone, so
// that a mix of them is no mark of another of them. Indexes above 65 begin anew.
Mark mark_of(unsigned index);
constexpr unsigned frequency_of(unsigned tone) {
    return 1700 + 100 * tone;
}

// The endless sound of a mark. All its frequencies are multiples of 100 Hz: it repeats after 80
// samples.
class ToneSender {
  public:
    explicit ToneSender(Mark mark);
    void fill(std::span<std::int16_t> out);

  private:
    std::array<std::int16_t, 80> period_{};
    std::size_t at_ = 0;
};

class ToneListener {
  public:
    // What has arrived, decoded, in the order of its timestamps; a gap is to be filled with zeros.
    void hear(std::span<const std::int16_t> samples);

    // All that was heard, in whole windows of 40 ms.
    [[nodiscard]] Duration total() const { return windows_to_time(total_); }
    // How long it was silent: below −50 dBm0 or so.
    [[nodiscard]] Duration silence() const { return windows_to_time(silent_); }
    // How long the mark was there, alone or with others.
    [[nodiscard]] Duration heard(Mark mark) const;
    // How long there was sound: with or without marks. Speech and music are sound without marks.
    [[nodiscard]] Duration sound() const { return windows_to_time(total_ - silent_); }
    [[nodiscard]] Duration unmarked() const { return windows_to_time(unmarked_); }

  private:
    static constexpr std::size_t window = 320;
    static constexpr Duration windows_to_time(std::uint64_t count) {
        return milliseconds(static_cast<std::int64_t>(count * 40));
    }
    void judge();

    std::array<float, window> samples_{};
    std::size_t filled_ = 0;
    std::array<std::array<std::uint32_t, tone_count>, tone_count> heard_{}; // windows, [low][high]
    std::uint64_t total_ = 0;
    std::uint64_t silent_ = 0;
    std::uint64_t unmarked_ = 0;
};

} // namespace cw::rtp
