#include "rtp/media_session.hpp"

#include <algorithm>

#include "rtp/packet.hpp"
#include "rtp/rtcp_writer.hpp"

namespace cw::rtp {
namespace {

constexpr Duration first_report = milliseconds(2500); // [RFC 3550 §6.3.1] Tmin
constexpr Duration report_interval = milliseconds(5000);
constexpr Duration old_key_lives = seconds(2);
// The peer has moved when nothing comes from its old address for so long.
constexpr Duration moved_after = milliseconds(500);
constexpr std::size_t samples_of_10_ms = 80; // octets of G.711
constexpr std::size_t event_size = 4;

// Can this payload be clear G.711 or an event? Of SRTP it has the tag behind it, which no whole
// number of 10 ms has.
bool looks_clear(Bytes payload) {
    return payload.size() == event_size ||
           (!payload.empty() && payload.size() % samples_of_10_ms == 0);
}

// The reverse: audio of whole 10 ms with the tag of one of our suites, perhaps an MKI of four
// octets before it; or an event with a tag that is no other event.
bool looks_protected(Bytes payload) {
    const auto size = payload.size();
    const auto behind = size % samples_of_10_ms;
    return (size > samples_of_10_ms &&
            (behind == 4 || behind == 10 || behind == 14 || behind == 16)) ||
           size == event_size + 10 || size == event_size + 14;
}

} // namespace

MediaSession::MediaSession(const MediaIdentity& identity)
    : identity_(identity), sender_(identity),
      chance_(mix_hash(identity.ssrc, identity.first_timestamp)) {}

Result<void> MediaSession::configure(const MediaSettings& settings, Instant now) {
    if (const auto ok = set_keys(settings, now); !ok) {
        return ok;
    }
    if (!running_ || settings.remote != settings_.remote) {
        target_ = settings.remote;
        target_heard_ = {};
    }
    if (!running_ || settings.remote_rtcp != settings_.remote_rtcp) {
        rtcp_target_ = settings.remote_rtcp;
    }
    settings_ = settings;
    sender_.configure(settings, now);
    receiver_.configure(settings, now);
    if (!running_) {
        running_ = true;
        rtcp_due_ = now + rtcp_interval(first_report);
    }
    return {};
}

namespace {

// New keys go on counting where the old ones were; but when the end moved to another address, its
// context is a new one, "with the ROC set to zero" [RFC 4568 §7.1.4].
Result<void> change_keys(std::optional<SrtpSession>& session, SrtpSession::Way way,
                         const std::optional<SrtpParameters>& keys, bool moved) {
    if (!keys) {
        session.reset();
        return {};
    }
    if (session && session->parameters() == *keys) {
        return {};
    }
    if (session && !moved) {
        return session->rekey(*keys);
    }
    auto made = SrtpSession::make(way, *keys);
    if (!made) {
        return std::unexpected(made.error());
    }
    session.emplace(std::move(*made));
    return {};
}

} // namespace

Result<void> MediaSession::set_keys(const MediaSettings& settings, Instant now) {
    using Way = SrtpSession::Way;
    for (const auto* keys : {&settings.send_keys, &settings.receive_keys}) {
        if (*keys) { // all is tried before anything is changed
            if (const auto tried = SrtpSession::make(Way::Send, **keys); !tried) {
                return std::unexpected(tried.error());
            }
        }
    }
    if (unprotect_ && settings.receive_keys && unprotect_->parameters() != *settings.receive_keys) {
        keep_old_key(now);
    }
    const bool we_moved = running_ && settings.local != settings_.local;
    const bool peer_moved = running_ && settings.remote != settings_.remote;
    if (const auto ok = change_keys(protect_, Way::Send, settings.send_keys, we_moved); !ok) {
        return ok;
    }
    return change_keys(unprotect_, Way::Receive, settings.receive_keys, peer_moved);
}

// Packets with the old key are still on their way. The session that opens them begins anew, where
// the counters stand.
void MediaSession::keep_old_key(Instant now) {
    auto old = SrtpSession::make(SrtpSession::Way::Receive, unprotect_->parameters());
    if (!old) {
        return;
    }
    for (const auto& stream : receiver_.streams()) {
        if (const auto roc = unprotect_->roc(stream.ssrc)) {
            (void)old->set_roc(stream.ssrc, *roc);
        }
    }
    before_.emplace(std::move(*old));
    before_ends_ = now + old_key_lives;
}

void MediaSession::receive(Bytes datagram, const Endpoint& from, Instant now) {
    if (!running_) {
        return;
    }
    receiver_.advance(now);
    switch (demultiplex(datagram)) {
    case Kind::Rtp:
        receive_rtp(datagram, from, now);
        break;
    case Kind::Rtcp:
        receive_rtcp(datagram, from, now);
        break;
    case Kind::Stun:
    case Kind::Zrtp:
    case Kind::Dtls:
    case Kind::TurnChannel:
    case Kind::Unknown:
        ++counts_.malformed;
        break;
    }
}

// Opens what stands in scratch_; false when none of our keys does.
bool MediaSession::open(Instant now) {
    const bool old_key_may_open = before_ && now < before_ends_;
    const auto copy = old_key_may_open ? scratch_ : std::vector<std::uint8_t>{};
    const auto opened = unprotect_->unprotect(scratch_);
    if (opened) {
        return true;
    }
    if (old_key_may_open && opened.error().code == Code::CryptoFailed) {
        scratch_ = copy;
        if (before_->unprotect(scratch_)) {
            ++counts_.opened_with_old_key;
            return true;
        }
        scratch_ = copy;
    }
    refused(opened.error());
    return false;
}

void MediaSession::refused(const Error& why) {
    const auto packet = parse(scratch_);
    if (packet && why.code == Code::CryptoFailed && looks_clear(packet->payload)) {
        ++counts_.clear_instead_of_srtp;
    } else if (why.code == Code::CryptoFailed) {
        ++counts_.authentication_failures;
    } else if (why.code == Code::LimitExceeded) {
        ++counts_.too_many_sources;
    } else if (packet && why.code == Code::Malformed) {
        ++counts_.replays;
    } else {
        ++counts_.malformed;
    }
}

void MediaSession::receive_rtp(Bytes datagram, const Endpoint& from, Instant now) {
    scratch_.assign(datagram.begin(), datagram.end());
    if (unprotect_ && !open(now)) {
        return;
    }
    const auto packet = parse(scratch_);
    if (!packet) {
        ++counts_.malformed;
        return;
    }
    if (!unprotect_ && looks_protected(packet->payload)) {
        ++counts_.srtp_instead_of_clear;
        return;
    }
    if (packet->ssrc == identity_.ssrc) {
        ++counts_.looped;
        return;
    }
    follow(from, now);
    const auto suite =
        unprotect_ ? std::optional{unprotect_->parameters().suite} : std::optional<SrtpSuite>{};
    switch (receiver_.take(*packet, from, suite, now)) {
    case MediaReceiver::Taken::Heard:
        ++counts_.received_packets;
        break;
    case MediaReceiver::Taken::OnHold:
        ++counts_.on_hold;
        break;
    case MediaReceiver::Taken::UnknownPayload:
        ++counts_.unknown_payload;
        break;
    case MediaReceiver::Taken::TooManySources:
        ++counts_.too_many_sources;
        break;
    }
}

void MediaSession::follow(const Endpoint& from, Instant now) {
    if (from == target_) {
        target_heard_ = now;
        return;
    }
    if (target_heard_.known() && now - target_heard_ < moved_after) {
        return;
    }
    ++counts_.source_changes;
    target_heard_ = now;
    if (settings_.follow_source && target_.port != 0) {
        target_ = from;
        rtcp_target_ = settings_.rtcp_mux ? from : rtcp_target_;
    }
}

void MediaSession::receive_rtcp(Bytes datagram, const Endpoint& from, Instant now) {
    scratch_.assign(datagram.begin(), datagram.end());
    if (unprotect_) {
        const auto copy = before_ && now < before_ends_ ? scratch_ : std::vector<std::uint8_t>{};
        if (!unprotect_->unprotect_rtcp(scratch_)) {
            scratch_ = copy;
            if (copy.empty() || !before_->unprotect_rtcp(scratch_)) {
                ++counts_.rtcp_authentication_failures;
                return;
            }
        }
    }
    CompoundReader reader{scratch_};
    std::size_t packets = 0;
    while (const auto packet = reader.next()) {
        read_rtcp(*packet, now);
        ++packets;
    }
    if (packets == 0) {
        ++counts_.malformed;
        return;
    }
    ++counts_.received_rtcp;
    if (settings_.follow_source && !settings_.rtcp_mux && rtcp_target_.port != 0 &&
        target_.address == from.address) {
        rtcp_target_ = from;
    }
}

void MediaSession::read_rtcp(const RtcpPacket& packet, Instant now) {
    if (const auto report = sender_report(packet)) {
        auto found = std::ranges::find(heard_reports_, packet.ssrc, &HeardReport::ssrc);
        if (found == heard_reports_.end() && heard_reports_.size() < MediaReceiver::most_streams) {
            found = heard_reports_.insert(found, HeardReport{packet.ssrc, 0, {}});
        }
        if (found != heard_reports_.end()) {
            found->middle = static_cast<std::uint32_t>(report->ntp >> 16U);
            found->time = now;
        }
    }
    read_blocks(packet, now);
    auto* stream = receiver_.stream(packet.ssrc);
    if (stream == nullptr) {
        return;
    }
    if (const auto name = canonical_name(packet)) {
        stream->cname = *name;
    }
    stream->said_bye = stream->said_bye || packet.type == RtcpType::Bye;
}

void MediaSession::read_blocks(const RtcpPacket& packet, Instant now) {
    for (const auto& block : report_blocks(packet)) {
        if (block.ssrc != identity_.ssrc) {
            continue;
        }
        PeerReport report{.time = now,
                          .fraction_lost = block.fraction_lost,
                          .lost = block.lost,
                          .jitter_ms = static_cast<double>(block.jitter) / 8,
                          .round_trip = std::nullopt};
        if (block.last_report != 0) {
            // [RFC 3550 §6.4.1] A − LSR − DLSR, in 1/65536 s.
            const auto middle = static_cast<std::uint32_t>(ntp_time(now) >> 16U);
            const auto ticks =
                static_cast<std::int32_t>(middle - block.last_report - block.report_delay);
            report.round_trip = microseconds(std::max(ticks, 0) * std::int64_t{1'000'000} / 65536);
        }
        peer_report_ = report;
    }
}

void MediaSession::advance(Instant now, std::vector<MediaPacket>& out) {
    if (!running_) {
        return;
    }
    receiver_.advance(now);
    sender_.skip_to(now);
    while (sender_.due().known() && sender_.due() <= now) {
        send_rtp(out);
    }
    if (rtcp_due_ <= now) {
        send_rtcp(now, false, out);
        rtcp_due_ = now + rtcp_interval(report_interval);
    }
    if (before_ && before_ends_ <= now) {
        before_.reset();
    }
}

void MediaSession::send_rtp(std::vector<MediaPacket>& out) {
    MediaPacket packet{.bytes = {}, .to = target_};
    sender_.next(packet.bytes);
    if (protect_ && !protect_->protect(packet.bytes)) {
        ++counts_.not_protected;
        return;
    }
    counts_.sent_packets = sender_.packets();
    counts_.sent_octets = sender_.octets();
    out.push_back(std::move(packet));
}

// [RFC 3550 §6.1] A report comes first, and each compound packet has the CNAME.
void MediaSession::send_rtcp(Instant now, bool bye, std::vector<MediaPacket>& out) {
    if (rtcp_target_.port == 0) {
        return;
    }
    MediaPacket packet{
        .bytes = {}, .to = rtcp_target_, .rtcp = true, .from_rtcp_socket = !settings_.rtcp_mux};
    write_reports(now, packet.bytes);
    write_cname(packet.bytes, identity_.ssrc, identity_.cname);
    if (bye) {
        write_bye(packet.bytes, identity_.ssrc);
    }
    if (protect_ && !protect_->protect_rtcp(packet.bytes)) {
        ++counts_.not_protected;
        return;
    }
    ++counts_.sent_rtcp;
    out.push_back(std::move(packet));
}

void MediaSession::write_reports(Instant now, std::vector<std::uint8_t>& out) {
    std::vector<ReportBlock> blocks;
    for (const auto& stream : receiver_.streams()) {
        blocks.push_back(block_of(stream, now));
    }
    // [RFC 3550 §6.4] An SR when something was sent since the last report, or since the one before.
    const bool sent_now = sender_.packets() != reported_packets_;
    const bool sent = sent_now || sent_before_;
    sent_before_ = sent_now;
    reported_packets_ = sender_.packets();
    const SenderReport report{.ntp = ntp_time(now),
                              .rtp_timestamp = sender_.timestamp_at(now),
                              .packets = static_cast<std::uint32_t>(sender_.packets()),
                              .octets = static_cast<std::uint32_t>(sender_.octets())};
    write_report(out, identity_.ssrc, sent ? &report : nullptr, blocks);
}

// [RFC 3550 §A.3] for the fraction; the delay since the last SR is in 1/65536 s.
ReportBlock MediaSession::block_of(const ReceivedStream& stream, Instant now) {
    auto counted = std::ranges::find(counted_, stream.ssrc, &Counted::ssrc);
    if (counted == counted_.end()) {
        counted = counted_.insert(counted, Counted{stream.ssrc, 0, 0});
    }
    const auto expected = stream.stats.expected();
    const auto lost = stream.stats.lost();
    const auto newly_expected = static_cast<double>(expected - counted->expected);
    const auto newly_lost = static_cast<double>(std::max<std::int64_t>(lost - counted->lost, 0));
    *counted = {stream.ssrc, expected, lost};
    ReportBlock block{
        .ssrc = stream.ssrc,
        .fraction_lost = newly_expected > 0 ? newly_lost / newly_expected : 0,
        .lost = static_cast<std::int32_t>(std::clamp<std::int64_t>(lost, -0x80'0000, 0x7f'ffff)),
        .highest = stream.stats.extended_highest(),
        .jitter = static_cast<std::uint32_t>(stream.stats.jitter_ms() * 8)};
    const auto report = std::ranges::find(heard_reports_, stream.ssrc, &HeardReport::ssrc);
    if (report != heard_reports_.end()) {
        block.last_report = report->middle;
        block.report_delay =
            static_cast<std::uint32_t>((now - report->time).ns / 1000 * 65536 / 1'000'000);
    }
    return block;
}

// [RFC 3550 §6.3.1] Of two members at telephone rates the bandwidth never asks for more than Tmin.
Duration MediaSession::rtcp_interval(Duration least) {
    chance_ = mix_hash(chance_, 0x5eed);
    const double between = 0.5 + static_cast<double>(chance_ >> 11U) / 9007199254740992.0;
    return {static_cast<std::int64_t>(static_cast<double>(least.ns) * between / 1.21828)};
}

Instant MediaSession::next_deadline() const {
    if (!running_) {
        return {};
    }
    auto next = std::min(receiver_.due(), rtcp_due_);
    return sender_.due().known() ? std::min(next, sender_.due()) : next;
}

void MediaSession::stop(Instant now, std::vector<MediaPacket>& out) {
    if (!running_) {
        return;
    }
    receiver_.advance(now);
    receiver_.finish();
    send_rtcp(now, true, out);
    running_ = false;
}

} // namespace cw::rtp
