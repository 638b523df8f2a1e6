// Facts where they stand: several in (parentheses), or one on a %% line beneath a statement. Adds
// header fields and lines of the SDP to the words of the vocabulary, and refuses what is said
// twice.
#pragma once

#include <string_view>

#include "script/vocabulary.hpp"

namespace cw::script {

inline constexpr std::size_t most_facts = 64;   // of one statement
inline constexpr std::size_t most_lines = 2000; // …of a literal message, and its orders

// `text` is what the parentheses hold.
void read_facts(const Scope& scope, Subject subject, std::string_view text, Facts& out);
void read_fact_beneath(const Scope& scope, Subject subject, std::string_view text, Facts& out);

} // namespace cw::script
