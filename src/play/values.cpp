#include "play/values.hpp"

#include <vector>

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
                                        std::string* missing, std::string_view unknown) const {
    std::string out;
    for (const auto& piece : text.pieces) {
        if (const auto* literal = std::get_if<std::string>(&piece)) {
            out += *literal;
        } else if (std::holds_alternative<Any>(piece)) {
            return std::nullopt;
        } else {
            const auto& variable = std::get<Variable>(piece);
            auto known = value(variable, where);
            if (!known && !unknown.empty() && variable.kind == Variable::Kind::Named) {
                known = unknown;
            }
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

namespace {

// A piece of a template when it is compared: a text that is known, or a gap.
struct Part {
    std::optional<std::string> known;
    std::size_t least = 0;  // of a gap
    std::string capture;    // the variable that the gap gives its value; empty: none
    std::string_view found; // in the gap
};

bool begins(std::string_view text, std::string_view with, bool ignore_case) {
    return ignore_case ? istarts_with(text, with) : text.starts_with(with);
}

// Each gap takes as little as it can. When something does not fit, only the latest gap has to take
// more: what stands before it has been found at the earliest place there is. So the steps are at
// most the length of the text times that of the template.
bool fill_gaps(std::vector<Part>& parts, std::string_view text, bool ignore_case) {
    std::optional<std::size_t> gap;
    std::size_t gap_begin = 0;
    std::size_t gap_end = 0;
    std::size_t at = 0;
    for (std::size_t i = 0;;) {
        if (i == parts.size()) {
            if (at == text.size()) {
                return true;
            }
        } else if (const auto& known = parts[i].known) {
            if (begins(text.substr(at), *known, ignore_case)) {
                at += known->size();
                ++i;
                continue;
            }
        } else if (text.size() - at >= parts[i].least) {
            gap = i;
            gap_begin = at;
            at = gap_end = at + parts[i].least;
            parts[i].found = text.substr(gap_begin, gap_end - gap_begin);
            ++i;
            continue;
        }
        if (!gap || gap_end == text.size()) {
            return false;
        }
        at = ++gap_end;
        parts[*gap].found = text.substr(gap_begin, gap_end - gap_begin);
        i = *gap + 1;
    }
}

} // namespace

bool Values::match(const Template& text, std::string_view received, const Where& where,
                   bool ignore_case) {
    std::vector<Part> parts;
    for (const auto& piece : text.pieces) {
        auto& part = parts.emplace_back();
        if (const auto* literal = std::get_if<std::string>(&piece)) {
            part.known = *literal;
        } else if (const auto* variable = std::get_if<Variable>(&piece)) {
            part.known = value(*variable, where);
            part.least = 1;
            part.capture = variable->kind == Variable::Kind::Named ? variable->name : "";
        }
    }
    if (!fill_gaps(parts, received, ignore_case)) {
        return false;
    }
    for (const auto& part : parts) {
        if (!part.known && !part.capture.empty()) {
            named_[part.capture] = part.found;
        }
    }
    return true;
}

} // namespace cw::play
