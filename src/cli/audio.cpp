#include "cli/audio.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "rtp/wav.hpp"
#include "view/cells.hpp"

namespace cw::cli {
namespace {

static_assert(std::endian::native == std::endian::little); // as WAV has its samples

constexpr std::uint64_t most_lines = 400; // told one by one

// "PCMU": letters, digits and signs that no file system or shell takes for more.
std::string safe_name(std::string_view codec) {
    std::string out;
    for (const char c : codec.substr(0, codec.find('/'))) {
        if (out.size() < 24 && (is_alpha(c) || is_digit(c) || c == '-')) {
            out += c;
        }
    }
    return out.empty() ? "unknown" : out;
}

// Where the caller wanted to hear the other: in its offer, or in its answer to an offer.
std::optional<Endpoint> caller_media(const flow::Call& call) {
    if (call.messages.empty()) {
        return std::nullopt;
    }
    const auto& caller = call.messages.front().source;
    for (const auto& m : call.messages) {
        for (std::uint32_t i = 0; m.source == caller && i < m.media_count; ++i) {
            const auto& line = call.media_lines[m.media_begin + i];
            if (call.text(line.type) == "audio" && line.receive.port != 0) {
                return line.receive;
            }
        }
    }
    return std::nullopt;
}

// Who has several addresses may send from another one than where it hears. Of a stream that does
// not touch `from`: 0, it is what `from` says; 1, what it hears; −1: it is not of `from`. Told by
// the stream in the other direction, which touches it.
int side_beside(const flow::Call& call, const flow::MediaStream& stream, const Endpoint& from) {
    for (const auto& known : call.streams) {
        const bool back = known.source.port == stream.destination.port &&
                          known.destination.port == stream.source.port;
        if (known.destination == from && (back || known.source == stream.destination)) {
            return 0;
        }
        if (known.source == from && (back || known.destination == stream.source)) {
            return 1;
        }
    }
    return -1;
}

// Codecs whose packets hold 10 ms in 80 octets, as nearly all senders make them.
bool is_of_80_octets(std::string_view encoding) {
    return iequals(encoding, "PCMU") || iequals(encoding, "PCMA") || iequals(encoding, "G722");
}
bool has_tag(std::size_t octets) {
    return octets % 80 == 4 || octets % 80 == 10 || octets % 80 == 16;
}

struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
};

} // namespace

std::optional<std::string> AudioFiles::prepare() const {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    if (!std::filesystem::is_directory(directory_)) {
        return fmt::format("--audio: {}: {}", directory_,
                           error ? error.message() : "is not a directory");
    }
    return std::nullopt;
}

void AudioFiles::tell(const std::string& line) {
    if (++told_ <= most_lines) {
        fmt::print(stderr, "callwright: audio: {}\n", line);
    }
}

rtp::AudioTrack AudioFiles::track_of(const flow::MediaStream& stream, std::string& why) {
    rtp::AudioTrack track;
    std::vector<std::string_view> met; // codecs, by number
    std::string unknown;
    std::uint64_t packets = 0;
    std::uint64_t with_tag = 0;
    tape_.play(stream, [&](const flow::MediaPacket& p) {
        if (istarts_with(p.encoding, "telephone-event") || iequals(p.encoding, "CN") ||
            p.payload.empty()) {
            return; // silence
        }
        auto at = std::ranges::find(met, p.encoding);
        if (at == met.end()) {
            at = met.insert(met.end(), p.encoding);
            if (!track.codec(static_cast<std::uint16_t>(met.size() - 1), p.encoding, p.clock)) {
                unknown = p.encoding.empty() ? fmt::format("payload type {}", p.payload_type)
                                             : std::string{p.encoding};
            }
        }
        ++packets;
        with_tag += is_of_80_octets(p.encoding) && has_tag(p.payload.size()) ? 1U : 0U;
        track.add({.time = p.time,
                   .timestamp = p.timestamp,
                   .clock = p.clock,
                   .sequence = p.sequence,
                   .codec = static_cast<std::uint16_t>(at - met.begin()),
                   .payload = {p.payload.begin(), p.payload.end()}});
    });
    // Nothing announced it, so nothing says that it is SRTP.
    if (!stream.announced && with_tag == packets && packets > 0) {
        why = "its packets are as long as speech with an authentication tag: SRTP, probably, whose "
              "keys the capture does not tell";
        return {};
    }
    if (!track.empty()) {
        return track;
    }
    why = !unknown.empty() ? fmt::format("no decoder for {}; PCMU, PCMA, G722, opus and L16 can be "
                                         "written",
                                         view::printable(unknown, 40))
                           : "it holds no speech";
    return track;
}

// Pieces of a second, so that an hour needs no more memory.
bool AudioFiles::write(const std::string& name, std::vector<Side>& sides, const std::string& what) {
    std::uint32_t rate = 8000;
    Instant begin;
    for (const auto& side : sides) {
        for (const auto& track : side.tracks) {
            rate = std::max(rate, track.rate());
            begin = begin.known() ? std::min(begin, track.first()) : track.first();
        }
    }
    for (auto& side : sides) {
        for (auto& track : side.tracks) {
            track.lay_out(begin, rate);
        }
    }
    const auto path = directory_ + "/" + name;
    const int descriptor = ::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    std::unique_ptr<std::FILE, Close> file{descriptor < 0 ? nullptr : ::fdopen(descriptor, "wb")};
    if (file == nullptr) {
        failed_ = true;
        tell(fmt::format("{}: {}", path,
                         errno == EEXIST ? "is there already and was not overwritten; give another "
                                           "directory, or remove it"
                                         : std::strerror(errno)));
        return false;
    }
    const auto channels = static_cast<std::uint16_t>(sides.size());
    const auto end = [&] {
        std::uint64_t latest = 0;
        for (const auto& side : sides) {
            for (const auto& track : side.tracks) {
                latest = std::max(latest, track.end());
            }
        }
        return latest;
    };
    auto header = rtp::wav_header(rate, channels, 0);
    bool good = std::fwrite(header.data(), 1, header.size(), file.get()) == header.size();
    std::uint64_t position = 0;
    std::vector<std::int16_t> channel(rate);
    std::vector<std::int16_t> frames(std::size_t{rate} * channels);
    while (good && position < end()) {
        for (std::size_t c = 0; c < sides.size(); ++c) {
            std::ranges::fill(channel, std::int16_t{0});
            for (auto& track : sides[c].tracks) {
                track.mix(position, channel);
            }
            for (std::size_t i = 0; i < channel.size(); ++i) {
                frames[i * channels + c] = channel[i];
            }
        }
        const auto last = end(); // known better now
        const auto count = static_cast<std::size_t>(
            std::min<std::uint64_t>(channel.size(), last > position ? last - position : 0));
        good = std::fwrite(frames.data(), 2 * std::size_t{channels}, count, file.get()) == count;
        position += count;
        if (count < channel.size()) {
            break;
        }
    }
    header = rtp::wav_header(rate, channels, position);
    good = good && std::fseek(file.get(), 0, SEEK_SET) == 0 &&
           std::fwrite(header.data(), 1, header.size(), file.get()) == header.size() &&
           std::fflush(file.get()) == 0;
    if (!good) {
        failed_ = true;
        tell(fmt::format("{}: writing failed: {}", path, std::strerror(errno)));
        return false;
    }
    ++written_;
    tell(fmt::format("{}: {:.1f} s, {} Hz, {}", path,
                     static_cast<double>(position) / static_cast<double>(rate), rate, what));
    return true;
}

void AudioFiles::stream(const std::string& name, const flow::MediaStream& s,
                        const flow::TextPool& texts) {
    const auto who = fmt::format("{} → {}", to_string(s.source), to_string(s.destination));
    std::string why;
    if (s.srtp.length > 0 && s.opening.opened == 0) {
        why = fmt::format("SRTP that was not opened: {}",
                          view::printable(texts.view(s.srtp_problem), 240));
    }
    std::vector<Side> sides(1);
    if (why.empty()) {
        auto track = track_of(s, why);
        if (!track.empty()) {
            sides[0].tracks.push_back(std::move(track));
        }
    }
    if (!why.empty()) {
        ++silent_;
        tell(fmt::format("{} {} was not written: {}", name, who, why));
        return;
    }
    auto what = who;
    const auto closed = s.opening.failed + s.opening.cut;
    if (closed > 0) {
        what += fmt::format("; silence for {} packets that were not opened", closed);
    }
    write(fmt::format("{}-{}.wav", name, safe_name(texts.view(s.codec))), sides, what);
}

// A relay's other side carries the same once more, so of the streams those at the caller count: it
// is the caller that one hears speak, and what the caller heard.
void AudioFiles::two_sided(const flow::Call& call) {
    const auto caller = caller_media(call);
    auto from = caller ? *caller : call.streams.front().source;
    const auto touches = [&](const flow::MediaStream& s) {
        return s.source == from || s.destination == from;
    };
    if (std::ranges::none_of(call.streams, touches)) {
        from = call.streams.front().source; // the media was seen elsewhere
    }
    std::vector<Side> sides(2);
    for (const auto& s : call.streams) {
        std::string why;
        const auto side = touches(s) ? (s.source == from ? 0 : 1) : side_beside(call, s, from);
        if (side >= 0 && (s.srtp.length == 0 || s.opening.opened > 0)) {
            if (auto track = track_of(s, why); !track.empty()) {
                sides[static_cast<std::size_t>(side)].tracks.push_back(std::move(track));
            }
        }
    }
    const bool any = !sides[0].tracks.empty() || !sides[1].tracks.empty();
    if (any) {
        const auto who = caller && from == *caller ? view::printable(call.text(call.from), 120)
                                                   : to_string(from);
        write(fmt::format("call-{}.wav", call.id), sides,
              fmt::format("stereo: left what {} said, right what it heard", who));
    }
}

void AudioFiles::call(const flow::Call& call) {
    if (call.streams.empty()) {
        return;
    }
    two_sided(call);
    for (std::size_t i = 0; i < call.streams.size(); ++i) {
        stream(fmt::format("call-{}-stream-{}", call.id, i + 1), call.streams[i], call.pool);
    }
}

void AudioFiles::stray(const flow::MediaStream& s, const flow::TextPool& texts) {
    stream(fmt::format("stray-{}", ++strays_), s, texts);
}

bool AudioFiles::finish() {
    if (told_ > most_lines) {
        fmt::print(stderr, "callwright: audio: and {} more lines\n", told_ - most_lines);
    }
    if (written_ == 0 && silent_ == 0 && !failed_) {
        fmt::print(stderr, "callwright: audio: no media was found\n");
    } else {
        fmt::print(stderr, "callwright: audio: {} file{} written, {} stream{} not\n", written_,
                   written_ == 1 ? "" : "s", silent_, silent_ == 1 ? "" : "s");
    }
    return !failed_;
}

} // namespace cw::cli
