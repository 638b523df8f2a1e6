// callwright read: captures and keys in, calls out.
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/text.hpp"
#include "cli/audio.hpp"
#include "cli/commands.hpp"
#include "cli/exported_calls.hpp"
#include "cli/interactive.hpp"
#include "cli/output.hpp"
#include "cli/page_options.hpp"
#include "cli/printed_calls.hpp"
#include "cli/read_screen.hpp"
#include "cli/reading.hpp"
#include "cli/saved_packets.hpp"
#include "cli/terminal.hpp"
#include "flow/diagnose/diagnose.hpp"
#include "flow/filter.hpp"
#include "flow/redact.hpp"
#include "flow/statistics.hpp"
#include "view/cells.hpp"
#include "view/findings_text.hpp"
#include "view/json.hpp"
#include "view/ladder_text.hpp"
#include "view/list_text.hpp"
#include "view/mermaid.hpp"
#include "view/runnable.hpp"
#include "view/sarif.hpp"
#include "view/statistics.hpp"
#include "view/svg.hpp"

namespace cw::cli {
namespace {

enum class Format : std::uint8_t {
    Default,
    List,
    Ladder,
    Json,
    Mermaid,
    Svg,
    Html,
    Sarif,
    Pcapng,
    Messages
};

struct ReadOptions {
    std::vector<std::string> files;
    std::vector<std::string> keys;
    std::vector<std::string> trusted; // CAs
    std::vector<std::string> revoked; // their lists
    std::vector<std::string> calls;   // numbers or Call-IDs
    std::string filter;
    std::string format;
    std::string output;
    std::string audio; // directory
    std::string color = "auto";
    int width = 0; // 0: the terminal's
    bool ascii = false;
    bool strict = false;
    bool redact = false;
    bool interactive = false;
    bool runnable = false;
    bool stats = false;
};

constexpr const char* description =
    "Reads captures: pcap and pcapng (also in gzip or zstd, '-' for standard input), several files "
    "merged by time. Finds the calls in them, decrypts TLS where keys are there, and shows them.";

constexpr const char* footer = R"(
Examples:
  callwright read call.pcapng                         secrets inside the capture are used by themselves
  callwright read call.pcap --keys tls.keys           a key log, as SSLKEYLOGFILE writes it
  callwright read call.pcap --keys server.pem         an RSA key (opens RSA key exchange only)
  callwright read call.pcap --keys bob.pem --ca ca.pem   S/MIME bodies: opened and verified
  callwright read day*.pcap.gz --keys keys/ --filter 'status >= 400 and to ~ 4930'
  callwright read call.pcap --call 3 --format mermaid > call.mmd
  callwright read call.pcap --call 3 --format svg -o call.svg
  callwright read call.pcap -i                        on the terminal, with sngrep's keys
  callwright read call.pcap --format html -o call.html       a page with everything, to hand over
  callwright read day.pcap --keys k --call 3 --format pcapng -o 3.pcapng     its packets and secrets
  callwright read day.pcap --stats                    the same fault in how many calls, and where
  callwright read call.pcap --format mermaid --runnable > flow.mmd     a flow for callwright run
  callwright read call.pcap --keys tls.keys --audio sound/       what was said, SRTP opened
  tcpdump -w - port 5061 | callwright read - --keys tls.keys

Filter fields: method status from to number call-id state kind host port transport time duration
messages codec; operators == != < <= > >= and ~ (contains); and, or, not, parentheses.

What opens what:            TLS 1.2 RSA   TLS 1.2 (EC)DHE   TLS 1.3   resumed
  server's private key      yes           no                no        if the first handshake is there
  key log                   yes           yes               yes       yes

Exit status: 0 all is well, 1 with --strict when a finding is an error, 2 usage, 3 unusable input.)";

std::optional<Format> format_of(const std::string& name) {
    constexpr std::array names{
        std::pair{std::string_view{""}, Format::Default},
        std::pair{std::string_view{"list"}, Format::List},
        std::pair{std::string_view{"ladder"}, Format::Ladder},
        std::pair{std::string_view{"json"}, Format::Json},
        std::pair{std::string_view{"mermaid"}, Format::Mermaid},
        std::pair{std::string_view{"svg"}, Format::Svg},
        std::pair{std::string_view{"html"}, Format::Html},
        std::pair{std::string_view{"sarif"}, Format::Sarif},
        std::pair{std::string_view{"pcapng"}, Format::Pcapng},
        std::pair{std::string_view{"messages"}, Format::Messages},
    };
    for (const auto& [known, format] : names) {
        if (known == name) {
            return format;
        }
    }
    return std::nullopt;
}

// The place of a complaint within a text of the command line, with a caret under it.
void complain(std::string_view what, std::string_view text, const Error& error,
              std::string_view expected) {
    fmt::print(stderr, "callwright: {}: column {}: {}\n  {}\n  {:>{}}\n", what, error.offset + 1,
               error.what, text, '^', error.offset + 1);
    if (!expected.empty()) {
        fmt::print(stderr, "  expected {}\n", expected);
    }
}

class Reader {
  public:
    explicit Reader(const ReadOptions& options) : options_(options) {}

    int run() {
        if (const auto status = prepare(); status != Good) {
            return status;
        }
        if (const auto failure = reading_.open(options_.files, options_.keys)) {
            fmt::print(stderr, "callwright: {}\n", failure->message);
            return BadInput;
        }
        if (const auto failure = reading_.trust(options_.trusted)) {
            fmt::print(stderr, "callwright: {}\n", failure->message);
            return BadInput;
        }
        if (const auto failure = reading_.check_revoked(options_.revoked)) {
            fmt::print(stderr, "callwright: {}\n", failure->message);
            return BadInput;
        }
        auto output = Output::open(options_.output, format_ == Format::Pcapng ? Output::For::Owner
                                                                              : Output::For::All);
        if (!output) {
            fmt::print(stderr, "callwright: read: {}: {}\n", options_.output, output.error().what);
            return BadInput;
        }
        for (const auto& problem : reading_.key_problems()) {
            fmt::print(stderr, "callwright: keys: {}\n", problem);
        }
        if (options_.interactive) {
            reading_.keep_originals_later();
        } else if (format_ == Format::Html || format_ == Format::Messages || options_.runnable) {
            reading_.keep_originals();
        }
        if (format_ == Format::Html) {
            reading_.note_media();
        }
        std::optional<AudioFiles> audio;
        if (!options_.audio.empty()) {
            reading_.keep_media();
        }
        // Numbers, and what is redacted in which order, are known when all is read.
        if (options_.interactive && options_.audio.empty() && !options_.redact &&
            options_.calls.empty() && reading_.can_read_again()) {
            return show_screen(true);
        }
        reading_.run();
        if (reading_.tape() != nullptr) {
            audio.emplace(options_.audio, *reading_.tape());
            if (const auto problem = audio->prepare()) {
                fmt::print(stderr, "callwright: read: {}\n", *problem);
                return BadInput;
            }
            write_audio(*audio);
            if (!audio->finish()) {
                audio_failed_ = true;
            }
        }
        find_general();
        sink_ = [&output](std::string_view text) { output->write(text); };
        if (options_.interactive) {
            return show_screen(false);
        }
        show();
        if (failed_ != Good) {
            return failed_;
        }
        if (!output->finish()) {
            fmt::print(stderr, "callwright: read: {}: writing failed\n",
                       options_.output.empty() ? "standard output" : options_.output);
            return BadInput;
        }
        return audio_failed_ || (options_.strict && errors_found_) ? WorkFailed : Good;
    }

  private:
    int prepare() {
        const auto format = format_of(options_.format);
        if (!format) {
            fmt::print(
                stderr,
                "callwright: read: --format {}: not known; list, ladder, json, mermaid, svg, "
                "html, sarif, pcapng and messages are\n",
                options_.format);
            return BadUsage;
        }
        format_ = *format;
        if (options_.runnable && format_ != Format::Mermaid) {
            fmt::print(stderr, "callwright read: --runnable goes with --format mermaid\n");
            return BadUsage;
        }
        const bool packets = format_ == Format::Pcapng || format_ == Format::Messages;
        if (packets && options_.redact) {
            fmt::print(stderr,
                       "callwright: read: --redact does not go with --format {}, "
                       "which holds the messages as they were\n",
                       options_.format);
            return BadUsage;
        }
        if (packets && options_.output.empty() && ::isatty(STDOUT_FILENO) == 1) {
            fmt::print(stderr, "callwright: read: --format {} is not for a terminal: -o FILE\n",
                       options_.format);
            return BadUsage;
        }
        if (options_.redact && !options_.audio.empty()) {
            fmt::print(stderr,
                       "callwright: read: --redact does not go with --audio: a voice cannot "
                       "be masked\n");
            return BadUsage;
        }
        if (options_.stats && format_ != Format::Default && format_ != Format::List &&
            format_ != Format::Json) {
            fmt::print(stderr, "callwright read: --stats is text, or goes with --format json\n");
            return BadUsage;
        }
        if (!options_.filter.empty()) {
            std::string expected;
            auto filter = flow::Filter::parse(options_.filter, &expected);
            if (!filter) {
                complain("--filter", options_.filter, filter.error(), expected);
                return BadUsage;
            }
            filter_ = std::move(*filter);
        }
        const auto color = options_.color == "always"  ? ColorChoice::Always
                           : options_.color == "never" ? ColorChoice::Never
                                                       : ColorChoice::Auto;
        terminal_ = look_at_terminal(color);
        if (options_.width > 0) {
            terminal_.columns = options_.width;
        }
        if (!options_.output.empty() && options_.color != "always") {
            terminal_.color = false;
        }
        return Good;
    }

    [[nodiscard]] bool is_wanted(const flow::Call& call) const {
        if (filter_ && !filter_->matches(call)) {
            return false;
        }
        if (options_.calls.empty()) {
            return true;
        }
        for (const auto& wanted : options_.calls) {
            if (parse_number<std::uint32_t>(wanted) == call.id) {
                return true;
            }
            for (const auto& leg : call.legs) {
                if (call.text(leg.call_id) == wanted) {
                    return true;
                }
            }
        }
        return false;
    }

    void note_errors(const flow::Call& call) {
        for (const auto& finding : call.findings) {
            errors_found_ = errors_found_ || finding.severity == "error";
        }
    }

    template <class Visit>
    void for_each_wanted(Visit visit) {
        reading_.book().for_each_call([&](const flow::Call& call) {
            if (is_wanted(call)) {
                ++shown_;
                note_errors(call);
                if (options_.redact) {
                    visit(redactor_.call(call));
                } else {
                    visit(call);
                }
            }
            return true;
        });
        complain_when_none_fits();
    }
    template <class Report>
    void write_wanted(Report& report) {
        const auto written = write_calls(
            reading_.book(), report, [this](const flow::Call& call) { return is_wanted(call); });
        shown_ = written.shown;
        errors_found_ = errors_found_ || written.errors;
        complain_when_none_fits();
    }
    void complain_when_none_fits() {
        if (shown_ == 0 && (filter_ || !options_.calls.empty())) {
            const auto calls = reading_.book().counts().calls;
            fmt::print(stderr, "callwright: read: {}\n",
                       calls > 1    ? fmt::format("none of the {} calls fits", calls)
                       : calls == 1 ? "the only call does not fit"
                                    : "there are no calls");
        }
    }

    void show() {
        if (options_.stats) {
            show_statistics();
            return;
        }
        switch (format_) {
        case Format::Default:
        case Format::List:
            show_list();
            return;
        case Format::Ladder:
            for_each_wanted([&](const flow::Call& call) { show_ladder(call); });
            show_unread();
            return;
        case Format::Json:
            show_json();
            return;
        case Format::Sarif:
            show_sarif();
            return;
        case Format::Mermaid:
            show_mermaid();
            return;
        case Format::Svg:
            show_svg();
            return;
        case Format::Html:
            show_html();
            return;
        case Format::Pcapng:
            show_packets();
            return;
        case Format::Messages:
            show_messages();
            return;
        }
    }

    void show_statistics() {
        flow::Statistics statistics;
        for_each_wanted([&](const flow::Call& call) { statistics.add(call); });
        for_each_connection(
            [&](const flow::Connection& connection) { statistics.add(connection); });
        sink_(format_ == Format::Json ? view::statistics_json(statistics, CALLWRIGHT_VERSION)
                                      : view::statistics_text(statistics, use_ascii()));
    }

    void show_list() {
        view::ListText list{sink_,
                            {.width = static_cast<std::size_t>(terminal_.columns),
                             .ascii = use_ascii(),
                             .colour = terminal_.color}};
        flow::Call only;
        if (format_ == Format::List && !options_.redact) {
            write_wanted(list);
        } else {
            for_each_wanted([&](const flow::Call& call) {
                list.call(call);
                if (shown_ == 1 && format_ == Format::Default) {
                    only = call;
                }
            });
        }
        for_each_connection(
            [&](const flow::Connection& connection) { list.connection(connection); });
        for_each_stray([&](const flow::MediaStream& stream, const flow::TextPool& texts) {
            list.stray(stream, texts);
        });
        list.finish(reading_.inputs(), counts());
        show_general_findings();
        if (shown_ == 1 && format_ == Format::Default) {
            sink_("\n");
            show_ladder(only);
        } else if (format_ == Format::Default) {
            show_unread();
        }
    }

    // Connections that no call is known of, because none could be read: never shown as nothing.
    void show_unread() {
        if (reading_.book().counts().calls > 0) {
            return;
        }
        // Unasked, a picture of a few; the list has counted them all by their reasons.
        const std::size_t most = format_ == Format::Default ? 8 : 40;
        std::size_t count = 0;
        const auto unread = unread_connections(most, count);
        if (count > 0 && (count <= most || format_ != Format::Default)) {
            sink_("\n");
            show_ladder(unread);
        }
    }

    // The first of them, as a call without messages; `count` becomes how many there are.
    flow::Call unread_connections(std::size_t most, std::size_t& count) {
        flow::Call unread;
        for_each_tls([&](const flow::Connection& connection) {
            if (!connection.decrypted && ++count <= most) {
                unread.connections.push_back(connection);
            }
        });
        if (count > 0) {
            unread.start = unread.connections.front().opened;
        }
        return unread;
    }

    void add_unread(view::PageWriter& page) {
        std::size_t count = 0;
        const auto unread = unread_connections(40, count);
        if (count > 0 && reading_.book().counts().calls == 0) {
            page.call(unread, lay_out(unread),
                      [](const flow::Message&) { return std::string_view{}; });
        }
    }

    void show_ladder(const flow::Call& call) {
        text_.clear();
        if (ladders_++ > 0) {
            text_ += '\n';
        }
        const auto ladder = lay_out(call);
        const view::TextOptions options{.width = static_cast<std::size_t>(terminal_.columns),
                                        .ascii = use_ascii(),
                                        .colour = terminal_.color};
        view::append_text(text_, ladder, options);
        view::append_findings(text_, ladder, options);
        sink_(text_);
    }

    void show_json() {
        view::JsonReport report{sink_, CALLWRIGHT_VERSION};
        for_each_tls([&](const flow::Connection& connection) { report.tls(connection); });
        if (options_.redact) { // stand-ins are given in the order of calls
            for_each_wanted([&](const flow::Call& call) { report.call(call); });
        } else {
            write_wanted(report);
        }
        for_each_stray([&](const flow::MediaStream& stream, const flow::TextPool& texts) {
            report.stray(stream, texts);
        });
        report.finish(reading_.inputs(), counts(), general_);
    }

    void show_sarif() {
        view::SarifReport report{sink_, CALLWRIGHT_VERSION};
        for (const auto& input : reading_.inputs()) {
            report.input(input.file);
        }
        for_each_wanted([&](const flow::Call& call) { report.call(call); });
        report.finish(general_);
    }

    // One call is a diagram; several are a Markdown document with a diagram each.
    void show_mermaid() {
        if (options_.runnable) {
            view::Runnable flow;
            for_each_wanted([&](const flow::Call& call) {
                flow.add(call, [&](const flow::Message& message) {
                    return options_.redact ? std::string_view{} : reading_.original(call, message);
                });
            });
            sink_(options_.redact ? flow.write() : flow.write(reading_.names()));
            return;
        }
        std::string first; // waits to see whether it stays alone
        for_each_wanted([&](const flow::Call& call) {
            text_.clear();
            const auto ladder = lay_out(call);
            if (shown_ == 1) {
                view::append_mermaid(first, ladder);
                view::append_mermaid_section(text_, ladder);
                held_ = text_;
                return;
            }
            if (shown_ == 2) {
                sink_(held_);
            }
            view::append_mermaid_section(text_, ladder);
            sink_(text_);
        });
        if (shown_ == 1) {
            sink_(first);
        }
    }

    // A picture is of one call: the first that is wanted; the others are named.
    void show_svg() {
        for_each_wanted([&](const flow::Call& call) {
            if (shown_ == 1) {
                text_.clear();
                view::append_svg(text_, lay_out(call));
                sink_(text_);
            }
        });
        std::size_t count = 0;
        if (const auto unread = unread_connections(40, count);
            count > 0 && reading_.book().counts().calls == 0) {
            text_.clear();
            view::append_svg(text_, lay_out(unread));
            sink_(text_);
        }
        if (shown_ > 1) {
            fmt::print(stderr,
                       "callwright: read: {} calls fit, an SVG shows one: the first; --call N "
                       "chooses another, --format html shows all\n",
                       shown_);
        }
    }

    int show_screen(bool reads) {
        ReadScreen screen{reading_, redactor_, options_.redact,
                          [this](const flow::Call& call, flow::Boxes::Of columns) {
                              return lay_out(call, columns);
                          },
                          page_options(options_.files.front(), options_.files, options_.keys)};
        ReadScreen::Work work{
            .read = {},
            .list =
                [&](const ReadScreen::Add& add) {
                    reading_.book().for_each_call([&](const flow::Call& call) {
                        return !is_wanted(call) || (note_errors(call), add(call));
                    });
                },
            .is_wanted = [this](const flow::Call& call) { return is_wanted(call); }};
        if (reads) {
            work.read = [this] {
                reading_.run();
                if (!reading_.stopped()) {
                    find_general();
                }
            };
        }
        if (!screen.run(look_at_screen(use_ascii(), terminal_.color), work)) {
            fmt::print(stderr, "callwright: read: -i: no terminal to talk to\n");
            return BadInput;
        }
        return options_.strict && errors_found_ ? WorkFailed : Good;
    }

    // One page for all calls. What is redacted comes without its bytes.
    void show_html() {
        const auto title = options_.files.size() == 1
                               ? options_.files.front()
                               : fmt::format("{} captures", options_.files.size());
        view::PageWriter page{sink_, page_options(title, options_.files, options_.keys)};
        if (!options_.redact) { // streams are found by their addresses
            page.charts_from(*reading_.course());
        }
        // The bytes are found by the call as it was read.
        reading_.book().for_each_call([&](const flow::Call& call) {
            return is_wanted(call) ? show_in_page(page, call) : true;
        });
        if (shown_ == 0) {
            add_unread(page);
        }
        page.finish(reading_.inputs());
    }

    // The packets themselves: the captures are read again.
    void show_packets() {
        SavedPackets packets{reading_};
        for_each_wanted([&](const flow::Call& call) { packets.want(call); });
        if (const auto written = packets.write(sink_); !written) {
            fmt::print(stderr, "callwright: read: {}\n", written.error().message);
            failed_ = BadInput;
        }
        for (const auto& remark : packets.remarks()) {
            fmt::print(stderr, "callwright: read: {}: {}\n",
                       options_.output.empty() ? "standard output" : options_.output, remark);
        }
    }

    void show_messages() {
        ExportedCalls exported{sink_};
        for_each_wanted([&](const flow::Call& call) {
            exported.call(call, [&](const flow::Message& message) {
                return reading_.original(call, message);
            });
        });
        if (exported.without() > 0) {
            fmt::print(stderr, "callwright: read: without {} messages, whose bytes are not known\n",
                       exported.without());
        }
    }

    bool show_in_page(view::PageWriter& page, const flow::Call& call) {
        ++shown_;
        note_errors(call);
        if (options_.redact) {
            const auto masked = redactor_.call(call);
            page.call(masked, lay_out(masked),
                      [](const flow::Message&) { return std::string_view{}; });
        } else {
            page.call(call, lay_out(call), [&](const flow::Message& message) {
                return reading_.original(call, message);
            });
        }
        return true;
    }

    void write_audio(AudioFiles& audio) {
        reading_.book().for_each_call([&](const flow::Call& call) {
            if (is_wanted(call)) {
                audio.call(call);
            }
            return true;
        });
        if (!filter_ && options_.calls.empty()) {
            reading_.book().for_each_stray_stream(
                [&](const flow::MediaStream& stream, const flow::TextPool& texts) {
                    audio.stray(stream, texts);
                    return true;
                });
        }
    }

    // What is wrong with the inputs, and with connections that belong to no call.
    void find_general() {
        constexpr std::size_t most = 64;
        const auto add = [&](std::vector<flow::Finding> found) {
            for (auto& finding : found) {
                errors_found_ = errors_found_ || finding.severity == "error";
                if (options_.redact) {
                    finding.evidence.clear();
                }
                // A thousand connections without keys are one finding.
                const bool said = (finding.rule == "C7" || finding.rule == "C8") &&
                                  std::ranges::find(general_, finding.rule, &flow::Finding::rule) !=
                                      general_.end();
                if (general_.size() < most && !said) {
                    general_.push_back(std::move(finding));
                }
            }
        };
        Instant end;
        for (const auto& input : reading_.inputs()) {
            add(flow::diagnose::judge_input(
                {.name = input.file, .ignored = input.ignored, .problems = input.problems}));
            end = std::max(end, input.last);
        }
        flow::diagnose::ConnectionCrowd crowd;
        reading_.book().for_each_connection([&](const flow::Connection& connection) {
            crowd.add(connection);
            if (connection.sip_messages == 0) {
                add(flow::diagnose::judge_connection(connection, {connection.opened, end}));
            }
            return true;
        });
        add(crowd.judge());
    }
    void show_general_findings() {
        for (const auto& finding : general_) {
            // That connections could not be read, the list has said.
            if (finding.severity == "note" || finding.rule == "C7" || finding.rule == "C8") {
                continue;
            }
            text_.clear();
            view::append_wrapped(
                text_,
                view::said_in(fmt::format("{} {} {}: {}", finding.severity == "error" ? "✗" : "!",
                                          finding.rule, finding.title,
                                          view::printable(finding.evidence, 512)),
                              use_ascii()),
                2, static_cast<std::size_t>(terminal_.columns));
            text_ += '\n';
            sink_(text_);
        }
    }

    template <class Visit>
    void for_each_connection(Visit visit) {
        reading_.book().for_each_connection([&](const flow::Connection& connection) {
            if (options_.redact) {
                visit(redactor_.connection(connection));
            } else {
                visit(connection);
            }
            return true;
        });
    }
    template <class Visit>
    void for_each_tls(Visit visit) {
        for_each_connection([&](const flow::Connection& connection) {
            if (connection.is_tls()) {
                visit(connection);
            }
        });
    }
    template <class Visit>
    void for_each_stray(Visit visit) {
        reading_.book().for_each_stray_stream(
            [&](const flow::MediaStream& stream, const flow::TextPool& texts) {
                if (options_.redact) {
                    flow::TextPool masked;
                    const auto shown = redactor_.stream(stream, texts, masked);
                    visit(shown, masked);
                } else {
                    visit(stream, texts);
                }
                return true;
            });
    }

    view::Ladder lay_out(const flow::Call& call,
                         flow::Boxes::Of columns = flow::Boxes::Of::Programs) {
        view::LadderOptions options{.calls_in_all = reading_.book().counts().calls,
                                    .columns = columns};
        if (!options_.redact) {
            options.names = reading_.names();
        }
        return view::layout(call, options);
    }
    [[nodiscard]] view::ReportCounts counts() const {
        auto counts = reading_.counts();
        counts.shown = shown_;
        return counts;
    }
    [[nodiscard]] bool use_ascii() const {
        return options_.ascii || (options_.output.empty() && !terminal_.utf8);
    }

    const ReadOptions& options_;
    Format format_ = Format::Default;
    std::optional<flow::Filter> filter_;
    Terminal terminal_;
    Reading reading_;
    flow::Redactor redactor_;
    view::Sink sink_;
    std::string text_;
    std::string held_;
    std::uint64_t shown_ = 0;
    std::uint64_t ladders_ = 0;
    std::vector<flow::Finding> general_; // of no call
    bool errors_found_ = false;
    bool audio_failed_ = false;
    int failed_ = Good; // the exit status of what could not be shown
};

} // namespace

Command add_read(CLI::App& app) {
    auto options = std::make_shared<ReadOptions>();
    auto* command = app.add_subcommand("read", description);
    command->footer(footer);
    command->add_option("FILE", options->files, "captures; - is standard input")->required();
    command->add_option("--keys", options->keys,
                        "NSS key log, PEM private keys and certificates, a directory of them, or "
                        "unix:PATH, a socket "
                        "for callwright keys (repeatable)");
    command->add_option("--ca", options->trusted,
                        "a CA that certificates of signed bodies may end at (repeatable)");
    command->add_option(
        "--crl", options->revoked,
        "revocation list of a CA, for the signers of bodies: with one, each of their "
        "CAs needs one (repeatable)");
    command->add_option("--call", options->calls, "only this call: its number or a Call-ID");
    command->add_option("--filter", options->filter, "only calls that fit, see below");
    command->add_option(
        "--format", options->format,
        "list, ladder, json, mermaid, svg, html, sarif: the findings alone, for CI, pcapng: the "
        "packets of the calls as they were captured, with the secrets that open them, or messages: "
        "the SIP messages alone, decrypted, as a pcapng (default: the list, and the ladder too "
        "when there is one call)");
    command->add_option("-o,--output", options->output, "write to this file");
    command->add_option("--audio", options->audio,
                        "write what was said to this directory, as WAV: each stream, and each call "
                        "in stereo (G.711, G.722, Opus)");
    command->add_option("--color", options->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    command->add_option("--width", options->width, "columns of text to fill")
        ->check(CLI::Range(60, 1000));
    command->add_flag("--ascii", options->ascii, "draw with ASCII characters only");
    command->add_flag("--redact", options->redact,
                      "for sharing: stand-ins for users, numbers, names, addresses, Call-IDs");
    command->add_flag("-i,--interactive", options->interactive,
                      "on the terminal, with sngrep's keys: list, ladder, messages");
    command->add_flag("--runnable", options->runnable,
                      "with --format mermaid: one flow of all calls, which `run` performs");
    command->add_flag("--stats", options->stats,
                      "what the calls have in common: faults and where, calls that end after the "
                      "same time, RFC 6076, TLS by server");
    command->add_flag("--strict", options->strict, "exit status 1 when a finding is an error");
    return [options] {
        // Not destroyed: the kernel takes a large heap back at once, we would do so piece by piece.
        static Reader* reader = nullptr; // what is reachable is no leak
        reader = new Reader{*options};
        return reader->run();
    };
}

} // namespace cw::cli
