#include "script/complaint.hpp"

#include <gtest/gtest.h>

#include "script/test_flow.hpp"

namespace cw::script {
namespace {

TEST(Complaints, ShowTheLineACaretAndTheWayOut) {
    const auto text = test::flow("alice->>pbx: INVITE bob (SRTP ofer)");
    EXPECT_EQ(test::report(text, parse(text)), "flow.mmd:6:35: error: “ofer” does not fit here\n"
                                               "     6 |     alice->>pbx: INVITE bob (SRTP ofer)\n"
                                               "       |                                   ^~~~\n"
                                               "         expected offer or answer\n"
                                               "         did you mean “SRTP offer”?\n");
}

TEST(Complaints, CountLettersNotBytes) {
    const auto text = test::flow("Note over alice: Grüße\nactor zoë");
    const auto parsed = parse(text);
    ASSERT_EQ(parsed.complaints.size(), 1U);
    EXPECT_EQ(parsed.complaints[0].place.line, 7U);
    EXPECT_EQ(parsed.complaints[0].place.column, 11U);
    const auto wide = test::flow("alice->>bob: MESSAGE \"Grüße\" (hodl)");
    EXPECT_EQ(parse(wide).complaints[0].place.column, 35U);
}

TEST(Complaints, CountEntitiesAsTheyAreWritten) {
    const auto text = test::flow("alice->>bob: MESSAGE \"#35;#59;\" (hodl)");
    EXPECT_EQ(parse(text).complaints[0].place.column, 38U);
    EXPECT_EQ(parse(text).complaints[0].place.length, 4U);
}

TEST(Complaints, KeepPasswordsOutOfTheReport) {
    for (const auto* line : {"%% password: sesame", "%% Password: sesame", "%% password: {sesame",
                             "%% password:sesame open"}) {
        const auto text = test::flow("participant p\n" + std::string(line));
        const auto parsed = parse(text);
        EXPECT_FALSE(parsed.ok());
        EXPECT_EQ(test::report(text, parsed).find("sesame"), std::string::npos)
            << test::report(text, parsed);
    }
}

TEST(Complaints, ShowNothingThatATerminalObeys) {
    const auto text = test::flow("actor x as \x1b[31m\xe2\x80\xae!\x01\xff");
    const auto report = test::report(text, parse(text));
    for (const char c : report) {
        EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
    }
    EXPECT_EQ(report.find("\xe2\x80\xae"), std::string::npos);
    EXPECT_NE(report.find("actor x as ?[31m?!??"), std::string::npos) << report;
}

TEST(Complaints, CutLongLinesAroundThePlace) {
    const auto text = test::flow("alice->>bob: MESSAGE \"" + std::string(3000, 'a') + "\" (hodl)");
    const auto report = test::report(text, parse(text));
    EXPECT_LT(report.size(), 1000U);
    EXPECT_NE(report.find("(hodl)"), std::string::npos);
}

TEST(NearestWord, IsTheOneWithFewestChanges) {
    constexpr std::string_view words[] = {"INVITE", "INFO", "NOTIFY"};
    EXPECT_EQ(nearest("INVTE", words), "INVITE");
    EXPECT_EQ(nearest("INVIET", words), "INVITE");
    EXPECT_EQ(nearest("info", words), "INFO");
    EXPECT_EQ(nearest("BANANA", words), "");
    EXPECT_EQ(nearest("", words), "");
    EXPECT_EQ(nearest(std::string(10'000, 'I'), words), "");
}

} // namespace
} // namespace cw::script
