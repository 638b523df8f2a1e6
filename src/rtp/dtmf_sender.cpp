#include "rtp/dtmf_sender.hpp"

#include <algorithm>

namespace cw::rtp {
namespace {

constexpr std::size_t most_keys = 64;
constexpr std::string_view keys_by_event = "0123456789*#ABCD";
// [RFC 4733 §2.5.1.4] The final packet SHOULD be sent three times in all.
constexpr std::uint32_t end_packets = 3;

} // namespace

std::optional<std::uint8_t> event_of(char key) {
    const auto event = keys_by_event.find(key);
    return event == std::string_view::npos ? std::nullopt
                                           : std::optional(static_cast<std::uint8_t>(event));
}

std::uint32_t DtmfSender::ticks(Duration time) const {
    const auto ms = std::clamp<std::int64_t>(time.ns / 1'000'000, 0, 60'000);
    return static_cast<std::uint32_t>(ms) * (clock_ / 1000);
}

DtmfSender::DtmfSender(const Settings& settings)
    : clock_(std::clamp(settings.clock, 1000U, 192'000U)),
      interval_(std::max(ticks(settings.interval), 1U)),
      length_(std::clamp(ticks(settings.length), 1U, 0xffffU)),
      updates_((length_ + interval_ - 1) / interval_),
      pause_((ticks(settings.pause) + interval_ - 1) / interval_),
      volume_(std::min<std::uint8_t>(settings.volume, 63)) {
    keys_.reserve(most_keys);
}

bool DtmfSender::press(std::string_view keys) {
    const bool known =
        std::ranges::all_of(keys, [](char key) { return event_of(key).has_value(); });
    if (!known || keys_.size() + keys.size() > most_keys) {
        return false;
    }
    keys_ += keys;
    return true;
}

std::optional<DtmfSender::Packet> DtmfSender::next(std::uint32_t timestamp) {
    if (keys_.empty()) {
        return std::nullopt;
    }
    begin_ = step_ == 0 ? timestamp : begin_;
    const auto step = step_++;
    const auto last = updates_ + end_packets - 1; // packets of this key
    if (step_ >= last + pause_) {
        step_ = 0;
    }
    std::optional<Packet> out;
    if (step < last) {
        const bool end = step + 1 >= updates_;
        const auto duration = end ? length_ : (step + 1) * interval_;
        const auto flags = static_cast<std::uint8_t>((end ? 0x80U : 0U) | volume_);
        out = Packet{begin_,
                     step == 0,
                     {event_of(keys_[0]).value_or(0), flags,
                      static_cast<std::uint8_t>(duration >> 8U),
                      static_cast<std::uint8_t>(duration)}};
    }
    if (step_ == 0) {
        keys_.erase(0, 1);
    }
    return out;
}

} // namespace cw::rtp
