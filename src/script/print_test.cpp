#include "script/print.hpp"

#include <gtest/gtest.h>

#include "script/describe.hpp"
#include "script/test_flow.hpp"

namespace cw::script {
namespace {

// A flow with every kind of line, printed as it is written here.
constexpr const char* everything = R"(---
title: "Everything: once"
config: {theme: neutral}
---
sequenceDiagram
    %% load: 50 calls/s for 10m, ramp 1m
    %% set: greeting = Hello

    %% A comment.
    %% Another.
    autonumber 5 2
    box rgba(46,160,67,0.12) Office
        actor alice as Alice (IPv6, TLS)
        %% uri: sip:alice@example.com
        participant pbx as The PBX<br/>(under test)
        %% at: tls:pbx.example.com:5061
    end
    box transparent
        actor bob
    end

    alice<<->>pbx: TLS 1.3 (mutual, pbx.example.com)
    alice-xpbx: TLS (expired certificate of alice, alert certificate_expired)
    alice->>+pbx: INVITE bob (SRTP offer, Subject: "a, b")
    %% Require: 100rel
    %% no X-Trace
    %% m=audio * RTP/SAVP 0
    pbx-)bob: Looks up #35;1#59; and more
    alt yes (70%)
        pbx-->>-alice: 200 OK
    else no
        pbx-->>alice: 486 Busy Here
    end
    loop (500ms, 1s)
        Note left of alice: waits 2s
    end

    %% A comment inside.
    create participant late
    alice->>late: MESSAGE "{greeting} #35;" (signed, encrypted)
    Note over late: reads "{greeting} #35;" signed by alice
    destroy late
    late-->>alice: 200 OK
    rect rgba(248,81,73,0.18)
        Note over alice,bob: A remark<br/>on two lines
    end
    bob->>alice: DTMF 1 2 #35;
    alice<<-->>bob: SRTP both ways (3s, MOS > 4.1)
    alice->>bob: REFER to sip:carol@example.com
    bob-->>alice: 202 Accepted
    activate alice
    deactivate alice
)";

TEST(Printing, IsTheInverseOfReading) {
    const auto parsed = parse(everything);
    ASSERT_TRUE(parsed.ok()) << test::report(everything, parsed);
    EXPECT_EQ(to_mermaid(parsed.plan), everything);
    EXPECT_EQ(parsed.plan.title, "Everything: once");
    EXPECT_EQ(parsed.plan.parties[0].network, "Office");
}

TEST(Printing, QuotesATitleThatHasNoFrontMatter) {
    Plan plan;
    plan.title = "a: b";
    const auto text = to_mermaid(plan);
    EXPECT_EQ(parse(text).plan.title, "a: b");
    EXPECT_TRUE(parse(text).ok());
}

TEST(Printing, KeepsACommentFromBeingReadAsAFact) {
    const auto text = test::flow("%% About the party.\nalice->>pbx: OPTIONS\n\n%% A comment.\n"
                                 "pbx-->>alice: 200 OK");
    const auto parsed = parse(text);
    ASSERT_TRUE(parsed.ok());
    EXPECT_EQ(parse(to_mermaid(parsed.plan)).plan, parsed.plan);
}

TEST(Description, IsANumberedList) {
    const auto text = test::flow("alice->>pbx: INVITE bob (SRTP offer)\npbx->>bob: INVITE\n"
                                 "%% Require: 100rel\nbob-->>pbx: 200 OK\n"
                                 "alt a\nNote over bob: hangs up\nend\nalice-xpbx: TLS 1.1");
    EXPECT_EQ(describe(parse(text).plan),
              "   - alice: played here\n"
              "   - pbx: under test\n"
              "   - bob: played here\n"
              "   1 alice → pbx: INVITE bob (SRTP offer) — sent, call 1\n"
              "   2 pbx → bob: INVITE — awaited, call 1, passes on 1\n"
              "       · Require: 100rel\n"
              "   3 bob → pbx: 200 OK — sent, call 1, answers 2\n"
              "   > either “a”\n"
              "   *   bob hangs up\n"
              "   4 alice → pbx: TLS 1.1 — must be refused\n");
}

} // namespace
} // namespace cw::script
