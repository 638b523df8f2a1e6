#include "play/values.hpp"

#include "base/text.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {

using script::Any;
using script::Template;
using script::Variable;

namespace {

std::optional<std::string> look_up(const std::map<std::string, std::string>& in,
                                   const std::string& name) {
    const auto at = in.find(name);
    return at != in.end() ? std::optional{at->second} : std::nullopt;
}

// "{rseq+1}" counts on; what is no number stays.
std::string counted_on(const std::string& value, std::uint32_t plus) {
    const auto number = parse_number<std::uint64_t>(value);
    return plus != 0 && number ? std::to_string(*number + plus) : value;
}

} // namespace

Values::Values(const script::Plan& plan, const Given& given, const Cast& cast)
    : given_(given), cast_(cast) {
    for (const auto& fact : plan.settings) {
        if (const auto* set = std::get_if<script::Set>(&fact.value)) {
            named_[set->name] = set->value;
        }
    }
    for (const auto& [name, text] : given.set) {
        named_[name] = text;
    }
}

std::optional<std::string> Values::value(const Variable& variable, const Where& where) const {
    switch (variable.kind) {
    case Variable::Kind::Named: {
        const auto known = look_up(named_, variable.name);
        return known ? std::optional{counted_on(*known, variable.plus)} : std::nullopt;
    }
    case Variable::Kind::Row:
        return look_up(given_.row, variable.name);
    case Variable::Kind::Env:
        return look_up(given_.environment, variable.name);
    case Variable::Kind::Number:
        return std::to_string(given_.number + variable.plus);
    case Variable::Kind::Party: {
        const auto& member = cast_.members[variable.party];
        switch (variable.party_field) {
        case script::PartyField::Uri:
            return member.uri;
        case script::PartyField::Contact:
            return cast_.contact(variable.party, member.over.value_or(where.transport));
        case script::PartyField::User:
            return member.user;
        case script::PartyField::Domain:
            return member.domain;
        case script::PartyField::Address:
            return cast_.sent_by(variable.party, member.over.value_or(where.transport));
        }
        return std::nullopt;
    }
    case Variable::Kind::Call: {
        const auto call = variable.call != 0 ? variable.call : where.call;
        const auto facts = where.calls != nullptr ? (*where.calls)(call) : std::nullopt;
        if (!facts) {
            return std::nullopt;
        }
        switch (variable.call_field) {
        case script::CallField::Id:
            return facts->id;
        case script::CallField::FromTag:
            return facts->from_tag;
        case script::CallField::ToTag:
            return facts->to_tag;
        case script::CallField::Cseq:
            return counted_on(facts->cseq, variable.plus);
        case script::CallField::From:
            return facts->from;
        case script::CallField::To:
            return facts->to;
        }
        return std::nullopt;
    }
    }
    return std::nullopt;
}

std::optional<std::string> Values::fill(const Template& text, const Where& where,
                                        std::string* missing) const {
    std::string out;
    for (const auto& piece : text.pieces) {
        if (const auto* literal = std::get_if<std::string>(&piece)) {
            out += *literal;
        } else if (std::holds_alternative<Any>(piece)) {
            return std::nullopt;
        } else {
            const auto& variable = std::get<Variable>(piece);
            const auto known = value(variable, where);
            if (!known) {
                if (missing != nullptr) {
                    *missing = variable.name.empty() ? "a variable" : "{" + variable.name + "}";
                }
                return std::nullopt;
            }
            out += *known;
        }
    }
    return out;
}

std::string Values::show(const Template& text, const Where& where) const {
    std::string out;
    for (const auto& piece : text.pieces) {
        if (const auto* literal = std::get_if<std::string>(&piece)) {
            out += *literal;
        } else if (const auto* variable = std::get_if<Variable>(&piece)) {
            // Never a secret: the report is to be shown around.
            const bool secret = variable->kind == Variable::Kind::Env;
            out += secret ? "{env." + variable->name + "}" : value(*variable, where).value_or("*");
        } else {
            out += '*';
        }
    }
    return out;
}

// Tries each length for a `*`, the shortest first. Bounded: the steps grow with the product of the
// text's length and the number of stars, and both are small.
bool Values::match_from(const Template& text, std::size_t piece, std::string_view received,
                        const Where& where, bool ignore_case,
                        std::map<std::string, std::string>& captured) const {
    if (piece == text.pieces.size()) {
        return received.empty();
    }
    const auto takes = [&](std::string_view literal) {
        return received.size() >= literal.size() &&
               (ignore_case ? istarts_with(received, literal) : received.starts_with(literal)) &&
               match_from(text, piece + 1, received.substr(literal.size()), where, ignore_case,
                          captured);
    };
    if (const auto* literal = std::get_if<std::string>(&text.pieces[piece])) {
        return takes(*literal);
    }
    const auto* variable = std::get_if<Variable>(&text.pieces[piece]);
    if (variable != nullptr) {
        if (const auto known = value(*variable, where)) {
            return takes(*known);
        }
    }
    for (std::size_t length = variable != nullptr ? 1 : 0; length <= received.size(); ++length) {
        if (match_from(text, piece + 1, received.substr(length), where, ignore_case, captured)) {
            if (variable != nullptr && variable->kind == Variable::Kind::Named) {
                captured[variable->name] = received.substr(0, length);
            }
            return true;
        }
    }
    return false;
}

bool Values::match(const Template& text, std::string_view received, const Where& where,
                   bool ignore_case) {
    std::map<std::string, std::string> captured;
    if (!match_from(text, 0, received, where, ignore_case, captured)) {
        return false;
    }
    for (auto& [name, found] : captured) {
        named_[name] = std::move(found);
    }
    return true;
}

} // namespace cw::play
