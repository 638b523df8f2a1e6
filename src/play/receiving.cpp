#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "crypto/aka.hpp"
#include "crypto/digest_fields.hpp"
#include "play/compare.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"
#include "play/writing.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/via.hpp"

namespace cw::play {

using sip::HeaderId;
using sip::Method;

namespace {

std::string start_line(std::string_view text) {
    return std::string{text.substr(0, text.find_first_of("\r\n"))};
}
std::string tag_of(const sip::MessageView& message, HeaderId id) {
    const auto name = sip::parse_name_addr(message.value(id));
    return name ? std::string{name->tag} : std::string{};
}
bool is_success(std::uint16_t status) {
    return status >= 200 && status < 300;
}

} // namespace

// ---- what comes

void State::on_request(PartyId party, const sip::MessageView& message, const Wire& wire) {
    const auto via = sip::parse_via(message.value(HeaderId::Via));
    if (!via) {
        extra(peer_of(wire, party).value_or(party), party, message.bytes(), false,
              "it has no Via, so nobody could answer it");
        return;
    }
    auto& player = players[party];
    const auto reply = dialog::reply_wire(*via, wire);
    const auto come = player.table->on_request(message, *via, reply, now, outbox);
    using Arrived = transaction::Table::Arrived;
    Arrival arrival;
    arrival.request = true;
    arrival.retransmission = come.arrived == Arrived::Retransmission;
    arrival.text = message.bytes();
    arrival.wire = reply;
    arrival.peer = peer_of(wire, party);
    arrival.at = now;
    arrival.server = come.transaction;
    if (message.method() == Method::Ack) {
        for (auto& [call, own] : player.sides) {
            if (own.call_id == message.value(HeaderId::CallId)) {
                own.success.stop();
            }
        }
    }
    if (may_fit(party, arrival)) {
        player.inbox.push_back(std::move(arrival));
        return;
    }
    const auto from = arrival.peer.value_or(party);
    if (arrival.retransmission || come.arrived == Arrived::AckOfFailure) {
        if (come.arrived == Arrived::AckOfFailure) {
            extra(from, party, message.bytes(), true, "");
        }
        return;
    }
    if (message.method() == Method::Ack) {
        extra(from, party, message.bytes(), true, "");
        pass_on_silently(party, message, wire);
        return;
    }
    // What the flow passed over is no surprise, and OPTIONS keeps connections alive.
    const bool allowed = may_fit(party, arrival, true) || message.method() == Method::Options;
    extra(from, party, message.bytes(), allowed, allowed ? "" : "it is not in the flow");
    const std::uint16_t status = allowed ? 200 : message.method() == Method::Invite ? 486 : 481;
    const auto text = dialog::response_to(message, status, names.tag(),
                                          dialog::received_via(message.value(HeaderId::Via), wire))
                          .print();
    player.table->respond(come.transaction, status, text, now, outbox);
}

// An ACK to a 2xx that nobody draws goes on its way through a proxy that is played.
void State::pass_on_silently(PartyId party, const sip::MessageView& ack, const Wire& wire) {
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request == nullptr || request->method != Method::Invite || a->from != party ||
            !a->forwards || exchanges[i].sent.empty() ||
            !is_success(exchanges[i].final_status) || // of several, the one that answered
            side(party, a->call).call_id != ack.value(HeaderId::CallId)) {
            continue;
        }
        const auto to = way(i, party, a->to);
        if (!to) {
            continue;
        }
        Arrow drawn;
        drawn.from = party;
        drawn.to = a->to;
        drawn.call = a->call;
        const auto text = write_passed_on(*this, i, drawn, ack.bytes(), wire, *to);
        if (text) {
            outbox.send(*to, *text);
            extra(party, a->to, *text, true, "");
        }
        return;
    }
}

void State::on_response(PartyId party, const sip::MessageView& message, const Wire& wire) {
    const auto via = sip::parse_via(message.value(HeaderId::Via));
    auto& player = players[party];
    transaction::Outbox wanted;
    const auto come = via ? player.table->on_response(message, *via, now, wanted)
                          : transaction::Table::Response{};
    const auto from = peer_of(wire, party).value_or(party);
    if (come.owner >= enrolment_owner) {
        on_enrolled(party, message);
        return;
    }
    if (!come.transaction || come.owner == 0) {
        extra(from, party, message.bytes(), false, "it answers nothing that was sent");
        return;
    }
    const auto step = static_cast<StepId>(come.owner - 1);
    const auto& a = arrow(step);
    auto& exchange = exchanges[step];
    const auto acknowledge = [&](bool drawn) {
        for (const auto& send : wanted.sends()) {
            if (drawn && drawn_ack(step)) { // it waits for its turn
                exchange.ack_due = true;
                exchange.ack = wanted.bytes(send);
                continue;
            }
            outbox.send(send.wire, wanted.bytes(send));
            if (come.deliver) {
                extra(party, a.to, wanted.bytes(send), true, "");
            }
        }
    };
    if (!come.deliver) {
        acknowledge(false);
        return;
    }
    const auto status = message.status();
    Arrival arrival;
    arrival.text = message.bytes();
    arrival.wire = wire;
    arrival.peer = peer_of(wire, party);
    arrival.at = now;
    arrival.answers = step;
    const bool repeated =
        exchange.final_status != 0 && is_success(exchange.final_status) && is_success(status);
    if (status == 401 || status == 407) {
        note_challenge(party, step, message);
    }
    const bool drawn = may_fit(party, arrival);
    acknowledge(drawn);
    if (status >= 200 && !repeated && (drawn || (status != 401 && status != 407))) {
        exchange.final_status = status;
    }
    if (drawn) {
        player.inbox.push_back(std::move(arrival));
        return;
    }
    if (repeated) { // its ACK was lost
        auto& own = side(party, a.call);
        if (a.forwards) {
            repeat_success(party, step, message);
        } else if (!own.ack.empty()) {
            outbox.send(own.ack_wire, own.ack);
        }
        return;
    }
    // A provisional response comes again when its request does [RFC 3261 §17.2.1].
    const auto& taken = report.arrows;
    const bool again =
        status < 200 && std::ranges::any_of(
                            taken,
                            [&](const ArrowReport& line) {
                                return schedule.is_done(line.step) && fits(arrival, line.step);
                            });
    if (status == 100 || again || may_fit(party, arrival, true)) {
        extra(from, party, message.bytes(), true, "");
        return;
    }
    if ((status == 401 || status == 407) && answer_challenge(party, step, message)) {
        extra(from, party, message.bytes(), true, "");
        return;
    }
    surprising_response(party, step, message);
}

// A response that nobody drew. A final one means that what was drawn cannot come any more.
void State::surprising_response(PartyId party, StepId request, const sip::MessageView& message) {
    const auto from = peer_of({}, party).value_or(arrow(request).to);
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* wanted = a != nullptr ? std::get_if<script::Response>(&a->content) : nullptr;
        if (wanted == nullptr || a->to != party || first_of(wanted->answers) != request ||
            !schedule.may_come(i) || message.status() < 200) {
            continue;
        }
        // Provisional responses that are drawn before the final one do not come any more either;
        // it is the final one that people look for.
        if (wanted->status < 200 && has_later_final(i, request)) {
            continue;
        }
        auto& report_here = report_of(i);
        report_here.received = message.bytes();
        report_here.at = now;
        failed(i, Verdict::Failed,
               fmt::format("{} came in its place", start_line(message.bytes()).substr(8)),
               {"status", fmt::format("{} {}", wanted->status, wanted->phrase),
                start_line(message.bytes()).substr(8)});
        stop("");
        return;
    }
    extra(from, party, message.bytes(), false, "it is not in the flow");
}

bool State::has_later_final(StepId after, StepId request) const {
    for (auto i = after + 1; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* wanted = a != nullptr ? std::get_if<script::Response>(&a->content) : nullptr;
        if (wanted != nullptr && first_of(wanted->answers) == request && wanted->status >= 200 &&
            schedule.may_come(i)) {
            return true;
        }
    }
    return false;
}

// A 2xx that comes again at a proxy goes on again [RFC 3261 §16.7].
void State::repeat_success(PartyId party, StepId step, const sip::MessageView& message) {
    const auto& a = arrow(step);
    auto& upstream = exchanges[first_of(*a.forwards)];
    if (!upstream.last_response.empty()) {
        players[party].table->respond(upstream.server, message.status(), upstream.last_response,
                                      now, outbox);
    }
}

// ---- does it fit

bool State::fits(const Arrival& arrival, StepId step) const {
    const auto* a = std::get_if<Arrow>(&plan.steps[step].what);
    if (a == nullptr) {
        return false;
    }
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{arrival.text}, index);
    if (!message) {
        return false;
    }
    if (const auto* response = std::get_if<script::Response>(&a->content)) {
        return !arrival.request && arrival.answers == first_of(response->answers) &&
               message->status() == response->status;
    }
    const auto* request = std::get_if<script::Request>(&a->content);
    if (request == nullptr || !arrival.request || request->method != message->method() ||
        (arrival.retransmission && !request->again)) {
        return false;
    }
    // Whom it comes from, where both ends are played and nothing stands between them.
    if (arrival.peer && ours(*arrival.peer) && ours(a->from) && *arrival.peer != a->from) {
        return false;
    }
    const auto call_id = message->value(HeaderId::CallId);
    const auto& sides = players[a->to].sides;
    const auto key = key_of(step);
    if (const auto own = sides.find(key);
        key != 0 && own != sides.end() && !own->second.call_id.empty()) {
        return own->second.call_id == call_id;
    }
    return std::ranges::none_of(sides, [&](const auto& other) {
        return other.first != 0 && other.first != key && other.second.call_id == call_id;
    });
}

bool State::may_fit(PartyId party, const Arrival& arrival, bool passed_over) const {
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const bool here = a != nullptr && a->to == party && !script::is_shown(a->link) &&
                          (passed_over ? schedule.passed_over(i) : schedule.may_come(i));
        if (here && fits(arrival, i)) {
            return true;
        }
    }
    return false;
}

// ---- an arrow that awaits something

bool State::perform_receive(StepId step) {
    const auto& a = arrow(step);
    auto& inbox = players[a.to].inbox;
    const auto found =
        std::ranges::find_if(inbox, [&](const Arrival& arrival) { return fits(arrival, step); });
    if (found == inbox.end()) {
        return false;
    }
    // Something came before it that is drawn below it.
    const auto earlier = std::find_if(inbox.begin(), found, [&](const Arrival& arrival) {
        return std::ranges::none_of(schedule.ready(now), [&](const auto& ready) {
            return ready.part == Schedule::Part::Receive && fits(arrival, ready.step);
        });
    });
    auto& line = report_of(step);
    std::string overtaken;
    if (earlier != found) {
        line.swapped = true;
        if (earlier->wire == found->wire && found->wire.reliable()) {
            overtaken =
                fmt::format("{} came before it on the same connection", start_line(earlier->text));
        }
    }
    const auto arrival = std::move(*found);
    inbox.erase(found);
    take(arrival, step);
    if (!overtaken.empty() && line.verdict == Verdict::Passed) {
        failed(step, Verdict::Failed, overtaken);
    }
    return true;
}

void State::take(const Arrival& arrival, StepId step) {
    const auto& a = arrow(step);
    const auto party = a.to;
    auto& exchange = exchanges[step];
    exchange.received = arrival.text;
    exchange.received_on = arrival.wire;
    exchange.received_at = arrival.at;
    sip::HeaderIndex index;
    const auto message = *sip::index(std::string_view{exchange.received}, index);
    auto& line = report_of(step);
    line.received = arrival.text;
    line.at = arrival.at;
    auto& own = side(party, key_of(step));
    if (const auto* request = std::get_if<script::Request>(&a.content)) {
        if (!request->again || exchanges[first_of(step)].received.empty()) {
            exchanges[first_of(step)].received = arrival.text;
            exchanges[first_of(step)].received_on = arrival.wire;
            exchanges[first_of(step)].server = arrival.server;
        }
        exchange.server = arrival.server;
        take_request(party, step, message, own);
    } else if (const auto* response = std::get_if<script::Response>(&a.content)) {
        const auto& asked = exchanges[first_of(response->answers)];
        line.took = arrival.at - asked.sent_at;
        take_response(party, step, *response, message, own);
    }
    if (script::is_lost(a.link)) {
        schedule.received(step, now);
        failed(step, Verdict::Unexpected, "it got through");
        return;
    }
    schedule.received(step, now);
    passed(step);
    check_facts(step, message);
}

void State::take_request(PartyId party, StepId step, const sip::MessageView& message, Side& own) {
    const auto method = message.method();
    const auto& a = arrow(step);
    if (key_of(step) == 0) {
        own = {};
    }
    if (own.call_id.empty()) {
        own.call_id = message.value(HeaderId::CallId);
        own.local_tag = tag_of(message, HeaderId::To);
    }
    if (method == Method::Subscribe || method == Method::Refer) {
        own.event = method == Method::Refer ? refer_event(own, message.value(HeaderId::CSeq))
                                            : std::string{message.value(HeaderId::Event)};
        exchanges[step].event = own.event;
    }
    if (method == Method::Invite) {
        own.invite = message.bytes();
    }
    if (method == Method::Prack) {
        std::erase_if(repeats, [&](const auto& one) {
            return arrow(one.first).from == party && key_of(one.first) == key_of(step);
        });
    }
    if (own.dialog && dialog::is_target_refresh(method)) {
        dialog::refresh_target(*own.dialog, message);
    }
    if (!is_passed_on(step) || passed_on_changed(step)) {
        sound->received(party, a.call, {method, 0, false}, message.body());
        if (method == Method::Bye) {
            sound->ended(party, a.call);
        }
        const auto& wire = exchanges[step].received_on;
        if (method == Method::Invite && !wire.reliable() && !draws_trying(step)) {
            // Over UDP the caller would go on to send it [RFC 3261 §17.2.1].
            const auto text =
                dialog::response_to(message, 100, "",
                                    dialog::received_via(message.value(HeaderId::Via), wire))
                    .print();
            players[party].table->respond(exchanges[step].server, 100, text, now, outbox);
        }
    }
}

void State::take_response(PartyId party, StepId step, const script::Response& drawn,
                          const sip::MessageView& message, Side& own) {
    const auto& a = arrow(step);
    const auto request_step = first_of(drawn.answers);
    const auto status = message.status();
    if (arrow(request_step).forwards) { // a proxy: it only passes it back
        if (script::find<script::Description>(arrow(request_step).facts) != nullptr) {
            sound->received(party, inner_leg(a.call), {drawn.method, status, false},
                            message.body());
        }
        return;
    }
    sip::HeaderIndex index;
    const auto request = sip::index(std::string_view{exchanges[request_step].sent}, index);
    if (!request) {
        return;
    }
    const bool over_tls = sip::is_secure(exchanges[step].received_on.transport);
    const bool confirmed = own.dialog && own.dialog->state == dialog::Dialog::State::Confirmed;
    const auto method = drawn.method;
    const bool starts =
        method == Method::Invite || method == Method::Subscribe || method == Method::Refer;
    if (starts && status > 100 && status < 300 && (!confirmed || method != Method::Invite)) {
        if (!confirmed) {
            if (auto made = dialog::uac_dialog(*request, message, over_tls)) {
                if (own.dialog) { // requests in the early dialog have counted on
                    made->local_cseq = std::max(made->local_cseq, own.dialog->local_cseq);
                    made->remote_cseq = own.dialog->remote_cseq;
                }
                own.dialog = std::move(*made);
            }
        }
    } else if (confirmed && is_success(status) && dialog::is_target_refresh(method)) {
        dialog::refresh_target(*own.dialog, message);
    }
    if (status > 100 && status < 200 && message.has(HeaderId::RSeq)) {
        own.reliable = message.value(HeaderId::RSeq);
    }
    sound->received(party, a.call, {method, status, false}, message.body());
    if (method == Method::Invite && status >= 300) {
        sound->refused(party, a.call);
        if (!confirmed) {
            own.dialog.reset();
        }
    }
    if (method == Method::Invite && is_success(status) && !drawn_ack(request_step)) {
        acknowledge_silently(party, a.call, request_step);
    }
}

bool State::is_passed_on(StepId received) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        return a != nullptr && a->forwards == received;
    });
}

bool State::passed_on_changed(StepId received) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        return a != nullptr && a->forwards == received &&
               script::find<script::Description>(a->facts) != nullptr;
    });
}

bool State::draws_trying(StepId invite) const {
    return std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        const auto* response = a != nullptr ? std::get_if<script::Response>(&a->content) : nullptr;
        return response != nullptr && response->status == 100 && response->answers == invite;
    });
}

// ---- does it say what is drawn

void State::check_facts(StepId step, const sip::MessageView& message) {
    const auto& a = arrow(step);
    const Values::CallFinder calls = [&](CallId call) { return call_facts(a.to, call); };
    const Values::Where where{a.call, exchanges[step].received_on.transport, &calls};
    const auto differs = [&](Difference difference) {
        auto why = fmt::format("{} is not as drawn", difference.where);
        failed(step, Verdict::Failed, std::move(why), std::move(difference));
    };
    for (const auto& fact : a.facts) {
        std::optional<Difference> difference;
        if (const auto* header = std::get_if<script::Header>(&fact.value)) {
            difference = compare(*header, message, values, where);
        } else if (const auto* line = std::get_if<script::SdpLine>(&fact.value)) {
            difference = compare(*line, message.body(), values, where);
        }
        if (difference) {
            differs(std::move(*difference));
            return;
        }
    }
    if (auto difference = sound->check(a.facts, message.body())) {
        differs(std::move(*difference));
        return;
    }
    if (auto difference = check_credentials(a, message)) {
        differs(std::move(*difference));
        return;
    }
    const auto* request = std::get_if<script::Request>(&a.content);
    if (request != nullptr && request->text) {
        if (!values.match(*request->text, message.body(), where, false)) {
            differs({"the text", values.show(*request->text, where), std::string{message.body()}});
        }
    }
    if (const auto* report_said = script::find<script::Sipfrag>(a.facts)) {
        const auto wanted = fmt::format("SIP/2.0 {} ", report_said->status);
        if (!istarts_with(message.body(), wanted)) {
            differs({"the status reported",
                     fmt::format("{} {}", report_said->status, report_said->phrase),
                     start_line(message.body())});
        }
    }
    const auto* within = script::find<script::Within>(a.facts);
    if (within != nullptr && exchanges[step].received_at - waiting[step].since > within->time) {
        failed(step, Verdict::Failed, "it came too late",
               {"time", fmt::format("within {} ms", within->time.milliseconds()),
                fmt::format("{:.0f} ms",
                            (exchanges[step].received_at - waiting[step].since).milliseconds())});
    }
}

// What the words about credentials ask for: a challenge's algorithm; and where we play the server
// that asked, that the answer is right, or wrong as drawn.
std::optional<Difference> State::check_credentials(const Arrow& a,
                                                   const sip::MessageView& message) {
    if (const auto* said = script::find<script::Algorithm>(a.facts);
        said != nullptr && !message.is_request()) {
        const auto wanted = said->hash == script::Hash::Md5 ? crypto::DigestAlgorithm::Md5
                            : said->hash == script::Hash::Sha256
                                ? crypto::DigestAlgorithm::Sha256
                                : crypto::DigestAlgorithm::Sha512_256;
        std::string seen;
        for (const auto& header : message.headers()) {
            if (header.id != HeaderId::WwwAuthenticate &&
                header.id != HeaderId::ProxyAuthenticate) {
                continue;
            }
            const auto challenge = crypto::parse_challenge(header.value);
            if (challenge && crypto::digest_algorithm(challenge->algorithm) == wanted) {
                return std::nullopt;
            }
            seen += (seen.empty() ? "" : ", ") +
                    (challenge
                         ? std::string{challenge->algorithm.empty() ? "MD5" : challenge->algorithm}
                         : "another scheme");
        }
        return Difference{"the challenge's algorithm", std::string{crypto::to_string(wanted)},
                          seen.empty() ? "no challenge" : seen};
    }
    if (!message.is_request()) {
        return std::nullopt;
    }
    // What is drawn stands where the request began its way.
    const Arrow* first = &a;
    while (first->forwards) {
        first = &arrow(*first->forwards);
    }
    const bool wrong = script::says(first->facts, script::Word::WrongPassword);
    const bool drawn = wrong || script::says(a.facts, script::Word::Digest) ||
                       script::says(a.facts, script::Word::Aka);
    std::optional<crypto::DigestCredentials> answer;
    bool any = false;
    for (const auto& header : message.headers()) {
        if (header.id != HeaderId::Authorization && header.id != HeaderId::ProxyAuthorization) {
            continue;
        }
        if (const auto credentials = crypto::parse_credentials(header.value)) {
            any = true;
            if (credentials->nonce == players[a.to].nonce) {
                answer = *credentials;
            }
        }
    }
    if (drawn && !any) {
        return Difference{"credentials", "a digest", "(not there)"};
    }
    if (!answer) { // they are for another server
        return std::nullopt;
    }
    const auto aka = crypto::parse_aka_algorithm(answer->algorithm);
    const auto algorithm =
        aka ? std::optional{aka->hash} : crypto::digest_algorithm(answer->algorithm);
    const auto member = std::ranges::find_if(cast.members, [&](const Member& m) {
        return m.login == answer->username && m.control == script::Control::Played;
    });
    if (!algorithm || member == cast.members.end()) {
        return std::nullopt;
    }
    const auto& password = aka ? players[a.to].aka_password : member->password;
    const auto ha1 = digester.ha1(*algorithm, answer->username, answer->realm, password);
    const auto right = digester.response({.algorithm = *algorithm,
                                          .ha1 = ha1.text(),
                                          .method = message.method_text(),
                                          .uri = answer->uri,
                                          .nonce = answer->nonce,
                                          .qop = answer->qop,
                                          .nc = answer->nc,
                                          .cnonce = answer->cnonce,
                                          .body = message.body()});
    const bool matches = crypto::same_digest(right.text(), answer->response);
    if (matches == wrong) {
        return Difference{"credentials", wrong ? "a wrong password" : "the right password",
                          matches ? "the right one" : "a wrong one"};
    }
    return std::nullopt;
}

} // namespace cw::play
