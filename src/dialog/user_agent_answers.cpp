// The answers of UserAgent to requests of peers, and the life of a call.
#include <algorithm>

#include "dialog/user_agent_state.hpp"
#include "sip/list.hpp"

namespace cw::dialog {

using sip::HeaderId;
using sip::Method;
using State = UserAgentState;

namespace {

// A request that was kept is read again from its bytes.
template <class F>
auto with_message(const std::string& bytes, F&& use) {
    sip::HeaderIndex headers;
    const auto message = sip::index(std::string_view{bytes}, headers);
    return use(message.value_or(sip::MessageView{}));
}

} // namespace

// The dialog that an answer to an initial request makes, or has made already.
Leg* State::leg_for_answer(Received& request, const sip::MessageView& message,
                           Dialog::State state) {
    if (auto* leg = find_leg(request.leg)) {
        if (state == Dialog::State::Confirmed && leg->dialog.state == Dialog::State::Early) {
            leg->dialog.state = state;
        }
        return leg;
    }
    auto dialog = uas_dialog(message, request.tag, state, sip::is_secure(request.wire.transport));
    if (!dialog) {
        return nullptr;
    }
    auto& leg = add_leg(std::move(*dialog), request.wire);
    request.leg = leg.ref;
    if (request.method == Method::Invite) {
        leg.has_call = true;
        leg.side = InviteSide::Callee;
        leg.invite_received = request.ref;
        leg.peer_updates = sip::list_has(message, HeaderId::Allow, "UPDATE");
        begin_invite(leg.session);
        if (has_description(message)) {
            take(leg.session, Sender::Peer, Carrier::Invite, message.body());
        }
    }
    return &leg;
}

void State::finish_draft(Draft& draft, const Received& request) const {
    const auto status = draft.status();
    const bool dialog_forming =
        request.method == Method::Invite || request.method == Method::Subscribe ||
        request.method == Method::Refer || request.method == Method::Update ||
        request.method == Method::Notify;
    if (dialog_forming && status > 100 && status < 300) {
        draft.set_default("Contact", contact());
    }
    if (status >= 200 && status < 300) {
        add_capabilities(draft, request.method);
    } else {
        add_capabilities(draft, Method::None);
    }
}

bool State::transmit(Received& request, const Draft& draft, Instant now) {
    const bool done =
        table.respond(request.transaction, draft.status(), draft.print(), now, outbox);
    if (done && draft.status() >= 200) {
        request.final = draft.status();
        request.limit = {};
    }
    arm_received(request);
    return done;
}

bool State::respond(Received& request, std::uint16_t status, const Changes& changes, Instant now) {
    if (request.final != 0) {
        return false;
    }
    return with_message(request.bytes, [&](const sip::MessageView& message) {
        auto draft =
            response_to(message, changes.status.value_or(status), request.tag, request.via);
        if (draft.status() == 420 || draft.status() == 405) {
            draft.remove("Contact");
        }
        finish_draft(draft, request);
        if (request.method == Method::Invite) {
            return respond_to_invite(request, message, draft, changes, now);
        }
        auto* leg = find_leg(request.leg);
        const bool good = draft.status() >= 200 && draft.status() < 300;
        if (request.method == Method::Update && good && leg != nullptr) {
            answer(leg->timer, settings.session_timer, message, draft, now);
            arm_leg(*leg);
        }
        draft.apply(changes);
        const auto carrier = request.method == Method::Update  ? Carrier::UpdateOk
                             : request.method == Method::Prack ? Carrier::PrackOk
                                                               : Carrier::Other;
        if (leg != nullptr && draft.status() >= 200) {
            if (good && !draft.body().empty()) {
                take(leg->session, Sender::Us, carrier, draft.body());
            }
            // Refused, or accepted without the answer that we owe.
            if (carrier != Carrier::Other && leg->session.state == OfferState::HaveRemoteOffer &&
                request.description == Meaning::Offer) {
                roll_back(leg->session);
            }
            if (good && is_target_refresh(request.method)) {
                refresh_target(leg->dialog, message);
            }
            leg->update_received = leg->update_received == request.ref ? 0 : leg->update_received;
        }
        const bool done = transmit(request, draft, now);
        if (done && good &&
            (request.method == Method::Subscribe || request.method == Method::Refer)) {
            begin_notifier(request, message, draft, now);
        }
        return done;
    });
}

bool State::respond_to_invite(Received& request, const sip::MessageView& message, Draft& draft,
                              const Changes& changes, Instant now) {
    const auto status = draft.status();
    if (status == 100) {
        return transmit(request, draft.apply(changes), now);
    }
    const bool good = status >= 200 && status < 300;
    if (good && request.reliable.holds_back_2xx() && !changes.force) {
        request.held = {{status, changes}}; // until the PRACK [RFC 3262 §3]
        return true;
    }
    auto* leg = status < 300
                    ? leg_for_answer(request, message,
                                     good ? Dialog::State::Confirmed : Dialog::State::Early)
                    : find_leg(request.leg);
    const bool reliable = sends_reliably(message, status, settings.reliability,
                                         settings.prefers_reliable || (changes.body && !good));
    if (reliable && leg != nullptr) {
        draft.add("Require", "100rel");
        draft.set("RSeq", std::to_string(request.reliable.next_rseq(ids.rseq())));
    }
    if (good && leg != nullptr) {
        answer(leg->timer, settings.session_timer, message, draft, now);
        arm_leg(*leg);
    }
    draft.apply(changes);
    if (leg != nullptr && status < 300 && !draft.body().empty()) {
        take(leg->session, Sender::Us,
             good       ? Carrier::InviteOk
             : reliable ? Carrier::Reliable1xx
                        : Carrier::Unreliable1xx,
             draft.body());
    }
    if (leg != nullptr && status < 200) {
        step_call(*leg, InviteEvent::Provisional, now);
    }
    if (reliable && leg != nullptr) {
        const auto text = draft.print();
        if (!request.reliable.send(text, request.reliable.rseq, !draft.body().empty(), now)) {
            return true; // after the PRACK for the one before
        }
        arm_received(request);
        return table.respond(request.transaction, status, text, now, outbox);
    }
    if (!transmit(request, draft, now)) {
        return false;
    }
    if (status >= 200) {
        request.reliable.finish();
    }
    if (good && leg != nullptr) {
        after_invite_success(request, *leg, draft, now);
    } else if (status >= 300 && leg != nullptr) {
        leg->invite_received = 0;
        if (request.in_dialog) { // "as if no re-INVITE had been issued" [RFC 3261 §14.1]
            roll_back(leg->session);
        } else if (step_call(*leg, InviteEvent::Failure, now)) {
            end_call(*leg, status == 487 ? "cancelled" : "refused", now);
        }
    }
    arm_received(request);
    return true;
}

void State::after_invite_success(Received& request, Leg& leg, const Draft& draft, Instant now) {
    request.success.start(draft.print(), true, now); // until the ACK [RFC 3261 §13.3.1.4]
    arm_received(request);
    if (leg.session.state == OfferState::HaveRemoteOffer &&
        leg.session.offered_in == Carrier::Invite) {
        roll_back(leg.session); // accepted without the answer that we owe
    }
    if (request.in_dialog) {
        with_message(request.bytes,
                     [&](const sip::MessageView& invite) { refresh_target(leg.dialog, invite); });
        return;
    }
    step_call(leg, InviteEvent::Success, now);
    report(What::Confirmed).leg = leg.ref;
    if (settings.automatic.replace) {
        shut_down_replaced(request, now);
    }
}

// "it accepts the new INVITE by sending a 200-class response, and shuts down the replaced dialog by
// sending a BYE", or a CANCEL for an early one [RFC 3891 §3].
void State::shut_down_replaced(const Received& request, Instant now) {
    auto* old = find_leg(request.replaces);
    if (old == nullptr || old->call_over) {
        return;
    }
    if (request.replaces_early) {
        if (const auto at = sent.find(old->invite_sent);
            at != sent.end() && at->second.final == 0 && !at->second.cancel_wanted) {
            at->second.cancel_wanted = true;
            send_cancel(at->second, now);
        }
    } else {
        bye(*old, "replaced", now);
    }
}

// ---- the life of a call

bool State::step_call(Leg& leg, InviteEvent event, Instant now, std::uint8_t* actions) {
    const auto outcome = step(leg.side, leg.state, event);
    if (!outcome.legal) {
        return false;
    }
    if (actions != nullptr) {
        *actions = outcome.actions;
    }
    if (outcome.next != leg.state) {
        leg.state = outcome.next;
        if (leg.state == InviteState::Mortal) {
            // Late messages of the call are understood as long as a message may live.
            leg.mortal_until = now + transaction::timer::t1x64;
            arm_leg(leg);
        }
    }
    return true;
}

void State::end_call(Leg& leg, const char* why, Instant now) {
    if (const auto at = sent.find(leg.invite_sent);
        at != sent.end() && at->second.leg == leg.ref && at->second.final == 0) {
        // A re-INVITE is underway: its answer is not awaited for ever.
        at->second.abandon_at = now + transaction::timer::t1x64;
        arm_sent(at->second);
    }
    leg.call_over = true;
    leg.timer.stop();
    leg.again_at = {};
    leg.dialog.state = Dialog::State::Terminated;
    auto& r = report(What::Ended);
    r.leg = leg.ref;
    r.why = why;
    if (leg.state == InviteState::Morgue) {
        leg.has_call = false;
    }
    arm_leg(leg);
    drop_leg_if_unused(leg.ref);
}

void State::bye(Leg& leg, const char* why, Instant now) {
    if (!leg.has_call || leg.call_over) {
        return;
    }
    if (forbids(leg, Method::Bye, {}) != nullptr) {
        // The callee waits for the ACK, or for the end of waiting; both come.
        leg.bye_when_acked = leg.side == InviteSide::Callee;
        return;
    }
    const auto first = reports.size();
    send_in(leg, "BYE", {}, now);
    for (auto i = first; i < reports.size(); ++i) {
        if (reports[i].what == What::Ended) {
            reports[i].why = why;
        }
    }
}

bool UserAgent::respond(Ref ref, std::uint16_t status, const Changes& changes, Instant now) {
    const auto at = state_->received.find(ref);
    const bool done = at != state_->received.end() && (at->second.held.empty() || status >= 300) &&
                      state_->respond(at->second, status, changes, now);
    if (done && status >= 300) {
        if (const auto again = state_->received.find(ref); again != state_->received.end()) {
            again->second.held.clear();
        }
    }
    state_->settle(now);
    return done;
}

} // namespace cw::dialog
