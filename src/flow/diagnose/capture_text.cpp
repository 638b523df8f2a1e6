// The words of the rules about the capture itself.
#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> capture_rules() {
    return {};
}

} // namespace cw::flow::diagnose
