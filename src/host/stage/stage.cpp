#include "host/stage/stage.hpp"

#include <unistd.h>

#include <utility>

#include "base/text.hpp"
#include "host/peer.hpp"

namespace cw::host {

using sip::Transport;

namespace {

constexpr Duration patience_for_late = milliseconds(150);
constexpr Duration patience_for_tickets = milliseconds(500);

} // namespace

Stage::Stage(script::Plan& plan, const play::Given& given, StageOptions options)
    : plan_(plan), given_(given), options_(std::move(options)),
      log_(STDERR_FILENO, LogLevel::Error) {}

// The servers tell the loop of what reaches them: they go first.
Stage::~Stage() {
    if (embedded_ != nullptr) {
        embedded_->stop();
    }
}

std::expected<std::unique_ptr<Stage>, std::string>
Stage::make(script::Plan& plan, const play::Given& given, StageOptions options) {
    std::unique_ptr<Stage> stage{new Stage(plan, given, std::move(options))};
    if (auto opened = stage->open(); !opened) {
        return std::unexpected{opened.error()};
    }
    return stage;
}

// ---- the performance

const play::Report& Stage::run() {
    performance_ = std::make_unique<play::Performance>(plan_, cast_, given_);
    loop_->post([this] {
        now_ = net::Loop::now();
        performance_->start(now_);
        drain();
    });
    loop_->run();
    embedded_->stop();
    if (tap_ != nullptr) {
        tap_->flush();
    }
    return performance_->report();
}

void Stage::interrupt() {
    loop_->post([this] {
        now_ = net::Loop::now();
        performance_->interrupt(now_);
        finish();
    });
}

Stage::Peer* Stage::find(net::Key key) {
    return key.index < peers_.size() && peers_[key.index].open &&
                   peers_[key.index].wire.generation == key.generation
               ? &peers_[key.index]
               : nullptr;
}

void Stage::on_turn(Instant now) {
    now_ = now;
    for (auto& [socket, handshake] : handshakes_) {
        const auto due = handshake.dtls.next_deadline(now);
        if (due.known() && due <= now) {
            handshake.dtls.advance(now);
            step_dtls(socket);
        }
    }
    dial_postponed();
    const auto deadline = performance_ != nullptr ? performance_->next_deadline() : Instant{};
    if (deadline.known() && deadline <= now) {
        performance_->advance(now);
        drain();
    }
    finish();
    if (tap_ != nullptr) {
        tap_->flush();
    }
}

Instant Stage::next_deadline() {
    if (leave_at_.known()) {
        return leave_at_;
    }
    auto out = performance_ != nullptr ? performance_->next_deadline() : Instant{};
    for (const auto& [socket, handshake] : handshakes_) {
        const auto due = handshake.dtls.next_deadline(now_);
        out = due.known() && (!out.known() || due < out) ? due : out;
    }
    for (const auto& one : postponed_) {
        out = !out.known() || one.until < out ? one.until : out;
    }
    return out;
}

// What comes late is still looked at for a moment; then everybody goes.
void Stage::finish() {
    if (performance_ == nullptr || !performance_->over()) {
        return;
    }
    if (!leave_at_.known()) {
        leave_at_ = now_ + (performance_->report().passed() ? patience_for_late : milliseconds(10));
    }
    if (leave_at_ <= now_ && !closing_) {
        closing_ = true;
        for (const auto& peer : peers_) {
            if (peer.open) {
                loop_->close(key_of(peer.wire), "the flow is over");
            }
        }
        loop_->post([this] { loop_->stop(); });
    }
}

// ---- what is to be done

void Stage::drain() {
    auto& outbox = performance_->outbox();
    auto& wants = performance_->wants();
    while (!outbox.empty() || !wants.empty()) {
        for (const auto& one : outbox.sends()) {
            send(one.wire, outbox.bytes(one));
        }
        outbox.clear();
        const auto todo = std::move(wants);
        wants.clear();
        for (const auto& one : todo.connects) {
            connect(one);
        }
        for (const auto& wire : todo.closes) {
            loop_->close(key_of(wire), "the flow closes it");
        }
        for (const auto party : todo.opens) {
            absent_[party] = false;
        }
        for (const auto party : todo.deaths) {
            absent_[party] = true;
            for (const auto& peer : peers_) {
                if (peer.open && peer.party == party) {
                    loop_->close(key_of(peer.wire), "its party has been destroyed");
                }
            }
        }
        for (const auto& one : todo.dtls) {
            start_dtls(one);
        }
        for (const auto& packet : todo.media) {
            if (tap_ != nullptr) {
                tap_->datagram(media_at_[packet.socket], packet.to,
                               as_bytes(std::string_view{packet.bytes}));
            }
            loop_->send_datagram(first_media_socket + packet.socket, packet.to, packet.bytes);
        }
    }
    if (options_.on_progress) {
        options_.on_progress(*performance_);
    }
}

void Stage::connect(const play::Connect& asked) {
    if (!asked.handshake.resume || !sip::is_secure(asked.transport)) {
        dial(asked, nullptr);
    } else if (const auto session = session_for(asked)) {
        dial(asked, session.get());
    } else {
        postponed_.push_back({asked, now_ + patience_for_tickets});
    }
}

void Stage::dial_postponed() {
    const auto waiting = std::exchange(postponed_, {});
    for (const auto& one : waiting) {
        const auto session = session_for(one.what);
        if (session != nullptr || one.until <= now_) {
            dial(one.what, session.get());
        } else {
            postponed_.push_back(one);
        }
    }
}

void Stage::dial(const play::Connect& asked, SSL_SESSION* session) {
    auto at = asked.at;
    std::shared_ptr<const net::TlsContext> tls;
    if (sip::is_secure(asked.transport)) {
        auto made = wardrobe_->client(asked.from, asked.handshake);
        if (!made) {
            performance_->on_refused(asked.token, made.error(), {}, now_);
            return;
        }
        tls = *made;
        auto handshake = asked.handshake;
        for (auto i = asked_.size(); session != nullptr && !handshake.key && i-- > 0;) {
            const auto& before = asked_[i].what; // who has given the session knows it
            if (before.from == asked.from && before.to == asked.to &&
                before.handshake.mutual == handshake.mutual && !before.handshake.peer_fault) {
                handshake.key = before.handshake.key;
                break;
            }
        }
        if (const auto other = variants_.find(variant_name(asked.to, handshake));
            other != variants_.end()) {
            at = other->second;
        }
    }
    const auto key = loop_->connect(at, tls.get(), asked.handshake.server_name, session);
    asked_.push_back({asked, key});
}

void Stage::send(const transaction::Wire& wire, std::string_view bytes) {
    if (wire.transport == Transport::Udp) {
        if (tap_ != nullptr) {
            tap_->datagram(local_of_socket(wire.connection), wire.remote, as_bytes(bytes));
        }
        loop_->send_datagram(wire.connection, wire.remote, bytes);
        return;
    }
    const auto key = key_of(wire);
    auto* peer = find(key);
    if (peer == nullptr) {
        return; // it has closed meanwhile, which the Performance has been told
    }
    peer->stream->send(bytes);
}

} // namespace cw::host
