#include "cli/load_screen.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

#include <fmt/format.h>

#include "cli/load_report.hpp"
#include "view/cells.hpp"

namespace cw::cli {

namespace {

// What cannot be written, to a full disk or to nobody, does not end a load; main() tells of it.
template <typename... Parts>
void say(fmt::format_string<Parts...> text, Parts&&... parts) {
    std::fputs(fmt::format(text, std::forward<Parts>(parts)...).c_str(), stdout);
}

std::string times_row(std::string_view name, const play::Histogram& now,
                      const play::Histogram& all) {
    if (all.count() == 0) {
        return {};
    }
    return fmt::format("  {:<12} {:>9} {:>9}    {:>9} {:>9} {:>9}\n", name, short_time(now, 0.5),
                       short_time(now, 0.99), short_time(all, 0.5), short_time(all, 0.99),
                       short_time(all.max()));
}

} // namespace

LoadScreen::LoadScreen(const std::string& file, const script::Plan& plan, const Terminal& terminal,
                       bool shown, std::optional<play::Arrivals> arrivals)
    : title_(title_of(plan, file)), terminal_(terminal), shown_(shown),
      arrivals_(std::move(arrivals)) {}

void LoadScreen::erase() {
    if (drawn_ != 0) {
        say("\033[{}A\033[J", drawn_);
        drawn_ = 0;
    }
}

void LoadScreen::enrolling(const host::LoadResult& total) {
    const auto asked = total.total.registrations_asked;
    if (!shown_ || asked == registered_ || lines_ != 0) {
        return;
    }
    registered_ = asked;
    erase();
    say("registered {}, failed {}\n", total.total.registrations.count(),
        total.total.registrations_failed);
    drawn_ = terminal_.output ? 1 : 0;
    std::fflush(stdout);
}

void LoadScreen::second(const host::LoadSecond& second, const host::LoadResult& total) {
    if (!shown_) {
        return;
    }
    if (terminal_.output) {
        erase();
        const auto text = screen(second, total);
        drawn_ = static_cast<std::size_t>(std::ranges::count(text, '\n'));
        // Not wrapped: what went on in a line below would stay there when it is drawn anew.
        say("\033[?7l{}\033[?7h", text);
        std::fflush(stdout);
        return;
    }
    if (lines_++ % 30 == 0) {
        say("{:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>6}\n", "second", "begun",
            "passed", "failed", "running", "answer50", "answer95", "answer99", "late99", "cpu%");
    }
    const auto& t = second.tally;
    say("{:>7} {:>8} {:>8} {:>8} {:>8} {:>9} {:>9} {:>9} {:>9} {:>6.1f}\n", second.number + 1,
        t.started, t.passed, t.failed, second.in_progress, short_time(t.answers.at(0.5)),
        short_time(t.answers.at(0.95)), short_time(t.answers.at(0.99)),
        short_time(t.lateness.at(0.99)), 100 * second.cpu.seconds());
    std::fflush(stdout);
}

std::string LoadScreen::screen(const host::LoadSecond& second,
                               const host::LoadResult& total) const {
    const auto& now = second.tally;
    const auto& all = total.total;
    auto out = fmt::format("{} s   {}\n", second.number + 1, title_);
    const auto rate =
        arrivals_ ? fmt::format(" of {:.1f}",
                                arrivals_->rate(seconds(static_cast<std::int64_t>(second.number))))
                  : std::string{};
    out += fmt::format("  begun {}/s{}   in progress {}   connections {}   CPU {:.0f} %\n",
                       now.started, rate, second.in_progress, second.connections,
                       100 * second.cpu.seconds());
    out += fmt::format("  passed {}   failed {}   held back {}   begun {}   answered {}\n",
                       all.passed, all.failed, all.held_back, all.started, all.sessions.answered);
    out += fmt::format("  {:<12} {:>9} {:>9}    {:>9} {:>9} {:>9}\n", "", "now 50 %", "99 %",
                       "all 50 %", "99 %", "max");
    out += times_row("late", now.lateness, all.lateness);
    out += times_row("handshake", now.handshakes, all.handshakes);
    out += times_row("ringing", now.ringing, all.ringing);
    out += times_row("answer", now.answers, all.answers);
    out += times_row("whole call", now.length, all.length);
    std::vector<std::pair<std::uint64_t, std::string_view>> causes;
    for (const auto& [cause, times] : all.causes) {
        causes.emplace_back(times, cause);
    }
    std::ranges::sort(causes, std::greater{});
    for (std::size_t i = 0; i < std::min<std::size_t>(causes.size(), 5); ++i) {
        out += fmt::format("  {:>8}  {}\n", causes[i].first, view::printable(causes[i].second));
    }
    return out + "  Ctrl-C ends it\n";
}

// What follows stands below it.
void LoadScreen::end() {
    drawn_ = 0;
}

} // namespace cw::cli
