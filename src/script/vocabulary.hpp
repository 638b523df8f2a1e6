// The closed list of facts: one table of patterns that reading, checking and suggesting share. An
// unknown fact is a complaint, never ignored: a misspelt fact must not lose its meaning silently.
#pragma once

#include <optional>
#include <string_view>

#include "script/fact.hpp"
#include "script/names.hpp"

namespace cw::script {

// One fact, a view into the line. Complains and returns nothing when it is none of `subject`'s.
std::optional<FactValue> read_fact(const Scope& scope, Subject subject, std::string_view text);
// Are these the words of a fact? Does not complain.
bool is_fact(const Names& names, Subject subject, std::string_view text);

} // namespace cw::script
