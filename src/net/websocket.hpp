// One WebSocket connection as a machine of bytes, either side [RFC 6455]: bytes that came go in,
// events and bytes to send come out. No extensions. No I/O, no clock, no random numbers of its own.
//
// The upgrade comes first: a server answers the client's request, a client sends its own and judges
// the answer; then messages. What breaks the protocol ends in one Event::Failed, with the bytes to
// send (a close frame, or an HTTP status) already in output().
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "net/websocket_upgrade.hpp"

namespace cw::net {

struct WebSocketLimits {
    std::size_t head = 8192;                    // of the HTTP request or answer
    std::size_t message = std::size_t{1} << 17; // with all its fragments
    std::size_t fragments = 256;                // of one message
};

class WebSocket {
  public:
    enum class Role : std::uint8_t { Client, Server };
    struct Event {
        enum class Kind : std::uint8_t {
            Open,    // the upgrade is done; a server: `text` is the path, `origin` who asks
            Message, // `text` holds it whole
            Pong,    // `text`: what our ping had
            Closed,  // the peer's close frame; `code`, `text`: its reason
            Failed,  // `text`: why; close the connection after what is in output()
        };
        Kind kind = Kind::Open;
        std::string_view text{}; // until the handler returns, as all views
        std::string_view origin{};
        bool binary = false;
        std::uint16_t code = 0; // 1005: none was given [RFC 6455 §7.1.5]
    };
    using OnEvent = std::function<void(const Event&)>;

    // `protocol`: the subprotocol that both must name, as "sip" [RFC 7118 §4.1]. `mask`: gives
    // random masking keys that cannot be foreseen [RFC 6455 §5.3]; a server needs none.
    WebSocket(Role role, std::string protocol, const WebSocketLimits& limits,
              std::function<std::uint32_t()> mask = {});

    // A client's first step: its request is in output() then.
    void request(const UpgradeWish& wish);
    // Bytes in the order in which they came. After Closed or Failed they are ignored. The handler
    // may call everything but this.
    void feed(Bytes bytes, const OnEvent& on_event);

    // Append to output(); ignored unless open.
    void send(std::string_view message, bool binary = false);
    void ping(std::string_view text); // at most 125 octets
    // Once; after it nothing can be sent. The peer's answer comes as Closed. `code` as in
    // [RFC 6455 §7.4.1]; a reason longer than 123 octets is cut.
    void close(std::uint16_t code, std::string_view reason);

    // What is to be written to the peer; the caller takes it and clears it.
    std::string& output() { return output_; }
    [[nodiscard]] bool open() const { return state_ == State::Open; }
    // Both close frames have passed, or it failed: the transport can be closed.
    [[nodiscard]] bool done() const { return state_ == State::Done; }

  private:
    enum class State : std::uint8_t { Upgrade, Open, Closing, Done };
    struct Frame;

    bool read_upgrade(const OnEvent& on_event);
    bool read_frame(std::size_t& at, const OnEvent& on_event);
    void on_data(const Frame& frame, std::string_view payload, const OnEvent& on_event);
    void on_control(const Frame& frame, std::string_view payload, const OnEvent& on_event);
    void on_close(std::string_view payload, const OnEvent& on_event);
    void write_frame(std::uint8_t opcode, std::string_view payload);
    void write_close(std::uint16_t code, std::string_view reason);
    void fail(std::uint16_t code, const char* why, const OnEvent& on_event);

    Role role_;
    State state_ = State::Upgrade;
    std::string protocol_;
    WebSocketLimits limits_;
    std::function<std::uint32_t()> mask_;
    std::string accept_; // client: what the server must answer
    std::string input_;  // not yet whole
    std::string output_;
    std::string message_; // the fragments so far
    std::size_t fragments_ = 0;
    std::optional<std::string> ping_; // the latest that is not yet answered
    bool in_message_ = false;
    bool binary_ = false;
};

} // namespace cw::net
