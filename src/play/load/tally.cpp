#include "play/load/tally.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cw::play {

namespace {

bool answered_well(std::uint16_t status) {
    return status >= 200 && status < 300;
}

void count_session(Tally::Sessions& sessions, std::uint16_t status) {
    ++sessions.asked;
    switch (status) {
    case 401:
    case 402:
    case 407:
        ++sessions.challenged;
        return;
    case 480:
    case 486:
    case 600:
    case 603:
        ++sessions.refused;
        return;
    // [RFC 6076 §4.8] "Ineffective Session Attempts": the server itself fails
    case 0:
    case 408:
    case 500:
    case 503:
    case 504:
        ++sessions.ineffective;
        return;
    default:
        break;
    }
    sessions.answered += answered_well(status) ? 1 : 0;
    sessions.redirected += status >= 300 && status < 400 ? 1 : 0;
}

// Where messages are written out, no arrow says that a session begins: the first INVITE does, and
// one after a challenge.
bool opens_session(const script::Plan& plan, const Report& report, const Asked& asked) {
    const auto& arrow = std::get<script::Arrow>(plan.steps[asked.step].what);
    if (!script::is_literal(plan.parties[arrow.from])) {
        return arrow.opens_call;
    }
    return std::ranges::none_of(report.asked, [&](const Asked& other) {
        return other.method == sip::Method::Invite && other.sent < asked.sent &&
               other.status != 401 && other.status != 407;
    });
}

const Histogram& times_of(const Tally& tally, script::Criterion::Of what) {
    using Of = script::Criterion::Of;
    switch (what) {
    case Of::Ringing:
        return tally.ringing;
    case Of::Registrations:
        return tally.registrations;
    case Of::Handshakes:
        return tally.handshakes;
    case Of::Answers:
    case Of::Failures:
        break;
    }
    return tally.answers;
}

} // namespace

void Tally::merge(const Tally& other) {
    due += other.due;
    started += other.started;
    held_back += other.held_back;
    lateness.merge(other.lateness);
    passed += other.passed;
    failed += other.failed;
    interrupted += other.interrupted;
    for (const auto& [cause, times] : other.causes) {
        const bool known = causes.contains(cause) || causes.size() < limit::causes;
        causes[known ? cause : "other causes"] += times;
    }
    length.merge(other.length);
    sessions.asked += other.sessions.asked;
    sessions.answered += other.sessions.answered;
    sessions.redirected += other.sessions.redirected;
    sessions.challenged += other.sessions.challenged;
    sessions.refused += other.sessions.refused;
    sessions.ineffective += other.sessions.ineffective;
    ringing.merge(other.ringing);
    answers.merge(other.answers);
    registrations.merge(other.registrations);
    hanging_up.merge(other.hanging_up);
    registrations_asked += other.registrations_asked;
    registrations_failed += other.registrations_failed;
    handshakes.merge(other.handshakes);
    refused += other.refused;
    resumed += other.resumed;
    lost += other.lost;
    silent += other.silent;
    sent += other.sent;
    received += other.received;
    late += other.late;
    steps.resize(std::max(steps.size(), other.steps.size()));
    for (std::size_t i = 0; i < other.steps.size(); ++i) {
        steps[i].merge(other.steps[i]);
    }
}

void Tally::clear() {
    const auto empty = [](Histogram& times) {
        times.clear();
        return std::move(times);
    };
    Tally fresh;
    fresh.lateness = empty(lateness);
    fresh.length = empty(length);
    fresh.ringing = empty(ringing);
    fresh.answers = empty(answers);
    fresh.registrations = empty(registrations);
    fresh.hanging_up = empty(hanging_up);
    fresh.handshakes = empty(handshakes);
    for (auto& step : steps) {
        fresh.steps.push_back(empty(step));
    }
    *this = std::move(fresh);
}

void Tally::count(const script::Plan& plan, const Report& report, Instant due_at) {
    if (report.passed()) {
        ++passed;
        length.add(report.ended - due_at);
    } else {
        ++failed;
        const auto cause = cause_of(plan, report);
        const bool known = causes.contains(cause) || causes.size() < limit::causes;
        ++causes[known ? cause : "other causes"];
    }
    // What was waited for before the first request counts as well.
    const auto began = std::ranges::min_element(report.asked, {}, &Asked::sent);
    for (const auto& asked : report.asked) {
        const auto since = asked.step == began->step && report.began <= asked.sent
                               ? asked.sent - (report.began - due_at)
                               : asked.sent;
        const auto time = asked.final - since;
        if (asked.method == sip::Method::Invite && opens_session(plan, report, asked)) {
            count_session(sessions, asked.status);
            if (asked.provisional.known()) {
                ringing.add(asked.provisional - since);
            }
            if (answered_well(asked.status)) {
                answers.add(time);
            }
        } else if (asked.method == sip::Method::Register) {
            ++registrations_asked;
            if (answered_well(asked.status)) {
                registrations.add(time);
            } else if (asked.status != 401) { // that one is drawn, with its answer below
                ++registrations_failed;
            }
        } else if (asked.method == sip::Method::Bye && answered_well(asked.status)) {
            hanging_up.add(time);
        }
    }
    steps.resize(plan.steps.size());
    for (const auto& arrow : report.arrows) {
        if (arrow.took.ns > 0) {
            steps[arrow.step].add(arrow.took);
        }
    }
}

std::string cause_of(const script::Plan& plan, const Report& report) {
    for (const auto* list : {&report.arrows, &report.acts}) {
        for (const auto& line : *list) {
            if (is_wrong(line.verdict)) {
                const auto number = plan.steps[line.step].place.line;
                const auto& differs = line.difference;
                // The status is named in what is said already.
                return differs.where.empty() || differs.where == "status"
                           ? fmt::format("line {}: {}", number, line.why)
                           : fmt::format("line {}: {}: {}", number, line.why, differs.where);
            }
        }
    }
    for (const auto& extra : report.extras) {
        if (!extra.implied) {
            return fmt::format("{} came to {}: {}", extra.text, plan.parties[extra.to].id,
                               extra.why);
        }
    }
    return report.why.empty() ? "it failed" : report.why;
}

std::vector<Judgement> judge(const std::vector<script::Criterion>& criteria, const Tally& tally) {
    std::vector<Judgement> out;
    for (const auto& criterion : criteria) {
        auto& one = out.emplace_back();
        one.criterion = criterion;
        const auto share = criterion.share.millionths / 1e6;
        if (criterion.of == script::Criterion::Of::Failures) {
            // A call that could not be started has failed its user too.
            const auto bad = tally.failed + tally.held_back;
            const auto all = bad + tally.passed;
            one.measured = all != 0;
            one.share = all != 0 ? static_cast<double>(bad) / static_cast<double>(all) : 0;
            one.met = one.measured && one.share < share;
            continue;
        }
        const auto& times = times_of(tally, criterion.of);
        one.measured = times.count() != 0;
        one.time = times.at(share);
        one.share = one.measured ? static_cast<double>(times.below(criterion.time)) /
                                       static_cast<double>(times.count())
                                 : 0;
        one.met = one.measured && one.time < criterion.time;
    }
    return out;
}

std::string to_string(const script::Criterion& criterion) {
    std::string out;
    script::append(out, script::Fact{{}, true, script::Pass{{criterion}, {}}},
                   script::Subject::Flow, {});
    constexpr std::string_view name = "pass: ";
    return out.starts_with(name) ? out.substr(name.size()) : out;
}

} // namespace cw::play
