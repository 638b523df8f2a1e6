#include "play/media_side.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "dialog/session_description.hpp"

namespace cw::play {

using dialog::MediaProtection;
using script::Protection;
using script::Word;

namespace {

// What we take, the most usual first.
constexpr std::array all_suites{rtp::SrtpSuite::AesCm128Sha1_80, rtp::SrtpSuite::AeadAes256Gcm,
                                rtp::SrtpSuite::AeadAes128Gcm,   rtp::SrtpSuite::AesCm256Sha1_80,
                                rtp::SrtpSuite::AesCm256Sha1_32, rtp::SrtpSuite::AesCm128Sha1_32,
                                rtp::SrtpSuite::AesCm192Sha1_80, rtp::SrtpSuite::AesCm192Sha1_32};

std::optional<MediaProtection> protection_of(const script::Facts& facts) {
    const auto* said = script::find<script::Description>(facts);
    if (said == nullptr) {
        return std::nullopt;
    }
    switch (said->protection) {
    case Protection::Sdp:
        return std::nullopt;
    case Protection::Rtp:
        return MediaProtection::Clear;
    case Protection::Srtp:
        return MediaProtection::Sdes;
    case Protection::DtlsSrtp:
        return MediaProtection::Dtls;
    case Protection::Osrtp:
        return MediaProtection::Opportunistic;
    }
    return std::nullopt;
}

std::vector<rtp::SrtpSuite> suites_of(const script::Facts& facts) {
    std::vector<rtp::SrtpSuite> out;
    for (const auto& fact : facts) {
        if (const auto* suite = std::get_if<script::Suite>(&fact.value)) {
            if (const auto known = rtp::srtp_suite(suite->name)) {
                out.push_back(*known);
            }
        }
    }
    return out;
}

} // namespace

bool is_musical(const script::Party& party) {
    std::string names = party.id + "\n" + party.label;
    std::ranges::transform(names, names.begin(), ascii_lower);
    return names.contains("music") || names.contains("moh") || names.contains("announcement");
}

MediaSide::MediaSide(PartyId owner, CallId in, const MediaPlace& at, const Member& member,
                     bool musical, std::uint64_t chance)
    : party(owner), call(in), place(at),
      session({.ssrc = static_cast<std::uint32_t>(chance),
               .first_sequence = static_cast<std::uint16_t>(chance >> 32 & 0x7fff),
               .first_timestamp = static_cast<std::uint32_t>(chance >> 16),
               .cname = member.user + "@" + member.domain}) {
    own_.session_id = chance >> 33;
    own_.rtp = at.rtp;
    own_.rtcp_port = at.rtcp.port;
    own_.codecs.clear();
    own_.event_type.reset();
    for (const auto& codec : member.codecs) {
        if (iequals(codec, "PCMU")) {
            own_.codecs.push_back({0, rtp::Law::Mu});
        } else if (iequals(codec, "PCMA")) {
            own_.codecs.push_back({8, rtp::Law::A});
        } else if (iequals(codec, "telephone-event")) {
            own_.event_type = 101;
        }
    }
    own_.fingerprint = member.fingerprint;
    own_.rtcp_mux = true; // one association for both [RFC 5764 §5.1.2]
    musical_ = musical;
    speak(true);
}

// What it says: a tone of its own, or music; while it holds the other side, nothing.
void MediaSide::speak(bool aloud) {
    session.play(musical_ ? rtp::AudioSource::music()
                 : aloud  ? rtp::AudioSource::tone(rtp::mark_of(party))
                          : rtp::AudioSource{});
}

void MediaSide::choose_keys(const script::Facts& facts) {
    const auto suites = suites_of(facts);
    const bool renew = script::says(facts, Word::NewKey) || own_.keys.empty() || !suites.empty();
    if (renew) {
        const std::span<const rtp::SrtpSuite> wanted =
            suites.empty() ? std::span<const rtp::SrtpSuite>{all_suites} : std::span{suites};
        if (auto keys = dialog::random_keys(wanted)) {
            own_.keys = std::move(*keys);
        }
        if (names_ != nullptr && own_.protection != MediaProtection::Clear) {
            for (auto& parameters : own_.keys) {
                auto& secret = parameters.keys.front().secret;
                std::array<std::uint8_t, rtp::SrtpSecret::most> octets{};
                const auto drawn = std::span{octets}.first(secret.octets().size());
                names_->octets(drawn);
                secret = rtp::SrtpSecret{Bytes{drawn}};
            }
        }
    }
}

void MediaSide::settle_direction(const script::Facts& facts, bool answers) {
    if (script::says(facts, Word::Hold)) {
        // An answer to a hold is not a hold itself: what the offer leaves is decided by its shape.
        own_.direction = answers ? own_.direction : dialog::hold_direction(own_.direction);
        speak(answers);
    } else if (script::says(facts, Word::Resume)) {
        own_.direction = sdp::Direction::SendRecv;
        speak(true);
    }
}

std::string MediaSide::offer(const script::Facts& facts, bool secure) {
    own_.protection = protection_of(facts).value_or(written_ ? own_.protection
                                                    : secure ? MediaProtection::Sdes
                                                             : MediaProtection::Clear);
    choose_keys(facts);
    settle_direction(facts, false);
    own_.session_version += written_ ? 1 : 0;
    written_ = true;
    own_offer_ = dialog::write_offer(own_);
    return own_offer_;
}

std::string MediaSide::answer(const script::Facts& facts) {
    own_.protection = protection_of(facts).value_or(MediaProtection::Opportunistic);
    choose_keys(facts);
    settle_direction(facts, true);
    own_.session_version += written_ ? 1 : 0;
    written_ = true;
    auto text = dialog::write_answer(their_offer_, own_);
    if (!text) {
        problem_ = text.error().what;
        return {};
    }
    local_ = std::move(*text);
    remote_ = std::move(their_offer_);
    their_offer_.clear();
    return local_;
}

void MediaSide::take_offer(std::string_view text) {
    their_offer_ = text;
}

void MediaSide::take_answer(std::string_view text, Instant now) {
    local_ = std::move(own_offer_);
    own_offer_.clear();
    remote_ = text;
    agree(true, now);
}

void MediaSide::forget_offer() {
    own_offer_.clear();
    their_offer_.clear();
}

void MediaSide::settle(Instant now) {
    agree(false, now);
}

void MediaSide::agree(bool we_offered, Instant now) {
    auto settled = dialog::plan_media(local_, remote_, we_offered);
    if (!settled) {
        problem_ = settled.error().what;
        return;
    }
    plan = std::move(*settled);
    if (plan.refused) {
        return;
    }
    // Whoever took what was offered offers the same from now on, in the same profile.
    const bool in_the_open =
        plan.protection == MediaProtection::Sdes && !remote_.contains("RTP/SAVP");
    if (!we_offered && own_.protection == MediaProtection::Opportunistic && !in_the_open) {
        own_.protection = plan.protection;
    }
    if (plan.protection == MediaProtection::Dtls) {
        if (!keys_) {
            wants_dtls_ = true;
            return;
        }
        if (!use_keys()) {
            return;
        }
    }
    configure(now);
}

void MediaSide::configure(Instant now) {
    if (auto done = session.configure(plan.settings, now); !done) {
        problem_ = done.error().what;
        return;
    }
    agreed_ = true;
}

void MediaSide::take_keys(const DtlsKeys& keys, Instant now) {
    if (!keys.failure.empty()) {
        problem_ = keys.failure;
        return;
    }
    keys_ = keys;
    if (use_keys()) {
        configure(now);
    }
}

bool MediaSide::use_keys() {
    const auto send = rtp::srtp_parameters_of_dtls(keys_->profile, keys_->send);
    const auto receive = rtp::srtp_parameters_of_dtls(keys_->profile, keys_->receive);
    if (!send || !receive) {
        problem_ = (send ? receive : send).error().what;
        return false;
    }
    plan.settings.send_keys = *send;
    plan.settings.receive_keys = *receive;
    return true;
}

void MediaSide::stop(Instant now, std::vector<rtp::MediaPacket>& out) {
    if (agreed_ && !stopped_) {
        session.stop(now, out);
    }
    stopped_ = true;
}

MediaSide::Mark MediaSide::mark() const {
    Mark out{session.listener(), 0, 0};
    for (const auto& one : session.streams()) {
        out.packets += one.stats.packets();
        out.lost += static_cast<std::int64_t>(one.stats.missing());
    }
    return out;
}

const rtp::ReceivedStream* MediaSide::stream() const {
    const rtp::ReceivedStream* out = nullptr;
    for (const auto& one : session.streams()) {
        if (out == nullptr || out->stats.last_time() <= one.stats.last_time()) {
            out = &one;
        }
    }
    return out;
}

} // namespace cw::play
