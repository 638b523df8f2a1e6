// A user agent: the core that ties dialogs, sessions, subscriptions and registrations to
// transactions [RFC 3261 §8, §12–§15]. What a player or a service drives. It does properly what it
// is not told (Via, tags, CSeq, 100, ACK, PRACK, retransmissions, refreshes), each by a bool of
// Automatic, and every message can be changed, also for the worse.
//
// Does no I/O and asks no clock: receive(), advance() and the commands are one mutation each; then
// the host sends what is in outbox() and its user reads reports(). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "dialog/dialog.hpp"
#include "dialog/draft.hpp"
#include "dialog/invite_usage.hpp"
#include "dialog/offer_answer.hpp"
#include "dialog/registration.hpp"
#include "dialog/reliable_provisional.hpp"
#include "dialog/session_timer.hpp"
#include "dialog/subscription.hpp"
#include "transaction/outbox.hpp"

namespace cw::dialog {

// A request, a dialog (here: a leg), a subscription or a registration. Never used twice; of what is
// over, a Ref finds nothing. 0: none.
using Ref = std::uint64_t;

// What the user agent does by itself.
struct Automatic {
    bool trying = true;     // 100 to an INVITE
    bool ack = true;        // for a 2xx that has no offer
    bool prack = true;      // for a reliable 1xx that has no offer
    bool answers = true;    // 200 to BYE, CANCEL, OPTIONS, NOTIFY; PRACK and UPDATE without offer
    bool glare = true;      // after a 491, once more
    bool shorter = true;    // after a 422 or 423, once more
    bool refresh = true;    // sessions, subscriptions, registrations
    bool expire = true;     // BYE when a session timer runs out
    bool replace = true;    // ends what an INVITE with Replaces replaced
    bool one_dialog = true; // BYE for a second 2xx, and for one that crossed CANCEL
    bool tell_referrer = true; // NOTIFYs about a REFER that is followed
};

struct UserAgentSettings {
    std::string aor; // "sips:alice@example.com"
    std::string display;
    std::string contact;            // a URI
    std::string contact_params;     // ";+sip.instance=…"
    std::string sent_by;            // of Via; empty: the wire's own address
    std::string product;            // User-Agent and Server; empty: none
    std::vector<std::string> route; // of requests outside dialogs, as Service-Route gives it
    transaction::Wire wire;         // for requests outside dialogs
    Reliability reliability = Reliability::Supported;
    bool prefers_reliable = false; // where both sides can
    SessionTimerPolicy session_timer;
    std::vector<std::string> methods{"INVITE", "ACK",       "BYE",    "CANCEL",  "OPTIONS",
                                     "PRACK",  "UPDATE",    "INFO",   "MESSAGE", "REFER",
                                     "NOTIFY", "SUBSCRIBE", "PUBLISH"};
    std::vector<std::string> extensions{"replaces", "norefersub", "199"}; // 100rel, timer: above
    std::vector<std::string> events{"dialog", "message-summary", "presence", "refer",
                                    "reg",    "conference"};
    std::uint32_t longest_subscription = 3600;
    std::size_t max_dialogs = 100'000; // more INVITEs than that are answered 503
    Automatic automatic;
    sip::Policy policy;
};

enum class What : std::uint8_t {
    Request,      // arrived; respond() answers it, unless `status` says that it is answered
    Refused,      // a request that broke a rule; `status` is what it was answered
    Response,     // to `request`
    Ack,          // for our 2xx to `request`
    NoAck,        // 64*T1 without one: a BYE was sent
    NoPrack,      // 64*T1 without one: the INVITE was answered 504
    Cancelled,    // the INVITE `request` was taken back: 487
    Timeout,      // `request` was never answered
    Unreachable,  // the wire of `request` is gone
    Dialog,       // there is a leg now, early or confirmed
    Confirmed,    // the leg's dialog is confirmed
    Ended,        // the call of the leg is over; `why`
    Retried,      // a request was sent once more by itself: `request`
    NotSent,      // a command that is against the rules, or must wait; `why`
    Subscription, // its state changed
    Registration, // its state changed
    Stray,        // a message that belongs to nothing here
};

struct Report {
    What what = What::Stray;
    Ref request = 0;
    Ref leg = 0;
    Ref subscription = 0; // or registration
    sip::Method method = sip::Method::None;
    std::uint16_t status = 0;
    Meaning description = Meaning::None; // of the message's body
    const char* why = "";                // static
    std::string message;                 // its bytes; empty when there is none
};

struct UserAgentState; // user_agent_state.hpp

class UserAgent {
  public:
    UserAgent(UserAgentSettings settings, std::uint64_t seed);
    ~UserAgent();
    UserAgent(const UserAgent&) = delete;
    UserAgent& operator=(const UserAgent&) = delete;

    // ---- commands. Those that return a Ref return 0 when nothing was sent; NotSent says why.
    Ref invite(std::string_view uri, const Changes& changes, Instant now);
    // Any other request outside a dialog: MESSAGE, OPTIONS, REFER, PUBLISH…
    Ref request_outside(std::string_view method, std::string_view uri, const Changes& changes,
                        Instant now);
    // A request in the dialog of a leg: BYE, re-INVITE, UPDATE, INFO, PRACK, REFER… ACK by ack().
    Ref request(Ref leg, std::string_view method, const Changes& changes, Instant now);
    // The ACK for the last 2xx, where Automatic has not sent it or it is to be another.
    bool ack(Ref leg, const Changes& changes, Instant now);
    // CANCEL, as soon as a provisional response is there [RFC 3261 §9.1].
    bool cancel(Ref invite, const Changes& changes, Instant now);
    // The request again, in a new transaction with the next number, with what `changes` adds: the
    // credentials for a 401 or 407 [RFC 3261 §22.2], another offer.
    Ref retry(Ref request, const Changes& changes, Instant now);
    // Answers a request; false when it is gone or answered.
    bool respond(Ref request, std::uint16_t status, const Changes& changes, Instant now);
    // BYE, CANCEL or a refusal: whatever ends the call of this leg now.
    void hang_up(Ref leg, Instant now);

    Ref subscribe(std::string_view uri, std::string_view event, std::uint32_t expires,
                  const Changes& changes, Instant now); // the subscription
    bool refresh_subscription(Ref subscription, std::uint32_t expires, Instant now); // 0 ends it
    // A NOTIFY of a subscription to us. One at a time is on its way; later ones wait.
    bool notify(Ref subscription, SubscriptionEvent event, std::string_view reason,
                const Changes& changes, Instant now);
    // Sends what a REFER asks for, and tells its sender what comes of it [RFC 3515 §2.4.4].
    Ref follow(Ref refer, const Changes& changes, Instant now);

    Ref add_registration(Registration registration, const Changes& changes, Instant now);
    void unregister(Ref registration, Instant now);

    // Any bytes, as they are.
    void send_raw(std::string_view bytes, const transaction::Wire& wire);

    // ---- what happens
    void receive(std::string_view bytes, const transaction::Wire& wire, Instant now);
    void on_wire_closed(const transaction::Wire& wire, Instant now);
    void advance(Instant now);
    [[nodiscard]] Instant next_deadline() const; // not known(): none

    // ---- what comes of it
    [[nodiscard]] transaction::Outbox& outbox();
    [[nodiscard]] std::span<const Report> reports() const;
    void clear_reports();

    // ---- looking on. Pointers are valid until the next command or event.
    [[nodiscard]] const Dialog* dialog(Ref leg) const;
    [[nodiscard]] InviteState call_state(Ref leg) const; // Morgue when there is none
    [[nodiscard]] const OfferAnswer* session(Ref leg) const;
    [[nodiscard]] const SessionTimer* session_timer(Ref leg) const;
    [[nodiscard]] const Subscription* subscription(Ref subscription) const;
    [[nodiscard]] const Registration* registration(Ref registration) const;
    [[nodiscard]] std::vector<Ref> legs() const;
    struct Sizes {
        std::size_t transactions = 0, requests = 0, legs = 0, subscriptions = 0, registrations = 0;
    };
    [[nodiscard]] Sizes sizes() const;
    UserAgentSettings& settings();

    // Requests whose next hop has this host and port, "192.0.2.1:5061", go out on this wire; others
    // on the wire of their leg.
    void learn(std::string hop, const transaction::Wire& wire);
    // All further requests of a leg go out on another wire.
    void move(Ref leg, const transaction::Wire& wire);

  private:
    std::unique_ptr<UserAgentState> state_;
};

std::string_view to_string(What what);

} // namespace cw::dialog
