// A flow's file with all that it names: the plan, and what the command line and the environment
// give it.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "play/cast.hpp"
#include "play/load/rows.hpp"
#include "script/plan.hpp"
#include "script/sipp/injection.hpp"

namespace cw::cli {

struct Failure {
    int status = BadInput;
    std::string why;
};

struct Loaded {
    std::string file;
    script::Plan plan;
    play::Given given;              // with the first row
    std::optional<play::Rows> rows; // of a CSV file
    std::vector<script::sipp::Injection> injections;
};

struct FlowOptions {
    std::vector<std::string> set; // KEY=VALUE
    std::string timeout;
    std::string users;                   // a CSV file in the place of the one that the flow names
    std::vector<std::string> injections; // SIPp's files of rows, for scenarios
    std::uint64_t seed = 0;              // 0: by chance
};
// Complaints about the flow come with their carets, and end in a line end; warnings are printed.
std::expected<Loaded, Failure> load_flow(const FlowOptions& options, const std::string& file);

} // namespace cw::cli
