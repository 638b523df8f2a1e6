#include "play/performance.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "play/sound.hpp"

namespace cw::play {

Performance::Performance(const script::Plan& plan, const Cast& cast, const Given& given)
    : state_(std::make_unique<State>(plan, cast, given)) {}
Performance::~Performance() = default;

void Performance::start(Instant now) {
    state_->now = now;
    state_->report.began = now;
    state_->pump();
}

void Performance::on_connected(std::uint32_t token, const Wire& wire, const HandshakeFacts& facts,
                               Instant now) {
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
    auto& s = *state_;
    s.now = now;
    Line line;
    line.wire = wire;
    line.owner = party;
    line.facts = facts;
    line.peer = s.peer_of(wire, party);
    if (!line.peer) {
        // The only one that is not ours, if there is only one.
        std::optional<PartyId> other;
        bool several = false;
        for (PartyId i = 0; i < s.plan.parties.size(); ++i) {
            if (!s.ours(i)) {
                several = several || other.has_value();
                other = i;
            }
        }
        if (!several) {
            line.peer = other;
        }
    }
    s.lines.push_back(std::move(line));
    s.pump();
}

void Performance::on_closed(const Wire& wire, std::string_view why, const HandshakeFacts& facts,
                            Instant now) {
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
    auto& s = *state_;
    s.now = now;
    if (s.over || !s.players[party].alive) {
        return;
    }
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    if (!message) {
        s.extra(s.peer_of(wire, party).value_or(party), party, text, false, message.error().what);
        return;
    }
    if (message->is_request()) {
        s.on_request(party, *message, wire);
    } else {
        s.on_response(party, *message, wire);
    }
    s.pump();
}

void Performance::on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now) {
    state_->now = now;
    state_->sound->on_packet(socket, from, packet);
}

void Performance::on_dtls(std::uint32_t socket, const DtlsKeys& keys, Instant now) {
    state_->now = now;
    state_->sound->on_dtls(socket, keys);
    state_->pump();
}

void Performance::advance(Instant now) {
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
    state_->now = now;
    state_->stop("interrupted");
    state_->pump();
}

Instant Performance::next_deadline() const {
    return state_->next_deadline();
}

transaction::Outbox& Performance::outbox() {
    return state_->outbox;
}

Wants& Performance::wants() {
    return state_->wants;
}

bool Performance::over() const {
    return state_->over;
}

const Report& Performance::report() const {
    return state_->report;
}

std::string Performance::awaited() const {
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
