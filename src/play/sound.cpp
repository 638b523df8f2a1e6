#include "play/sound.hpp"

#include "play/media_side.hpp"
#include "play/messages.hpp"

namespace cw::play {

using script::Word;
using sip::Method;

namespace {

bool says_something(const script::Facts& facts) {
    return script::find<script::Description>(facts) != nullptr || script::says(facts, Word::Hold) ||
           script::says(facts, Word::Resume) || script::says(facts, Word::NewKey);
}

// Whom the party has this call with, as it is drawn, where what it hears does not tell.
PartyId far_end(const script::Plan& plan, PartyId party, CallId call) {
    for (const auto& step : plan.steps) {
        const auto* a = std::get_if<Arrow>(&step.what);
        if (a != nullptr && a->call == call && (a->from == party || a->to == party)) {
            return a->from == party ? a->to : a->from;
        }
    }
    return party;
}

} // namespace

// "[isfocus] indicates that the UA is a conference server, also known as a focus, and will mix
// together the media for all calls to the same URI" [RFC 3840 §10.18].
Sound::Sound(State& state) : state_(state), focus_(state.plan.parties.size()) {
    for (const auto& step : state.plan.steps) {
        const auto* a = std::get_if<Arrow>(&step.what);
        if (a == nullptr || !state.ours(a->from)) {
            continue;
        }
        for (const auto& fact : a->facts) {
            const auto* header = std::get_if<script::Header>(&fact.value);
            if (header == nullptr || header->id != sip::HeaderId::Contact) {
                continue;
            }
            for (const auto& piece : header->value.pieces) {
                const auto* text = std::get_if<std::string>(&piece);
                focus_[a->from] = focus_[a->from] || (text != nullptr && text->contains("isfocus"));
            }
        }
    }
}
Sound::~Sound() = default;

MediaSide& Sound::side(PartyId party, CallId call) {
    auto& side = sides_[{party, call}];
    if (side == nullptr) {
        const auto& member = state_.cast.members[party];
        const auto at = member.media.find(call);
        const bool musical = is_musical(state_.plan.parties[party]);
        side = std::make_unique<MediaSide>(party, call,
                                           at != member.media.end() ? at->second : MediaPlace{},
                                           member, musical, state_.names.session());
        side->session.record(state_.given.record);
        if (!state_.given.media) {
            side->draw_keys_from(state_.names);
        }
        mix(*side);
    }
    return *side;
}

// Who is a focus says in each call what it hears in the others.
void Sound::mix(MediaSide& own) {
    for (auto& [key, other] : sides_) {
        if (focus_[own.party] && key.first == own.party && other.get() != &own) {
            own.session.mix_into(other->session);
            other->session.mix_into(own.session);
        }
    }
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
        if (!text.empty()) { // else the offer cannot be answered, and why stays known
            own.settle(state_.now);
            own.agreement = ++agreements_;
            ask_for_keys(own);
        }
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
    const bool answers =
        own.has_offered() && !carrier.offers &&
        (!request || carrier.method == Method::Ack || carrier.method == Method::Prack);
    if (answers) {
        own.take_answer(body, state_.now);
        own.agreement = ++agreements_;
        ask_for_keys(own);
    } else if (request || carrier.offers || (is_success(carrier.status) && !own.agreed())) {
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

// ---- packets and time

void Sound::send(MediaSide& own, std::vector<rtp::MediaPacket>& packets) {
    for (auto& packet : packets) {
        if (!state_.given.media) {
            break;
        }
        state_.wants.media.push_back({own.place.socket + (packet.from_rtcp_socket ? 1U : 0U),
                                      packet.to,
                                      std::string{packet.bytes.begin(), packet.bytes.end()}});
    }
    packets.clear();
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
    if (!state_.given.media) {
        return;
    }
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
    if (!state_.given.media) {
        return out;
    }
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
            line.from = peer.value_or(far_end(state_.plan, key.first, key.second));
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
        if (!out.empty() && !one->session.recording().empty() &&
            !one->session.streams().empty()) { // once, with the first stream of that side
            out[out.size() - one->session.streams().size()].heard = one->session.recording();
        }
    }
}

} // namespace cw::play
