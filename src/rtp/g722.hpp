// G.722 at 64 kbit/s, decoded: two bands of 4 kHz, each ADPCM, put together to 16000 samples a
// second [ITU-T G.722; RFC 3551 §4.5.2]. An octet is two samples. One thread, no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.hpp"

namespace cw::rtp {

class G722Decoder {
  public:
    static constexpr std::uint32_t rate = 16000; // samples a second

    G722Decoder();
    // `out` holds two samples for each octet; the shorter of the two counts.
    void decode(Bytes octets, std::span<std::int16_t> out);

  private:
    // One band: its adaptive predictor with two poles and six zeros, and its step size (§3.5,
    // §3.6).
    struct Band {
        int signal = 0;                     // predicted
        int of_zeros = 0;                   // the part of the zeros in it
        int log_step = 0;                   // NB
        int step = 0;                       // DET
        std::array<int, 3> reconstructed{}; // the latest first
        std::array<int, 3> partial{};
        std::array<int, 3> poles{}; // 1 and 2
        std::array<int, 7> differences{};
        std::array<int, 7> zeros{}; // 1 to 6

        void adapt(int difference);
        void scale(int change, int most, int shift);
    };

    Band low_;
    Band high_;
    std::array<int, 24> history_{}; // of the filter that joins the bands
};

} // namespace cw::rtp
