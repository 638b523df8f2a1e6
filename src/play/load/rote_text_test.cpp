// What is the same for a call by rote, and what is not.
#include "play/load/rote_text.hpp"

#include <gtest/gtest.h>

namespace cw::play {
namespace {

constexpr std::string_view invite = "INVITE sip:bob@example.com SIP/2.0\r\n"
                                    "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKBRANCH;rport\r\n"
                                    "From: <sip:alice@example.com>;tag=FROMTAG\r\n"
                                    "To: <sip:bob@example.com>\r\n"
                                    "Call-ID: IDENTIFIER\r\n"
                                    "CSeq: 41 INVITE\r\n"
                                    "Content-Length: 37\r\n"
                                    "\r\n"
                                    "v=0\r\no=- 7001 1 IN IP4 127.0.0.1\r\ns=-";

constexpr std::string_view answer =
    "SIP/2.0 200 OK\r\n"
    "Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKBRANCH;rport=9\r\n"
    "Record-Route: <sip:proxy.example.com;lr>\r\n"
    "From: <sip:alice@example.com>;tag=FROMTAG\r\n"
    "To: <sip:bob@example.com>;tag=17\r\n"
    "Call-ID: IDENTIFIER\r\n"
    "CSeq: 41 INVITE\r\n"
    "Contact: <sip:bob@10.0.0.1;x=1>\r\n"
    "Server: one\r\n"
    "Content-Length: 0\r\n"
    "\r\n";

std::string with(std::string_view text, std::string_view what, std::string_view by) {
    std::string out{text};
    const auto at = out.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return at == std::string::npos ? out : out.replace(at, what.size(), by);
}

Gaps names(std::string_view branch, std::string_view tag, std::string_view id,
           std::string_view cseq) {
    Gaps out;
    out.add(Gaps::Kind::Branch, branch);
    out.add(Gaps::Kind::Tag, tag);
    out.add(Gaps::Kind::CallId, id);
    out.add(Gaps::Kind::Number, cseq);
    out.add(Gaps::Kind::Session, "7001");
    return out;
}

Gaps first_call() {
    return names("z9hG4bKBRANCH", "FROMTAG", "IDENTIFIER", "41");
}

bool fits(const Shape& shape, std::string_view text, Gaps& gaps) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    return message && shape.fits(*message, gaps);
}

Shape shape_of(std::string_view text, Gaps& gaps) {
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    EXPECT_TRUE(message.has_value());
    return Shape{*message, gaps};
}

TEST(RoteText, AFormHasTheNamesOfEachCallAndItsLength) {
    const auto gaps = first_call();
    const Form form{invite, gaps};
    std::string out;
    form.print(gaps, out);
    EXPECT_EQ(out, invite);
    auto other = names("z9hG4bKanother", "me", "id2", "9999");
    other.cut(4);
    other.add(Gaps::Kind::Session, "123456");
    out.clear();
    form.print(other, out);
    auto wanted = with(with(with(invite, "z9hG4bKBRANCH", "z9hG4bKanother"), "FROMTAG", "me"),
                       "IDENTIFIER", "id2");
    wanted = with(with(with(wanted, "41 INV", "9999 INV"), "7001", "123456"), ": 37", ": 39");
    EXPECT_EQ(out, wanted);
}

TEST(RoteText, WhatIsNewInAMessageFillsLaterGaps) {
    auto gaps = first_call();
    const auto shape = shape_of(answer, gaps);
    constexpr std::string_view ack = "ACK sip:bob@10.0.0.1;x=1 SIP/2.0\r\n"
                                     "Route: <sip:proxy.example.com;lr>\r\n"
                                     "To: <sip:bob@example.com>;tag=17\r\n"
                                     "Call-ID: IDENTIFIER\r\n"
                                     "CSeq: 42 BYE\r\n\r\n";
    const Form form{ack, gaps};
    auto second = names("z9hG4bKanother", "me", "id2", "99");
    auto came = with(with(with(answer, "z9hG4bKBRANCH", "z9hG4bKanother"), "FROMTAG", "me"),
                     "IDENTIFIER", "id2");
    came =
        with(with(with(came, "41 INV", "99 INV"), "tag=17", "tag=18"), "10.0.0.1;x=1", "10.9.9.9");
    came = with(with(came, "Server: one", "Server: other"), "proxy.ex", "sbc.ex");
    ASSERT_TRUE(fits(shape, came, second));
    std::string out;
    form.print(second, out);
    auto wanted =
        with(with(with(ack, "10.0.0.1;x=1", "10.9.9.9"), "proxy.ex", "sbc.ex"), "=17", "=18");
    EXPECT_EQ(out, with(with(wanted, "IDENTIFIER", "id2"), "42 BYE", "100 BYE"));
}

TEST(RoteText, WhatIsOtherwiseDoesNotFitAndLeavesTheGapsAlone) {
    auto gaps = first_call();
    const auto shape = shape_of(answer, gaps);
    const auto before = first_call();
    auto again = first_call();
    EXPECT_TRUE(fits(shape, answer, again));
    for (const auto& [what, by] :
         std::initializer_list<std::pair<std::string_view, std::string_view>>{
             {"200 OK", "202 OK"},
             {"200 OK", "200 Fine"},
             {"z9hG4bKBRANCH", "z9hG4bKELSE"},
             {"FROMTAG", "OTHER"},
             {"IDENTIFIER", "OTHER"},
             {"41 INVITE", "42 INVITE"},
             {"41 INVITE", "41 BYE"},
             {";rport=9", ";rport=8"},
             {"sip:bob@example.com>;tag", "sip:eve@example.com>;tag"},
             {"Server: one", "Require: 100rel"},
             {"Record-Route: <sip:proxy.example.com;lr>\r\n", ""},
             {"Contact: <sip:bob@10.0.0.1;x=1>\r\n", ""},
             {";tag=17", ""},
             {"Content-Length: 0\r\n\r\n", "Content-Length: 3\r\n\r\nabc"},
         }) {
        auto there = before;
        EXPECT_FALSE(fits(shape, with(answer, what, by), there)) << what << " → " << by;
        EXPECT_EQ(there.size(), before.size());
    }
}

TEST(RoteText, ValuesOfARowAreThoseOfTheCall) {
    const auto of_row = [](std::string_view user, std::string_view callee) {
        Gaps out;
        out.add(Gaps::Kind::Own, user);
        out.add(Gaps::Kind::Own, callee);
        return out;
    };
    auto gaps = of_row("100", "1001");
    constexpr std::string_view request = "OPTIONS sip:1001@example.com SIP/2.0\r\n"
                                         "From: <sip:u100@example.com>;tag=17\r\n"
                                         "To: <sip:1001@example.com:11001;x=100.1>\r\n"
                                         "\r\n";
    std::string out;
    Form{request, gaps}.print(of_row("7", "beth"), out);
    EXPECT_EQ(out, with(with(with(with(request, "1001", "beth"), "u100", "u7"), "1001@", "beth@"),
                        "=100.", "=7."));
    const auto shape = shape_of(request, gaps);
    auto other = of_row("7", "beth");
    EXPECT_TRUE(fits(shape, with(out, "tag=17", "tag=18"), other));
    EXPECT_FALSE(fits(shape, with(out, "u7", "u8"), other));
    EXPECT_FALSE(fits(shape, with(out, "beth", "bet"), other));
    EXPECT_FALSE(fits(shape, request, other));
}

TEST(RoteText, DescriptionsMayDifferInNamesPortsAndKeys) {
    constexpr std::string_view one =
        "v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio 4000 RTP/SAVP 0\r\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\na=sendrecv\r\n";
    EXPECT_TRUE(same_but_for_names(one, with(one, "- 1 1", "- 2 5")));
    EXPECT_TRUE(same_but_for_names(one, with(one, "4000", "4010")));
    EXPECT_TRUE(same_but_for_names(one, with(one, "AAAA", "BBBB")));
    EXPECT_FALSE(same_but_for_names(one, with(one, "4000", "0"))) << "refused";
    EXPECT_FALSE(same_but_for_names(one, with(one, "SAVP", "AVP")));
    EXPECT_FALSE(same_but_for_names(one, with(one, "0\r\na=crypto", "8\r\na=crypto")));
    EXPECT_FALSE(same_but_for_names(one, with(one, "AAAA", "AAAABBBB")));
    EXPECT_FALSE(same_but_for_names(one, with(one, "crypto:1", "crypto:2")));
    EXPECT_FALSE(same_but_for_names(one, with(one, "sendrecv", "sendonly")));
    EXPECT_FALSE(same_but_for_names(one, with(one, "a=sendrecv\r\n", "")));
    EXPECT_FALSE(same_but_for_names("text", "texts"));
}

} // namespace
} // namespace cw::play
