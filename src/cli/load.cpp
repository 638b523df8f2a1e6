// callwright load: one flow, many times; a line a second, then what came of it.
#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/load_limit.hpp"
#include "cli/load_options.hpp"
#include "cli/load_report.hpp"
#include "cli/load_screen.hpp"
#include "cli/terminal.hpp"
#include "host/load/load_metrics.hpp"
#include "host/metrics.hpp"
#include "play/load/limit.hpp"
#include "play/load/own_users.hpp"

namespace cw::cli {
namespace {

int complain_of_load(int status, const std::string& what) {
    if (what.ends_with('\n')) { // with carets
        fmt::print(stderr, "{}", what);
    } else {
        fmt::print(stderr, "callwright: load: {}\n", what);
    }
    return status;
}
// The first Ctrl-C: no call begins any more, those in progress have a moment to end. The second:
// they end now.
class Ending {
  public:
    Ending() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    }
    // From now on it is `load` that ends; nullptr: nothing does.
    void watch(host::Load* load) {
        {
            const std::scoped_lock lock{mutex_};
            load_ = load;
        }
        if (thread_.joinable()) {
            return;
        }
        thread_ = std::thread{[this] {
            int signal = 0;
            for (bool first = true; sigwait(&signals_, &signal) == 0 && !over_; first = false) {
                const std::scoped_lock lock{mutex_};
                asked_ = true;
                if (load_ != nullptr) {
                    load_->interrupt(first ? seconds(5) : Duration{});
                }
            }
        }};
    }
    [[nodiscard]] bool asked() const { return asked_; }
    ~Ending() {
        if (thread_.joinable()) {
            over_ = true;
            pthread_kill(thread_.native_handle(), SIGTERM); // it waits for one
            thread_.join();
        }
    }
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;

  private:
    sigset_t signals_{};
    std::thread thread_;
    std::mutex mutex_; // for what follows
    host::Load* load_ = nullptr;
    std::atomic<bool> over_ = false;
    std::atomic<bool> asked_ = false;
};

// /metrics while it runs. What it says is a second old at most.
class LiveMetrics {
  public:
    // Nothing when `where` is empty; else it listens, or says why not.
    std::expected<void, Failure> start(const std::string& where) {
        if (where.empty()) {
            return {};
        }
        const auto at = parse_endpoint(where, 9600);
        if (!at) {
            return std::unexpected{Failure{BadUsage, "--metrics " + where + ": no ADDRESS:PORT"}};
        }
        auto started = host::MetricsServer::start(*at, [this] {
            const std::scoped_lock lock{mutex_};
            return host::MetricsServer::Page{text_, true};
        });
        if (!started) {
            return std::unexpected{Failure{BadInput, started.error()}};
        }
        server_ = std::move(*started);
        return {};
    }
    void update(const host::LoadSecond& second, const host::LoadResult& total) {
        if (server_ != nullptr) {
            auto text = host::load_metrics_text(second, total);
            const std::scoped_lock lock{mutex_};
            text_ = std::move(text);
        }
    }

  private:
    std::mutex mutex_;
    std::string text_;
    std::unique_ptr<host::MetricsServer> server_; // last: it asks for the text until it is gone
};

// One load at one rate, and whether it met the goal.
class LimitSearch {
  public:
    LimitSearch(const LoadCommand& command, Ending& ending, const Terminal& terminal)
        : command_(command), ending_(ending), terminal_(terminal) {}

    int run(double first, const std::vector<script::Criterion>& criteria, Duration length,
            LiveMetrics& metrics) {
        const bool text = command_.format == "text";
        auto limit =
            play::find_limit(first, highest_rate, [&](double rate) -> std::optional<play::Rung> {
                auto rung = attempt(rate, criteria, length, metrics);
                if (rung && text) {
                    std::fputs(rung_text(*rung, terminal_).c_str(), stdout);
                    std::fflush(stdout);
                }
                return rung;
            });
        limit.hopeless = hopeless_;
        std::fputs((text ? limit_text(limit) : limit_json(command_.flow, limit) + "\n").c_str(),
                   stdout);
        if (!hopeless_.empty()) {
            return status_;
        }
        return limit.rate > 0 ? Good : WorkFailed;
    }

  private:
    static constexpr double highest_rate = 1e6;
    // Of calls of which 1 % begin later than that, it is the generator that was at its limit.
    static constexpr Duration late = milliseconds(20);

    std::optional<play::Rung> attempt(double rate, const std::vector<script::Criterion>& criteria,
                                      Duration length, LiveMetrics& metrics) {
        auto flow = load_flow(
            {command_.set, command_.timeout, command_.users, command_.rows, command_.seed},
            command_.flow);
        if (!flow) {
            return give_up(flow.error());
        }
        play::CrowdSettings settings;
        settings.arrivals = play::Arrivals{{{rate, rate, length}}};
        settings.at_once = command_.at_once.value_or(usual_at_once);
        auto running = prepare(command_, *flow, settings);
        if (!running) {
            return give_up(running.error());
        }
        ending_.watch(running->get());
        const auto result = (*running)->run(
            {.on_second = [&](const host::LoadSecond& second,
                              const host::LoadResult& total) { metrics.update(second, total); },
             .on_enrolling = {}});
        ending_.watch(nullptr);
        if (!result.hopeless.empty()) {
            return give_up({BadInput, result.hopeless});
        }
        if (ending_.asked()) {
            return std::nullopt;
        }
        return rung_of(rate, criteria, result);
    }

    static play::Rung rung_of(double rate, const std::vector<script::Criterion>& criteria,
                              const host::LoadResult& result) {
        const auto& t = result.total;
        play::Rung rung;
        rung.rate = rate;
        const auto bad = t.failed + t.held_back;
        const auto all = std::max<std::uint64_t>(1, bad + t.passed);
        rung.failed = static_cast<double>(bad) / static_cast<double>(all);
        rung.answers_95 = t.answers.count() > 0 ? t.answers.at(0.95) : Duration{};
        rung.cpu = {result.cpu.ns /
                    static_cast<std::int64_t>(std::max<std::uint64_t>(1, t.started))};
        rung.own_limit = t.held_back > 0 || t.lateness.at(0.99) > late;
        if (t.held_back > 0) {
            rung.why = fmt::format("{} calls were held back (--at-once)", t.held_back);
        } else if (rung.own_limit) {
            rung.why =
                "1 % of the calls began more than " + short_time(t.lateness.at(0.99)) + " late";
        }
        rung.met = !rung.own_limit;
        for (const auto& one : play::judge(criteria, t)) {
            if (!one.met) {
                rung.met = false;
                rung.why = one.measured ? play::to_string(one.criterion) + " is not met"
                                        : play::to_string(one.criterion) + ": nothing was measured";
            }
        }
        if (criteria.empty() && (bad != 0 || t.passed == 0)) {
            rung.met = false;
            rung.why = t.causes.empty() ? "a call failed" : t.causes.begin()->first;
        }
        return rung;
    }

    std::optional<play::Rung> give_up(const Failure& failure) {
        hopeless_ = failure.why;
        status_ = failure.status;
        return std::nullopt;
    }

    const LoadCommand& command_;
    Ending& ending_;
    const Terminal& terminal_;
    std::string hopeless_;
    int status_ = BadInput;
};
int load(const LoadCommand& command) {
    std::signal(SIGPIPE, SIG_IGN);
    auto flow = load_flow({command.set, command.timeout, command.users, command.rows, command.seed},
                          command.flow);
    if (!flow) {
        return complain_of_load(flow.error().status, flow.error().why);
    }
    const auto criteria = criteria_of(command, flow->plan);
    if (!criteria) {
        return complain_of_load(criteria.error().status, criteria.error().why);
    }
    const auto terminal = look_at_terminal(command.color == "always"  ? ColorChoice::Always
                                           : command.color == "never" ? ColorChoice::Never
                                                                      : ColorChoice::Auto);
    if (command.find_limit) {
        const auto search = search_of(command);
        if (!search) {
            return complain_of_load(search.error().status, search.error().why);
        }
        Ending ending; // before any thread
        LiveMetrics metrics;
        if (auto started = metrics.start(command.metrics); !started) {
            return complain_of_load(started.error().status, started.error().why);
        }
        return LimitSearch{command, ending, terminal}.run(search->first, *criteria, search->second,
                                                          metrics);
    }
    const auto settings = settings_of(command, flow->plan);
    if (!settings) {
        return complain_of_load(settings.error().status, settings.error().why);
    }
    if (auto why = make_folder(command.failed_folder); !why.empty()) {
        return complain_of_load(BadInput, why);
    }
    std::unique_ptr<std::ofstream> csv;
    if (!command.csv.empty()) {
        csv = std::make_unique<std::ofstream>(command.csv);
        if (!(*csv << load_csv_heading()).flush()) {
            return complain_of_load(BadInput, command.csv + ": cannot be written");
        }
    }
    Ending ending; // before any thread
    LiveMetrics metrics;
    if (auto started = metrics.start(command.metrics); !started) {
        return complain_of_load(started.error().status, started.error().why);
    }
    auto running = prepare(command, *flow, *settings);
    if (!running) {
        return complain_of_load(running.error().status, running.error().why);
    }
    if (const auto phone = play::shared_phone((*running)->plan());
        phone && !(*running)->has_users() && settings->at_once > 1) {
        fmt::print(
            stderr,
            "callwright: load: {} registers in each call and is the same user in all of them, "
            "so calls that overlap ring each other's phones: give each a row (--users, with "
            "'set: rows from FILE' in the flow), or say --concurrency 1\n",
            (*running)->plan().parties[*phone].id);
    }
    LoadScreen screen{command.flow, (*running)->plan(), terminal, command.format == "text",
                      settings->arrivals};
    std::vector<BriefSecond> seconds_kept;
    ending.watch(running->get());
    const auto& result = (*running)->run({
        .on_second =
            [&](const host::LoadSecond& second, const host::LoadResult& total) {
                screen.second(second, total);
                metrics.update(second, total);
                if (csv != nullptr) {
                    *csv << load_csv_line(second) << std::flush;
                }
                seconds_kept.push_back(brief(second));
            },
        .on_enrolling = [&](const host::LoadResult& total) { screen.enrolling(total); },
    });
    ending.watch(nullptr);
    screen.end();
    const auto judged = play::judge(*criteria, result.total);
    const bool good = criteria->empty() ? result.total.failed + result.total.held_back == 0 &&
                                              result.total.passed != 0
                                        : std::ranges::all_of(judged, &play::Judgement::met);
    if (command.format == "json") {
        std::fputs(
            (load_json(command.flow, (*running)->plan(), result, judged, seconds_kept, good) + "\n")
                .c_str(),
            stdout);
    } else {
        std::fputs(
            load_text(command.flow, (*running)->plan(), result, judged, good, terminal).c_str(),
            stdout);
    }
    std::fflush(stdout); // what follows stands below it
    if (!result.hopeless.empty()) {
        return complain_of_load(BadInput, result.hopeless);
    }
    if (!command.failed_folder.empty()) {
        if (auto why = write_failed(command.failed_folder, command.flow, (*running)->plan(),
                                    result.failed);
            !why.empty()) {
            return complain_of_load(BadInput, why);
        }
    }
    if (csv != nullptr && !csv->good()) {
        return complain_of_load(BadInput,
                                command.csv + ": cannot be written, it has not all seconds");
    }
    return good ? Good : WorkFailed;
}

} // namespace

Command add_load(CLI::App& app) {
    auto command = std::make_shared<LoadCommand>();
    add_load_options(app, *command);
    return [command] { return load(*command); };
}

} // namespace cw::cli
