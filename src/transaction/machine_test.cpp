#include "transaction/machine.hpp"

#include <gtest/gtest.h>

#include <set>

#include "transaction/timer.hpp"

namespace cw::transaction {
namespace {

constexpr Kind kinds[] = {Kind::ClientInvite, Kind::ClientNonInvite, Kind::ServerInvite,
                          Kind::ServerNonInvite};

template <class F>
void every_pair(F&& visit) {
    for (const auto kind : kinds) {
        for (std::size_t state = 0; state < state_count; ++state) {
            for (std::size_t event = 0; event < event_count; ++event) {
                visit(kind, static_cast<State>(state), static_cast<Event>(event));
            }
        }
    }
}

const Step* declared(Kind kind, State state, Event event) {
    const Step* found = nullptr;
    for (const auto& s : steps) {
        if (s.kind == kind && s.state == state && s.event == event) {
            EXPECT_EQ(found, nullptr) << "declared twice";
            found = &s;
        }
    }
    return found;
}

TEST(Machine, DoesForEveryPairWhatItsTableDeclaresAndElseNothing) {
    every_pair([](Kind kind, State state, Event event) {
        const auto* wanted = declared(kind, state, event);
        const auto got = step(kind, state, event);
        EXPECT_EQ(got.next, wanted != nullptr ? wanted->next : state);
        EXPECT_EQ(got.actions, wanted != nullptr ? wanted->actions : std::uint8_t{Nothing});
    });
}

TEST(Machine, EveryStateIsReachedAndEveryOneEnds) {
    for (const auto kind : kinds) {
        std::set<State> reached{first_state(kind)};
        for (bool grew = true; grew;) {
            grew = false;
            for (const auto& s : steps) {
                if (s.kind == kind && reached.contains(s.state)) {
                    grew = reached.insert(s.next).second || grew;
                }
            }
        }
        for (const auto& s : steps) {
            EXPECT_TRUE(s.kind != kind || reached.contains(s.state)) << to_string(s.state);
        }
        EXPECT_TRUE(reached.contains(State::Terminated));
    }
}

TEST(Machine, NoStateLastsForeverUnlessItsUserMustAct) {
    every_pair([](Kind kind, State state, Event event) {
        if (event != Event::Limit || declared(kind, state, Event::Limit) == nullptr) {
            return;
        }
        EXPECT_GT(timer::limit(kind, state, false).ns, 0) << to_string(kind) << to_string(state);
        EXPECT_GT(timer::limit(kind, state, true).ns, 0) << to_string(kind) << to_string(state);
    });
}

// "MUST set timer D to 0 for reliable transports", and likewise I, J and K
// [RFC 3261 §17.1.1.2, §17.1.2.2, §17.2.1, §17.2.2].
TEST(Timer, WaitsForRetransmissionsOnlyWhereTheyCanCome) {
    EXPECT_EQ(timer::limit(Kind::ClientInvite, State::Completed, false), seconds(32));
    EXPECT_LE(timer::limit(Kind::ClientInvite, State::Completed, true), Duration{1});
    EXPECT_EQ(timer::limit(Kind::ServerInvite, State::Confirmed, false), seconds(5));
    EXPECT_LE(timer::limit(Kind::ServerInvite, State::Confirmed, true), Duration{1});
    EXPECT_EQ(timer::limit(Kind::ServerNonInvite, State::Completed, false), seconds(32));
    EXPECT_LE(timer::limit(Kind::ServerNonInvite, State::Completed, true), Duration{1});
    EXPECT_EQ(timer::limit(Kind::ClientNonInvite, State::Completed, false), seconds(5));
    EXPECT_EQ(timer::limit(Kind::ServerInvite, State::Accepted, true), seconds(32)); // L
}

TEST(Timer, DoublesWithoutEndForAAndUpToT2ForEAndG) {
    const auto second = milliseconds(1000);
    EXPECT_EQ(timer::next_pause(Kind::ClientInvite, State::Calling, second + second + second),
              milliseconds(6000));
    EXPECT_EQ(timer::next_pause(Kind::ClientNonInvite, State::Trying, seconds(3)), seconds(4));
    EXPECT_EQ(timer::next_pause(Kind::ClientNonInvite, State::Proceeding, timer::t1), seconds(4));
    EXPECT_EQ(timer::next_pause(Kind::ServerInvite, State::Completed, seconds(3)), seconds(4));
}

} // namespace
} // namespace cw::transaction
