// SIP over WebSocket, passively: the HTTP upgrade [RFC 6455 §4] and then SIP messages in both
// directions [RFC 7118]. The bytes are those of TCP, or of TLS after decryption (wss).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "capture/packet.hpp"
#include "capture/side.hpp"
#include "capture/websocket_frames.hpp"

namespace cw::capture {

class WebSocket {
  public:
    struct Sink {
        virtual ~Sink() = default;
        // A SIP message; valid during the call. `truncated`: the capture lacks its end.
        virtual void on_message(Side from, std::string_view message, bool truncated,
                                const Datagram& by) = 0;
        // Bytes that were lost with a gap, or that no frame could be made of.
        virtual void on_lost(Side from, std::uint64_t bytes) = 0;
    };
    enum class State : std::uint8_t {
        Handshake, // the request or the response is not complete
        Open,      // upgraded, or taken up in the middle
        Refused,   // HTTP that is no upgrade: no SIP will come, the owner can ignore the stream
    };
    // Whether the stream was seen from its beginning, or is taken up in the middle because
    // looks_like_websocket_frame said so.
    enum class Begin : std::uint8_t { WithHandshake, InFrames };

    static constexpr std::size_t max_http_head = std::size_t{16} * 1024;

    explicit WebSocket(Begin begin = Begin::WithHandshake);

    void on_bytes(Side from, Bytes bytes, const Datagram& by, Sink& sink);
    void on_gap(Side from, Sink& sink);
    void flush(Sink& sink);

    [[nodiscard]] State state() const;
    // The server chose the subprotocol "sip".
    [[nodiscard]] bool speaks_sip() const { return speaks_sip_; }
    // Messages that were not SIP: CRLF keep-alives, or another subprotocol.
    [[nodiscard]] std::uint64_t other_messages() const { return other_messages_; }
    [[nodiscard]] std::size_t held_bytes() const;

  private:
    enum class Phase : std::uint8_t { Head, Frames, Refused };
    struct Direction {
        Phase phase = Phase::Head;
        std::string head; // of HTTP, while it is not complete
        WebSocketFrames frames;
    };
    struct Forward;

    // Takes bytes of the HTTP head and returns what follows it; empty while it is not complete.
    Bytes read_head(Direction& direction, Side from, Bytes bytes);
    void judge_head(Direction& direction, Side from, std::string_view head);

    std::array<Direction, 2> directions_;
    bool speaks_sip_ = false;
    std::uint64_t other_messages_ = 0;
};

// Whether a stream's first bytes can be one side of a WebSocket handshake: an HTTP request with GET
// or the response "101". Every HTTP client's first bytes do; WebSocket finds out the rest.
bool looks_like_websocket_handshake(std::string_view first_bytes);

} // namespace cw::capture
