// Every flow that ships, performed whole on a virtual clock; and the same over UDP that loses.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "play/simulated_stage.hpp"
#include "script/test_flow.hpp"

namespace cw::play {
namespace {

namespace fs = std::filesystem;

struct Flow {
    std::string name;
    script::Plan plan;
};

bool all_played(const script::Plan& plan) {
    return std::ranges::all_of(plan.parties, [](const script::Party& party) {
        return party.control == script::Control::Played;
    });
}

// Those without an embedded server or a real system: everybody is played here.
std::vector<Flow> played_flows() {
    std::vector<Flow> out;
    const fs::path folder = CALLWRIGHT_SOURCE_DIR "/flows";
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.path().extension() != ".mmd") {
            continue;
        }
        auto parsed = script::parse(script::test::read_whole(entry.path().string()));
        EXPECT_TRUE(parsed.ok()) << entry.path();
        // The handshakes of DTLS are the host's; its own tests perform that flow.
        const bool dtls = entry.path().filename() == "srtp-dtls.mmd";
        if (all_played(parsed.plan) && !dtls) {
            out.push_back({fs::relative(entry.path(), folder).string(), std::move(parsed.plan)});
        }
    }
    std::ranges::sort(out, {}, &Flow::name);
    return out;
}

// The same flow without connections and media, over UDP.
script::Plan over_udp(script::Plan plan) {
    for (auto& party : plan.parties) {
        std::erase_if(party.facts, [](const script::Fact& fact) {
            return std::holds_alternative<script::Over>(fact.value);
        });
        party.facts.push_back({{}, true, script::Over{sip::Transport::Udp}});
    }
    for (auto& step : plan.steps) {
        if (auto* arrow = std::get_if<script::Arrow>(&step.what)) {
            if (std::holds_alternative<script::Channel>(arrow->content) ||
                std::holds_alternative<script::Media>(arrow->content)) {
                arrow->content = script::Narration{"left out"};
                arrow->link = script::Link::SolidShown;
            }
        } else if (const auto* act = std::get_if<script::Act>(&step.what)) {
            const bool silent = std::holds_alternative<script::Waits>(act->action) ||
                                std::holds_alternative<script::Rings>(act->action) ||
                                std::holds_alternative<script::Reads>(act->action);
            if (!silent) {
                step.what = script::Remark{act->party, {}, script::Side::Over, "left out"};
            }
        }
    }
    return plan;
}

TEST(Performance, OverUdpThatLosesAFifthTheFlowsStillPass) {
    std::size_t lost = 0;
    for (const auto& flow : played_flows()) {
        if (flow.name.starts_with("security/") || flow.name.starts_with("rfc6216/")) {
            continue; // those are about TLS, and say so in their header fields
        }
        const auto plan = over_udp(flow.plan);
        for (unsigned seed = 1; seed <= 2; ++seed) {
            test::SimulatedStage stage{plan, seed, test::bad_network};
            const auto& report = stage.run();
            EXPECT_TRUE(report.passed()) << flow.name << ", seed " << seed << "\n"
                                         << test::failures_of(plan, report);
            lost += stage.datagrams_lost();
        }
    }
    EXPECT_GT(lost, 500U);
}

TEST(Performance, FlowsWhosePartiesAreAllPlayedPass) {
    const auto flows = played_flows();
    EXPECT_GE(flows.size(), 40U);
    for (const auto& flow : flows) {
        test::SimulatedStage stage{flow.plan, 1};
        const auto& report = stage.run();
        EXPECT_TRUE(report.passed()) << flow.name << "\n" << test::failures_of(flow.plan, report);
    }
}

} // namespace
} // namespace cw::play
