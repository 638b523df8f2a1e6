#include "dialog/invite_usage.hpp"

#include <gtest/gtest.h>

#include <set>

namespace cw::dialog {
namespace {

template <class F>
void every_pair(F&& visit) {
    for (const auto side : {InviteSide::Caller, InviteSide::Callee}) {
        for (std::size_t state = 0; state < invite_state_count; ++state) {
            for (std::size_t event = 0; event < invite_event_count; ++event) {
                visit(side, static_cast<InviteState>(state), static_cast<InviteEvent>(event));
            }
        }
    }
}

TEST(InviteUsage, DoesForEveryPairWhatItsTableDeclaresAndElseNothing) {
    every_pair([](InviteSide side, InviteState state, InviteEvent event) {
        const InviteStep* declared = nullptr;
        for (const auto& s : invite_steps) {
            if (s.side == side && s.state == state && s.event == event) {
                EXPECT_EQ(declared, nullptr) << "declared twice";
                declared = &s;
            }
        }
        const auto got = step(side, state, event);
        EXPECT_EQ(got.legal, declared != nullptr);
        EXPECT_EQ(got.next, declared != nullptr ? declared->next : state);
        EXPECT_EQ(got.actions, declared != nullptr ? declared->actions : std::uint8_t{0});
    });
}

TEST(InviteUsage, NeverGoesBackAndAlwaysEnds) {
    for (const auto& s : invite_steps) {
        EXPECT_GE(s.next, s.state) << to_string(s.state);
        EXPECT_NE(s.state, InviteState::Morgue);
    }
    for (const auto side : {InviteSide::Caller, InviteSide::Callee}) {
        std::set<InviteState> reached{InviteState::Preparative};
        for (std::size_t round = 0; round < invite_state_count; ++round) {
            for (const auto& s : invite_steps) {
                if (s.side == side && reached.contains(s.state)) {
                    reached.insert(s.next);
                }
            }
        }
        EXPECT_EQ(reached.size(), invite_state_count);
    }
}

TEST(InviteUsage, TheCallerAcknowledgesEvery2xxThatItMayGet) {
    for (std::size_t i = 0; i + 1 < invite_state_count; ++i) {
        const auto got =
            step(InviteSide::Caller, static_cast<InviteState>(i), InviteEvent::Success);
        EXPECT_TRUE(got.legal && (got.actions & AckIt) != 0) << i;
    }
}

// "the callee's UA MAY send a BYE on confirmed dialogs, but MUST NOT send a BYE on early dialogs"
// nor before the ACK [RFC 3261 §15].
TEST(InviteUsage, TheCalleeHangsUpOnlyAfterTheAck) {
    for (std::size_t i = 0; i < invite_state_count; ++i) {
        const auto state = static_cast<InviteState>(i);
        EXPECT_EQ(step(InviteSide::Callee, state, InviteEvent::ByeSent).legal,
                  state == InviteState::Established);
    }
    EXPECT_NE(step(InviteSide::Callee, InviteState::Moratorium, InviteEvent::AckTimeout).actions &
                  HangUp,
              0);
}

TEST(InviteUsage, HasTheNamesOfTheDialogPackage) {
    EXPECT_EQ(dialog_info_state(InviteState::Moratorium), "confirmed");
    EXPECT_EQ(dialog_info_state(InviteState::Mortal), "terminated");
    EXPECT_EQ(to_string(InviteState::Preparative), "Preparative");
}

} // namespace
} // namespace cw::dialog
