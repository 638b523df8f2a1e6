#include "host/message_stream.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace cw;
using host::MessageStream;

const sip::Policy policy = sip::Policy::strict();
const std::string options = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";

std::vector<std::string> all(MessageStream& stream, std::string_view bytes) {
    using enum MessageStream::Kind;
    std::vector<std::string> items;
    stream.feed(as_bytes(bytes));
    for (auto item = stream.next(); item.kind != None; item = stream.next()) {
        items.push_back(item.kind == Message ? std::string{item.text}
                        : item.kind == Ping  ? "ping"
                        : item.kind == Pong  ? "pong"
                                             : "broken");
        if (item.kind == Broken) {
            break;
        }
    }
    return items;
}

TEST(MessageStream, HandsOutSeveralMessagesOfOneRead) {
    MessageStream stream{policy};
    EXPECT_EQ(all(stream, options + options), (std::vector{options, options}));
    EXPECT_EQ(stream.held(), 0U);
}

TEST(MessageStream, JoinsAMessageThatComesByteByByte) {
    MessageStream stream{policy};
    std::vector<std::string> got;
    for (const char c : options + options) {
        for (auto& item : all(stream, std::string_view{&c, 1})) {
            got.push_back(std::move(item));
        }
    }
    EXPECT_EQ(got, (std::vector{options, options}));
    EXPECT_EQ(stream.held(), 0U);
}

TEST(MessageStream, TellsPingFromPong) {
    MessageStream stream{policy};
    EXPECT_EQ(all(stream, "\r\n\r\n"), std::vector<std::string>{"ping"});
    EXPECT_EQ(all(stream, "\r\n"), std::vector<std::string>{"pong"});
    EXPECT_EQ(all(stream, options), std::vector{options});
    EXPECT_EQ(all(stream, options + "\r\n\r\n" + options),
              (std::vector<std::string>{options, "ping", options}));
}

TEST(MessageStream, APongIsToldThoughAMessageFollowsAtOnce) {
    MessageStream stream{policy};
    stream.expect_pong();
    EXPECT_EQ(all(stream, "\r\n" + options), (std::vector<std::string>{"pong", options}));
    stream.expect_pong();
    EXPECT_EQ(all(stream, options + "\r\n\r\n" + options),
              (std::vector<std::string>{options, "ping", options}));
    EXPECT_EQ(all(stream, "\r\n"), std::vector<std::string>{"pong"});
}

TEST(MessageStream, TellsThePongsOfOurPingsFromAPing) {
    MessageStream stream{policy};
    for (int i = 0; i < 3; ++i) {
        stream.expect_pong();
        EXPECT_EQ(all(stream, "\r\n"), std::vector<std::string>{"pong"});
    }
    // Nobody was asked: two halves of a ping.
    EXPECT_EQ(all(stream, "\r\n"), std::vector<std::string>{"pong"});
    EXPECT_EQ(all(stream, "\r\n"), std::vector<std::string>{"ping"});
}

TEST(MessageStream, GivesUpOnWhatCannotBeFramed) {
    MessageStream stream{policy};
    EXPECT_EQ(all(stream, "OPTIONS sip:a@b SIP/2.0\r\nContent-Length: x\r\n\r\n"),
              std::vector<std::string>{"broken"});
}

} // namespace
