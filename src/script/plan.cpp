#include "script/plan.hpp"

#include <algorithm>

namespace cw::script {

bool has_literal(const Plan& plan) {
    return std::ranges::any_of(plan.parties, is_literal);
}

std::vector<std::string> party_names(const Plan& plan) {
    std::vector<std::string> out;
    for (const auto& party : plan.parties) {
        out.push_back(party.id);
    }
    return out;
}

} // namespace cw::script
