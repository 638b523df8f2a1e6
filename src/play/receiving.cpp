#include <algorithm>

#include <fmt/format.h>

#include "play/messages.hpp"
#include "play/state.hpp"
#include "play/writing.hpp"
#include "sip/via.hpp"

namespace cw::play {

using sip::HeaderId;
using sip::Method;

namespace {

// Whether it is drawn as what `message` is: of the same method, and as a response of that status or
// of its class. 0: not at all.
int nearness(const Arrow& drawn, const sip::MessageView& message) {
    if (message.is_request()) {
        const auto* request = std::get_if<script::Request>(&drawn.content);
        return request != nullptr && request->method == message.method() ? 3 : 0;
    }
    const auto* response = std::get_if<script::Response>(&drawn.content);
    const auto cseq = message.value(HeaderId::CSeq);
    if (response == nullptr || !cseq.ends_with(sip::to_string(response->method))) {
        return 0;
    }
    return response->status == message.status()               ? 3
           : response->status / 100 == message.status() / 100 ? 2
                                                              : 1;
}

// What came is in no drawing: that, and the arrow that it is most like.
std::string not_drawn(const State& s, PartyId party, const sip::MessageView& message) {
    std::string out = "it is not in the flow";
    std::optional<StepId> best;
    int most = 0;
    for (StepId i = 0; i < s.plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&s.plan.steps[i].what);
        if (a == nullptr || a->to != party || script::is_shown(a->link)) {
            continue;
        }
        const auto near = nearness(*a, message);
        const auto score = near == 0 ? 0 : 2 * near + (s.schedule.may_come(i) ? 1 : 0);
        if (score > most) {
            most = score;
            best = i;
        }
    }
    if (best) {
        out += fmt::format("; it is most like line {}: {}", s.plan.steps[*best].place.line,
                           s.words(*best));
    }
    return out;
}

} // namespace

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
        if (message.method() == Method::Bye) {
            bye_came_early(party, arrival);
        }
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
    extra(from, party, message.bytes(), allowed, allowed ? "" : not_drawn(*this, party, message));
    const std::uint16_t status = allowed ? 200 : message.method() == Method::Invite ? 486 : 481;
    const auto text = dialog::response_to(message, status, names.tag(),
                                          dialog::received_via(message.value(HeaderId::Via), wire))
                          .print();
    player.table->respond(come.transaction, status, text, now, outbox);
    if (message.method() == Method::Bye && !allowed) {
        for (const auto& [key, own] : player.sides) {
            if (own.call_id == message.value(HeaderId::CallId)) {
                dialog_over(party, key, message.bytes());
                return;
            }
        }
    }
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

namespace {

// Where a request of `party` was drawn with the method of another in its CSeq, so that its response
// is for no transaction: the CSeq that it should have had. Else empty.
std::string asked_as(const State& s, PartyId party, const sip::MessageView& response,
                     const sip::Via& via) {
    const auto seen = response.value(HeaderId::CSeq);
    for (StepId i = 0; i < s.plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&s.plan.steps[i].what);
        if (a == nullptr || a->from != party || s.exchanges[i].sent.empty() ||
            branch_of(s.exchanges[i].sent) != via.branch) {
            continue;
        }
        sip::HeaderIndex index;
        const auto request = sip::index(std::string_view{s.exchanges[i].sent}, index);
        if (request && request->is_request() && request->value(HeaderId::CSeq) == seen &&
            !seen.ends_with(request->method_text())) {
            return fmt::format("{} {}", seen.substr(0, seen.find_first_of(" \t")),
                               request->method_text());
        }
    }
    return {};
}

} // namespace

void State::on_response(PartyId party, const sip::MessageView& message, const Wire& wire) {
    const auto via = sip::parse_via(message.value(HeaderId::Via));
    auto& player = players[party];
    transaction::Outbox wanted;
    auto come = via ? player.table->on_response(message, *via, now, wanted)
                    : transaction::Table::Response{};
    if (via && !come.transaction) {
        if (const auto method = asked_as(*this, party, message, *via); !method.empty()) {
            auto draft = dialog::Draft::copy_of(message);
            draft.set("CSeq", method);
            const auto text = draft.print();
            sip::HeaderIndex index;
            if (const auto same = sip::index(std::string_view{text}, index)) {
                come = player.table->on_response(*same, *via, now, wanted);
            }
        }
    }
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
            if (drawn && drawn_ack(step, true)) { // it waits for its turn
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
    if (status > 100 && status < 200 && !exchange.provisional_at.known()) {
        exchange.provisional_at = now;
    }
    if (status == 401 || status == 407) {
        note_challenge(party, step, message);
    }
    const bool drawn = may_fit(party, arrival);
    acknowledge(drawn);
    if (status >= 200 && !repeated && (drawn || (status != 401 && status != 407))) {
        exchange.final_status = status;
        exchange.final_at = now;
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
    extra(from, party, message.bytes(), false, not_drawn(*this, party, message));
    // "If the response for a request within a dialog is a 481 […] or a 408 […], the UAC SHOULD
    // terminate the dialog" [RFC 3261 §12.2.1.2].
    if ((message.status() == 481 || message.status() == 408) && !arrow(request).opens_call) {
        dialog_over(party, key_of(request), message.bytes());
    }
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

} // namespace cw::play
