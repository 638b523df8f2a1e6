#include "rtp/audio_track.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace cw::rtp {
namespace {

// Timestamps and the capture's clock may part by so much: jitter, and clocks that run apart.
constexpr double most_apart_s = 2;
// No call is longer, whatever times a capture claims.
constexpr double most_s = 24 * 3600;
constexpr double longest_packet_s = 0.2;

void add_clipped(std::int16_t& to, std::int16_t sample) {
    to = static_cast<std::int16_t>(std::clamp(to + sample, -32768, 32767));
}

} // namespace

bool AudioTrack::codec(std::uint16_t number, std::string_view encoding, std::uint32_t clock) {
    auto decoder = AudioDecoder::make(encoding, clock);
    if (decoder == nullptr) {
        return false;
    }
    codecs_[number].decoder = std::move(decoder);
    return true;
}

void AudioTrack::add(AudioPacket packet) {
    const auto known = codecs_.find(packet.codec);
    if (known == codecs_.end() || packet.clock == 0) {
        return;
    }
    rate_ = std::max(rate_, known->second.decoder->rate());
    packets_.push_back(std::move(packet));
}

// Sequence numbers count on from the packet before, so that a late packet goes back to its place
// and a copy is found.
void AudioTrack::lay_out(Instant begin, std::uint32_t rate) {
    out_rate_ = rate;
    std::vector<std::pair<std::int64_t, std::size_t>> order; // extended sequence number, packet
    std::int64_t highest = 0;
    std::int64_t number = 0;
    for (std::size_t i = 0; i < packets_.size(); ++i) {
        const auto step = i == 0 ? 0
                                 : static_cast<std::int16_t>(packets_[i].sequence -
                                                             static_cast<std::uint16_t>(highest));
        number = i == 0 ? packets_[0].sequence : highest + step;
        highest = i == 0 ? number : std::max(highest, number);
        // Far back is no late packet: the sender began anew.
        if (step < -1000) {
            number = highest = ((highest >> 16) + 1) * 65536 + packets_[i].sequence;
        }
        order.emplace_back(number, i);
    }
    std::ranges::stable_sort(order, {}, &std::pair<std::int64_t, std::size_t>::first);
    const auto copies =
        std::ranges::unique(order, {}, &std::pair<std::int64_t, std::size_t>::first);
    order.erase(copies.begin(), copies.end());

    std::vector<AudioPacket> sorted;
    sorted.reserve(order.size());
    for (const auto& [sequence, index] : order) {
        sorted.push_back(std::move(packets_[index]));
    }
    packets_ = std::move(sorted);
    // A place is counted on from a packet whose time and timestamp are trusted.
    double trusted_s = 0;
    std::uint32_t trusted_timestamp = 0;
    places_.clear();
    for (std::size_t i = 0; i < packets_.size(); ++i) {
        const auto& p = packets_[i];
        const double clock_s = std::clamp((p.time - begin).milliseconds() / 1000, 0.0, most_s);
        const auto ticks = static_cast<std::int32_t>(p.timestamp - trusted_timestamp);
        double at_s = trusted_s + static_cast<double>(ticks) / p.clock;
        if (i == 0 || std::abs(at_s - clock_s) > most_apart_s || p.clock != packets_[i - 1].clock) {
            at_s = clock_s;
            trusted_s = clock_s;
            trusted_timestamp = p.timestamp;
        }
        places_.push_back(static_cast<std::uint64_t>(std::llround(std::max(at_s, 0.0) * rate)));
    }
    end_ =
        places_.empty() ? 0 : places_.back() + static_cast<std::uint64_t>(longest_packet_s * rate);
    // The last packet says by itself how long it is.
    next_ = 0;
}

// Behind what is there: packets never overlap, whatever their timestamps say. Between the samples
// of a lower rate straight lines are drawn.
void AudioTrack::decode_next() {
    auto& codec = codecs_[packets_[next_].codec];
    scratch_.clear();
    codec.decoder->decode(packets_[next_].payload, scratch_);
    const auto have = sound_at_ + sound_.size();
    const auto place = std::max(places_[next_], have);
    if (sound_.empty()) {
        sound_at_ = place;
    } else {
        sound_.resize(static_cast<std::size_t>(place - sound_at_)); // silence
    }
    const auto factor = static_cast<int>(out_rate_ / codec.decoder->rate());
    for (const auto sample : scratch_) {
        for (int i = 1; i <= factor; ++i) {
            sound_.push_back(
                static_cast<std::int16_t>(codec.last + (sample - codec.last) * i / factor));
        }
        codec.last = sample;
    }
    if (next_ + 1 == packets_.size()) {
        end_ = sound_at_ + sound_.size();
    }
    ++next_;
}

void AudioTrack::mix(std::uint64_t position, std::span<std::int16_t> out) {
    const auto until = position + out.size();
    while (next_ < packets_.size() && places_[next_] < until) {
        decode_next();
    }
    const auto have = sound_at_ + sound_.size();
    for (auto at = std::max(position, sound_at_); at < std::min(until, have); ++at) {
        add_clipped(out[static_cast<std::size_t>(at - position)],
                    sound_[static_cast<std::size_t>(at - sound_at_)]);
    }
    const auto given =
        std::min<std::uint64_t>(until > sound_at_ ? until - sound_at_ : 0, sound_.size());
    sound_.erase(sound_.begin(), sound_.begin() + static_cast<std::ptrdiff_t>(given));
    sound_at_ += given;
}

} // namespace cw::rtp
