#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "script/colours.hpp"
#include "script/parse.hpp"
#include "script/reader.hpp"
#include "script/words.hpp"

namespace cw::script {
namespace {

constexpr std::array<std::string_view, 11> block_names{
    "alt", "else", "opt", "loop", "par", "and", "critical", "option", "break", "box", "rect"};

std::string_view name_of(BlockKind kind) {
    return block_names[static_cast<std::size_t>(kind)];
}

// The block that a section belongs in.
BlockKind owner_of(BlockKind section) {
    return section == BlockKind::Else  ? BlockKind::Alt
           : section == BlockKind::And ? BlockKind::Par
                                       : BlockKind::Critical;
}

bool may_say(BlockKind kind, const FactValue& fact) {
    switch (kind) {
    case BlockKind::Alt:
    case BlockKind::Else:
    case BlockKind::Opt:
    case BlockKind::Option:
        return std::holds_alternative<Weight>(fact);
    case BlockKind::Loop:
        return std::holds_alternative<Times>(fact) || std::holds_alternative<Every>(fact) ||
               std::holds_alternative<Gap>(fact);
    case BlockKind::Critical:
        return std::holds_alternative<Within>(fact);
    case BlockKind::Break:
        return std::holds_alternative<Word>(fact) || std::holds_alternative<Weight>(fact);
    case BlockKind::Par:
    case BlockKind::And:
    case BlockKind::Box:
    case BlockKind::Rect:
        return false;
    }
    return false;
}

} // namespace

void FlowReader::read_block_label(const Line& line, std::string_view rest, Block& block) {
    const auto parts = divide(rest);
    if (parts.fault != Divided::Fault::None) {
        complaints_.error(line.place(parts.fault_at), "this parenthesis has no partner",
                          "(facts) at the end of the label");
        return;
    }
    block.label = parts.head;
    if (parts.has_facts) {
        read_facts(scope(line), Subject::Block, parts.facts, block.facts);
    }
}

void FlowReader::open(const Line& line, Block block) {
    const auto kind = block.kind;
    if (!blocks_.empty() && blocks_.back().kind == BlockKind::Box) {
        complaints_.error(line.place(line.text()), "a box holds parties, not blocks",
                          "actor, participant or end");
    }
    const auto step = add(line, std::move(block));
    blocks_.push_back({step, step, kind, line.place(line.text())});
    if (blocks_.size() > limit::depth) {
        complaints_.error(line.place(line.text()), "blocks are nested too deeply",
                          fmt::format("at most {} inside each other", limit::depth));
    }
}

void FlowReader::read_block(const Line& line, BlockKind kind, std::string_view rest) {
    Block block;
    block.kind = kind;
    read_block_label(line, rest, block);
    open(line, std::move(block));
    beneath_ = Beneath::Block;
}

void FlowReader::read_section(const Line& line, BlockKind kind, std::string_view rest) {
    const auto owner = owner_of(kind);
    if (blocks_.empty() || blocks_.back().kind != owner) {
        complaints_.error(
            line.place(line.text()),
            fmt::format("“{}” belongs in “{}”", name_of(kind), name_of(owner)),
            blocks_.empty() ? fmt::format("{} above", name_of(owner))
                            : fmt::format("“end” of the “{}” above", name_of(blocks_.back().kind)));
        return;
    }
    Block block;
    block.kind = kind;
    read_block_label(line, rest, block);
    const auto step = add(line, std::move(block));
    std::get<Block>(plan_.steps[blocks_.back().section].what).next = step;
    blocks_.back().section = step;
    beneath_ = Beneath::Block;
}

// Mermaid takes the first word of a box's title for a colour if it is one.
void FlowReader::read_box(const Line& line, std::string_view rest) {
    Block block;
    block.kind = BlockKind::Box;
    const auto close = rest.find(')');
    const bool function = istarts_with(rest, "rgb") || istarts_with(rest, "hsl");
    const auto word = rest.substr(
        0, rest.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"));
    if (function && close != std::string_view::npos) {
        block.colour = rest.substr(0, close + 1);
    } else if (is_colour(word)) {
        block.colour = word;
        if (rest.size() > word.size() && !is_blank(rest[word.size()])) {
            complaints_.error(line.place(word),
                              fmt::format("Mermaid takes “{}” for a colour and drops it from the "
                                          "title",
                                          word),
                              "a colour before the title, as in rgba(46,160,67,0.12) or "
                              "transparent");
        }
    }
    block.label = trim(rest.substr(block.colour.size()));
    if (!blocks_.empty()) {
        complaints_.error(line.place(line.text()), "a box stands outside of all blocks",
                          "the end of the block above");
    }
    open(line, std::move(block));
}

void FlowReader::read_rect(const Line& line, std::string_view rest) {
    Block block;
    block.kind = BlockKind::Rect;
    block.colour = rest;
    if (rest.empty()) {
        complaints_.error(line.place(line.text()), "a rect has a colour",
                          "a colour, as in rgba(46,160,67,0.12)");
    }
    open(line, std::move(block));
}

void FlowReader::read_end(const Line& line, std::string_view rest) {
    if (!rest.empty()) {
        complaints_.error(line.place(rest), "“end” stands alone on its line", "nothing after it");
    }
    if (blocks_.empty()) {
        complaints_.error(line.place(line.text()), "there is no block to end",
                          "a block above, or no “end”");
        return;
    }
    const auto closed = blocks_.back();
    blocks_.pop_back();
    const auto end = add(line, End{closed.begin});
    std::get<Block>(plan_.steps[closed.section].what).next = end;
    for (StepId at = closed.begin; at != end;) {
        auto& block = std::get<Block>(plan_.steps[at].what);
        block.end = end;
        for (const auto& fact : block.facts) {
            if (!may_say(block.kind, fact.value)) {
                complaints_.error(fact.place,
                                  fmt::format("this is no fact about “{}”", name_of(block.kind)),
                                  "30% for alt, else, opt, option and break; times and gaps for "
                                  "loop; within for critical; fail for break");
            }
        }
        if (block.facts.empty() && is_fact(names_, Subject::Block, block.label)) {
            complaints_.warning(plan_.steps[at].place,
                                fmt::format("“{0}” stands outside of parentheses, where it is for "
                                            "people only: ({0})",
                                            block.label));
        }
        at = block.next;
    }
}

} // namespace cw::script
