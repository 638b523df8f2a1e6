#include "flow/diagnose/rule.hpp"

#include <array>

#include "base/text.hpp"

namespace cw::flow::diagnose {

std::string_view to_string(Severity severity) {
    switch (severity) {
    case Severity::Error:
        return "error";
    case Severity::Warning:
        return "warning";
    case Severity::Note:
        break;
    }
    return "note";
}

std::span<const Family> all_families() {
    static const std::array families{
        Family{"Call set-up and dialog", dialog_rules()},
        Family{"Registration, authentication, NAT", registration_rules()},
        Family{"Transport, TLS, sips, S/MIME", tls_rules()},
        Family{"SDP and media", media_rules()},
        Family{"The capture itself", capture_rules()},
    };
    return families;
}

const Rule* find_rule(std::string_view id) {
    for (const auto& family : all_families()) {
        for (const auto& rule : family.rules) {
            if (iequals(rule.id, id)) {
                return &rule;
            }
        }
    }
    return nullptr;
}

} // namespace cw::flow::diagnose
