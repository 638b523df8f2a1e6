#include "flow/filter.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <optional>

#include <fmt/format.h>

#include "base/nearest.hpp"
#include "base/text.hpp"

namespace cw::flow {
namespace {

using Field = Filter::Field;
using Operator = Filter::Operator;

struct FieldName {
    std::string_view name;
    Field field;
};

// The first name of each field is the one that help texts print.
constexpr std::array field_names{
    FieldName{"method", Field::Method},
    FieldName{"sip.Method", Field::Method},
    FieldName{"status", Field::Status},
    FieldName{"code", Field::Status},
    FieldName{"sip.Status-Code", Field::Status},
    FieldName{"from", Field::From},
    FieldName{"sip.from.addr", Field::From},
    FieldName{"sip.from.user", Field::From},
    FieldName{"to", Field::To},
    FieldName{"sip.to.addr", Field::To},
    FieldName{"sip.to.user", Field::To},
    FieldName{"number", Field::Number},
    FieldName{"user", Field::Number},
    FieldName{"call-id", Field::CallId},
    FieldName{"callid", Field::CallId},
    FieldName{"sip.Call-ID", Field::CallId},
    FieldName{"state", Field::State},
    FieldName{"kind", Field::Kind},
    FieldName{"host", Field::Host},
    FieldName{"ip", Field::Host},
    FieldName{"address", Field::Host},
    FieldName{"ip.addr", Field::Host},
    FieldName{"ipv6.addr", Field::Host},
    FieldName{"port", Field::Port},
    FieldName{"udp.port", Field::Port},
    FieldName{"tcp.port", Field::Port},
    FieldName{"transport", Field::Transport},
    FieldName{"time", Field::Time},
    FieldName{"start", Field::Time},
    FieldName{"duration", Field::Duration},
    FieldName{"messages", Field::Messages},
    FieldName{"codec", Field::Codec},
};

// The words of a closed set: all values from `first` to `last`.
template <class Value>
std::vector<std::string_view> words_of(Value first, Value last) {
    std::vector<std::string_view> out;
    for (auto v = static_cast<int>(first); v <= static_cast<int>(last); ++v) {
        out.push_back(to_string(static_cast<Value>(v)));
    }
    return out;
}

// What a field's value can be; empty where it can be any text.
std::vector<std::string_view> known_values(Field field) {
    if (field == Field::Method) {
        return words_of(sip::Method::Invite, sip::Method::Update);
    }
    if (field == Field::State) {
        return words_of(State::Trying, State::Failed);
    }
    if (field == Field::Kind) {
        return words_of(Kind::Call, Kind::Other);
    }
    if (field == Field::Transport) {
        return words_of(Transport::Udp, Transport::Hep);
    }
    return {};
}

std::vector<std::string_view> known_fields() {
    std::vector<std::string_view> out;
    for (auto before = Field::Any; const auto& each : field_names) {
        if (each.field != before) { // its first name
            out.push_back(each.name);
        }
        before = each.field;
    }
    return out;
}

// "udp, tcp or tls; did you mean tls?": all words, and the one that `found` begins or is like.
std::string one_of(const std::vector<std::string_view>& words, std::string_view found) {
    std::string lower;
    for (const char c : found) {
        lower += ascii_lower(c);
    }
    std::vector<std::string> known; // compared without case
    std::string out;
    for (std::size_t i = 0; i < words.size(); ++i) {
        out += i == 0 ? "" : i + 1 == words.size() ? " or " : ", ";
        out += words[i];
        auto& word = known.emplace_back();
        for (const char c : words[i]) {
            word += ascii_lower(c);
        }
    }
    const std::vector<std::string_view> views{known.begin(), known.end()};
    const auto begins_alike = [&](std::string_view word) { // "reg", "register": registration
        const auto same =
            static_cast<std::size_t>(std::ranges::mismatch(word, lower).in1 - word.begin());
        return same == lower.size() ? same > 0 : same >= 3 && 2 * same > lower.size();
    };
    auto like = std::ranges::find(views, nearest(lower, views));
    if (like == views.end() || std::ranges::any_of(views, begins_alike)) {
        like = std::ranges::find_if(views, begins_alike);
    }
    if (like != views.end()) {
        out += fmt::format("; did you mean {}?",
                           words[static_cast<std::size_t>(like - views.begin())]);
    }
    return out;
}

bool is_numeric(Field field) {
    return field == Field::Status || field == Field::Port || field == Field::Time ||
           field == Field::Duration || field == Field::Messages;
}

bool icontains(std::string_view text, std::string_view part) {
    const auto same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
    return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

// "10:00", "10:00:30.5" as seconds of the day.
std::optional<double> time_of_day(std::string_view text) {
    double total = 0;
    double unit = 3600;
    while (true) {
        const auto colon = text.find(':');
        const auto part = parse_number<double>(text.substr(0, colon));
        if (!part || *part < 0 || unit < 1) {
            return std::nullopt;
        }
        total += *part * unit;
        unit /= 60;
        if (colon == std::string_view::npos) {
            return unit < 60 ? std::optional{total} : std::nullopt; // hours alone are no time
        }
        text.remove_prefix(colon + 1);
    }
}

// "2026-05-01", "2026-05-01T10:00:00Z" as seconds since 1970.
std::optional<double> date_time(std::string_view text) {
    if (text.size() < 10 || text[4] != '-' || text[7] != '-') {
        return std::nullopt;
    }
    const auto year = parse_number<int>(text.substr(0, 4));
    const auto month = parse_number<unsigned>(text.substr(5, 2));
    const auto day = parse_number<unsigned>(text.substr(8, 2));
    if (!year || !month || !day) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{std::chrono::year{*year}, std::chrono::month{*month},
                                           std::chrono::day{*day}};
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
    auto rest = text.substr(10);
    double seconds_of_day = 0;
    if (!rest.empty()) {
        rest.remove_prefix(1); // 'T' or a blank
        if (rest.ends_with('Z')) {
            rest.remove_suffix(1);
        }
        const auto clock = time_of_day(rest);
        if (!clock) {
            return std::nullopt;
        }
        seconds_of_day = *clock;
    }
    return static_cast<double>(days) * 86400 + seconds_of_day;
}

template <class T>
bool relate(const T& a, Operator op, const T& b) {
    switch (op) {
    case Operator::Equal:
    case Operator::Contains:
        return a == b;
    case Operator::NotEqual:
        return a != b;
    case Operator::Less:
        return a < b;
    case Operator::LessEqual:
        return a <= b;
    case Operator::Greater:
        return a > b;
    case Operator::GreaterEqual:
        return a >= b;
    }
    return false;
}

bool relate_text(std::string_view text, Operator op, std::string_view value) {
    switch (op) {
    case Operator::Equal:
        return iequals(text, value);
    case Operator::NotEqual:
        return !iequals(text, value);
    case Operator::Contains:
        return icontains(text, value);
    case Operator::Less:
    case Operator::LessEqual:
    case Operator::Greater:
    case Operator::GreaterEqual:
        return relate(text, op, value);
    }
    return false;
}

// The user part of "sip:user@host"; equality with a number means the user alone.
std::string_view user_of(std::string_view uri) {
    const auto colon = uri.find(':');
    const auto at = uri.find('@');
    if (colon == std::string_view::npos || at == std::string_view::npos || at < colon) {
        return {};
    }
    return uri.substr(colon + 1, at - colon - 1);
}

bool relate_party(std::string_view uri, std::string_view name, Operator op,
                  std::string_view value) {
    if (op == Operator::Contains) {
        return icontains(uri, value) || icontains(name, value);
    }
    const bool equal = iequals(uri, value) || iequals(user_of(uri), value) || iequals(name, value);
    return op == Operator::Equal ? equal : !equal;
}

// `!=` asks that no element is equal; every other operator, that one element fits.
template <class Range, class Test>
bool any_fits(const Range& range, Operator op, const Test& test) {
    if (op == Operator::NotEqual) {
        return std::ranges::none_of(range, [&](const auto& e) { return test(e, Operator::Equal); });
    }
    return std::ranges::any_of(range, [&](const auto& e) { return test(e, op); });
}

} // namespace

class FilterParser {
  public:
    FilterParser(std::string_view text, std::string* expected) : text_(text), expected_(expected) {}

    Result<Filter> parse() {
        const auto root = either();
        if (!root) {
            return std::unexpected(root.error());
        }
        skip_blanks();
        if (at_ < text_.size()) {
            return complain("'and', 'or' or the end", "text follows that is not understood");
        }
        filter_.root_ = *root;
        return std::move(filter_);
    }

  private:
    using Node = Filter::Node;
    static constexpr int deepest = 64;

    Result<std::uint32_t> either() {
        return chain(&FilterParser::both, Filter::Kind::Or, "or", "||");
    }
    Result<std::uint32_t> both() {
        return chain(&FilterParser::one, Filter::Kind::And, "and", "&&");
    }

    Result<std::uint32_t> chain(Result<std::uint32_t> (FilterParser::*part)(), Filter::Kind kind,
                                std::string_view word, std::string_view sign) {
        auto left = (this->*part)();
        while (left && (take_word(word) || take_sign(sign))) {
            const auto right = (this->*part)();
            if (!right) {
                return right;
            }
            left = add({.kind = kind, .value = {}, .left = *left, .right = *right});
        }
        return left;
    }

    Result<std::uint32_t> one() {
        if (++depth_ > deepest) {
            return complain("fewer parentheses", "nested too deeply");
        }
        auto result = one_inside();
        --depth_;
        return result;
    }

    Result<std::uint32_t> one_inside() {
        if (take_word("not") || (peek() == '!' && take_sign("!"))) {
            const auto inner = one();
            if (!inner) {
                return inner;
            }
            return add({.kind = Filter::Kind::Not, .value = {}, .left = *inner});
        }
        if (take_sign("(")) {
            const auto inner = either();
            if (!inner) {
                return inner;
            }
            if (!take_sign(")")) {
                return complain("')'", "a parenthesis is not closed");
            }
            return inner;
        }
        return comparison();
    }

    Result<std::uint32_t> comparison() {
        skip_blanks();
        const auto begin = at_;
        bool quoted = false;
        const auto word = value(quoted);
        if (!word) {
            return std::unexpected(word.error());
        }
        const auto op = quoted ? std::nullopt : take_operator();
        if (!op) {
            return add({.value = std::string{*word}}); // a bare word
        }
        const auto known = std::ranges::find_if(
            field_names, [&](const FieldName& f) { return iequals(f.name, *word); });
        if (known == field_names.end()) {
            at_ = begin;
            return complain(one_of(known_fields(), *word), "no such field");
        }
        skip_blanks();
        const auto value_at = at_;
        const auto operand = value(quoted);
        if (!operand) {
            return std::unexpected(operand.error());
        }
        Node node{.field = known->field, .op = *op, .value = std::string{*operand}};
        if (is_numeric(node.field) && !to_number(node)) {
            at_ = value_at;
            return complain(node.field == Field::Time
                                ? "a time (10:00, 10:00:30) or a date (2026-05-01T10:00)"
                                : "a number",
                            "not a value for this field");
        }
        if (const auto expected = expected_word(node); !expected.empty()) {
            at_ = value_at;
            return complain(expected, "not a value for this field");
        }
        return add(std::move(node));
    }

    // What should stand where `node` has a value that no call can have: it would find nothing, and
    // the person would believe that there is nothing. Empty when the value is one.
    static std::string expected_word(const Node& node) {
        const bool part = node.op == Operator::Contains;
        if (node.field == Field::Host) {
            return part || IpAddress::parse(node.value)
                       ? std::string{}
                       : "an address (192.0.2.1 or 2001:db8::1); ~ takes a part of one";
        }
        const auto words = known_values(node.field);
        const bool known = std::ranges::any_of(words, [&](std::string_view word) {
            return part ? icontains(word, node.value) : iequals(word, node.value);
        });
        // Any token can be a method [RFC 3261 §7.1]: ~ finds those that are not registered.
        const bool open = node.field == Field::Method;
        if (words.empty() || known || (part && open)) {
            return {};
        }
        return one_of(words, node.value) + (open ? " (~ takes any other)" : "");
    }

    static bool to_number(Node& node) {
        if (node.field == Field::Time) {
            const auto clock = time_of_day(node.value);
            const auto date = clock ? clock : date_time(node.value);
            node.time_of_day = clock.has_value();
            node.number = date.value_or(0);
            return date.has_value();
        }
        std::string_view text = node.value;
        if (node.field == Field::Duration && text.ends_with('s')) {
            text.remove_suffix(1);
        }
        const auto number = parse_number<double>(text);
        node.number = number.value_or(0);
        return number.has_value();
    }

    // A word or a quoted text.
    Result<std::string_view> value(bool& quoted) {
        skip_blanks();
        const auto quote = peek();
        quoted = quote == '"' || quote == '\'';
        if (quoted) {
            const auto end = text_.find(quote, at_ + 1);
            if (end == std::string_view::npos) {
                note("a closing quote");
                return fail(Code::Usage, at_, "a quote is not closed");
            }
            const auto inside = text_.substr(at_ + 1, end - at_ - 1);
            at_ = end + 1;
            return inside;
        }
        const auto begin = at_;
        while (at_ < text_.size() &&
               std::string_view{" \t()=!<>~&|"}.find(text_[at_]) == std::string_view::npos) {
            ++at_;
        }
        if (at_ == begin) {
            note("a field, a value or '('");
            return fail(Code::Usage, at_, "something is missing here");
        }
        return text_.substr(begin, at_ - begin);
    }

    std::optional<Operator> take_operator() {
        constexpr std::array signs{
            std::pair{std::string_view{"=="}, Operator::Equal},
            std::pair{std::string_view{"!="}, Operator::NotEqual},
            std::pair{std::string_view{"<="}, Operator::LessEqual},
            std::pair{std::string_view{">="}, Operator::GreaterEqual},
            std::pair{std::string_view{"<"}, Operator::Less},
            std::pair{std::string_view{">"}, Operator::Greater},
            std::pair{std::string_view{"~"}, Operator::Contains},
            std::pair{std::string_view{"="}, Operator::Equal},
        };
        for (const auto& [sign, op] : signs) {
            if (take_sign(sign)) {
                return op;
            }
        }
        return take_word("contains") ? std::optional{Operator::Contains} : std::nullopt;
    }

    bool take_sign(std::string_view sign) {
        skip_blanks();
        if (!text_.substr(at_).starts_with(sign)) {
            return false;
        }
        at_ += sign.size();
        return true;
    }
    bool take_word(std::string_view word) {
        skip_blanks();
        const auto rest = text_.substr(at_);
        if (!istarts_with(rest, word) ||
            (rest.size() > word.size() && !is_blank(rest[word.size()]) &&
             rest[word.size()] != '(')) {
            return false;
        }
        at_ += word.size();
        return true;
    }
    [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
    void skip_blanks() {
        while (at_ < text_.size() && is_blank(text_[at_])) {
            ++at_;
        }
    }
    std::uint32_t add(Node node) {
        filter_.nodes_.push_back(std::move(node));
        return static_cast<std::uint32_t>(filter_.nodes_.size() - 1);
    }
    void note(std::string_view expected) {
        if (expected_ != nullptr) {
            *expected_ = expected;
        }
    }
    std::unexpected<Error> complain(std::string_view expected, const char* what) {
        note(expected);
        return fail(Code::Usage, at_, what);
    }

    std::string_view text_;
    std::string* expected_;
    std::size_t at_ = 0;
    int depth_ = 0;
    Filter filter_;
};

Result<Filter> Filter::parse(std::string_view text, std::string* expected) {
    return FilterParser{text, expected}.parse();
}

bool Filter::matches(const Call& call) const {
    return holds(root_, call);
}

bool Filter::holds(std::uint32_t index, const Call& call) const {
    const auto& node = nodes_[index];
    switch (node.kind) {
    case Kind::Compare:
        return compare(node, call);
    case Kind::And:
        return holds(node.left, call) && holds(node.right, call);
    case Kind::Or:
        return holds(node.left, call) || holds(node.right, call);
    case Kind::Not:
        return !holds(node.left, call);
    }
    return false;
}

bool Filter::compare(const Node& node, const Call& call) {
    const std::string_view value = node.value;
    const auto op = node.op;
    const auto from = [&](Operator o) {
        return any_fits(call.legs, o, [&](const Leg& leg, Operator each) {
            return relate_party(call.text(leg.from), call.text(leg.from_name), each, value);
        });
    };
    const auto to = [&](Operator o) {
        return any_fits(call.legs, o, [&](const Leg& leg, Operator each) {
            return relate_party(call.text(leg.to), call.text(leg.to_name), each, value);
        });
    };
    const auto call_id = [&] {
        return any_fits(call.legs, op, [&](const Leg& leg, Operator each) {
            return relate_text(call.text(leg.call_id), each, value);
        });
    };
    switch (node.field) {
    case Field::Any:
        return from(op) || to(op) || call_id();
    case Field::Method:
        return any_fits(call.messages, op, [&](const Message& m, Operator each) {
            return m.status == 0 && relate_text(call.text(m.method_text), each, value);
        });
    case Field::Status:
        return any_fits(call.messages, op, [&](const Message& m, Operator each) {
            return m.status != 0 && relate(static_cast<double>(m.status), each, node.number);
        });
    case Field::From:
        return from(op);
    case Field::To:
        return to(op);
    case Field::Number:
        return op == Operator::NotEqual ? from(op) && to(op) : from(op) || to(op);
    case Field::CallId:
        return call_id();
    case Field::State:
        return relate_text(to_string(call.state), op, value);
    case Field::Kind:
        return relate_text(to_string(call.kind), op, value);
    case Field::Host:
        return any_fits(call.messages, op, [&](const Message& m, Operator each) {
            if (each == Operator::Equal) { // an IPv6 address can be written in many ways
                const auto address = IpAddress::parse(value);
                return address &&
                       (m.source.address == *address || m.destination.address == *address);
            }
            return relate_text(cw::to_string(m.source.address), each, value) ||
                   relate_text(cw::to_string(m.destination.address), each, value);
        });
    case Field::Port:
        return any_fits(call.messages, op, [&](const Message& m, Operator each) {
            return relate(static_cast<double>(m.source.port), each, node.number) ||
                   relate(static_cast<double>(m.destination.port), each, node.number);
        });
    case Field::Transport:
        return any_fits(call.messages, op, [&](const Message& m, Operator each) {
            return relate_text(to_string(m.transport), each, value);
        });
    case Field::Time: {
        const auto t = static_cast<double>(call.start.ns) / 1e9;
        const auto day = t - 86400.0 * static_cast<double>(call.start.ns / 86'400'000'000'000);
        return relate(node.time_of_day ? day : t, op, node.number);
    }
    case Field::Duration:
        return relate(call.duration_s, op, node.number);
    case Field::Messages:
        return relate(static_cast<double>(call.messages.size()), op, node.number);
    case Field::Codec:
        return any_fits(call.streams, op, [&](const MediaStream& s, Operator each) {
            return relate_text(call.text(s.codec), each, value);
        });
    }
    return false;
}

} // namespace cw::flow
