#include "rtp/wav.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "rtp/g711.hpp"
#include "rtp/tone.hpp"

namespace cw::rtp {
namespace {

struct Spec {
    std::uint16_t tag = 1;
    std::uint16_t channels = 1;
    std::uint32_t rate = 8000;
    std::uint16_t bits = 16;
};

// One second of the mark of party 0 in each channel, or of a single tone.
std::vector<std::uint8_t> make(const Spec& spec, std::vector<unsigned> tones) {
    std::vector<std::uint8_t> data;
    for (std::uint32_t i = 0; i < spec.rate; ++i) {
        double value = 0;
        for (const auto tone : tones) {
            value += 6000 * std::sin(2 * std::numbers::pi * tone * i / spec.rate);
        }
        const auto sample = static_cast<std::int16_t>(std::lround(value));
        for (unsigned channel = 0; channel < spec.channels; ++channel) {
            if (spec.tag == 6 || spec.tag == 7) {
                data.push_back(compress(spec.tag == 6 ? Law::A : Law::Mu, sample));
            } else if (spec.bits == 8) {
                data.push_back(static_cast<std::uint8_t>(sample / 256 + 128));
            } else {
                data.push_back(static_cast<std::uint8_t>(sample));
                data.push_back(static_cast<std::uint8_t>(sample >> 8));
            }
        }
    }
    auto file = write_wav({});
    const auto put = [&](std::size_t at, std::uint32_t v, unsigned octets) {
        for (unsigned i = 0; i < octets; ++i) {
            file[at + i] = static_cast<std::uint8_t>(v >> (8 * i));
        }
    };
    put(20, spec.tag, 2);
    put(22, spec.channels, 2);
    put(24, spec.rate, 4);
    put(34, spec.bits, 2);
    put(40, static_cast<std::uint32_t>(data.size()), 4);
    file.insert(file.end(), data.begin(), data.end());
    return file;
}

std::vector<unsigned> mark_tones() {
    const auto mark = mark_of(0);
    return {frequency_of(mark.low), frequency_of(mark.high)};
}

double loudness(const Samples& samples) { // root of the mean square, without the edges
    double sum = 0;
    for (std::size_t i = 400; i + 400 < samples.size(); ++i) {
        sum += static_cast<double>(samples[i]) * samples[i];
    }
    return std::sqrt(sum / static_cast<double>(samples.size() - 800));
}

TEST(Wav, reads_what_it_writes) {
    Samples samples;
    for (int i = -32768; i < 32768; i += 13) {
        samples.push_back(static_cast<std::int16_t>(i));
    }
    const auto file = write_wav(samples);
    EXPECT_EQ(file.size(), 44 + 2 * samples.size());
    const auto read = read_wav(file);
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, samples);
}

TEST(Wav, a_mark_is_heard_at_any_rate_in_any_format) {
    const std::vector<Spec> specs{{1, 1, 8000, 16},  {1, 2, 8000, 16},   {1, 1, 16000, 16},
                                  {1, 2, 44100, 16}, {1, 1, 48000, 16},  {1, 6, 11025, 16},
                                  {1, 1, 22050, 8},  {6, 1, 8000, 8},    {7, 2, 8000, 8},
                                  {7, 1, 16000, 8},  {1, 1, 192000, 16}, {1, 1, 32000, 16}};
    for (const auto& spec : specs) {
        const auto read = read_wav(make(spec, mark_tones()));
        ASSERT_TRUE(read) << spec.rate;
        EXPECT_EQ(read->size(), 8000U) << spec.rate;
        ToneListener listener;
        listener.hear(*read);
        EXPECT_GE(listener.heard(mark_of(0)), milliseconds(920)) << spec.rate << ' ' << spec.tag;
        EXPECT_NEAR(loudness(*read), 6000, 400) << spec.rate;
    }
}

TEST(Wav, what_8000_samples_cannot_carry_is_taken_out_and_not_folded_down) {
    for (const unsigned rate : {16000U, 44100U, 48000U}) {
        const auto read = read_wav(make({1, 1, rate, 16}, {5500}));
        ASSERT_TRUE(read);
        EXPECT_LT(loudness(*read), 40) << rate;
    }
}

TEST(Wav, reads_the_extensible_form_and_passes_over_other_chunks) {
    auto file = make({}, mark_tones());
    const std::vector<std::uint8_t> tail{22, 0, 16,   0, 4,    0, 0, 0,    1, 0,    0,    0,
                                         0,  0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71};
    file.insert(file.begin() + 36, tail.begin(), tail.end());
    file[16] = 40;
    file[20] = 0xfe;
    file[21] = 0xff;
    const std::vector<std::uint8_t> list{'L', 'I', 'S', 'T', 3, 0, 0, 0, 'a', 'b', 'c', 0};
    file.insert(file.begin() + 12, list.begin(), list.end());
    const auto read = read_wav(file);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->size(), 8000U);
}

TEST(Wav, says_what_is_wrong_with_a_file) {
    const auto why = [](const std::vector<std::uint8_t>& file) -> std::string {
        const auto read = read_wav(file);
        return read ? "" : read.error().what;
    };
    EXPECT_EQ(why({}), "not a WAV file: it does not begin with RIFF and WAVE");
    EXPECT_EQ(why(make({3, 1, 8000, 32}, {})),
              "the WAV file is neither PCM of 8 or 16 bits nor G.711");
    EXPECT_EQ(why(make({1, 1, 8000, 24}, {})),
              "the WAV file is neither PCM of 8 or 16 bits nor G.711");
    EXPECT_EQ(why(make({1, 9, 8000, 16}, {})), "the WAV file has no channel, or more than 8");
    auto none = make({}, {});
    none[22] = 0;
    EXPECT_EQ(why(none), "the WAV file has no channel, or more than 8");
    auto still = make({}, {});
    still[24] = still[25] = 0;
    EXPECT_EQ(why(still), "the WAV file's rate is not 4 to 192 kHz");
    auto headless = make({}, {});
    headless[12] = 'x';
    EXPECT_EQ(why(headless), "the WAV file's data come before its fmt");
    auto endless = make({}, {});
    endless.resize(36);
    EXPECT_EQ(why(endless), "the WAV file has no data chunk");
    endless.resize(30);
    EXPECT_EQ(why(endless), "the fmt chunk of the WAV file is too short");
}

TEST(Wav, reads_what_is_there_of_a_file_that_ends_too_soon) {
    auto file = make({}, mark_tones());
    file.resize(44 + 8001);
    const auto read = read_wav(file);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->size(), 4000U);
    for (std::size_t size = 0; size < 100; ++size) {
        auto cut = make({}, {});
        cut.resize(size);
        EXPECT_EQ(read_wav(cut).has_value(), size >= 44) << size;
    }
}

TEST(Wav, more_than_half_an_hour_is_refused_before_it_is_decoded) {
    auto file = make({1, 1, 8000, 16}, {});
    file.resize(44 + std::size_t{2} * 8000 * 1800);
    for (const std::size_t at : {40U, 41U, 42U, 43U}) {
        file[at] = 0xff;
    }
    const auto read = read_wav(file);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Code::LimitExceeded);
}

} // namespace
} // namespace cw::rtp
