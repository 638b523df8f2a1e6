// What a UserAgent knows, and the functions that its .cpp files share. For those files alone.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "dialog/identifiers.hpp"
#include "dialog/refer.hpp"
#include "dialog/replaces.hpp"
#include "dialog/retransmission.hpp"
#include "dialog/user_agent.hpp"
#include "sip/via.hpp"
#include "transaction/table.hpp"

namespace cw::dialog {

// A request of ours.
struct Sent {
    Ref ref = 0;
    sip::Method method = sip::Method::None;
    Draft draft; // as it was sent, but for Via
    std::string bytes;
    transaction::Handle transaction;
    transaction::Wire wire;
    Ref leg = 0;           // in whose dialog it went; 0: outside
    std::vector<Ref> legs; // that responses to an INVITE made
    Ref subscription = 0;  // SUBSCRIBE, REFER, NOTIFY
    Ref registration = 0;
    Ref told = 0;            // the subscription that hears of it, because a REFER asked for it
    std::uint32_t asked = 0; // seconds, by Session-Expires
    bool refresh = false;    // by the session timer
    bool provisional = false;
    std::uint16_t final = 0;
    bool cancel_wanted = false;
    bool cancel_sent = false;
    Changes cancel_changes;
    Instant expires_at; // an INVITE with Expires: to be cancelled then [RFC 3261 §13.2.1]
    Instant abandon_at; // an INVITE that was cancelled, or whose call is over
    Instant forget_at;  // it is over; kept for retry()
    Carrier carrier = Carrier::Other;
    bool described = false; // it has a session description
};

// A request of a peer.
struct Received {
    Ref ref = 0;
    sip::Method method = sip::Method::None;
    std::string bytes;
    std::string via; // the topmost, completed
    std::string tag; // ours
    transaction::Handle transaction;
    transaction::Wire wire;
    Ref leg = 0;
    bool in_dialog = false;
    std::uint16_t final = 0;
    bool over = false;
    ReliableSender reliable;
    Retransmission success; // a 2xx to INVITE
    struct Held {
        std::uint16_t status;
        Changes changes;
    };
    std::deque<Held> held; // a 2xx that waits for a PRACK
    Ref replaces = 0;
    bool replaces_early = false;
    Reference reference; // of a REFER
    Ref subscription = 0;
    Instant limit; // of a non-INVITE that nobody answers
    Meaning description = Meaning::None;
};

// A dialog and what uses it.
struct Leg {
    Ref ref = 0;
    Dialog dialog;
    transaction::Wire wire;
    bool has_call = false; // an INVITE made it
    bool call_over = false;
    InviteSide side = InviteSide::Caller;
    InviteState state = InviteState::Preparative;
    OfferAnswer session;
    SessionTimer timer;
    ReliableReceiver reliable;
    Ref invite_sent = 0;     // in progress: ours
    Ref invite_received = 0; // the peer's: until the ACK of its 2xx
    Ref update_received = 0;
    std::string ack; // for the last 2xx, to be sent again with it
    transaction::Wire ack_wire;
    std::uint32_t ack_cseq = 0; // of the INVITE whose 2xx came last
    bool ack_owed = false;
    std::vector<Field> credentials; // of that INVITE
    bool bye_when_acked = false;
    bool peer_updates = false; // Allow has UPDATE
    Instant mortal_until;
    Instant again_at; // after a 491
    std::string again_method;
    Changes again;
    std::vector<Ref> subscriptions;
    std::uint32_t refers = 0; // received
};

struct SubscriptionUsage {
    Ref ref = 0;
    Ref leg = 0; // 0: no NOTIFY has come yet
    Subscription subscription;
    Dialog forming;          // Call-ID, tag and number of the SUBSCRIBE or REFER outside a dialog
    std::uint32_t refer = 0; // the number of the REFER that made it; 0: SUBSCRIBE did
    transaction::Wire wire;
    Ref notify = 0;         // on its way
    std::uint16_t told = 0; // the last status of a referred request
    struct Waiting {
        SubscriptionEvent event;
        std::string reason;
        Changes changes;
    };
    std::deque<Waiting> waiting;
};

struct RegistrationUsage {
    Ref ref = 0;
    Registration registration;
    std::string from_tag;
    Changes changes;
    bool removing = false;
};

// A message on its way in.
struct Incoming {
    const sip::MessageView& message;
    const sip::Via& via;
    const transaction::Wire& wire;
    Instant now;
};

struct UserAgentState {
    UserAgentState(UserAgentSettings s, std::uint64_t seed);

    UserAgentSettings settings;
    Identifiers ids;
    transaction::Table table;
    transaction::Outbox outbox;
    std::vector<Report> reports;
    std::map<Ref, Sent> sent;
    std::map<Ref, Received> received;
    std::map<Ref, Leg> legs;
    std::map<Ref, SubscriptionUsage> subscriptions;
    std::map<Ref, RegistrationUsage> registrations;
    std::unordered_multimap<std::string, Ref> by_call_id; // legs
    std::set<std::pair<std::int64_t, Ref>> due;
    std::unordered_map<Ref, std::int64_t> armed;
    std::map<std::string, transaction::Wire> hops;
    sip::HeaderIndex index; // of what arrives
    Ref last_ref = 0;

    // ---- user_agent.cpp
    Ref next_ref() { return ++last_ref; }
    Report& report(What what) {
        auto& r = reports.emplace_back();
        r.what = what;
        return r;
    }
    void not_sent(Ref leg, const char* why);
    void arm(Ref ref, Instant when); // not known(): disarms
    void arm_leg(const Leg& leg);
    void arm_sent(const Sent& request);
    void arm_received(const Received& request);
    void release(Received& request);
    void arm_subscription(const SubscriptionUsage& usage);
    void settle(Instant now); // what the transactions had to tell
    void on_due(Ref ref, Instant now);
    void on_leg_due(Leg& leg, Instant now);
    void on_received_due(Received& request, Instant now);
    Leg& add_leg(Dialog dialog, const transaction::Wire& wire);
    Leg* find_leg(Ref ref);
    Leg* leg_of(const sip::MessageView& message);
    void drop_leg_if_unused(Ref ref);
    transaction::Wire wire_of(const Leg& leg) const;
    transaction::Wire wire_of(std::string_view uri, const transaction::Wire& otherwise) const;
    bool has_description(const sip::MessageView& message) const;

    // ---- user_agent_client.cpp
    Draft request_draft(std::string_view method, std::string_view uri);
    void add_capabilities(Draft& draft, sip::Method method) const;
    std::string contact() const;
    std::string via(const transaction::Wire& wire, std::string_view branch) const;
    Ref send(Sent request, const Changes& changes, Instant now);
    Ref send_in(Leg& leg, std::string_view method, const Changes& changes, Instant now,
                bool refresh = false);
    const char* forbids(const Leg& leg, sip::Method method, const Changes& changes);
    bool send_ack(Leg& leg, const Changes& changes, Instant now);
    void send_cancel(Sent& invite, Instant now);
    void send_prack(Leg& leg, Instant now);
    Ref retry(Sent& old, const Changes& changes, Instant now);

    // ---- user_agent_responses.cpp
    void on_response(const Incoming& in);
    void on_invite_response(Sent& request, const Incoming& in);
    Leg* leg_for_response(Sent& request, const Incoming& in, bool& fresh);
    void on_provisional(Sent& request, const Incoming& in);
    void on_answered(Sent& request, const Incoming& in);
    void on_failed(Sent& request, std::uint16_t status, const sip::MessageView* message,
                   Instant now);
    void on_other_response(Sent& request, const Incoming& in);
    void on_unanswered(Ref ref, bool timeout, Instant now);
    bool try_again(Sent& request, std::uint16_t status, const sip::MessageView* message,
                   Instant now);

    // ---- user_agent_server.cpp
    void on_request(const Incoming& in);
    void on_ack(const Incoming& in);
    void on_cancel(Received& request, transaction::Handle invite, const Incoming& in);
    std::uint16_t refusal_of_any(const Incoming& in, Changes& changes);
    void on_request_in_dialog(Received& request, Leg& leg, const Incoming& in);
    void on_request_outside(Received& request, const Incoming& in);
    void on_reinvite(Received& request, Leg& leg, const Incoming& in);
    void on_bye(Received& request, Leg& leg, const Incoming& in);
    void on_prack(Received& request, Leg& leg, const Incoming& in);
    void on_update(Received& request, Leg& leg, const Incoming& in);
    void on_new_invite(Received& request, const Incoming& in);
    bool is_merged(const Received& request, const sip::MessageView& message);
    void refuse(Received& request, std::uint16_t status, const Changes& changes, Instant now);
    void deliver(const Received& request, const Incoming& in);

    // ---- user_agent_answers.cpp
    bool respond(Received& request, std::uint16_t status, const Changes& changes, Instant now);
    Leg* leg_for_answer(Received& request, const sip::MessageView& message, Dialog::State state);
    void finish_draft(Draft& draft, const Received& request) const;
    bool respond_to_invite(Received& request, const sip::MessageView& message, Draft& draft,
                           const Changes& changes, Instant now);
    bool transmit(Received& request, const Draft& draft, Instant now);
    void after_invite_success(Received& request, Leg& leg, const Draft& draft, Instant now);
    void shut_down_replaced(const Received& request, Instant now);
    bool step_call(Leg& leg, InviteEvent event, Instant now, std::uint8_t* actions = nullptr);
    void end_call(Leg& leg, const char* why, Instant now);
    void bye(Leg& leg, const char* why, Instant now);

    // ---- user_agent_usages.cpp
    SubscriptionUsage& add_subscription(SubscriptionRole role, std::string_view event, Leg* leg);
    SubscriptionUsage* find_subscription(const Leg& leg, std::string_view event,
                                         SubscriptionRole role);
    void begin_subscriber(Sent& request, const Draft& draft, Leg* leg, Instant now);
    void on_subscribe_answered(Sent& request, std::uint16_t status, const sip::MessageView* message,
                               Instant now);
    void on_notify_request(Received& request, Leg* leg, const Incoming& in);
    void on_subscribe_request(Received& request, Leg* leg, const Incoming& in);
    void on_refer_request(Received& request, const Incoming& in);
    void begin_notifier(Received& request, const sip::MessageView& message, const Draft& response,
                        Instant now);
    void notify(SubscriptionUsage& usage, SubscriptionEvent event, std::string_view reason,
                const Changes& changes, Instant now);
    void on_notify_answered(Sent& request, std::uint16_t status, Instant now);
    void tell(Ref subscription, std::uint16_t status, Instant now);
    void on_subscription_due(SubscriptionUsage& usage, Instant now);
    void end_subscription(Ref ref);
    bool resubscribe(SubscriptionUsage& usage, std::uint32_t expires, Instant now);
    void report_subscription(const SubscriptionUsage& usage, const char* why = "");
    Ref send_register(RegistrationUsage& usage, Instant now);
    void on_registration_due(RegistrationUsage& usage, Instant now);
    void on_register_answered(Sent& request, const sip::MessageView* message, Instant now);
};

} // namespace cw::dialog
