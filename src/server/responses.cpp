// What comes back to the proxy, and which of the answers goes on [RFC 3261 §16.7].
#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "server/proxy.hpp"
#include "sip/host.hpp"

namespace cw::server {
namespace {

constexpr std::size_t most_ways = 4; // to one phone

// Lower is better: 6xx, then the lowest class, in which those are preferred that tell the caller
// how to do it better [RFC 3261 §16.7 item 6]. A 503 or a timeout of ours says least.
int rank(std::uint16_t status) {
    if (status >= 600) {
        return 0;
    }
    const int of_class = status / 100 * 10;
    switch (status) {
    case 401:
    case 407:
    case 415:
    case 420:
    case 484:
        return of_class;
    case 408:
    case 487:
        return of_class + 2;
    case 503:
        return of_class + 3;
    default:
        return of_class + 1;
    }
}

bool is_challenge(const sip::Header& header) {
    return header.id == sip::HeaderId::WwwAuthenticate ||
           header.id == sip::HeaderId::ProxyAuthenticate;
}

// A response whose second Via says who it is for; without one it would be for us.
bool has_next_via(const sip::MessageView& response, const sip::Via& top) {
    return top.more || response.repeated(sip::HeaderId::Via);
}

} // namespace

void Proxy::on_response(const sip::MessageView& response, const sip::Via& top, Instant now,
                        Requests& out) {
    const auto stepped = core_.transactions.on_response(response, top, now, out.outbox);
    const auto found = find(stepped.owner);
    if (!stepped.deliver || found.branch == nullptr || !has_next_via(response, top)) {
        return; // stray, a retransmission, or the answer to a CANCEL of ours
    }
    auto& context = *found.context;
    auto& branch = *found.branch;
    const auto status = response.status();
    if (status < 200) {
        if (branch.state == Branch::State::Trying) {
            branch.state = Branch::State::Ringing;
        }
        if (branch.cancel) {
            cancel_branch(context, branch, now, out);
        }
        if (status > 100 && !context.finished) {
            if (context.invite && !branch.cancelled) {
                branch.limit = now + core_.directory->settings().timer_c; // [RFC 3261 §16.7 item 2]
            }
            pass_on(context, response, now, out);
        }
    } else if (status < 300) {
        branch.state = Branch::State::Over;
        branch.status = status;
        // Each 2xx of an INVITE goes on, also a second and a late one [RFC 3261 §16.7 item 5].
        if (context.invite || !context.finished) {
            core_.counters.answered += context.invite && !context.finished ? 1 : 0;
            context.finished = true;
            pass_on(context, response, now, out);
            cancel_all(context, now, out);
        }
    } else {
        branch_failed(found.index, found.number, status, &response, now, out);
    }
    rearm(found.index);
}

void Proxy::pass_on(Context& context, const sip::MessageView& response, Instant now,
                    Requests& out) {
    core_.edits.begin(response);
    core_.edits.normalise();
    core_.edits.remove_first_values(sip::HeaderId::Via, 1);
    bytes_.clear();
    core_.edits.apply(bytes_);
    if (response.status() < 200) {
        context.trying = {};
        core_.transactions.respond(context.server, response.status(), bytes_, now, out.outbox);
    } else {
        send_final(context, response.status(), bytes_, now, out);
    }
}

void Proxy::send_final(Context& context, std::uint16_t status, std::string_view bytes, Instant now,
                       Requests& out) {
    context.finished = true;
    core_.transactions.respond(context.server, status, bytes, now, out.outbox);
    if (!context.sender_gone) {
        return;
    }
    // The connection is gone: "the server SHOULD open a connection to the IP address in the
    // "received" parameter, if present, using the port in the "sent-by" value" [RFC 3261 §18.2.2]
    sip::HeaderIndex headers;
    const auto request = sip::index(std::string_view{context.request}, headers);
    const auto via = request ? sip::parse_via(request->value(sip::HeaderId::Via))
                             : Result<sip::Via>{fail(Code::Malformed, 0, "")};
    if (via) {
        const auto port = via->port != 0 ? via->port : default_port(context.wire.transport);
        out.send_to.push_back({0,
                               {context.wire.transport,
                                {context.wire.remote.address, port},
                                std::string{LowerHost{via->host}.text()},
                                {}},
                               std::string{bytes}});
    }
}

// RFC 3263 §4.3: the next place is tried when one says 503, cannot be reached, or is silent.
bool Proxy::try_next_hop(std::uint32_t index, std::uint8_t number, std::uint16_t status,
                         Instant now, Requests& out) {
    auto& branch = contexts_[index]->branches[number];
    if ((status != 503 && status != 408) || branch.cancel ||
        branch.next_hop >= branch.hops.size()) {
        return false;
    }
    branch.limit = {};
    send_to_next_hop(index, number, now, out);
    return true;
}

// The flow to a phone is gone: "the proxy SHOULD replace the failed branch with another target (if
// one is available) with the same AOR and instance-id, but a different reg-id" [RFC 5626 §7].
bool Proxy::try_other_way(std::uint32_t index, std::uint8_t number, Instant now, Requests& out) {
    auto& context = *contexts_[index];
    auto& branch = context.branches[number];
    if (branch.cancel || context.finished || branch.tried.size() >= most_ways) {
        return false;
    }
    branch.tried.push_back(branch.target.way());
    bool found = false;
    // A phone that another branch has tried, or is trying, does not get the request twice.
    auto tried = branch.tried;
    for (const auto& other : context.branches) {
        tried.push_back(other.target.way());
        tried.insert(tried.end(), other.tried.begin(), other.tried.end());
    }
    with_stored(index, now, out, [&](const Incoming& in, const Route& route) {
        auto other = find_other_way(core_, in, route, branch.target, tried);
        if (!other) {
            return;
        }
        found = true;
        other->q = branch.target.q;
        branch.target = std::move(*other);
        branch.hops.clear();
        branch.next_hop = 0;
        branch.limit = {};
        start(index, number, in, route);
    });
    return found;
}

// "If the transport layer notifies a proxy of an error when it tries to forward a request [...],
// the proxy MUST behave as if the forwarded request received a 503" [RFC 3261 §16.9]: so the next
// place is tried, or the next way. When there is none, the caller is told about this callee, not
// that we are out of service: a user without a flow is not there, another server is a bad gateway.
void Proxy::unreachable(std::uint32_t index, std::uint8_t number, Instant now, Requests& out) {
    auto& branch = contexts_[index]->branches[number];
    if (branch.state == Branch::State::Over || try_next_hop(index, number, 503, now, out) ||
        try_other_way(index, number, now, out)) {
        return;
    }
    std::uint16_t status = 502;
    if (branch.target.wire) {
        with_stored(index, now, out,
                    [&](const Incoming& in, const Route&) { status = status_of_gone_flow(in); });
    }
    branch_failed(index, number, branch.cancel ? 487 : status, nullptr, now, out);
}

void Proxy::branch_failed(std::uint32_t index, std::uint8_t number, std::uint16_t status,
                          const sip::MessageView* response, Instant now, Requests& out) {
    auto& context = *contexts_[index];
    auto& branch = context.branches[number];
    if (branch.state == Branch::State::Over || try_next_hop(index, number, status, now, out) ||
        (status == 430 && response != nullptr && try_other_way(index, number, now, out))) {
        return;
    }
    branch.state = Branch::State::Over;
    branch.status = status;
    if (context.one_way) {
        return;
    }
    if (response != nullptr && (status == 401 || status == 407)) {
        for (const auto& header : response->headers()) {
            if (is_challenge(header)) {
                context.challenges += sip::line_of(*response, header);
            }
        }
    }
    if (context.best == 0 || rank(status) < rank(context.best)) {
        context.best = status;
        context.best_response.clear();
        if (response != nullptr) {
            core_.edits.begin(*response);
            core_.edits.normalise();
            core_.edits.remove_first_values(sip::HeaderId::Via, 1);
            for (const auto& header : response->headers()) {
                if (is_challenge(header) && (status == 401 || status == 407)) {
                    core_.edits.remove_line(header);
                }
            }
            core_.edits.apply(context.best_response);
        }
    }
    if (status >= 600) {
        cancel_all(context, now, out);
    }
    finish_if_done(index, now, out);
}

void Proxy::finish_if_done(std::uint32_t index, Instant now, Requests& out) {
    auto& context = *contexts_[index];
    if (context.finished || context.one_way) {
        return;
    }
    bool waiting = false;
    for (const auto& branch : context.branches) {
        waiting = waiting || branch.state == Branch::State::Waiting;
        if (branch.state != Branch::State::Waiting && branch.state != Branch::State::Over) {
            return;
        }
    }
    if (waiting && !context.cancelled && context.best < 600) {
        context.next_class = {};
        start_stored(index, now, out);
        return;
    }
    send_best(index, now, out);
}

void Proxy::send_best(std::uint32_t index, Instant now, Requests& out) {
    auto& context = *contexts_[index];
    const auto status = context.best != 0
                            ? context.best
                            : static_cast<std::uint16_t>(context.cancelled ? 487 : 480);
    core_.counters.failed += context.invite ? 1 : 0;
    if (!context.invite && status == 408 && context.best_response.empty()) {
        // "A transaction-stateful SIP element MUST NOT send a response with Status-Code of 408 to a
        // non-INVITE request." [RFC 4320 §4.2]: it would come too late.
        context.finished = true;
        core_.transactions.forget(context.server);
        return;
    }
    if (context.best_response.empty() || status == 503) {
        // "a proxy which receives a 503 (Service Unavailable) response SHOULD NOT forward it
        // upstream unless [...]": 500 instead [RFC 3261 §16.7 item 6]
        with_stored(index, now, out, [&](const Incoming& in, const Route&) {
            bytes_.clear();
            const auto said = status == 503 ? std::uint16_t{500} : status;
            append_reply(bytes_, in, core_.seal, {.status = said});
            send_final(context, said, bytes_, now, out);
        });
        return;
    }
    if (!context.challenges.empty() && (status == 401 || status == 407)) {
        const auto end = context.best_response.find("\r\n\r\n");
        context.best_response.insert(end == std::string::npos ? 0 : end + 2, context.challenges);
    }
    send_final(context, status, context.best_response, now, out);
}

void Proxy::on_occurrence(const transaction::Table::Occurrence& occurrence, Instant now,
                          Requests& out) {
    const auto found = find(occurrence.owner);
    if (found.context == nullptr) {
        return;
    }
    using Happened = transaction::Table::Happened;
    switch (occurrence.what) {
    case Happened::Timeout:
        if (found.branch != nullptr) {
            branch_failed(found.index, found.number, 408, nullptr, now, out);
        }
        break;
    case Happened::TransportError:
        if (found.branch != nullptr) {
            unreachable(found.index, found.number, now, out);
        } else {
            found.context->sender_gone = true;
        }
        break;
    case Happened::Over:
        drop_one(found.index);
        break;
    }
    rearm(found.index);
}

} // namespace cw::server
