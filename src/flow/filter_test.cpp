#include "flow/filter.hpp"

#include <gtest/gtest.h>

namespace cw::flow {
namespace {

// alice@atlanta calls +4930123456 at 10:00:05 UTC; 486.
Call busy_call() {
    Call call;
    call.kind = Kind::Call;
    call.state = State::Busy;
    call.start = Instant{seconds(1'777'629'605).ns};
    Leg leg;
    leg.call_id = call.pool.add("a84b4c76e66710");
    leg.from = call.pool.add("sip:alice@atlanta.example");
    leg.from_name = call.pool.add("Alice A.");
    leg.to = call.pool.add("sip:+4930123456@biloxi.example");
    call.legs.push_back(leg);
    Message invite;
    invite.method = invite.cseq_method = sip::Method::Invite;
    invite.method_text = call.pool.add("INVITE");
    invite.source = *parse_endpoint("192.0.2.1:40000", 0);
    invite.destination = *parse_endpoint("192.0.2.9:5061", 0);
    invite.transport = Transport::Tls;
    call.messages.push_back(invite);
    Message busy = invite;
    busy.status = 486;
    busy.method = sip::Method::None;
    std::swap(busy.source, busy.destination);
    call.messages.push_back(busy);
    return call;
}

bool fits(std::string_view text) {
    const auto filter = Filter::parse(text);
    EXPECT_TRUE(filter) << text;
    return filter && filter->matches(busy_call());
}

TEST(Filter, ComparesEveryField) {
    EXPECT_TRUE(fits("method == INVITE"));
    EXPECT_FALSE(fits("method == BYE"));
    EXPECT_TRUE(fits("status >= 400"));
    EXPECT_FALSE(fits("status > 486"));
    EXPECT_TRUE(fits("from ~ alice"));
    EXPECT_TRUE(fits("from == alice"));
    EXPECT_TRUE(fits("from ~ 'Alice A'"));
    EXPECT_FALSE(fits("to ~ alice"));
    EXPECT_TRUE(fits("number ~ 30123"));
    EXPECT_TRUE(fits("call-id == A84B4C76E66710"));
    EXPECT_TRUE(fits("state == busy"));
    EXPECT_TRUE(fits("kind == call"));
    EXPECT_TRUE(fits("host == 192.0.2.9"));
    EXPECT_FALSE(fits("host == 192.0.2.90"));
    EXPECT_TRUE(fits("port == 5061"));
    EXPECT_TRUE(fits("transport == tls"));
    EXPECT_TRUE(fits("duration < 5"));
    EXPECT_TRUE(fits("messages == 2"));
}

TEST(Filter, ComparesTimesOfDayAndDates) {
    EXPECT_TRUE(fits("time >= 10:00 and time < 10:00:06"));
    EXPECT_FALSE(fits("time > 10:01"));
    EXPECT_TRUE(fits("time > 2026-05-01"));
    EXPECT_TRUE(fits("time < 2026-05-01T10:00:06Z"));
    EXPECT_FALSE(fits("time > 2026-05-02"));
}

TEST(Filter, CombinesWithPrecedenceAndParentheses) {
    EXPECT_TRUE(fits("method == BYE and status == 200 or state == busy"));
    EXPECT_FALSE(fits("method == BYE and (status == 200 or state == busy)"));
    EXPECT_TRUE(fits("not method == BYE"));
    EXPECT_TRUE(fits("!(method==BYE) && status!=200"));
}

TEST(Filter, NotEqualMeansNoMessageIsEqual) {
    EXPECT_FALSE(fits("status != 486"));
    EXPECT_FALSE(fits("host != 192.0.2.1"));
    EXPECT_TRUE(fits("host != 192.0.2.7"));
}

TEST(Filter, SearchesABareWordAndTakesWiresharkNames) {
    EXPECT_TRUE(fits("atlanta"));
    EXPECT_FALSE(fits("chicago"));
    EXPECT_TRUE(fits("sip.Call-ID == \"a84b4c76e66710\""));
    EXPECT_TRUE(fits("sip.Status-Code == 486 && ip.addr == 192.0.2.1"));
}

TEST(Filter, ComparesAddressesHoweverTheyAreWritten) {
    auto call = busy_call();
    call.messages[0].source = *parse_endpoint("[2001:db8::1]:5060", 0);
    EXPECT_TRUE(Filter::parse("host == 2001:DB8:0:0::0001")->matches(call));
    EXPECT_FALSE(Filter::parse("host != [2001:db8::1]")->matches(call));
    EXPECT_FALSE(Filter::parse("host == 2001:db8::2")->matches(call));
    EXPECT_TRUE(Filter::parse("host ~ db8")->matches(call));
}

// A value that no call can have finds nothing, which looks as if there was nothing to find.
TEST(Filter, RefusesWordsThatAreNoValues) {
    struct Case {
        std::string_view text;
        std::string_view expected;
    };
    for (const auto& [text, expected] : {
             Case{"kind == reg", "call, registration, message, subscription, options or other; did "
                                 "you mean registration?"},
             Case{"kind != register", "did you mean registration?"},
             Case{"kind ~ invite", "call, registration"},
             Case{"state == anwsered", "did you mean answered?"},
             Case{"state == 'in call'", "trying, ringing, answered"},
             Case{"transport == tsl", "did you mean tls?"},
             Case{"transport == tcp and kind == calls", "did you mean call?"},
             Case{"method == INVIT", "did you mean INVITE? (~ takes any other)"},
             Case{"method == regster", "did you mean REGISTER?"},
             Case{"host == proxy.example", "an address"},
             Case{"host == 192.0.2.9:5060", "an address"},
             Case{"transprt == tls", "did you mean transport?"},
             Case{"stat == busy", "did you mean status?"},
         }) {
        std::string words;
        const auto filter = Filter::parse(text, &words);
        ASSERT_FALSE(filter) << text;
        EXPECT_TRUE(words.find(expected) != std::string::npos) << text << ": " << words;
    }
    EXPECT_TRUE(fits("KIND == Call"));
    EXPECT_TRUE(fits("state ~ us"));
    EXPECT_FALSE(fits("method ~ FROBNICATE"));
    EXPECT_TRUE(fits("method == invite"));
}

TEST(Filter, SaysWhereItWentWrongAndWhatWasExpected) {
    struct Case {
        std::string_view text;
        std::uint32_t offset;
        std::string_view expected;
    };
    for (const auto& [text, offset, expected] : {
             Case{"methd == INVITE", 0, "method"},
             Case{"status >= 4xx", 10, "a number"},
             Case{"(from ~ a", 9, "')'"},
             Case{"from ~", 6, "a field, a value or '('"},
             Case{"from ~ 'a", 7, "a closing quote"},
             Case{"from ~ a b c", 9, "'and', 'or' or the end"},
             Case{"time > noon", 7, "a time (10:00"},
             Case{"", 0, "a field"},
         }) {
        std::string words;
        const auto filter = Filter::parse(text, &words);
        ASSERT_FALSE(filter) << text;
        EXPECT_EQ(filter.error().offset, offset) << text;
        EXPECT_TRUE(words.find(expected) != std::string::npos) << text << ": " << words;
    }
    EXPECT_FALSE(Filter::parse(std::string(1000, '(')));
}

} // namespace
} // namespace cw::flow
