// callwright run: flows in, performed one after another or side by side, a verdict for each arrow.
#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/certificate_text.hpp"
#include "cli/commands.hpp"
#include "cli/flow_file.hpp"
#include "cli/page_options.hpp"
#include "cli/reading.hpp"
#include "cli/run_html.hpp"
#include "cli/run_json.hpp"
#include "cli/run_mermaid.hpp"
#include "cli/run_papers.hpp"
#include "cli/run_text.hpp"
#include "cli/terminal.hpp"
#include "flow/security_demand.hpp"
#include "host/stage/stage.hpp"
#include "rtp/wav.hpp"
#include "script/print.hpp"
#include "view/cells.hpp"
#include "view/json.hpp"
#include "view/page.hpp"
#include "view/svg.hpp"

namespace cw::cli {
namespace {

constexpr const char* description =
    "Performs flows: a call flow drawn as a Mermaid sequence diagram is played over real "
    "connections, and each arrow gets a verdict. Actors are phones that we play; participants are "
    "servers in this process, unless they are (played) or real systems (--at). Certificates are "
    "made "
    "for the run.";

constexpr const char* footer = R"(
Examples:
  callwright run flows/secure-call.mmd                   two phones, a proxy, TLS 1.3, SRTP
  callwright run flows/secure-call.mmd --at proxy=tls:sbc.lab:5061     against a real system
  callwright run -j 8 flows/rfc3665/*.mmd                many, side by side
  callwright run call.mmd --report out                   a page to hand over
  callwright run call.mmd --format svg > call.svg        a picture with its verdicts
  callwright run call.mmd --trace                        each arrow as it happens
  callwright run call.mmd --pcap-out call.pcapng --keys-out call.keys
  callwright run call.mmd --format json --junit report.xml
  callwright run uac.xml --at uas=udp:127.0.0.1:5060     a scenario of SIPp; see convert --help
  callwright run uas.xml --listen uas=tcp:127.0.0.1:5060

SIPp's options and what stands for them (docs/sipp.md): -sf x.xml is run x.xml; HOST:PORT with -t u1, t1,
l1 is --at uas=udp:HOST:PORT, tcp:, tls:; -i, -p --listen; -s NAME --set service=NAME; -key K V --set K=V;
-au, -ap --set auth_username=U, auth_password=P; -inf --rows; -d MS --set pause=MS; -recv_timeout
--timeout; -trace_msg --trace, --pcap-out. For -r, -rp, -l, -m: callwright load x.xml.

Exit status: 0 all arrows happened as drawn, 1 something did not, 2 a flow is not well-formed or the
usage wrong, 3 a file or an address could not be used.)";

struct RunOptions {
    std::vector<std::string> flows;
    std::vector<std::string> at;
    std::vector<std::string> listen;
    std::vector<std::string> rows;
    std::vector<std::string> set;
    std::vector<std::string> trusted;
    std::string crl;
    std::string timeout;
    std::string junit;
    std::string summary;
    std::string keys_out;
    std::string smime_out;
    std::string pcap_out;
    std::string report;
    std::string record;
    std::string format = "text";
    std::string color = "auto";
    std::uint64_t seed = 0;
    std::size_t jobs = 1;
    int width = 0;
    bool trace = false;
    bool strict = false;
    bool ascii = false;
    bool check = false;
    bool quiet = false;
};

constexpr Duration longest_recording = seconds(600); // a call and party: 9.6 MB

int complain(int status, const std::string& what) {
    fmt::print(stderr, "callwright: run: {}\n", what);
    return status;
}

// On a terminal: a spinner, and what is awaited; with --trace, each arrow as it happens and each
// message that is done without being drawn. show() is for the thread of the stage.
class Live {
  public:
    Live(const script::Plan& plan, bool trace, bool spinner, const RunTextOptions& options)
        : plan_(plan), options_(options), trace_(trace) {
        if (spinner) {
            thread_ = std::jthread{[this](const std::stop_token& over) { spin(over); }};
        }
    }
    ~Live() {
        thread_ = {};
        clear();
    }
    Live(const Live&) = delete;
    Live& operator=(const Live&) = delete;

    void show(const play::Performance& performance) {
        const std::lock_guard lock{mutex_};
        if (trace_) {
            const auto& report = performance.report();
            shown_.resize(plan_.steps.size(), 0);
            for (const auto* list : {&report.arrows, &report.acts}) {
                for (const auto& line : *list) {
                    const auto state =
                        line.verdict == play::Verdict::Skipped ? 0U : 1U + line.times;
                    if (state > shown_[line.step]) {
                        shown_[line.step] = state;
                        clear();
                        fmt::print(stderr, "{}", arrow_line(plan_, line, report.began, options_));
                    }
                }
            }
        }
        if (trace_) {
            const auto& extras = performance.report().extras;
            for (; extras_ < extras.size(); ++extras_) {
                clear();
                fmt::print(
                    stderr, "{}",
                    extra_line(plan_, extras[extras_], performance.report().began, options_));
            }
        }
        if (thread_.joinable()) {
            awaited_ = performance.over() ? "" : performance.awaited();
        }
    }

  private:
    void spin(const std::stop_token& over) {
        constexpr std::array<std::string_view, 4> ascii{"-", "\\", "|", "/"};
        constexpr std::array<std::string_view, 10> dots{"⠋", "⠙", "⠹", "⠸", "⠼",
                                                        "⠴", "⠦", "⠧", "⠇", "⠏"};
        std::unique_lock lock{mutex_};
        for (std::size_t turn = 0; !over.stop_requested(); ++turn) {
            if (!awaited_.empty()) {
                const auto frame =
                    options_.ascii ? ascii.at(turn % ascii.size()) : dots.at(turn % dots.size());
                // One line: what does not fit would be drawn again and again below itself.
                const auto words =
                    view::shorten(awaited_, std::max<std::size_t>(options_.width, 8) - 4);
                fmt::print(stderr, "\r\033[K{} {}", frame,
                           options_.ascii ? view::to_ascii(words) : words);
                std::fflush(stderr);
                drawn_ = true;
            }
            ended_.wait_for(lock, over, std::chrono::milliseconds(100), [] { return false; });
        }
    }
    void clear() {
        if (drawn_) {
            fmt::print(stderr, "\r\033[K");
            drawn_ = false;
        }
    }

    const script::Plan& plan_;
    RunTextOptions options_;
    bool trace_;
    std::vector<std::uint32_t> shown_;
    std::size_t extras_ = 0;
    std::mutex mutex_; // of what follows
    std::condition_variable_any ended_;
    std::string awaited_;
    bool drawn_ = false;
    std::jthread thread_; // the last, so that it ends first
};

// Ctrl-C, and being told to end: flows that are performed end at once, and what they have made
// (keys, certificates, sockets) goes with them. One object a run, made before any thread.
class Interrupts {
  public:
    Interrupts() {
        sigemptyset(&signals_);
        sigaddset(&signals_, SIGINT);
        sigaddset(&signals_, SIGTERM);
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        thread_ = std::thread{[this] { wait(); }};
    }
    ~Interrupts() {
        over_ = true;
        pthread_kill(thread_.native_handle(), SIGTERM); // it waits for one
        thread_.join();
    }
    Interrupts(const Interrupts&) = delete;
    Interrupts& operator=(const Interrupts&) = delete;

    [[nodiscard]] bool came() const { return came_; }
    // `stage` is told while it runs.
    const play::Report& run(host::Stage& stage) {
        {
            const std::lock_guard lock{mutex_};
            running_.push_back(&stage);
            if (came_) {
                stage.interrupt();
            }
        }
        const auto& report = stage.run();
        const std::lock_guard lock{mutex_};
        std::erase(running_, &stage);
        return report;
    }

  private:
    void wait() {
        int signal = 0;
        while (sigwait(&signals_, &signal) == 0 && !over_) {
            const std::lock_guard lock{mutex_};
            came_ = true;
            for (auto* stage : running_) {
                stage->interrupt();
            }
        }
    }

    sigset_t signals_{};
    std::mutex mutex_;
    std::vector<host::Stage*> running_;
    std::atomic<bool> came_ = false;
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

// A file of its own for the packets of one performance.
class PacketFile {
  public:
    // `wanted`: something else than the options needs it.
    PacketFile(const RunOptions& options, bool wanted) : path_(options.pcap_out) {
        if (!path_.empty() || (!wanted && options.format != "json" && options.format != "html" &&
                               options.report.empty() && options.junit.empty())) {
            return;
        }
        std::error_code error;
        auto name =
            (std::filesystem::temp_directory_path(error) / "callwright-run-XXXXXX").string();
        const int fd = mkstemp(name.data());
        if (fd >= 0) {
            ::close(fd);
            path_ = name;
            own_ = true;
        }
    }
    ~PacketFile() {
        if (own_) {
            ::unlink(path_.c_str());
        }
    }
    PacketFile(const PacketFile&) = delete;
    PacketFile& operator=(const PacketFile&) = delete;
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
    bool own_ = false;
};

// One flow's performance, or why there was none.
struct Done {
    Loaded flow;
    play::Report report;
    std::vector<play::Papers> papers;
    std::string calls = "[]"; // as the reader has them, for the JSON
    std::string findings;     // a line each, for JUnit
    std::unique_ptr<PacketFile> packets;
    Failure failure; // empty why: none
};

std::expected<void, Failure> perform(const RunOptions& options, Done& done,
                                     const RunTextOptions& text, Interrupts& interrupts) {
    auto& flow = done.flow;
    host::StageOptions stage_options;
    for (const auto& at : options.at) {
        auto real = host::parse_real_system(at);
        if (!real) {
            return std::unexpected{Failure{BadUsage, "--at: " + real.error()}};
        }
        stage_options.at.push_back(std::move(*real));
    }
    for (const auto& listen : options.listen) {
        auto own = host::parse_real_system(listen);
        if (!own) {
            return std::unexpected{Failure{BadUsage, "--listen: " + own.error()}};
        }
        stage_options.listen.push_back(std::move(*own));
    }
    if (!options.crl.empty()) {
        if (const auto lists = load_crls(options.crl); !lists) {
            return std::unexpected{Failure{BadInput, "--crl: " + lists.error()}};
        }
    }
    stage_options.trust = {.cas = options.trusted, .revoked = options.crl};
    stage_options.keys_out = options.keys_out;
    stage_options.pcap_out = done.packets->path();
    const bool alone = options.jobs == 1 || options.flows.size() == 1;
    Live live{flow.plan, options.trace, alone && isatty(STDERR_FILENO) != 0, text};
    stage_options.on_progress = [&](const play::Performance& performance) {
        live.show(performance);
    };
    auto stage = host::Stage::make(flow.plan, flow.given, std::move(stage_options));
    if (!stage) {
        // The flow says what cannot be, or the command line does not say where somebody is.
        const auto& why = stage.error();
        const bool usage = why.starts_with("--") || why.starts_with("line ");
        return std::unexpected{Failure{usage ? BadUsage : BadInput, flow.file + ": " + why}};
    }
    done.report = interrupts.run(**stage);
    for (auto& extra : done.report.extras) {
        if (options.strict && extra.implied) {
            extra.implied = false;
            extra.why = "it is not drawn (--strict)";
            done.report.result = play::Report::Result::Failed;
        }
    }
    done.papers = (*stage)->papers();
    return {};
}

void add_to_summary(std::string& out, const std::string& file, const script::Plan& plan,
                    const play::Report& report) {
    out += fmt::format("- {} {}\n", report.passed() ? "✓" : "✗", file);
    if (report.passed()) {
        return;
    }
    std::ifstream in{file};
    const std::string text{std::istreambuf_iterator<char>{in}, {}};
    if (const auto flow = failed_flow(text, plan, report); !flow.empty()) {
        out += "\n```mermaid\n" + flow + "```\n\n";
    }
}

// How the files begin that a flow leaves: as its own file, with its folder's name before it where
// another flow has that, and a number where that does not do either.
std::string name_of_files(const std::string& file, std::set<std::string>& taken) {
    const std::filesystem::path path{file};
    const auto folder = path.parent_path().filename().string();
    const auto plain = path.stem().string();
    auto name = plain;
    for (int again = 1; !taken.insert(name).second; ++again) {
        name = folder.empty() ? plain : folder + "-" + plain;
        name += again == 1 && !folder.empty() ? "" : fmt::format("-{}", again + 1);
    }
    return name;
}

// What each party has heard, as files in `folder`, which is made. Empty on success.
std::string write_recordings(const std::string& folder, const std::string& name,
                             const script::Plan& plan, const play::Report& report) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    for (const auto& stream : report.streams) {
        if (stream.heard.empty()) {
            continue;
        }
        const auto path =
            std::filesystem::path{folder} /
            fmt::format("{}.{}.{}.wav", name, plan.parties[stream.to].id, stream.call);
        const auto bytes = rtp::write_wav(stream.heard);
        std::ofstream out{path, std::ios::binary};
        out.write(reinterpret_cast<const char*>(bytes.data()),
                  static_cast<std::streamsize>(bytes.size()));
        if (!out.flush()) {
            return path.string() + ": cannot be written";
        }
    }
    return {};
}

// What the pass lines of a flow demand of its protection.
std::vector<script::Demand> demands_of(const script::Plan& plan) {
    std::vector<script::Demand> out;
    for (const auto& fact : plan.settings) {
        if (const auto* pass = std::get_if<script::Pass>(&fact.value)) {
            out.insert(out.end(), pass->demands.begin(), pass->demands.end());
        }
    }
    return out;
}

std::string unmet(script::Demand demand, const flow::Call& call) {
    switch (demand) {
    case script::Demand::HopTls:
        return flow::unsafe_hop(call, "");
    case script::Demand::HopTls12:
        return flow::unsafe_hop(call, "TLSv1.2");
    case script::Demand::HopTls13:
        return flow::unsafe_hop(call, "TLSv1.3");
    case script::Demand::HopVerified:
        return flow::unverified_hop(call);
    case script::Demand::MediaSrtp:
        return flow::unsafe_media(call, false);
    case script::Demand::MediaDtlsSrtp:
        return flow::unsafe_media(call, true);
    }
    return {};
}

// Decided by the packets that were sent and received, as `callwright read` judges them.
void judge_protection(const std::vector<script::Demand>& demands, const std::string& packets,
                      play::Report& report) {
    Reading reading;
    std::vector<flow::Call> calls;
    if (!packets.empty() && !reading.open({packets}, {})) {
        reading.run();
        reading.book().for_each_call([&](const flow::Call& call) {
            calls.push_back(call);
            return true;
        });
    }
    for (const auto demand : demands) {
        const bool of_media =
            demand == script::Demand::MediaSrtp || demand == script::Demand::MediaDtlsSrtp;
        std::string why = of_media ? "no media was seen" : "no messages were seen";
        for (const auto& call : calls) {
            if (of_media ? call.streams.empty() : call.security.hops.empty()) {
                continue;
            }
            why = unmet(demand, call);
            if (!why.empty()) {
                break;
            }
        }
        if (!why.empty()) {
            report.result = play::Report::Result::Failed;
            report.why += fmt::format("{}pass: {}: {}", report.why.empty() ? "" : "; ",
                                      script::demand_words[static_cast<std::size_t>(demand)], why);
        }
    }
}

// What `callwright read` would say of these packets.
void add_calls(Done& done) {
    Reading reading;
    if (reading.open({done.packets->path()}, {})) {
        return;
    }
    reading.run();
    done.calls.clear();
    view::JsonReport report{[&](std::string_view text) { done.calls += text; }};
    reading.book().for_each_call([&](const flow::Call& call) {
        report.call(call);
        for (const auto& finding : call.findings) {
            done.findings += fmt::format("{} {}: {}: {}\n", finding.rule, finding.severity,
                                         finding.title, finding.evidence);
        }
        return true;
    });
    report.finish_calls();
}

// Flows performed one after another, or some side by side; handed out in the order of the command
// line.
class Performances {
  public:
    Performances(const RunOptions& options, const RunTextOptions& text, Interrupts& interrupts)
        : options_(options), text_(text), interrupts_(interrupts), promises_(options.flows.size()) {
        const auto count = std::min<std::size_t>(options.jobs, options.flows.size());
        for (std::size_t i = 0; i < count; ++i) {
            threads_.emplace_back([this] { work(); });
        }
    }
    ~Performances() {
        for (auto& thread : threads_) {
            thread.join();
        }
    }
    Performances(const Performances&) = delete;
    Performances& operator=(const Performances&) = delete;

    Done next() { return promises_[given_++].get_future().get(); }

  private:
    void work() {
        for (std::size_t i = taken_++; i < promises_.size(); i = taken_++) {
            Done done;
            auto flow =
                load_flow({options_.set, options_.timeout, {}, options_.rows, options_.seed},
                          options_.flows[i]);
            if (!flow) {
                done.failure = flow.error();
            } else if (interrupts_.came()) {
                done.failure = {WorkFailed, options_.flows[i] + ": interrupted"};
            } else {
                done.flow = std::move(*flow);
                done.flow.given.record = options_.record.empty() ? Duration{} : longest_recording;
                if (!options_.check) {
                    const auto demands = demands_of(done.flow.plan);
                    done.packets = std::make_unique<PacketFile>(options_, !demands.empty());
                    const auto& packets = done.packets->path();
                    if (const auto performed = perform(options_, done, text_, interrupts_)) {
                        if (!demands.empty()) {
                            judge_protection(demands, packets, done.report);
                        }
                        if ((options_.format == "json" || !options_.junit.empty()) &&
                            !packets.empty()) {
                            add_calls(done);
                        }
                    } else {
                        done.failure = performed.error();
                    }
                }
            }
            promises_[i].set_value(std::move(done));
        }
    }

    const RunOptions& options_;
    const RunTextOptions& text_;
    Interrupts& interrupts_;
    std::vector<std::promise<Done>> promises_;
    std::vector<std::thread> threads_;
    std::atomic<std::size_t> taken_ = 0;
    std::size_t given_ = 0;
};

int run(const RunOptions& options) {
    const auto color = options.color == "always"  ? ColorChoice::Always
                       : options.color == "never" ? ColorChoice::Never
                                                  : ColorChoice::Auto;
    const auto terminal = look_at_terminal(color);
    const RunTextOptions text{
        .color = terminal.color,
        .ascii = options.ascii || !terminal.utf8,
        .width = static_cast<std::size_t>(options.width > 0 ? options.width : terminal.columns)};
    std::signal(SIGPIPE, SIG_IGN);
    if (options.flows.size() > 1 && !options.pcap_out.empty()) {
        return complain(BadUsage, "--pcap-out is for one flow at a time");
    }
    if (options.flows.size() > 1 && options.format == "svg") {
        return complain(BadUsage, "--format svg is a picture of one flow; --format html has many");
    }
    std::optional<view::PageWriter> page;
    if (options.format == "html" && !options.check) {
        page.emplace([](std::string_view piece) { fmt::print("{}", piece); },
                     page_options(options.flows.size() == 1
                                      ? options.flows.front()
                                      : fmt::format("{} flows", options.flows.size()),
                                  {"PACKETS.pcapng"}, {}));
    }
    RunJson json{CALLWRIGHT_VERSION};
    Junit junit;
    std::string summary;
    bool all_passed = true;
    int status = Good;
    const auto refuse = [&](const std::string& file, const Failure& failure) {
        status = std::max<int>(status, failure.status);
        if (failure.why.ends_with('\n')) { // complaints, with their carets
            fmt::print(stderr, "{}", failure.why);
        } else {
            complain(failure.status, failure.why);
        }
        json.error(file, failure.why);
        junit.error(file, failure.why);
    };
    std::set<std::string> names;
    Interrupts interrupts;
    Performances performances{options, text, interrupts};
    for (const auto& file : options.flows) {
        auto done = performances.next();
        if (!done.failure.why.empty()) {
            refuse(file, done.failure);
            continue;
        }
        if (options.check) {
            continue;
        }
        const auto& report = done.report;
        const auto& plan = done.flow.plan;
        all_passed = all_passed && report.passed();
        json.flow(file, plan, report, done.calls);
        junit.flow(file, plan, report, done.findings);
        if (!options.summary.empty()) {
            add_to_summary(summary, file, plan, report);
        }
        const auto name = name_of_files(file, names);
        if (!options.record.empty()) {
            if (auto wrong = write_recordings(options.record, name, plan, report); !wrong.empty()) {
                return complain(BadInput, wrong);
            }
        }
        if (!options.smime_out.empty()) {
            if (auto wrong = write_papers(options.smime_out, name, done.papers); !wrong.empty()) {
                return complain(BadInput, wrong);
            }
        }
        const Performed performed{
            .file = file, .plan = plan, .report = report, .packets = done.packets->path()};
        if (page) {
            add_to_page(*page, performed);
        }
        if (options.format == "svg") {
            std::string picture;
            view::append_svg(picture, ladder_of(file, plan, report));
            fmt::print("{}", picture);
        }
        if (!options.report.empty()) {
            if (auto wrong = write_html(options.report, name, performed); !wrong.empty()) {
                return complain(BadInput, wrong);
            }
        }
        if (options.format == "text") {
            const bool brief = options.flows.size() > 1 && report.passed();
            fmt::print("{}", brief ? fmt::format("passed  {}  {}\n", file, plan.title)
                                   : run_text(file, plan, report, text));
            std::fflush(stdout);
        }
    }
    if (options.format == "json") {
        fmt::print("{}\n", json.finish());
    }
    if (page) {
        page->finish({});
    }
    if (!options.junit.empty()) {
        std::ofstream out{options.junit};
        out << junit.finish();
        if (!out.flush()) {
            return complain(BadInput, options.junit + ": cannot be written");
        }
    }
    if (!options.summary.empty()) {
        std::ofstream out{options.summary, std::ios::app};
        out << summary;
        if (!out.flush()) {
            return complain(BadInput, options.summary + ": cannot be written");
        }
    }
    return status != Good ? status : all_passed ? Good : WorkFailed;
}

} // namespace

Command add_run(CLI::App& app) {
    auto options = std::make_shared<RunOptions>();
    auto* command = app.add_subcommand("run", description);
    command->footer(footer);
    command
        ->add_option("FLOW", options->flows,
                     "Mermaid files or SIPp scenarios (.xml); - is standard input")
        ->required();
    command->add_option("--at", options->at, "this participant is a real system (repeatable)")
        ->type_name("NAME=tls:HOST:PORT");
    command
        ->add_option("--trust", options->trusted,
                     "PEM with CAs that our parties trust besides the run's own (repeatable)")
        ->type_name("FILE");
    command
        ->add_option("--crl", options->crl,
                     "revocation lists, PEM or DER, of whichever CAs, that our parties look into")
        ->type_name("FILE");
    command
        ->add_option(
            "--listen", options->listen,
            "where a party of ours is reached, played or embedded (repeatable); any free port")
        ->type_name("NAME=udp:IP:PORT");
    command
        ->add_option("--rows", options->rows,
                     "SIPp's injection file; its first row gives [field0] and on (repeatable)")
        ->type_name("FILE");
    command->add_option("--set", options->set, "a variable of the flow (repeatable)")
        ->type_name("KEY=VALUE");
    command
        ->add_option("--timeout", options->timeout,
                     "how long an arrival is awaited; 32s unless the flow says")
        ->type_name("TIME");
    command->add_flag("--trace", options->trace, "print arrows as they happen, on standard error");
    command->add_flag("--strict", options->strict,
                      "what is done without being drawn fails the flow: ACK, 100, digest retries");
    command
        ->add_option("--format", options->format,
                     "text, json, svg (of one flow) or html: a page of all")
        ->check(CLI::IsMember({"text", "json", "svg", "html"}))
        ->capture_default_str();
    command->add_option("--junit", options->junit, "a JUnit report for CI")->type_name("FILE");
    command
        ->add_option(
            "--summary", options->summary,
            "Markdown, appended: each flow, and the ladder of those that failed as Mermaid. "
            "In GitHub Actions: --summary \"$GITHUB_STEP_SUMMARY\"")
        ->type_name("FILE");
    command->add_option("--keys-out", options->keys_out, "TLS secrets in the NSS key log format")
        ->type_name("FILE");
    command
        ->add_option(
            "--smime-out", options->smime_out,
            "what bodies were signed and encrypted with: FLOW.PERSON.pem, certificate and "
            "private key (mode 0600), and FLOW.ca.pem; for callwright read --keys DIR --ca "
            "DIR/FLOW.ca.pem")
        ->type_name("DIR");
    command
        ->add_option(
            "--pcap-out", options->pcap_out,
            "all packets, with their secrets: callwright read and Wireshark open it decrypted")
        ->type_name("FILE");
    command->add_option("-j,--jobs", options->jobs, "so many flows side by side")
        ->check(CLI::Range(1, 64))
        ->capture_default_str();
    command
        ->add_option("--report", options->report,
                     "a page for each flow: verdicts, ladders, messages; nothing is loaded from "
                     "outside")
        ->type_name("DIR");
    command
        ->add_option("--record", options->record,
                     "what each party hears in each call, as WAV files: FLOW.PARTY.CALL.wav")
        ->type_name("DIR");
    command->add_option("--seed", options->seed, "makes what is left to chance the same each time");
    command->add_option("--color", options->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    command->add_option("--width", options->width, "columns of text to fill")
        ->check(CLI::Range(60, 1000));
    command->add_flag("--ascii", options->ascii, "draw with ASCII characters only");
    command->add_flag("--check", options->check, "read the flows and perform nothing");
    return [options] { return run(*options); };
}

} // namespace cw::cli
