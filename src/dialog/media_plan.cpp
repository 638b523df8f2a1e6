#include "dialog/media_plan.hpp"

#include <algorithm>

#include "dialog/media_line.hpp"

namespace cw::dialog {
namespace {

// One side's description, and in it the stream that is looked at.
struct Side {
    const sdp::Session& session;
    const sdp::Media& media;

    [[nodiscard]] bool sends() const {
        return media.direction == sdp::Direction::SendRecv ||
               media.direction == sdp::Direction::SendOnly;
    }
    [[nodiscard]] bool receives() const {
        return media.direction == sdp::Direction::SendRecv ||
               media.direction == sdp::Direction::RecvOnly;
    }
};

// [RFC 3264 §8.4] 0.0.0.0 is an old hold: nothing may be sent there.
bool is_nowhere(const sdp::Media& media) {
    const auto address = IpAddress::parse(media.connection.address);
    return address && address->is_unspecified();
}

Result<void> plan_formats(const Side& local, const Side& remote, rtp::MediaSettings& out) {
    const auto ours = audio_formats(local.session, local.media);
    const auto theirs = audio_formats(remote.session, remote.media);
    // [RFC 3264 §7] the first format of the peer's list that we have too, with the peer's number.
    const auto chosen = std::ranges::find_if(theirs.codecs, [&](const auto& codec) {
        return std::ranges::find(ours.codecs, codec.law, &rtp::PayloadLaw::law) !=
               ours.codecs.end();
    });
    if (chosen == theirs.codecs.end()) {
        return fail(Code::Unsupported, 0, "offer and answer have no codec in common that we know");
    }
    out.codec = *chosen;
    out.accepted = ours.codecs;
    if (ours.event_type && theirs.event_type) {
        out.event_type = theirs.event_type;
        out.accepted_event = ours.event_type;
        out.event_clock = theirs.event_clock;
    }
    out.ptime = milliseconds(remote.media.ptime_ms != 0 ? remote.media.ptime_ms : 20);
    return {};
}

Result<void> plan_addresses(const Side& local, const Side& remote, rtp::MediaSettings& out) {
    const auto ours = sdp::rtp_endpoint(local.media);
    const auto theirs = sdp::rtp_endpoint(remote.media);
    if (!ours || !theirs) {
        return fail(Code::Unsupported, 0, "a media address that is a name, or missing");
    }
    out.local = *ours;
    out.remote = *theirs;
    out.rtcp_mux = local.media.rtcp_mux && remote.media.rtcp_mux;
    auto for_rtcp = remote.media;
    for_rtcp.rtcp_mux = out.rtcp_mux; // of an offer it was only a wish
    out.remote_rtcp = sdp::rtcp_endpoint(for_rtcp).value_or(Endpoint{});
    out.send = local.sends() && remote.receives() && !is_nowhere(remote.media);
    out.receive = local.receives() && remote.sends();
    if (is_nowhere(remote.media)) {
        out.remote.port = 0;
        out.remote_rtcp.port = 0;
    }
    return {};
}

// [RFC 4568 §5.1.3] "the offerer MUST verify that one of the initially offered crypto suites and
// its accompanying tag were accepted and echoed in the answer".
Result<void> plan_sdes(const Side& offer, const Side& answer, bool we_offered, MediaPlan& out) {
    const auto answered = answer.session.cryptos_of(answer.media);
    if (answered.size() != 1) {
        return fail(Code::Malformed, 0, "the answer has not exactly one a=crypto");
    }
    const auto theirs = read_crypto(answered[0]);
    if (!theirs) {
        return std::unexpected(theirs.error());
    }
    for (const auto& line : offer.session.cryptos_of(offer.media)) {
        if (line.tag != answered[0].tag || line.suite != answered[0].suite) {
            continue;
        }
        const auto offered = read_crypto(line);
        if (!offered) {
            return std::unexpected(offered.error());
        }
        const auto& first = offered->parameters;
        const auto& second = theirs->parameters;
        out.protection = MediaProtection::Sdes;
        out.settings.send_keys = we_offered ? first : second;
        out.settings.receive_keys = we_offered ? second : first;
        return {};
    }
    return fail(Code::Malformed, 0, "the answer's a=crypto has no tag and suite of the offer");
}

// [RFC 5763 §5] Whoever is active opens; the answer decides.
Result<void> plan_dtls(const Side& offer, const Side& answer, bool we_offered, MediaPlan& out) {
    const auto offered = offer.media.setup;
    const auto answered = answer.media.setup;
    if (answered != "active" && answered != "passive") {
        return fail(Code::Malformed, 0, "the answer's a=setup is neither active nor passive");
    }
    if (offered == answered ||
        (offered != "actpass" && offered != "active" && offered != "passive")) {
        return fail(Code::Malformed, 0, "a=setup of offer and answer do not fit each other");
    }
    const bool answerer_opens = answered == "active";
    const auto& fingerprint = (we_offered ? answer : offer).media.fingerprint;
    out.protection = MediaProtection::Dtls;
    out.dtls_client = answerer_opens != we_offered;
    out.peer_fingerprint = std::string{fingerprint.hash} + " " + std::string{fingerprint.value};
    return {};
}

Result<void> plan_protection(const Side& offer, const Side& answer, bool we_offered,
                             MediaPlan& out) {
    const auto offered = keying_of(offer.session, offer.media);
    const auto answered = keying_of(answer.session, answer.media);
    const auto either = [&](Keying keying) { return offered == keying && answered == keying; };
    if (either(Keying::Sdes)) {
        return plan_sdes(offer, answer, we_offered, out);
    }
    if (either(Keying::Dtls)) {
        return plan_dtls(offer, answer, we_offered, out);
    }
    // An opportunistic offer may have both, and its answer one of them [RFC 8643 §3.2].
    if (answered == Keying::Dtls && !offer.media.fingerprint.value.empty()) {
        return plan_dtls(offer, answer, we_offered, out);
    }
    if (answered == Keying::Sdes && !offer.session.cryptos_of(offer.media).empty()) {
        return plan_sdes(offer, answer, we_offered, out);
    }
    if (answered != Keying::None) {
        return fail(Code::Malformed, 0, "the answer has keys of a kind that was not offered");
    }
    if (is_secure_profile(offer.media.protocol)) {
        return fail(Code::Malformed, 0, "a secure profile was agreed on, but no keys");
    }
    return {}; // [RFC 8643 §3.3] without keys in the answer, clear RTP
}

} // namespace

Result<MediaPlan> plan_media(std::string_view local, std::string_view remote, bool we_offered) {
    const auto own = sdp::parse(local);
    const auto peer = sdp::parse(remote);
    if (!own || !peer) {
        return std::unexpected(own ? peer.error() : own.error());
    }
    if (own->media.size() != peer->media.size()) {
        return fail(Code::Malformed, 0, "the answer has not as many m= lines as the offer");
    }
    for (std::size_t i = 0; i < own->media.size(); ++i) {
        const Side ours{*own, own->media[i]};
        const Side theirs{*peer, peer->media[i]};
        if (ours.media.type != theirs.media.type) {
            return fail(Code::Malformed, 0, "an m= line of the answer is of another kind");
        }
        if (ours.media.type != "audio" || ours.media.port == 0 || theirs.media.port == 0) {
            continue;
        }
        const auto& offer = we_offered ? ours : theirs;
        const auto& answer = we_offered ? theirs : ours;
        if (offer.media.protocol != answer.media.protocol) {
            return fail(Code::Malformed, 0, "an m= line of the answer has another profile");
        }
        MediaPlan out;
        auto ok = plan_addresses(ours, theirs, out.settings);
        ok = ok ? plan_formats(ours, theirs, out.settings) : ok;
        ok = ok ? plan_protection(offer, answer, we_offered, out) : ok;
        return ok ? Result<MediaPlan>{std::move(out)} : std::unexpected(ok.error());
    }
    MediaPlan out;
    out.refused = true;
    return out;
}

} // namespace cw::dialog
