#include "dialog/refer.hpp"

#include "dialog/test_message.hpp"

namespace cw::dialog {
namespace {

using test::Message;

TEST(ReferTo, IsReadBackAsItWasWritten) {
    const auto value =
        refer_to("sips:carol@192.0.2.3;transport=tls", "12345@h;to-tag=a;from-tag=b");
    EXPECT_EQ(
        value,
        "<sips:carol@192.0.2.3;transport=tls?Replaces=12345%40h%3Bto-tag%3Da%3Bfrom-tag%3Db>");
    const auto r = parse_refer_to(value);
    ASSERT_TRUE(r);
    EXPECT_EQ(r->uri, "sips:carol@192.0.2.3;transport=tls");
    EXPECT_EQ(r->replaces, "12345@h;to-tag=a;from-tag=b");
    EXPECT_EQ(r->method, "INVITE");
    EXPECT_EQ(parse_refer_to(refer_to("sip:a@b", {}, "BYE"))->method, "BYE");
}

TEST(ReferTo, TakesOverNoHeaderThatWouldChangeWhoWeAre) {
    const auto r = parse_refer_to("<sip:c@x?From=evil&Via=1&Subject=hi%20there&Route=%3Csip:x%3E&"
                                  "Call-ID=1&Accept-Contact=*%3Bvideo&body=x&%0d%0aX=1&A%20B=1>");
    ASSERT_TRUE(r);
    ASSERT_EQ(r->headers.size(), 2U);
    EXPECT_EQ(r->headers[0].name, "Subject");
    EXPECT_EQ(r->headers[0].value, "hi there");
    EXPECT_EQ(r->headers[1].name, "Accept-Contact");
    EXPECT_EQ(r->uri, "sip:c@x");
}

TEST(Refer, IsRefusedWithoutExactlyOneReferTo) {
    const auto status = [](const char* fields) {
        const Message refer{"REFER sip:b SIP/2.0\nCSeq: 1 REFER\n" + std::string{fields} + "\n"};
        Reference reference;
        return read_refer(*refer, reference);
    };
    EXPECT_EQ(status("Refer-To: <sip:c@x>\n"), 0);
    EXPECT_EQ(status("r: sip:c@x\n"), 0);
    EXPECT_EQ(status(""), 400);
    EXPECT_EQ(status("Refer-To: <sip:c@x>\nRefer-To: <sip:d@x>\n"), 400);
    EXPECT_EQ(status("Refer-To: <sip:c@x>, <sip:d@x>\n"), 400);
    EXPECT_EQ(status("Refer-To: <sip:c@x\n"), 400);
    EXPECT_EQ(status("Refer-To: <tel:+1555>\n"), 416);
    EXPECT_EQ(status("Refer-To: <http://x.example/>\n"), 416);
}

TEST(Refer, SaysWhoReferredAndWhetherToTell) {
    const Message refer{
        "REFER sip:b SIP/2.0\nRefer-To: <sip:c@x?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>\n"
        "Referred-By: <sip:alice@a.example>\nRefer-Sub: false\n\n"};
    Reference reference;
    ASSERT_EQ(read_refer(*refer, reference), 0);
    EXPECT_FALSE(reference.wants_subscription);
    Changes changes;
    follow(reference, changes);
    auto invite = Draft::request("INVITE", reference.uri);
    invite.apply(changes);
    EXPECT_EQ(invite.value("Referred-By"), "<sip:alice@a.example>");
    EXPECT_EQ(invite.value("Replaces"), "1;to-tag=2;from-tag=3");
}

TEST(Sipfrag, BeginsWithAStatusLine) {
    EXPECT_EQ(sipfrag(100), "SIP/2.0 100 Trying\r\n");
    EXPECT_EQ(sipfrag(603, "Declined"), "SIP/2.0 603 Declined\r\n");
    EXPECT_EQ(sipfrag_status("SIP/2.0 200 OK\r\nTo: x\r\n"), 200);
    EXPECT_EQ(sipfrag_status("SIP/2.0 486"), 486);
    EXPECT_FALSE(sipfrag_status("SIP/2.0 48"));
    EXPECT_FALSE(sipfrag_status("SIP/2.0 999 X"));
    EXPECT_FALSE(sipfrag_status("To: x"));
    EXPECT_FALSE(sipfrag_status(""));
}

} // namespace
} // namespace cw::dialog
