// The commands of the program. Each adds itself to the command line and, when chosen, returns the
// exit status of the whole.
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace cw::cli {

// Exit statuses, the same for every command.
enum Exit : int {
    Good = 0,
    WorkFailed = 1, // the work was done, and something in it failed
    BadUsage = 2,   // the command line, a flow or a configuration file is wrong
    BadInput = 3,   // an input or a resource could not be used
};

using Command = std::function<int()>;

// Each registers a command; what it returns runs it after the command line was parsed.
Command add_read(CLI::App& app);
Command add_certs(CLI::App& app);
Command add_serve(CLI::App& app);
Command add_probe(CLI::App& app);
Command add_run(CLI::App& app);
Command add_watch(CLI::App& app);
Command add_search(CLI::App& app);
Command add_explain(CLI::App& app);
Command add_diff(CLI::App& app);
Command add_convert(CLI::App& app);
Command add_load(CLI::App& app);
Command add_keys(CLI::App& app);

} // namespace cw::cli
