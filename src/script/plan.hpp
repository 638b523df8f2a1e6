// A flow, read: a list of steps that a program counter walks. Everything that a line says is a
// typed value here, with the place it was read from; nothing is left to be interpreted when it
// runs. Blocks are steps too and know where their next section and their end are. Values that own
// what they hold; a Plan is not changed once it is read, and may be shared between threads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "script/fact.hpp"
#include "script/place.hpp"
#include "script/value.hpp"
#include "sip/method.hpp"

namespace cw::script {

enum class Control : std::uint8_t {
    Played,   // by us, arrow by arrow
    Embedded, // our own server, in this process
    External, // a system under test
};

struct Party {
    std::string id;
    std::string label; // lines of it are divided by '\n'; empty where it is the id
    bool actor = false;
    bool created = false;     // its sockets open where it is declared
    bool facts_below = false; // the label breaks its line before the parentheses
    Control control = Control::Played;
    std::string network; // the title of the box that it stands in
    Facts facts;
    Place place;
    bool operator==(const Party&) const = default;
};

enum class Link : std::uint8_t {
    Solid,       // ->>
    Dashed,      // -->>
    SolidBoth,   // <<->>
    DashedBoth,  // <<-->>
    SolidLost,   // -x
    DashedLost,  // --x
    SolidShown,  // -)
    DashedShown, // --)
};
constexpr bool is_lost(Link link) {
    return link == Link::SolidLost || link == Link::DashedLost;
}
constexpr bool is_shown(Link link) {
    return link == Link::SolidShown || link == Link::DashedShown;
}
constexpr bool goes_both_ways(Link link) {
    return link == Link::SolidBoth || link == Link::DashedBoth;
}

struct Request {
    sip::Method method = sip::Method::None;
    // Whom it names: nobody, a party, or a URI.
    std::variant<std::monostate, PartyId, Template> target;
    std::optional<Template> text; // the body of a MESSAGE
    std::string other;            // the name of a method that is not in the registry
    bool again = false;           // the same request is open still: a retransmission
    // A NOTIFY: the SUBSCRIBE or REFER that it reports on. A SUBSCRIBE: the one it refreshes or
    // ends.
    std::optional<StepId> subscription;
    bool operator==(const Request&) const = default;
};
struct Response {
    std::uint16_t status = 0;
    std::string phrase;
    sip::Method method = sip::Method::None; // of the request that it answers
    StepId answers = 0;                     // that request's step
    bool operator==(const Response&) const = default;
};
enum class Carrier : std::uint8_t { Tls, Tcp, Wss, Dtls };
struct Channel {
    Carrier carrier = Carrier::Tls;
    std::uint8_t version = 0; // 13: 1.3; 0: not said
    bool operator==(const Channel&) const = default;
};
enum class Stream : std::uint8_t { Srtp, Rtp, Dtmf };
struct Media {
    Stream stream = Stream::Srtp;
    bool both_ways = false;
    std::string phrase; // for people
    std::string keys;   // of DTMF: "12#"
    bool operator==(const Media&) const = default;
};
struct Narration { // shown, not run
    std::string text;
    bool operator==(const Narration&) const = default;
};

struct Arrow {
    PartyId from = 0;
    PartyId to = 0;
    Link link = Link::Solid;
    char activation = 0;      // '+' or '-': decoration
    std::uint32_t number = 0; // Mermaid's number for it
    CallId call = 0;          // 0: outside of any call
    bool opens_call = false;
    std::optional<StepId> forwards; // the request or response that this one passes on
    std::variant<Request, Response, Channel, Media, Narration> content;
    Facts facts;
    Place said; // the words after the colon
    bool operator==(const Arrow&) const = default;
};

// What a party does by itself.
struct Waits {
    Duration time;
    bool operator==(const Waits&) const = default;
};
struct Rings {
    Duration time;
    bool operator==(const Rings&) const = default;
};
enum class Sound : std::uint8_t { Music, Speech, Silence };
struct Hears {
    std::variant<PartyId, Sound> what;
    Duration time;
    bool operator==(const Hears&) const = default;
};
struct Says {
    std::string file;
    bool operator==(const Says&) const = default;
};
struct Presses {
    std::string keys;
    bool operator==(const Presses&) const = default;
};
struct Gets {
    std::string keys;
    std::optional<Duration> within;
    bool operator==(const Gets&) const = default;
};
struct Reads {
    Template text;
    std::optional<PartyId> signed_by;
    bool operator==(const Reads&) const = default;
};
struct ChecksAutn { // the network's proof in an AKA challenge [RFC 3310 §3.3]
    bool operator==(const ChecksAutn&) const = default;
};
struct HangsUp {
    bool operator==(const HangsUp&) const = default;
};
struct Minds { // what only a literal party does; literal/ has its meaning
    enum class What : std::uint8_t { StandsAt, GoesOn, Computes, Pauses };
    What what = What::Computes;
    std::string text;
    bool operator==(const Minds&) const = default;
};
using Action =
    std::variant<Waits, Rings, Hears, Says, Presses, Gets, Reads, ChecksAutn, HangsUp, Minds>;

enum class Side : std::uint8_t { Over, LeftOf, RightOf };
struct Act {
    PartyId party = 0;
    Side side = Side::Over;
    Action action;
    Facts facts; // of a literal party
    bool operator==(const Act&) const = default;
};
struct Remark {
    PartyId first = 0;
    std::optional<PartyId> second;
    Side side = Side::Over;
    std::string text;
    bool operator==(const Remark&) const = default;
};

enum class BlockKind : std::uint8_t {
    Alt,
    Else,
    Opt,
    Loop,
    Par,
    And,
    Critical,
    Option,
    Break,
    Box,
    Rect,
};
constexpr bool is_section(BlockKind kind) {
    return kind == BlockKind::Else || kind == BlockKind::And || kind == BlockKind::Option;
}
struct Block { // the beginning of a block, or of its next section
    BlockKind kind = BlockKind::Alt;
    std::string label;
    std::string colour; // of a box or a rect
    Facts facts;
    StepId next = 0; // its next section, or its end
    StepId end = 0;
    bool operator==(const Block&) const = default;
};
struct End {
    StepId begin = 0;
    bool operator==(const End&) const = default;
};
struct Declare {
    PartyId party = 0;
    bool operator==(const Declare&) const = default;
};
struct Destroy { // the party's sockets close here
    PartyId party = 0;
    bool operator==(const Destroy&) const = default;
};
struct Decoration { // for the picture only: a comment, autonumber, activate, links …
    std::string text;
    bool operator==(const Decoration&) const = default;
};

struct Step {
    Place place;
    std::variant<Declare, Destroy, Arrow, Act, Remark, Block, End, Decoration> what;
    bool operator==(const Step&) const = default;
};

struct Plan {
    std::string title;
    std::vector<std::string> front; // the lines between the "---", as they stand
    Facts settings;                 // said of the whole flow
    std::vector<Party> parties;
    std::vector<Step> steps;
    std::uint32_t arrows = 0;
    CallId calls = 0;
    std::vector<std::string> files; // of the flows that are performed before, see Place::file
    bool operator==(const Plan&) const = default;
};

// The file of a line, where the flow's own is `file`.
inline const std::string& file_of(const Plan& plan, const Place& place, const std::string& file) {
    return place.file == 0 ? file : plan.files[place.file - 1U];
}

inline bool is_literal(const Party& party) {
    return says(party.facts, Word::Literal);
}
// A flow of literal parties is performed word by word; there is no other played party in it.
bool has_literal(const Plan& plan);

// The ids of the parties, by PartyId.
std::vector<std::string> party_names(const Plan& plan);

} // namespace cw::script
