// The proxy's copies of a request: their start, hop by hop, and their CANCEL.
#include <algorithm>

#include "server/proxy.hpp"

namespace cw::server {
namespace {

constexpr std::size_t most_hops = 8; // of those that DNS gives, so many are tried
// "If a request is within 200 bytes of the path MTU, or if it is larger than 1300 bytes and the
// path MTU is unknown, the request MUST be sent using [...] TCP." [RFC 3261 §18.1.1] A flow of a
// phone is another matter: there it can be reached, and perhaps nowhere else [RFC 5626 §7].
constexpr std::size_t most_for_a_datagram = 1300;

} // namespace

// Starts the targets whose turn it is: all of the highest q value that waits, or one of them.
void Proxy::start_class(std::uint32_t index, const Incoming& in, const Route& route) {
    const auto& settings = core_.directory->settings();
    bool first = true;
    std::uint16_t q = 0;
    for (std::uint8_t n = 0; n < contexts_[index]->branches.size(); ++n) {
        auto& context = *contexts_[index];
        if (context.branches[n].state != Branch::State::Waiting) {
            continue;
        }
        if (!first && (context.branches[n].target.q != q || settings.forking == Forking::Serial)) {
            context.next_class = in.now + settings.serial_wait;
            break;
        }
        first = false;
        q = context.branches[n].target.q;
        start(index, n, in, route);
        if (!context.used || context.finished) {
            return;
        }
    }
    rearm(index);
}

void Proxy::start_stored(std::uint32_t index, Instant now, Requests& out) {
    with_stored(index, now, out,
                [&](const Incoming& in, const Route& route) { start_class(index, in, route); });
}

void Proxy::start(std::uint32_t index, std::uint8_t number, const Incoming& in,
                  const Route& route) {
    auto& context = *contexts_[index];
    auto& branch = context.branches[number];
    if (branch.target.wire) {
        send_over(index, number, in, route);
        return;
    }
    branch.state = Branch::State::Resolving;
    ++context.alive;
    in.out.resolve.push_back({owner_of(index, number), branch.target.next, branch.target.identity,
                              branch.target.secure});
}

void Proxy::send_over(std::uint32_t index, std::uint8_t number, const Incoming& in,
                      const Route& route) {
    auto& context = *contexts_[index];
    auto& branch = context.branches[number];
    const auto& wire = *branch.target.wire;
    const auto* place = core_.directory->place_of(wire);
    if (place == nullptr || (branch.target.secure && !sip::is_secure(wire.transport))) {
        branch_failed(index, number, 480, nullptr, in.now, in.out);
        return;
    }
    branch.name = core_.branches.next(context.passage.loop_seal);
    bytes_.clear();
    append_forwarded(bytes_, core_, in, route, context.passage, branch.target, *place, &wire,
                     branch.name);
    branch.state = Branch::State::Trying;
    if (context.invite) {
        branch.limit = in.now + core_.directory->settings().timer_c;
    }
    ++context.alive;
    branch.client =
        core_.transactions.send(in.message.method(), {branch.name.data(), branch.name.size()},
                                bytes_, wire, owner_of(index, number), in.now, in.out.outbox);
}

void Proxy::on_resolved(std::uint64_t token, std::span<const Hop> hops, Instant now,
                        Requests& out) {
    const auto found = find(token);
    if (found.branch == nullptr || found.branch->state != Branch::State::Resolving) {
        return;
    }
    auto& branch = *found.branch;
    branch.hops.assign(
        hops.begin(), hops.begin() + static_cast<std::ptrdiff_t>(std::min(hops.size(), most_hops)));
    branch.next_hop = 0;
    if (branch.cancel) {
        branch_failed(found.index, found.number, 487, nullptr, now, out);
    } else {
        send_to_next_hop(found.index, found.number, now, out);
    }
    drop_one(found.index);
    rearm(found.index);
}

void Proxy::write_for(std::uint32_t index, std::uint8_t number, const Place& place, Instant now,
                      Requests& out) {
    auto& context = *contexts_[index];
    auto& branch = context.branches[number];
    branch.name = core_.branches.next(context.passage.loop_seal);
    branch.bytes.clear();
    with_stored(index, now, out, [&](const Incoming& in, const Route& route) {
        append_forwarded(branch.bytes, core_, in, route, context.passage, branch.target, place,
                         nullptr, branch.name);
    });
}

void Proxy::send_to_next_hop(std::uint32_t index, std::uint8_t number, Instant now, Requests& out) {
    auto& context = *contexts_[index];
    auto& branch = context.branches[number];
    while (branch.next_hop < branch.hops.size()) {
        auto hop = branch.hops[branch.next_hop++];
        const auto* place = core_.directory->place_of(hop.transport);
        if (place == nullptr || (branch.target.secure && !sip::is_secure(hop.transport))) {
            continue;
        }
        write_for(index, number, *place, now, out);
        const auto* stream = core_.directory->place_of(sip::Transport::Tcp);
        branch.too_large = hop.transport == sip::Transport::Udp && !branch.no_stream &&
                           branch.bytes.size() > most_for_a_datagram && stream != nullptr;
        if (branch.too_large) {
            hop.transport = sip::Transport::Tcp;
            write_for(index, number, *stream, now, out); // its Via too
        }
        branch.no_stream = false;
        branch.state = Branch::State::Sending;
        ++context.alive;
        out.send_to.push_back({owner_of(index, number), hop, branch.bytes});
        return;
    }
    unreachable(index, number, now, out);
}

void Proxy::on_sent(std::uint64_t token, const transaction::Wire& wire, Instant now,
                    Requests& out) {
    const auto found = find(token);
    if (found.branch == nullptr || found.branch->state != Branch::State::Sending) {
        return;
    }
    auto& context = *found.context;
    auto& branch = *found.branch;
    if (context.one_way) {
        branch.state = Branch::State::Over;
        drop_one(found.index);
        return;
    }
    branch.state = Branch::State::Trying;
    if (context.invite) {
        branch.limit = now + core_.directory->settings().timer_c;
    }
    // The question to the host becomes a transaction: `alive` stays.
    const std::string_view bytes = branch.bytes;
    branch.client = core_.transactions.sent(sip::method_of(bytes.substr(0, bytes.find(' '))),
                                            {branch.name.data(), branch.name.size()}, bytes, wire,
                                            owner_of(found.index, found.number), now);
    branch.bytes = {};
    static_cast<void>(out);
    rearm(found.index);
}

void Proxy::on_unsent(std::uint64_t token, Instant now, Requests& out) {
    const auto found = find(token);
    if (found.branch == nullptr || found.branch->state != Branch::State::Sending) {
        return;
    }
    auto& branch = *found.branch;
    branch.bytes = {};
    if (branch.too_large) {
        // "the element SHOULD retry the request, using UDP" [RFC 3261 §18.1.1]
        branch.too_large = false;
        branch.no_stream = true;
        --branch.next_hop;
    }
    if (branch.cancel) {
        branch_failed(found.index, found.number, 487, nullptr, now, out);
    } else {
        send_to_next_hop(found.index, found.number, now, out);
    }
    drop_one(found.index);
    rearm(found.index);
}

// A CANCEL goes out only after a provisional response, else it might overtake its INVITE [RFC 3261
// §9.1].
void Proxy::cancel_branch(Context& context, Branch& branch, Instant now, Requests& out) {
    if (!context.invite || branch.cancelled) {
        return;
    }
    branch.cancel = true;
    if (branch.state == Branch::State::Waiting) {
        branch.state = Branch::State::Over;
    }
    if (branch.state != Branch::State::Ringing) {
        return;
    }
    const auto* wire = core_.transactions.wire_of(branch.client);
    const auto cancel = transaction::make_cancel(core_.transactions.request_of(branch.client));
    if (wire == nullptr || cancel.empty()) {
        return;
    }
    branch.cancelled = true;
    // "If there is no final response for the original request in 64*T1 seconds [...] the client
    // SHOULD then consider the original transaction cancelled" [RFC 3261 §9.1]
    branch.limit = now + seconds(32);
    core_.transactions.send(sip::Method::Cancel, {branch.name.data(), branch.name.size()}, cancel,
                            transaction::Wire{*wire}, 0, now, out.outbox);
}

void Proxy::cancel_all(Context& context, Instant now, Requests& out) {
    context.next_class = {};
    for (auto& branch : context.branches) {
        if (branch.state != Branch::State::Over) {
            cancel_branch(context, branch, now, out);
        }
    }
}

} // namespace cw::server
