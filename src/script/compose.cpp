#include "script/compose.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "script/meaning.hpp"
#include "script/reader.hpp"

namespace cw::script {
namespace {

void mark(Facts& facts, std::uint8_t file) {
    for (auto& fact : facts) {
        fact.place.file = file;
    }
}

// Every place of the plan is in that file.
void mark(Plan& plan, std::uint8_t file) {
    mark(plan.settings, file);
    for (auto& party : plan.parties) {
        party.place.file = file;
        mark(party.facts, file);
    }
    for (auto& step : plan.steps) {
        step.place.file = file;
        if (auto* arrow = std::get_if<Arrow>(&step.what)) {
            arrow->said.file = file;
            mark(arrow->facts, file);
        } else if (auto* block = std::get_if<Block>(&step.what)) {
            mark(block->facts, file);
        }
    }
}

void move_down(Step& step, StepId by) {
    if (auto* block = std::get_if<Block>(&step.what)) {
        block->next += by;
        block->end += by;
    } else if (auto* end = std::get_if<End>(&step.what)) {
        end->begin += by;
    }
}

bool has_kind(const Facts& facts, const Fact& fact) {
    return std::ranges::any_of(
        facts, [&](const Fact& own) { return own.value.index() == fact.value.index(); });
}

// What the later flow says of a party counts; what it leaves unsaid is as it was before.
void join_party(Party& party, const Party& before, const std::string& file,
                Complaints& complaints) {
    if (party.id.empty()) {
        party = before;
        return;
    }
    if (before.id.empty()) {
        return;
    }
    if (party.created) {
        complaints.error(party.place, fmt::format("“{}” is there already in {}", party.id, file),
                         "a party that is not there yet");
    }
    for (const auto& fact : before.facts) {
        if (!std::holds_alternative<Word>(fact.value) && !has_kind(party.facts, fact)) {
            party.facts.push_back(fact);
        }
    }
    if (party.control != before.control && !party.created) {
        complaints.error(
            party.place,
            fmt::format("“{}” is played, served or under test otherwise in {}", party.id, file),
            "the same in both flows");
    }
    party.created = before.created;
}

// `plan` after `before`.
void join(Plan& plan, Plan before, const std::string& file, Complaints& complaints) {
    for (PartyId party = 0; party < plan.parties.size(); ++party) {
        join_party(plan.parties[party], before.parties[party], file, complaints);
    }
    for (const auto& fact : before.settings) {
        const auto* set = std::get_if<Set>(&fact.value);
        const bool known =
            set != nullptr
                ? std::ranges::any_of(plan.settings,
                                      [&](const Fact& own) {
                                          const auto* other = std::get_if<Set>(&own.value);
                                          return other != nullptr && other->name == set->name;
                                      })
                : has_kind(plan.settings, fact);
        if (!known && (set != nullptr || std::holds_alternative<RowsFrom>(fact.value))) {
            plan.settings.push_back(fact);
        }
    }
    const auto by = static_cast<StepId>(before.steps.size());
    for (auto& step : plan.steps) {
        move_down(step, by);
    }
    before.steps.insert(before.steps.end(), std::make_move_iterator(plan.steps.begin()),
                        std::make_move_iterator(plan.steps.end()));
    plan.steps = std::move(before.steps);
    plan.arrows += before.arrows;
}

} // namespace

Parsed parse_after(std::span<const Earlier> earlier, std::string_view text) {
    Parsed out;
    Complaints complaints;
    Names names = names_in(text, {});
    for (const auto& one : earlier) {
        names = names_in(one.text, std::move(names));
    }
    FlowReader(text, out.plan, complaints, names).read();
    for (auto i = earlier.size(); i-- > 0 && !complaints.any_error();) {
        Plan before;
        Complaints said_by_itself;
        FlowReader(earlier[i].text, before, said_by_itself, names).read();
        mark(before, static_cast<std::uint8_t>(i + 1));
        if (has_literal(before) || has_literal(out.plan)) {
            complaints.error({1, 1, 0, false}, "a flow of literal parties has no other before it");
        }
        join(out.plan, std::move(before), earlier[i].name, complaints);
    }
    for (const auto& one : earlier) {
        out.plan.files.push_back(one.name);
    }
    if (out.plan.steps.size() > limit::steps || out.plan.arrows > limit::arrows) {
        complaints.error(
            {1, 1, 0, false}, "the flows are too long together",
            fmt::format("at most {} statements, {} of them arrows", limit::steps, limit::arrows));
    }
    if (!complaints.any_error()) {
        resolve(out.plan, complaints);
    }
    out.complaints = complaints.take();
    // What an earlier flow captures may be for a later one, or for nobody.
    std::erase_if(out.complaints, [](const Complaint& one) { return one.place.file != 0; });
    return out;
}

} // namespace cw::script
