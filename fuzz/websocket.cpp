// A WebSocket fed with hostile bytes, in one piece and in small ones: the same must be seen, within
// the limits; and what is sent must be read by the other side as it was meant.
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "net/utf8.hpp"
#include "net/websocket.hpp"

namespace {

using namespace cw;
using net::WebSocket;

constexpr net::WebSocketLimits limits{.head = 512, .message = 2000, .fragments = 16};

struct Result {
    std::vector<std::string> events;
    bool done = false;
    bool operator==(const Result&) const = default;
};

Result run(Bytes data, std::size_t step, WebSocket::Role role) {
    WebSocket socket{role, "sip", limits, [] { return 0x01020304U; }};
    if (role == WebSocket::Role::Client) {
        socket.request({.host = "example.com"});
    }
    Result result;
    for (std::size_t at = 0; at < data.size(); at += step) {
        const auto piece = data.subspan(at, std::min(step, data.size() - at));
        socket.feed(piece, [&](const WebSocket::Event& e) {
            require(e.kind != WebSocket::Event::Kind::Message ||
                    (e.text.size() <= limits.message && (e.binary || net::is_utf8(e.text))));
            result.events.push_back(std::to_string(static_cast<int>(e.kind)) + ' ' +
                                    std::to_string(e.code) + ' ' + std::string{e.text});
        });
        // What goes out is bounded by what comes in.
        require(socket.output().size() <= 1000 + piece.size());
        socket.output().clear();
    }
    result.done = socket.done();
    return result;
}

// A server that is open already, its frames hostile.
std::string opened(Bytes data) {
    return "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: sip\r\n"
           "Sec-WebSocket-Version: 13\r\n\r\n" +
           std::string{as_text(data)};
}

void round_trip(std::string_view message) {
    WebSocket client{WebSocket::Role::Client, "", {}, [] { return 0xdeadbeefU; }};
    WebSocket server{WebSocket::Role::Server, "", {}};
    client.request({.host = "example.com"});
    server.feed(as_bytes(client.output()), [](const WebSocket::Event&) {});
    client.output().clear();
    client.feed(as_bytes(server.output()), [](const WebSocket::Event&) {});
    require(client.open() && server.open());
    client.send(message, true);
    std::string got;
    server.feed(as_bytes(client.output()), [&](const WebSocket::Event& e) { got = e.text; });
    require(got == message);
}

} // namespace

void fuzz(std::span<const std::uint8_t> data) {
    if (data.empty() || data.size() > 65'536) {
        return;
    }
    const std::size_t step = data[0] % 17 + 1;
    const auto rest = data.subspan(1);
    for (const auto role : {WebSocket::Role::Client, WebSocket::Role::Server}) {
        require(run(rest, rest.size() + 1, role) == run(rest, step, role));
    }
    const auto frames = opened(rest);
    require(run(as_bytes(frames), frames.size(), WebSocket::Role::Server) ==
            run(as_bytes(frames), step, WebSocket::Role::Server));
    round_trip(as_text(rest));
}
