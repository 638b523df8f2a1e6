// SRTP and SRTCP of media streams: which keys may open them, and what came of it.
#include <algorithm>

#include <fmt/format.h>

#include "flow/media.hpp"
#include "rtp/rtcp.hpp"

namespace cw::flow {
namespace {

constexpr std::size_t most_controls = 32; // sources of SRTCP between two ends
constexpr std::string_view by_dtls = "DTLS-SRTP";

// RTCP to its last octet: nothing is encrypted, and no tag stands behind it.
bool is_whole_rtcp(Bytes datagram) {
    rtp::CompoundReader reader{datagram};
    while (reader.next()) {
    }
    return reader.complete();
}

} // namespace

struct MediaTable::FromOpening final : SrtpOpening::Sink {
    FromOpening(MediaTable& to, Stream& of, const FlowKey& between)
        : table(to), stream(of), key(between) {}
    void on_opened(Instant time, Bytes rtp) override {
        if (const auto packet = rtp::parse(rtp)) {
            table.take_payload(stream, key, time, *packet);
        }
    }
    MediaTable& table;
    Stream& stream;
    const FlowKey& key;
};

void MediaTable::on_dtls_srtp(const DtlsSrtp& handshake) {
    srtp_.on_dtls(handshake);
}

// The leg that it was found to belong to, and the others that told its addresses.
std::vector<std::uint32_t> MediaTable::slots_of(std::uint32_t slot, const FlowKey& key) const {
    std::vector<std::uint32_t> out;
    const auto add = [&](std::uint32_t one) {
        if (one != none && std::ranges::find(out, one) == out.end()) {
            out.push_back(one);
        }
    };
    for (const auto& at : {key.destination, key.source}) {
        if (const auto* told = find(at)) {
            std::ranges::for_each(told->slots, add);
        }
    }
    add(slot);
    return out;
}

void MediaTable::look_for_keys(Stream& stream, const FlowKey& key, bool going_on) {
    stream.keys_looked = srtp_.changes();
    if (going_on && (find(key.destination) != nullptr || find(key.source) != nullptr)) {
        stream.srtp = agreed_protection(key);
    }
    found_.clear();
    srtp_.collect(slots_of(stream.slot, key), key, found_);
    const bool dtls = dtls_seen(key);
    if (stream.srtp.empty() && dtls) {
        stream.srtp = by_dtls;
    }
    if (stream.srtp.empty()) { // the answer is for RTP in clear
        if (stream.opening != nullptr && stream.opening->facts().opened == 0) {
            FromOpening sink{*this, stream, key};
            stream.opening->give_back(sink);
            stream.opening.reset();
        }
    } else if (!found_.empty()) {
        if (stream.opening == nullptr) {
            stream.opening = std::make_unique<SrtpOpening>();
        }
        stream.opening->add_keys(found_);
    }
}

void MediaTable::open(Stream& stream, const FlowKey& key, const MediaEvent& event,
                      const rtp::Packet& packet) {
    if (event.missing > 0) {
        stream.opening->add_cut();
        return;
    }
    FromOpening sink{*this, stream, key};
    const auto header = static_cast<std::size_t>(packet.payload.data() - event.payload.data());
    stream.opening->add(event, header, budget_, sink);
}

// The keys of the media that it reports on: between the same ports, or those below [RFC 3550 §11];
// and those of a DTLS handshake of its own [RFC 5764 §5.1.1].
void MediaTable::add_keys(Control& control, const FlowKey& key) {
    control.keys_looked = srtp_.changes();
    auto media = key;
    if (const auto at = by_ssrc_.find(control.ssrc);
        at != by_ssrc_.end() && at->second.source.address == key.source.address) {
        media = at->second;
    } else if (find(key.source) == nullptr && find(key.destination) == nullptr) {
        --media.source.port;
        --media.destination.port;
    }
    found_.clear();
    srtp_.collect(slots_of(none, media), media, found_);
    if (!(media == key)) {
        srtp_.collect({}, key, found_);
    }
    for (const auto* found : found_) {
        control.reader.add_key(found->parameters, 0);
    }
}

// Nothing when it is not SRTCP, or was not opened.
std::optional<Bytes> MediaTable::open_rtcp(const MediaEvent& event, const FlowKey& key) {
    if (event.missing > 0 || event.payload.size() < 8) {
        return std::nullopt;
    }
    const auto ssrc = load_be32(event.payload.data() + 4);
    auto& controls = controls_[key];
    auto at = std::ranges::find(controls, ssrc, &Control::ssrc);
    if (at == controls.end()) {
        if (controls.size() >= most_controls) {
            return std::nullopt;
        }
        at = controls.insert(controls.end(), Control{.ssrc = ssrc, .last = {}, .reader = {}});
    }
    at->last = event.at.time;
    if (at->keys_looked != srtp_.changes()) {
        add_keys(*at, key);
    }
    if (at->reader.keys() == 0) {
        return std::nullopt;
    }
    budget_.earn();
    const auto opened = at->reader.open_rtcp(event.payload, budget_);
    const auto media = by_ssrc_.find(ssrc);
    const auto flow = media == by_ssrc_.end() ? flows_.end() : flows_.find(media->second);
    if (flow != flows_.end()) {
        for (auto& stream : flow->second->streams) {
            if (stream.ssrc == ssrc && stream.opening != nullptr) {
                stream.opening->count_rtcp(opened ? SrtpOpening::Rtcp::Opened
                                           : is_whole_rtcp(event.payload)
                                               ? SrtpOpening::Rtcp::Clear
                                               : SrtpOpening::Rtcp::Failed);
            }
        }
    }
    return opened;
}

std::string MediaTable::why_closed(const Stream& stream, const FlowKey& key) const {
    if (stream.srtp == by_dtls) {
        const auto* handshake = srtp_.handshake(key);
        return handshake != nullptr ? handshake->reason
               : dtls_seen(key)     ? "the start of its DTLS handshake was not captured"
                                    : "its DTLS handshake was not captured";
    }
    auto problem = srtp_.problem_of(slots_of(stream.slot, key));
    return problem.empty() ? "no key for it was told" : problem;
}

// Before what is left of the stream is handed over.
void MediaTable::conclude(Stream& stream, const FlowKey& key, MediaStream& out, TextPool& texts) {
    if (srtp_.changes() != stream.keys_looked) {
        look_for_keys(stream, key, false);
    }
    if (stream.opening == nullptr) {
        out.srtp_problem = texts.add(stream.srtp.empty() ? "" : why_closed(stream, key));
        return;
    }
    FromOpening sink{*this, stream, key};
    stream.opening->finish(budget_, sink);
    out.opening = stream.opening->facts();
    const auto& format = format_of(stream, stream.stats.payload_type());
    auto problem = stream.opening->problem(key.source, key.destination, format.encoding);
    const auto& facts = out.opening;
    const auto known = facts.opened + facts.failed + facts.cut;
    if (problem.empty() && known < stream.stats.packets()) {
        problem = fmt::format("the first {} packets came before any key was told",
                              stream.stats.packets() - known);
    }
    out.srtp_problem = texts.add(problem);
    out.suite = texts.add(stream.opening->suite());
    out.opening.encrypted = out.opening.encrypted && !stream.opening->is_in_clear(format.encoding);
    if (facts.opened > 0) {
        stream.srtp = facts.by == KeyExchange::Dtls ? by_dtls : stream.opening->suite();
    }
}

} // namespace cw::flow
