// What went wrong, read off the model alone: so the same rules serve captures, live calls, flows
// that were performed and a server's trace. A rule says what was seen and what the RFC says about
// it, and is silent where the capture could not have shown the contrary. Any thread.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/call.hpp"
#include "flow/diagnose/case.hpp"

namespace cw::flow::diagnose {

// Fills call.findings. The call must be complete, security and connections included.
void judge(Call& call, const Window& window);

// Of a connection that carried no message, so that no call has it.
std::vector<Finding> judge_connection(const Connection& connection, const Window& window);

// What a file brought besides its packets.
struct InputFacts {
    std::string_view name;
    const std::map<std::string, std::uint64_t>& ignored; // kinds of packets that were not used
    std::span<const std::string> problems;
};
std::vector<Finding> judge_input(const InputFacts& input);

} // namespace cw::flow::diagnose
