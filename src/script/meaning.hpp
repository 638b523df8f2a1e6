// What a flow means beyond its lines: which request a response answers, which call an arrow belongs
// to, which request a proxy passes on, which variables have a value when they are needed. Walks the
// steps of a plan once, fills in what the lines leave unsaid, and complains about what cannot be.
#pragma once

#include "script/complaint.hpp"
#include "script/plan.hpp"

namespace cw::script {

void resolve(Plan& plan, Complaints& complaints);

} // namespace cw::script
