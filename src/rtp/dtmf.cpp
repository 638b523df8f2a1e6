#include "rtp/dtmf.hpp"

#include <algorithm>

namespace cw::rtp {
namespace {

constexpr std::uint8_t events_known = 17; // 0 to 15 are keys, 16 is the flash

Digit make_digit(Instant time, std::uint8_t event, std::uint32_t ticks, std::uint32_t clock) {
    const auto ms = clock == 0 ? 0 : std::uint64_t{ticks} * 1000 / clock;
    return {.time = time,
            .digit = digit_of(event),
            .duration_ms = static_cast<std::uint16_t>(std::min<std::uint64_t>(ms, 65535))};
}

} // namespace

std::optional<TelephoneEvent> parse_telephone_event(Bytes payload) {
    if (payload.size() < 4) {
        return std::nullopt;
    }
    TelephoneEvent event;
    event.event = payload[0];
    event.end = (payload[1] & 0x80) != 0;
    event.volume = payload[1] & 0x3f;
    event.duration = load_be16(payload.data() + 2);
    return event;
}

char digit_of(std::uint8_t event) {
    return event < events_known ? "0123456789*#ABCDF"[event] : '\0';
}

std::optional<Digit> DtmfCollector::add(const Packet& packet) {
    const auto event = parse_telephone_event(packet.payload);
    if (!event || event->event >= events_known || is_old(packet.timestamp)) {
        return std::nullopt;
    }
    std::optional<Digit> completed;
    if (open_ && !continues(packet, *event)) {
        completed = finish();
    }
    if (!open_) {
        open_ = Open{packet.time,  packet.time, packet.timestamp, packet.timestamp,
                     packet.clock, 0,           event->event};
    }
    open_->last = packet.time;
    // Newer segments of a long event begin where the one before ended; a late packet of an older
    // segment gives less and changes nothing.
    const std::uint32_t ticks = packet.timestamp - open_->timestamp + event->duration;
    open_->ticks = std::max(open_->ticks, ticks);
    open_->segment = packet.timestamp;
    if (event->end && !completed) {
        completed = finish();
        completed->ended = true;
    }
    return completed;
}

std::optional<Digit> DtmfCollector::finish() {
    if (!open_) {
        return std::nullopt;
    }
    const auto digit = make_digit(open_->time, open_->event, open_->ticks, open_->clock);
    remember(open_->timestamp);
    if (open_->segment != open_->timestamp) {
        remember(open_->segment);
    }
    open_.reset();
    return digit;
}

// [RFC 4733 §2.5.1.3] an event longer than its duration field goes on in a segment whose timestamp
// is where the last one ended. Note: some senders raise the timestamp in every packet of one event;
// both look the same: the same key, no end yet, no marker, and no pause in between.
bool DtmfCollector::continues(const Packet& packet, const TelephoneEvent& event) const {
    if (packet.timestamp == open_->timestamp || packet.timestamp == open_->segment) {
        return true;
    }
    const std::uint32_t since_start = packet.timestamp - open_->timestamp;
    const std::uint32_t slack = open_->clock / 50; // one packet of 20 ms
    const auto silence = packet.time - open_->last;
    return event.event == open_->event && !packet.marker && since_start <= open_->ticks + slack &&
           silence < milliseconds(200);
}

bool DtmfCollector::is_old(std::uint32_t timestamp) const {
    return std::find(done_.begin(), done_.begin() + done_count_, timestamp) !=
           done_.begin() + done_count_;
}

void DtmfCollector::remember(std::uint32_t timestamp) {
    done_[done_next_] = timestamp;
    done_next_ = static_cast<std::uint8_t>((done_next_ + 1U) % done_.size());
    done_count_ = static_cast<std::uint8_t>(std::min<std::size_t>(done_count_ + 1U, done_.size()));
}

} // namespace cw::rtp
