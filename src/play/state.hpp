// The inside of a Performance: what is known while a flow is played. drive.cpp performs its steps,
// sending.cpp and writer*.cpp send, receiving.cpp, matching.cpp, taking.cpp and checking.cpp judge
// what comes, channels.cpp opens connections, sound*.cpp has the media, verdicts.cpp says what came
// of it. All of them work on this one State; nobody else sees it.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/digest.hpp"
#include "crypto/digest_fields.hpp"
#include "crypto/milenage.hpp"
#include "dialog/dialog.hpp"
#include "dialog/draft.hpp"
#include "dialog/identifiers.hpp"
#include "dialog/retransmission.hpp"
#include "play/cast.hpp"
#include "play/performance.hpp"
#include "play/report.hpp"
#include "play/schedule.hpp"
#include "play/values.hpp"
#include "play/wants.hpp"
#include "transaction/table.hpp"

namespace cw::play {

using script::Arrow;
using script::CallId;
using script::PartyId;
using script::StepId;
using transaction::Wire;

// A connection, or for UDP the way to one peer.
struct Line {
    Wire wire;
    PartyId owner = 0;
    std::optional<PartyId> peer; // not known: an external system's connection
    bool opened_by_us = false;
    bool open = true;
    HandshakeFacts facts;
    std::string why_closed;
    bool claimed = false; // by an arrow that draws it
    Instant since;
    std::uint32_t token = 0; // that it was asked for by
};

// A connection that somebody who is not ours wanted to one of us, and that came to nothing.
struct Unaccepted {
    PartyId owner = 0;
    std::optional<PartyId> peer; // not known: whoever is not ours
    sip::Transport transport = sip::Transport::Tls;
    std::string why;
    HandshakeFacts facts;
    Instant at;
    bool claimed = false; // by an arrow that draws it
};

// Something that has come and that no arrow has taken yet.
struct Arrival {
    bool request = false;
    bool retransmission = false;
    std::string text;
    Wire wire;
    std::optional<PartyId> peer;
    Instant at;
    transaction::Handle server;    // of a request
    std::optional<StepId> answers; // of a response: the request that we sent
};

// What was found in a body that came, where it is signed or encrypted.
struct BodySeen {
    bool secured = false;
    bool is_signed = false;
    bool good = false;    // the signature
    bool changed = false; // it is over something else
    bool encrypted = false;
    bool readable = false;
    bool tunnelled = false; // the message itself is within
    std::string signer;
    std::string fault;
    std::string differs; // a header field that is another in the message within
    std::string inner;
    std::string outer;
};

// What an arrow has carried, at both its ends.
struct Exchange {
    std::string sent;
    Wire sent_on;
    Instant sent_at;
    transaction::Handle client;
    std::uint32_t challenges = 0; // that were answered without being drawn
    bool ack_due = false;         // the transaction has an ACK to a failure ready
    std::string ack;              // …this one
    std::string received;         // at the end of its way with its body opened
    BodySeen body;
    Wire received_on;
    Instant received_at;
    transaction::Handle server;
    std::string last_response;      // that was passed on, or sent, for a 2xx that comes again
    std::uint16_t final_status = 0; // that has come for it
    Instant final_at;
    Instant provisional_at; // the first one above 100
    std::string event;      // of the subscription that it began
    std::uint32_t told = 0; // documents, in its notifications
};

// One party's side of one call, or of what it does outside of calls.
struct Side {
    std::string call_id;
    std::string local_tag;
    std::uint32_t cseq = 0;
    std::optional<dialog::Dialog> dialog;
    std::string invite; // the latest INVITE, as it was sent or received
    std::uint32_t invite_cseq = 0;
    dialog::Retransmission success; // a 2xx of ours that waits for its ACK
    Wire success_wire;
    std::string ack; // for a 2xx that comes again
    Wire ack_wire;
    std::string event;        // of a subscription
    std::uint32_t refers = 0; // in this dialog
    std::uint32_t rseq = 0;
    std::string reliable; // RAck's first part: of the latest reliable provisional response received
};

// Which Side: the call's number, or for a subscription outside of calls the step that began it,
// beyond all calls. 0: what stands alone, like OPTIONS.
using SideKey = std::uint32_t;
inline constexpr SideKey first_subscription = 0x1'0000;

// What somebody was asked by one server.
struct Challenge {
    bool proxy = false;
    SideKey key = 0; // of the request that was refused
    std::string realm;
    std::vector<std::string> values; // strongest first
    std::uint32_t count = 0;         // how often its nonce was answered
};

// The event package of a REFER's notifications. "the first REFER" of a dialog needs no id, each one
// after it has its CSeq number as that [RFC 3515 §2.4.6].
inline std::string refer_event(Side& side, std::string_view cseq) {
    ++side.refers;
    return side.refers == 1 ? "refer"
                            : "refer;id=" + std::string{cseq.substr(0, cseq.find_first_of(" \t"))};
}

struct Player {
    std::unique_ptr<transaction::Table> table;
    std::vector<Arrival> inbox;
    std::map<SideKey, Side> sides;
    std::map<std::string, Side> registrations; // by the address of record
    std::vector<Challenge> challenges;         // those that it was sent, one a realm
    std::string nonce;                         // the latest of its own challenges
    std::string aka_password;                  // …that only the right card can answer with
    std::uint64_t sqn = 0;                     // the last sequence number, given or taken
    bool alive = true;
};

// A connection that was asked for.
struct Dialling {
    std::uint32_t token = 0;
    PartyId from = 0;
    PartyId to = 0;
    sip::Transport transport = sip::Transport::Tls;
    std::optional<StepId> step; // the arrow that draws it
    bool refused = false;
    std::string why;
    HandshakeFacts facts = {};
};

// A phone that the flow calls through a server of ours without having drawn how it registers.
struct Enrolment {
    PartyId party = 0;
    PartyId server = 0;
    std::optional<std::uint32_t> token;
    std::string sent;
    std::uint32_t tries = 0;
    bool done = false;
};
// The ACK of a 2xx that nobody draws, while its connection is being opened.
struct SilentAck {
    PartyId party = 0;
    CallId call = 0;
    StepId invite = 0;
    std::optional<std::uint32_t> token;
};
// What came of connections that real systems have opened to an embedded server.
struct Door {
    bool entered = false; // one of them is open, or was
    std::optional<sip::Transport> refused;
    std::string why;
};
inline constexpr std::uint64_t enrolment_owner = std::uint64_t{1} << 40;

// A provisional response of ours that is sent again: one with RSeq until its PRACK, over every
// transport [RFC 3262 §3]; another over UDP, until the arrow that draws it has arrived.
struct Repeat {
    dialog::Retransmission timer;
    StepId request = 0;
    std::uint16_t status = 0;
    bool until_prack = false;
};

struct Waiting { // for a step that may happen now
    Instant since;
    bool begun = false; // an action
    std::optional<std::uint32_t> token;
};

class Sound;
class SmimeDesk;

struct State {
    State(const script::Plan& p, const Cast& c, const Given& g);
    ~State();

    const script::Plan& plan;
    const Cast& cast;
    const Given& given;
    Values values;
    Schedule schedule;
    dialog::Identifiers names;
    crypto::Digester digester;
    std::vector<Player> players;               // by PartyId; those that we play have a table
    std::vector<Exchange> exchanges;           // by StepId
    std::vector<std::optional<StepId>> origin; // of a retransmission that is drawn: the first one
    std::map<StepId, Waiting> waiting;
    std::vector<Line> lines;
    std::vector<Unaccepted> not_accepted;
    std::vector<Dialling> dialling;
    std::vector<Enrolment> enrolments;
    std::vector<SilentAck> silent_acks;
    std::vector<Door> doors;          // by PartyId
    std::map<StepId, Repeat> repeats; // by the step of the response
    std::unique_ptr<Sound> sound;
    std::unique_ptr<SmimeDesk> desk;
    transaction::Outbox outbox;
    Wants wants;
    Report report;
    std::map<StepId, std::size_t> report_at; // arrows and acts
    Duration timeout = seconds(32);
    std::uint32_t next_token = 1;
    bool over = false;
    StepId step_at_hand = 0;
    Instant now;
    Duration delay; // until what is sent now leaves

    // ---- state.cpp: words
    [[nodiscard]] const Arrow& arrow(StepId step) const {
        return std::get<Arrow>(plan.steps[step].what);
    }
    [[nodiscard]] bool ours(PartyId party) const {
        return plan.parties[party].control == script::Control::Played;
    }
    [[nodiscard]] StepId first_of(StepId step) const { return origin[step].value_or(step); }
    Side& side(PartyId party, SideKey key) { return players[party].sides[key]; }
    [[nodiscard]] SideKey key_of(StepId step) const;
    [[nodiscard]] std::optional<Values::CallFacts> call_facts(PartyId party, CallId call) const;
    [[nodiscard]] std::string words(StepId step) const; // "180 Ringing (INVITE)"
    ArrowReport& report_of(StepId step);

    // ---- drive.cpp
    void pump();
    bool perform(const Schedule::Ready& ready);
    bool perform_act(StepId step);
    bool perform_reads(StepId step, PartyId party, const script::Reads& reads);
    void check_deadlines();
    [[nodiscard]] Duration patience(StepId step) const;
    [[nodiscard]] Instant next_deadline();

    // ---- verdicts.cpp
    void unverified(StepId step);
    void report_asked(StepId step);
    void passed(StepId step);
    void failed(StepId step, Verdict verdict, std::string why, Difference difference = {});
    void stop(std::string why); // nothing more can come of it
    void extra(PartyId from, PartyId to, std::string_view message, bool implied, std::string why);

    // ---- endings.cpp: what cannot go on
    void hear_of_transactions(std::string_view broken);
    void unanswered(StepId request, std::string why);
    void connection_closed(Line& line, std::string_view why, const HandshakeFacts& facts);
    [[nodiscard]] bool is_closed(const Wire& wire) const;
    [[nodiscard]] std::string why_closed(PartyId owner, PartyId peer) const;
    void handshake_failed(const Unaccepted& attempt);
    [[nodiscard]] Unaccepted* unaccepted(PartyId party, PartyId from, sip::Transport transport);
    // A real system has opened a connection to `server`, or tried to: then `why` says why not.
    void at_door(PartyId server, sip::Transport transport, bool open, std::string_view why);
    bool kept_out(StepId step);
    void unreachable(PartyId party, const Endpoint& remote, std::string_view begin);
    void dialog_over(PartyId party, SideKey key, std::string_view message);
    void bye_came_early(PartyId party, const Arrival& bye);

    // ---- channels.cpp
    // The way from one party to the other; nothing while it is being opened. Asks for it.
    std::optional<Wire> way(StepId step, PartyId from, PartyId to);
    // The same for what no arrow draws: the reason when there is none, empty while it is opened.
    std::expected<Wire, std::string> find_way(std::optional<std::uint32_t>& token, PartyId from,
                                              PartyId to);
    [[nodiscard]] std::optional<PartyId> peer_of(const Wire& wire, PartyId owner) const;
    // The same for who has come to us; where nothing tells, the only one that is not ours.
    [[nodiscard]] std::optional<PartyId> outsider_at(const Wire& wire, PartyId owner) const;
    bool perform_channel(StepId step);
    void check_channel(StepId step, const Line& line);
    void refusal(StepId step, bool drawn_so, const std::string& why, const HandshakeFacts& facts);

    // ---- enrolment.cpp: registrations that nobody draws
    void plan_enrolments();
    bool enrol(); // true when all are done
    // `server` is drawn to open a connection to `party`.
    [[nodiscard]] bool server_dials(PartyId server, PartyId party) const;
    void on_enrolled(PartyId party, const sip::MessageView& response);

    // ---- sending.cpp
    bool perform_send(StepId step);
    bool send_request(StepId step, const Arrow& a, const script::Request& request);
    bool send_response(StepId step, const Arrow& a, const script::Response& response);
    void put_on_wire(StepId step, const Arrow& a, const std::string& text, const Wire& wire,
                     sip::Method method);
    // It cannot be written, so nothing below can happen either.
    void cannot_send(StepId step, const std::string& why);
    // A Via of `party` with a new branch.
    [[nodiscard]] std::string new_via(PartyId party, sip::Transport transport, bool v6 = false);
    // What answers a challenge in the request that is being written.
    [[nodiscard]] std::string credentials(const Member& self, std::string_view password,
                                          const crypto::DigestChallenge& challenge,
                                          const dialog::Draft& request, std::uint32_t count);
    // The ACK that is drawn for an INVITE, if one is; a later INVITE of the same party has its own.
    // That of a refusal goes where the INVITE went [RFC 3261 §17.1.1.3].
    [[nodiscard]] std::optional<StepId> drawn_ack(StepId invite, bool refused = false) const;
    void repeat_provisionals();
    void acknowledge_silently(PartyId party, CallId call, StepId invite);
    void send_silent_acks();
    void send_silent_ack(const SilentAck& ack, PartyId hop, const Wire& wire);
    bool answer_challenge(PartyId party, StepId step, const sip::MessageView& response);
    void note_challenge(PartyId party, StepId step, const sip::MessageView& response);
    [[nodiscard]] static crypto::MilenageSecret card_of(const Member& member);

    // ---- receiving.cpp: what comes
    void on_request(PartyId party, const sip::MessageView& message, const Wire& wire);
    void on_response(PartyId party, const sip::MessageView& message, const Wire& wire);
    void surprising_response(PartyId party, StepId request, const sip::MessageView& message);
    [[nodiscard]] bool has_later_final(StepId after, StepId request) const;
    void pass_on_silently(PartyId party, const sip::MessageView& ack, const Wire& wire);
    void repeat_success(PartyId party, StepId step, const sip::MessageView& message);

    // ---- matching.cpp: which arrow it is
    bool perform_receive(StepId step);
    [[nodiscard]] bool fits(const Arrival& arrival, StepId step) const;
    [[nodiscard]] bool may_fit(PartyId party, const Arrival& arrival,
                               bool passed_over = false) const;
    // Does a later arrow send on what this one has brought?
    [[nodiscard]] bool is_passed_on(StepId received) const;
    [[nodiscard]] bool passed_on_changed(StepId received) const; // with media of its own
    [[nodiscard]] bool draws_trying(StepId invite) const;

    // ---- taking.cpp: what it changes
    void take(const Arrival& arrival, StepId step);
    void take_request(PartyId party, StepId step, const sip::MessageView& message, Side& own);
    void take_response(PartyId party, StepId step, const script::Response& drawn,
                       const sip::MessageView& message, Side& own);

    // ---- checking.cpp: does it say what is drawn
    void check_facts(StepId step, const sip::MessageView& message);
    std::optional<Difference> check_credentials(const Arrow& a, const sip::MessageView& message);

    // ---- smime.cpp
    void open_body(StepId step, const sip::MessageView& message);
    std::optional<Difference> check_body(StepId step);
    std::optional<Difference> check_signer(StepId step, PartyId signer);
    [[nodiscard]] bool is_readable(StepId step) const;

    // ---- receiving.cpp, continued
};

} // namespace cw::play
