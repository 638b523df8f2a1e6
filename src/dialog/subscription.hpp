// A subscription, at the one who wants to know and at the one who tells [RFC 6665 §4.1.2 figure 1,
// §4.2.2 figure 2]. Packages (dialog, message-summary, presence, refer…) are opaque: a name, and
// bodies that pass through. Plain structs, a table, functions; time is an argument.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "sip/event.hpp"

namespace cw::dialog {

enum class SubscriptionRole : std::uint8_t { Subscriber, Notifier };
enum class SubscriptionPhase : std::uint8_t {
    NotifyWait, // subscriber: SUBSCRIBE is sent
    RespWait,   // notifier: SUBSCRIBE is received
    Pending,
    Active,
    Terminated,
};
inline constexpr std::size_t subscription_phase_count = 5;

enum class SubscriptionEvent : std::uint8_t {
    NotifyPending,    // received; at a notifier: policy is needed
    NotifyActive,     // received; at a notifier: permission is granted
    NotifyTerminated, // received; at a notifier: expired, or ended by policy
    Failure,          // of SUBSCRIBE, or at a notifier of NOTIFY
    TimerN,           // no NOTIFY came
};
inline constexpr std::size_t subscription_event_count = 5;

struct SubscriptionStep {
    SubscriptionRole role;
    SubscriptionPhase phase;
    SubscriptionEvent event;
    SubscriptionPhase next;
};

// Every pair that is not here is not legal and changes nothing.
// clang-format off
inline constexpr auto subscription_steps = std::to_array<SubscriptionStep>({
    {SubscriptionRole::Subscriber, SubscriptionPhase::NotifyWait, SubscriptionEvent::NotifyPending,    SubscriptionPhase::Pending},
    {SubscriptionRole::Subscriber, SubscriptionPhase::NotifyWait, SubscriptionEvent::NotifyActive,     SubscriptionPhase::Active},
    {SubscriptionRole::Subscriber, SubscriptionPhase::NotifyWait, SubscriptionEvent::NotifyTerminated, SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::NotifyWait, SubscriptionEvent::Failure,          SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::NotifyWait, SubscriptionEvent::TimerN,           SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Pending,    SubscriptionEvent::NotifyPending,    SubscriptionPhase::Pending},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Pending,    SubscriptionEvent::NotifyActive,     SubscriptionPhase::Active},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Pending,    SubscriptionEvent::NotifyTerminated, SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Pending,    SubscriptionEvent::Failure,          SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Pending,    SubscriptionEvent::TimerN,           SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Active,     SubscriptionEvent::NotifyActive,     SubscriptionPhase::Active},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Active,     SubscriptionEvent::NotifyTerminated, SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Active,     SubscriptionEvent::Failure,          SubscriptionPhase::Terminated},
    {SubscriptionRole::Subscriber, SubscriptionPhase::Active,     SubscriptionEvent::TimerN,           SubscriptionPhase::Terminated},
    {SubscriptionRole::Notifier,   SubscriptionPhase::RespWait,   SubscriptionEvent::NotifyPending,    SubscriptionPhase::Pending},
    {SubscriptionRole::Notifier,   SubscriptionPhase::RespWait,   SubscriptionEvent::NotifyActive,     SubscriptionPhase::Active},
    {SubscriptionRole::Notifier,   SubscriptionPhase::RespWait,   SubscriptionEvent::NotifyTerminated, SubscriptionPhase::Terminated},
    {SubscriptionRole::Notifier,   SubscriptionPhase::RespWait,   SubscriptionEvent::Failure,          SubscriptionPhase::Terminated},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Pending,    SubscriptionEvent::NotifyPending,    SubscriptionPhase::Pending},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Pending,    SubscriptionEvent::NotifyActive,     SubscriptionPhase::Active},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Pending,    SubscriptionEvent::NotifyTerminated, SubscriptionPhase::Terminated},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Pending,    SubscriptionEvent::Failure,          SubscriptionPhase::Terminated},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Active,     SubscriptionEvent::NotifyActive,     SubscriptionPhase::Active},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Active,     SubscriptionEvent::NotifyTerminated, SubscriptionPhase::Terminated},
    {SubscriptionRole::Notifier,   SubscriptionPhase::Active,     SubscriptionEvent::Failure,          SubscriptionPhase::Terminated},
});
// clang-format on

struct SubscriptionOutcome {
    SubscriptionPhase next;
    bool legal;
};
SubscriptionOutcome step(SubscriptionRole role, SubscriptionPhase phase, SubscriptionEvent event);

struct Subscription {
    SubscriptionRole role = SubscriptionRole::Subscriber;
    SubscriptionPhase phase = SubscriptionPhase::NotifyWait;
    std::string package;          // "dialog"
    std::string id;               // of Event; empty when there is none
    std::uint32_t expires = 3600; // that was asked for, or granted
    bool ending = false;          // unsubscribed: a last NOTIFY is awaited
    Instant refresh_at;           // subscriber; not known(): not armed
    Instant expires_at;
    Instant timer_n;    // subscriber
    std::string reason; // why it was terminated

    enum class Due : std::uint8_t { Nothing, Refresh, Expired, NoNotify };
    [[nodiscard]] Instant next_deadline() const;
    Due advance(Instant now); // Expired and NoNotify end a subscriber; a notifier sends a NOTIFY
};

// A subscriber sends SUBSCRIBE, the first or a refresh; `expires` 0 ends it.
void on_subscribe_sent(Subscription& subscription, std::uint32_t expires, Instant now);
// The response to it. `granted` is its Expires [§4.1.2.1].
void on_subscribe_response(Subscription& subscription, std::uint16_t status,
                           std::optional<std::uint32_t> granted, Instant now);
// A NOTIFY of the subscription arrives [§4.1.3].
void on_notify(Subscription& subscription, const sip::SubscriptionState& state, Instant now);

// A notifier accepts SUBSCRIBE, the first or a refresh, for this long; 0 ends it [§4.2.1].
void on_subscribe(Subscription& subscription, std::uint32_t granted, Instant now);
// A notifier is about to send NOTIFY with this event; the value of Subscription-State [§4.2.2].
std::string notify_state(Subscription& subscription, SubscriptionEvent event, Instant now,
                         std::string_view reason = {});

// What the reason of a terminated subscription allows [§4.1.3].
struct Resubscribe {
    bool may = true;
    Duration after{}; // at the earliest
};
Resubscribe resubscribe(std::string_view reason, std::optional<std::uint32_t> retry_after);

// Does the Event of a message mean this subscription? [§8.2.1]
bool matches(const Subscription& subscription, std::string_view event_value);
std::string event_value(const Subscription& subscription);
// Is it a response that ends a subscription, rather than only its refresh? [§4.1.2.2]
bool ends_subscription(std::uint16_t status);

std::string_view to_string(SubscriptionPhase phase);

} // namespace cw::dialog
