#include "script/sipp/convert.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/literal/draft.hpp"
#include "script/literal/order.hpp"
#include "script/literal/program.hpp"
#include "script/sipp/actions.hpp"
#include "script/sipp/message_text.hpp"
#include "script/utf8.hpp"

namespace cw::script::sipp {
namespace {

std::string_view phrase_of(std::string_view status) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 24> phrases{{
        {"100", "Trying"},
        {"180", "Ringing"},
        {"181", "Call Is Being Forwarded"},
        {"182", "Queued"},
        {"183", "Session Progress"},
        {"200", "OK"},
        {"202", "Accepted"},
        {"300", "Multiple Choices"},
        {"301", "Moved Permanently"},
        {"302", "Moved Temporarily"},
        {"400", "Bad Request"},
        {"401", "Unauthorized"},
        {"403", "Forbidden"},
        {"404", "Not Found"},
        {"407", "Proxy Authentication Required"},
        {"408", "Request Timeout"},
        {"480", "Temporarily Unavailable"},
        {"481", "Call/Transaction Does Not Exist"},
        {"486", "Busy Here"},
        {"487", "Request Terminated"},
        {"488", "Not Acceptable Here"},
        {"491", "Request Pending"},
        {"503", "Service Unavailable"},
        {"603", "Decline"},
    }};
    for (const auto& [known, phrase] : phrases) {
        if (known == status) {
            return phrase;
        }
    }
    return {};
}

// "1500" → "1500ms"; nothing for what is no number.
std::optional<std::string> milliseconds_of(std::string_view text) {
    const auto number = parse_number<std::uint32_t>(trim(text));
    if (!number || *number > 3'600'000'000U) {
        return std::nullopt;
    }
    std::string out;
    append(out, milliseconds(*number));
    return out;
}

bool is_true(std::string_view text) {
    return iequals(text, "true") || iequals(text, "yes") || text == "1";
}

// In what Mermaid shows: entities for what would end or cut the text.
std::string shown(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '#' || c == ';') {
            out += c == '#' ? "#35;" : "#59;";
        } else {
            out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
    }
    return out;
}

bool can_be_phrase(std::string_view text) {
    return text.find_first_of("()\"·") == std::string_view::npos;
}

// One literal party and its other end.
struct Cast {
    std::string self;
    std::string peer;
};

class Writer {
  public:
    explicit Writer(Conversion& out) : out_(out) {}

    void at(std::uint32_t line) { line_ = line; }
    void blank() {
        if (!out_.flow.ends_with("\n\n")) {
            put("");
        }
    }
    void say(std::string_view text) { put(fmt::format("{}{}", indent_, text)); }
    void beneath(std::string_view text) { put(fmt::format("{}%% {}", indent_, text)); }
    void deeper(bool more) { indent_.resize(more ? indent_.size() + 4 : indent_.size() - 4, ' '); }
    void head(std::string_view text) { put(text); }

  private:
    void put(std::string_view text) {
        // A text of the scenario may hold what has no place in a flow: the reader says so. What is
        // not UTF-8 is said as the octet that it is sent as.
        for (std::size_t at = 0; at < text.size();) {
            const auto letter = next_letter(text, at);
            if (!letter.valid) {
                out_.flow += fmt::format("\\x{:02X}", static_cast<unsigned char>(text[at]));
            } else if (text[at] == '\n' || text[at] == '\r') {
                out_.flow += ' ';
            } else {
                out_.flow += text.substr(at, letter.size);
            }
            at += letter.size;
        }
        out_.flow += '\n';
        out_.lines.push_back(line_);
    }
    Conversion& out_;
    std::uint32_t line_ = 1;
    std::string indent_ = "    ";
};

// The commands of one scenario, one after the other.
class Converter {
  public:
    Converter(Conversion& out, Writer& writer, Cast cast, std::uint32_t line_offset)
        : out_(out), writer_(writer), cast_(std::move(cast)), offset_(line_offset) {}

    void label_all(const Element& root) {
        for (const auto& one : root.children) {
            if (one.name == "label") {
                labels_.emplace(one.get("id"));
            }
        }
    }

    void convert(const Element& one) {
        writer_.at(line(one));
        if (one.name == "send") {
            convert_send(one);
        } else if (one.name == "recv") {
            convert_recv(one);
        } else if (one.name == "pause") {
            convert_pause(one);
        } else if (one.name == "nop") {
            convert_nop(one);
        } else if (one.name == "label") {
            note(fmt::format("stands at {}", one.get("id")));
        } else if (one.name == "init") {
            for (const auto& inner : one.children) {
                convert(inner);
            }
        } else if (one.name == "sendCmd" || one.name == "recvCmd") {
            refuse(one, fmt::format("<{}> speaks to another scenario: convert all together, as "
                                    "in convert A.xml B.xml -o both.mmd",
                                    one.name));
        } else if (std::ranges::find(silent, one.name) == silent.end()) {
            refuse(one, fmt::format("<{}> is no element of a scenario", one.name));
        }
    }

    void refuse(const Element& one, std::string what) {
        out_.refused.push_back({{line(one), one.place.column, 1, false}, std::move(what)});
    }
    [[nodiscard]] std::uint32_t line(const Element& one) const { return one.place.line + offset_; }
    [[nodiscard]] const Cast& cast() const { return cast_; }

    // <action>s, their orders.
    void say_actions(const Element& one) {
        for (const auto& child : one.children) {
            if (child.name != "action") {
                continue;
            }
            for (const auto& action : child.children) {
                writer_.at(line(action));
                auto order = order_of(action);
                if (!order) {
                    refuse(action, order.error());
                    continue;
                }
                for (const auto& text : *order) {
                    writer_.beneath(fmt::format("does: {}", text));
                }
            }
        }
        writer_.at(line(one));
    }

  private:
    // They mean nothing to a single performance: counters, tables, references.
    static constexpr std::array<std::string_view, 8> silent{
        "Reference",      "Global",
        "User",           "ResponseTimeRepartition",
        "timewait",       "CallLengthRepartition",
        "DefaultMessage", "note"};

    void note(std::string_view text) {
        writer_.say(fmt::format("Note over {}: {}", cast_.self, shown(text)));
    }

    void say_common(const Element& one) {
        if (const auto next = one.get("next"); !next.empty()) {
            std::string text = fmt::format("then: {}", next);
            if (const auto test = one.get("test"); !test.empty()) {
                text += fmt::format(" if {}", test);
            }
            if (const auto chance = one.get("chance"); !chance.empty()) {
                text += fmt::format(" {}%", percent_of(one, chance));
            }
            writer_.beneath(text);
        }
        if (const auto when = one.get("condexec"); !when.empty()) {
            writer_.beneath(fmt::format("when: {}{}",
                                        is_true(one.get("condexec_inverse")) ? "not " : "", when));
        }
        if (const auto lost = one.get("lost"); !lost.empty()) {
            writer_.beneath(fmt::format("lost: {}%", lost));
        }
        for (const std::string_view name : {"start_txn", "ack_txn", "response_txn"}) {
            if (const auto transaction = one.get(name); !transaction.empty()) {
                writer_.beneath(fmt::format("transaction: {}", transaction));
            }
        }
    }

    // "0.25" → "25".
    std::string percent_of(const Element& one, std::string_view chance) {
        const auto dot = chance.find('.');
        const auto whole = parse_number<std::uint32_t>(dot == 0 ? "0" : chance.substr(0, dot));
        auto digits =
            dot == std::string_view::npos ? std::string{} : std::string{chance.substr(dot + 1)};
        digits.resize(4, '0');
        const auto fraction = parse_number<std::uint32_t>(digits);
        if (!whole || !fraction || *whole > 1) {
            refuse(one, fmt::format("“{}” is no chance from 0 to 1", chance));
            return "100";
        }
        const auto hundredths = *whole * 10'000 + *fraction;
        return fmt::format("{}.{:02}", hundredths / 100, hundredths % 100);
    }

    void convert_send(const Element& one) {
        const auto lines = lines_of(one.text);
        Words words;
        if (lines.empty() || !read_start(lines.front(), words)) {
            refuse(one, "what is sent begins neither as a request nor as a response");
            return;
        }
        const auto message = read_message(lines);
        const auto status = parse_number<std::uint16_t>(words.status);
        const bool odd = words.method.empty() ? !status || *status < 100 || *status > 699
                                              : !can_be_method(words.method);
        bool described = false;
        std::vector<std::string> said;
        std::string drawn;
        if (odd) {
            refuse(one, "the method or status of what is sent is known only when it is sent");
            return;
        }
        const auto phrase = can_be_phrase(words.phrase) ? words.phrase : std::string{};
        Words shown_words = words;
        shown_words.phrase = phrase;
        said = say_message(habits_, shown_words, message, described);
        drawn =
            words.method.empty() ? fmt::format("{} {}", words.status, shown(phrase)) : words.method;
        while (drawn.ends_with(' ')) {
            drawn.pop_back();
        }
        if (described) {
            drawn += words.method.empty() || words.method == "ACK" || words.method == "PRACK"
                         ? " (SDP answer)"
                         : " (SDP offer)";
        }
        writer_.say(fmt::format("{}{}{}: {}", cast_.self, words.method.empty() ? "-->>" : "->>",
                                cast_.peer, drawn));
        for (const auto& text : said) {
            writer_.beneath(text);
        }
        say_common(one);
        say_actions(one);
    }

    static bool can_be_method(std::string_view word) {
        return !word.empty() && word.size() <= 32 && std::ranges::all_of(word, [](char c) {
            return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' || c == '-';
        });
    }

    // The first method that the expression takes; empty: none of those that are known.
    static std::string_view method_like(std::string_view expression) {
        const auto regex = literal::Regex::make(expression, false);
        const auto found = regex ? literal::methods_like(*regex) : std::vector<std::string_view>{};
        return found.empty() ? std::string_view{} : found.front();
    }

    void convert_recv(const Element& one) {
        const auto optional = one.get("optional");
        const bool perhaps = is_true(optional);
        const auto request = trim(one.get("request"));
        const auto response = trim(one.get("response"));
        std::string drawn;
        if (!response.empty()) {
            const auto status = parse_number<std::uint16_t>(response);
            if (!status || *status < 100 || *status > 699) {
                refuse(one, fmt::format("“{}” is no status", response));
                return;
            }
            drawn = fmt::format("{}-->>{}: {} {}", cast_.peer, cast_.self, response,
                                phrase_of(response));
        } else if (can_be_method(request)) {
            drawn = fmt::format("{}->>{}: {}", cast_.peer, cast_.self, request);
        } else if (const auto like =
                       is_true(one.get("regexp_match")) ? method_like(request) : std::string_view{};
                   !like.empty()) {
            drawn = fmt::format("{}->>{}: {}", cast_.peer, cast_.self, like);
        } else {
            refuse(one, request.empty() ? "a <recv> of nothing: neither request nor response"
                                        : fmt::format("“{}” is no method", request));
            return;
        }
        if (perhaps) {
            writer_.say("opt");
            writer_.deeper(true);
        }
        while (drawn.ends_with(' ')) {
            drawn.pop_back();
        }
        writer_.say(drawn);
        if (response.empty() && is_true(one.get("regexp_match"))) {
            writer_.beneath(fmt::format("method matches: {}", request));
        }
        if (iequals(optional, "global")) {
            writer_.beneath("any time");
        }
        if (is_true(one.get("rrs"))) {
            writer_.beneath("keeps route");
        }
        say_timeout(one);
        say_common(one);
        say_actions(one);
        if (perhaps) {
            writer_.deeper(false);
            writer_.say("end");
        }
    }

    void say_timeout(const Element& one) {
        const auto timeout = one.get("timeout");
        if (!timeout.empty() && timeout != "0") {
            if (const auto time = milliseconds_of(timeout)) {
                writer_.beneath(fmt::format("within {}", *time));
            } else {
                refuse(one, fmt::format("“{}” is no time in milliseconds", timeout));
            }
        }
        if (const auto label = one.get("ontimeout"); !label.empty()) {
            writer_.beneath(fmt::format("otherwise: {}", label));
        }
    }

    void convert_pause(const Element& one) {
        const auto said = pause_of(one);
        if (!said) {
            refuse(one, said.error());
            return;
        }
        note(*said);
        say_common(one);
        say_actions(one);
    }

    void convert_nop(const Element& one) {
        const bool acts = std::ranges::any_of(one.children, [](const Element& child) {
            return child.name == "action" && !child.children.empty();
        });
        const bool goes = !one.get("next").empty();
        if (!acts && !goes) {
            return;
        }
        note(acts ? "computes" : "goes on");
        say_common(one);
        say_actions(one);
    }

    Conversion& out_;
    Writer& writer_;
    Cast cast_;
    std::uint32_t offset_;
    literal::Habits habits_;
    std::set<std::string, std::less<>> labels_;
};

// "A scenario & its name" → what may stand between quotation marks in front matter.
std::string title_of(const Element& root, std::string_view name) {
    auto title = std::string{trim(root.get("name"))};
    if (title.empty()) {
        title = name;
    }
    std::erase_if(title, [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == '@';
    });
    if (title.size() > 200) {
        title.resize(200);
        while (!title.empty() && (static_cast<unsigned char>(title.back()) & 0x80U) != 0) {
            title.pop_back();
        }
    }
    return title.empty() ? "A scenario" : title;
}

std::optional<Document> read_document(std::string_view text, std::uint32_t offset,
                                      Conversion& out) {
    auto document = read_xml(text);
    if (!document) {
        auto note = std::move(document.error());
        note.place.line += offset;
        out.refused.push_back(std::move(note));
        return std::nullopt;
    }
    if (document->root.name != "scenario") {
        out.refused.push_back(
            {document->root.place, fmt::format("<{}> is no scenario", document->root.name)});
        return std::nullopt;
    }
    for (auto& note : document->repairs) {
        note.place.line += offset;
        out.notes.push_back(std::move(note));
    }
    return std::move(*document);
}

void put_front(Writer& writer, std::string_view title) {
    writer.head("---");
    writer.head(fmt::format("title: \"{}\"", title));
    writer.head("---");
    writer.head("sequenceDiagram");
    writer.say("autonumber");
}

bool sends_first(const Element& root) {
    for (const auto& one : root.children) {
        if (one.name == "send" || one.name == "recv") {
            return one.name == "send";
        }
    }
    return true;
}

// One scenario of several that speak to each other.
struct Side {
    const Element* root = nullptr;
    std::uint32_t offset = 0; // lines that stand before it
    std::string name;         // "left"; in the extended mode "master", "slave1"
};

bool is_command(const Element& one) {
    return one.name == "sendCmd" || one.name == "recvCmd";
}

// What others call the scenario by, in the extended mode: "From: slave1" in what it sends.
std::string own_name(const Element& root) {
    for (const auto& one : root.children) {
        if (one.name != "sendCmd") {
            continue;
        }
        for (const auto& line : lines_of(one.text)) {
            if (istarts_with(line, "From:")) {
                return std::string{trim(std::string_view{line}.substr(5))};
            }
        }
    }
    return {};
}

bool can_name_a_party(std::string_view text) {
    return !text.empty() && text.size() <= 32 && is_alpha(text.front()) &&
           std::ranges::all_of(text, [](char c) { return is_alpha(c) || is_digit(c) || c == '_'; });
}

// Names in the extended mode: each scenario says its own, and one that sends nothing has the name
// that is left of those the others use. Without names they are the two of a plain pair.
void name_sides(std::vector<Side>& sides) {
    std::vector<std::string_view> used;
    for (const auto& side : sides) {
        for (const auto& one : side.root->children) {
            const auto name = is_command(one) ? one.get(one.name == "sendCmd" ? "dest" : "src")
                                              : std::string_view{};
            if (!name.empty() && std::ranges::find(used, name) == used.end()) {
                used.push_back(name);
            }
        }
    }
    if (used.empty()) {
        sides[0].name = "left";
        sides[1].name = "right";
        return;
    }
    for (auto& side : sides) {
        const auto own = own_name(*side.root);
        const bool taken = std::ranges::find(sides, own, &Side::name) != sides.end();
        side.name = can_name_a_party(own) && !taken ? own : "";
    }
    for (auto& side : sides) {
        const auto is_free = [&](std::string_view name) {
            const bool its_peer = std::ranges::any_of(side.root->children, [&](const auto& one) {
                return is_command(one) && (one.get("dest") == name || one.get("src") == name);
            });
            return !its_peer && can_name_a_party(name) &&
                   std::ranges::find(sides, name, &Side::name) == sides.end();
        };
        if (const auto left = std::ranges::find_if(used, is_free);
            side.name.empty() && left != used.end()) {
            side.name = *left;
        }
    }
    for (std::size_t i = 0; i < sides.size(); ++i) {
        if (sides[i].name.empty()) {
            sides[i].name = fmt::format("scenario{}", i + 1);
        }
    }
}

// The scenarios, each up to where it has to hear from another one.
class Join {
  public:
    Join(Conversion& out, Writer& writer, const std::vector<Side>& sides) : writer_(writer) {
        for (const auto& side : sides) {
            const Cast cast{side.name, side.name + "_peer"};
            halves_.push_back({side.root, Converter{out, writer, cast, side.offset}, 0});
        }
    }

    void run() {
        for (auto& half : halves_) {
            half.converter.label_all(*half.root);
        }
        bool moved = true;
        while (moved) {
            moved = false;
            for (auto& half : halves_) {
                moved = advance(half) || moved;
            }
        }
        for (auto& half : halves_) {
            if (const auto* one = next_of(half)) {
                half.converter.refuse(*one, "the other scenario has nothing that answers this");
                return;
            }
        }
    }

  private:
    struct Half {
        const Element* root;
        Converter converter;
        std::size_t at;
    };

    static const Element* next_of(const Half& half) {
        return half.at < half.root->children.size() ? &half.root->children[half.at] : nullptr;
    }

    // All that stands before the next command.
    bool come_to_command(Half& half) {
        bool moved = false;
        for (const auto* one = next_of(half); one != nullptr && !is_command(*one);
             one = next_of(half)) {
            half.converter.convert(*one);
            ++half.at;
            moved = true;
        }
        return moved;
    }

    // Whom a <sendCmd> of `from` is for: whom it names; of a pair, the other one.
    Half* hearer(const Half& from, const Element& sent) {
        const auto dest = sent.get("dest");
        for (auto& half : halves_) {
            if (&half != &from &&
                (dest.empty() ? halves_.size() == 2 : half.converter.cast().self == dest)) {
                return &half;
            }
        }
        return nullptr;
    }

    // Up to a command that nobody says or hears yet.
    bool advance(Half& own) {
        bool moved = come_to_command(own);
        for (const auto* one = next_of(own); one != nullptr && one->name == "sendCmd";
             one = next_of(own)) {
            auto* other = hearer(own, *one);
            if (other == nullptr) {
                return moved;
            }
            moved = come_to_command(*other) || moved;
            const auto* heard = next_of(*other);
            const auto from = heard != nullptr ? heard->get("src") : std::string_view{};
            if (heard == nullptr || heard->name != "recvCmd" ||
                (!from.empty() && from != own.converter.cast().self)) {
                return moved;
            }
            tell(own, *one, *other, *heard);
            ++own.at;
            ++other->at;
            moved = true;
            come_to_command(own);
        }
        return moved;
    }

    void tell(Half& from, const Element& sent, Half& to, const Element& heard) {
        for (const auto* one : {&sent, &heard}) {
            if (!one->get("next").empty() || !one->get("optional").empty()) {
                from.converter.refuse(*one, "a command that branches");
            }
        }
        writer_.at(from.converter.line(sent));
        writer_.say(
            fmt::format("{}->>{}: COMMAND", from.converter.cast().self, to.converter.cast().self));
        for (const auto& line : lines_of(sent.text)) {
            writer_.beneath(line.empty() ? "|" : fmt::format("| {}", line));
        }
        to.converter.say_actions(heard);
    }

    Writer& writer_;
    std::vector<Half> halves_;
};

void finish(Conversion& out) {
    if (!out.ok()) {
        out.flow.clear();
        out.lines.clear();
        return;
    }
    // What the flow language cannot hold is refused here, with the place in the XML.
    const auto parsed = parse(out.flow);
    for (const auto& complaint : parsed.complaints) {
        if (!complaint.warning) {
            auto place = complaint.place;
            place.line = place.line >= 1 && place.line <= out.lines.size()
                             ? out.lines[place.line - 1]
                             : place.line;
            place.column = 1;
            out.refused.push_back(
                {place, complaint.expected.empty()
                            ? complaint.what
                            : fmt::format("{} ({})", complaint.what, complaint.expected)});
        }
    }
    if (!out.ok()) {
        out.flow.clear();
        out.lines.clear();
    }
}

} // namespace

bool is_scenario(std::string_view text) {
    if (text.starts_with("\xef\xbb\xbf")) {
        text.remove_prefix(3);
    }
    const auto begin = text.find_first_not_of(" \t\r\n");
    return begin != std::string_view::npos && text[begin] == '<';
}

Conversion convert(std::string_view text, std::string_view name) {
    Conversion out;
    const auto document = read_document(text, 0, out);
    if (!document) {
        return out;
    }
    Writer writer(out);
    const bool calls = sends_first(document->root);
    const Cast cast{calls ? "uac" : "uas", calls ? "uas" : "uac"};
    put_front(writer, title_of(document->root, name));
    const auto self =
        fmt::format("actor {} as {} (literal, UDP)", cast.self, calls ? "UAC" : "UAS");
    const auto peer =
        fmt::format("participant {} as {} (under test)", cast.peer, calls ? "UAS" : "UAC");
    writer.say(calls ? self : peer);
    writer.say(calls ? peer : self);
    writer.blank();
    Converter converter(out, writer, cast, 0);
    for (const auto& one : document->root.children) {
        converter.convert(one);
    }
    finish(out);
    return out;
}

Conversion convert_together(const std::vector<std::string>& texts, std::string_view name) {
    Conversion out;
    std::vector<std::optional<Document>> documents;
    std::vector<Side> sides;
    std::uint32_t offset = 0;
    for (const auto& text : texts) {
        documents.push_back(read_document(text, offset, out));
        sides.push_back({nullptr, offset, {}});
        offset += static_cast<std::uint32_t>(std::ranges::count(text, '\n') + 1);
    }
    if (sides.size() < 2 || !std::ranges::all_of(documents, &std::optional<Document>::has_value)) {
        return out;
    }
    for (std::size_t i = 0; i < sides.size(); ++i) {
        sides[i].root = &documents[i]->root;
    }
    name_sides(sides);
    Writer writer(out);
    put_front(writer, title_of(*sides[0].root, name));
    for (std::size_t i = 0; i < sides.size(); ++i) {
        auto shown = sides[i].name;
        shown[0] = static_cast<char>(shown[0] & ~0x20); // a letter
        const auto peer = fmt::format("participant {}_peer as Peer (under test)", sides[i].name);
        const auto self = fmt::format("actor {} as {} (literal, UDP)", sides[i].name, shown);
        writer.say(i == 0 ? peer : self); // the two of a pair stand beside each other
        writer.say(i == 0 ? self : peer);
    }
    writer.blank();
    Join(out, writer, sides).run();
    finish(out);
    return out;
}

Parsed read(std::string_view text, std::string_view name) {
    auto converted = convert(text, name);
    Parsed out;
    if (converted.ok()) {
        out = parse(converted.flow);
    }
    const auto place_in_xml = [&](Place& place) {
        if (place.line >= 1 && place.line <= converted.lines.size()) {
            place = {converted.lines[place.line - 1], 1, 0, place.after_blank};
        }
    };
    for (auto& step : out.plan.steps) {
        place_in_xml(step.place);
        if (auto* arrow = std::get_if<Arrow>(&step.what)) {
            place_in_xml(arrow->said);
        }
    }
    for (auto& party : out.plan.parties) {
        place_in_xml(party.place);
    }
    out.complaints.clear();
    for (auto& note : converted.notes) {
        out.complaints.push_back({note.place, true, std::move(note.what), {}, {}});
    }
    for (auto& note : converted.refused) {
        out.complaints.push_back({note.place, false, std::move(note.what), {}, {}});
    }
    return out;
}

} // namespace cw::script::sipp
