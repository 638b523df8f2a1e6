// Which of several calls something belongs to that comes from servers that are not ours.
#include <algorithm>

#include <gtest/gtest.h>

#include "dialog/draft.hpp"
#include "play/test_trick.hpp"
#include "sip/name_addr.hpp"

namespace cw::play {
namespace {

using test::is;
using test::Trick;

constexpr script::PartyId called = 2;
constexpr std::size_t first_arrival = 1; // arrows
constexpr std::size_t second_arrival = 3;
constexpr std::string_view two_calls = "par\n"
                                       "    a->>x: INVITE sip:one@example.com\n"
                                       "    x->>c: INVITE\n"
                                       "and\n"
                                       "    b->>x: INVITE sip:two@example.com\n"
                                       "    x->>c: INVITE\n"
                                       "end\n";

// What a B2BUA makes of `invite`: other identifiers, and its own host.
std::string on_the_other_side(std::string_view invite) {
    sip::HeaderIndex index;
    const auto request = sip::index(invite, index);
    const auto to = sip::parse_name_addr(request->value(sip::HeaderId::To));
    const std::string user{to->uri_text.substr(0, to->uri_text.find('@'))};
    auto draft = dialog::Draft::request("INVITE", "sip:c@192.0.2.3");
    draft.add("Via", "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK" + user.substr(4))
        .add("From", "<sip:b2bua@192.0.2.9>;tag=theirs")
        .add("To", "<" + user + "@pbx.lab>")
        .add("Call-ID", "b2bua-" + user.substr(4))
        .add("CSeq", "1 INVITE");
    return draft.print();
}

// The second call reaches c before the first does; `known`: the servers keep the Call-ID.
void call_in_the_other_order(Trick& t, bool known) {
    std::vector<std::string> invites;
    t.stage.played_by([&, known](std::string_view text, const transaction::Wire&) {
        if (!is(text, "INVITE ")) {
            return;
        }
        invites.emplace_back(text);
        if (invites.size() == 2) {
            const bool swapped = invites[0].contains("two@");
            for (const auto at : {swapped ? 0U : 1U, swapped ? 1U : 0U}) {
                t.stage.inject(called, {}, known ? invites[at] : on_the_other_side(invites[at]));
            }
        }
    });
    t.run();
}

TEST(CallsBehindServers, AreToldApartByTheHeaderThatTheFlowNames) {
    Trick t{two_calls};
    t.plan.settings.push_back({{}, false, script::CorrelateBy{sip::HeaderId::To}});
    call_in_the_other_order(t, false);
    EXPECT_TRUE(t.arrow(first_arrival).received.contains("one@")) << t.arrow(first_arrival).why;
    EXPECT_TRUE(t.arrow(second_arrival).received.contains("two@"));
}

TEST(CallsBehindServers, AreToldApartByTheirCallId) {
    Trick t{two_calls};
    call_in_the_other_order(t, true);
    EXPECT_TRUE(t.arrow(first_arrival).received.contains("one@")) << t.arrow(first_arrival).why;
    EXPECT_TRUE(t.arrow(second_arrival).received.contains("two@"));
}

TEST(CallsBehindServers, AreTakenInTheOrderOfTheFileWhereNothingTells) {
    Trick t{two_calls};
    call_in_the_other_order(t, false);
    EXPECT_TRUE(t.arrow(first_arrival).received.contains("two@")) << t.arrow(first_arrival).why;
}

TEST(WhatIsNotDrawn, NamesTheArrowThatItIsMostLike) {
    Trick t{"a->>x: OPTIONS sip:x@example.com\n"
            "x-->>a: 200 OK\n"};
    t.stage.played_by([&](std::string_view text, const transaction::Wire& wire) {
        sip::HeaderIndex index;
        const auto request = sip::index(text, index);
        for (const std::uint16_t status : {std::uint16_t{183}, std::uint16_t{200}}) {
            t.stage.inject(
                test::alice, wire,
                dialog::response_to(*request, status, "theirs", request->value(sip::HeaderId::Via))
                    .print());
        }
    });
    EXPECT_FALSE(t.run().passed());
    const auto extra = std::ranges::find(t.report->extras, false, &Extra::implied);
    ASSERT_NE(extra, t.report->extras.end());
    EXPECT_EQ(extra->why, "it is not in the flow; it is most like line 9: 200 OK (OPTIONS)");
}

} // namespace
} // namespace cw::play
