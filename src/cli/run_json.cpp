#include "cli/run_json.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "cli/run_text.hpp"
#include "script/print.hpp"
#include "view/cells.hpp"
#include "view/svg.hpp"

namespace cw::cli {

using play::ArrowReport;
using play::is_wrong;
using script::Arrow;

namespace {

std::string words(const script::Plan& plan, const ArrowReport& line) {
    const auto& what = plan.steps[line.step].what;
    if (const auto* arrow = std::get_if<Arrow>(&what)) {
        return script::words_of(plan, *arrow);
    }
    return script::words_of(plan, std::get<script::Act>(what).action);
}

// What came from a peer, made harmless first.
std::string safe(std::string_view text) {
    std::string out;
    view::append_xml(out, view::printable(text));
    return out;
}
// Line by line, since a line end is not for a terminal and yet belongs here.
std::string safe_lines(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1);
        out += safe(text.substr(0, end)) + "\n";
        text.remove_prefix(end + 1);
    }
    return out;
}

// Everything that is wrong, a line each.
std::string wrongs(const script::Plan& plan, const play::Report& report) {
    std::string out;
    for (const auto* line : in_order(report)) {
        if (!is_wrong(line->verdict)) {
            continue;
        }
        const auto& place = plan.steps[line->step].place;
        out += fmt::format(
            "{}line {}: {}: {}: {}", place.file == 0 ? "" : script::file_of(plan, place, "") + ", ",
            place.line, words(plan, *line), play::to_string(line->verdict), line->why);
        if (!line->difference.where.empty()) {
            out += fmt::format(" (expected {}, received {})", line->difference.expected,
                               line->difference.received);
        }
        out += '\n';
    }
    for (const auto& extra : report.extras) {
        if (!extra.implied) {
            out += fmt::format("{}: {}\n", extra.text, extra.why);
        }
    }
    return report.why.empty() ? out : out + report.why + "\n";
}

} // namespace

// Lines of a flow that is performed before have the name of its file beside them.
void RunJson::append_place(const script::Plan& plan, const script::Place& place) {
    json_.member("line", std::uint64_t{place.line});
    if (place.file != 0) {
        json_.member("file", std::string_view{script::file_of(plan, place, "")});
    }
}

RunJson::RunJson(std::string_view version) {
    json_.open_object();
    json_.member("callwright", version);
    json_.key("flows");
    json_.open_array();
}

void RunJson::flow(const std::string& file, const script::Plan& plan, const play::Report& report,
                   std::string_view calls) {
    report.passed() ? ++passed_ : ++failed_;
    const auto seconds_at = [&](Instant at) {
        at.known() ? json_.value((at - report.began).seconds(), 6) : json_.null();
    };
    json_.line();
    json_.open_object();
    json_.member("file", std::string_view{file});
    json_.member("title", std::string_view{plan.title});
    json_.member("result", report.passed() ? "passed" : "failed");
    json_.member_or_null("why", report.why);
    json_.key("duration_s");
    json_.value((report.ended - report.began).seconds(), 6);
    const auto difference = [&](const ArrowReport& line) {
        if (!line.difference.where.empty()) {
            json_.key("difference");
            json_.open_object();
            json_.member("where", std::string_view{line.difference.where});
            json_.member("expected", std::string_view{line.difference.expected});
            json_.member("received", std::string_view{line.difference.received});
            json_.close_object();
        }
    };
    json_.key("arrows");
    json_.open_array();
    for (const auto& line : report.arrows) {
        const auto& arrow = std::get<Arrow>(plan.steps[line.step].what);
        if (script::is_shown(arrow.link)) {
            continue;
        }
        json_.line();
        json_.open_object();
        json_.member("index", std::uint64_t{arrow.number});
        append_place(plan, plan.steps[line.step].place);
        json_.member("text", std::string_view{words(plan, line)});
        json_.member("from", std::string_view{plan.parties[arrow.from].id});
        json_.member("to", std::string_view{plan.parties[arrow.to].id});
        json_.member("result", play::to_string(line.verdict));
        json_.key("at_s");
        seconds_at(line.at);
        json_.key("took_s");
        line.took.ns != 0 ? json_.value(line.took.seconds(), 6) : json_.null();
        json_.member("times", std::uint64_t{line.times});
        json_.member("swapped", line.swapped);
        json_.member_or_null("why", line.why);
        difference(line);
        json_.close_object();
    }
    json_.close_array();
    json_.key("notes");
    json_.open_array();
    for (const auto& line : report.acts) {
        json_.line();
        json_.open_object();
        append_place(plan, plan.steps[line.step].place);
        json_.member("text", std::string_view{words(plan, line)});
        json_.member("party",
                     std::string_view{
                         plan.parties[std::get<script::Act>(plan.steps[line.step].what).party].id});
        json_.member("result", play::to_string(line.verdict));
        json_.key("at_s");
        seconds_at(line.at);
        json_.member_or_null("why", line.why);
        difference(line);
        json_.close_object();
    }
    json_.close_array();
    json_.key("extras");
    json_.open_array();
    for (const auto& extra : report.extras) {
        json_.line();
        json_.open_object();
        json_.member("from", std::string_view{plan.parties[extra.from].id});
        json_.member("to", std::string_view{plan.parties[extra.to].id});
        json_.member("text", std::string_view{extra.text});
        json_.member("implied", extra.implied);
        json_.key("at_s");
        seconds_at(extra.at);
        json_.member_or_null("why", extra.why);
        json_.close_object();
    }
    json_.close_array();
    json_.key("media");
    json_.open_array();
    for (const auto& stream : report.streams) {
        json_.line();
        json_.open_object();
        json_.member("from", std::string_view{plan.parties[stream.from].id});
        json_.member("to", std::string_view{plan.parties[stream.to].id});
        json_.member("codec", std::string_view{stream.codec});
        json_.member_or_null("srtp", stream.suite);
        json_.member("packets", stream.packets);
        json_.member("lost", stream.lost);
        json_.key("jitter_ms");
        json_.value(stream.jitter_ms, 1);
        json_.key("mos");
        json_.value(stream.mos, 1);
        json_.member("not_authentic", stream.unauthentic);
        json_.close_object();
    }
    json_.close_array();
    json_.key("calls");
    json_.raw(calls.size(), [&](char* at) { return std::copy(calls.begin(), calls.end(), at); });
    json_.close_object();
}

void RunJson::error(const std::string& file, std::string_view why) {
    ++failed_;
    json_.line();
    json_.open_object();
    json_.member("file", std::string_view{file});
    json_.member("result", "error");
    json_.member("why", why);
    json_.close_object();
}

std::string RunJson::finish() {
    json_.close_array();
    json_.member("passed", passed_);
    json_.member("failed", failed_);
    json_.close_object();
    return std::string{json_.text()};
}

void Junit::flow(const std::string& file, const script::Plan& plan, const play::Report& report,
                 std::string_view findings) {
    ++count_;
    const auto said = findings.empty()
                          ? std::string{}
                          : fmt::format("    <system-out>{}</system-out>\n", safe_lines(findings));
    cases_ += fmt::format(R"(  <testcase classname="callwright" name="{}" file="{}" time="{:.3f}")",
                          safe(plan.title.empty() ? file : plan.title), safe(file),
                          (report.ended - report.began).seconds());
    if (report.passed()) {
        cases_ += said.empty() ? "/>\n" : ">\n" + said + "  </testcase>\n";
        return;
    }
    ++failures_;
    const auto text = wrongs(plan, report);
    cases_ += fmt::format(">\n    <failure message=\"{}\">", safe(text.substr(0, text.find('\n'))));
    cases_ += safe_lines(text) + "</failure>\n" + said + "  </testcase>\n";
}

void Junit::error(const std::string& file, std::string_view why) {
    ++count_;
    ++errors_;
    cases_ += fmt::format("  <testcase classname=\"callwright\" name=\"{0}\" file=\"{0}\">\n"
                          "    <error message=\"{1}\"/>\n  </testcase>\n",
                          safe(file), safe(why.substr(0, why.find('\n'))));
}

std::string Junit::finish() const {
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<testsuite name=\"callwright run\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}"
        "</testsuite>\n",
        count_, failures_, errors_, cases_);
}

} // namespace cw::cli
