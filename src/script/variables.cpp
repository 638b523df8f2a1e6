#include "script/variables.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cw::script {
namespace {

constexpr std::size_t most_variables = 256;

} // namespace

Variables::Variables(const Plan& plan, Complaints& complaints) : complaints_(complaints) {
    for (const auto& fact : plan.settings) {
        if (const auto* set = std::get_if<Set>(&fact.value)) {
            known_.push_back({set->name, fact.place, true});
        }
    }
    rows_ = find<RowsFrom>(plan.settings) != nullptr;
}

void Variables::see(const Template& text, const Where& where) {
    for (const auto& piece : text.pieces) {
        if (const auto* variable = std::get_if<Variable>(&piece)) {
            see(*variable, where);
        }
    }
}

void Variables::see(const Facts& facts, const Where& where) {
    for (const auto& fact : facts) {
        if (const auto* header = std::get_if<Header>(&fact.value)) {
            see(header->value, where);
        } else if (const auto* sdp = std::get_if<SdpLine>(&fact.value)) {
            see(sdp->value, where);
        } else if (const auto* uri = std::get_if<PartyUri>(&fact.value)) {
            see(uri->uri, where);
        } else if (const auto* user = std::get_if<User>(&fact.value)) {
            see(user->name, where);
        } else if (const auto* password = std::get_if<Password>(&fact.value)) {
            see(password->secret, where);
        }
    }
}

void Variables::see(const Variable& variable, const Where& where) {
    switch (variable.kind) {
    case Variable::Kind::Named:
        see_named(variable, where);
        return;
    case Variable::Kind::Row:
        if (!rows_) {
            complaints_.error(variable.place, "no CSV file is named from which this could come",
                              "set: rows from FILE, beneath sequenceDiagram");
        }
        return;
    case Variable::Kind::Call:
        if (variable.call == 0 && where.call == 0) {
            complaints_.error(variable.place, "this arrow belongs to no call",
                              "call1, call2 …, or (call 1) on the arrow");
        } else if (variable.call > where.calls) {
            complaints_.error(variable.place,
                              fmt::format("call {} has not started yet", variable.call),
                              fmt::format("a call up to {}", where.calls));
        }
        return;
    case Variable::Kind::Party:
    case Variable::Kind::Number:
    case Variable::Kind::Env:
        return;
    }
}

void Variables::see_named(const Variable& variable, const Where& where) {
    const auto known = std::ranges::find(known_, variable.name, &Known::name);
    if (known != known_.end()) {
        known->used = true;
        return;
    }
    if (where.may_capture && variable.plus == 0 && known_.size() < most_variables) {
        known_.push_back({variable.name, variable.place, false});
        return;
    }
    std::vector<std::string_view> names;
    for (const auto& other : known_) {
        names.push_back(other.name);
    }
    complaints_.error(variable.place,
                      known_.size() == most_variables
                          ? "too many variables"
                          : fmt::format("“{}” has no value yet", variable.name),
                      "a variable that was received above, or “set:” beneath sequenceDiagram",
                      std::string(nearest(variable.name, names)));
}

void Variables::finish() {
    for (const auto& known : known_) {
        if (!known.used) {
            complaints_.warning(known.place,
                                fmt::format("“{}” is captured and never used", known.name));
        }
    }
}

} // namespace cw::script
