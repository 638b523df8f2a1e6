#include "view/ladder_text.hpp"

#include <sstream>

#include <gtest/gtest.h>

#include "view/cells.hpp"
#include "view/test_calls.hpp"

namespace cw::view {
namespace {

std::vector<std::string> lines_of(const flow::Call& call, const TextOptions& options) {
    std::string out;
    append_text(out, layout(call), options);
    std::vector<std::string> lines;
    std::istringstream in{out};
    for (std::string line; std::getline(in, line);) {
        lines.push_back(line);
    }
    return lines;
}

// The character that covers a cell of a line; empty where the line is shorter.
std::string at_cell(std::string_view line, std::size_t cell) {
    std::size_t cells = 0;
    for (std::size_t at = 0; at < line.size();) {
        const auto point = decode_utf8(line, at);
        const auto size = static_cast<std::size_t>(cell_width(point.code));
        if (cell >= cells && cell < cells + size) {
            return std::string{line.substr(at, point.size)};
        }
        cells += size;
        at += point.size;
    }
    return {};
}

bool is_lifeline(const std::string& glyph) {
    constexpr std::string_view signs = "│├┤╞╡┃┊░";
    return !glyph.empty() && signs.find(glyph) != std::string_view::npos;
}

TEST(LadderText, LifelinesStandUnderEachOtherInEveryRow) {
    for (const auto& call : {made::dropped_call(), made::good_call(), made::loopback_call()}) {
        const auto ladder = layout(call);
        for (const std::size_t width : {20, 80, 100, 160}) {
            const auto lines = lines_of(call, {.width = width});
            const auto first = std::ranges::find_if(lines, [](const std::string& line) {
                return line.find("├") != std::string::npos || line.find("╞") != std::string::npos;
            });
            ASSERT_NE(first, lines.end());
            std::vector<std::size_t> columns;
            for (std::size_t cell = 0; cell < cell_width(*first); ++cell) {
                if (is_lifeline(at_cell(*first, cell))) {
                    columns.push_back(cell);
                }
            }
            ASSERT_EQ(columns.size(), ladder.columns.size());
            for (auto line = first; line != lines.end() && !line->empty(); ++line) {
                // Arrows and notes may cover a lifeline between their ends, the first never.
                EXPECT_TRUE(is_lifeline(at_cell(*line, columns.front()))) << *line;
                const bool covers = line->find("repeated") != std::string::npos ||
                                    line->find("Reason") != std::string::npos ||
                                    line->find("PCMU") != std::string::npos ||
                                    line->find("promised") != std::string::npos;
                for (const auto column : columns) {
                    EXPECT_TRUE(covers || is_lifeline(at_cell(*line, column)))
                        << *line << " at " << column;
                }
            }
        }
    }
}

TEST(LadderText, NothingIsWiderThanTheTerminalWhenItCanFit) {
    for (const auto& line : lines_of(made::dropped_call(), {.width = 110})) {
        if (line.find(" → ") == std::string::npos && line.find("Reason") == std::string::npos) {
            EXPECT_LE(cell_width(line), 110U) << line;
        }
    }
}

TEST(LadderText, TheTextOfAnArrowIsNeverCut) {
    const auto lines = lines_of(made::good_call(), {.width = 20});
    EXPECT_TRUE(std::ranges::any_of(lines, [](const std::string& line) {
        return line.find("407 Proxy Authentication Required") != std::string::npos;
    }));
}

TEST(LadderText, AsciiIsAsciiAlsoForHostileNames) {
    for (const auto& call : {made::hostile_call(), made::dropped_call(), made::unreadable_call()}) {
        for (const auto& line : lines_of(call, {.ascii = true})) {
            for (const char c : line) {
                ASSERT_TRUE(c >= ' ' && c <= '~') << line;
            }
        }
    }
}

TEST(LadderText, WithoutColourThereIsNoEscapeWithColourOnlyOurs) {
    for (const auto& line : lines_of(made::hostile_call(), {})) {
        EXPECT_EQ(line.find('\x1b'), std::string::npos) << line;
    }
    for (const auto& line : lines_of(made::hostile_call(), {.colour = true})) {
        for (auto at = line.find('\x1b'); at != std::string::npos; at = line.find('\x1b', at + 1)) {
            // "ESC [ digits m" and nothing else
            const auto end = line.find_first_not_of("0123456789", at + 2);
            EXPECT_EQ(line[at + 1], '[');
            ASSERT_NE(end, std::string::npos);
            EXPECT_EQ(line[end], 'm');
        }
    }
}

TEST(LadderText, ColourChangesNoCharacter) {
    const auto plain = lines_of(made::dropped_call(), {});
    auto coloured = lines_of(made::dropped_call(), {.colour = true});
    ASSERT_EQ(plain.size(), coloured.size());
    for (std::size_t i = 0; i < plain.size(); ++i) {
        std::string bare;
        for (std::size_t at = 0; at < coloured[i].size();) {
            if (coloured[i][at] == '\x1b') {
                at = coloured[i].find('m', at) + 1;
            } else {
                bare += coloured[i][at++];
            }
        }
        EXPECT_EQ(bare, plain[i]);
    }
}

TEST(LadderText, ManyBoxesMakeItWiderNotWrong) {
    made::CallMaker made{flow::Kind::Options, "sip:a@example.com", "sip:b@example.com"};
    for (int i = 1; i <= 200; ++i) {
        made.request(i, "10.0.0." + std::to_string(i) + ":5060",
                     "10.0.1." + std::to_string(i) + ":5060", "OPTIONS");
    }
    const auto call = made.finish(flow::State::Trying, 0, 0);
    EXPECT_EQ(layout(call).columns.size(), flow::Boxes::limit);
    EXPECT_GT(lines_of(call, {}).size(), 200U);
}

TEST(LadderText, OnAScreenAllColumnsAreInSightWhereShortTextsBringThemThere) {
    const auto width_of = [](const std::vector<std::string>& lines) {
        std::size_t most = 0;
        for (const auto& line : lines) {
            most = std::max(most, line.contains("INVITE") ? cell_width(line) : 0);
        }
        return most;
    };
    auto call = made::dropped_call();
    for (auto& message : call.messages) {
        if (message.status == 180) {
            message.reason = call.pool.add("Ringing at the desk and at home");
        }
    }
    const auto whole = lines_of(call, {.width = 80});
    const auto fitted = lines_of(call, {.width = 80, .fit = true});
    EXPECT_GT(width_of(whole), 90U);
    EXPECT_LE(width_of(fitted), 90U); // four columns at least 18 cells apart, and a badge
    EXPECT_EQ(whole.size(), fitted.size());
    EXPECT_TRUE(std::ranges::any_of(fitted, [](const std::string& line) {
        return line.contains("180 ") && line.contains("…");
    }));
}

TEST(LadderText, AMessageToItselfIsMarked) {
    made::CallMaker made{flow::Kind::Options, "sip:a@example.com", "sip:a@example.com"};
    made.request(0, "10.0.0.1:5060", "10.0.0.1:5060", "OPTIONS");
    const auto lines = lines_of(made.finish(flow::State::Trying, 0, 0), {});
    EXPECT_TRUE(std::ranges::any_of(lines, [](const std::string& line) {
        return line.find("OPTIONS ↺") != std::string::npos;
    }));
}

} // namespace
} // namespace cw::view
