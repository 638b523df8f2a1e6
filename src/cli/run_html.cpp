#include "cli/run_html.hpp"

#include <filesystem>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "cli/output.hpp"
#include "cli/page_options.hpp"
#include "cli/reading.hpp"
#include "cli/run_text.hpp"
#include "script/print.hpp"
#include "view/cells.hpp"
#include "view/page.hpp"

namespace cw::cli {
namespace {

view::Tone page_tone(play::Verdict verdict) {
    return play::is_wrong(verdict)            ? view::Tone::Bad
           : verdict == play::Verdict::Passed ? view::Tone::Good
                                              : view::Tone::Dim;
}

std::string since(Instant at, Instant began) {
    return at.known() ? fmt::format("{:.3f}", (at - began).seconds()) : std::string{};
}

std::string pair_of(const script::Plan& plan, script::PartyId from, script::PartyId to) {
    return fmt::format("{} → {}", plan.parties[from].id, plan.parties[to].id);
}

void add_line(std::vector<view::PageVerdict>& out, const script::Plan& plan,
              const play::ArrowReport& line, Instant began) {
    const auto& step = plan.steps[line.step];
    view::PageVerdict verdict;
    if (const auto* arrow = std::get_if<script::Arrow>(&step.what)) {
        if (script::is_shown(arrow->link)) {
            return;
        }
        verdict.who = pair_of(plan, arrow->from, arrow->to);
        verdict.what = view::printable(script::words_of(plan, *arrow));
    } else {
        const auto& act = std::get<script::Act>(step.what);
        verdict.who = plan.parties[act.party].id;
        verdict.what = view::printable(script::words_of(plan, act.action));
    }
    verdict.place =
        step.place.file == 0
            ? std::to_string(step.place.line)
            : fmt::format("{}:{}", script::file_of(plan, step.place, ""), step.place.line);
    verdict.at = since(line.at, began);
    verdict.verdict = play::to_string(line.verdict);
    verdict.tone = page_tone(line.verdict);
    verdict.why = view::printable(line.why);
    if (!line.difference.where.empty()) {
        verdict.expected = view::printable(line.difference.expected);
        verdict.received = view::printable(line.difference.received);
    }
    out.push_back(std::move(verdict));
}

std::vector<view::PageVerdict> verdicts_of(const script::Plan& plan, const play::Report& report) {
    std::vector<view::PageVerdict> out;
    for (const auto* line : in_order(report)) {
        add_line(out, plan, *line, report.began);
    }
    for (const auto& extra : report.extras) {
        out.push_back({.place = "",
                       .at = since(extra.at, report.began),
                       .who = pair_of(plan, extra.from, extra.to),
                       .what = view::printable(extra.text),
                       .verdict = extra.implied ? "implied" : "unexpected",
                       .why = view::printable(extra.why),
                       .expected = "",
                       .received = "",
                       .tone = extra.implied ? view::Tone::Dim : view::Tone::Bad});
    }
    if (!report.why.empty()) {
        view::PageVerdict whole;
        whole.what = "the flow";
        whole.verdict = "failed";
        whole.why = view::printable(report.why);
        whole.tone = view::Tone::Bad;
        out.push_back(std::move(whole));
    }
    return out;
}

} // namespace

void add_to_page(view::PageWriter& page, const Performed& performed) {
    const auto& [file, plan, report, packets] = performed;
    auto ladder = ladder_of(file, plan, report);
    for (auto& row : ladder.rows) { // the mark alone: what it means stands beside the ladder
        row.badge.resize(row.badge.find(' ') == std::string::npos ? row.badge.size()
                                                                  : row.badge.find(' '));
    }
    page.flow(ladder, verdicts_of(plan, report), script::to_mermaid(plan));
    Reading reading;
    reading.keep_originals();
    reading.note_media();
    if (packets.empty() || reading.open({packets}, {})) {
        return;
    }
    reading.run();
    page.charts_from(*reading.course());
    reading.book().for_each_call([&](const flow::Call& call) {
        page.call(call,
                  view::layout(call, {.names = reading.names(),
                                      .calls_in_all = reading.book().counts().calls}),
                  [&](const flow::Message& message) { return reading.original(call, message); });
        return true;
    });
}

std::string write_html(const std::string& folder, const std::string& name,
                       const Performed& performed) {
    const auto& file = performed.file;
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const auto path = (std::filesystem::path{folder} / (name + ".html")).string();
    auto out = Output::open(path);
    if (!out) {
        return path + ": " + out.error().what;
    }
    const auto& title = performed.plan.title;
    view::PageWriter page{
        [&out](std::string_view text) { out->write(text); },
        page_options(view::printable(title.empty() ? file : title), {"PACKETS.pcapng"}, {})};
    add_to_page(page, performed);
    page.finish({});
    return out->finish() ? std::string{} : path + ": cannot be written";
}

} // namespace cw::cli
