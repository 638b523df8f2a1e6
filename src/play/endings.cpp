// What cannot go on: a connection that closes, a request that nobody answers, a dialog that ends.
// The arrow that waits for it says so at once, with what happened.
#include <algorithm>

#include <fmt/format.h>

#include "play/messages.hpp"
#include "play/state.hpp"

namespace cw::play {

using sip::Method;

// What the transactions of everybody have to tell. `broken`: why a connection has closed, if one
// has.
void State::hear_of_transactions(std::string_view broken) {
    using Happened = transaction::Table::Happened;
    for (PartyId party = 0; party < players.size(); ++party) {
        auto& table = *players[party].table;
        for (const auto& occurrence : table.occurrences()) {
            const bool closed = occurrence.what == Happened::TransportError;
            if ((!closed && occurrence.what != Happened::Timeout) || occurrence.owner == 0) {
                continue;
            }
            if (occurrence.owner >= enrolment_owner) {
                stop(fmt::format("{} cannot register: {}", plan.parties[party].id,
                                 closed ? broken : "nobody answers"));
                continue;
            }
            unanswered(static_cast<StepId>(occurrence.owner - 1),
                       closed ? std::string{broken} : "nobody answered the request");
        }
        table.clear_occurrences();
    }
}

// What was drawn as the answer to a request of ours does not come.
void State::unanswered(StepId request, std::string why) {
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* wanted = a != nullptr ? std::get_if<script::Response>(&a->content) : nullptr;
        if (wanted != nullptr && first_of(wanted->answers) == request && schedule.may_come(i) &&
            !script::is_lost(a->link)) {
            failed(i, Verdict::Missing, std::move(why));
            stop("");
            return;
        }
    }
}

void State::connection_closed(Line& line, std::string_view why, const HandshakeFacts& facts) {
    line.open = false;
    line.why_closed = why;
    if (facts.alert >= 0) {
        line.facts.alert = facts.alert;
    }
    players[line.owner].table->on_wire_closed(line.wire, now, outbox);
    hear_of_transactions(
        fmt::format("the connection to {} has closed: {}",
                    line.peer ? plan.parties[*line.peer].id : to_string(line.wire.remote), why));
}

bool State::is_closed(const Wire& wire) const {
    const auto line = std::ranges::find(lines, wire, &Line::wire);
    return line != lines.end() && !line->open;
}

// The latest connection between the two that is not open any more: why not; empty: there is none.
std::string State::why_closed(PartyId owner, PartyId peer) const {
    for (auto i = lines.size(); i-- > 0;) {
        const auto& line = lines[i];
        if (line.owner == owner && line.peer == peer) {
            return line.open ? "" : line.why_closed;
        }
    }
    return "";
}

// One that nobody has drawn yet and that `from` may have wanted; null: there is none.
Unaccepted* State::unaccepted(PartyId party, PartyId from, sip::Transport transport) {
    const auto at = std::ranges::find_if(not_accepted, [&](const Unaccepted& one) {
        return one.owner == party && !one.claimed && one.transport == transport &&
               one.peer.value_or(from) == from;
    });
    return at != not_accepted.end() ? &*at : nullptr;
}

// Somebody's handshake with one of us has failed. What is awaited over that connection, and over no
// other that is open or drawn to come first, does not come.
void State::handshake_failed(const Unaccepted& attempt) {
    const auto ready = schedule.ready(now);
    const auto awaits = [&](const Schedule::Ready& one, bool channel) {
        const auto* a = std::get_if<Arrow>(&plan.steps[one.step].what);
        return a != nullptr && a->to == attempt.owner && !ours(a->from) &&
               attempt.peer.value_or(a->from) == a->from &&
               std::holds_alternative<script::Channel>(a->content) == channel;
    };
    // An arrow that draws it has its own say.
    if (std::ranges::any_of(ready, [&](const auto& one) { return awaits(one, true); })) {
        return;
    }
    for (const auto& one : ready) {
        if (one.part != Schedule::Part::Receive || one.optional || !awaits(one, false)) {
            continue;
        }
        const auto& a = arrow(one.step);
        const auto* request = std::get_if<script::Request>(&a.content);
        const bool open = std::ranges::any_of(lines, [&](const Line& line) {
            return line.open && line.owner == a.to && line.peer.value_or(a.from) == a.from;
        });
        if (request == nullptr || open || script::is_lost(a.link) ||
            cast.transport(a.from, a.to) != attempt.transport) {
            continue;
        }
        const auto step = one.step;
        failed(step, Verdict::Missing,
               fmt::format("the connection of {} to {} came to nothing: {}",
                           plan.parties[a.from].id, plan.parties[a.to].id, attempt.why));
        stop("");
        return;
    }
}

void State::at_door(PartyId server, sip::Transport transport, bool open, std::string_view why) {
    auto& door = doors[server];
    door.entered = door.entered || open;
    const bool drawn = std::ranges::any_of(plan.steps, [&](const script::Step& step) {
        const auto* a = std::get_if<Arrow>(&step.what);
        return a != nullptr && a->to == server && !ours(a->from) && script::is_lost(a->link) &&
               std::holds_alternative<script::Channel>(a->content);
    });
    if (open || drawn) {
        return;
    }
    door.refused = transport;
    door.why = why;
    for (StepId i = 0; i < plan.steps.size() && !over; ++i) {
        if (schedule.is_done(i) && !schedule.passed_over(i)) {
            kept_out(i);
        }
    }
}

// An arrow from a real system to an embedded server, of whose connections none came about.
bool State::kept_out(StepId step) {
    const auto* a = std::get_if<Arrow>(&plan.steps[step].what);
    if (a == nullptr || plan.parties[a->from].control != script::Control::External ||
        plan.parties[a->to].control != script::Control::Embedded || script::is_lost(a->link) ||
        script::is_shown(a->link) || std::holds_alternative<script::Media>(a->content) ||
        std::holds_alternative<script::Response>(a->content)) {
        return false;
    }
    const auto& door = doors[a->to];
    if (door.entered || door.refused != cast.transport(a->from, a->to)) {
        return false;
    }
    failed(step, Verdict::Missing,
           fmt::format("the connection of {} to {} came to nothing: {}", plan.parties[a->from].id,
                       plan.parties[a->to].id, door.why));
    stop("");
    return true;
}

// Nobody is there to read what `party` sends to `remote`; `begin`: how it begins. "If a transport
// error occurs […] the element MUST inform the transport user" [RFC 3261 §18.4].
void State::unreachable(PartyId party, const Endpoint& remote, std::string_view begin) {
    const auto to = cast.find(remote);
    if (to && ours(*to)) {
        return; // it is destroyed, or not there yet: the flow draws that
    }
    const auto at = begin.find(";branch=");
    if (at == std::string_view::npos) {
        return;
    }
    auto branch = begin.substr(at + 8);
    branch = branch.substr(0, branch.find_first_of(";,\r\n \t"));
    players[party].table->on_undelivered(begin.substr(0, begin.find(' ')), branch, remote, now,
                                         outbox);
    hear_of_transactions(fmt::format("nobody listens where {} should be (UDP {})",
                                     to ? plan.parties[*to].id : "the other end",
                                     to_string(remote)));
}

// The dialog of `party` has ended in a way that is not drawn: the first request of it that is drawn
// still, here or at the other end, cannot come.
void State::dialog_over(PartyId party, SideKey key, std::string_view message) {
    if (key == 0) {
        return;
    }
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request == nullptr || a->opens_call || (a->to != party && a->from != party) ||
            schedule.is_done(i) || !schedule.may_come(i) || script::is_lost(a->link) ||
            script::is_shown(a->link) || key_of(i) != key || request->method == Method::Ack) {
            continue;
        }
        report_of(i).received = message;
        failed(i, Verdict::Missing,
               fmt::format("the call has ended before: {} came", start_line(message)));
        stop("");
        return;
    }
}

// A BYE that waits for its arrow, over a connection that keeps the order: what its sender draws
// above it, and has not sent, will not come any more.
void State::bye_came_early(PartyId party, const Arrival& bye) {
    const auto& ready = schedule.ready(now);
    const auto awaited = [&](const Schedule::Ready& one) {
        return one.part == Schedule::Part::Receive && !one.optional;
    };
    if (!bye.wire.reliable() || std::ranges::any_of(ready, [&](const Schedule::Ready& one) {
            return one.part == Schedule::Part::Receive && fits(bye, one.step);
        })) {
        return;
    }
    for (const auto& one : ready) {
        const auto* a = std::get_if<Arrow>(&plan.steps[one.step].what);
        if (!awaited(one) || a->to != party || bye.peer != a->from ||
            !std::holds_alternative<script::Request>(a->content) || a->opens_call ||
            key_of(one.step) == 0 ||
            side(party, key_of(one.step)).call_id != call_id_of(bye.text)) {
            continue;
        }
        const auto step = one.step;
        report_of(step).received = bye.text;
        failed(step, Verdict::Missing, "the call has ended before: BYE came");
        stop("");
        return;
    }
}

} // namespace cw::play
