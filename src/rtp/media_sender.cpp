#include "rtp/media_sender.hpp"

#include <algorithm>

namespace cw::rtp {
namespace {

constexpr std::int64_t samples_a_ms = 8;

std::uint32_t samples_in(Duration time) {
    return static_cast<std::uint32_t>(time.ns / 1'000'000 * samples_a_ms);
}

DtmfSender dtmf_for(std::uint32_t clock, Duration ptime) {
    return DtmfSender{DtmfSender::Settings{.clock = clock, .interval = ptime}};
}

} // namespace

// [RFC 3711 §3.3.1] A first sequence number just below the wrap may lose the receiver its rollover
// counter; the lower half is as random and safe.
MediaSender::MediaSender(const MediaIdentity& identity)
    : dtmf_(dtmf_for(8000, milliseconds(20))), ssrc_(identity.ssrc),
      timestamp_(identity.first_timestamp),
      sequence_(static_cast<std::uint16_t>(identity.first_sequence & 0x7fffU)) {}

void MediaSender::configure(const MediaSettings& settings, Instant now) {
    const auto ms = std::clamp<std::int64_t>(settings.ptime.ns / 10'000'000 * 10, 10, 60);
    if (ptime_ != milliseconds(ms) || event_clock_ != settings.event_clock) {
        ptime_ = milliseconds(ms);
        event_clock_ = settings.event_clock;
        dtmf_ = dtmf_for(event_clock_, ptime_);
    }
    codec_ = settings.codec;
    event_type_ = settings.event_type;
    const bool sends = settings.send && settings.remote.port != 0;
    if (sends && !sending_) {
        timestamp_ = timestamp_at(now); // it went on through the pause
        due_ = now;
        talkspurt_ = true;
    }
    sending_ = sends;
}

bool MediaSender::press(std::string_view keys) {
    return event_type_.has_value() && dtmf_.press(keys);
}

std::uint32_t MediaSender::timestamp_at(Instant now) const {
    if (!due_.known()) {
        return timestamp_;
    }
    const auto ms = (now - due_).ns / 1'000'000;
    return timestamp_ + static_cast<std::uint32_t>(ms * samples_a_ms);
}

void MediaSender::skip_to(Instant now) {
    constexpr Duration longest = milliseconds(200);
    if (sending_ && now - due_ > longest) {
        timestamp_ = timestamp_at(now);
        due_ = now;
    }
}

void MediaSender::write_header(std::vector<std::uint8_t>& out, std::uint8_t type, bool marker,
                               std::uint32_t timestamp) {
    out.push_back(0x80);
    out.push_back(static_cast<std::uint8_t>((marker ? 0x80U : 0U) | (type & 0x7fU)));
    out.push_back(static_cast<std::uint8_t>(sequence_ >> 8U));
    out.push_back(static_cast<std::uint8_t>(sequence_));
    for (const auto word : {timestamp, ssrc_}) {
        for (unsigned shift = 32; shift > 0; shift -= 8) {
            out.push_back(static_cast<std::uint8_t>(word >> (shift - 8)));
        }
    }
    ++sequence_;
    ++packets_;
}

void MediaSender::next(std::vector<std::uint8_t>& out) {
    const auto samples = samples_in(ptime_);
    const auto event = event_type_ ? dtmf_.next(timestamp_) : std::nullopt;
    if (event) {
        write_header(out, *event_type_, event->marker, event->timestamp);
        out.insert(out.end(), event->payload.begin(), event->payload.end());
        octets_ += event->payload.size();
    } else {
        std::array<std::int16_t, 480> audio{};
        const auto part = std::span{audio}.first(samples);
        source_.fill(part);
        for (const auto& pipe : mixed_) {
            pipe->add_to(part);
        }
        write_header(out, codec_.payload_type, talkspurt_, timestamp_);
        talkspurt_ = false;
        const auto at = out.size();
        out.resize(at + samples);
        compress(codec_.law, part, std::span{out}.subspan(at));
        octets_ += samples;
    }
    timestamp_ += samples;
    due_ = due_ + ptime_;
}

} // namespace cw::rtp
