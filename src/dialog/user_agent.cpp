#include "dialog/user_agent.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "dialog/user_agent_state.hpp"
#include "sip/content_type.hpp"
#include "sip/list.hpp"
#include "sip/uri.hpp"

namespace cw::dialog {

using sip::HeaderId;
using transaction::Table;

UserAgentState::UserAgentState(UserAgentSettings s, std::uint64_t seed)
    : settings(std::move(s)), ids(seed), table(ids.next()) {}

void UserAgentState::not_sent(Ref leg, const char* why) {
    auto& r = report(What::NotSent);
    r.leg = leg;
    r.why = why;
}

// ---- time

void UserAgentState::arm(Ref ref, Instant when) {
    if (const auto at = armed.find(ref); at != armed.end()) {
        if (when.known() && at->second == when.ns) {
            return;
        }
        due.erase({at->second, ref});
        armed.erase(at);
    }
    if (when.known()) {
        due.insert({when.ns, ref});
        armed[ref] = when.ns;
    }
}

namespace {
Instant earliest(std::initializer_list<Instant> all) {
    Instant first;
    for (const auto at : all) {
        if (at.known() && (!first.known() || at < first)) {
            first = at;
        }
    }
    return first;
}
} // namespace

void UserAgentState::arm_leg(const Leg& leg) {
    arm(leg.ref, earliest({leg.timer.next_deadline(), leg.mortal_until, leg.again_at}));
}
void UserAgentState::arm_sent(const Sent& request) {
    arm(request.ref, earliest({request.expires_at, request.abandon_at, request.forget_at}));
}
void UserAgentState::arm_received(const Received& request) {
    arm(request.ref, earliest({request.reliable.retransmission.next_deadline(),
                               request.success.next_deadline(), request.limit}));
}
void UserAgentState::arm_subscription(const SubscriptionUsage& usage) {
    arm(usage.ref, usage.subscription.next_deadline());
}

void UserAgentState::on_due(Ref ref, Instant now) {
    if (const auto leg = legs.find(ref); leg != legs.end()) {
        on_leg_due(leg->second, now);
    } else if (const auto in = received.find(ref); in != received.end()) {
        on_received_due(in->second, now);
    } else if (const auto out = sent.find(ref); out != sent.end()) {
        auto& request = out->second;
        if (request.expires_at.known() && request.expires_at <= now) {
            request.expires_at = {};
            if (request.final == 0 && !request.cancel_wanted) {
                request.cancel_wanted = true;
                if (request.provisional) {
                    send_cancel(request, now);
                }
            }
            arm_sent(request);
        } else if (request.abandon_at.known() && request.abandon_at <= now) {
            // "the client SHOULD then consider the original transaction cancelled and SHOULD
            // destroy the client transaction" [RFC 3261 §9.1]
            request.abandon_at = {};
            table.abandon(request.transaction);
            on_unanswered(ref, true, now);
        } else if (request.forget_at.known()) {
            sent.erase(out);
        }
    } else if (const auto sub = subscriptions.find(ref); sub != subscriptions.end()) {
        on_subscription_due(sub->second, now);
    } else if (const auto reg = registrations.find(ref); reg != registrations.end()) {
        on_registration_due(reg->second, now);
    }
}

void UserAgentState::on_leg_due(Leg& leg, Instant now) {
    if (leg.mortal_until.known() && leg.mortal_until <= now) {
        leg.mortal_until = {};
        step_call(leg, InviteEvent::Over, now);
        leg.has_call = false;
        arm_leg(leg);
        drop_leg_if_unused(leg.ref);
        return;
    }
    if (leg.again_at.known() && leg.again_at <= now) {
        leg.again_at = {};
        arm_leg(leg);
        if (forbids(leg, sip::method_of(leg.again_method), leg.again) != nullptr) {
            // The peer was faster: after its request comes ours.
            leg.again_at = now + glare_pause(leg.dialog.role == Dialog::Role::Uac, ids);
            arm_leg(leg);
            return;
        }
        const auto changes = leg.again;
        if (const auto again = send_in(leg, leg.again_method, changes, now); again != 0) {
            auto& r = report(What::Retried);
            r.request = again;
            r.leg = leg.ref;
        }
        return;
    }
    const auto due_now = leg.timer.advance(now);
    arm_leg(leg);
    if (due_now == SessionTimer::Due::Expired && settings.automatic.expire) {
        bye(leg, "the session timer ran out", now);
    } else if (due_now == SessionTimer::Due::Refresh && settings.automatic.refresh) {
        const bool update = leg.peer_updates;
        Changes changes;
        if (!update && !leg.session.local.empty()) {
            // "a re-INVITE SHOULD contain [an offer], even if the details of the session have not
            // changed" [RFC 4028 §7.4]
            changes.with_body("application/sdp", leg.session.local);
        }
        if (forbids(leg, update ? sip::Method::Update : sip::Method::Invite, changes) == nullptr) {
            send_in(leg, update ? "UPDATE" : "INVITE", changes, now, true);
        } // else a request that refreshes too is on its way
    }
}

void UserAgentState::on_received_due(Received& request, Instant now) {
    if (request.limit.known() && request.limit <= now) {
        request.limit = {};
        table.abandon(request.transaction);
        arm(request.ref, {});
        received.erase(request.ref);
        return;
    }
    auto& provisional = request.reliable.retransmission;
    switch (provisional.advance(now)) {
    case Retransmission::Due::Resend:
        table.respond(request.transaction, 180, provisional.bytes, now, outbox);
        break;
    case Retransmission::Due::GiveUp: {
        // "the UAS SHOULD reject the original request with a 5xx response" [RFC 3262 §3]
        auto& r = report(What::NoPrack);
        r.request = request.ref;
        r.leg = request.leg;
        request.held.clear();
        respond(request, 504, {}, now);
        return;
    }
    case Retransmission::Due::Nothing:
        break;
    }
    switch (request.success.advance(now)) {
    case Retransmission::Due::Resend:
        table.respond(request.transaction, 200, request.success.bytes, now, outbox);
        break;
    case Retransmission::Due::GiveUp: {
        auto& r = report(What::NoAck);
        r.request = request.ref;
        r.leg = request.leg;
        if (auto* leg = find_leg(request.leg)) {
            leg->invite_received = 0;
            roll_back(leg->session);
            step_call(*leg, InviteEvent::AckTimeout, now);
            bye(*leg, "its 2xx was never acknowledged", now); // [RFC 3261 §13.3.1.4]
        }
        break;
    }
    case Retransmission::Due::Nothing:
        break;
    }
    release(request);
}

// Arms what the request still waits for, or forgets it.
void UserAgentState::release(Received& request) {
    if (request.over && !request.success.active()) {
        arm(request.ref, {});
        received.erase(request.ref);
    } else {
        arm_received(request);
    }
}

// ---- legs

Leg& UserAgentState::add_leg(Dialog dialog, const transaction::Wire& wire) {
    const auto ref = next_ref();
    auto& leg = legs[ref];
    leg.ref = ref;
    leg.dialog = std::move(dialog);
    leg.wire = wire;
    by_call_id.emplace(leg.dialog.call_id, ref);
    auto& r = report(What::Dialog);
    r.leg = ref;
    return leg;
}

Leg* UserAgentState::find_leg(Ref ref) {
    const auto at = legs.find(ref);
    return at != legs.end() ? &at->second : nullptr;
}

Leg* UserAgentState::leg_of(const sip::MessageView& message) {
    const auto [first, last] = by_call_id.equal_range(std::string{message.value(HeaderId::CallId)});
    for (auto at = first; at != last; ++at) {
        if (auto* leg = find_leg(at->second); leg != nullptr && matches(leg->dialog, message)) {
            return leg;
        }
    }
    return nullptr;
}

// A dialog "continues to exist until the last usage is terminated" [RFC 5057 §2].
void UserAgentState::drop_leg_if_unused(Ref ref) {
    const auto at = legs.find(ref);
    if (at == legs.end() || at->second.has_call || !at->second.subscriptions.empty()) {
        return;
    }
    const auto [first, last] = by_call_id.equal_range(at->second.dialog.call_id);
    for (auto entry = first; entry != last; ++entry) {
        if (entry->second == ref) {
            by_call_id.erase(entry);
            break;
        }
    }
    arm(ref, {});
    legs.erase(at);
}

transaction::Wire UserAgentState::wire_of(std::string_view uri_text,
                                          const transaction::Wire& otherwise) const {
    const auto uri = sip::parse_uri(uri_text);
    if (!uri || hops.empty()) {
        return otherwise;
    }
    const auto port = uri->port != 0                     ? uri->port
                      : uri->scheme == sip::Scheme::Sips ? std::uint16_t{5061}
                                                         : std::uint16_t{5060};
    std::string key;
    for (const auto c : uri->host) {
        key += ascii_lower(c);
    }
    const auto at = hops.find(key + ":" + std::to_string(port));
    return at != hops.end() ? at->second : otherwise;
}

transaction::Wire UserAgentState::wire_of(const Leg& leg) const {
    return wire_of(next_hop(leg.dialog), leg.wire);
}

bool UserAgentState::has_description(const sip::MessageView& message) const {
    const auto type = sip::parse_content_type(message.value(HeaderId::ContentType));
    return !message.body().empty() && type && type->is("application", "sdp");
}

// ---- what the transactions tell

void UserAgentState::settle(Instant now) {
    // Reactions may append: by number, until nothing new is there.
    for (std::size_t i = 0; i < table.occurrences().size(); ++i) {
        const auto o = table.occurrences()[i];
        const bool client = o.kind == transaction::Kind::ClientInvite ||
                            o.kind == transaction::Kind::ClientNonInvite;
        if (client && o.what != Table::Happened::Over) {
            on_unanswered(o.owner, o.what == Table::Happened::Timeout, now);
        } else if (client) {
            const auto at = sent.find(o.owner);
            if (at == sent.end() || at->second.transaction != o.transaction) {
                continue;
            }
            auto& request = at->second;
            if (request.method == sip::Method::Invite && request.final >= 200 &&
                request.final < 300) {
                // "At this point all the early dialogs that have not transitioned to established
                // dialogs are terminated" [RFC 3261 §13.2.2.4].
                for (const auto ref : std::vector<Ref>{request.legs}) {
                    auto* leg = find_leg(ref);
                    if (leg != nullptr && leg->state == InviteState::Early) {
                        step_call(*leg, InviteEvent::Failure, now);
                        end_call(*leg, "another branch answered", now);
                    }
                }
            }
            if (request.final >= 300 && request.final < 500) {
                request.forget_at = now + transaction::timer::t1x64; // for retry()
                arm_sent(request);
            } else {
                arm(request.ref, {});
                sent.erase(at);
            }
        } else if (o.what == Table::Happened::Over) {
            const auto at = received.find(o.owner);
            if (at == received.end()) {
                continue;
            }
            at->second.over = true;
            release(at->second);
        }
    }
    table.clear_occurrences();
}

// ---- the public face

UserAgent::UserAgent(UserAgentSettings settings, std::uint64_t seed)
    : state_(std::make_unique<UserAgentState>(std::move(settings), seed)) {}
UserAgent::~UserAgent() = default;

void UserAgent::receive(std::string_view bytes, const transaction::Wire& wire, Instant now) {
    auto& s = *state_;
    const auto stray = [&](const char* why) {
        auto& r = s.report(What::Stray);
        r.why = why;
        r.message = bytes;
    };
    const auto message = sip::parse(bytes, s.index, s.settings.policy);
    if (!message) {
        return stray(message.error().what);
    }
    const auto via = sip::parse_via(message->value(HeaderId::Via));
    if (!via) {
        return stray("a message without a Via");
    }
    const Incoming in{*message, *via, wire, now};
    message->is_request() ? s.on_request(in) : s.on_response(in);
    s.settle(now);
}

void UserAgent::advance(Instant now) {
    auto& s = *state_;
    s.table.advance(now, s.outbox);
    s.settle(now);
    while (!s.due.empty() && s.due.begin()->first <= now.ns) {
        const auto ref = s.due.begin()->second;
        s.arm(ref, {});
        s.on_due(ref, now);
        s.settle(now);
    }
}

void UserAgent::on_wire_closed(const transaction::Wire& wire, Instant now) {
    state_->table.on_wire_closed(wire, now, state_->outbox);
    state_->settle(now);
}

Instant UserAgent::next_deadline() const {
    return earliest({state_->table.next_deadline(),
                     state_->due.empty() ? Instant{} : Instant{state_->due.begin()->first}});
}

void UserAgent::send_raw(std::string_view bytes, const transaction::Wire& wire) {
    state_->outbox.send(wire, bytes);
}

void UserAgent::hang_up(Ref ref, Instant now) {
    auto& s = *state_;
    auto* leg = s.find_leg(ref);
    if (leg == nullptr || !leg->has_call || leg->call_over) {
        return;
    }
    if (leg->state == InviteState::Early && leg->side == InviteSide::Callee) {
        respond(leg->invite_received, 486, {}, now);
    } else if (leg->state == InviteState::Early) {
        cancel(leg->invite_sent, {}, now);
    } else {
        s.bye(*leg, "hung up", now);
        s.settle(now);
    }
}

transaction::Outbox& UserAgent::outbox() {
    return state_->outbox;
}
std::span<const Report> UserAgent::reports() const {
    return state_->reports;
}
void UserAgent::clear_reports() {
    state_->reports.clear();
}

const Dialog* UserAgent::dialog(Ref leg) const {
    const auto* found = state_->find_leg(leg);
    return found != nullptr ? &found->dialog : nullptr;
}
InviteState UserAgent::call_state(Ref leg) const {
    const auto* found = state_->find_leg(leg);
    return found != nullptr && found->has_call ? found->state : InviteState::Morgue;
}
const OfferAnswer* UserAgent::session(Ref leg) const {
    const auto* found = state_->find_leg(leg);
    return found != nullptr ? &found->session : nullptr;
}
const SessionTimer* UserAgent::session_timer(Ref leg) const {
    const auto* found = state_->find_leg(leg);
    return found != nullptr ? &found->timer : nullptr;
}
const Subscription* UserAgent::subscription(Ref subscription) const {
    const auto at = state_->subscriptions.find(subscription);
    return at != state_->subscriptions.end() ? &at->second.subscription : nullptr;
}
const Registration* UserAgent::registration(Ref registration) const {
    const auto at = state_->registrations.find(registration);
    return at != state_->registrations.end() ? &at->second.registration : nullptr;
}
std::vector<Ref> UserAgent::legs() const {
    std::vector<Ref> out;
    for (const auto& [ref, leg] : state_->legs) {
        out.push_back(ref);
    }
    return out;
}
UserAgent::Sizes UserAgent::sizes() const {
    const auto& s = *state_;
    return {s.table.size(), s.sent.size() + s.received.size(), s.legs.size(),
            s.subscriptions.size(), s.registrations.size()};
}
UserAgentSettings& UserAgent::settings() {
    return state_->settings;
}
void UserAgent::learn(std::string hop, const transaction::Wire& wire) {
    std::ranges::transform(hop, hop.begin(), ascii_lower);
    state_->hops[std::move(hop)] = wire;
}
void UserAgent::move(Ref ref, const transaction::Wire& wire) {
    if (auto* leg = state_->find_leg(ref)) {
        leg->wire = wire;
    }
}

std::string_view to_string(What what) {
    constexpr std::array<std::string_view, 17> names{
        "request",   "refused",  "response",     "ack",          "no ack",    "no prack",
        "cancelled", "timeout",  "unreachable",  "dialog",       "confirmed", "ended",
        "retried",   "not sent", "subscription", "registration", "stray"};
    return names[static_cast<std::size_t>(what)];
}

} // namespace cw::dialog
