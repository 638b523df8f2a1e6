#include "play/literal/literal.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "play/literal/received.hpp"
#include "script/print.hpp"

namespace cw::play::literal {

using Kind = Instruction::Kind;
using script::PartyId;
using script::StepId;

namespace {

constexpr std::uint32_t most_moves = 100'000; // a loop that waits for nothing
constexpr std::size_t most_waiting = 64;      // messages that no step has taken yet
constexpr std::size_t most_answered = 32;
constexpr std::size_t most_asked = 64; // requests that the report tells of

// [RFC 3261 §17.1.1.1]: T1 and T2.
constexpr Duration first_gap = milliseconds(500);
constexpr Duration longest_gap = seconds(4);
constexpr std::uint32_t most_repeats = 10;

std::string first_line(std::string_view text) {
    return std::string{text.substr(0, text.find_first_of("\r\n"))};
}

} // namespace

Literal::Literal(const script::Plan& plan, const Cast& cast, const Given& given)
    : plan_(plan), cast_(cast), given_(given) {
    if (const auto* said = script::find<script::Timeout>(plan.settings)) {
        timeout_ = said->time;
    }
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto& what = plan.steps[i].what;
        if (std::holds_alternative<script::Arrow>(what)) {
            report_at_[i] = report.arrows.size();
            report.arrows.emplace_back().step = i;
        } else if (std::holds_alternative<script::Act>(what)) {
            report_at_[i] = report.acts.size();
            report.acts.emplace_back().step = i;
        }
    }
    walkers_.reserve(cast.programs.size());
    for (const auto& program : cast.programs) {
        const auto& media = cast.members[program->party].media;
        const auto own = media.find(1);
        walkers_.emplace_back(*program, Player{*program, plan, cast, given, digester_},
                              Sounds{given,
                                     own == media.end() ? std::nullopt : std::optional{own->second},
                                     given.seed});
    }
}

ArrowReport& Literal::report_of(StepId step) {
    const bool arrow = std::holds_alternative<script::Arrow>(plan_.steps[step].what);
    return (arrow ? report.arrows : report.acts)[report_at_.at(step)];
}

void Literal::passed(StepId step) {
    if (!report_at_.contains(step)) {
        return;
    }
    auto& line = report_of(step);
    if (!is_wrong(line.verdict)) {
        line.verdict = Verdict::Passed;
    }
    line.at = line.at.known() ? line.at : now_;
    ++line.times;
}

void Literal::failed(StepId step, Verdict verdict, std::string why, Difference difference) {
    failed_ = true;
    if (!report_at_.contains(step)) {
        report.why = report.why.empty() ? std::move(why) : report.why;
        return;
    }
    auto& line = report_of(step);
    if (!is_wrong(line.verdict)) {
        line.verdict = verdict;
        line.why = std::move(why);
        line.difference = std::move(difference);
        line.at = line.at.known() || verdict == Verdict::Missing ? line.at : now_;
    }
}

void Literal::end(bool well, std::string why) {
    if (over_) {
        return;
    }
    over_ = true;
    failed_ = failed_ || !well;
    report.ended = now_;
    report.result = failed_ ? Report::Result::Failed : Report::Result::Passed;
    if (report.why.empty()) {
        report.why = std::move(why);
    }
}

void Literal::extra(const Walker& walker, const Wire& wire, std::string_view text, bool implied,
                    std::string why) {
    constexpr std::size_t most_extras = 200;
    if (report.extras.size() == most_extras) {
        return;
    }
    Extra out;
    out.to = walker.program->party;
    out.from = cast_.find(wire.remote).value_or(out.to);
    for (PartyId i = 0; out.from == out.to && i < plan_.parties.size(); ++i) {
        if (plan_.parties[i].control == script::Control::External) {
            out.from = i;
        }
    }
    out.before = walker.at < walker.program->steps.size() ? walker.program->steps[walker.at].step
                                                          : static_cast<StepId>(plan_.steps.size());
    out.at = now_;
    out.implied = implied;
    const auto opening = opening_of(text);
    out.text = opening.status != 0 ? first_line(text).substr(std::min<std::size_t>(8, text.size()))
                                   : std::string{opening.method};
    out.message = text;
    out.why = std::move(why);
    report.extras.push_back(std::move(out));
}

Literal::Walker* Literal::walker_of(PartyId party) {
    const auto found = std::ranges::find_if(
        walkers_, [&](const Walker& walker) { return walker.program->party == party; });
    return found == walkers_.end() ? nullptr : &*found;
}

std::string Literal::what_is(const Instruction& one) const {
    const auto* arrow = std::get_if<script::Arrow>(&plan_.steps[one.step].what);
    return arrow != nullptr ? script::words_of(plan_, *arrow) : std::string{};
}

// ---- the walk

void Literal::pump() {
    bool moved = true;
    while (moved && !over_) {
        moved = false;
        for (auto& walker : walkers_) {
            while (!over_ && !walker.done && step(walker)) {
                moved = true;
            }
        }
    }
    const bool all =
        std::ranges::all_of(walkers_, [](const Walker& walker) { return walker.done; });
    if (all && !over_) {
        end(!failed_);
    }
}

void Literal::go_on(Walker& walker, const Instruction& one, std::optional<Index> jump) {
    auto next = static_cast<Index>(&one - walker.program->steps.data()) + 1;
    if (one.then.to) {
        const bool asked =
            one.then.test.empty() || walker.player.is_set(one.then.test) != one.then.negated;
        if (asked && (one.then.chance == 1'000'000 || walker.player.chance(one.then.chance))) {
            next = *one.then.to;
        }
    }
    walker.at = jump.value_or(next);
    walker.since = now_;
    walker.until.reset();
    if (++walker.moves > most_moves) {
        failed(one.step, Verdict::Failed, "it goes round and waits for nothing");
        end(false);
    }
}

// Before anything has come or been sent: how it would be.
Wire Literal::presumed_wire(const Walker& walker) const {
    Wire wire;
    const auto from = walker.program->party;
    for (const auto& one : walker.program->steps) {
        if (one.kind != Kind::Send && one.kind != Kind::Receive) {
            continue;
        }
        wire.transport = cast_.transport(from, one.peer);
        wire.remote = cast_.reach(from, one.peer, wire.transport).value_or(Endpoint{});
        wire.local =
            cast_.members[from].at[static_cast<std::size_t>(wire.transport)].value_or(Endpoint{});
        break;
    }
    return wire;
}

void Literal::obey(Walker& walker, const Instruction& one, std::string_view message,
                   std::optional<Index>& jump) {
    if (one.orders.empty()) {
        return;
    }
    const auto index = static_cast<Index>(&one - walker.program->steps.data());
    const auto outcome = walker.player.obey(
        one.orders, message, index, walker.wire ? *walker.wire : presumed_wire(walker), now_);
    for (const auto& sound : outcome.sounds) {
        walker.sounds.begin(sound, now_);
    }
    if (outcome.close && walker.wire) {
        if (walker.wire->reliable()) {
            wants.closes.push_back(*walker.wire);
        }
        walker.wire.reset();
        walker.token.reset();
    }
    if (outcome.send_to) {
        walker.send_to = outcome.send_to;
        walker.wire.reset();
        walker.token.reset();
    }
    // What was sent is looked at as SIPp does it: it fails nothing.
    if (!outcome.failed.empty() && (one.kind != Kind::Send || outcome.stop)) {
        failed(one.step, Verdict::Failed, outcome.failed);
    }
    jump = outcome.jump;
    if (outcome.stop) {
        walker.done = true;
        walker.at = static_cast<Index>(walker.program->steps.size());
    }
}

bool Literal::step(Walker& walker) {
    if (walker.at >= walker.program->steps.size()) {
        walker.done = true;
        return true;
    }
    const auto& one = walker.program->steps[walker.at];
    if (!walker.since.known()) {
        walker.since = now_;
    }
    if (!one.when.empty() && walker.player.is_set(one.when) == one.when_not) {
        ++walker.at;
        walker.since = now_;
        return true;
    }
    switch (one.kind) {
    case Kind::Send:
        return step_send(walker, one);
    case Kind::Receive:
        return step_receive(walker, one);
    case Kind::Hear:
        return step_hear(walker, one);
    case Kind::Pause:
        return step_pause(walker, one);
    case Kind::Compute: {
        std::optional<Index> jump;
        passed(one.step);
        obey(walker, one, walker.player.last_received(), jump);
        if (!walker.done) {
            go_on(walker, one, jump);
        }
        return true;
    }
    case Kind::Tell: {
        auto text = walker.player.write(one, walker.at,
                                        walker.wire ? *walker.wire : presumed_wire(walker), now_);
        auto* other = walker_of(one.peer);
        if (!text || other == nullptr) {
            failed(one.step, Verdict::Failed, text ? "nobody is there to be told" : text.error());
            end(false);
            return false;
        }
        text->resize(text->find_last_not_of("\r\n") + 1); // it has no end of a header
        report_of(one.step).sent = *text;
        other->told.push_back(std::move(*text));
        go_on(walker, one);
        return true;
    }
    case Kind::Count: {
        auto& round = walker.rounds[walker.at];
        if (++round < one.rounds) {
            go_on(walker, one, one.miss);
        } else {
            round = 0;
            go_on(walker, one);
        }
        return true;
    }
    case Kind::Maybe:
        go_on(walker, one,
              one.chance == 1'000'000 || walker.player.chance(one.chance)
                  ? std::nullopt
                  : std::optional{one.miss});
        return true;
    }
    return false;
}

// Where it goes: to whoever it has last heard from, else to where the other party is.
std::optional<Wire> Literal::way(Walker& walker, PartyId to) {
    if (walker.wire) {
        return walker.wire;
    }
    const auto from = walker.program->party;
    const auto transport = walker.send_to ? walker.send_to->transport : cast_.transport(from, to);
    const auto at =
        walker.send_to ? std::optional{walker.send_to->at} : cast_.reach(from, to, transport);
    if (!at) {
        walker.refused = true;
        walker.why_refused = fmt::format("where is {}? Say --at {}=udp:HOST:PORT",
                                         plan_.parties[to].id, plan_.parties[to].id);
        return std::nullopt;
    }
    if (!sip::is_reliable(transport)) {
        Wire wire;
        wire.transport = transport;
        wire.connection = from;
        wire.remote = *at;
        wire.local =
            cast_.members[from].at[static_cast<std::size_t>(transport)].value_or(Endpoint{});
        return wire;
    }
    if (!walker.token) {
        Connect connect;
        connect.token = next_token_++;
        connect.from = from;
        connect.to = to;
        connect.at = *at;
        connect.transport = transport;
        connect.handshake.server_name = cast_.members[to].name;
        walker.token = connect.token;
        wants.connects.push_back(std::move(connect));
    }
    return std::nullopt;
}

void Literal::send(Walker& walker, const Wire& wire, std::string_view bytes) {
    outbox.send(wire, bytes);
    walker.last_sent = bytes;
    if (!walker.answered.empty()) {
        walker.answered.back().answer = bytes;
    }
}

bool Literal::step_send(Walker& walker, const Instruction& one) {
    const auto wire = way(walker, one.peer);
    if (!wire) {
        if (walker.refused) {
            failed(one.step, Verdict::Missing, walker.why_refused);
            end(false);
        }
        return false;
    }
    auto text = walker.player.write(one, walker.at, *wire, now_);
    if (!text) {
        failed(one.step, Verdict::Failed, text.error());
        end(false);
        return false;
    }
    const bool lost = one.lost > 0 && (one.lost == 1'000'000 || walker.player.chance(one.lost));
    if (!lost) {
        send(walker, *wire, *text);
    }
    walker.repeat.due = {};
    if (one.message.again && !wire->reliable()) {
        walker.repeat = {*text, *wire, first_gap, now_ + first_gap, most_repeats};
    }
    if (one.message.request && one.message.method != "ACK") {
        walker.asked = one.step;
        const bool again = std::ranges::any_of(report.asked, [&](const Asked& asked) {
            return asked.step == one.step && asked.status == 0;
        });
        if (!again && report.asked.size() < most_asked) {
            auto& asked = report.asked.emplace_back();
            asked.step = one.step;
            asked.method = sip::method_of(one.message.method);
            asked.sent = now_;
        }
    }
    passed(one.step);
    std::optional<Index> jump;
    obey(walker, one, *text, jump); // what it says is about what was sent
    report_of(one.step).sent = std::move(*text);
    if (!walker.done) {
        go_on(walker, one, jump);
    }
    return true;
}

bool Literal::step_pause(Walker& walker, const Instruction& one) {
    if (!walker.until) {
        walker.until = walker.since + walker.player.length_of(one.pause);
    }
    // As for SIPp, what comes now is one too many, unless it was awaited before and may still come.
    while (!walker.inbox.empty()) {
        const auto arrived = std::move(walker.inbox.front());
        walker.inbox.pop_front();
        if (passed_by(walker, arrived)) {
            return true;
        }
        unexpected(walker, arrived);
        if (over_) {
            return false;
        }
    }
    if (now_ < *walker.until) {
        return false;
    }
    passed(one.step);
    std::optional<Index> jump;
    obey(walker, one, walker.player.last_received(), jump);
    if (!walker.done) {
        go_on(walker, one, jump);
    }
    return true;
}

bool Literal::step_hear(Walker& walker, const Instruction& one) {
    if (walker.told.empty()) {
        return false;
    }
    const auto text = std::move(walker.told.front());
    walker.told.pop_front();
    walker.moves = 0;
    passed(one.step);
    walker.player.adopt_call_id(text);
    report_of(one.step).received = text;
    std::optional<Index> jump;
    obey(walker, one, text, jump);
    if (!walker.done) {
        go_on(walker, one, jump);
    }
    return true;
}

std::vector<Index> Literal::awaited_by(const Walker& walker) const {
    std::vector<Index> out;
    const auto& steps = walker.program->steps;
    for (auto at = walker.at; at < steps.size() && out.size() < 256;) {
        const auto& one = steps[at];
        // The end of a way through an alt leads on.
        if (one.kind == Kind::Compute && one.orders.empty() && one.then.to &&
            one.then.test.empty() && *one.then.to > at) {
            at = *one.then.to;
            continue;
        }
        if (one.kind != Kind::Receive) {
            break;
        }
        out.push_back(at);
        if (!one.optional && !one.any_time) {
            break;
        }
        at = one.optional ? std::max(one.miss, at + 1) : at + 1;
    }
    return out;
}

bool Literal::step_receive(Walker& walker, const Instruction& one) {
    const auto candidates = awaited_by(walker);
    while (!walker.inbox.empty()) {
        const auto arrived = std::move(walker.inbox.front());
        walker.inbox.pop_front();
        for (const auto index : candidates) {
            const auto& awaited = walker.program->steps[index];
            if (!walker.player.fits(awaited, arrived.text)) {
                continue;
            }
            if (awaited.lost > 0 && walker.player.chance(awaited.lost)) { // …on its way
                if (!walker.answered.empty()) {
                    walker.answered.pop_back(); // what comes again is no repetition
                }
                return true;
            }
            return take(walker, index, arrived, true);
        }
        if (passed_by(walker, arrived)) {
            return true;
        }
        unexpected(walker, arrived);
        if (over_) {
            return false;
        }
    }
    // What need not come is not waited for, when nothing that must comes after it.
    const auto& last = walker.program->steps[candidates.back()];
    if (last.optional || last.any_time) {
        walker.at =
            last.optional ? std::max(last.miss, candidates.back() + 1) : candidates.back() + 1;
        walker.since = now_;
        return true;
    }
    static_cast<void>(one);
    return false;
}

// A message that fits. `moves`: the walker goes on behind it; else it stays where it is.
bool Literal::take(Walker& walker, Index index, const Arrived& arrived, bool moves) {
    const auto& one = walker.program->steps[index];
    if (!walker.send_to) {
        walker.wire = arrived.wire;
    }
    walker.moves = 0;
    walker.player.take(one, arrived.text);
    walker.sounds.learn(arrived.text);
    passed(one.step);
    auto& line = report_of(one.step);
    line.received = arrived.text;
    if (one.status != 0 && walker.asked) {
        line.took = now_ - report_of(*walker.asked).at;
    }
    note_answer(one, arrived.text);
    if (one.fails) {
        failed(one.step, Verdict::Unexpected, "it must not come, and did");
    }
    std::optional<Index> jump;
    obey(walker, one, arrived.text, jump);
    if (walker.done) {
        return true;
    }
    if (moves && !one.any_time) {
        go_on(walker, one, jump);
    } else {
        const auto before = walker.at;
        go_on(walker, one, jump);
        const bool leaves = jump || walker.at != index + 1;
        walker.at = leaves ? walker.at : before;
    }
    return true;
}

// What the response is to, the latest such request, has it.
void Literal::note_answer(const Instruction& one, std::string_view message) {
    if (one.status == 0) {
        return;
    }
    const auto method = sip::method_of(method_in(value_of_header(message, "CSeq")));
    const auto at = std::find_if(report.asked.rbegin(), report.asked.rend(),
                                 [&](const Asked& asked) { return asked.method == method; });
    if (at == report.asked.rend() || at->status != 0) {
        return;
    }
    if (one.status >= 200) {
        at->status = one.status;
        at->final = now_;
    } else if (one.status > 100 && !at->provisional.known()) {
        at->provisional = now_;
    }
}

// It was awaited before, and may still come: an optional one above, or one that may at any time.
bool Literal::passed_by(Walker& walker, const Arrived& arrived) {
    bool at_hand = true;
    const auto& steps = walker.program->steps;
    for (auto index = std::min<Index>(walker.at, static_cast<Index>(steps.size())); index-- > 0;) {
        const auto& one = steps[index];
        const bool receives = one.kind == Kind::Receive;
        at_hand = at_hand && (!receives || one.optional);
        if (!receives || !(one.any_time || (one.optional && at_hand)) ||
            !walker.player.fits(one, arrived.text)) {
            continue;
        }
        return take(walker, index, arrived, false);
    }
    return false;
}

void Literal::unexpected(Walker& walker, const Arrived& arrived) {
    const auto opening = opening_of(arrived.text);
    if (opening.status >= 100 && opening.status < 200) {
        extra(walker, arrived.wire, arrived.text, true, "");
        return;
    }
    // A 2xx that comes again although its ACK has been sent, in other words: its ACK was lost.
    extra(walker, arrived.wire, arrived.text, false, "it is not in the flow");
    const auto candidates = awaited_by(walker);
    if (!candidates.empty()) {
        const auto& one = walker.program->steps[candidates.back()];
        failed(one.step, Verdict::Missing,
               fmt::format("{} came in its place", first_line(arrived.text)),
               {"message", what_is(one), first_line(arrived.text)});
    }
    // The other side is not left waiting: a BYE or CANCEL is answered [RFC 3261 §15.1.2].
    if (opening.method == "BYE" || opening.method == "CANCEL") {
        std::string text = "SIP/2.0 200 OK\r\n";
        for (const std::string_view name : {"Via", "From", "To", "Call-ID", "CSeq"}) {
            for (const auto line : lines_of_header(arrived.text, name)) {
                text += line;
                text += "\r\n";
            }
        }
        text += "Content-Length: 0\r\n\r\n";
        outbox.send(arrived.wire, text);
    }
    end(false);
}

// Over UDP the same bytes again are a retransmission: it gets the same answer.
bool Literal::repeated(Walker& walker, const Wire& wire, std::string_view text) {
    const auto hash = hash_bytes(text);
    for (const auto& one : walker.answered) {
        if (one.hash == hash && !wire.reliable()) {
            if (!one.answer.empty()) {
                outbox.send(wire, one.answer);
            }
            return true;
        }
    }
    if (walker.answered.size() == most_answered) {
        walker.answered.pop_front();
    }
    walker.answered.push_back({hash, {}});
    return false;
}

// ---- from outside

void Literal::start(Instant now) {
    now_ = now;
    report.began = now;
    pump();
}

void Literal::on_connected(std::uint32_t token, const Wire& wire, Instant now) {
    now_ = now;
    for (auto& walker : walkers_) {
        if (walker.token == token) {
            walker.wire = wire;
        }
    }
    pump();
}

void Literal::on_refused(std::uint32_t token, std::string_view why, Instant now) {
    now_ = now;
    for (auto& walker : walkers_) {
        if (walker.token == token) {
            walker.refused = true;
            walker.why_refused = fmt::format("there is no connection: {}", why);
        }
    }
    pump();
}

void Literal::on_accepted(PartyId party, const Wire& wire, Instant now) {
    now_ = now;
    if (auto* walker = walker_of(party); walker != nullptr && !walker->wire) {
        walker->wire = wire;
    }
    pump();
}

void Literal::on_closed(const Wire& wire, Instant now) {
    now_ = now;
    for (auto& walker : walkers_) {
        if (walker.wire == wire) {
            walker.wire.reset();
            walker.token.reset();
        }
    }
    pump();
}

void Literal::on_message(PartyId party, const Wire& wire, std::string_view text, Instant now) {
    now_ = now;
    auto* walker = walker_of(party);
    if (walker == nullptr || repeated(*walker, wire, text)) {
        return;
    }
    walker->repeat.due = {};
    if (over_ || walker->done) {
        return;
    }
    if (walker->inbox.size() < most_waiting) {
        walker->inbox.push_back({std::string{text}, wire});
    }
    pump();
}

void Literal::on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now) {
    now_ = now;
    for (auto& walker : walkers_) {
        for (const auto& [call, place] : cast_.members[walker.program->party].media) {
            if (place.socket == socket) {
                walker.sounds.on_packet(from, packet, wants);
            }
        }
    }
}

Instant Literal::patience_of(const Walker& walker) const {
    const auto& steps = walker.program->steps;
    if (walker.at >= steps.size() || !walker.since.known()) {
        return {};
    }
    const auto& one = steps[walker.at];
    if (one.kind == Kind::Pause) {
        return walker.until.value_or(now_);
    }
    return walker.since + one.within.value_or(timeout_);
}

void Literal::check_patience(Walker& walker) {
    const auto& steps = walker.program->steps;
    if (walker.done || walker.at >= steps.size() || now_ < patience_of(walker)) {
        return;
    }
    const auto& one = steps[walker.at];
    if (one.kind == Kind::Pause) {
        return;
    }
    if (one.otherwise) {
        walker.at = *one.otherwise;
        walker.since = now_;
        return;
    }
    const auto candidates = awaited_by(walker);
    const auto& wanted = candidates.empty() ? one : steps[candidates.back()];
    const auto limit = one.within.value_or(timeout_);
    failed(wanted.step, Verdict::Missing,
           fmt::format("it did not come within {}",
                       limit >= seconds(1) ? fmt::format("{:g} s", limit.seconds())
                                           : fmt::format("{:g} ms", limit.milliseconds())));
    end(false);
}

void Literal::advance(Instant now) {
    now_ = now;
    for (auto& walker : walkers_) {
        auto& repeat = walker.repeat;
        if (repeat.due.known() && repeat.due <= now && !over_) {
            outbox.send(repeat.wire, repeat.bytes);
            repeat.gap = std::min(repeat.gap + repeat.gap, longest_gap);
            repeat.due = --repeat.left > 0 ? now + repeat.gap : Instant{};
        }
        if (!over_) {
            walker.sounds.advance(now, wants);
            check_patience(walker);
        }
    }
    pump();
}

void Literal::interrupt(Instant now) {
    now_ = now;
    end(false, "interrupted");
}

Instant Literal::next_deadline() const {
    Instant out;
    const auto earlier = [&](Instant at) {
        out = !out.known() || (at.known() && at < out) ? at : out;
    };
    if (over_) {
        return out;
    }
    for (const auto& walker : walkers_) {
        if (walker.done) {
            continue;
        }
        earlier(patience_of(walker));
        earlier(walker.repeat.due);
        earlier(walker.sounds.next_deadline());
    }
    return out;
}

std::string Literal::awaited() const {
    for (const auto& walker : walkers_) {
        if (walker.done || walker.at >= walker.program->steps.size()) {
            continue;
        }
        const auto candidates = awaited_by(walker);
        const auto& one = walker.program->steps[candidates.empty() ? walker.at : candidates.back()];
        if (one.kind == Kind::Receive) {
            return fmt::format("{} → {}: {}", plan_.parties[one.peer].id,
                               plan_.parties[walker.program->party].id, what_is(one));
        }
    }
    return {};
}

} // namespace cw::play::literal
