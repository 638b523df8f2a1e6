// What a user agent does in single situations, over a network that loses nothing. The walks are in
// user_agent_walk_test.cpp.
#include <algorithm>

#include "dialog/refer.hpp"
#include "dialog/replaces.hpp"
#include "dialog/simulated_network.hpp"
#include "dialog/test_message.hpp"
#include "sip/check.hpp"
#include "sip/name_addr.hpp"
#include "sip/via.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;
using sip::Method;
using test::Conditions;
using test::Message;
using test::Network;
using test::Party;

constexpr Conditions tls{.transport = sip::Transport::Tls};

// Two parties of which the second is only a mailbox: what the first sends is looked at, and answers
// are written by hand.
struct Lab {
    explicit Lab(std::function<void(UserAgentSettings&)> change = {}, Conditions conditions = tls)
        : n(7, conditions), alice(n.add("alice", std::move(change))), far(n.add_bare("far")) {
        far.on_bytes = [this](const std::string& text, const transaction::Wire&) {
            got.push_back(text);
        };
        alice.ua->settings().wire = n.wire(alice, far.at);
    }
    // The last message that arrived there.
    Message last() {
        n.run(milliseconds(100));
        EXPECT_FALSE(got.empty());
        return Message{got.empty() ? "OPTIONS sip:x SIP/2.0" : got.back()};
    }
    std::vector<std::string> lines() {
        n.run(milliseconds(100));
        std::vector<std::string> out;
        for (const auto& text : got) {
            out.push_back(text.substr(0, text.find(text.starts_with("SIP/2.0 ") ? '\r' : ' ')));
        }
        got.clear();
        return out;
    }
    void answer(const Message& request, int status, const Changes& changes = {},
                std::string_view tag = "ft") {
        auto d = response_to(*request, static_cast<std::uint16_t>(status), tag,
                             request.value(HeaderId::Via));
        if (status > 100 && status < 300) {
            d.add("Contact", "<sip:far@" + to_string(far.at) + ">");
        }
        say(d.apply(changes).print());
    }
    void say(const std::string& text) {
        alice.ua->receive(text, n.wire(alice, far.at), n.now());
        n.run(milliseconds(50));
    }
    std::string request(std::string_view method, std::string_view to_tag, int cseq,
                        std::string_view more = {}, std::string_view call_id = "fc1") {
        return std::string{method} + " " + alice.uri() +
               " SIP/2.0\r\nVia: SIP/2.0/TLS far.example;branch=z9hG4bK" + std::string{method} +
               std::to_string(cseq) + std::string{call_id} +
               "\r\nMax-Forwards: 70\r\nFrom: <sip:far@example.com>;tag=ft\r\n" +
               "To: <sip:alice@example.com>" +
               (to_tag.empty() ? std::string{} : ";tag=" + std::string{to_tag}) +
               "\r\nCall-ID: " + std::string{call_id} + "\r\nCSeq: " + std::to_string(cseq) + " " +
               std::string{method} + "\r\nContact: <sip:far@" + to_string(far.at) + ">\r\n" +
               std::string{more} +
               (more.find("\r\n\r\n") == std::string_view::npos ? "Content-Length: 0\r\n\r\n" : "");
    }
    // An incoming call that Alice answers; her tag.
    std::string incoming(std::string_view more = {}) {
        say(request("INVITE", "", 1, more));
        alice.ua->respond(ref_of(What::Request), 200, {}, n.now());
        const auto tag = std::string{sip::parse_name_addr(last().value(HeaderId::To))->tag};
        say(request("ACK", tag, 1));
        EXPECT_EQ(alice.count(What::Ack), 1);
        return tag;
    }
    [[nodiscard]] Ref ref_of(What what) const {
        const auto at = std::find_if(alice.history.rbegin(), alice.history.rend(),
                                     [&](const Report& r) { return r.what == what; });
        return at != alice.history.rend() ? at->request : 0;
    }
    [[nodiscard]] Ref leg() const {
        const auto all = alice.ua->legs();
        return all.empty() ? 0 : all.back();
    }

    Network n;
    Party& alice;
    Party& far;
    std::vector<std::string> got;
};

TEST(UserAgent, SendsAnInviteThatPassesEveryCheck) {
    Lab lab{[](auto& s) {
        s.display = "Alice";
        s.route = {"<sip:edge.example;lr>"};
        s.session_timer = {.supported = true, .interval = 600};
        s.product = "Callwright";
    }};
    lab.alice.ua->invite("sips:bob@example.com", lab.alice.with_sdp(), lab.n.now());
    const auto m = lab.last();
    EXPECT_TRUE(sip::check(*m).ok);
    EXPECT_EQ(m->request_uri(), "sips:bob@example.com");
    EXPECT_EQ(m.value(HeaderId::Route), "<sip:edge.example;lr>");
    EXPECT_TRUE(m.value(HeaderId::From).starts_with("\"Alice\" <sip:alice@example.com>;tag="));
    EXPECT_TRUE(m.value(HeaderId::Via).starts_with("SIP/2.0/TLS 192.0.2.1:5060;branch=z9hG4bK"));
    EXPECT_EQ(m.value(HeaderId::SessionExpires), "600");
    EXPECT_EQ(m.value(HeaderId::UserAgent), "Callwright");
    EXPECT_NE(m.value(HeaderId::Allow).find("UPDATE"), std::string_view::npos);
    EXPECT_EQ(m->body(), lab.alice.sdp());
}

TEST(UserAgent, SendsAWrongThingOnPurpose) {
    Lab lab;
    Changes wrong;
    wrong.with("CSeq", "7 FOO").with("Via", "SIP/2.0/TLS x;branch=own").with("Content-Length", "9");
    wrong.without("Max-Forwards");
    const auto ref = lab.alice.ua->invite("sip:bob@example.com", wrong, lab.n.now());
    EXPECT_NE(ref, 0U); // it is followed by the branch that it has
    const auto m = lab.last();
    EXPECT_EQ(m.value(HeaderId::CSeq), "7 FOO");
    EXPECT_EQ(m.value(HeaderId::Via), "SIP/2.0/TLS x;branch=own");
    EXPECT_FALSE(m->has(HeaderId::MaxForwards));
    EXPECT_EQ(m.value(HeaderId::ContentLength), "9");
    Changes blind;
    blind.without("Via");
    EXPECT_EQ(lab.alice.ua->invite("sip:bob@example.com", blind, lab.n.now()), 0U);
    EXPECT_FALSE(lab.last()->has(HeaderId::Via));
    lab.alice.ua->send_raw("\r\n\r\n", lab.n.wire(lab.alice, lab.far.at));
    lab.n.run(milliseconds(100));
    EXPECT_EQ(lab.got.back(), "\r\n\r\n");
}

TEST(UserAgent, AcknowledgesA2xxOnABranchOfItsOwnWithTheSameCredentials) {
    Lab lab;
    const auto ref = lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    auto invite = lab.last();
    Changes challenge;
    challenge.with("WWW-Authenticate", "Digest realm=\"x\", nonce=\"n\"");
    lab.answer(invite, 401, challenge);
    Changes credentials;
    credentials.with("Authorization", "Digest username=\"a\"");
    const auto again = lab.alice.ua->retry(ref, credentials, lab.n.now());
    EXPECT_NE(again, 0U);
    const auto second = lab.last();
    // "same value of the Call-ID, To, and From […] the CSeq should contain a new sequence number
    // that is one higher" [RFC 3261 §8.1.3.5].
    EXPECT_EQ(second.value(HeaderId::CallId), invite.value(HeaderId::CallId));
    EXPECT_EQ(second.value(HeaderId::From), invite.value(HeaderId::From));
    EXPECT_NE(second.value(HeaderId::Via), invite.value(HeaderId::Via));
    const auto number = [](const Message& m) {
        return sip::parse_cseq(m.value(HeaderId::CSeq))->number;
    };
    EXPECT_EQ(number(second), number(invite) + 1);
    lab.answer(second, 200);
    const auto ack = lab.last();
    EXPECT_EQ(ack->method(), Method::Ack);
    EXPECT_EQ(number(ack), number(second));
    EXPECT_EQ(ack.value(HeaderId::Authorization), "Digest username=\"a\"");
    EXPECT_NE(sip::parse_via(ack.value(HeaderId::Via))->branch,
              sip::parse_via(second.value(HeaderId::Via))->branch);
    EXPECT_EQ(ack->request_uri(), "sip:far@" + to_string(lab.far.at));
    // The 2xx once more: the same ACK once more, and no word to the user.
    const auto heard = lab.alice.count(What::Response);
    lab.answer(second, 200);
    EXPECT_EQ(Message{lab.got.back()}.value(HeaderId::Via), ack.value(HeaderId::Via));
    EXPECT_EQ(lab.alice.count(What::Response), heard);
}

TEST(UserAgent, LeavesTheAckOfALateOfferToItsUser) {
    Lab lab;
    lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    auto invite = lab.last();
    lab.got.clear();
    lab.answer(invite, 200, lab.far.with_sdp());
    EXPECT_TRUE(lab.got.empty());
    EXPECT_EQ(lab.alice.ua->session(lab.leg())->state, OfferState::HaveRemoteOffer);
    EXPECT_TRUE(lab.alice.ua->ack(lab.leg(), lab.alice.with_sdp(), lab.n.now()));
    EXPECT_EQ(lab.last()->body(), lab.alice.sdp());
    EXPECT_EQ(lab.alice.ua->session(lab.leg())->remote, lab.far.sdp());
    EXPECT_EQ(lab.alice.ua->call_state(lab.leg()), InviteState::Established);
}

TEST(UserAgent, CancelsOnlyAfterAProvisionalResponse) {
    Lab lab;
    const auto ref = lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    auto invite = lab.last();
    EXPECT_TRUE(lab.alice.ua->cancel(ref, {}, lab.n.now()));
    EXPECT_FALSE(lab.alice.ua->cancel(ref, {}, lab.n.now()));
    EXPECT_EQ(lab.lines(), std::vector<std::string>{"INVITE"});
    lab.answer(invite, 180);
    const auto cancel = lab.last();
    EXPECT_EQ(cancel->method(), Method::Cancel);
    EXPECT_EQ(cancel.value(HeaderId::Via), invite.value(HeaderId::Via));
    EXPECT_EQ(cancel.value(HeaderId::To), invite.value(HeaderId::To));
    lab.answer(cancel, 200);
    lab.answer(invite, 487);
    EXPECT_EQ(lab.last()->method(), Method::Ack);
    EXPECT_EQ(lab.alice.count(What::Ended), 1);
    lab.n.run();
    lab.n.expect_quiet();
}

TEST(UserAgent, GivesACancelledInviteUpThatNobodyAnswers) {
    Lab lab;
    const auto ref = lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    lab.answer(lab.last(), 180);
    lab.alice.ua->cancel(ref, {}, lab.n.now());
    lab.n.run();
    EXPECT_GE(lab.alice.count(What::Timeout), 1);
    lab.n.expect_quiet();
}

TEST(UserAgent, CancelsAnInviteThatExpires) {
    Lab lab;
    Changes expires;
    expires.with("Expires", "10");
    lab.alice.ua->invite("sip:far@example.com", expires, lab.n.now());
    lab.answer(lab.last(), 180);
    lab.got.clear();
    lab.n.run(seconds(9));
    EXPECT_TRUE(lab.got.empty());
    lab.n.run(seconds(2));
    EXPECT_EQ(lab.last()->method(), Method::Cancel);
}

TEST(UserAgent, EndsAnEarlyDialogBy199AndNoOther) {
    Lab lab;
    lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    auto invite = lab.last();
    lab.answer(invite, 199, {}, "none"); // for a dialog that is not there
    EXPECT_EQ(lab.alice.count(What::Dialog), 0);
    lab.answer(invite, 180, {}, "one");
    lab.answer(invite, 180, {}, "two");
    EXPECT_EQ(lab.alice.count(What::Dialog), 2);
    lab.answer(invite, 199, {}, "one");
    EXPECT_EQ(lab.alice.count(What::Ended), 1);
    ASSERT_EQ(lab.alice.ua->legs().size(), 1U);
    EXPECT_EQ(lab.alice.ua->dialog(lab.leg())->remote_tag, "two");
}

TEST(UserAgent, RefusesWhatTheRfcsSayWithTheStatusThatTheyName) {
    Lab lab{[](auto& s) { std::erase(s.methods, "PUBLISH"); }};
    const auto answer = [&](std::string_view method, std::string_view tag, int cseq,
                            std::string_view more = {}, std::string_view call = "x") {
        lab.got.clear();
        lab.say(lab.request(method, tag, cseq, more, call));
        return lab.got.empty() ? std::string{} : lab.got.back();
    };
    const auto begins = [](const std::string& text, std::string_view status) {
        return std::string_view{text}.starts_with(std::string{"SIP/2.0 "} + std::string{status});
    };
    EXPECT_TRUE(begins(answer("PUBLISH", "", 1), "405"));
    EXPECT_NE(answer("PUBLISH", "", 2).find("Allow: INVITE, ACK"), std::string::npos);
    EXPECT_TRUE(begins(answer("FOO", "", 3), "501"));
    EXPECT_NE(answer("INVITE", "", 4, "Require: foo\r\n", "c4").find("Unsupported: foo"),
              std::string::npos);
    EXPECT_TRUE(begins(answer("BYE", "nobody", 5), "481"));
    EXPECT_TRUE(begins(answer("BYE", "", 6), "481"));
    EXPECT_TRUE(begins(answer("NOTIFY", "", 7, "Event: presence\r\n"), "481"));
    EXPECT_TRUE(begins(answer("CANCEL", "", 8), "481"));
    EXPECT_TRUE(begins(answer("SUBSCRIBE", "", 9, "Event: weather\r\n"), "489"));
    EXPECT_TRUE(begins(answer("SUBSCRIBE", "", 10, "Event: refer\r\n"), "403"));
    EXPECT_TRUE(begins(answer("REFER", "", 11), "400"));
    EXPECT_TRUE(
        begins(answer("INVITE", "", 12, "Replaces: x;to-tag=1;from-tag=2\r\n", "c12"), "481"));
    EXPECT_TRUE(begins(answer("OPTIONS", "", 13), "200"));
    EXPECT_TRUE(answer("ACK", "nobody", 14).empty());
    EXPECT_EQ(lab.alice.count(What::Request), 1); // the OPTIONS
    EXPECT_EQ(lab.alice.ua->legs().size(), 0U);
}

TEST(UserAgent, AnswersACopyOfARequestOnAnotherWay482) {
    Lab lab;
    lab.say(lab.request("INVITE", "", 1));
    auto merged = lab.request("INVITE", "", 1);
    merged.replace(merged.find("z9hG4bKINVITE1"), 14, "z9hG4bKotherway");
    lab.got.clear();
    lab.say(merged);
    ASSERT_FALSE(lab.got.empty());
    EXPECT_TRUE(lab.got.back().starts_with("SIP/2.0 482"));
}

TEST(UserAgent, RefusesByReliability) {
    Lab none{[](auto& s) { s.reliability = Reliability::Unsupported; }};
    none.say(none.request("INVITE", "", 1, "Require: 100rel\r\n"));
    EXPECT_TRUE(none.got.back().starts_with("SIP/2.0 420"));
    Lab must{[](auto& s) { s.reliability = Reliability::Required; }};
    must.say(must.request("INVITE", "", 1));
    EXPECT_TRUE(must.got.back().starts_with("SIP/2.0 421"));
    EXPECT_NE(must.got.back().find("Require: 100rel\r\n"), std::string::npos);
}

TEST(UserAgent, RepeatsAReliableProvisionalOverTlsTooAndGivesUpWith504) {
    Lab lab{[](auto& s) { s.prefers_reliable = true; }};
    lab.say(lab.request("INVITE", "", 1, "Supported: 100rel\r\n"));
    lab.got.clear();
    lab.alice.ua->respond(lab.ref_of(What::Request), 180, {}, lab.n.now());
    lab.n.run(seconds(31));
    EXPECT_EQ(
        std::ranges::count_if(lab.got, [](const auto& t) { return t.starts_with("SIP/2.0 180"); }),
        6); // at 0, 0.5, 1.5, 3.5, 7.5, 15.5 s; 31.5 s is to come
    lab.n.run(seconds(2));
    EXPECT_TRUE(
        std::ranges::any_of(lab.got, [](const auto& t) { return t.starts_with("SIP/2.0 504"); }));
    EXPECT_EQ(lab.alice.count(What::NoPrack), 1);
    EXPECT_EQ(lab.alice.count(What::Ended), 1);
}

TEST(UserAgent, HoldsA2xxBackUntilItsDescriptionIsAcknowledged) {
    Lab lab;
    lab.say(lab.request("INVITE", "", 1, "Supported: 100rel\r\n"));
    const auto ref = lab.ref_of(What::Request);
    lab.got.clear();
    lab.alice.ua->respond(ref, 183, lab.alice.with_sdp(), lab.n.now()); // an offer: reliably
    EXPECT_TRUE(lab.alice.ua->respond(ref, 200, {}, lab.n.now()));
    auto ringing = lab.last();
    EXPECT_EQ(ringing->status(), 183);
    const auto tag = std::string{sip::parse_name_addr(ringing.value(HeaderId::To))->tag};
    const auto rseq = std::string{ringing.value(HeaderId::RSeq)};
    lab.say(lab.request("PRACK", tag, 2, "RAck: 1 1 INVITE\r\n"));
    EXPECT_TRUE(lab.got.back().starts_with("SIP/2.0 481"));
    lab.got.clear();
    lab.say(lab.request("PRACK", tag, 3,
                        "RAck: " + rseq +
                            " 1 INVITE\r\nContent-Type: application/sdp\r\n"
                            "Content-Length: " +
                            std::to_string(lab.far.sdp().size()) + "\r\n\r\n" + lab.far.sdp()));
    ASSERT_EQ(lab.got.size(), 2U);
    EXPECT_NE(lab.got[0].find("CSeq: 3 PRACK"), std::string::npos);
    EXPECT_TRUE(lab.got[1].starts_with("SIP/2.0 200"));
    EXPECT_NE(lab.got[1].find("CSeq: 1 INVITE"), std::string::npos);
    EXPECT_EQ(lab.alice.ua->session(lab.leg())->remote, lab.far.sdp());
}

TEST(UserAgent, RepeatsItsAnswerUntilTheAckAndThenHangsUp) {
    Lab lab;
    lab.say(lab.request("INVITE", "", 1));
    lab.got.clear();
    lab.alice.ua->respond(lab.ref_of(What::Request), 200, {}, lab.n.now());
    lab.n.run(seconds(31));
    EXPECT_EQ(
        std::ranges::count_if(lab.got, [](const auto& t) { return t.starts_with("SIP/2.0 200"); }),
        10); // also over TLS [RFC 3261 §13.3.1.4]
    lab.n.run(seconds(2));
    EXPECT_EQ(lab.alice.count(What::NoAck), 1);
    EXPECT_TRUE(lab.got.back().starts_with("BYE "));
}

TEST(UserAgent, WaitsForTheAckBeforeItsBye) {
    Lab lab;
    lab.say(lab.request("INVITE", "", 1));
    lab.alice.ua->respond(lab.ref_of(What::Request), 200, {}, lab.n.now());
    const auto tag = std::string{sip::parse_name_addr(lab.last().value(HeaderId::To))->tag};
    EXPECT_EQ(lab.alice.ua->request(lab.leg(), "BYE", {}, lab.n.now()), 0U);
    EXPECT_EQ(lab.last()->status(), 200);
    lab.say(lab.request("ACK", tag, 1));
    EXPECT_EQ(lab.last()->method(), Method::Bye);
    Lab rude;
    rude.say(rude.request("INVITE", "", 1));
    rude.alice.ua->respond(rude.ref_of(What::Request), 200, {}, rude.n.now());
    Changes force;
    force.force = true;
    EXPECT_NE(rude.alice.ua->request(rude.leg(), "BYE", force, rude.n.now()), 0U);
    EXPECT_EQ(rude.last()->method(), Method::Bye);
}

TEST(UserAgent, KeepsTheOrderOfRequestsInADialog) {
    Lab lab;
    const auto tag = lab.incoming();
    lab.say(lab.request("INFO", tag, 10));
    lab.got.clear();
    lab.say(lab.request("INFO", tag, 9));
    EXPECT_TRUE(lab.got.back().starts_with("SIP/2.0 500"));
    EXPECT_EQ(lab.alice.count(What::Refused), 1);
}

TEST(UserAgent, AnswersCrossingReInvitesByTheirKind) {
    Lab lab;
    const auto tag = lab.incoming();
    lab.alice.ua->request(lab.leg(), "INVITE", lab.alice.with_sdp(), lab.n.now());
    lab.say(lab.request("INVITE", tag, 2));
    EXPECT_TRUE(lab.got.back().starts_with("SIP/2.0 491"));
    EXPECT_EQ(lab.alice.ua->request(lab.leg(), "INVITE", {}, lab.n.now()), 0U);
    lab.n.run(milliseconds(1));
    EXPECT_EQ(lab.alice.count(What::NotSent), 1);

    Lab twice;
    const auto other = twice.incoming();
    twice.say(twice.request("INVITE", other, 2));
    twice.got.clear();
    twice.say(twice.request("INVITE", other, 3));
    EXPECT_TRUE(twice.got.back().starts_with("SIP/2.0 500"));
    EXPECT_NE(twice.got.back().find("Retry-After: "), std::string::npos);
}

TEST(UserAgent, TriesAgainAfterA491AndRollsBackAfterA488) {
    Lab lab;
    lab.incoming();
    lab.got.clear();
    lab.alice.ua->request(lab.leg(), "INVITE", lab.alice.with_sdp(2), lab.n.now());
    lab.answer(lab.last(), 491);
    EXPECT_EQ(lab.alice.ua->session(lab.leg())->state, OfferState::Stable);
    lab.got.clear();
    lab.n.run(seconds(3)); // not the owner of the Call-ID: within 2 s
    ASSERT_EQ(lab.alice.count(What::Retried), 1);
    const auto again = lab.last();
    EXPECT_EQ(again->body(), lab.alice.sdp(2));
    lab.answer(again, 488);
    EXPECT_EQ(lab.alice.ua->session(lab.leg())->state, OfferState::Stable);
    EXPECT_EQ(lab.alice.ua->session(lab.leg())->local, "");
    EXPECT_EQ(lab.alice.ua->call_state(lab.leg()), InviteState::Established);
}

TEST(UserAgent, HangsUpWhenAReInviteFindsNobody) {
    Lab lab;
    lab.incoming();
    lab.alice.ua->request(lab.leg(), "INVITE", lab.alice.with_sdp(), lab.n.now());
    lab.answer(lab.last(), 481);
    EXPECT_EQ(lab.last()->method(), Method::Bye);
    EXPECT_EQ(lab.alice.count(What::Ended), 1);
}

TEST(UserAgent, TellsOfAConnectionThatIsGone) {
    Lab lab;
    lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    lab.n.run(milliseconds(10));
    lab.alice.ua->on_wire_closed(lab.n.wire(lab.alice, lab.far.at), lab.n.now());
    lab.n.run();
    EXPECT_EQ(lab.alice.count(What::Unreachable), 1);
    lab.n.expect_quiet();
}

TEST(UserAgent, AsksAgainWithALongerSession) {
    Lab lab{[](auto& s) { s.session_timer = {.supported = true, .interval = 90}; }};
    lab.alice.ua->invite("sip:far@example.com", {}, lab.n.now());
    Changes min;
    min.with("Min-SE", "1800");
    lab.answer(lab.last(), 422, min);
    const auto again = lab.last();
    EXPECT_EQ(again->method(), Method::Invite);
    EXPECT_EQ(again.value(HeaderId::MinSe), "1800");
    EXPECT_EQ(again.value(HeaderId::SessionExpires), "1800");
    EXPECT_EQ(lab.alice.count(What::Retried), 1);
    lab.answer(again, 422, min); // it learns nothing new: no third
    EXPECT_EQ(lab.last()->method(), Method::Ack);
}

TEST(UserAgent, ShutsDownACallThatIsReplaced) {
    Lab lab;
    const auto tag = lab.incoming();
    const auto old = lab.leg();
    lab.say(
        lab.request("INVITE", "", 1, "Replaces: fc1;to-tag=" + tag + ";from-tag=ft\r\n", "new"));
    lab.got.clear();
    lab.alice.ua->respond(lab.ref_of(What::Request), 200, {}, lab.n.now());
    EXPECT_EQ(lab.lines(), (std::vector<std::string>{"SIP/2.0 200 OK", "BYE"}));
    EXPECT_EQ(lab.alice.ua->call_state(old), InviteState::Mortal);
    EXPECT_EQ(lab.alice.ua->call_state(lab.leg()), InviteState::Moratorium);
}

TEST(UserAgent, TellsWhoeverReferredItAndNobodyWhoDidNotAsk) {
    Lab lab;
    const auto tag = lab.incoming();
    const auto first_id = lab.request("REFER", tag, 5, "Refer-To: <sip:c@example.com>\r\n");
    lab.say(first_id);
    lab.got.clear();
    lab.alice.ua->respond(lab.ref_of(What::Request), 202, {}, lab.n.now());
    EXPECT_EQ(lab.lines(), (std::vector<std::string>{"SIP/2.0 202 Accepted", "NOTIFY"}));
    lab.say(lab.request("REFER", tag, 6, "Refer-To: <sip:d@example.com>\r\n"));
    lab.alice.ua->respond(lab.ref_of(What::Request), 202, {}, lab.n.now());
    const auto notify = lab.last();
    EXPECT_EQ(notify.value(HeaderId::Event), "refer;id=6"); // the second must say which
    EXPECT_EQ(notify->body(), "SIP/2.0 100 Trying\r\n");
    EXPECT_TRUE(notify.value(HeaderId::SubscriptionState).starts_with("active;expires="));
    lab.say(lab.request("REFER", tag, 7, "Refer-To: <sip:e@example.com>\r\nRefer-Sub: false\r\n"));
    lab.got.clear();
    Changes none;
    none.with("Refer-Sub", "false");
    lab.alice.ua->respond(lab.ref_of(What::Request), 200, none, lab.n.now());
    EXPECT_EQ(lab.lines(), std::vector<std::string>{"SIP/2.0 200 OK"});
    EXPECT_EQ(lab.alice.ua->sizes().subscriptions, 2U);
}

TEST(UserAgent, RegistersAgainBeforeItExpiresAndAnswersAChallenge) {
    Lab lab;
    Registration r;
    r.registrar = "sip:example.com";
    r.aor = "sip:alice@example.com";
    r.contacts.push_back({.uri = lab.alice.uri(), .expires = 60});
    const auto reg = lab.alice.ua->add_registration(r, {}, lab.n.now());
    Changes challenge;
    challenge.with("WWW-Authenticate", "Digest realm=\"x\"");
    lab.answer(lab.last(), 401, challenge);
    Changes credentials;
    credentials.with("Authorization", "Digest username=\"alice\"");
    EXPECT_NE(lab.alice.ua->retry(lab.ref_of(What::Response), credentials, lab.n.now()), 0U);
    auto second = lab.last();
    EXPECT_EQ(second.value(HeaderId::CSeq), "2 REGISTER");
    Changes brief;
    brief.with("Min-Expires", "600");
    lab.answer(second, 423, brief);
    auto third = lab.last();
    EXPECT_EQ(third.value(HeaderId::CSeq), "3 REGISTER");
    EXPECT_TRUE(third.value(HeaderId::Contact).ends_with(";expires=600"));
    Changes granted;
    granted.with("Contact", std::string{third.value(HeaderId::Contact)});
    lab.answer(third, 200, granted);
    EXPECT_EQ(lab.alice.ua->registration(reg)->state, Registration::State::Registered);
    lab.got.clear();
    lab.n.run(seconds(530));
    EXPECT_TRUE(lab.got.empty());
    lab.n.run(seconds(20));
    auto refresh = lab.last();
    EXPECT_EQ(refresh.value(HeaderId::CSeq), "4 REGISTER");
    EXPECT_EQ(refresh.value(HeaderId::CallId), third.value(HeaderId::CallId));
    lab.answer(refresh, 200, granted);
    lab.alice.ua->unregister(reg, lab.n.now());
    auto gone = lab.last();
    EXPECT_TRUE(gone.value(HeaderId::Contact).ends_with(";expires=0"));
    lab.answer(gone, 200);
    EXPECT_EQ(lab.alice.ua->registration(reg), nullptr);
    EXPECT_FALSE(lab.alice.ua->next_deadline().known() &&
                 lab.alice.ua->next_deadline() > lab.n.now() + seconds(40));
}

TEST(UserAgent, DropsWhatItCannotRead) {
    Lab lab;
    lab.say("garbage");
    lab.say("SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1\r\n\r\n");
    lab.say("INVITE sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(lab.alice.count(What::Stray), 3);
    EXPECT_TRUE(lab.got.empty());
    lab.say(
        "OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK2\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE(lab.got.back().starts_with("SIP/2.0 400"));
}

TEST(UserAgent, RefusesMoreCallsThanItHasRoomFor) {
    Lab lab{[](auto& s) { s.max_dialogs = 1; }};
    lab.incoming();
    lab.say(lab.request("INVITE", "", 1, {}, "another"));
    EXPECT_TRUE(lab.got.back().starts_with("SIP/2.0 503"));
}

} // namespace
} // namespace cw::dialog
