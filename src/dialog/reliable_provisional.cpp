#include "dialog/reliable_provisional.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"

namespace cw::dialog {

using sip::HeaderId;

std::uint16_t refusal_of_reliability(const sip::MessageView& invite, Reliability own) {
    const bool required = sip::list_has(invite, HeaderId::Require, "100rel");
    if (required && own == Reliability::Unsupported) {
        return 420;
    }
    if (own == Reliability::Required && !required &&
        !sip::list_has(invite, HeaderId::Supported, "100rel")) {
        return 421;
    }
    return 0;
}

bool sends_reliably(const sip::MessageView& invite, std::uint16_t status, Reliability own,
                    bool wants) {
    if (status <= 100 || status >= 200 || own == Reliability::Unsupported) {
        return false;
    }
    if (sip::list_has(invite, HeaderId::Require, "100rel")) {
        return true; // "MUST send any non-100 provisional response reliably" [RFC 3262 §3]
    }
    return (wants || own == Reliability::Required) &&
           sip::list_has(invite, HeaderId::Supported, "100rel");
}

bool ReliableSender::holds_back_2xx() const {
    return (retransmission.active() && open_has_description) ||
           std::ranges::any_of(waiting, &Waiting::has_description);
}

bool ReliableSender::send(std::string bytes, std::uint32_t number, bool has_description,
                          Instant now) {
    if (retransmission.active()) {
        waiting.push_back({number, std::move(bytes), has_description});
        return false;
    }
    open = number;
    open_has_description = has_description;
    retransmission.start(std::move(bytes), false, now);
    return true;
}

bool ReliableSender::acknowledge(const sip::RAck& rack) {
    // "whose method, CSeq-num, and response-num in the RAck header field match" [RFC 3262 §3]
    if (open == 0 || rack.rseq != open || rack.cseq.number != invite_cseq ||
        rack.cseq.method != sip::Method::Invite) {
        return false;
    }
    open = 0;
    retransmission.stop();
    return true;
}

std::string ReliableSender::take_next(Instant now) {
    if (retransmission.active() || waiting.empty()) {
        return {};
    }
    auto next = std::move(waiting.front());
    waiting.pop_front();
    send(next.bytes, next.rseq, next.has_description, now);
    return std::move(next.bytes);
}

void ReliableSender::finish() {
    // `open` stays: "it MUST be prepared to process PRACK requests for those outstanding responses"
    // [RFC 3262 §3].
    retransmission.stop();
    waiting.clear();
}

ReliableReceiver::Receipt ReliableReceiver::on_response(const sip::MessageView& response) {
    const auto number = parse_number<std::uint32_t>(response.value(HeaderId::RSeq));
    const auto invite = sip::parse_cseq(response.value(HeaderId::CSeq));
    if (response.status() <= 100 || response.status() >= 200 || !number || !invite ||
        !sip::list_has(response, HeaderId::Require, "100rel")) {
        return Receipt::Unreliable;
    }
    if (last && cseq == invite->number) {
        if (*number <= *last) {
            return Receipt::Retransmission;
        }
        if (*number - *last != 1) {
            return Receipt::OutOfOrder;
        }
    }
    // "Its value MUST be initialized to the RSeq header field in the first" [RFC 3262 §4]
    cseq = invite->number;
    last = number;
    return Receipt::New;
}

std::string ReliableReceiver::rack() const {
    return std::to_string(last.value_or(0)) + " " + std::to_string(cseq) + " INVITE";
}

} // namespace cw::dialog
