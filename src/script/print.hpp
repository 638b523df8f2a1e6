// A plan as Mermaid text. What parse() makes of the text is the same plan again; comments, remarks
// and blank lines keep their places.
#pragma once

#include <string>

#include "script/plan.hpp"

namespace cw::script {

std::string to_mermaid(const Plan& plan);

// The words of an arrow as the picture shows them: "INVITE bob (SRTP offer)".
std::string words_of(const Plan& plan, const Arrow& arrow);
// The words of an action: "hears bob for 2s".
std::string words_of(const Plan& plan, const Action& action);

std::string_view to_string(Link link);      // "->>"
std::string_view to_string(BlockKind kind); // "alt"
Subject subject_of(const Arrow& arrow);

} // namespace cw::script
