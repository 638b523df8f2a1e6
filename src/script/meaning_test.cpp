#include "script/meaning.hpp"

#include <gtest/gtest.h>

#include "script/test_flow.hpp"

namespace cw::script {
namespace {

Plan read(std::string_view body) {
    const auto text = test::flow(body);
    auto parsed = parse(text);
    EXPECT_TRUE(parsed.ok()) << test::report(text, parsed);
    return std::move(parsed.plan);
}

// The call numbers of all arrows: "1 1 2".
std::string calls(const Plan& plan) {
    std::string out;
    for (const auto& step : plan.steps) {
        if (const auto* arrow = std::get_if<Arrow>(&step.what)) {
            out += out.empty() ? "" : " ";
            out += std::to_string(arrow->call);
        }
    }
    return out;
}

std::uint32_t answers(const Plan& plan, std::size_t n) {
    const auto& response = std::get<Response>(test::arrow(plan, n).content);
    return std::get<Arrow>(plan.steps[response.answers].what).number;
}

TEST(Responses, AnswerTheLatestOpenRequestInTheOtherDirection) {
    const auto plan = read("alice->>bob: INVITE\nalice->>bob: OPTIONS\nbob-->>alice: 200 OK\n"
                           "bob-->>alice: 200 OK");
    EXPECT_EQ(answers(plan, 2), 2U);
    EXPECT_EQ(answers(plan, 3), 1U);
    EXPECT_EQ(std::get<Response>(test::arrow(plan, 2).content).method, sip::Method::Options);
}

TEST(Responses, AnswerTheRequestThatTheyName) {
    const auto plan =
        read("alice->>bob: INVITE\nalice->>bob: OPTIONS\nbob-->>alice: 200 OK (INVITE)\n"
             "bob-->>alice: 200 OK");
    EXPECT_EQ(answers(plan, 2), 1U);
    EXPECT_EQ(answers(plan, 3), 2U);
}

TEST(Responses, LeaveTheRequestOpenWhenProvisionalOrLost) {
    const auto plan = read("alice->>bob: INVITE\nbob-->>alice: 180 Ringing\nbob--xalice: 200 OK\n"
                           "bob-->>alice: 200 OK");
    EXPECT_EQ(answers(plan, 3), 1U);
}

TEST(Responses, MayComeAgainWhenTheySayWhatTheyAnswer) {
    const auto plan =
        read("alice->>bob: INVITE\nbob-->>alice: 200 OK\nbob-->>alice: 200 OK (INVITE)");
    EXPECT_EQ(answers(plan, 2), 1U);
}

TEST(Calls, AreCountedInTheOrderOfTheFile) {
    EXPECT_EQ(calls(read("alice->>bob: INVITE\nbob-->>alice: 200 OK\nalice->>pbx: INVITE\n"
                         "pbx-->>alice: 200 OK\nalice->>bob: BYE\nbob-->>alice: 200 OK\n"
                         "alice->>pbx: BYE\npbx-->>alice: 200 OK")),
              "1 1 2 2 1 1 2 2");
}

TEST(Calls, GoOnThroughAProxy) {
    const auto plan =
        read("alice->>pbx: INVITE bob\npbx->>bob: INVITE\nbob-->>pbx: 200 OK\n"
             "pbx-->>alice: 200 OK\nalice->>pbx: ACK\npbx->>bob: ACK\n"
             "bob->>pbx: BYE\npbx->>alice: BYE\nalice-->>pbx: 200 OK\npbx-->>bob: 200 OK");
    EXPECT_EQ(calls(plan), "1 1 1 1 1 1 1 1 1 1");
    EXPECT_EQ(plan.calls, 1);
    EXPECT_TRUE(test::arrow(plan, 0).opens_call);
    EXPECT_FALSE(test::arrow(plan, 1).opens_call);
    const auto forwards = [&](std::size_t n) {
        return std::get<Arrow>(plan.steps[*test::arrow(plan, n).forwards].what).number;
    };
    EXPECT_EQ(forwards(1), 1U);
    EXPECT_EQ(forwards(5), 5U);
    EXPECT_EQ(forwards(7), 7U);
    EXPECT_EQ(forwards(3), 3U);
    EXPECT_EQ(forwards(9), 9U);
    EXPECT_FALSE(test::arrow(plan, 2).forwards);
    EXPECT_FALSE(test::arrow(plan, 6).forwards);
}

TEST(Proxies, AcknowledgeThemselvesWhatTheyAskedThemselves) {
    const auto plan = read(
        "participant gw as G (played)\nalice->>gw: INVITE\ngw-->>alice: 200 OK\nalice->>gw: ACK\n"
        "gw->>alice: INVITE (no SDP)\nalice-->>gw: 200 OK\ngw->>alice: ACK\n"
        "gw->>bob: INVITE (call 2)\nbob-->>gw: 200 OK\ngw->>bob: ACK (call 2)");
    EXPECT_FALSE(test::arrow(plan, 5).forwards);
    EXPECT_FALSE(test::arrow(plan, 8).forwards);
}

TEST(Proxies, AcknowledgeRefusalsThemselves) {
    const auto plan =
        read("actor carol as C\nalice->>pbx: INVITE bob\npbx->>bob: INVITE\npbx->>carol: INVITE\n"
             "bob-->>pbx: 200 OK\npbx-->>alice: 200 OK\npbx->>carol: CANCEL\nalice->>pbx: ACK\n"
             "carol-->>pbx: 200 OK\ncarol-->>pbx: 487 Request Terminated\npbx->>carol: "
             "ACK\npbx->>bob: ACK");
    EXPECT_FALSE(test::arrow(plan, 9).forwards);
    EXPECT_TRUE(test::arrow(plan, 10).forwards);
    const auto again =
        read("alice->>pbx: INVITE bob\npbx-->>alice: 407 Proxy Authentication Required\n"
             "alice->>pbx: ACK\nalice->>pbx: INVITE bob\npbx->>bob: INVITE\nbob-->>pbx: 486 Busy "
             "Here\npbx->>bob: ACK");
    EXPECT_FALSE(test::arrow(again, 6).forwards);
}

TEST(Proxies, DoNotSendBackInACallWhatTheyWereSentInIt) {
    const auto plan = read("participant gw as G (played)\nalice->>gw: INVITE\ngw-->>alice: 200 OK\n"
                           "alice->>gw: INVITE (hold)\ngw->>alice: INVITE (hold)\n"
                           "alice-->>gw: 491 Request Pending\ngw-->>alice: 491 Request Pending");
    EXPECT_FALSE(test::arrow(plan, 3).forwards);
}

TEST(Proxies, AnswerByThemselvesWithAStatusOfTheirOwn) {
    const auto plan = read("alice->>pbx: INVITE bob\npbx-->>alice: 100 Trying\npbx->>bob: INVITE\n"
                           "bob-->>pbx: 486 Busy Here\npbx-->>alice: 480 Temporarily Unavailable");
    EXPECT_FALSE(test::arrow(plan, 1).forwards);
    EXPECT_FALSE(test::arrow(plan, 4).forwards);
    const auto either =
        read("alice->>pbx: INVITE bob\npbx->>bob: INVITE\nalt a\nbob-->>pbx: 200 OK\n"
             "pbx-->>alice: 200 OK\nelse b\npbx-->>alice: 200 OK\nbob-->>pbx: 200 OK\n"
             "end");
    EXPECT_TRUE(test::arrow(either, 3).forwards);
    EXPECT_FALSE(test::arrow(either, 4).forwards);
}

TEST(Calls, AreReInvitedWhereTheyAreAnswered) {
    EXPECT_EQ(calls(read("alice->>bob: INVITE\nbob-->>alice: 200 OK\nbob->>alice: INVITE (hold)\n"
                         "alice-->>bob: 200 OK")),
              "1 1 1 1");
}

TEST(Calls, AreNamedByResponsesToo) {
    EXPECT_EQ(calls(read("alice->>bob: INVITE (call 1)\nalice->>bob: INVITE (call 2)\n"
                         "bob-->>alice: 200 OK (call 1)\nbob-->>alice: 200 OK (call 2)")),
              "1 2 1 2");
}

TEST(Calls, OpenAnewForATargetOutsideOfThem) {
    EXPECT_EQ(
        calls(read("actor carol\nalice->>pbx: INVITE bob\npbx->>bob: INVITE\nbob-->>pbx: 200 OK\n"
                   "pbx-->>alice: 200 OK\nalice->>pbx: INVITE carol\npbx-->>alice: 200 OK")),
        "1 1 1 1 2 2");
}

TEST(Calls, AreTriedAgainAfterAChallengeARedirectOrALoss) {
    EXPECT_EQ(
        calls(read("alice->>pbx: INVITE bob\npbx-->>alice: 407 Proxy Authentication Required\n"
                   "alice->>pbx: INVITE bob (digest)\npbx-->>alice: 302 Moved\n"
                   "alice->>bob: INVITE\nbob-->>alice: 486 Busy Here\nalice->>bob: INVITE")),
        "1 1 1 1 1 1 2");
    EXPECT_EQ(calls(read("alice-xpbx: INVITE bob\nalice->>bob: INVITE")), "1 1");
}

TEST(Calls, AreNotOpenedByARetransmission) {
    const auto plan = read("loop (500ms, 1s)\nalice-xbob: INVITE\nend\nalice->>bob: INVITE\n"
                           "bob-->>alice: 200 OK");
    EXPECT_EQ(plan.calls, 1);
    EXPECT_FALSE(std::get<Request>(test::arrow(plan, 0).content).again);
    const auto twice = read("alice->>bob: INVITE\nalice->>bob: INVITE\nbob-->>alice: 200 OK");
    EXPECT_TRUE(std::get<Request>(test::arrow(twice, 1).content).again);
    EXPECT_EQ(twice.calls, 1);
}

TEST(Calls, ObeyTheirFacts) {
    const auto plan = read("alice->>bob: INVITE (call 1)\nbob-->>alice: 200 OK\n"
                           "alice->>bob: INVITE (call 2)\nbob-->>alice: 200 OK\n"
                           "pbx->>alice: INVITE (replaces call 1)\nalice-->>pbx: 200 OK\n"
                           "alice->>bob: BYE (call 1)\nbob-->>alice: 200 OK\n"
                           "alice->>bob: BYE\nbob-->>alice: 200 OK");
    EXPECT_EQ(calls(plan), "1 1 2 2 3 3 1 1 2 2");
}

TEST(Calls, DoNotHoldRequestsThatStandAlone) {
    EXPECT_EQ(calls(read("alice->>bob: INVITE\nbob-->>alice: 200 OK\nalice->>bob: OPTIONS\n"
                         "bob-->>alice: 200 OK\nalice->>bob: MESSAGE \"x\" (call 1)\n"
                         "bob-->>alice: 200 OK")),
              "1 1 0 0 1 1");
}

std::string reports(const Plan& plan) {
    std::string out;
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<Arrow>(&step.what);
        const auto* request = arrow == nullptr ? nullptr : std::get_if<Request>(&arrow->content);
        if (request != nullptr && request->subscription) {
            const auto& about = std::get<Arrow>(plan.steps[*request->subscription].what);
            out += std::to_string(arrow->number) + ":" + std::to_string(about.number) + " ";
        }
    }
    return out;
}

TEST(Subscriptions, AreReportedOnByTheNotifiesThatComeBack) {
    const auto plan = read("autonumber\nalice->>bob: REFER\nbob-->>alice: 202 Accepted\n"
                           "alice->>bob: SUBSCRIBE\n%% Event: dialog\nbob-->>alice: 200 OK\n"
                           "bob->>alice: NOTIFY (100 Trying)\nalice-->>bob: 200 OK\n"
                           "bob->>alice: NOTIFY\n%% Event: dialog;x=y\nalice-->>bob: 200 OK\n"
                           "bob->>alice: NOTIFY\nalice-->>bob: 200 OK\n"
                           "alice->>bob: SUBSCRIBE\n%% Event: dialog\nbob-->>alice: 200 OK");
    EXPECT_EQ(reports(plan), "5:1 7:3 9:3 11:3 ");
}

TEST(Subscriptions, ThatAreRefusedAreNone) {
    EXPECT_EQ(reports(read("autonumber\nalice->>bob: SUBSCRIBE\nbob-->>alice: 401 Unauthorized\n"
                           "alice->>bob: SUBSCRIBE (digest)\nbob-->>alice: 200 OK\n"
                           "bob->>alice: NOTIFY")),
              "5:3 ");
}

TEST(Subscriptions, ReachTheirSubscriberPastAProxy) {
    EXPECT_EQ(reports(read("participant p\nautonumber\nalice->>p: SUBSCRIBE\np->>bob: SUBSCRIBE\n"
                           "bob-->>p: 200 OK\np-->>alice: 200 OK\nbob->>alice: NOTIFY")),
              "5:2 ");
}

TEST(Subscriptions, KeepTheirNotifiesOutOfCallsThatTheyDoNotBelongTo) {
    const auto plan =
        read("alice->>bob: INVITE\nbob-->>alice: 200 OK\nalice->>bob: REFER (no call)\n"
             "bob-->>alice: 202 Accepted\nbob->>alice: NOTIFY (100 Trying)\n"
             "alice-->>bob: 200 OK\nalice->>bob: REFER\nbob-->>alice: 202 Accepted\n"
             "bob->>alice: NOTIFY (100 Trying)\nalice-->>bob: 200 OK");
    EXPECT_EQ(calls(plan), "1 1 0 0 0 0 1 1 1 1");
}

TEST(Branches, BeginWithWhatWasThereBefore) {
    const auto plan = read("alice->>bob: INVITE\nalt yes\nbob-->>alice: 200 OK\nelse no\n"
                           "bob-->>alice: 486 Busy Here\nend");
    EXPECT_EQ(answers(plan, 1), 1U);
    EXPECT_EQ(answers(plan, 2), 1U);
}

TEST(Branches, ACallThatOneWayAnswersGoesOnBelow) {
    const auto plan = read("alice->>bob: INVITE\nalt yes\nbob-->>alice: 200 OK\nelse no\n"
                           "bob-->>alice: 486 Busy Here\nend\nalice->>bob: INVITE (hold)");
    EXPECT_EQ(calls(plan), "1 1 1 1");
}

TEST(Branches, ThatEndTheFlowMayLeaveAnythingOpen) {
    read("alice->>bob: INVITE\nbreak\nbob-->>alice: 503 Service Unavailable\nend\n"
         "bob-->>alice: 200 OK");
}

TEST(Blocks, KnowTheirSectionsAndTheirEnd) {
    const auto plan = read("alt a\nelse b\nelse c\nend\nalice->>bob: ACK");
    std::vector<StepId> blocks;
    for (StepId i = 0; i < plan.steps.size(); ++i) {
        if (std::holds_alternative<Block>(plan.steps[i].what)) {
            blocks.push_back(i);
        }
    }
    ASSERT_EQ(blocks.size(), 3U);
    const auto& first = std::get<Block>(plan.steps[blocks[0]].what);
    const auto& last = std::get<Block>(plan.steps[blocks[2]].what);
    EXPECT_EQ(first.next, blocks[1]);
    EXPECT_EQ(last.next, last.end);
    EXPECT_EQ(first.end, last.end);
    EXPECT_EQ(std::get<End>(plan.steps[first.end].what).begin, blocks[0]);
}

TEST(Parties, AreOursUnlessTheyAreUnderTest) {
    const auto plan =
        read("participant a\nparticipant b as B (played)\nparticipant c as C\n%% at: tls:c:5061\n"
             "actor d as D (under test)\nparticipant e\n%% played");
    const auto control = [&](std::string_view id) {
        for (const auto& party : plan.parties) {
            if (party.id == id) {
                return party.control;
            }
        }
        return Control::Played;
    };
    EXPECT_EQ(control("alice"), Control::Played);
    EXPECT_EQ(control("pbx"), Control::External);
    EXPECT_EQ(control("a"), Control::Embedded);
    EXPECT_EQ(control("b"), Control::Played);
    EXPECT_EQ(control("c"), Control::External);
    EXPECT_EQ(control("d"), Control::External);
    EXPECT_EQ(control("e"), Control::Played);
}

TEST(Arrows, AreNumberedAsMermaidNumbersThem) {
    const auto plan =
        read("autonumber 10 5\nalice->>bob: ACK\nalice-)bob: looks up\nalice->>bob: ACK\n"
             "autonumber off\nalice->>bob: ACK");
    EXPECT_EQ(test::arrow(plan, 0).number, 10U);
    EXPECT_EQ(test::arrow(plan, 2).number, 20U);
    EXPECT_EQ(test::arrow(plan, 3).number, 25U);
}

TEST(Arrows, ForgetWhatWasMeasured) {
    const auto plan = read("alice->>bob: ACK · 12 ms");
    EXPECT_TRUE(std::holds_alternative<Request>(test::arrow(plan, 0).content));
    EXPECT_EQ(plan, read("alice->>bob: ACK"));
}

TEST(Arrows, SayBothWaysByTheirHeadsOrTheirWords) {
    const auto plan = read("alice<<-->>bob: SRTP ringback\nalice-->>bob: SRTP both ways\n"
                           "alice-->>bob: SRTP ringback\nalice->>bob: DTMF 1 2 #35;");
    EXPECT_TRUE(std::get<Media>(test::arrow(plan, 0).content).both_ways);
    EXPECT_TRUE(std::get<Media>(test::arrow(plan, 1).content).both_ways);
    EXPECT_FALSE(std::get<Media>(test::arrow(plan, 2).content).both_ways);
    EXPECT_EQ(std::get<Media>(test::arrow(plan, 3).content).keys, "12#");
}

TEST(Variables, MayBeWhomARequestIsFor) {
    const auto plan = read("alice->>bob: REFER to {pbx.contact}");
    const auto& request = std::get<Request>(test::arrow(plan, 0).content);
    const auto& target = std::get<Template>(request.target);
    ASSERT_EQ(target.pieces.size(), 1U);
    EXPECT_EQ(std::get<Variable>(target.pieces[0]).party_field, PartyField::Contact);
}

TEST(Variables, AreCapturedOnceReceivedAndUsedLater) {
    const auto text =
        test::flow("pbx->>alice: OPTIONS\n%% X-A: {a}\nalice-->>pbx: 200 OK\n%% X-A: {a+1}");
    const auto parsed = parse(text);
    EXPECT_TRUE(parsed.complaints.empty()) << test::report(text, parsed);
    const auto& header = *find<Header>(test::arrow(parsed.plan, 1).facts);
    EXPECT_EQ(std::get<Variable>(header.value.pieces[0]).plus, 1U);
}

} // namespace
} // namespace cw::script
