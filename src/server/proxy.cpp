#include "server/proxy.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "sip/list.hpp"

namespace cw::server {
namespace {

constexpr std::uint8_t server_side = 255;     // instead of the number of a branch
constexpr std::uint16_t default_breadth = 60; // [RFC 5393 §5.3.3]

bool makes_dialog(sip::Method method) {
    return method == sip::Method::Invite || method == sip::Method::Subscribe ||
           method == sip::Method::Refer;
}

// May a request back to the sender use the wire that this one came on? Peers are reached by their
// name, over any connection that proves it.
bool caller_by_wire(const Incoming& in, Sender sender) {
    return (sender == Sender::User || sender == Sender::Open || sender == Sender::Dialog) &&
           in.peer_domains.empty() && (in.wire.reliable() || in.via.has_rport);
}

std::uint16_t read_breadth(const Incoming& in) {
    const auto* header = in.message.find(sip::HeaderId::MaxBreadth);
    return header == nullptr
               ? default_breadth
               : std::min(parse_number<std::uint16_t>(header->value).value_or(0), default_breadth);
}

// How many copies would be under way at once, at most.
std::size_t widest_class(const std::vector<Target>& targets, Forking forking) {
    std::size_t widest = targets.empty() ? 0 : 1;
    for (std::size_t i = 0; forking == Forking::Parallel && i < targets.size();) {
        std::size_t n = i;
        while (n < targets.size() && targets[n].q == targets[i].q) {
            ++n;
        }
        widest = std::max(widest, n - i);
        i = n;
    }
    return widest;
}

} // namespace

Proxy::Proxy(Core& core) : core_(core), deadlines_(Places{this}) {}

std::uint32_t& Proxy::Places::place(std::uint32_t index) const {
    return proxy->contexts_[index]->place;
}

bool Proxy::owes_an_answer() const {
    return std::ranges::any_of(contexts_, [](const auto& context) {
        return context->used && !context->finished && !context->one_way;
    });
}

// ---- contexts

std::uint32_t Proxy::make_context(const Incoming& in, Sender sender, const Passage& passage) {
    std::uint32_t index = 0;
    if (free_.empty()) {
        index = static_cast<std::uint32_t>(contexts_.size());
        contexts_.push_back(std::make_unique<Context>());
    } else {
        index = free_.back();
        free_.pop_back();
    }
    auto& context = *contexts_[index];
    ++context.generation;
    context.used = true;
    context.invite = in.message.method() == sip::Method::Invite;
    context.one_way = in.message.method() == sip::Method::Ack;
    context.server = in.transaction;
    context.wire = in.wire;
    context.peer_domains.assign(in.peer_domains.begin(), in.peer_domains.end());
    context.request.assign(in.message.bytes());
    context.sender = sender;
    context.passage = passage;
    if (in.transaction) {
        context.alive = 1;
        core_.transactions.set_owner(in.transaction, owner_of(index, server_side));
    }
    return index;
}

void Proxy::release(std::uint32_t index) {
    auto& context = *contexts_[index];
    deadlines_.disarm(index);
    context.used = context.finished = context.cancelled = context.sender_gone = false;
    context.branches.clear();
    context.best = 0;
    context.best_response.clear();
    context.challenges.clear();
    context.next_class = context.trying = {};
    context.alive = 0;
    ++context.generation;
    free_.push_back(index);
}

void Proxy::drop_one(std::uint32_t index) {
    auto& context = *contexts_[index];
    if (context.alive > 0) {
        --context.alive;
    }
    if (context.alive == 0) {
        release(index);
    }
}

std::uint64_t Proxy::owner_of(std::uint32_t index, std::uint8_t branch) const {
    return std::uint64_t{contexts_[index]->generation} << 32 | std::uint64_t{index} << 8 | branch;
}

Proxy::Found Proxy::find(std::uint64_t owner) {
    Found found;
    found.index = static_cast<std::uint32_t>(owner >> 8 & 0xff'ffff);
    found.number = static_cast<std::uint8_t>(owner & 0xff);
    if (owner == 0 || found.index >= contexts_.size()) {
        return {};
    }
    auto* context = contexts_[found.index].get();
    if (!context->used || context->generation != owner >> 32) {
        return {};
    }
    found.context = context;
    if (found.number < context->branches.size()) {
        found.branch = &context->branches[found.number];
    }
    return found;
}

void Proxy::rearm(std::uint32_t index) {
    const auto& context = *contexts_[index];
    if (!context.used) {
        return;
    }
    Instant first = context.next_class;
    if (context.trying.known() && !context.finished && (!first.known() || context.trying < first)) {
        first = context.trying;
    }
    for (const auto& branch : context.branches) {
        if (branch.state != Branch::State::Over && branch.limit.known() &&
            (!first.known() || branch.limit < first)) {
            first = branch.limit;
        }
    }
    if (first.known()) {
        deadlines_.arm(index, first);
    } else {
        deadlines_.disarm(index);
    }
}

// ---- requests

void Proxy::forward(Incoming& in, const Route& route, Sender sender) {
    const auto& settings = core_.directory->settings();
    Passage passage;
    passage.loop_seal = core_.branches.loop_seal(in.message);
    if (Branches::looped(in.message, passage.loop_seal)) {
        core_.answer(in, {.status = 482});
        return;
    }
    auto targets = find_targets(core_, in, route, sender);
    if (targets.status != 0) {
        core_.answer(in,
                     {.status = targets.status, .reason = targets.why, .headers = targets.headers});
        return;
    }
    if (settings.redirect && targets.local) {
        std::string contacts;
        for (const auto& target : targets.all) {
            fmt::format_to(std::back_inserter(contacts), "Contact: <{}>;q={}.{:03}\r\n", target.uri,
                           target.q / 1000, target.q % 1000);
        }
        core_.answer(in, {.status = 302, .headers = contacts});
        return;
    }
    targets.all.resize(std::min<std::size_t>(
        targets.all.size(), std::clamp<std::uint32_t>(settings.branches, 1, server_side - 1)));
    const auto breadth = read_breadth(in);
    const auto widest = widest_class(targets.all, settings.forking);
    if (breadth < widest) {
        core_.answer(in, {.status = 440}); // [RFC 5393 §5.3.3.1]
        return;
    }
    passage.max_breadth = widest > 1 ? static_cast<std::uint16_t>(breadth / widest) : breadth;
    passage.record_route = makes_dialog(in.message.method()) && !in.in_dialog();
    passage.keep_identity = sender == Sender::Trunk;
    passage.caller_by_wire = caller_by_wire(in, sender);
    const auto index = make_context(in, sender, passage);
    auto& context = *contexts_[index];
    for (auto& target : targets.all) {
        context.branches.emplace_back().target = std::move(target);
    }
    if (context.invite) {
        ++core_.counters.calls;
        say_trying(context, in);
    }
    start_class(index, in, route);
}

// "The server transaction MUST generate a 100 (Trying) response unless it knows that the TU will
// generate a provisional or final response within 200 ms" [RFC 3261 §17.2.1]. It "is needed to
// quench request retransmissions": where there are none, it waits for what makes it needless.
void Proxy::say_trying(Context& context, const Incoming& in) {
    const auto wait = core_.directory->settings().trying;
    if (in.wire.reliable() && wait.ns > 0) {
        context.trying = in.now + wait;
    } else {
        core_.answer(in, {.status = 100});
    }
}

void Proxy::pass_ack(Incoming& in, const Route& route) {
    if (!route.sealed) {
        return; // of no dialog that was set up through us
    }
    auto targets = find_targets(core_, in, route, Sender::Dialog);
    if (targets.all.empty()) {
        return;
    }
    Passage passage;
    passage.loop_seal = core_.branches.loop_seal(in.message);
    if (Branches::looped(in.message, passage.loop_seal)) {
        return;
    }
    auto& target = targets.all.front();
    if (target.wire) {
        const auto* place = core_.directory->place_of(*target.wire);
        if (place != nullptr && (!target.secure || sip::is_secure(place->listener->transport))) {
            bytes_.clear();
            append_forwarded(bytes_, core_, in, route, passage, target, *place, &*target.wire,
                             core_.branches.next(passage.loop_seal));
            in.out.outbox.send(*target.wire, bytes_);
        }
        return;
    }
    const auto index = make_context(in, Sender::Dialog, passage);
    contexts_[index]->branches.emplace_back().target = std::move(target);
    start(index, 0, in, route);
}

void Proxy::cancel(const Incoming& in, transaction::Handle invite) {
    const auto found = find(core_.transactions.owner_of(invite));
    // Whoever cancels must be where the INVITE came from.
    if (found.context == nullptr || found.context->wire.remote.address != in.wire.remote.address) {
        core_.answer(in, {.status = 481});
        return;
    }
    core_.answer(in, {.status = 200});
    auto& context = *found.context;
    if (context.finished) {
        return;
    }
    context.cancelled = true;
    cancel_all(context, in.now, in.out);
    finish_if_done(found.index, in.now, in.out);
    rearm(found.index);
}

// ---- time

void Proxy::advance(Instant now, Requests& out) {
    while (!deadlines_.empty() && deadlines_.next() <= now) {
        const auto index = deadlines_.first();
        auto& context = *contexts_[index];
        if (context.trying.known() && context.trying <= now) {
            context.trying = {};
            if (!context.finished && !context.sender_gone) {
                with_stored(index, now, out, [&](const Incoming& in, const Route&) {
                    core_.answer(in, {.status = 100});
                });
            }
        }
        for (std::uint8_t n = 0; context.used && n < context.branches.size(); ++n) {
            auto& branch = context.branches[n];
            if (branch.state == Branch::State::Over || !branch.limit.known() ||
                branch.limit > now) {
                continue;
            }
            branch.limit = now + seconds(32);
            if (branch.state == Branch::State::Ringing && !branch.cancelled) {
                cancel_branch(context, branch, now, out); // timer C [RFC 3261 §16.8]
            } else {
                core_.transactions.forget(branch.client);
                branch_failed(index, n, 408, nullptr, now, out);
            }
        }
        if (context.used && context.next_class.known() && context.next_class <= now) {
            context.next_class = {};
            for (auto& branch : context.branches) {
                if (branch.state != Branch::State::Waiting) {
                    cancel_branch(context, branch, now, out);
                }
            }
            start_stored(index, now, out);
        }
        rearm(index);
    }
}

Instant Proxy::next_deadline() const {
    return deadlines_.empty() ? Instant{} : deadlines_.next();
}

} // namespace cw::server
