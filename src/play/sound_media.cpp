#include "play/sound.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "play/media_side.hpp"

namespace cw::play {

MediaSide* Sound::latest(PartyId party, std::optional<PartyId> with) const {
    MediaSide* out = nullptr;
    for (const auto& [key, one] : sides_) {
        if (key.first == party && one->agreed() && (!with || peer_of(*one) == with) &&
            (out == nullptr || out->agreement < one->agreement)) {
            out = one.get();
        }
    }
    return out;
}

std::optional<PartyId> Sound::peer_of(const MediaSide& own) const {
    for (const auto& [key, other] : sides_) {
        if (other.get() != &own && other->place.rtp.port != 0 &&
            other->place.rtp == own.plan.settings.remote) {
            return key.first;
        }
    }
    return std::nullopt;
}

Sound::Pair Sound::find(const Arrow& arrow) const {
    const bool ours[] = {state_.ours(arrow.from), state_.ours(arrow.to)};
    if (ours[0] && ours[1]) {
        return {latest(arrow.from, arrow.to), latest(arrow.to, arrow.from)};
    }
    return {ours[0] ? latest(arrow.from) : nullptr, ours[1] ? latest(arrow.to) : nullptr};
}

bool Sound::finish(StepId step, std::optional<Difference> difference, std::string why) {
    state_.schedule.received(step, state_.now);
    state_.passed(step);
    if (difference) {
        if (why.empty()) {
            why = difference->where + " is not as drawn";
        }
        state_.failed(step, Verdict::Failed, std::move(why), std::move(*difference));
    } else if (!why.empty()) {
        state_.failed(step, Verdict::Failed, std::move(why));
    }
    return true;
}

// What is drawn lasts from when it is heard: the handshake of DTLS comes first, and a machine that
// has much to do is late. `at_once`: not so.
bool Sound::begins(StepId step, std::initializer_list<MediaSide*> listeners, bool at_once) {
    constexpr Duration latest = seconds(1);
    auto& wait = state_.waiting[step];
    if (wait.begun) {
        return true;
    }
    bool heard = true;
    for (auto* one : listeners) {
        if (one != nullptr) {
            const auto [at, fresh] = one->marks.try_emplace(step, one->mark());
            heard = heard && one->mark().packets > at->second.packets;
        }
    }
    if (!heard && !at_once && state_.now < wait.since + latest) {
        return false;
    }
    wait.begun = true;
    wait.since = state_.now;
    for (auto* one : listeners) {
        if (one != nullptr) {
            one->marks.insert_or_assign(step, one->mark());
        }
    }
    return true;
}

bool Sound::perform_media(StepId step, const Arrow& arrow, const script::Media& media) {
    auto pair = find(arrow);
    const auto& wait = state_.waiting[step];
    const bool must_not = script::is_lost(arrow.link);
    const bool there = (pair.from != nullptr || !state_.ours(arrow.from)) &&
                       (pair.to != nullptr || !state_.ours(arrow.to));
    if (!there) {
        if (must_not) {
            return finish(step, std::nullopt, "");
        }
        // An answer may be on its way still.
        if (state_.now < wait.since + seconds(2)) {
            return false;
        }
        std::string why = "offer and answer have not settled any media between the two";
        for (const auto& [key, one] : sides_) {
            if ((key.first == arrow.from || key.first == arrow.to) && !one->problem().empty()) {
                why += ": " + one->problem();
                break;
            }
        }
        state_.schedule.received(step, state_.now);
        state_.failed(step, Verdict::Missing, std::move(why));
        return true;
    }
    if (media.stream == script::Stream::Dtmf) {
        return perform_dtmf(step, arrow, media);
    }
    const auto* lasts = script::find<script::Lasts>(arrow.facts);
    const auto length = lasts != nullptr ? lasts->time : seconds(1);
    if (!begins(step, {pair.to, media.both_ways ? pair.from : nullptr}, must_not)) {
        return false;
    }
    if (state_.now < wait.since + length + milliseconds(200)) { // and the way through the buffers
        return false;
    }
    std::optional<Difference> difference;
    if (pair.to != nullptr) {
        difference = judge(*pair.to, arrow, media, length);
    }
    if (!difference && pair.from != nullptr && media.both_ways) {
        Arrow back = arrow;
        std::swap(back.from, back.to);
        difference = judge(*pair.from, back, media, length);
    }
    if (must_not) {
        return difference
                   ? finish(step, std::nullopt, "")
                   : finish(step, Difference{"the media", "none", "it came"}, "it got through");
    }
    return finish(step, std::move(difference), "");
}

// Did `listener` hear arrow.from as drawn, for about that long?
namespace {

// "; alice says a=sendonly": why nothing may be heard there.
std::string hold_of(const MediaSide& side, const script::Plan& plan) {
    const auto local = side.local();
    for (const auto* direction : {"a=sendonly", "a=recvonly", "a=inactive"}) {
        if (local.contains(direction)) {
            return fmt::format("; {} says {}", plan.parties[side.party].id, direction);
        }
    }
    return {};
}

} // namespace

std::optional<Difference> Sound::judge(const MediaSide& listener, const Arrow& arrow,
                                       const script::Media& media, Duration length) const {
    const auto& before = listener.marks.at(state_.step_at_hand);
    const auto after = listener.mark();
    const auto* stream = listener.stream();
    const auto packets = after.packets - before.packets;
    const auto names = fmt::format("{} → {}", state_.plan.parties[arrow.from].id,
                                   state_.plan.parties[arrow.to].id);
    const auto& counts = listener.session.counts();
    if (stream == nullptr || packets == 0) {
        std::string seen = "no packet";
        if (counts.authentication_failures != 0) {
            seen = fmt::format("{} packets that the agreed key does not open",
                               counts.authentication_failures);
        } else if (counts.clear_instead_of_srtp != 0) {
            seen = fmt::format("{} packets in clear", counts.clear_instead_of_srtp);
        } else if (counts.srtp_instead_of_clear != 0) {
            seen = fmt::format("{} packets of SRTP", counts.srtp_instead_of_clear);
        }
        return Difference{"the media " + names, fmt::format("for {:g} s", length.seconds()),
                          seen + hold_of(listener, state_.plan)};
    }
    const bool secure = stream->suite.has_value();
    if (secure != (media.stream == script::Stream::Srtp)) {
        return Difference{"the media " + names,
                          media.stream == script::Stream::Srtp ? "SRTP" : "RTP",
                          secure ? "SRTP" : "RTP in clear"};
    }
    if (const auto* suite = script::find<script::Suite>(arrow.facts)) {
        const std::string used = secure ? std::string{rtp::to_string(*stream->suite)} : "none";
        if (used != suite->name) {
            return Difference{"the SRTP suite " + names, suite->name, used};
        }
    }
    if (const auto* codec = script::find<script::Codec>(arrow.facts);
        codec != nullptr && !iequals(codec->name, stream->codec)) {
        return Difference{"the codec " + names, codec->name, std::string{stream->codec}};
    }
    const auto heard = state_.ours(arrow.from) && !is_musical(state_.plan.parties[arrow.from])
                           ? after.listener.heard(rtp::mark_of(arrow.from)) -
                                 before.listener.heard(rtp::mark_of(arrow.from))
                           : after.listener.sound() - before.listener.sound();
    if (heard.ns * 10 < length.ns * 6) {
        return Difference{
            "the sound " + names,
            fmt::format("{} for {:g} s", state_.plan.parties[arrow.from].id, length.seconds()),
            fmt::format("{} for {:.2f} s, in {} packets{}", state_.plan.parties[arrow.from].id,
                        heard.seconds(), packets, hold_of(listener, state_.plan))};
    }
    const auto lost = after.lost - before.lost;
    const double share =
        static_cast<double>(lost) / static_cast<double>(packets + static_cast<std::uint64_t>(lost));
    if (const auto* below = script::find<script::LossBelow>(arrow.facts);
        below != nullptr && share * 1e6 >= below->share.millionths) {
        return Difference{"the loss " + names,
                          fmt::format("< {:g} %", below->share.millionths / 1e4),
                          fmt::format("{:.2f} %", share * 100)};
    }
    if (const auto* below = script::find<script::JitterBelow>(arrow.facts);
        below != nullptr && stream->stats.mean_jitter_ms() >= below->time.milliseconds()) {
        return Difference{"the jitter " + names,
                          fmt::format("< {:g} ms", below->time.milliseconds()),
                          fmt::format("{:.1f} ms", stream->stats.mean_jitter_ms())};
    }
    if (const auto* above = script::find<script::MosAbove>(arrow.facts);
        above != nullptr && stream->mos() * 100 <= above->hundredths) {
        return Difference{"the MOS " + names, fmt::format("> {:g}", above->hundredths / 100.0),
                          fmt::format("{:.2f}", stream->mos())};
    }
    return std::nullopt;
}

bool Sound::perform_dtmf(StepId step, const Arrow& arrow, const script::Media& media) {
    auto pair = find(arrow);
    auto& wait = state_.waiting[step];
    if (pair.from != nullptr && !wait.begun && !pair.from->session.press(media.keys)) {
        return finish(step, std::nullopt,
                      "the other side takes no keys (telephone-event was not agreed on)");
    }
    wait.begun = true;
    if (pair.to == nullptr) {
        return (pair.from->session.keys_pressed()) && finish(step, std::nullopt, "");
    }
    auto& to = *pair.to;
    const auto digits = to.session.digits();
    if (digits.size() < to.digits_read + media.keys.size() &&
        state_.now < wait.since + seconds(4)) {
        return false;
    }
    std::string seen;
    for (auto i = to.digits_read; i < digits.size(); ++i) {
        seen += digits[i].digit;
    }
    to.digits_read = digits.size();
    return finish(step,
                  seen == media.keys ? std::nullopt
                                     : std::optional{Difference{"what was pressed", media.keys,
                                                                seen.empty() ? "none" : seen}},
                  "");
}

} // namespace cw::play
