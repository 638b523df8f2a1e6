// The words of the rules about connections, TLS, sips and S/MIME.
#include "flow/diagnose/rule.hpp"

namespace cw::flow::diagnose {

std::span<const Rule> tls_rules() {
    return {};
}

} // namespace cw::flow::diagnose
