// Whose message it is that has come.
#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "dialog/draft.hpp"
#include "play/literal/received.hpp"
#include "play/load/crowd_state.hpp"
#include "sip/uri.hpp"
#include "sip/via.hpp"

namespace cw::play {

using script::PartyId;
using sip::HeaderId;
using transaction::Wire;

// "1f.3-": the slot and its generation, in base 36.
std::string Crowd::mark_of(Ref ref) {
    char text[24];
    auto* const end = text + sizeof text;
    auto at = std::to_chars(text, end, ref.slot, 36).ptr;
    *at++ = '.';
    at = std::to_chars(at, end, ref.generation, 36).ptr;
    *at++ = '-';
    return {text, at};
}

std::optional<Crowd::Ref> Crowd::read_mark(std::string_view call_id) {
    Ref out;
    const auto* const end = call_id.data() + call_id.size();
    const auto slot = std::from_chars(call_id.data(), end, out.slot, 36);
    if (slot.ec != std::errc{} || slot.ptr == end || *slot.ptr != '.') {
        return std::nullopt;
    }
    const auto generation = std::from_chars(slot.ptr + 1, end, out.generation, 36);
    if (generation.ec != std::errc{} || generation.ptr == end || *generation.ptr != '-') {
        return std::nullopt;
    }
    return out;
}

void Crowd::on_message(PartyId party, const Wire& wire, std::string_view text, Instant now,
                       Instant came) {
    now_ = now;
    ++tally_.received;
    sip::HeaderIndex index;
    const auto message = sip::index(text, index);
    if (!message) {
        ++tally_.late;
        return;
    }
    const auto ref = whose(party, *message);
    auto* call = find(ref);
    if (call == nullptr) {
        nobodys(wire, *message);
        return;
    }
    happen(ref.slot, {.kind = Happening::Kind::Message,
                      .party = party,
                      .wire = &wire,
                      .message = &*message,
                      .text = text,
                      .at = literal_ ? now : came});
    settle(ref.slot);
    check_end();
}

Crowd::Ref Crowd::whose(PartyId party, const sip::MessageView& message) {
    const auto id = message.value(HeaderId::CallId);
    if (const auto marked = read_mark(id); marked && find(*marked) != nullptr) {
        return *marked;
    }
    // A name that we did not make: the far end's, or one that the flow draws.
    if (const auto known = foreign_.find(id); known != foreign_.end()) {
        return known->second;
    }
    if (!message.is_request() || message.method() == sip::Method::Ack) {
        return {};
    }
    const auto ref = settings_.answers ? answer(party, message) : who_awaits(party, message);
    if (auto* call = find(ref)) {
        call->foreign.emplace_back(id);
        foreign_.emplace(id, ref);
    }
    return ref;
}

// Where calls are answered: one begins.
Crowd::Ref Crowd::answer(PartyId /*party*/, const sip::MessageView& message) {
    const auto method = message.method_text();
    if (std::ranges::find(answered_methods_, method) == answered_methods_.end() ||
        !may_begin(next_call_)) {
        return {};
    }
    ++tally_.due;
    if (in_progress_ >= settings_.at_once) {
        ++tally_.held_back;
        return {};
    }
    return begin(now_);
}

// A literal party may write a Call-ID of its own into what it sends: what comes for it is this
// call's.
void Crowd::learn_call_id(Ref ref, std::string_view bytes) {
    const auto id = literal::value_of_header(bytes, "Call-ID");
    if (id.empty() || read_mark(id) || foreign_.contains(id)) {
        return;
    }
    calls_[ref.slot]->foreign.emplace_back(id);
    foreign_.emplace(id, ref);
}

// Behind a B2BUA: the oldest call whose callee has that name and still awaits such a request.
Crowd::Ref Crowd::who_awaits(PartyId party, const sip::MessageView& message) {
    const auto uri = sip::parse_uri(message.request_uri());
    auto queue = awaiting_.find({party, uri ? std::string{uri->user} : std::string{}});
    if (queue == awaiting_.end()) {
        // The address may have been translated on the way; with one queue there is no doubt.
        queue = awaiting_.lower_bound({party, std::string{}});
        if (queue == awaiting_.end() || queue->first.first != party) {
            return {};
        }
    }
    auto& waiting = queue->second;
    while (!waiting.empty()) {
        const auto ref = waiting.front();
        auto* call = find(ref);
        if (call != nullptr && awaits(*call, party, message.method())) {
            return ref;
        }
        waiting.pop_front();
    }
    return {};
}

// For a call that is over, or for nobody: its sender is told, so that it ends there as well.
void Crowd::nobodys(const Wire& wire, const sip::MessageView& message) {
    ++tally_.late;
    const auto via = sip::parse_via(message.value(HeaderId::Via));
    if (!message.is_request() || message.method() == sip::Method::Ack || !via) {
        return;
    }
    // [RFC 3261 §12.2.2] a request within a dialog that is not there any more gets a 481; OPTIONS
    // asks whether we are alive.
    const bool alive = message.method() == sip::Method::Options;
    const auto text = dialog::response_to(message, alive ? 200 : 481, "gone",
                                          dialog::received_via(message.value(HeaderId::Via), wire))
                          .print();
    outbox_.send(dialog::reply_wire(*via, wire), text);
    ++tally_.sent;
}

void Crowd::on_undelivered(PartyId party, const Endpoint& remote, std::string_view begin,
                           Instant now) {
    now_ = now;
    const auto ref = read_mark(literal::value_of_header(begin, "Call-ID"));
    auto* call = ref ? find(*ref) : nullptr;
    if (call != nullptr && !literal_) { // SIPp goes on, too
        in_full(*call).on_undelivered(party, remote, begin, now_);
        settle(ref->slot);
        check_end();
    }
}

void Crowd::on_media(std::uint32_t socket, const Endpoint& from, Bytes packet, Instant now) {
    now_ = now;
    const auto owner = media_owner_.find(socket & ~1U);
    if (owner == media_owner_.end()) {
        return;
    }
    if (auto* call = find(owner->second)) {
        in_full(*call).on_media(socket, from, packet, now_);
        // What is heard is looked at when its time comes: no need to settle a packet.
    }
}

void Crowd::on_dtls(std::uint32_t socket, const DtlsKeys& keys, Instant now) {
    now_ = now;
    const auto owner = media_owner_.find(socket & ~1U);
    if (owner == media_owner_.end()) {
        return;
    }
    const auto ref = owner->second;
    if (auto* call = find(ref)) {
        in_full(*call).on_dtls(socket, keys, now_);
        settle(ref.slot);
        check_end();
    }
}

} // namespace cw::play
