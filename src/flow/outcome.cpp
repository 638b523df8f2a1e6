#include "flow/outcome.hpp"

#include <algorithm>

namespace cw::flow {
namespace {

using sip::Method;

// Longest that a client waits for any answer: 64·T1 (Timer B, Timer F) [RFC 3261 §17.1.1.2].
constexpr Duration transaction_timeout = seconds(32);

Kind kind_of(Method method) {
    switch (method) {
    case Method::Invite:
    case Method::Ack:
    case Method::Bye:
    case Method::Cancel:
    case Method::Prack:
    case Method::Update:
    case Method::Info:
        return Kind::Call;
    case Method::Register:
        return Kind::Registration;
    case Method::Message:
        return Kind::Message;
    case Method::Subscribe:
    case Method::Notify:
    case Method::Publish:
    case Method::Refer:
        return Kind::Subscription;
    case Method::Options:
        return Kind::Options;
    case Method::None:
    case Method::Other:
        return Kind::Other;
    }
    return Kind::Other;
}

// The requests of one method on the leg that came first, and what they were answered.
struct Exchange {
    Instant first_request;
    Instant last_request;
    Instant first_success;
    // Not told from the times: simple packet blocks have none.
    bool asked = false;
    bool succeeded = false;
    std::uint16_t last_final = 0; // the last final response, challenges that were answered aside
    bool provisional = false;     // 18x
    bool any_response = false;
    std::uint32_t repeats = 0;
};

Exchange exchange_of(const Call& call, std::uint8_t leg, Method method) {
    Exchange x;
    std::uint32_t last_final_cseq = 0;
    for (const auto& m : call.messages) {
        if (m.leg != leg || m.cseq_method != method) {
            continue;
        }
        if (m.status == 0) {
            x.asked = true;
            x.first_request = x.first_request.known() ? x.first_request : m.time;
            x.last_request = m.time;
            x.repeats += m.retransmission_of != none;
            // A new attempt after a challenge or a redirection opens the question again.
            if (x.last_final >= 300 && m.cseq > last_final_cseq && !m.to_tag) {
                x.last_final = 0;
            }
            continue;
        }
        x.any_response = true;
        if (m.status < 200) {
            x.provisional |= m.status > 100;
        } else if (m.status < 300) {
            x.succeeded = true;
            x.first_success = x.first_success.known() ? x.first_success : m.time;
            x.last_final = m.status;
            last_final_cseq = m.cseq;
        } else if (!x.succeeded) {
            x.last_final = m.status;
            last_final_cseq = m.cseq;
        }
    }
    return x;
}

State state_of_failure(std::uint16_t status) {
    if (status < 400) {
        return State::Redirected;
    }
    switch (status) {
    case 408:
        return State::Timeout;
    case 486:
    case 600:
        return State::Busy;
    case 487:
        return State::Cancelled;
    default:
        return status >= 500 && status < 600 ? State::Failed : State::Rejected;
    }
}

bool gave_up(const Exchange& x, Instant capture_end) {
    return !x.any_response && x.first_request.known() &&
           capture_end - x.first_request >= transaction_timeout;
}

Method main_method(Kind kind) {
    switch (kind) {
    case Kind::Call:
        return Method::Invite;
    case Kind::Registration:
        return Method::Register;
    case Kind::Message:
        return Method::Message;
    case Kind::Options:
        return Method::Options;
    case Kind::Subscription:
    case Kind::Other:
        return Method::None;
    }
    return Method::None;
}

void conclude_call(Call& call, Instant capture_end) {
    const auto x = exchange_of(call, 0, Method::Invite);
    Instant bye;
    bool over = false;
    bool cancel = false;
    for (const auto& m : call.messages) {
        if (m.status == 0 && m.method == Method::Bye && !over) {
            bye = m.time;
            over = true;
        }
        cancel |= m.status == 0 && m.method == Method::Cancel;
    }
    call.final_status = x.last_final;
    if (x.succeeded) {
        call.answered = x.first_success;
        call.state = over ? State::Completed : State::Answered;
        auto end = over ? bye : call.end;
        for (const auto& stream : call.streams) {
            end = over ? end : std::max(end, stream.last);
        }
        call.duration_s = std::max(0.0, (end - call.answered).seconds());
        // Media up to the last moments of the capture: the call outlived it.
        call.cut_off = !over && capture_end - end < seconds(1);
    } else if (x.last_final != 0) {
        call.state = state_of_failure(x.last_final);
        if (cancel && x.last_final >= 400) {
            call.state = State::Cancelled;
        }
    } else if (cancel) {
        call.state = State::Cancelled;
    } else if (over) {
        call.state = State::Completed; // the capture began after the answer
    } else if (!x.asked && !x.any_response) {
        call.state = State::Answered; // only messages from within the dialog
    } else if (gave_up(x, capture_end)) {
        call.state = State::Timeout;
    } else {
        call.state = x.provisional ? State::Ringing : State::Trying;
    }
}

void conclude_exchange(Call& call, Instant capture_end) {
    auto method = main_method(call.kind);
    if (method == Method::None) {
        for (const auto& m : call.messages) {
            if (m.cseq_method != Method::None) {
                method = m.cseq_method;
                break;
            }
        }
    }
    const auto x = exchange_of(call, 0, method);
    call.final_status = x.last_final;
    if (x.last_final >= 300) {
        call.state = state_of_failure(x.last_final);
    } else if (x.last_final >= 200) {
        call.state = State::Completed;
    } else {
        call.state = gave_up(x, capture_end) ? State::Timeout : State::Trying;
    }
}

} // namespace

Kind kind_of(const Call& call) {
    auto found = Kind::Other;
    for (const auto& m : call.messages) {
        const auto kind = kind_of(m.cseq_method != Method::None ? m.cseq_method : m.method);
        if (kind == Kind::Call) {
            return kind;
        }
        found = found == Kind::Other ? kind : found;
    }
    return found;
}

void conclude(Call& call, Instant capture_end) {
    call.kind = kind_of(call);
    if (!call.messages.empty()) {
        call.start = call.messages.front().time;
        call.end = call.messages.back().time;
    }
    if (call.kind == Kind::Call) {
        conclude_call(call, capture_end);
    } else {
        conclude_exchange(call, capture_end);
    }
    for (const auto& stream : call.streams) {
        call.end = std::max(call.end, stream.last);
    }
}

} // namespace cw::flow
