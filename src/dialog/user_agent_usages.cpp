// Subscriptions, REFER and registrations of UserAgent.
#include <algorithm>

#include "base/text.hpp"
#include "dialog/user_agent_state.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"
#include "sip/session_expires.hpp"

namespace cw::dialog {

using sip::HeaderId;
using sip::Method;
using State = UserAgentState;

namespace {

// How long a referred request may take; its end ends the subscription.
constexpr std::uint32_t refer_seconds = 300;

std::optional<std::uint32_t> expires_of(const sip::MessageView& message) {
    const auto value = sip::parse_seconds(message.value(HeaderId::Expires));
    return message.has(HeaderId::Expires) && value ? std::optional{value->seconds} : std::nullopt;
}

std::string tag_in(std::string_view value) {
    const auto name = sip::parse_name_addr(value);
    return name ? std::string{name->tag} : std::string{};
}

std::uint32_t number_in(std::string_view cseq_value) {
    const auto cseq = sip::parse_cseq(cseq_value);
    return cseq ? cseq->number : 0;
}

// A NOTIFY of a REFER's subscription may leave the id out for the first [RFC 3515 §2.4.6].
bool means(const SubscriptionUsage& usage, std::string_view event_value) {
    if (usage.refer == 0) {
        return matches(usage.subscription, event_value);
    }
    const auto event = sip::parse_event(event_value);
    return event && event->package == "refer" &&
           (event->id.empty() || event->id == std::to_string(usage.refer));
}

} // namespace

void State::report_subscription(const SubscriptionUsage& usage, const char* why) {
    auto& r = report(What::Subscription);
    r.subscription = usage.ref;
    r.leg = usage.leg;
    r.why = why;
}

SubscriptionUsage& State::add_subscription(SubscriptionRole role, std::string_view event,
                                           Leg* leg) {
    const auto ref = next_ref();
    auto& usage = subscriptions[ref];
    usage.ref = ref;
    usage.subscription.role = role;
    usage.subscription.phase = role == SubscriptionRole::Subscriber ? SubscriptionPhase::NotifyWait
                                                                    : SubscriptionPhase::RespWait;
    if (const auto parsed = sip::parse_event(event)) {
        usage.subscription.package = parsed->package;
        usage.subscription.id = parsed->id;
    }
    if (leg != nullptr) {
        usage.leg = leg->ref;
        leg->subscriptions.push_back(ref);
    }
    return usage;
}

SubscriptionUsage* State::find_subscription(const Leg& leg, std::string_view event,
                                            SubscriptionRole role) {
    for (const auto ref : leg.subscriptions) {
        const auto at = subscriptions.find(ref);
        if (at != subscriptions.end() && at->second.subscription.role == role &&
            means(at->second, event)) {
            return &at->second;
        }
    }
    return nullptr;
}

void State::end_subscription(Ref ref) {
    const auto at = subscriptions.find(ref);
    if (at == subscriptions.end()) {
        return;
    }
    const auto leg_ref = at->second.leg;
    arm(ref, {});
    subscriptions.erase(at);
    if (auto* leg = find_leg(leg_ref)) {
        std::erase(leg->subscriptions, ref);
        drop_leg_if_unused(leg_ref);
    }
}

// ---- subscriber

// SUBSCRIBE or REFER was sent: the subscription waits for its NOTIFY.
void State::begin_subscriber(Sent& request, const Draft& draft, Leg* leg, Instant now) {
    if (request.subscription != 0 || iequals(trim(draft.value("Refer-Sub")), "false")) {
        return;
    }
    const bool refer = request.method == Method::Refer;
    auto& usage =
        add_subscription(SubscriptionRole::Subscriber, refer ? "refer" : draft.value("Event"), leg);
    request.subscription = usage.ref;
    usage.refer = refer ? number_in(draft.value("CSeq")) : 0;
    usage.wire = request.wire;
    usage.forming.call_id = draft.value("Call-ID");
    usage.forming.local_tag = tag_in(draft.value("From"));
    usage.forming.local_cseq = number_in(draft.value("CSeq"));
    const auto expires = sip::parse_seconds(draft.value("Expires"));
    on_subscribe_sent(usage.subscription,
                      refer     ? refer_seconds
                      : expires ? expires->seconds
                                : 3600,
                      now);
    arm_subscription(usage);
}

void State::on_subscribe_answered(Sent& request, std::uint16_t status,
                                  const sip::MessageView* message, Instant now) {
    const auto at = subscriptions.find(request.subscription);
    if (at == subscriptions.end() || status == 401 || status == 407) {
        return; // a challenge: retry() goes on with it
    }
    auto& usage = at->second;
    // "Refer-Sub: false" in the 2xx: no NOTIFY will come [RFC 4488 §4].
    const bool none = message != nullptr && status < 300 &&
                      istarts_with(trim(message->value(HeaderId::ReferSub)), "false");
    if (none) {
        report_subscription(usage, "none was made");
        return end_subscription(usage.ref);
    }
    const auto before = usage.subscription.phase;
    on_subscribe_response(usage.subscription, status,
                          message != nullptr ? expires_of(*message) : std::nullopt, now);
    arm_subscription(usage);
    if (usage.subscription.phase == SubscriptionPhase::Terminated) {
        report_subscription(usage, before == SubscriptionPhase::NotifyWait ? "refused"
                                                                           : "its refresh failed");
        end_subscription(usage.ref);
    }
}

bool State::resubscribe(SubscriptionUsage& usage, std::uint32_t expires, Instant now) {
    auto* leg = find_leg(usage.leg);
    if (leg == nullptr || usage.subscription.role != SubscriptionRole::Subscriber) {
        return false;
    }
    Sent request;
    request.leg = leg->ref;
    request.subscription = usage.ref;
    request.wire = wire_of(*leg);
    request.draft = request_in(leg->dialog, "SUBSCRIBE");
    request.draft.add("Contact", contact());
    request.draft.add("Event", usage.refer != 0 ? "refer;id=" + std::to_string(usage.refer)
                                                : event_value(usage.subscription));
    request.draft.add("Expires", std::to_string(expires));
    add_capabilities(request.draft, Method::Subscribe);
    on_subscribe_sent(usage.subscription, expires, now);
    arm_subscription(usage);
    return send(std::move(request), {}, now) != 0;
}

void State::on_notify_request(Received& request, Leg* leg, const Incoming& in) {
    const auto event = in.message.value(HeaderId::Event);
    const auto state = sip::parse_subscription_state(in.message.value(HeaderId::SubscriptionState));
    SubscriptionUsage* usage = nullptr;
    if (leg != nullptr) {
        usage = find_subscription(*leg, event, SubscriptionRole::Subscriber);
    } else {
        // The first NOTIFY makes the dialog, with or before the 2xx [RFC 6665 §4.4.1]. A second
        // one, of a fork, finds none that waits.
        const auto call_id = in.message.value(HeaderId::CallId);
        const auto tag = tag_in(in.message.value(HeaderId::To));
        for (auto& [ref, waiting] : subscriptions) {
            if (waiting.leg == 0 && waiting.forming.call_id == call_id &&
                waiting.forming.local_tag == tag && means(waiting, event)) {
                usage = &waiting;
                break;
            }
        }
    }
    if (usage == nullptr) {
        return refuse(request, 481, {}, in.now); // "MUST" [RFC 6665 §4.1.3]
    }
    if (!state) {
        return refuse(request, 400, {}, in.now);
    }
    if (leg == nullptr) {
        auto dialog = uas_dialog(in.message, usage->forming.local_tag, Dialog::State::Confirmed,
                                 sip::is_secure(in.wire.transport));
        if (!dialog) {
            return refuse(request, 400, {}, in.now);
        }
        dialog->local_cseq = usage->forming.local_cseq;
        leg = &add_leg(std::move(*dialog), usage->wire);
        leg->subscriptions.push_back(usage->ref);
        usage->leg = leg->ref;
        request.leg = leg->ref;
        request.tag = leg->dialog.local_tag;
        request.in_dialog = true;
    }
    on_notify(usage->subscription, *state, in.now);
    arm_subscription(*usage);
    request.subscription = usage->ref;
    if (settings.automatic.answers) {
        respond(request, 200, {}, in.now);
    }
    deliver(request, in);
    report_subscription(*usage);
    if (usage->subscription.phase == SubscriptionPhase::Terminated) {
        end_subscription(usage->ref);
    }
}

// ---- notifier

void State::on_subscribe_request(Received& request, Leg* leg, const Incoming& in) {
    const auto event = sip::parse_event(in.message.value(HeaderId::Event));
    if (!event || std::ranges::find(settings.events, event->package) == settings.events.end()) {
        Changes changes;
        std::string all;
        for (const auto& e : settings.events) {
            all += (all.empty() ? "" : ", ") + e;
        }
        changes.with("Allow-Events", all);
        return refuse(request, 489, changes, in.now); // [RFC 6665 §4.2.1.1]
    }
    auto* usage = leg != nullptr ? find_subscription(*leg, in.message.value(HeaderId::Event),
                                                     SubscriptionRole::Notifier)
                                 : nullptr;
    if (usage == nullptr) {
        // "If a SUBSCRIBE request for event refer is received for a subscription that does not
        // already exist, it MUST be rejected with a 403" [RFC 3515 §2.4.4].
        if (event->package == "refer") {
            return refuse(request, 403, {}, in.now);
        }
        return deliver(request, in);
    }
    request.subscription = usage->ref;
    if (settings.automatic.answers) {
        respond(request, 200, {}, in.now);
    }
    deliver(request, in);
}

void State::on_refer_request(Received& request, const Incoming& in) {
    if (const auto status = read_refer(in.message, request.reference); status != 0) {
        return refuse(request, status, {}, in.now);
    }
    deliver(request, in);
}

// SUBSCRIBE or REFER was answered 2xx: the subscription is there, and the first NOTIFY goes out.
void State::begin_notifier(Received& request, const sip::MessageView& message,
                           const Draft& response, Instant now) {
    const bool refer = request.method == Method::Refer;
    if (refer && (!request.reference.wants_subscription ||
                  iequals(trim(response.value("Refer-Sub")), "false"))) {
        return;
    }
    auto at = subscriptions.find(request.subscription);
    if (at == subscriptions.end()) {
        auto* leg = leg_for_answer(request, message, Dialog::State::Confirmed);
        if (leg == nullptr) {
            return;
        }
        auto& usage = add_subscription(SubscriptionRole::Notifier,
                                       refer ? "refer" : message.value(HeaderId::Event), leg);
        if (refer && leg->refers++ > 0) {
            // "for the second and subsequent REFER requests a UA receives in a given dialog, it
            // MUST include an id parameter" [RFC 3515 §2.4.6]
            usage.subscription.id = std::to_string(number_in(message.value(HeaderId::CSeq)));
        }
        request.subscription = usage.ref;
        at = subscriptions.find(usage.ref);
    }
    auto& usage = at->second;
    const auto granted = sip::parse_seconds(response.value("Expires"));
    const auto wanted = expires_of(message).value_or(refer ? refer_seconds : 3600);
    on_subscribe(usage.subscription,
                 granted ? granted->seconds : std::min(wanted, settings.longest_subscription), now);
    arm_subscription(usage);
    Changes changes;
    if (refer) {
        changes.with_body(std::string{sipfrag_type}, sipfrag(100));
    }
    if (usage.subscription.ending) {
        notify(usage, SubscriptionEvent::NotifyTerminated, "timeout", {}, now);
    } else if (usage.subscription.phase == SubscriptionPhase::Pending || response.status() == 202) {
        // Note: 202 is how RFC 3265 said that policy is still to be asked; for REFER it is usual.
        notify(usage, refer ? SubscriptionEvent::NotifyActive : SubscriptionEvent::NotifyPending,
               "", changes, now);
    } else {
        notify(usage, SubscriptionEvent::NotifyActive, "", changes, now);
    }
}

void State::notify(SubscriptionUsage& usage, SubscriptionEvent event, std::string_view reason,
                   const Changes& changes, Instant now) {
    auto* leg = find_leg(usage.leg);
    if (leg == nullptr || usage.subscription.phase == SubscriptionPhase::Terminated) {
        return;
    }
    if (usage.notify != 0) {
        usage.waiting.push_back({event, std::string{reason}, changes});
        return;
    }
    Sent request;
    request.leg = leg->ref;
    request.subscription = usage.ref;
    request.wire = wire_of(*leg);
    request.draft = request_in(leg->dialog, "NOTIFY");
    request.draft.add("Contact", contact());
    request.draft.add("Event", event_value(usage.subscription));
    request.draft.add("Subscription-State", notify_state(usage.subscription, event, now, reason));
    add_capabilities(request.draft, Method::Notify);
    arm_subscription(usage);
    usage.notify = send(std::move(request), changes, now);
    if (usage.subscription.phase == SubscriptionPhase::Terminated) {
        report_subscription(usage);
    }
    if (usage.notify == 0 && usage.subscription.phase == SubscriptionPhase::Terminated) {
        end_subscription(usage.ref);
    }
}

void State::on_notify_answered(Sent& request, std::uint16_t status, Instant now) {
    const auto at = subscriptions.find(request.subscription);
    if (at == subscriptions.end() || status == 401 || status == 407) {
        return;
    }
    auto& usage = at->second;
    usage.notify = 0;
    // "If the NOTIFY request fails due to expiration of SIP Timer F […] the notifier SHOULD remove
    // the subscription"; so after a 481 and its kin [RFC 6665 §4.2.2].
    if (status == 408 || ends_subscription(status)) {
        const bool was_over = usage.subscription.phase == SubscriptionPhase::Terminated;
        usage.subscription.phase = SubscriptionPhase::Terminated;
        if (!was_over) {
            report_subscription(usage, "a NOTIFY failed");
        }
    }
    if (usage.subscription.phase == SubscriptionPhase::Terminated) {
        return end_subscription(usage.ref);
    }
    if (!usage.waiting.empty()) {
        const auto next = std::move(usage.waiting.front());
        usage.waiting.pop_front();
        notify(usage, next.event, next.reason, next.changes, now);
    }
}

// What became of the request that a REFER asked for.
void State::tell(Ref subscription, std::uint16_t status, Instant now) {
    const auto at = subscriptions.find(subscription);
    if (subscription == 0 || at == subscriptions.end() || !settings.automatic.tell_referrer) {
        return;
    }
    if (at->second.told == status) {
        return; // a provisional response once more
    }
    at->second.told = status;
    Changes changes;
    changes.with_body(std::string{sipfrag_type}, sipfrag(status));
    // "The final NOTIFY sent in response to a REFER MUST indicate the subscription has been
    // "terminated" with a reason of "noresource"" [RFC 3515 §2.4.7].
    notify(at->second,
           status < 200 ? SubscriptionEvent::NotifyActive : SubscriptionEvent::NotifyTerminated,
           status < 200 ? "" : "noresource", changes, now);
}

void State::on_subscription_due(SubscriptionUsage& usage, Instant now) {
    const auto due_now = usage.subscription.advance(now);
    arm_subscription(usage);
    const bool subscriber = usage.subscription.role == SubscriptionRole::Subscriber;
    switch (due_now) {
    case Subscription::Due::Nothing:
        return;
    case Subscription::Due::Refresh:
        if (settings.automatic.refresh && usage.refer == 0) {
            resubscribe(usage, usage.subscription.expires, now);
        }
        return;
    case Subscription::Due::Expired:
        if (!subscriber) {
            return notify(usage, SubscriptionEvent::NotifyTerminated, "timeout", {}, now);
        }
        report_subscription(usage, "expired");
        return end_subscription(usage.ref);
    case Subscription::Due::NoNotify:
        report_subscription(usage, "no NOTIFY came");
        return end_subscription(usage.ref);
    }
}

Ref UserAgent::subscribe(std::string_view uri, std::string_view event, std::uint32_t expires,
                         const Changes& changes, Instant now) {
    auto& s = *state_;
    Sent request;
    request.wire = s.wire_of(s.settings.route.empty() ? uri : std::string_view{}, s.settings.wire);
    request.draft = s.request_draft("SUBSCRIBE", uri);
    request.draft.add("Contact", s.contact());
    request.draft.add("Event", event);
    request.draft.add("Expires", std::to_string(expires));
    s.add_capabilities(request.draft, Method::Subscribe);
    const auto ref = s.send(std::move(request), changes, now);
    const auto at = s.sent.find(ref);
    if (at == s.sent.end()) {
        return 0;
    }
    s.begin_subscriber(at->second, Draft{at->second.draft}, nullptr, now);
    return at->second.subscription;
}

bool UserAgent::refresh_subscription(Ref subscription, std::uint32_t expires, Instant now) {
    const auto at = state_->subscriptions.find(subscription);
    return at != state_->subscriptions.end() && state_->resubscribe(at->second, expires, now);
}

bool UserAgent::notify(Ref subscription, SubscriptionEvent event, std::string_view reason,
                       const Changes& changes, Instant now) {
    const auto at = state_->subscriptions.find(subscription);
    if (at == state_->subscriptions.end() ||
        at->second.subscription.role != SubscriptionRole::Notifier) {
        return false;
    }
    state_->notify(at->second, event, reason, changes, now);
    return true;
}

Ref UserAgent::follow(Ref refer, const Changes& changes, Instant now) {
    auto& s = *state_;
    const auto at = s.received.find(refer);
    if (at == s.received.end() || at->second.method != Method::Refer) {
        s.not_sent(0, "no such REFER");
        return 0;
    }
    const auto reference = at->second.reference;
    const auto told = at->second.subscription;
    Changes all;
    dialog::follow(reference, all);
    all.set.insert(all.set.end(), changes.set.begin(), changes.set.end());
    all.add.insert(all.add.end(), changes.add.begin(), changes.add.end());
    all.remove = changes.remove;
    all.method = changes.method;
    all.uri = changes.uri;
    all.body = changes.body;
    all.content_type = changes.content_type;
    all.to = changes.to;
    const auto ref = reference.method == "INVITE"
                         ? invite(reference.uri, all, now)
                         : request_outside(reference.method, reference.uri, all, now);
    if (const auto out = s.sent.find(ref); out != s.sent.end()) {
        out->second.told = told;
    }
    return ref;
}

// ---- registrations

Ref State::send_register(RegistrationUsage& usage, Instant now) {
    Sent request;
    request.registration = usage.ref;
    request.wire = wire_of(usage.registration.registrar, settings.wire);
    request.draft = make_register(usage.registration, usage.from_tag, usage.removing);
    add_capabilities(request.draft, Method::Register);
    arm(usage.ref, usage.registration.next_deadline());
    return send(std::move(request), usage.changes, now);
}

void State::on_register_answered(Sent& request, const sip::MessageView* message, Instant now) {
    const auto at = registrations.find(request.registration);
    if (at == registrations.end()) {
        return;
    }
    auto& usage = at->second;
    auto verdict = RegisterVerdict::Failed;
    if (message != nullptr) {
        verdict = on_register_response(usage.registration, *message, now);
    } else {
        on_register_unanswered(usage.registration, now);
    }
    arm(usage.ref, usage.registration.next_deadline());
    auto& r = report(What::Registration);
    r.request = request.ref;
    r.subscription = usage.ref;
    r.status = request.final;
    if (verdict == RegisterVerdict::TryAgain && settings.automatic.shorter) {
        const auto again = send_register(usage, now);
        auto& retried = report(What::Retried);
        retried.request = again;
        retried.subscription = usage.ref;
    }
    if (usage.removing && verdict == RegisterVerdict::Registered) {
        arm(usage.ref, {});
        registrations.erase(at);
    }
}

void State::on_registration_due(RegistrationUsage& usage, Instant now) {
    const auto due_now = usage.registration.advance(now);
    arm(usage.ref, usage.registration.next_deadline());
    if (due_now == Registration::Due::Refresh && settings.automatic.refresh) {
        send_register(usage, now);
    } else if (due_now == Registration::Due::Expired) {
        auto& r = report(What::Registration);
        r.subscription = usage.ref;
        r.why = "expired";
    }
}

Ref UserAgent::add_registration(Registration registration, const Changes& changes, Instant now) {
    auto& s = *state_;
    const auto ref = s.next_ref();
    auto& usage = s.registrations[ref];
    usage.ref = ref;
    usage.registration = std::move(registration);
    usage.from_tag = s.ids.tag();
    usage.changes = changes;
    if (usage.registration.call_id.empty()) {
        const auto registrar = sip::parse_uri(usage.registration.registrar);
        usage.registration.call_id = s.ids.call_id(registrar ? registrar->host : "invalid");
    }
    s.send_register(usage, now);
    return ref;
}

void UserAgent::unregister(Ref registration, Instant now) {
    const auto at = state_->registrations.find(registration);
    if (at != state_->registrations.end()) {
        at->second.removing = true;
        state_->send_register(at->second, now);
    }
}

} // namespace cw::dialog
