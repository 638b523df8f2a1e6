// What SIPp's options are called here, for who types them at `run` or `load`.
#pragma once

#include <span>
#include <string>

namespace cw::cli {

// A line for each of SIPp's options among the arguments, with what stands for it; empty: none is.
std::string counterparts(std::span<char* const> arguments);

} // namespace cw::cli
