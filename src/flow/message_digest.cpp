#include "flow/message_digest.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/hash.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "flow/facts.hpp"
#include "flow/references.hpp"
#include "sip/cseq.hpp"
#include "sip/host.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/via.hpp"

namespace cw::flow {
namespace {

using sip::HeaderId;
using sip::MessageView;

void read_method(MessageDigest& out, const MessageView& message) {
    auto& m = out.message;
    const auto cseq = sip::parse_cseq(message.value(HeaderId::CSeq));
    if (cseq) {
        m.cseq = cseq->number;
        m.cseq_method = cseq->method;
    }
    const auto name = [&](sip::Method method, std::string_view text) {
        if (method == sip::Method::None || method == sip::Method::Other) {
            out.method_text = text;
        } else {
            m.method_text = TextPool::of(method);
        }
    };
    if (message.is_request()) {
        m.method = message.method();
        m.cseq_method = cseq ? cseq->method : m.method;
        name(m.method, message.method_text());
        out.request_uri = message.request_uri();
        m.sips = istarts_with(out.request_uri, "sips:");
    } else {
        m.status = message.status();
        out.reason = message.reason();
        if (cseq) {
            name(cseq->method, cseq->method_text);
        }
    }
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
    constexpr std::string_view begin{";branch="};
    const auto* end = via.data() + via.size();
    const auto* semicolon = find_first<';'>(via.data(), end);
    const std::string_view params{semicolon, end};
    if (params.empty()) {
        return 0;
    }
    if (params.starts_with(begin)) { // most have it first, and as it is written here
        const auto* value = semicolon + begin.size();
        const auto* stop = find_first<';', '"', ',', ' ', '\t', '\r', '\n'>(value, end);
        if (stop == end || *stop == ';') {
            return hash_bytes({value, stop});
        }
    }
    const auto branch = sip::find_param(params, "branch");
    return branch ? hash_bytes(*branch) : 0;
}

Endpoint with_port(const IpAddress& address, std::uint16_t port, std::string_view transport) {
    const auto default_port = static_cast<std::uint16_t>(iequals(transport, "TLS") ? 5061 : 5060);
    return {address, port != 0 ? port : default_port};
}

// ":5060" or nothing, before the parameters; 0: there is none. Nothing: something else.
std::optional<std::uint16_t> port_in(const char* p, const char* end) {
    if (p == end || *p == ';') {
        return 0;
    }
    constexpr std::uint32_t highest = 65'535;
    std::uint32_t port = 0;
    const auto* from = ++p; // past the colon
    for (; p != end && is_digit(*p) && port <= highest; ++p) {
        port = port * 10 + static_cast<std::uint32_t>(*p - '0');
    }
    const bool whole = p != from && (p == end || *p == ';') && port <= highest;
    return whole ? std::optional{static_cast<std::uint16_t>(port)} : std::nullopt;
}

// "SIP/2.0/UDP 192.0.2.1:5060;…" as most write it; nothing: look closer.
std::optional<Endpoint> plain_sent_by(std::string_view via) {
    constexpr std::string_view begin{"SIP/2.0/"};
    constexpr std::ptrdiff_t shortest = 7; // 1.2.3.4
    if (!via.starts_with(begin)) {
        return std::nullopt;
    }
    const auto* const end = via.data() + via.size();
    const auto* const transport = via.data() + begin.size();
    const auto* blank = transport;
    while (blank != end && is_alpha(*blank)) {
        ++blank;
    }
    if (blank == transport || blank == end || *blank != ' ') {
        return std::nullopt;
    }
    const auto* host = blank + 1;
    const auto* host_end = find_first<':', ';'>(host, end);
    const auto port = port_in(host_end, end);
    if (host_end - host < shortest || *host == '[' || !port) {
        return std::nullopt;
    }
    const auto address = IpAddress::parse({host, host_end});
    return address ? std::optional{with_port(*address, *port, {transport, blank})} : std::nullopt;
}

// Of a request its sender, as the top Via names it.
Endpoint sent_by_of(std::string_view via) {
    if (const auto plain = plain_sent_by(via)) {
        return *plain;
    }
    if (const auto parsed = sip::parse_sent_by(via)) {
        if (const auto address = sip::host_to_address(parsed->host)) {
            return with_port(*address, parsed->port, parsed->transport);
        }
    }
    return {};
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

std::string_view problem_of(const Message& m, const MessageView& message) {
    const auto problem = message.first_problem();
    const char* words = problem ? problem->what : missing_header(message);
    if (words == nullptr && m.cseq_method == sip::Method::None) {
        words = "CSeq is not a number and a method";
    }
    return words == nullptr ? std::string_view{} : words;
}

// What else a reader of the ladder wants to see at the arrow.
// A view of the message, or of `note`.
std::string_view note_of(const Message& m, const MessageView& message, std::string& note) {
    for (const auto id : {HeaderId::Reason, HeaderId::Warning, HeaderId::Replaces,
                          HeaderId::RetryAfter, HeaderId::Unsupported}) {
        if (const auto* header = message.find(id)) {
            constexpr std::size_t longest = 160;
            note.assign(sip::to_string(id)).append(": ").append(header->value.substr(0, longest));
            note.resize(std::min(note.size(), longest));
            return note;
        }
    }
    if (m.method == sip::Method::Refer) {
        return message.value(HeaderId::ReferTo);
    }
    if (m.method == sip::Method::Info && message.body().size() < 200) {
        // "Signal=5" of application/dtmf-relay, or the digit alone of application/dtmf.
        const auto body = message.body();
        const auto signal = body.find("ignal");
        const auto equals = signal == std::string_view::npos ? signal : body.find('=', signal);
        if (equals != std::string_view::npos) {
            const auto digit = trim(body.substr(equals + 1, 3)).substr(0, 1);
            note = fmt::format("DTMF {}", digit);
            return note;
        }
        if (istarts_with(message.value(HeaderId::ContentType), "application/dtmf")) {
            note = fmt::format("DTMF {}", trim(body).substr(0, 1));
            return note;
        }
    }
    return {};
}

} // namespace

void digest(const MessageView& message, const sdp::Session* session, MessageDigest& out,
            DigestTexts& texts) {
    auto& m = out.message;
    m = {};
    m.size = static_cast<std::uint32_t>(message.bytes().size());
    out.fingerprint = hash_bytes(message.bytes());
    out.call_id = message.value(HeaderId::CallId);
    out.from = message.value(HeaderId::From);
    out.to = message.value(HeaderId::To);
    out.method_text = out.request_uri = out.reason = {};
    read_method(out, message);
    const auto via = message.value(HeaderId::Via);
    m.vias = count_vias(message);
    m.branch = branch_key(via);
    m.sent_by = message.is_request() ? sent_by_of(via) : Endpoint{};
    out.facts = collect_facts(message, session, m, texts.facts);
    const auto* contact = message.find(HeaderId::Contact);
    out.contact = contact != nullptr ? sip::uri_text_of(contact->value) : std::string_view{};
    const auto type = message.value(HeaderId::ContentType);
    out.content_type = type;
    out.body_type = type.empty() ? type : trim(type.substr(0, type.find(';')));
    out.body = message.body();
    out.problem = problem_of(m, message);
    out.note = note_of(m, message, texts.note);
    out.refers = message.is_request() && may_refer(message);
}

void digest_head(const MessageView& message, MessageDigest& out, DigestTexts& texts) {
    static const sdp::Session nothing_in_it;
    digest(message, &nothing_in_it, out, texts);
}

bool misses_facts(const MessageDigest& digest, const sdp::Session* session) {
    return !digest.body.empty() && istarts_with(digest.content_type, "application/sdp") &&
           (session == nullptr || session->has_fingerprints || session->has_candidates);
}

} // namespace cw::flow
