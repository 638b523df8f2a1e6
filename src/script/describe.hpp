// A plan in plain words, a numbered list: what will be done and what is expected, in order, before
// anything is run. The numbers of arrows are those of the picture.
#pragma once

#include <string>

#include "script/plan.hpp"

namespace cw::script {

std::string describe(const Plan& plan);

} // namespace cw::script
