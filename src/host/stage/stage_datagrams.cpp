#include "host/stage/stage.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "rtp/packet.hpp"

namespace cw::host {

using script::Control;
using script::PartyId;
using sip::Transport;

void Stage::on_datagram(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    now_ = net::Loop::now();
    if (socket >= first_media_socket) {
        const auto number = socket - first_media_socket;
        if (rtp::demultiplex(bytes) == rtp::Kind::Dtls) {
            dtls_datagram(number, bytes);
            drain();
            return;
        }
        if (tap_ != nullptr &&
            std::ranges::none_of(media_at_, [&](const auto& m) { return m.second == remote; })) {
            tap_->datagram(remote, media_at_[number], bytes);
        }
        performance_->on_media(number, remote, bytes, now_);
    } else {
        const auto party = static_cast<PartyId>(socket % first_second_socket);
        const auto local = local_of_socket(socket);
        const auto from = cast_.find(remote);
        if (tap_ != nullptr && (!from || cast_.members[*from].control != Control::Played)) {
            tap_->datagram(remote, local, bytes);
        }
        const auto text = as_text(bytes);
        if (text.find_first_not_of("\r\n") != std::string_view::npos) {
            performance_->on_message(party, {Transport::Udp, 0, socket, 0, local, remote}, text,
                                     now_);
        }
    }
    drain();
}

Endpoint Stage::local_of_socket(std::uint32_t socket) const {
    const auto& member = cast_.members[socket % first_second_socket];
    const auto& at = socket < first_second_socket ? member.at : member.at6;
    return at[static_cast<std::size_t>(Transport::Udp)].value_or(Endpoint{});
}

void Stage::on_undelivered(std::uint32_t socket, const Endpoint& remote, Bytes bytes) {
    now_ = net::Loop::now();
    if (socket < first_media_socket) { // media that nobody wants is for the ear to find out
        performance_->on_undelivered(static_cast<PartyId>(socket % first_second_socket), remote,
                                     as_text(bytes), now_);
        drain();
    }
}

// ---- DTLS on media sockets

void Stage::start_dtls(const play::DtlsStart& asked) {
    net::DtlsSettings settings;
    settings.client = asked.client;
    settings.peer_fingerprint = asked.peer_fingerprint;
    settings.key_log = dtls_key_log_;
    auto made = net::Dtls::make(dtls_identity_, settings);
    if (!made) {
        play::DtlsKeys keys;
        keys.failure = made.error();
        performance_->on_dtls(asked.socket, keys, now_);
        return;
    }
    const auto [at, fresh] =
        handshakes_.insert_or_assign(asked.socket, Handshake{std::move(*made), asked.to, false});
    at->second.dtls.start(now_);
    for (const auto& bytes : early_[asked.socket]) {
        at->second.dtls.receive(as_bytes(std::string_view{bytes}), now_);
    }
    early_.erase(asked.socket);
    step_dtls(asked.socket);
}

void Stage::dtls_datagram(std::uint32_t socket, Bytes bytes) {
    constexpr std::size_t most_early = 8; // datagrams
    const auto at = handshakes_.find(socket);
    if (at == handshakes_.end()) {
        // The other side begins while the answer is still on its way to us.
        auto& kept = early_[socket];
        if (kept.size() < most_early) {
            kept.emplace_back(as_text(bytes));
        }
        return;
    }
    at->second.dtls.receive(bytes, now_);
    step_dtls(socket);
}

void Stage::step_dtls(std::uint32_t socket) {
    auto& handshake = handshakes_.at(socket);
    for (const auto& datagram : handshake.dtls.take()) {
        const Bytes bytes{datagram};
        if (tap_ != nullptr) {
            tap_->datagram(media_at_[socket], handshake.to, bytes);
        }
        loop_->send_datagram(first_media_socket + socket, handshake.to, as_text(bytes));
    }
    if (handshake.told) {
        return;
    }
    play::DtlsKeys keys;
    if (const auto made = handshake.dtls.keys()) {
        keys.profile = made->profile;
        keys.send = made->send;
        keys.receive = made->receive;
    } else if (handshake.dtls.state() == net::Dtls::State::Failed) {
        keys.failure = "DTLS: " + handshake.dtls.why();
    } else {
        return;
    }
    handshake.told = true;
    performance_->on_dtls(socket, keys, now_);
}

} // namespace cw::host
