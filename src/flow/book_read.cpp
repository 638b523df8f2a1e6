// The Book as it is read, after finish(): stretches come back from the spool and become calls.
#include <algorithm>
#include <numeric>

#include "flow/archive.hpp"
#include "flow/book.hpp"
#include "flow/diagnose/diagnose.hpp"
#include "flow/outcome.hpp"
#include "flow/security.hpp"

namespace cw::flow {
namespace {

constexpr std::size_t most_legs = 255; // Message::leg is one byte; more legs share the last number

// Sorts messages by time, and lets the indices into them follow.
void sort_messages(Call& call) {
    auto& messages = call.messages;
    if (std::ranges::is_sorted(messages, {}, &Message::time)) {
        return;
    }
    std::vector<std::uint32_t> order(messages.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return messages[i].time; });
    std::vector<std::uint32_t> place(messages.size());
    std::vector<Message> sorted;
    sorted.reserve(messages.size());
    for (const auto i : order) {
        place[i] = static_cast<std::uint32_t>(sorted.size());
        sorted.push_back(messages[i]);
    }
    for (auto& m : sorted) {
        for (auto* index : {&m.retransmission_of, &m.duplicate_of}) {
            *index = *index == none ? none : place[*index];
        }
    }
    messages = std::move(sorted);
}

std::vector<IpAddress> hosts_of(const Call& call) {
    std::vector<IpAddress> hosts;
    for (const auto& m : call.messages) {
        for (const auto& a : {m.source.address, m.destination.address}) {
            if (std::ranges::find(hosts, a) == hosts.end()) {
                hosts.push_back(a);
            }
        }
    }
    return hosts;
}

} // namespace

void Book::order_calls() {
    members_.clear();
    members_.reserve(slots_.size());
    for (auto slot = slots_.first(); slot != slots_.end(); ++slot) {
        if (slots_.has(slot)) {
            members_.push_back(slot);
        }
    }
    // A call stands where its first leg stands, and that is its root.
    const auto place = [this](std::uint32_t slot) {
        const auto root = root_of(slot);
        return std::tuple{slots_[root].start, root, slots_[slot].start, slot};
    };
    if (!std::ranges::is_sorted(members_, {}, place)) {
        std::ranges::sort(members_, {}, place);
    }
    call_begins_.clear();
    for (std::uint32_t i = 0; i < members_.size(); ++i) {
        if (i == 0 || root_of(members_[i]) != root_of(members_[i - 1])) {
            call_begins_.push_back(i);
        }
    }
    call_begins_.push_back(static_cast<std::uint32_t>(members_.size()));
}

void Book::load_leg(std::uint32_t slot, Call& call, Desk& desk) const {
    auto& chain = desk.chain_; // newest first; mostly there is one
    chain.clear();
    for (auto ref = slots_[slot].last; !ref.empty();
         ref = previous_of(spool_.get(ref, desk.spool_))) {
        chain.push_back(ref);
    }
    const auto first = call.messages.size();
    LegNames names;
    for (auto ref = chain.rbegin(); ref != chain.rend(); ++ref) {
        LegNames later;
        unpack(spool_.get(*ref, desk.spool_), call, ref == chain.rbegin() ? names : later);
    }
    if (const auto index = slots_[slot].open; index != none) {
        LegNames later;
        unpack(open_[index]->stretch.blob(slots_[slot].last), call, chain.empty() ? names : later);
    }
    const auto number = static_cast<std::uint8_t>(std::min(call.legs.size(), most_legs));
    for (auto i = first; i < call.messages.size(); ++i) {
        call.messages[i].leg = number;
    }
    if (call.messages.size() > first) {
        call.legs.push_back({names.call_id, names.from, names.to, names.from_name, names.to_name,
                             call.messages[first].time, call.messages.back().time});
    }
}

void Book::add_joins(std::span<const std::uint32_t> slots, Call& call, Desk& desk) const {
    const auto leg_of = [&](std::uint32_t slot) {
        const auto at = std::ranges::find(slots, slot);
        return static_cast<std::uint8_t>(
            std::min<std::size_t>(static_cast<std::size_t>(at - slots.begin()), most_legs));
    };
    for (const auto slot : slots) {
        const auto [begin, end] = std::ranges::equal_range(joins_, slot, {}, &JoinRecord::newer);
        for (auto at = begin; at != end; ++at) {
            const auto text = call.pool.add(spool_.get(at->evidence, desk.spool_));
            call.joins.push_back({leg_of(at->older), leg_of(at->newer), at->score, text});
        }
    }
}

void Book::add_streams(std::span<const std::uint32_t> slots, Call& call, Desk& desk) const {
    for (const auto slot : slots) {
        const auto [begin, end] = std::ranges::equal_range(streams_, slot, {}, &StoredStream::slot);
        for (auto at = begin; at != end; ++at) {
            call.streams.push_back(unpack_stream(spool_.get(at->blob, desk.spool_), call.pool));
        }
        const auto going_on = std::ranges::equal_range(open_streams_, slot, {}, &OpenStream::slot);
        for (const auto& stream : going_on) {
            call.streams.push_back(unpack_stream(stream.packed, call.pool));
        }
    }
    std::ranges::stable_sort(call.streams, {}, &MediaStream::first);
}

// One connection may carry a hundred thousand calls, so what was read back is kept for a while.
// The caller takes what it gets.
Connection* Book::connection(std::uint32_t id, Desk& desk) const {
    constexpr std::size_t most_loaded = 512;
    if (open_connection_ && open_connection_(id, desk.asked_)) {
        return &desk.asked_;
    }
    auto& loaded = desk.loaded_;
    auto known = loaded.find(id);
    if (known == loaded.end() || known->second.lent) {
        const auto at = std::ranges::lower_bound(connections_, id, {}, &StoredConnection::id);
        Connection read;
        if (at == connections_.end() || at->id != id ||
            !unpack(spool_.get(at->blob, desk.spool_), read)) {
            return nullptr;
        }
        if (known == loaded.end() && loaded.size() >= most_loaded) {
            loaded.clear();
        }
        known = loaded.insert_or_assign(id, Desk::Loaded{std::move(read)}).first;
    }
    known->second.lent = true;
    return &known->second.connection;
}

// Connections that could not be decrypted, between hosts of the call, while it lasted.
void Book::add_undecrypted(const Call& call, std::vector<std::uint32_t>& ids) const {
    // Enough for any ladder; a host with a thousand such connections must not slow each call down.
    constexpr int most_looked_at = 256;
    const auto hosts = undecrypted_.empty() ? std::vector<IpAddress>{} : hosts_of(call);
    const auto first = call.start - seconds(3600);
    const auto last = call.end + seconds(2);
    for (const auto& host : hosts) {
        auto at = std::ranges::lower_bound(
            undecrypted_, std::pair{host, first}, {},
            [](const Undecrypted& u) { return std::pair{u.client.address, u.first}; });
        for (int n = 0; n < most_looked_at && at != undecrypted_.end(); ++n, ++at) {
            if (at->client.address != host || at->first > last) {
                break;
            }
            if (at->last >= call.start - seconds(2) &&
                std::ranges::find(hosts, at->server.address) != hosts.end() &&
                std::ranges::find(ids, at->id) == ids.end()) {
                ids.push_back(at->id);
            }
        }
    }
}

// Connections that did not come about, at a place that a message of the call has told before: then
// SIP was to go there.
void Book::add_unnamed(const Call& call, std::vector<std::uint32_t>& ids) const {
    for (const auto& one : unnamed_) {
        const auto valid = call.kind == Kind::Registration ? seconds(3600) : seconds(32);
        if (one.opened < call.start || one.opened > call.end + valid) {
            continue;
        }
        const auto place = to_string(one.server);
        const auto tells = [&](std::string_view text) {
            const auto at = text.find(place);
            const auto end = at + place.size();
            return at != std::string_view::npos &&
                   (end == text.size() || text[end] < '0' || text[end] > '9');
        };
        if (std::ranges::any_of(call.messages, [&](const Message& m) {
                return m.time <= one.opened &&
                       (tells(call.text(m.contact)) || tells(call.text(m.request_uri)) ||
                        tells(call.text(m.facts)));
            })) {
            ids.push_back(one.id);
        }
    }
}

void Book::add_connections(Call& call, Desk& desk) const {
    std::vector<std::uint32_t> ids;
    for (const auto& m : call.messages) {
        if (m.connection != 0 && std::ranges::find(ids, m.connection) == ids.end()) {
            ids.push_back(m.connection);
        }
    }
    add_undecrypted(call, ids);
    add_unnamed(call, ids);
    std::ranges::sort(ids);
    for (const auto id : ids) {
        if (auto* known = connection(id, desk)) {
            call.connections.push_back(std::move(*known));
        }
    }
}

// For the next call: a copy has some thirty texts.
void Book::take_back_connections(Call& call, Desk& desk) {
    for (auto& connection : call.connections) {
        const auto at = desk.loaded_.find(connection.id);
        if (at != desk.loaded_.end() && at->second.lent) {
            at->second = {std::move(connection)};
        }
    }
}

void Book::assemble(std::uint32_t number, Call& call) {
    key_ = root_of(slots_of(number).front());
    assemble(number, call, desk_);
}

void Book::assemble(std::uint32_t number, Call& call, Desk& desk) const {
    const auto slots = slots_of(number);
    call.id = handed_out_ + number + 1;
    for (const auto slot : slots) {
        load_leg(slot, call, desk);
    }
    sort_messages(call);
    add_joins(slots, call, desk);
    add_streams(slots, call, desk);
    if (!call.legs.empty()) {
        const auto& first = call.legs.front();
        call.from = first.from;
        call.to = first.to;
        call.from_name = first.from_name;
        call.to_name = first.to_name;
    }
    conclude(call, end_);
    add_connections(call, desk);
    call.security = judge_security(call);
    diagnose::judge(call, {begin_, end_}, desk.connection_findings_, dtls_.of(call));
}

void Book::for_each_call(const std::function<bool(const Call&)>& visit) {
    Call call;
    for (std::uint32_t i = 0; i + 1 < call_begins_.size(); ++i) {
        call.clear();
        assemble(i, call);
        const bool more = visit(call);
        take_back_connections(call, desk_);
        if (!more) {
            return;
        }
    }
}

void Book::for_calls(std::uint32_t first, std::uint32_t end, Desk& desk,
                     const std::function<bool(const Call&)>& visit) const {
    Call call;
    for (auto i = first; i < end; ++i) {
        call.clear();
        assemble(i, call, desk);
        const bool more = visit(call);
        take_back_connections(call, desk);
        if (!more) {
            return;
        }
    }
}

void Book::for_each_connection(const std::function<bool(const Connection&)>& visit) {
    for (const auto& stored : connections_) {
        Connection connection;
        if (unpack(spool_.get(stored.blob), connection) && !connection.unnamed &&
            !visit(connection)) {
            return;
        }
    }
}

void Book::for_each_stray_stream(
    const std::function<bool(const MediaStream&, const TextPool& texts)>& visit) {
    const auto [begin, end] = std::ranges::equal_range(streams_, none, {}, &StoredStream::slot);
    for (auto at = begin; at != end; ++at) {
        TextPool texts;
        const auto stream = unpack_stream(spool_.get(at->blob), texts);
        if (!visit(stream, texts)) {
            return;
        }
    }
}

} // namespace cw::flow
