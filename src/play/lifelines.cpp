#include "play/lifelines.hpp"

#include "play/schedule.hpp"

namespace cw::play {

using script::Arrow;
using script::Block;
using script::BlockKind;
using script::StepId;

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

} // namespace cw::play
