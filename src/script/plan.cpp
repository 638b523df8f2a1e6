#include "script/plan.hpp"

namespace cw::script {

std::vector<std::string> party_names(const Plan& plan) {
    std::vector<std::string> out;
    for (const auto& party : plan.parties) {
        out.push_back(party.id);
    }
    return out;
}

} // namespace cw::script
