#include "script/reader.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/parse.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

constexpr std::size_t most_visible = 50'000; // Mermaid's maxTextSize

constexpr std::array<std::string_view, 23> reserved{
    "end",
    "and",
    "else",
    "option",
    "par",
    "alt",
    "opt",
    "loop",
    "note",
    "over",
    "box",
    "title",
    "actor",
    "participant",
    "create",
    "destroy",
    "critical",
    "break",
    "rect",
    "activate",
    "deactivate",
    "autonumber",
    "sequenceDiagram",
};
constexpr std::array<std::string_view, 4> once_reserved{"link", "links", "details", "properties"};

constexpr std::array<std::pair<std::string_view, BlockKind>, 9> blocks{{
    {"alt", BlockKind::Alt},
    {"else", BlockKind::Else},
    {"opt", BlockKind::Opt},
    {"loop", BlockKind::Loop},
    {"par", BlockKind::Par},
    {"and", BlockKind::And},
    {"critical", BlockKind::Critical},
    {"option", BlockKind::Option},
    {"break", BlockKind::Break},
}};
constexpr std::array<std::string_view, 7> decorations{"title", "accTitle", "accDescr",  "link",
                                                      "links", "details",  "properties"};

bool is_id_letter(char c) {
    return is_alpha(c) || is_digit(c) || c == '_' || c == '.';
}

std::string_view first_word(std::string_view text) {
    const auto end = std::ranges::find_if_not(text, is_alpha);
    return text.substr(0, static_cast<std::size_t>(end - text.begin()));
}

bool is_blank_line(std::string_view line) {
    return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

} // namespace

std::string_view take_id(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        const bool dash = text[at] == '-' && at > 0 && at + 1 < text.size() &&
                          is_id_letter(text[at + 1]) && text[at + 1] != 'x';
        if (!is_id_letter(text[at]) && !dash) {
            break;
        }
        ++at;
    }
    return text.substr(0, at);
}

bool is_reserved(std::string_view word) {
    const auto same = [&](std::string_view other) { return iequals(word, other); };
    return std::ranges::any_of(reserved, same) || std::ranges::any_of(once_reserved, same);
}

bool FlowReader::next_line(std::string_view& line) {
    if (at_ >= text_.size()) {
        return false;
    }
    const auto end = std::min(text_.find('\n', at_), text_.size());
    line = text_.substr(at_, end - at_);
    at_ = end + 1;
    ++number_;
    return true;
}

// Names first: a fact may speak of a party that is declared further down.
Names names_in(std::string_view flow, Names known) {
    bool front = false;
    for (std::size_t at = 0; at < flow.size();) {
        const auto end = std::min(flow.find('\n', at), flow.size());
        auto text = trim(flow.substr(at, end - at));
        if (text == "---" && (front || at == 0)) {
            front = !front;
        }
        at = end + 1;
        if (front) {
            continue;
        }
        if (istarts_with(text, "create ")) {
            text = trim(text.substr(6));
        }
        const auto word = first_word(text);
        if (!iequals(word, "actor") && !iequals(word, "participant")) {
            continue;
        }
        const auto id = take_id(trim(text.substr(word.size())));
        if (!id.empty() && !is_reserved(id) && !known.find(id) && known.size() < most_parties) {
            known.add(id);
        }
    }
    return known;
}

void FlowReader::read() {
    if (text_.size() > limit::text) {
        complaints_.error({1, 1, 0, false},
                          fmt::format("a flow of {} bytes is too large", text_.size()),
                          fmt::format("at most {}", limit::text));
        return;
    }
    if (text_.starts_with("\xef\xbb\xbf")) {
        complaints_.error({1, 1, 1, false}, "a byte-order mark hides the front matter from Mermaid",
                          "UTF-8 without a mark");
        text_.remove_prefix(3);
    }
    names_ = names_in(text_, std::move(names_));
    plan_.parties.resize(names_.size());
    declared_.resize(names_.size());
    active_.resize(names_.size());
    std::string_view line;
    while (!complaints_.is_full() && next_line(line)) {
        if (number_ == 1 && trim(line) == "---") {
            read_front(line);
        } else {
            read_line(line);
        }
        if (plan_.steps.size() > limit::steps || plan_.arrows > limit::arrows) {
            complaints_.error({number_, 1, 0, false}, "the flow is too long",
                              fmt::format("at most {} statements, {} of them arrows", limit::steps,
                                          limit::arrows));
            return;
        }
    }
    finish();
}

// The YAML before the diagram: only `title:` is read, the rest is kept as it stands.
void FlowReader::read_front(std::string_view first) {
    const Line opening(first, number_, false, complaints_);
    std::string_view line;
    while (next_line(line)) {
        if (trim(line) == "---") {
            if (plan_.front.empty()) {
                complaints_.error(opening.place(opening.text()),
                                  "Mermaid refuses front matter without a key",
                                  "title: and a text");
            }
            return;
        }
        if (line.size() > Line::longest || plan_.front.size() > 100) {
            complaints_.error({number_, 1, 0, false}, "too much front matter");
            return;
        }
        read_front_line(Line("%% " + std::string(line), number_, false, complaints_));
        auto& kept = plan_.front.emplace_back(line);
        kept.erase(kept.find_last_not_of(" \t\r") + 1);
    }
    complaints_.error(opening.place(opening.text()), "this front matter has no end",
                      "a second line “---”");
}

// `line` is a line of YAML after "%% ", so that no entity is sought in it.
void FlowReader::read_front_line(const Line& line) {
    constexpr std::size_t mark = 3;
    if (line.text().size() < mark) {
        return;
    }
    const auto text = line.text().substr(mark);
    const auto complain = [&](std::string_view at, const char* what, const char* expected) {
        auto place = line.place(at);
        place.column -= static_cast<std::uint32_t>(mark);
        complaints_.error(place, what, expected);
    };
    if (text.starts_with('\t')) {
        complain(text.substr(0, 1), "a tab cannot indent front matter", "blanks");
    }
    if (!text.starts_with("title:")) {
        return;
    }
    auto title = trim(text.substr(6));
    const bool quoted =
        title.size() >= 2 && (title[0] == '"' || title[0] == '\'') && title.back() == title[0];
    if (!plan_.title.empty()) {
        complain(text, "the title is there already", "one title");
    } else if (quoted) {
        title = title.substr(1, title.size() - 2);
    } else if (title.starts_with('@') || title.find(": ") != std::string_view::npos) {
        complain(title, "this title makes the whole picture fail", "the title in \"quotes\"");
    }
    plan_.title = title;
}

void FlowReader::read_line(std::string_view source) {
    if (is_blank_line(source)) {
        after_blank_ = true;
        if (beneath_ != Beneath::Nothing && begun_) {
            beneath_ = Beneath::Nothing;
        }
        return;
    }
    if (source.size() > Line::longest) {
        complaints_.error({number_, 1, 0, false}, "this line is too long",
                          fmt::format("at most {} bytes", Line::longest));
        return;
    }
    Line line(source, number_, after_blank_, complaints_);
    after_blank_ = false;
    if (!line.is_sound()) {
        return;
    }
    if (!line.is_comment()) {
        visible_ += line.text().size();
        read_statement(line);
    } else if (beneath_ == Beneath::Nothing) {
        complain_of_lost_demand(line);
        add(line, Decoration{std::string(line.text())});
    } else {
        read_beneath(line);
    }
}

// Behind a blank line stand comments, which demand nothing; a flow that seems to demand protection
// must not pass without it.
void FlowReader::complain_of_lost_demand(const Line& line) {
    const auto text = trim(line.text().substr(2));
    if (istarts_with(text, "pass:")) {
        complaints_.error(line.place(text), "this is a comment, as a blank line stands above it",
                          "“pass:” beneath sequenceDiagram, without a blank line between them");
    }
}

void FlowReader::read_beneath(const Line& line) {
    const auto fact = trim(line.text().substr(2));
    if (fact.empty()) {
        return;
    }
    switch (beneath_) {
    case Beneath::Flow:
        read_fact_beneath(scope(line), Subject::Flow, fact, plan_.settings);
        return;
    case Beneath::Party: {
        auto& party = plan_.parties[beneath_party_];
        read_fact_beneath(scope(line), Subject::Party, fact, party.facts);
        settle_control(party);
        return;
    }
    case Beneath::Arrow: {
        auto& arrow = std::get<Arrow>(plan_.steps.back().what);
        const bool channel = std::holds_alternative<Channel>(arrow.content);
        const bool media = std::holds_alternative<Media>(arrow.content);
        const auto subject = channel ? Subject::Channel : media ? Subject::Media : Subject::Message;
        read_fact_beneath(scope(line), subject, fact, arrow.facts);
        return;
    }
    case Beneath::Block:
        read_fact_beneath(scope(line), Subject::Block, fact,
                          std::get<Block>(plan_.steps.back().what).facts);
        return;
    case Beneath::Deed: {
        auto& act = std::get<Act>(plan_.steps.back().what);
        if (is_literal(plan_.parties[act.party])) {
            read_fact_beneath(scope(line), Subject::Message, fact, act.facts);
            return;
        }
        [[fallthrough]];
    }
    case Beneath::Nothing:
        complaints_.error(line.place(line.text()), "nothing can be said beneath an action",
                          "a blank line before a comment");
    }
}

bool FlowReader::read_first(const Line& line) {
    if (line.text() != "sequenceDiagram") {
        complaints_.error(line.place(line.text()), "a flow begins with “sequenceDiagram”",
                          "sequenceDiagram, alone on its line",
                          iequals(line.text(), "sequenceDiagram") ? "sequenceDiagram" : "");
        return false;
    }
    beneath_ = Beneath::Flow;
    return true;
}

void FlowReader::read_statement(Line& line) {
    if (!begun_) {
        begun_ = true; // one complaint about a missing beginning is enough
        if (read_first(line)) {
            return;
        }
    }
    const bool number = istarts_with(line.text(), "autonumber");
    beneath_ = number && beneath_ == Beneath::Flow ? Beneath::Flow : Beneath::Nothing;
    if (read_arrow(line)) {
        return;
    }
    read_keyword(line, first_word(line.text()));
}

void FlowReader::read_keyword(Line& line, std::string_view word) {
    const auto rest = trim(line.text().substr(word.size()));
    const auto is = [&](std::string_view other) { return iequals(word, other); };
    for (const auto& [name, kind] : blocks) {
        if (is(name)) {
            return is_section(kind) ? read_section(line, kind, rest) : read_block(line, kind, rest);
        }
    }
    if (is("actor") || is("participant")) {
        read_party(line, rest, is("actor"), false);
    } else if (is("create")) {
        read_created(line, rest);
    } else if (is("destroy")) {
        read_destroy(line, rest);
    } else if (is("note")) {
        read_note(line, rest);
    } else if (is("end")) {
        read_end(line, rest);
    } else if (is("box")) {
        read_box(line, rest);
    } else if (is("rect")) {
        read_rect(line, rest);
    } else if (is("activate") || is("deactivate")) {
        read_activation(line, rest, is("activate"));
    } else if (is("autonumber") || std::ranges::any_of(decorations, is)) {
        read_decoration(line, word);
    } else {
        complain_unknown(line);
    }
}

void FlowReader::read_decoration(const Line& line, std::string_view word) {
    const auto rest = trim(line.text().substr(word.size()));
    if (rest.ends_with('{') && iequals(word, "accDescr")) {
        read_description(line);
        return;
    }
    if (iequals(word, "link") || iequals(word, "links")) {
        const auto party = names_.find(trim(rest.substr(0, rest.find(':'))));
        if (party && plan_.parties[*party].actor) {
            complaints_.warning(line.place(rest),
                                "Mermaid 11 draws nothing at all where an actor has a link: it "
                                "wants a participant");
        }
    }
    if (iequals(word, "title") && plan_.title.empty()) {
        plan_.title = rest;
    }
    if (iequals(word, "autonumber")) {
        const auto words = split_words(rest);
        const bool off = words.size() == 1 && words[0] == "off";
        const auto first =
            words.empty() || off ? next_number_ : parse_number<std::uint32_t>(words[0]).value_or(0);
        const auto step =
            words.size() < 2 ? number_step_ : parse_number<std::uint32_t>(words[1]).value_or(0);
        if (words.size() > 2 || first == 0 || first > 1'000'000 || step == 0 || step > 1'000) {
            complaints_.error(line.place(rest), "autonumber does not count so",
                              "nothing, off, or a first number and a step");
            return;
        }
        next_number_ = first;
        number_step_ = step;
    }
    add(line, Decoration{std::string(line.text())});
}

// "accDescr {", lines of text, "}": for those who hear the picture.
void FlowReader::read_description(const Line& line) {
    std::string text{line.text()};
    std::string_view more;
    while (text.size() < Line::longest && next_line(more)) {
        const Line checked("%% " + std::string(more), number_, false, complaints_);
        text += "\n" + std::string(more.substr(0, more.find_last_not_of(" \t\r") + 1));
        if (text.ends_with('}')) {
            add(line, Decoration{std::move(text)});
            return;
        }
    }
    complaints_.error(line.place(line.text()), "this description has no end",
                      "“}” at the end of a line");
}

void FlowReader::complain_unknown(const Line& line) {
    const auto text = line.text();
    const auto id = take_id(text);
    const auto rest = trim(text.substr(id.size()));
    if (!id.empty() && !rest.empty() && std::string_view{"-<=>~"}.contains(rest[0])) {
        complaints_.error(
            line.place(rest.substr(0, rest.find_first_of(" \tabcdefghijklmnopqrstuvwxyz"))),
            "this arrow is not one of the language",
            "->>, -->>, <<->>, <<-->>, -x, --x, -) or --)");
        return;
    }
    const auto word = first_word(text);
    std::vector<std::string_view> known(reserved.begin(), reserved.end());
    complaints_.error(line.place(word.empty() ? text : word), "this is not a line of the language",
                      "an arrow, actor, participant, Note, a block, end, or %% before a comment",
                      std::string(nearest(word, known)));
}

void FlowReader::finish() {
    if (!begun_ && !complaints_.any_error()) {
        complaints_.error({std::max(number_, 1U), 1, 0, false}, "there is no flow in this file",
                          "sequenceDiagram");
    }
    for (const auto& block : blocks_) {
        complaints_.error(block.place, "this block has no “end”", "end, on a line of its own");
    }
    if (created_) {
        complaints_.error(created_at_, "nothing goes to the party that is created here",
                          "an arrow to it, directly after");
    }
    if (destroyed_) {
        complaints_.error(created_at_, "nothing goes to or from the party that is destroyed here",
                          "an arrow to or from it, directly after");
    }
    if (visible_ > most_visible) {
        complaints_.warning(
            {1, 1, 0, false},
            fmt::format("Mermaid draws no more than {} characters; this flow has {}", most_visible,
                        visible_));
    }
}

} // namespace cw::script
