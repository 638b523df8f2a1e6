// The tree of a Rote, and going along it. For its own sources only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dialog/identifiers.hpp"
#include "play/load/rote.hpp"
#include "play/load/rote_text.hpp"
#include "play/report.hpp"
#include "play/wants.hpp"

namespace cw::play {

namespace rote {

inline constexpr std::uint32_t no_wire = 0xffff'ffff;
inline constexpr std::int32_t nothing = -1; // in the place of a happening's number

} // namespace rote

struct Rote::Edge {
    Happening::Kind kind = Happening::Kind::Begun;
    script::PartyId party = 0;
    std::uint32_t token = 0;
    HandshakeFacts facts;
    std::uint32_t wire = rote::no_wire; // one that the call knows; else a new one, like this
    transaction::Wire new_wire;
    Shape shape;

    struct Name {
        dialog::Drawn::Kind kind = dialog::Drawn::Kind::Other;
        std::string host;
        std::size_t length = 0;
    };
    std::vector<Name> names;
    struct Send {
        std::uint32_t wire = rote::no_wire; // else always the same
        transaction::Wire always;
        Form form;
        bool has_credentials = false;
    };
    std::vector<Send> sends;
    std::vector<Connect> connects;

    std::vector<std::string> own; // the values of the row that it was learned from
    std::uint32_t confirmed = 0;
    bool wrong = false;
    std::unique_ptr<Node> next;
};

struct Rote::Node {
    std::vector<std::unique_ptr<Edge>> edges;
    std::int32_t deadline_since = rote::nothing; // so long after that happening
    Duration deadline_after;
    std::vector<std::pair<script::PartyId, sip::Method>> awaits; // requests that may still come
    bool over = false;
    Report report; // of a call that ends here; with the places of its times:
    struct Ask {
        std::int32_t sent = rote::nothing, provisional = rote::nothing, final = rote::nothing;
    };
    std::vector<Ask> asked;
    struct Took {
        std::int32_t begin = rote::nothing, end = rote::nothing;
    };
    std::vector<Took> took;
};

namespace rote {

inline bool has_wire(Happening::Kind kind) {
    return kind != Happening::Kind::Begun && kind != Happening::Kind::Time;
}

// The edge that it takes, null: none. Then the walk's gaps have what is new in the message.
Rote::Edge* find_edge(Rote::Walk& walk, const Happening& what);
// The walk goes along the edge, once find_edge() has found it.
void go(Rote::Walk& walk, const Rote::Edge& edge, const Happening& what);
// What the walk says there is appended.
void print(const Rote::Walk& walk, const Rote::Edge::Send& send, crypto::Digester& digester,
           std::string& out);
// Over which wire of its own the walk sends that.
const transaction::Wire& wire_of(const Rote::Walk& walk, const Rote::Edge::Send& send);
// The requests that may still come. Null for the performance: nothing has happened yet.
void learn_awaited(Rote::Node& node, const script::Plan& plan, const Performance* performance);

} // namespace rote

} // namespace cw::play
