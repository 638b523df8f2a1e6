#include "play/sound.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/aka.hpp"
#include "crypto/digest_fields.hpp"
#include "play/media_side.hpp"
#include "sdp/session.hpp"

namespace cw::play {

using script::Word;
using sip::Method;

namespace {

// A server that plays to those who wait has music; everybody else his own tone.
bool is_musical(std::string_view label) {
    std::string lower;
    for (const char c : label) {
        lower += ascii_lower(c);
    }
    return lower.contains("music") || lower.contains("moh") || lower.contains("announcement");
}

bool is_success(std::uint16_t status) {
    return status >= 200 && status < 300;
}

bool says_something(const script::Facts& facts) {
    return script::find<script::Description>(facts) != nullptr || script::says(facts, Word::Hold) ||
           script::says(facts, Word::Resume) || script::says(facts, Word::NewKey);
}

} // namespace

Sound::Sound(State& state) : state_(state) {}
Sound::~Sound() = default;

MediaSide& Sound::side(PartyId party, CallId call) {
    auto& side = sides_[{party, call}];
    if (side == nullptr) {
        const auto& member = state_.cast.members[party];
        const auto at = member.media.find(call);
        const bool musical = is_musical(member.id) || is_musical(state_.plan.parties[party].label);
        side = std::make_unique<MediaSide>(party, call,
                                           at != member.media.end() ? at->second : MediaPlace{},
                                           member, musical, state_.names.next());
    }
    return *side;
}

// ---- offers and answers

std::string Sound::describe(PartyId party, CallId call, const Carrier& carrier,
                            const script::Facts& facts) {
    if (call == 0 || script::says(facts, Word::NoSdp)) {
        return {};
    }
    const bool said = says_something(facts);
    const auto* description = script::find<script::Description>(facts);
    const auto method = carrier.method;
    const bool may = method == Method::Invite || method == Method::Ack || method == Method::Prack ||
                     method == Method::Update || said;
    if (!may) {
        return {};
    }
    auto& own = side(party, call);
    const bool request = carrier.status == 0;
    bool answers =
        own.offer_waits() && !(request && (method == Method::Invite || method == Method::Update));
    bool due = said;
    if (request && method == Method::Invite) {
        due = true;
    } else if (request && method == Method::Ack) {
        due = answers;
    } else if (!request && is_success(carrier.status)) {
        due = due || answers || method == Method::Invite;
    }
    if (!due || (carrier.status >= 300 && !said)) {
        return {};
    }
    if (description != nullptr && description->answer != answers) {
        if (description->answer) {
            return own.local(); // it was given already: here it is once more
        }
        answers = false; // another offer, although one waits: as drawn
    }
    if (answers) {
        auto text = own.answer(facts);
        own.settle(state_.now);
        own.agreement = ++agreements_;
        ask_for_keys(own);
        return text;
    }
    // A 2xx behind a provisional response that answered already says the same again.
    if (!request && method == Method::Invite && own.agreed() && !said) {
        return own.local();
    }
    return own.offer(facts, carrier.secure);
}

void Sound::received(PartyId party, CallId call, const Carrier& carrier, std::string_view body) {
    if (call == 0 || !body.starts_with("v=")) {
        return;
    }
    auto& own = side(party, call);
    const bool request = carrier.status == 0;
    const bool answers = own.has_offered() && (!request || carrier.method == Method::Ack ||
                                               carrier.method == Method::Prack);
    if (answers) {
        own.take_answer(body, state_.now);
        own.agreement = ++agreements_;
        ask_for_keys(own);
    } else if (request || (is_success(carrier.status) && !own.agreed())) {
        own.take_offer(body);
    }
}

void Sound::refused(PartyId party, CallId call) {
    if (const auto at = sides_.find({party, call}); at != sides_.end()) {
        at->second->forget_offer();
    }
}

void Sound::ended(PartyId party, CallId call) {
    for (const auto one : {call, inner_leg(call)}) {
        if (const auto at = sides_.find({party, one}); at != sides_.end()) {
            std::vector<rtp::MediaPacket> out;
            at->second->stop(state_.now, out);
            send(*at->second, out);
        }
    }
}

std::optional<Difference> Sound::check(const script::Facts& facts, std::string_view body) {
    const bool has = body.starts_with("v=");
    if (script::says(facts, Word::NoSdp)) {
        return has ? std::optional{Difference{"the body", "no SDP", "a session description"}}
                   : std::nullopt;
    }
    const auto* said = script::find<script::Description>(facts);
    const bool hold = script::says(facts, Word::Hold);
    const bool resume = script::says(facts, Word::Resume);
    if (said == nullptr && !hold && !resume) {
        return std::nullopt;
    }
    const auto session = sdp::parse(body);
    if (!has || !session || session->media.empty()) {
        return Difference{"the body", "a session description",
                          body.empty() ? "nothing" : "something else"};
    }
    const auto& media = session->media.front();
    const bool keys = !session->cryptos_of(media).empty();
    const bool secure = media.protocol.contains("SAVP");
    const bool fingerprint = !media.fingerprint.value.empty();
    const bool dtls = fingerprint || session->fingerprint.value.data() != nullptr ||
                      media.protocol.contains("TLS/RTP");
    const std::string seen = secure && dtls ? "DTLS-SRTP"
                             : secure       ? "SRTP"
                             : keys         ? "OSRTP"
                                            : "RTP";
    if (said != nullptr && said->protection != script::Protection::Sdp) {
        const std::string_view wanted = said->protection == script::Protection::Rtp    ? "RTP"
                                        : said->protection == script::Protection::Srtp ? "SRTP"
                                        : said->protection == script::Protection::DtlsSrtp
                                            ? "DTLS-SRTP"
                                            : "OSRTP";
        // What is offered opportunistically may be answered without keys [RFC 8643 §3.3].
        const bool fits = seen == wanted || (wanted == "OSRTP" && said->answer && seen == "RTP");
        if (!fits) {
            return Difference{"the media's protection", std::string{wanted},
                              fmt::format("{} ({})", seen, media.protocol)};
        }
    }
    for (const auto& fact : facts) {
        if (const auto* suite = std::get_if<script::Suite>(&fact.value)) {
            const auto lines = session->cryptos_of(media);
            if (std::ranges::find(lines, suite->name, &sdp::Crypto::suite) == lines.end()) {
                return Difference{"the SRTP suite", suite->name,
                                  lines.empty() ? "none" : std::string{lines.front().suite}};
            }
        }
    }
    const auto direction = std::string{sdp::to_string(media.direction)};
    if (hold && media.direction == sdp::Direction::SendRecv) {
        return Difference{"the direction", "on hold", direction};
    }
    if (resume && media.direction != sdp::Direction::SendRecv) {
        return Difference{"the direction", "sendrecv", direction};
    }
    return std::nullopt;
}

// ---- who hears whom

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
    for (auto* one : {pair.from, pair.to}) {
        if (one != nullptr && !one->marks.contains(step)) {
            one->marks.emplace(step, one->mark());
        }
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
        return Difference{"the media " + names, fmt::format("for {:g} s", length.seconds()), seen};
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
    const auto heard = state_.ours(arrow.from) && !is_musical(state_.plan.parties[arrow.from].id) &&
                               !is_musical(state_.plan.parties[arrow.from].label)
                           ? after.listener.heard(rtp::mark_of(arrow.from)) -
                                 before.listener.heard(rtp::mark_of(arrow.from))
                           : after.listener.sound() - before.listener.sound();
    if (heard.ns * 10 < length.ns * 6) {
        return Difference{
            "the sound " + names,
            fmt::format("{} for {:g} s", state_.plan.parties[arrow.from].id, length.seconds()),
            fmt::format("{} for {:.2f} s, in {} packets", state_.plan.parties[arrow.from].id,
                        heard.seconds(), packets)};
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

// ---- what a party does by itself

bool Sound::perform_act(StepId step, const script::Act& act) {
    auto& wait = state_.waiting[step];
    const auto* hears = std::get_if<script::Hears>(&act.action);
    const auto* whom = hears != nullptr ? std::get_if<PartyId>(&hears->what) : nullptr;
    if (std::holds_alternative<script::HangsUp>(act.action)) {
        return finish(step, std::nullopt, "");
    }
    if (std::holds_alternative<script::ChecksAutn>(act.action)) {
        return check_autn(step, act.party);
    }
    MediaSide* own = whom != nullptr ? latest(act.party, *whom) : nullptr;
    own = own != nullptr ? own : latest(act.party);
    const bool silence = hears != nullptr && hears->what == std::variant<PartyId, script::Sound>{
                                                                script::Sound::Silence};
    if (own == nullptr) {
        if (silence && state_.now < wait.since + hears->time) {
            return false;
        }
        return finish(step, std::nullopt, silence ? "" : "it has no media: nothing was settled");
    }
    if (const auto* presses = std::get_if<script::Presses>(&act.action)) {
        if (!wait.begun && !own->session.press(presses->keys)) {
            return finish(step, std::nullopt,
                          "the other side takes no keys (telephone-event was not agreed on)");
        }
        wait.begun = true;
        return own->session.keys_pressed() && finish(step, std::nullopt, "");
    }
    if (const auto* gets = std::get_if<script::Gets>(&act.action)) {
        const auto digits = own->session.digits();
        const auto limit = gets->within.value_or(seconds(5));
        if (digits.size() < own->digits_read + gets->keys.size() &&
            state_.now < wait.since + limit) {
            return false;
        }
        std::string seen;
        for (auto i = own->digits_read; i < digits.size(); ++i) {
            seen += digits[i].digit;
        }
        own->digits_read = digits.size();
        return finish(step,
                      seen == gets->keys ? std::nullopt
                                         : std::optional{Difference{"what was pressed", gets->keys,
                                                                    seen.empty() ? "none" : seen}},
                      "");
    }
    if (const auto* says = std::get_if<script::Says>(&act.action)) {
        return say(step, *own, *says);
    }
    if (hears == nullptr) {
        return finish(step, std::nullopt, "");
    }
    if (!own->marks.contains(step)) {
        own->marks.emplace(step, own->mark());
    }
    if (state_.now < wait.since + hears->time + milliseconds(200)) {
        return false;
    }
    const auto& before = own->marks.at(step);
    const auto after = own->mark();
    Duration heard;
    std::string what;
    const bool music = whom != nullptr && (is_musical(state_.plan.parties[*whom].id) ||
                                           is_musical(state_.plan.parties[*whom].label));
    if (music) {
        heard = after.listener.unmarked() - before.listener.unmarked();
        what = state_.plan.parties[*whom].id;
    } else if (whom != nullptr) {
        heard =
            after.listener.heard(rtp::mark_of(*whom)) - before.listener.heard(rtp::mark_of(*whom));
        what = state_.plan.parties[*whom].id;
    } else {
        switch (std::get<script::Sound>(hears->what)) {
        case script::Sound::Silence:
            heard = hears->time - (after.listener.sound() - before.listener.sound());
            what = "silence";
            break;
        case script::Sound::Music:
            heard = after.listener.unmarked() - before.listener.unmarked();
            what = "music";
            break;
        case script::Sound::Speech:
            heard = after.listener.sound() - before.listener.sound();
            what = "speech";
            break;
        }
    }
    if (heard.ns * 10 >= hears->time.ns * 6) {
        return finish(step, std::nullopt, "");
    }
    const auto sound = after.listener.sound() - before.listener.sound();
    return finish(step,
                  Difference{"what is heard",
                             fmt::format("{} for {:g} s", what, hears->time.seconds()),
                             fmt::format("{} for {:.2f} s (sound in all: {:.2f} s)", what,
                                         std::max(heard, Duration{}).seconds(), sound.seconds())},
                  fmt::format("it does not hear {}", what));
}

bool Sound::say(StepId step, MediaSide& own, const script::Says& says) {
    auto& wait = state_.waiting[step];
    if (!wait.begun) {
        const auto file = state_.given.sounds.find(says.file);
        if (file == state_.given.sounds.end()) {
            return finish(step, std::nullopt, says.file + " cannot be read");
        }
        own.session.play(rtp::AudioSource::samples(file->second));
        wait.begun = true;
    }
    if (!own.session.source_finished()) {
        return false;
    }
    own.session.play(rtp::AudioSource::tone(rtp::mark_of(own.party)));
    return finish(step, std::nullopt, "");
}

// ---- packets and time

void Sound::send(MediaSide& own, std::vector<rtp::MediaPacket>& packets) {
    for (auto& packet : packets) {
        state_.wants.media.push_back({own.place.socket + (packet.from_rtcp_socket ? 1U : 0U),
                                      packet.to,
                                      std::string{packet.bytes.begin(), packet.bytes.end()}});
    }
    packets.clear();
}

// ---- DTLS-SRTP

// The handshakes themselves are the host's; here their keys arrive.
void Sound::on_dtls(std::uint32_t socket, const DtlsKeys& keys) {
    for (auto& [key, one] : sides_) {
        if (one->place.socket == (socket & ~1U)) {
            one->take_keys(keys, state_.now);
            one->agreement = ++agreements_;
        }
    }
}

void Sound::ask_for_keys(MediaSide& own) {
    if (!own.wants_dtls()) {
        return;
    }
    state_.wants.dtls.push_back({own.place.socket, own.plan.settings.remote, own.plan.dtls_client,
                                 own.plan.peer_fingerprint, own.party});
    own.dtls_asked();
}

bool Sound::perform_dtls(StepId step, const Arrow& arrow) {
    const MediaSide* sides[] = {nullptr, nullptr};
    for (const auto& [key, one] : sides_) {
        if (one->protection() == dialog::MediaProtection::Dtls) {
            sides[0] = key.first == arrow.from ? one.get() : sides[0];
            sides[1] = key.first == arrow.to ? one.get() : sides[1];
        }
    }
    const bool must_fail = script::is_lost(arrow.link);
    std::string why;
    bool all = true;
    for (const auto& [index, party] : {std::pair{0, arrow.from}, std::pair{1, arrow.to}}) {
        if (!state_.ours(party)) {
            continue;
        }
        all = all && sides[index] != nullptr && sides[index]->agreed();
        if (sides[index] != nullptr && !sides[index]->problem().empty()) {
            why = sides[index]->problem();
        }
    }
    if (!all && why.empty()) {
        return false;
    }
    if (must_fail) {
        return finish(step, std::nullopt, all ? "the handshake was accepted" : "");
    }
    return finish(step, std::nullopt, all ? "" : why);
}

// The latest challenge, against the subscriber's own card [RFC 3310 §3.3].
bool Sound::check_autn(StepId step, PartyId party) {
    const auto& player = state_.players[party];
    for (auto i = player.challenges.size(); i-- > 0;) {
        for (const auto& value : player.challenges[i].values) {
            const auto challenge = crypto::parse_challenge(value);
            if (!challenge || !crypto::parse_aka_algorithm(challenge->algorithm)) {
                continue;
            }
            const auto opened = crypto::open_aka_nonce(State::card_of(state_.cast.members[party]),
                                                       challenge->nonce, player.sqn);
            const bool good = opened.verdict == crypto::AkaOpened::Verdict::Good;
            return finish(step, std::nullopt,
                          good ? "" : "AUTN does not prove that the network knows the card");
        }
    }
    return finish(step, std::nullopt, "there is no challenge of AKA");
}

void Sound::on_packet(std::uint32_t socket, const Endpoint& from, Bytes packet) {
    for (auto& [key, one] : sides_) {
        if (one->place.socket == (socket & ~1U) && one->agreed()) {
            one->session.receive(packet, from, state_.now);
            return;
        }
    }
}

void Sound::advance() {
    std::vector<rtp::MediaPacket> out;
    for (auto& [key, one] : sides_) {
        if (one->agreed()) {
            one->session.advance(state_.now, out);
            send(*one, out);
        }
    }
}

Instant Sound::next_deadline() const {
    Instant out;
    for (const auto& [key, one] : sides_) {
        const auto due = one->agreed() ? one->session.next_deadline() : Instant{};
        if (due.known() && (!out.known() || due < out)) {
            out = due;
        }
    }
    return out;
}

void Sound::report(std::vector<StreamReport>& out) const {
    for (const auto& [key, one] : sides_) {
        const auto peer = peer_of(*one);
        for (const auto& stream : one->session.streams()) {
            auto& line = out.emplace_back();
            line.from = peer.value_or(key.first);
            line.to = key.first;
            line.call = key.second;
            line.codec = stream.codec;
            line.suite = stream.suite ? rtp::to_string(*stream.suite) : std::string_view{};
            line.packets = stream.stats.packets();
            line.lost = stream.stats.missing();
            line.unauthentic = one->session.counts().authentication_failures;
            line.jitter_ms = stream.stats.mean_jitter_ms();
            line.mos = stream.mos();
        }
    }
}

} // namespace cw::play
