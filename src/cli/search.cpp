// callwright search: calls that `watch --store` has kept, found by words.
#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/text.hpp"
#include "capture/tls/suite.hpp"
#include "cli/commands.hpp"
#include "cli/output.hpp"
#include "cli/page_options.hpp"
#include "cli/terminal.hpp"
#include "flow/filter.hpp"
#include "store/call_store.hpp"
#include "view/findings_text.hpp"
#include "view/json.hpp"
#include "view/ladder.hpp"
#include "view/ladder_text.hpp"
#include "view/list_text.hpp"
#include "view/mermaid.hpp"
#include "view/page.hpp"
#include "view/svg.hpp"

namespace cw::cli {
namespace {

struct SearchOptions {
    std::vector<std::string> words;
    std::string store;
    std::string filter;
    std::string format;
    std::string output;
    std::string color = "auto";
    std::vector<std::int64_t> calls;
    double hours = 0;
    std::size_t most = 100;
    int width = 0;
    bool ascii = false;
};

constexpr const char* search_description =
    "Finds calls that `callwright watch --store FILE` has kept, the latest first. Words are looked "
    "for in whole messages, in findings, addresses and TLS versions; all of them must occur in one "
    "message.";

constexpr const char* search_footer = R"(
Examples:
  callwright search --store calls.db                        the latest calls
  callwright search --store calls.db alice 486              both words in one message
  callwright search --store calls.db '"Busy Here"' '4930*'  a phrase; what begins so
  callwright search --store calls.db D12 --hours 24 --filter 'duration < 5'
  callwright search --store calls.db --call 812 --format ladder
  callwright search --store calls.db alice --format html -o found.html

Without --store the environment's CALLWRIGHT_STORE names the file. It may be searched while the
watcher writes it.

Exit status: 0 something was found, 1 nothing was, 2 usage, 3 a store that cannot be used.)";

class Search {
  public:
    explicit Search(const SearchOptions& options) : options_(options) {}

    int run() {
        if (const auto status = prepare(); status != Good) {
            return status;
        }
        auto output = Output::open(options_.output);
        if (!output) {
            fmt::print(stderr, "callwright: search: {}: {}\n", options_.output,
                       output.error().what);
            return BadInput;
        }
        sink_ = [&output](std::string_view text) { output->write(text); };
        const auto done = show();
        if (!done) {
            fmt::print(stderr, "callwright: search: {}\n", done.error());
            return BadInput;
        }
        if (!output->finish()) {
            fmt::print(stderr, "callwright: search: {}: writing failed\n", options_.output);
            return BadInput;
        }
        if (shown_ == 0) {
            fmt::print(stderr, "callwright: search: none of the {} calls fits\n", store_->calls());
        }
        return shown_ > 0 ? Good : WorkFailed;
    }

  private:
    using Messages = std::vector<std::string_view>;

    int prepare() {
        if (!options_.filter.empty()) {
            std::string expected;
            auto filter = flow::Filter::parse(options_.filter, &expected);
            if (!filter) {
                fmt::print(stderr,
                           "callwright: search: --filter: column {}: {}\n  {}\n  {:>{}}\n{}",
                           filter.error().offset + 1, filter.error().what, options_.filter, '^',
                           filter.error().offset + 1,
                           expected.empty() ? "" : "  expected " + expected + "\n");
                return BadUsage;
            }
            filter_ = std::move(*filter);
        }
        auto path = options_.store;
        if (const char* named = std::getenv("CALLWRIGHT_STORE"); path.empty() && named != nullptr) {
            path = named;
        }
        if (path.empty()) {
            fmt::print(stderr, "callwright: search: which store? --store FILE, the one that "
                               "callwright watch --store FILE writes\n");
            return BadUsage;
        }
        auto opened =
            store::CallStore::open(path, store::CallStore::Mode::Read, capture::tls::alert_name);
        if (!opened) {
            fmt::print(stderr, "callwright: search: {}\n", opened.error());
            return BadInput;
        }
        store_ = std::move(*opened);
        terminal_ = look_at_terminal(options_.color == "always"  ? ColorChoice::Always
                                     : options_.color == "never" ? ColorChoice::Never
                                                                 : ColorChoice::Auto);
        terminal_.columns = options_.width > 0 ? options_.width : terminal_.columns;
        terminal_.color =
            terminal_.color && (options_.output.empty() || options_.color == "always");
        return Good;
    }

    // The calls that fit, one by one.
    store::CallStore::Done
    for_each(const std::function<void(const flow::Call&, const Messages&)>& visit) {
        std::string why;
        const auto take = [&](std::int64_t number) {
            const auto loaded =
                store_->load(number, [&](const flow::Call& call, const Messages& messages) {
                    if (!filter_ || filter_->matches(call)) {
                        ++shown_;
                        visit(call, messages);
                    }
                });
            if (!loaded) {
                fmt::print(stderr, "callwright: search: {}\n", loaded.error()); // the others go on
            }
            return shown_ < options_.most;
        };
        if (!options_.calls.empty()) {
            std::ranges::for_each(options_.calls, take);
            return {};
        }
        store::CallStore::Query query;
        for (const auto& word : options_.words) {
            query.words += query.words.empty() ? word : " " + word;
        }
        query.most = SIZE_MAX; // the filter, too, says what counts
        if (options_.hours > 0) {
            const auto now = std::chrono::system_clock::now().time_since_epoch();
            query.since = Instant{std::chrono::nanoseconds(now).count() -
                                  static_cast<std::int64_t>(options_.hours * 3600e9)};
        }
        return store_->search(
            query, [&](const store::CallStore::Found& found) { return take(found.number); });
    }

    store::CallStore::Done show() {
        if (options_.format == "json") {
            view::JsonReport report{sink_, CALLWRIGHT_VERSION};
            auto done =
                for_each([&](const flow::Call& call, const Messages&) { report.call(call); });
            report.finish({}, {.calls = shown_, .shown = shown_});
            return done;
        }
        if (options_.format == "html") {
            view::PageWriter page{sink_, page_options("callwright search", {}, {})};
            auto done = for_each([&](const flow::Call& call, const Messages& messages) {
                page.call(call, view::layout(call), [&](const flow::Message& message) {
                    const auto i = static_cast<std::size_t>(&message - call.messages.data());
                    return i < messages.size() ? messages[i] : std::string_view{};
                });
            });
            page.finish({});
            return done;
        }
        if (options_.format == "ladder" || options_.format == "mermaid" ||
            options_.format == "svg") {
            return for_each([&](const flow::Call& call, const Messages&) { show_ladder(call); });
        }
        view::ListText list{sink_,
                            {.width = static_cast<std::size_t>(terminal_.columns),
                             .ascii = options_.ascii || !terminal_.utf8,
                             .colour = terminal_.color}};
        flow::Call only;
        auto done = for_each([&](const flow::Call& call, const Messages&) {
            list.call(call);
            if (shown_ == 1) {
                only = call;
            }
        });
        list.flush();
        if (shown_ == 1 && options_.format.empty()) {
            sink_("\n");
            show_ladder(only);
        }
        return done;
    }

    void show_ladder(const flow::Call& call) {
        const auto ladder = view::layout(call);
        std::string text = ladders_++ > 0 && options_.format != "svg" ? "\n" : "";
        if (options_.format == "mermaid") {
            options_.calls.size() == 1 ? view::append_mermaid(text, ladder)
                                       : view::append_mermaid_section(text, ladder);
        } else if (options_.format == "svg") {
            if (ladders_ > 1) {
                return; // a picture is of one call
            }
            view::append_svg(text, ladder);
        } else {
            const view::TextOptions options{.width = static_cast<std::size_t>(terminal_.columns),
                                            .ascii = options_.ascii || !terminal_.utf8,
                                            .colour = terminal_.color};
            view::append_text(text, ladder, options);
            view::append_findings(text, ladder, options);
        }
        sink_(text);
    }

    const SearchOptions& options_;
    std::optional<flow::Filter> filter_;
    std::unique_ptr<store::CallStore> store_;
    Terminal terminal_;
    view::Sink sink_;
    std::size_t shown_ = 0;
    std::size_t ladders_ = 0;
};

} // namespace

Command add_search(CLI::App& app) {
    auto options = std::make_shared<SearchOptions>();
    auto* command = app.add_subcommand("search", search_description);
    command->footer(search_footer);
    command->add_option("words", options->words, "what to look for; \"a phrase\", beginning*");
    command->add_option("--store", options->store, "the file that watch --store writes");
    command->add_option("--filter", options->filter, "only calls that fit, as for read");
    command
        ->add_option("--hours", options->hours, "only calls that began in the last so many hours")
        ->check(CLI::Range(0.001, 1e6));
    command->add_option("--call", options->calls, "these calls, by their numbers");
    command->add_option("--limit", options->most, "at most so many calls (100)")
        ->check(CLI::Range(1, 1'000'000));
    command->add_option("--format", options->format, "list, ladder, json, mermaid, svg or html")
        ->check(CLI::IsMember({"list", "ladder", "json", "mermaid", "svg", "html"}));
    command->add_option("-o,--output", options->output, "write to this file");
    command->add_option("--color", options->color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}));
    command->add_option("--width", options->width, "columns of text to fill")
        ->check(CLI::Range(60, 1000));
    command->add_flag("--ascii", options->ascii, "draw with ASCII characters only");
    return [options] { return Search{*options}.run(); };
}

} // namespace cw::cli
