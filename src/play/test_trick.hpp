// For tests: a flow on a virtual clock, on which the network, or a stranger, plays tricks.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "play/simulated_stage.hpp"
#include "play/test_walk.hpp"

namespace cw::play::test {

inline constexpr std::string_view call = "a->>b: INVITE b (SRTP offer)\n"
                                         "%% Subject: lunch\n"
                                         "%% Priority: normal\n"
                                         "b-->>a: 180 Ringing\n"
                                         "b-->>a: 200 OK (SRTP answer)\n"
                                         "a->>b: ACK\n"
                                         "b->>a: BYE\n"
                                         "a-->>b: 200 OK\n";
inline constexpr script::PartyId alice = 0; // `a` of the flow
inline constexpr script::PartyId bob = 1;   // `b`

inline bool is(std::string_view text, std::string_view start, std::string_view method = "") {
    return text.starts_with(start) &&
           (method.empty() || text.find(" " + std::string{method} + "\r\n") != std::string::npos);
}
inline std::string replaced(std::string text, std::string_view what, std::string_view with) {
    const auto at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what << " is not in\n" << text;
    return at == std::string::npos ? text : text.replace(at, what.size(), with);
}

class Trick {
  public:
    explicit Trick(std::string_view body, sip::Transport over = sip::Transport::Tls)
        : plan(spoken(plan_of(body), over)), stage(plan, 1) {}

    const Report& run() { return report = &stage.run(), *report; }
    [[nodiscard]] const ArrowReport& arrow(std::size_t n) const { return report->arrows[n]; }
    void expect(std::size_t n, Verdict verdict, const std::string& why = "") const {
        EXPECT_EQ(to_string(arrow(n).verdict), to_string(verdict)) << arrow(n).why;
        EXPECT_EQ(arrow(n).why, why);
    }
    void expect_difference(std::size_t n, const Difference& wanted) const {
        const auto& found = arrow(n).difference;
        EXPECT_EQ(found.where, wanted.where);
        EXPECT_EQ(found.expected, wanted.expected);
        EXPECT_EQ(found.received, wanted.received);
    }
    [[nodiscard]] std::string failures() const { return failures_of(plan, *report); }
    [[nodiscard]] Duration lasted() const { return report->ended - report->began; }

    static script::Plan spoken(script::Plan plan, sip::Transport over) {
        for (auto& party : plan.parties) {
            party.facts.push_back({{}, true, script::Over{over}});
        }
        return plan;
    }

    script::Plan plan;
    SimulatedStage stage;
    const Report* report = nullptr;
};

} // namespace cw::play::test
