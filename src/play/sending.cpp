#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "crypto/digest_client.hpp"
#include "crypto/digest_fields.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"
#include "play/writing.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/via.hpp"

namespace cw::play {

using sip::HeaderId;
using sip::Method;

namespace {

// Is the same response to the INVITE drawn once more below? Then it does not repeat by itself.
bool drawn_again(const State& s, StepId step, const Arrow& a, const script::Response& response) {
    for (StepId i = step + 1; i < s.plan.steps.size(); ++i) {
        const auto* later = std::get_if<Arrow>(&s.plan.steps[i].what);
        const auto* other =
            later != nullptr ? std::get_if<script::Response>(&later->content) : nullptr;
        if (other != nullptr && later->from == a.from && later->forwards == a.forwards &&
            other->answers == response.answers && other->status == response.status) {
            return true;
        }
    }
    return false;
}

} // namespace

std::string branch_of(std::string_view text) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    if (!message) {
        return {};
    }
    const auto via = sip::parse_via(message->value(HeaderId::Via));
    return via ? std::string{via->branch} : std::string{};
}

std::string State::new_via(PartyId party, sip::Transport transport, bool v6) {
    return fmt::format("SIP/2.0/{} {};branch={};rport", via_transport(transport),
                       cast.sent_by(party, transport, v6), names.branch());
}

std::string State::credentials(const Member& self, std::string_view password,
                               const crypto::DigestChallenge& challenge,
                               const dialog::Draft& request, std::uint32_t count) {
    const auto cnonce = names.tag();
    return crypto::answer_challenge(digester, challenge,
                                    {.username = self.login,
                                     .password = password,
                                     .method = request.method(),
                                     .uri = request.uri(),
                                     .body = request.body(),
                                     .cnonce = cnonce,
                                     .nc = count});
}

void State::cannot_send(StepId step, const std::string& why) {
    failed(step, Verdict::Missing, "it cannot be sent: " + why);
    stop("");
}

std::optional<StepId> State::drawn_ack(StepId invite, bool refused) const {
    const auto& a = arrow(invite);
    for (StepId i = invite + 1; i < plan.steps.size(); ++i) {
        const auto* later = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* request =
            later != nullptr ? std::get_if<script::Request>(&later->content) : nullptr;
        if (request == nullptr || later->from != a.from || later->call != a.call ||
            (refused && later->to != a.to) || schedule.passed_over(i)) {
            continue;
        }
        if (request->method == Method::Ack && !schedule.is_sent(i)) {
            return i;
        }
        if (request->method == Method::Invite && !request->again) {
            return std::nullopt;
        }
    }
    return std::nullopt;
}

bool State::perform_send(StepId step) {
    const auto& a = arrow(step);
    if (const auto* after = script::find<script::After>(a.facts)) {
        if (now < waiting[step].since + after->time) {
            return false;
        }
    }
    if (!players[a.from].alive) {
        failed(step, Verdict::Missing, plan.parties[a.from].id + " has been destroyed");
        stop("");
        return true;
    }
    if (const auto* request = std::get_if<script::Request>(&a.content)) {
        return send_request(step, a, *request);
    }
    if (const auto* response = std::get_if<script::Response>(&a.content)) {
        return send_response(step, a, *response);
    }
    schedule.sent(step, now);
    return true;
}

bool State::send_request(StepId step, const Arrow& a, const script::Request& request) {
    auto& exchange = exchanges[step];
    const bool lost = script::is_lost(a.link);
    // Where it really goes: as drawn, or, when the drawing leaves out a server that is not ours to
    // play, to that.
    auto next = a.to;
    const auto hop =
        plan.parties[a.from].actor ? next_hop_of(*this, a.from, key_of(step)) : std::nullopt;
    if (hop && !ours(*hop) && *hop != a.from) {
        next = *hop;
    } else if (cast.members[a.from].via && ours(a.to) && !hop) {
        next = *cast.members[a.from].via;
    }
    Wire wire;
    if (lost) {
        wire.transport = cast.transport(a.from, a.to);
    } else if (const auto found = way(step, a.from, next)) {
        wire = *found;
    } else {
        return false;
    }
    std::string text;
    if (request.again) {
        text = exchanges[first_of(step)].sent;
    } else {
        report_asked(step);
        exchange = {}; // in a loop, another one each round
    }
    // The ACK to a refusal: the transaction has it ready.
    Exchange* refused = nullptr;
    if (request.method == Method::Ack) {
        for (StepId i = step; i-- > 0 && refused == nullptr;) {
            const auto* earlier = std::get_if<Arrow>(&plan.steps[i].what);
            if (earlier != nullptr && earlier->from == a.from && earlier->to == a.to &&
                exchanges[i].ack_due) {
                refused = &exchanges[i];
            }
        }
        if (refused != nullptr) {
            text = refused->ack;
            refused->ack_due = false;
        }
    }
    if (text.empty()) {
        auto written = write_request(*this, step, a, request, wire);
        if (!written) {
            cannot_send(step, written.error());
            return true;
        }
        text = std::move(*written);
    }
    exchange.sent = text;
    exchange.sent_on = wire;
    exchange.sent_at = now + delay;
    exchanges[first_of(step)].sent = text;
    if (!lost) {
        if (request.method == Method::Ack && refused != nullptr) {
            outbox.send(refused->sent_on, text);
        } else {
            put_on_wire(step, a, text, wire, request.method);
        }
    }
    if (request.method == Method::Bye && !a.forwards && !lost) {
        sound->ended(a.from, a.call);
    }
    schedule.sent(step, now);
    if (!ours(a.to) || lost) {
        passed(step);
    }
    return true;
}

void State::put_on_wire(StepId step, const Arrow& a, const std::string& text, const Wire& wire,
                        Method method) {
    auto& first = exchanges[first_of(step)];
    const auto branch = branch_of(text);
    if (method == Method::Ack) {
        auto& own = side(a.from, key_of(step));
        own.ack = text;
        own.ack_wire = wire;
        outbox.send(wire, text);
        return;
    }
    const bool again =
        std::get<script::Request>(a.content).again &&
        players[a.from].table->state_of(first.client) != transaction::State::Terminated;
    if (branch.empty() || again) {
        outbox.send(wire, text); // broken on purpose, or a retransmission that is drawn
        return;
    }
    first.client =
        players[a.from].table->send(method, branch, text, wire, first_of(step) + 1, now, outbox);
    first.sent_on = wire;
    first.sent_at = now + delay;
}

bool State::send_response(StepId step, const Arrow& a, const script::Response& response) {
    auto& exchange = exchanges[step];
    auto& request = exchanges[first_of(response.answers)];
    const bool lost = script::is_lost(a.link);
    // "If that connection is no longer open, the server SHOULD open a connection" [RFC 3261
    // §18.2.2].
    const bool elsewhere = !lost && is_closed(request.received_on);
    if (elsewhere) {
        const auto found = way(step, a.from, a.to);
        if (!found) {
            return false;
        }
        request.received_on = *found;
    }
    std::string text;
    const bool again = response.method == Method::Invite && response.status >= 200 &&
                       response.status < 300 && !request.last_response.empty() && !a.forwards;
    if (again) {
        text = request.last_response;
    } else {
        auto written = write_response(*this, step, a, response);
        if (!written) {
            cannot_send(step, written.error());
            return true;
        }
        text = std::move(*written);
    }
    exchange.sent = text;
    exchange.sent_at = now + delay;
    exchange.sent_on = request.received_on;
    auto& own = side(a.from, key_of(step));
    const bool success = response.status >= 200 && response.status < 300;
    if (response.method == Method::Invite && success) {
        request.last_response = text;
    }
    if (!lost) {
        auto& table = *players[a.from].table;
        if (elsewhere || !table.respond(request.server, response.status, text, now, outbox)) {
            // A second final response, or one after its time: sent all the same, as drawn.
            outbox.send(request.received_on, text);
        }
        if (response.method == Method::Invite && success && !a.forwards &&
            !drawn_again(*this, step, a, response)) {
            own.success.start(text, true, now);
            own.success_wire = request.received_on;
        }
    }
    if (response.method == Method::Invite && response.status > 100 && response.status < 200 &&
        !lost && !drawn_again(*this, step, a, response)) {
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{text}, index);
        const bool reliable = message && message->has(HeaderId::RSeq) && !a.forwards;
        if (reliable || (!request.received_on.reliable() && ours(a.to))) {
            auto& repeat = repeats[step];
            repeat.timer.start(text, !reliable, now);
            repeat.request = first_of(response.answers);
            repeat.status = response.status;
            repeat.until_prack = reliable;
        }
    }
    if (response.method == Method::Invite && response.status >= 300 && !a.forwards && own.dialog &&
        own.dialog->state == dialog::Dialog::State::Early) {
        own.dialog.reset();
        sound->refused(a.from, a.call);
    }
    schedule.sent(step, now);
    if (!ours(a.to) || lost) {
        passed(step);
    }
    return true;
}

void State::repeat_provisionals() {
    for (auto at = repeats.begin(); at != repeats.end();) {
        auto& [step, repeat] = *at;
        const auto& a = arrow(step);
        bool ended = !repeat.until_prack && schedule.is_done(step);
        if (!ended) {
            const auto due = repeat.timer.advance(now);
            ended =
                due == dialog::Retransmission::Due::GiveUp ||
                (due == dialog::Retransmission::Due::Resend &&
                 !players[a.from].table->respond(exchanges[repeat.request].server, repeat.status,
                                                 repeat.timer.bytes, now, outbox));
        }
        at = ended ? repeats.erase(at) : std::next(at);
    }
}

void State::acknowledge_silently(PartyId party, CallId call, StepId invite) {
    silent_acks.push_back({party, call, invite, std::nullopt});
    send_silent_acks();
}

void State::send_silent_acks() {
    const auto waiting_acks = std::exchange(silent_acks, {});
    for (auto ack : waiting_acks) {
        const auto hop = next_hop_of(*this, ack.party, ack.call).value_or(arrow(ack.invite).to);
        const auto wire = find_way(ack.token, ack.party, hop);
        if (!wire && wire.error().empty()) {
            silent_acks.push_back(ack); // it is being opened
        } else {
            send_silent_ack(ack, hop, wire.value_or(exchanges[first_of(ack.invite)].sent_on));
        }
    }
}

void State::send_silent_ack(const SilentAck& ack, PartyId hop, const Wire& wire) {
    const auto [party, call, invite, token] = ack;
    auto text = write_ack(*this, party, call, wire);
    if (!text) {
        stop("the 2xx cannot be acknowledged: " + text.error());
        return;
    }
    auto& own = side(party, call);
    own.ack = *text;
    own.ack_wire = wire;
    outbox.send(wire, *text);
    extra(party, hop, *text, true, "");
}

// A challenge has come: remembered for those who draw their answer.
void State::note_challenge(PartyId party, StepId step, const sip::MessageView& response) {
    const bool proxy = response.status() == 407;
    auto& known = players[party].challenges;
    std::vector<Challenge> fresh;
    for (const auto& header : response.headers()) {
        if (header.id != (proxy ? HeaderId::ProxyAuthenticate : HeaderId::WwwAuthenticate)) {
            continue;
        }
        const auto parsed = crypto::parse_challenge(header.value);
        const std::string realm{parsed ? parsed->realm : std::string_view{}};
        auto at = std::ranges::find(fresh, realm, &Challenge::realm);
        if (at == fresh.end()) {
            fresh.push_back({proxy, key_of(step), realm, {}, 0});
            at = fresh.end() - 1;
        }
        at->values.emplace_back(header.value);
    }
    for (auto& one : fresh) {
        std::erase_if(known, [&](const Challenge& old) {
            return old.realm == one.realm && old.proxy == one.proxy && old.key == one.key;
        });
        known.push_back(std::move(one));
    }
}

// A challenge that nobody drew: the same request again, with credentials [RFC 3261 §22.2].
bool State::answer_challenge(PartyId party, StepId step, const sip::MessageView& response) {
    auto& exchange = exchanges[first_of(step)];
    auto& player = players[party];
    // Credentials that are drawn wrong are not put right.
    if (exchange.challenges >= 3 || script::says(arrow(step).facts, script::Word::WrongPassword)) {
        return false;
    }
    sip::HeaderIndex index;
    const auto request = sip::index(std::string_view{exchange.sent}, index);
    const auto cseq = request ? sip::parse_cseq(request->value(HeaderId::CSeq))
                              : Result<sip::CSeq>{fail(Code::Malformed, 0, "")};
    if (!cseq) {
        return false;
    }
    const auto& self = cast.members[party];
    auto draft = dialog::Draft::copy_of(*request);
    const auto* const name = response.status() == 407 ? "Proxy-Authorization" : "Authorization";
    std::vector<std::string> answers;
    bool again = false; // refused once more by the same server: the password is wrong
    for (auto& challenge : player.challenges) {
        if (challenge.key != key_of(step) || challenge.proxy != (response.status() == 407)) {
            continue;
        }
        std::vector<std::string_view> offered{challenge.values.begin(), challenge.values.end()};
        const auto chosen = crypto::choose_challenge(offered);
        if (!chosen) {
            return false;
        }
        for (const auto& header : request->headers()) {
            const auto before = crypto::parse_credentials(header.value);
            again = again || (before && before->realm == challenge.realm &&
                              before->nonce != chosen->nonce && !chosen->stale);
        }
        answers.push_back(credentials(self, self.password, *chosen, draft, ++challenge.count));
    }
    if (answers.empty() || again) {
        return false;
    }
    ++exchange.challenges;
    draft.remove(name);
    for (const auto& value : answers) {
        draft.add(name, value);
    }
    draft.set("Via", new_via(party, exchange.sent_on.transport));
    const auto number = cseq->number + 1;
    draft.set("CSeq", fmt::format("{} {}", number, cseq->method_text));
    const auto text = draft.print();
    auto& own = request->method() == Method::Register ? player.registrations[self.uri]
                                                      : side(party, key_of(step));
    own.cseq = number;
    if (own.dialog) {
        own.dialog->local_cseq = number;
    }
    if (request->method() == Method::Invite) {
        own.invite = text;
        own.invite_cseq = number;
    }
    exchange.sent = text;
    exchange.client = player.table->send(request->method(), branch_of(text), text, exchange.sent_on,
                                         first_of(step) + 1, now, outbox);
    return true;
}

// The secrets of a subscriber's card, made of its password.
crypto::MilenageSecret State::card_of(const Member& member) {
    crypto::MilenageSecret out;
    for (std::size_t i = 0; i < out.k.size(); ++i) {
        const auto word = hash_bytes(member.password, i);
        out.k[i] = static_cast<std::uint8_t>(word);
        out.opc[i] = static_cast<std::uint8_t>(word >> 8);
    }
    return out;
}

} // namespace cw::play
