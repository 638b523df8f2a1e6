// What is sent is not what is drawn: which arrow is blamed, how, and with which words.
#include <gtest/gtest.h>

#include <algorithm>

#include "dialog/draft.hpp"
#include "play/test_trick.hpp"

namespace cw::play {
namespace {

using test::alice;
using test::bob;
using test::call;
using test::is;
using test::replaced;
using test::Trick;

TEST(Verdict, WhatHappensAsDrawnPasses) {
    Trick t{call};
    EXPECT_TRUE(t.run().passed()) << t.failures();
    ASSERT_EQ(t.report->arrows.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
        t.expect(i, Verdict::Passed);
        EXPECT_EQ(t.arrow(i).times, 1U);
        EXPECT_FALSE(t.arrow(i).sent.empty());
        EXPECT_EQ(t.arrow(i).sent, t.arrow(i).received);
    }
    EXPECT_GT(t.arrow(2).took, Duration{});
    EXPECT_TRUE(t.report->why.empty());
}

// The transaction of the first round lives on for five seconds over UDP [RFC 3261 §17.1.2.2].
TEST(Verdict, EachRoundOfALoopIsATransactionOfItsOwn) {
    Trick t{"a->>b: OPTIONS\nb-->>a: 200 OK\nloop (3 times)\na->>b: OPTIONS\nb-->>a: 200 OK\nend\n",
            sip::Transport::Udp};
    EXPECT_TRUE(t.run().passed()) << t.failures();
    EXPECT_EQ(t.arrow(3).times, 3U);
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Verdict, AnotherStatusFailsAtOnce) {
    Trick t{call};
    t.stage.tamper([](auto to, std::string text) {
        return to == alice && is(text, "SIP/2.0 200", "INVITE")
                   ? replaced(text, "200 OK", "486 Busy Here")
                   : text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(1, Verdict::Passed);
    t.expect(2, Verdict::Failed, "486 Busy Here came in its place");
    t.expect_difference(2, {"status", "200 OK", "486 Busy Here"});
    EXPECT_TRUE(is(t.arrow(2).received, "SIP/2.0 486"));
    t.expect(4, Verdict::Skipped);
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Verdict, AResponseThatDoesNotComeIsMissingWhenItsTimeIsOver) {
    Trick t{call};
    t.stage.tamper([](auto to, std::string text) {
        return to == alice && is(text, "SIP/2.0 200", "INVITE") ? "" : text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(2, Verdict::Missing, "it did not come within 32 s");
    EXPECT_TRUE(t.arrow(2).received.empty());
    EXPECT_GE(t.lasted(), seconds(32));
    EXPECT_LT(t.lasted(), seconds(34));
}

TEST(Verdict, TheFirstFieldThatDiffersIsNamed) {
    Trick t{call};
    t.stage.tamper([](auto, std::string text) {
        return is(text, "INVITE ")
                   ? replaced(replaced(text, "Priority: normal", "Priority: urgent"),
                              "Subject: lunch", "Subject: dinner")
                   : text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(0, Verdict::Failed, "Subject is not as drawn");
    t.expect_difference(0, {"Subject", "lunch", "dinner"});
    EXPECT_NE(t.arrow(0).sent.find("Subject: lunch"), std::string::npos);
    EXPECT_NE(t.arrow(0).received.find("Subject: dinner"), std::string::npos);
    t.expect(5, Verdict::Passed); // the flow goes on
}

TEST(Verdict, AFieldThatIsNotThereIsSaidSo) {
    Trick t{call};
    t.stage.tamper([](auto, std::string text) {
        return is(text, "INVITE ") ? replaced(text, "Priority: normal\r\n", "") : text;
    });
    t.run();
    t.expect_difference(0, {"Priority", "normal", "(not there)"});
}

TEST(Verdict, MediaInClearIsNotWhatIsDrawn) {
    Trick t{call};
    t.stage.tamper([](auto, std::string text) {
        return is(text, "INVITE ") ? replaced(text, "RTP/SAVP", "RTP/AVP") : text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(0, Verdict::Failed, "the media's protection is not as drawn");
    EXPECT_EQ(t.arrow(0).difference.expected, "SRTP");
}

TEST(Verdict, AMessageThatNobodyDrewIsAnExtraAndFails) {
    Trick t{call};
    bool done = false;
    t.stage.tamper([&](auto, std::string text) {
        if (is(text, "ACK ") && !done) {
            done = true;
            auto info = replaced(text, "ACK ", "INFO ");
            info = replaced(info, " ACK\r\n", " INFO\r\n");
            const auto at = info.find("z9hG4bK");
            info.insert(at + 7, "other");
            const auto& to = t.stage.cast().members[bob].at;
            transaction::Wire wire;
            wire.local = *to[static_cast<std::size_t>(sip::Transport::Tls)];
            wire.transport = sip::Transport::Tls;
            t.stage.inject(bob, wire, info);
        }
        return text;
    });
    EXPECT_FALSE(t.run().passed());
    const auto extra = std::ranges::find(t.report->extras, false, &Extra::implied);
    ASSERT_NE(extra, t.report->extras.end());
    EXPECT_EQ(extra->text, "INFO");
    EXPECT_EQ(extra->why, "it is not in the flow");
    EXPECT_EQ(extra->to, bob);
    EXPECT_TRUE(is(extra->message, "INFO "));
    for (std::size_t i = 0; i < 6; ++i) {
        t.expect(i, Verdict::Passed); // no arrow is to blame
    }
}

TEST(Verdict, WhatMustNotGetThroughAndDoesIsUnexpected) {
    Trick t{"a->>x: OPTIONS sip:x@example.com\n"
            "x-->>a: 200 OK\n"
            "x-xb: MESSAGE \"hello\"\n"
            "Note over b: waits 1s\n"};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        sip::HeaderIndex index;
        const auto request = sip::index(text, index);
        ASSERT_TRUE(request.has_value());
        t.stage.inject(
            alice, wire,
            dialog::response_to(*request, 200, "t", request->value(sip::HeaderId::Via)).print());
        auto wire_of_bob = wire;
        wire_of_bob.local = *t.stage.cast().members[bob].at[2];
        t.stage.inject(bob, wire_of_bob,
                       "MESSAGE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TLS "
                       "192.0.2.9;branch=z9hG4bKm\r\nFrom: <sip:x@example.com>;tag=1\r\nTo: "
                       "<sip:b@example.com>\r\nCall-ID: m\r\nCSeq: 1 "
                       "MESSAGE\r\nContent-Length: 5\r\n\r\nhello");
    });
    EXPECT_FALSE(t.run().passed());
    EXPECT_NE(t.failures().find("MESSAGE"), std::string::npos) << t.failures();
}

// ---- a stranger answers an INVITE

class Stranger {
  public:
    Stranger(Trick& t, std::vector<std::string> statuses)
        : trick_(t), statuses_(std::move(statuses)) {
        t.stage.played_by([this](std::string_view text, const transaction::Wire& wire) {
            if (is(text, "INVITE ") || is(text, "OPTIONS ")) {
                for (const auto& status : statuses_) {
                    answer(text, wire, status);
                }
            }
            heard.emplace_back(text.substr(0, text.find(' ')));
        });
    }
    void answer(std::string_view text, const transaction::Wire& wire, const std::string& status) {
        sip::HeaderIndex index;
        const auto request = sip::index(text, index);
        ASSERT_TRUE(request.has_value());
        auto draft = dialog::response_to(*request, static_cast<std::uint16_t>(std::stoi(status)),
                                         "theirs", request->value(sip::HeaderId::Via));
        draft.add("Contact", "<sip:x@192.0.2.9;transport=tls>");
        trick_.stage.inject(alice, wire, draft.print());
    }
    std::vector<std::string> heard;

  private:
    Trick& trick_;
    std::vector<std::string> statuses_;
};

constexpr std::string_view two_provisional = "a->>x: INVITE sip:x@example.com\n"
                                             "x-->>a: 183 Session Progress\n"
                                             "x-->>a: 180 Ringing\n"
                                             "x-->>a: 486 Busy Here\n"
                                             "a->>x: ACK\n";

TEST(Verdict, AStrangerThatAnswersAsDrawnPasses) {
    Trick t{two_provisional};
    Stranger x{t, {"183", "180", "486"}};
    EXPECT_TRUE(t.run().passed()) << t.failures();
    EXPECT_EQ(x.heard, (std::vector<std::string>{"INVITE", "ACK"}));
    EXPECT_FALSE(t.arrow(1).swapped);
}

TEST(Verdict, ResponsesInTheOtherOrderAreSwapped) {
    Trick t{two_provisional};
    Stranger x{t, {"180", "183", "486"}};
    EXPECT_FALSE(t.run().passed());
    t.expect(1, Verdict::Failed, "SIP/2.0 180 Ringing came before it on the same connection");
    EXPECT_TRUE(t.arrow(1).swapped);
    t.expect(2, Verdict::Passed);
    t.expect(4, Verdict::Passed);
}

TEST(Verdict, AFinalResponseThatIsNotDrawnEndsTheFlowAndIsAcknowledged) {
    Trick t{two_provisional};
    Stranger x{t, {"183", "180", "603"}};
    EXPECT_FALSE(t.run().passed());
    t.expect(3, Verdict::Failed, "603 Decline came in its place");
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Verdict, AProvisionalResponseThatIsNotDrawnIsAnExtra) {
    Trick t{"a->>x: INVITE sip:x@example.com\n"
            "x-->>a: 486 Busy Here\n"};
    Stranger x{t, {"100", "181", "486"}};
    EXPECT_FALSE(t.run().passed());
    std::vector<std::string> extras;
    for (const auto& extra : t.report->extras) {
        extras.push_back((extra.implied ? "implied " : "") + extra.text);
    }
    EXPECT_EQ(extras,
              (std::vector<std::string>{"implied 100 Trying (INVITE)",
                                        "181 Call Is Being Forwarded (INVITE)", "implied ACK"}));
    t.expect(1, Verdict::Passed);
}

TEST(Verdict, AnAnswerToNothingIsAnExtra) {
    Trick t{"a->>x: OPTIONS sip:x@example.com\n"
            "x-->>a: 200 OK\n"};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        sip::HeaderIndex index;
        const auto request = sip::index(text, index);
        const auto right =
            dialog::response_to(*request, 200, "t", request->value(sip::HeaderId::Via)).print();
        t.stage.inject(alice, wire, replaced(right, "branch=z9hG4bK", "branch=z9hG4bKnot"));
        t.stage.inject(alice, wire, right);
    });
    EXPECT_FALSE(t.run().passed());
    ASSERT_EQ(t.report->extras.size(), 1U);
    EXPECT_EQ(t.report->extras.front().why, "it answers nothing that was sent");
    t.expect(1, Verdict::Passed);
}

TEST(Verdict, NoiseIsAnExtraToo) {
    Trick t{"a->>x: OPTIONS sip:x@example.com\n"
            "x-->>a: 200 OK\n"};
    Stranger x{t, {"200"}};
    t.stage.inject(alice, {}, "\x01\x02 this is no SIP\r\n\r\n");
    EXPECT_FALSE(t.run().passed());
    ASSERT_EQ(t.report->extras.size(), 1U);
    EXPECT_FALSE(t.report->extras.front().implied);
    t.expect(1, Verdict::Passed);
}

TEST(Verdict, ATimeLimitIsKeptOrMissed) {
    const auto answered_after = [](Duration time, Trick& t) {
        Stranger x{t, {}};
        t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
            t.stage.after(
                time, [&x, wire, request = std::string{text}] { x.answer(request, wire, "200"); });
        });
        t.run();
    };
    constexpr std::string_view flow = "a->>x: OPTIONS sip:x@example.com\n"
                                      "x-->>a: 200 OK (within 500ms)\n";
    Trick quick{flow};
    answered_after(milliseconds(490), quick);
    EXPECT_TRUE(quick.report->passed()) << quick.failures();
    Trick slow{flow};
    answered_after(milliseconds(510), slow);
    EXPECT_FALSE(slow.report->passed());
    slow.expect(1, Verdict::Missing, "it did not come within 500 ms");
    EXPECT_LT(slow.lasted(), milliseconds(510));
}

// ---- ACK and retransmission

TEST(Verdict, AnAckThatDoesNotComeIsMissingAndThe2xxIsRepeatedUntilThen) {
    Trick t{call};
    int repeats = 0;
    t.stage.tamper([&](auto to, std::string text) {
        repeats += to == alice && is(text, "SIP/2.0 200", "INVITE") ? 1 : 0;
        return is(text, "ACK ") ? "" : text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(3, Verdict::Missing, "it did not come within 32 s");
    // [RFC 3261 §13.3.1.4] After T1, doubling up to T2: at 0.5, 1.5, 3.5, 7.5, 11.5 … 31.5 s.
    EXPECT_EQ(repeats, 1 + 10);
}

TEST(Verdict, ALostAckIsSentAgainForThe2xxThatComesAgain) {
    Trick t{call};
    int repeats = 0;
    int acks = 0;
    t.stage.tamper([&](auto to, std::string text) {
        repeats += to == alice && is(text, "SIP/2.0 200", "INVITE") ? 1 : 0;
        acks += is(text, "ACK ") ? 1 : 0;
        return is(text, "ACK ") && acks <= 2 ? "" : text;
    });
    EXPECT_TRUE(t.run().passed()) << t.failures();
    EXPECT_EQ(acks, 3);
    EXPECT_EQ(repeats, 3); // and no more when the ACK has come
    EXPECT_GE(t.lasted(), milliseconds(1500));
    EXPECT_LT(t.lasted(), seconds(2));
}

TEST(Verdict, AnAckThatIsNotDrawnIsImplied) {
    Trick t{"a->>b: INVITE b\n"
            "b-->>a: 200 OK\n"
            "a->>b: BYE\n"
            "b-->>a: 200 OK\n"};
    EXPECT_TRUE(t.run().passed()) << t.failures();
    EXPECT_TRUE(std::ranges::any_of(t.report->extras,
                                    [](const Extra& e) { return e.implied && e.text == "ACK"; }));
}

TEST(Verdict, WhatComesTwiceOverUdpIsNoSurprise) {
    auto plan = test::plan_of("a->>b: OPTIONS b\n"
                              "b-->>a: 200 OK\n");
    for (auto& party : plan.parties) {
        party.facts.push_back({{}, true, script::Over{sip::Transport::Udp}});
    }
    test::SimulatedStage stage{plan, 3, {.loss = 0, .duplicate = 100, .delay_ms = 50}};
    const auto& report = stage.run();
    EXPECT_TRUE(report.passed()) << test::failures_of(plan, report);
}

// ---- credentials, connections

constexpr std::string_view registration = "a->>b: REGISTER\n"
                                          "b-->>a: 401 Unauthorized (SHA-256)\n"
                                          "a->>b: REGISTER (digest)\n"
                                          "b-->>a: 200 OK\n";

TEST(Verdict, CredentialsOfAnotherPasswordFail) {
    Trick right{registration};
    EXPECT_TRUE(right.run().passed()) << right.failures();
    Trick t{registration};
    t.stage.tamper([](auto, std::string text) {
        const auto at = text.find("response=\"");
        if (at != std::string::npos) {
            text[at + 10] = text[at + 10] == '0' ? '1' : '0';
        }
        return text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(2, Verdict::Failed, "credentials is not as drawn");
    t.expect_difference(2, {"credentials", "the right password", "a wrong one"});
}

TEST(Verdict, AnotherAlgorithmThanTheDrawnOneFails) {
    Trick t{registration};
    t.stage.tamper([](auto to, std::string text) {
        return to == alice && is(text, "SIP/2.0 401") ? replaced(text, "SHA-256", "MD5") : text;
    });
    EXPECT_FALSE(t.run().passed());
    t.expect_difference(1, {"the challenge's algorithm", "SHA-256", "MD5"});
}

TEST(Verdict, AConnectionThatIsRefusedFailsAtOnce) {
    Trick t{"a<<->>b: TLS 1.1\n"
            "a->>b: OPTIONS b\n"
            "b-->>a: 200 OK\n"};
    EXPECT_FALSE(t.run().passed());
    t.expect(0, Verdict::Failed, "the connection was refused: the handshake failed");
    t.expect(1, Verdict::Skipped);
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Verdict, AHandshakeThatMustFailAndDoesNotIsUnexpected) {
    Trick t{"a-xb: TLS 1.2\n"};
    EXPECT_FALSE(t.run().passed());
    t.expect(0, Verdict::Unexpected, "the handshake was accepted");
    Trick good{"a-xb: TLS 1.1\n"};
    EXPECT_TRUE(good.run().passed()) << good.failures();
}

TEST(Verdict, ABreakThatMeansFailureFailsTheFlow) {
    Trick t{"a->>x: OPTIONS sip:x@example.com\n"
            "break overloaded (fail)\n"
            "    x-->>a: 503 Service Unavailable\n"
            "end\n"
            "x-->>a: 200 OK\n"};
    Stranger x{t, {"503"}};
    EXPECT_FALSE(t.run().passed());
    EXPECT_EQ(t.report->why, "line 9: the flow ended in a break that means failure");
    t.expect(1, Verdict::Passed);
    t.expect(2, Verdict::Skipped);
}

TEST(Verdict, BetweenStrangersNobodyLooks) {
    Trick t{"x->>y: OPTIONS sip:y@example.com\n"
            "y-->>x: 200 OK\n"};
    EXPECT_TRUE(t.run().passed());
    t.expect(0, Verdict::Unverified, "neither end is ours");
    t.expect(1, Verdict::Unverified, "neither end is ours");
}

} // namespace
} // namespace cw::play
