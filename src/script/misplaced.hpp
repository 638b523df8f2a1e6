// Facts that are right by themselves and would mean nothing on the message that they stand on.
#pragma once

#include "script/complaint.hpp"
#include "script/plan.hpp"

namespace cw::script {

void check_facts(const Arrow& arrow, Complaints& complaints);

} // namespace cw::script
