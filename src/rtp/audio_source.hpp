// What a played party says: silence, its marked tone, music that we make ourselves, or samples that
// were read from a file. 8000 samples a second, linear. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "rtp/tone.hpp"

namespace cw::rtp {

using Samples = std::vector<std::int16_t>;

class AudioSource {
  public:
    AudioSource() = default; // silence
    static AudioSource tone(Mark mark);
    // A melody for those who wait. Below the frequencies of marks, and never silent for long: a
    // listener finds sound without marks.
    static AudioSource music();
    // From the first to the last, then silence; or again from the first.
    static AudioSource samples(std::shared_ptr<const Samples> samples, bool again = false);

    void fill(std::span<std::int16_t> out);
    // Samples that are not repeated, and all of them were given.
    [[nodiscard]] bool finished() const { return kind_ == Kind::File && at_ >= samples_->size(); }

  private:
    enum class Kind : std::uint8_t { Silence, Tone, Music, File };

    Kind kind_ = Kind::Silence;
    std::optional<ToneSender> tone_;
    std::shared_ptr<const Samples> samples_;
    bool again_ = false;
    std::size_t at_ = 0;
};

} // namespace cw::rtp
