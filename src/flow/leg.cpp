#include "flow/leg.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "flow/media_line.hpp"
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

Text aor_of(TextPool& pool, const Identity& id) {
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
    return pool.add({buffer.data(), size});
}

void name_leg(Stretch& stretch, const MessageView& message) {
    if (stretch.names.call_id.length == 0) {
        stretch.names.call_id = stretch.pool.add(message.value(HeaderId::CallId));
    }
    if (stretch.names.from.length == 0) {
        const auto from = identity_of(message.value(HeaderId::From));
        stretch.names.from = aor_of(stretch.pool, from);
        stretch.names.from_name = stretch.pool.add(from.display_name);
    }
    if (stretch.names.to.length == 0) {
        const auto to = identity_of(message.value(HeaderId::To));
        stretch.names.to = aor_of(stretch.pool, to);
        stretch.names.to_name = stretch.pool.add(to.display_name);
    }
}

// Every hop adds one; a comma within a quoted parameter may count too much, which tells the same.
std::uint8_t count_vias(const MessageView& message) {
    std::size_t count = 0;
    for (const auto& header : message.headers()) {
        if (header.id == HeaderId::Via) {
            count += 1 + static_cast<std::size_t>(std::ranges::count(header.value, ','));
        }
    }
    return static_cast<std::uint8_t>(std::min<std::size_t>(count, 255));
}

// The transaction, and of a request its sender, as the top Via names them.
void read_via(Message& m, const MessageView& message) {
    const auto value = message.value(HeaderId::Via);
    m.vias = count_vias(message);
    const auto params = value.find(';');
    if (params != std::string_view::npos) {
        const auto branch = sip::find_param(value.substr(params), "branch");
        m.branch = branch ? hash_bytes(*branch) : 0;
    }
    if (!message.is_request()) {
        return;
    }
    const auto via = sip::parse_via(value);
    if (!via) {
        return;
    }
    if (const auto address = sip::host_to_address(via->host)) {
        const auto secure = iequals(via->transport, "TLS");
        const auto default_port = static_cast<std::uint16_t>(secure ? 5061 : 5060);
        m.sent_by = {*address, via->port != 0 ? via->port : default_port};
    }
}

// Only whether there is a tag: the rest of the header is not looked at for that.
bool has_tag(std::string_view name_addr) {
    const auto bracket = name_addr.rfind('>');
    const auto params = name_addr.substr(bracket == std::string_view::npos ? 0 : bracket + 1);
    const auto semicolon = params.find(';');
    return semicolon != std::string_view::npos &&
           sip::find_param(params.substr(semicolon), "tag").has_value();
}

// What else a reader of the ladder wants to see at the arrow.
void add_note(Message& m, const MessageView& message, TextPool& pool) {
    for (const auto id : {HeaderId::Reason, HeaderId::Warning, HeaderId::Replaces,
                          HeaderId::RetryAfter, HeaderId::Unsupported}) {
        if (const auto* header = message.find(id)) {
            std::array<char, 160> buffer{};
            const auto end = fmt::format_to_n(buffer.data(), buffer.size(), "{}: {}",
                                              sip::to_string(id), header->value);
            m.note = pool.add({buffer.data(), std::min(end.size, buffer.size())});
            return;
        }
    }
    if (m.method == sip::Method::Refer) {
        m.note = pool.add(message.value(HeaderId::ReferTo));
    } else if (m.method == sip::Method::Info && message.body().size() < 200) {
        // "Signal=5" of application/dtmf-relay, or the digit alone of application/dtmf.
        const auto body = message.body();
        const auto signal = body.find("ignal");
        const auto equals = signal == std::string_view::npos ? signal : body.find('=', signal);
        if (equals != std::string_view::npos) {
            const auto digit = trim(body.substr(equals + 1, 3)).substr(0, 1);
            m.note = pool.add(fmt::format("DTMF {}", digit));
        } else if (istarts_with(message.value(HeaderId::ContentType), "application/dtmf")) {
            m.note = pool.add(fmt::format("DTMF {}", trim(body).substr(0, 1)));
        }
    }
}

void read_method(Message& m, const MessageView& message, TextPool& pool) {
    const auto cseq = sip::parse_cseq(message.value(HeaderId::CSeq));
    if (cseq) {
        m.cseq = cseq->number;
        m.cseq_method = cseq->method;
    }
    if (message.is_request()) {
        m.method = message.method();
        m.cseq_method = cseq ? cseq->method : m.method;
        m.method_text = pool.add(message.method_text());
        m.request_uri = pool.add(message.request_uri());
        m.sips = istarts_with(message.request_uri(), "sips:");
    } else {
        m.status = message.status();
        m.reason = pool.add(message.reason());
        m.method_text = pool.add(cseq ? cseq->method_text : std::string_view{});
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

void judge(Message& m, const MessageEvent& event, TextPool& pool) {
    const auto problem = event.message.first_problem();
    const char* words = problem ? problem->what : missing_header(event.message);
    if (words == nullptr && m.cseq_method == sip::Method::None) {
        words = "CSeq is not a number and a method";
    }
    m.truncated = event.truncated;
    if (event.truncated) {
        m.problem = pool.add("cut by the capture");
    } else if (words != nullptr) {
        m.malformed = true;
        m.problem = pool.add(words);
    }
}

void add_media_lines(Message& m, const sdp::Session& session, Stretch& stretch) {
    m.media_begin = static_cast<std::uint32_t>(stretch.media_lines.size());
    for (const auto& media : session.media) {
        stretch.media_lines.push_back(media_line_of(session, media, stretch.pool));
        ++m.media_count;
    }
}

// Marks `m` when an earlier message of the stretch had the very same bytes.
void find_original(Stretch& stretch, Message& m, std::uint64_t fingerprint, std::uint16_t ip_id) {
    const auto count = stretch.fingerprints.size();
    const auto oldest = count > look_back ? count - look_back : 0;
    for (auto i = count; i-- > oldest;) {
        if (stretch.fingerprints[i] != fingerprint) {
            continue;
        }
        const auto& earlier = stretch.messages[i];
        const auto original = earlier.retransmission_of != none ? earlier.retransmission_of
                              : earlier.duplicate_of != none    ? earlier.duplicate_of
                                                                : static_cast<std::uint32_t>(i);
        const bool same_path = earlier.source == m.source && earlier.destination == m.destination;
        const bool same_packet = ip_id != 0 && ip_id == stretch.ip_ids[i];
        if (!same_path || same_packet || m.time - earlier.time < copy_distance) {
            m.duplicate_of = original;
        } else {
            m.retransmission_of = original;
        }
        return;
    }
}

} // namespace

void Stretch::clear() {
    names = {};
    pool.clear();
    messages.clear();
    fingerprints.clear();
    ip_ids.clear();
    media_lines.clear();
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

Message& append(Stretch& stretch, const MessageEvent& event, const sdp::Session* session) {
    const auto& message = event.message;
    auto& pool = stretch.pool;
    Message m;
    m.time = event.at.time;
    m.frame = event.at.frame;
    m.input = event.at.input;
    m.source = event.at.source;
    m.destination = event.at.destination;
    m.transport = event.transport;
    m.connection = event.connection;
    m.size = static_cast<std::uint32_t>(message.bytes().size());
    name_leg(stretch, message);
    read_method(m, message, pool);
    read_via(m, message);
    m.to_tag = has_tag(message.value(HeaderId::To));
    if (const auto* contact = message.find(HeaderId::Contact)) {
        const auto parsed = sip::parse_name_addr(contact->value);
        m.contact = parsed ? pool.add(parsed->uri_text) : Text{};
    }
    if (const auto* type = message.find(HeaderId::ContentType)) {
        m.body_type = pool.add(trim(type->value.substr(0, type->value.find(';'))));
    }
    judge(m, event, pool);
    add_note(m, message, pool);
    const auto fingerprint = hash_bytes(message.bytes());
    find_original(stretch, m, fingerprint, event.at.ip_id);
    if (session != nullptr) {
        add_media_lines(m, *session, stretch);
    }
    stretch.messages.push_back(m);
    stretch.fingerprints.push_back(fingerprint);
    stretch.ip_ids.push_back(event.at.ip_id);
    return stretch.messages.back();
}

} // namespace cw::flow
