#include "rtp/g722.hpp"

#include <algorithm>

namespace cw::rtp {
namespace {

// The tables of G.722, under the names that it gives them.
constexpr std::array<int, 8> WL{-60, -30, 58, 172, 334, 538, 1198, 3042};
constexpr std::array<int, 16> RL42{0, 7, 6, 5, 4, 3, 2, 1, 7, 6, 5, 4, 3, 2, 1, 0};
constexpr std::array<int, 32> ILB{2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543,
                                  2599, 2656, 2714, 2774, 2834, 2896, 2960, 3025, 3091, 3158, 3228,
                                  3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008};
constexpr std::array<int, 3> WH{0, -214, 798};
constexpr std::array<int, 4> RH2{2, 1, 2, 1};
constexpr std::array<int, 4> QM2{-7408, -1616, 7408, 1616};
constexpr std::array<int, 16> QM4{0,     -20456, -12896, -8968, -6288, -4240, -2584, -1200,
                                  20456, 12896,  8968,   6288,  4240,  2584,  1200,  0};
constexpr std::array<int, 64> QM6{
    -136,   -136,   -136,  -136,  -24808, -21904, -19008, -16704, -14984, -13512, -12280,
    -11192, -10232, -9360, -8576, -7856,  -7192,  -6576,  -6000,  -5456,  -4944,  -4464,
    -4008,  -3576,  -3168, -2776, -2400,  -2032,  -1688,  -1360,  -1040,  -728,   24808,
    21904,  19008,  16704, 14984, 13512,  12280,  11192,  10232,  9360,   8576,   7856,
    7192,   6576,   6000,  5456,  4944,   4464,   4008,   3576,   3168,   2776,   2400,
    2032,   1688,   1360,  1040,  728,    432,    136,    -432,   -136};
constexpr std::array<int, 12> QMF{3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11};

int saturate(int value) {
    return std::clamp(value, -32768, 32767);
}

bool same_sign(int a, int b) {
    return (a < 0) == (b < 0);
}

} // namespace

G722Decoder::G722Decoder() {
    low_.step = 32;
    high_.step = 8;
}

// Blocks LOGSCL and SCALEL, LOGSCH and SCALEH.
void G722Decoder::Band::scale(int change, int most, int shift) {
    log_step = std::clamp((log_step * 127 >> 7) + change, 0, most);
    const auto by = shift - (log_step >> 11);
    const auto value = ILB[static_cast<std::size_t>((log_step >> 6) & 31)];
    step = (by < 0 ? value << -by : value >> by) << 2;
}

// Block 4: RECONS and PARREC, UPPOL2, UPPOL1, UPZERO, FILTEP, FILTEZ, PREDIC.
void G722Decoder::Band::adapt(int difference) {
    reconstructed[0] = saturate(signal + difference);
    partial[0] = saturate(of_zeros + difference);

    const auto turned = saturate(poles[1] * 4);
    auto second = same_sign(partial[0], partial[1]) ? -turned : turned;
    second = std::min(second, 32767) >> 7;
    second += same_sign(partial[0], partial[2]) ? 128 : -128;
    second = std::clamp(second + (poles[2] * 32512 >> 15), -12288, 12288);
    auto first = same_sign(partial[0], partial[1]) ? 192 : -192;
    first = saturate(first + (poles[1] * 32640 >> 15));
    const auto limit = saturate(15360 - second);
    first = std::clamp(first, -limit, limit);

    differences[0] = difference;
    const auto change = difference == 0 ? 0 : 128;
    for (std::size_t i = zeros.size() - 1; i > 0; --i) {
        const auto towards = same_sign(differences[i], difference) ? change : -change;
        zeros[i] = saturate(towards + (zeros[i] * 32640 >> 15));
    }
    std::shift_right(differences.begin(), differences.end(), 1);
    std::shift_right(reconstructed.begin(), reconstructed.end(), 1);
    std::shift_right(partial.begin(), partial.end(), 1);
    poles = {0, first, second};

    int of_poles = 0;
    for (std::size_t i = 1; i < poles.size(); ++i) {
        of_poles += poles[i] * saturate(2 * reconstructed[i]) >> 15;
    }
    of_zeros = 0;
    for (std::size_t i = zeros.size() - 1; i > 0; --i) {
        of_zeros += zeros[i] * saturate(2 * differences[i]) >> 15;
    }
    of_zeros = saturate(of_zeros);
    signal = saturate(saturate(of_poles) + of_zeros);
}

void G722Decoder::decode(Bytes octets, std::span<std::int16_t> out) {
    const auto count = std::min(octets.size(), out.size() / 2);
    for (std::size_t n = 0; n < count; ++n) {
        const auto code = octets[n];
        const auto low = static_cast<std::size_t>(code & 0x3fU);
        const auto high = static_cast<std::size_t>(code >> 6U);
        const auto low_signal =
            std::clamp(low_.signal + (low_.step * QM6[low] >> 15), -16384, 16383);
        const auto low_difference = low_.step * QM4[low >> 2U] >> 15;
        low_.scale(WL[static_cast<std::size_t>(RL42[low >> 2U])], 18432, 8);
        low_.adapt(low_difference);
        const auto high_difference = high_.step * QM2[high] >> 15;
        const auto high_signal = std::clamp(high_.signal + high_difference, -16384, 16383);
        high_.scale(WH[static_cast<std::size_t>(RH2[high])], 22528, 10);
        high_.adapt(high_difference);

        std::shift_left(history_.begin(), history_.end(), 2);
        history_[22] = low_signal + high_signal;
        history_[23] = low_signal - high_signal;
        int even = 0;
        int odd = 0;
        for (std::size_t i = 0; i < QMF.size(); ++i) {
            odd += history_[2 * i] * QMF[i];
            even += history_[2 * i + 1] * QMF[QMF.size() - 1 - i];
        }
        out[2 * n] = static_cast<std::int16_t>(saturate(even >> 11));
        out[2 * n + 1] = static_cast<std::int16_t>(saturate(odd >> 11));
    }
}

} // namespace cw::rtp
