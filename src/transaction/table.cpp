#include "transaction/table.hpp"

#include "base/hash.hpp"
#include "sip/cseq.hpp"
#include "sip/list.hpp"
#include "transaction/timer.hpp"

namespace cw::transaction {

struct Table::Entry {
    Kind kind = Kind::ClientInvite;
    State state = State::Terminated;
    std::uint32_t generation = 0;
    std::uint32_t place = 0xffff'ffff; // in deadlines_
    std::uint32_t next = 0xffff'ffff;  // on the same connection
    std::uint32_t previous = 0xffff'ffff;
    std::uint64_t owner = 0;
    Wire wire;
    Instant resend; // not known(): never
    Instant limit;
    Duration pause;
    std::string key;
    std::string bytes; // of a client the request, of a server the last response
};

namespace {

constexpr std::uint32_t nobody = 0xffff'ffff;

Kind server_kind(sip::Method method) {
    return method == sip::Method::Invite ? Kind::ServerInvite : Kind::ServerNonInvite;
}
Kind client_kind(sip::Method method) {
    return method == sip::Method::Invite ? Kind::ClientInvite : Kind::ClientNonInvite;
}
Event event_of(std::uint16_t status) {
    return status < 200 ? Event::Provisional : status < 300 ? Event::Success : Event::Failure;
}
// Connections of other shards have the same numbers.
std::uint64_t wire_key(const Wire& wire) {
    constexpr std::uint32_t generations = 0xff'ffff;
    return std::uint64_t{wire.shard} << 56 | std::uint64_t{wire.generation & generations} << 32 |
           wire.connection;
}

void append_header(std::string& out, const sip::Header& header) {
    out += sip::to_string(header.id);
    out += ": ";
    out += header.value;
    out += "\r\n";
}

// ACK and CANCEL of an INVITE: its Request-URI, its topmost Via alone, its Route, From, Call-ID and
// the number of its CSeq [RFC 3261 §9.1, §17.1.1.3]. `to` is the To to write.
std::string companion(const sip::MessageView& invite, std::string_view method,
                      std::string_view to) {
    std::string out;
    out.reserve(512);
    out += method;
    out += ' ';
    out += invite.request_uri();
    out += " SIP/2.0\r\nVia: ";
    sip::ValueCursor vias{invite, sip::HeaderId::Via};
    out += vias.next().value_or("");
    out += "\r\nMax-Forwards: 70\r\n";
    for (const auto& header : invite.headers()) {
        if (header.id == sip::HeaderId::Route || header.id == sip::HeaderId::From ||
            header.id == sip::HeaderId::CallId) {
            append_header(out, header);
        }
    }
    out += "To: ";
    out += to;
    out += "\r\nCSeq: ";
    const auto cseq = invite.value(sip::HeaderId::CSeq);
    out += cseq.substr(0, cseq.find_first_of(" \t"));
    out += ' ';
    out += method;
    out += "\r\nContent-Length: 0\r\n\r\n";
    return out;
}

} // namespace

std::uint32_t& Table::Places::place(std::uint32_t index) const {
    return table->entries_[index]->place;
}

Table::Table(std::uint64_t seed) : seed_(seed), deadlines_(Places{this}) {}
Table::~Table() = default;

std::uint64_t Table::hash(std::string_view key) const {
    return hash_bytes(key, seed_);
}

Table::Entry* Table::find(Handle handle) const {
    if (handle.index >= entries_.size()) {
        return nullptr;
    }
    auto* entry = entries_[handle.index].get();
    return entry->generation == handle.generation && entry->state != State::Terminated ? entry
                                                                                       : nullptr;
}

Table::Entry* Table::find_key(std::string_view key, Handle& handle) const {
    const auto at = by_key_.find(hash(key));
    if (at == by_key_.end() || entries_[at->second]->key != key) {
        return nullptr;
    }
    handle = {at->second, entries_[at->second]->generation};
    return entries_[at->second].get();
}

// "The method of the request matches the one that created the transaction, except for ACK" and the
// branch and the sent-by of the topmost Via are the same [RFC 3261 §17.2.3].
void Table::make_server_key(const sip::MessageView& request, const sip::Via& top,
                            std::string_view method) {
    key_ = "s";
    const auto part = [&](std::string_view text) {
        key_ += text;
        key_ += '\0';
    };
    part(method);
    part(top.host);
    part({reinterpret_cast<const char*>(&top.port), sizeof top.port});
    if (top.has_cookie()) {
        part(top.branch);
        return;
    }
    // RFC 2543: the Request-URI, From tag, Call-ID, number of CSeq and the topmost Via.
    const auto cseq = request.value(sip::HeaderId::CSeq);
    part(request.request_uri());
    part(request.value(sip::HeaderId::From));
    part(request.value(sip::HeaderId::CallId));
    part(cseq.substr(0, cseq.find_first_of(" \t")));
    part(top.params);
}

void Table::make_client_key(std::string_view branch, std::string_view method) {
    key_ = "c";
    key_ += method;
    key_ += '\0';
    key_ += branch;
}

Handle Table::create(Kind kind, const Wire& wire, std::uint64_t owner, Instant now) {
    std::uint32_t index = 0;
    if (free_.empty()) {
        index = static_cast<std::uint32_t>(entries_.size());
        entries_.push_back(std::make_unique<Entry>());
    } else {
        index = free_.back();
        free_.pop_back();
    }
    auto& entry = *entries_[index];
    entry.kind = kind;
    entry.owner = owner;
    entry.wire = wire;
    entry.key = key_;
    by_key_[hash(entry.key)] = index;
    link(index);
    const Handle handle{index, entry.generation};
    enter(handle, entry, first_state(kind), now);
    return handle;
}

// Sets the timers of a state that was just entered.
void Table::enter(Handle handle, Entry& entry, State state, Instant now) {
    const auto before = entry.state;
    entry.state = state;
    if (state == State::Terminated) {
        retire(handle);
        return;
    }
    const bool reliable = entry.wire.reliable();
    const auto limit = timer::limit(entry.kind, state, reliable);
    // Note: timer F of a non-INVITE client runs through Trying and Proceeding.
    const bool goes_on = before == State::Trying && state == State::Proceeding;
    if (!goes_on) {
        entry.limit = limit.ns == 0 ? Instant{} : now + limit;
    }
    if (reliable || !timer::retransmits(entry.kind, state)) {
        entry.resend = {};
    } else {
        entry.pause = goes_on ? timer::t2 : timer::t1;
        entry.resend = now + entry.pause;
    }
    rearm(handle.index, entry);
}

void Table::rearm(std::uint32_t index, const Entry& entry) {
    if (!entry.limit.known() && !entry.resend.known()) {
        deadlines_.disarm(index);
    } else if (!entry.resend.known()) {
        deadlines_.arm(index, entry.limit);
    } else {
        deadlines_.arm(index, entry.limit.known() && entry.limit < entry.resend ? entry.limit
                                                                                : entry.resend);
    }
}

void Table::retire(Handle handle) {
    auto& entry = *entries_[handle.index];
    occurrences_.push_back({Happened::Over, handle, entry.owner, entry.kind});
    deadlines_.disarm(handle.index);
    unlink(handle.index);
    if (const auto at = by_key_.find(hash(entry.key));
        at != by_key_.end() && at->second == handle.index) {
        by_key_.erase(at);
    }
    entry.state = State::Terminated;
    entry.key.clear(); // short, and its memory is soon used again
    entry.bytes = {};
    ++entry.generation;
    free_.push_back(handle.index);
}

// UDP has no connection that could close.
void Table::link(std::uint32_t index) {
    auto& entry = *entries_[index];
    entry.previous = entry.next = nobody;
    if (!entry.wire.reliable()) {
        return;
    }
    const auto [at, fresh] = by_wire_.try_emplace(wire_key(entry.wire), index);
    if (!fresh) {
        entry.next = at->second;
        entries_[at->second]->previous = index;
        at->second = index;
    }
}

void Table::unlink(std::uint32_t index) {
    auto& entry = *entries_[index];
    if (!entry.wire.reliable()) {
        return;
    }
    if (entry.next != nobody) {
        entries_[entry.next]->previous = entry.previous;
    }
    if (entry.previous != nobody) {
        entries_[entry.previous]->next = entry.next;
    } else if (entry.next != nobody) {
        by_wire_[wire_key(entry.wire)] = entry.next;
    } else {
        by_wire_.erase(wire_key(entry.wire));
    }
}

// Steps the machine and does what it says, but for what only the caller can do: the flags are
// returned.
std::uint8_t Table::drive(Handle handle, Event event, Instant now, Outbox& outbox) {
    auto& entry = *entries_[handle.index];
    const auto [next, actions] = step(entry.kind, entry.state, event);
    if ((actions & SendLast) != 0 && !entry.bytes.empty()) {
        outbox.send(entry.wire, entry.bytes);
    }
    if ((actions & ReportTimeout) != 0) {
        occurrences_.push_back({Happened::Timeout, handle, entry.owner, entry.kind});
    }
    if ((actions & ReportError) != 0) {
        occurrences_.push_back({Happened::TransportError, handle, entry.owner, entry.kind});
    }
    if (next != entry.state) {
        enter(handle, entry, next, now);
    }
    return actions;
}

// ---- server side

Table::Request Table::on_request(const sip::MessageView& request, const sip::Via& top,
                                 const Wire& wire, Instant now, Outbox& outbox, Fresh fresh) {
    const bool ack = request.method() == sip::Method::Ack;
    Handle handle;
    make_server_key(request, top, ack ? "INVITE" : request.method_text());
    if (auto* entry = find_key(key_, handle)) {
        if (!ack) {
            drive(handle, Event::Request, now, outbox);
            return {Arrived::Retransmission, handle, {}};
        }
        const bool accepted = entry->state == State::Accepted;
        drive(handle, Event::Ack, now, outbox);
        return {accepted ? Arrived::Ack : Arrived::AckOfFailure, handle, {}};
    }
    if (ack) {
        return {Arrived::Ack, {}, {}};
    }
    Request result{Arrived::New, {}, {}};
    if (fresh == Fresh::Open) {
        result.transaction = open(request.method(), wire, now);
    }
    if (request.method() == sip::Method::Cancel) {
        std::string own = key_;
        make_server_key(request, top, "INVITE");
        find_key(key_, result.invite);
        key_ = std::move(own);
    }
    return result;
}

Handle Table::open(sip::Method method, const Wire& wire, Instant now) {
    return create(server_kind(method), wire, 0, now);
}

bool Table::respond(Handle server, std::uint16_t status, std::string_view response, Instant now,
                    Outbox& outbox) {
    auto* entry = find(server);
    if (entry == nullptr) {
        return false;
    }
    const auto event = event_of(status);
    if ((step(entry->kind, entry->state, event).actions & SendLast) == 0) {
        return false;
    }
    // Note: in Accepted the 2xx are retransmitted by the user, end to end [RFC 6026 §7.1]; nothing
    // is kept there.
    entry->bytes = response;
    drive(server, event, now, outbox);
    if (entry->state == State::Accepted) {
        entry->bytes = {};
    }
    return true;
}

// Its Via and CSeq are those of the request, but for the parameters.
void Table::replace_final(const sip::MessageView& response, std::string_view instead) {
    const auto top = sip::parse_via(response.value(sip::HeaderId::Via));
    const auto cseq = sip::parse_cseq(response.value(sip::HeaderId::CSeq));
    if (!top || !cseq) {
        return;
    }
    make_server_key(response, *top, cseq->method_text);
    Handle handle;
    if (auto* entry = find_key(key_, handle); entry != nullptr && !entry->bytes.empty()) {
        entry->bytes = instead;
    }
}

void Table::forget(Handle transaction) {
    if (find(transaction) != nullptr) {
        retire(transaction);
    }
}

// ---- client side

Handle Table::send(sip::Method method, std::string_view branch, std::string_view request,
                   const Wire& wire, std::uint64_t owner, Instant now, Outbox& outbox) {
    outbox.send(wire, request);
    return sent(method, branch, request, wire, owner, now);
}

Handle Table::sent(sip::Method method, std::string_view branch, std::string_view request,
                   const Wire& wire, std::uint64_t owner, Instant now) {
    make_client_key(branch, request.substr(0, request.find(' ')));
    const auto handle = create(client_kind(method), wire, owner, now);
    entries_[handle.index]->bytes = request;
    return handle;
}

Table::Response Table::on_response(const sip::MessageView& response, const sip::Via& top,
                                   Instant now, Outbox& outbox) {
    const auto cseq = sip::parse_cseq(response.value(sip::HeaderId::CSeq));
    if (!cseq) {
        return {};
    }
    make_client_key(top.branch, cseq->method_text);
    Handle handle;
    const auto* entry = find_key(key_, handle);
    if (entry == nullptr) {
        return {};
    }
    const auto owner = entry->owner;
    const auto event = event_of(response.status());
    if ((step(entry->kind, entry->state, event).actions & SendAck) != 0) {
        send_ack(*entry, response, outbox);
    }
    const auto actions = drive(handle, event, now, outbox);
    return {handle, owner, (actions & Deliver) != 0};
}

void Table::send_ack(const Entry& entry, const sip::MessageView& response, Outbox& outbox) {
    if (const auto invite = sip::index(std::string_view{entry.bytes}, ack_index_)) {
        outbox.send(entry.wire, companion(*invite, "ACK", response.value(sip::HeaderId::To)));
    }
}

std::string_view Table::request_of(Handle client) const {
    const auto* entry = find(client);
    return entry != nullptr ? std::string_view{entry->bytes} : std::string_view{};
}

const Wire* Table::wire_of(Handle transaction) const {
    const auto* entry = find(transaction);
    return entry != nullptr ? &entry->wire : nullptr;
}

void Table::abandon(Handle transaction) {
    if (find(transaction) != nullptr) {
        retire(transaction);
    }
}

State Table::state_of(Handle transaction) const {
    const auto* entry = find(transaction);
    return entry != nullptr ? entry->state : State::Terminated;
}

void Table::set_owner(Handle transaction, std::uint64_t owner) {
    if (auto* entry = find(transaction)) {
        entry->owner = owner;
    }
}

std::uint64_t Table::owner_of(Handle transaction) const {
    const auto* entry = find(transaction);
    return entry != nullptr ? entry->owner : 0;
}

// ---- time and wires

void Table::advance(Instant now, Outbox& outbox) {
    while (!deadlines_.empty() && deadlines_.next() <= now) {
        const auto index = deadlines_.first();
        auto& entry = *entries_[index];
        const Handle handle{index, entry.generation};
        if (entry.limit.known() && entry.limit <= now) {
            entry.limit = {};
            drive(handle, Event::Limit, now, outbox);
            if (find(handle) != nullptr) {
                rearm(index, entry);
            }
            continue;
        }
        drive(handle, Event::Retransmit, now, outbox);
        entry.pause = timer::next_pause(entry.kind, entry.state, entry.pause);
        entry.resend = now + entry.pause;
        rearm(index, entry);
    }
}

void Table::on_wire_closed(const Wire& wire, Instant now, Outbox& outbox) {
    const auto at = by_wire_.find(wire_key(wire));
    if (at == by_wire_.end()) {
        return;
    }
    for (auto index = at->second; index != nobody;) {
        const auto next = entries_[index]->next;
        drive({index, entries_[index]->generation}, Event::TransportError, now, outbox);
        index = next;
    }
}

void Table::on_undelivered(std::string_view method, std::string_view branch, const Endpoint& remote,
                           Instant now, Outbox& outbox) {
    make_client_key(branch, method);
    Handle handle;
    if (const auto* entry = find_key(key_, handle);
        entry != nullptr && !entry->wire.reliable() && entry->wire.remote == remote) {
        drive(handle, Event::TransportError, now, outbox);
    }
}

Instant Table::next_deadline() const {
    return deadlines_.empty() ? Instant{} : deadlines_.next();
}

std::string make_cancel(std::string_view invite) {
    sip::HeaderIndex headers;
    const auto message = sip::index(invite, headers);
    return message && message->is_request()
               ? companion(*message, "CANCEL", message->value(sip::HeaderId::To))
               : std::string{};
}

} // namespace cw::transaction
