// callwright explain: a rule of diagnosis in plain words, or the list of all.
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/terminal.hpp"
#include "flow/diagnose/rule.hpp"
#include "view/cells.hpp"
#include "view/findings_text.hpp"
#include "view/ladder.hpp"
#include "view/ladder_text.hpp"

namespace cw::cli {
namespace {

using flow::diagnose::Rule;

constexpr std::string_view here = " [!]"; // the arrow at which the finding is shown

struct ExplainOptions {
    std::vector<std::string> rules;
    std::string format = "text";
    bool ascii = false;
};

// "Alice->>Bob: INVITE" of a picture.
struct DrawnArrow {
    std::string_view from;
    std::string_view to;
    std::string_view label;
    bool dashed = false;
    bool marked = false;
};

std::vector<DrawnArrow> arrows_of(std::string_view picture) {
    std::vector<DrawnArrow> arrows;
    while (!picture.empty()) {
        const auto end = std::min(picture.find('\n'), picture.size());
        auto line = picture.substr(0, end);
        picture.remove_prefix(std::min(end + 1, picture.size()));
        DrawnArrow arrow;
        arrow.marked = line.ends_with(here);
        line.remove_suffix(arrow.marked ? here.size() : 0);
        const auto tail = line.find("->>");
        const auto colon = line.find(": ");
        if (tail == std::string_view::npos || colon == std::string_view::npos || colon < tail) {
            continue;
        }
        arrow.dashed = tail > 0 && line[tail - 1] == '-';
        arrow.from = line.substr(0, arrow.dashed ? tail - 1 : tail);
        arrow.to = line.substr(tail + 3, colon - tail - 3);
        arrow.label = line.substr(colon + 2);
        arrows.push_back(arrow);
    }
    return arrows;
}

view::Ladder ladder_of_picture(const Rule& rule) {
    view::Ladder ladder;
    const auto column = [&ladder](std::string_view name) {
        const auto at = std::ranges::find(ladder.columns, name, &view::Column::name);
        if (at == ladder.columns.end()) {
            ladder.columns.push_back(
                {.name = std::string{name}, .address = {}, .user_agent = true});
            return static_cast<std::uint16_t>(ladder.columns.size() - 1);
        }
        return static_cast<std::uint16_t>(at - ladder.columns.begin());
    };
    for (const auto& arrow : arrows_of(rule.picture)) {
        view::Row row;
        row.from = column(arrow.from);
        row.to = column(arrow.to);
        row.dashed = arrow.dashed;
        row.label = arrow.label;
        row.tone = arrow.marked ? view::Tone::Bad : view::Tone::Plain;
        row.badge = arrow.marked ? std::string{rule.id} : std::string{};
        ladder.rows.push_back(std::move(row));
    }
    ladder.title_call = fmt::format("{} · {}", rule.id, rule.title);
    ladder.title_end = flow::diagnose::to_string(rule.severity);
    ladder.state = rule.severity == flow::diagnose::Severity::Error     ? view::Tone::Bad
                   : rule.severity == flow::diagnose::Severity::Warning ? view::Tone::Slow
                                                                        : view::Tone::Plain;
    return ladder;
}

void append_text(std::string& out, const Rule& rule, const view::TextOptions& options) {
    const auto part = [&](std::string_view head, std::string_view text) {
        if (text.empty()) {
            return;
        }
        out += '\n';
        view::append_wrapped(out, view::said_in(fmt::format("{}{}", head, text), options.ascii), 0,
                             options.width);
        out += '\n';
    };
    view::append_text(out, ladder_of_picture(rule), options);
    part("", rule.means);
    part("What to change: ", rule.fix);
    part("It is silent unless it saw: ", rule.needs);
    part("May bring about: ", rule.brings);
    part("", rule.rfc);
}

// For Mermaid these two are not letters.
std::string mermaid_text(std::string_view text) {
    std::string out;
    for (const auto c : text) {
        c == ';' ? out += "#59;" : c == '#' ? out += "#35;" : out += c;
    }
    return out;
}

void append_markdown(std::string& out, const Rule& rule) {
    out += fmt::format("### {} {}\n\n{}", rule.id, rule.title, to_string(rule.severity));
    out += rule.rfc.empty() ? "" : fmt::format(" · {}", rule.rfc);
    out += fmt::format("\n\n{}\n\n**What to change.** {}\n\n", rule.means, rule.fix);
    if (!rule.needs.empty()) {
        out += fmt::format("**Silent unless it saw:** {}\n\n", rule.needs);
    }
    if (!rule.brings.empty()) {
        out += fmt::format("**May bring about:** {}\n\n", rule.brings);
    }
    out += "```mermaid\nsequenceDiagram\n";
    for (const auto& arrow : arrows_of(rule.picture)) {
        out += fmt::format("    {}{}>>{}: {}{}\n", arrow.from, arrow.dashed ? "--" : "-", arrow.to,
                           mermaid_text(arrow.label),
                           arrow.marked ? fmt::format(" ✗ {}", rule.id) : "");
    }
    out += "```\n\n";
}

void append_list(std::string& out) {
    for (const auto& family : flow::diagnose::all_families()) {
        if (family.rules.empty()) {
            continue;
        }
        out += fmt::format("{}{}\n", out.empty() ? "" : "\n", family.name);
        for (const auto& rule : family.rules) {
            out += fmt::format("  {:4} {:8} {}\n", rule.id, to_string(rule.severity), rule.title);
        }
    }
}

int explain(const ExplainOptions& options) {
    const auto terminal = look_at_terminal(ColorChoice::Auto);
    const view::TextOptions text{.width = static_cast<std::size_t>(terminal.columns),
                                 .ascii = options.ascii || !terminal.utf8,
                                 .colour = terminal.color};
    const bool markdown = options.format == "markdown";
    std::string out;
    for (const auto& id : options.rules) {
        const auto* rule = flow::diagnose::find_rule(id);
        if (rule == nullptr) {
            fmt::print(stderr,
                       "callwright: explain: {}: no such rule; 'callwright explain' lists "
                       "all\n",
                       view::printable(id, 64));
            return BadUsage;
        }
        out += out.empty() || markdown ? "" : "\n";
        markdown ? append_markdown(out, *rule) : append_text(out, *rule, text);
    }
    if (options.rules.empty() && markdown) {
        for (const auto& family : flow::diagnose::all_families()) {
            out += family.rules.empty() ? "" : fmt::format("## {}\n\n", family.name);
            for (const auto& rule : family.rules) {
                append_markdown(out, rule);
            }
        }
    } else if (options.rules.empty()) {
        append_list(out);
    }
    fmt::print("{}", out);
    return Good;
}

} // namespace

Command add_explain(CLI::App& app) {
    auto options = std::make_shared<ExplainOptions>();
    auto* command = app.add_subcommand(
        "explain", "What a finding means, what a call that has it looks like, and how to mend it. "
                   "Without a rule: all of them in a list.");
    command->footer(
        "\nExamples:\n"
        "  callwright explain                     all rules\n"
        "  callwright explain D01                 the call that drops after 32 seconds\n"
        "  callwright explain d03 d12\n"
        "\nExit status: 0 all is well, 2 no such rule.");
    command->add_option("RULE", options->rules, "as findings name it: D01");
    command->add_option("--format", options->format, "text or markdown")
        ->check(CLI::IsMember({"text", "markdown"}));
    command->add_flag("--ascii", options->ascii, "draw with ASCII characters only");
    return [options] { return explain(*options); };
}

} // namespace cw::cli
