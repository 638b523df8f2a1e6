#include "host/stage/party_stream.hpp"

#include <algorithm>

#include <openssl/rand.h>

#include "sip/policy.hpp"

namespace cw::host {
namespace {

constexpr sip::Policy framing_policy = sip::Policy::tolerant();

std::uint32_t random_mask() {
    std::uint32_t mask = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&mask), sizeof mask);
    return mask;
}

} // namespace

PartyStream::PartyStream(net::Loop& loop, net::Key key, sip::Transport transport, bool client,
                         const Endpoint& remote)
    : loop_(loop), key_(key) {
    if (transport != sip::Transport::Ws && transport != sip::Transport::Wss) {
        framed_ = std::make_unique<MessageStream>(framing_policy);
        return;
    }
    using Role = net::WebSocket::Role;
    websocket_ = std::make_unique<net::WebSocket>(client ? Role::Client : Role::Server, "sip",
                                                  net::WebSocketLimits{}, random_mask);
    if (client) {
        unsigned char nonce[16];
        RAND_bytes(nonce, sizeof nonce);
        net::UpgradeWish wish;
        wish.host = to_string(remote);
        std::copy(std::begin(nonce), std::end(nonce), wish.nonce.begin());
        websocket_->request(wish);
        send_output();
    }
}

void PartyStream::send(std::string_view message) {
    if (websocket_ != nullptr) {
        websocket_->send(message);
        send_output();
    } else {
        loop_.send(key_, message);
    }
}

void PartyStream::ping() {
    if (websocket_ != nullptr) {
        websocket_->ping("");
        send_output();
    } else {
        framed_->expect_pong();
        loop_.send(key_, "\r\n\r\n");
    }
}

void PartyStream::finish_websocket_turn() {
    if (!websocket_->output().empty()) {
        send_output();
    }
    if (websocket_->done()) {
        loop_.close(key_, "the WebSocket has ended");
    }
}

void PartyStream::send_output() {
    loop_.send(key_, websocket_->output());
    websocket_->output().clear();
}

} // namespace cw::host
