#include "dialog/registration.hpp"

#include "dialog/test_message.hpp"

namespace cw::dialog {
namespace {

using sip::HeaderId;
using test::Message;
using test::start;

Registration registration() {
    Registration r;
    r.registrar = "sips:example.com";
    r.aor = "sips:alice@example.com";
    r.call_id = "reg1";
    r.contacts.push_back({.uri = "sips:alice@192.0.2.1:5061"});
    return r;
}

Message response(int status, std::string_view fields) {
    return Message{"SIP/2.0 " + std::to_string(status) + " X\nCSeq: 1 REGISTER\n" +
                   std::string{fields} + "\n"};
}

TEST(Register, HasNoUserInItsUriAndCountsOn) {
    auto r = registration();
    const Message first{make_register(r, "t1").print()};
    EXPECT_EQ(first->request_uri(), "sips:example.com");
    EXPECT_EQ(first.value(HeaderId::To), "<sips:alice@example.com>");
    EXPECT_EQ(first.value(HeaderId::Contact), "<sips:alice@192.0.2.1:5061>;expires=3600");
    EXPECT_EQ(first.value(HeaderId::CSeq), "1 REGISTER");
    EXPECT_EQ(r.state, Registration::State::Registering);
    const Message second{make_register(r, "t1", true).print()};
    EXPECT_EQ(second.value(HeaderId::CSeq), "2 REGISTER");
    EXPECT_EQ(second.value(HeaderId::CallId), "reg1");
    EXPECT_TRUE(second.value(HeaderId::Contact).ends_with(";expires=0"));
}

TEST(Register, SaysWhoItIsForOutboundAndGruu) {
    auto r = registration();
    r.instance = "urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF";
    r.reg_id = 1;
    r.wants_gruu = true;
    r.contacts.push_back({.uri = "sip:alice@192.0.2.1", .expires = 60, .q = "0.5"});
    const auto text = make_register(r, "t1").print();
    EXPECT_NE(text.find("<sips:alice@192.0.2.1:5061>;+sip.instance=\"<urn:uuid:00000000-0000-1000-"
                        "8000-AABBCCDDEEFF>\";reg-id=1;expires=3600\r\n"),
              std::string::npos);
    EXPECT_NE(text.find("<sip:alice@192.0.2.1>;q=0.5;"), std::string::npos);
    EXPECT_NE(text.find("Supported: path\r\nSupported: outbound\r\nSupported: gruu\r\n"),
              std::string::npos);
}

TEST(Registration, KeepsWhatTheRegistrarGives) {
    auto r = registration();
    static_cast<void>(make_register(r, "t1"));
    const auto ok = response(
        200,
        "Contact: <sips:other@192.0.2.7>;expires=10\n"
        "Contact: <sips:alice@192.0.2.1:5061>;expires=600;pub-gruu=\"sips:alice@example.com;gr="
        "urn:x\";temp-gruu=\"sips:tgruu.7@example.com;gr\"\n"
        "Service-Route: <sips:p2;lr>, <sips:p3;lr>\nPath: <sips:edge;lr>\n"
        "Require: outbound\nFlow-Timer: 120\n");
    EXPECT_EQ(on_register_response(r, *ok, start), RegisterVerdict::Registered);
    EXPECT_EQ(r.state, Registration::State::Registered);
    EXPECT_EQ(r.contacts[0].granted, 600U);
    EXPECT_EQ(r.contacts[0].pub_gruu, "sips:alice@example.com;gr=urn:x");
    EXPECT_EQ(r.contacts[0].temp_gruu, "sips:tgruu.7@example.com;gr");
    EXPECT_EQ(r.service_route, (std::vector<std::string>{"<sips:p2;lr>", "<sips:p3;lr>"}));
    EXPECT_EQ(r.path, std::vector<std::string>{"<sips:edge;lr>"});
    EXPECT_TRUE(r.outbound);
    EXPECT_EQ(r.flow_timer, 120U);
    EXPECT_EQ(r.next_deadline(), start + seconds(540));
    EXPECT_EQ(r.advance(start + seconds(540)), Registration::Due::Refresh);
    EXPECT_EQ(r.advance(start + seconds(600)), Registration::Due::Expired);
    EXPECT_EQ(r.contacts[0].granted, 0U);
}

TEST(Registration, TriesAgainWithTheLongerTimeOf423Once) {
    auto r = registration();
    r.contacts[0].expires = 60;
    static_cast<void>(make_register(r, "t1"));
    const auto brief = response(423, "Min-Expires: 1800\n");
    EXPECT_EQ(on_register_response(r, *brief, start), RegisterVerdict::TryAgain);
    EXPECT_TRUE(std::string{make_register(r, "t1").value("Contact")}.ends_with("expires=1800"));
    EXPECT_EQ(on_register_response(r, *brief, start), RegisterVerdict::Failed);
}

TEST(Registration, LeavesAChallengeToItsUser) {
    auto r = registration();
    static_cast<void>(make_register(r, "t1"));
    EXPECT_EQ(
        on_register_response(r, *response(401, "WWW-Authenticate: Digest realm=\"x\"\n"), start),
        RegisterVerdict::Challenged);
    EXPECT_EQ(r.state, Registration::State::Registering);
    EXPECT_EQ(on_register_response(r, *response(100, ""), start), RegisterVerdict::Wait);
}

TEST(Registration, SurvivesAFailedRefreshAndWaitsEverLonger) {
    auto r = registration();
    static_cast<void>(make_register(r, "t1"));
    const auto ok = response(200, "Contact: <sips:alice@192.0.2.1:5061>;expires=600\n");
    EXPECT_EQ(on_register_response(r, *ok, start), RegisterVerdict::Registered);
    EXPECT_EQ(r.advance(start + seconds(540)), Registration::Due::Refresh);
    on_register_unanswered(r, start + seconds(545));
    EXPECT_EQ(r.state, Registration::State::Registered);
    EXPECT_EQ(r.next_deadline(), start + seconds(600));
    EXPECT_EQ(on_register_response(r, *response(503, "Retry-After: 7\n"), start + seconds(550)),
              RegisterVerdict::Failed);
    EXPECT_EQ(r.next_deadline(), start + seconds(557));
    EXPECT_EQ(retry_pause(1), seconds(60));
    EXPECT_EQ(retry_pause(3), seconds(240)); // the example of RFC 5626 §4.5
    EXPECT_EQ(retry_pause(60), seconds(1800));
}

TEST(Registration, EndsWhenItsBindingsAreGone) {
    auto r = registration();
    const auto ok = response(200, "Contact: <sips:alice@192.0.2.1:5061>;expires=600\n");
    static_cast<void>(on_register_response(r, *ok, start));
    static_cast<void>(make_register(r, "t1", true));
    EXPECT_EQ(on_register_response(r, *response(200, ""), start), RegisterVerdict::Registered);
    EXPECT_EQ(r.state, Registration::State::Unregistered);
    EXPECT_FALSE(r.next_deadline().known());
}

} // namespace
} // namespace cw::dialog
