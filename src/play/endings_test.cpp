// A flow that cannot go on says so at once, where it waits, with what happened.
#include <gtest/gtest.h>

#include "dialog/draft.hpp"
#include "play/test_trick.hpp"

namespace cw::play {
namespace {

using test::alice;
using test::is;
using test::Trick;

constexpr script::PartyId x_party = 3;

std::string answer(std::string_view text, std::uint16_t status) {
    sip::HeaderIndex index;
    const auto request = sip::index(text, index);
    auto draft =
        dialog::response_to(*request, status, "theirs", request->value(sip::HeaderId::Via));
    draft.add("Contact", "<sip:x@192.0.2.9;transport=tls>");
    return draft.print();
}
// In the dialog that `invite` of ours has opened, from its other end.
std::string from_peer(std::string_view invite, std::string_view method) {
    sip::HeaderIndex index;
    const auto request = sip::index(invite, index);
    auto draft = dialog::Draft::request(method, "sip:a@example.com");
    draft.add("Via", "SIP/2.0/TLS 192.0.2.9;branch=z9hG4bK" + std::string{method})
        .add("From", std::string{request->value(sip::HeaderId::To)} + ";tag=theirs")
        .add("To", request->value(sip::HeaderId::From))
        .add("Call-ID", request->value(sip::HeaderId::CallId))
        .add("CSeq", "7 " + std::string{method});
    return draft.print();
}

TEST(Endings, AConnectionThatClosesEndsWhatWaitsForAnAnswer) {
    Trick t{"a->>x: INVITE sip:x@example.com\n"
            "x-->>a: 180 Ringing\n"
            "x-->>a: 486 Busy Here\n"};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        if (is(text, "INVITE ")) {
            t.stage.inject(alice, wire, answer(text, 180));
            t.stage.after(seconds(1), [&] { t.stage.cut(x_party); });
        }
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(1, Verdict::Passed);
    t.expect(2, Verdict::Missing, "the connection to x has closed: the peer has closed it");
    EXPECT_LT(t.lasted(), seconds(2));
}

TEST(Endings, AnArrowThatCouldComeOverAnotherConnectionIsWaitedForAndTheClosedOneNamed) {
    Trick t{"a->>x: OPTIONS sip:x@example.com\n"
            "x-->>a: 200 OK\n"
            "x->>a: MESSAGE \"hello\"\n"
            "a-->>x: 200 OK\n"};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        t.stage.inject(alice, wire, answer(text, 200));
        t.stage.after(seconds(1), [&] { t.stage.cut(x_party); });
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(2, Verdict::Missing,
             "it did not come within 32 s; the connection to x has closed: the peer has closed it");
}

TEST(Endings, AByeThatIsNotDrawnEndsTheCallItIsOf) {
    Trick t{"a->>x: INVITE sip:x@example.com\n"
            "x-->>a: 200 OK\n"
            "a->>x: ACK\n"
            "x->>a: INFO\n"
            "a-->>x: 200 OK\n"};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        if (is(text, "INVITE ")) {
            t.stage.inject(alice, wire, answer(text, 200));
            t.stage.inject(alice, wire, from_peer(text, "BYE"));
        }
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(3, Verdict::Missing, "the call has ended before: BYE sip:a@example.com SIP/2.0 came");
    EXPECT_TRUE(is(t.arrow(3).received, "BYE "));
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Endings, AByeThatComesBeforeWhatIsDrawnAboveItEndsTheCallToo) {
    Trick t{"a->>x: INVITE sip:x@example.com\n"
            "x-->>a: 200 OK\n"
            "a->>x: ACK\n"
            "x->>a: INFO\n"
            "a-->>x: 200 OK\n"
            "x->>a: BYE\n"
            "a-->>x: 200 OK\n"};
    std::string invite;
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        if (is(text, "INVITE ")) {
            invite = text;
            t.stage.inject(alice, wire, answer(text, 200));
        } else if (is(text, "ACK ")) {
            t.stage.inject(alice, wire, from_peer(invite, "BYE"));
        }
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(3, Verdict::Missing, "the call has ended before: BYE came");
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Endings, ADialogThatTheOtherSideDoesNotKnowIsOver) {
    Trick t{"a->>x: INVITE sip:x@example.com\n"
            "x-->>a: 200 OK\n"
            "a->>x: ACK\n"
            "opt\n"
            "    a->>x: INFO\n"
            "end\n"
            "x->>a: BYE\n"
            "a-->>x: 200 OK\n"};
    for (auto& step : t.plan.steps) { // it is sent in any case
        if (auto* block = std::get_if<script::Block>(&step.what)) {
            block->facts.push_back({{}, false, script::Weight{{1'000'000}}});
        }
    }
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        if (is(text, "INVITE ")) {
            t.stage.inject(alice, wire, answer(text, 200));
        } else if (is(text, "INFO ")) {
            t.stage.inject(alice, wire, answer(text, 481));
        }
    });
    EXPECT_FALSE(t.run().passed());
    t.expect(4, Verdict::Missing,
             "the call has ended before: SIP/2.0 481 Call/Transaction Does Not Exist came");
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Endings, WhoHasBeenDestroyedReceivesNothing) {
    Trick t{"destroy b\n"
            "x->>b: MESSAGE \"hello\"\n"
            "b-->>x: 200 OK\n"};
    EXPECT_FALSE(t.run().passed());
    t.expect(0, Verdict::Missing, "b has been destroyed");
    EXPECT_LT(t.lasted(), seconds(1));
}

TEST(Endings, AHandshakeThatARealSystemCannotFinishEndsWhatIsAwaitedFromIt) {
    Trick t{"x->>a: MESSAGE \"hello\"\n"
            "a-->>x: 200 OK\n"};
    t.stage.after(seconds(1), [&] { t.stage.turn_away(alice, "tlsv1 alert unknown ca", 48); });
    EXPECT_FALSE(t.run().passed());
    t.expect(0, Verdict::Missing,
             "the connection of x to a came to nothing: tlsv1 alert unknown ca");
    EXPECT_LT(t.lasted(), seconds(2));
}

TEST(Endings, AHandshakeWithUsThatIsDrawnIsRefusedAsDrawnOrEndsTheFlow) {
    Trick refused{"x-xa: TLS (alert unknown_ca)\n"};
    refused.stage.after(seconds(1), [&] { refused.stage.turn_away(alice, "alert", 48); });
    EXPECT_TRUE(refused.run().passed()) << refused.failures();
    EXPECT_LT(refused.lasted(), seconds(2));

    Trick otherwise{"x-xa: TLS (alert unknown_ca)\n"};
    otherwise.stage.after(seconds(1), [&] { otherwise.stage.turn_away(alice, "alert", 70); });
    EXPECT_FALSE(otherwise.run().passed());
    otherwise.expect(0, Verdict::Failed, "it was refused, but otherwise");
    otherwise.expect_difference(0, {"alert", "unknown_ca", "protocol_version"});

    Trick drawn{"x<<->>a: TLS\n"
                "x->>a: OPTIONS\n"
                "a-->>x: 200 OK\n"};
    drawn.stage.after(seconds(1), [&] { drawn.stage.turn_away(alice, "alert unknown ca", 48); });
    EXPECT_FALSE(drawn.run().passed());
    drawn.expect(0, Verdict::Failed, "the connection was refused: alert unknown ca");
    EXPECT_LT(drawn.lasted(), seconds(2));
}

TEST(Endings, ADatagramThatNobodyReadsEndsItsRequest) {
    Trick t{"a->>x: OPTIONS\n"
            "x-->>a: 200 OK\n",
            sip::Transport::Udp};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        t.stage.after(milliseconds(1), [&t, text = std::string{text}, wire] {
            const auto udp = static_cast<std::size_t>(sip::Transport::Udp);
            t.stage.undelivered(
                alice, t.stage.cast().members[x_party].at[udp].value_or(wire.remote), text);
        });
    });
    EXPECT_FALSE(t.run().passed());
    EXPECT_TRUE(t.arrow(1).why.starts_with("nobody listens where ")) << t.arrow(1).why;
    EXPECT_LT(t.lasted(), seconds(1));
}

// Bob alone hears that the connection has closed.
TEST(Endings, AnAnswerGoesOverAnotherConnectionWhenItsOwnHasClosed) {
    Trick t{"a->>b: OPTIONS\n"
            "Note over b: waits 2s\n"
            "b-->>a: 200 OK\n"};
    t.stage.after(seconds(1), [&] { t.stage.cut(alice); });
    EXPECT_TRUE(t.run().passed()) << t.failures();
    EXPECT_GE(t.arrow(1).took, seconds(2));
}

} // namespace
} // namespace cw::play
