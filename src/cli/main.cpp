#include <algorithm>
#include <clocale>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/sipp_options.hpp"
#include "view/cells.hpp"

namespace {

using namespace cw::cli;

constexpr const char* about =
    "Callwright runs, serves and reads secure SIP call flows.\n"
    "\n"
    "  callwright run flows/secure-call.mmd            a call flow, performed and proved\n"
    "  callwright load flows/secure-call.mmd --rate 100    the same, a hundred times a second\n"
    "  callwright read call.pcapng --keys tls.keys     the call in an encrypted capture, as a "
    "ladder\n"
    "  callwright watch -i eth0 --keys tls.keys        the same, live\n"
    "  callwright keys -- kamailio -DD                 a program, with its TLS secrets logged\n"
    "  callwright search --store calls.db alice 486    what watch --store has kept\n"
    "  callwright serve                                a registrar and proxy on localhost\n"
    "  callwright probe sips:example.com               what a SIP server shows to a client\n"
    "  callwright explain D01                          what a finding means, and how to mend it\n"
    "  callwright certs init                           a small CA, and what it issues\n"
    "  callwright COMMAND --help                       all that it can do\n";

struct Entry {
    std::string_view name;
    Command (*make)(CLI::App&);
};

constexpr Entry entries[] = {
    {"run", add_run},     {"load", add_load},       {"read", add_read},   {"watch", add_watch},
    {"keys", add_keys},   {"search", add_search},   {"certs", add_certs}, {"serve", add_serve},
    {"probe", add_probe}, {"explain", add_explain}, {"diff", add_diff},   {"convert", add_convert},
};

// Where the first word names a command, the options of the others, some hundreds, need not be made;
// nor those of any for the version. What is neither may be answered with all that there is.
bool is_needed(const Entry& entry, int argc, char** argv) {
    const std::string_view first = argc > 1 ? argv[1] : "";
    const auto named = [&](const Entry& other) { return other.name == first; };
    return std::ranges::any_of(entries, named) ? named(entry) : first != "--version";
}

int run(int argc, char** argv) {
    CLI::App app{about, "callwright"};
    app.set_version_flag("--version", "callwright " CALLWRIGHT_VERSION);
    app.require_subcommand(1);
    app.failure_message([argc, argv](const CLI::App* top, const CLI::Error& error) {
        const auto chosen = top->get_subcommands();
        const auto name = chosen.empty() ? std::string{} : " " + chosen.front()->get_name();
        const bool performs = name == " run" || name == " load";
        return fmt::format("callwright:{} {}\n{}See 'callwright{} --help'.\n",
                           name.empty() ? name : name + ":", error.what(),
                           performs ? counterparts({argv, argv + argc}) : "", name);
    });
    const std::string_view first = argc > 1 ? argv[1] : "";
    if (first.empty()) {
        fmt::print(stderr, "callwright: which command?\n\n{}", about);
        return BadUsage;
    }
    if (!first.starts_with('-') &&
        std::ranges::find(entries, first, &Entry::name) == std::end(entries)) {
        std::string names;
        for (const auto& entry : entries) {
            names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
        }
        fmt::print(stderr, "callwright: {}: no such command; there are {}\n",
                   cw::view::printable(first), names);
        return BadUsage;
    }
    std::vector<std::pair<CLI::App*, Command>> commands;
    for (const auto& entry : entries) {
        if (is_needed(entry, argc, argv)) {
            auto command = entry.make(app);
            commands.emplace_back(app.get_subcommands({}).back(), std::move(command));
        }
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? Good : BadUsage;
    }
    for (const auto& [subcommand, command] : commands) {
        if (subcommand->parsed()) {
            return command();
        }
    }
    return BadUsage;
}

// A result that is not all there is none: `status`, or BadInput where standard output could not be
// written, which a full disk shows at the end at the latest.
int with_all_written(int status) {
    const bool whole = std::fflush(stdout) == 0 && std::ferror(stdout) == 0 && std::cout.flush();
    if (whole || status == BadUsage || status == BadInput) {
        return status;
    }
    std::fputs("callwright: standard output: writing failed\n", stderr);
    return BadInput;
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_DFL); // `callwright read … | head` ends quietly
    try {
        return with_all_written(run(argc, argv));
    } catch (const std::exception& error) { // out of memory, or a fault of ours
        std::fputs(fmt::format("callwright: {}\n", error.what()).c_str(), stderr);
        return BadInput;
    }
}
