// What comes back to UserAgent for its requests: provisional, good, bad, and nothing at all.
#include <algorithm>

#include "base/text.hpp"
#include "dialog/user_agent_state.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"

namespace cw::dialog {

using sip::HeaderId;
using sip::Method;
using State = UserAgentState;

namespace {

Carrier response_carrier(Method method) {
    return method == Method::Invite   ? Carrier::InviteOk
           : method == Method::Update ? Carrier::UpdateOk
           : method == Method::Prack  ? Carrier::PrackOk
                                      : Carrier::Other;
}

bool belongs_to_invite(const OfferAnswer& session) {
    return session.offered_in == Carrier::Invite || session.offered_in == Carrier::Reliable1xx ||
           session.offered_in == Carrier::InviteOk;
}

} // namespace

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

} // namespace cw::dialog
