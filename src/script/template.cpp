#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/names.hpp"

namespace cw::script {
namespace {

constexpr std::size_t most_pieces = 64;

bool is_name(std::string_view text) {
    if (text.empty() || text.size() > 40 || !is_alpha(text[0])) {
        return false;
    }
    for (const char c : text) {
        if (!is_alpha(c) && !is_digit(c) && c != '_' && c != '-') {
            return false;
        }
    }
    return true;
}

template <class Field>
std::optional<Field> field_of(std::string_view name, Field last) {
    for (int i = 0; i <= std::to_underlying(last); ++i) {
        if (to_string(static_cast<Field>(i)) == name) {
            return static_cast<Field>(i);
        }
    }
    return std::nullopt;
}

// "call" is 0, "call2" is 2; nothing for other words.
std::optional<CallId> call_number(std::string_view word) {
    if (!word.starts_with("call")) {
        return std::nullopt;
    }
    return word.size() == 4 ? CallId{0} : parse_number<CallId>(word.substr(4));
}

void complain(const Scope& scope, std::string_view text, std::string expected) {
    scope.complaints.error(scope.line.place(text), fmt::format("“{{{}}}” is not a variable", text),
                           std::move(expected));
}

// "alice.uri", "call2.id", "row.user", "env.SECRET": what is written before and after the dot.
bool read_field(const Scope& scope, std::string_view text, std::size_t dot, Variable& variable) {
    const auto owner = text.substr(0, dot);
    const auto field = text.substr(dot + 1);
    if (owner == "row" || owner == "env") {
        variable.kind = owner == "row" ? Variable::Kind::Row : Variable::Kind::Env;
        variable.name = field;
        if (!is_name(field)) {
            complain(scope, text, "a name of letters, digits, “_” and “-” after the dot");
        }
        return is_name(field);
    }
    if (const auto party = scope.names.find(owner)) {
        const auto known = field_of(field, PartyField::Address);
        variable.kind = Variable::Kind::Party;
        variable.party = *party;
        variable.party_field = known.value_or(PartyField::Uri);
        if (!known) {
            complain(scope, text,
                     fmt::format("{}.uri, .contact, .user, .domain or .address", owner));
        }
        return known.has_value();
    }
    const auto call = call_number(owner);
    const auto known = field_of(field, CallField::To);
    variable.kind = Variable::Kind::Call;
    variable.call = call.value_or(0);
    variable.call_field = known.value_or(CallField::Id);
    if (!call) {
        complain(scope, text, "a party, call, call1 …, row or env before the dot");
    } else if (!known) {
        complain(scope, text, "call.id, .from_tag, .to_tag, .cseq, .from or .to");
    }
    return call && known;
}

// What stands between the braces.
std::optional<Variable> read_variable(const Scope& scope, std::string_view text) {
    Variable variable;
    variable.place = scope.line.place(text);
    auto name = text;
    if (const auto plus = text.find('+'); plus != std::string_view::npos) {
        const auto count = parse_number<std::uint32_t>(text.substr(plus + 1));
        if (!count || *count == 0 || *count > 1'000'000) {
            complain(scope, text, "a number after “+”");
            return std::nullopt;
        }
        variable.plus = *count;
        name = text.substr(0, plus);
    }
    // A party's id may hold dots: the last one divides.
    if (const auto dot = name.rfind('.'); dot != std::string_view::npos) {
        return read_field(scope, name, dot, variable) ? std::optional(std::move(variable))
                                                      : std::nullopt;
    }
    if (!is_name(name)) {
        complain(scope, text, "a name, as in {rseq}, {rseq+1}, {alice.uri} or {call.id}");
        return std::nullopt;
    }
    if (name == "n") {
        variable.kind = Variable::Kind::Number;
    } else {
        variable.name = name;
    }
    return variable;
}

} // namespace

std::optional<Template> read_template(const Scope& scope, std::string_view text) {
    Template out;
    while (!text.empty()) {
        if (out.pieces.size() == most_pieces) {
            scope.complaints.error(scope.line.place(text), "too many pieces in one value",
                                   fmt::format("at most {}", most_pieces));
            return std::nullopt;
        }
        const auto special = text.find_first_of("*{");
        if (special != 0) {
            out.pieces.emplace_back(std::string(text.substr(0, special)));
            text.remove_prefix(std::min(special, text.size()));
            continue;
        }
        if (text[0] == '*') {
            out.pieces.emplace_back(Any{});
            text.remove_prefix(1);
            continue;
        }
        const auto end = text.find('}');
        if (end == std::string_view::npos) {
            scope.complaints.error(scope.line.place(text.substr(0, 1)), "this brace is not closed",
                                   "a variable, as in {rseq} or {alice.uri}");
            return std::nullopt;
        }
        auto variable = read_variable(scope, text.substr(1, end - 1));
        if (!variable) {
            return std::nullopt;
        }
        out.pieces.emplace_back(std::move(*variable));
        text.remove_prefix(end + 1);
    }
    return out;
}

} // namespace cw::script
