#include "rtp/wav.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "rtp/g711.hpp"

namespace cw::rtp {
namespace {

constexpr std::uint32_t our_rate = 8000;
constexpr std::size_t most_samples = std::size_t{our_rate} * 60 * 30;

// Values of wFormatTag.
constexpr std::uint16_t pcm = 1;
constexpr std::uint16_t a_law = 6;
constexpr std::uint16_t mu_law = 7;
constexpr std::uint16_t extensible = 0xfffe; // the real one begins a GUID further on

struct Format {
    std::uint16_t tag = 0;
    std::uint16_t channels = 0;
    std::uint32_t rate = 0;
    std::uint16_t bits = 0;

    [[nodiscard]] std::size_t frame() const { return std::size_t{channels} * bits / 8; }
};

Result<Format> read_format(Bytes chunk, std::size_t offset) {
    Reader r{chunk};
    Format out;
    out.tag = r.le16();
    out.channels = r.le16();
    out.rate = r.le32();
    r.skip(6); // octets a second, octets a frame: what follows says the same
    out.bits = r.le16();
    if (!r.ok()) {
        return fail(Code::Truncated, offset, "the fmt chunk of the WAV file is too short");
    }
    if (out.tag == extensible) {
        r.skip(8); // its size, valid bits, channel mask
        out.tag = r.le16();
        if (!r.ok()) {
            return fail(Code::Truncated, offset, "the fmt chunk of the WAV file is too short");
        }
    }
    const bool known = (out.tag == pcm && (out.bits == 8 || out.bits == 16)) ||
                       ((out.tag == a_law || out.tag == mu_law) && out.bits == 8);
    if (!known) {
        return fail(Code::Unsupported, offset,
                    "the WAV file is neither PCM of 8 or 16 bits nor G.711");
    }
    if (out.channels == 0 || out.channels > 8) {
        return fail(Code::Unsupported, offset, "the WAV file has no channel, or more than 8");
    }
    if (out.rate < 4000 || out.rate > 192'000) {
        return fail(Code::Unsupported, offset, "the WAV file's rate is not 4 to 192 kHz");
    }
    return out;
}

std::int16_t sample_at(const Format& format, const std::uint8_t* at) {
    switch (format.tag) {
    case a_law:
        return expand(Law::A, *at);
    case mu_law:
        return expand(Law::Mu, *at);
    default:
        break;
    }
    if (format.bits == 8) {
        return static_cast<std::int16_t>((*at - 128) * 256); // unsigned
    }
    return static_cast<std::int16_t>(at[0] | at[1] << 8);
}

// All channels of each frame as their mean.
std::vector<float> mix(const Format& format, Bytes data) {
    const auto frames = data.size() / format.frame();
    const std::size_t width = format.bits / 8U;
    std::vector<float> out(frames);
    for (std::size_t i = 0; i < frames; ++i) {
        float sum = 0;
        for (std::size_t channel = 0; channel < format.channels; ++channel) {
            sum += sample_at(format, data.data() + i * format.frame() + channel * width);
        }
        out[i] = sum / format.channels;
    }
    return out;
}

// The sample between the given ones at `position`, with nothing above `cutoff` (a share of the
// given rate): a sinc of 16 of its zero crossings a side, under a Hann window.
float sample_between(const std::vector<float>& samples, double position, double cutoff) {
    constexpr double crossings = 16;
    const double reach = crossings / (2 * cutoff);
    const auto first = static_cast<std::int64_t>(std::ceil(position - reach));
    const auto last = static_cast<std::int64_t>(std::floor(position + reach));
    double sum = 0;
    const auto end = static_cast<std::int64_t>(samples.size());
    for (auto i = std::max<std::int64_t>(first, 0); i <= std::min(last, end - 1); ++i) {
        const double x = position - static_cast<double>(i);
        const double turn = 2 * std::numbers::pi * cutoff * x;
        const double sinc = turn == 0 ? 1 : std::sin(turn) / turn;
        const double window = 0.5 + 0.5 * std::cos(std::numbers::pi * x / reach);
        sum += samples[static_cast<std::size_t>(i)] * 2 * cutoff * sinc * window;
    }
    return static_cast<float>(sum);
}

Samples resample(const std::vector<float>& samples, std::uint32_t rate) {
    const double step = static_cast<double>(rate) / our_rate;
    const auto count = static_cast<std::size_t>(static_cast<double>(samples.size()) / step);
    // Below half of the lower rate, with room for the filter's slope.
    const double cutoff = 0.475 * std::min(1.0, 1 / step);
    Samples out(count);
    for (std::size_t i = 0; i < count; ++i) {
        const float value = rate == our_rate
                                ? samples[i]
                                : sample_between(samples, static_cast<double>(i) * step, cutoff);
        out[i] = static_cast<std::int16_t>(std::lround(std::clamp(value, -32768.F, 32767.F)));
    }
    return out;
}

Result<Samples> read_data(const Format& format, Bytes data, std::size_t offset) {
    const auto frames = data.size() / format.frame();
    if (frames / format.rate >= most_samples / our_rate) {
        return fail(Code::LimitExceeded, offset, "the WAV file is longer than half an hour");
    }
    return resample(mix(format, data), format.rate);
}

void put(std::vector<std::uint8_t>& out, std::uint32_t value, unsigned octets) {
    for (unsigned i = 0; i < octets; ++i) {
        out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    }
}
void put(std::vector<std::uint8_t>& out, std::string_view text) {
    out.insert(out.end(), text.begin(), text.end());
}

} // namespace

Result<Samples> read_wav(Bytes file) {
    Reader r{file};
    const auto riff = as_text(r.take(4));
    r.skip(4); // the length of all: what is there counts
    const auto wave = as_text(r.take(4));
    if (!r.ok() || riff != "RIFF" || wave != "WAVE") {
        return fail(Code::Malformed, 0, "not a WAV file: it does not begin with RIFF and WAVE");
    }
    std::optional<Format> format;
    while (r.left() >= 8) {
        const auto name = as_text(r.take(4));
        const std::size_t size = r.le32();
        const auto offset = r.offset();
        const auto chunk = r.take(std::min(size, r.left()));
        if (name == "fmt ") {
            const auto read = read_format(chunk, offset);
            if (!read) {
                return std::unexpected(read.error());
            }
            format = *read;
        } else if (name == "data") {
            return format
                       ? read_data(*format, chunk, offset)
                       : fail(Code::Malformed, offset, "the WAV file's data come before its fmt");
        }
        r.skip(std::min<std::size_t>(size % 2, r.left())); // chunks begin at even places
    }
    return fail(Code::Truncated, file.size(), "the WAV file has no data chunk");
}

std::array<std::uint8_t, 44> wav_header(std::uint32_t rate, std::uint16_t channels,
                                        std::uint64_t frames) {
    const std::uint32_t frame = channels * 2U;
    const auto size =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(frames * frame, 0xffff'ff00U));
    std::vector<std::uint8_t> out;
    put(out, "RIFF");
    put(out, 36 + size, 4);
    put(out, "WAVEfmt ");
    put(out, 16, 4);
    put(out, pcm, 2);
    put(out, channels, 2);
    put(out, rate, 4);
    put(out, rate * frame, 4);
    put(out, frame, 2);
    put(out, 16, 2);
    put(out, "data");
    put(out, size, 4);
    std::array<std::uint8_t, 44> header{};
    std::ranges::copy(out, header.begin());
    return header;
}

std::vector<std::uint8_t> write_wav(std::span<const std::int16_t> samples) {
    samples = samples.first(std::min(samples.size(), std::size_t{0x4000'0000}));
    const auto header = wav_header(our_rate, 1, samples.size());
    std::vector<std::uint8_t> out;
    out.reserve(header.size() + samples.size() * 2);
    out.assign(header.begin(), header.end());
    for (const auto sample : samples) {
        put(out, static_cast<std::uint16_t>(sample), 2);
    }
    return out;
}

} // namespace cw::rtp
