#include "script/value.hpp"

#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::script {
namespace {

struct Unit {
    std::string_view name;
    std::int64_t ns;
};
constexpr std::array<Unit, 4> units{{
    {"ms", 1'000'000},
    {"s", 1'000'000'000},
    {"m", 60'000'000'000},
    {"h", 3'600'000'000'000},
}};
constexpr std::int64_t longest = 1000 * units[3].ns;

// "12.5" in thousandths; at most nine digits and three decimals.
std::optional<std::int64_t> parse_thousandths(std::string_view text) {
    const auto dot = text.find('.');
    const auto whole = text.substr(0, dot);
    const auto decimals = dot == std::string_view::npos ? "0" : text.substr(dot + 1);
    if (whole.size() > 9 || decimals.size() > 3 || whole.starts_with('-') ||
        decimals.starts_with('-')) {
        return std::nullopt;
    }
    const auto value = parse_number<std::int64_t>(whole);
    const auto part = parse_number<std::int64_t>(decimals);
    if (!value || !part) {
        return std::nullopt;
    }
    constexpr std::array<std::int64_t, 4> scale{1000, 100, 10, 1};
    return *value * 1000 + *part * scale[decimals.size()];
}

// `value` thousandths of something, without zeros that say nothing.
void append_thousandths(std::string& out, std::int64_t value) {
    out += fmt::format("{}", value / 1000);
    if (value % 1000 != 0) {
        auto decimals = fmt::format(".{:03}", value % 1000);
        decimals.erase(decimals.find_last_not_of('0') + 1);
        out += decimals;
    }
}

constexpr std::array<std::string_view, 5> party_fields{"uri", "contact", "user", "domain",
                                                       "address"};
constexpr std::array<std::string_view, 6> call_fields{"id",   "from_tag", "to_tag",
                                                      "cseq", "from",     "to"};

} // namespace

std::optional<Duration> parse_duration(std::string_view text) {
    const auto split = text.find_first_not_of("0123456789.");
    if (split == std::string_view::npos) {
        return std::nullopt;
    }
    const auto thousandths = parse_thousandths(text.substr(0, split));
    for (const auto& unit : units) {
        if (thousandths && text.substr(split) == unit.name &&
            *thousandths <= longest / unit.ns * 1000) {
            return Duration{*thousandths * (unit.ns / 1000)};
        }
    }
    return std::nullopt;
}

void append(std::string& out, Duration duration) {
    for (std::size_t i = units.size(); i-- > 1;) {
        if (duration.ns % units[i].ns == 0) {
            out += fmt::format("{}{}", duration.ns / units[i].ns, units[i].name);
            return;
        }
    }
    append_thousandths(out, duration.ns / 1000);
    out += "ms";
}

std::optional<Percent> parse_percent(std::string_view text) {
    if (!text.ends_with('%')) {
        return std::nullopt;
    }
    const auto thousandths = parse_thousandths(text.substr(0, text.size() - 1));
    if (!thousandths || *thousandths > 100'000) {
        return std::nullopt;
    }
    return Percent{static_cast<std::uint32_t>(*thousandths * 10)};
}

void append(std::string& out, Percent percent) {
    append_thousandths(out, percent.millionths / 10);
    out += '%';
}

std::string_view to_string(PartyField field) {
    return party_fields[std::to_underlying(field)];
}
std::string_view to_string(CallField field) {
    return call_fields[std::to_underlying(field)];
}

void append(std::string& out, const Variable& variable,
            const std::vector<std::string>& party_names) {
    out += '{';
    switch (variable.kind) {
    case Variable::Kind::Named:
        out += variable.name;
        break;
    case Variable::Kind::Party:
        out += fmt::format("{}.{}", party_names[variable.party], to_string(variable.party_field));
        break;
    case Variable::Kind::Call:
        out += variable.call == 0 ? "call" : fmt::format("call{}", variable.call);
        out += fmt::format(".{}", to_string(variable.call_field));
        break;
    case Variable::Kind::Number:
        out += 'n';
        break;
    case Variable::Kind::Row:
        out += fmt::format("row.{}", variable.name);
        break;
    case Variable::Kind::Env:
        out += fmt::format("env.{}", variable.name);
        break;
    }
    if (variable.plus > 0) {
        out += fmt::format("+{}", variable.plus);
    }
    out += '}';
}

void append(std::string& out, const Template& text, const std::vector<std::string>& party_names) {
    for (const auto& piece : text.pieces) {
        if (const auto* words = std::get_if<std::string>(&piece)) {
            out += *words;
        } else if (const auto* variable = std::get_if<Variable>(&piece)) {
            append(out, *variable, party_names);
        } else {
            out += '*';
        }
    }
}

} // namespace cw::script
