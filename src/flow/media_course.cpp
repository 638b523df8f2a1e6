#include "flow/media_course.hpp"

#include <algorithm>

namespace cw::flow {
namespace {

constexpr Duration silence = seconds(60); // ends a stream, as in MediaTable

} // namespace

MediaCourse::Track* MediaCourse::track_of(const MediaPacket& packet) {
    auto& tracks = tracks_[{{packet.source, packet.destination}, packet.ssrc}];
    if (tracks.empty() || packet.time - tracks.back().last > silence) {
        if (count_ == most_streams) {
            return nullptr;
        }
        ++count_;
        auto& track = tracks.emplace_back();
        track.course.begin = track.last = packet.time;
        track.course.period = first_period;
    }
    return &tracks.back();
}

MediaCourse::Period& MediaCourse::period_of(Course& course, Instant time) {
    const auto since = std::max(time - course.begin, Duration{});
    while (since.ns / course.period.ns >= static_cast<std::int64_t>(most_periods)) {
        for (std::size_t i = 0; i < course.periods.size(); i += 2) {
            auto merged = course.periods[i];
            if (i + 1 < course.periods.size()) {
                const auto& next = course.periods[i + 1];
                merged.packets += next.packets;
                merged.missing += next.missing;
                merged.jitter_ms = std::max(merged.jitter_ms, next.jitter_ms);
            }
            course.periods[i / 2] = merged;
        }
        course.periods.resize((course.periods.size() + 1) / 2);
        course.period = course.period + course.period;
    }
    const auto at = static_cast<std::size_t>(since.ns / course.period.ns);
    if (at >= course.periods.size()) {
        course.periods.resize(at + 1);
    }
    return course.periods[at];
}

void MediaCourse::on_media_packet(const MediaPacket& packet) {
    auto* track = track_of(packet);
    if (track == nullptr) {
        return;
    }
    const auto missing = track->stats.missing();
    track->stats.add({.time = packet.time,
                      .timestamp = packet.timestamp,
                      .clock = packet.clock,
                      .sequence = packet.sequence,
                      .payload_type = packet.payload_type,
                      .marker = packet.marker,
                      .event = packet.encoding == "telephone-event"});
    track->last = packet.time;
    auto& period = period_of(track->course, packet.time);
    ++period.packets;
    period.jitter_ms = std::max(period.jitter_ms, track->stats.jitter_ms());
    const auto now = track->stats.missing();
    if (now >= missing) {
        period.missing += static_cast<std::uint32_t>(now - missing);
        return;
    }
    auto& periods = track->course.periods;
    const auto late = std::find_if(periods.rbegin(), periods.rend(),
                                   [](const Period& p) { return p.missing > 0; });
    if (late != periods.rend()) {
        --late->missing;
    }
}

const MediaCourse::Course* MediaCourse::of(const MediaStream& stream) const {
    const auto found = tracks_.find({{stream.source, stream.destination}, stream.ssrc});
    if (found == tracks_.end()) {
        return nullptr;
    }
    for (const auto& track : found->second) {
        if (track.last >= stream.first && track.course.begin <= stream.last) {
            return &track.course;
        }
    }
    return nullptr;
}

} // namespace cw::flow
