#include "play/load/rote.hpp"

#include <algorithm>

#include "play/load/rote_tree.hpp"

namespace cw::play {

namespace {

using Kind = Happening::Kind;

constexpr std::uint32_t confirmations = 2; // other calls that did the same

} // namespace

Rote::Rote(const script::Plan& plan) : plan_(plan), root_(std::make_unique<Node>()) {
    rote::learn_awaited(*root_, plan_, nullptr);
}
Rote::~Rote() = default;

void Rote::begin(Walk& walk, const Own& own) {
    walk.node = root_.get();
    walk.cast = &own.cast;
    walk.names = dialog::Identifiers{own.seed, own.mark};
    walk.gaps.clear();
    for (const auto value : own.row) {
        walk.gaps.add(Gaps::Kind::Own, value);
    }
    walk.own = own.row.size();
    walk.telling = own.telling;
    walk.wires.clear();
    walk.times.clear();
    walk.acted.clear();
    walk.past.clear();
    walk.received.clear();
    walk.drawn.clear();
}

void Rote::set_instants(const Walk& walk, Happening& what) {
    if (!walk.times.empty()) {
        what.at = std::max(what.at, walk.times.back() + Duration{1});
        what.acted = std::max(what.acted, walk.acted.back() + Duration{1});
    }
    what.acted = std::max(what.acted, what.at);
}

const Rote::Edge* Rote::follow(Walk& walk, const Happening& what, transaction::Outbox& out) {
    // What comes too late is judged by the Performance.
    if (const auto limit = deadline(walk);
        what.kind == Kind::Message && limit.known() && what.at > limit) {
        return nullptr;
    }
    const auto gaps_before = walk.gaps.size();
    const auto* edge = rote::find_edge(walk, what);
    if (edge == nullptr || edge->confirmed < confirmations) {
        walk.gaps.cut(gaps_before);
        return nullptr;
    }
    rote::go(walk, *edge, what);
    for (const auto& send : edge->sends) {
        text_.clear();
        rote::print(walk, send, digester_, text_);
        out.send(rote::wire_of(walk, send), text_);
    }
    return edge;
}

void Rote::tell_again(const Walk& walk, Performance& performance, const Said& said) {
    for (std::size_t i = 0; i < walk.past.size(); ++i) {
        const auto& past = walk.past[i];
        const auto& edge = *past.edge;
        const auto at = walk.times[i];
        performance.set_delay(walk.acted[i] - at);
        switch (edge.kind) {
        case Kind::Begun:
            performance.start(at);
            break;
        case Kind::Accepted:
            performance.on_accepted(edge.party, walk.wires[past.wire], edge.facts, at);
            break;
        case Kind::Connected:
            performance.on_connected(edge.token, walk.wires[past.wire], edge.facts, at);
            break;
        case Kind::Message: {
            const auto text = std::string_view{walk.received}.substr(past.begin, past.length);
            said(at, false, walk.wires[past.wire], text);
            performance.on_message(edge.party, walk.wires[past.wire], text, at);
            break;
        }
        case Kind::Time:
            performance.advance(at);
            break;
        }
        auto& outbox = performance.outbox();
        for (const auto& one : outbox.sends()) {
            said(walk.acted[i], true, one.wire, outbox.bytes(one));
        }
        outbox.clear();
        performance.wants().clear();
    }
    performance.set_delay({});
}

Instant Rote::deadline(const Walk& walk) {
    const auto& node = *walk.node;
    return node.deadline_since == rote::nothing
               ? Instant{}
               : walk.times[static_cast<std::size_t>(node.deadline_since)] + node.deadline_after;
}

bool Rote::awaits(const Walk& walk, script::PartyId party, sip::Method method) {
    return std::ranges::find(walk.node->awaits, std::pair{party, method}) !=
           walk.node->awaits.end();
}

const std::vector<Connect>& Rote::connects(const Edge& edge) {
    return edge.connects;
}

std::size_t Rote::sends(const Edge& edge) {
    return edge.sends.size();
}

const Report* Rote::report(const Walk& walk) {
    auto& node = *walk.node;
    if (!node.over) {
        return nullptr;
    }
    const auto at = [](const std::vector<Instant>& times, std::int32_t place) {
        return place == rote::nothing ? Instant{} : times[static_cast<std::size_t>(place)];
    };
    auto& report = node.report;
    report.began = walk.times.front();
    report.ended = walk.times.back();
    for (std::size_t i = 0; i < node.asked.size(); ++i) {
        report.asked[i].sent = at(walk.acted, node.asked[i].sent);
        report.asked[i].provisional = at(walk.times, node.asked[i].provisional);
        report.asked[i].final = at(walk.times, node.asked[i].final);
    }
    for (std::size_t i = 0; i < node.took.size(); ++i) {
        report.arrows[i].at = at(walk.times, node.took[i].end);
        report.arrows[i].took = report.arrows[i].at - at(walk.acted, node.took[i].begin);
    }
    return &report;
}

} // namespace cw::play
