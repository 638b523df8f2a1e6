// A flow demands how it is to be protected, and the packets decide.
#include <gtest/gtest.h>

#include "program.hpp"

namespace cw::tests {
namespace {

using Protection = InFolder;

// The call that ships, with a pass line behind its first line.
std::string demanding(const std::string& pass) {
    auto flow = content_of(CALLWRIGHT_SOURCE_DIR "/flows/secure-call.mmd");
    constexpr std::string_view head = "sequenceDiagram\n";
    const auto at = flow.find(head);
    return at == std::string::npos ? std::string{}
                                   : flow.insert(at + head.size(), "    %% pass: " + pass + "\n");
}

TEST_F(Protection, ThatIsDemandedAndGivenPasses) {
    file("safe.mmd", demanding("every hop TLS 1.2 or better, every hop verified, media SRTP"));
    const auto done = run("run safe.mmd");
    EXPECT_EQ(done.status, 0) << done.text;
}

TEST_F(Protection, ThatIsDemandedAndNotGivenFailsAndSaysWhere) {
    file("unsafe.mmd", demanding("every hop TLS 1.3, media DTLS-SRTP"));
    const auto done = run("run unsafe.mmd");
    EXPECT_EQ(done.status, 1) << done.text;
    EXPECT_TRUE(contains(done.text, "pass: media DTLS-SRTP: ")) << done.text;
    EXPECT_TRUE(contains(done.text, "was SRTP with SDES keys")) << done.text;
}

// Behind a blank line it would be a comment, and the flow would pass without any.
TEST_F(Protection, ThatStandsBehindABlankLineIsNotPassedOver) {
    auto flow = content_of(CALLWRIGHT_SOURCE_DIR "/flows/secure-call.mmd");
    flow += "\n    %% pass: every hop TLS\n";
    file("lost.mmd", flow);
    const auto done = run("run lost.mmd --check");
    EXPECT_EQ(done.status, 2) << done.text;
    EXPECT_TRUE(contains(done.text, "a blank line stands above it")) << done.text;
}

TEST_F(Protection, ThatNobodyKnowsIsAFaultOfTheFlow) {
    file("wrong.mmd", demanding("every hop TLS 0.9"));
    EXPECT_EQ(run("run wrong.mmd").status, 2);
}

} // namespace
} // namespace cw::tests
