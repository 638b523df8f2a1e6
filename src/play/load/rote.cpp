#include "play/load/rote.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/base64.hpp"

namespace cw::play {

using dialog::Drawn;
using transaction::Wire;

namespace {

constexpr std::uint32_t confirmations = 2; // other calls that did the same
constexpr std::size_t most_edges = 256;    // of a tree
constexpr std::size_t most_branches = 12;  // at one place, those that were wrong included

constexpr std::size_t most_octets = 64; // of a key with its salt

constexpr std::uint32_t no_wire = 0xffff'ffff;

// Which happening had this instant. They are all different, see set_instants().
constexpr std::int32_t nothing = -1;

} // namespace

struct Rote::Edge {
    Happening::Kind kind = Happening::Kind::Begun;
    script::PartyId party = 0;
    std::uint32_t token = 0;
    HandshakeFacts facts;
    std::uint32_t wire = no_wire; // one that the call knows; else a new one, like this
    Wire new_wire;
    Shape shape;

    struct Name {
        Drawn::Kind kind = Drawn::Kind::Other;
        std::string host;
        std::size_t length = 0;
    };
    std::vector<Name> names;
    struct Send {
        std::uint32_t wire = no_wire; // else always the same
        Wire always;
        Form form;
    };
    std::vector<Send> sends;
    std::vector<Connect> connects;

    std::uint32_t confirmed = 0;
    bool wrong = false;
    std::unique_ptr<Node> next;
};

struct Rote::Node {
    std::vector<std::unique_ptr<Edge>> edges;
    std::int32_t deadline_since = nothing; // so long after that happening
    Duration deadline_after;
    std::vector<std::pair<script::PartyId, sip::Method>> awaits; // requests that may still come
    bool over = false;
    Report report; // of a call that ends here; with the places of its times:
    struct Ask {
        std::int32_t sent = nothing, provisional = nothing, final = nothing;
    };
    std::vector<Ask> asked;
    struct Took {
        std::int32_t begin = nothing, end = nothing;
    };
    std::vector<Took> took;
};

namespace {

using Edge = Rote::Edge;
using Node = Rote::Node;
using Walk = Rote::Walk;
using Kind = Happening::Kind;

std::uint32_t place_of(const std::vector<Wire>& wires, const Wire& wire) {
    for (auto i = wires.size(); i-- > 0;) {
        if (wires[i] == wire) {
            return static_cast<std::uint32_t>(i);
        }
    }
    return no_wire;
}

bool has_wire(Kind kind) {
    return kind != Kind::Begun && kind != Kind::Time;
}

bool same_facts(const HandshakeFacts& a, const HandshakeFacts& b) {
    return a.version == b.version && a.cipher == b.cipher && a.resumed == b.resumed &&
           a.peer_certificate == b.peer_certificate &&
           a.client_certificate == b.client_certificate && a.peer_key == b.peer_key &&
           a.alert == b.alert;
}

bool same_wire(const Edge& edge, const Walk& walk, const Wire& wire) {
    if (edge.wire != no_wire) {
        return walk.wires[edge.wire] == wire;
    }
    // A datagram from elsewhere may be somebody else's.
    return wire.transport == edge.new_wire.transport &&
           (wire.reliable() ||
            (wire.remote == edge.new_wire.remote && wire.connection == edge.new_wire.connection));
}

// Does it happen as the edge has it? Then the walk's gaps have what is new in the message.
bool fits(const Edge& edge, Walk& walk, const Happening& what) {
    if (edge.kind != what.kind || edge.party != what.party || edge.token != what.token ||
        (has_wire(what.kind) && !same_wire(edge, walk, *what.wire)) ||
        (what.facts != nullptr && !same_facts(edge.facts, *what.facts))) {
        return false;
    }
    return what.kind != Kind::Message || edge.shape.fits(*what.message, walk.gaps);
}

Edge* find_edge(Walk& walk, const Happening& what) {
    for (const auto& edge : walk.node->edges) {
        if (!edge->wrong && fits(*edge, walk, what)) {
            return edge.get();
        }
    }
    return nullptr;
}

Gaps::Kind kind_of(Drawn::Kind kind) {
    switch (kind) {
    case Drawn::Kind::Tag:
        return Gaps::Kind::Tag;
    case Drawn::Kind::Branch:
        return Gaps::Kind::Branch;
    case Drawn::Kind::CallId:
        return Gaps::Kind::CallId;
    case Drawn::Kind::CSeq:
        return Gaps::Kind::Number;
    case Drawn::Kind::RSeq:
        return Gaps::Kind::RSeq;
    case Drawn::Kind::Session:
        return Gaps::Kind::Session;
    case Drawn::Kind::Octets:
        return Gaps::Kind::Octets;
    case Drawn::Kind::Other:
        break;
    }
    return Gaps::Kind::Other;
}

void draw(Walk& walk, const Edge::Name& name) {
    const auto kind = name.kind;
    auto& names = walk.names;
    switch (kind) {
    case Drawn::Kind::Tag:
        walk.gaps.add(kind_of(kind), names.tag());
        return;
    case Drawn::Kind::Branch:
        walk.gaps.add(kind_of(kind), names.branch());
        return;
    case Drawn::Kind::CallId:
        walk.gaps.add(kind_of(kind), names.call_id(name.host));
        return;
    case Drawn::Kind::CSeq:
        walk.gaps.add(kind_of(kind), std::to_string(names.cseq()));
        return;
    case Drawn::Kind::RSeq:
        walk.gaps.add(kind_of(kind), std::to_string(names.rseq()));
        return;
    case Drawn::Kind::Session:
        walk.gaps.add(kind_of(kind), std::to_string(names.session() >> 33));
        return;
    case Drawn::Kind::Octets: {
        std::array<std::uint8_t, most_octets> octets{};
        const auto drawn = std::span{octets}.first(std::min(name.length, most_octets));
        names.octets(drawn);
        walk.gaps.add(kind_of(kind), to_base64(Bytes{drawn}));
        return;
    }
    case Drawn::Kind::Other:
        walk.gaps.add(kind_of(kind), {});
        names.next();
        return;
    }
}

// The walk goes along the edge; what is new in the message is in its gaps.
void go(Walk& walk, const Edge& edge, const Happening& what) {
    walk.times.push_back(what.at);
    walk.acted.push_back(what.acted);
    Walk::Past past{&edge, edge.wire, 0, 0};
    if (has_wire(what.kind) && edge.wire == no_wire) {
        past.wire = static_cast<std::uint32_t>(walk.wires.size());
        walk.wires.push_back(*what.wire);
    }
    if (what.kind == Kind::Message) {
        const auto bytes = what.message->bytes();
        past.begin = static_cast<std::uint32_t>(walk.received.size());
        past.length = static_cast<std::uint32_t>(bytes.size());
        walk.received.append(bytes);
    }
    walk.past.push_back(past);
    for (const auto& name : edge.names) {
        draw(walk, name);
    }
    walk.node = edge.next.get();
}

const Wire& wire_of(const Walk& walk, const Edge::Send& send) {
    return send.wire != no_wire ? walk.wires[send.wire] : send.always;
}

// ---- watching

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
              Performance& performance) {
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
        edge.sends[i].form.print(walk.gaps, text);
        if (text != outbox.bytes(sends[i]) || wire_of(walk, edge.sends[i]) != sends[i].wire) {
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

// Null for the performance: nothing has happened yet.
void learn_awaited(Node& node, const script::Plan& plan, const Performance* performance) {
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

// What the performance has just done becomes an edge. The walk has not moved; null: it cannot be.
std::unique_ptr<Edge> learn(Walk& walk, const Happening& what, Performance& performance,
                            const script::Plan& plan) {
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
        edge->sends.push_back(std::move(send));
    }
    edge->connects = performance.wants().connects;
    learn_awaited(*edge->next, plan, &performance);
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

// ---- which flows

bool Rote::suits(const script::Plan& plan) {
    if (script::has_literal(plan)) {
        return false;
    }
    const auto ours = [&](script::PartyId party) {
        return plan.parties[party].control == script::Control::Played;
    };
    for (const auto& step : plan.steps) {
        if (const auto* block = std::get_if<script::Block>(&step.what);
            block != nullptr && script::find<script::Within>(block->facts) != nullptr) {
            return false; // its time is looked at when it is over, and no deadline tells
        }
        if (const auto* act = std::get_if<script::Act>(&step.what)) {
            if (!std::holds_alternative<script::Waits>(act->action) &&
                !std::holds_alternative<script::Rings>(act->action)) {
                return false;
            }
        }
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        if (arrow == nullptr || !ours(arrow->to) || script::is_shown(arrow->link) ||
            std::holds_alternative<script::Channel>(arrow->content)) {
            continue;
        }
        const auto* request = std::get_if<script::Request>(&arrow->content);
        if (request != nullptr && request->text) {
            return false;
        }
        for (const auto& fact : arrow->facts) {
            if (!std::holds_alternative<script::Description>(fact.value) &&
                !std::holds_alternative<script::Within>(fact.value) &&
                !std::holds_alternative<script::After>(fact.value)) {
                return false;
            }
        }
    }
    return true;
}

// ---- walking

Rote::Rote(const script::Plan& plan) : plan_(plan), root_(std::make_unique<Node>()) {
    learn_awaited(*root_, plan_, nullptr);
}
Rote::~Rote() = default;

void Rote::begin(Walk& walk, std::uint64_t seed, std::string_view mark) {
    walk.node = root_.get();
    walk.names = dialog::Identifiers{seed, mark};
    walk.gaps.clear();
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
    const auto* edge = find_edge(walk, what);
    if (edge == nullptr || edge->confirmed < confirmations) {
        walk.gaps.cut(gaps_before);
        return nullptr;
    }
    go(walk, *edge, what);
    for (const auto& send : edge->sends) {
        text_.clear();
        send.form.print(walk.gaps, text_);
        out.send(wire_of(walk, send), text_);
    }
    return edge;
}

void Rote::watch(Walk& walk, const Happening& what, Performance& performance) {
    if (walk.node == nullptr) {
        return;
    }
    auto* node = walk.node;
    if (auto* edge = find_edge(walk, what)) {
        const auto before_names = walk.gaps.size();
        go(walk, *edge, what);
        if (confirms(walk, *edge, before_names, performance)) {
            ++edge->confirmed;
        } else {
            edge->wrong = true;
            walk.node = nullptr;
        }
    } else if (edges_ < most_edges && node->edges.size() < most_branches) {
        if (auto fresh = learn(walk, what, performance, plan_)) {
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
    return node.deadline_since == nothing
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
        return place == nothing ? Instant{} : times[static_cast<std::size_t>(place)];
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
