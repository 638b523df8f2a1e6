#include "script/facts.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

constexpr bool is_token(char c) {
    return is_alpha(c) || is_digit(c) ||
           std::string_view("-.!%*_+`'~").find(c) != std::string_view::npos;
}

// "Require" of "Require: 100rel"; empty where no field name stands before a colon.
std::string_view field_name(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon > 60 ||
        !std::ranges::all_of(text.substr(0, colon), is_token)) {
        return {};
    }
    return text.substr(0, colon);
}

bool is_custom(std::string_view name) {
    return istarts_with(name, "X-") && name.size() > 2;
}

bool check_name(const Scope& scope, std::string_view name) {
    if (sip::header_id(name) != sip::HeaderId::Other || is_custom(name)) {
        return true;
    }
    std::vector<std::string_view> known;
    for (std::size_t i = 1; i < sip::header_id_count; ++i) {
        known.push_back(to_string(static_cast<sip::HeaderId>(i)));
    }
    scope.complaints.error(
        scope.line.place(name), fmt::format("no SIP header is called “{}”", name),
        "a header field; those of your own begin with X-", std::string(nearest(name, known)));
    return false;
}

// Takes ", no ck, no ik" off the end of a header's value.
std::vector<std::string> take_absent(std::string_view& value) {
    const auto parts = split_facts(value);
    std::vector<std::string> out;
    for (std::size_t i = parts.size(); i-- > 0;) {
        const auto name = parts[i].starts_with("no ") ? trim(parts[i].substr(3)) : "";
        if (name.empty() || !std::ranges::all_of(name, is_token)) {
            break;
        }
        out.insert(out.begin(), std::string(name));
        value = i == 0
                    ? std::string_view{}
                    : value.substr(0, static_cast<std::size_t>(parts[i - 1].data() +
                                                               parts[i - 1].size() - value.data()));
    }
    return out;
}

std::optional<FactValue> read_header(const Scope& scope, std::string_view name,
                                     std::string_view value) {
    if (!check_name(scope, name)) {
        return std::nullopt;
    }
    Header out{.id = sip::header_id(name),
               .name = std::string(name),
               .absent = false,
               .value = {},
               .without = {}};
    out.without = take_absent(value);
    auto text = read_template(scope, value);
    if (!text) {
        return std::nullopt;
    }
    out.value = std::move(*text);
    return out;
}

bool is_sdp(std::string_view text) {
    return text.size() >= 2 && text[0] >= 'a' && text[0] <= 'z' && text[1] == '=';
}

std::optional<FactValue> read_sdp(const Scope& scope, std::string_view text, bool absent) {
    if (std::string_view("abceikmoprstuvyz").find(text[0]) == std::string_view::npos) {
        scope.complaints.error(scope.line.place(text.substr(0, 1)), "no line of an SDP begins so",
                               "m=, a=, c= or another line of RFC 8866");
        return std::nullopt;
    }
    auto value = read_template(scope, text.substr(2));
    if (!value) {
        return std::nullopt;
    }
    return SdpLine{text[0], absent, std::move(*value)};
}

std::optional<FactValue> read_absent(const Scope& scope, std::string_view name) {
    if (is_sdp(name)) {
        return read_sdp(scope, name, true);
    }
    if (!check_name(scope, name)) {
        return std::nullopt;
    }
    return Header{.id = sip::header_id(name),
                  .name = std::string(name),
                  .absent = true,
                  .value = {},
                  .without = {}};
}

std::optional<FactValue> read_any(const Scope& scope, Subject subject, std::string_view text) {
    if (subject == Subject::Message && text.starts_with('|')) {
        // A line of a message, as it stands; one blank after the bar is ours.
        text.remove_prefix(text.starts_with("| ") ? 2 : 1);
        return Said{Said::About::Line, std::string(text)};
    }
    if (subject == Subject::Message && !is_fact(scope.names, subject, text)) {
        if (const auto name = field_name(text); !name.empty() && name != "body") {
            return read_header(scope, name, trim(text.substr(name.size() + 1)));
        }
        if (is_sdp(text)) {
            return read_sdp(scope, text, false);
        }
        const auto words = split_words(text);
        if (words.size() == 2 && words[0] == "no") {
            return read_absent(scope, words[1]);
        }
        if (words.size() > 2 && words[0] == "no" && is_sdp(words[1])) {
            return read_sdp(scope, trim(text.substr(3)), true);
        }
        // "Max-Forwards 70"
        if (words.size() > 1 && words[0].contains('-') &&
            sip::header_id(words[0]) != sip::HeaderId::Other) {
            scope.complaints.error(
                scope.line.place(words[0]),
                fmt::format("“{}” is a header field without its colon", words[0]),
                fmt::format("{}: and its value", words[0]));
            return std::nullopt;
        }
    }
    return read_fact(scope, subject, text);
}

// May be said more than once: fields, SDP lines, the gaps of a loop, roles, variables.
bool may_repeat(const FactValue& value) {
    return std::holds_alternative<Header>(value) || std::holds_alternative<SdpLine>(value) ||
           std::holds_alternative<Gap>(value) || std::holds_alternative<Set>(value) ||
           std::holds_alternative<InRole>(value) ||
           (std::holds_alternative<Said>(value) &&
            (std::get<Said>(value).about == Said::About::Line ||
             std::get<Said>(value).about == Said::About::Does));
}

bool is_said(const Facts& facts, const FactValue& value) {
    return std::ranges::any_of(facts, [&](const Fact& fact) {
        const auto* word = std::get_if<Word>(&value);
        const auto* said = std::get_if<Said>(&value);
        const auto* encrypted = std::get_if<Encrypted>(&value);
        return fact.value.index() == value.index() && !may_repeat(value) &&
               (word == nullptr || *word == std::get<Word>(fact.value)) &&
               (said == nullptr || said->about == std::get<Said>(fact.value).about) &&
               (encrypted == nullptr ||
                encrypted->recipient == std::get<Encrypted>(fact.value).recipient);
    });
}

// "call 1, replaces call 2" is "call 1 replaces call 2"; two lines of `pass:` ask for both.
bool joins(const FactValue& value, Facts& out) {
    if (const auto* more = std::get_if<Pass>(&value)) {
        for (auto& fact : out) {
            if (auto* pass = std::get_if<Pass>(&fact.value)) {
                pass->criteria.insert(pass->criteria.end(), more->criteria.begin(),
                                      more->criteria.end());
                pass->demands.insert(pass->demands.end(), more->demands.begin(),
                                     more->demands.end());
                return true;
            }
        }
        return false;
    }
    const auto* one = std::get_if<InCall>(&value);
    if (one == nullptr) {
        return false;
    }
    for (auto& fact : out) {
        if (auto* other = std::get_if<InCall>(&fact.value);
            other != nullptr && (other->call == 0) != (one->call == 0) &&
            (other->replaces == 0) != (one->replaces == 0)) {
            other->call += one->call;
            other->replaces += one->replaces;
            return true;
        }
    }
    return false;
}

void add(const Scope& scope, Subject subject, std::string_view text, bool beneath, Facts& out) {
    const auto place = scope.line.place(text);
    const bool lines = text.starts_with('|') || text.starts_with("does:");
    if (out.size() >= (lines ? most_lines : most_facts) + (lines ? 0 : most_lines)) {
        scope.complaints.error(place, "too many facts about one statement",
                               fmt::format("at most {}", lines ? most_lines : most_facts));
        return;
    }
    auto value = read_any(scope, subject, text);
    if (!value) {
        return;
    }
    if (joins(*value, out)) {
        return;
    }
    if (is_said(out, *value)) {
        scope.complaints.error(place,
                               fmt::format("“{}”: a fact of this kind is there already", text),
                               "each kind of fact once");
        return;
    }
    out.push_back({place, beneath, std::move(*value)});
}

} // namespace

void read_facts(const Scope& scope, Subject subject, std::string_view text, Facts& out) {
    for (const auto part : split_facts(text)) {
        if (part.empty()) {
            scope.complaints.error(scope.line.place(text), "a fact is missing here",
                                   "facts with commas between, or no parentheses");
            return;
        }
        add(scope, subject, part, false, out);
    }
}

void read_fact_beneath(const Scope& scope, Subject subject, std::string_view text, Facts& out) {
    add(scope, subject, text, true, out);
}

} // namespace cw::script
