#include "flow/leg.hpp"

#include <algorithm>
#include <array>

#include "flow/media_line.hpp"
#include "sip/cursor.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"

namespace cw::flow {
namespace {

// Two copies of one packet, seen at two points of a network, come this close together. The first
// retransmission comes after T1 = 500 ms [RFC 3261 §17.1.1.2].
constexpr Duration copy_distance = milliseconds(100);
// How far back a copy is looked for.
constexpr std::size_t look_back = 64;
// What a message of a call adds; more need not be at hand.
constexpr std::size_t cache_line = 64;
constexpr std::size_t most_fetched = 6;
constexpr std::size_t usual_messages = 8;

Text add_aor(StretchWriter& record, const Identity& id) {
    constexpr std::size_t longest = 512; // hostile ones are cut
    std::array<char, longest> buffer{};
    std::size_t size = 0;
    const auto add = [&](std::string_view part) {
        size += part.copy(buffer.data() + size, buffer.size() - size);
    };
    if (id.scheme.empty()) {
        return {};
    }
    // Mostly they stand one behind the other in the message.
    const auto* begin = id.scheme.data();
    const auto* end = id.host.data() + id.host.size();
    if (!id.user.empty() && !id.host.empty() && begin + id.scheme.size() + 1 == id.user.data() &&
        id.user.data() + id.user.size() + 1 == id.host.data() && id.host.data()[-1] == '@' &&
        end - begin <= static_cast<std::ptrdiff_t>(longest)) {
        return record.add({begin, end});
    }
    add(id.scheme);
    add(":");
    add(id.user);
    add(id.user.empty() || id.host.empty() ? "" : "@");
    add(id.host);
    return record.add({buffer.data(), size});
}

} // namespace

void Stretch::name_leg(const MessageDigest& digest) {
    auto& names = record_.names();
    if (names.call_id.length == 0) {
        names.call_id = record_.add(digest.call_id);
    }
    std::string unquoted; // what is shown has no backslashes: \"Bob\" is "Bob"
    if (names.from.length == 0) {
        const auto from = identity_of(digest.from);
        names.from = add_aor(record_, from);
        names.from_name = record_.add(sip::unquote(from.display_name, unquoted));
    }
    if (names.to.length == 0) {
        const auto to = identity_of(digest.to);
        names.to = add_aor(record_, to);
        names.to_name = record_.add(sip::unquote(to.display_name, unquoted));
    }
}

// What the leg has said before stands there already.
void Stretch::add_texts(Message& m, const MessageDigest& digest) {
    const auto add = [this](std::string_view said, Text before) {
        return said.empty() || text(before) != said ? record_.add(said) : before;
    };
    if (!digest.method_text.empty()) {
        m.method_text = record_.add(digest.method_text);
    }
    m.request_uri = record_.add(digest.request_uri);
    m.reason = record_.add(digest.reason);
    m.facts = add(digest.facts, last().facts);
    m.contact = add(digest.contact, last().contact);
    if (!digest.body_type.empty()) {
        body_type_ = add(digest.body_type, body_type_);
        m.body_type = body_type_;
    }
    m.note = record_.add(digest.note);
    if (m.truncated) {
        m.problem = record_.add("cut by the capture");
    } else if (!digest.problem.empty()) {
        m.malformed = true;
        m.problem = record_.add(digest.problem);
    }
}

void Stretch::add_media_lines(Message& m, const sdp::Session& session) {
    m.media_begin = record_.media_lines();
    for (const auto& media : session.media) {
        last_line_ = media_line_of(session, media, last_line_, record_.texts());
        lines_.push_back(last_line_);
    }
    m.media_count = static_cast<std::uint8_t>(lines_.size());
}

// Marks `m` when an earlier message of the stretch had the very same bytes.
void Stretch::find_original(Message& m, const SipEvent& event, std::uint64_t fingerprint) {
    const Seen seen{.fingerprint = fingerprint,
                    .path = mix_hash(hash_value(m.source), hash_value(m.destination)),
                    .time = m.time,
                    .original = static_cast<std::uint32_t>(seen_.size()),
                    .ip_id = event.at.ip_id};
    const auto looked_at = std::min(seen_.size(), look_back);
    const auto earlier =
        std::find_if(seen_.rbegin(), seen_.rbegin() + static_cast<std::ptrdiff_t>(looked_at),
                     [&](const Seen& other) { return other.fingerprint == seen.fingerprint; });
    const bool copy = earlier != seen_.rbegin() + static_cast<std::ptrdiff_t>(looked_at);
    if (copy) {
        const bool same_path = earlier->path == seen.path;
        const bool same_packet = seen.ip_id != 0 && seen.ip_id == earlier->ip_id;
        const bool close = m.time - earlier->time < copy_distance;
        // Of a stream the copies of packets are gone: what comes twice was sent twice.
        const bool on_stream = same_path && m.connection != 0;
        auto& mark = !on_stream && (!same_path || same_packet || close) ? m.duplicate_of
                                                                        : m.retransmission_of;
        mark = earlier->original;
    }
    const auto original = copy ? earlier->original : seen.original;
    if (seen_.empty()) {
        seen_.reserve(usual_messages);
    }
    seen_.push_back(seen);
    seen_.back().original = original;
}

const Message& Stretch::append(const SipEvent& event, const MessageDigest& digest,
                               const sdp::Session* session, const SecuredBody* body) {
    auto m = digest.message;
    m.time = event.at.time;
    m.frame = event.at.frame;
    m.input = event.at.input;
    m.source = event.at.source;
    m.destination = event.at.destination;
    m.transport = event.transport;
    m.connection = event.connection;
    m.truncated = event.truncated;
    m.media_begin = last().media_begin;
    lines_.clear();

    record_.begin_message();
    name_leg(digest);
    add_texts(m, digest);
    if (body != nullptr) {
        m.is_signed = static_cast<std::uint32_t>(body->is_signed);
        m.sealed = static_cast<std::uint32_t>(body->sealed);
        m.badge = record_.add(body->badge);
        m.words = record_.add(body->text);
    }
    find_original(m, event, digest.fingerprint);
    if (session != nullptr) {
        add_media_lines(m, *session);
    }
    record_.end_message(m, lines_);
    return last();
}

void Stretch::fetch() const {
    const auto* seen = reinterpret_cast<const char*>(seen_.data());
    const auto size = std::min(seen_.size() + 1, most_fetched) * sizeof(Seen);
    for (std::size_t i = 0; i < size; i += cache_line) {
        __builtin_prefetch(seen + i, 1);
    }
    const auto* end = record_.end();
    for (std::size_t i = 0; i < most_fetched; ++i) {
        __builtin_prefetch(end + i * cache_line, 1);
    }
}

void Stretch::clear() {
    record_.clear();
    last_line_ = {};
    body_type_ = {};
    seen_.clear();
}

namespace {

// "Alice" <sip:alice@example.com>;tag=…, with or without the name, and nothing but letters,
// digits, "-", "." and "_" in the parts behind it. Without a scheme: look closer.
Identity plain_identity(std::string_view text) {
    Identity out;
    sip::Cursor cursor{text};
    if (cursor.eat('"')) {
        out.display_name = cursor.take_until<'"', '\\'>();
        if (!cursor.eat('"')) {
            return {};
        }
        cursor.eat(' ');
    }
    const auto scheme_length = cursor.rest().starts_with("<sip:")    ? 3U
                               : cursor.rest().starts_with("<sips:") ? 4U
                                                                     : 0U;
    if (scheme_length == 0) {
        return {};
    }
    const auto scheme = cursor.rest().substr(1, scheme_length);
    cursor.skip(scheme_length + 2);
    out.user = cursor.take(sip::chars::Host);
    if (out.user.empty() || !cursor.eat('@')) {
        return {};
    }
    out.host = cursor.take(sip::chars::Host);
    if (out.host.empty() || !cursor.eat('>')) {
        return {};
    }
    constexpr std::string_view tag{";tag="};
    if (cursor.rest().starts_with(tag)) {
        cursor.skip(tag.size());
        if (cursor.take(sip::chars::Host).empty()) {
            return {};
        }
    }
    out.scheme = cursor.done() ? scheme : std::string_view{};
    return out;
}

} // namespace

Identity identity_of(std::string_view name_addr) {
    if (const auto plain = plain_identity(name_addr); !plain.scheme.empty()) {
        return plain;
    }
    const auto parsed = sip::parse_name_addr(name_addr);
    if (!parsed || parsed->uri.scheme == sip::Scheme::None) {
        return {};
    }
    const auto& uri = parsed->uri;
    if (uri.scheme == sip::Scheme::Sip || uri.scheme == sip::Scheme::Sips) {
        return {uri.scheme_text, uri.user, uri.host, parsed->display};
    }
    return {uri.scheme_text, uri.user.empty() ? uri.opaque : uri.user, {}, parsed->display};
}

} // namespace cw::flow
