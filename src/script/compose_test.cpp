#include "script/compose.hpp"

#include <array>

#include <gtest/gtest.h>

namespace cw::script {
namespace {

constexpr std::string_view calls = "sequenceDiagram\n"
                                   "    %% set: greeting = hello\n"
                                   "    actor bob as Bob\n"
                                   "    %% uri: sip:bob@example.org\n"
                                   "    actor alice as Alice\n"
                                   "\n"
                                   "    loop (2 times)\n"
                                   "        alice->>bob: OPTIONS\n"
                                   "        bob-->>alice: 200 OK\n"
                                   "    end\n"
                                   "    alice->>bob: INVITE (SRTP offer)\n"
                                   "    bob-->>alice: 200 OK (SRTP answer)\n"
                                   "    alice->>bob: ACK\n";

Parsed after(std::string_view before, std::string_view text) {
    const std::array earlier{Earlier{"calls.mmd", before}};
    return parse_after(earlier, text);
}
std::string errors_of(const Parsed& parsed) {
    std::string out;
    for (const auto& one : parsed.complaints) {
        out += std::to_string(one.place.line) + ": " + one.what + "\n";
    }
    return out;
}

TEST(Compose, TheLaterFlowGoesOnWithTheCallOfTheEarlierOne) {
    const auto parsed = after(calls, "sequenceDiagram\n"
                                     "    %% before: calls.mmd\n"
                                     "    actor alice as Alice\n"
                                     "    actor bob as Bob\n"
                                     "\n"
                                     "    loop (2 times)\n"
                                     "        alice->>bob: MESSAGE \"{greeting}\"\n"
                                     "        bob-->>alice: 200 OK\n"
                                     "    end\n"
                                     "    alice->>bob: BYE\n"
                                     "    bob-->>alice: 200 OK\n");
    ASSERT_TRUE(parsed.ok()) << errors_of(parsed);
    const auto& plan = parsed.plan;
    ASSERT_EQ(plan.parties.size(), 2U);
    EXPECT_EQ(plan.calls, 1U);
    EXPECT_EQ(plan.arrows, 9U);
    const Arrow* bye = nullptr;
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        if (const auto* block = std::get_if<Block>(&plan.steps[i].what)) {
            const auto* end = std::get_if<End>(&plan.steps[block->end].what);
            ASSERT_NE(end, nullptr);
            EXPECT_EQ(end->begin, i);
        }
        const auto* arrow = std::get_if<Arrow>(&plan.steps[i].what);
        const auto* request = arrow != nullptr ? std::get_if<Request>(&arrow->content) : nullptr;
        if (request != nullptr && request->method == sip::Method::Bye) {
            bye = arrow;
            EXPECT_EQ(file_of(plan, plan.steps[i].place, "main.mmd"), "main.mmd");
        } else if (request != nullptr && request->method == sip::Method::Invite) {
            EXPECT_EQ(file_of(plan, plan.steps[i].place, "main.mmd"), "calls.mmd");
        }
    }
    ASSERT_NE(bye, nullptr);
    EXPECT_EQ(bye->call, 1U);
    EXPECT_EQ(plan.parties[bye->from].id, "alice");
    // What the later flow leaves unsaid is as it was before.
    const auto* uri = find<PartyUri>(plan.parties[bye->to].facts);
    ASSERT_NE(uri, nullptr);
}

TEST(Compose, WhatDoesNotFitTheEarlierFlowIsSaidAtItsLine) {
    const auto other = after(calls, "sequenceDiagram\n"
                                    "    %% before: calls.mmd\n"
                                    "    participant alice as Alice\n"
                                    "    actor bob as Bob\n"
                                    "\n"
                                    "    alice->>bob: BYE\n"
                                    "    bob-->>alice: 200 OK\n");
    EXPECT_EQ(errors_of(other),
              "3: “alice” is played, served or under test otherwise in calls.mmd\n");
    const auto answers = after(calls, "sequenceDiagram\n"
                                      "    %% before: calls.mmd\n"
                                      "    actor alice as Alice\n"
                                      "    actor bob as Bob\n"
                                      "\n"
                                      "    bob-->>alice: 180 Ringing\n");
    EXPECT_EQ(errors_of(answers), "6: this answers nothing: alice has no open request to bob\n");
}

TEST(Compose, AFlowWithoutOneBeforeItIsTheSameAsAlone) {
    const auto alone = parse(calls);
    const auto composed = parse_after({}, calls);
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ(alone.plan, composed.plan);
}

} // namespace
} // namespace cw::script
