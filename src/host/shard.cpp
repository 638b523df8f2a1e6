#include "host/shard.hpp"

#include <utility>

#include <openssl/ssl.h>

#include "base/text.hpp"
#include "host/stun.hpp"
#include "sip/params.hpp"
#include "sip/policy.hpp"
#include "sip/via.hpp"

namespace cw::host {
namespace {

constexpr sip::Policy policy = sip::Policy::strict();
constexpr int slack = 8; // a deadline is moved only when an eighth of its time has gone

} // namespace

Shard::Shard(Setup setup)
    : number_(setup.identity.shard), limits_(setup.limits), tls_(std::move(setup.tls)),
      store_(std::move(setup.store)), log_(setup.log),
      trace_(setup.trace != nullptr ? std::make_unique<Trace>(*setup.trace) : nullptr),
      on_reached_(std::move(setup.on_reached)), loop_(*this, setup.limits.net),
      server_(std::move(setup.settings), std::move(setup.identity)),
      resolver_(loop_, setup.abilities, setup.dns_servers, std::move(setup.fixed_places),
                [this](std::uint64_t token, std::vector<server::Hop> hops) {
                    resolved(token, std::move(hops));
                }),
      now_(net::Loop::now()) {
    loop_.set_tap(trace_.get());
}

Shard::~Shard() = default;

void Shard::add(ListeningSocket socket) {
    const auto transport = socket.listener.transport;
    if (sockets_.size() <= socket.number) {
        sockets_.resize(socket.number + 1);
    }
    sockets_[socket.number] = std::move(socket.listener);
    if (transport == sip::Transport::Udp) {
        datagram_sockets_.push_back(socket.number);
        loop_.receive(std::move(socket.fd), socket.number);
    } else {
        loop_.listen(std::move(socket.fd), socket.number,
                     sip::is_secure(transport) ? tls_->server : nullptr);
    }
}

void Shard::meet(std::vector<Shard*> all) {
    all_ = std::move(all);
    parcels_.resize(all_.size());
}

void Shard::restore(const server::LocationChange& change) {
    server_.on_location(change, now_);
}

void Shard::close_all() {
    resolver_.close();
    loop_.close_all();
}

void Shard::stop() {
    post([this] {
        for (const auto& peer : peers_) {
            if (peer.open) {
                loop_.close(key_of(peer.wire), "the server stops");
            }
        }
        loop_.stop();
    });
}

void Shard::reload(std::shared_ptr<const server::Settings> settings,
                   std::shared_ptr<const TlsSet> tls,
                   std::shared_ptr<const FixedPlaces> fixed_places) {
    server_.set_settings(std::move(settings));
    resolver_.set_fixed(std::move(fixed_places));
    tls_ = std::move(tls);
    for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
        if (sip::is_secure(sockets_[i].transport)) {
            loop_.set_tls(i, tls_->server);
        }
    }
}

void Shard::drain() {
    loop_.stop_listening();
    server_.drain();
}

TransportCounters Shard::transport_counters() const {
    auto counters = counters_;
    counters.connections_now = loop_.connections();
    return counters;
}

// ---- what comes

void Shard::on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    now_ = net::Loop::now();
    if (trace_ != nullptr) {
        trace_->datagram(remote, sockets_[socket].at, bytes);
    }
    const auto text = as_text(bytes);
    if (text.find_first_not_of("\r\n") == std::string_view::npos) {
        ++counters_.pings; // a keep-alive of the old kind, which UDP does not answer
        return;
    }
    if (looks_like_stun(bytes)) {
        ++counters_.pings;
        if (const auto answer = stun_answer(bytes, remote); !answer.empty()) {
            send_datagram(socket, remote, answer);
        }
        return;
    }
    message(text, {sip::Transport::Udp, number_, socket, 0, sockets_[socket].at, remote}, nullptr);
}

// Sockets of all shards have one address: the kernel tells any of them.
void Shard::on_undelivered(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    now_ = net::Loop::now();
    const auto text = as_text(bytes);
    const auto shard = server::Server::sent_by(text);
    if (shard == number_) {
        server_.on_undelivered(text, remote, now_, requests_);
        settle();
    } else if (shard < parcels_.size()) {
        parcels_[shard].undelivered.push_back(
            {{sip::Transport::Udp, shard, socket, 0, sockets_[socket].at, remote},
             std::string{text},
             {}});
    }
}

Peer* Shard::find_peer(net::Key key) {
    if (key.index >= peers_.size()) {
        return nullptr;
    }
    auto& peer = peers_[key.index];
    return peer.open && peer.wire.generation == key.generation ? &peer : nullptr;
}

Peer& Shard::make_peer(net::Key key, const net::ConnectionInfo& info, sip::Transport transport) {
    if (peers_.size() <= key.index) {
        peers_.resize(key.index + 1);
    }
    auto& peer = peers_[key.index];
    peer = {};
    peer.open = true;
    peer.incoming = info.incoming;
    peer.wire = {transport, number_, key.index, key.generation, info.local, info.remote};
    if (transport == sip::Transport::Ws || transport == sip::Transport::Wss) {
        peer.websocket = std::make_unique<net::WebSocket>(net::WebSocket::Role::Server, "sip",
                                                          net::WebSocketLimits{});
    } else {
        peer.stream = std::make_unique<MessageStream>(policy);
    }
    ++counters_.connections;
    std::string why;
    peer.identity = verified_identity(
        info.ssl, info.incoming ? crypto::Role::Client : crypto::Role::Server, tls_->policy, why);
    if (!why.empty()) {
        log_->line(LogLevel::Info, "certificate_not_accepted",
                   field("remote", to_string(info.remote)) + field("reason", why));
    }
    keep_alive_until(key, peer);
    return peer;
}

void Shard::on_open(net::Key key, const net::ConnectionInfo& info) {
    now_ = net::Loop::now();
    if (auto dialing = dialings_.end(key)) {
        dialed(key, std::move(*dialing), info);
        return;
    }
    const auto transport = sockets_[info.listener].transport;
    make_peer(key, info, transport);
    if (on_reached_ && info.incoming) {
        on_reached_({transport, info.remote, true, ""});
    }
}

void Shard::on_bytes(net::Key key, Bytes bytes) {
    auto* peer = find_peer(key);
    if (peer == nullptr) {
        return;
    }
    now_ = net::Loop::now();
    keep_alive_until(key, *peer);
    if (peer->websocket != nullptr) {
        websocket_bytes(key, *peer, bytes);
    } else {
        stream_bytes(key, *peer, bytes);
    }
}

// [RFC 7118 §5] A message a WebSocket message.
void Shard::websocket_bytes(net::Key key, Peer& peer, Bytes bytes) {
    using Kind = net::WebSocket::Event::Kind;
    const auto wire = peer.wire;
    peer.websocket->feed(bytes, [&](const net::WebSocket::Event& event) {
        if (event.kind == Kind::Message) {
            message(event.text, wire, &peer);
        } else if (event.kind == Kind::Closed || event.kind == Kind::Failed) {
            send_bytes(peer, {});
            loop_.close(key, event.kind == Kind::Failed ? event.text : "closed by its client");
        }
    });
    send_bytes(peer, {}); // what it answers by itself: the upgrade, pongs
}

void Shard::stream_bytes(net::Key key, Peer& peer, Bytes bytes) {
    auto& stream = *peer.stream;
    const auto wire = peer.wire;
    stream.feed(bytes);
    for (;;) {
        const auto item = stream.next();
        switch (item.kind) {
        case MessageStream::Kind::None:
            limit_unfinished(key, peer);
            return;
        case MessageStream::Kind::Message:
            peer.unfinished = false;
            message(item.text, wire, &peer);
            break;
        case MessageStream::Kind::Ping:
            ++counters_.pings;
            loop_.send(key, "\r\n"); // [RFC 5626 §4.4.1]
            break;
        case MessageStream::Kind::Pong:
            break;
        case MessageStream::Kind::Broken:
            server_.on_malformed(item.text, wire, item.error, now_, requests_);
            settle();
            if (!changes_.empty()) {
                commit(); // what it is to be told of its binding goes out before the end
            }
            loop_.close(key, item.error.what);
            return;
        }
        if (!loop_.is_open(key)) {
            return;
        }
    }
}

void Shard::message(std::string_view text, const transaction::Wire& wire, const Peer* peer) {
    ++counters_.messages_in;
    const auto parsed = sip::parse(text, index_, policy);
    if (!parsed) {
        server_.on_malformed(text, wire, parsed.error(), now_, requests_);
        settle();
        return;
    }
    if (!parsed->is_request() && hand_over(*parsed, wire, peer)) {
        return;
    }
    if (parsed->is_request() && peer != nullptr && peer->identity != nullptr) {
        note_alias(*parsed, *peer);
    }
    server_.on_message(
        {*parsed, wire, peer != nullptr ? peer->domains() : std::span<const std::string>{}}, now_,
        requests_);
    settle();
}

// The branch of our Via says which shard sent the request.
bool Shard::hand_over(const sip::MessageView& response, const transaction::Wire& wire,
                      const Peer* peer) {
    if (all_.size() < 2) {
        return false;
    }
    const auto via = sip::parse_via(response.value(sip::HeaderId::Via));
    if (!via) {
        return false;
    }
    const auto shard = server::Server::shard_of_branch(via->branch);
    if (shard == number_ || shard >= all_.size()) {
        return false;
    }
    ++counters_.handed_over;
    const auto domains = peer != nullptr ? peer->domains() : std::span<const std::string>{};
    parcels_[shard].arrivals.push_back(
        {wire, std::string{response.bytes()}, {domains.begin(), domains.end()}});
    return true;
}

// A peer that has proved its name and asks for it is reached on the connection that it opened, by
// the port that it says it listens on [RFC 5923 §8.2].
void Shard::note_alias(const sip::MessageView& message, const Peer& peer) {
    if (!peer.incoming) {
        return;
    }
    const auto via = sip::parse_via(message.value(sip::HeaderId::Via));
    if (!via || !sip::find_param(via->params, "alias")) {
        return;
    }
    const std::uint16_t port = via->port != 0 ? via->port : 5061;
    for (const auto& domain : peer.identity->domains) {
        dialings_.opened(key_of(peer.wire), peer.wire.transport, {peer.wire.remote.address, port},
                         domain);
    }
}

void Shard::limit_unfinished(net::Key key, Peer& peer) {
    const bool holds = peer.stream->held() > 0;
    if (holds && !peer.unfinished) {
        peer.deadline = now_ + limits_.unfinished;
        loop_.set_deadline(key, peer.deadline);
    }
    peer.unfinished = holds;
}

void Shard::keep_alive_until(net::Key key, Peer& peer) {
    if (peer.unfinished) {
        return;
    }
    const auto until = now_ + limits_.idle;
    if (!peer.deadline.known() || (until - peer.deadline).ns > limits_.idle.ns / slack) {
        peer.deadline = until;
        loop_.set_deadline(key, until);
    }
}

void Shard::on_closed(net::Key key, std::string_view why) {
    now_ = net::Loop::now();
    if (auto dialing = dialings_.end(key)) { // closed by us: it is not who it should be
        for (auto& waiting : dialing->waiting) {
            unsent(waiting.token, std::string{why});
        }
    }
    auto* peer = find_peer(key);
    if (peer == nullptr) {
        return;
    }
    if (log_->takes(LogLevel::Debug)) {
        log_->line(LogLevel::Debug, "closed",
                   field("remote", to_string(peer->wire.remote)) + field("reason", why));
    }
    const auto wire = peer->wire;
    dialings_.closed(key);
    peer->open = false;
    peer->stream.reset();
    peer->websocket.reset();
    peer->identity.reset();
    for (std::size_t i = 0; i < parcels_.size(); ++i) {
        if (i != number_) { // their transactions may use it
            parcels_[i].closed.push_back(wire);
        }
    }
    server_.on_wire_closed(wire, now_, requests_);
    settle();
}

void Shard::on_failed(net::Key key, const Endpoint& remote, bool incoming, std::string_view why) {
    now_ = net::Loop::now();
    ++counters_.connections_failed;
    log_->line(incoming ? LogLevel::Info : LogLevel::Warning, "connection_failed",
               field("remote", to_string(remote)) + field("incoming", incoming ? "yes" : "no") +
                   field("reason", why));
    // Whoever connects and says nothing has not begun a handshake.
    const auto* ssl = incoming ? loop_.tls(key) : nullptr;
    if (on_reached_ && ssl != nullptr && SSL_get_state(ssl) != TLS_ST_BEFORE) {
        on_reached_({sip::Transport::Tls, remote, false, std::string{why}});
    }
    if (auto dialing = dialings_.end(key)) {
        for (auto& waiting : dialing->waiting) {
            unsent(waiting.token, std::string{why});
        }
        settle();
    }
}

Instant Shard::next_deadline() {
    if (trace_ != nullptr) {
        trace_->flush(); // the turn has been written: the loop asks before it waits
    }
    return server_.next_deadline();
}

void Shard::on_turn(Instant now) {
    now_ = now;
    if (const auto due = server_.next_deadline(); due.known() && due <= now) {
        server_.advance(now, requests_);
    }
    settle();
    while (!changes_.empty()) {
        commit();
        settle(); // a wire may have gone meanwhile
    }
    post_parcels();
}

} // namespace cw::host
