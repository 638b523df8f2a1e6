#include "play/performance.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {

std::string_view to_string(Verdict verdict) {
    switch (verdict) {
    case Verdict::Skipped:
        return "skipped";
    case Verdict::Passed:
        return "passed";
    case Verdict::Failed:
        return "failed";
    case Verdict::Missing:
        return "missing";
    case Verdict::Unexpected:
        return "unexpected";
    case Verdict::Unverified:
        return "unverified";
    }
    return "";
}

namespace {

Instant earlier(Instant a, Instant b) {
    return !a.known() ? b : !b.known() || a < b ? a : b;
}
// What a message is, in a few words: "INVITE", "180 Ringing (INVITE)".
std::string words_of(std::string_view message) {
    sip::HeaderIndex index;
    const auto view = sip::index(message, index);
    if (!view) {
        return std::string{
            message.substr(0, std::min(message.find_first_of("\r\n"), std::size_t{60}))};
    }
    if (view->is_request()) {
        return std::string{view->method_text()};
    }
    const auto cseq = view->value(sip::HeaderId::CSeq);
    const auto at = cseq.find_last_of(" \t");
    return fmt::format("{} {} ({})", view->status(), view->reason(),
                       at == std::string_view::npos ? "" : cseq.substr(at + 1));
}

} // namespace

State::State(const script::Plan& p, const Cast& c, const Given& g)
    : plan(p), cast(c), given(g), values(p, g, c), schedule(p, g.seed), names(g.seed),
      players(p.parties.size()), exchanges(p.steps.size()), origin(p.steps.size()) {
    for (PartyId party = 0; party < players.size(); ++party) {
        players[party].table =
            std::make_unique<transaction::Table>(hash_bytes(p.parties[party].id, g.seed));
        players[party].alive = !p.parties[party].created;
    }
    if (const auto* said = script::find<script::Timeout>(p.settings)) {
        timeout = said->time;
    }
    for (StepId i = 0; i < p.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&p.steps[i].what);
        if (a != nullptr) {
            report_at[i] = report.arrows.size();
            report.arrows.emplace_back().step = i;
        } else if (std::holds_alternative<script::Act>(p.steps[i].what)) {
            report_at[i] = report.acts.size();
            report.acts.emplace_back().step = i;
        }
        const auto* request = a != nullptr ? std::get_if<script::Request>(&a->content) : nullptr;
        if (request == nullptr || !request->again) {
            continue;
        }
        for (StepId j = i; j-- > 0 && !origin[i];) {
            const auto* first = std::get_if<Arrow>(&p.steps[j].what);
            const auto* other =
                first != nullptr ? std::get_if<script::Request>(&first->content) : nullptr;
            if (other != nullptr && !other->again && other->method == request->method &&
                first->from == a->from && first->to == a->to && first->call == a->call) {
                origin[i] = j;
            }
        }
    }
    sound = std::make_unique<Sound>(*this);
    plan_enrolments();
}

State::~State() = default;

ArrowReport& State::report_of(StepId step) {
    auto& list = std::holds_alternative<Arrow>(plan.steps[step].what) ? report.arrows : report.acts;
    return list[report_at.at(step)];
}

SideKey State::key_of(StepId step) const {
    const auto& a = arrow(step);
    if (const auto* response = std::get_if<script::Response>(&a.content)) {
        return key_of(first_of(response->answers));
    }
    const auto* request = std::get_if<script::Request>(&a.content);
    if (a.call != 0 || request == nullptr) {
        return a.call;
    }
    if (request->subscription) {
        return key_of(*request->subscription);
    }
    const bool begins =
        request->method == sip::Method::Subscribe || request->method == sip::Method::Refer;
    if (a.forwards) {
        return key_of(*a.forwards);
    }
    return begins ? first_subscription + first_of(step) : 0;
}

std::string State::words(StepId step) const {
    const auto* a = std::get_if<Arrow>(&plan.steps[step].what);
    if (a == nullptr) {
        return "";
    }
    if (const auto* request = std::get_if<script::Request>(&a->content)) {
        return std::string{sip::to_string(request->method)};
    }
    if (const auto* response = std::get_if<script::Response>(&a->content)) {
        return fmt::format("{} {} ({})", response->status, response->phrase,
                           sip::to_string(response->method));
    }
    if (std::holds_alternative<script::Channel>(a->content)) {
        return "a connection";
    }
    return "media";
}

std::optional<Values::CallFacts> State::call_facts(PartyId party, CallId call) const {
    const auto& sides = players[party].sides;
    const auto at = sides.find(call);
    if (at == sides.end() || at->second.call_id.empty()) {
        // What it was told of a call of others, in a way that is not drawn.
        for (PartyId other = 0; other < players.size(); ++other) {
            const auto there = players[other].sides.find(call);
            if (other != party && there != players[other].sides.end() &&
                !there->second.call_id.empty()) {
                return call_facts(other, call);
            }
        }
        return std::nullopt;
    }
    const auto& own = at->second;
    Values::CallFacts out;
    out.id = own.call_id;
    sip::HeaderIndex index;
    if (const auto invite = sip::index(std::string_view{own.invite}, index)) {
        const auto from = sip::parse_name_addr(invite->value(sip::HeaderId::From));
        const auto to = sip::parse_name_addr(invite->value(sip::HeaderId::To));
        const auto cseq = invite->value(sip::HeaderId::CSeq);
        out.cseq = cseq.substr(0, cseq.find_first_of(" \t"));
        out.from = from ? from->uri_text : "";
        out.to = to ? to->uri_text : "";
        out.from_tag = from ? from->tag : "";
        out.to_tag = to ? to->tag : "";
    }
    if (own.dialog) {
        const bool uac = own.dialog->role == dialog::Dialog::Role::Uac;
        out.from_tag = uac ? own.dialog->local_tag : own.dialog->remote_tag;
        out.to_tag = uac ? own.dialog->remote_tag : own.dialog->local_tag;
    }
    return out;
}

// ---- verdicts

void State::passed(StepId step) {
    auto& line = report_of(step);
    ++line.times;
    if (line.verdict == Verdict::Skipped) {
        line.verdict = Verdict::Passed;
    }
    if (!line.at.known()) {
        line.at = now;
    }
    if (!exchanges[step].sent.empty()) {
        line.sent = exchanges[step].sent;
    }
}

void State::failed(StepId step, Verdict verdict, std::string why, Difference difference) {
    auto& line = report_of(step);
    line.verdict = verdict;
    line.why = std::move(why);
    line.difference = std::move(difference);
    if (!exchanges[step].sent.empty()) {
        line.sent = exchanges[step].sent;
    }
    report.result = Report::Result::Failed;
}

void State::stop(std::string why) {
    if (over) {
        return;
    }
    report.result = Report::Result::Failed;
    if (report.why.empty()) {
        report.why = std::move(why);
    }
    over = true;
}

void State::extra(PartyId from, PartyId to, std::string_view message, bool implied,
                  std::string why) {
    constexpr std::size_t most_extras = 1000;
    if (!implied) {
        report.result = Report::Result::Failed;
    }
    if (report.extras.size() == most_extras) {
        return;
    }
    StepId before = static_cast<StepId>(plan.steps.size());
    for (const auto& [step, at] : report_at) {
        if (!schedule.is_sent(step) && !schedule.passed_over(step)) {
            before = step;
            break;
        }
    }
    report.extras.push_back(
        {from, to, before, now, implied, words_of(message), std::string{message}, std::move(why)});
}

// ---- the drive

void State::pump() {
    if (!over && !enrol()) {
        return;
    }
    for (bool moved = true; moved && !over;) {
        moved = false;
        const auto ready = schedule.ready(now); // a copy: what happens changes it
        for (const auto& next : ready) {
            waiting.try_emplace(next.step, Waiting{now, false, std::nullopt});
            if (perform(next)) {
                waiting.erase(next.step);
                moved = true;
                break;
            }
            if (over) {
                break;
            }
        }
    }
    if (!over && schedule.over()) {
        over = true;
        if (const auto at = schedule.failed_break()) {
            report.result = Report::Result::Failed;
            report.why = fmt::format("line {}: the flow ended in a break that means failure",
                                     plan.steps[*at].place.line);
        }
        for (const auto& late : schedule.late()) {
            report.result = Report::Result::Failed;
            report.why = fmt::format("line {}: this took {:.0f} ms, longer than it may",
                                     plan.steps[late.block].place.line, late.took.milliseconds());
        }
    }
    if (over && !report.ended.known()) {
        report.ended = now;
        schedule.end();
        sound->report(report.streams);
    }
}

bool State::perform(const Schedule::Ready& ready) {
    using Part = Schedule::Part;
    const auto step = ready.step;
    step_at_hand = step;
    switch (ready.part) {
    case Part::Nobody:
        schedule.received(step, now);
        unverified(step);
        return true;
    case Part::Send:
        return perform_send(step);
    case Part::Receive:
        if (script::is_lost(arrow(step).link) && !ours(arrow(step).from)) {
            schedule.received(step,
                              now); // from now on it is in no drawing: if it comes, that fails
            passed(step);
            return true;
        }
        return perform_receive(step);
    case Part::Both: {
        const auto& a = arrow(step);
        if (const auto* media = std::get_if<script::Media>(&a.content)) {
            return sound->perform_media(step, a, *media);
        }
        return perform_channel(step);
    }
    case Part::Act:
        return perform_act(step);
    }
    return false;
}

// Nobody of ours stands at either end: it is taken as done, and reported so.
void State::unverified(StepId step) {
    auto& line = report_of(step);
    if (line.verdict == Verdict::Skipped) {
        line.verdict = Verdict::Unverified;
        line.why = "neither end is ours";
    }
    ++line.times;
}

bool State::perform_act(StepId step) {
    const auto& what = plan.steps[step].what;
    if (const auto* born = std::get_if<script::Declare>(&what)) {
        players[born->party].alive = true;
        wants.opens.push_back(born->party);
        schedule.received(step, now);
        return true;
    }
    if (const auto* dies = std::get_if<script::Destroy>(&what)) {
        players[dies->party].alive = false;
        wants.deaths.push_back(dies->party);
        for (auto& line : lines) {
            line.open = line.open && line.owner != dies->party;
        }
        schedule.received(step, now);
        return true;
    }
    const auto& act = std::get<script::Act>(what);
    if (!ours(act.party)) {
        schedule.received(step, now);
        unverified(step);
        return true;
    }
    const auto& wait = waiting[step];
    std::optional<Duration> time;
    if (const auto* waits = std::get_if<script::Waits>(&act.action)) {
        time = waits->time;
    } else if (const auto* rings = std::get_if<script::Rings>(&act.action)) {
        time = rings->time;
    }
    if (time && now < wait.since + *time) {
        return false;
    }
    if (time) {
        schedule.received(step, now);
        passed(step);
        return true;
    }
    if (const auto* reads = std::get_if<script::Reads>(&act.action)) {
        return perform_reads(step, act.party, *reads);
    }
    return sound->perform_act(step, act);
}

// The latest MESSAGE that came is the one that is read.
bool State::perform_reads(StepId step, PartyId party, const script::Reads& reads) {
    for (StepId i = step; i-- > 0;) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        if (a == nullptr || a->to != party || exchanges[i].received.empty()) {
            continue;
        }
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{exchanges[i].received}, index);
        if (!message || message->method() != sip::Method::Message) {
            continue;
        }
        const Values::CallFinder calls = [&](CallId call) { return call_facts(party, call); };
        const Values::Where where{a->call, exchanges[i].received_on.transport, &calls};
        const bool right = values.match(reads.text, message->body(), where, false);
        schedule.received(step, now);
        passed(step);
        if (reads.signed_by) {
            failed(step, Verdict::Failed, "signatures are not looked at yet");
        } else if (!right) {
            failed(step, Verdict::Failed, "it reads something else",
                   {"the text", values.show(reads.text, where), std::string{message->body()}});
        }
        return true;
    }
    schedule.received(step, now);
    failed(step, Verdict::Failed, "no message has come that could be read");
    return true;
}

// ---- time

Duration State::patience(StepId step) const {
    const auto* a = std::get_if<Arrow>(&plan.steps[step].what);
    if (a == nullptr) {
        return timeout;
    }
    const auto* within = script::find<script::Within>(a->facts);
    return within != nullptr ? within->time : timeout;
}

void State::check_deadlines() {
    const auto ready = schedule.ready(now);
    // What need not come is waited for when nothing else can: an alt of which no branch begins.
    const bool only_options =
        std::ranges::all_of(ready, [](const Schedule::Ready& one) { return one.optional; });
    for (const auto& next : ready) {
        const auto wait = waiting.find(next.step);
        const bool awaits = next.part == Schedule::Part::Receive ||
                            next.part == Schedule::Part::Both || next.part == Schedule::Part::Send;
        if (wait == waiting.end() || !awaits || (next.optional && !only_options) ||
            (next.part == Schedule::Part::Both &&
             std::holds_alternative<script::Media>(arrow(next.step).content))) {
            continue;
        }
        const auto* after = script::find<script::After>(arrow(next.step).facts);
        const auto limit = patience(next.step) + (after != nullptr ? after->time : Duration{});
        if (now >= wait->second.since + limit) {
            failed(next.step, Verdict::Missing,
                   fmt::format("it did not come within {}",
                               limit >= seconds(1) ? fmt::format("{:g} s", limit.seconds())
                                                   : fmt::format("{:g} ms", limit.milliseconds())));
            stop("");
            return;
        }
    }
}

Instant State::next_deadline() {
    if (over) {
        return {};
    }
    auto out = schedule.next_deadline();
    for (const auto& player : players) {
        out = earlier(out, player.table->next_deadline());
        for (const auto& [call, own] : player.sides) {
            out = earlier(out, own.success.next_deadline());
        }
    }
    for (const auto& [step, repeat] : repeats) {
        out = earlier(out, repeat.timer.next_deadline());
    }
    for (const auto& next : schedule.ready(now)) {
        const auto wait = waiting.find(next.step);
        if (wait == waiting.end()) {
            continue;
        }
        const auto since = wait->second.since;
        const auto* act = std::get_if<script::Act>(&plan.steps[next.step].what);
        const auto* waits = act != nullptr ? std::get_if<script::Waits>(&act->action) : nullptr;
        const auto* rings = act != nullptr ? std::get_if<script::Rings>(&act->action) : nullptr;
        if (waits != nullptr || rings != nullptr) {
            out = earlier(out, since + (waits != nullptr ? waits->time : rings->time));
        } else if (act != nullptr) {
            out = earlier(out, now + milliseconds(20)); // what is heard is looked at again
        } else if (const auto* a = std::get_if<Arrow>(&plan.steps[next.step].what)) {
            if (const auto* after = script::find<script::After>(a->facts)) {
                out = earlier(out, since + after->time);
            }
            if (std::holds_alternative<script::Channel>(a->content)) {
                out = earlier(out, script::is_lost(a->link) ? since + seconds(3)
                                                            : now + milliseconds(100));
            }
            out = earlier(out, since + patience(next.step));
        }
    }
    return earlier(out, sound->next_deadline());
}

// ---- from outside

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
            line.open = false;
            line.why_closed = why;
            if (facts.alert >= 0) {
                line.facts.alert = facts.alert;
            }
            s.players[line.owner].table->on_wire_closed(wire, now, s.outbox);
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
    for (PartyId party = 0; party < s.players.size(); ++party) {
        auto& player = s.players[party];
        player.table->advance(now, s.outbox);
        for (const auto& occurrence : player.table->occurrences()) {
            if (occurrence.what != transaction::Table::Happened::Timeout || occurrence.owner == 0) {
                continue;
            }
            if (occurrence.owner >= enrolment_owner) {
                s.stop(s.plan.parties[party].id + " cannot register: nobody answers");
            } else {
                s.timed_out(static_cast<StepId>(occurrence.owner - 1));
            }
        }
        player.table->clear_occurrences();
        for (auto& [call, own] : player.sides) {
            if (own.success.advance(now) == dialog::Retransmission::Due::Resend) {
                s.outbox.send(own.success_wire, own.success.bytes);
            }
        }
    }
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

// Nobody answered a request of ours: what was drawn as its answer does not come.
void State::timed_out(StepId request) {
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto* a = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* wanted = a != nullptr ? std::get_if<script::Response>(&a->content) : nullptr;
        if (wanted != nullptr && first_of(wanted->answers) == request && schedule.may_come(i) &&
            !script::is_lost(a->link)) {
            failed(i, Verdict::Missing, "nobody answered the request");
            stop("");
            return;
        }
    }
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
