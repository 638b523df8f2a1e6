#include "flow/media.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/media_line.hpp"
#include "rtp/payload_types.hpp"
#include "rtp/quality.hpp"
#include "rtp/rtcp.hpp"
#include "sdp/candidate.hpp"

namespace cw::flow {
namespace {

// A flow that has not shown itself to be RTP after so many datagrams is none.
constexpr std::uint32_t patience = 64;
// More SSRCs than this on one flow are noise or an attack.
constexpr std::size_t most_streams = 32;
constexpr std::size_t most_digits = 4096;

bool is_event(std::string_view codec) {
    return istarts_with(codec, "telephone-event");
}

} // namespace

bool MediaTable::Announcement::has(std::uint32_t slot) const {
    return std::ranges::find(slots, slot) != slots.end();
}

bool MediaTable::Description::says(std::span<const sdp::Rtpmap> maps,
                                   std::string_view suite) const {
    return srtp == suite &&
           std::ranges::equal(formats, maps, [](const Format& f, const sdp::Rtpmap& map) {
               return f.payload_type == map.payload_type && f.clock == map.clock_rate &&
                      f.encoding == map.encoding;
           });
}

std::shared_ptr<const MediaTable::Description> MediaTable::describe(const sdp::Session& session,
                                                                    const sdp::Media& media) {
    const auto maps = session.rtpmaps_of(media);
    const auto srtp = srtp_of(session, media);
    std::size_t hash = srtp.size(); // of what is quickly told; says() looks at all of it
    for (const auto& map : maps) {
        hash = 31 * hash + map.payload_type + 7 * map.encoding.size() + map.clock_rate / 1000;
    }
    auto& place = recent_[(hash ^ hash >> 12) % recent_.size()];
    if (place == nullptr || !place->says(maps, srtp)) {
        auto fresh = std::make_shared<Description>();
        fresh->srtp = srtp;
        for (const auto& map : maps) {
            fresh->formats.push_back({map.payload_type, is_event(map.encoding), map.clock_rate,
                                      std::string{map.encoding}});
        }
        place = std::move(fresh);
    }
    return place;
}

void MediaTable::announce(std::uint32_t slot, const sdp::Session& session,
                          const Sighting& sighting) {
    const auto now = sighting.time;
    ++announced_;
    released_.erase(slot);
    for (const auto& media : session.media) {
        const auto at = sdp::rtp_endpoint(media);
        if (!at || at->port == 0 || at->address.is_unspecified()) {
            continue;
        }
        announce(slot, session, media, *at, sighting);
        for (const auto candidate : session.candidates_of(media)) {
            if (const auto place = sdp::rtp_candidate(candidate); place && place != at) {
                announce(slot, session, media, *place, sighting);
            }
        }
    }
    sweep(now);
}

// One of the places where this media may be received.
void MediaTable::announce(std::uint32_t slot, const sdp::Session& session, const sdp::Media& media,
                          const Endpoint& place, const Sighting& sighting) {
    auto& entry = announcements_[place];
    if (!entry.has(slot)) {
        std::ranges::rotate(entry.slots, entry.slots.end() - 1);
        entry.slots[0] = slot;
    }
    entry.time = sighting.time;
    const bool was_protected = entry.description && !entry.description->srtp.empty();
    entry.description = describe(session, media);
    srtp_.announce(slot, session, media, place, sighting);
    if (was_protected || !entry.description->srtp.empty() || srtp_.has(slot)) {
        srtp_.note_change();
    }
}

void MediaTable::release(std::uint32_t slot, Instant now) {
    released_[slot] = now;
    // Apart from sweep(): where all calls share a few addresses, the tables there do not grow.
    if (released_.size() >= forget_at_) {
        forget_released(now);
        forget_at_ = std::max(least_to_forget, released_.size() + released_.size() / 2);
    }
}

// Costs a look at every entry, so it waits until there are half as many more.
void MediaTable::forget_released(Instant now) {
    const auto long_ago = [now](Instant released) { return now - released > released_for; };
    boost::unordered::erase_if(announcements_, [&](const auto& entry) {
        const auto released = released_.find(entry.second.slots[0]);
        return released != released_.end() && long_ago(released->second);
    });
    for (const auto& [slot, released] : released_) {
        if (long_ago(released)) {
            srtp_.forget(slot);
        }
    }
    boost::unordered::erase_if(released_,
                               [&](const auto& entry) { return long_ago(entry.second); });
}

const MediaTable::Announcement* MediaTable::find(const Endpoint& at) const {
    const auto entry = announcements_.find(at);
    return entry == announcements_.end() ? nullptr : &entry->second;
}

std::size_t MediaTable::on_packet(const MediaEvent& event) {
    const FlowKey key{event.at.source, event.at.destination};
    switch (rtp::demultiplex(event.payload)) {
    case rtp::Kind::Rtp:
        return on_rtp(event, key);
    case rtp::Kind::Rtcp:
        return on_rtcp(event, key) ? 1 : 0;
    case rtp::Kind::Stun:
    case rtp::Kind::Zrtp:
    case rtp::Kind::Dtls:
    case rtp::Kind::TurnChannel:
    case rtp::Kind::Unknown:
        return 0;
    }
    return 0;
}

std::size_t MediaTable::on_rtp(const MediaEvent& event, const FlowKey& key) {
    const auto packet = rtp::parse(event.payload, event.missing > 0);
    if (!packet || rtp::conflicts_with_rtcp(packet->payload_type)) {
        return 0;
    }
    auto& slot = flows_[key];
    if (slot == nullptr) {
        slot = std::make_unique<Flow>();
        slot->recogniser = std::make_unique<rtp::Recogniser>();
    }
    auto& flow = *slot;
    flow.last = event.at.time;
    if (!flow.announced && flow.checked != announced_) {
        flow.checked = announced_;
        flow.announced = find(key.destination) != nullptr || find(key.source) != nullptr;
        if (flow.announced) {
            flow.recogniser.reset();
        }
    }
    if (!flow.announced) {
        return recognise(flow, key, event, *packet);
    }
    auto* stream = stream_of(flow, key, packet->ssrc);
    if (stream != nullptr) {
        count(*stream, key, event, *packet);
    }
    return stream != nullptr ? 1 : 0;
}

std::size_t MediaTable::recognise(Flow& flow, const FlowKey& key, const MediaEvent& event,
                                  const rtp::Packet& packet) {
    if (flow.recogniser == nullptr) {
        return 0;
    }
    if (!flow.recogniser->add(event.payload, event.at.time, event.missing > 0)) {
        if (flow.streams.empty() && ++flow.tried > patience) {
            flow.recogniser.reset();
        }
        return 0;
    }
    auto* stream = stream_of(flow, key, packet.ssrc);
    if (stream == nullptr) {
        return 0;
    }
    std::size_t understood = 1;
    if (stream->stats.packets() == 0) {
        for (const auto& arrival : flow.recogniser->held()) {
            stream->stats.add(arrival);
            ++understood;
        }
    }
    count(*stream, key, event, packet);
    return understood;
}

MediaTable::Stream* MediaTable::stream_of(Flow& flow, const FlowKey& key, std::uint32_t ssrc) {
    for (auto& stream : flow.streams) {
        if (stream.ssrc == ssrc) {
            return &stream;
        }
    }
    if (flow.streams.size() >= most_streams) {
        return nullptr;
    }
    auto& stream = flow.streams.emplace_back();
    stream.ssrc = ssrc;
    attach(stream, key);
    by_ssrc_[ssrc] = key;
    return &stream;
}

// Finds the leg that a stream belongs to: one that announced both ends if there is any, else the
// latest that announced one of them.
void MediaTable::attach(Stream& stream, const FlowKey& key) const {
    const auto* to = find(key.destination);
    const auto* from = find(key.source);
    if (to == nullptr && from == nullptr) {
        return;
    }
    stream.announced = true;
    stream.slot = to != nullptr ? to->slots[0] : from->slots[0];
    if (to != nullptr && from != nullptr) {
        for (const auto slot : to->slots) {
            if (slot != none && from->has(slot)) {
                stream.slot = slot;
                break;
            }
        }
    }
    // The receiver chose the payload types.
    stream.formats = (to != nullptr ? to : from)->description->formats;
    stream.srtp = agreed_protection(key);
}

// The later description of the two is the answer, which says what was agreed [RFC 3264 §6.1].
std::string_view MediaTable::agreed_protection(const FlowKey& key) const {
    const auto* to = find(key.destination);
    const auto* from = find(key.source);
    const bool from_is_later = to == nullptr || (from != nullptr && from->time > to->time);
    const auto* agreed = from_is_later ? from : to;
    return agreed == nullptr ? std::string_view{} : std::string_view{agreed->description->srtp};
}

const MediaTable::Format& MediaTable::format_of(Stream& stream, std::uint8_t payload_type) {
    for (const auto& format : stream.formats) {
        if (format.payload_type == payload_type) {
            return format;
        }
    }
    Format format{payload_type, false, 0, {}};
    if (const auto* known = rtp::static_payload_type(payload_type)) {
        format.clock = known->clock;
        format.encoding = known->name;
    }
    return stream.formats.emplace_back(std::move(format));
}

// A dynamic payload type that nobody has named, and a payload of four octets whose event is a key
// [RFC 4733 §2.3]: no codec makes such packets.
bool MediaTable::is_stray_event(const Format& format, const rtp::Packet& packet) {
    constexpr std::uint8_t first_dynamic = 96;
    return packet.payload.size() == 4 && format.encoding.empty() &&
           packet.payload_type >= first_dynamic && rtp::digit_of(packet.payload[0]) != 0;
}

void MediaTable::count(Stream& stream, const FlowKey& key, const MediaEvent& event,
                       const rtp::Packet& packet) {
    const auto& format = format_of(stream, packet.payload_type);
    stream.stats.add({.time = event.at.time,
                      .timestamp = packet.timestamp,
                      .clock = format.clock,
                      .sequence = packet.sequence,
                      .payload_type = packet.payload_type,
                      .event = format.event});
    if (srtp_.changes() != stream.keys_looked) [[unlikely]] {
        look_for_keys(stream, key, true);
    }
    if (stream.opening != nullptr) {
        open(stream, key, event, packet);
    } else if (stream.srtp.empty() &&
               (format.event || tap_ != nullptr || is_stray_event(format, packet))) {
        take_payload(stream, key, event.at.time, packet);
    }
}

// Of a packet in clear, or one that was opened.
void MediaTable::take_payload(Stream& stream, const FlowKey& key, Instant time,
                              const rtp::Packet& packet) {
    const auto& format = format_of(stream, packet.payload_type);
    if (is_stray_event(format, packet)) {
        ++stream.stray_events;
        stream.stray_type = packet.payload_type;
    }
    if (format.event && stream.digits.size() < most_digits) {
        const auto digit = stream.dtmf.add({.time = time,
                                            .timestamp = packet.timestamp,
                                            .clock = format.clock,
                                            .marker = packet.marker,
                                            .payload = packet.payload});
        if (digit) {
            stream.digits.push_back({digit->time, digit->digit, digit->duration_ms, digit->ended});
        }
    }
    if (tap_ != nullptr) {
        tap_->on_media_packet({.time = time,
                               .source = key.source,
                               .destination = key.destination,
                               .ssrc = stream.ssrc,
                               .timestamp = packet.timestamp,
                               .clock = format.clock,
                               .sequence = packet.sequence,
                               .payload_type = packet.payload_type,
                               .marker = packet.marker,
                               .encoding = format.encoding,
                               .payload = packet.payload});
    }
}

bool MediaTable::on_rtcp(const MediaEvent& event, const FlowKey& key) {
    const auto opened = srtp_.changes() == 0 ? std::nullopt : open_rtcp(event, key);
    rtp::CompoundReader reader{opened.value_or(event.payload)};
    bool any = false;
    while (const auto packet = reader.next()) {
        any = true;
        for (const auto& block : rtp::report_blocks(*packet)) {
            const auto known = by_ssrc_.find(block.ssrc);
            if (known == by_ssrc_.end()) {
                continue;
            }
            for (auto& stream : flows_[known->second]->streams) {
                if (stream.ssrc == block.ssrc) {
                    ++stream.rtcp_reports;
                    stream.rtcp_loss = block.fraction_lost;
                }
            }
        }
    }
    return any;
}

void MediaTable::on_dtls(const Sighting& at) {
    const auto [known, fresh] = dtls_.insert_or_assign(FlowKey{at.source, at.destination}, at.time);
    if (fresh) {
        srtp_.note_change();
    }
}

void MediaTable::hand_over(const FlowKey& key, Flow& flow) {
    for (auto& stream : flow.streams) {
        hand_over(key, stream);
        by_ssrc_.erase(stream.ssrc);
    }
}

void MediaTable::hand_over(const FlowKey& key, Stream& stream) {
    if (stream.slot == none) {
        attach(stream, key); // a description may have come after the media
    }
    MediaStream out;
    TextPool texts;
    conclude(stream, key, out, texts);
    if (const auto last = stream.dtmf.finish()) {
        stream.digits.push_back({last->time, last->digit, last->duration_ms, last->ended});
    }
    picture(stream, key, out, texts);
    out.dtmf = std::move(stream.digits);
    ended_(stream.slot, out, texts);
}

void MediaTable::look(const std::function<bool(std::uint32_t slot)>& wanted, const Ended& visit) {
    for (auto& [key, flow] : flows_) {
        for (auto& stream : flow->streams) {
            if (stream.slot == none) {
                attach(stream, key); // a description may have come after the media
            }
            if (stream.slot == none || !wanted(stream.slot)) {
                continue;
            }
            MediaStream out;
            TextPool texts;
            if (stream.opening != nullptr) {
                out.opening = stream.opening->facts();
                out.suite = texts.add(stream.opening->suite());
            }
            picture(stream, key, out, texts);
            out.dtmf = stream.digits;
            visit(stream.slot, out, texts);
        }
    }
}

// What was counted of a stream, and what it is.
void MediaTable::picture(Stream& stream, const FlowKey& key, MediaStream& out, TextPool& texts) {
    const auto& stats = stream.stats;
    const auto& format = format_of(stream, stats.payload_type());
    out.first = stats.first_time();
    out.last = stats.last_time();
    out.source = key.source;
    out.destination = key.destination;
    out.ssrc = stream.ssrc;
    out.payload_type = stats.payload_type();
    out.announced = stream.announced;
    out.codec =
        texts.add(format.encoding.empty() ? fmt::format("RTPType-{}", format.payload_type)
                                          : fmt::format("{}/{}", format.encoding, format.clock));
    out.srtp = texts.add(stream.srtp);
    out.packets = stats.packets();
    out.expected = stats.expected();
    out.duplicates = stats.duplicates();
    out.out_of_order = stats.out_of_order();
    out.missing = stats.missing();
    out.lost = stats.lost();
    out.jitter_ms = stats.max_jitter_ms();
    out.mean_jitter_ms = stats.mean_jitter_ms();
    out.max_gap_ms = stats.longest_gap().milliseconds();
    const auto expected = std::max<std::uint64_t>(stats.expected(), 1);
    out.mos = rtp::mos(format.encoding, {.loss = static_cast<double>(stats.missing()) /
                                                 static_cast<double>(expected),
                                         .jitter_ms = stats.mean_jitter_ms()});
    out.rtcp_reports = stream.rtcp_reports;
    out.rtcp_loss = stream.rtcp_loss;
    out.stray_events = stream.stray_events;
    out.stray_type = stream.stray_type;
}

// Lets go of what has ended. Costs a look at every entry, so it waits until the tables have
// doubled.
void MediaTable::sweep(Instant now) {
    if (flows_.size() + announcements_.size() < sweep_at_) {
        return;
    }
    for (auto at = flows_.begin(); at != flows_.end();) {
        if (now - at->second->last > idle) {
            hand_over(at->first, *at->second);
            flows_.erase(at++);
        } else {
            ++at;
        }
    }
    forget_released(now);
    boost::unordered::erase_if(announcements_, [now](const auto& entry) {
        return now - entry.second.time > announced_for;
    });
    srtp_.forget_before(now - announced_for);
    boost::unordered::erase_if(controls_, [&](const auto& entry) {
        return entry.second.empty() || now - entry.second.back().last > idle;
    });
    boost::unordered::erase_if(
        dtls_, [&](const auto& entry) { return now - entry.second > announced_for; });
    sweep_at_ = std::max<std::size_t>(1024, 2 * (flows_.size() + announcements_.size()));
}

void MediaTable::end(const std::function<bool(std::uint32_t slot)>& ended) {
    for (auto at = flows_.begin(); at != flows_.end();) {
        const auto& key = at->first;
        const bool over = std::ranges::any_of(at->second->streams, [&](Stream& stream) {
            if (stream.slot == none) {
                attach(stream, key); // a description may have come after the media
            }
            return stream.slot != none && ended(stream.slot);
        });
        if (over) {
            hand_over(key, *at->second);
            flows_.erase(at++);
        } else {
            ++at;
        }
    }
}

void MediaTable::flush() {
    // In the order of their beginning, so that the same capture always gives the same output.
    std::vector<std::pair<const FlowKey*, Flow*>> rest;
    rest.reserve(flows_.size());
    for (auto& [key, flow] : flows_) {
        rest.emplace_back(&key, flow.get());
    }
    const auto begin = [](const auto& entry) {
        const auto& streams = entry.second->streams;
        return std::pair{streams.empty() ? Instant{} : streams.front().stats.first_time(),
                         std::pair{entry.first->source, entry.first->destination}};
    };
    std::ranges::sort(rest, {}, begin);
    for (auto& [key, flow] : rest) {
        hand_over(*key, *flow);
    }
    flows_.clear();
}

} // namespace cw::flow
