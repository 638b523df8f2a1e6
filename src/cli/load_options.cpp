#include "cli/load_options.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <fmt/format.h>

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

// What --rate or --steps say, in calls a second; nothing when neither is said.
std::expected<std::vector<double>, Failure> rates_of(const LoadCommand& command) {
    const bool steps = !command.steps.empty();
    if (steps && !command.rate.empty()) {
        return std::unexpected{wrong("--steps names all rates, --rate the only one: say one of "
                                     "them")};
    }
    if (command.concurrency != 0 && (steps || !command.rate.empty() || !command.ramp.empty())) {
        return std::unexpected{
            wrong("--concurrency is for calls that begin when others end, without --rate, --steps "
                  "or --ramp")};
    }
    if (command.concurrency != 0 && command.at_once) {
        return std::unexpected{wrong("--concurrency says how many are in progress at once; "
                                     "--at-once is for --rate and --steps")};
    }
    std::vector<double> out;
    const auto& text = steps ? command.steps : command.rate;
    for (std::size_t at = 0; at < text.size() || (at == text.size() && text.ends_with(','));) {
        const auto comma = steps ? std::min(text.find(',', at), text.size()) : text.size();
        const auto rate = rate_of(std::string_view{text}.substr(at, comma - at));
        if (!rate) {
            return std::unexpected{
                wrong(fmt::format("{} {}: {}", steps ? "--steps" : "--rate", text,
                                  steps ? "no rates like 100,200,400 above zero"
                                        : "no rate like 200, 0.5, 200/s or 600/m above zero"))};
        }
        out.push_back(*rate);
        at = comma + 1;
    }
    return out;
}

} // namespace

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
    auto rates = rates_of(command);
    if (!rates) {
        return std::unexpected{rates.error()};
    }
    if (command.calls != 0) {
        out.calls = command.calls;
    }
    const bool open = command.concurrency == 0;
    out.at_once = open ? command.at_once.value_or(usual_at_once) : command.concurrency;
    out.answers = play::answers_calls(plan);
    if (out.answers) {
        if (!rates->empty() || *ramp) {
            return std::unexpected{wrong("the flow waits to be called: calls come when they come, "
                                         "without --rate, --steps or --ramp; "
                                         "--calls, --for or Ctrl-C ends it")};
        }
        out.length = *length;
        return out;
    }
    if (said != nullptr && !command.calls && !*length) { // an end of the command line is the end
        *length = said->length;
        if (said->total) {
            out.calls = *said->total;
        }
    }
    if (!open) {
        out.length = *length;
        return out;
    }
    if (said != nullptr) {
        if (rates->empty()) {
            if (said->calls == 0 || said->per.ns == 0) {
                return std::unexpected{wrong("the flow's 'load:' line has a rate of zero")};
            }
            rates->push_back(said->calls / said->per.seconds());
        }
        *ramp = *ramp ? *ramp : said->ramp;
    }
    if (rates->empty()) {
        return std::unexpected{
            wrong("how many? Say --rate 100, --concurrency 10, or '%% load: 100 calls/s for 1m' "
                  "beneath sequenceDiagram")};
    }
    std::vector<play::RateStage> stages;
    if (*ramp) {
        stages.push_back({0, rates->front(), **ramp});
    }
    for (std::size_t i = 0; i < rates->size(); ++i) {
        const bool last = i + 1 == rates->size();
        if (!last && !*length) {
            return std::unexpected{wrong("--steps needs --for, the time of each")};
        }
        stages.push_back({(*rates)[i], (*rates)[i], length->value_or(Duration{})});
    }
    out.arrivals = play::Arrivals{std::move(stages)};
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
            return std::unexpected{wrong(fmt::format("--pass '{}': no criterion like 'failures < "
                                                     "0.1%' or '95% of answers < 800ms' (also "
                                                     "of ringing, registrations or handshakes)",
                                                     text))};
        }
    }
    if (out.empty()) {
        take(plan.settings);
    }
    return out;
}

namespace {

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
        if (*last < *first) {
            return std::unexpected{
                wrong(fmt::format("--source {}: the range ends before it begins", text))};
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
    if (std::ranges::any_of(
            out, [&](const IpAddress& one) { return one.is_v4() != out.front().is_v4(); })) {
        return std::unexpected{wrong("--source: IPv4 and IPv6 addresses do not go together")};
    }
    return out;
}

} // namespace

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
    flow.given.tables.reset(); // each crowd makes its own
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

CLI::App* add_load_options(CLI::App& app, LoadCommand& command) {
    auto* const o = &command;
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
        ->default_str(std::to_string(usual_at_once));
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
    return c;
}

} // namespace cw::cli
