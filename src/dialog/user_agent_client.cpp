// The client's half of UserAgent: its requests. What is answered: user_agent_responses.cpp.
#include <algorithm>

#include "base/text.hpp"
#include "dialog/user_agent_state.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"

namespace cw::dialog {

using sip::HeaderId;
using sip::Method;
using State = UserAgentState;

namespace {

Carrier carrier_of(Method method) {
    return method == Method::Invite   ? Carrier::Invite
           : method == Method::Update ? Carrier::Update
           : method == Method::Prack  ? Carrier::Prack
                                      : Carrier::Other;
}

std::string upper(std::string_view text) {
    std::string out;
    for (const auto c : text) {
        out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return out;
}

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (const auto& word : words) {
        out += (out.empty() ? "" : ", ") + word;
    }
    return out;
}

} // namespace

// ---- writing requests

std::string State::contact() const {
    return "<" + settings.contact + ">" + settings.contact_params;
}

std::string State::via(const transaction::Wire& wire, std::string_view branch) const {
    auto out = "SIP/2.0/" + upper(sip::to_string(wire.transport)) + " " +
               (settings.sent_by.empty() ? to_string(wire.local) : settings.sent_by) + ";branch=";
    out += branch;
    return wire.reliable() ? out : out + ";rport"; // [RFC 3581 §3]
}

// A request outside of any dialog [RFC 3261 §8.1.1].
Draft State::request_draft(std::string_view method, std::string_view uri) {
    auto out = Draft::request(method, uri);
    for (const auto& route : settings.route) {
        out.add("Route", route);
    }
    out.add("Max-Forwards", "70");
    auto from = "<" + settings.aor + ">;tag=" + ids.tag();
    if (!settings.display.empty()) {
        from = "\"" + settings.display + "\" " + from;
    }
    out.add("From", from);
    out.add("To", "<" + std::string{uri} + ">");
    const auto aor = sip::parse_uri(settings.aor);
    out.add("Call-ID", ids.call_id(aor ? aor->host : "invalid"));
    out.add("CSeq", std::to_string(ids.cseq()) + " " + std::string{method});
    return out;
}

void State::add_capabilities(Draft& draft, Method method) const {
    if (method == Method::Invite || method == Method::Options || method == Method::Update) {
        draft.set_default("Allow", join(settings.methods));
        auto supported = settings.extensions;
        if (settings.reliability != Reliability::Unsupported) {
            supported.emplace_back("100rel");
        }
        if (!supported.empty()) {
            draft.add("Supported", join(supported));
        }
        if (draft.is_request() && method == Method::Invite &&
            settings.reliability == Reliability::Required) {
            draft.add("Require", "100rel");
        }
    }
    if (!settings.product.empty()) {
        draft.set_default(draft.is_request() ? "User-Agent" : "Server", settings.product);
    }
}

// Sends what `request` holds, changed; from here on it is known.
Ref State::send(Sent request, const Changes& changes, Instant now) {
    request.draft.apply(changes);
    if (changes.to) {
        request.wire = *changes.to;
    }
    auto whole = request.draft;
    if (!whole.has("Via") && std::ranges::none_of(changes.remove, [](const auto& name) {
            return sip::header_id(name) == HeaderId::Via;
        })) {
        whole.add_first("Via", via(request.wire, ids.branch()));
    }
    request.draft.remove("Via");
    request.bytes = whole.print();
    sip::HeaderIndex headers;
    const auto message = sip::index(std::string_view{request.bytes}, headers);
    const auto top = sip::parse_via(message ? message->value(HeaderId::Via) : std::string_view{});
    if (!message || !top || top->branch.empty() || message->method() == Method::Ack) {
        outbox.send(request.wire, request.bytes); // it asked for no transaction, or cannot have one
        return 0;
    }
    const auto ref = request.ref = next_ref();
    request.method = message->method();
    request.described = has_description(*message);
    request.carrier = carrier_of(request.method);
    request.asked = asked_interval(*message);
    request.transaction =
        table.send(request.method, top->branch, request.bytes, request.wire, ref, now, outbox);
    if (const auto expires = sip::parse_seconds(message->value(HeaderId::Expires));
        request.method == Method::Invite && message->has(HeaderId::Expires) && expires) {
        request.expires_at = now + seconds(expires->seconds);
    }
    arm_sent(sent.emplace(ref, std::move(request)).first->second);
    return ref;
}

// What forbids a request in a dialog now; nullptr: nothing.
const char* State::forbids(const Leg& leg, Method method, const Changes& changes) {
    if (changes.force) {
        return nullptr;
    }
    const bool offers = changes.body && iequals(changes.content_type, "application/sdp");
    if (method == Method::Bye && !step(leg.side, leg.state, InviteEvent::ByeSent).legal) {
        return "no BYE now [RFC 3261 §15]";
    }
    if (method == Method::Invite || method == Method::Update) {
        if (leg.call_over || !leg.has_call) {
            return "the call is over";
        }
    }
    if (method == Method::Invite &&
        (leg.invite_sent != 0 || leg.invite_received != 0 || leg.ack_owed)) {
        return "an INVITE is in progress [RFC 3261 §14.1]";
    }
    if (method == Method::Update && leg.session.state != OfferState::Stable && offers) {
        return "an offer is open [RFC 3311 §5.1]";
    }
    if (method == Method::Invite && leg.session.state != OfferState::Stable) {
        return "an offer is open [RFC 3264 §4]";
    }
    return nullptr;
}

Ref State::send_in(Leg& leg, std::string_view method_text, const Changes& changes, Instant now,
                   bool refresh) {
    const auto method = sip::method_of(method_text);
    if (const auto* why = forbids(leg, method, changes)) {
        not_sent(leg.ref, why);
        return 0;
    }
    Sent request;
    request.leg = leg.ref;
    request.refresh = refresh;
    request.wire = wire_of(leg);
    request.draft = request_in(leg.dialog, method_text);
    auto& draft = request.draft;
    if (is_target_refresh(method)) {
        draft.add("Contact", contact());
    }
    if (method == Method::Invite || method == Method::Update) {
        ask(leg.timer, settings.session_timer, draft);
    }
    if (method == Method::Prack) {
        draft.add("RAck", leg.reliable.rack());
    }
    if (method == Method::Refer) {
        draft.add("Referred-By", "<" + settings.aor + ">");
    }
    add_capabilities(draft, method);
    const auto ref = send(std::move(request), changes, now);
    const auto at = sent.find(ref);
    if (at == sent.end()) {
        return 0;
    }
    auto& out = at->second;
    if (out.method == Method::Invite) {
        leg.invite_sent = ref;
        begin_invite(leg.session);
    }
    if (out.described) {
        take(leg.session, Sender::Us, out.carrier, out.draft.body());
    }
    if (out.method == Method::Bye) {
        step_call(leg, InviteEvent::ByeSent, now);
        end_call(leg, "BYE was sent", now);
    }
    if (out.method == Method::Refer || out.method == Method::Subscribe) {
        begin_subscriber(out, Draft{out.draft}, &leg, now);
    }
    return ref;
}

bool State::send_ack(Leg& leg, const Changes& changes, Instant now) {
    if (leg.ack_cseq == 0) {
        return false;
    }
    // "The sequence number of the CSeq header field MUST be the same as the INVITE being
    // acknowledged, but the CSeq method MUST be ACK. The ACK MUST contain the same credentials as
    // the INVITE" [RFC 3261 §13.2.2.4]. It is a transaction of its own: its branch is its own.
    auto draft = request_in(leg.dialog, "ACK", leg.ack_cseq);
    for (const auto& field : leg.credentials) {
        draft.add(field.name, field.value);
    }
    add_capabilities(draft, Method::Ack);
    draft.apply(changes);
    leg.ack_wire = changes.to.value_or(wire_of(leg));
    if (!draft.has("Via")) {
        draft.add_first("Via", via(leg.ack_wire, ids.branch()));
    }
    leg.ack = draft.print();
    outbox.send(leg.ack_wire, leg.ack);
    if (!draft.body().empty()) {
        take(leg.session, Sender::Us, Carrier::Ack, draft.body());
    } else if (leg.session.offered_in == Carrier::InviteOk) {
        roll_back(leg.session); // an offer that we do not answer
    }
    leg.ack_owed = false;
    step_call(leg, InviteEvent::Ack, now);
    return true;
}

void State::send_cancel(Sent& invite, Instant now) {
    invite.cancel_sent = true;
    invite.abandon_at = now + transaction::timer::t1x64;
    arm_sent(invite);
    const auto text = transaction::make_cancel(invite.bytes);
    sip::HeaderIndex headers;
    const auto message = sip::index(std::string_view{text}, headers);
    if (!message) {
        return;
    }
    Sent request;
    request.wire = invite.wire;
    request.leg = invite.leg;
    request.draft = Draft::copy_of(*message);
    send(std::move(request), invite.cancel_changes, now);
}

void State::send_prack(Leg& leg, Instant now) {
    send_in(leg, "PRACK", {}, now);
}

Ref State::retry(Sent& old, const Changes& changes, Instant now) {
    Sent request;
    request.draft = old.draft;
    request.wire = old.wire;
    request.leg = old.leg;
    request.subscription = old.subscription;
    request.registration = old.registration;
    request.told = old.told;
    request.refresh = old.refresh;
    const auto cseq = sip::parse_cseq(old.draft.value("CSeq"));
    auto number = cseq ? cseq->number + 1 : 1;
    auto* leg = find_leg(old.leg);
    if (leg != nullptr) {
        number = leg->dialog.local_cseq.value_or(0) + 1;
        leg->dialog.local_cseq = number;
    }
    request.draft.set("CSeq", std::to_string(number) + " " + old.draft.method());
    if (const auto sub = subscriptions.find(old.subscription);
        sub != subscriptions.end() && sub->second.leg == 0) {
        sub->second.forming.local_cseq = number;
    }
    if (const auto reg = registrations.find(old.registration); reg != registrations.end()) {
        reg->second.registration.cseq = number;
    }
    const auto method = old.method;
    if (leg != nullptr && (method == Method::Invite || method == Method::Update)) {
        if (const auto* why = forbids(*leg, method, changes)) {
            not_sent(leg->ref, why);
            return 0;
        }
    }
    const auto ref = send(std::move(request), changes, now);
    if (const auto at = sent.find(ref); at != sent.end() && leg != nullptr) {
        if (method == Method::Invite) {
            leg->invite_sent = ref;
            begin_invite(leg->session);
        }
        if (at->second.described) {
            take(leg->session, Sender::Us, at->second.carrier, at->second.draft.body());
        }
    }
    return ref;
}

// ---- commands

Ref UserAgent::invite(std::string_view uri, const Changes& changes, Instant now) {
    auto& s = *state_;
    Sent request;
    request.wire = s.wire_of(s.settings.route.empty() ? uri : std::string_view{}, s.settings.wire);
    request.draft = s.request_draft("INVITE", uri);
    request.draft.add("Contact", s.contact());
    ask({}, s.settings.session_timer, request.draft);
    s.add_capabilities(request.draft, Method::Invite);
    return s.send(std::move(request), changes, now);
}

Ref UserAgent::request_outside(std::string_view method, std::string_view uri,
                               const Changes& changes, Instant now) {
    auto& s = *state_;
    Sent request;
    request.wire = s.wire_of(s.settings.route.empty() ? uri : std::string_view{}, s.settings.wire);
    request.draft = s.request_draft(method, uri);
    const auto id = sip::method_of(method);
    if (is_target_refresh(id) || id == Method::Options) {
        request.draft.add("Contact", s.contact());
    }
    s.add_capabilities(request.draft, id);
    const auto ref = s.send(std::move(request), changes, now);
    if (const auto at = s.sent.find(ref);
        at != s.sent.end() && at->second.method == Method::Refer) {
        s.begin_subscriber(at->second, Draft{at->second.draft}, nullptr, now);
    }
    return ref;
}

Ref UserAgent::request(Ref ref, std::string_view method, const Changes& changes, Instant now) {
    auto& s = *state_;
    auto* leg = s.find_leg(ref);
    if (leg == nullptr) {
        s.not_sent(ref, "no such dialog");
        return 0;
    }
    if (sip::method_of(method) == Method::Bye && !changes.force &&
        leg->state == InviteState::Moratorium && leg->side == InviteSide::Callee) {
        leg->bye_when_acked = true;
        s.not_sent(ref, "the BYE waits for the ACK [RFC 3261 §15]");
        return 0;
    }
    const auto out = s.send_in(*leg, method, changes, now);
    s.settle(now);
    return out;
}

bool UserAgent::ack(Ref ref, const Changes& changes, Instant now) {
    auto* leg = state_->find_leg(ref);
    return leg != nullptr && state_->send_ack(*leg, changes, now);
}

bool UserAgent::cancel(Ref ref, const Changes& changes, Instant now) {
    auto& s = *state_;
    const auto at = s.sent.find(ref);
    if (at == s.sent.end() || at->second.method != Method::Invite || at->second.final != 0 ||
        at->second.cancel_wanted) {
        return false;
    }
    auto& invite = at->second;
    invite.cancel_wanted = true;
    invite.cancel_changes = changes;
    if (invite.provisional || changes.force) {
        s.send_cancel(invite, now);
    }
    return true;
}

Ref UserAgent::retry(Ref ref, const Changes& changes, Instant now) {
    const auto at = state_->sent.find(ref);
    return at != state_->sent.end() ? state_->retry(at->second, changes, now) : 0;
}

} // namespace cw::dialog
