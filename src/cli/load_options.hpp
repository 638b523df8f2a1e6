// What the command line and the flow say about a load: how many calls, how long, to whom, from
// where, and what decides. Values; nothing is performed here.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/flow_file.hpp"
#include "host/load/load.hpp"
#include "script/plan.hpp"

namespace cw::cli {

// Calls in progress beside which none begins, unless --at-once says another number.
constexpr std::uint32_t usual_at_once = 50'000;

struct LoadCommand {
    std::string flow;
    std::vector<std::string> at, set, trusted, pass, rows, listen, sources;
    std::string rate, length, ramp, steps, users, timeout, keep_alive, csv, failed_folder, metrics;
    std::string connections = "drawn";
    std::string format = "text";
    std::string color = "auto";
    std::uint32_t concurrency = 0, pool = 1, shards = 1, keep = 10;
    std::optional<std::uint32_t> at_once;
    std::uint64_t calls = 0, seed = 0;
    bool enrol = false;
    bool resume = false;
    bool in_full = false;
    bool real_time = false;
    std::string gather = "1.5ms";
    bool find_limit = false;
};

// Adds the command with its options; what was said is in `command` once the line was parsed.
CLI::App* add_load_options(CLI::App& app, LoadCommand& command);

// What the command line says, else what the flow's `load:` line does.
std::expected<play::CrowdSettings, Failure> settings_of(const LoadCommand& command,
                                                        const script::Plan& plan);

// --pass, else the flow's pass lines. Demands that a load does not decide are named on standard
// error.
std::expected<std::vector<script::Criterion>, Failure> criteria_of(const LoadCommand& command,
                                                                   const script::Plan& plan);

// --find-limit: the rate (calls a second) that the search begins with, and the time of each load.
std::expected<std::pair<double, Duration>, Failure> search_of(const LoadCommand& command);

// The load, with its sockets and servers, not begun. Takes what it needs out of `flow`.
std::expected<std::unique_ptr<host::Load>, Failure>
prepare(const LoadCommand& command, Loaded& flow, const play::CrowdSettings& settings);

} // namespace cw::cli
