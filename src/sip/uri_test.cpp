#include "sip/uri.hpp"

#include <gtest/gtest.h>

#include "sip/test_material.hpp"

namespace cw::sip {
namespace {

TEST(Uri, ASipUriIsSplitIntoItsParts) {
    const test::ExactBytes bytes{
        "sips:alice;day=tue:se%20cret@[2001:db8::1]:5061;transport=tcp;lr?subject=x&p=y"};
    const auto uri = parse_uri(bytes.text());
    ASSERT_TRUE(uri);
    EXPECT_EQ(uri->scheme, Scheme::Sips);
    EXPECT_EQ(uri->user, "alice;day=tue");
    EXPECT_EQ(uri->password, "se%20cret");
    EXPECT_EQ(uri->host, "[2001:db8::1]");
    EXPECT_EQ(uri->port, 5061);
    EXPECT_EQ(uri->params, ";transport=tcp;lr");
    EXPECT_EQ(uri->headers, "subject=x&p=y");
    EXPECT_EQ(uri->quirk, nullptr);
    EXPECT_EQ(host_address(*uri), IpAddress::parse("2001:db8::1"));
}

TEST(Uri, OtherSchemesAreKeptWhole) {
    const auto tel = parse_uri("tel:+1-201-555-0123;phone-context=example.com");
    ASSERT_TRUE(tel);
    EXPECT_EQ(tel->scheme, Scheme::Tel);
    EXPECT_EQ(tel->user, "+1-201-555-0123");
    EXPECT_EQ(tel->params, ";phone-context=example.com");
    const auto urn = parse_uri("urn:service:sos");
    ASSERT_TRUE(urn);
    EXPECT_EQ(urn->scheme, Scheme::Other);
    EXPECT_EQ(urn->scheme_text, "urn");
    EXPECT_EQ(urn->opaque, "service:sos");
    EXPECT_FALSE(host_address(*urn));
}

TEST(Uri, WhatHasNoSchemeHostOrPortIsRefused) {
    for (const auto* bad :
         {"", ":", "sip:", "a@b", "sip:a@", "sip:@", "1sip:a@b", "s p:a@b", "sip:a@b:x",
          "sip:a@b:70000", "sip:a@b:50601234567890", "sip:a@[::1", "sip:a@[]", "sip:a@[1.2.3.4]",
          "sip:a@b c", "sip:a@2001:db8::10", "sip:a@b>", "sip:a@b/c"}) {
        EXPECT_FALSE(parse_uri(bad)) << bad;
    }
}

TEST(Uri, WhatShouldBeEscapedIsNoted) {
    for (const auto* odd :
         {"sip:*21#@b", "sip:a b@c", "sip:\xc3\xa9@b", "sip:%zz@b", "sip:%4@b", "sip:a:p w@b",
          "sip:@b", "sip:a@b:", "sip:a@b;x=<", "sip:a@b?x=<", "urn:a b", "tel:abc-xyz"}) {
        const auto uri = parse_uri(odd);
        ASSERT_TRUE(uri) << odd;
        EXPECT_NE(uri->quirk, nullptr) << odd;
    }
}

// The examples of RFC 3261 §19.1.4, in its order, and the rules above them.
TEST(Uri, EqualityFollowsTheRfc) {
    const auto same = [](std::string_view a, std::string_view b) {
        const auto x = parse_uri(a);
        const auto y = parse_uri(b);
        EXPECT_TRUE(x && y) << a << " " << b;
        EXPECT_EQ(same_uri(*x, *y), same_uri(*y, *x)) << a << " " << b;
        return same_uri(*x, *y);
    };
    EXPECT_TRUE(
        same("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"));
    EXPECT_TRUE(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
    EXPECT_TRUE(same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"));
    EXPECT_TRUE(same("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
                     "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
    EXPECT_TRUE(same("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                     "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));

    EXPECT_FALSE(
        same("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"));
    EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
    EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
    EXPECT_FALSE(same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
    EXPECT_FALSE(same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
    EXPECT_FALSE(same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));

    EXPECT_FALSE(same("sip:a@b", "sips:a@b"));
    EXPECT_FALSE(same("sip:a@b;maddr=c", "sip:a@b"));
    EXPECT_FALSE(same("sip:a@b;x=1", "sip:a@b;x=2"));
    EXPECT_FALSE(same("sip:a@b", "sip:b"));
    EXPECT_FALSE(same("sip:a:1@b", "sip:a:2@b"));
    EXPECT_FALSE(same("sip:a%40c@b", "sip:a%41c@b"));
    EXPECT_FALSE(same("sip:a%3bc@b", "sip:a;c@b")); // reserved: the escape is not the character
    EXPECT_TRUE(same("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::1]"));
    EXPECT_TRUE(same("TEL:+1", "tel:+1"));
    EXPECT_FALSE(same("tel:+1", "tel:+2"));
    EXPECT_FALSE(same("urn:a", "foo:a"));
}

TEST(Uri, EqualityOfHostileUrisStaysCheap) {
    std::string many = "sip:a@b";
    for (int i = 0; i < 20'000; ++i) {
        many += ";p" + std::to_string(i) + "=1";
    }
    const auto other = many + ";z";
    const auto a = parse_uri(many);
    const auto b = parse_uri(other);
    ASSERT_TRUE(a && b);
    EXPECT_FALSE(same_uri(*a, *b));
    EXPECT_TRUE(same_uri(*a, *a));
}

TEST(Uri, EscapesAreResolvedOnce) {
    EXPECT_EQ(unescape("%25%34%31"), "%41");
    EXPECT_EQ(unescape("a%00b"), std::string("a\0b", 3));
    EXPECT_EQ(unescape("%4%zz%"), "%4%zz%");
}

} // namespace
} // namespace cw::sip
