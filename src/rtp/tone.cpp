#include "rtp/tone.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cw::rtp {
namespace {

constexpr double rate = 8000;
constexpr double amplitude = 6000;     // of each tone; two of them, and a mix of two, do not clip
constexpr float silence_square = 2500; // mean square of 50 of 32768: −50 dBm0 or so
// Of a window's energy: what all tones together have in a marked window, and what each of two has.
constexpr float marked_share = 0.6F;
constexpr float tone_share = 0.08F;
// A tone of a mark is not much weaker than the strongest of the window.
constexpr float strongest_share = 0.125F;

// 2 cos ω of each tone.
const std::array<float, tone_count> coefficients = [] {
    std::array<float, tone_count> out{};
    for (unsigned tone = 0; tone < tone_count; ++tone) {
        out[tone] =
            static_cast<float>(2 * std::cos(2 * std::numbers::pi * frequency_of(tone) / rate));
    }
    return out;
}();

// The energy of `samples` at a frequency, in the measure of their sum of squares. Goertzel's
// recurrence; the window holds whole periods of every tone, so that they do not disturb each other.
float energy_at(std::span<const float> samples, float coefficient) {
    float last = 0;
    float before = 0;
    for (const float sample : samples) {
        const float next = sample + coefficient * last - before;
        before = last;
        last = next;
    }
    const float power = last * last + before * before - coefficient * last * before;
    return 2 * power / static_cast<float>(samples.size());
}

} // namespace

// The rounds of a tournament of twelve: in each, everyone meets one other; after eleven, everybody
// has met everybody.
Mark mark_of(unsigned index) {
    constexpr unsigned circle = tone_count - 1;
    const unsigned round = index / 6 % circle;
    const unsigned match = index % 6;
    const unsigned a = match == 0 ? circle : (round + match) % circle;
    const unsigned b = match == 0 ? round : (round + circle - match) % circle;
    return {static_cast<std::uint8_t>(std::min(a, b)), static_cast<std::uint8_t>(std::max(a, b))};
}

ToneSender::ToneSender(Mark mark) {
    for (std::size_t i = 0; i < period_.size(); ++i) {
        const double turn = 2 * std::numbers::pi * static_cast<double>(i) / rate;
        const double sample = amplitude * (std::sin(turn * frequency_of(mark.low)) +
                                           std::sin(turn * frequency_of(mark.high)));
        period_[i] = static_cast<std::int16_t>(std::lround(sample));
    }
}

void ToneSender::fill(std::span<std::int16_t> out) {
    for (auto& sample : out) {
        sample = period_[at_];
        at_ = at_ + 1 == period_.size() ? 0 : at_ + 1;
    }
}

void ToneListener::hear(std::span<const std::int16_t> samples) {
    for (const auto sample : samples) {
        samples_[filled_++] = sample;
        if (filled_ == window) {
            judge();
            filled_ = 0;
        }
    }
}

void ToneListener::judge() {
    float square = 0;
    for (const float sample : samples_) {
        square += sample * sample;
    }
    ++total_;
    if (square < silence_square * window) {
        ++silent_;
        return;
    }
    std::array<float, tone_count> energy{};
    float in_tones = 0;
    float strongest = 0;
    for (unsigned tone = 0; tone < tone_count; ++tone) {
        energy[tone] = energy_at(samples_, coefficients[tone]);
        in_tones += energy[tone];
        strongest = std::max(strongest, energy[tone]);
    }
    bool marked = false;
    const auto present = [&](unsigned tone) {
        return energy[tone] > tone_share * square && energy[tone] > strongest_share * strongest;
    };
    for (unsigned low = 0; in_tones > marked_share * square && low < tone_count; ++low) {
        for (unsigned high = low + 1; present(low) && high < tone_count; ++high) {
            if (present(high)) {
                ++heard_[low][high];
                marked = true;
            }
        }
    }
    unmarked_ += marked ? 0 : 1;
}

Duration ToneListener::heard(Mark mark) const {
    if (mark.low >= tone_count || mark.high >= tone_count) {
        return {};
    }
    return windows_to_time(heard_[mark.low][mark.high]);
}

} // namespace cw::rtp
