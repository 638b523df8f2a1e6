#include "rtp/audio_source.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace cw::rtp {
namespace {

constexpr double rate = 8000;
constexpr std::size_t note_length = 2400; // samples: 300 ms
// Hz: a rise and fall through two chords, an octave apart at most.
constexpr std::array<double, 16> melody{261.6, 329.6, 392.0, 523.3, 392.0, 329.6, 293.7, 349.2,
                                        440.0, 523.3, 440.0, 349.2, 392.0, 329.6, 293.7, 246.9};
constexpr std::array<double, 4> bass{130.8, 174.6, 146.8, 196.0}; // one for four notes

double wave(double frequency, std::size_t at) {
    return std::sin(2 * std::numbers::pi * frequency * static_cast<double>(at) / rate);
}

// Each note swells for 10 ms and fades to a third, so that it begins without a click.
std::int16_t music_at(std::size_t at) {
    const auto in_note = at % note_length;
    const auto note = at / note_length % melody.size();
    const double swell = std::min(1.0, static_cast<double>(in_note) / 80);
    const double fade = 1 - 0.67 * static_cast<double>(in_note) / note_length;
    const double sound = 6000 * swell * fade * wave(melody.at(note), in_note) +
                         3000 * wave(bass.at(note / 4), at % (4 * note_length));
    return static_cast<std::int16_t>(std::lround(sound));
}

} // namespace

AudioSource AudioSource::tone(Mark mark) {
    AudioSource out;
    out.kind_ = Kind::Tone;
    out.tone_.emplace(mark);
    return out;
}

AudioSource AudioSource::music() {
    AudioSource out;
    out.kind_ = Kind::Music;
    return out;
}

AudioSource AudioSource::samples(std::shared_ptr<const Samples> samples, bool again) {
    AudioSource out;
    if (samples != nullptr && !samples->empty()) {
        out.kind_ = Kind::File;
        out.samples_ = std::move(samples);
        out.again_ = again;
    }
    return out;
}

void AudioSource::fill(std::span<std::int16_t> out) {
    std::ranges::fill(out, std::int16_t{0});
    switch (kind_) {
    case Kind::Silence:
        break;
    case Kind::Tone:
        tone_->fill(out);
        break;
    case Kind::Music:
        for (auto& sample : out) {
            sample = music_at(at_);
            at_ = (at_ + 1) % (note_length * melody.size());
        }
        break;
    case Kind::File:
        for (auto& sample : out) {
            if (at_ >= samples_->size() && again_) {
                at_ = 0;
            }
            if (at_ < samples_->size()) {
                sample = (*samples_)[at_++];
            }
        }
        break;
    }
}

} // namespace cw::rtp
