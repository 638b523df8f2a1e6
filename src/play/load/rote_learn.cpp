// A call that is performed is watched: what is new becomes an edge, what is known is confirmed.
#include <algorithm>

#include "play/load/rote_tree.hpp"

namespace cw::play {

using rote::go;
using rote::has_wire;
using rote::no_wire;
using rote::nothing;
using rote::wire_of;
using transaction::Wire;

namespace {

using Edge = Rote::Edge;
using Node = Rote::Node;
using Walk = Rote::Walk;
using Kind = Happening::Kind;

constexpr std::size_t most_edges = 256;   // of a tree
constexpr std::size_t most_branches = 12; // at one place, those that were wrong included

std::uint32_t place_of(const std::vector<Wire>& wires, const Wire& wire) {
    for (auto i = wires.size(); i-- > 0;) {
        if (wires[i] == wire) {
            return static_cast<std::uint32_t>(i);
        }
    }
    return no_wire;
}

bool same_connects(const std::vector<Connect>& a, const std::vector<Connect>& b) {
    return std::ranges::equal(a, b, [](const Connect& x, const Connect& y) {
        return x.token == y.token && x.from == y.from && x.to == y.to && x.at == y.at &&
               x.transport == y.transport && x.drawn == y.drawn &&
               x.handshake.server_name == y.handshake.server_name;
    });
}

// Nothing is wanted but connections.
bool is_plain(const Wants& wants) {
    return wants.closes.empty() && wants.opens.empty() && wants.deaths.empty() &&
           wants.media.empty() && wants.dtls.empty();
}

// What the edge would have done is what was done. The walk has gone along it.
bool confirms(const Walk& walk, const Edge& edge, std::size_t gaps_before_names,
              Performance& performance, crypto::Digester& digester) {
    const auto& outbox = performance.outbox();
    const auto& sends = outbox.sends();
    if (walk.drawn.size() != edge.names.size() || sends.size() != edge.sends.size() ||
        !is_plain(performance.wants()) ||
        !same_connects(performance.wants().connects, edge.connects) ||
        performance.over() != edge.next->over ||
        (performance.over() && !performance.report().passed())) {
        return false;
    }
    for (std::size_t i = 0; i < walk.drawn.size(); ++i) {
        if (walk.gaps.text(gaps_before_names + i) != walk.drawn[i].text) {
            return false;
        }
    }
    std::string text;
    for (std::size_t i = 0; i < sends.size(); ++i) {
        text.clear();
        rote::print(walk, edge.sends[i], digester, text);
        if (text != outbox.bytes(sends[i]) || wire_of(walk, edge.sends[i]) != sends[i].wire) {
            return false;
        }
    }
    return true;
}

// A value that stands there by chance would be confirmed by those who have it too.
bool is_of_another_row(const Walk& walk, const Edge& edge) {
    for (std::size_t i = 0; i < walk.own; ++i) {
        if (walk.gaps.text(i) == edge.own[i]) {
            return false;
        }
    }
    return true;
}

std::int32_t place_in(const std::vector<Instant>& times, Instant at) {
    const auto found = std::ranges::find(times, at);
    return found == times.end() ? nothing : static_cast<std::int32_t>(found - times.begin());
}

// Timers are whole milliseconds, and no two things happen in the same nanosecond: so it can be told
// what a deadline counts from. Where it cannot, the deadline is at most too early.
void learn_deadline(Node& node, const Walk& walk, Instant deadline) {
    if (!deadline.known()) {
        return;
    }
    node.deadline_since = static_cast<std::int32_t>(walk.times.size() - 1);
    for (std::size_t i = 0; i < walk.times.size(); ++i) {
        if (const auto after = deadline - walk.times[i];
            after.ns >= 0 && after.ns % 1'000'000 == 0) {
            node.deadline_since = static_cast<std::int32_t>(i);
            break;
        }
    }
    node.deadline_after = deadline - walk.times[static_cast<std::size_t>(node.deadline_since)];
}

// False: a time of the report is none of those at which something happened.
bool learn_report(Node& node, const Walk& walk, const Report& report) {
    node.over = true;
    node.report.result = report.result;
    for (const auto& asked : report.asked) {
        const Node::Ask ask{place_in(walk.acted, asked.sent),
                            place_in(walk.times, asked.provisional),
                            place_in(walk.times, asked.final)};
        if (ask.sent == nothing || (asked.provisional.known() && ask.provisional == nothing) ||
            (asked.final.known() && ask.final == nothing)) {
            return false;
        }
        node.report.asked.push_back(asked);
        node.asked.push_back(ask);
    }
    for (const auto& arrow : report.arrows) {
        if (arrow.took.ns <= 0) {
            continue;
        }
        const auto end = place_in(walk.times, arrow.at);
        const auto begin = place_in(walk.acted, arrow.at - arrow.took);
        if (begin == nothing || end == nothing) {
            return false;
        }
        auto& line = node.report.arrows.emplace_back();
        line.step = arrow.step;
        node.took.push_back({begin, end});
    }
    return true;
}

// What the performance has just done becomes an edge. The walk has not moved; null: it cannot be.
std::unique_ptr<Edge> learn(Walk& walk, const Happening& what, Performance& performance,
                            const script::Plan& plan, crypto::Digester& digester) {
    if (!is_plain(performance.wants()) || (performance.over() && !performance.report().passed())) {
        return nullptr;
    }
    auto edge = std::make_unique<Edge>();
    edge->kind = what.kind;
    edge->party = what.party;
    edge->token = what.token;
    edge->facts = what.facts != nullptr ? *what.facts : HandshakeFacts{};
    if (has_wire(what.kind)) {
        edge->wire = what.kind == Kind::Message ? place_of(walk.wires, *what.wire) : no_wire;
        edge->new_wire = *what.wire;
    }
    if (what.kind == Kind::Message) {
        edge->shape = Shape{*what.message, walk.gaps};
    }
    for (std::size_t i = 0; i < walk.own; ++i) {
        edge->own.emplace_back(walk.gaps.text(i));
    }
    for (const auto& name : walk.drawn) {
        edge->names.push_back({name.kind, name.host, name.length});
    }
    edge->next = std::make_unique<Node>();
    go(walk, *edge, what);
    auto& outbox = performance.outbox();
    for (const auto& one : outbox.sends()) {
        const auto text = outbox.bytes(one);
        Edge::Send send;
        // A response goes back the way that its request came; over UDP a request always goes to
        // where the flow has it.
        if (one.wire.reliable() || text.starts_with("SIP/")) {
            send.wire = place_of(walk.wires, one.wire);
        }
        if (send.wire == no_wire && one.wire.reliable()) {
            return nullptr;
        }
        send.always = one.wire;
        send.form = Form{text, walk.gaps};
        send.has_credentials = has_credentials(text);
        if (std::string ours{text};
            send.has_credentials && (!sign(ours, *walk.cast, digester) || ours != text)) {
            return nullptr; // of a wrong password, or of a card
        }
        edge->sends.push_back(std::move(send));
    }
    edge->connects = performance.wants().connects;
    rote::learn_awaited(*edge->next, plan, &performance);
    if (performance.over()) {
        if (!learn_report(*edge->next, walk, performance.report())) {
            return nullptr;
        }
    } else {
        learn_deadline(*edge->next, walk, performance.next_deadline());
    }
    return edge;
}

} // namespace

void rote::learn_awaited(Rote::Node& node, const script::Plan& plan,
                         const Performance* performance) {
    for (const auto& step : plan.steps) {
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* request =
            arrow != nullptr ? std::get_if<script::Request>(&arrow->content) : nullptr;
        if (request == nullptr || script::is_shown(arrow->link)) {
            continue;
        }
        const std::pair awaited{arrow->to, request->method};
        if (std::ranges::find(node.awaits, awaited) == node.awaits.end() &&
            (performance == nullptr || performance->awaits(arrow->to, request->method))) {
            node.awaits.push_back(awaited);
        }
    }
}

void Rote::watch(Walk& walk, const Happening& what, Performance& performance) {
    if (walk.node == nullptr) {
        return;
    }
    auto* node = walk.node;
    if (auto* edge = rote::find_edge(walk, what)) {
        const auto before_names = walk.gaps.size();
        go(walk, *edge, what);
        if (confirms(walk, *edge, before_names, performance, digester_)) {
            edge->confirmed += is_of_another_row(walk, *edge) ? 1 : 0;
        } else {
            edge->wrong = true;
            walk.node = nullptr;
        }
    } else if (walk.telling && edges_ < most_edges && node->edges.size() < most_branches) {
        if (auto fresh = learn(walk, what, performance, plan_, digester_)) {
            ++edges_;
            walk.node = fresh->next.get();
            node->edges.push_back(std::move(fresh));
        } else {
            walk.node = nullptr;
        }
    } else {
        walk.node = nullptr;
    }
    walk.drawn.clear();
}

} // namespace cw::play
