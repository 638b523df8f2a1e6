#include "sip/edits.hpp"

#include <gtest/gtest.h>

namespace cw::sip {
namespace {

constexpr std::string_view invite = "INVITE sip:b@b.example SIP/2.0\r\n"
                                    "Via: SIP/2.0/TLS a;branch=z9hG4bK1,\r\n SIP/2.0/TLS c\r\n"
                                    "ROUTE : <sip:p1;lr>, <sip:p2;lr>\r\n"
                                    "Route: <sip:p3;lr>\r\n"
                                    "X-Own:\t kept as it is \r\n"
                                    "Content-Length: 4\r\n\r\nbody";

struct Fixture : testing::Test {
    Fixture() { use(invite); }
    void use(std::string_view text) {
        message = *index(text, headers);
        edits.begin(message);
    }
    std::string result() {
        std::string out;
        edits.apply(out);
        return out;
    }
    HeaderIndex headers;
    MessageView message;
    Edits edits;
};
using SipEdits = Fixture;

TEST_F(SipEdits, NothingAskedIsNothingChanged) {
    EXPECT_EQ(result(), invite);
}

TEST_F(SipEdits, AreSplicedInWhateverOrderTheyWereAskedFor) {
    edits.replace(message.value(HeaderId::ContentLength), "44");
    edits.replace(message.request_uri(), "sip:c@c.example");
    edits.insert_on_top("Via: SIP/2.0/TLS p\r\n");
    edits.insert_on_top("Record-Route: <sip:p;lr>\r\n");
    edits.insert_below("X-New: 1\r\n");
    EXPECT_EQ(result(), "INVITE sip:c@c.example SIP/2.0\r\n"
                        "Via: SIP/2.0/TLS p\r\n"
                        "Record-Route: <sip:p;lr>\r\n"
                        "Via: SIP/2.0/TLS a;branch=z9hG4bK1,\r\n SIP/2.0/TLS c\r\n"
                        "ROUTE : <sip:p1;lr>, <sip:p2;lr>\r\n"
                        "Route: <sip:p3;lr>\r\n"
                        "X-Own:\t kept as it is \r\n"
                        "Content-Length: 44\r\nX-New: 1\r\n\r\nbody");
}

TEST_F(SipEdits, TakeValuesOffTheTopOfAList) {
    edits.remove_first_values(HeaderId::Via, 1);
    edits.remove_first_values(HeaderId::Route, 2);
    EXPECT_EQ(result(), "INVITE sip:b@b.example SIP/2.0\r\n"
                        "Via: SIP/2.0/TLS c\r\n"
                        "Route: <sip:p3;lr>\r\n"
                        "X-Own:\t kept as it is \r\n"
                        "Content-Length: 4\r\n\r\nbody");
}

TEST_F(SipEdits, TakeMoreValuesThanOneLineHas) {
    edits.remove_first_values(HeaderId::Route, 9);
    edits.remove_first_values(HeaderId::Via, 2);
    EXPECT_EQ(result(), "INVITE sip:b@b.example SIP/2.0\r\n"
                        "X-Own:\t kept as it is \r\n"
                        "Content-Length: 4\r\n\r\nbody");
}

TEST_F(SipEdits, LeaveOutWhatLiesWithinARemovedLine) {
    edits.remove_line(*message.find(HeaderId::Route));
    edits.replace(message.find(HeaderId::Route)->value, "<sip:x>");
    EXPECT_EQ(result().find("sip:x"), std::string::npos);
    EXPECT_EQ(result().find("sip:p1"), std::string::npos);
}

TEST_F(SipEdits, NormaliseBlanksBeforeColonsAndFolds) {
    edits.normalise();
    EXPECT_EQ(result(), "INVITE sip:b@b.example SIP/2.0\r\n"
                        "Via: SIP/2.0/TLS a;branch=z9hG4bK1, SIP/2.0/TLS c\r\n"
                        "ROUTE: <sip:p1;lr>, <sip:p2;lr>\r\n"
                        "Route: <sip:p3;lr>\r\n"
                        "X-Own:\t kept as it is \r\n"
                        "Content-Length: 4\r\n\r\nbody");
}

TEST_F(SipEdits, NormaliseFoldsAroundAValue) {
    use("INVITE sip:b@b.example SIP/2.0\r\n"
        "From:\r\n <sip:a@a.example>;tag=1\r\n"
        "To: <sip:b@b.example> \r\n\t \r\n"
        "Subject:\r\n \r\n one\r\n\ttwo\r\n \r\n"
        "Content-Length: 0\r\n\r\n");
    edits.normalise();
    EXPECT_EQ(result(), "INVITE sip:b@b.example SIP/2.0\r\n"
                        "From: <sip:a@a.example>;tag=1\r\n"
                        "To: <sip:b@b.example>\r\n"
                        "Subject: one two\r\n"
                        "Content-Length: 0\r\n\r\n");
}

} // namespace
} // namespace cw::sip
