#include "flow/book.hpp"

#include <memory>
#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/call_record.hpp"
#include "flow/prepared.hpp"

namespace cw::flow {
namespace {

constexpr std::string_view phone = "10.0.0.1:5060";
constexpr std::string_view pbx = "10.0.0.9:5060";
constexpr std::string_view carrier = "10.0.0.5:5060";

struct Said {
    std::string start{}; // "INVITE sip:bob@example.com SIP/2.0" or "SIP/2.0 200 OK"
    std::string cseq = "1 INVITE";
    std::string call_id = "a@example.com";
    std::string more{}; // further headers, each with its line end
    std::string body{};
    std::string from_user = "alice";
    std::string to_user = "bob";
    bool answered = false;           // a tag in To
    std::string from_name = "Alice"; // as it stands between the quotes
};

std::string text_of(const Said& s) {
    return fmt::format("{}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{}{}\r\n"
                       "From: \"{}\" <sip:{}@example.com>;tag=1\r\n"
                       "To: <sip:{}@example.com>{}\r\nCall-ID: {}\r\nCSeq: {}\r\n{}"
                       "Content-Length: {}\r\n\r\n{}",
                       s.start, phone, s.call_id, s.cseq.substr(0, 1), s.from_name, s.from_user,
                       s.to_user, s.answered ? ";tag=2" : "", s.call_id, s.cseq, s.more,
                       s.body.size(), s.body);
}

class BookTest : public testing::Test {
  protected:
    void see(std::int64_t ms, std::string_view from, std::string_view to, const Said& said,
             std::uint16_t ip_id = 0) {
        const auto text = text_of(said);
        const auto message = sip::index(text, index_);
        ASSERT_TRUE(message);
        last_ = timeless_ ? Instant{} : at(ms);
        book_.on_message({.at = {.time = last_,
                                 .frame = ++frame_,
                                 .input = 0,
                                 .ip_id = ip_id,
                                 .source = *parse_endpoint(from, 5060),
                                 .destination = *parse_endpoint(to, 5060)},
                          .transport = Transport::Udp,
                          .connection = connection_,
                          .truncated = false,
                          .message = *message});
    }
    // A whole call between phone and PBX that begins at `ms`: INVITE, 180, 200, ACK, BYE, 200.
    void see_call(std::int64_t ms, const std::string& id) {
        see(ms, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = id});
        see(ms + 80, pbx, phone, {.start = "SIP/2.0 180 Ringing", .call_id = id, .answered = true});
        see(ms + 900, pbx, phone, {.start = "SIP/2.0 200 OK", .call_id = id, .answered = true});
        see(ms + 910, phone, pbx,
            {.start = "ACK sip:bob@10.0.0.9 SIP/2.0",
             .cseq = "1 ACK",
             .call_id = id,
             .answered = true});
        see(ms + 5900, phone, pbx,
            {.start = "BYE sip:bob@10.0.0.9 SIP/2.0",
             .cseq = "2 BYE",
             .call_id = id,
             .answered = true});
        see(ms + 5905, pbx, phone,
            {.start = "SIP/2.0 200 OK", .cseq = "2 BYE", .call_id = id, .answered = true});
    }
    std::vector<Call> finish() {
        book_.finish(last_);
        std::vector<Call> calls;
        book_.for_each_call([&](const Call& call) {
            calls.push_back(call);
            return true;
        });
        return calls;
    }
    static Instant at(std::int64_t ms) {
        return Instant{seconds(1'700'000'000).ns + milliseconds(ms).ns};
    }

    Book book_;
    sip::HeaderIndex index_;
    std::uint32_t frame_ = 0;
    std::uint32_t connection_ = 0;
    Instant last_;
    bool timeless_ = false;
};

TEST_F(BookTest, MakesACallOfItsMessages) {
    see_call(0, "one");
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    const auto& call = calls[0];
    EXPECT_EQ(call.kind, Kind::Call);
    EXPECT_EQ(call.state, State::Completed);
    EXPECT_DOUBLE_EQ(call.duration_s, 5.0);
    EXPECT_EQ(call.messages.size(), 6U);
    EXPECT_EQ(call.text(call.from), "sip:alice@example.com");
    EXPECT_EQ(call.text(call.from_name), "Alice");
    EXPECT_EQ(call.text(call.legs[0].call_id), "one");
    EXPECT_EQ(call.text(call.messages[1].reason), "Ringing");
    EXPECT_EQ(call.messages[0].sent_by, *parse_endpoint(phone, 0));
}

// What is announced ahead of its turn is entered once, and also when another came than was
// expected.
TEST_F(BookTest, AMessageThatWasExpectedIsEnteredLikeAnyOther) {
    std::vector<std::string> texts;
    for (const std::string id : {"one", "two", "three"}) {
        texts.push_back(text_of({.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = id}));
        texts.push_back(text_of({.start = "SIP/2.0 486 Busy Here", .call_id = id}));
    }
    texts.insert(texts.begin() + 2, "no message at all");
    std::vector<SipEvent> events;
    for (const auto& text : texts) {
        SipEvent event;
        event.at.time = at(static_cast<std::int64_t>(events.size()) * 10);
        event.at.source = *parse_endpoint(phone, 5060);
        event.at.destination = *parse_endpoint(pbx, 5060);
        event.bytes = text;
        events.push_back(event);
    }
    last_ = events.back().at.time;
    for (std::size_t i = 0; i < events.size(); ++i) {
        if (i + 1 < events.size() && i != 4) {            // the one behind 4 comes unexpected
            book_.expect(events[i == 1 ? i + 2 : i + 1]); // of 1, another than the next
        }
        book_.on_sip(events[i]);
    }
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 3U);
    for (const auto& call : calls) {
        EXPECT_EQ(call.messages.size(), 2U);
        EXPECT_EQ(call.final_status, 486);
    }
    EXPECT_EQ(book_.unused(0).sip, 1U);
}

TEST_F(BookTest, TellsRetransmissionsFromCopiesOfAPacket) {
    const Said invite{.start = "INVITE sip:bob@example.com SIP/2.0"};
    see(0, phone, pbx, invite, 100);
    see(0, phone, pbx, invite, 100);   // the same packet at another interface
    see(500, phone, pbx, invite, 101); // T1
    see(1500, phone, pbx, invite, 102);
    see(1501, "203.0.113.1:1024", pbx, invite, 102); // the same bytes behind a NAT
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    const auto& m = calls[0].messages;
    ASSERT_EQ(m.size(), 5U);
    EXPECT_EQ(m[0].retransmission_of, none);
    EXPECT_EQ(m[1].duplicate_of, 0U);
    EXPECT_EQ(m[2].retransmission_of, 0U);
    EXPECT_EQ(m[3].retransmission_of, 0U);
    EXPECT_EQ(m[4].duplicate_of, 0U);
}

TEST_F(BookTest, NamesHowACallEnded) {
    struct Case {
        const char* answer;
        State state;
    };
    std::int64_t ms = 0;
    const std::vector<Case> cases{{"486 Busy Here", State::Busy},
                                  {"600 Busy Everywhere", State::Busy},
                                  {"404 Not Found", State::Rejected},
                                  {"603 Decline", State::Rejected},
                                  {"302 Moved Temporarily", State::Redirected},
                                  {"408 Request Timeout", State::Timeout},
                                  {"503 Service Unavailable", State::Failed},
                                  {"487 Request Terminated", State::Cancelled},
                                  {"180 Ringing", State::Ringing},
                                  {"100 Trying", State::Trying}};
    for (const auto& c : cases) {
        const auto id = fmt::format("case-{}", ms);
        see(ms, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = id});
        see(ms + 100, pbx, phone, {.start = fmt::format("SIP/2.0 {}", c.answer), .call_id = id});
        ms += 1000;
    }
    const auto calls = finish();
    ASSERT_EQ(calls.size(), cases.size());
    for (std::size_t i = 0; i < cases.size(); ++i) {
        EXPECT_EQ(calls[i].state, cases[i].state) << cases[i].answer;
    }
}

TEST_F(BookTest, KnowsHowACallEndedWherePacketsHaveNoTimes) {
    timeless_ = true; // simple packet blocks of pcapng
    see_call(0, "a");
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0].state, State::Completed);
    EXPECT_EQ(calls[0].final_status, 200);
}

TEST_F(BookTest, TakesAChallengeForNoRejectionWhenItWasAnswered) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0"});
    see(10, pbx, phone, {.start = "SIP/2.0 407 Proxy Authentication Required"});
    see(20, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .cseq = "2 INVITE"});
    see(30, pbx, phone, {.start = "SIP/2.0 180 Ringing", .cseq = "2 INVITE"});
    EXPECT_EQ(finish()[0].state, State::Ringing);
}

TEST_F(BookTest, CallsAnInviteWithoutAnyAnswerTimedOutAfter32Seconds) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0"});
    see(33'000, phone, pbx,
        {.start = "OPTIONS sip:x SIP/2.0", .cseq = "1 OPTIONS", .call_id = "o"});
    const auto calls = finish();
    EXPECT_EQ(calls[0].state, State::Timeout);
    EXPECT_EQ(calls[1].kind, Kind::Options);
    EXPECT_EQ(calls[1].state, State::Trying);
}

TEST_F(BookTest, JoinsTheLegsOfAB2buaAndSaysWhy) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = "in"});
    see(20, pbx, carrier, {.start = "INVITE sip:bob@10.0.0.5 SIP/2.0", .call_id = "out"});
    see(60, carrier, pbx, {.start = "SIP/2.0 180 Ringing", .call_id = "out"});
    see(61, pbx, phone, {.start = "SIP/2.0 180 Ringing", .call_id = "in"});
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    ASSERT_EQ(calls[0].legs.size(), 2U);
    ASSERT_EQ(calls[0].joins.size(), 1U);
    EXPECT_EQ(calls[0].joins[0].leg_a, 0);
    EXPECT_EQ(calls[0].joins[0].leg_b, 1);
    EXPECT_NE(calls[0].text(calls[0].joins[0].evidence).find("same caller and callee"),
              std::string_view::npos);
    EXPECT_EQ(calls[0].messages[1].leg, 1);
    EXPECT_EQ(calls[0].messages[3].leg, 0);
}

TEST_F(BookTest, JoinsALegThatNamesTheCallIdOfAnother) {
    see_call(0, "first");
    // Two hours later, long after the first was put away.
    see(7'200'000, carrier, pbx,
        {.start = "INVITE sip:carol@example.com SIP/2.0",
         .call_id = "second",
         .more = "Replaces: first;to-tag=2;from-tag=1\r\n",
         .from_user = "dave",
         .to_user = "carol"});
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0].joins[0].score, 100);
    EXPECT_EQ(calls[0].text(calls[0].joins[0].evidence), "Replaces names its Call-ID");
}

TEST_F(BookTest, JoinsBySessionIdInEitherOrder) {
    const std::string id = "Session-ID: ab30317f1a784dc48ff824d0d3715d86;remote="
                           "47755a9de7794ba387653f2099600ef2\r\n";
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = "x", .more = id});
    see(10, carrier, "10.0.0.6:5060",
        {.start = "INVITE sip:eve@example.com SIP/2.0",
         .call_id = "y",
         .more = "Session-ID: 47755a9de7794ba387653f2099600ef2;remote="
                 "00000000000000000000000000000000\r\n",
         .from_user = "frank",
         .to_user = "eve"});
    EXPECT_EQ(finish().size(), 1U);
}

TEST_F(BookTest, KeepsCallsOfALoadGeneratorApart) {
    for (int i = 0; i < 200; ++i) {
        see(i * 3, phone, pbx,
            {.start = "INVITE sip:service@example.com SIP/2.0",
             .call_id = fmt::format("{}@sipp", i),
             .more = "Content-Type: application/sdp\r\n",
             .body = "v=0\r\no=user1 53655765 2353687637 IN IP4 10.0.0.1\r\ns=-\r\n"
                     "c=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n",
             .from_user = "sipp",
             .to_user = "service"});
    }
    EXPECT_EQ(finish().size(), 200U);
}

TEST_F(BookTest, FindsALegAgainAfterItWasPutAway) {
    // A registration that is refreshed every minute: each time the leg was closed meanwhile.
    for (int i = 0; i < 50; ++i) {
        const auto cseq = fmt::format("{} REGISTER", i + 1);
        see(i * 60'000, phone, pbx,
            {.start = "REGISTER sip:example.com SIP/2.0", .cseq = cseq, .call_id = "reg"});
        see(i * 60'000 + 5, pbx, phone,
            {.start = "SIP/2.0 200 OK", .cseq = cseq, .call_id = "reg", .answered = true});
    }
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0].kind, Kind::Registration);
    EXPECT_EQ(calls[0].state, State::Completed);
    ASSERT_EQ(calls[0].messages.size(), 100U);
    EXPECT_EQ(calls[0].legs.size(), 1U);
    for (std::size_t i = 0; i < 100; ++i) {
        EXPECT_EQ(calls[0].messages[i].cseq, i / 2 + 1);
        EXPECT_EQ(calls[0].text(calls[0].messages[i].method_text), "REGISTER");
    }
}

TEST_F(BookTest, ShowsManyCallsInTheOrderOfTheirStart) {
    for (int i = 0; i < 3000; ++i) {
        see_call(i * 7000, fmt::format("call-{}", i));
    }
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 3000U);
    for (std::size_t i = 0; i < calls.size(); ++i) {
        ASSERT_EQ(calls[i].id, i + 1);
        ASSERT_EQ(calls[i].text(calls[i].legs[0].call_id), fmt::format("call-{}", i));
        ASSERT_EQ(calls[i].messages.size(), 6U);
    }
}

TEST_F(BookTest, KeepsAMalformedMessageAndSaysWhatIsWrong) {
    const std::string text = "INVITE sip:bob@example.com SIP/2.0\r\nFrom: <sip:a@b>;tag=1\r\n\r\n";
    const auto message = sip::index(text, index_);
    ASSERT_TRUE(message);
    book_.on_message({.at = {.time = at(0),
                             .frame = 1,
                             .source = *parse_endpoint(phone, 0),
                             .destination = *parse_endpoint(pbx, 0)},
                      .transport = Transport::Udp,
                      .message = *message});
    const auto calls = finish();
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_TRUE(calls[0].messages[0].malformed);
    EXPECT_EQ(calls[0].text(calls[0].messages[0].problem), "no Call-ID");
    EXPECT_EQ(book_.counts().malformed, 1U);
}

TEST_F(BookTest, ShowsDisplayNamesWithoutTheirBackslashes) {
    see(0, phone, pbx,
        {.start = "INVITE sip:bob@example.com SIP/2.0", .from_name = R"(Al \"the \\ ice\")"});
    const auto calls = finish();
    EXPECT_EQ(calls[0].text(calls[0].legs[0].from_name), R"(Al "the \ ice")");
}

// It takes five packets to tell that a flow is RTP: those before are RTP as well.
TEST_F(BookTest, CountsThePacketsThatShowedAStreamAsPartOfIt) {
    std::vector<std::uint8_t> packet(12 + 160);
    packet[0] = 0x80;
    packet[11] = 7;
    for (std::uint8_t i = 0; i < 50; ++i) {
        packet[3] = i; // sequence number
        packet[6] = static_cast<std::uint8_t>(i * 160 >> 8);
        packet[7] = static_cast<std::uint8_t>(i * 160);
        book_.on_media({.at = {.time = at(100 + i * 20),
                               .source = *parse_endpoint("10.0.0.9:6000", 0),
                               .destination = *parse_endpoint("10.0.0.1:4000", 0)},
                        .payload = packet});
    }
    (void)finish();
    EXPECT_EQ(book_.counts().stray_streams, 1U);
    EXPECT_EQ(book_.unused(0).media, 0U);
}

TEST_F(BookTest, CountsAnnouncedRtpAndNamesItsCodec) {
    see(0, phone, pbx,
        {.start = "INVITE sip:bob@example.com SIP/2.0",
         .more = "Content-Type: application/sdp\r\n",
         .body = "v=0\r\no=a 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
                 "m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\n"
                 "a=rtpmap:101 telephone-event/8000\r\n"});
    std::vector<std::uint8_t> packet(12 + 20);
    packet[0] = 0x80;
    packet[1] = 96;
    packet[11] = 7;
    for (std::uint8_t i = 0; i < 50; ++i) {
        packet[3] = i; // sequence number
        packet[6] = static_cast<std::uint8_t>(i * 960 >> 8);
        packet[7] = static_cast<std::uint8_t>(i * 960);
        if (i == 20 || i == 21) {
            continue; // lost
        }
        book_.on_media({.at = {.time = at(100 + i * 20),
                               .source = *parse_endpoint("10.0.0.9:6000", 0),
                               .destination = *parse_endpoint("10.0.0.1:4000", 0)},
                        .payload = packet});
    }
    const auto calls = finish();
    ASSERT_EQ(calls[0].streams.size(), 1U);
    const auto& stream = calls[0].streams[0];
    EXPECT_EQ(calls[0].text(stream.codec), "opus/48000");
    EXPECT_EQ(stream.packets, 48U);
    EXPECT_EQ(stream.lost, 2);
    EXPECT_EQ(stream.missing, 2U);
    EXPECT_TRUE(stream.announced);
    EXPECT_EQ(book_.counts().stray_streams, 0U);
    EXPECT_EQ(book_.unused(0).media, 0U);
}

// A blank in front is enough to have it read the long way.
TEST(Identity, OfAnAddressThatIsReadTheShortWayIsThatOfTheLongWay) {
    for (const std::string text : {"<sip:ann@example.org>",
                                   "<sips:ann@example.org>;tag=1",
                                   "\"Ann B.\" <sip:ann@192.0.2.1>",
                                   "\"Ann\"<sip:ann@example.org>;tag=a-b_c.1",
                                   "\"A\\\"n\" <sip:ann@example.org>",
                                   "\"\" <sip:ann@example.org>",
                                   "\"Ann <sip:ann@example.org>",
                                   "\"Ann\" sip:ann@example.org",
                                   "<sip:example.org>",
                                   "<sip:@example.org>",
                                   "<sip:ann@>",
                                   "<sip:ann:pw@example.org>",
                                   "<sip:ann@example.org:5060>",
                                   "<sip:ann@example.org;lr>",
                                   "<sip:a%20b@example.org>",
                                   "<sip:ann@[2001:db8::1]>",
                                   "<sip:ann@example.org",
                                   "<SIP:ann@example.org>",
                                   "<tel:+1>",
                                   "<sip:ann@example.org>;tag=",
                                   "<sip:ann@example.org>;tag=1;x",
                                   "<sip:ann@example.org> x",
                                   "<sip:ann@example.org>;tag=1 x",
                                   "<sip:ann@example.org>, <sip:b@example.org>",
                                   "<",
                                   "\"",
                                   ""}) {
        const auto a = identity_of(text);
        const auto longer = " " + text;
        const auto b = identity_of(longer);
        EXPECT_EQ(a.scheme, b.scheme) << text;
        EXPECT_EQ(a.user, b.user) << text;
        EXPECT_EQ(a.host, b.host) << text;
        EXPECT_EQ(a.display_name, b.display_name) << text;
    }
}

TEST(Book, AConnectionComesBackWithItsHandshakeAndVerdict) {
    Book book;
    Connection c;
    c.id = 1;
    c.version = "TLSv1.3";
    c.handshake = {{.time = {5}, .from_client = true, .name = "ClientHello", .detail = "for a.b"}};
    c.lost = {{.time = {6}, .bytes = 1380, .from_client = true}};
    c.verdict = "it speaks for a.b";
    c.verdict_good = true;
    book.on_connection(c);
    book.finish({9});
    Connection back;
    book.for_each_connection([&](const Connection& found) {
        back = found;
        return true;
    });
    ASSERT_EQ(back.handshake.size(), 1U);
    EXPECT_EQ(back.handshake[0].detail, "for a.b");
    EXPECT_TRUE(back.handshake[0].from_client);
    ASSERT_EQ(back.lost.size(), 1U);
    EXPECT_EQ(back.lost[0].bytes, 1380U);
    EXPECT_TRUE(back.lost[0].from_client);
    EXPECT_EQ(back.verdict, c.verdict);
    EXPECT_TRUE(back.verdict_good);
}

// ---- live

class LiveBookTest : public BookTest {
  protected:
    std::vector<Call> take(std::int64_t ms) {
        std::vector<Call> calls;
        book_.take_ended(at(ms), [&](const Call& call) { calls.push_back(call); });
        return calls;
    }
};

TEST_F(LiveBookTest, ACallIsHandedOutOnceWhenItHasEndedAndNothingOfItStays) {
    see_call(0, "a@example.com"); // until 5905 ms
    EXPECT_TRUE(take(7000).empty()) << "its last answer may still be repeated";
    const auto calls = take(12'000);
    ASSERT_EQ(1U, calls.size());
    EXPECT_EQ(1U, calls[0].id);
    EXPECT_EQ(6U, calls[0].messages.size());
    EXPECT_EQ("a@example.com", calls[0].text(calls[0].legs[0].call_id));
    EXPECT_EQ(0U, book_.legs());
    EXPECT_EQ(0U, book_.stored());
    EXPECT_TRUE(take(60'000).empty());
    EXPECT_TRUE(finish().empty());
    EXPECT_EQ(1U, book_.counts().calls);
}

TEST_F(LiveBookTest, ACallThatIsUpIsWaitedForHoweverQuietItIs) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0"});
    EXPECT_TRUE(take(100'000).empty()) << "it rings";
    see(101'000, pbx, phone, {.start = "SIP/2.0 200 OK", .answered = true});
    EXPECT_TRUE(take(3'600'000).empty()) << "they talk";
    see(3'700'000, phone, pbx,
        {.start = "BYE sip:bob@10.0.0.9 SIP/2.0", .cseq = "2 BYE", .answered = true});
    see(3'700'010, pbx, phone, {.start = "SIP/2.0 200 OK", .cseq = "2 BYE", .answered = true});
    const auto calls = take(3'710'000);
    ASSERT_EQ(1U, calls.size());
    EXPECT_EQ(4U, calls[0].messages.size());
}

TEST_F(LiveBookTest, WhatNeverEndsIsHandedOutWhenNobodyWouldWaitForIt) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0"});
    EXPECT_TRUE(take(230'000).empty());
    EXPECT_EQ(1U, take(260'000).size());
    see(300'000, pbx, phone, {.start = "SIP/2.0 200 OK", .answered = true});
    const auto late = take(300'000 + 86'450'000);
    ASSERT_EQ(1U, late.size()) << "a late answer is a flow of its own";
    EXPECT_EQ(2U, late[0].id);
}

TEST_F(LiveBookTest, NumbersGoOnAndMemoryDoesNotGrowOverManyCalls) {
    std::uint32_t last = 0;
    std::uint64_t most_stored = 0;
    std::size_t most_legs = 0;
    for (int i = 0; i < 5000; ++i) {
        see_call(i * 1000, fmt::format("{}@example.com", i));
        book_.take_ended(at(i * 1000 + 5905), [&](const Call& call) {
            EXPECT_EQ(last + 1, call.id);
            EXPECT_EQ(fmt::format("{}@example.com", last), call.text(call.legs[0].call_id));
            last = call.id;
        });
        most_stored = std::max(most_stored, book_.stored());
        most_legs = std::max(most_legs, book_.legs());
    }
    EXPECT_LT(4900U, last);
    EXPECT_GT(60U, most_legs);
    EXPECT_GT(200'000U, most_stored);
}

// Calls that go on, as a screen shows them.
class GoingOnTest : public LiveBookTest {
  protected:
    GoingOnTest() { book_.note_changes(); }
    // Key and number of messages of each call that changed.
    std::vector<std::pair<std::uint32_t, std::size_t>> changed(std::int64_t ms) {
        std::vector<std::pair<std::uint32_t, std::size_t>> out;
        book_.take_changed(at(ms), [&](const Call& call) {
            out.emplace_back(book_.key(), call.messages.size());
            return true;
        });
        return out;
    }
    using Seen = std::vector<std::pair<std::uint32_t, std::size_t>>;
};

TEST_F(GoingOnTest, ACallIsShownAsItGrowsAndOnlyWhenItGrew) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0"});
    EXPECT_EQ((Seen{{0, 1}}), changed(10));
    EXPECT_EQ(Seen{}, changed(20));
    see(100, pbx, phone, {.start = "SIP/2.0 180 Ringing", .answered = true});
    see(200, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = "other"});
    EXPECT_EQ((Seen{{0, 2}, {1, 1}}), changed(210));
    EXPECT_TRUE(take(300).empty());
    std::size_t looked = 0;
    EXPECT_TRUE(book_.look(0, at(300), [&](const Call& call) {
        looked = call.messages.size();
        EXPECT_EQ(State::Ringing, call.state);
        EXPECT_EQ("sip:alice@example.com", call.text(call.from));
    }));
    EXPECT_EQ(2U, looked);
    EXPECT_FALSE(book_.look(7, at(300), [](const Call&) {}));
}

TEST_F(GoingOnTest, WhatIsLeftOverComesTheNextTime) {
    for (const char* id : {"a", "b", "c"}) {
        see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = id});
    }
    int visits = 0;
    book_.take_changed(at(10), [&](const Call&) { return ++visits < 2; });
    EXPECT_EQ(2, visits);
    EXPECT_EQ((Seen{{1, 1}, {2, 1}}), changed(20)) << "the one at which it stopped, too";
}

TEST_F(GoingOnTest, ACallGoesOnUnderItsKeyAfterItWasQuiet) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0"});
    see(10, pbx, phone, {.start = "SIP/2.0 200 OK", .answered = true});
    EXPECT_EQ((Seen{{0, 2}}), changed(20));
    EXPECT_TRUE(take(100'000).empty());
    see(100'000, phone, pbx,
        {.start = "BYE sip:bob@10.0.0.9 SIP/2.0", .cseq = "2 BYE", .answered = true});
    EXPECT_EQ((Seen{{0, 3}}), changed(100'010)) << "what lies in the spool, and what is new";
    see(100'020, pbx, phone, {.start = "SIP/2.0 200 OK", .cseq = "2 BYE", .answered = true});
    const auto calls = take(110'000);
    ASSERT_EQ(1U, calls.size());
    EXPECT_EQ(4U, calls[0].messages.size());
    EXPECT_EQ(Seen{}, changed(110'000)) << "it has ended";
    EXPECT_FALSE(book_.look(0, at(110'000), [](const Call&) {}));
}

TEST_F(GoingOnTest, TwoCallsThatBecomeOneAreTold) {
    see(0, phone, pbx, {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = "in"});
    see(5, pbx, carrier,
        {.start = "INVITE sip:bob@example.com SIP/2.0", .call_id = "out", .to_user = "bob"});
    changed(10);
    see(20, phone, pbx,
        {.start = "INVITE sip:x@example.com SIP/2.0",
         .call_id = "late",
         .more = "Replaces: out;from-tag=1;to-tag=2\r\n",
         .to_user = "x"});
    bool joined = false;
    for (const auto& one : book_.take_joined()) {
        EXPECT_LT(one.into, one.key);
        joined = true;
    }
    EXPECT_TRUE(joined);
}

// It is lent from one to the next.
TEST_F(BookTest, EachCallHasTheConnectionThatAllShare) {
    Connection shared;
    shared.id = connection_ = 7;
    shared.version = "TLSv1.3";
    shared.server_chain = {{.subject = "CN=a.example.com", .names = {"DNS:a.example.com"}}};
    for (std::uint32_t i = 0; i < 3; ++i) {
        see_call(std::int64_t{i} * 10'000, fmt::format("call-{}", i));
    }
    book_.on_connection(shared);
    auto calls = finish(); // copies
    ASSERT_EQ(calls.size(), 3U);
    Book::Desk desk;
    for (int again = 0; again < 2; ++again) {
        book_.for_calls(0, 3, desk, [&](const Call& call) {
            calls.push_back(call);
            return true;
        });
    }
    for (const auto& call : calls) {
        ASSERT_EQ(call.connections.size(), 1U);
        EXPECT_EQ(call.connections[0].id, 7U);
        EXPECT_EQ(call.connections[0].version, "TLSv1.3");
        ASSERT_EQ(call.connections[0].server_chain.size(), 1U);
        EXPECT_EQ(call.connections[0].server_chain[0].names, shared.server_chain[0].names);
    }
}

// As the reader's JSON is written: calls are read back by several threads at a time.
TEST_F(BookTest, CallsAreReadBackByManyThreadsAtATime) {
    constexpr std::uint32_t calls = 2000; // more than the spool holds in memory
    for (std::uint32_t i = 0; i < calls; ++i) {
        see_call(std::int64_t{i} * 100, fmt::format("call-{}", i));
    }
    const auto in_order = finish();
    ASSERT_EQ(in_order.size(), book_.counts().calls);
    constexpr std::uint32_t threads = 4;
    std::vector<std::vector<std::string>> seen(threads);
    {
        std::vector<std::jthread> readers;
        for (std::uint32_t t = 0; t < threads; ++t) {
            readers.emplace_back([this, t, &seen, last = book_.counts().calls] {
                Book::Desk desk;
                const auto begin = static_cast<std::uint32_t>(last * t / threads);
                const auto end = static_cast<std::uint32_t>(last * (t + 1) / threads);
                book_.for_calls(begin, end, desk, [&](const Call& call) {
                    seen[t].push_back(fmt::format("{} {} {} {}", call.id,
                                                  call.text(call.legs.front().call_id),
                                                  call.messages.size(), call.security.weakest));
                    return true;
                });
            });
        }
    }
    std::size_t number = 0;
    for (const auto& some : seen) {
        for (const auto& one : some) {
            const auto& call = in_order[number++];
            EXPECT_EQ(one, fmt::format("{} {} {} {}", call.id, call.text(call.legs.front().call_id),
                                       call.messages.size(), call.security.weakest));
        }
    }
    EXPECT_EQ(number, in_order.size());
}

// Everything that a message may ask of its book, once it was prepared elsewhere and once not.
TEST(Book, WhatWasPreparedEntersAsIfItWasNot) {
    const std::string sdp =
        "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 0\r\n";
    const std::string of_sdp = "Content-Type: application/sdp\r\n";
    const auto request = [](std::string method, std::string id, std::string more,
                            std::string body = {}) {
        return text_of({.start = method + " sip:bob@example.com SIP/2.0",
                        .cseq = "1 " + method,
                        .call_id = std::move(id),
                        .more = std::move(more),
                        .body = std::move(body)});
    };
    const std::vector<std::string> texts{
        request("INVITE", "a", of_sdp, sdp),
        request("INVITE", "b", of_sdp,
                sdp + "a=fingerprint:sha-256 AB:CD\r\n"
                      "a=candidate:1 1 UDP 1 192.0.2.7 5000 typ host\r\n"),
        request("INVITE", "c", "Session-ID: 0123456789abcdef0123456789abcdef\r\n" + of_sdp, sdp),
        request("INVITE", "d", "Session-ID: 0123456789abcdef0123456789abcdef\r\n"),
        request("INVITE", "e", of_sdp, "a=fingerprint:sha-1 AB:CD is no description\r\n"),
        request("INVITE", "f", "Content-Type: multipart/mixed;boundary=x\r\n",
                "--x\r\n" + of_sdp + "\r\n" + sdp + "\r\n--x--\r\n"),
        request("INVITE", "g", "Content-Type: application/SDP ;x=y\r\n", sdp),
        request("INVITE", "h", "", sdp), // of no type
        request("INVITE", "i", "Replaces: a;to-tag=1;from-tag=2\r\nReason: SIP;cause=200\r\n"),
        request("REFER", "a", "Refer-To: <sip:carol@example.com>\r\n"),
        request("INFO", "a", "Content-Type: application/dtmf-relay\r\n", "Signal=5\r\n"),
        request("NOTIFY", "a", "Content-Type: message/sipfrag\r\n", "SIP/2.0 180 Ringing\r\n"),
        request("REGISTER", "j",
                "Contact: <sip:alice@10.0.0.1>;expires=60\r\nAuthorization: Digest "
                "username=\"alice\", realm=\"r\", nonce=\"n\", uri=\"sip:r\", response=\"0\"\r\n"),
        text_of({.start = "SIP/2.0 486 Busy Here",
                 .call_id = "a",
                 .more = "Warning: 399 x \"y\"\r\n",
                 .answered = true}),
        "OPTIONS sip:x SIP/2.0\r\n\r\n", // without all that it needs
        "no message at all",
    };
    const auto records_of = [&](bool prepared) {
        Book book;
        Preparer preparer;
        std::vector<PreparedMessage> made(texts.size());
        std::string room;
        room.reserve(4096);
        std::vector<SipEvent> events;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            Sighting sighting;
            sighting.time = {1'000'000'000 + static_cast<std::int64_t>(i) * 1'000'000};
            sighting.frame = static_cast<std::uint32_t>(i);
            sighting.source = *parse_endpoint(phone, 5060);
            sighting.destination = *parse_endpoint(pbx, 5060);
            auto& event = events.emplace_back(SipEvent{.at = sighting, .bytes = texts[i]});
            if (prepared) {
                EXPECT_TRUE(preparer.prepare(texts[i], made[i], room));
                event.prepared = &made[i];
            }
        }
        for (std::size_t i = 0; i < events.size(); ++i) {
            if (i + 1 < events.size()) {
                book.expect(events[i + 1]);
            }
            book.on_sip(events[i]);
        }
        book.finish(events.back().at.time);
        EXPECT_EQ(book.unused(0).sip, 1U);
        std::vector<std::string> records;
        book.for_each_call([&](const Call& call) {
            append_record(call, records.emplace_back());
            return true;
        });
        return records;
    };
    const auto expected = records_of(false);
    EXPECT_EQ(expected.size(), 9U) << "two of eleven legs are of other calls";
    EXPECT_EQ(records_of(true), expected);
}

TEST(Preparer, StopsWhereThereIsNoRoomForWhatItWrites) {
    const auto text =
        text_of({.start = "SIP/2.0 486 Busy Here", .more = "Warning: 399 x \"y\"\r\n"});
    Preparer preparer;
    PreparedMessage out;
    std::string room;
    room.reserve(100);
    const auto* place = room.data();
    int fitted = 0;
    while (preparer.prepare(text, out, room)) {
        ++fitted;
        EXPECT_EQ(out.digest.note, "Warning: 399 x \"y\"");
    }
    EXPECT_GT(fitted, 0);
    EXPECT_EQ(room.data(), place);
}

} // namespace
} // namespace cw::flow
