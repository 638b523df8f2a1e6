#include "cli/run_text.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "script/print.hpp"
#include "sip/transport.hpp"
#include "view/canvas.hpp"
#include "view/cells.hpp"
#include "view/figures.hpp"
#include "view/ladder_text.hpp"

namespace cw::cli {

using play::ArrowReport;
using play::is_wrong;
using play::Verdict;
using script::Arrow;

namespace {

view::Tone tone_of(Verdict verdict) {
    switch (verdict) {
    case Verdict::Passed:
        return view::Tone::Good;
    case Verdict::Failed:
    case Verdict::Missing:
    case Verdict::Unexpected:
        return view::Tone::Bad;
    case Verdict::Skipped:
    case Verdict::Unverified:
        return view::Tone::Dim;
    }
    return view::Tone::Plain;
}

std::string_view mark_of(Verdict verdict, bool ascii) {
    switch (verdict) {
    case Verdict::Passed:
        return ascii ? "ok" : "✓";
    case Verdict::Failed:
    case Verdict::Missing:
    case Verdict::Unexpected:
        return ascii ? "FAILED" : "✗";
    case Verdict::Skipped:
        return ascii ? "skipped" : "·";
    case Verdict::Unverified:
        return ascii ? "unverified" : "?";
    }
    return "";
}

view::RowKind kind_of(const Arrow& arrow) {
    if (std::holds_alternative<script::Channel>(arrow.content)) {
        return view::RowKind::Handshake;
    }
    if (const auto* media = std::get_if<script::Media>(&arrow.content)) {
        return media->stream == script::Stream::Dtmf ? view::RowKind::Dtmf : view::RowKind::Media;
    }
    return view::RowKind::Message;
}

std::string first_line(const std::string& label) {
    return label.substr(0, label.find('\n'));
}

class Layout {
  public:
    Layout(const script::Plan& plan, const play::Report& report) : plan_(plan), report_(report) {}

    view::Ladder run() {
        for (const auto& party : plan_.parties) {
            view::Column column;
            column.name = view::printable(party.label.empty() ? party.id : first_line(party.label));
            column.user_agent = party.actor;
            ladder_.columns.push_back(std::move(column));
        }
        for (script::StepId i = 0; i <= plan_.steps.size(); ++i) {
            add_extras(i);
            if (i == plan_.steps.size()) {
                break;
            }
            if (const auto* arrow = std::get_if<Arrow>(&plan_.steps[i].what)) {
                add(find(report_.arrows, i), *arrow);
            } else if (const auto* act = std::get_if<script::Act>(&plan_.steps[i].what)) {
                add(find(report_.acts, i), *act);
            }
        }
        return std::move(ladder_);
    }

  private:
    static const ArrowReport* find(const std::vector<ArrowReport>& all, script::StepId step) {
        const auto at = std::ranges::find(all, step, &ArrowReport::step);
        return at != all.end() ? &*at : nullptr;
    }

    void time(view::Row& row, Instant at) {
        row.has_time = at.known();
        row.time = at;
        if (at.known() && last_.known() && last_ <= at) {
            row.has_delta = true;
            row.delta = at - last_;
        }
        last_ = at.known() ? std::max(at, last_) : last_;
    }

    void add(const ArrowReport* line, const Arrow& arrow) {
        if (line == nullptr || script::is_shown(arrow.link)) {
            return;
        }
        view::Row row;
        row.kind = kind_of(arrow);
        row.tone = tone_of(line->verdict);
        row.from = arrow.from;
        row.to = arrow.to;
        if (row.kind == view::RowKind::Media && row.from > row.to) {
            std::swap(row.from, row.to);
            row.toward_left = true;
        }
        row.number = row.kind == view::RowKind::Message ? arrow.number : 0;
        row.dashed = std::holds_alternative<script::Response>(arrow.content);
        row.label = view::printable(script::words_of(plan_, arrow));
        if (line->times > 1) {
            row.label += fmt::format(" ×{}", line->times);
        }
        if (script::is_lost(arrow.link) && line->verdict == Verdict::Passed) {
            row.label += std::holds_alternative<script::Channel>(arrow.content) ? " · refused"
                         : line->sent.empty()                                   ? " · has not come"
                                                                                : " · lost";
        }
        if (line->verdict == Verdict::Skipped && report_.passed()) {
            row.label += " · not taken"; // the other way of a block
        }
        if (is_wrong(line->verdict)) {
            row.badge = line->verdict == Verdict::Missing      ? "✗ missing"
                        : line->verdict == Verdict::Unexpected ? "✗ got through"
                                                               : "✗ failed";
        } else if (line->verdict == Verdict::Unverified) {
            row.badge = "? unverified";
        }
        time(row, line->at);
        ladder_.rows.push_back(row);
    }

    void add(const ArrowReport* line, const script::Act& act) {
        if (line == nullptr) {
            return;
        }
        view::Row row;
        row.kind = view::RowKind::Note;
        row.tone = tone_of(line->verdict);
        row.from = row.to = act.party;
        row.label = fmt::format("{} {}", plan_.parties[act.party].id,
                                view::printable(script::words_of(plan_, act.action)));
        if (is_wrong(line->verdict)) {
            row.label += "  ✗ failed";
        }
        ladder_.rows.push_back(row);
    }

    void add_extras(script::StepId before) {
        for (const auto& extra : report_.extras) {
            if (extra.before != before || extra.implied) {
                continue;
            }
            view::Row row;
            row.kind = view::RowKind::Message;
            row.tone = view::Tone::Bad;
            row.from = extra.from;
            row.to = extra.to;
            row.dashed = extra.text.find('(') != std::string::npos;
            row.label = view::printable(extra.text);
            row.badge = "✗ not in the flow";
            time(row, extra.at);
            ladder_.rows.push_back(row);
        }
    }

    const script::Plan& plan_;
    const play::Report& report_;
    view::Ladder ladder_;
    Instant last_;
};

// A message under its heading, indented, without what is secret.
void append_message(std::string& out, std::string_view heading, std::string_view message) {
    if (message.empty()) {
        return;
    }
    out += fmt::format("  {}:\n", heading);
    while (!message.empty()) {
        const auto end = std::min(message.find('\n'), message.size() - 1);
        auto line = message.substr(0, end + 1);
        message.remove_prefix(end + 1);
        while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
            line.remove_suffix(1);
        }
        const auto key = line.find("inline:");
        if (line.starts_with("a=crypto") && key != std::string_view::npos) {
            out += fmt::format("    {}inline:…\n", view::printable(line.substr(0, key)));
        } else {
            out += fmt::format("    {}\n", view::printable(line));
        }
    }
}

void append_wrong(std::string& out, const std::string& file, const script::Plan& plan,
                  const ArrowReport& line, const RunTextOptions& options) {
    const auto& step = plan.steps[line.step];
    const auto* arrow = std::get_if<Arrow>(&step.what);
    std::string what;
    if (arrow != nullptr) {
        what = fmt::format("{} {} {}: {}", plan.parties[arrow->from].id, options.ascii ? "->" : "→",
                           plan.parties[arrow->to].id, script::words_of(plan, *arrow));
    } else {
        const auto& act = std::get<script::Act>(step.what);
        what = fmt::format("{} {}", plan.parties[act.party].id, script::words_of(plan, act.action));
    }
    out += '\n';
    view::append_inked(out,
                       fmt::format("{}:{}: {}", script::file_of(plan, step.place, file),
                                   step.place.line, view::printable(what)),
                       view::Ink::Red, options.color);
    out += fmt::format("\n  {}: {}\n", play::to_string(line.verdict), view::printable(line.why));
    if (!line.difference.where.empty()) {
        out += fmt::format("  {:<9} {}\n  {:<9} {}\n", "expected",
                           view::printable(line.difference.expected), "received",
                           view::printable(line.difference.received));
    }
    if (line.received == line.sent) {
        append_message(out, "the message", line.received);
    } else {
        append_message(out, "sent", line.sent);
        append_message(out, "received", line.received);
    }
}

// What came and was not drawn; what came again stands there once.
void append_unexpected(std::string& out, const std::string& file, const script::Plan& plan,
                       const std::vector<play::Extra>& extras, const RunTextOptions& options) {
    for (auto at = extras.begin(); at != extras.end(); ++at) {
        const auto same = [&](const play::Extra& other) {
            return other.from == at->from && other.to == at->to && other.why == at->why &&
                   other.message == at->message && !other.implied;
        };
        if (at->implied || std::any_of(extras.begin(), at, same)) {
            continue;
        }
        const auto again = std::count_if(at + 1, extras.end(), same);
        out += '\n';
        view::append_inked(out,
                           fmt::format("{}: {} {} {}: {}", file, plan.parties[at->from].id,
                                       options.ascii ? "->" : "→", plan.parties[at->to].id,
                                       view::printable(at->text)),
                           view::Ink::Red, options.color);
        out += fmt::format("\n  unexpected: {}{}\n", view::printable(at->why),
                           again == 0 ? "" : fmt::format("; it came {} times", again + 1));
        append_message(out, "received", at->message);
    }
}

} // namespace

std::vector<const ArrowReport*> in_order(const play::Report& report) {
    std::vector<const ArrowReport*> out;
    for (const auto* lines : {&report.arrows, &report.acts}) {
        for (const auto& line : *lines) {
            out.push_back(&line);
        }
    }
    std::ranges::sort(out, {}, &ArrowReport::step);
    return out;
}

view::Ladder ladder_of(const std::string& file, const script::Plan& plan,
                       const play::Report& report) {
    auto ladder = Layout(plan, report).run();
    ladder.title_call = view::printable(plan.title.empty() ? file : plan.title);
    ladder.title_end = report.passed() ? "passed" : "failed";
    ladder.state = report.passed() ? view::Tone::Good : view::Tone::Bad;
    ladder.summary = view::printable(file);
    return ladder;
}

std::string arrow_line(const script::Plan& plan, const ArrowReport& line, Instant began,
                       const RunTextOptions& options) {
    const auto& step = plan.steps[line.step];
    std::string out;
    const auto ink = is_wrong(line.verdict)                ? view::Ink::Red
                     : line.verdict == Verdict::Unverified ? view::Ink::Dim
                                                           : view::Ink::Green;
    view::append_inked(out, mark_of(line.verdict, options.ascii), ink, options.color);
    const auto at =
        line.at.known() ? fmt::format("{:8.3f}", (line.at - began).seconds()) : "        ";
    if (const auto* arrow = std::get_if<Arrow>(&step.what)) {
        out += fmt::format(" {} {} {} {}: {}", at, plan.parties[arrow->from].id,
                           options.ascii ? "->" : "→", plan.parties[arrow->to].id,
                           view::printable(script::words_of(plan, *arrow)));
    } else {
        const auto& act = std::get<script::Act>(step.what);
        out += fmt::format(" {} {} {}", at, plan.parties[act.party].id,
                           view::printable(script::words_of(plan, act.action)));
    }
    if (!line.why.empty()) {
        out += fmt::format(" ({})", view::printable(line.why));
    }
    return out + "\n";
}

std::string extra_line(const script::Plan& plan, const play::Extra& extra, Instant began,
                       const RunTextOptions& options) {
    std::string out;
    view::append_inked(out,
                       extra.implied   ? (options.ascii ? "--" : "·")
                       : options.ascii ? "FAILED"
                                       : "✗",
                       extra.implied ? view::Ink::Dim : view::Ink::Red, options.color);
    return out + fmt::format(" {:8.3f} {} {} {}: {} ({})\n", (extra.at - began).seconds(),
                             plan.parties[extra.from].id, options.ascii ? "->" : "→",
                             plan.parties[extra.to].id, view::printable(extra.text),
                             extra.implied ? "not drawn" : view::printable(extra.why));
}

std::string run_text(const std::string& file, const script::Plan& plan, const play::Report& report,
                     const RunTextOptions& options) {
    std::string out;
    view::append_text(out, ladder_of(file, plan, report),
                      {.width = options.width, .ascii = options.ascii, .colour = options.color});
    for (const auto& stream : report.streams) {
        if (stream.packets == 0) {
            continue;
        }
        out += fmt::format(
            "media {} {} {}: {}{}{}, {} packets, {} lost, jitter {:.1f} ms, MOS {:.1f}{}\n",
            plan.parties[stream.from].id, options.ascii ? "->" : "→", plan.parties[stream.to].id,
            stream.codec, stream.suite.empty() ? ", RTP in clear" : ", SRTP ", stream.suite,
            stream.packets, stream.lost, stream.jitter_ms, stream.mos,
            stream.unauthentic == 0 ? "" : fmt::format(", {} not authentic", stream.unauthentic));
    }
    for (const auto* line : in_order(report)) {
        if (is_wrong(line->verdict)) {
            append_wrong(out, file, plan, *line, options);
        }
    }
    append_unexpected(out, file, plan, report.extras, options);
    if (!report.why.empty()) {
        out += fmt::format("\n{}: {}\n", file, view::printable(report.why));
    }
    std::size_t passed = 0;
    std::size_t all = 0;
    std::size_t unverified = 0;
    std::size_t skipped = 0;
    for (const auto& line : report.arrows) {
        const auto& arrow = std::get<Arrow>(plan.steps[line.step].what);
        if (!script::is_shown(arrow.link)) {
            ++all;
            passed += line.verdict == Verdict::Passed ? 1 : 0;
            unverified += line.verdict == Verdict::Unverified ? 1 : 0;
            skipped += line.verdict == Verdict::Skipped ? 1 : 0;
        }
    }
    const auto implied = std::ranges::count_if(report.extras, &play::Extra::implied);
    const auto wrong_notes =
        std::ranges::count_if(report.acts, [](const auto& act) { return is_wrong(act.verdict); });
    out += '\n';
    view::append_inked(out, report.passed() ? "passed" : "FAILED",
                       report.passed() ? view::Ink::Green : view::Ink::Red, options.color);
    out += fmt::format(": {} of {} arrows", passed, all);
    if (unverified != 0) {
        out += fmt::format(", {} between others", unverified);
    }
    if (skipped != 0 && report.passed()) {
        out += fmt::format(", {} not taken", skipped);
    }
    if (wrong_notes != 0) {
        out += fmt::format(", {} note{} failed", wrong_notes, wrong_notes == 1 ? "" : "s");
    }
    if (implied != 0) {
        out += fmt::format(", {} message{} done without being drawn", implied,
                           implied == 1 ? "" : "s");
    }
    out += fmt::format(", {}\n", fmt::format("{:.2f} s", (report.ended - report.began).seconds()));
    return out;
}

} // namespace cw::cli
