#include "script/literal/order.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/text.hpp"

namespace cw::script::literal {
namespace {

using Made = std::expected<Order, std::string>;

std::unexpected<std::string> wrong(std::string_view why) {
    return std::unexpected{std::string{why}};
}

// The words of an order, from left to right.
class Words {
  public:
    explicit Words(std::string_view text) : text_(trim(text)) {}

    std::string_view next() {
        const auto word = text_.substr(0, text_.find_first_of(" \t"));
        text_ = trim(text_.substr(word.size()));
        return word;
    }
    bool take(std::string_view words) {
        if (!text_.starts_with(words) ||
            (text_.size() > words.size() && !is_blank(text_[words.size()]))) {
            return false;
        }
        text_ = trim(text_.substr(words.size()));
        return true;
    }
    // "text", up to the next mark that no backslash stands before.
    std::optional<std::string> quoted_text(char mark) {
        if (!text_.starts_with(mark)) {
            return std::nullopt;
        }
        std::string out;
        for (std::size_t at = 1; at < text_.size(); ++at) {
            if (text_[at] == mark) {
                text_ = trim(text_.substr(at + 1));
                return out;
            }
            if (text_[at] == '\\' && at + 1 < text_.size()) {
                const char c = text_[++at];
                const std::string_view named = "nrt";
                if (const auto which = named.find(c); which != std::string_view::npos) {
                    out += "\n\r\t"[which];
                    continue;
                }
                out += c == mark ? "" : "\\";
                out += c;
                continue;
            }
            out += text_[at];
        }
        return std::nullopt;
    }
    [[nodiscard]] bool empty() const { return text_.empty(); }

  private:
    std::string_view text_;
};

std::vector<std::string> list_of(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty() && out.size() < 32) {
        const auto comma = text.find(',');
        out.emplace_back(trim(text.substr(0, comma)));
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    return out;
}

std::optional<Operand> operand_of(std::string_view word) {
    if (word.starts_with('$') && word.size() > 1) {
        return Operand{std::string{word.substr(1)}};
    }
    double number = 0;
    const auto* end = word.data() + word.size();
    const auto read = std::from_chars(word.data(), end, number);
    return read.ec == std::errc{} && read.ptr == end ? std::optional{Operand{number}}
                                                     : std::nullopt;
}

Made take(Words words) {
    Take out;
    out.into = list_of(words.next());
    if (out.into.empty() || !words.take("from")) {
        return wrong("take NAME from message, body, header or variable");
    }
    const auto where = words.next();
    if (where == "header" || where == "variable") {
        out.from = where == "header" ? Take::From::Header : Take::From::Variable;
        auto name = words.quoted_text('"');
        if (!name || name->empty()) {
            return wrong("a name in \"quotes\"");
        }
        out.name = *name;
    } else if (where == "body") {
        out.from = Take::From::Body;
    } else if (where != "message") {
        return wrong("take NAME from message, body, header or variable");
    }
    while (!words.take("by")) {
        if (words.take("at line start")) {
            out.line_start = true;
        } else if (words.take("ignoring case")) {
            out.ignore_case = true;
        } else if (words.take("that must not match")) {
            out.must = Take::Must::NotMatch;
        } else if (words.take("that must match")) {
            out.must = Take::Must::Match;
        } else if (words.take("occurrence")) {
            const auto number = parse_number<std::uint32_t>(words.next());
            if (!number || *number == 0 || *number > 1000) {
                return wrong("a number after 'occurrence'");
            }
            out.occurrence = *number;
        } else {
            return wrong("by /EXPRESSION/");
        }
    }
    const auto expression = words.quoted_text('/');
    if (!expression || !words.empty()) {
        return wrong("by /EXPRESSION/, at the end");
    }
    auto regex = Regex::make(*expression, out.ignore_case);
    if (!regex) {
        return std::unexpected{regex.error()};
    }
    out.regex = std::move(*regex);
    return out;
}

Made set_text(Words words) {
    SetText out;
    out.into = words.next();
    const bool to = words.take("to");
    const auto text = words.quoted_text('"');
    if (out.into.empty() || !to || !text || !words.empty()) {
        return wrong("set NAME to \"TEXT\"");
    }
    out.text = parse_text(*text);
    return out;
}

Made calculate(Words words) {
    Calculate out;
    out.into = words.next();
    const auto sign = words.next();
    const auto with = operand_of(words.next());
    if (sign.size() != 1 || std::string_view{"=+-*/"}.find(sign[0]) == std::string_view::npos ||
        !with || !words.empty()) {
        return wrong("let NAME = NUMBER, or +, -, *, / and a number or $NAME");
    }
    out.sign = sign[0];
    out.with = *with;
    return out;
}

Made compare(Words words) {
    Compare out;
    out.what = words.next();
    const bool with = words.take("with");
    if (auto text = words.quoted_text('"')) {
        out.with = parse_text(*text);
    } else {
        const auto name = words.next();
        if (!name.starts_with('$')) {
            return wrong("compare NAME with \"TEXT\" or $OTHER into NAME");
        }
        out.with = std::string{name.substr(1)};
    }
    const bool into = words.take("into");
    out.into = words.next();
    if (out.what.empty() || !with || !into || out.into.empty() || !words.empty()) {
        return wrong("compare NAME with \"TEXT\" or $OTHER into NAME");
    }
    return out;
}

Made test(Words words) {
    constexpr std::array<std::string_view, 6> hows{
        "equal", "not_equal", "greater_than", "less_than", "greater_than_equal", "less_than_equal"};
    Test out;
    out.what = words.next();
    const auto how = words.next();
    const auto* found = std::ranges::find(hows, how);
    const auto with = operand_of(words.next());
    const bool into = words.take("into");
    out.into = words.next();
    if (found == hows.end() || !with || !into || out.into.empty() || !words.empty()) {
        return wrong("test NAME equal, not_equal, greater_than, less_than, greater_than_equal or "
                     "less_than_equal NUMBER into NAME");
    }
    out.how = static_cast<Test::How>(found - hows.begin());
    out.with = *with;
    return out;
}

Made check_digest(Words words) {
    const bool of = words.take("digest of");
    const auto user = words.quoted_text('"');
    const auto password = words.quoted_text('"');
    const bool into = words.take("into");
    const auto name = words.next();
    if (!of || !user || !password || !into || name.empty() || !words.empty()) {
        return wrong("check digest of \"USER\" \"PASSWORD\" into NAME");
    }
    return CheckDigest{parse_text(*user), parse_text(*password), std::string{name}};
}

Made look_up(Words words) {
    const bool up = words.take("up");
    const auto key = words.quoted_text('"');
    const bool in = words.take("in");
    const auto file = words.quoted_text('"');
    const bool into = words.take("into");
    const auto name = words.next();
    if (!up || !key || !in || !file || !into || name.empty() || !words.empty()) {
        return wrong("look up \"KEY\" in \"FILE\" into NAME");
    }
    return LookUp{parse_text(*key), parse_text(*file), std::string{name}};
}

Made insert(Words words) {
    const auto row = words.quoted_text('"');
    const bool in = words.take("in");
    const auto file = words.quoted_text('"');
    if (!row || !in || !file || !words.empty()) {
        return wrong("insert \"A;B;C\" in \"FILE\"");
    }
    return Insert{parse_text(*row), parse_text(*file)};
}

Made replace(Words words) {
    const bool which = words.take("row");
    const auto number = words.quoted_text('"');
    const bool of = words.take("of");
    const auto file = words.quoted_text('"');
    const bool with = words.take("with");
    const auto row = words.quoted_text('"');
    if (!which || !number || !of || !file || !with || !row || !words.empty()) {
        return wrong("replace row \"NUMBER\" of \"FILE\" with \"A;B;C\"");
    }
    return Replace{parse_text(*number), parse_text(*file), parse_text(*row)};
}

Made send_to(Words words) {
    const bool to = words.take("to");
    const auto host = words.quoted_text('"');
    const auto port = words.quoted_text('"');
    const bool by = words.take("by");
    const auto transport = words.quoted_text('"');
    if (!to || !host || !port || !by || !transport || !words.empty()) {
        return wrong("send to \"HOST\" \"PORT\" by \"TRANSPORT\"");
    }
    return SendTo{parse_text(*host), parse_text(*port), parse_text(*transport)};
}

Made trim_text(Words words) {
    const auto what = words.next();
    if (what.empty() || !words.empty()) {
        return wrong("trim NAME");
    }
    return Trim{std::string{what}};
}

template <class T>
Made said(Words words) {
    const auto text = words.quoted_text('"');
    if (!text || !words.empty()) {
        return wrong("a \"TEXT\" and nothing after it");
    }
    return T{parse_text(*text)};
}

Made sound(Words words, Sound::How how) {
    auto what = words.quoted_text('"');
    if (!what || !words.empty()) {
        return wrong("a \"NAME\" and nothing after it");
    }
    return Sound{how, std::move(*what)};
}

Made number(Words words) {
    const auto what = words.next();
    const bool into = words.take("into");
    const auto name = words.next();
    if (what.empty() || !into || name.empty() || !words.empty()) {
        return wrong("number NAME into NAME");
    }
    return ToNumber{std::string{what}, std::string{name}};
}

Made sample(Words words) {
    Sample out;
    out.into = words.next();
    const auto kind = words.next();
    const auto found = distribution_of(kind);
    const auto first = operand_of(words.next());
    const auto second = words.empty() ? std::optional{Operand{0.0}} : operand_of(words.next());
    const auto number = [](const std::optional<Operand>& operand) {
        return operand && std::holds_alternative<double>(*operand);
    };
    if (out.into.empty() || !found || !number(first) || !number(second) || !words.empty()) {
        return wrong("sample NAME uniform 1 9, normal 5 1, lognormal 1 0.5, exponential 5, weibull "
                     "5 2, pareto 2 5, gamma 2 5 or negbin 0.5 4");
    }
    out.from = *found;
    out.first = std::get<double>(*first);
    out.second = std::get<double>(*second);
    return out;
}

Made jump(Words words) {
    const bool to = words.take("to");
    const auto where = operand_of(words.next());
    if (!to || !where || !words.empty()) {
        return wrong("jump to NUMBER or $NAME");
    }
    return Jump{*where};
}

} // namespace

std::optional<Sample::From> distribution_of(std::string_view name) {
    constexpr std::array<std::string_view, 8> kinds{"uniform", "normal", "lognormal", "exponential",
                                                    "weibull", "pareto", "gamma",     "negbin"};
    const auto* found = std::ranges::find(kinds, name);
    return found == kinds.end() ? std::nullopt
                                : std::optional{static_cast<Sample::From>(found - kinds.begin())};
}

Made parse_order(std::string_view text) {
    Words words{text};
    const auto verb = words.next();
    if (verb == "take") {
        return take(words);
    }
    if (verb == "set") {
        return set_text(words);
    }
    if (verb == "let") {
        return calculate(words);
    }
    if (verb == "compare") {
        return compare(words);
    }
    if (verb == "test") {
        return test(words);
    }
    if (verb == "number") {
        return number(words);
    }
    if (verb == "sample") {
        return sample(words);
    }
    if (verb == "log") {
        return said<Log>(words);
    }
    if (verb == "fail") {
        return said<Fail>(words);
    }
    if (verb == "trim") {
        return trim_text(words);
    }
    if (verb == "insert") {
        return insert(words);
    }
    if (verb == "replace") {
        return replace(words);
    }
    if (verb == "send") {
        return send_to(words);
    }
    if (verb == "close" && words.take("connection") && words.empty()) {
        return CloseConnection{};
    }
    if (verb == "stop" && words.empty()) {
        return Stop{};
    }
    if (verb == "jump") {
        return jump(words);
    }
    if (verb == "check") {
        return check_digest(words);
    }
    if (verb == "look") {
        return look_up(words);
    }
    if (verb == "clock" && words.take("into")) {
        auto into = list_of(words.next());
        return into.size() == 2 && words.empty() ? Made{Clock{std::move(into)}}
                                                 : wrong("clock into SECONDS,MICROSECONDS");
    }
    if (verb == "stream" || verb == "echo" || verb == "replay") {
        return sound(words, verb == "stream" ? Sound::How::Stream
                            : verb == "echo" ? Sound::How::Echo
                                             : Sound::How::Replay);
    }
    return wrong(
        "take, set, let, compare, test, number, trim, sample, log, fail, stop, jump, check "
        "digest, look up, insert, replace row, send to, close connection, clock, stream, "
        "echo or replay");
}

std::string quoted(std::string_view text, char mark) {
    std::string out(1, mark);
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\n' || c == '\r' || c == '\t') {
            out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
        } else if (c == mark) {
            out += '\\';
            out += c;
        } else if (c == '\\' && at + 1 < text.size()) {
            out += c; // a backslash before the mark is that of the quotation
            out += text[++at];
        } else if (c == '\\' && at + 1 == text.size()) {
            out += "\\\\";
        } else {
            out += c;
        }
    }
    out += mark;
    return out;
}

} // namespace cw::script::literal
