#include "flow/leg.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "flow/facts.hpp"
#include "flow/media_line.hpp"
#include "flow/prepared.hpp"
#include "sip/cseq.hpp"
#include "sip/host.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/via.hpp"

namespace cw::flow {
namespace {

using sip::HeaderId;
using sip::MessageView;

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
    add(id.scheme);
    add(":");
    add(id.user);
    add(id.user.empty() || id.host.empty() ? "" : "@");
    add(id.host);
    return record.add({buffer.data(), size});
}

// Every hop adds one; a comma within a quoted parameter may count too much, which tells the same.
std::uint8_t count_vias(const MessageView& message) {
    const auto in = [](std::string_view value) {
        std::size_t values = 1;
        for (auto at = value.find(','); at != std::string_view::npos;
             at = value.find(',', at + 1)) {
            ++values;
        }
        return values;
    };
    std::size_t count = 0;
    if (!message.repeated(HeaderId::Via)) {
        count = message.has(HeaderId::Via) ? in(message.value(HeaderId::Via)) : 0;
    } else {
        for (const auto& header : message.headers()) {
            count += header.id == HeaderId::Via ? in(header.value) : 0;
        }
    }
    return static_cast<std::uint8_t>(std::min<std::size_t>(count, 255));
}

std::uint64_t branch_key(std::string_view via) {
    const auto params = via.find(';');
    if (params == std::string_view::npos) {
        return 0;
    }
    const auto branch = sip::find_param(via.substr(params), "branch");
    return branch ? hash_bytes(*branch) : 0;
}

// The transaction, and of a request its sender, as the top Via names them.
void read_via(Message& m, const MessageView& message) {
    const auto value = message.value(HeaderId::Via);
    m.vias = count_vias(message);
    m.branch = branch_key(value);
    if (!message.is_request()) {
        return;
    }
    const auto via = sip::parse_sent_by(value);
    if (!via) {
        return;
    }
    if (const auto address = sip::host_to_address(via->host)) {
        const auto secure = iequals(via->transport, "TLS");
        const auto default_port = static_cast<std::uint16_t>(secure ? 5061 : 5060);
        m.sent_by = {*address, via->port != 0 ? via->port : default_port};
    }
}

// Headers without which no message can be assigned to a transaction [RFC 3261 §8.1.1].
const char* missing_header(const MessageView& message) {
    constexpr std::array needed{
        std::pair{HeaderId::CallId, "no Call-ID"}, std::pair{HeaderId::CSeq, "no CSeq"},
        std::pair{HeaderId::From, "no From"},      std::pair{HeaderId::To, "no To"},
        std::pair{HeaderId::Via, "no Via"},
    };
    for (const auto& [id, words] : needed) {
        if (message.find(id) == nullptr) {
            return words;
        }
    }
    return nullptr;
}

} // namespace

void Stretch::name_leg(const MessageView& message) {
    auto& names = record_.names();
    if (names.call_id.length == 0) {
        names.call_id = record_.add(message.value(HeaderId::CallId));
    }
    if (names.from.length == 0) {
        const auto from = identity_of(message.value(HeaderId::From));
        names.from = add_aor(record_, from);
        names.from_name = record_.add(from.display_name);
    }
    if (names.to.length == 0) {
        const auto to = identity_of(message.value(HeaderId::To));
        names.to = add_aor(record_, to);
        names.to_name = record_.add(to.display_name);
    }
}

void Stretch::read_method(Message& m, const MessageView& message) {
    const auto cseq = sip::parse_cseq(message.value(HeaderId::CSeq));
    if (cseq) {
        m.cseq = cseq->number;
        m.cseq_method = cseq->method;
    }
    const auto name = [this](sip::Method method, std::string_view text) {
        return method == sip::Method::None || method == sip::Method::Other ? record_.add(text)
                                                                           : TextPool::of(method);
    };
    if (message.is_request()) {
        m.method = message.method();
        m.cseq_method = cseq ? cseq->method : m.method;
        m.method_text = name(m.method, message.method_text());
        m.request_uri = record_.add(message.request_uri());
        m.sips = istarts_with(message.request_uri(), "sips:");
    } else {
        m.status = message.status();
        m.reason = record_.add(message.reason());
        m.method_text = cseq ? name(cseq->method, cseq->method_text) : Text{};
    }
}

// What else a reader of the ladder wants to see at the arrow.
void Stretch::add_note(Message& m, const MessageView& message) {
    for (const auto id : {HeaderId::Reason, HeaderId::Warning, HeaderId::Replaces,
                          HeaderId::RetryAfter, HeaderId::Unsupported}) {
        if (const auto* header = message.find(id)) {
            std::array<char, 160> buffer{};
            const auto end = fmt::format_to_n(buffer.data(), buffer.size(), "{}: {}",
                                              sip::to_string(id), header->value);
            m.note = record_.add({buffer.data(), std::min(end.size, buffer.size())});
            return;
        }
    }
    if (m.method == sip::Method::Refer) {
        m.note = record_.add(message.value(HeaderId::ReferTo));
    } else if (m.method == sip::Method::Info && message.body().size() < 200) {
        // "Signal=5" of application/dtmf-relay, or the digit alone of application/dtmf.
        const auto body = message.body();
        const auto signal = body.find("ignal");
        const auto equals = signal == std::string_view::npos ? signal : body.find('=', signal);
        if (equals != std::string_view::npos) {
            const auto digit = trim(body.substr(equals + 1, 3)).substr(0, 1);
            m.note = record_.add(fmt::format("DTMF {}", digit));
        } else if (istarts_with(message.value(HeaderId::ContentType), "application/dtmf")) {
            m.note = record_.add(fmt::format("DTMF {}", trim(body).substr(0, 1)));
        }
    }
}

void Stretch::judge(Message& m, const MessageEvent& event) {
    const auto problem = event.message.first_problem();
    const char* words = problem ? problem->what : missing_header(event.message);
    if (words == nullptr && m.cseq_method == sip::Method::None) {
        words = "CSeq is not a number and a method";
    }
    m.truncated = event.truncated;
    if (event.truncated) {
        m.problem = record_.add("cut by the capture");
    } else if (words != nullptr) {
        m.malformed = true;
        m.problem = record_.add(words);
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
void Stretch::find_original(Message& m, const MessageEvent& event) {
    const Seen seen{.fingerprint = event.prepared != nullptr ? event.prepared->fingerprint
                                                             : hash_bytes(event.message.bytes()),
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

const Message& Stretch::append(const MessageEvent& event, const sdp::Session* session,
                               const SecuredBody* body) {
    const auto& message = event.message;
    Message m;
    m.time = event.at.time;
    m.frame = event.at.frame;
    m.input = event.at.input;
    m.source = event.at.source;
    m.destination = event.at.destination;
    m.transport = event.transport;
    m.connection = event.connection;
    m.size = static_cast<std::uint32_t>(message.bytes().size());
    m.media_begin = last().media_begin;
    lines_.clear();

    record_.begin_message();
    name_leg(message);
    read_method(m, message);
    read_via(m, message);
    const auto facts = collect_facts(message, session, m, facts_);
    m.facts = text(last().facts) == facts ? last().facts : record_.add(facts);
    if (const auto* contact = message.find(HeaderId::Contact)) {
        const auto uri = sip::uri_text_of(contact->value);
        m.contact = text(last().contact) == uri ? last().contact : record_.add(uri);
    }
    if (const auto* type = message.find(HeaderId::ContentType)) {
        const auto name = trim(type->value.substr(0, type->value.find(';')));
        body_type_ = text(body_type_) == name ? body_type_ : record_.add(name);
        m.body_type = body_type_;
    }
    if (body != nullptr) {
        m.is_signed = static_cast<std::uint32_t>(body->is_signed);
        m.sealed = static_cast<std::uint32_t>(body->sealed);
        m.badge = record_.add(body->badge);
        m.words = record_.add(body->text);
    }
    judge(m, event);
    add_note(m, message);
    find_original(m, event);
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

Identity identity_of(std::string_view name_addr) {
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
