#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "play/schedule.hpp"
#include "play/test_walk.hpp"

namespace cw::play {
namespace {

using script::StepId;
using test::Walk;

// ---- lifelines

TEST(Schedule, AnArrowIsSentAndThenReceived) {
    Walk w{"a->>b: MESSAGE \"1\""};
    EXPECT_EQ(w.ready(), "1!");
    EXPECT_FALSE(w.schedule.over());
    w.happen("1!");
    EXPECT_EQ(w.ready(), "1?");
    EXPECT_TRUE(w.schedule.is_sent(w.step("1")));
    EXPECT_FALSE(w.schedule.is_done(w.step("1")));
    w.happen("1?");
    EXPECT_EQ(w.ready(), "");
    EXPECT_TRUE(w.schedule.is_done(w.step("1")));
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, WhatIsSentWaitsForWhatIsAboveItAtBothEnds) {
    Walk w{"a->>b: MESSAGE \"1\"\n"
           "a->>b: MESSAGE \"2\"\n"
           "b->>a: MESSAGE \"3\"\n"};
    EXPECT_EQ(w.ready(), "1!");
    w.happen("1!");
    EXPECT_EQ(w.ready(), "1?");
    w.happen("1? 2!");
    EXPECT_EQ(w.ready(), "2?");
    w.happen("2?");
    EXPECT_EQ(w.ready(), "3!");
}

TEST(Schedule, PartiesWithNothingInCommonDoNotWaitForEachOther) {
    Walk w{"a->>x: MESSAGE \"1\"\n"
           "b->>c: MESSAGE \"2\"\n"
           "c->>b: MESSAGE \"3\"\n"};
    EXPECT_EQ(w.ready(), "1! 2!");
    w.happen("2! 2? 3! 3?");
    EXPECT_EQ(w.ready(), "1!");
    EXPECT_FALSE(w.schedule.over());
    w.happen("1!"); // nobody of ours receives it
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, WhatIsNotOursIsNotHeldUpByUs) {
    Walk w{"a->>x: MESSAGE \"1\"\n"
           "x->>b: MESSAGE \"2\"\n"
           "x->>a: MESSAGE \"3\"\n"};
    EXPECT_EQ(w.ready(), "1! 2?"); // it may be early; whether it fits is for others to say
    w.happen("1!");
    EXPECT_EQ(w.ready(), "2? 3?");
}

TEST(Schedule, ALostArrowIsDoneWhenItIsSent) {
    Walk w{"a-xb: MESSAGE \"1\"\n"
           "b->>a: MESSAGE \"2\"\n"};
    w.happen("1!");
    EXPECT_TRUE(w.schedule.is_done(w.step("1")));
    EXPECT_EQ(w.ready(), "2!");
}

TEST(Schedule, AConnectionIsOneThingForBothEnds) {
    Walk w{"a<<->>b: TLS\n"
           "b->>a: MESSAGE \"1\"\n"
           "b->>c: MESSAGE \"2\"\n"};
    EXPECT_EQ(w.ready(), "TLS");
    w.happen("TLS");
    EXPECT_EQ(w.ready(), "1!");
}

TEST(Schedule, NotesStandInTheirPartysOrderOnly) {
    Walk w{"Note over a: waits 2s\n"
           "a->>x: MESSAGE \"1\"\n"
           "b->>y: MESSAGE \"2\"\n"};
    EXPECT_EQ(w.ready(), "note 2!");
    w.happen("note");
    EXPECT_EQ(w.ready(), "1! 2!");
}

TEST(Schedule, APartyIsBornBeforeItsFirstArrowAndDiesAfterItsLast) {
    Walk w{"a->>b: MESSAGE \"1\"\n"
           "create actor d\n"
           "a->>d: MESSAGE \"2\"\n"
           "destroy d\n"
           "d->>a: MESSAGE \"3\"\n"};
    EXPECT_EQ(w.ready(), "1! life"); // its sockets may open at once
    w.happen("life 1! 2!");
    EXPECT_EQ(w.ready(), "1? 2?");
}

TEST(Schedule, WhatIsOnlyShownIsNotThere) {
    Walk w{"a-)b: thinks\n"
           "b->>a: MESSAGE \"1\"\n"};
    EXPECT_EQ(w.ready(), "1!");
    w.happen("1! 1?");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, AnEndedFlowHasNothingLeft) {
    Walk w{"a->>b: MESSAGE \"1\""};
    w.schedule.end();
    EXPECT_EQ(w.ready(), "");
    EXPECT_TRUE(w.schedule.over());
    EXPECT_FALSE(w.schedule.may_come(w.step("1")));
}

// ---- par

TEST(Schedule, SectionsOfAParDoNotWaitForEachOtherAndWhatFollowsWaitsForAll) {
    Walk w{"par\n"
           "    a->>b: MESSAGE \"1\"\n"
           "    b->>a: MESSAGE \"2\"\n"
           "and\n"
           "    b->>a: MESSAGE \"3\"\n"
           "end\n"
           "a->>x: MESSAGE \"4\"\n"};
    EXPECT_EQ(w.ready(), "1! 3!");
    w.happen("3! 3?");
    EXPECT_EQ(w.ready(), "1!");
    w.happen("1! 1? 2!");
    EXPECT_EQ(w.ready(), "2?"); // a still has 2 to get
    w.happen("2?");
    EXPECT_EQ(w.ready(), "4!");
}

TEST(Schedule, AParWaitsForWhatIsAboveIt) {
    Walk w{"b->>a: MESSAGE \"1\"\n"
           "par\n"
           "    a->>x: MESSAGE \"2\"\n"
           "and\n"
           "    c->>y: MESSAGE \"3\"\n"
           "end\n"};
    EXPECT_EQ(w.ready(), "1! 3!");
    w.happen("3! 1! 1? 2!");
    EXPECT_TRUE(w.schedule.over());
}

// ---- alt

constexpr std::string_view awaited_alt = "alt\n"
                                         "    x->>a: MESSAGE \"1\"\n"
                                         "    a->>b: MESSAGE \"2\"\n"
                                         "else\n"
                                         "    x->>a: INFO\n"
                                         "    a-->>x: 200 OK\n"
                                         "end\n"
                                         "a->>x: MESSAGE \"3\"\n"
                                         "c->>y: MESSAGE \"4\"\n";

TEST(Schedule, WhatComesFirstChoosesTheBranch) {
    Walk w{awaited_alt};
    EXPECT_EQ(w.ready(), "(1?) (INFO?) 4!");
    EXPECT_TRUE(w.schedule.may_come(w.step("1")));
    w.happen("(INFO?)");
    EXPECT_EQ(w.ready(), "200! 4!");
    EXPECT_TRUE(w.schedule.passed_over(w.step("1")));
    EXPECT_FALSE(w.schedule.may_come(w.step("1")));
    EXPECT_FALSE(w.schedule.may_come(w.step("INFO")));
    w.happen("200! 3! 4!");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, TheFirstBranchIsWalkedAsWell) {
    Walk w{awaited_alt};
    w.happen("(1?) 2! 2? 3! 4!");
    EXPECT_TRUE(w.schedule.passed_over(w.step("INFO")));
    EXPECT_TRUE(w.schedule.over());
}

int times_first(std::string_view body, int runs) {
    int first = 0;
    for (int seed = 0; seed < runs; ++seed) {
        Walk w{body, static_cast<std::uint64_t>(seed)};
        first += w.ready() == "1!" ? 1 : 0;
    }
    return first;
}

TEST(Schedule, ABranchOfOursIsDrawnByItsShare) {
    const auto shares = [](const std::string& one, const std::string& other) {
        return "alt" + one + "\n    a->>x: MESSAGE \"1\"\nelse" + other +
               "\n    a->>x: MESSAGE \"2\"\nend\n";
    };
    EXPECT_NEAR(times_first(shares(" (70%)", " (30%)"), 1000), 700, 60);
    EXPECT_NEAR(times_first(shares("", ""), 1000), 500, 60);
    EXPECT_NEAR(times_first(shares("", " (90%)"), 1000), 100, 40);
    EXPECT_EQ(times_first(shares(" (100%)", ""), 100), 100);
}

TEST(Schedule, TheSameSeedMakesTheSameChoices) {
    constexpr std::string_view body = "loop (20 times)\n"
                                      "    alt\n"
                                      "        a->>x: MESSAGE \"1\"\n"
                                      "    else\n"
                                      "        a->>x: MESSAGE \"2\"\n"
                                      "    end\n"
                                      "end\n";
    const auto choices = [&](std::uint64_t seed) {
        Walk w{body, seed};
        std::string out;
        while (!w.schedule.over() && out.size() < 100) {
            const auto next = w.ready();
            out += next;
            w.happen(next);
        }
        return out;
    };
    EXPECT_EQ(choices(7), choices(7));
    EXPECT_EQ(choices(7).size(), 40U);
    EXPECT_NE(choices(7), choices(8));
    EXPECT_NE(choices(7).find('1'), std::string::npos); // each round draws anew
    EXPECT_NE(choices(7).find('2'), std::string::npos);
}

TEST(Schedule, ABranchIsNotDrawnBeforeItMayBegin) {
    Walk w{"b->>a: MESSAGE \"0\"\n"
           "alt (100%)\n"
           "    a->>x: MESSAGE \"1\"\n"
           "else\n"
           "    a->>x: MESSAGE \"2\"\n"
           "end\n"};
    EXPECT_EQ(w.ready(), "0!");
    EXPECT_TRUE(w.schedule.may_come(w.step("2")));
    w.happen("0! 0?");
    EXPECT_EQ(w.ready(), "1!");
    EXPECT_FALSE(w.schedule.may_come(w.step("2")));
}

// ---- opt and break

constexpr std::string_view awaited_opt = "opt\n"
                                         "    x->>a: MESSAGE \"1\"\n"
                                         "    a->>x: MESSAGE \"2\"\n"
                                         "end\n"
                                         "x->>a: MESSAGE \"3\"\n";

TEST(Schedule, AnOptionThatComesIsWalked) {
    Walk w{awaited_opt};
    EXPECT_EQ(w.ready(), "(1?) 3?");
    w.happen("(1?)");
    EXPECT_EQ(w.ready(), "2!"); // now what is below waits
    w.happen("2! 3?");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, AnOptionThatDoesNotComeIsPassedOverWhenItsReceiverGoesOn) {
    Walk w{awaited_opt};
    w.happen("3?");
    EXPECT_TRUE(w.schedule.passed_over(w.step("1")));
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, AnOptionAtTheEndIsNotWaitedFor) {
    Walk w{"a->>x: MESSAGE \"0\"\n"
           "opt\n"
           "    x->>a: MESSAGE \"1\"\n"
           "end\n"};
    w.happen("0!");
    EXPECT_EQ(w.ready(), "(1?)");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, SomebodyElsesProgressDoesNotCloseAnOption) {
    Walk w{"opt\n"
           "    x->>a: MESSAGE \"1\"\n"
           "end\n"
           "b->>c: MESSAGE \"2\"\n"
           "x->>a: MESSAGE \"3\"\n"};
    w.happen("2! 2?");
    EXPECT_EQ(w.ready(), "(1?) 3?");
}

TEST(Schedule, AnOptionOfOursIsTakenByItsShare) {
    const auto body = [](const std::string& share) {
        return "opt" + share + "\n    a->>x: MESSAGE \"1\"\nend\na->>x: MESSAGE \"2\"\n";
    };
    EXPECT_EQ(times_first(body(" (100%)"), 50), 50);
    EXPECT_EQ(times_first(body(" (0%)"), 50), 0);
    EXPECT_NEAR(times_first(body(" (20%)"), 1000), 200, 50);
    Walk w{body(" (0%)")};
    EXPECT_EQ(w.ready(), "2!");
    EXPECT_TRUE(w.schedule.passed_over(w.step("1")));
}

constexpr std::string_view with_break = "a->>x: INVITE sip:x@example.com\n"
                                        "break (fail)\n"
                                        "    x-->>a: 503 Service Unavailable\n"
                                        "    a->>x: MESSAGE \"sorry\"\n"
                                        "end\n"
                                        "x-->>a: 200 OK (INVITE)\n"
                                        "a->>x: BYE\n"
                                        "x-->>a: 200 OK (BYE)\n";

TEST(Schedule, ABreakEndsTheFlowAfterItsSection) {
    Walk w{with_break};
    w.happen("INVITE!");
    EXPECT_EQ(w.ready(), "(503?) 200?");
    w.happen("(503?)");
    EXPECT_EQ(w.ready(), "sorry!");
    EXPECT_FALSE(w.schedule.over());
    EXPECT_TRUE(w.schedule.passed_over(w.step("BYE")));
    w.happen("sorry!");
    EXPECT_TRUE(w.schedule.over());
    ASSERT_TRUE(w.schedule.failed_break());
    EXPECT_EQ(*w.schedule.failed_break(), 6U); // five parties and the INVITE stand above
}

TEST(Schedule, ABreakOfOurOwnIsDrawnByLotAndEndsTheFlow) {
    bool broke = false;
    bool went_on = false;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Walk w{"a->>b: INVITE\n"
               "break busy (fail)\n"
               "    b-->>a: 486 Busy Here\n"
               "end\n"
               "b-->>a: 200 OK\n",
               seed};
        w.happen("INVITE!");
        w.happen("INVITE?");
        const auto next = w.ready();
        broke = broke || next == "486!";
        went_on = went_on || next == "200!";
        if (next == "486!") {
            w.happen("486!");
            EXPECT_EQ(w.ready(), "486?");
            w.happen("486?");
            EXPECT_TRUE(w.schedule.over());
            EXPECT_TRUE(w.schedule.failed_break());
        }
    }
    EXPECT_TRUE(broke && went_on);
}

TEST(Schedule, ABreakThatDoesNotComeIsNoHindrance) {
    Walk w{with_break};
    w.happen("INVITE! 200?");
    EXPECT_TRUE(w.schedule.passed_over(w.step("503")));
    w.happen("BYE! 200?");
    EXPECT_TRUE(w.schedule.over());
    EXPECT_FALSE(w.schedule.failed_break());
}

// ---- loop

TEST(Schedule, ALoopIsWalkedSoManyTimes) {
    Walk w{"loop (3 times)\n"
           "    a->>b: MESSAGE \"1\"\n"
           "end\n"
           "b->>x: MESSAGE \"2\"\n"};
    for (int round = 0; round < 3; ++round) {
        EXPECT_EQ(w.ready(), "1!");
        w.happen("1!");
        EXPECT_EQ(w.ready(), "1?"); // rounds do not overlap
        EXPECT_TRUE(w.schedule.may_come(w.step("1")));
        w.happen("1?");
    }
    EXPECT_EQ(w.ready(), "2!");
    EXPECT_FALSE(w.schedule.may_come(w.step("1")));
    EXPECT_TRUE(w.schedule.is_done(w.step("1")));
}

TEST(Schedule, AGapFollowsEachRound) {
    Walk w{"loop (500ms, 1s)\n"
           "    a-xx: OPTIONS sip:x@example.com\n"
           "end\n"
           "a->>x: MESSAGE \"2\"\n"};
    w.happen("OPTIONS!");
    EXPECT_EQ(w.ready(), "");
    EXPECT_FALSE(w.schedule.over());
    EXPECT_EQ(w.schedule.next_deadline(), w.now + milliseconds(500));
    w.now = w.now + milliseconds(499);
    EXPECT_EQ(w.ready(), "");
    w.now = w.now + milliseconds(1);
    EXPECT_EQ(w.ready(), "OPTIONS!");
    w.happen("OPTIONS!");
    EXPECT_EQ(w.ready(), "");
    EXPECT_EQ(w.schedule.next_deadline(), w.now + seconds(1));
    w.now = w.now + seconds(1);
    EXPECT_EQ(w.ready(), "2!");
    EXPECT_FALSE(w.schedule.next_deadline().known());
}

TEST(Schedule, EveryCountsFromTheBeginningOfARound) {
    Walk w{"loop (2 times, every 30s)\n"
           "    a->>b: MESSAGE \"1\"\n"
           "end\n"
           "a->>x: MESSAGE \"2\"\n"};
    const auto begin = w.now;
    w.happen("1!");
    w.now = begin + seconds(10);
    w.happen("1?");
    EXPECT_EQ(w.ready(), "");
    EXPECT_EQ(w.schedule.next_deadline(), begin + seconds(30));
    w.now = begin + seconds(30);
    EXPECT_EQ(w.ready(), "1!");
    w.happen("1!");
    w.now = begin + seconds(75); // it took longer than a round: on at once
    w.happen("1?");
    EXPECT_EQ(w.ready(), "2!"); // and nothing is waited for after the last
}

TEST(Schedule, ALoopHoldsItsLifelinesOnly) {
    Walk w{"loop (2 times, every 30s)\n"
           "    a->>b: MESSAGE \"1\"\n"
           "end\n"
           "c->>y: MESSAGE \"2\"\n"};
    EXPECT_EQ(w.ready(), "1! 2!");
    w.happen("2!");
    EXPECT_EQ(w.ready(), "1!");
}

// ---- critical

constexpr std::string_view critical = "critical (within 800ms)\n"
                                      "    a->>x: MESSAGE \"1\"\n"
                                      "    x->>a: MESSAGE \"2\"\n"
                                      "end\n"
                                      "a->>x: MESSAGE \"3\"\n";

TEST(Schedule, ACriticalSectionInItsTimeIsNotLate) {
    Walk w{critical};
    w.happen("1!");
    w.now = w.now + milliseconds(800);
    w.happen("2? 3!");
    EXPECT_TRUE(w.schedule.over());
    EXPECT_TRUE(w.schedule.late().empty());
}

TEST(Schedule, ACriticalSectionThatTakesLongerIsLateOnce) {
    Walk w{critical};
    w.happen("1!");
    w.now = w.now + milliseconds(801);
    w.happen("2? 3!");
    ASSERT_EQ(w.schedule.late().size(), 1U);
    EXPECT_EQ(w.schedule.late().front().took, milliseconds(801));
    EXPECT_EQ(w.schedule.late().front().block, 5U);
}

TEST(Schedule, AnOptionIsTakenInsteadWhenItsFirstArrowComes) {
    Walk w{"critical\n"
           "    x->>a: MESSAGE \"1\"\n"
           "option\n"
           "    x->>a: INFO\n"
           "    a-->>x: 200 OK\n"
           "end\n"};
    EXPECT_EQ(w.ready(), "(1?) (INFO?)");
    w.happen("(INFO?) 200!");
    EXPECT_TRUE(w.schedule.over());
}

// ---- inside each other

TEST(Schedule, AnAltWithinALoopIsDecidedInEachRound) {
    Walk w{"loop (2 times)\n"
           "    alt\n"
           "        x->>a: MESSAGE \"1\"\n"
           "    else\n"
           "        x->>a: MESSAGE \"2\"\n"
           "    end\n"
           "end\n"};
    w.happen("(2?)");
    EXPECT_EQ(w.ready(), "(1?) (2?)");
    w.happen("(1?)");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, AnAltAtTheBeginningOfAnOptDecidesBoth) {
    Walk w{"opt\n"
           "    alt\n"
           "        x->>a: MESSAGE \"1\"\n"
           "    else\n"
           "        x->>a: MESSAGE \"2\"\n"
           "    end\n"
           "    a->>x: MESSAGE \"3\"\n"
           "end\n"
           "x->>a: MESSAGE \"4\"\n"};
    w.happen("(2?)");
    EXPECT_EQ(w.ready(), "3!");
    w.happen("3! 4?");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, ALoopWithinAParRepeatsByItself) {
    Walk w{"par\n"
           "    loop (2 times)\n"
           "        a->>x: MESSAGE \"1\"\n"
           "    end\n"
           "and\n"
           "    a->>b: MESSAGE \"2\"\n"
           "end\n"
           "a->>x: MESSAGE \"3\"\n"};
    EXPECT_EQ(w.ready(), "1! 2!");
    w.happen("1!");
    EXPECT_EQ(w.ready(), "1! 2!");
    w.happen("2! 2? 1!");
    EXPECT_EQ(w.ready(), "3!");
}

TEST(Schedule, AParWithinALoopIsWholeBeforeTheNextRound) {
    Walk w{"loop (2 times)\n"
           "    par\n"
           "        a->>x: MESSAGE \"1\"\n"
           "    and\n"
           "        b->>x: MESSAGE \"2\"\n"
           "    end\n"
           "end\n"};
    w.happen("1!");
    EXPECT_EQ(w.ready(), "2!");
    w.happen("2!");
    EXPECT_EQ(w.ready(), "1! 2!");
    w.happen("2! 1!");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, LoopsWithinLoopsMultiply) {
    Walk w{"loop (3 times)\n"
           "    loop (2 times)\n"
           "        a->>x: MESSAGE \"1\"\n"
           "    end\n"
           "    a->>x: MESSAGE \"2\"\n"
           "end\n"};
    for (int i = 0; i < 3; ++i) {
        w.happen("1! 1! 2!");
    }
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, ABreakWithinALoopEndsAll) {
    Walk w{"loop (3 times)\n"
           "    a->>x: MESSAGE \"1\"\n"
           "    break\n"
           "        x->>a: MESSAGE \"stop\"\n"
           "    end\n"
           "    x->>a: MESSAGE \"2\"\n"
           "end\n"
           "a->>x: MESSAGE \"3\"\n"};
    w.happen("1! 2? 1!");
    EXPECT_EQ(w.ready(), "(stop?) 2?");
    w.happen("(stop?)");
    EXPECT_EQ(w.ready(), "");
    EXPECT_TRUE(w.schedule.over());
    EXPECT_FALSE(w.schedule.failed_break());
}

TEST(Schedule, ABreakDoesNotWaitForAnAltThatItHasCutOff) {
    Walk w{"alt\n"
           "    x->>b: MESSAGE \"1\"\n"
           "else\n"
           "    x->>b: MESSAGE \"2\"\n"
           "end\n"
           "break (fail)\n"
           "    y->>a: MESSAGE \"stop\"\n"
           "    a->>b: MESSAGE \"3\"\n"
           "end\n"};
    EXPECT_EQ(w.ready(), "(1?) (2?) (stop?)");
    w.happen("(stop?)");
    EXPECT_EQ(w.ready(), "3!");
    w.happen("3! 3?");
    EXPECT_TRUE(w.schedule.over());
}

TEST(Schedule, AnOptionInOneSectionOfAParIsNotClosedByTheOther) {
    Walk w{"par\n"
           "    opt\n"
           "        x->>a: MESSAGE \"1\"\n"
           "    end\n"
           "    x->>a: MESSAGE \"2\"\n"
           "and\n"
           "    a->>x: MESSAGE \"3\"\n"
           "end\n"};
    w.happen("3!");
    EXPECT_EQ(w.ready(), "(1?) 2?");
}

TEST(Schedule, ABoxOrARectOrdersNothing) {
    Walk w{"rect rgb(200, 220, 255)\n"
           "    a->>x: MESSAGE \"1\"\n"
           "    b->>y: MESSAGE \"2\"\n"
           "end\n"
           "b->>y: MESSAGE \"3\"\n"};
    EXPECT_EQ(w.ready(), "1! 2!");
    w.happen("2!");
    EXPECT_EQ(w.ready(), "1! 3!");
}

// ---- all flows

std::vector<script::Plan> shipped_flows() {
    std::vector<script::Plan> out;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(CALLWRIGHT_SOURCE_DIR "/flows")) {
        if (entry.path().extension() == ".mmd") {
            auto parsed = script::parse(script::test::read_whole(entry.path().string()));
            EXPECT_TRUE(parsed.ok()) << entry.path();
            out.push_back(std::move(parsed.plan));
        }
    }
    return out;
}

// Something may happen until all is over. With what may come and what must drawn by lot, the flow
// ends; and what happened on a lifeline happened in the order of the drawing.
class Interleaving {
  public:
    Interleaving(const script::Plan& plan, unsigned seed)
        : plan_(plan), schedule_(plan, seed), random_(seed), free_(plan.steps.size(), false) {
        std::vector<StepId> open;
        for (StepId i = 0; i < plan.steps.size(); ++i) {
            const auto* block = std::get_if<script::Block>(&plan.steps[i].what);
            if (block != nullptr && !script::is_section(block->kind)) {
                open.push_back(i);
            } else if (std::holds_alternative<script::End>(plan.steps[i].what)) {
                open.pop_back();
            }
            free_[i] = std::ranges::any_of(open, [&](StepId b) {
                const auto kind = std::get<script::Block>(plan.steps[b].what).kind;
                return kind == script::BlockKind::Par || kind == script::BlockKind::Opt ||
                       kind == script::BlockKind::Break;
            });
        }
    }

    // Empty, or what went wrong.
    std::string run() {
        for (int steps = 0; steps < 5000; ++steps) {
            const auto ready = schedule_.ready(now_);
            if (ready.empty()) {
                if (schedule_.over()) {
                    return "";
                }
                if (!schedule_.next_deadline().known()) {
                    return "it is stuck";
                }
                now_ = std::max(now_, schedule_.next_deadline());
                continue;
            }
            const bool over = schedule_.over();
            if (over && random_() % 2 == 0) {
                return "";
            }
            const auto one = ready[random_() % ready.size()];
            if (!schedule_.may_come(one.step)) {
                return "what may happen may not come";
            }
            if (!above_is_done(one)) {
                return "line " + std::to_string(plan_.steps[one.step].place.line) + " is early";
            }
            now_ = now_ + milliseconds(static_cast<int>(random_() % 300));
            one.part == Schedule::Part::Send ? schedule_.sent(one.step, now_)
                                             : schedule_.received(one.step, now_);
        }
        return "it never ends";
    }

  private:
    [[nodiscard]] bool ours(script::PartyId party) const {
        return plan_.parties[party].control == script::Control::Played;
    }
    // What stands in a par, or need not come, is left to the tests above.
    bool above_is_done(const Schedule::Ready& ready) {
        const auto* now = std::get_if<script::Arrow>(&plan_.steps[ready.step].what);
        if (now == nullptr || free_[ready.step]) {
            return true;
        }
        const auto lane = ready.part == Schedule::Part::Receive ? now->to : now->from;
        for (StepId i = 0; i < ready.step; ++i) {
            const auto* above = std::get_if<script::Arrow>(&plan_.steps[i].what);
            if (above == nullptr || free_[i] || script::is_shown(above->link) || !ours(lane)) {
                continue;
            }
            const bool sends = above->from == lane && !schedule_.is_sent(i);
            const bool receives = above->to == lane && !schedule_.is_done(i);
            if ((sends || receives) && !schedule_.passed_over(i)) {
                return false;
            }
        }
        return true;
    }

    const script::Plan& plan_;
    Schedule schedule_;
    std::mt19937 random_;
    std::vector<bool> free_;
    Instant now_ = test::first_instant;
};

TEST(Schedule, TenThousandInterleavingsOfAllFlowsEndInOrder) {
    const auto flows = shipped_flows();
    ASSERT_GE(flows.size(), 70U);
    for (unsigned seed = 0; seed < 10'000; ++seed) {
        const auto& plan = flows[seed % flows.size()];
        ASSERT_EQ((Interleaving{plan, seed}.run()), "") << plan.title << ", seed " << seed;
    }
}

} // namespace
} // namespace cw::play
