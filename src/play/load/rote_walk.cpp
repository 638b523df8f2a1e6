// Does what happens fit an edge of the tree? Then the walk goes along it.
#include <algorithm>
#include <array>
#include <span>

#include "base/base64.hpp"
#include "play/load/rote_tree.hpp"

namespace cw::play::rote {

using dialog::Drawn;
using transaction::Wire;
using Edge = Rote::Edge;
using Walk = Rote::Walk;
using Kind = Happening::Kind;

namespace {

constexpr std::size_t most_octets = 64; // of a key with its salt

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

} // namespace

Edge* find_edge(Walk& walk, const Happening& what) {
    for (const auto& edge : walk.node->edges) {
        if (!edge->wrong && fits(*edge, walk, what)) {
            return edge.get();
        }
    }
    return nullptr;
}

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

void print(const Walk& walk, const Edge::Send& send, crypto::Digester& digester, std::string& out) {
    send.form.print(walk.gaps, out);
    if (send.has_credentials) {
        sign(out, *walk.cast, digester);
    }
}

const Wire& wire_of(const Walk& walk, const Edge::Send& send) {
    return send.wire != no_wire ? walk.wires[send.wire] : send.always;
}

} // namespace cw::play::rote
