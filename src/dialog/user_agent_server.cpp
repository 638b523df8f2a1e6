// The server's half of UserAgent: requests of peers. Our answers: user_agent_answers.cpp.
#include <algorithm>

#include "base/text.hpp"
#include "dialog/user_agent_state.hpp"
#include "sip/check.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "sip/name_addr.hpp"

namespace cw::dialog {

using sip::HeaderId;
using sip::Method;
using transaction::Table;
using State = UserAgentState;

namespace {

std::string retry_after(Identifiers& chance) {
    return std::to_string(chance.next() % 11); // "between 0 and 10 seconds" [RFC 3261 §14.2]
}

// A request that was kept is read again from its bytes.
template <class F>
auto with_message(const std::string& bytes, F&& use) {
    sip::HeaderIndex headers;
    const auto message = sip::index(std::string_view{bytes}, headers);
    return use(message.value_or(sip::MessageView{}));
}

std::string_view tag_of(const sip::MessageView& message, HeaderId id) {
    const auto name = sip::parse_name_addr(message.value(id));
    return name ? name->tag : std::string_view{};
}

} // namespace

// ---- a request arrives

void State::on_request(const Incoming& in) {
    const auto got =
        table.on_request(in.message, in.via, reply_wire(in.via, in.wire), in.now, outbox);
    if (got.arrived == Table::Arrived::Ack) {
        return on_ack(in);
    }
    if (got.arrived != Table::Arrived::New) {
        return;
    }
    const auto ref = next_ref();
    table.set_owner(got.transaction, ref);
    auto& request = received[ref];
    request.ref = ref;
    request.method = in.message.method();
    request.bytes = in.message.bytes();
    sip::ValueCursor vias{in.message, HeaderId::Via};
    request.via = received_via(vias.next().value_or(std::string_view{}), in.wire);
    request.transaction = got.transaction;
    request.wire = in.wire;
    request.tag = ids.tag();
    if (request.method != Method::Invite) {
        request.limit = in.now + transaction::timer::t1x64; // as long as its client waits: timer F
    }
    arm_received(request);
    Changes changes;
    if (const auto status = refusal_of_any(in, changes); status != 0) {
        return refuse(request, status, changes, in.now);
    }
    if (request.method == Method::Cancel) {
        return on_cancel(request, got.invite, in);
    }
    if (tag_of(in.message, HeaderId::To).empty()) {
        return on_request_outside(request, in);
    }
    auto* leg = leg_of(in.message);
    if (leg == nullptr && request.method == Method::Notify) {
        return on_notify_request(request, nullptr, in); // it may make the dialog
    }
    if (leg == nullptr) {
        return refuse(request, 481, {}, in.now); // [RFC 3261 §12.2.2]
    }
    request.leg = leg->ref;
    request.in_dialog = true;
    request.tag = leg->dialog.local_tag;
    on_request_in_dialog(request, *leg, in);
}

// What is refused whatever it is about [RFC 3261 §8.2.1, §8.2.2.3, RFC 4475].
std::uint16_t State::refusal_of_any(const Incoming& in, Changes& changes) {
    if (const auto verdict = sip::check(in.message, settings.policy); !verdict.ok) {
        return verdict.status != 0 ? verdict.status : std::uint16_t{400};
    }
    const auto method = in.message.method_text();
    if (std::ranges::find(settings.methods, method) == settings.methods.end()) {
        std::string allow;
        for (const auto& m : settings.methods) {
            allow += (allow.empty() ? "" : ", ") + m;
        }
        changes.with("Allow", allow);
        return in.message.method() == Method::Other ? 501 : 405;
    }
    if (in.message.method() == Method::Cancel) {
        return 0; // Require has no say in it [RFC 3261 §8.2.2.3]
    }
    std::vector<std::string_view> supported{settings.extensions.begin(), settings.extensions.end()};
    if (settings.reliability != Reliability::Unsupported) {
        supported.emplace_back("100rel");
    }
    if (settings.session_timer.supported) {
        supported.emplace_back("timer");
    }
    if (const auto option = sip::unsupported_option(in.message, HeaderId::Require, supported);
        !option.empty()) {
        changes.with("Unsupported", std::string{option});
        return 420;
    }
    return 0;
}

void State::refuse(Received& request, std::uint16_t status, const Changes& changes, Instant now) {
    auto& r = report(What::Refused);
    r.request = request.ref;
    r.leg = request.leg;
    r.method = request.method;
    r.status = status;
    r.message = request.bytes;
    respond(request, status, changes, now);
}

void State::deliver(const Received& request, const Incoming& in) {
    auto& r = report(What::Request);
    r.request = request.ref;
    r.leg = request.leg;
    r.method = request.method;
    r.status = request.final;
    r.subscription = request.subscription;
    r.description = request.description;
    r.message = in.message.bytes();
}

void State::on_ack(const Incoming& in) {
    auto* leg = leg_of(in.message);
    const auto cseq = sip::parse_cseq(in.message.value(HeaderId::CSeq));
    const auto at = leg != nullptr ? received.find(leg->invite_received) : received.end();
    const bool awaited = at != received.end() && at->second.final >= 200 && cseq &&
                         with_message(at->second.bytes, [&](const sip::MessageView& invite) {
                             const auto number = sip::parse_cseq(invite.value(HeaderId::CSeq));
                             return number && number->number == cseq->number;
                         });
    if (!awaited) {
        if (leg == nullptr) {
            auto& r = report(What::Stray);
            r.method = Method::Ack;
            r.why = "an ACK for no dialog of ours";
            r.message = in.message.bytes();
        }
        return; // one that came before, or of a call that is over
    }
    auto& request = at->second;
    request.success.stop();
    leg->invite_received = 0;
    auto meaning = Meaning::None;
    if (has_description(in.message)) {
        meaning = take(leg->session, Sender::Peer, Carrier::Ack, in.message.body());
    } else if (leg->session.offered_in == Carrier::InviteOk) {
        roll_back(leg->session); // our offer was not answered
    }
    step_call(*leg, InviteEvent::Ack, in.now);
    auto& r = report(What::Ack);
    r.request = request.ref;
    r.leg = leg->ref;
    r.method = Method::Ack;
    r.description = meaning;
    r.message = in.message.bytes();
    release(request);
    if (leg->bye_when_acked) {
        bye(*leg, "hung up", in.now);
    }
}

// [RFC 3261 §9.2]
void State::on_cancel(Received& request, transaction::Handle invite, const Incoming& in) {
    const auto at = received.find(table.owner_of(invite));
    if (at == received.end()) {
        return refuse(request, 481, {}, in.now);
    }
    auto& target = at->second;
    // "the To tag of the response to the CANCEL and the To tag in the response to the original
    // request SHOULD be the same"
    request.tag = target.tag;
    if (settings.automatic.answers) {
        respond(request, 200, {}, in.now);
    }
    deliver(request, in);
    if (target.final != 0 || !target.held.empty()) {
        return; // "the CANCEL request has no effect" on what is answered
    }
    auto& r = report(What::Cancelled);
    r.request = target.ref;
    r.leg = target.leg;
    r.method = Method::Invite;
    respond(target, 487, {}, in.now);
}

// "If the request has no tag in the To header field", and it was seen on another way: 482
// [RFC 3261 §8.2.2.2].
bool State::is_merged(const Received& request, const sip::MessageView& message) {
    return std::ranges::any_of(received, [&](const auto& entry) {
        const auto& other = entry.second;
        return other.ref != request.ref && other.method == request.method && !other.in_dialog &&
               with_message(other.bytes, [&](const sip::MessageView& seen) {
                   return seen.value(HeaderId::CallId) == message.value(HeaderId::CallId) &&
                          seen.value(HeaderId::CSeq) == message.value(HeaderId::CSeq) &&
                          tag_of(seen, HeaderId::From) == tag_of(message, HeaderId::From) &&
                          tag_of(seen, HeaderId::To).empty();
               });
    });
}

void State::on_request_outside(Received& request, const Incoming& in) {
    if (is_merged(request, in.message)) {
        return refuse(request, 482, {}, in.now);
    }
    switch (request.method) {
    case Method::Invite:
        return on_new_invite(request, in);
    case Method::Bye:
    case Method::Prack:
    case Method::Update:
    case Method::Info:
        return refuse(request, 481, {}, in.now); // these live in a dialog
    case Method::Notify:
        return on_notify_request(request, nullptr, in);
    case Method::Subscribe:
        return on_subscribe_request(request, nullptr, in);
    case Method::Refer:
        return on_refer_request(request, in);
    case Method::Options:
        if (settings.automatic.answers) {
            respond(request, 200, {}, in.now);
        }
        return deliver(request, in);
    case Method::None:
    case Method::Ack:
    case Method::Cancel:
    case Method::Register:
    case Method::Publish:
    case Method::Message:
    case Method::Other:
        return deliver(request, in);
    }
}

void State::on_new_invite(Received& request, const Incoming& in) {
    Changes changes;
    if (legs.size() >= settings.max_dialogs) {
        changes.with("Retry-After", retry_after(ids));
        return refuse(request, 503, changes, in.now);
    }
    if (const auto status = refusal_of_reliability(in.message, settings.reliability); status != 0) {
        changes.with(status == 421 ? "Require" : "Unsupported", "100rel");
        return refuse(request, status, changes, in.now);
    }
    if (const auto status = refusal_of_interval(settings.session_timer, in.message); status != 0) {
        changes.with("Min-SE", std::to_string(std::max(settings.session_timer.min_se, 90U)));
        return refuse(request, status, changes, in.now);
    }
    std::vector<ReplacesCandidate> candidates;
    if (in.message.has(HeaderId::Replaces)) {
        for (const auto& [ref, leg] : legs) {
            candidates.push_back({&leg.dialog, leg.has_call, leg.call_over, ref});
        }
    }
    const auto replaces = judge_replaces(in.message, candidates);
    if (replaces.status != 0) {
        return refuse(request, replaces.status, {}, in.now);
    }
    request.replaces = replaces.ref;
    request.replaces_early = replaces.early;
    if (const auto cseq = sip::parse_cseq(in.message.value(HeaderId::CSeq))) {
        request.reliable.invite_cseq = cseq->number;
    }
    // Note: the session begins with the leg, when the first answer makes it.
    request.description = has_description(in.message) ? Meaning::Offer : Meaning::None;
    if (settings.automatic.trying) {
        respond(request, 100, {}, in.now);
    }
    deliver(request, in);
}

void State::on_request_in_dialog(Received& request, Leg& leg, const Incoming& in) {
    if (const auto status = accept_sequence(leg.dialog, in.message); status != 0) {
        return refuse(request, status, {}, in.now);
    }
    switch (request.method) {
    case Method::Invite:
        return on_reinvite(request, leg, in);
    case Method::Bye:
        return on_bye(request, leg, in);
    case Method::Prack:
        return on_prack(request, leg, in);
    case Method::Update:
        return on_update(request, leg, in);
    case Method::Notify:
        return on_notify_request(request, &leg, in);
    case Method::Subscribe:
        return on_subscribe_request(request, &leg, in);
    case Method::Refer:
        return on_refer_request(request, in);
    case Method::Options:
        if (settings.automatic.answers) {
            respond(request, 200, {}, in.now);
        }
        return deliver(request, in);
    case Method::None:
    case Method::Ack:
    case Method::Cancel:
    case Method::Register:
    case Method::Publish:
    case Method::Info:
    case Method::Message:
    case Method::Other:
        return deliver(request, in);
    }
}

void State::on_reinvite(Received& request, Leg& leg, const Incoming& in) {
    Changes changes;
    if (!leg.has_call || leg.call_over) {
        return refuse(request, 481, {}, in.now);
    }
    // [RFC 3261 §14.2]: 500 before we have answered the last one, 491 while our own is underway.
    // Note: until the ACK of its 2xx is here, the last one is not over either; its offer may be.
    if (leg.invite_received != 0) {
        changes.with("Retry-After", retry_after(ids));
        return refuse(request, 500, changes, in.now);
    }
    if (leg.invite_sent != 0) {
        return refuse(request, 491, {}, in.now);
    }
    const bool offers = has_description(in.message);
    if (const auto status = offers ? refusal_of_offer(leg.session) : 0; status != 0) {
        if (status == 500) {
            changes.with("Retry-After", retry_after(ids));
        }
        return refuse(request, static_cast<std::uint16_t>(status), changes, in.now);
    }
    if (const auto status = refusal_of_interval(settings.session_timer, in.message); status != 0) {
        changes.with("Min-SE", std::to_string(std::max(settings.session_timer.min_se, 90U)));
        return refuse(request, status, changes, in.now);
    }
    leg.invite_received = request.ref;
    begin_invite(leg.session);
    if (offers) {
        request.description = take(leg.session, Sender::Peer, Carrier::Invite, in.message.body());
    }
    if (const auto cseq = sip::parse_cseq(in.message.value(HeaderId::CSeq))) {
        request.reliable.invite_cseq = cseq->number;
    }
    if (settings.automatic.trying) {
        respond(request, 100, {}, in.now);
    }
    deliver(request, in);
}

void State::on_bye(Received& request, Leg& leg, const Incoming& in) {
    std::uint8_t actions = 0;
    if (!leg.has_call || !step_call(leg, InviteEvent::ByeReceived, in.now, &actions)) {
        return refuse(request, 481, {}, in.now);
    }
    if (settings.automatic.answers) {
        respond(request, 200, {}, in.now);
    }
    deliver(request, in);
    // "the UAS MUST still respond to any pending requests […]. It is RECOMMENDED that a 487"
    // [RFC 3261 §15.1.2]
    if (const auto at = received.find(leg.invite_received); at != received.end()) {
        at->second.held.clear();
        if (at->second.final == 0) {
            respond(at->second, 487, {}, in.now);
        } else {
            // Its ACK may still come; nobody waits for it any more.
            at->second.success.stop();
            release(at->second);
        }
    }
    if (!leg.call_over) {
        end_call(leg, "BYE was received", in.now);
    }
}

void State::on_prack(Received& request, Leg& leg, const Incoming& in) {
    const auto rack = sip::parse_rack(in.message.value(HeaderId::RAck));
    const auto at = received.find(leg.invite_received);
    if (!rack) {
        return refuse(request, 400, {}, in.now);
    }
    if (at == received.end() || !at->second.reliable.acknowledge(*rack)) {
        return refuse(request, 481, {}, in.now); // "MUST" [RFC 3262 §3]
    }
    auto& invite = at->second;
    if (has_description(in.message)) {
        request.description = take(leg.session, Sender::Peer, Carrier::Prack, in.message.body());
    }
    if (settings.automatic.answers && request.description != Meaning::Offer) {
        respond(request, 200, {}, in.now);
    }
    if (const auto next = invite.reliable.take_next(in.now); !next.empty()) {
        table.respond(invite.transaction, 180, next, in.now, outbox);
    }
    arm_received(invite);
    deliver(request, in);
    if (!invite.held.empty() && !invite.reliable.holds_back_2xx()) {
        const auto held = std::move(invite.held.front());
        invite.held.clear();
        respond(invite, held.status, held.changes, in.now);
    }
}

void State::on_update(Received& request, Leg& leg, const Incoming& in) {
    Changes changes;
    if (!leg.has_call || leg.call_over) {
        return refuse(request, 481, {}, in.now);
    }
    const bool offers = has_description(in.message);
    auto status = offers ? refusal_of_offer(leg.session) : std::uint16_t{0};
    if (leg.update_received != 0) {
        status = 500; // the one before is not answered yet [RFC 3311 §5.2]
    }
    if (status == 500) {
        changes.with("Retry-After", retry_after(ids));
    } else if (status == 0) {
        status = refusal_of_interval(settings.session_timer, in.message);
        if (status != 0) {
            changes.with("Min-SE", std::to_string(std::max(settings.session_timer.min_se, 90U)));
        }
    }
    if (status != 0) {
        return refuse(request, status, changes, in.now);
    }
    if (offers) {
        request.description = take(leg.session, Sender::Peer, Carrier::Update, in.message.body());
    }
    leg.update_received = request.ref;
    if (settings.automatic.answers && request.description != Meaning::Offer) {
        respond(request, 200, {}, in.now);
    }
    deliver(request, in);
}

} // namespace cw::dialog
