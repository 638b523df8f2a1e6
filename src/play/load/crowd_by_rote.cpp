// What happens to a call: by rote where it goes as earlier ones went, else in full.
#include <algorithm>

#include "play/load/crowd_state.hpp"

namespace cw::play {

namespace {

constexpr std::size_t most_rotes = 2000; // users whose calls are learned
// Where most calls leave the tree, it is not worth the while; but some go on to be watched.
constexpr std::uint64_t patient = 200;
constexpr std::uint64_t tried_each = 64;

} // namespace

Rote* Crowd::rote_of(const Call& call) {
    if (!by_rote_) {
        return nullptr;
    }
    auto& rote = rotes_[place_of(call)];
    if (rote == nullptr && rotes_made_ < most_rotes) {
        ++rotes_made_;
        rote = std::make_unique<Rote>(plan_);
    }
    ++began_by_rote_;
    const bool hopeless = taken_over_ > patient && taken_over_ * 4 > began_by_rote_ * 3;
    return hopeless && call.number % tried_each != 0 ? nullptr : rote.get();
}

// A Performance of its own, which has been told all that has happened so far.
void Crowd::perform(Call& call) {
    write_given(call);
    call.performance = std::make_unique<Performance>(plan_, *call.cast, call.given);
    call.messages.clear();
    if (call.rote == nullptr) {
        return;
    }
    call.walk.drawn.clear();
    const bool watched = call.performance->note_names(&call.walk.drawn);
    Rote::tell_again(
        call.walk, *call.performance,
        [&](Instant at, bool sent, const transaction::Wire& wire, std::string_view bytes) {
            if (kept_ < settings_.keep_failed) {
                call.messages.push_back({at, sent, wire, std::string{bytes}});
            }
        });
    call.walk.drawn.clear();
    if (!watched) {
        call.walk.node = nullptr;
    }
}

// For what nobody learns from.
Performance& Crowd::in_full(Call& call) {
    if (call.performance == nullptr) {
        perform(call);
    }
    call.walk.node = nullptr;
    return *call.performance;
}

// To be settled afterwards.
void Crowd::happen(std::uint32_t slot, Happening what) {
    using Kind = Happening::Kind;
    auto& call = *calls_[slot];
    what.acted = now_;
    if (!what.at.known()) {
        what.at = now_;
    }
    what.at = call.told = std::max(what.at, call.told);
    Rote::set_instants(call.walk, what);
    if (call.performance == nullptr) {
        if (const auto* edge = call.rote->follow(call.walk, what, outbox_)) {
            tally_.sent += Rote::sends(*edge);
            took_edge(slot, *edge);
            return;
        }
        ++taken_over_;
        perform(call);
    }
    auto& performance = *call.performance;
    if (call.walk.node != nullptr) {
        if (!performance.outbox().empty() || !performance.wants().empty()) {
            call.walk.node = nullptr; // of something that has happened before
        }
    }
    performance.set_delay(what.acted - what.at);
    switch (what.kind) {
    case Kind::Begun:
        performance.start(what.at);
        break;
    case Kind::Accepted:
        performance.on_accepted(what.party, *what.wire, *what.facts, what.at);
        break;
    case Kind::Connected:
        performance.on_connected(what.token, *what.wire, *what.facts, what.at);
        break;
    case Kind::Message:
        if (kept_ < settings_.keep_failed) {
            call.messages.push_back({what.at, false, *what.wire, std::string{what.text}});
        }
        if (literal_) { // it reads the text
            performance.on_message(what.party, *what.wire, what.text, what.at);
        } else {
            performance.on_message(what.party, *what.wire, *what.message, what.at);
        }
        break;
    case Kind::Time:
        performance.advance(what.at);
        break;
    }
    if (call.walk.node != nullptr) {
        call.rote->watch(call.walk, what, performance);
    }
}

void Crowd::took_edge(std::uint32_t slot, const Rote::Edge& edge) {
    const auto generation = calls_[slot]->generation;
    for (const auto& one : Rote::connects(edge)) {
        connect(slot, one);
        if (find({slot, generation}) == nullptr) {
            return; // the connection was there, and the call has ended over it
        }
    }
    auto& call = *calls_[slot];
    if (call.performance != nullptr) {
        return; // settle() goes on with it
    }
    if (Rote::report(call.walk) != nullptr) {
        ++ended_by_rote_;
        end(slot);
        return;
    }
    if (const auto deadline = Rote::deadline(call.walk); deadline.known()) {
        deadlines_.arm(slot, deadline);
    } else {
        deadlines_.disarm(slot);
    }
}

bool Crowd::awaits(Call& call, script::PartyId party, sip::Method method) {
    return call.performance != nullptr ? call.performance->awaits(party, method)
                                       : Rote::awaits(call.walk, party, method);
}

} // namespace cw::play
