#include "smime/tunnel.hpp"

#include <gtest/gtest.h>

namespace cw::smime {
namespace {

const std::string inner_text = "INVITE sip:bob@biloxi.com SIP/2.0\r\n"
                               "Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bKnashds8\r\n"
                               "To: Bob <sip:bob@biloxi.com>\r\n"
                               "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
                               "Call-ID: a84b4c76e66710\r\n"
                               "CSeq: 314159 INVITE\r\n"
                               "Max-Forwards: 70\r\n"
                               "Date: Thu, 21 Feb 2002 13:02:03 GMT\r\n"
                               "Contact: <sip:alice@pc33.atlanta.com>\r\n"
                               "Content-Type: application/sdp\r\n"
                               "Content-Length: 5\r\n\r\nv=0\r\n";

std::vector<Discrepancy> compare(std::string outer, std::string_view inner = inner_text,
                                 bool encrypted = false) {
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{outer}, index);
    EXPECT_TRUE(message);
    return compare_tunnelled(*message, inner, encrypted);
}
std::string with(std::string_view from, std::string_view to) {
    auto text = inner_text;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, from.size(), to);
}

TEST(TunnelledMessage, MayDifferInWhatProxiesChange) {
    EXPECT_TRUE(compare(inner_text).empty());
    EXPECT_TRUE(compare(with("INVITE sip:bob@biloxi.com", "INVITE sip:bob@192.0.2.4")).empty());
    EXPECT_TRUE(compare(with("Via:", "Via: SIP/2.0/TLS p.example;branch=z9hG4bK1\r\n"
                                     "Record-Route: <sip:p.example;lr>\r\nVia:"))
                    .empty());
    EXPECT_TRUE(compare(with("Max-Forwards: 70", "Max-Forwards: 68")).empty());
    EXPECT_TRUE(compare(with("application/sdp", "multipart/signed;boundary=x")).empty());
    EXPECT_TRUE(
        compare(with("To: Bob <sip:bob@biloxi.com>", "t: \"Bob\" <sip:bob@BILOXI.com>")).empty());
}

TEST(TunnelledMessage, ElsewhereADifferenceIsToldWithBothValues) {
    const auto from = compare(with("sip:alice@atlanta.com", "sip:mallory@atlanta.com"));
    ASSERT_EQ(from.size(), 1U);
    EXPECT_EQ(from[0].header, "From");
    EXPECT_EQ(from[0].inner, "Alice <sip:alice@atlanta.com>;tag=1928301774");
    EXPECT_EQ(from[0].outer, "Alice <sip:mallory@atlanta.com>;tag=1928301774");
    EXPECT_EQ(compare(with("314159 INVITE", "314160 INVITE")).at(0).header, "CSeq");
    EXPECT_EQ(compare(with("13:02:03", "14:02:03")).at(0).header, "Date");
    const auto gone = compare(with("Date: Thu, 21 Feb 2002 13:02:03 GMT\r\n", ""));
    ASSERT_EQ(gone.size(), 1U);
    EXPECT_EQ(gone[0].outer, "");
    EXPECT_EQ(compare(with("INVITE sip", "MESSAGE sip")).at(0).header, "method");
}

TEST(TunnelledMessage, AnEncryptedOneMaySayMoreAndHideWhoItIs) {
    const auto subject = with("Date:", "Subject: secret\r\nDate:");
    EXPECT_EQ(compare(inner_text, subject).at(0).header, "Subject");
    EXPECT_TRUE(compare(inner_text, subject, true).empty());
    EXPECT_TRUE(
        compare(with("sip:alice@atlanta.com", "sip:anonymous@atlanta.com"), inner_text, true)
            .empty());
    EXPECT_TRUE(compare(with("Date:", "Subject: none\r\nDate:"), subject, true).empty());
    EXPECT_EQ(compare(with("13:02:03", "14:02:03"), inner_text, true).at(0).header, "Date");
    EXPECT_EQ(compare(with("pc33.atlanta.com>", "evil.example>"), inner_text, true).at(0).header,
              "Contact");
}

TEST(TunnelledMessage, WhatExtensionsLetProxiesChangeIsNoViolation) {
    const auto asserted = with("Date:", "P-Asserted-Identity: <sip:alice@atlanta.com>\r\n"
                                        "Session-Expires: 1800\r\nX-Own: 1\r\nDate:");
    EXPECT_TRUE(compare(inner_text, asserted).empty()); // gone outside
    EXPECT_TRUE(compare(asserted, inner_text).empty()); // added outside
    EXPECT_TRUE(
        compare(asserted, with("Date:", "Session-Expires: 90\r\nX-Own: 2\r\nDate:")).empty());
    const auto refer = with("Date:", "Refer-To: <sip:carol@atlanta.com>\r\nDate:");
    EXPECT_EQ(compare(inner_text, refer).at(0).header, "Refer-To");
}

TEST(TunnelledMessage, WhiteSpaceBesideSeparatorsIsNothingAndWithinQuotesItCounts) {
    const auto allow = with("Date:", "Allow: INVITE, ACK ,BYE\r\nDate:");
    EXPECT_TRUE(compare(with("Date:", "Allow: INVITE,ACK\r\nAllow: BYE\r\nDate:"), allow).empty());
    EXPECT_TRUE(
        compare(with("Date:", "Subject: a\r\n b\r\nDate:"), with("Date:", "Subject: a  b\r\nDate:"))
            .empty());
    EXPECT_EQ(compare(with("Date:", "Alert-Info: <x>;a=\"b  c\"\r\nDate:"),
                      with("Date:", "Alert-Info: <x>;a=\"b c\"\r\nDate:"))
                  .size(),
              1U);
    EXPECT_EQ(compare(with("Date:", "Subject: ab\r\nDate:"), with("Date:", "Subject: a b\r\nDate:"))
                  .size(),
              1U);
}

TEST(TunnelledMessage, IsOneByItsTypeButNotInANotification) {
    sip::HeaderIndex index;
    const auto invite = sip::index(std::string_view{inner_text}, index);
    EXPECT_TRUE(is_tunnelled(*invite, "message/sip"));
    EXPECT_TRUE(is_tunnelled(*invite, "message/sipfrag;version=2.0"));
    EXPECT_FALSE(is_tunnelled(*invite, "application/sdp"));
    sip::HeaderIndex other;
    const auto text = with("INVITE sip", "NOTIFY sip");
    const auto notify = sip::index(std::string_view{text}, other);
    EXPECT_FALSE(is_tunnelled(*notify, "message/sipfrag"));
}

TEST(TunnelledMessage, AFragmentIsComparedByWhatItHas) {
    const std::string_view fragment = "From: Alice <sip:alice@atlanta.com>;tag=1928301774\r\n"
                                      "Call-ID: a84b4c76e66710\r\n";
    EXPECT_TRUE(compare(inner_text, fragment).empty());
    EXPECT_EQ(compare(with("a84b4c76e66710", "other"), fragment).at(0).header, "Call-ID");
}

TEST(TunnelledMessage, WhatStandsOutsideAloneIsNamed) {
    const auto outside = [](const std::string& outer, std::string_view inner) {
        sip::HeaderIndex index;
        const auto message = sip::index(std::string_view{outer}, index);
        EXPECT_TRUE(message);
        return only_outside(*message, inner);
    };
    EXPECT_TRUE(outside(inner_text, inner_text).empty());
    const auto added =
        with("Via:", "Record-Route: <sip:p.example;lr>\r\nReply-To: <sip:m@x.com>\r\n"
                     "Subject: a\r\ns: b\r\nX-Own: c\r\nMIME-Version: 1.0\r\nVia:");
    EXPECT_EQ(outside(added, inner_text), (std::vector<std::string>{"Reply-To", "Subject"}));
    EXPECT_EQ(
        outside(inner_text, "From: Alice <sip:alice@atlanta.com>\r\nTo: <sip:bob@biloxi.com>\r\n"),
        (std::vector<std::string>{"Call-ID", "CSeq", "Date", "Contact"}));
    EXPECT_TRUE(outside(inner_text, "\x01").size() <= 32);
}

TEST(TunnelledMessage, ACopyIsWholeAndTheSameToItself) {
    sip::HeaderIndex index;
    const auto message = sip::index(std::string_view{inner_text}, index);
    const auto copy = tunnelled_copy(*message, "text/plain", "Hello!");
    EXPECT_TRUE(copy.ends_with("Content-Type: text/plain\r\nContent-Length: 6\r\n\r\nHello!"));
    EXPECT_TRUE(compare(inner_text, copy).empty());
    EXPECT_EQ(compare(with("Alice", "Malice"), copy).size(), 0U); // a display name is no identity
}

} // namespace
} // namespace cw::smime
