#include "capture/websocket.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <zlib.h>

namespace cw::capture {
namespace {

struct Recorder : WebSocket::Sink {
    void on_message(Side from, std::string_view message, bool truncated,
                    const Datagram& /*by*/) override {
        messages.push_back(std::string(from == Side::Client ? "> " : "< ") +
                           (truncated ? "~" : "") + std::string(message));
    }
    void on_lost(Side /*from*/, std::uint64_t bytes) override { lost += bytes; }

    std::vector<std::string> messages;
    std::uint64_t lost = 0;
};

struct FrameOptions {
    std::uint8_t first_byte = 0x81; // a whole text message
    bool masked = false;
};

std::string frame(std::string_view payload, FrameOptions options = {}) {
    std::string out(1, static_cast<char>(options.first_byte));
    const auto size = payload.size();
    const int mask_bit = options.masked ? 0x80 : 0;
    if (size < 126) {
        out += static_cast<char>(static_cast<int>(size) | mask_bit);
    } else if (size < 65536) {
        out += static_cast<char>(126 | mask_bit);
        out += static_cast<char>(size >> 8);
        out += static_cast<char>(size & 255);
    } else {
        out += static_cast<char>(127 | mask_bit);
        for (int shift = 56; shift >= 0; shift -= 8) {
            out += static_cast<char>((size >> shift) & 255);
        }
    }
    const std::string_view key = "\x37\xfa\x21\x3d";
    if (options.masked) {
        out += key;
    }
    for (std::size_t i = 0; i < size; ++i) {
        out += options.masked ? static_cast<char>(payload[i] ^ key[i & 3]) : payload[i];
    }
    return out;
}

const std::string request = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\n"
                            "upgrade: WebSocket\r\nConnection: Upgrade\r\n"
                            "Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\nSec-WebSocket-Protocol: sip\r\n\r\n";
const std::string bye = "BYE sip:b@example.com SIP/2.0\r\nCall-ID: 1\r\n\r\n";
const std::string ok = "SIP/2.0 200 OK\r\nCall-ID: 1\r\n\r\n";

void feed(WebSocket& socket, Recorder& out, Side from, std::string_view text,
          std::size_t chunk = SIZE_MAX) {
    const Datagram by;
    for (std::size_t at = 0; at < text.size(); at += std::min(chunk, text.size() - at)) {
        socket.on_bytes(from, as_bytes(text.substr(at, chunk)), by, out);
    }
}

TEST(WebSocket, FindsSipMessagesAfterTheUpgrade) {
    const auto from_client = request + frame(bye, {.masked = true}) + frame("\r\n\r\n");
    const auto from_server = response + frame(ok) + frame(ok, {.first_byte = 0x82});
    for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
        WebSocket socket;
        Recorder out;
        feed(socket, out, Side::Client, from_client, chunk);
        EXPECT_EQ(socket.state(), WebSocket::State::Handshake);
        feed(socket, out, Side::Server, from_server, chunk);
        EXPECT_EQ(socket.state(), WebSocket::State::Open);
        EXPECT_TRUE(socket.speaks_sip());
        EXPECT_EQ(out.messages, (std::vector{"> " + bye, "< " + ok, "< " + ok}));
        EXPECT_EQ(socket.other_messages(), 1U);
        EXPECT_EQ(out.lost, 0U);
    }
}

TEST(WebSocket, RefusesHttpThatIsNoUpgrade) {
    WebSocket plain;
    Recorder out;
    feed(plain, out, Side::Client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(plain.state(), WebSocket::State::Refused);

    WebSocket denied;
    feed(denied, out, Side::Client, request);
    feed(denied, out, Side::Server, "HTTP/1.1 404 Not Found\r\n\r\n");
    EXPECT_EQ(denied.state(), WebSocket::State::Refused);

    WebSocket endless;
    feed(endless, out, Side::Client, "GET /" + std::string(100'000, 'x'), 1000);
    EXPECT_EQ(endless.state(), WebSocket::State::Refused);
    EXPECT_EQ(endless.held_bytes(), 0U);
}

TEST(WebSocket, JoinsFragmentsWithControlFramesBetweenThem) {
    WebSocket socket;
    Recorder out;
    feed(socket, out, Side::Client,
         request + frame(bye.substr(0, 5), {.first_byte = 0x01, .masked = true}) +
             frame("ping", {.first_byte = 0x89, .masked = true}) +
             frame(bye.substr(5, 9), {.first_byte = 0x00, .masked = true}) +
             frame(bye.substr(14), {.first_byte = 0x80, .masked = true}));
    EXPECT_EQ(out.messages, std::vector{"> " + bye});
}

TEST(WebSocket, TakesMessagesOfEveryLengthEncoding) {
    for (const std::size_t size : {10U, 1000U, 100'000U}) {
        const auto message = bye + std::string(size, 'x');
        WebSocket socket;
        Recorder out;
        feed(socket, out, Side::Server, response + frame(message) + frame(ok), 4000);
        EXPECT_EQ(out.messages, (std::vector{"< " + message, "< " + ok}));
    }
}

TEST(WebSocket, SkipsAMessageThatIsTooLargeAndStaysInStep) {
    WebSocket socket;
    Recorder out;
    feed(socket, out, Side::Server, response + frame(std::string(2'000'000, 'x')) + frame(ok),
         1400);
    EXPECT_EQ(out.messages, std::vector{"< " + ok});
    EXPECT_EQ(out.lost, 2'000'000U);

    WebSocket fragments;
    Recorder pieces;
    feed(fragments, pieces, Side::Server, response + frame("x", {.first_byte = 0x01}));
    const auto piece = frame(std::string(60'000, 'x'), {.first_byte = 0x00});
    for (int i = 0; i < 100; ++i) {
        feed(fragments, pieces, Side::Server, piece);
        EXPECT_LE(fragments.held_bytes(), WebSocketFrames::max_message);
    }
    feed(fragments, pieces, Side::Server, frame("x", {.first_byte = 0x80}) + frame(ok));
    EXPECT_EQ(pieces.messages, std::vector{"< " + ok});
}

TEST(WebSocket, GoesOnAfterAGapWhereASegmentBeginsWithASipFrame) {
    WebSocket socket;
    Recorder out;
    feed(socket, out, Side::Server, response + frame(ok).substr(0, 20));
    socket.on_gap(Side::Server, out);
    feed(socket, out, Side::Server, "rest of a frame");
    feed(socket, out, Side::Server, frame(ok) + frame(ok));
    EXPECT_EQ(out.messages, (std::vector{"< ~" + ok.substr(0, 18), "< " + ok, "< " + ok}));
    EXPECT_EQ(out.lost, 15U);
}

TEST(WebSocket, IsTakenUpInTheMiddle) {
    const auto masked = frame(bye, {.masked = true});
    EXPECT_TRUE(looks_like_websocket_frame(as_bytes(masked)));
    EXPECT_TRUE(looks_like_websocket_frame(as_bytes(frame(ok))));
    EXPECT_FALSE(looks_like_websocket_frame(as_bytes(frame("hello"))));
    EXPECT_FALSE(looks_like_websocket_frame(as_bytes(ok)));
    EXPECT_FALSE(looks_like_websocket_frame({}));
    WebSocket socket(WebSocket::Begin::InFrames);
    Recorder out;
    feed(socket, out, Side::Client, masked + masked);
    EXPECT_EQ(out.messages, (std::vector{"> " + bye, "> " + bye}));
    EXPECT_EQ(socket.state(), WebSocket::State::Open);
}

// One direction of permessage-deflate, as a sender does it.
class Deflater {
  public:
    Deflater() { deflateInit2(&stream_, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY); }
    ~Deflater() { deflateEnd(&stream_); }
    Deflater(const Deflater&) = delete;
    Deflater& operator=(const Deflater&) = delete;
    std::string message(std::string text) {
        std::string out(text.size() + 100, '\0');
        stream_.next_in = reinterpret_cast<Bytef*>(text.data());
        stream_.avail_in = static_cast<uInt>(text.size());
        stream_.next_out = reinterpret_cast<Bytef*>(out.data());
        stream_.avail_out = static_cast<uInt>(out.size());
        deflate(&stream_, Z_SYNC_FLUSH);
        out.resize(out.size() - stream_.avail_out - 4); // without 00 00 ff ff
        return out;
    }

  private:
    z_stream stream_{};
};

TEST(WebSocket, InflatesMessagesThatShareAWindow) {
    for (const std::size_t chunk : {std::size_t{1}, SIZE_MAX}) {
        Deflater sender;
        WebSocket socket;
        Recorder out;
        feed(socket, out, Side::Client, request, chunk);
        for (int i = 0; i < 3; ++i) {
            const auto payload = sender.message(bye);
            feed(socket, out, Side::Client, frame(payload, {.first_byte = 0xc1, .masked = true}),
                 chunk);
        }
        const auto payload = sender.message(bye); // in two fragments: the first one has RSV1
        feed(socket, out, Side::Client,
             frame(payload.substr(0, 3), {.first_byte = 0x41}) +
                 frame(payload.substr(3), {.first_byte = 0x80}),
             chunk);
        EXPECT_EQ(out.messages, std::vector<std::string>(4, "> " + bye));
    }
}

TEST(WebSocket, SaysLostWhenTheWindowWentWithAGap) {
    Deflater sender;
    WebSocket socket;
    Recorder out;
    feed(socket, out, Side::Server, response + frame(sender.message(ok), {.first_byte = 0xc1}));
    socket.on_gap(Side::Server, out);
    const auto dependent = frame(sender.message(ok), {.first_byte = 0xc1});
    feed(socket, out, Side::Server, dependent);
    EXPECT_EQ(out.messages, std::vector{"< " + ok});
    EXPECT_EQ(out.lost, dependent.size());
    Deflater fresh; // a sender without context takeover begins anew with each message
    feed(socket, out, Side::Server, frame(fresh.message(bye), {.first_byte = 0xc1}));
    EXPECT_EQ(out.messages, (std::vector{"< " + ok, "< " + bye}));
}

std::string inflated(Inflater& inflater, std::vector<std::uint8_t> bytes) {
    const auto text = inflater.inflate(bytes);
    return text ? std::string(*text) : "failed";
}

TEST(Inflater, ReadsTheExamplesOfRfc7692) {
    // [RFC 7692 §7.2.3]
    Inflater window;
    EXPECT_EQ(inflated(window, {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}), "Hello");
    EXPECT_EQ(inflated(window, {0xf2, 0x00, 0x11, 0x00, 0x00}), "Hello");
    Inflater other;
    EXPECT_EQ(inflated(other, {0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00}),
              "Hello");
    EXPECT_EQ(inflated(other, {0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00}), "Hello");
    EXPECT_EQ(inflated(other, {0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9,
                               0x07, 0x00}),
              "Hello");
}

TEST(Inflater, RefusesDamageAndBombs) {
    Inflater inflater;
    EXPECT_EQ(inflated(inflater, {0xf2, 0x00, 0x11, 0x00, 0x00}), "failed"); // no window yet
    EXPECT_EQ(inflated(inflater, {0xff, 0xff, 0xff}), "failed");
    Deflater sender;
    const auto bomb = sender.message(std::string(Inflater::max_message + 1, 'x'));
    EXPECT_EQ(inflated(inflater, {bomb.begin(), bomb.end()}), "failed");
    EXPECT_EQ(inflated(inflater, {0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00}), "Hello");
}

} // namespace
} // namespace cw::capture
