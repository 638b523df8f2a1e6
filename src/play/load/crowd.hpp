// One flow performed by many at once: when each call begins, whose message it is that has come,
// over which connection it goes, when it is over, and what is counted. Like a Performance it has no
// sockets and no clock: a whole load runs on a virtual clock too.
//
// Call-IDs that our parties make say which call they belong to, so most messages find home without
// a table. One mutation, then drain outbox() and wants(), then the next. Not thread-safe; one a
// shard. The Plan, the Given and the Rows outlive it.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "base/deadlines.hpp"
#include "play/load/arrivals.hpp"
#include "play/load/rote.hpp"
#include "play/load/rows.hpp"
#include "play/load/tally.hpp"
#include "play/performance.hpp"
#include "play/report.hpp"
#include "script/sipp/injection.hpp"
#include "transaction/outbox.hpp"

namespace cw::play {

enum class Sharing : std::uint8_t {
    AsDrawn, // a connection that is drawn is the call's own; others are shared
    Shared,  // all are shared
    PerUser, // a row of the users has its own
    PerCall, // a call has its own
};

// Does the flow begin by waiting for somebody's request, as a scenario of a SIPp UAS does?
bool answers_calls(const script::Plan& plan);

struct CrowdSettings {
    std::optional<Arrivals> arrivals; // none: a call begins when another has ended
    std::uint32_t at_once = 50'000;   // at most so many in progress
    std::optional<std::uint64_t> calls;
    std::optional<Duration> length; // no call begins after that
    // A flow that begins by waiting: no call begins but when somebody's request comes, and it ends
    // with `calls`, `length` or finish().
    bool answers = false;
    std::uint32_t shard = 0; // begins every `shards`th call, from this one on
    std::uint32_t shards = 1;
    Sharing sharing = Sharing::AsDrawn;
    std::uint32_t connections = 1; // shared ones, between the same two parties
    bool resumes = false; // connections resume sessions where the flow draws none: as good as full
    Enrol enrol = Enrol::AtEmbedded;
    std::uint32_t enrolments_at_once = 64;
    // Where datagrams of each party come from, by source and PartyId, when there is more than one
    // source: a user keeps to his, calls without users take them in turn.
    std::vector<std::vector<std::optional<Endpoint>>> sources;
    // What literal parties insert: a row of each file a call.
    std::vector<script::sipp::Injection> injections;
    Duration enrol_again = seconds(1700); // registrations are for an hour
    std::size_t keep_failed = 10;         // so many failed calls are kept whole
    // So long a call that is due may wait for the next ones, and with it what has come, so that a
    // turn does more than one thing.
    Duration gather = milliseconds(1);
    bool by_rote = true; // calls that go as earlier ones are not performed in full
};

// A call that failed, whole.
struct FailedCall {
    std::uint64_t number = 0;
    Report report;
    struct Message {
        Instant at;
        bool sent = false;
        transaction::Wire wire;
        std::string bytes;
    };
    std::vector<Message> messages;
};

class Crowd {
  public:
    // Where media can go: a pair of sockets for a side of a call. Asked for when a call begins.
    using MediaPlaces = std::function<std::optional<MediaPlace>()>;
    // `rows` may be null. The Cast says where everybody listens.
    Crowd(const script::Plan& plan, Cast cast, const Given& given, const Rows* rows,
          CrowdSettings settings, MediaPlaces places);
    ~Crowd();
    Crowd(const Crowd&) = delete;
    Crowd& operator=(const Crowd&) = delete;

    // First the phones register that have to, then calls begin.
    void start(Instant now);
    void advance(Instant now);
    [[nodiscard]] Instant next_deadline() const;
    // What comes may wait until then, and so may next_deadline(). Not known(): it had better not,
    // as calls are too few for that, or as others wait for answers of ours.
    [[nodiscard]] Instant next_look() const;
    // No call begins any more; those in progress may end until then.
    void finish(Instant now, Duration grace);

    // As in Performance; tokens are those of wants(). `other`: the far end, where it is ours too.
    struct FarEnd {
        script::PartyId party = 0;
        transaction::Wire wire;
        HandshakeFacts facts;
    };
    void on_connected(std::uint32_t token, const transaction::Wire& wire,
                      const HandshakeFacts& facts, const std::optional<FarEnd>& other, Instant now);
    void on_refused(std::uint32_t token, std::string_view why, const HandshakeFacts& facts,
                    Instant now);
    // Of somebody whom we do not play.
    void on_accepted(script::PartyId party, const transaction::Wire& wire,
                     const HandshakeFacts& facts, Instant now);
    void on_closed(const transaction::Wire& wire, std::string_view why, const HandshakeFacts& facts,
                   Instant now);
    // `came`: when, where that is known better than now.
    void on_message(script::PartyId party, const transaction::Wire& wire, std::string_view text,
                    Instant now, Instant came = {});
    // The network says that a datagram of `party` did not reach `remote`; `begin`: how it began.
    void on_undelivered(script::PartyId party, const Endpoint& remote, std::string_view begin,
                        Instant now);
    void on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now);
    void on_dtls(std::uint32_t socket, const DtlsKeys& keys, Instant now);

    [[nodiscard]] transaction::Outbox& outbox() { return outbox_; }
    [[nodiscard]] Wants& wants() { return wants_; }

    enum class Phase : std::uint8_t { Enrolling, Calling, Ending, Over };
    [[nodiscard]] Phase phase() const { return phase_; }
    [[nodiscard]] bool over() const { return phase_ == Phase::Over; }
    [[nodiscard]] std::size_t in_progress() const { return in_progress_; }
    // Calls that went by rote to their end.
    [[nodiscard]] std::uint64_t by_rote() const { return ended_by_rote_; }
    // When calls began; not known(): not yet.
    [[nodiscard]] Instant began() const { return began_; }
    [[nodiscard]] Tally& tally() { return tally_; } // to be merged elsewhere and cleared, by turns
    [[nodiscard]] std::vector<FailedCall>& failed() { return failed_; }
    // Nothing could be done at all: why.
    [[nodiscard]] const std::string& hopeless() const { return hopeless_; }

  private:
    struct Call;
    struct Connection;
    struct Ref { // a call; of one that is over, it finds nothing
        std::uint32_t slot = 0xffff'ffff;
        std::uint32_t generation = 0;
    };
    struct Places {
        Crowd* crowd;
        std::uint32_t& place(std::uint32_t slot) const;
    };
    using Lane = std::uint64_t; // which of the shared connections

    // crowd.cpp: calls begin and end
    Call* find(Ref ref);
    Ref open_call();
    Ref begin(Instant due);
    void begin_enrolment(std::size_t row);
    void begin_due();
    void begin_enrolments();
    [[nodiscard]] bool may_begin(std::uint64_t number) const;
    [[nodiscard]] std::optional<Instant> next_arrival() const;
    void write_given(Call& call) const;
    [[nodiscard]] std::size_t place_of(const Call& call) const;
    std::shared_ptr<const Cast> cast_of(std::size_t row, const Given& given);
    bool give_media(Call& call);
    void settle(std::uint32_t slot);
    void send_all(std::uint32_t slot);
    void end(std::uint32_t slot);
    void ended_enrolment(Call& call);
    void free(std::uint32_t slot);
    void check_end();
    void keep(Call& call);
    std::size_t take_row(Call& call);

    // by_rote.cpp: what happens to a call
    void perform(Call& call);
    void happen(std::uint32_t slot, Happening what);
    void took_edge(std::uint32_t slot, const Rote::Edge& edge);
    Performance& in_full(Call& call);
    Rote* rote_of(const Call& call);
    void begin_by_rote(Call& call);
    void look_at_columns();
    [[nodiscard]] std::string kind_of_row(std::size_t place, const Cast& cast) const;
    bool awaits(Call& call, script::PartyId party, sip::Method method);

    // dispatch.cpp: whose message it is
    Ref whose(script::PartyId party, const sip::MessageView& message);
    Ref answer(script::PartyId party, const sip::MessageView& message);
    void learn_call_id(Ref ref, std::string_view bytes);
    Ref who_awaits(script::PartyId party, const sip::MessageView& message);
    void nobodys(const transaction::Wire& wire, const sip::MessageView& message);
    [[nodiscard]] static std::string mark_of(Ref ref);
    [[nodiscard]] static std::optional<Ref> read_mark(std::string_view call_id);

    // connections.cpp: who has which connection
    void connect(std::uint32_t slot, const Connect& asked);
    void tell(Connection& connection, Ref call, std::uint32_t token);
    void close_own(Call& call);
    [[nodiscard]] std::optional<Lane> lane_of(const Call& call, const Connect& asked) const;

    const script::Plan& plan_;
    Cast cast_;
    const Given& given_;
    std::shared_ptr<script::sipp::Tables> tables_; // what literal parties insert
    const Rows* rows_;
    CrowdSettings settings_;
    MediaPlaces media_places_;
    std::vector<std::unique_ptr<Call>> calls_; // by slot
    std::vector<std::uint32_t> free_slots_;
    Deadlines<std::uint32_t, Places> deadlines_;
    std::vector<std::shared_ptr<const Cast>> casts_; // by row
    // Rows whose calls go the same way but for some values of theirs, by what they have in common.
    std::map<std::string, std::unique_ptr<Rote>> rotes_;
    std::vector<Rote*> rote_at_; // by row
    struct Column {
        std::size_t number = 0;
        std::size_t telling = 0; // a value of that length is hardly found by chance
    };
    std::vector<Column> varying_;     // columns in which most rows differ
    std::vector<std::size_t> common_; // the others: rows that differ there have nothing in common
    std::uint64_t began_by_rote_ = 0;
    std::uint64_t ended_by_rote_ = 0;
    std::uint64_t taken_over_ = 0; // calls that went otherwise
    std::deque<std::size_t> free_rows_;
    std::size_t next_row_ = 0;
    bool cast_by_number_ = false; // its addresses have {n} in them
    bool has_media_ = false;
    bool awaits_connections_ = false;
    bool literal_ = false;
    bool by_rote_ = false;
    std::vector<std::string> answered_methods_; // of what may come first, where calls are answered
    std::vector<bool> enrolled_;                // parties that register without being drawn
    std::vector<script::PartyId> strangers_call_; // parties of ours that others call

    // Requests with a Call-ID that is not ours: which call they belong to.
    std::map<std::string, Ref, std::less<>> foreign_;
    // By party and user: calls that await somebody's first request, the oldest first.
    std::map<std::pair<script::PartyId, std::string>, std::deque<Ref>> awaiting_;

    boost::unordered_flat_map<std::uint32_t, std::unique_ptr<Connection>> connections_; // by token
    std::map<std::tuple<script::PartyId, script::PartyId, sip::Transport, Lane>, std::uint32_t>
        shared_;
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> by_wire_; // tokens
    std::vector<FarEnd> accepted_;                                    // from strangers, open
    std::uint32_t next_token_ = 1;
    bool ever_connected_ = false;

    std::vector<MediaPlace> idle_media_;
    boost::unordered_flat_map<std::uint32_t, Ref> media_owner_; // by RTP socket

    transaction::Outbox outbox_;
    Wants wants_;
    Tally tally_;
    std::vector<FailedCall> failed_;
    std::size_t kept_ = 0;
    std::string hopeless_;

    Phase phase_ = Phase::Enrolling;
    std::size_t enrolments_wanted_ = 0;
    std::size_t enrolments_begun_ = 0;
    std::size_t enrolments_open_ = 0;
    std::size_t enrolments_failed_ = 0;
    Instant enrol_again_at_;
    std::uint64_t next_call_ = 0; // of this shard
    std::size_t in_progress_ = 0;
    Instant began_;
    Instant interrupt_at_;
    Instant now_;
    std::vector<std::uint32_t> unsettled_;
    bool settling_ = false;
};

} // namespace cw::play
