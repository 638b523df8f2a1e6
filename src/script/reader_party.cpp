#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/reader.hpp"
#include "script/words.hpp"

namespace cw::script {

// Complains when `id` is not the name of a party that was declared above.
std::optional<PartyId> FlowReader::read_name(const Line& line, std::string_view id) {
    const auto party = names_.find(id);
    if (party && declared_[*party]) {
        return party;
    }
    const auto views = names_.views();
    const auto place = line.place(id);
    if (is_reserved(id)) {
        complaints_.error(place, fmt::format("“{}” is a word of Mermaid and cannot be a name", id),
                          "another name; the label after “as” may say anything");
    } else if (party) {
        complaints_.error(place, fmt::format("“{}” is declared only further down", id),
                          "its actor or participant line above its first use");
    } else {
        complaints_.error(place, fmt::format("“{}” was never declared", id),
                          "the name of an actor or a participant", std::string(nearest(id, views)));
    }
    return std::nullopt;
}

void FlowReader::read_party(const Line& line, std::string_view rest, bool actor, bool created) {
    const auto id = take_id(rest);
    const auto after = rest.substr(id.size());
    const auto word = rest.substr(0, rest.find_first_of(" \t\n"));
    if (id.empty() || (!after.empty() && !is_blank(after[0]) && after[0] != '\n')) {
        complaints_.error(line.place(word.empty() ? rest : word),
                          fmt::format("“{}” cannot be a name in Mermaid", word),
                          after.starts_with("-x") ? "no “-x” in a name: that is an arrow"
                                                  : "letters, digits, “_”, “.” and “-”; a label "
                                                    "after “as” may hold anything");
        return;
    }
    if (is_reserved(id)) {
        complaints_.error(line.place(id),
                          fmt::format("“{}” is a word of Mermaid and cannot be a name", id),
                          "another name; the label after “as” may say anything");
        return;
    }
    const auto party_id = names_.find(id);
    if (!party_id) {
        complaints_.error(line.place(id), "too many parties",
                          fmt::format("at most {}", most_parties));
        return;
    }
    if (declared_[*party_id]) {
        complaints_.error(line.place(id), fmt::format("“{}” is declared already", id),
                          "one line for each party");
        return;
    }
    declared_[*party_id] = true;
    auto& party = plan_.parties[*party_id];
    party.id = id;
    party.actor = actor;
    party.created = created;
    party.place = line.place(id);
    if (!blocks_.empty() && blocks_.back().kind == BlockKind::Box) {
        party.network = std::get<Block>(plan_.steps[blocks_.back().begin].what).label;
    }
    read_label(line, trim(after), party);
    settle_control(party);
    add(line, Declare{*party_id});
    beneath_ = Beneath::Party;
    beneath_party_ = *party_id;
    if (created) {
        created_ = party_id;
        created_at_ = line.place(line.text());
    }
}

// "as Park server<br/>(under test)".
void FlowReader::read_label(const Line& line, std::string_view text, Party& party) {
    if (text.empty()) {
        return;
    }
    const auto label = trim(text.substr(std::min<std::size_t>(text.size(), 2)));
    if (!istarts_with(text, "as") || (text.size() > 2 && !is_blank(text[2])) || label.empty()) {
        complaints_.error(line.place(text), "this does not belong after a name",
                          "as and a label, or nothing");
        return;
    }
    const auto parts = divide(label);
    if (parts.fault != Divided::Fault::None) {
        complaints_.error(line.place(parts.fault_at), "this parenthesis has no partner",
                          "(facts) at the end of the label");
        return;
    }
    party.label = parts.head;
    if (parts.has_facts) {
        const auto gap = label.substr(parts.head.size());
        party.facts_below =
            !parts.head.empty() && gap.substr(0, gap.find('(')).find('\n') != gap.npos;
        read_facts(scope(line), Subject::Party, parts.facts, party.facts);
    }
}

// An actor is played, a participant is a server of ours, unless its facts say otherwise.
void FlowReader::settle_control(Party& party) {
    if (says(party.facts, Word::UnderTest) || find<At>(party.facts) != nullptr) {
        party.control = Control::External;
    } else {
        const bool played = party.actor || says(party.facts, Word::Played);
        party.control = played ? Control::Played : Control::Embedded;
    }
    if (says(party.facts, Word::Played) && party.control == Control::External) {
        complaints_.error(party.facts.back().place, "a party is either played or under test",
                          "one of the two");
    }
}

void FlowReader::read_created(const Line& line, std::string_view rest) {
    for (const std::string_view word : {"actor", "participant"}) {
        if (istarts_with(rest, word) && rest.size() > word.size() && is_blank(rest[word.size()])) {
            return read_party(line, trim(rest.substr(word.size())), word == "actor", true);
        }
    }
    complaints_.error(line.place(rest), "only a party can be created", "actor or participant");
}

void FlowReader::read_destroy(const Line& line, std::string_view rest) {
    if (const auto party = read_name(line, rest)) {
        add(line, Destroy{*party});
        destroyed_ = party;
        created_at_ = line.place(line.text());
    }
}

void FlowReader::read_activation(const Line& line, std::string_view rest, bool on) {
    if (const auto party = read_name(line, rest)) {
        activate(line, rest, *party, on);
        add(line, Decoration{std::string(line.text())});
    }
}

void FlowReader::activate(const Line& line, std::string_view at, PartyId party, bool on) {
    if (on) {
        ++active_[party];
    } else if (active_[party] > 0) {
        --active_[party];
    } else {
        complaints_.error(line.place(at), "Mermaid refuses to deactivate what is not active",
                          "an activate or “+” above");
    }
}

} // namespace cw::script
