#include "flow/difference.hpp"

#include <map>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "flow/book.hpp"
#include "flow/statistics.hpp"

namespace cw::flow {
namespace {

// A call of a few messages between two addresses, and its bytes.
struct Told {
    std::map<std::uint32_t, std::string> bytes; // by frame
    std::vector<Call> calls;

    [[nodiscard]] BytesOf original() const {
        return [this](const Message& m) { return std::string_view{bytes.at(m.frame)}; };
    }
};

struct Telling {
    std::string caller = "192.0.2.1:5060";
    std::string callee = "192.0.2.2:5060";
    std::string id = "one";
    std::string agent = "Phone 1";
    std::string more{}; // header fields of the INVITE
    int status = 200;   // the answer
    std::int64_t length_ms = 30'000;
    int calls = 1;
};

Told tell(const Telling& telling) {
    Told told;
    Book book;
    sip::HeaderIndex index;
    std::uint32_t frame = 0;
    Instant last;
    const auto say = [&](std::int64_t ms, bool forth, const std::string& start,
                         const std::string& cseq, const std::string& id, const std::string& more) {
        const auto& from = forth ? telling.caller : telling.callee;
        const auto& to = forth ? telling.callee : telling.caller;
        const auto text = fmt::format(
            "{}\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{}{}\r\nFrom: <sip:a@example.com>;tag={}\r\n"
            "To: <sip:b@example.com>;tag={}\r\nCall-ID: {}\r\nCSeq: {}\r\nUser-Agent: {}\r\n{}"
            "Content-Length: 0\r\n\r\n",
            start, telling.caller, id, cseq.substr(2), id, id, id, cseq, telling.agent, more);
        const auto message = sip::index(text, index);
        ASSERT_TRUE(message);
        last = Instant{seconds(1'700'000'000).ns + milliseconds(ms).ns};
        told.bytes[++frame] = text;
        book.on_message({.at = {.time = last,
                                .frame = frame,
                                .input = 0,
                                .ip_id = 0,
                                .source = *parse_endpoint(from, 5060),
                                .destination = *parse_endpoint(to, 5060)},
                         .transport = Transport::Udp,
                         .connection = 0,
                         .truncated = false,
                         .message = *message});
    };
    for (int n = 0; n < telling.calls; ++n) {
        const auto id = fmt::format("{}{}", telling.id, n);
        const auto begin = n * 100'000LL;
        say(begin, true, "INVITE sip:b@example.com SIP/2.0", "1 INVITE", id, telling.more);
        say(begin + 500, false, "SIP/2.0 180 Ringing", "1 INVITE", id, "");
        say(begin + 1000, false, fmt::format("SIP/2.0 {} Said", telling.status), "1 INVITE", id,
            fmt::format("Contact: <sip:b@{}>\r\n", telling.callee));
        say(begin + 1010, true, fmt::format("ACK sip:b@{} SIP/2.0", telling.callee), "1 ACK", id,
            "");
        if (telling.status < 300) {
            say(begin + 1000 + telling.length_ms, true,
                fmt::format("BYE sip:b@{} SIP/2.0", telling.callee), "2 BYE", id, "");
            say(begin + 1100 + telling.length_ms, false, "SIP/2.0 200 OK", "2 BYE", id, "");
        }
    }
    book.finish(last);
    book.for_each_call([&](const Call& call) {
        told.calls.push_back(call);
        return true;
    });
    return told;
}

CallDifference difference(const Telling& one, const Telling& other) {
    const auto a = tell(one);
    const auto b = tell(other);
    return compare(a.calls.at(0), b.calls.at(0), a.original(), b.original());
}

TEST(Difference, WhatDiffersByNatureIsNone) {
    const auto found = difference(
        {}, {.caller = "198.51.100.7:40000", .callee = "203.0.113.9:5060", .id = "other"});
    EXPECT_EQ(found.alike, 6U);
    EXPECT_TRUE(found.none_found()) << found.steps.front().fields.front().name;
}

TEST(Difference, NamesTheFirstHeaderThatDiffers) {
    const auto found = difference({}, {.more = "Supported: timer\r\n"});
    ASSERT_EQ(found.steps.size(), 1U);
    EXPECT_EQ(found.alike_before, 0U);
    ASSERT_EQ(found.steps[0].fields.size(), 1U);
    EXPECT_EQ(found.steps[0].fields[0].name, "Supported");
    EXPECT_EQ(found.steps[0].fields[0].a, "");
    EXPECT_EQ(found.steps[0].fields[0].b, "timer");
    EXPECT_EQ(difference({}, {.agent = "Phone 2"}).steps.size(), 6U);
}

TEST(Difference, AnotherAnswerStandsAlone) {
    const auto found = difference({}, {.status = 486});
    EXPECT_EQ(found.alike_before, 2U); // INVITE and 180
    ASSERT_FALSE(found.steps.empty());
    EXPECT_EQ(found.steps[0].a, 2U);
    EXPECT_EQ(found.steps[0].b, none);
    EXPECT_EQ(found.steps[1].a, none);
    EXPECT_EQ(found.steps[1].b, 2U);
}

TEST(Statistics, CountsCallsAndFindsThoseThatEndAtTheSameTime) {
    Statistics statistics;
    for (const auto& call : tell({.id = "x", .length_ms = 30'000, .calls = 5}).calls) {
        statistics.add(call);
    }
    for (int n = 0; n < 8; ++n) { // of lengths that have nothing in common
        const auto other = tell({.id = fmt::format("y{}", n), .length_ms = 10'000 + n * 7000});
        statistics.add(other.calls.at(0));
    }
    statistics.add(tell({.id = "z", .status = 486}).calls.at(0));
    statistics.add(tell({.id = "w", .status = 503}).calls.at(0));
    const auto& s = statistics.sessions();
    EXPECT_EQ(s.asked, 15U);
    EXPECT_EQ(s.answered, 13U);
    EXPECT_EQ(s.completed, 13U);
    EXPECT_DOUBLE_EQ(s.ser(), 13.0 / 15);
    EXPECT_DOUBLE_EQ(s.seer(), 14.0 / 15);
    EXPECT_DOUBLE_EQ(s.isa(), 1.0 / 15);
    EXPECT_NEAR(statistics.ringing().median, 0.5, 0.001);
    const auto clusters = statistics.clusters();
    ASSERT_EQ(clusters.size(), 1U);
    EXPECT_NEAR(clusters[0].seconds, 30, 0.6);
    EXPECT_EQ(clusters[0].calls, 5U);
    EXPECT_EQ(clusters[0].by_caller, 5U);
    EXPECT_TRUE(statistics.faults().contains("D31")); // 503
    EXPECT_EQ(statistics.faults().at("D31").peers.at("192.0.2.2"), 1U);
}

} // namespace
} // namespace cw::flow
