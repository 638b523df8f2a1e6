#include "play/schedule.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "play/lifelines.hpp"

namespace cw::play {

using script::Arrow;
using script::BlockKind;
using script::StepId;

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
            } else if (b.kind == script::BlockKind::Break) {
                take_break(step, false); // what is drawn above it is still on its way
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
