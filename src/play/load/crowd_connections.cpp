// Who has which connection: those of one call alone, and those that many share.
#include <algorithm>

#include <fmt/format.h>

#include "play/load/crowd_state.hpp"

namespace cw::play {

using script::PartyId;
using transaction::Wire;

// Which of the shared connections the call takes; nothing: one of its own.
std::optional<Crowd::Lane> Crowd::lane_of(const Call& call, const Connect& asked) const {
    // A phone that has registered keeps to the connection that it is reached on.
    const bool registered = enrolled_[asked.from];
    const bool shared = call.enrolment || registered || settings_.sharing == Sharing::Shared ||
                        settings_.sharing == Sharing::PerUser ||
                        (settings_.sharing == Sharing::AsDrawn && !asked.drawn);
    if (!shared) {
        return std::nullopt;
    }
    return settings_.sharing == Sharing::PerUser
               ? call.row
               : (rows_ != nullptr ? call.row : call.number) % settings_.connections;
}

void Crowd::connect(std::uint32_t slot, const Connect& asked) {
    auto& call = *calls_[slot];
    const Ref ref{slot, call.generation};
    const auto lane = lane_of(call, asked);
    if (lane) {
        const auto known = shared_.find({asked.from, asked.to, asked.transport, *lane});
        if (known != shared_.end()) {
            auto& connection = *connections_.at(known->second);
            if (connection.open) {
                tell(connection, ref, asked.token);
            } else {
                connection.waiting.emplace_back(ref, asked.token);
            }
            return;
        }
    }
    const auto token = next_token_++;
    auto fresh = std::make_unique<Connection>();
    fresh->from = asked.from;
    fresh->to = asked.to;
    fresh->transport = asked.transport;
    fresh->own = !lane;
    fresh->resumption_drawn = asked.handshake.resume;
    fresh->asked = now_;
    fresh->waiting.emplace_back(ref, asked.token);
    connections_[token] = std::move(fresh);
    if (lane) {
        shared_[{asked.from, asked.to, asked.transport, *lane}] = token;
    } else {
        call.own.push_back(token);
    }
    auto wanted = asked;
    wanted.token = token;
    wants_.connects.push_back(std::move(wanted));
}

// The connection is there for this call too.
void Crowd::tell(Connection& connection, Ref ref, std::uint32_t token) {
    auto* call = find(ref);
    if (call == nullptr) {
        return;
    }
    connection.users.push_back(ref);
    if (connection.users.size() >= connection.sweep_at) {
        std::erase_if(connection.users, [this](Ref user) { return find(user) == nullptr; });
        connection.sweep_at = std::max<std::size_t>(64, 2 * connection.users.size());
    }
    if (connection.other) {
        const auto& other = *connection.other;
        happen(ref.slot, {.kind = Happening::Kind::Accepted,
                          .party = other.party,
                          .wire = &other.wire,
                          .facts = &other.facts});
        call = find(ref);
        if (call == nullptr) {
            return;
        }
        send_all(ref.slot);
    }
    happen(ref.slot, {.kind = Happening::Kind::Connected,
                      .token = token,
                      .wire = &connection.wire,
                      .facts = &connection.facts});
}

void Crowd::on_connected(std::uint32_t token, const Wire& wire, const HandshakeFacts& facts,
                         const std::optional<FarEnd>& other, Instant now) {
    now_ = now;
    const auto at = connections_.find(token);
    if (at == connections_.end()) { // its call has ended meanwhile
        wants_.closes.push_back(wire);
        return;
    }
    ever_connected_ = true;
    auto& connection = *at->second;
    connection.open = true;
    connection.wire = wire;
    connection.facts = facts;
    connection.other = other;
    if (settings_.resumes && !connection.resumption_drawn) {
        connection.facts.resumed = false;
        if (connection.other) {
            connection.other->facts.resumed = false;
        }
    }
    by_wire_[wire_key(wire)] = token;
    if (other) {
        by_wire_[wire_key(other->wire)] = token;
    }
    tally_.handshakes.add(now - connection.asked);
    tally_.resumed += facts.resumed ? 1 : 0;
    const auto waiting = std::move(connection.waiting);
    connection.waiting.clear();
    for (const auto& [ref, own_token] : waiting) {
        tell(connection, ref, own_token);
    }
    for (const auto& [ref, own_token] : waiting) {
        if (find(ref) != nullptr) {
            settle(ref.slot);
        }
    }
    check_end();
}

void Crowd::on_refused(std::uint32_t token, std::string_view why, const HandshakeFacts& facts,
                       Instant now) {
    now_ = now;
    ++tally_.refused;
    const auto at = connections_.find(token);
    if (at == connections_.end()) {
        return;
    }
    const auto gone = std::move(at->second);
    connections_.erase(at);
    std::erase_if(shared_, [&](const auto& entry) { return entry.second == token; });
    if (!ever_connected_ && tally_.refused >= 3) {
        hopeless_ = fmt::format("{} cannot be reached: {}", plan_.parties[gone->to].id, why);
    }
    for (const auto& [ref, own_token] : gone->waiting) {
        if (auto* call = find(ref)) {
            std::erase(call->own, token);
            in_full(*call).on_refused(own_token, why, facts, now_);
            settle(ref.slot);
        }
    }
    check_end();
}

void Crowd::on_accepted(PartyId party, const Wire& wire, const HandshakeFacts& facts, Instant now) {
    now_ = now;
    if (!awaits_connections_) {
        return;
    }
    accepted_.push_back({party, wire, facts});
    for (std::uint32_t slot = 0; slot < calls_.size(); ++slot) {
        if (calls_[slot]->live) {
            in_full(*calls_[slot]).on_accepted(party, wire, facts, now_);
            settle(slot);
        }
    }
}

void Crowd::on_closed(const Wire& wire, std::string_view why, const HandshakeFacts& facts,
                      Instant now) {
    now_ = now;
    std::erase_if(accepted_, [&](const FarEnd& one) { return one.wire == wire; });
    const auto at = by_wire_.find(wire_key(wire));
    if (at == by_wire_.end()) {
        return;
    }
    const auto token = at->second;
    const auto place = connections_.find(token);
    if (place == connections_.end()) {
        by_wire_.erase(at);
        return;
    }
    const auto gone = std::move(place->second);
    connections_.erase(place);
    by_wire_.erase(wire_key(gone->wire));
    if (gone->other) {
        by_wire_.erase(wire_key(gone->other->wire));
    }
    std::erase_if(shared_, [&](const auto& entry) { return entry.second == token; });
    bool needed = false;
    for (const auto ref : gone->users) {
        if (auto* call = find(ref)) {
            needed = true;
            std::erase(call->own, token);
            auto& performance = in_full(*call);
            performance.on_closed(gone->wire, why, facts, now_);
            if (gone->other) {
                performance.on_closed(gone->other->wire, why, facts, now_);
            }
            settle(ref.slot);
        }
    }
    tally_.lost += needed ? 1 : 0;
    check_end();
}

// The call is over, and so are its own connections.
void Crowd::close_own(Call& call) {
    for (const auto token : call.own) {
        const auto at = connections_.find(token);
        if (at == connections_.end()) {
            continue;
        }
        if (at->second->open) {
            wants_.closes.push_back(at->second->wire);
            by_wire_.erase(wire_key(at->second->wire));
            if (at->second->other) {
                by_wire_.erase(wire_key(at->second->other->wire));
            }
        }
        connections_.erase(at);
    }
    call.own.clear();
}

} // namespace cw::play
