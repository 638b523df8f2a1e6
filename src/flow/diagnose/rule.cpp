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
    // By the number in the id, so that a thousand calls with a fault do not search a thousand
    // times.
    static const auto by_number = [] {
        std::array<std::array<const Rule*, 100>, 2> table{};
        for (const auto& family : all_families()) {
            for (const auto& rule : family.rules) {
                const auto number = parse_number<std::size_t>(rule.id.substr(1)).value_or(0);
                table[rule.id.front() == 'D' ? 1 : 0].at(number) = &rule;
            }
        }
        return table;
    }();
    const auto number = id.size() > 1 ? parse_number<std::size_t>(id.substr(1)) : std::nullopt;
    const auto* rule = number && *number < 100
                           ? by_number[id.front() == 'D' || id.front() == 'd' ? 1 : 0][*number]
                           : nullptr;
    return rule != nullptr && iequals(rule->id, id) ? rule : nullptr;
}

} // namespace cw::flow::diagnose
