// What the server wants done, and telling it how that went.
#include <algorithm>
#include <utility>

#include "host/shard.hpp"

namespace cw::host {

// One mutation, then drain, then the next: perform() never calls the server.
void Shard::settle() {
    perform();
    for (std::size_t i = 0; i < answers_.size(); ++i) { // tell() may append
        tell(Answer{std::move(answers_[i])});
        perform();
    }
    answers_.clear();
}

void Shard::tell(const Answer& answer) {
    switch (answer.kind) {
    case Answer::Kind::Resolved:
        server_.on_resolved(answer.token, answer.hops, now_, requests_);
        break;
    case Answer::Kind::Sent:
        server_.on_sent(answer.token, answer.wire, now_, requests_);
        break;
    case Answer::Kind::Unsent:
        server_.on_unsent(answer.token, answer.reason, now_, requests_);
        break;
    case Answer::Kind::Closed:
        server_.on_wire_closed(answer.wire, now_, requests_);
        break;
    }
}

void Shard::perform() {
    for (const auto& send_this : requests_.outbox.sends()) {
        const auto bytes = requests_.outbox.bytes(send_this);
        // Also what is said while changes wait: it may be the answer to them, repeated.
        if (requests_.location.empty() && changes_.empty()) {
            send(send_this.wire, bytes);
        } else {
            held_.send(send_this.wire, bytes);
        }
    }
    for (auto& change : requests_.location) {
        changes_.push_back(std::move(change));
    }
    for (const auto& question : requests_.resolve) {
        resolver_.resolve(question);
    }
    for (auto& request : requests_.send_to) {
        send_to(std::move(request));
    }
    for (const auto& wire : requests_.close) {
        if (wire.shard == number_) {
            loop_.close(key_of(wire), "closed by the server");
        } else if (wire.shard < parcels_.size()) {
            parcels_[wire.shard].close.push_back(wire);
        }
    }
    for (const auto& line : requests_.log) {
        log_->line(line.level, line.what, line.fields);
    }
    requests_.clear();
}

void Shard::send(const transaction::Wire& wire, std::string_view bytes) {
    if (wire.transport == sip::Transport::Udp) { // every shard has the same sockets
        ++counters_.messages_out;
        send_datagram(wire.connection, wire.remote, bytes);
        return;
    }
    if (wire.shard != number_) {
        if (wire.shard < parcels_.size()) {
            ++counters_.handed_over;
            parcels_[wire.shard].sends.push_back({wire, std::string{bytes}, {}});
        }
        return;
    }
    if (const auto* peer = find_peer(key_of(wire)); peer != nullptr) {
        ++counters_.messages_out;
        send_bytes(*peer, bytes);
    } else {
        answers_.push_back({Answer::Kind::Closed, 0, wire, {}, {}});
    }
}

void Shard::unsent(std::uint64_t token, std::string reason) {
    if (token == 0) { // nobody wants to know
        return;
    }
    answers_.push_back({Answer::Kind::Unsent, token, {}, std::move(reason), {}});
}

// On a WebSocket, together with what it has to say itself.
void Shard::send_bytes(const Peer& peer, std::string_view bytes) {
    if (peer.websocket == nullptr) {
        loop_.send(key_of(peer.wire), bytes);
        return;
    }
    if (!bytes.empty()) {
        peer.websocket->send(bytes);
    }
    loop_.send(key_of(peer.wire), peer.websocket->output());
    peer.websocket->output().clear();
}

void Shard::send_datagram(std::uint32_t socket, const Endpoint& to, std::string_view bytes) {
    loop_.send_datagram(socket, to, bytes);
    if (trace_ != nullptr) {
        trace_->datagram(sockets_[socket].at, to, as_bytes(bytes));
    }
}

void Shard::sent(std::uint64_t token, const transaction::Wire& wire) {
    if (token != 0) {
        answers_.push_back({Answer::Kind::Sent, token, wire, {}, {}});
    }
}

void Shard::resolved(std::uint64_t token, std::vector<server::Hop> hops) {
    answers_.push_back({Answer::Kind::Resolved, token, {}, {}, std::move(hops)});
}

// ---- to a hop

void Shard::send_to(server::SendTo request) {
    switch (request.hop.transport) {
    case sip::Transport::Udp:
        send_datagram_to(request);
        return;
    case sip::Transport::Tcp:
    case sip::Transport::Tls:
        break;
    case sip::Transport::Ws:
    case sip::Transport::Wss:
        unsent(request.token, "a WebSocket is opened by its client");
        return;
    case sip::Transport::Sctp:
    case sip::Transport::Hep:
        unsent(request.token, "a transport that this server does not speak");
        return;
    }
    const auto open = dialings_.open_to(request.hop);
    if (const auto* peer = open ? find_peer(*open) : nullptr; peer != nullptr) {
        send(peer->wire, request.bytes);
        sent(request.token, peer->wire);
        return;
    }
    dial(std::move(request));
}

// From a socket of the same family, and not from loopback to the outside.
void Shard::send_datagram_to(const server::SendTo& request) {
    const auto& to = request.hop.endpoint;
    for (const auto number : datagram_sockets_) {
        const auto& at = sockets_[number].at;
        if (at.address.is_v4() == to.address.is_v4() &&
            (at.address.is_unspecified() || at.address.is_loopback() == to.address.is_loopback())) {
            const transaction::Wire wire{sip::Transport::Udp, number_, number, 0, at, to};
            send(wire, request.bytes);
            sent(request.token, wire);
            return;
        }
    }
    unsent(request.token, "no UDP listener for this address");
}

void Shard::dial(server::SendTo request) {
    if (auto* dialing = dialings_.on_its_way(request.hop)) {
        if (dialing->waiting.size() >= Dialings::most_waiting) {
            unsent(request.token, "too much waits for this connection");
            return;
        }
        dialing->waiting.push_back({request.token, std::move(request.bytes)});
        return;
    }
    const net::TlsContext* context = nullptr;
    if (request.hop.transport == sip::Transport::Tls) {
        context = tls_->towards(request.hop.domain);
        if (context == nullptr) {
            unsent(request.token, "no TLS towards others is configured");
            return;
        }
    }
    const auto key = loop_.connect(request.hop.endpoint, context, request.hop.domain);
    Dialing dialing{std::move(request.hop), {}};
    dialing.waiting.push_back({request.token, std::move(request.bytes)});
    dialings_.begin(key, std::move(dialing));
}

// [RFC 5922 §7.2, RFC 3261 §26.3.2.1] Nothing is sent before the peer has proved that it speaks for
// the domain we wanted to reach.
void Shard::dialed(net::Key key, Dialing dialing, const net::ConnectionInfo& info) {
    std::string why;
    auto& peer = make_peer(key, info, dialing.hop.transport);
    auto proved = dialing.hop.domain;
    if (info.ssl != nullptr) {
        if (peer.identity == nullptr) {
            why = "its certificate cannot be accepted";
        } else {
            const auto judge = [&](const std::string& name) {
                return crypto::judge_name(*peer.identity, name, tls_->policy.wildcards);
            };
            auto verdict = judge(proved);
            if (!verdict.accepted() && !dialing.hop.identity.empty()) {
                proved = dialing.hop.identity;
                verdict = judge(proved);
            }
            why = verdict.accepted() ? "" : std::move(verdict.why);
        }
    }
    if (!why.empty()) {
        log_->line(LogLevel::Warning, "wrong_peer",
                   field("remote", to_string(info.remote)) + field("domain", dialing.hop.domain) +
                       field("reason", why));
        for (auto& waiting : dialing.waiting) {
            unsent(waiting.token, why);
        }
        loop_.close(key, why);
        settle();
        return;
    }
    dialings_.opened(key, dialing.hop.transport, dialing.hop.endpoint, proved);
    for (auto& waiting : dialing.waiting) {
        send(peer.wire, waiting.bytes);
        sent(waiting.token, peer.wire);
    }
    settle();
}

// ---- once a turn

void Shard::commit() {
    std::vector<store::LocationRow> rows;
    rows.reserve(changes_.size());
    for (const auto& change : changes_) {
        rows.push_back({change.aor, change.key, change.expires_ns, change.data});
    }
    // Posted while the store is still ours: so all shards hear of changes in the order of the disk.
    const auto tell_others = [this] {
        if (all_.size() < 2) {
            return;
        }
        const auto changes =
            std::make_shared<const std::vector<server::LocationChange>>(std::move(changes_));
        for (auto* other : all_) {
            if (other != this) {
                other->post([other, changes] {
                    for (const auto& change : *changes) {
                        other->server_.on_location(change, net::Loop::now());
                    }
                });
            }
        }
    };
    ++counters_.commits;
    if (const auto stored = store_(rows, tell_others); !stored) {
        ++counters_.commits_failed;
        log_->line(LogLevel::Error, "location_not_stored", field("reason", stored.error()));
        refuse_unsaved();
    }
    for (const auto& held : held_.sends()) {
        send(held.wire, held_.bytes(held));
    }
    held_.clear();
    changes_.clear();
}

// A binding that is not on disk was not made: its 200 becomes a 500, and the phone tries again.
void Shard::refuse_unsaved() {
    constexpr std::string_view good = "SIP/2.0 200 ";
    transaction::Outbox refused;
    for (const auto& held : held_.sends()) {
        const auto bytes = held_.bytes(held);
        if (bytes.starts_with(good)) {
            const auto rest = bytes.substr(std::min(bytes.find('\r'), bytes.size()));
            const auto refusal = std::string{"SIP/2.0 500 Binding Not Stored"}.append(rest);
            server_.on_unsaved(bytes, refusal);
            refused.send(held.wire, refusal);
        } else {
            refused.send(held.wire, bytes);
        }
    }
    held_ = std::move(refused);
}

void Shard::post_parcels() {
    for (std::size_t i = 0; i < parcels_.size(); ++i) {
        if (parcels_[i].empty()) {
            continue;
        }
        const auto parcel = std::make_shared<Parcel>(std::exchange(parcels_[i], {}));
        if (!all_[i]->post(
                [other = all_[i], parcel, from = number_] { other->take(*parcel, from); })) {
            log_->line(LogLevel::Warning, "shard_overloaded", field("shard", std::to_string(i)));
        }
    }
}

void Shard::take(const Parcel& parcel, std::uint8_t from) {
    now_ = net::Loop::now();
    for (const auto& wire : parcel.close) {
        loop_.close(key_of(wire), "closed by the server");
    }
    for (const auto& piece : parcel.sends) {
        if (find_peer(key_of(piece.wire)) != nullptr) {
            send(piece.wire, piece.bytes);
        } else {
            parcels_[from].closed.push_back(piece.wire);
        }
    }
    for (const auto& piece : parcel.arrivals) {
        if (const auto parsed = sip::parse(piece.bytes, index_)) {
            server_.on_message({*parsed, piece.wire, piece.domains}, now_, requests_);
            settle();
        }
    }
    for (const auto& piece : parcel.undelivered) {
        server_.on_undelivered(piece.bytes, piece.wire.remote, now_, requests_);
        settle();
    }
    for (const auto& wire : parcel.closed) {
        server_.on_wire_closed(wire, now_, requests_);
        settle();
    }
}

} // namespace cw::host
