#include <algorithm>

#include <fmt/format.h>

#include "play/performance.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"

namespace cw::play {

namespace {

// How soon what brings no event of its own is looked at again.
constexpr Duration look_again = milliseconds(20);

Instant earlier(Instant a, Instant b) {
    return !a.known() ? b : !b.known() || a < b ? a : b;
}

} // namespace

void State::pump() {
    if (!over && !enrol()) {
        return;
    }
    over = over || given.enrol_only;
    send_silent_acks();
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
    if (!over && schedule.over() && silent_acks.empty()) {
        over = true;
        if (const auto at = schedule.failed_break()) {
            report.result = Report::Result::Failed;
            report.why = fmt::format("line {}: the flow ended in a break that means failure",
                                     plan.steps[*at].place.line);
        }
        for (const auto& late : schedule.late()) {
            report.result = Report::Result::Failed;
            const auto& block = std::get<script::Block>(plan.steps[late.block].what);
            const auto* within = script::find<script::Within>(block.facts);
            report.why =
                fmt::format("line {}: what is critical took {:.0f} ms, longer than {:.0f} ms",
                            plan.steps[late.block].place.line, late.took.milliseconds(),
                            within != nullptr ? within->time.milliseconds() : 0.0);
        }
    }
    if (over && !report.ended.known()) {
        report.ended = now;
        for (StepId step = 0; step < exchanges.size(); ++step) {
            report_asked(step);
        }
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
        if (kept_out(step)) {
            return true;
        }
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
        if (auto other = reads.signed_by ? check_signer(i, *reads.signed_by) : std::nullopt) {
            failed(step, Verdict::Failed, "it is not signed as drawn", std::move(*other));
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
            auto why =
                fmt::format("it did not come within {}",
                            limit >= seconds(1) ? fmt::format("{:g} s", limit.seconds())
                                                : fmt::format("{:g} ms", limit.milliseconds()));
            const auto& a = arrow(next.step);
            if (const auto closed = why_closed(a.to, a.from);
                next.part == Schedule::Part::Receive && !closed.empty()) {
                why += fmt::format("; the connection to {} has closed: {}", plan.parties[a.from].id,
                                   closed);
            }
            failed(next.step, Verdict::Missing, std::move(why));
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
    // A time that has come and brought nothing about, as the patience with what need not come, is
    // no reason to be asked again at once, for ever.
    const auto ahead = [this](Instant due) { return due > now ? due : now + look_again; };
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
            out = earlier(out, now + look_again); // what is heard
        } else if (const auto* a = std::get_if<Arrow>(&plan.steps[next.step].what)) {
            if (const auto* after = script::find<script::After>(a->facts)) {
                const auto due = since + after->time;
                out = earlier(out, next.part == Schedule::Part::Send ? due : ahead(due));
            }
            if (std::holds_alternative<script::Media>(a->content)) {
                out = earlier(out, ahead(since + seconds(2))); // see Sound::perform_media
            }
            if (std::holds_alternative<script::Channel>(a->content)) {
                out = earlier(out, script::is_lost(a->link) ? ahead(since + seconds(3))
                                                            : now + milliseconds(100));
            }
            out = earlier(out, ahead(since + patience(next.step)));
        }
    }
    return earlier(out, sound->next_deadline());
}

} // namespace cw::play
