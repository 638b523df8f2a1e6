// callwright load: one flow, many times; a line a second, then what came of it.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/flow_file.hpp"
#include "cli/load_limit.hpp"
#include "cli/load_report.hpp"
#include "cli/load_screen.hpp"
#include "cli/terminal.hpp"
#include "host/load/load.hpp"
#include "host/load/load_metrics.hpp"
#include "host/metrics.hpp"
#include "play/load/limit.hpp"
#include "play/load/own_users.hpp"
#include "script/parse.hpp"

namespace cw::cli {
namespace {

constexpr const char* load_description =
    "Performs one flow many times. With --rate calls begin when the schedule says, however slow "
    "the "
    "answers are, and times are counted from when a call should have begun; with --concurrency the "
    "next call begins when one has ended. '%% load:' and '%% pass:' lines of the flow say the same "
    "in the flow itself. What is drawn happens: a connection that is drawn is the call's own, all "
    "others are shared.";

constexpr const char* load_footer = R"(
Examples:
  callwright load flows/secure-call.mmd --rate 200 --for 1m      phones, proxy and CA of its own
  callwright load call.mmd --at proxy=tls:sbc.lab:5061 --trust ca.pem --rate 500 --for 5m --ramp 30s
  callwright load call.mmd --concurrency 100 --calls 10000       closed: 100 calls at any time
  callwright load call.mmd --steps 100,200,400 --for 30s         30 s at each rate
  callwright load call.mmd --find-limit --pass "failures < 0.1%" --pass "95% of answers < 200ms"
  callwright load call.mmd --users users.csv --register --rate 100 --pass "failures < 0.1%"
  callwright load call.mmd --rate 300 --for 1m --format json --failed out

SIPp's options and what stands for them (docs/sipp.md):
  -sf x.xml        load x.xml                      -r 10, -rp 1000   --rate 10/s (600/m, 3600/h)
  HOST:PORT, -t u1 --at uas=udp:HOST:PORT          -l 50             --at-once 50, --concurrency 50
  -t t1, -t l1     tcp:, tls: in --at              -m 1000           --calls 1000
  -t tn, -t ln     --connections call              -timeout 60s      --for 60s
  -i IP, -p PORT   --listen uac=udp:IP:PORT        -d 5000           --set pause=5000
  -ip_field, -mi   --source ADDR                   -inf users.csv    --rows users.csv
  -s NAME          --set service=NAME              -key NAME VALUE   --set NAME=VALUE
  -au, -ap         --set auth_username=U, auth_password=P
  -trace_stat      --csv FILE                      -trace_err        --failed DIR
  -recv_timeout    --timeout TIME                  a UAS scenario waits: --listen uas=udp:IP:PORT

Exit status: 0 all criteria of the pass lines are met (unsaid: no call failed), 1 one of them is not,
2 the flow or the usage is wrong, 3 a file or the target could not be used.)";

struct LoadCommand {
    std::string flow;
    std::vector<std::string> at, set, trusted, pass, rows, listen, sources;
    std::string rate, length, ramp, steps, users, timeout, keep_alive, csv, failed_folder, metrics;
    std::string connections = "drawn";
    std::string format = "text";
    std::string color = "auto";
    std::uint32_t concurrency = 0, pool = 1, at_once = 50'000, shards = 1, keep = 10;
    std::uint64_t calls = 0, seed = 0;
    bool enrol = false;
    bool resume = false;
    bool in_full = false;
    bool real_time = false;
    std::string gather = "1.5ms";
    bool find_limit = false;
};

int complain_of_load(int status, const std::string& what) {
    if (what.ends_with('\n')) { // with carets
        fmt::print(stderr, "{}", what);
    } else {
        fmt::print(stderr, "callwright: load: {}\n", what);
    }
    return status;
}

Failure wrong(std::string why) {
    return {BadUsage, std::move(why)};
}

std::expected<std::optional<Duration>, Failure> time_of(const char* option,
                                                        const std::string& text) {
    if (text.empty()) {
        return std::optional<Duration>{};
    }
    const auto time = script::parse_duration(text);
    if (!time || time->ns <= 0) {
        return std::unexpected{
            wrong(fmt::format("{} {}: no time like 90s, 10m or 500ms", option, text))};
    }
    return time;
}

// "200", "200/s", "0.5", "600/m", "3600/h" → calls a second; nothing: none of these.
std::optional<double> rate_of(std::string_view text) {
    const auto slash = text.find('/');
    const auto unit = slash == std::string_view::npos ? "s" : text.substr(slash + 1);
    const double per = unit == "s" ? 1 : unit == "m" ? 60 : unit == "h" ? 3600 : 0;
    const std::string number{text.substr(0, slash)};
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    if (per == 0 || number.empty() || end != number.c_str() + number.size() || !(value > 0) ||
        value > 1e6) {
        return std::nullopt;
    }
    return value / per;
}

// What the command line says, else what the flow's `load:` line does.
std::expected<play::CrowdSettings, Failure> settings_of(const LoadCommand& command,
                                                        const script::Plan& plan) {
    play::CrowdSettings out;
    const auto* said = script::find<script::Load>(plan.settings);
    auto length = time_of("--for", command.length);
    auto ramp = time_of("--ramp", command.ramp);
    for (const auto* time : {&length, &ramp}) {
        if (!*time) {
            return std::unexpected{time->error()};
        }
    }
    std::vector<double> rates;
    const bool open = command.concurrency == 0;
    if (!open && (!command.rate.empty() || !command.steps.empty())) {
        return std::unexpected{
            wrong("--concurrency is for calls that begin when others end; with --rate or --steps, "
                  "--at-once says how many may be in progress")};
    }
    for (const auto& [option, text] :
         {std::pair{"--rate", &command.rate}, std::pair{"--steps", &command.steps}}) {
        for (std::size_t at = 0; at < text->size();) {
            const auto comma = std::min(text->find(',', at), text->size());
            const auto rate = rate_of(std::string_view{*text}.substr(at, comma - at));
            if (!rate) {
                return std::unexpected{wrong(fmt::format(
                    "{} {}: no rate like 200, 0.5, 200/s or 600/m above zero", option, *text))};
            }
            rates.push_back(*rate);
            at = comma + 1;
        }
    }
    if (open && rates.empty() && said != nullptr) {
        if (said->calls == 0 || said->per.ns == 0) {
            return std::unexpected{wrong("the flow's 'load:' line has a rate of zero")};
        }
        rates.push_back(said->calls / said->per.seconds());
        *length = *length ? *length : said->length;
        *ramp = *ramp ? *ramp : said->ramp;
        if (said->total) {
            out.calls = *said->total;
        }
    }
    if (command.calls != 0) {
        out.calls = command.calls;
    }
    out.answers = play::answers_calls(plan);
    if (out.answers) {
        if (!rates.empty()) {
            return std::unexpected{wrong("the flow waits to be called: calls come when they come, "
                                         "without --rate or --steps; "
                                         "--calls, --for or Ctrl-C ends it")};
        }
        out.at_once = open ? command.at_once : command.concurrency;
        out.length = *length;
        return out;
    }
    if (open && rates.empty()) {
        return std::unexpected{
            wrong("how many? Say --rate 100, --concurrency 10, or '%% load: 100 calls/s for 1m' "
                  "beneath sequenceDiagram")};
    }
    if (!open) {
        out.at_once = command.concurrency;
        out.length = *length;
        return out;
    }
    std::vector<play::RateStage> stages;
    if (*ramp) {
        stages.push_back({0, rates.front(), **ramp});
    }
    for (std::size_t i = 0; i < rates.size(); ++i) {
        const bool last = i + 1 == rates.size();
        if (!last && !*length) {
            return std::unexpected{wrong("--steps needs --for, the time of each")};
        }
        stages.push_back({rates[i], rates[i], length->value_or(Duration{})});
    }
    out.arrivals = play::Arrivals{std::move(stages)};
    out.at_once = command.at_once;
    return out;
}

std::expected<std::vector<script::Criterion>, Failure> criteria_of(const LoadCommand& command,
                                                                   const script::Plan& plan) {
    std::vector<script::Criterion> out;
    const auto take = [&](const script::Facts& facts) {
        for (const auto& fact : facts) {
            if (const auto* pass = std::get_if<script::Pass>(&fact.value)) {
                out.insert(out.end(), pass->criteria.begin(), pass->criteria.end());
                for (const auto demand : pass->demands) {
                    fmt::print(stderr,
                               "callwright: load: pass: {}: run decides this, load does not\n",
                               script::demand_words[static_cast<std::size_t>(demand)]);
                }
            }
        }
    };
    for (const auto& text : command.pass) {
        const auto line = "sequenceDiagram\n    %% pass: " + text + "\n    actor a\n";
        const auto parsed = script::parse(line);
        const auto before = out.size();
        take(parsed.plan.settings);
        if (text.contains('\n') || out.size() == before) {
            return std::unexpected{wrong(fmt::format(
                "--pass '{}': failures < 0.1%, or 95% of answers < 800ms (answers, ringing, "
                "registrations or handshakes)",
                text))};
        }
    }
    if (out.empty()) {
        take(plan.settings);
    }
    return out;
}

// Addresses, and ranges of IPv4 ones: "127.0.0.2-127.0.0.50".
std::expected<std::vector<IpAddress>, Failure> sources_of(const std::vector<std::string>& said) {
    constexpr std::size_t most = 1024;
    std::vector<IpAddress> out;
    for (const auto& text : said) {
        const auto dash = text.find('-');
        const auto first = IpAddress::parse(text.substr(0, dash));
        const auto last =
            dash == std::string::npos ? first : IpAddress::parse(text.substr(dash + 1));
        if (!first || !last || (dash != std::string::npos && !(first->is_v4() && last->is_v4()))) {
            return std::unexpected{wrong(fmt::format(
                "--source {}: no address like 127.0.0.2, and no range like 127.0.0.2-127.0.0.50",
                text))};
        }
        for (auto next = *first; next <= *last;) {
            if (out.size() == most) {
                return std::unexpected{
                    wrong(fmt::format("--source: more than {} addresses", most))};
            }
            out.push_back(next);
            auto digit = next.octets.size(); // the next address
            while (digit > 12 && ++next.octets[--digit] == 0) {
            }
            if (next <= *first) {
                break;
            }
        }
    }
    return out;
}

std::expected<std::unique_ptr<host::Load>, Failure>
prepare(const LoadCommand& command, Loaded& flow, const play::CrowdSettings& settings) {
    host::LoadOptions options;
    for (const auto& at : command.at) {
        auto real = host::parse_real_system(at);
        if (!real) {
            return std::unexpected{wrong("--at: " + real.error())};
        }
        options.at.push_back(std::move(*real));
    }
    for (const auto& own : command.listen) {
        auto place = host::parse_real_system(own);
        if (!place) {
            return std::unexpected{wrong("--listen: " + place.error())};
        }
        options.listen.push_back(std::move(*place));
    }
    auto sources = sources_of(command.sources);
    if (!sources) {
        return std::unexpected{sources.error()};
    }
    options.sources = std::move(*sources);
    options.resume = command.resume;
    options.real_time = command.real_time;
    options.trusted = command.trusted;
    options.shards = command.shards;
    options.crowd = settings;
    options.crowd.injections = std::move(flow.injections);
    options.crowd.keep_failed = command.keep;
    options.crowd.by_rote = !command.in_full;
    options.crowd.connections = command.pool;
    options.crowd.enrol = command.enrol ? play::Enrol::Everywhere : play::Enrol::AtEmbedded;
    options.crowd.sharing = command.connections == "shared" ? play::Sharing::Shared
                            : command.connections == "user" ? play::Sharing::PerUser
                            : command.connections == "call" ? play::Sharing::PerCall
                                                            : play::Sharing::AsDrawn;
    auto keep_alive = time_of("--keep-alive", command.keep_alive);
    if (!keep_alive) {
        return std::unexpected{keep_alive.error()};
    }
    options.keep_alive = *keep_alive;
    const auto gather = script::parse_duration(command.gather);
    if (!gather || gather->ns < 0 || *gather > milliseconds(100)) {
        return std::unexpected{wrong(
            fmt::format("--gather {}: no time like 1ms or 0s, 100ms at most", command.gather))};
    }
    options.crowd.gather = *gather;
    auto load = host::Load::make(std::move(flow.plan), std::move(flow.given), std::move(flow.rows),
                                 std::move(options));
    if (!load) {
        const bool usage = load.error().starts_with("line ") || load.error().starts_with("--");
        return std::unexpected{
            Failure{usage ? BadUsage : BadInput, flow.file + ": " + load.error()}};
    }
    return std::move(*load);
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
            return std::unexpected{wrong("--metrics " + where + ": no ADDRESS:PORT")};
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
                    fmt::print("{}", rung_text(*rung, terminal_));
                    std::fflush(stdout);
                }
                return rung;
            });
        limit.hopeless = hopeless_;
        fmt::print("{}{}", text ? limit_text(limit) : limit_json(command_.flow, limit),
                   text ? "" : "\n");
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
        settings.at_once = command_.at_once;
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

// The rate that the search begins with, and the time of each load.
std::expected<std::pair<double, Duration>, Failure> search_of(const LoadCommand& command) {
    constexpr double usual_first = 50;
    if (command.concurrency != 0 || !command.steps.empty() || !command.ramp.empty() ||
        command.calls != 0) {
        return std::unexpected{
            wrong("--find-limit chooses the rates itself: --rate is the first of "
                  "them, --for the time of each load")};
    }
    const auto rate = command.rate.empty() ? std::optional{usual_first} : rate_of(command.rate);
    if (!rate) {
        return std::unexpected{
            wrong(fmt::format("--rate {}: no rate like 200, 0.5, 200/s or 600/m", command.rate))};
    }
    const auto length = time_of("--for", command.length);
    if (!length) {
        return std::unexpected{length.error()};
    }
    return std::pair{*rate, length->value_or(seconds(10))};
}

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
            "callwright load: {} registers in each call and is the same user in all of them, "
            "so calls that overlap ring each other's phones: give each a row (--users, with "
            "'set: rows from FILE' in the flow), or say --concurrency 1\n",
            (*running)->plan().parties[*phone].id);
    }
    LoadScreen screen{(*running)->plan(), terminal, command.format == "text", settings->arrivals};
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
    if (!command.failed_folder.empty()) {
        if (auto why = write_failed(command.failed_folder, command.flow, (*running)->plan(),
                                    result.failed);
            !why.empty()) {
            return complain_of_load(BadInput, why);
        }
    }
    const auto judged = play::judge(*criteria, result.total);
    const bool good = criteria->empty() ? result.total.failed + result.total.held_back == 0 &&
                                              result.total.passed != 0
                                        : std::ranges::all_of(judged, &play::Judgement::met);
    if (command.format == "json") {
        fmt::print("{}\n",
                   load_json(command.flow, (*running)->plan(), result, judged, seconds_kept, good));
    } else {
        fmt::print("{}",
                   load_text(command.flow, (*running)->plan(), result, judged, good, terminal));
    }
    if (!result.hopeless.empty()) {
        return complain_of_load(BadInput, result.hopeless);
    }
    return good ? Good : WorkFailed;
}

} // namespace

Command add_load(CLI::App& app) {
    auto o = std::make_shared<LoadCommand>();
    auto* c = app.add_subcommand("load", load_description);
    c->footer(load_footer);
    c->add_option("FLOW", o->flow, "a Mermaid file or a SIPp scenario (.xml); - is standard input")
        ->required();
    c->add_option("--rate", o->rate, "calls that begin a second; also 600/m, 3600/h")
        ->type_name("N");
    c->add_option("--concurrency", o->concurrency,
                  "in the place of a rate: so many calls at any time")
        ->check(CLI::Range(1, 1'000'000));
    c->add_option("--calls", o->calls, "so many calls, then the end")
        ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1'000'000'000'000}));
    c->add_option("--for", o->length, "so long, the ramp left out; of --steps, each")
        ->type_name("TIME");
    c->add_option("--ramp", o->ramp, "from no call to the rate in this time")->type_name("TIME");
    c->add_option("--steps", o->steps, "rates one after another, each --for that long")
        ->type_name("N,N,…");
    c->add_flag("--find-limit", o->find_limit,
                "searches the highest rate at which the pass lines are met: doubles from --rate "
                "(50 unless said), then halves what is between, to 5 %; --for (10s) is the time of "
                "each load");
    c->add_option("--metrics", o->metrics, "what is counted, for Prometheus, while it runs")
        ->type_name("ADDR:PORT");
    c->add_option("--at-once", o->at_once,
                  "with a rate: at most so many in progress; what is due beyond is counted as "
                  "held back")
        ->check(CLI::Range(1, 10'000'000))
        ->capture_default_str();
    c->add_option("--pass", o->pass,
                  "what decides the exit status, in the place of the flow's pass lines "
                  "(repeatable)")
        ->type_name("CRITERION");
    c->add_option("--at", o->at, "this participant is a real system (repeatable)")
        ->type_name("NAME=tls:HOST:PORT");
    c->add_option("--listen", o->listen,
                  "where a party of ours is reached (repeatable); any free port unless said")
        ->type_name("NAME=udp:IP:PORT");
    c->add_option("--source", o->sources,
                  "addresses that our parties send from, in turn; also a range, "
                  "127.0.0.2-127.0.0.50 (repeatable)")
        ->type_name("ADDR");
    c->add_option("--trust", o->trusted, "PEM with CAs that our parties trust besides (repeatable)")
        ->type_name("FILE");
    c->add_option("--set", o->set, "a variable of the flow (repeatable)")->type_name("KEY=VALUE");
    c->add_option("--users", o->users, "CSV with a heading: {row.COLUMN} in the flow")
        ->type_name("FILE");
    c->add_option("--rows", o->rows,
                  "rows for [field0] and on of a SIPp scenario: its injection file, or CSV "
                  "(repeatable)")
        ->type_name("FILE");
    c->add_flag(
        "--resume", o->resume,
        "TLS connections resume the session of an earlier one; full handshakes unless said");
    c->add_flag("--register", o->enrol,
                "actors that others call through a server register there before the first call, "
                "each row of the users");
    c->add_option("--connections", o->connections,
                  "drawn: a connection that is drawn is the call's own, others are shared; shared: "
                  "all are; user: one a row; call: one a call")
        ->check(CLI::IsMember({"drawn", "shared", "user", "call"}))
        ->capture_default_str();
    c->add_option("--pool", o->pool, "so many shared connections between the same two parties")
        ->check(CLI::Range(1, 100'000))
        ->capture_default_str();
    c->add_option("--keep-alive", o->keep_alive, "a double CRLF on each open connection, so often")
        ->type_name("TIME");
    c->add_option("--timeout", o->timeout,
                  "how long an arrival is awaited; 32s unless the flow says")
        ->type_name("TIME");
    c->add_option("-j,--jobs", o->shards, "shards, a thread each")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    c->add_option("--keep", o->keep, "so many failed calls are kept whole")
        ->check(CLI::Range(0, 10'000))
        ->capture_default_str();
    c->add_flag("--in-full", o->in_full,
                "perform each call in full, also one that goes as earlier ones went");
    c->add_option("--gather", o->gather,
                  "with a rate, so long a call that is due may wait for the next ones, and with it "
                  "what has come (its time is the system's); 0s: nothing waits")
        ->type_name("TIME")
        ->capture_default_str();
    c->add_flag(
        "--real-time", o->real_time,
        "run before all programs that have no such priority, so that calls begin on time on "
        "a busy machine (needs CAP_SYS_NICE)");
    c->add_option("--failed", o->failed_folder,
                  "the failed calls that were kept, as ladders and captures")
        ->type_name("DIR");
    c->add_option("--csv", o->csv, "a line a second")->type_name("FILE");
    c->add_option("--format", o->format, "text or json")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    c->add_option("--seed", o->seed, "makes what is left to chance the same each time");
    c->add_option("--color", o->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    return [o] { return load(*o); };
}

} // namespace cw::cli
