#include "host/stage/stage.hpp"

#include <algorithm>

#include <openssl/ssl.h>

namespace cw::host {

using script::Control;
using sip::Transport;

void Stage::on_open(net::Key key, const net::ConnectionInfo& info) {
    now_ = net::Loop::now();
    if (peers_.size() <= key.index) {
        peers_.resize(key.index + 1);
    }
    auto& peer = peers_[key.index];
    peer = {};
    Transport transport = Transport::Tcp;
    const Asked* asked = nullptr;
    if (info.incoming) {
        peer.party = listeners_[info.listener].party;
        transport = listeners_[info.listener].transport;
        if (absent_[peer.party]) {
            loop_->close(key, "its party is not there");
            return;
        }
    } else {
        const auto at = std::ranges::find(asked_, key, &Asked::key);
        if (at == asked_.end()) {
            return;
        }
        asked = &*at;
        own_ends_.push_back(info.local);
        peer.party = asked->what.from;
        peer.token = asked->what.token;
        transport = asked->what.transport;
    }
    peer.wire = {transport, 0, key.index, key.generation, info.local, info.remote};
    if (info.ssl != nullptr) {
        const auto why = asked == nullptr ? judge_client(info.ssl, cast_)
                         : wardrobe_->trusts_anyone(asked->what.from)
                             ? std::string{}
                             : judge_server(info.ssl, asked->what.handshake.server_name);
        if (!why.empty()) {
            loop_->close(key, why);
            if (asked != nullptr) {
                performance_->on_refused(peer.token, why, handshake_facts(info.ssl), now_);
            } else {
                performance_->on_not_accepted(peer.party, transport, info.remote, why,
                                              handshake_facts(info.ssl), now_);
            }
            drain();
            return;
        }
    }
    peer.open = true;
    peer.stream =
        std::make_unique<PartyStream>(*loop_, key, transport, asked != nullptr, info.remote);
    if (!peer.stream->is_ready_at_once()) {
        return;
    }
    opened(key, peer);
    drain();
}

net::TlsSession Stage::session_for(const play::Connect& asked) const {
    const int version = asked.handshake.version == 0 ? 0 : 0x0301 + asked.handshake.version % 10;
    const auto fits = [&](const SSL_SESSION* session) {
        return session != nullptr && SSL_SESSION_is_resumable(session) == 1 &&
               (version == 0 || SSL_SESSION_get_protocol_version(session) == version);
    };
    for (auto i = asked_.size(); i-- > 0;) {
        const auto& other = asked_[i].what;
        if (other.from != asked.from || other.to != asked.to) {
            continue;
        }
        auto* ssl = loop_->is_open(asked_[i].key) ? loop_->tls(asked_[i].key) : nullptr;
        if (ssl != nullptr && fits(SSL_get0_session(ssl))) {
            return net::TlsSession{SSL_get1_session(ssl)};
        }
    }
    for (auto i = sessions_.size(); i-- > 0;) {
        const auto& kept = sessions_[i];
        if (kept.from == asked.from && kept.to == asked.to && fits(kept.session.get())) {
            SSL_SESSION_up_ref(kept.session.get());
            return net::TlsSession{kept.session.get()};
        }
    }
    return nullptr;
}

void Stage::opened(net::Key key, const Peer& peer) {
    const auto facts = handshake_facts(loop_->tls(key));
    const auto wire = peer.wire;
    if (peer.token == 0) {
        performance_->on_accepted(peer.party, wire, facts, now_);
    } else {
        performance_->on_connected(peer.token, wire, facts, now_);
    }
}

std::optional<Endpoint> Stage::local_of(net::Key key) const {
    const auto* ssl = loop_->tls(key);
    const int fd = ssl != nullptr ? SSL_get_fd(ssl) : -1;
    return fd >= 0 ? std::optional{net::local_endpoint(fd)} : std::nullopt;
}

bool Stage::is_own_end(const Endpoint& remote) {
    for (const auto& asked : asked_) {
        if (const auto own = local_of(asked.key)) {
            own_ends_.push_back(*own);
        }
    }
    return std::ranges::find(own_ends_, remote) != own_ends_.end();
}

void Stage::on_embedded_reached(script::PartyId server, const Reached& reached) {
    if (performance_ == nullptr || is_own_end(reached.remote)) {
        return;
    }
    now_ = net::Loop::now();
    performance_->on_embedded_reached(server, reached.transport, reached.open, reached.why, now_);
    drain();
}

// A handshake with one of ours that somebody else began. Whoever is one of us is told by his own
// end of it, and whoever connects and says nothing has not begun one.
void Stage::not_accepted(net::Key key, const Endpoint& remote, std::string_view why) {
    const auto local = local_of(key);
    const auto facts = handshake_facts(loop_->tls(key));
    const auto at = std::ranges::find_if(
        listeners_, [&](const Listening& one) { return local && one.at == *local; });
    const auto* ssl = loop_->tls(key);
    const bool begun = facts.alert >= 0 || (ssl != nullptr && SSL_get_state(ssl) != TLS_ST_BEFORE);
    if (at != listeners_.end() && begun && !is_own_end(remote)) {
        performance_->on_not_accepted(at->party, at->transport, remote, why, facts, now_);
        drain();
    }
}

void Stage::on_failed(net::Key key, const Endpoint& remote, bool incoming, std::string_view why) {
    now_ = net::Loop::now();
    if (const auto own = incoming ? std::nullopt : local_of(key)) {
        own_ends_.push_back(*own);
    }
    if (incoming) {
        not_accepted(key, remote, why);
        return;
    }
    const auto at = std::ranges::find(asked_, key, &Asked::key);
    if (at != asked_.end()) {
        const auto token = at->what.token;
        performance_->on_refused(token, why, handshake_facts(loop_->tls(key)), now_);
        drain();
    }
}

void Stage::on_closed(net::Key key, std::string_view why) {
    now_ = net::Loop::now();
    auto* peer = find(key);
    if (peer == nullptr) {
        return;
    }
    peer->open = false;
    const auto wire = peer->wire;
    const auto asked = std::ranges::find(asked_, key, &Asked::key);
    if (auto* ssl = loop_->tls(key); ssl != nullptr && asked != asked_.end()) {
        sessions_.push_back(
            {asked->what.from, asked->what.to, net::TlsSession{SSL_get1_session(ssl)}});
    }
    performance_->on_closed(wire, why, handshake_facts(loop_->tls(key)), now_);
    drain();
}

void Stage::on_bytes(net::Key key, Bytes bytes) {
    now_ = net::Loop::now();
    auto* peer = find(key);
    if (peer == nullptr) {
        return;
    }
    peer->stream->receive(bytes, [&](PartyStream::Event event, std::string_view text) {
        if (event == PartyStream::Event::Ready) {
            opened(key, *peer);
        } else if (event != PartyStream::Event::Pong) {
            performance_->on_message(peer->party, peer->wire, text, now_);
        }
    });
    drain();
}

} // namespace cw::host
