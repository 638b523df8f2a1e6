// A call laid out as a ladder, once for every painter: columns are boxes, rows are what happened,
// top to bottom. The painters (text, Mermaid, SVG) decide only how it looks.
//
// Every text in a Ladder is printable (view/cells.hpp): what came from the wire has been made
// harmless here. A Ladder owns all that it holds; the call need not live on.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "flow/boxes.hpp"
#include "flow/call.hpp"

namespace cw::view {

struct LadderOptions {
    flow::KnownNames names = {};
    std::uint64_t calls_in_all = 0; // for "Call 3 of 9"; 0: not known
    bool fold_retransmissions = true;
    flow::Boxes::Of columns = flow::Boxes::Of::Programs;
};

struct Column {
    std::string name;
    std::string address; // empty when it is the name already
    bool user_agent = false;
};

enum class RowKind : std::uint8_t {
    Message,
    Handshake,        // a TLS connection was set up: one pill
    HandshakeMessage, // …and a message of it, as an arrow
    Connection,       // refused, reset, bytes not captured, closed without close_notify
    Alert,            // a TLS alert, as an arrow
    Undecrypted,      // a connection that could not be read, and why
    Media,            // an RTP stream
    NoMedia,          // media that was agreed and never came
    Dtmf,
    Retransmissions, // of the message `number`, folded
    Gap,             // nothing for a long time
    Note,            // belongs to the row above
};

// What a row tells, for colour; never the only carrier of it.
enum class Tone : std::uint8_t { Plain, Good, Bad, Slow, Dim };
enum class Lock : std::uint8_t { Unknown, Secure, Open };

constexpr std::uint8_t no_leg = 255;

struct Row {
    RowKind kind = RowKind::Message;
    Tone tone = Tone::Plain;
    Lock lock = Lock::Unknown;
    bool dashed = false;       // a response
    bool has_time = false;     // the gutter shows `time`
    bool has_delta = false;    // …and `delta`, the time since the row before that has one
    bool toward_left = false;  // Media, NoMedia: where it flows, `from` being the left column
    bool sips = false;         // a request for a sips URI: TLS was asked for, hop by hop
    bool part_clear = false;   // a message over TLS, of a call with a hop that is clear
    std::uint8_t leg = no_leg; // index in Call::legs of a message
    std::uint16_t from = 0;    // columns
    std::uint16_t to = 0;
    std::uint32_t number = 0; // of the message, from 1 as in the JSON's index + 1; 0: none
    std::uint32_t count = 0;  // Retransmissions: how many
    Instant time;
    Instant until;  // Media: of its last packet
    Duration delta; // Retransmissions: from the first sending to the last; Gap: its length
    std::string label;
    std::string detail; // more: name and cipher, quality, why it could not be read
    std::string badge;  // rules that found something here: "D01 D69"
};

struct LadderFinding {
    Tone tone = Tone::Bad;
    std::uint8_t depth = 0; // beneath how many causes it hangs
    std::string rule;
    std::string title;
    std::string evidence; // what was seen; may be empty, as all below
    std::string advice;
    std::string rfc;
    std::vector<std::uint32_t> numbers; // of messages, from 1
};

// Media that was on hold between two columns, from one answer to the next, to the BYE or to the
// end.
struct LadderHold {
    std::uint16_t from = 0;
    std::uint16_t to = 0;
    Instant begin;
    Instant end;
};

struct Ladder {
    std::string title_call; // "Call 1 of 1"
    std::string title_from; // may be shortened
    std::string title_to;
    std::string title_end; // "completed after 12.4 s"
    std::string summary;   // "2 legs · 24 messages · TLS 1.3 · SRTP"
    std::string security;  // its end: "TLS 1.3 · SRTP"; may be empty
    std::string weakest;   // one sentence, may be empty
    Tone state = Tone::Plain;
    Tone security_state = Tone::Plain;
    std::vector<LadderFinding> findings;
    std::vector<Column> columns;
    std::vector<Row> rows;
    std::vector<LadderHold> holds;
    std::vector<std::string> connections; // one line each: ports, names, keys, how they ended
    // How safe each hop, the promises and the media were, a line each.
    std::vector<std::pair<Tone, std::string>> safety;
};

// Never fails: a call with nothing in it is a ladder without rows.
Ladder layout(const flow::Call& call, const LadderOptions& options = {});

// The end of a call in words: "completed after 12.4 s", "busy (486)".
std::string outcome_text(const flow::Call& call);
Tone outcome_tone(const flow::Call& call);
// "TLS 1.3 · SRTP", "UDP clear · RTP", "mixed".
std::string security_text(const flow::Call& call);
Tone security_tone(const flow::Call& call);
// Ladder::safety.
std::vector<std::pair<Tone, std::string>> safety_lines(const flow::Call& call);

} // namespace cw::view
