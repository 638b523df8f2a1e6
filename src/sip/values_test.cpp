// The values of single headers.
#include <gtest/gtest.h>

#include "sip/content_type.hpp"
#include "sip/cseq.hpp"
#include "sip/date.hpp"
#include "sip/dialog_id.hpp"
#include "sip/event.hpp"
#include "sip/multipart.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/rack.hpp"
#include "sip/reason.hpp"
#include "sip/session_expires.hpp"
#include "sip/test_material.hpp"
#include "sip/via.hpp"

namespace cw::sip {
namespace {

TEST(Via, PartsAndKnownParametersAreFound) {
    const auto via = parse_via("SIP/2.0/TLS [2001:db8::1]:5061;rport=40000;branch=z9hG4bKx;"
                               "received=192.0.2.1;maddr=h ,  SIP/2.0/UDP b");
    ASSERT_TRUE(via);
    EXPECT_EQ(via->transport, "TLS");
    EXPECT_EQ(via->host, "[2001:db8::1]");
    EXPECT_EQ(via->port, 5061);
    EXPECT_TRUE(via->has_rport);
    EXPECT_EQ(via->rport, 40000);
    EXPECT_EQ(via->branch, "z9hG4bKx");
    EXPECT_EQ(via->received, "192.0.2.1");
    EXPECT_EQ(via->maddr, "h");
    EXPECT_TRUE(via->has_cookie());
    EXPECT_EQ(via->quirk, nullptr);
    ASSERT_TRUE(via->more);
    const auto next = parse_via(via->rest);
    ASSERT_TRUE(next);
    EXPECT_EQ(next->host, "b");
    EXPECT_FALSE(next->more);
    EXPECT_FALSE(next->has_rport);
}

TEST(Via, WhiteSpaceMayStandBetweenItsParts) {
    const auto via = parse_via(" SIP / 2.0\r\n / UDP  first.example.com : 4000 ; ttl = 16\r\n ; "
                               "branch = z9hG4bKa7c6a8dlze.1 ");
    ASSERT_TRUE(via);
    EXPECT_EQ(via->version, "2.0");
    EXPECT_EQ(via->host, "first.example.com");
    EXPECT_EQ(via->port, 4000);
    EXPECT_EQ(find_param(via->params, "TTL"), "16");
    EXPECT_EQ(via->branch, "z9hG4bKa7c6a8dlze.1");
    EXPECT_FALSE(via->more);
}

TEST(Via, WhatIsNoViaIsRefusedAndWhatIsOddIsNoted) {
    for (const auto* bad :
         {"", "SIP", "SIP/2.0", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0/UDPhost:1",
          "SIP/2.0/UDP [::1", "SIP/2.0/UDP [g::1]", "SIP/2.0/UDP h:65536", "SIP/2.0/UDP h:x",
          "SIP/2.0/UDP h h2", "/2.0/UDP h"}) {
        EXPECT_FALSE(parse_via(bad)) << bad;
    }
    for (const auto* odd : {"SIP/2.0/UDP h:;branch=x", "SIP/2.0/UDP h;;branch=x",
                            "SIP/2.0/UDP h;branch=x;", "SIP/2.0/UDP h;branch=x y"}) {
        const auto via = parse_via(odd);
        ASSERT_TRUE(via) << odd;
        EXPECT_NE(via->quirk, nullptr) << odd;
        EXPECT_EQ(via->branch.substr(0, 1), "x") << odd;
    }
}

TEST(NameAddr, EveryFormIsRead) {
    struct Case {
        const char* text;
        const char* display;
        const char* uri;
        const char* tag;
    };
    for (const auto& c : {
             Case{"sip:a@b", "", "sip:a@b", ""},
             Case{"sip:a@b;tag=1", "", "sip:a@b", "1"},
             Case{"<sip:a@b;lr>;tag=1", "", "sip:a@b;lr", "1"},
             Case{"Bob <sip:a@b>;TAG=1;x", "Bob", "sip:a@b", "1"},
             Case{"Bob\t B.  Jr<sip:a@b>", "Bob\t B.  Jr", "sip:a@b", ""},
             Case{R"("Bob \"<;,>" <sip:a@b> ; tag = 1)", R"(Bob \"<;,>)", "sip:a@b", "1"},
             Case{"\"\"<tel:+1-2;phone-context=x>;tag=1", "", "tel:+1-2;phone-context=x", "1"},
             Case{"<urn:service:sos>", "", "urn:service:sos", ""},
             Case{"sip:a@b \r\n ;tag=1", "", "sip:a@b", "1"},
         }) {
        const test::ExactBytes bytes{c.text};
        const auto a = parse_name_addr(bytes.text());
        ASSERT_TRUE(a) << c.text;
        EXPECT_EQ(a->display, c.display) << c.text;
        EXPECT_EQ(a->uri_text, c.uri) << c.text;
        EXPECT_EQ(a->tag, c.tag) << c.text;
        EXPECT_EQ(a->quirk, AddrQuirk::None) << c.text;
        EXPECT_NE(a->uri.scheme, Scheme::None) << c.text;
        EXPECT_FALSE(a->more) << c.text;
    }
}

TEST(NameAddr, WhatSendersGetWrongIsReadAndNoted) {
    struct Case {
        const char* text;
        AddrQuirk quirk;
        const char* display;
    };
    for (const auto& c : {
             Case{"\"Bob <sip:a@b>;tag=1", AddrQuirk::OpenQuote, "Bob"},
             Case{"Bell, Alexander <sip:a@b>;tag=1", AddrQuirk::LooseDisplay, "Bell, Alexander"},
             Case{"Jos\xc3\xa9 <sip:a@b>;tag=1", AddrQuirk::LooseDisplay, "Jos\xc3\xa9"},
             Case{"Bob < sip:a@b >;tag=1", AddrQuirk::Spaces, "Bob"},
             Case{"sip:a@b?x=y;tag=1", AddrQuirk::Unbracketed, ""},
             Case{"<a@b>;tag=1", AddrQuirk::BadUri, ""},
             Case{"a@b;tag=1", AddrQuirk::BadUri, ""},
             Case{"<sip:a@b>;;tag=1", AddrQuirk::BadParam, ""},
         }) {
        const auto a = parse_name_addr(c.text);
        ASSERT_TRUE(a) << c.text;
        EXPECT_EQ(a->quirk, c.quirk) << c.text;
        EXPECT_EQ(a->display, c.display) << c.text;
        EXPECT_EQ(a->tag, "1") << c.text;
        EXPECT_EQ(a->uri.scheme == Scheme::None, c.quirk == AddrQuirk::BadUri) << c.text;
    }
    for (const auto* bad : {"", " ", "<sip:a@b", "\"Bob\"", "<>", ";tag=1", "<sip:a@b> x",
                            "<sip:a@b><sip:c@d>", ","}) {
        EXPECT_FALSE(parse_name_addr(bad)) << bad;
    }
}

TEST(NameAddr, AListIsWalkedByItsRest) {
    auto a = parse_name_addr("<sip:a@b>;q=0.5, \"C, D\" <sip:c@d>,sip:e@f");
    ASSERT_TRUE(a && a->more);
    EXPECT_EQ(find_param(a->params, "q"), "0.5");
    a = parse_name_addr(a->rest);
    ASSERT_TRUE(a && a->more);
    EXPECT_EQ(a->display, "C, D");
    a = parse_name_addr(a->rest);
    ASSERT_TRUE(a);
    EXPECT_EQ(a->uri_text, "sip:e@f");
    EXPECT_FALSE(a->more);
    EXPECT_TRUE(parse_name_addr(" * ")->star);
}

TEST(Params, QuotedValuesAndEscapesAreKeptApart) {
    ParamCursor params{" ;a ; b = 1;c=\"x;y\\\"z\" ;d=[::1]"};
    Param p;
    ASSERT_TRUE(params.next(p));
    EXPECT_EQ(p.name, "a");
    EXPECT_FALSE(p.has_value);
    ASSERT_TRUE(params.next(p));
    EXPECT_EQ(p.value, "1");
    ASSERT_TRUE(params.next(p));
    EXPECT_TRUE(p.is_quoted);
    std::string buffer;
    EXPECT_EQ(unquote(p.value, buffer), "x;y\"z");
    ASSERT_TRUE(params.next(p));
    EXPECT_EQ(p.value, "[::1]");
    EXPECT_FALSE(params.next(p));
    EXPECT_EQ(params.quirk(), nullptr);
    EXPECT_FALSE(find_param(";a;b=1", "c"));
    EXPECT_EQ(find_param(";a;B=1", "b"), "1");
    EXPECT_EQ(find_param(";a;B=1", "a"), "");
}

TEST(Params, AnOpenQuoteEndsAtTheNextSeparator) {
    ParamCursor params{";a=\"never;b=2"};
    Param p;
    ASSERT_TRUE(params.next(p));
    EXPECT_EQ(p.value, "\"never");
    ASSERT_TRUE(params.next(p));
    EXPECT_EQ(p.name, "b");
    EXPECT_NE(params.quirk(), nullptr);
}

TEST(CSeq, IsANumberAndAMethod) {
    const auto cseq = parse_cseq("0009 \r\n\tINVITE");
    ASSERT_TRUE(cseq);
    EXPECT_EQ(cseq->number, 9U);
    EXPECT_EQ(cseq->method, Method::Invite);
    EXPECT_EQ(parse_cseq("1 FOO")->method, Method::Other);
    EXPECT_EQ(parse_cseq("4294967295 ACK")->number, 4294967295U);
    for (const auto* bad : {"", "1", "INVITE", "4294967296 ACK", "1 A B", "-1 ACK", "1 (A"}) {
        EXPECT_FALSE(parse_cseq(bad)) << bad;
    }
}

TEST(Date, OnlyRfc1123InGmtIsRead) {
    EXPECT_EQ(to_rfc3339(parse_date("Sat, 13 Nov 2010 23:29:00 GMT").value()),
              "2010-11-13T23:29:00.000000Z");
    for (const auto* bad : {"", "Fri, 01 Jan 2010 16:00:00 EST", "Sun, 13 Nov 2010 23:29:00 GMT",
                            "Sat, 31 Feb 2010 23:29:00 GMT", "Sat, 13 Nov 2010 24:29:00 GMT",
                            "Sat 13 Nov 2010 23:29:00 GMT", "Sat, 13 Nov 10 23:29:00 GMT",
                            "Sat, 13 Nov 2010 23:29:00 GMT+1", "Sat, 13 Nov 99999 23:29:00 GMT"}) {
        EXPECT_FALSE(parse_date(bad)) << bad;
    }
}

TEST(ContentType, TypeSubtypeAndParameters) {
    const auto type = parse_content_type("Multipart / Signed ; boundary=\"a b\"; x=y");
    ASSERT_TRUE(type);
    EXPECT_TRUE(type->is("multipart", "signed"));
    EXPECT_EQ(find_param(type->params, "boundary"), "a b");
    EXPECT_EQ(parse_content_type("application/sdp")->essence, "application/sdp");
    for (const auto* bad : {"", "application", "/sdp", "application/", "a/b c"}) {
        EXPECT_FALSE(parse_content_type(bad)) << bad;
    }
    EXPECT_FALSE(parse_content_disposition("session;handling=Optional")->required);
    EXPECT_TRUE(parse_content_disposition("session")->required);
    EXPECT_FALSE(parse_content_disposition(";x"));
}

TEST(Reason, CauseAndTextOfEachValue) {
    const auto reason = parse_reason("Q.850 ;cause=16 ;text=\"Terminated, by us\", SIP;cause=200");
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->protocol, "Q.850");
    EXPECT_EQ(reason->cause, 16);
    EXPECT_EQ(reason->text, "Terminated, by us");
    EXPECT_EQ(parse_reason(reason->rest)->cause, 200);
    EXPECT_FALSE(parse_reason(";cause=1"));
    const auto warning =
        parse_warning("307 isi.edu:5060 \"Session parameter \\\"foo\\\"\", 301 b \"x\"");
    ASSERT_TRUE(warning);
    EXPECT_EQ(warning->code, 307);
    EXPECT_EQ(warning->agent, "isi.edu:5060");
    EXPECT_EQ(parse_warning(warning->rest)->text, "x");
    for (const auto* bad : {"", "3 a \"x\"", "307 a", "307 a \"x", "307 \"x\""}) {
        EXPECT_FALSE(parse_warning(bad)) << bad;
    }
}

TEST(DialogId, TagsAreNamedAsTheReceiverSeesThem) {
    const auto replaces = parse_dialog_id("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only");
    ASSERT_TRUE(replaces);
    EXPECT_EQ(replaces->call_id, "12adf2f34456gs5");
    EXPECT_EQ(replaces->local_tag, "12345");
    EXPECT_EQ(replaces->remote_tag, "54321");
    EXPECT_TRUE(replaces->early_only);
    const auto target = parse_dialog_id("fa77@h\r\n ;local-tag=kkaz-\r\n ;remote-tag=6544");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->call_id, "fa77@h");
    EXPECT_EQ(target->local_tag, "kkaz-");
    EXPECT_EQ(target->remote_tag, "6544");
    for (const auto* bad : {"", ";to-tag=1;from-tag=2", "a;to-tag=1", "a b;to-tag=1;from-tag=2"}) {
        EXPECT_FALSE(parse_dialog_id(bad)) << bad;
    }
    const auto session = parse_session_id("ab30317f1a784dc48ff824d0d3715d86;remote=0");
    ASSERT_TRUE(session);
    EXPECT_EQ(session->remote, "0");
    EXPECT_FALSE(parse_session_id("ab30317f"));
}

TEST(SessionExpires, SecondsWithParametersAndComments) {
    const auto timer = parse_session_expires("4000;refresher=UAC");
    ASSERT_TRUE(timer);
    EXPECT_EQ(timer->seconds, 4000U);
    EXPECT_EQ(timer->refresher, Refresher::Uac);
    const auto retry = parse_seconds("120 (I'm (really) in a \\) meeting) ;duration=60");
    ASSERT_TRUE(retry);
    EXPECT_EQ(find_param(retry->params, "duration"), "60");
    for (const auto* bad : {"", "x", "4294967296", "1 2", "-1"}) {
        EXPECT_FALSE(parse_seconds(bad)) << bad;
    }
}

TEST(Event, PackageIdAndState) {
    const auto event = parse_event("dialog.winfo;id=7");
    ASSERT_TRUE(event);
    EXPECT_EQ(event->package, "dialog.winfo");
    EXPECT_EQ(event->id, "7");
    const auto state = parse_subscription_state("Terminated;reason=timeout;retry-after=5");
    ASSERT_TRUE(state);
    EXPECT_EQ(state->state, SubscriptionState::State::Terminated);
    EXPECT_EQ(state->reason, "timeout");
    EXPECT_EQ(state->retry_after, 5U);
    EXPECT_FALSE(state->expires);
    EXPECT_FALSE(parse_event(";id=7"));
    EXPECT_FALSE(parse_subscription_state("active gone"));
    const auto rack = parse_rack("776656 1 INVITE");
    ASSERT_TRUE(rack);
    EXPECT_EQ(rack->rseq, 776656U);
    EXPECT_EQ(rack->cseq.method, Method::Invite);
    EXPECT_FALSE(parse_rack("1 INVITE"));
}

TEST(Multipart, PartsWithinPartsComeInOrder) {
    constexpr std::string_view body = "preamble\r\n"
                                      "--out\r\n"
                                      "Content-Type: application/sdp\r\n"
                                      "\r\n"
                                      "v=0\r\n"
                                      "\r\n--out \r\n"
                                      "c: multipart/alternative;\r\n boundary=\"in\"\r\n"
                                      "\r\n"
                                      "--in\r\n\r\nplain\r\n--inside is no delimiter\r\n"
                                      "--in\r\nContent-Type: text/html\r\n\r\n<b>\r\n--in--\r\n"
                                      "\r\n--out--\r\nepilogue";
    LeafCursor leaves{body, "multipart/mixed;boundary=out"};
    auto leaf = leaves.next();
    ASSERT_TRUE(leaf);
    EXPECT_TRUE(leaf->type.is("application", "sdp"));
    EXPECT_EQ(leaf->part.content, "v=0\r\n");
    leaf = leaves.next();
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->type.essence, "text/plain");
    EXPECT_EQ(leaf->part.content, "plain\r\n--inside is no delimiter");
    leaf = leaves.next();
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->part.content, "<b>");
    EXPECT_FALSE(leaves.next());
}

TEST(Multipart, DamageNeverRunsAway) {
    // No closing delimiter, LF alone, a part without an empty line.
    LeafCursor open{"--b\nContent-Type: text/html\n\nx\n--b\nheader only",
                    "multipart/mixed;boundary=b"};
    EXPECT_EQ(open.next()->part.content, "x");
    const auto last = open.next();
    ASSERT_TRUE(last);
    EXPECT_EQ(last->part.content, "");
    EXPECT_EQ(last->part.headers, "header only");
    EXPECT_FALSE(open.next());
    // A body of another type is its own one part.
    LeafCursor whole{"v=0", "application/sdp"};
    EXPECT_EQ(whole.next()->part.content, "v=0");
    EXPECT_FALSE(whole.next());
    LeafCursor none{"x", "multipart/mixed"};
    EXPECT_EQ(none.next()->part.content, "x");
    EXPECT_FALSE(none.next());
    // Deeper than the bound: the rest is one leaf.
    std::string deep = "bottom";
    for (int i = 0; i < 50; ++i) {
        const auto b = "b" + std::to_string(i);
        const auto inner =
            i == 0 ? "text/plain" : "multipart/mixed;boundary=b" + std::to_string(i - 1);
        deep = "--" + b + "\r\nContent-Type: " + inner + "\r\n\r\n" + deep + "\r\n--" + b + "--";
    }
    LeafCursor nested{deep, "multipart/mixed;boundary=b49"};
    const auto leaf = nested.next();
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->type.type, "multipart");
    EXPECT_EQ(leaf->part.content.substr(0, 6), "--b41\r");
    EXPECT_FALSE(nested.next());
    std::string wide;
    for (int i = 0; i < 5000; ++i) {
        wide += "--b\r\n\r\nx\r\n";
    }
    LeafCursor many{wide, "multipart/mixed;boundary=b"};
    int leaves = 0;
    while (many.next()) {
        ++leaves;
    }
    EXPECT_EQ(leaves, LeafCursor::max_parts);
}

} // namespace
} // namespace cw::sip
