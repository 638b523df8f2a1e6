#include "flow/originals.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "flow/book.hpp"

namespace cw::flow {
namespace {

std::string options(std::string_view call_id, int cseq) {
    return "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK" +
           std::string{call_id} + std::to_string(cseq) +
           "\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: " +
           std::string{call_id} + "\r\nCSeq: " + std::to_string(cseq) +
           " OPTIONS\r\nContent-Length: 0\r\n\r\n";
}

SipEvent event(const std::string& bytes, std::uint32_t frame) {
    SipEvent out;
    out.at.time = Instant{1'700'000'000'000'000'000 + frame};
    out.at.frame = frame;
    out.at.source = parse_endpoint("192.0.2.1:5060", 0).value_or(Endpoint{});
    out.at.destination = parse_endpoint("192.0.2.2:5060", 0).value_or(Endpoint{});
    out.transport = Transport::Tcp;
    out.bytes = bytes;
    return out;
}

TEST(Originals, EachMessageOfACallHasItsBytesAlsoWhenManyCameInOnePacket) {
    Book book;
    Originals originals{book};
    const std::vector<std::string> sent{options("one", 1), options("two", 1), options("six", 1)};
    for (const auto& bytes : sent) {
        originals.on_sip(event(bytes, 7));
    }
    const auto alone = options("one", 2);
    originals.on_sip(event(alone, 8));
    originals.finish(Instant{1'700'000'001'000'000'000});
    std::vector<std::string> found;
    book.for_each_call([&](const Call& call) {
        for (const auto& message : call.messages) {
            found.emplace_back(originals.of(call, message));
            EXPECT_NE(found.back().find(call.text(call.legs[message.leg].call_id)),
                      std::string::npos);
        }
        return true;
    });
    EXPECT_EQ(found.size(), 4U);
    for (const auto& bytes : found) {
        EXPECT_TRUE(bytes == alone || std::ranges::find(sent, bytes) != sent.end()) << bytes;
    }
}

TEST(Originals, WhatLooksLikeAnotherInTheSamePacketIsNotTakenForIt) {
    Book book;
    Originals originals{book};
    // As long as the one before, of the same call; and one of another call that names it.
    auto other = options("two", 1);
    other.replace(other.find("two1"), 3, "one"); // in the branch
    const std::vector<std::string> sent{options("one", 1), options("one", 2), other};
    for (const auto& bytes : sent) {
        originals.on_sip(event(bytes, 7));
    }
    originals.finish(Instant{1'700'000'001'000'000'000});
    std::set<std::string> found;
    book.for_each_call([&](const Call& call) {
        for (const auto& message : call.messages) {
            found.emplace(originals.of(call, message));
        }
        return true;
    });
    EXPECT_EQ(found, (std::set<std::string>{sent.begin(), sent.end()}));
}

TEST(Originals, OfAPacketThatNobodySawNothingIsKnown) {
    Book book;
    Originals originals{book};
    originals.finish(Instant{1});
    Message message;
    message.frame = 3;
    EXPECT_TRUE(originals.of(Call{}, message).empty());
}

TEST(Originals, MessagesGoWithTheirCallAndThoseOfNoCallWithTheTime) {
    Book book;
    Originals originals{book};
    for (std::uint32_t frame = 1; frame <= 100; ++frame) {
        const auto one = options("one" + std::to_string(frame), 1);
        const auto two = options("two" + std::to_string(frame), 1);
        originals.on_sip(event(one, frame)); // both in one packet
        originals.on_sip(event(two, frame));
    }
    originals.on_sip(event("no message at all", 101));
    EXPECT_EQ(originals.size(), 201U);
    originals.finish(Instant{1'700'000'001'000'000'000});
    std::size_t calls = 0;
    book.for_each_call([&](const Call& call) {
        if (++calls % 2 == 0) {
            originals.forget(call);
            EXPECT_TRUE(originals.of(call, call.messages.front()).empty());
        } else {
            EXPECT_NE(originals.of(call, call.messages.front())
                          .find(call.text(call.legs.front().call_id)),
                      std::string_view::npos);
        }
        return true;
    });
    EXPECT_EQ(originals.size(), 101U);
    originals.forget_before(Instant{1'700'000'000'000'000'000 + 200});
    EXPECT_EQ(originals.size(), 0U);
}

} // namespace
} // namespace cw::flow
