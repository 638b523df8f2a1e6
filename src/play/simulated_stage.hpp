// For the tests of this folder: a whole flow on a virtual clock, all of its parties played, over a
// network that is reliable for TLS, TCP and WebSockets, and that loses, duplicates, delays and
// reorders datagrams by a seed. What host/stage does with sockets; nothing waits here. Handshakes
// are told, not made: who asks for something gets it, what is drawn wrong is refused.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <queue>
#include <random>
#include <string>
#include <vector>

#include "play/performance.hpp"
#include "script/plan.hpp"

namespace cw::play::test {

struct Conditions {
    unsigned loss = 0;      // per cent of the datagrams with SIP
    unsigned duplicate = 0; // per cent
    unsigned delay_ms = 5;  // each takes 1 to so many
};

inline constexpr Conditions bad_network{.loss = 20, .duplicate = 5, .delay_ms = 300};

class SimulatedStage {
  public:
    // What reaches a party of SIP can be changed on its way; empty: it is lost.
    using Tamper = std::function<std::string(script::PartyId to, std::string text)>;

    SimulatedStage(const script::Plan& plan, unsigned seed, Conditions conditions = {})
        : plan_(plan), conditions_(conditions), random_(seed) {
        given_.seed = seed + 1;
        auto cast = make_cast(plan_, given_);
        EXPECT_TRUE(cast.has_value());
        cast_ = std::move(*cast);
        for (script::PartyId party = 0; party < cast_.members.size(); ++party) {
            open(party);
        }
        performance_ = std::make_unique<Performance>(plan_, cast_, given_);
    }

    // Until the flow is over, and a moment longer for what comes late.
    const Report& run() {
        performance_->start(now_);
        drain();
        for (int turns = 0; turns < 300'000; ++turns) {
            if (performance_->over() && !end_.known()) {
                end_ = now_ + milliseconds(150);
            }
            auto next = agenda_.empty() ? Instant{} : agenda_.top().when;
            const auto deadline = performance_->next_deadline();
            next = deadline.known() && (!next.known() || deadline < next) ? deadline : next;
            if (!next.known() || (end_.known() && next > end_)) {
                EXPECT_TRUE(performance_->over()) << "it is stuck: " << performance_->awaited();
                return performance_->report();
            }
            now_ = std::max(now_, next);
            turn();
        }
        ADD_FAILURE() << "it never ends: " << performance_->awaited();
        return performance_->report();
    }

    // Before run(), or from what is done later.
    void tamper(Tamper with) { tamper_ = std::move(with); }
    void after(Duration time, std::function<void()> what) {
        agenda_.push({now_ + time, ++serial_, std::move(what)});
    }
    // Who plays the real system of the flow: gets what is sent there, and where to answer.
    using Stranger = std::function<void(std::string_view text, const transaction::Wire& wire)>;
    void played_by(Stranger stranger) { stranger_ = std::move(stranger); }
    // The real system, or a tampered network, has this message for `to`. `wire` is that party's.
    void inject(script::PartyId to, const transaction::Wire& wire, std::string text) {
        after(milliseconds(1), [this, to, wire, text = std::move(text)] {
            performance_->on_message(to, wire, text, now_);
        });
    }
    // All connections that `party`, who is not ours, has with others break.
    void cut(script::PartyId party) {
        for (const auto& end : std::vector{ends_}) {
            if (end.party == party && end.open) {
                close(end.wire, "the peer has closed it");
            }
        }
    }
    // Somebody's TLS handshake with `party` fails with this alert; so does what it sends over UDP.
    void turn_away(script::PartyId party, const std::string& why, int alert) {
        HandshakeFacts facts;
        facts.alert = alert;
        const Endpoint stranger{*IpAddress::parse("192.0.2.9"), 40'000};
        performance_->on_not_accepted(party, sip::Transport::Tls, stranger, why, facts, now_);
    }
    void undelivered(script::PartyId from, const Endpoint& to, std::string_view text) {
        performance_->on_undelivered(from, to, text, now_);
    }
    [[nodiscard]] const Cast& cast() const { return cast_; }
    [[nodiscard]] Instant now() const { return now_; }
    [[nodiscard]] std::size_t datagrams_lost() const { return lost_; }

  private:
    struct Item {
        Instant when;
        std::uint64_t serial;
        std::function<void()> what;
        bool operator<(const Item& other) const {
            return when != other.when ? when > other.when : serial > other.serial;
        }
    };
    struct End { // of a connection
        script::PartyId party = 0;
        transaction::Wire wire;
        std::uint32_t other = 0;
        bool open = true;
    };

    [[nodiscard]] Endpoint new_place(bool ipv6) {
        return {*IpAddress::parse(ipv6 ? "::1" : "127.0.0.1"), next_port_++};
    }
    void open(script::PartyId party) {
        auto& member = cast_.members[party];
        for (std::size_t i = 0; i < member.listens.size(); ++i) {
            if (member.listens[i]) {
                member.at[i] = new_place(member.ipv6);
            }
        }
        for (auto& [call, place] : member.media) {
            place.rtp = new_place(place.ipv6);
            place.rtcp = new_place(place.ipv6);
            media_[place.rtp] = place.socket;
            media_[place.rtcp] = place.socket + 1;
            media_at_[place.socket] = place.rtp;
            media_at_[place.socket + 1] = place.rtcp;
        }
    }
    void turn() {
        while (!agenda_.empty() && agenda_.top().when <= now_) {
            const auto item = agenda_.top();
            agenda_.pop();
            item.what();
            drain();
        }
        const auto deadline = performance_->next_deadline();
        if (deadline.known() && deadline <= now_) {
            performance_->advance(now_);
            drain();
        }
    }
    void drain() {
        auto& outbox = performance_->outbox();
        auto& wants = performance_->wants();
        while (!outbox.empty() || !wants.empty()) {
            for (const auto& one : outbox.sends()) {
                send(one.wire, std::string{outbox.bytes(one)});
            }
            outbox.clear();
            const auto todo = std::move(wants);
            wants.clear();
            for (const auto& one : todo.connects) {
                after(milliseconds(1), [this, one] { connect(one); });
            }
            for (const auto& wire : todo.closes) {
                close(wire, "the flow closes it");
            }
            for (const auto party : todo.deaths) {
                for (const auto& end : std::vector{ends_}) {
                    if (end.party == party && end.open) {
                        close(end.wire, "its party has been destroyed");
                    }
                }
            }
            for (const auto& packet : todo.media) {
                const auto to = media_.find(packet.to);
                if (to != media_.end()) {
                    after(milliseconds(1), [this, packet, socket = to->second] {
                        performance_->on_media(socket, media_at_[packet.socket],
                                               as_bytes(std::string_view{packet.bytes}), now_);
                    });
                }
            }
        }
    }
    void connect(const Connect& asked) {
        const auto& hand = asked.handshake;
        const auto to = cast_.find(asked.at);
        HandshakeFacts facts;
        const bool old = hand.version != 0 && hand.version < 12;
        if (hand.own_fault || hand.peer_fault || old || !to) {
            facts.alert = alert_of(asked);
            performance_->on_refused(asked.token, "the handshake failed", facts, now_);
            return;
        }
        if (sip::is_secure(asked.transport)) {
            facts.version = hand.version == 12 ? "TLSv1.2" : "TLSv1.3";
            facts.cipher = hand.cipher.empty() ? "TLS_AES_256_GCM_SHA384" : hand.cipher;
            facts.resumed = hand.resume;
            facts.peer_certificate = true;
            facts.client_certificate = hand.mutual;
            facts.peer_key = hand.key == script::KeyKind::Rsa       ? "RSA"
                             : hand.key == script::KeyKind::Ed25519 ? "Ed25519"
                                                                    : "ECDSA";
        }
        const auto from = new_place(cast_.members[asked.from].ipv6);
        const auto first = static_cast<std::uint32_t>(ends_.size());
        ends_.push_back(
            {asked.from, {asked.transport, 0, first, 1, from, asked.at}, first + 1, true});
        ends_.push_back({*to, {asked.transport, 0, first + 1, 1, asked.at, from}, first, true});
        auto theirs = facts;
        theirs.peer_certificate = hand.mutual;
        if (cast_.members[*to].control == script::Control::Played) {
            performance_->on_accepted(*to, ends_[first + 1].wire, theirs, now_);
            drain();
        }
        performance_->on_connected(asked.token, ends_[first].wire, facts, now_);
    }
    // The alert that the flow draws, as the one who refuses would send it.
    [[nodiscard]] int alert_of(const Connect& asked) const {
        for (const auto& step : plan_.steps) {
            const auto* a = std::get_if<script::Arrow>(&step.what);
            const auto* alert = a != nullptr ? script::find<script::Alert>(a->facts) : nullptr;
            const auto* wrong =
                a != nullptr ? script::find<script::BadCertificate>(a->facts) : nullptr;
            const auto fault =
                asked.handshake.own_fault ? asked.handshake.own_fault : asked.handshake.peer_fault;
            if (alert != nullptr && a->from == asked.from && a->to == asked.to &&
                (wrong != nullptr ? std::optional{wrong->fault} : std::nullopt) == fault) {
                return alert->code;
            }
        }
        return -1;
    }
    void close(const transaction::Wire& wire, const std::string& why) {
        if (wire.connection >= ends_.size() || !ends_[wire.connection].open || !wire.reliable()) {
            return;
        }
        const auto other = ends_[wire.connection].other;
        ends_[wire.connection].open = false;
        ends_[other].open = false;
        after(milliseconds(1),
              [this, other, why] { performance_->on_closed(ends_[other].wire, why, {}, now_); });
    }
    void send(const transaction::Wire& wire, const std::string& text) {
        if (wire.reliable()) {
            if (wire.connection < ends_.size() && ends_[wire.connection].open) {
                const auto& end = ends_[ends_[wire.connection].other];
                after(milliseconds(1), [this, to = end, text] { arrive(to.party, to.wire, text); });
            }
            return;
        }
        const auto to = cast_.find(wire.remote);
        const auto& from = cast_.members[wire.connection].at[0];
        static_assert(static_cast<int>(sip::Transport::Udp) == 0);
        if (!to || !from) {
            return;
        }
        const transaction::Wire back{sip::Transport::Udp, 0, *to, 0, wire.remote, *from};
        for (int copies = chance(conditions_.duplicate) ? 2 : 1; copies > 0; --copies) {
            if (chance(conditions_.loss)) {
                ++lost_;
                continue;
            }
            const auto takes = 1 + random_() % std::max(1U, conditions_.delay_ms);
            after(milliseconds(static_cast<std::int64_t>(takes)),
                  [this, party = *to, back, text] { arrive(party, back, text); });
        }
    }
    void arrive(script::PartyId party, const transaction::Wire& wire, const std::string& text) {
        if (cast_.members[party].control != script::Control::Played) {
            if (stranger_) {
                stranger_(text, wire.reliable() ? ends_[ends_[wire.connection].other].wire : wire);
            }
            return;
        }
        const auto changed = tamper_ ? tamper_(party, text) : text;
        if (!changed.empty()) {
            performance_->on_message(party, wire, changed, now_);
        }
    }
    bool chance(unsigned percent) { return random_() % 100 < percent; }

    const script::Plan& plan_;
    Conditions conditions_;
    std::mt19937 random_;
    Given given_;
    Cast cast_;
    std::unique_ptr<Performance> performance_;
    std::priority_queue<Item> agenda_;
    std::vector<End> ends_;
    std::map<Endpoint, std::uint32_t> media_; // sockets, by where they are
    std::map<std::uint32_t, Endpoint> media_at_;
    Tamper tamper_;
    Stranger stranger_;
    Instant now_{1'777'629'601'000'000'000};
    Instant end_;
    std::uint64_t serial_ = 0;
    std::uint16_t next_port_ = 20'000;
    std::size_t lost_ = 0;
};

// Everything that did not pass, for people.
inline std::string failures_of(const script::Plan& plan, const Report& report) {
    std::string out = report.why.empty() ? "" : "  " + report.why + "\n";
    for (const auto* list : {&report.arrows, &report.acts}) {
        for (const auto& line : *list) {
            if (line.verdict == Verdict::Passed || line.verdict == Verdict::Skipped) {
                continue;
            }
            out += "  line " + std::to_string(plan.steps[line.step].place.line) + ": " +
                   std::string{to_string(line.verdict)} + ": " + line.why;
            out += line.difference.where.empty()
                       ? "\n"
                       : " (" + line.difference.where + ": " + line.difference.expected + " / " +
                             line.difference.received + ")\n";
        }
    }
    for (const auto& extra : report.extras) {
        out += extra.implied ? "" : "  extra: " + extra.text + ": " + extra.why + "\n";
    }
    return out;
}

} // namespace cw::play::test
