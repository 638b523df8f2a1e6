#include "dialog/dialog.hpp"

#include "dialog/identifiers.hpp"
#include "dialog/test_message.hpp"

#include <set>

namespace cw::dialog {
namespace {

using sip::HeaderId;
using test::Message;

constexpr std::string_view contact = "Contact: <sips:bob@192.0.2.2>\n";
constexpr std::string_view routes = "Record-Route: <sip:p2;lr>\nRecord-Route: <sip:p1;lr>\n";

Dialog uac(int status = 200, std::string_view more = contact) {
    const Message invite{test::invite_text()};
    const Message response{test::response_text(status, more)};
    return *uac_dialog(*invite, *response, true);
}

TEST(UacDialog, TakesItsPartsFromRequestAndResponse) {
    const auto d = uac(200, std::string{contact} + std::string{routes});
    EXPECT_EQ(d.state, Dialog::State::Confirmed);
    EXPECT_EQ(d.call_id, "c1");
    EXPECT_EQ(d.local_tag, "at");
    EXPECT_EQ(d.remote_tag, "bt");
    EXPECT_EQ(d.local, "\"Alice\" <sips:alice@a.example>");
    EXPECT_EQ(d.remote_target, "sips:bob@192.0.2.2");
    EXPECT_EQ(d.route_set, (std::vector<std::string>{"<sip:p1;lr>", "<sip:p2;lr>"}));
    EXPECT_EQ(d.local_cseq, 7U);
    EXPECT_FALSE(d.remote_cseq);
    EXPECT_TRUE(d.secure);
    EXPECT_EQ(next_hop(d), "sip:p1;lr");
}

TEST(UacDialog, IsMadeOnlyByAnswersThatMakeOne) {
    const Message invite{test::invite_text()};
    const auto made = [&](int status, std::string_view more, std::string_view tag) {
        const Message response{test::response_text(status, more, tag)};
        return uac_dialog(*invite, *response, false).has_value();
    };
    EXPECT_FALSE(made(100, contact, "bt"));
    EXPECT_TRUE(made(180, contact, "bt"));
    EXPECT_TRUE(made(180, "", "bt")); // a Contact may be missing there
    EXPECT_FALSE(made(180, contact, ""));
    EXPECT_TRUE(made(200, contact, "")); // RFC 2543
    EXPECT_FALSE(made(200, "", "bt"));
    EXPECT_FALSE(made(200, "Contact: <mailto:b@b.example>\n", "bt"));
    EXPECT_FALSE(made(302, contact, "bt"));
}

TEST(UasDialog, TakesTheRoutesInOrderAndTheNumberOfTheRequest) {
    const Message invite{test::invite_text(routes)};
    const auto d = *uas_dialog(*invite, "bt", Dialog::State::Early, true);
    EXPECT_EQ(d.route_set, (std::vector<std::string>{"<sip:p2;lr>", "<sip:p1;lr>"}));
    EXPECT_EQ(d.local, "<sips:bob@b.example>");
    EXPECT_EQ(d.remote_tag, "at");
    EXPECT_EQ(d.remote_cseq, 7U);
    EXPECT_FALSE(d.local_cseq);
    EXPECT_EQ(d.remote_target, "sips:alice@192.0.2.1:5061");
    EXPECT_TRUE(d.secure);
    EXPECT_FALSE(uas_dialog(*invite, "bt", Dialog::State::Early, false)->secure);
}

TEST(Dialog, TakesTheRouteAnewFromThe2xx) {
    auto d = uac(180, std::string{contact} + "Record-Route: <sip:old;lr>\n");
    EXPECT_EQ(d.state, Dialog::State::Early);
    const Message ok{test::response_text(200, "Contact: <sips:bob@192.0.2.3>\n")};
    confirm(d, *ok);
    EXPECT_EQ(d.state, Dialog::State::Confirmed);
    EXPECT_TRUE(d.route_set.empty());
    EXPECT_EQ(d.remote_target, "sips:bob@192.0.2.3");
}

TEST(Dialog, MatchesWhatComesFromItsPeerAlone) {
    const auto d = uac();
    const auto request = [](std::string_view from, std::string_view to, std::string_view call) {
        return Message{"BYE sip:a SIP/2.0\nFrom: <sip:b>;tag=" + std::string{from} +
                       "\nTo: <sip:a>;tag=" + std::string{to} + "\nCall-ID: " + std::string{call} +
                       "\nCSeq: 1 BYE\n\n"};
    };
    EXPECT_TRUE(matches(d, *request("bt", "at", "c1")));
    EXPECT_FALSE(matches(d, *request("at", "bt", "c1")));
    EXPECT_FALSE(matches(d, *request("bt", "at", "C1")));
    EXPECT_FALSE(matches(d, *request("bx", "at", "c1")));
    const Message response{test::response_text(200, contact)};
    EXPECT_TRUE(matches(d, *response));
}

TEST(Dialog, RefusesARequestThatWasOvertaken) {
    auto d = uac();
    const auto at = [&](int number) {
        const Message m{"INFO sip:a SIP/2.0\nCSeq: " + std::to_string(number) + " INFO\n\n"};
        return accept_sequence(d, *m);
    };
    EXPECT_EQ(at(5), 0);
    EXPECT_EQ(at(5), 500);
    EXPECT_EQ(at(4), 500);
    EXPECT_EQ(at(100), 0); // a gap is no error [RFC 3261 §12.2.2]
    EXPECT_EQ(d.remote_cseq, 100U);
}

TEST(Dialog, RefreshesItsTargetByTheRequestsThatDoSo) {
    auto d = uac();
    EXPECT_TRUE(is_target_refresh(sip::Method::Invite));
    EXPECT_TRUE(is_target_refresh(sip::Method::Update));
    EXPECT_TRUE(is_target_refresh(sip::Method::Notify));
    EXPECT_FALSE(is_target_refresh(sip::Method::Bye));
    EXPECT_FALSE(is_target_refresh(sip::Method::Ack));
    EXPECT_FALSE(is_target_refresh(sip::Method::Info));
    const Message moved{"INVITE sip:a SIP/2.0\nContact: <sip:bob@192.0.2.77>\n\n"};
    refresh_target(d, *moved);
    EXPECT_EQ(d.remote_target, "sip:bob@192.0.2.77");
    const Message silent{"INVITE sip:a SIP/2.0\nCSeq: 1 INVITE\n\n"};
    refresh_target(d, *silent);
    EXPECT_EQ(d.remote_target, "sip:bob@192.0.2.77");
}

TEST(RequestInDialog, CountsOnAndGoesByTheRouteSet) {
    auto d = uac(200, std::string{contact} + std::string{routes});
    const Message bye{request_in(d, "BYE").print()};
    EXPECT_EQ(bye->request_uri(), "sips:bob@192.0.2.2");
    EXPECT_EQ(bye.value(HeaderId::CSeq), "8 BYE");
    EXPECT_EQ(bye.value(HeaderId::Route), "<sip:p1;lr>");
    EXPECT_EQ(bye.value(HeaderId::To), "<sips:bob@b.example>;tag=bt");
    EXPECT_EQ(bye.value(HeaderId::From), "\"Alice\" <sips:alice@a.example>;tag=at");
    // "MUST be equal to the sequence number of the INVITE" for ACK: given, not counted.
    const Message ack{request_in(d, "ACK", 7).print()};
    EXPECT_EQ(ack.value(HeaderId::CSeq), "7 ACK");
    EXPECT_EQ(d.local_cseq, 8U);
}

// The example of RFC 3261 §12.2.1.1.
TEST(RequestInDialog, GivesAStrictRouterItsOwnUri) {
    auto d = uac();
    d.remote_target = "sip:user@remoteua";
    d.route_set = {"<sip:proxy1;method=INVITE;x=y?Subject=z>", "<sip:proxy2>", "<sip:proxy3;lr>",
                   "<sip:proxy4>"};
    const auto draft = request_in(d, "INFO");
    EXPECT_EQ(draft.uri(), "sip:proxy1;x=y"); // without what no Request-URI may have
    std::vector<std::string> route;
    for (const auto& f : draft.fields()) {
        if (f.name == "Route") {
            route.push_back(f.value);
        }
    }
    EXPECT_EQ(route, (std::vector<std::string>{"<sip:proxy2>", "<sip:proxy3;lr>", "<sip:proxy4>",
                                               "<sip:user@remoteua>"}));
}

TEST(Dialog, TakesATagOutAndLeavesTheRest) {
    EXPECT_EQ(without_tag("<sip:a@b>;tag=1"), "<sip:a@b>");
    EXPECT_EQ(without_tag("\"A; B\" <sip:a@b>;x=\"q r\";tag=1;y"),
              "\"A; B\" <sip:a@b>;x=\"q r\";y");
    EXPECT_EQ(without_tag("sip:a@b;tag=1"), "sip:a@b");
    EXPECT_EQ(without_tag("<sip:a@b;tag=2>"), "<sip:a@b;tag=2>");
}

TEST(Dialog, PrintsItselfInOneLine) {
    std::string out;
    describe(uac(180), out);
    EXPECT_EQ(out, "dialog c1 at/bt early uac secure");
}

TEST(Identifiers, AreNotRepeatedAndComeAgainWithTheSameSeed) {
    Identifiers one{1};
    Identifiers same{1};
    Identifiers other{2};
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto tag = one.tag();
        EXPECT_TRUE(seen.insert(tag).second);
        EXPECT_EQ(tag, same.tag());
        EXPECT_TRUE(seen.insert(other.tag()).second);
    }
    for (int i = 0; i < 1000; ++i) {
        const auto pause = one.between(milliseconds(2100), milliseconds(4010));
        EXPECT_GE(pause, milliseconds(2100));
        EXPECT_LE(pause, milliseconds(4000));
        EXPECT_EQ(pause.ns % 10'000'000, 0);
        const auto rseq = one.rseq();
        EXPECT_TRUE(rseq >= 1 && rseq <= 0x7fff'ffff);
    }
    EXPECT_TRUE(one.branch().starts_with("z9hG4bK"));
}

} // namespace
} // namespace cw::dialog
