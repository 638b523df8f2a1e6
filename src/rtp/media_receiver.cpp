#include "rtp/media_receiver.hpp"

#include <algorithm>

#include "rtp/payload_types.hpp"
#include "rtp/quality.hpp"

namespace cw::rtp {
namespace {

constexpr Duration step = milliseconds(20);
constexpr std::size_t step_samples = 160;
constexpr std::size_t longest_packet = 2000; // samples: 250 ms
// Another source is heard when the one before has been quiet for so long.
constexpr Duration handover = milliseconds(200);
// Playing out further behind than this, the time in between is left out.
constexpr Duration longest_catch_up = seconds(5);
constexpr std::size_t samples_a_second = 8000;

} // namespace

// Of all that was sent as far as the numbers tell: StreamStats::expected() leaves out those before
// the first that came.
double ReceivedStream::loss() const {
    const auto came =
        stats.packets() - std::min(stats.packets(), stats.duplicates() + stats.strays());
    const auto sent = came + stats.missing();
    return sent == 0 ? 0 : static_cast<double>(stats.missing()) / static_cast<double>(sent);
}

double ReceivedStream::mos() const {
    return rtp::mos(codec, {.loss = loss(), .jitter_ms = stats.mean_jitter_ms()});
}

void MediaReceiver::configure(const MediaSettings& settings, Instant now) {
    accepted_ = settings.accepted;
    if (accepted_.empty()) {
        accepted_.push_back(settings.codec);
    }
    event_type_ = settings.accepted_event ? settings.accepted_event : settings.event_type;
    event_clock_ = settings.event_clock;
    receives_ = settings.receive;
    if (!due_.known()) {
        due_ = now + step;
    }
}

void MediaReceiver::record(Duration longest) {
    const auto whole_seconds = std::max<std::int64_t>(longest.ns / 1'000'000'000, 0);
    most_recorded_ = static_cast<std::size_t>(whole_seconds) * samples_a_second;
}

std::optional<Law> MediaReceiver::law_of(std::uint8_t payload_type) const {
    for (const auto& one : accepted_) {
        if (one.payload_type == payload_type) {
            return one.law;
        }
    }
    return std::nullopt;
}

ReceivedStream* MediaReceiver::stream(std::uint32_t ssrc) {
    const auto found = std::ranges::find(streams_, ssrc, &ReceivedStream::ssrc);
    return found == streams_.end() ? nullptr : &*found;
}

ReceivedStream* MediaReceiver::find_or_add(std::uint32_t ssrc) {
    auto* found = stream(ssrc);
    if (found == nullptr && streams_.size() < most_streams) {
        found = &streams_.emplace_back();
        found->ssrc = ssrc;
        collectors_.emplace_back();
    }
    return found;
}

bool MediaReceiver::speaks(std::size_t stream, Instant now) {
    if (stream != speaker_) {
        if (speaker_ != none && now - spoke_ < handover) {
            return false;
        }
        speaker_ = stream;
        buffer_.reset();
    }
    spoke_ = now;
    return true;
}

void MediaReceiver::hear(ReceivedStream& stream, const Packet& packet, Law law) {
    std::array<std::int16_t, longest_packet> samples{};
    const auto payload = packet.payload.first(std::min(packet.payload.size(), longest_packet));
    const auto decoded = std::span{samples}.first(payload.size());
    expand(law, payload, decoded);
    if (!buffer_.put(packet.timestamp, decoded, packet.marker)) {
        ++stream.late;
    }
}

void MediaReceiver::collect(std::optional<Digit> digit) {
    if (digit && digits_.size() < most_digits) {
        digits_.push_back(*digit);
    }
}

MediaReceiver::Taken MediaReceiver::take(const Packet& packet, const Endpoint& from,
                                         std::optional<SrtpSuite> suite, Instant now) {
    const auto law = law_of(packet.payload_type);
    const bool event = event_type_ == packet.payload_type;
    const bool noise = is_comfort_noise(packet.payload_type);
    if (!law && !event && !noise) {
        return Taken::UnknownPayload;
    }
    auto* stream = find_or_add(packet.ssrc);
    if (stream == nullptr) {
        return Taken::TooManySources;
    }
    stream->source = from;
    stream->suite = suite;
    stream->octets += packet.payload.size();
    stream->stats.add({.time = now,
                       .timestamp = packet.timestamp,
                       .clock = event ? event_clock_ : 8000,
                       .sequence = packet.sequence,
                       .payload_type = packet.payload_type,
                       .marker = packet.marker,
                       .event = event});
    if (law) {
        stream->codec = codec_name(*law);
    }
    if (!receives_) {
        return Taken::OnHold;
    }
    const auto index = static_cast<std::size_t>(stream - streams_.data());
    if (!speaks(index, now)) {
        ++stream->unheard;
        return Taken::Heard;
    }
    if (event) {
        collect(collectors_[index].add({.time = now,
                                        .timestamp = packet.timestamp,
                                        .clock = event_clock_,
                                        .marker = packet.marker,
                                        .payload = packet.payload}));
    } else if (law) {
        hear(*stream, packet, *law);
    }
    return Taken::Heard;
}

void MediaReceiver::advance(Instant now) {
    if (!due_.known()) {
        return;
    }
    if (now - due_ > longest_catch_up) {
        due_ = now;
    }
    for (; due_ <= now; due_ = due_ + step) {
        std::array<std::int16_t, step_samples> samples{};
        buffer_.take(samples);
        listener_.hear(samples);
        for (const auto& pipe : told_) {
            pipe->push(samples);
        }
        const auto room = most_recorded_ - std::min(most_recorded_, recording_.size());
        const auto kept = static_cast<std::ptrdiff_t>(std::min(room, samples.size()));
        recording_.insert(recording_.end(), samples.begin(), samples.begin() + kept);
    }
}

void MediaReceiver::finish() {
    for (auto& collector : collectors_) {
        collect(collector.finish());
    }
}

} // namespace cw::rtp
