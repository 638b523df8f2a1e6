#include "play/schedule.hpp"

#include <algorithm>

#include "base/hash.hpp"

namespace cw::play {

using script::Arrow;
using script::Block;
using script::BlockKind;
using script::StepId;

namespace {

constexpr std::uint64_t bit(script::PartyId party) {
    return std::uint64_t{1} << party;
}
bool is_choice(BlockKind kind) {
    return kind == BlockKind::Alt;
}
bool may_be_left_out(BlockKind kind) {
    return kind == BlockKind::Opt || kind == BlockKind::Break;
}

} // namespace

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

const Block* Schedule::block(StepId step) const {
    return std::get_if<Block>(&plan_.steps[step].what);
}

bool Schedule::ours(script::PartyId party) const {
    return plan_.parties[party].control == script::Control::Played;
}

Schedule::Part Schedule::part_of(const Arrow& arrow) const {
    const bool from = ours(arrow.from);
    const bool to = ours(arrow.to);
    const bool one_thing = std::holds_alternative<script::Channel>(arrow.content) ||
                           std::holds_alternative<script::Media>(arrow.content);
    if (!from && !to) {
        return Part::Nobody;
    }
    if (one_thing) {
        return Part::Both;
    }
    return from ? Part::Send : Part::Receive;
}

// ---- lifelines

Schedule::Mask Schedule::lanes_of(StepId step) const {
    const auto& what = plan_.steps[step].what;
    if (const auto* arrow = std::get_if<Arrow>(&what)) {
        return script::is_shown(arrow->link) ? 0 : bit(arrow->from) | bit(arrow->to);
    }
    if (const auto* act = std::get_if<script::Act>(&what)) {
        return bit(act->party);
    }
    if (const auto* born = std::get_if<script::Declare>(&what)) {
        return plan_.parties[born->party].created ? bit(born->party) : 0;
    }
    if (const auto* dies = std::get_if<script::Destroy>(&what)) {
        return bit(dies->party);
    }
    return 0;
}

Schedule::Mask Schedule::lanes_of(StepId begin, StepId end) const {
    Mask out = 0;
    for (auto i = begin; i < end; ++i) {
        out |= lanes_of(i);
    }
    return out;
}

// Those that what follows has to wait for still.
Schedule::Mask Schedule::lanes_left(StepId step) const {
    if (state_[step] == State::Done || state_[step] == State::PassedOver) {
        return 0;
    }
    if (state_[step] == State::Sent) {
        return bit(std::get<Arrow>(plan_.steps[step].what).to);
    }
    return lanes_of(step);
}

StepId Schedule::after(StepId step) const {
    const auto* begins = block(step);
    return begins != nullptr ? begins->end + 1 : step + 1;
}

std::vector<StepId> Schedule::sections(StepId first) const {
    std::vector<StepId> out;
    for (auto at = first;;) {
        out.push_back(at);
        const auto* section = block(at);
        if (section->next == section->end) {
            return out;
        }
        at = section->next;
    }
}

std::optional<StepId> Schedule::first_arrow(StepId begin, StepId end) const {
    for (auto i = begin; i < end; ++i) {
        const auto* arrow = std::get_if<Arrow>(&plan_.steps[i].what);
        if (arrow != nullptr && !script::is_shown(arrow->link)) {
            return i;
        }
    }
    return std::nullopt;
}

void Schedule::first_arrows(StepId begin, StepId end, std::vector<StepId>& out) const {
    for (auto i = begin; i < end; i = after(i)) {
        const auto before = out.size();
        if (const auto* b = block(i)) {
            for (const auto section : sections(i)) {
                first_arrows(section + 1, block(section)->next, out);
            }
            if (may_be_left_out(b->kind)) {
                continue; // or with what is below it
            }
        } else if (first_arrow(i, i + 1)) {
            out.push_back(i);
        }
        if (out.size() != before) {
            return;
        }
    }
}

bool Schedule::sent_by_us(std::optional<StepId> arrow) const {
    if (!arrow) {
        return true;
    }
    const auto part = part_of(std::get<Arrow>(plan_.steps[*arrow].what));
    return part == Part::Send || part == Part::Both;
}

// ---- what may happen now

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

void Schedule::offer(StepId step, Part part) {
    ready_.push_back({step, part, false});
}

Schedule::Mask Schedule::walk(StepId begin, StepId end, Mask busy, Instant now) {
    for (auto i = begin; i < end; i = after(i)) {
        if (block(i) != nullptr) {
            busy |= walk_block(i, busy, now);
        } else if (const auto* arrow = std::get_if<Arrow>(&plan_.steps[i].what)) {
            busy |= walk_arrow(i, *arrow, busy);
        } else if (const auto lanes = lanes_left(i); lanes != 0) {
            if ((busy & lanes) == 0) {
                offer(i, Part::Act);
            }
            busy |= lanes;
        }
    }
    return busy;
}

Schedule::Mask Schedule::walk_arrow(StepId step, const Arrow& arrow, Mask busy) {
    const auto left = lanes_left(step);
    if (left == 0) {
        return 0;
    }
    const auto part = part_of(arrow);
    if (state_[step] == State::Sent || part == Part::Receive) {
        // What is not ours is not held up by us: only the receiver's lifeline counts.
        if ((busy & bit(arrow.to)) == 0) {
            offer(step, Part::Receive);
        }
    } else if ((busy & left) == 0) {
        offer(step, part);
    }
    return left;
}

Schedule::Mask Schedule::walk_block(StepId step, Mask busy, Instant now) {
    const auto& b = *block(step);
    auto& state = blocks_[step];
    switch (b.kind) {
    case BlockKind::Alt:
        return walk_choice(step, busy, now);
    case BlockKind::Opt:
    case BlockKind::Break:
        return walk_option(step, busy, now);
    case BlockKind::Loop:
        return walk_loop(step, busy, now);
    case BlockKind::Par: {
        Mask left = 0;
        for (const auto section : sections(step)) {
            left |= walk(section + 1, block(section)->next, busy, now) & ~busy;
        }
        return left;
    }
    case BlockKind::Critical: {
        const auto before = ready_.size();
        const auto left = block(step)->next == b.end ? walk(step + 1, b.next, busy, now)
                                                     : walk_choice(step, busy, now);
        if (!state.began.known() && ready_.size() > before) {
            state.began = now;
        }
        return left;
    }
    case BlockKind::Box:
    case BlockKind::Rect:
    case BlockKind::Else:
    case BlockKind::And:
    case BlockKind::Option:
        return walk(step + 1, b.next, busy, now);
    }
    return 0;
}

// What a section that need not come may begin with.
void Schedule::offer_first(StepId begin, StepId end, Mask busy) {
    const auto before = ready_.size();
    std::vector<StepId> arrows;
    first_arrows(begin, end, arrows);
    for (const auto arrow : arrows) {
        if (!sent_by_us(arrow)) {
            walk_arrow(arrow, std::get<Arrow>(plan_.steps[arrow].what), busy);
        }
    }
    for (auto i = before; i < ready_.size(); ++i) {
        ready_[i].optional = true;
    }
}

// alt, and critical with its options: what comes first decides; what we begin is drawn by lot.
Schedule::Mask Schedule::walk_choice(StepId step, Mask busy, Instant now) {
    auto& state = blocks_[step];
    const auto all = sections(step);
    if (!state.decided) {
        bool by_lot = false;
        bool free = true;
        for (const auto section : all) {
            const auto first = first_arrow(section + 1, block(section)->next);
            by_lot = by_lot || (first && sent_by_us(first));
            free = free && (!first || (busy & lanes_of(*first)) == 0);
        }
        if (by_lot && free) {
            state.decided = true;
            state.section = draw(all);
            for (const auto section : all) {
                if (section != state.section) {
                    pass_over(section + 1, block(section)->next);
                }
            }
        } else if (!by_lot) {
            for (const auto section : all) {
                offer_first(section + 1, block(section)->next, busy);
            }
        }
    }
    if (!state.decided) { // a break that was taken below has left nothing of it
        return any_left(step + 1, block(step)->end) ? mask_[step] : 0;
    }
    return walk(state.section + 1, block(state.section)->next, busy, now);
}

// opt and break. What is drawn below does not wait for it.
Schedule::Mask Schedule::walk_option(StepId step, Mask busy, Instant now) {
    auto& state = blocks_[step];
    const auto& b = *block(step);
    if (!state.decided) {
        const auto first = first_arrow(step + 1, b.next);
        if (sent_by_us(first)) {
            if (first && (busy & lanes_of(*first)) != 0) {
                return mask_[step];
            }
            const auto* weight = script::find<script::Weight>(b.facts);
            state.decided = true;
            state.taken = chance(weight != nullptr ? weight->share.millionths : 500'000);
            if (!state.taken) {
                pass_over(step + 1, b.next);
            }
        } else {
            offer_first(step + 1, b.next, busy);
            return 0;
        }
    }
    return state.taken ? walk(step + 1, b.next, busy, now) : 0;
}

Schedule::Mask Schedule::walk_loop(StepId step, Mask busy, Instant now) {
    auto& state = blocks_[step];
    const auto& b = *block(step);
    std::vector<Duration> gaps;
    for (const auto& fact : b.facts) {
        if (const auto* gap = std::get_if<script::Gap>(&fact.value)) {
            gaps.push_back(gap->time);
        }
    }
    const auto* times = script::find<script::Times>(b.facts);
    const auto* every = script::find<script::Every>(b.facts);
    const auto rounds = times != nullptr ? times->count
                        : gaps.empty()   ? 1
                                         : static_cast<std::uint32_t>(gaps.size());
    for (;;) {
        if (state.finished || mask_[step] == 0) {
            return 0;
        }
        if (state.resume.known() && now < state.resume) {
            next_deadline_ =
                next_deadline_.known() ? std::min(next_deadline_, state.resume) : state.resume;
            return mask_[step];
        }
        if (state.round == rounds) {
            state.finished = true;
            return 0;
        }
        if (!state.began.known()) {
            if ((busy & mask_[step]) != 0) {
                return mask_[step];
            }
            state.began = now;
        }
        if (!finished(step + 1, b.next)) {
            // The whole loop holds its lifelines: rounds do not overlap.
            walk(step + 1, b.next, busy, now);
            if (!finished(step + 1, b.next)) { // a loop within may have ended just now
                return mask_[step];
            }
        }
        if (state.last) {
            state.finished = true;
            return 0;
        }
        state.resume = {};
        if (state.round < gaps.size()) {
            state.resume = now + gaps[state.round];
        } else if (every != nullptr && state.round + 1 < rounds) {
            state.resume = std::max(now, state.began + every->time);
        }
        ++state.round;
        state.began = {};
        if (state.round < rounds) {
            reset(step + 1, b.next);
        }
    }
}

// ---- what happened

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
        take_break(around);
    }
}

// Nothing outside of its section happens any more, and no loop begins again.
void Schedule::take_break(StepId taken) {
    const auto* b = block(taken);
    for (StepId i = 0; i < plan_.steps.size(); ++i) {
        const auto* other = block(i);
        if (i >= taken && i <= b->end) {
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

bool Schedule::any_left(StepId begin, StepId end) const {
    for (auto i = begin; i < end; ++i) {
        if (lanes_left(i) != 0) {
            return true;
        }
    }
    return false;
}

bool Schedule::finished(StepId begin, StepId end) const {
    for (auto i = begin; i < end; i = after(i)) {
        const auto* b = block(i);
        if (b == nullptr) {
            if (lanes_left(i) != 0) {
                return false;
            }
            continue;
        }
        const auto& state = blocks_[i];
        const bool choice =
            is_choice(b->kind) || (b->kind == BlockKind::Critical && b->next != b->end);
        if (choice) {
            if (state.decided ? !finished(state.section + 1, block(state.section)->next)
                              : any_left(i + 1, b->end)) {
                return false;
            }
        } else if (may_be_left_out(b->kind)) {
            const bool awaited = !state.decided && !sent_by_us(first_arrow(i + 1, b->next));
            if (!awaited && (!state.decided || (state.taken && !finished(i + 1, b->next)))) {
                return false;
            }
        } else if (b->kind == BlockKind::Loop) {
            if (!state.finished && mask_[i] != 0) {
                return false;
            }
        } else {
            for (const auto section : sections(i)) {
                if (!finished(section + 1, block(section)->next)) {
                    return false;
                }
            }
        }
    }
    return true;
}

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

// ---- chance

bool Schedule::chance(std::uint32_t millionths) {
    chance_ = fold_multiply(chance_ ^ 0x9e3779b97f4a7c15ULL, 0xd1b54a32d192ed03ULL);
    return chance_ % 1'000'000 < millionths;
}

// By the shares of the sections; those without one divide what is left.
StepId Schedule::draw(const std::vector<StepId>& all) {
    std::uint64_t said = 0;
    std::size_t silent = 0;
    for (const auto section : all) {
        const auto* weight = script::find<script::Weight>(block(section)->facts);
        said += weight != nullptr ? weight->share.millionths : 0;
        silent += weight == nullptr ? 1 : 0;
    }
    const auto rest = silent != 0 && said < 1'000'000 ? (1'000'000 - said) / silent : 0;
    const auto total = said + rest * silent;
    chance_ = fold_multiply(chance_ ^ 0x9e3779b97f4a7c15ULL, 0xd1b54a32d192ed03ULL);
    auto at = total != 0 ? chance_ % total : 0;
    for (const auto section : all) {
        const auto* weight = script::find<script::Weight>(block(section)->facts);
        const std::uint64_t share = weight != nullptr ? weight->share.millionths : rest;
        if (at < share) {
            return section;
        }
        at -= share;
    }
    return all.front();
}

} // namespace cw::play
