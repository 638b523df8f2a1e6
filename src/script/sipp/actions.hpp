// <action>s and <pause>s of a scenario, in the words of a flow. Internal to script/sipp.
#pragma once

#include <expected>
#include <string>
#include <vector>

#include "script/sipp/xml.hpp"

namespace cw::script::sipp {

// The orders that an element within <action> becomes: "take 1 from body by /…/". Or why there are
// none: a sentence.
std::expected<std::vector<std::string>, std::string> order_of(const Element& action);

// "waits 2s", "pauses uniform 1s 2s".
std::expected<std::string, std::string> pause_of(const Element& pause);

} // namespace cw::script::sipp
