#include "dialog/draft.hpp"

#include "dialog/test_message.hpp"
#include "sip/check.hpp"

namespace cw::dialog {
namespace {

using test::Message;

TEST(Draft, WritesFieldsInOrderAndTheLengthLast) {
    auto d = Draft::request("MESSAGE", "sip:b@b.example");
    d.add("Via", "SIP/2.0/UDP a").add("From", "<sip:a@a>;tag=1");
    d.set_body("text/plain", "hello");
    EXPECT_EQ(d.print(), "MESSAGE sip:b@b.example SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n"
                         "From: <sip:a@a>;tag=1\r\nContent-Type: text/plain\r\n"
                         "Content-Length: 5\r\n\r\nhello");
}

TEST(Draft, KnowsAFieldByItsCompactNameAndInAnyCase) {
    auto d = Draft::request("OPTIONS", "sip:b@b.example");
    d.add("Via", "1").add("To", "x").add("v", "2");
    EXPECT_EQ(d.fields()[0].value, "1");
    EXPECT_EQ(d.fields()[1].value, "2"); // behind its like
    d.set("VIA", "3");
    ASSERT_EQ(d.fields().size(), 2U);
    EXPECT_EQ(d.fields()[0].value, "3");
    d.remove("t");
    EXPECT_FALSE(d.has("To"));
    d.add("X-Own", "1").set("x-own", "2");
    EXPECT_EQ(d.value("X-OWN"), "2");
}

TEST(Draft, ChangesEverythingThatIsAskedForAlsoForTheWorse) {
    auto d = Draft::request("INVITE", "sip:b@b.example");
    d.add("Via", "1").add("Via", "2").add("CSeq", "1 INVITE");
    Changes c;
    c.method = "FOO";
    c.uri = "sip:nobody";
    c.without("Via").without("Content-Length").with("CSeq", "99 BAR").with_body("x/y", "body");
    c.add.push_back({"Subject", "a"});
    EXPECT_EQ(d.apply(c).print(), "FOO sip:nobody SIP/2.0\r\nCSeq: 99 BAR\r\nContent-Type: x/y\r\n"
                                  "Subject: a\r\n\r\nbody");
    auto r = Draft::response(200, "OK");
    Changes wrong;
    wrong.status = 486;
    wrong.with("Content-Length", "1000");
    EXPECT_EQ(r.apply(wrong).print(), "SIP/2.0 486 Busy Here\r\nContent-Length: 1000\r\n\r\n");
}

TEST(Draft, LetsNoValueMakeAFieldOfItsOwn) {
    auto d = Draft::request("INVITE", "sip:b@b\r\nVia: x");
    d.add("Subject", "a\r\nTo: <sip:evil@x>\n\r\n");
    const auto text = d.print();
    EXPECT_EQ(text.find("\nTo:"), std::string::npos);
    EXPECT_EQ(text.find("\nVia:"), std::string::npos);
    EXPECT_EQ(text.find("\r\n\r\n"), text.size() - 4);
}

TEST(Response, CopiesWhatTheRequestMustFindAgain) {
    const Message invite{test::invite_text("Via: SIP/2.0/UDP p.example;branch=z9hG4bKp\n"
                                           "Record-Route: <sip:p1;lr>, <sip:p2;lr>\n"
                                           "Timestamp: 5\n")};
    const Message ok{
        response_to(*invite, 200, "bt", "SIP/2.0/TLS a.example;received=192.0.2.1").print()};
    EXPECT_TRUE(sip::check(*ok).ok);
    EXPECT_EQ(ok.value(sip::HeaderId::To), "<sips:bob@b.example>;tag=bt");
    EXPECT_EQ(ok.value(sip::HeaderId::From), "\"Alice\" <sips:alice@a.example>;tag=at");
    EXPECT_EQ(ok.value(sip::HeaderId::RecordRoute), "<sip:p1;lr>");
    EXPECT_TRUE(ok->repeated(sip::HeaderId::Via));
    EXPECT_FALSE(ok->has(sip::HeaderId::Timestamp));
    const Message trying{response_to(*invite, 100, "bt", "SIP/2.0/TLS a.example").print()};
    EXPECT_EQ(trying.value(sip::HeaderId::To), "<sips:bob@b.example>");
    EXPECT_FALSE(trying->has(sip::HeaderId::RecordRoute));
    EXPECT_EQ(trying.value(sip::HeaderId::Timestamp), "5");
}

TEST(Response, SaysWhereTheRequestCameFromAndGoesThere) {
    transaction::Wire wire;
    wire.remote = *parse_endpoint("192.0.2.9:40000", 0);
    const auto goes = [&](std::string_view via) {
        return to_string(reply_wire(*sip::parse_via(via), wire).remote);
    };
    EXPECT_EQ(received_via("SIP/2.0/UDP 192.0.2.9;branch=z", wire),
              "SIP/2.0/UDP 192.0.2.9;branch=z");
    EXPECT_EQ(received_via("SIP/2.0/UDP a.example;branch=z", wire),
              "SIP/2.0/UDP a.example;branch=z;received=192.0.2.9");
    EXPECT_EQ(received_via("SIP/2.0/UDP a.example;rport;branch=z", wire),
              "SIP/2.0/UDP a.example;rport=40000;branch=z;received=192.0.2.9");
    EXPECT_EQ(goes("SIP/2.0/UDP a.example;rport"), "192.0.2.9:40000");
    EXPECT_EQ(goes("SIP/2.0/UDP a.example:5070"), "192.0.2.9:5070");
    EXPECT_EQ(goes("SIP/2.0/UDP a.example"), "192.0.2.9:5060");
    wire.transport = sip::Transport::Tls;
    EXPECT_EQ(goes("SIP/2.0/TLS a.example"), "192.0.2.9:40000");
}

TEST(Response, HasThePhraseOfTheRfc) {
    EXPECT_EQ(reason_phrase(481), "Call/Transaction Does Not Exist");
    EXPECT_EQ(reason_phrase(606), "Not Acceptable");
    EXPECT_EQ(reason_phrase(100), "Trying");
    EXPECT_EQ(reason_phrase(299), "Unknown");
    EXPECT_EQ(reason_phrase(700), "Unknown");
}

} // namespace
} // namespace cw::dialog
