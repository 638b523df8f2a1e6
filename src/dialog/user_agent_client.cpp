// The client's half of UserAgent: requests of ours and what is answered.
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

Carrier response_carrier(Method method) {
    return method == Method::Invite   ? Carrier::InviteOk
           : method == Method::Update ? Carrier::UpdateOk
           : method == Method::Prack  ? Carrier::PrackOk
                                      : Carrier::Other;
}

std::string upper(std::string_view text) {
    std::string out;
    for (const auto c : text) {
        out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return out;
}

bool belongs_to_invite(const OfferAnswer& session) {
    return session.offered_in == Carrier::Invite || session.offered_in == Carrier::Reliable1xx ||
           session.offered_in == Carrier::InviteOk;
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

// ---- what comes back

void State::on_response(const Incoming& in) {
    const auto got = table.on_response(in.message, in.via, in.now, outbox);
    const auto at = sent.find(got.owner);
    if (got.transaction && got.deliver && at != sent.end()) {
        auto& request = at->second;
        request.method == Method::Invite ? on_invite_response(request, in)
                                         : on_other_response(request, in);
        return;
    }
    if (got.transaction) {
        return;
    }
    // A 2xx that is late beyond timer M still wants its ACK [RFC 3261 §13.2.2.4].
    const auto cseq = sip::parse_cseq(in.message.value(HeaderId::CSeq));
    auto* leg = leg_of(in.message);
    if (leg != nullptr && cseq && cseq->method == Method::Invite && in.message.status() >= 200 &&
        in.message.status() < 300 && cseq->number == leg->ack_cseq && !leg->ack.empty()) {
        outbox.send(leg->ack_wire, leg->ack);
        return;
    }
    auto& r = report(What::Stray);
    r.status = in.message.status();
    r.why = "a response to no request of ours";
    r.message = in.message.bytes();
}

void State::on_invite_response(Sent& request, const Incoming& in) {
    const auto status = in.message.status();
    if (status < 200) {
        on_provisional(request, in);
    } else if (status < 300) {
        on_answered(request, in);
    } else {
        on_failed(request, status, &in.message, in.now);
    }
}

// The leg of a response to INVITE, made now if it is the first with its tag.
Leg* State::leg_for_response(Sent& request, const Incoming& in, bool& fresh) {
    fresh = false;
    if (request.leg != 0) {
        return find_leg(request.leg);
    }
    for (const auto ref : request.legs) {
        if (auto* leg = find_leg(ref); leg != nullptr && matches(leg->dialog, in.message)) {
            return leg;
        }
    }
    sip::HeaderIndex headers;
    const auto invite = sip::index(std::string_view{request.bytes}, headers);
    auto dialog = invite ? uac_dialog(*invite, in.message, sip::is_secure(request.wire.transport))
                         : fail(Code::Malformed, 0, "");
    if (!dialog || legs.size() >= settings.max_dialogs) {
        return nullptr;
    }
    auto& leg = add_leg(std::move(*dialog), request.wire);
    leg.has_call = true;
    leg.side = InviteSide::Caller;
    leg.invite_sent = request.ref;
    begin_invite(leg.session);
    if (request.described) {
        take(leg.session, Sender::Us, Carrier::Invite, request.draft.body());
    }
    request.legs.push_back(leg.ref);
    fresh = true;
    return &leg;
}

void State::on_provisional(Sent& request, const Incoming& in) {
    const auto status = in.message.status();
    request.provisional = true;
    if (request.cancel_wanted && !request.cancel_sent) {
        send_cancel(request, in.now);
    }
    const auto tell_user = [&](Leg* leg, Meaning meaning) {
        auto& r = report(What::Response);
        r.request = request.ref;
        r.leg = leg != nullptr ? leg->ref : 0;
        r.method = Method::Invite;
        r.status = status;
        r.description = meaning;
        r.message = in.message.bytes();
    };
    const bool reliable =
        sip::list_has(in.message, HeaderId::Require, "100rel") && in.message.has(HeaderId::RSeq);
    const bool known = std::ranges::any_of(request.legs, [&](Ref ref) {
        auto* leg = find_leg(ref);
        return leg != nullptr && matches(leg->dialog, in.message);
    });
    if (status == 100 || (status == 199 && !known && !reliable)) {
        // An unreliable 199 for a dialog that is not there: "it SHALL discard" it [RFC 6228 §4].
        if (status == 100) {
            tell_user(nullptr, Meaning::None);
        }
        return;
    }
    bool fresh = false;
    auto* leg = leg_for_response(request, in, fresh);
    if (leg == nullptr) {
        return tell_user(nullptr, Meaning::None);
    }
    const auto receipt = leg->reliable.on_response(in.message);
    if (receipt == ReliableReceiver::Receipt::Retransmission ||
        receipt == ReliableReceiver::Receipt::OutOfOrder) {
        return;
    }
    const bool must_prack = receipt == ReliableReceiver::Receipt::New;
    step_call(*leg, InviteEvent::Provisional, in.now);
    leg->peer_updates = leg->peer_updates || sip::list_has(in.message, HeaderId::Allow, "UPDATE");
    auto meaning = Meaning::None;
    if (has_description(in.message)) {
        meaning =
            take(leg->session, Sender::Peer,
                 must_prack ? Carrier::Reliable1xx : Carrier::Unreliable1xx, in.message.body());
    }
    tell_user(leg, meaning);
    tell(request.told, status, in.now);
    if (must_prack && settings.automatic.prack && meaning != Meaning::Offer) {
        send_prack(*leg, in.now);
    }
    if (status == 199 && leg->state == InviteState::Early) {
        step_call(*leg, InviteEvent::Failure, in.now);
        end_call(*leg, "199: its branch is over", in.now);
    }
}

void State::on_answered(Sent& request, const Incoming& in) {
    const bool first = request.final == 0;
    request.final = in.message.status();
    request.abandon_at = {};
    arm_sent(request);
    bool fresh = false;
    auto* leg = leg_for_response(request, in, fresh);
    if (leg == nullptr) {
        auto& r = report(What::Response);
        r.request = request.ref;
        r.method = Method::Invite;
        r.status = request.final;
        r.why = "a 2xx that makes no dialog";
        r.message = in.message.bytes();
        return;
    }
    const auto cseq = sip::parse_cseq(request.draft.value("CSeq"));
    const auto number = cseq ? cseq->number : 0;
    if (!fresh && leg->ack_cseq == number && leg->state != InviteState::Early) {
        if (!leg->ack.empty() && !leg->ack_owed) {
            outbox.send(leg->ack_wire, leg->ack); // again, with the 2xx [RFC 3261 §13.2.2.4]
        }
        return;
    }
    const bool was_early = leg->dialog.state == Dialog::State::Early;
    if (was_early) {
        confirm(leg->dialog, in.message);
    } else {
        refresh_target(leg->dialog, in.message);
    }
    step_call(*leg, InviteEvent::Success, in.now);
    leg->invite_sent = 0;
    leg->ack.clear();
    leg->ack_cseq = number;
    leg->ack_owed = true;
    leg->credentials.clear();
    for (const auto& field : request.draft.fields()) {
        const auto id = sip::header_id(field.name);
        if (id == HeaderId::Authorization || id == HeaderId::ProxyAuthorization) {
            leg->credentials.push_back(field);
        }
    }
    leg->peer_updates = leg->peer_updates || sip::list_has(in.message, HeaderId::Allow, "UPDATE");
    auto meaning = Meaning::None;
    if (has_description(in.message)) {
        meaning = take(leg->session, Sender::Peer, Carrier::InviteOk, in.message.body());
    } else if (belongs_to_invite(leg->session)) {
        roll_back(leg->session); // a 2xx without the answer that it owes
    }
    on_success(leg->timer, settings.session_timer, request.asked, in.message, in.now);
    arm_leg(*leg);
    auto& r = report(What::Response);
    r.request = request.ref;
    r.leg = leg->ref;
    r.method = Method::Invite;
    r.status = request.final;
    r.description = meaning;
    r.message = in.message.bytes();
    if (was_early || fresh) {
        report(What::Confirmed).leg = leg->ref;
    }
    const bool unwanted =
        settings.automatic.one_dialog && request.leg == 0 && (request.cancel_wanted || !first);
    if (unwanted || (settings.automatic.ack && meaning != Meaning::Offer)) {
        send_ack(*leg, {}, in.now);
    }
    tell(request.told, request.final, in.now);
    if (unwanted) {
        bye(*leg, request.cancel_wanted ? "its 2xx crossed our CANCEL" : "another branch answered",
            in.now);
    } else if (leg->call_over && leg->ack_owed) {
        send_ack(*leg, {}, in.now); // a 2xx to a call that BYE has ended [RFC 5407 §3.2]
    }
}

// One more try that the RFCs provide for, after 422 and 491.
bool State::try_again(Sent& request, std::uint16_t status, const sip::MessageView* message,
                      Instant now) {
    auto* leg = find_leg(request.leg);
    if (status == 491 && leg != nullptr && settings.automatic.glare && !leg->call_over) {
        leg->again_method = request.draft.method();
        leg->again = {};
        if (request.described) {
            leg->again.with_body(std::string{request.draft.value("Content-Type")},
                                 request.draft.body());
        }
        leg->again_at = now + glare_pause(leg->dialog.role == Dialog::Role::Uac, ids);
        arm_leg(*leg);
        return true;
    }
    if (status == 422 && message != nullptr && settings.automatic.shorter) {
        SessionTimer fresh;
        auto& timer = leg != nullptr ? leg->timer : fresh;
        if (leg == nullptr) {
            const auto asked = parse_number<std::uint32_t>(request.draft.value("Min-SE"));
            timer.min_se = asked.value_or(0);
        }
        if (!on_too_small(timer, *message)) {
            return false;
        }
        Changes changes;
        changes.with("Min-SE", std::to_string(timer.min_se));
        changes.with("Session-Expires", std::to_string(std::max(timer.min_se, request.asked)));
        if (const auto again = retry(request, changes, now); again != 0) {
            auto& r = report(What::Retried);
            r.request = again;
            r.leg = request.leg;
            return true;
        }
    }
    return false;
}

// A final failure of INVITE, or none at all (`message` is nullptr then).
void State::on_failed(Sent& request, std::uint16_t status, const sip::MessageView* message,
                      Instant now) {
    request.final = status;
    request.abandon_at = {};
    arm_sent(request);
    auto* leg = find_leg(request.leg);
    if (message != nullptr) {
        auto& r = report(What::Response);
        r.request = request.ref;
        r.leg = request.leg;
        r.method = Method::Invite;
        r.status = status;
        r.message = message->bytes();
    }
    if (leg != nullptr) { // a re-INVITE
        leg->invite_sent = leg->invite_sent == request.ref ? 0 : leg->invite_sent;
        if (belongs_to_invite(leg->session)) {
            roll_back(leg->session);
        }
        if (!try_again(request, status, message, now) && (status == 481 || status == 408)) {
            bye(*leg, "a re-INVITE found nobody", now); // [RFC 3261 §12.2.1.2]
        }
        return;
    }
    for (const auto ref : std::vector<Ref>{request.legs}) {
        auto* early = find_leg(ref);
        if (early != nullptr && early->invite_sent == request.ref) {
            early->invite_sent = 0;
            step_call(*early, InviteEvent::Failure, now);
            end_call(*early, "refused", now);
        }
    }
    if (!try_again(request, status, message, now) && status != 401 && status != 407) {
        tell(request.told, status, now);
    }
}

void State::on_other_response(Sent& request, const Incoming& in) {
    const auto status = in.message.status();
    if (status >= 200) {
        request.final = status;
    }
    auto* leg = find_leg(request.leg);
    auto meaning = Meaning::None;
    const bool good = status >= 200 && status < 300;
    if (leg != nullptr && good) {
        if (is_target_refresh(request.method)) {
            refresh_target(leg->dialog, in.message);
        }
        if (has_description(in.message)) {
            meaning = take(leg->session, Sender::Peer, response_carrier(request.method),
                           in.message.body());
        }
        if (request.method == Method::Update) {
            on_success(leg->timer, settings.session_timer, request.asked, in.message, in.now);
            arm_leg(*leg);
        }
    }
    if (leg != nullptr && status >= 200 && request.carrier != Carrier::Other &&
        leg->session.offered_in == request.carrier &&
        leg->session.state == OfferState::HaveLocalOffer) {
        roll_back(leg->session); // refused, or accepted without the answer that is owed
    }
    auto& r = report(What::Response);
    r.request = request.ref;
    r.leg = request.leg;
    r.method = request.method;
    r.status = status;
    r.description = meaning;
    r.subscription = request.subscription != 0 ? request.subscription : request.registration;
    r.message = in.message.bytes();
    if (status < 200) {
        return;
    }
    if (request.registration != 0) {
        return on_register_answered(request, &in.message, in.now);
    }
    if (request.method == Method::Notify) {
        return on_notify_answered(request, status, in.now);
    }
    if (request.subscription != 0) {
        return on_subscribe_answered(request, status, &in.message, in.now);
    }
    tell(request.told, status, in.now);
    if (leg == nullptr || good || try_again(request, status, &in.message, in.now)) {
        return;
    }
    if ((status == 481 || status == 408) && request.method != Method::Bye &&
        request.method != Method::Cancel && request.method != Method::Prack && leg->has_call) {
        bye(*leg, "a request found no dialog there", in.now); // [RFC 3261 §12.2.1.2]
    }
}

// "If the timeout event is reported […] it MUST be treated as if a 408 (Request Timeout) status
// code has been received"; a transport error as a 503 [RFC 3261 §8.1.3.1].
void State::on_unanswered(Ref ref, bool timeout, Instant now) {
    const auto at = sent.find(ref);
    if (at == sent.end() || at->second.final != 0) {
        return;
    }
    auto& request = at->second;
    const std::uint16_t status = timeout ? 408 : 503;
    request.final = status;
    auto& r = report(timeout ? What::Timeout : What::Unreachable);
    r.request = ref;
    r.leg = request.leg;
    r.method = request.method;
    r.subscription = request.subscription != 0 ? request.subscription : request.registration;
    if (request.method == Method::Invite) {
        return on_failed(request, status, nullptr, now);
    }
    if (request.registration != 0) {
        return on_register_answered(request, nullptr, now);
    }
    if (request.method == Method::Notify) {
        return on_notify_answered(request, status, now);
    }
    if (request.subscription != 0) {
        return on_subscribe_answered(request, status, nullptr, now);
    }
    tell(request.told, status, now);
    auto* leg = find_leg(request.leg);
    if (leg == nullptr) {
        return;
    }
    if (leg->session.offered_in == request.carrier &&
        leg->session.state == OfferState::HaveLocalOffer) {
        roll_back(leg->session);
    }
    if (leg->has_call && request.method != Method::Bye && request.method != Method::Cancel) {
        bye(*leg, "a request was never answered", now);
    }
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
