// The order of a flow: which of its steps may happen now. Each party has a lifeline; a step waits
// until all that is drawn above it on the lifelines of its ends has happened, and for nothing else
// ("weak sequencing", as in message sequence charts). Blocks are walked as they are drawn: branches
// are chosen by what comes, loops begin again, sections of a `par` do not wait for each other.
//
// Knows nothing of messages. No I/O, no clock: time is an argument. The Plan outlives it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/time.hpp"
#include "script/plan.hpp"

namespace cw::play {

class Schedule {
  public:
    // `seed` decides which branch is taken where the flow leaves that to chance.
    Schedule(const script::Plan& plan, std::uint64_t seed);

    enum class Part : std::uint8_t {
        Send,    // an arrow that leaves a party of ours
        Receive, // an arrow that arrives at a party of ours
        Both,    // an arrow that is one thing for both ends: a connection, media
        Nobody,  // an arrow between two parties that are not ours
        Act,     // a note's action, the birth or death of a party
    };
    struct Ready {
        script::StepId step = 0;
        Part part = Part::Act;
        bool optional = false; // it begins a section that need not come
        bool operator==(const Ready&) const = default;
    };
    // What may happen now, in the order of the file. Valid until something happens.
    const std::vector<Ready>& ready(Instant now);

    // What happened. A step that begins a branch chooses it.
    void sent(script::StepId step, Instant now);
    void received(script::StepId step, Instant now); // or the whole of Both, Nobody and Act
    // The rest of the flow is not performed any more.
    void end();

    [[nodiscard]] bool over();
    // A `break` that says (fail) was taken: where.
    [[nodiscard]] std::optional<script::StepId> failed_break() const { return failed_break_; }
    // `critical` sections that took longer than they may: where, and how long.
    struct Late {
        script::StepId block = 0;
        Duration took;
    };
    [[nodiscard]] const std::vector<Late>& late() const { return late_; }
    // May this step still come, now or later? Also when a part of a loop that begins again.
    [[nodiscard]] bool may_come(script::StepId step) const;
    // It was drawn, but the flow took another way: when it comes, it is no surprise.
    [[nodiscard]] bool passed_over(script::StepId step) const {
        return state_[step] == State::PassedOver;
    }
    [[nodiscard]] bool is_done(script::StepId step) const { return state_[step] == State::Done; }
    [[nodiscard]] bool is_sent(script::StepId step) const {
        return state_[step] == State::Sent || state_[step] == State::Done;
    }
    // When a loop goes on; not known(): no loop waits.
    [[nodiscard]] Instant next_deadline() const { return next_deadline_; }

  private:
    using Mask = std::uint64_t; // a bit a party
    enum class State : std::uint8_t { Waiting, Sent, Done, PassedOver };
    struct BlockState {
        bool decided = false;
        bool taken = false;         // of opt and break
        script::StepId section = 0; // the block line of the chosen section
        std::uint32_t round = 0;    // of a loop, from 0
        bool last = false;          // of a loop: a break within it has been taken
        bool finished = false;      // of a loop
        Instant began;              // of a loop's round, of a critical
        Instant resume;             // of a loop: not before
        bool judged = false;        // of a critical
    };

    [[nodiscard]] const script::Block* block(script::StepId step) const;
    [[nodiscard]] bool ours(script::PartyId party) const;
    [[nodiscard]] Mask lanes_of(script::StepId begin, script::StepId end) const;
    [[nodiscard]] Mask lanes_of(script::StepId step) const;
    [[nodiscard]] Mask lanes_left(script::StepId step) const;
    [[nodiscard]] Part part_of(const script::Arrow& arrow) const;
    [[nodiscard]] std::optional<script::StepId> first_arrow(script::StepId begin,
                                                            script::StepId end) const;
    // Those that the section may begin with: several where it begins with an alt or a par.
    void first_arrows(script::StepId begin, script::StepId end,
                      std::vector<script::StepId>& out) const;
    [[nodiscard]] bool sent_by_us(std::optional<script::StepId> arrow) const;
    [[nodiscard]] bool finished(script::StepId begin, script::StepId end) const;
    [[nodiscard]] bool any_left(script::StepId begin, script::StepId end) const;
    [[nodiscard]] bool concurrent(script::StepId a, script::StepId b) const;
    [[nodiscard]] script::StepId after(script::StepId step) const; // the next sibling
    [[nodiscard]] std::vector<script::StepId> sections(script::StepId first) const;

    Mask walk(script::StepId begin, script::StepId end, Mask busy, Instant now);
    Mask walk_block(script::StepId step, Mask busy, Instant now);
    Mask walk_choice(script::StepId step, Mask busy, Instant now);
    Mask walk_option(script::StepId step, Mask busy, Instant now);
    Mask walk_loop(script::StepId step, Mask busy, Instant now);
    Mask walk_arrow(script::StepId step, const script::Arrow& arrow, Mask busy);
    void offer(script::StepId step, Part part);
    void offer_first(script::StepId begin, script::StepId end, Mask busy);
    script::StepId draw(const std::vector<script::StepId>& sections);
    bool chance(std::uint32_t millionths);
    void happened(script::StepId step, Instant now);
    void choose(script::StepId step, Instant now);
    void take_break(script::StepId block, bool above);
    void pass_over(script::StepId begin, script::StepId end);
    void reset(script::StepId begin, script::StepId end);

    const script::Plan& plan_;
    std::vector<State> state_;
    std::vector<BlockState> blocks_;         // by step
    std::vector<script::StepId> parent_;     // the first line of the block that a step stands in
    std::vector<script::StepId> section_of_; // …and the block line of its section
    std::vector<Mask> mask_;                 // of a whole block, by its first line
    std::vector<Ready> ready_;
    std::vector<Late> late_;
    std::optional<script::StepId> failed_break_;
    Instant next_deadline_;
    std::uint64_t chance_;
    bool dirty_ = true;
    bool ended_ = false;
};

} // namespace cw::play
