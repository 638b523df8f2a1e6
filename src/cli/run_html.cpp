#include "cli/run_html.hpp"

#include <filesystem>
#include <system_error>

#include <fmt/format.h>

#include "cli/markup.hpp"
#include "cli/output.hpp"
#include "cli/run_text.hpp"
#include "script/print.hpp"
#include "view/cells.hpp"
#include "view/ladder_text.hpp"

namespace cw::cli {

namespace {

constexpr std::string_view head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:75rem;padding:0 1rem}
pre{font:13px/1.25 ui-monospace,monospace;overflow-x:auto;padding:1rem;border:1px solid #8886;border-radius:6px}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem;border-bottom:1px solid #8884}
.passed{color:#1a7f37}.wrong{color:#cf222e;font-weight:600}.dim{opacity:.65}
@media(prefers-color-scheme:dark){.passed{color:#3fb950}.wrong{color:#f85149}}
</style>
)";

std::string_view style_of(play::Verdict verdict) {
    return play::is_wrong(verdict) ? "wrong" : verdict == play::Verdict::Passed ? "passed" : "dim";
}

std::string row(const script::Plan& plan, const play::ArrowReport& line, Instant began) {
    const auto& step = plan.steps[line.step];
    std::string who;
    std::string what;
    if (const auto* arrow = std::get_if<script::Arrow>(&step.what)) {
        if (script::is_shown(arrow->link)) {
            return {};
        }
        who = fmt::format("{} → {}", plan.parties[arrow->from].id, plan.parties[arrow->to].id);
        what = script::words_of(plan, *arrow);
    } else {
        const auto& act = std::get<script::Act>(step.what);
        who = plan.parties[act.party].id;
        what = script::words_of(plan, act.action);
    }
    auto why = line.why;
    if (!line.difference.where.empty()) {
        why += fmt::format(" — expected: {}; received: {}", line.difference.expected,
                           line.difference.received);
    }
    return fmt::format("<tr><td>{}<td>{}<td>{}<td>{}<td class={}>{}<td>{}</tr>\n", step.place.line,
                       line.at.known() ? fmt::format("{:.3f}", (line.at - began).seconds()) : "",
                       escaped(who), escaped(view::printable(what)), style_of(line.verdict),
                       play::to_string(line.verdict), escaped(view::printable(why)));
}

} // namespace

std::string write_html(const std::string& folder, const std::string& file, const script::Plan& plan,
                       const play::Report& report) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    const auto path =
        (std::filesystem::path{folder} / (std::filesystem::path{file}.stem().string() + ".html"))
            .string();
    auto out = Output::open(path);
    if (!out) {
        return path + ": " + out.error().what;
    }
    const auto title = view::printable(plan.title.empty() ? file : plan.title);
    out->write(head);
    out->write(fmt::format("<title>{0}</title></head><body>\n<h1>{0}</h1>\n<p class={1}>{2}</p>\n",
                           escaped(title), report.passed() ? "passed" : "wrong",
                           report.passed() ? "passed" : "failed"));
    std::string ladder;
    view::append_text(ladder, ladder_of(file, plan, report),
                      {.width = 130, .ascii = false, .colour = false});
    out->write("<pre>" + escaped(ladder) +
               "</pre>\n<table><tr><th>line<th>at, s<th>who<th>what<th>"
               "verdict<th>why</tr>\n");
    for (const auto& line : report.arrows) {
        out->write(row(plan, line, report.began));
    }
    for (const auto& line : report.acts) {
        out->write(row(plan, line, report.began));
    }
    for (const auto& extra : report.extras) {
        out->write(fmt::format("<tr><td><td>{:.3f}<td>{} → {}<td>{}<td class={}>{}<td>{}</tr>\n",
                               (extra.at - report.began).seconds(), plan.parties[extra.from].id,
                               plan.parties[extra.to].id, escaped(view::printable(extra.text)),
                               extra.implied ? "dim" : "wrong",
                               extra.implied ? "implied" : "unexpected",
                               escaped(view::printable(extra.why))));
    }
    out->write("</table>\n");
    if (!report.why.empty()) {
        out->write(fmt::format("<p class=wrong>{}</p>\n", escaped(view::printable(report.why))));
    }
    out->write("<h2>The flow</h2>\n<pre>" + escaped(script::to_mermaid(plan)) +
               "</pre>\n</body></html>\n");
    return out->finish() ? std::string{} : path + ": cannot be written";
}

} // namespace cw::cli
