#include "play/performance.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "play/literal/literal.hpp"
#include "play/smime_desk.hpp"
#include "play/sound.hpp"

namespace cw::play {

Performance::Performance(const script::Plan& plan, const Cast& cast, const Given& given)
    : state_(script::has_literal(plan) ? nullptr : std::make_unique<State>(plan, cast, given)),
      literal_(state_ == nullptr ? std::make_unique<literal::Literal>(plan, cast, given)
                                 : nullptr) {}
Performance::~Performance() = default;

void Performance::start(Instant now) {
    if (literal_ != nullptr) {
        literal_->start(now);
        return;
    }
    state_->now = now;
    state_->report.began = now;
    state_->pump();
}

void Performance::on_connected(std::uint32_t token, const Wire& wire, const HandshakeFacts& facts,
                               Instant now) {
    if (literal_ != nullptr) {
        literal_->on_connected(token, wire, now);
        return;
    }
    auto& s = *state_;
    s.now = now;
    const auto asked = std::ranges::find(s.dialling, token, &Dialling::token);
    if (asked == s.dialling.end()) {
        return;
    }
    Line line;
    line.wire = wire;
    line.owner = asked->from;
    line.peer = asked->to;
    line.opened_by_us = true;
    line.facts = facts;
    line.token = token;
    line.since = now;
    s.lines.push_back(std::move(line));
    s.pump();
}

void Performance::on_refused(std::uint32_t token, std::string_view why, const HandshakeFacts& facts,
                             Instant now) {
    if (literal_ != nullptr) {
        literal_->on_refused(token, why, now);
        return;
    }
    auto& s = *state_;
    s.now = now;
    const auto asked = std::ranges::find(s.dialling, token, &Dialling::token);
    if (asked != s.dialling.end()) {
        asked->refused = true;
        asked->why = why;
        asked->facts = facts;
        s.pump();
    }
}

void Performance::on_accepted(PartyId party, const Wire& wire, const HandshakeFacts& facts,
                              Instant now) {
    if (literal_ != nullptr) {
        literal_->on_accepted(party, wire, now);
        return;
    }
    auto& s = *state_;
    s.now = now;
    Line line;
    line.wire = wire;
    line.owner = party;
    line.facts = facts;
    line.peer = s.outsider_at(wire, party);
    s.lines.push_back(std::move(line));
    s.pump();
}

void Performance::on_not_accepted(PartyId party, sip::Transport transport, const Endpoint& remote,
                                  std::string_view why, const HandshakeFacts& facts, Instant now) {
    constexpr std::size_t most = 1000; // whoever tries that often is told no more
    if (literal_ != nullptr || state_->over || state_->not_accepted.size() == most) {
        return;
    }
    auto& s = *state_;
    s.now = now;
    Wire wire;
    wire.transport = transport;
    wire.remote = remote;
    s.not_accepted.push_back(
        {party, s.outsider_at(wire, party), transport, std::string{why}, facts, now, false});
    s.handshake_failed(s.not_accepted.back());
    s.pump();
}

void Performance::on_embedded_reached(PartyId server, sip::Transport transport, bool open,
                                      std::string_view why, Instant now) {
    if (literal_ != nullptr || state_->over) {
        return;
    }
    state_->now = now;
    state_->at_door(server, transport, open, why);
    state_->pump();
}

void Performance::on_undelivered(PartyId party, const Endpoint& remote, std::string_view begin,
                                 Instant now) {
    if (literal_ != nullptr || state_->over) {
        return;
    }
    state_->now = now;
    state_->unreachable(party, remote, begin);
    state_->pump();
}

void Performance::on_closed(const Wire& wire, std::string_view why, const HandshakeFacts& facts,
                            Instant now) {
    if (literal_ != nullptr) {
        literal_->on_closed(wire, now);
        return;
    }
    auto& s = *state_;
    s.now = now;
    for (auto& line : s.lines) {
        if (line.wire == wire && line.open) {
            s.connection_closed(line, why, facts);
            break;
        }
    }
    s.pump();
}

void Performance::on_message(PartyId party, const Wire& wire, std::string_view text, Instant now) {
    if (literal_ != nullptr) {
        literal_->on_message(party, wire, text, now);
        return;
    }
    auto& s = *state_;
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    if (message) {
        on_message(party, wire, *message, now);
    } else if (!s.over && s.players[party].alive) {
        s.now = now;
        s.extra(s.peer_of(wire, party).value_or(party), party, text, false, message.error().what);
    }
}

void Performance::on_message(PartyId party, const Wire& wire, const sip::MessageView& message,
                             Instant now) {
    auto& s = *state_;
    s.now = now;
    if (s.over || !s.players[party].alive) {
        return;
    }
    if (message.is_request()) {
        s.on_request(party, message, wire);
    } else {
        s.on_response(party, message, wire);
    }
    s.pump();
}

bool Performance::awaits(PartyId party, sip::Method method) const {
    if (literal_ != nullptr) {
        return false;
    }
    const auto& s = *state_;
    if (s.over) {
        return false;
    }
    for (StepId i = 0; i < s.plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&s.plan.steps[i].what);
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request != nullptr && a->to == party && request->method == method &&
            !script::is_shown(a->link) && s.schedule.may_come(i)) {
            return true;
        }
    }
    return false;
}

void Performance::set_delay(Duration delay) {
    if (state_ != nullptr) {
        state_->delay = delay;
    }
}

void Performance::on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now) {
    if (literal_ != nullptr) {
        literal_->on_media(socket, from, packet, now);
        return;
    }
    state_->now = now;
    state_->sound->on_packet(socket, from, packet);
}

void Performance::on_dtls(std::uint32_t socket, const DtlsKeys& keys, Instant now) {
    if (literal_ != nullptr) {
        return;
    }
    state_->now = now;
    state_->sound->on_dtls(socket, keys);
    state_->pump();
}

void Performance::advance(Instant now) {
    if (literal_ != nullptr) {
        literal_->advance(now);
        return;
    }
    auto& s = *state_;
    s.now = now;
    for (auto& player : s.players) {
        player.table->advance(now, s.outbox);
        for (auto& [call, own] : player.sides) {
            if (own.success.advance(now) == dialog::Retransmission::Due::Resend) {
                s.outbox.send(own.success_wire, own.success.bytes);
            }
        }
    }
    s.hear_of_transactions({});
    s.repeat_provisionals();
    s.sound->advance();
    s.pump();
    if (!s.over) {
        s.check_deadlines();
        s.pump();
    }
}

void Performance::interrupt(Instant now) {
    if (literal_ != nullptr) {
        literal_->interrupt(now);
        return;
    }
    state_->now = now;
    state_->stop("interrupted");
    state_->pump();
}

Instant Performance::next_deadline() const {
    if (literal_ != nullptr) {
        return literal_->next_deadline();
    }
    return state_->next_deadline();
}

transaction::Outbox& Performance::outbox() {
    return literal_ != nullptr ? literal_->outbox : state_->outbox;
}

Wants& Performance::wants() {
    return literal_ != nullptr ? literal_->wants : state_->wants;
}

bool Performance::over() const {
    return literal_ != nullptr ? literal_->over() : state_->over;
}

const Report& Performance::report() const {
    return literal_ != nullptr ? literal_->report : state_->report;
}

std::vector<Papers> Performance::papers() const {
    return state_ != nullptr && state_->desk != nullptr ? state_->desk->papers()
                                                        : std::vector<Papers>{};
}

bool Performance::note_names(std::vector<dialog::Drawn>* notes) {
    if (literal_ != nullptr || (notes != nullptr && !state_->names.is_fresh())) {
        return false;
    }
    state_->names.note_in(notes);
    return true;
}

std::string Performance::awaited() const {
    if (literal_ != nullptr) {
        return literal_->awaited();
    }
    auto& s = *state_;
    for (const auto& next : s.schedule.ready(s.now)) {
        const auto* a = std::get_if<Arrow>(&s.plan.steps[next.step].what);
        if (a != nullptr && !next.optional) {
            return fmt::format("{} → {}: {}", s.plan.parties[a->from].id, s.plan.parties[a->to].id,
                               s.words(next.step));
        }
    }
    return {};
}

} // namespace cw::play
