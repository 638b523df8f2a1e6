#include "play/schedule.hpp"

#include <algorithm>

#include "play/lifelines.hpp"

namespace cw::play {

using script::Arrow;
using script::Block;
using script::BlockKind;
using script::StepId;

Schedule::Schedule(const script::Plan& plan, std::uint64_t seed)
    : plan_(plan), state_(plan.steps.size(), State::Waiting), blocks_(plan.steps.size()),
      parent_(plan.steps.size(), 0), section_of_(plan.steps.size(), 0), mask_(plan.steps.size(), 0),
      chance_(seed) {
    std::vector<StepId> open{};
    std::vector<StepId> section{};
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        const auto& what = plan.steps[i].what;
        const auto* begins = std::get_if<Block>(&what);
        if (std::holds_alternative<script::End>(what)) {
            mask_[open.back()] = lanes_of(open.back() + 1, i);
            open.pop_back();
            section.pop_back();
        } else if (begins != nullptr && script::is_section(begins->kind)) {
            section.back() = i;
        }
        // A step at the top has itself as its parent.
        parent_[i] = open.empty() ? i : open.back();
        section_of_[i] = section.empty() ? i : section.back();
        if (begins != nullptr && !script::is_section(begins->kind)) {
            open.push_back(i);
            section.push_back(i);
        }
    }
}

const std::vector<Schedule::Ready>& Schedule::ready(Instant now) {
    const bool due = next_deadline_.known() && next_deadline_ <= now;
    if (dirty_ || due) {
        ready_.clear();
        next_deadline_ = {};
        if (!ended_) {
            walk(0, static_cast<StepId>(plan_.steps.size()), 0, now);
        }
        dirty_ = false;
    }
    return ready_;
}

void Schedule::sent(StepId step, Instant now) {
    state_[step] = State::Sent;
    const auto& arrow = std::get<Arrow>(plan_.steps[step].what);
    if (!ours(arrow.to) || script::is_lost(arrow.link)) {
        state_[step] = State::Done;
    }
    happened(step, now);
}

void Schedule::received(StepId step, Instant now) {
    state_[step] = State::Done;
    happened(step, now);
}

void Schedule::end() {
    ended_ = true;
    dirty_ = true;
}

void Schedule::happened(StepId step, Instant now) {
    dirty_ = true;
    for (auto inner = step; parent_[inner] != inner; inner = parent_[inner]) {
        choose(inner, now);
    }
    // An option above that has not come is not waited for any more by those who went on.
    const auto lanes = lanes_of(step);
    for (StepId i = 0; i < step; ++i) {
        const auto* b = block(i);
        if (b == nullptr || !may_be_left_out(b->kind) || b->end > step || blocks_[i].decided ||
            concurrent(i, step)) {
            continue;
        }
        std::vector<StepId> first;
        first_arrows(i + 1, b->next, first);
        if (std::ranges::any_of(first, [&](StepId arrow) {
                return (bit(std::get<Arrow>(plan_.steps[arrow].what).to) & lanes) != 0;
            })) {
            blocks_[i].decided = true;
            pass_over(i + 1, b->next);
        }
    }
    for (StepId i = 0; i < plan_.steps.size(); ++i) {
        const auto* b = block(i);
        if (b == nullptr || b->kind != BlockKind::Critical || !blocks_[i].began.known() ||
            blocks_[i].judged) {
            continue;
        }
        const auto* within = script::find<script::Within>(b->facts);
        if (within != nullptr && finished(i, b->end + 1)) {
            blocks_[i].judged = true;
            if (now - blocks_[i].began > within->time) {
                late_.push_back({i, now - blocks_[i].began});
            }
        }
    }
    ready(now); // a loop whose last round this was ends here
}

// `inner` has happened: the blocks around it have been decided by that.
void Schedule::choose(StepId inner, Instant now) {
    const auto around = parent_[inner];
    const auto* b = block(around);
    auto& state = blocks_[around];
    const bool choice = is_choice(b->kind) || (b->kind == BlockKind::Critical && b->next != b->end);
    if (!state.began.known()) {
        state.began = now;
    }
    if (state.decided || (!choice && !may_be_left_out(b->kind))) {
        return;
    }
    state.decided = true;
    state.taken = true;
    state.section = section_of_[inner];
    if (choice) {
        for (const auto section : sections(around)) {
            if (section != state.section) {
                pass_over(section + 1, block(section)->next);
            }
        }
    }
    if (b->kind == BlockKind::Break) {
        take_break(around, true);
    }
}

// Nothing outside of its section happens any more, `above` it neither, and no loop begins again.
void Schedule::take_break(StepId taken, bool above) {
    const auto* b = block(taken);
    for (StepId i = 0; i < plan_.steps.size(); ++i) {
        const auto* other = block(i);
        const bool around_it = other != nullptr && other->end > b->end;
        if ((i >= taken && i <= b->end) || (i < taken && !above && !around_it)) {
            continue;
        }
        if (other == nullptr && state_[i] != State::Done) {
            state_[i] = State::PassedOver;
        } else if (other != nullptr && other->kind == BlockKind::Loop) {
            const bool around = i < taken && other->end > b->end;
            (around ? blocks_[i].last : blocks_[i].finished) = true;
        }
    }
    if (script::says(b->facts, script::Word::Fail)) {
        failed_break_ = taken;
    }
}

void Schedule::pass_over(StepId begin, StepId end) {
    for (auto i = begin; i < end; ++i) {
        if (state_[i] == State::Waiting) {
            state_[i] = State::PassedOver;
        }
    }
}

void Schedule::reset(StepId begin, StepId end) {
    for (auto i = begin; i < end; ++i) {
        state_[i] = State::Waiting;
        blocks_[i] = {};
    }
}

// Do they stand in different sections of a par?
bool Schedule::concurrent(StepId a, StepId b) const {
    for (auto x = a; parent_[x] != x; x = parent_[x]) {
        for (auto y = b; parent_[y] != y; y = parent_[y]) {
            if (parent_[x] == parent_[y]) {
                return block(parent_[x])->kind == BlockKind::Par &&
                       section_of_[x] != section_of_[y];
            }
        }
    }
    return false;
}

// ---- the end

bool Schedule::over() {
    return ended_ || finished(0, static_cast<StepId>(plan_.steps.size()));
}

bool Schedule::may_come(StepId step) const {
    if (ended_ || state_[step] == State::PassedOver) {
        return false;
    }
    if (state_[step] != State::Done) {
        return true;
    }
    for (auto inner = step; parent_[inner] != inner; inner = parent_[inner]) {
        const auto* b = block(parent_[inner]);
        if (b->kind == BlockKind::Loop && !blocks_[parent_[inner]].finished) {
            return true;
        }
    }
    return false;
}

} // namespace cw::play
