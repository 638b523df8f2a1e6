// callwright watch: calls as they happen, out of interfaces and capture agents, until a signal.
#include <csignal>
#include <cstring>
#include <memory>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/commands.hpp"
#include "cli/interactive.hpp"
#include "cli/page_options.hpp"
#include "cli/terminal.hpp"
#include "cli/watch_page.hpp"
#include "cli/watch_screen.hpp"
#include "flow/filter.hpp"
#include "host/watch/call_keeper.hpp"
#include "host/watch/live_calls.hpp"
#include "host/watch/watch.hpp"
#include "view/json.hpp"
#include "view/ladder.hpp"
#include "view/ladder_text.hpp"
#include "view/list_text.hpp"
#include "view/mermaid.hpp"

namespace cw::cli {
namespace {

struct WatchOptions {
    host::WatchSettings settings;
    std::vector<std::string> hep;
    std::string filter;
    std::string format; // empty: the screens on a terminal, else a list
    std::string user;
    std::string color = "auto";
    double seconds = 0; // 0: until a signal
    std::uint64_t calls = 0;
    std::uint64_t ring_mb = 0;
    int width = 0;
    std::size_t keep = 20'000;
    std::string store;
    WatchPageSettings page;
    bool screens = false; // also where a page or a format was asked for
    store::CallStore::Settings kept;
    bool ascii = false;
};

constexpr const char* watch_description =
    "Watches calls as they happen: packets of network interfaces (libpcap) and of capture agents "
    "(HEP, over UDP and TCP), decrypted with keys that arrive meanwhile. On a terminal these are "
    "screens with sngrep's keys; with --format, or in a pipe, a call is printed when it has ended. "
    "Memory does not grow with the time. Ctrl-C ends it.";

constexpr const char* watch_footer = R"(
Examples:
  callwright watch                                    all interfaces; needs root or cap_net_raw
  callwright watch -i lo -i eth0                      several; on a terminal with screens, ? tells the keys
  callwright watch -i eth0 --keys /run/tls.keys       a key log that another program writes to
  callwright watch -i eth0 --capture 'port 5061'      what is not captured costs nothing
  callwright watch --hep :9060 --format ladder        what Kamailio's siptrace or heplify sends
  callwright watch -i any --filter 'status >= 400' --format json | jq .    an object a line
  callwright watch -i eth0 --store calls.db --store-days 7     what ended, for callwright search
  callwright watch -i eth0 --store calls.db --web :8080        a page: live calls, charts, the past
  callwright watch -i eth0 --write calls.pcapng --ring-mb 100 --ring-files 20

With --format each call that ended is one line (list), a ladder, or a JSON object a line as in
`read --format json`.

Exit status: 0 all is well, 2 usage, 3 an interface, port, key or output file that cannot be used.)";

// ---- privileges

struct User {
    std::string name;
    uid_t id = 0;
    gid_t group = 0;
};

// Empty, or what failed.
std::string become(const User& user) {
    if (::initgroups(user.name.c_str(), user.group) != 0 || ::setgid(user.group) != 0 ||
        ::setuid(user.id) != 0) {
        return fmt::format("user {}: {}", user.name, std::strerror(errno));
    }
    return {};
}

// Files that come later, or stand beside this one, are made by who we have become.
std::string may_write_beside(const std::string& path, const std::string& user) {
    const auto slash = path.rfind('/');
    const auto folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (::access(folder.c_str(), W_OK | X_OK) == 0) {
        return {};
    }
    return fmt::format("{}: the user {}, whom this becomes when all is open, may not write in its "
                       "folder ({}); give it one of its own, or name another --user",
                       path, user, std::strerror(errno));
}

// In a process of its own: whether we can become `user`, who may then make files beside these.
// Empty, or what is wrong.
std::string try_as(const User& user, const std::vector<std::string>& paths) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
        return std::strerror(errno);
    }
    const auto child = ::fork();
    if (child == 0) {
        auto problem = become(user);
        for (const auto& path : paths) {
            problem = problem.empty() ? may_write_beside(path, user.name) : problem;
        }
        ::_exit(::write(ends[1], problem.data(), problem.size()) < 0 ? 1 : 0);
    }
    ::close(ends[1]);
    std::string problem;
    char buffer[512];
    for (ssize_t n = 0; child > 0 && (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
        problem.append(buffer, static_cast<std::size_t>(n));
    }
    ::close(ends[0]);
    int status = 0;
    const bool over = child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
    return over ? problem : fmt::format("user {}: this could not be tried", user.name);
}

ColorChoice color_choice(const std::string& color) {
    return color == "always"  ? ColorChoice::Always
           : color == "never" ? ColorChoice::Never
                              : ColorChoice::Auto;
}

void tell_lost(const host::Watch& watch) {
    if (const auto lost = watch.dropped(); lost > 0) {
        fmt::print(stderr,
                   "callwright: watch: {} packets were lost before we had them: --buffer-mb, or "
                   "--capture for less\n",
                   lost);
    }
}

// ---- what is shown

class WatchView {
  public:
    WatchView(const WatchOptions& options, host::Watch& watch)
        : options_(options), watch_(watch),
          terminal_(look_at_terminal(color_choice(options.color))) {
        if (options.width > 0) {
            terminal_.columns = options.width;
        }
        if (options.format.empty() || options.format == "list") {
            list_.emplace([](std::string_view text) { write_out(text); },
                          view::ListOptions{.width = static_cast<std::size_t>(terminal_.columns),
                                            .ascii = ascii(),
                                            .colour = terminal_.color});
        }
    }

    void call(const flow::Call& call) {
        clear_status();
        ++shown_;
        std::string text;
        if (list_) {
            list_->call(call);
            list_->flush();
        } else if (options_.format == "json") {
            view::JsonReport report{[&](std::string_view piece) { text += piece; }};
            report.call(call);
            report.finish_calls();
            write_out(one_line(text));
        } else {
            const auto ladder = view::layout(call, {.calls_in_all = call.id});
            if (options_.format == "mermaid") {
                view::append_mermaid_section(text, ladder);
            } else {
                view::append_text(text, ladder,
                                  {.width = static_cast<std::size_t>(terminal_.columns),
                                   .ascii = ascii(),
                                   .colour = terminal_.color});
                text += '\n';
            }
            write_out(text);
        }
        std::fflush(stdout);
    }

    void status() {
        if (::isatty(STDERR_FILENO) != 1) {
            return;
        }
        const auto& book = watch_.book();
        const auto line = fmt::format(
            "{} legs open, {} calls ended, {} packets, {} connections{}", book.legs(),
            book.handed_out(), watch_.packets(), watch_.connections(),
            watch_.dropped() > 0 ? fmt::format(", {} PACKETS LOST (--buffer-mb)", watch_.dropped())
                                 : "");
        fmt::print(stderr, "\r\033[K{}",
                   line.substr(0, static_cast<std::size_t>(terminal_.columns) - 1));
        std::fflush(stderr);
        drawn_ = true;
    }
    void clear_status() {
        if (std::exchange(drawn_, false)) {
            fmt::print(stderr, "\r\033[K");
        }
    }

    // After watch.finish().
    void finish(bool prints) {
        clear_status();
        const auto& book = watch_.book().counts();
        view::ReportCounts counts{.packets = watch_.packets(),
                                  .sip_messages = book.sip_messages,
                                  .calls = book.calls,
                                  .tls_connections = book.tls_connections,
                                  .tls_decrypted = book.tls_decrypted,
                                  .rtp_streams = book.rtp_streams,
                                  .shown = shown_};
        if (list_ && prints) {
            watch_.book().for_each_connection([&](const flow::Connection& connection) {
                list_->connection(connection);
                return true;
            });
            list_->finish({}, counts);
        }
        tell_lost(watch_);
    }
    [[nodiscard]] std::uint64_t shown() const { return shown_; }

  private:
    static void write_out(std::string_view text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
    }
    // The array of one call without its brackets, on a line. No text of JSON holds a line end.
    static std::string one_line(std::string_view array) {
        std::string out;
        const auto begin = array.find('{');
        const auto end = array.rfind('}');
        for (const char c : array.substr(begin, end + 1 - begin)) {
            if (c != '\n') {
                out += c;
            }
        }
        return out + '\n';
    }
    [[nodiscard]] bool ascii() const { return options_.ascii || !terminal_.utf8; }

    const WatchOptions& options_;
    host::Watch& watch_;
    Terminal terminal_;
    std::optional<view::ListText> list_;
    std::uint64_t shown_ = 0;
    bool drawn_ = false;
};

// ---- the work

volatile std::sig_atomic_t watch_told_to_end = 0;

// Until the user leaves.
int watch_on_screen(const WatchOptions& options, host::Watch& watch,
                    const std::optional<flow::Filter>& only, host::CallKeeper* keeper,
                    WatchPage* page) {
    host::LiveCalls calls{watch, {.ended = options.keep}};
    WatchScreen screen{watch, calls, only, keeper, page};
    const auto terminal = look_at_terminal(color_choice(options.color));
    const auto began = std::chrono::steady_clock::now();
    const bool shown =
        screen.run(look_at_screen(options.ascii || !terminal.utf8, terminal.color), [&] {
            const auto passed = std::chrono::steady_clock::now() - began;
            return (options.seconds > 0 &&
                    passed >= std::chrono::duration<double>(options.seconds)) ||
                   (options.calls > 0 && calls.ended() >= options.calls);
        });
    if (!shown) {
        fmt::print(stderr,
                   "callwright: watch: there is no terminal for the screens: --format list\n");
        return BadInput;
    }
    for (const auto& problem : screen.problems()) {
        fmt::print(stderr, "callwright: watch: {}\n", problem);
    }
    tell_lost(watch);
    return screen.problems().empty() ? Good : BadInput;
}

// Calls that ended, as they end, until a signal.
int watch_and_print(const WatchOptions& options, host::Watch& watch,
                    const std::optional<flow::Filter>& filter, host::CallKeeper* keeper,
                    WatchPage* page) {
    for (const int signal : {SIGINT, SIGTERM}) {
        std::signal(signal, [](int) { watch_told_to_end = 1; });
    }
    std::string inputs;
    for (const auto& name : watch.inputs()) {
        inputs += (inputs.empty() ? "" : ", ") + name;
    }
    fmt::print(stderr, "callwright: watching {}; Ctrl-C ends\n", inputs);
    WatchView view{options, watch};
    const bool prints = page == nullptr || !options.format.empty();
    const auto fits = [&](const flow::Call& call) { return !filter || filter->matches(call); };
    const auto show = [&](const flow::Call& call) {
        if (prints && fits(call)) {
            view.call(call);
        }
    };
    // The store and the page want the bytes of messages, which LiveCalls hands over with each call.
    std::optional<host::LiveCalls> calls;
    if (keeper != nullptr || page != nullptr) {
        calls.emplace(watch, host::LiveCalls::Limits{.ended = page != nullptr ? options.keep : 1});
    }
    const host::LiveCalls::Listener listener{.changed =
                                                 [&](std::uint32_t number, const flow::Call& call) {
                                                     if (page != nullptr && fits(call)) {
                                                         page->changed(number, call, true);
                                                     }
                                                 },
                                             .ended =
                                                 [&](std::uint32_t number, const flow::Call& call,
                                                     const host::LiveCalls::Messages& messages) {
                                                     show(call);
                                                     if (page != nullptr && fits(call)) {
                                                         page->changed(number, call, false);
                                                     }
                                                     if (keeper != nullptr) {
                                                         keeper->put(call, messages);
                                                     }
                                                 },
                                             .gone =
                                                 [&](std::uint32_t number, std::uint32_t into) {
                                                     if (page != nullptr) {
                                                         page->gone(number, into);
                                                     }
                                                 }};
    int status = Good;
    std::string latest_problem;
    const auto tell = [&](std::vector<std::string> problems) {
        for (auto& problem : problems) {
            view.clear_status();
            fmt::print(stderr, "callwright: watch: {}\n", problem);
            latest_problem = std::move(problem);
            status = BadInput;
        }
    };
    const auto began = std::chrono::steady_clock::now();
    const auto every = std::chrono::milliseconds(page != nullptr ? 500 : 1000);
    auto looked = began;
    const int also[] = {page != nullptr ? page->descriptor() : -1};
    while (watch_told_to_end == 0) {
        const bool going = watch.turn(milliseconds(200), {also, page != nullptr ? 1U : 0U});
        tell(watch.take_problems());
        if (page != nullptr) {
            page->answer(watch, *calls, keeper);
        }
        const auto now = std::chrono::steady_clock::now();
        if (now - looked >= every) {
            looked = now;
            if (calls) {
                calls->refresh(listener);
            } else {
                watch.take_ended(show);
            }
            if (keeper != nullptr) {
                keeper->settle(watch.now());
                tell(keeper->take_problems());
            }
            if (page != nullptr) {
                page->tell(watch, *calls, latest_problem);
            }
            view.status();
        }
        const bool time_over =
            options.seconds > 0 && now - began >= std::chrono::duration<double>(options.seconds);
        if (!going || time_over || (options.calls > 0 && view.shown() >= options.calls) ||
            std::ferror(stdout) != 0) {
            break;
        }
    }
    watch.finish();
    if (calls) {
        calls->finish(listener);
    } else {
        watch.book().for_each_call([&](const flow::Call& call) {
            show(call);
            return true;
        });
    }
    if (keeper != nullptr) {
        keeper->settle(watch.now());
        tell(keeper->take_problems());
    }
    view.finish(prints);
    return status;
}

int watch_calls(const WatchOptions& options) {
    std::optional<flow::Filter> filter;
    if (!options.filter.empty()) {
        std::string expected;
        auto parsed = flow::Filter::parse(options.filter, &expected);
        if (!parsed) {
            fmt::print(stderr, "callwright: watch: --filter: column {}: {}\n  {}\n  {:>{}}\n{}",
                       parsed.error().offset + 1, parsed.error().what, options.filter, '^',
                       parsed.error().offset + 1,
                       expected.empty() ? "" : "  expected " + expected + "\n");
            return BadUsage;
        }
        filter = std::move(*parsed);
    }
    auto settings = options.settings;
    if (const auto fault = capture::LiveInterface::fault_of_filter(settings.capture.filter);
        !fault.empty()) {
        fmt::print(stderr,
                   "callwright: watch: --capture '{}': {}; the language is tcpdump's: "
                   "'port 5060 or portrange 10000-20000' (man pcap-filter)\n",
                   settings.capture.filter, fault);
        return BadUsage;
    }
    for (const auto& text : options.hep) {
        const auto at = parse_endpoint(text.starts_with(':') ? "0.0.0.0" + text : text, 9060);
        if (!at) {
            fmt::print(stderr,
                       "callwright: watch: --hep {}: not an address; 192.0.2.1:9060, [::]:9060 or "
                       ":9060 are\n",
                       text);
            return BadUsage;
        }
        settings.hep.push_back(*at);
    }
    if (settings.interfaces.empty() && settings.hep.empty()) {
        settings.interfaces.emplace_back("any");
    }
    settings.ring.file_bytes = options.ring_mb << 20;
    const bool terminal = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
    const bool screens =
        options.screens || (options.format.empty() && options.page.at.empty() && terminal);
    settings.show_going_on = screens || !options.store.empty() || !options.page.at.empty();
    const auto refuse = [](const std::string& why) {
        fmt::print(stderr, "callwright: watch: {}\n", why);
        return BadInput;
    };
    const char* sudo = std::getenv("SUDO_USER");
    const std::string name = !options.user.empty() ? options.user : sudo != nullptr ? sudo : "";
    std::optional<User> user;
    if (!name.empty() && ::geteuid() == 0) { // before a file is made, or one that is there emptied
        const passwd* known = ::getpwnam(name.c_str());
        if (known == nullptr) {
            return refuse(fmt::format("user {}: not known", name));
        }
        user = User{.name = name, .id = known->pw_uid, .group = known->pw_gid};
        std::vector<std::string> paths;
        if (!options.store.empty()) {
            paths.push_back(options.store);
        }
        if (options.ring_mb > 0) {
            paths.push_back(options.settings.ring.path);
        }
        if (const auto problem = try_as(*user, paths); !problem.empty()) {
            return refuse(problem);
        }
    }
    auto watch = host::Watch::open(std::move(settings));
    if (!watch) {
        return refuse(watch.error());
    }
    if (user) { // opening is over, and nothing else needs privileges
        if (!(*watch)->give_files_to(user->id, user->group)) {
            return refuse(fmt::format("user {}: {}", name, std::strerror(errno)));
        }
        if (const auto problem = become(*user); !problem.empty()) {
            return refuse(problem);
        }
    }
    std::unique_ptr<host::CallKeeper> keeper;
    if (!options.store.empty()) {
        auto opened = host::CallKeeper::open(options.store, options.kept);
        if (!opened) {
            fmt::print(stderr, "callwright: watch: {}\n", opened.error());
            return BadInput;
        }
        keeper = std::move(*opened);
    }
    std::unique_ptr<WatchPage> page;
    if (!options.page.at.empty()) {
        auto of_page = options.page;
        of_page.store = options.store;
        if (!options.settings.ring.path.empty() && options.ring_mb == 0) {
            of_page.command = read_command({options.settings.ring.path}, {});
        }
        auto opened = WatchPage::open(of_page);
        if (!opened) {
            fmt::print(stderr, "callwright: watch: {}\n", opened.error().why);
            return opened.error().status;
        }
        page = std::move(*opened);
        fmt::print(stderr, "callwright: page at {}\n", page->address());
        if (!page->fingerprint().empty()) {
            fmt::print(stderr, "callwright: its certificate is of this run, SHA-256 {}\n",
                       page->fingerprint());
        }
    }
    if (screens) {
        return watch_on_screen(options, **watch, filter, keeper.get(), page.get());
    }
    return watch_and_print(options, **watch, filter, keeper.get(), page.get());
}
} // namespace

Command add_watch(CLI::App& app) {
    auto options = std::make_shared<WatchOptions>();
    auto& settings = options->settings;
    auto* command = app.add_subcommand("watch", watch_description);
    command->footer(watch_footer);
    command->add_option("-i,--interface", settings.interfaces,
                        "network interface (repeatable; default: any, when there is no --hep)");
    command->add_option("--hep", options->hep,
                        "take HEP 2 and 3 at this address, over UDP and TCP (repeatable)");
    command->add_option(
        "--keys", settings.keys,
        "NSS key log that is followed as it grows, unix:PATH, a socket for callwright keys, or PEM "
        "private key (repeatable)");
    command->add_option("--capture", settings.capture.filter,
                        "what to capture, in the language of tcpdump: 'port 5061 or udp'");
    command->add_option("--filter", options->filter, "only calls that fit, as for read");
    command
        ->add_option("--format", options->format,
                     "list, ladder, json or mermaid (default: screens on a terminal, else list)")
        ->check(CLI::IsMember({"list", "ladder", "json", "mermaid"}));
    command->add_option("--write", settings.ring.path,
                        "also write the packets, with the keys, to this pcapng file (mode 0600)");
    command->add_option("--ring-mb", options->ring_mb, "begin another file after so many megabytes")
        ->check(CLI::Range(8, 1'000'000));
    command->add_option("--ring-files", settings.ring.files, "of a ring, keep the latest so many")
        ->check(CLI::Range(2, 100'000));
    command
        ->add_option_function<int>(
            "--buffer-mb", [&settings](int mb) { settings.capture.buffer = mb << 20; },
            "the kernel's buffer for a burst (32)")
        ->check(CLI::Range(1, 1024));
    command->add_option("--for", options->seconds, "end after so many seconds")
        ->check(CLI::Range(0.1, 1e9));
    command->add_option("--calls", options->calls, "end after so many calls were shown");
    command->add_option("--store", options->store,
                        "keep what ended in this file, for callwright search (mode 0600)");
    command
        ->add_option_function<int>(
            "--store-days",
            [&kept = options->kept](int days) { kept.age = seconds(86400LL * days); },
            "in the store, calls of the latest so many days (30)")
        ->check(CLI::Range(1, 100'000));
    command
        ->add_option_function<std::uint64_t>(
            "--store-mb", [&kept = options->kept](std::uint64_t mb) { kept.bytes = mb << 20; },
            "in the store, about so many megabytes (1024)")
        ->check(CLI::Range(1, 10'000'000));
    command->add_option("--web", options->page.at,
                        "a page at this [HOST]:PORT, over TLS; without HOST for this machine "
                        "alone; it asks for the token that is printed");
    command->add_flag("--web-http", options->page.plain_http,
                      "the page without TLS; on loopback only");
    command->add_option("--web-cert", options->page.certificate,
                        "PEM certificate of the page (default: one of this run)");
    command->add_option("--web-key", options->page.key, "its private key");
    command->add_option("--web-token-file", options->page.token_file,
                        "keep the page's token in this file, which is made with mode 0600");
    command->add_flag("--screens", options->screens, "the screens, too, where there is a page");
    command
        ->add_option("--keep", options->keep,
                     "on screens and page, the latest so many calls (20000)")
        ->check(CLI::Range(1, 1'000'000));
    command->add_option("--user", options->user,
                        "become this user when all is open (default: who called sudo)");
    command->add_option("--color", options->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    command->add_option("--width", options->width, "columns of text to fill")
        ->check(CLI::Range(60, 1000));
    command->add_flag("--ascii", options->ascii, "draw with ASCII characters only");
    return [options] { return watch_calls(*options); };
}

} // namespace cw::cli
