#include "script/sipp/actions.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/literal/order.hpp"
#include "script/value.hpp"

namespace cw::script::sipp {
namespace {

using Orders = std::expected<std::vector<std::string>, std::string>;
using literal::quoted;

std::unexpected<std::string> cannot(std::string what) {
    return std::unexpected{std::move(what)};
}

bool is_yes(std::string_view text) {
    return iequals(text, "true") || text == "1" || iequals(text, "yes");
}

std::string without_spaces(std::string_view text) {
    std::string out{text};
    std::erase_if(out, [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; });
    return out;
}

std::optional<double> decimal_of(std::string_view text) {
    text = trim(text);
    double out = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    return read.ec == std::errc{} && read.ptr == text.data() + text.size() && std::isfinite(out)
               ? std::optional{out}
               : std::nullopt;
}

// The number of `value`, or the variable that `variable` names.
std::optional<std::string> operand_of(const Element& action, std::string_view value,
                                      std::string_view variable) {
    if (const auto* text = action.find(value)) {
        if (trim(*text).empty()) {
            return "0";
        }
        const auto number = decimal_of(*text);
        return number ? std::optional{fmt::format("{}", *number)} : std::nullopt;
    }
    const auto name = action.get(variable);
    return name.empty() ? std::nullopt : std::optional{fmt::format("${}", name)};
}

Orders take(const Element& action) {
    const auto into = without_spaces(action.get("assign_to"));
    const auto in = action.get("search_in");
    const auto* expression = action.find("regexp");
    if (expression == nullptr || into.empty()) {
        return cannot("<ereg> without regexp and assign_to");
    }
    std::string out = fmt::format("take {} from ", into);
    if (in == "hdr") {
        out += fmt::format("header {}", quoted(action.get("header"), '"'));
    } else if (in == "var") {
        out += fmt::format("variable {}", quoted(action.get("variable"), '"'));
    } else if (in == "body") {
        out += "body";
    } else if (in.empty() || in == "msg") {
        out += "message";
    } else {
        return cannot(fmt::format("search_in=\"{}\"", in));
    }
    for (const std::string_view name : {"occurrence", "occurence"}) {
        if (const auto number = parse_number<std::uint32_t>(trim(action.get(name)));
            number && *number > 1) {
            out += fmt::format(" occurrence {}", *number);
            break;
        }
    }
    out += is_yes(action.get("start_line")) ? " at line start" : "";
    out += is_yes(action.get("case_indep")) ? " ignoring case" : "";
    out += is_yes(action.get("check_it"))           ? " that must match"
           : is_yes(action.get("check_it_inverse")) ? " that must not match"
                                                    : "";
    out += fmt::format(" by {}", quoted(*expression, '/'));
    return std::vector{std::move(out)};
}

Orders calculate(const Element& action, char sign) {
    const auto into = action.get("assign_to");
    const auto with = operand_of(action, "value", "variable");
    if (into.empty() || !with) {
        return cannot(fmt::format("<{}> needs assign_to and a number or a variable", action.name));
    }
    return std::vector{fmt::format("let {} {} {}", into, sign, *with)};
}

Orders compare(const Element& action) {
    const auto into = action.get("assign_to");
    const auto what = action.get("variable");
    const auto other = action.get("variable2");
    if (into.empty() || what.empty()) {
        return cannot("<strcmp> needs assign_to and variable");
    }
    const auto with = other.empty() ? quoted(action.get("value"), '"') : fmt::format("${}", other);
    return std::vector{fmt::format("compare {} with {} into {}", what, with, into)};
}

Orders test(const Element& action) {
    const auto into = action.get("assign_to");
    const auto what = action.get("variable");
    const auto with = operand_of(action, "value", "variable2");
    const auto how = action.get("compare");
    if (into.empty() || what.empty() || how.empty() || !with) {
        return cannot("<test> needs assign_to, variable, compare and a number or a variable");
    }
    return std::vector{fmt::format("test {} {} {} into {}", what, how, *with, into)};
}

// By distribution, what its numbers are called.
struct Kind {
    std::string_view name;
    const char* first;
    const char* second;
};
constexpr std::array<Kind, 8> kinds{{{"uniform", "min", "max"},
                                     {"normal", "mean", "stdev"},
                                     {"lognormal", "mean", "stdev"},
                                     {"exponential", "mean", ""},
                                     {"weibull", "lambda", "k"},
                                     {"pareto", "k", "x_m"},
                                     {"gamma", "k", "theta"},
                                     {"negbin", "p", "n"}}};

// <sample distribution="uniform" min="1" max="9">
Orders sample(const Element& action) {
    const auto into = without_spaces(action.get("assign_to"));
    const auto name = action.get("distribution");
    if (name == "fixed") {
        return calculate(action, '=');
    }
    const auto* kind = std::ranges::find(kinds, name, &Kind::name);
    if (into.empty() || kind == kinds.end()) {
        return cannot(fmt::format("<sample> of distribution=\"{}\"", name));
    }
    const auto first = decimal_of(action.get(kind->first));
    const auto second =
        kind->second[0] == '\0' ? std::optional{0.0} : decimal_of(action.get(kind->second));
    if (!first || !second) {
        return cannot(fmt::format("<sample distribution=\"{}\"> without its {} {}", name,
                                  kind->first, kind->second));
    }
    return std::vector{fmt::format("sample {} {} {} {}", into, name, *first, *second)};
}

Orders execute(const Element& action) {
    std::vector<std::string> out;
    for (const auto& [name, value] : action.attributes) {
        if (name == "rtp_stream") {
            out.push_back(fmt::format("stream {}", quoted(value, '"')));
        } else if (name == "rtp_echo") {
            out.push_back(fmt::format("echo {}", quoted(value, '"')));
        } else if (name.starts_with("play_pcap_")) {
            out.push_back(fmt::format("replay {}", quoted(value, '"')));
        } else if (name == "play_dtmf") {
            out.push_back(fmt::format("stream {}", quoted("dtmf " + value, '"')));
        } else if (name == "int_cmd") {
            if (value != "stop_now" && value != "stop_gracefully" && value != "stop_call") {
                return cannot(fmt::format("int_cmd=\"{}\"", value));
            }
            // What is graceful lets the call at hand go on; the others end it, and not as passed.
            if (value != "stop_gracefully") {
                out.push_back(fmt::format("fail \"{}\"", value));
            }
        } else if (name == "command" || name == "verify") {
            return cannot("a program is not started from a flow");
        } else {
            return cannot(fmt::format("exec {}", name));
        }
    }
    return out;
}

Orders said(std::string_view verb, const Element& action) {
    return std::vector{fmt::format("{} {}", verb, quoted(action.get("message"), '"'))};
}

} // namespace

Orders order_of(const Element& action) {
    constexpr std::array<std::pair<std::string_view, char>, 6> sums{{{"assign", '='},
                                                                     {"add", '+'},
                                                                     {"subtract", '-'},
                                                                     {"sub", '-'},
                                                                     {"multiply", '*'},
                                                                     {"divide", '/'}}};
    const auto& name = action.name;
    for (const auto& [known, sign] : sums) {
        if (name == known) {
            return calculate(action, sign);
        }
    }
    const auto into = without_spaces(action.get("assign_to"));
    if (name == "ereg") {
        return take(action);
    }
    if (name == "assignstr") {
        return std::vector{fmt::format("set {} to {}", into, quoted(action.get("value"), '"'))};
    }
    if (name == "strcmp") {
        return compare(action);
    }
    if (name == "test") {
        return test(action);
    }
    if (name == "todouble") {
        return std::vector{fmt::format("number {} into {}", action.get("variable"), into)};
    }
    if (name == "trim") {
        return std::vector{fmt::format("trim {}", into)};
    }
    if (name == "insert") {
        return std::vector{fmt::format("insert {} in {}", quoted(action.get("value"), '"'),
                                       quoted(action.get("file"), '"'))};
    }
    if (name == "replace") {
        return std::vector{
            fmt::format("replace row {} of {} with {}", quoted(action.get("line"), '"'),
                        quoted(action.get("file"), '"'), quoted(action.get("value"), '"'))};
    }
    if (name == "setdest") {
        return std::vector{fmt::format("send to {} {} by {}", quoted(action.get("host"), '"'),
                                       quoted(action.get("port"), '"'),
                                       quoted(action.get("protocol"), '"'))};
    }
    if (name == "closecon") {
        return std::vector{std::string{"close connection"}};
    }
    if (name == "sample") {
        return sample(action);
    }
    if (name == "log" || name == "warning") {
        return said("log", action);
    }
    if (name == "error") {
        return said("fail", action);
    }
    if (name == "exec") {
        return execute(action);
    }
    if (name == "rtp_echo") {
        return std::vector{fmt::format("echo {}", quoted(action.get("value"), '"'))};
    }
    if (name == "jump") {
        const auto where = operand_of(action, "value", "variable");
        return where ? Orders{std::vector{fmt::format("jump to {}", *where)}}
                     : cannot("<jump> needs a value or a variable");
    }
    if (name == "verifyauth") {
        return std::vector{fmt::format("check digest of {} {} into {}",
                                       quoted(action.get("username"), '"'),
                                       quoted(action.get("password"), '"'), into)};
    }
    if (name == "lookup") {
        return std::vector{fmt::format("look up {} in {} into {}", quoted(action.get("key"), '"'),
                                       quoted(action.get("file"), '"'), into)};
    }
    if (name == "gettimeofday") {
        return std::vector{fmt::format("clock into {}", into)};
    }
    return cannot(fmt::format("<{}>: this action is not known here", name));
}

std::expected<std::string, std::string> pause_of(const Element& pause) {
    const auto time = [&](std::string_view name) -> std::optional<std::string> {
        const auto number = decimal_of(pause.get(name));
        if (!number || *number < 0 || *number > 3.6e9) {
            return std::nullopt;
        }
        std::string out;
        append(out, milliseconds(static_cast<std::int64_t>(*number)));
        return out;
    };
    if (const auto variable = pause.get("variable"); !variable.empty()) {
        return fmt::format("pauses ${}", variable);
    }
    if (pause.find("milliseconds") != nullptr) {
        const auto fixed = time("milliseconds");
        return fixed ? std::expected<std::string, std::string>{"waits " + *fixed}
                     : cannot(fmt::format("milliseconds=\"{}\"", pause.get("milliseconds")));
    }
    auto kind = std::string{pause.get("distribution")};
    for (const std::string_view old :
         {"normal", "exponential", "lognormal", "weibull", "pareto", "gamma", "negbin"}) {
        if (kind.empty() && pause.find(old) != nullptr) {
            kind = old;
        }
    }
    if (kind.empty() && pause.find("min") != nullptr) {
        kind = "uniform";
    }
    const auto said = [&](const char* first,
                          const char* second) -> std::expected<std::string, std::string> {
        const auto a = time(first);
        const auto b = second[0] != '\0' ? time(second) : std::optional<std::string>{""};
        if (!a || !b) {
            return cannot(
                fmt::format("distribution=\"{}\" without its {} and {}", kind, first, second));
        }
        return fmt::format("pauses {} {}{}{}", kind, *a, b->empty() ? "" : " ", *b);
    };
    if (kind.empty()) {
        return "pauses default";
    }
    if (kind == "fixed") {
        const auto fixed = time("value");
        return fixed ? std::expected<std::string, std::string>{"waits " + *fixed}
                     : cannot("distribution=\"fixed\" without its value");
    }
    const auto* known = std::ranges::find(kinds, kind, &Kind::name);
    if (known == kinds.end()) {
        return cannot(fmt::format("distribution=\"{}\"", kind));
    }
    if (kind == "uniform" || kind == "normal" || kind == "exponential") {
        return said(known->first, known->second);
    }
    // Of these not all numbers are times.
    const auto first = decimal_of(pause.get(known->first));
    const auto second = decimal_of(pause.get(known->second));
    return first && second && *first >= 0 && *second >= 0
               ? std::expected<std::string, std::string>{fmt::format("pauses {} {} {}", kind,
                                                                     *first, *second)}
               : cannot(fmt::format("distribution=\"{}\" without its {} and {}", kind, known->first,
                                    known->second));
}

} // namespace cw::script::sipp
