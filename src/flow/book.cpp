#include "flow/book.hpp"

#include <algorithm>
#include <random>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "flow/archive.hpp"
#include "flow/prepared.hpp"

namespace cw::flow {

Book::Book()
    : seed_(std::random_device{}()),
      media_([this](std::uint32_t slot, const MediaStream& stream, const TextPool& texts) {
          store_stream(slot, stream, texts);
      }) {}

Book::~Book() = default;

// A leg is a Call-ID. Messages without one gather by the pair of addresses, so that they are shown.
std::uint64_t Book::leg_id(std::string_view call_id, const Sighting& at) const {
    if (!call_id.empty()) {
        return hash_bytes(call_id, seed_);
    }
    const auto a = hash_value(at.source);
    const auto b = hash_value(at.destination);
    return mix_hash(std::min(a, b), std::max(a, b)) ^ seed_;
}

std::uint32_t Book::slot_of(std::uint64_t id, Instant now) {
    auto& recent = recent_of(id);
    if (recent.id == id && slots_.has(recent.slot)) {
        return recent.slot;
    }
    const auto next = slots_.end();
    const auto [at, added] = slot_by_id_.try_emplace(id, next);
    if (added) {
        Slot slot;
        slot.id = id;
        slot.start = now;
        slots_.add(slot);
    }
    recent = {id, at->second, none};
    return at->second;
}

Book::OpenLeg& Book::open(std::uint32_t slot, Instant now) {
    auto index = slots_[slot].open;
    if (index == none) {
        if (free_.empty()) {
            free_.push_back(static_cast<std::uint32_t>(open_.size()));
            open_.push_back(std::make_unique<OpenLeg>());
        }
        index = free_.back();
        free_.pop_back();
        slots_[slot].open = index;
        auto& leg = *open_[index];
        leg.slot = slot;
        leg.last_activity = now;
        waiting_.push_back({now + quiet, index, leg.use});
        recent_of(slots_[slot].id).open = index;
    }
    auto& leg = *open_[index];
    leg.last_activity = std::max(leg.last_activity, now);
    return leg;
}

void Book::close(std::uint32_t index) {
    auto& leg = *open_[index];
    auto& slot = slots_[leg.slot];
    slot.last = spool_.put(leg.stretch.blob(slot.last));
    slot.open = none;
    slot.closed = leg.last_activity;
    may_have_ended_ = true;
    correlator_.forget(leg.slot);
    leg.stretch.clear();
    leg.started = leg.ended = leg.in_settling = false;
    ++leg.use;
    free_.push_back(index);
}

void Book::close_quiet_legs(Instant now) {
    while (!settling_.empty() && settling_.front().due < now) {
        const auto check = settling_.front();
        settling_.pop_front();
        auto& leg = *open_[check.index];
        if (leg.use != check.use) {
            continue; // closed meanwhile
        }
        if (!leg.ended) {
            leg.in_settling = false; // it went on
        } else if (now - leg.last_activity > settled) {
            close(check.index);
        } else {
            settling_.push_back({leg.last_activity + settled, check.index, check.use});
        }
    }
    while (!waiting_.empty() && waiting_.front().due < now) {
        const auto check = waiting_.front();
        waiting_.pop_front();
        auto& leg = *open_[check.index];
        if (leg.use != check.use) {
            continue;
        }
        if (now - leg.last_activity > quiet) {
            close(check.index);
        } else {
            waiting_.push_back({leg.last_activity + quiet, check.index, check.use});
        }
    }
    // Those that come next were not touched for long.
    for (const auto* checks : {&settling_, &waiting_}) {
        if (!checks->empty()) {
            __builtin_prefetch(&open_[checks->front().index]->use);
        }
    }
}

// A dialog ends with the answer to BYE or a refused INVITE, anything else with its answer. A
// request opens it again.
void Book::note_end(OpenLeg& leg, std::uint32_t index, const Message& message) {
    auto& [established, ringing] = slots_[leg.slot].dialog;
    if (message.status == 0) {
        ringing = ringing || message.method == sip::Method::Invite;
        leg.ended = leg.ended && message.method == sip::Method::Ack;
        established = established && message.method != sip::Method::Bye;
        return;
    }
    const bool accepted = message.cseq_method == sip::Method::Invite && message.status < 300;
    established = established || (accepted && message.status >= 200);
    ringing = ringing && (message.cseq_method != sip::Method::Invite || message.status < 200);
    const bool within_call = leg.started && message.cseq_method != sip::Method::Bye &&
                             message.cseq_method != sip::Method::Invite;
    leg.ended = message.status >= 200 && !accepted && !within_call;
    if (leg.ended && !leg.in_settling) {
        leg.in_settling = true;
        settling_.push_back({leg.last_activity + settled, index, leg.use});
    }
}

Book::Unused& Book::unused_of(std::uint16_t input) {
    if (input >= unused_.size()) {
        unused_.resize(input + std::size_t{1});
    }
    return unused_[input];
}

bool Book::Coming::read(const SipEvent& event) {
    bytes = event.bytes;
    prepared = event.prepared;
    known = nullptr;
    leg = nullptr;
    expected = false;
    if (prepared != nullptr) {
        is_message = prepared->is_message;
    } else {
        own = sip::index(bytes, index);
        is_message = own.has_value();
        known = is_message ? &*own : nullptr;
    }
    return is_message;
}

const sip::MessageView& Book::Coming::message() {
    if (known == nullptr) {
        own = sip::index(bytes, index);
        known = &*own;
    }
    return *known;
}

std::string_view Book::Coming::call_id() const {
    return prepared != nullptr ? prepared->digest.call_id : known->value(sip::HeaderId::CallId);
}

// Some thousand legs are open at a time, more than a core has at hand, and half of the book's time
// would be waiting for memory. So while a message is entered, that of the one behind it is fetched,
// step by step, as each step tells where the next one is.
void Book::expect(const SipEvent& event) {
    auto& next = coming_[1 - now_];
    if (next.read(event)) {
        next.id = leg_id(next.call_id(), event.at);
        next.expected = true;
        __builtin_prefetch(&recent_of(next.id));
    }
}

void Book::fetch_leg(Coming& next) const {
    const auto& recent = recent_of(next.id);
    if (next.bytes.empty() || !next.is_message || recent.id != next.id || recent.open == none) {
        return;
    }
    next.leg = open_[recent.open].get();
    constexpr std::size_t cache_line = 64;
    const auto* leg = reinterpret_cast<const char*>(next.leg);
    for (std::size_t i = 0; i < sizeof(OpenLeg); i += cache_line) {
        __builtin_prefetch(leg + i, 1);
    }
    if (slots_.has(recent.slot)) {
        __builtin_prefetch(&slots_[recent.slot], 1);
    }
}

void Book::on_sip(const SipEvent& event) {
    auto& now = coming_[now_];
    now_ = 1 - now_;
    if (now.bytes.empty() || now.bytes.data() != event.bytes.data() ||
        now.bytes.size() != event.bytes.size()) {
        now.read(event); // it was not expected
    }
    if (now.is_message) {
        enter(event, now, now.expected ? now.id : leg_id(now.call_id(), event.at));
    } else {
        ++unused_of(event.at.input).sip;
    }
    now.bytes = {};
}

void Book::on_message(const MessageEvent& event) {
    auto& now = coming_[now_];
    now_ = 1 - now_;
    now.prepared = nullptr;
    now.known = &event.message;
    enter({.at = event.at,
           .transport = event.transport,
           .connection = event.connection,
           .truncated = event.truncated,
           .bytes = event.message.bytes()},
          now, leg_id(now.call_id(), event.at));
    now.bytes = {};
}

void Book::enter(const SipEvent& event, Coming& coming, std::uint64_t id) {
    begin_ = begin_.known() ? begin_ : event.at.time;
    close_quiet_legs(event.at.time);
    const auto slot = slot_of(id, event.at.time);
    auto& leg = open(slot, event.at.time);
    const auto* prepared = coming.prepared != nullptr ? &coming.prepared->digest : nullptr;
    const bool is_plain = prepared != nullptr &&
                          (prepared->body_type.empty() || prepared->body_type == "application/sdp");
    const auto body = opener_ != nullptr && !is_plain
                          ? opener_->open(coming.message(), event.at.time)
                          : std::optional<SecuredBody>{};
    bool has_session = false;
    if (body && !body->session.empty()) {
        has_session = sdp::parse(body->session, session_).has_value();
    } else if (prepared != nullptr) {
        has_session = parse_session(prepared->body, prepared->content_type, session_);
    } else {
        has_session = parse_session(coming.message(), session_);
    }
    const auto* session = has_session ? &session_ : nullptr;
    const bool digested = prepared != nullptr && !body && !misses_facts(*prepared, session);
    if (!digested) {
        digest(coming.message(), session, digest_, texts_);
    }
    const auto& told = digested ? *prepared : digest_;
    auto& next = coming_[now_];
    fetch_leg(next);
    const auto& message = leg.stretch.append(event, told, session, body ? &*body : nullptr);
    if (next.leg != nullptr) {
        next.leg->stretch.fetch();
    }
    note_change(slot);
    ++counts_.sip_messages;
    counts_.malformed += message.malformed;

    if (message.retransmission_of != none || message.duplicate_of != none) {
        return;
    }
    if (session != nullptr) {
        media_.announce(slot, *session, event.at);
    }
    correlate(leg, event.at, coming, told, session);
    note_end(leg, slots_[slot].open, message);
    if (message.cseq_method == sip::Method::Bye && message.status >= 200) {
        media_.release(slot, event.at.time);
    }
}

void Book::correlate(OpenLeg& leg, const Sighting& at, Coming& coming, const MessageDigest& digest,
                     const sdp::Session* session) {
    const auto slot = leg.slot;
    const auto& message = leg.stretch.last();
    found_.clear();
    if (message.status == 0) {
        if (digest.refers) {
            for_each_reference(coming.message(),
                               [&](const Reference& reference) { refer(slot, reference); });
        }
        // Somebody may have named this leg before it came.
        if (unknown_named_ && leg.stretch.has_one_message() && !digest.call_id.empty()) {
            correlator_.on_identity(slot, Reference::call_id, digest.call_id, found_);
        }
        if (message.method == sip::Method::Invite && !leg.started && !message.to_tag) {
            leg.started = true;
            correlator_.on_start(start_of(slot, at, leg.stretch, session), found_);
        }
    } else if (message.cseq_method == sip::Method::Invite && message.status >= 200) {
        correlator_.on_final(slot, at.time);
    }
    for (const auto& found : found_) {
        join(found);
    }
}

// A Call-ID that is named may belong to a leg that was closed long ago, or is yet to come.
void Book::refer(std::uint32_t slot, const Reference& reference) {
    if (reference.what == Reference::call_id) {
        const auto at = slot_by_id_.find(hash_bytes(reference.value, seed_));
        if (at != slot_by_id_.end()) {
            if (at->second != slot) {
                found_.push_back(
                    {at->second, slot, 100, fmt::format("{} names its Call-ID", reference.header)});
            }
            return;
        }
        unknown_named_ = true;
    }
    correlator_.on_identity(slot, reference.what, reference.value, found_);
}

void Book::join(const JoinFound& found) {
    if (!slots_.has(found.older)) {
        return; // it was handed out
    }
    const auto a = root_of(found.older);
    const auto b = root_of(found.newer);
    if (a == b) {
        return;
    }
    const bool a_first = slots_[a].start <= slots_[b].start;
    slots_[a_first ? b : a].parent = a_first ? a : b;
    if (noting_) {
        joined_.push_back(a_first ? Joined{b, a} : Joined{a, b});
        note_change(a);
    }
    joins_.push_back({found.older, found.newer, found.score, spool_.put(found.evidence)});
}

std::uint32_t Book::root_of(std::uint32_t slot) {
    while (slots_[slot].parent != none) {
        const auto parent = slots_[slot].parent;
        if (slots_[parent].parent != none) {
            slots_[slot].parent = slots_[parent].parent; // halve the path
        }
        slot = parent;
    }
    return slot;
}

void Book::on_media(const MediaEvent& event) {
    const auto understood = media_.on_packet(event);
    if (understood == 1) {
        return;
    }
    auto& unused = unused_of(event.at.input).media;
    if (understood == 0) {
        ++unused;
    } else { // those that came before it was clear that they are RTP
        unused -= std::min<std::uint64_t>(unused, understood - 1);
    }
}

void Book::on_dtls(const Sighting& at) {
    media_.on_dtls(at);
}

void Book::on_dtls_srtp(const DtlsSrtp& handshake) {
    counts_.dtls_srtp_unread += handshake.client_key ? 0U : 1U;
    media_.on_dtls_srtp(handshake);
}

void Book::store_stream(std::uint32_t slot, const MediaStream& stream, const TextPool& texts) {
    if (slot != none && !slots_.has(slot)) {
        return; // late packets of a call that was handed out
    }
    pack(stream, texts.bytes(), packed_);
    streams_.push_back({slot, spool_.put(packed_)});
    if (slot != none) {
        note_change(slot);
    }
    ++counts_.rtp_streams;
    counts_.stray_streams += slot == none;
}

void Book::on_connection(const Connection& connection) {
    if (connection.is_tls()) {
        ++counts_.tls_connections;
        counts_.tls_decrypted += connection.decrypted;
        if (!connection.decrypted) {
            undecrypted_.push_back({connection.client, connection.server, connection.opened,
                                    connection.closed, connection.id});
        }
    }
    if (connection.unnamed) {
        unnamed_.push_back({connection.server, connection.opened, connection.id});
    }
    pack(connection, packed_);
    connections_.push_back({connection.id, spool_.put(packed_), connection.closed});
}

void Book::finish(Instant end) {
    end_ = end;
    for (const auto& check : waiting_) {
        if (open_[check.index]->use == check.use) {
            close(check.index);
        }
    }
    media_.flush();
    open_connection_ = {}; // all were told
    sort_records();
    order_calls();
    counts_.calls = handed_out_ + call_begins_.size() - 1;
}

// As they are looked for when calls are read.
void Book::sort_records() {
    std::ranges::sort(connections_, {}, &StoredConnection::id);
    std::ranges::stable_sort(streams_, {}, &StoredStream::slot);
    std::ranges::stable_sort(joins_, {}, &JoinRecord::newer);
    std::ranges::stable_sort(undecrypted_, {}, [](const Undecrypted& u) {
        return std::pair{u.client.address, u.first};
    });
}

} // namespace cw::flow
