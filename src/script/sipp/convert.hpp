// SIPp's scenarios become flows: a literal party that does what the scenario says, in Mermaid that
// a person can read; only what is out of the ordinary stands beneath its arrows. What cannot be had
// is refused with its line in the XML. Total; values that own what they hold.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "script/parse.hpp"
#include "script/sipp/xml.hpp"

namespace cw::script::sipp {

// Does this look like a scenario, and not like a flow?
bool is_scenario(std::string_view text);

struct Conversion {
    std::string flow;                 // empty where something was refused
    std::vector<std::uint32_t> lines; // for each line of it, the line of the XML
    std::vector<Note> notes;          // repaired, left out
    std::vector<Note> refused;
    [[nodiscard]] bool ok() const { return refused.empty(); }
};
// `name` is for the title where the scenario has none.
Conversion convert(std::string_view text, std::string_view name);

// Scenarios of 3PCC that speak to each other, joined: literal parties that tell each other. Two are
// a pair, or those of the extended mode, which name each other by "dest" and "src"; there may be
// more of these. Lines of the second file and on are counted on after those of the files before it
// in `Conversion::lines` and notes. Fewer than two: an empty flow.
Conversion convert_together(const std::vector<std::string>& texts, std::string_view name);

// The scenario as a Plan; its places are those of the XML.
Parsed read(std::string_view text, std::string_view name);

} // namespace cw::script::sipp
