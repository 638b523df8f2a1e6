// SIP on one connection of a party that we play: messages that are framed by Content-Length, or
// each in a WebSocket of its own [RFC 7118]. Lives as long as its connection; belongs to the loop's
// thread.
#pragma once

#include <memory>
#include <string_view>

#include "base/address.hpp"
#include "host/message_stream.hpp"
#include "net/loop.hpp"
#include "net/websocket.hpp"
#include "sip/message.hpp"
#include "sip/transport.hpp"

namespace cw::host {

class PartyStream {
  public:
    // Of what receive() tells.
    enum class Event : std::uint8_t {
        Ready,   // the WebSocket is open; other streams are ready at once
        Message, // `text` is one, valid during the call
        Pong,    // the answer to a ping of ours
        Broken,  // it cannot be framed any more, `text` is the rest; the connection is closed next
    };

    // A connection with `remote` over `transport` that is open; as a WebSocket's client, who has
    // opened it, it asks for the upgrade.
    PartyStream(net::Loop& loop, net::Key key, sip::Transport transport, bool client,
                const Endpoint& remote);

    [[nodiscard]] bool is_ready_at_once() const { return websocket_ == nullptr; }
    // What has come: `tell(event, text)` for each thing in it. Pings are answered.
    template <class Tell>
    void receive(Bytes bytes, Tell tell) {
        if (websocket_ != nullptr) {
            websocket_->feed(bytes, [&](const net::WebSocket::Event& event) {
                using Kind = net::WebSocket::Event::Kind;
                if (event.kind == Kind::Open) {
                    tell(Event::Ready, std::string_view{});
                } else if (event.kind == Kind::Message) {
                    tell(Event::Message, event.text);
                } else if (event.kind == Kind::Pong) {
                    tell(Event::Pong, std::string_view{});
                }
            });
            finish_websocket_turn();
            return;
        }
        framed_->feed(bytes);
        for (auto item = framed_->next(); item.kind != MessageStream::Kind::None;
             item = framed_->next()) {
            if (item.kind == MessageStream::Kind::Message) {
                tell(Event::Message, item.text);
            } else if (item.kind == MessageStream::Kind::Ping) {
                loop_.send(key_, "\r\n"); // [RFC 5626 §4.4.1]
            } else if (item.kind == MessageStream::Kind::Pong) {
                tell(Event::Pong, std::string_view{});
            } else if (item.kind == MessageStream::Kind::Broken) {
                tell(Event::Broken, item.text);
                loop_.close(key_, item.error.what);
                return;
            }
        }
    }
    void send(std::string_view message);
    // A keep-alive: a double CRLF [RFC 5626 §4.4.1], on a WebSocket its Ping.
    void ping();

  private:
    void finish_websocket_turn();
    void send_output();

    net::Loop& loop_;
    net::Key key_;
    std::unique_ptr<MessageStream> framed_;
    std::unique_ptr<net::WebSocket> websocket_; // or this one
};

} // namespace cw::host
