// Whole flows: those of the shared material, and what must hold of every flow that can be read.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "script/describe.hpp"
#include "script/print.hpp"
#include "script/test_flow.hpp"

namespace cw::script {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> flows_in(const std::string& folder) {
    std::vector<std::string> out;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
        if (entry.path().extension() == ".mmd") {
            out.push_back(entry.path().string());
        }
    }
    std::ranges::sort(out);
    return out;
}

const std::string shared = CALLWRIGHT_SHARED_DIR "/flows";
const std::string shipped = CALLWRIGHT_SOURCE_DIR "/flows";

std::vector<std::string> example_flows() {
    std::vector<std::string> out;
    for (const auto& path : flows_in(shared)) {
        if (path.find("/wrong/") == std::string::npos) {
            out.push_back(path);
        }
    }
    for (const auto& path : flows_in(shipped)) {
        out.push_back(path);
    }
    return out;
}

void expect_stable(const std::string& path, const std::string& text) {
    const auto parsed = parse(text);
    ASSERT_TRUE(parsed.ok()) << path << "\n" << test::report(text, parsed);
    const auto printed = to_mermaid(parsed.plan);
    const auto again = parse(printed);
    ASSERT_TRUE(again.ok()) << path << "\n" << test::report(printed, again);
    EXPECT_EQ(again.plan, parsed.plan) << path << "\n" << printed;
    EXPECT_EQ(to_mermaid(again.plan), printed) << path;
}

TEST(Flows, AreReadPrintedAndReadAgain) {
    for (const auto& path : example_flows()) {
        expect_stable(path, test::read_whole(path));
    }
}

TEST(Flows, ThatShipAreFlawless) {
    const auto paths = flows_in(shipped);
    EXPECT_GE(paths.size(), 70U);
    for (const auto& path : paths) {
        const auto text = test::read_whole(path);
        const auto parsed = parse(text);
        EXPECT_TRUE(parsed.complaints.empty()) << test::report(text, parsed);
        EXPECT_EQ(to_mermaid(parsed.plan), text) << path;
        EXPECT_FALSE(parsed.plan.title.empty()) << path;
        EXPECT_NE(text.find("    %% Shows: "), std::string::npos) << path;
    }
}

TEST(Flows, WithOtherLineEndsSayTheSame) {
    for (const auto& path : example_flows()) {
        const auto text = test::read_whole(path);
        std::string other;
        for (const char c : text) {
            other += c == '\n' ? "\r\n" : std::string(1, c);
        }
        EXPECT_EQ(parse(other).plan.steps, parse(text).plan.steps) << path;
    }
}

TEST(Flows, CutAnywhereAreReadOrRefused) {
    for (const auto& path : example_flows()) {
        const auto text = test::read_whole(path);
        // Of the many that are alike a cut here and there.
        const std::size_t step = path.starts_with(shipped) ? 61 : 1;
        for (std::size_t size = 0; size < text.size(); size += step) {
            const auto prefix = text.substr(0, size);
            const auto parsed = parse(prefix);
            if (parsed.ok()) {
                EXPECT_TRUE(!prefix.ends_with('\n') ||
                            parse(to_mermaid(parsed.plan)).plan == parsed.plan)
                    << prefix;
            } else {
                EXPECT_FALSE(test::report(prefix, parsed).empty());
            }
        }
    }
}

TEST(Flows, WithALineMissingAreReadOrRefused) {
    for (const auto& path : example_flows()) {
        const auto text = test::read_whole(path);
        for (std::size_t at = 0; at < text.size();) {
            const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
            const auto without = text.substr(0, at) + text.substr(end);
            const auto parsed = parse(without);
            if (parsed.ok()) {
                EXPECT_EQ(parse(to_mermaid(parsed.plan)).plan, parsed.plan) << without;
                EXPECT_FALSE(describe(parsed.plan).empty());
            }
            at = end;
        }
    }
}

struct Wrong {
    const char* file;
    std::uint32_t line; // 0: it is right
    std::uint32_t column;
    const char* nearest;
};

TEST(Flows, ThatAreWrongAreRefusedAtTheirPlace) {
    if (!fs::exists(shared)) {
        GTEST_SKIP() << "no shared flows at " << shared;
    }
    constexpr Wrong wrong[] = {
        {"branches", 9, 5, ""},
        {"comment_adjacent", 7, 8, ""},
        {"comment_ok", 0, 0, ""},
        {"dash_x", 6, 11, ""},
        {"directive", 7, 5, ""},
        {"forgot_paren", 6, 25, ""},
        {"future_call", 6, 30, ""},
        {"hash", 6, 32, ""},
        {"missing_end", 6, 5, ""},
        {"orphan_response", 6, 19, ""},
        {"remark_on_arrow", 6, 18, ""},
        {"reserved_id", 6, 11, ""},
        {"role", 6, 35, "under test"},
        {"semicolon", 6, 39, ""},
        {"target_typo", 6, 25, "bob"},
        {"tls_brief", 0, 0, ""},
        {"tls_words", 6, 28, ""},
        {"typo_action", 6, 22, "hears"},
        {"typo_fact", 6, 35, "SRTP offer"},
        {"typo_header", 7, 8, "Require"},
        {"typo_method", 6, 18, "INVITE"},
        {"typo_participant", 6, 5, "alice"},
        {"typo_tls", 6, 20, "TLS"},
        {"typo_tlsfact", 6, 30, "expired certificate"},
        {"wrong_cseq", 7, 19, ""},
    };
    for (const auto& flow : wrong) {
        const auto text = test::read_whole(shared + "/wrong/" + flow.file + ".mmd");
        const auto parsed = parse(text);
        EXPECT_EQ(parsed.ok(), flow.line == 0) << flow.file;
        if (flow.line > 0) {
            ASSERT_EQ(parsed.complaints.size(), 1U) << flow.file;
            EXPECT_EQ(parsed.complaints[0].place.line, flow.line) << flow.file;
            EXPECT_EQ(parsed.complaints[0].place.column, flow.column) << flow.file;
            EXPECT_EQ(parsed.complaints[0].nearest, flow.nearest) << flow.file;
        }
    }
}

TEST(Flows, WithACaptureThatIsNeverUsedGiveAWarning) {
    const auto text =
        test::flow("alice->>pbx: INVITE bob\npbx-->>alice: 180 Ringing\n%% RSeq: {rsek}");
    const auto parsed = parse(text);
    EXPECT_TRUE(parsed.ok());
    ASSERT_EQ(parsed.complaints.size(), 1U);
    EXPECT_TRUE(parsed.complaints[0].warning);
    EXPECT_EQ(parsed.complaints[0].place.line, 8U);
    EXPECT_EQ(parsed.complaints[0].place.column, 15U);
}

// Every code block of the language's page is a flow that can be read.
TEST(Flows, OfTheLanguagePageAreRight) {
    const auto page = test::read_whole(CALLWRIGHT_SOURCE_DIR "/docs/formats/flow.md");
    std::size_t count = 0;
    for (std::size_t at = 0; (at = page.find("```mermaid\n", at)) != std::string::npos; ++count) {
        at += 11;
        const auto end = page.find("```", at);
        ASSERT_NE(end, std::string::npos);
        expect_stable("flow.md", page.substr(at, end - at));
        at = end + 3;
    }
    EXPECT_GE(count, 6U);
}

} // namespace
} // namespace cw::script
