#include "dialog/offer_answer.hpp"

#include <gtest/gtest.h>

#include <set>
#include <tuple>

#include "dialog/session_description.hpp"

namespace cw::dialog {
namespace {

constexpr auto us = Sender::Us;
constexpr auto peer = Sender::Peer;

OfferAnswer after_offer(Sender sender, Carrier carrier) {
    OfferAnswer s;
    s.agreed = carrier == Carrier::Prack;
    begin_invite(s);
    EXPECT_EQ(take(s, sender, carrier, "offer"), Meaning::Offer) << static_cast<int>(carrier);
    return s;
}

// The six exchanges that RFC 3261, 3262 and 3311 allow, and no other.
TEST(OfferAnswer, AnAnswerTravelsOnlyWhereItsOfferLetsIt) {
    const std::set<std::pair<Carrier, Carrier>> legal{
        {Carrier::Invite, Carrier::InviteOk}, {Carrier::Invite, Carrier::Reliable1xx},
        {Carrier::InviteOk, Carrier::Ack},    {Carrier::Reliable1xx, Carrier::Prack},
        {Carrier::Prack, Carrier::PrackOk},   {Carrier::Update, Carrier::UpdateOk}};
    for (const auto offer : {Carrier::Invite, Carrier::Reliable1xx, Carrier::Prack, Carrier::Update,
                             Carrier::InviteOk}) {
        for (std::size_t i = 0; i < carrier_count; ++i) {
            const auto answer = static_cast<Carrier>(i);
            for (const auto sender : {us, peer}) {
                auto s = after_offer(sender, offer);
                const auto other = sender == us ? peer : us;
                const auto got = take(s, other, answer, "answer");
                EXPECT_EQ(got == Meaning::Answer, legal.contains({offer, answer}))
                    << static_cast<int>(offer) << ' ' << i;
                EXPECT_EQ(s.state == OfferState::Stable, got == Meaning::Answer);
                // The offerer itself cannot answer.
                auto same = after_offer(sender, offer);
                EXPECT_NE(take(same, sender, answer, "x"), Meaning::Answer);
            }
        }
    }
}

TEST(OfferAnswer, NothingIsAnOfferWhileOneIsOpen) {
    for (const auto offer : {Carrier::Invite, Carrier::Update, Carrier::Prack}) {
        for (std::size_t i = 0; i < carrier_count; ++i) {
            for (const auto sender : {us, peer}) {
                auto s = after_offer(us, offer);
                EXPECT_NE(take(s, sender, static_cast<Carrier>(i), "x"), Meaning::Offer);
            }
        }
    }
}

TEST(OfferAnswer, OnlyFiveMessagesCanOffer) {
    const std::set<Carrier> can{Carrier::Invite, Carrier::InviteOk, Carrier::Reliable1xx,
                                Carrier::Prack, Carrier::Update};
    for (std::size_t i = 0; i < carrier_count; ++i) {
        OfferAnswer s;
        s.agreed = true;
        const auto carrier = static_cast<Carrier>(i);
        EXPECT_EQ(may_offer(s, carrier), can.contains(carrier)) << i;
    }
    const OfferAnswer fresh;
    EXPECT_FALSE(may_offer(fresh, Carrier::Prack));
}

TEST(OfferAnswer, LaterDescriptionsOfTheSameInviteAreCopies) {
    auto s = after_offer(us, Carrier::Invite);
    EXPECT_EQ(take(s, peer, Carrier::Unreliable1xx, "answer"), Meaning::Preview);
    EXPECT_EQ(take(s, peer, Carrier::Reliable1xx, "answer"), Meaning::Answer);
    EXPECT_EQ(take(s, peer, Carrier::InviteOk, "answer"), Meaning::Copy);
    EXPECT_EQ(s.local, "offer");
    EXPECT_EQ(s.remote, "answer");
    begin_invite(s);
    EXPECT_EQ(take(s, peer, Carrier::Invite, "offer 2"), Meaning::Offer);
}

TEST(OfferAnswer, AnOfferInTheResponseIsAnsweredInItsAcknowledgement) {
    OfferAnswer s;
    begin_invite(s);
    EXPECT_EQ(take(s, peer, Carrier::Reliable1xx, "offer"), Meaning::Offer);
    EXPECT_EQ(take(s, us, Carrier::Prack, "answer"), Meaning::Answer);
    EXPECT_EQ(take(s, peer, Carrier::InviteOk, "offer"), Meaning::Copy);
    EXPECT_EQ(take(s, us, Carrier::Ack, "x"), Meaning::Forbidden);
}

TEST(OfferAnswer, ARefusedOfferLeavesTheSessionAsItWas) {
    auto s = after_offer(us, Carrier::Invite);
    take(s, peer, Carrier::InviteOk, "answer");
    begin_invite(s);
    take(s, us, Carrier::Invite, "hold");
    roll_back(s);
    EXPECT_EQ(s.state, OfferState::Stable);
    EXPECT_EQ(s.local, "offer");
    EXPECT_EQ(s.remote, "answer");
    EXPECT_EQ(refusal_of_offer(s), 0);
}

TEST(OfferAnswer, RefusesAnOfferThatCrossesOne) {
    EXPECT_EQ(refusal_of_offer(after_offer(us, Carrier::Update)), 491);
    EXPECT_EQ(refusal_of_offer(after_offer(peer, Carrier::Update)), 500);
}

// [RFC 3261 §14.1]
TEST(Glare, TheOwnerOfTheCallIdWaitsLonger) {
    Identifiers chance{5};
    for (int i = 0; i < 1000; ++i) {
        const auto own = glare_pause(true, chance);
        const auto other = glare_pause(false, chance);
        EXPECT_TRUE(own >= milliseconds(2100) && own <= milliseconds(4000));
        EXPECT_TRUE(other >= milliseconds(0) && other <= milliseconds(2000));
    }
}

constexpr std::string_view audio =
    "v=0\r\no=- 5 41 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 49170 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\n";

TEST(SessionDescription, CountsItsVersion) {
    EXPECT_NE(next_version(audio).find("o=- 5 42 IN IP4 192.0.2.1\r\n"), std::string::npos);
    EXPECT_EQ(next_version("v=0\r\no=broken\r\n"), "v=0\r\no=broken\r\n");
    EXPECT_EQ(next_version(""), "");
}

TEST(SessionDescription, HoldsAndResumes) {
    using sdp::Direction;
    EXPECT_EQ(hold_direction(Direction::SendRecv), Direction::SendOnly);
    EXPECT_EQ(hold_direction(Direction::RecvOnly), Direction::Inactive);
    const auto held = with_direction(audio, Direction::SendOnly);
    EXPECT_EQ(direction_of(held), Direction::SendOnly);
    EXPECT_EQ(direction_of(with_direction(held, Direction::SendRecv)), Direction::SendRecv);
    EXPECT_EQ(direction_of("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 9 RTP/AVP 0\r\n"),
              Direction::Inactive);
    EXPECT_EQ(answer_direction(Direction::SendOnly, Direction::SendRecv), Direction::RecvOnly);
    EXPECT_EQ(answer_direction(Direction::RecvOnly, Direction::SendRecv), Direction::SendOnly);
    EXPECT_EQ(answer_direction(Direction::SendOnly, Direction::SendOnly), Direction::Inactive);
    EXPECT_EQ(answer_direction(Direction::Inactive, Direction::SendRecv), Direction::Inactive);
}

TEST(SessionDescription, AnswersEachMediaOfTheOfferInItsOrder) {
    const auto offer =
        std::string{"v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\n"
                    "c=IN IP4 192.0.2.9\r\nt=0 0\r\n"
                    "m=video 5000 RTP/AVP 31\r\nm=audio 6000 RTP/AVP 0\r\na=sendonly\r\n"
                    "m=audio 0 RTP/AVP 0\r\n"};
    const auto text = answer_to(offer, audio);
    const auto answer = sdp::parse(text);
    ASSERT_TRUE(answer);
    ASSERT_EQ(answer->media.size(), 3U);
    EXPECT_EQ(answer->media[0].type, "video");
    EXPECT_EQ(answer->media[0].port, 0);
    EXPECT_EQ(answer->media[1].port, 49170);
    EXPECT_EQ(answer->media[1].direction, sdp::Direction::RecvOnly);
    EXPECT_EQ(answer->media[2].port, 0);
    EXPECT_EQ(answer_to("not a description", audio), "");
}

} // namespace
} // namespace cw::dialog
