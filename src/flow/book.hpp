// The Book: takes what was seen, in the order of time, and makes calls of it. A source of events
// (capture decoder, HEP, the tap in host/) writes into it; views and rules read calls from it.
//
//   messages ──▶ stretches of legs ──quiet──▶ spool ─┐
//   RTP, RTCP ─▶ media streams ─────idle───▶ spool ─┼─ finish() ─▶ for_each_call()
//   connections ──────────────────closed───▶ spool ─┘
//
// Memory is bounded by what is open: a quiet leg, an idle stream and a closed connection leave some
// tens of bytes behind. Where nothing ever ends, as in a live capture, take_ended() hands calls out
// as they end, and nothing of them stays. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "flow/call.hpp"
#include "flow/correlate.hpp"
#include "flow/diagnose/diagnose.hpp"
#include "flow/dtls_exchanges.hpp"
#include "flow/event.hpp"
#include "flow/leg.hpp"
#include "flow/media.hpp"
#include "flow/references.hpp"
#include "flow/secured_body.hpp"
#include "flow/spool.hpp"
#include "sdp/session.hpp"

namespace cw::flow {

struct Counts {
    std::uint64_t sip_messages = 0;
    std::uint64_t malformed = 0;
    std::uint64_t calls = 0; // of every kind; known after finish()
    std::uint64_t tls_connections = 0;
    std::uint64_t tls_decrypted = 0;
    std::uint64_t rtp_streams = 0;
    std::uint64_t stray_streams = 0;    // RTP that no session description announced
    std::uint64_t dtls_srtp_unread = 0; // DTLS handshakes for SRTP whose secrets were not known
};

class Book final : public Listener {
  public:
    // A leg is closed when it was quiet for longer than anything is retransmitted: 64·T1 = 32 s
    // [RFC 3261 §17.1.1.2], and a little.
    static constexpr Duration quiet = seconds(35);
    // When its last transaction was answered, nothing but retransmissions can follow, and those
    // come at most T2 = 4 s apart [RFC 3261 §17.1.2.2].
    static constexpr Duration settled = seconds(5);

    Book();
    ~Book() override;
    Book(const Book&) = delete;
    Book& operator=(const Book&) = delete;

    // Who opens signed and encrypted bodies; must outlive the Book. Before the first event.
    void open_bodies_with(BodyOpener& opener) { opener_ = &opener; }
    // Who wants what is in the packets of media, opened where that was possible; must outlive the
    // Book. Before the first event.
    void tap_media(MediaTap& tap) { media_.tap(tap); }

    void on_sip(const SipEvent& event) override;
    void expect(const SipEvent& event) override;
    void on_message(const MessageEvent& event);
    void on_media(const MediaEvent& event) override;
    void on_dtls(const Sighting& at) override;
    void on_dtls_srtp(const DtlsSrtp& handshake) override;
    void on_dtls_exchange(const DtlsExchange& exchange) override { dtls_.add(exchange); }
    void on_connection(const Connection& connection) override;
    void finish(Instant end) override;

    // ---- live
    // A dialog that says nothing for so long is not waited for, nor is an INVITE that no proxy
    // would wait for [RFC 3261 §16.6 item 11: Timer C is more than 3 minutes].
    static constexpr Duration abandoned = seconds(24 * 3600);
    static constexpr Duration unanswered = seconds(240);
    // Of closed connections a call may want the handshake; it is kept for so long.
    static constexpr Duration closed_kept = seconds(3600);
    // Where to ask for connections that are still open: capture::Decoder::describe().
    using OpenConnection = std::function<bool(std::uint32_t id, Connection& connection)>;
    void ask_for_open(OpenConnection open) { open_connection_ = std::move(open); }
    // Hands out the calls that have ended, in the order of their start, and forgets them. Numbers
    // go on from one time to the next. Costs a look at every call that is open, so once a second is
    // often enough.
    void take_ended(Instant now, const std::function<void(const Call&)>& visit);
    [[nodiscard]] std::uint32_t handed_out() const { return handed_out_; }

    // For who shows calls while they go on. Before the first event:
    void note_changes() { noting_ = true; }
    // Hands out, as they are now, the calls on which something was said since the last time, until
    // `visit` returns false; those left over, and that one, come the next time. They are not judged
    // to be over: take_ended() says that, and is to be called first.
    void take_changed(Instant now, const std::function<bool(const Call&)>& visit);
    // One call as it is now; false when no such call is open. The call is valid during `visit`.
    bool look(std::uint32_t key, Instant now, const std::function<void(const Call&)>& visit);
    // During a visit: what the call is known by while it is open, the number of its first leg.
    // Never given again.
    [[nodiscard]] std::uint32_t key() const { return key_; }
    struct Joined {            // what were two calls is one
        std::uint32_t key = 0; // no more
        std::uint32_t into = 0;
    };
    std::vector<Joined> take_joined() { return std::exchange(joined_, {}); }
    // Legs of calls that were not handed out.
    [[nodiscard]] std::size_t legs() const { return slots_.size(); }
    // What waits for its call to end, in memory or in the temporary file, in bytes.
    [[nodiscard]] std::uint64_t stored() const { return spool_.kept(); }

    // ---- after finish()
    [[nodiscard]] const Counts& counts() const { return counts_; }
    // What came from an input and could not be used.
    struct Unused {
        std::uint64_t sip = 0;   // looked like a message, and is none
        std::uint64_t media = 0; // looked like RTP, and is none
    };
    [[nodiscard]] Unused unused(std::uint16_t input) const {
        return input < unused_.size() ? unused_[input] : Unused{};
    }
    // In the order of their start, numbered from 1. The call is valid during `visit`, which returns
    // false to stop.
    void for_each_call(const std::function<bool(const Call&)>& visit);
    // What one who reads calls has at hand. Not to be shared between threads.
    class Desk {
        friend class Book;
        Spool::Reader spool_;
        struct Loaded {
            Connection connection;
            bool lent = false; // a call has it, and gives it back or not
        };
        std::vector<BlobRef> chain_; // the stretches of the leg that is read back
        boost::unordered_flat_map<std::uint32_t, Loaded> loaded_; // the latest read back
        Connection asked_;                                        // the latest that is still open
        diagnose::ConnectionFindings connection_findings_;
    };
    // Some of the calls of for_each_call(): from the `first`, counted from 0, up to `end`, which is
    // at most Counts::calls. Several threads may read at a time, each at its own desk.
    void for_calls(std::uint32_t first, std::uint32_t end, Desk& desk,
                   const std::function<bool(const Call&)>& visit) const;
    // In the order of their ids; without those that are Connection::unnamed.
    void for_each_connection(const std::function<bool(const Connection&)>& visit);
    // RTP streams that belong to no call; `texts` holds their texts.
    void for_each_stray_stream(
        const std::function<bool(const MediaStream&, const TextPool& texts)>& visit);

  private:
    struct Slot {             // what stays of a leg for good
        std::uint64_t id = 0; // hash of the Call-ID
        Instant start;
        BlobRef last;                // its latest stretch
        std::uint32_t parent = none; // towards the leg that stands for the call
        std::uint32_t open = none;   // index in open_
        Instant closed;              // when it was closed the last time
        struct {
            bool established = false; // an INVITE was accepted, and no BYE was sent
            bool ringing = false;     // an INVITE has no final answer yet
        } dialog;
        bool released = false; // its call was handed out: nothing is known of it any more
        bool changed = false;  // it is in changed_
    };
    // The slots by number. Numbers only grow; those at the front go when they are released.
    class Slots {
      public:
        Slot& operator[](std::uint32_t number) { return slots_[number - first_]; }
        const Slot& operator[](std::uint32_t number) const { return slots_[number - first_]; }
        [[nodiscard]] std::uint32_t first() const { return first_; }
        [[nodiscard]] std::uint32_t end() const {
            return first_ + static_cast<std::uint32_t>(slots_.size());
        }
        [[nodiscard]] bool has(std::uint32_t number) const {
            return number >= first_ && number < end() && !(*this)[number].released;
        }
        [[nodiscard]] std::size_t size() const { return slots_.size() - released_; }
        void add(const Slot& slot) { slots_.push_back(slot); }
        void release(std::uint32_t number);
        void trim();

      private:
        std::vector<Slot> slots_;
        std::uint32_t first_ = 0;
        std::size_t released_ = 0;
    };
    struct OpenLeg {
        Stretch stretch;
        Instant last_activity;
        std::uint32_t slot = 0;
        std::uint32_t use = 0;    // counts the legs that this memory has served
        bool started = false;     // an INVITE has been shown to the correlator
        bool ended = false;       // its last transaction was answered
        bool in_settling = false; // an entry of settling_ points here
    };
    struct Coming { // a message that is to be told next
        // False: it is none.
        bool read(const SipEvent& event);
        // Looks into it, if that was not done before.
        const sip::MessageView& message();
        std::string_view call_id() const;

        std::string_view bytes;                    // none once it was told
        const PreparedMessage* prepared = nullptr; // what is known of it, if somebody prepared it
        bool is_message = false;
        const sip::MessageView* known = nullptr; // somebody's, or `own`
        sip::HeaderIndex index;
        Result<sip::MessageView> own;
        std::uint64_t id = 0; // of its leg, if it was expected
        bool expected = false;
        const OpenLeg* leg = nullptr; // where it will go, as far as that is known
    };
    // The latest legs, each in the place of its id: small, and at an address that is known before
    // anything was looked up.
    struct Recent {
        std::uint64_t id = 0;
        std::uint32_t slot = none; // valid while there is such a slot: numbers are not given again
        std::uint32_t open = none; // where it was in open_; a hint, for it may be closed
    };
    struct Check { // when to see whether a leg can be closed
        Instant due;
        std::uint32_t index = 0; // in open_
        std::uint32_t use = 0;
    };
    struct JoinRecord {
        std::uint32_t older = 0;
        std::uint32_t newer = 0;
        std::uint8_t score = 0;
        BlobRef evidence;
    };
    struct StoredConnection {
        std::uint32_t id = 0;
        BlobRef blob;
        Instant closed;
    };
    struct StoredStream {
        std::uint32_t slot = none; // the leg it belongs to, none for a stray
        BlobRef blob;
    };
    struct OpenStream {
        std::uint32_t slot = none;
        std::string packed;
    };
    struct Undecrypted { // for the grey boxes
        Endpoint client;
        Endpoint server;
        Instant first;
        Instant last;
        std::uint32_t id = 0;
    };

    struct Unnamed { // see Connection::unnamed
        Endpoint server;
        Instant opened;
        std::uint32_t id = 0;
    };

    Unused& unused_of(std::uint16_t input);
    [[nodiscard]] std::uint64_t leg_id(std::string_view call_id, const Sighting& at) const;
    void enter(const SipEvent& event, Coming& coming, std::uint64_t id);
    static constexpr std::size_t recent_size = 8192;
    Recent& recent_of(std::uint64_t id) { return recent_[id % recent_size]; }
    [[nodiscard]] const Recent& recent_of(std::uint64_t id) const {
        return recent_[id % recent_size];
    }
    void fetch_leg(Coming& next) const;
    std::uint32_t slot_of(std::uint64_t id, Instant now);
    OpenLeg& open(std::uint32_t slot, Instant now);
    void close(std::uint32_t index);
    void close_quiet_legs(Instant now);
    void note_end(OpenLeg& leg, std::uint32_t index, const Message& message);
    void correlate(OpenLeg& leg, const Sighting& at, Coming& coming, const MessageDigest& digest,
                   const sdp::Session* session);
    void refer(std::uint32_t slot, const Reference& reference);
    void join(const JoinFound& found);
    std::uint32_t root_of(std::uint32_t slot);
    void sort_records();
    [[nodiscard]] bool is_over(std::span<const std::uint32_t> slots, Instant now) const;
    void release(std::span<const std::uint32_t> slots);
    void drop_leg(Slot& slot);
    void forget_closed(Instant now);
    void note_change(std::uint32_t slot);
    [[nodiscard]] std::uint32_t number_of(std::uint32_t root) const;
    void gather_open_streams(std::vector<std::uint32_t> slots);
    void store_stream(std::uint32_t slot, const MediaStream& stream, const TextPool& texts);

    // Reading back, in book_read.cpp.
    void order_calls();
    [[nodiscard]] std::span<const std::uint32_t> slots_of(std::uint32_t number) const {
        return {members_.data() + call_begins_[number], members_.data() + call_begins_[number + 1]};
    }
    void assemble(std::uint32_t number, Call& call);
    void assemble(std::uint32_t number, Call& call, Desk& desk) const;
    void load_leg(std::uint32_t slot, Call& call, Desk& desk) const;
    void add_joins(std::span<const std::uint32_t> slots, Call& call, Desk& desk) const;
    void add_streams(std::span<const std::uint32_t> slots, Call& call, Desk& desk) const;
    void add_connections(Call& call, Desk& desk) const;
    static void take_back_connections(Call& call, Desk& desk);
    void add_unnamed(const Call& call, std::vector<std::uint32_t>& ids) const;
    void add_undecrypted(const Call& call, std::vector<std::uint32_t>& ids) const;
    Connection* connection(std::uint32_t id, Desk& desk) const;

    std::uint64_t seed_;
    BodyOpener* opener_ = nullptr;
    Counts counts_;
    std::vector<Unused> unused_;   // by input
    std::array<Coming, 2> coming_; // this one and the next, in turns
    std::size_t now_ = 0;          // which is this one
    std::vector<Recent> recent_{std::vector<Recent>(recent_size)};
    Instant begin_; // of what was seen
    Instant end_;
    Spool spool_;
    Slots slots_;
    boost::unordered_flat_map<std::uint64_t, std::uint32_t> slot_by_id_;
    std::vector<std::unique_ptr<OpenLeg>> open_;
    std::vector<std::uint32_t> free_;
    // Every open leg is in the first; one that has ended also in the second. In the order in which
    // they were put there: cheaper to keep than the order of activity, and late by no more than a
    // leg is kept.
    std::deque<Check> waiting_;
    std::deque<Check> settling_;
    Correlator correlator_;
    MediaTable media_;
    DtlsExchanges dtls_;
    bool unknown_named_ = false; // a Call-ID was named that no leg had until then
    std::vector<JoinFound> found_;
    std::vector<JoinRecord> joins_;
    std::vector<StoredConnection> connections_;
    std::vector<Undecrypted> undecrypted_;
    std::vector<Unnamed> unnamed_;
    std::vector<StoredStream> streams_;
    // Live: calls that were handed out, and whether one may have ended since.
    std::uint32_t handed_out_ = 0;
    bool noting_ = false;
    std::vector<std::uint32_t> changed_; // slots
    std::vector<Joined> joined_;
    std::vector<OpenStream> open_streams_; // as they are now, of the calls that are looked at
    std::uint32_t key_ = none;
    bool may_have_ended_ = false;
    Instant looked_; // when the calls were looked through the last time
    OpenConnection open_connection_;
    Desk desk_;
    std::vector<std::uint32_t> members_; // slots, call by call, in the order of start
    std::vector<std::uint32_t>
        call_begins_; // where in members_ each call begins; one more at the end
    std::string packed_;
    sdp::Session session_;
    MessageDigest digest_;
    DigestTexts texts_; // of it
};

} // namespace cw::flow
