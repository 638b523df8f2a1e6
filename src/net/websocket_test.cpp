#include "net/websocket.hpp"

#include <gtest/gtest.h>

#include "net/utf8.hpp"

namespace cw::net {
namespace {

using Kind = WebSocket::Event::Kind;

struct Seen {
    Kind kind;
    std::string text;
    bool binary = false;
    std::uint16_t code = 0;
    bool operator==(const Seen&) const = default;
};

// Feeds and writes down.
struct Side {
    WebSocket socket;
    std::vector<Seen> seen;
    explicit Side(WebSocket::Role role, const WebSocketLimits& limits = {})
        : socket(role, "sip", limits, [] { return 0x37fa213dU; }) {}
    void feed(std::string_view bytes) {
        socket.feed(as_bytes(bytes), [this](const WebSocket::Event& e) {
            seen.push_back({e.kind, std::string{e.text}, e.binary, e.code});
        });
    }
    std::string take() { return std::exchange(socket.output(), {}); }
};

// [RFC 6455 §1.3] and [RFC 7118 §4.1]
const std::string request =
    "GET /chat HTTP/1.1\r\nHost: sip-ws.example.com\r\nUpgrade: websocket\r\n"
    "Connection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    "Origin: http://www.example.com\r\nSec-WebSocket-Protocol: chat, sip\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n";
const std::string answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                           "Connection: Upgrade\r\n"
                           "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                           "Sec-WebSocket-Protocol: sip\r\n\r\n";

UpgradeWish wish() {
    UpgradeWish w{.host = "sip-ws.example.com"};
    const std::string_view nonce = "the sample nonce";
    std::ranges::copy(nonce, w.nonce.begin());
    return w;
}

Side open_server(const WebSocketLimits& limits = {}) {
    Side side{WebSocket::Role::Server, limits};
    side.feed(request);
    side.take();
    side.seen.clear();
    return side;
}
Side open_client() {
    Side side{WebSocket::Role::Client};
    side.socket.request(wish());
    side.feed(answer);
    side.take();
    side.seen.clear();
    return side;
}

// What a client would send, with the mask of RFC 6455 §5.7.
std::string frame(unsigned first, std::string_view payload) {
    std::string out{static_cast<char>(first)};
    if (payload.size() < 126) {
        out += static_cast<char>(0x80 | payload.size());
    } else {
        out += static_cast<char>(0xfe);
        out += static_cast<char>(payload.size() >> 8);
        out += static_cast<char>(payload.size() & 0xff);
    }
    const std::string key = "\x37\xfa\x21\x3d";
    out += key;
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out += static_cast<char>(payload[i] ^ key[i % 4]);
    }
    return out;
}

TEST(WebSocket, AnswersTheRequestOfTheStandardAsTheStandardDoes) {
    Side side{WebSocket::Role::Server};
    std::string origin;
    side.socket.feed(as_bytes(request), [&](const WebSocket::Event& e) {
        side.seen.push_back({e.kind, std::string{e.text}});
        origin = e.origin;
    });
    EXPECT_EQ(answer, side.take());
    EXPECT_EQ((std::vector<Seen>{{Kind::Open, "/chat"}}), side.seen);
    EXPECT_EQ("http://www.example.com", origin);
}

TEST(WebSocket, AClientAsksAndTakesTheRightAnswerOnly) {
    Side side{WebSocket::Role::Client};
    side.socket.request(wish());
    EXPECT_NE(std::string::npos,
              side.socket.output().find("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
    side.feed(answer);
    EXPECT_TRUE(side.socket.open());

    const std::pair<std::string, std::string> changes[] = {
        {"101", "200"},
        {"s3pP", "S3pP"},
        {"Protocol: sip", "Protocol: xmpp"},
        {"Upgrade: websocket\r\n", ""},
        {"\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"},
    };
    for (const auto& [from, to] : changes) {
        Side other{WebSocket::Role::Client};
        other.socket.request(wish());
        auto text = answer;
        text.replace(text.find(from), from.size(), to);
        other.feed(text);
        EXPECT_TRUE(other.socket.done()) << to;
        ASSERT_EQ(1U, other.seen.size());
        EXPECT_EQ(Kind::Failed, other.seen[0].kind);
    }
}

TEST(WebSocket, RefusesRequestsThatAreNotOne) {
    const std::pair<std::string, std::string> changes[] = {
        {"GET", "POST"},
        {"HTTP/1.1", "HTTP/1.0"},
        {"/chat", "chat"},
        {"/chat", "/a b"},
        {"Host: sip-ws.example.com\r\n", ""},
        {"Host: sip-ws.example.com\r\n", "Host: a\r\nHost: b\r\n"},
        {"Host: ", "Host : "},
        {"Origin: http", "Origin:\r\n http"},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ="},
        {"dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="},
        {"chat, sip", "chat, SIP"},
        {"Origin:", "Content-Length: 5\r\nOrigin:"},
        {"Origin:", "Transfer-Encoding: chunked\r\nOrigin:"},
        {"Upgrade: websocket", "Upgrade: h2c"},
        {"keep-alive, Upgrade", "keep-alive"},
        {"Version: 13", "Version: 8"},
    };
    for (const auto& [from, to] : changes) {
        Side side{WebSocket::Role::Server};
        auto text = request;
        text.replace(text.find(from), from.size(), to);
        side.feed(text);
        EXPECT_TRUE(side.socket.done()) << to;
        ASSERT_EQ(1U, side.seen.size()) << to;
        EXPECT_EQ(Kind::Failed, side.seen[0].kind);
        const auto out = side.take();
        EXPECT_TRUE(out.starts_with("HTTP/1.1 4")) << out;
        EXPECT_NE(std::string::npos, out.find("Sec-WebSocket-Version: 13\r\n"));
        side.feed(request); // nothing revives it
        EXPECT_EQ(1U, side.seen.size());
    }
}

TEST(WebSocket, AHeadWithoutEndIsRefusedAtItsLimit) {
    Side side{WebSocket::Role::Server, {.head = 1000}};
    std::string text = "GET / HTTP/1.1\r\nX: ";
    side.feed(text);
    for (int i = 0; i < 100 && !side.socket.done(); ++i) {
        side.feed(std::string(10, 'x'));
    }
    EXPECT_TRUE(side.socket.done());
    EXPECT_TRUE(side.take().starts_with("HTTP/1.1 431 "));
}

TEST(WebSocket, ReadsTheExamplesOfTheStandard) {
    auto server = open_server();
    server.feed("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"); // [RFC 6455 §5.7]
    EXPECT_EQ((std::vector<Seen>{{Kind::Message, "Hello"}}), server.seen);
    auto client = open_client();
    client.feed("\x81\x05\x48\x65\x6c\x6c\x6f");
    client.feed("\x01\x03\x48\x65\x6c\x89\x03yes\x80\x02\x6c\x6f"); // a ping between fragments
    EXPECT_EQ((std::vector<Seen>{{Kind::Message, "Hello"}, {Kind::Message, "Hello"}}), client.seen);
    EXPECT_EQ(std::string("\x8a\x83\x37\xfa\x21\x3d") + "\x4e\x9f\x52", client.take());
}

TEST(WebSocket, WritesWhatTheOtherSideReads) {
    auto server = open_server();
    auto client = open_client();
    for (const std::size_t size : {0, 1, 125, 126, 65'535, 65'536, 100'000}) {
        const std::string text(size, 's');
        client.socket.send(text);
        server.feed(client.take());
        ASSERT_EQ((Seen{Kind::Message, text}), server.seen.back()) << size;
        server.socket.send(text, true);
        client.feed(server.take());
        ASSERT_EQ((Seen{Kind::Message, text, true}), client.seen.back()) << size;
    }
    client.socket.ping("there?");
    server.feed(client.take());
    client.feed(server.take());
    EXPECT_EQ((Seen{Kind::Pong, "there?"}), client.seen.back());
    client.socket.close(1001, "going");
    client.socket.send("too late");
    server.feed(client.take());
    EXPECT_EQ((Seen{Kind::Closed, "going", false, 1001}), server.seen.back());
    EXPECT_TRUE(server.socket.done());
    client.feed(server.take());
    EXPECT_TRUE(client.socket.done());
    EXPECT_EQ((Seen{Kind::Closed, "", false, 1001}), client.seen.back());
}

TEST(WebSocket, SplitAnywhereItSeesTheSame) {
    const auto bytes = request + frame(0x81, "first") + frame(0x01, "sec") + frame(0x89, "ping") +
                       frame(0x80, "ond") + frame(0x82, std::string(300, 'b')) +
                       frame(0x88, std::string("\x03\xe8", 2) + "bye");
    Side whole{WebSocket::Role::Server};
    whole.feed(bytes);
    ASSERT_EQ(5U, whole.seen.size());
    EXPECT_EQ((Seen{Kind::Closed, "bye", false, 1000}), whole.seen.back());
    for (std::size_t i = 1; i < bytes.size(); ++i) {
        Side split{WebSocket::Role::Server};
        split.feed(std::string_view{bytes}.substr(0, i));
        split.feed(std::string_view{bytes}.substr(i));
        ASSERT_EQ(whole.seen, split.seen) << i;
    }
    Side single{WebSocket::Role::Server};
    for (const char c : bytes) {
        single.feed({&c, 1});
    }
    EXPECT_EQ(whole.seen, single.seen);
}

struct Broken {
    const char* why;
    std::string bytes;
    std::uint16_t code;
};

TEST(WebSocket, WhatBreaksTheProtocolClosesWithTheCodeForIt) {
    const Broken cases[] = {
        {"not masked", "\x81\x02hi", 1002},
        {"reserved bit", frame(0xc1, "hi"), 1002},
        {"unknown data opcode", frame(0x83, "hi"), 1002},
        {"unknown control opcode", frame(0x8b, "hi"), 1002},
        {"ping in fragments", frame(0x09, "hi"), 1002},
        {"long ping", frame(0x89, std::string(126, 'x')), 1002},
        {"continuation of nothing", frame(0x80, "hi"), 1002},
        {"message within another", frame(0x01, "a") + frame(0x81, "b"), 1002},
        {"long form", std::string("\x81\xfe\x00\x05\x00\x00\x00\x00hello", 13), 1002},
        {"longer form", std::string("\x81\xff\0\0\0\0\0\0\x01\0\0\0\0\0", 14), 1002},
        {"far too large", std::string("\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 14),
         1009},
        {"too large", frame(0x82, std::string(1001, 'x')), 1009},
        {"too large in sum",
         frame(0x02, std::string(600, 'x')) + frame(0x80, std::string(401, 'x')), 1009},
        {"not UTF-8", frame(0x81, "\xc3\x28"), 1007},
        {"not UTF-8 across fragments", frame(0x01, "\xc3") + frame(0x80, "("), 1007},
        {"close with one octet", frame(0x88, "\x03"), 1002},
        {"close with a forbidden code", frame(0x88, "\x03\xed"), 1002},
        {"close whose reason is not UTF-8", frame(0x88, "\x03\xe8\xff"), 1007},
    };
    for (const auto& c : cases) {
        auto side = open_server({.message = 1000, .fragments = 8});
        side.feed(c.bytes);
        ASSERT_EQ(1U, side.seen.size()) << c.why;
        EXPECT_EQ(Kind::Failed, side.seen[0].kind) << c.why;
        EXPECT_EQ(c.code, side.seen[0].code) << c.why;
        const auto out = side.take();
        ASSERT_GE(out.size(), 4U);
        EXPECT_EQ('\x88', out[0]) << c.why;
        EXPECT_EQ(c.code,
                  static_cast<unsigned char>(out[2]) << 8 | static_cast<unsigned char>(out[3]));
    }
    auto client = open_client();
    client.feed("\x81\x82\0\0\0\0hi"); // the literal ends at its first zero: the head alone
    client.feed(std::string(4, '\0') + "hi");
    EXPECT_EQ(Kind::Failed, client.seen.at(0).kind);
}

TEST(WebSocket, FragmentsAreBoundedInNumber) {
    auto side = open_server({.fragments = 8});
    side.feed(frame(0x01, ""));
    for (int i = 0; i < 6; ++i) {
        side.feed(frame(0x00, ""));
    }
    EXPECT_TRUE(side.seen.empty());
    side.feed(frame(0x80, "eight"));
    EXPECT_EQ((Seen{Kind::Message, "eight"}), side.seen.at(0));
    side.feed(frame(0x01, ""));
    for (int i = 0; i < 8; ++i) {
        side.feed(frame(0x00, ""));
    }
    EXPECT_EQ(1009, side.seen.at(1).code);
}

TEST(WebSocket, AFloodOfPingsIsAnsweredOnce) {
    auto side = open_server();
    std::string flood;
    for (int i = 0; i < 1000; ++i) {
        flood += frame(0x89, std::to_string(i));
    }
    side.feed(flood);
    EXPECT_EQ("\x8a\x03"
              "999",
              side.take());
}

TEST(WebSocket, AfterOurCloseMessagesAreNotDeliveredButTheAnswerIs) {
    auto side = open_server();
    side.socket.close(1001, std::string(200, 'x'));
    EXPECT_EQ(2U + 125U, side.take().size());
    side.feed(frame(0x81, "still talking") + frame(0x89, "ping"));
    EXPECT_TRUE(side.seen.empty());
    EXPECT_TRUE(side.take().empty());
    side.feed(frame(0x88, ""));
    EXPECT_EQ((std::vector<Seen>{{Kind::Closed, "", false, 1005}}), side.seen);
    EXPECT_TRUE(side.take().empty()); // one close frame is enough
}

TEST(WebSocket, AReasonIsCutBetweenCharacters) {
    auto side = open_server();
    side.socket.close(1000, std::string(122, 'x') + "\xc3\xa4");
    EXPECT_EQ(2U + 2U + 122U, side.take().size());
}

TEST(Utf8, IsJudgedStrictly) {
    for (const char* good : {"", "plain", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x93\x9e",
                             "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(is_utf8(good)) << good;
    }
    for (const char* bad :
         {"\x80", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xed\xa0\x80",
          "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
        EXPECT_FALSE(is_utf8(bad));
    }
}

} // namespace
} // namespace cw::net
