#include "cli/load_report.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include <fmt/format.h>

#include "cli/run_text.hpp"
#include "host/trace_file.hpp"
#include "script/print.hpp"
#include "view/cells.hpp"
#include "view/json_writer.hpp"

namespace cw::cli {

using play::Histogram;

namespace {

constexpr double shares[] = {0.5, 0.9, 0.95, 0.99, 0.999};

double ratio(std::uint64_t part, std::uint64_t all) {
    return all == 0 ? 0 : static_cast<double>(part) / static_cast<double>(all);
}

// What was measured, one line each, in columns.
class TimesTable {
  public:
    // Nothing where nothing was measured.
    void add(std::string_view name, const Histogram& times) {
        if (times.count() != 0) {
            lines_.emplace_back(view::shorten(view::printable(name), widest), &times);
            width_ = std::max(width_, view::cell_width(lines_.back().first));
        }
    }
    [[nodiscard]] std::string text() const {
        if (lines_.empty()) {
            return {};
        }
        auto out = fmt::format("\n  {:{}} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}\n", "", width_,
                               "count", "50 %", "90 %", "95 %", "99 %", "99.9 %", "max");
        for (const auto& [name, times] : lines_) {
            out += fmt::format("  {}{:{}} {:>9}", name, "", width_ - view::cell_width(name),
                               times->count());
            for (const double share : shares) {
                out += fmt::format(" {:>8}", short_time(times->at(share)));
            }
            out += fmt::format(" {:>8}\n", short_time(times->max()));
        }
        return out;
    }

  private:
    static constexpr std::size_t widest = 48; // cells of a name
    std::vector<std::pair<std::string, const Histogram*>> lines_;
    std::size_t width_ = 26;
};

// "alice ← 200 OK (INVITE)"
std::string step_name(const script::Plan& plan, script::StepId step) {
    const auto& arrow = std::get<script::Arrow>(plan.steps[step].what);
    return fmt::format("{} ← {}", plan.parties[arrow.to].id, script::words_of(plan, arrow));
}

std::vector<std::pair<std::uint64_t, std::string>> sorted(const play::Tally& tally) {
    std::vector<std::pair<std::uint64_t, std::string>> out;
    for (const auto& [cause, times] : tally.causes) {
        out.emplace_back(times, cause);
    }
    std::ranges::sort(out, [](const auto& a, const auto& b) { return a.first > b.first; });
    return out;
}

std::string causes_text(const play::Tally& tally) {
    std::string out;
    const auto all = sorted(tally);
    for (std::size_t i = 0; i < all.size() && i < 10; ++i) {
        out += fmt::format("  {:>8}  {}\n", all[i].first, view::printable(all[i].second));
    }
    if (all.size() > 10) {
        out += fmt::format("            and {} other causes\n", all.size() - 10);
    }
    return out;
}

// [RFC 6076] by their names there.
struct Measures {
    double ser = 0; // answered, of those that were neither challenged nor redirected
    double seer = 0;
    double isa = 0;
    double scr = 0;
    double ira = 0;
};
Measures measures_of(const play::Tally& tally) {
    const auto& s = tally.sessions;
    const auto attempts = s.asked - s.redirected - s.challenged;
    Measures out;
    out.ser = ratio(s.answered, attempts);
    out.seer = ratio(s.answered + s.refused, attempts);
    out.isa = ratio(s.ineffective, s.asked);
    out.scr = ratio(std::min(tally.hanging_up.count(), s.answered), s.asked);
    out.ira = ratio(tally.registrations_failed, tally.registrations_asked);
    return out;
}

std::string judgement_text(const play::Judgement& one) {
    const auto said = play::to_string(one.criterion);
    if (!one.measured) {
        return fmt::format("  ✗ {}: nothing was measured\n", said);
    }
    const bool failures = one.criterion.of == script::Criterion::Of::Failures;
    return fmt::format("  {} {}: {}\n", one.met ? "✓" : "✗", said,
                       failures ? fmt::format("{:.4g} %", 100 * one.share) : short_time(one.time));
}

} // namespace

std::string short_time(Duration time) {
    const auto us = static_cast<double>(time.ns) / 1e3;
    return us < 1000        ? fmt::format("{:.0f} µs", us)
           : us < 10'000    ? fmt::format("{:.2f} ms", us / 1e3)
           : us < 1'000'000 ? fmt::format("{:.1f} ms", us / 1e3)
                            : fmt::format("{:.2f} s", us / 1e6);
}

std::string short_time(const Histogram& times, double share) {
    return times.count() == 0 ? "-" : short_time(times.at(share));
}

std::string title_of(const script::Plan& plan, const std::string& file) {
    return view::printable(plan.title.empty() ? file : plan.title);
}

std::string load_text(const std::string& file, const script::Plan& plan,
                      const host::LoadResult& result, const std::vector<play::Judgement>& judged,
                      bool good, const Terminal& terminal) {
    const auto& t = result.total;
    const auto ended = t.passed + t.failed;
    std::string out =
        fmt::format("\n{}{}\n", title_of(plan, file), result.interrupted ? "  (interrupted)" : "");
    out += fmt::format("  {} calls begun, {} passed, {} failed ({:.4g} %)", t.started, t.passed,
                       t.failed, 100 * ratio(t.failed, ended));
    if (t.interrupted != 0) {
        out += fmt::format(", {} ended by us", t.interrupted);
    }
    if (t.held_back != 0) {
        out += fmt::format("\n  {} calls were due and not begun: too many in progress, or no "
                           "socket left",
                           t.held_back);
    }
    out += fmt::format(
        "\n  {:.1f} s; {} of CPU a call; {} messages out, {} in", result.lasted.seconds(),
        short_time(
            {result.cpu.ns / static_cast<std::int64_t>(std::max<std::uint64_t>(1, t.started))}),
        t.sent, t.received);
    if (t.late != 0) {
        out += fmt::format("; {} came late or for nobody", t.late);
    }
    out += '\n';
    if (t.refused + t.lost != 0) {
        out += fmt::format("  {} connections refused, {} lost\n", t.refused, t.lost);
    }
    if (t.silent != 0) {
        out += fmt::format("  {} keep-alives unanswered\n", t.silent);
    }
    if (!t.causes.empty()) {
        out += "\nWhy calls failed\n" + causes_text(t);
    }
    TimesTable times;
    times.add("begun late by", t.lateness);
    times.add("handshake", t.handshakes);
    times.add("registration (RRD)", t.registrations);
    times.add("ringing (SRD)", t.ringing);
    times.add("answer", t.answers);
    times.add("hanging up (SDD)", t.hanging_up);
    times.add("whole call", t.length);
    for (script::StepId i = 0; i < t.steps.size(); ++i) {
        if (t.steps[i].count() != 0) { // an arrow
            times.add(fmt::format("line {} {}", plan.steps[i].place.line, step_name(plan, i)),
                      t.steps[i]);
        }
    }
    out += times.text();
    if (t.sessions.asked != 0) {
        const auto m = measures_of(t);
        out += fmt::format("\n  SER {:.2f} %  SEER {:.2f} %  ISA {:.2f} %  SCR {:.2f} %  "
                           "(RFC 6076)\n",
                           100 * m.ser, 100 * m.seer, 100 * m.isa, 100 * m.scr);
    }
    if (!judged.empty()) {
        out += '\n';
        for (const auto& one : judged) {
            out += judgement_text(one);
        }
    }
    if (!result.failed.empty()) {
        const auto& first = result.failed.front();
        out += fmt::format("\nCall {}, the first that failed\n", first.number);
        out += run_text(file, plan, first.report,
                        {.color = terminal.color,
                         .ascii = !terminal.utf8,
                         .width = static_cast<std::size_t>(std::max(60, terminal.columns))});
    }
    out += good ? "passed\n" : "failed\n";
    return out;
}

// ---- JSON

namespace {

void put_times(view::JsonWriter& json, const Histogram& times) {
    json.open_object();
    json.member("count", times.count());
    const auto ms = [&](Duration time) { json.value(time.milliseconds(), 3); };
    if (times.count() != 0) {
        json.key("min_ms");
        ms(times.min());
        json.key("mean_ms");
        ms(times.mean());
        json.key("p50_ms");
        ms(times.at(0.5));
        json.key("p90_ms");
        ms(times.at(0.9));
        json.key("p95_ms");
        ms(times.at(0.95));
        json.key("p99_ms");
        ms(times.at(0.99));
        json.key("p999_ms");
        ms(times.at(0.999));
        json.key("max_ms");
        ms(times.max());
    }
    json.close_object();
}

void put_measures(view::JsonWriter& json, const play::Tally& tally) {
    const auto m = measures_of(tally);
    json.key("rfc6076");
    json.open_object();
    json.key("SER");
    json.value(m.ser, 6);
    json.key("SEER");
    json.value(m.seer, 6);
    json.key("ISA");
    json.value(m.isa, 6);
    json.key("SCR");
    json.value(m.scr, 6);
    json.key("IRA");
    json.value(m.ira, 6);
    json.key("RRD");
    put_times(json, tally.registrations);
    json.key("SRD");
    put_times(json, tally.ringing);
    json.key("SDD");
    put_times(json, tally.hanging_up);
    json.close_object();
}

// [RFC 7501 §3] what was attempted a second, and how much of it failed; the benchmarks themselves
// are --find-limit's.
void put_attempts(view::JsonWriter& json, const play::Tally& tally, Duration lasted) {
    const double seconds = std::max(lasted.seconds(), 1e-9);
    const auto& sessions = tally.sessions;
    json.key("rfc7502");
    json.open_object();
    json.key("session_attempt_rate");
    json.value(static_cast<double>(sessions.asked) / seconds, 3);
    json.member("session_attempt_failures",
                sessions.asked - std::min(sessions.asked, sessions.answered + sessions.challenged));
    json.key("registration_attempt_rate");
    json.value(static_cast<double>(tally.registrations_asked) / seconds, 3);
    json.member("registration_attempt_failures", tally.registrations_failed);
    json.close_object();
}

void put_seconds(view::JsonWriter& json, const std::vector<BriefSecond>& seconds) {
    json.key("seconds");
    json.open_array();
    for (const auto& second : seconds) {
        json.open_object();
        json.member("second", second.number);
        json.member("due", second.due);
        json.member("begun", second.started);
        json.member("held_back", second.held_back);
        json.member("passed", second.passed);
        json.member("failed", second.failed);
        json.member("in_progress", second.in_progress);
        json.key("answer_p50_ms");
        json.value(second.answer_50.milliseconds(), 3);
        json.key("answer_p99_ms");
        json.value(second.answer_99.milliseconds(), 3);
        json.key("late_p99_ms");
        json.value(second.late_99.milliseconds(), 3);
        json.key("cpu_s");
        json.value(second.cpu.seconds(), 4);
        json.close_object();
    }
    json.close_array();
}

} // namespace

BriefSecond brief(const host::LoadSecond& second) {
    const auto& t = second.tally;
    return {.number = second.number,
            .due = t.due,
            .started = t.started,
            .held_back = t.held_back,
            .passed = t.passed,
            .failed = t.failed,
            .in_progress = second.in_progress,
            .answer_50 = t.answers.at(0.5),
            .answer_99 = t.answers.at(0.99),
            .late_99 = t.lateness.at(0.99),
            .cpu = second.cpu};
}

std::string load_json(const std::string& file, const script::Plan& plan,
                      const host::LoadResult& result, const std::vector<play::Judgement>& judged,
                      const std::vector<BriefSecond>& seconds, bool good) {
    const auto& t = result.total;
    view::JsonWriter json;
    json.open_object();
    json.member("callwright", std::string_view{CALLWRIGHT_VERSION});
    json.member("file", std::string_view{file});
    json.member("title", std::string_view{plan.title});
    json.member("result", std::string_view{!result.hopeless.empty() ? "error"
                                           : good                   ? "passed"
                                                                    : "failed"});
    json.member_or_null("why", result.hopeless);
    json.member("interrupted", result.interrupted);
    json.key("duration_s");
    json.value(result.lasted.seconds(), 3);
    json.key("cpu_us_per_call");
    json.value(static_cast<double>(result.cpu.ns) / 1e3 /
                   static_cast<double>(std::max<std::uint64_t>(1, t.started)),
               2);
    json.key("calls");
    json.open_object();
    json.member("due", t.due);
    json.member("begun", t.started);
    json.member("held_back", t.held_back);
    json.member("passed", t.passed);
    json.member("failed", t.failed);
    json.member("interrupted", t.interrupted);
    json.close_object();
    json.key("causes");
    json.open_array();
    for (const auto& [times, cause] : sorted(t)) {
        json.open_object();
        json.member("cause", std::string_view{cause});
        json.member("calls", times);
        json.close_object();
    }
    json.close_array();
    json.key("messages");
    json.open_object();
    json.member("sent", t.sent);
    json.member("received", t.received);
    json.member("late", t.late);
    json.close_object();
    json.key("connections");
    json.open_object();
    json.member("opened", t.handshakes.count());
    json.member("resumed", t.resumed);
    json.member("refused", t.refused);
    json.member("lost", t.lost);
    json.member("silent", t.silent);
    json.close_object();
    json.key("times");
    json.open_object();
    json.key("late");
    put_times(json, t.lateness);
    json.key("handshakes");
    put_times(json, t.handshakes);
    json.key("registrations");
    put_times(json, t.registrations);
    json.key("ringing");
    put_times(json, t.ringing);
    json.key("answers");
    put_times(json, t.answers);
    json.key("calls");
    put_times(json, t.length);
    json.close_object();
    json.key("steps");
    json.open_array();
    for (script::StepId i = 0; i < t.steps.size(); ++i) {
        if (t.steps[i].count() != 0) {
            json.open_object();
            json.member("line", std::uint64_t{plan.steps[i].place.line});
            json.member("text", std::string_view{step_name(plan, i)});
            json.key("time");
            put_times(json, t.steps[i]);
            json.close_object();
        }
    }
    json.close_array();
    put_measures(json, t);
    put_attempts(json, t, result.lasted);
    json.key("pass");
    json.open_array();
    for (const auto& one : judged) {
        json.open_object();
        json.member("criterion", std::string_view{play::to_string(one.criterion)});
        json.member("met", one.met);
        json.member("measured", one.measured);
        if (one.criterion.of == script::Criterion::Of::Failures) {
            json.key("share");
            json.value(one.share, 6);
        } else {
            json.key("time_ms");
            json.value(one.time.milliseconds(), 3);
        }
        json.close_object();
    }
    json.close_array();
    put_seconds(json, seconds);
    json.close_object();
    return std::string{json.text()};
}

// ---- CSV

std::string load_csv_heading() {
    return "second,due,begun,held_back,passed,failed,in_progress,connections,late_p99_ms,"
           "ringing_p50_ms,answer_p50_ms,answer_p95_ms,answer_p99_ms,cpu_s\n";
}

std::string load_csv_line(const host::LoadSecond& second) {
    const auto& t = second.tally;
    return fmt::format("{},{},{},{},{},{},{},{},{:.3f},{:.3f},{:.3f},{:.3f},{:.3f},{:.4f}\n",
                       second.number, t.due, t.started, t.held_back, t.passed, t.failed,
                       second.in_progress, second.connections, t.lateness.at(0.99).milliseconds(),
                       t.ringing.at(0.5).milliseconds(), t.answers.at(0.5).milliseconds(),
                       t.answers.at(0.95).milliseconds(), t.answers.at(0.99).milliseconds(),
                       second.cpu.seconds());
}

// ---- failed calls

namespace {

// What was sent, and what came from somebody whom we do not play, each as a datagram in clear.
std::string packets_of(const play::FailedCall& call) {
    std::string out;
    for (std::size_t i = 0; i < call.messages.size(); ++i) {
        const auto& message = call.messages[i];
        const bool twice =
            !message.sent && std::any_of(call.messages.begin(),
                                         call.messages.begin() + static_cast<std::ptrdiff_t>(i),
                                         [&](const play::FailedCall::Message& other) {
                                             return other.sent && other.bytes == message.bytes;
                                         });
        if (!twice && message.bytes.size() <= host::most_payload) {
            const auto& wire = message.wire;
            host::put_udp(out, message.at, message.sent ? wire.local : wire.remote,
                          message.sent ? wire.remote : wire.local, as_bytes(message.bytes));
        }
    }
    return out;
}

} // namespace

std::string make_folder(const std::string& folder) {
    std::error_code error;
    if (!folder.empty()) {
        std::filesystem::create_directories(folder, error);
    }
    return error ? fmt::format("{}: cannot be created: {}", folder, error.message())
                 : std::string{};
}

std::string write_failed(const std::string& folder, const std::string& file,
                         const script::Plan& plan, const std::vector<play::FailedCall>& failed) {
    for (const auto& call : failed) {
        const auto path = fmt::format("{}/call-{}", folder, call.number);
        std::ofstream text{path + ".txt"};
        text << run_text(file, plan, call.report, {.color = false, .ascii = false, .width = 100});
        if (!text.flush()) {
            return path + ".txt: cannot be written";
        }
        auto capture = host::TraceFile::create(path + ".pcapng");
        if (!capture) {
            return capture.error();
        }
        (*capture)->append(packets_of(call));
        if (!(*capture)->good()) {
            return path + ".pcapng: cannot be written";
        }
    }
    return {};
}

} // namespace cw::cli
