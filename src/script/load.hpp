// "load: 50 calls/s for 10m, ramp 1m" and "pass: failures < 0.1%, 95% of answers < 800ms".
#pragma once

#include <optional>
#include <string_view>

#include "script/fact.hpp"
#include "script/names.hpp"

namespace cw::script {

std::optional<Load> read_load(const Scope& scope, std::string_view text);
std::optional<Pass> read_pass(const Scope& scope, std::string_view text);

} // namespace cw::script
