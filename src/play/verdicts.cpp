#include <algorithm>

#include <fmt/format.h>

#include "play/performance.hpp"
#include "play/state.hpp"

namespace cw::play {

namespace {

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
    // What one of us has sent so and another has received is one thing that was done.
    const auto same = [&](const Extra& other) {
        return other.implied && other.from == from && other.to == to && other.message == message;
    };
    if (report.extras.size() == most_extras ||
        (implied && std::ranges::any_of(report.extras, same))) {
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

// What became of a request that a party of ours made.
void State::report_asked(StepId step) {
    const auto& exchange = exchanges[step];
    if (!exchange.sent_at.known()) {
        return;
    }
    const auto& a = arrow(step);
    const auto* request = std::get_if<script::Request>(&a.content);
    if (request == nullptr || a.forwards || first_of(step) != step ||
        request->method == sip::Method::Ack) {
        return;
    }
    report.asked.push_back({step, request->method, exchange.final_status, exchange.sent_at,
                            exchange.provisional_at, exchange.final_at});
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

} // namespace cw::play
