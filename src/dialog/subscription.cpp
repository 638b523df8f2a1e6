#include "dialog/subscription.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "transaction/timer.hpp"

namespace cw::dialog {
namespace {

// Before it expires, with room for a SUBSCRIBE that is retransmitted: at nine tenths of a long
// time, half of a short one. Note: the RFC leaves this open.
Duration refresh_after(std::uint32_t expires) {
    const auto whole = seconds(expires);
    const auto late = whole - std::max(Duration{whole.ns / 10}, transaction::timer::t1x64);
    return std::max(late, Duration{whole.ns / 2});
}

void run(Subscription& s, std::uint32_t expires, Instant now) {
    s.expires = expires;
    s.expires_at = now + seconds(expires);
    s.refresh_at = s.role == SubscriptionRole::Subscriber && !s.ending
                       ? now + refresh_after(expires)
                       : Instant{};
}

void end(Subscription& s) {
    s.phase = SubscriptionPhase::Terminated;
    s.refresh_at = s.expires_at = s.timer_n = {};
}

void take(Subscription& s, SubscriptionEvent event) {
    s.phase = step(s.role, s.phase, event).next;
    if (s.phase == SubscriptionPhase::Terminated) {
        end(s);
    }
}

} // namespace

SubscriptionOutcome step(SubscriptionRole role, SubscriptionPhase phase, SubscriptionEvent event) {
    for (const auto& s : subscription_steps) {
        if (s.role == role && s.phase == phase && s.event == event) {
            return {s.next, true};
        }
    }
    return {phase, false};
}

Instant Subscription::next_deadline() const {
    Instant next;
    for (const auto at : {refresh_at, expires_at, timer_n}) {
        if (at.known() && (!next.known() || at < next)) {
            next = at;
        }
    }
    return next;
}

Subscription::Due Subscription::advance(Instant now) {
    const auto due = [&](Instant at) { return at.known() && at <= now; };
    if (phase == SubscriptionPhase::Terminated) {
        return Due::Nothing;
    }
    if (due(timer_n)) {
        // "If this Timer N expires prior to the receipt of a NOTIFY request, the subscriber
        // considers the subscription terminated" [RFC 6665 §4.1.2.2]
        take(*this, SubscriptionEvent::TimerN);
        return Due::NoNotify;
    }
    if (due(expires_at)) {
        expires_at = {};
        if (role == SubscriptionRole::Subscriber) {
            reason = "timeout";
            end(*this);
        }
        return Due::Expired;
    }
    if (due(refresh_at)) {
        refresh_at = {};
        return Due::Refresh;
    }
    return Due::Nothing;
}

void on_subscribe_sent(Subscription& s, std::uint32_t expires, Instant now) {
    s.ending = expires == 0;
    s.refresh_at = {};
    if (expires != 0) {
        s.expires = expires;
    }
    s.timer_n = now + transaction::timer::t1x64;
}

void on_subscribe_response(Subscription& s, std::uint16_t status,
                           std::optional<std::uint32_t> granted, Instant now) {
    if (status < 200 || s.phase == SubscriptionPhase::Terminated) {
        return;
    }
    if (status >= 300) {
        if (s.phase == SubscriptionPhase::NotifyWait || ends_subscription(status)) {
            take(s, SubscriptionEvent::Failure);
        } else {
            s.timer_n = {}; // the old one "is still considered valid" [RFC 6665 §4.1.2.2]
        }
        return;
    }
    if (status == 204) {
        s.timer_n = {}; // no NOTIFY will come [RFC 5839]
    }
    if (granted && *granted != 0) {
        // "The received value might be smaller […] but cannot be larger" [RFC 6665 §4.1.2.1]
        run(s, std::min(*granted, s.expires), now);
    }
}

void on_notify(Subscription& s, const sip::SubscriptionState& state, Instant now) {
    using State = sip::SubscriptionState::State;
    if (s.phase == SubscriptionPhase::Terminated) {
        return;
    }
    // An unsubscription is answered by a last NOTIFY, which says terminated; others may cross it.
    if (!s.ending) {
        s.timer_n = {};
    }
    if (state.state == State::Terminated) {
        s.reason = state.reason;
        take(s, SubscriptionEvent::NotifyTerminated);
        return;
    }
    take(s, state.state == State::Pending ? SubscriptionEvent::NotifyPending
                                          : SubscriptionEvent::NotifyActive);
    if (state.expires && *state.expires != 0) {
        run(s, *state.expires, now); // "the authoritative subscription duration" [RFC 6665 §4.1.3]
    } else if (!s.expires_at.known()) {
        run(s, s.expires, now);
    }
}

void on_subscribe(Subscription& s, std::uint32_t granted, Instant now) {
    s.ending = granted == 0;
    if (granted != 0) {
        run(s, granted, now);
    }
}

std::string notify_state(Subscription& s, SubscriptionEvent event, Instant now,
                         std::string_view reason) {
    const auto left = s.expires_at.known() && s.expires_at > now
                          ? (s.expires_at - now).ns / 1'000'000'000
                          : std::int64_t{0};
    take(s, event);
    switch (s.phase) {
    case SubscriptionPhase::Pending:
        return "pending;expires=" + std::to_string(left);
    case SubscriptionPhase::Active:
        return "active;expires=" + std::to_string(left);
    case SubscriptionPhase::NotifyWait:
    case SubscriptionPhase::RespWait:
    case SubscriptionPhase::Terminated:
        break;
    }
    s.reason = reason;
    return reason.empty() ? std::string{"terminated"} : "terminated;reason=" + std::string{reason};
}

Resubscribe resubscribe(std::string_view reason, std::optional<std::uint32_t> retry_after) {
    if (iequals(reason, "rejected") || iequals(reason, "noresource") ||
        iequals(reason, "invariant")) {
        return {false, {}};
    }
    if (iequals(reason, "deactivated") || iequals(reason, "timeout")) {
        return {true, {}}; // retry-after "has no semantics" there
    }
    return {true, seconds(retry_after.value_or(0))};
}

bool matches(const Subscription& s, std::string_view value) {
    const auto event = sip::parse_event(value);
    // The package "is compared byte by byte", and so is the id; one with an id never matches one
    // without [RFC 6665 §8.2.1].
    return event && event->package == s.package && event->id == s.id;
}

std::string event_value(const Subscription& s) {
    return s.id.empty() ? s.package : s.package + ";id=" + s.id;
}

bool ends_subscription(std::uint16_t status) {
    return status == 404 || status == 405 || status == 410 || status == 416 ||
           (status >= 480 && status <= 485) || status == 489 || status == 501 || status == 604;
}

std::string_view to_string(SubscriptionPhase phase) {
    constexpr std::array<std::string_view, subscription_phase_count> names{
        "notify_wait", "resp_wait", "pending", "active", "terminated"};
    return names[static_cast<std::size_t>(phase)];
}

} // namespace cw::dialog
