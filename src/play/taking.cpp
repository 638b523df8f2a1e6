#include <algorithm>

#include "play/messages.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"
#include "sip/cseq.hpp"

namespace cw::play {

using sip::HeaderId;
using sip::Method;

void State::take(const Arrival& arrival, StepId step) {
    const auto& a = arrow(step);
    const auto party = a.to;
    auto& exchange = exchanges[step];
    exchange.received = arrival.text;
    exchange.received_on = arrival.wire;
    exchange.received_at = arrival.at;
    sip::HeaderIndex index;
    auto message = *sip::index(std::string_view{exchange.received}, index);
    open_body(step, message);
    if (exchange.body.secured) {
        message = *sip::index(std::string_view{exchange.received}, index);
    }
    auto& line = report_of(step);
    line.received = arrival.text;
    line.at = arrival.at;
    auto& own = side(party, key_of(step));
    if (const auto* request = std::get_if<script::Request>(&a.content)) {
        if (!request->again || exchanges[first_of(step)].received.empty()) {
            exchanges[first_of(step)].received = exchange.received;
            exchanges[first_of(step)].received_on = arrival.wire;
            exchanges[first_of(step)].server = arrival.server;
        }
        exchange.server = arrival.server;
        take_request(party, step, message, own);
    } else if (const auto* response = std::get_if<script::Response>(&a.content)) {
        const auto& asked = exchanges[first_of(response->answers)];
        line.took = arrival.at - asked.sent_at;
        take_response(party, step, *response, message, own);
    }
    if (script::is_lost(a.link)) {
        schedule.received(step, now);
        failed(step, Verdict::Unexpected, "it got through");
        return;
    }
    schedule.received(step, now);
    passed(step);
    check_facts(step, message);
}

void State::take_request(PartyId party, StepId step, const sip::MessageView& message, Side& own) {
    const auto method = message.method();
    const auto& a = arrow(step);
    if (key_of(step) == 0) {
        own = {};
    }
    if (own.call_id.empty()) {
        own.call_id = message.value(HeaderId::CallId);
        own.local_tag = tag_of(message, HeaderId::To);
    }
    if (method == Method::Subscribe || method == Method::Refer) {
        own.event = method == Method::Refer ? refer_event(own, message.value(HeaderId::CSeq))
                                            : std::string{message.value(HeaderId::Event)};
        exchanges[step].event = own.event;
    }
    if (method == Method::Invite) {
        own.invite = message.bytes();
    }
    if (method == Method::Prack) {
        std::erase_if(repeats, [&](const auto& one) {
            return arrow(one.first).from == party && key_of(one.first) == key_of(step);
        });
    }
    if (own.dialog && dialog::is_target_refresh(method)) {
        dialog::refresh_target(*own.dialog, message);
    }
    if (!is_passed_on(step) || passed_on_changed(step)) {
        sound->received(party, a.call, {method, 0, false}, message.body());
        if (method == Method::Bye) {
            sound->ended(party, a.call);
        }
        const auto& wire = exchanges[step].received_on;
        if (method == Method::Invite && !wire.reliable() && !draws_trying(step)) {
            // Over UDP the caller would go on to send it [RFC 3261 §17.2.1].
            const auto text =
                dialog::response_to(message, 100, "",
                                    dialog::received_via(message.value(HeaderId::Via), wire))
                    .print();
            players[party].table->respond(exchanges[step].server, 100, text, now, outbox);
        }
    }
}

void State::take_response(PartyId party, StepId step, const script::Response& drawn,
                          const sip::MessageView& message, Side& own) {
    const auto& a = arrow(step);
    const auto request_step = first_of(drawn.answers);
    const auto status = message.status();
    if (arrow(request_step).forwards) { // a proxy: it only passes it back
        if (script::find<script::Description>(arrow(request_step).facts) != nullptr) {
            sound->received(party, inner_leg(a.call), {drawn.method, status, false},
                            message.body());
        }
        return;
    }
    sip::HeaderIndex index;
    const auto request = sip::index(std::string_view{exchanges[request_step].sent}, index);
    if (!request) {
        return;
    }
    const bool over_tls = sip::is_secure(exchanges[step].received_on.transport);
    const bool confirmed = own.dialog && own.dialog->state == dialog::Dialog::State::Confirmed;
    const auto method = drawn.method;
    const bool starts =
        method == Method::Invite || method == Method::Subscribe || method == Method::Refer;
    if (starts && status > 100 && status < 300 && (!confirmed || method != Method::Invite)) {
        if (!confirmed) {
            if (auto made = dialog::uac_dialog(*request, message, over_tls)) {
                if (own.dialog) { // requests in the early dialog have counted on
                    made->local_cseq = std::max(made->local_cseq, own.dialog->local_cseq);
                    made->remote_cseq = own.dialog->remote_cseq;
                }
                own.dialog = std::move(*made);
            }
        }
    } else if (confirmed && is_success(status) && dialog::is_target_refresh(method)) {
        dialog::refresh_target(*own.dialog, message);
    }
    if (status > 100 && status < 200 && message.has(HeaderId::RSeq)) {
        own.reliable = message.value(HeaderId::RSeq);
    }
    const bool reliable = is_success(status) || (status > 100 && message.has(HeaderId::RSeq));
    const bool offers = method == Method::Invite && reliable && request->body().empty();
    sound->received(party, a.call, {method, status, false, offers}, message.body());
    if (method == Method::Invite && status >= 300) {
        sound->refused(party, a.call);
        if (!confirmed) {
            own.dialog.reset();
        }
    }
    if (method == Method::Invite && is_success(status) && !drawn_ack(request_step)) {
        acknowledge_silently(party, a.call, request_step);
    }
}

} // namespace cw::play
