#include "flow/facts.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/hash.hpp"
#include "base/scan.hpp"
#include "base/text.hpp"
#include "sdp/candidate.hpp"
#include "sip/name_addr.hpp"
#include "sip/params.hpp"
#include "sip/session_expires.hpp"

namespace cw::flow {
namespace {

using sip::HeaderId;
using sip::MessageView;

constexpr std::size_t longest_fact = 400;
constexpr std::size_t most_facts = 2000; // bytes of one message

constexpr std::array facts_kept{
    HeaderId::Route,
    HeaderId::RecordRoute,
    HeaderId::SessionExpires,
    HeaderId::MinSe,
    HeaderId::Require,
    HeaderId::Unsupported,
    HeaderId::RSeq,
    HeaderId::RAck,
    HeaderId::RetryAfter,
    HeaderId::Reason,
    HeaderId::Warning,
    HeaderId::WwwAuthenticate,
    HeaderId::Authorization,
    HeaderId::ProxyAuthenticate,
    HeaderId::ProxyAuthorization,
    HeaderId::MinExpires,
    HeaderId::SubscriptionState,
    HeaderId::Replaces,
    HeaderId::ReferSub,
};
// For each id, whether it is one of them.
constexpr auto is_kept = [] {
    std::array<bool, 256> kept{};
    for (const auto id : facts_kept) {
        kept[std::to_underlying(id)] = true;
    }
    return kept;
}();

void add_fact(HeaderId id, std::string_view value, std::string& out) {
    if (out.size() >= most_facts) {
        return;
    }
    out += static_cast<char>(std::to_underlying(id));
    const auto begin = out.size();
    out.append(value.substr(0, longest_fact));
    std::replace_if(
        out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(),
        [](char c) { return c == '\r' || c == '\n'; }, ' ');
    out += '\n';
}

// One parameter of credentials off the front of `rest`: up to a comma outside of quotes.
std::string_view take_auth_param(std::string_view& rest) {
    bool quoted = false;
    std::size_t i = 0;
    for (; i < rest.size() && (quoted || rest[i] != ','); ++i) {
        if (rest[i] == '\\' && quoted) {
            ++i;
        } else if (rest[i] == '"') {
            quoted = !quoted;
        }
    }
    const auto param = trim(rest.substr(0, i));
    rest.remove_prefix(std::min(i + 1, rest.size()));
    return param;
}

// "Digest username=…, realm=…, uri=…": what names a secret's owner, and not what proves it.
void add_credentials(HeaderId id, std::string_view value, std::string& out) {
    const auto blank = std::min(value.find_first_of(" \t"), value.size());
    std::string kept{value.substr(0, std::min<std::size_t>(blank, 32))};
    auto rest = value.substr(blank);
    const bool digest = iequals(kept, "Digest");
    while (digest && !rest.empty() && kept.size() < longest_fact) {
        const auto param = take_auth_param(rest);
        for (const std::string_view name :
             {"username", "realm", "nonce", "uri", "nc", "algorithm", "qop", "opaque"}) {
            if (istarts_with(param, name) && trim(param.substr(name.size())).starts_with('=')) {
                kept += kept.size() > 6 ? ", " : " ";
                kept += param;
            }
        }
    }
    add_fact(id, kept, out);
}

// Apart from the loop over the fields of a message, of which it would make each step longer.
[[gnu::noinline]] void add_field(const sip::Header& header, std::string& out) {
    if (header.id == HeaderId::Authorization || header.id == HeaderId::ProxyAuthorization) {
        add_credentials(header.id, header.value, out);
    } else {
        add_fact(header.id, header.value, out);
    }
}

// The next "a=NAME…" of an SDP body from `from` on, to the end of its line; empty: no other. Moves
// `from` behind it. Each line has an "a=", so the name is looked for.
std::string_view next_attribute(std::string_view body, std::string_view name, std::size_t& from) {
    for (auto at = body.find(name, from); at != std::string_view::npos;
         at = body.find(name, at + 1)) {
        if (at >= 2 && body.substr(at - 2, 2) == "a=") {
            from = at + name.size();
            const auto line = body.substr(at - 2);
            return line.substr(0, line.find_first_of("\r\n"));
        }
    }
    return {};
}

// Those of an SDP body, a line each.
void add_fingerprints(std::string_view body, std::string& out) {
    constexpr std::size_t most = 4;
    std::size_t from = 0;
    for (std::size_t n = 0; n < most; ++n) {
        const auto line = next_attribute(body, "fingerprint:", from);
        if (line.empty()) {
            return;
        }
        add_fact(HeaderId::Other, line, out);
    }
}

// The addresses of those of an SDP body that RTP may use, each as "candidate 192.0.2.1:5000".
void add_candidates(std::string_view body, std::string& out) {
    constexpr std::size_t most = 16;
    constexpr std::string_view begin = "a=candidate:";
    std::size_t from = 0;
    for (std::size_t n = 0; n < most; ++n) {
        const auto line = next_attribute(body, begin.substr(2), from);
        if (line.empty()) {
            return;
        }
        if (const auto told = sdp::rtp_candidate(line.substr(begin.size()))) {
            add_fact(HeaderId::Other, "candidate " + to_string(*told), out);
        }
    }
}

// Mostly the tag is the last parameter and has no quotes: then the rest need not be looked at.
std::optional<std::string_view> last_tag(std::string_view name_addr) {
    if (name_addr.empty()) {
        return std::nullopt;
    }
    const auto* semicolon =
        static_cast<const char*>(memrchr(name_addr.data(), ';', name_addr.size()));
    if (semicolon == nullptr) {
        return std::nullopt;
    }
    const auto* end = name_addr.data() + name_addr.size();
    const auto* param = semicolon + 1;
    constexpr std::ptrdiff_t name = 4;
    if (end - param < name || std::memcmp(param, "tag=", name) != 0 ||
        find_first<'"', '>', ',', ' ', '\t', '\r', '\n'>(param + name, end) != end) {
        return std::nullopt;
    }
    return std::string_view{param + name, end};
}

// The tag of a From or To value; empty when there is none.
std::string_view tag_of(std::string_view name_addr) {
    if (const auto tag = last_tag(name_addr)) {
        return *tag;
    }
    const auto bracket = name_addr.rfind('>');
    const auto params = name_addr.substr(bracket == std::string_view::npos ? 0 : bracket + 1);
    const auto semicolon = params.find(';');
    if (semicolon == std::string_view::npos) {
        return {};
    }
    return sip::find_param(params.substr(semicolon), "tag").value_or(std::string_view{});
}

std::uint32_t tag_key(std::string_view tag) {
    return tag.empty() ? 0 : static_cast<std::uint32_t>(hash_bytes(tag)) | 1U;
}

// "the expiration interval of a contact address": the parameter of a lone Contact, or else the
// Expires header field [RFC 3261 §10.2.1.1].
std::uint32_t expires_of(const MessageView& message) {
    if (const auto* contact = message.find(HeaderId::Contact);
        contact != nullptr && !message.repeated(HeaderId::Contact)) {
        if (const auto parsed = sip::parse_name_addr(contact->value); parsed && !parsed->more) {
            const auto param = sip::find_param(parsed->params, "expires");
            if (const auto number = param ? parse_number<std::uint32_t>(*param) : std::nullopt) {
                return *number;
            }
        }
    }
    const auto* header = message.find(HeaderId::Expires);
    const auto number =
        header != nullptr ? sip::parse_seconds(header->value) : sip::parse_seconds("");
    return number ? number->seconds : none;
}

void read_traits(const MessageView& message, Message& m) {
    const auto set = [&m](Trait t, bool on) {
        m.traits = static_cast<std::uint16_t>(m.traits | (on ? std::to_underlying(t) : 0));
    };
    if (message.is_request()) {
        const auto via = message.value(HeaderId::Via);
        constexpr std::string_view rport{"rport"}; // mostly the last
        set(Trait::Rport, via.ends_with(rport) || via.find(rport) != std::string_view::npos);
        const auto hops = parse_number<std::uint8_t>(message.value(HeaderId::MaxForwards));
        m.max_forwards = hops.value_or(255);
    }
    set(Trait::NoLength, !message.has(HeaderId::ContentLength));
    set(Trait::Credentials,
        message.has(HeaderId::Authorization) || message.has(HeaderId::ProxyAuthorization));
    set(Trait::RecordRoute, message.has(HeaderId::RecordRoute));
    set(Trait::Route, message.has(HeaderId::Route));
    set(Trait::Reliable, m.status > 100 && m.status < 200 && message.has(HeaderId::RSeq));
    set(Trait::ContactField, message.has(HeaderId::Contact));
}

} // namespace

std::string_view collect_facts(const MessageView& message, const sdp::Session* session, Message& m,
                               std::string& buffer) {
    buffer.clear();
    read_traits(message, m);
    // Which dialog: asked of what makes, acknowledges and ends one.
    const bool of_dialog = m.cseq_method == sip::Method::Invite ||
                           m.cseq_method == sip::Method::Bye || m.cseq_method == sip::Method::Ack;
    const auto tag = tag_of(message.value(HeaderId::To));
    m.to_tag = !tag.empty();
    m.answer_tag = of_dialog ? tag_key(tag) : 0;
    m.from_tag = m.method == sip::Method::Bye ? tag_key(tag_of(message.value(HeaderId::From))) : 0;
    if (m.cseq_method == sip::Method::Register || m.cseq_method == sip::Method::Subscribe) {
        m.expires = expires_of(message);
    }
    for (const auto& header : message.headers()) {
        if (is_kept[std::to_underlying(header.id)]) {
            add_field(header, buffer);
        }
    }
    if (m.method == sip::Method::Notify &&
        istarts_with(message.value(HeaderId::ContentType), "message/sipfrag")) {
        const auto body = message.body();
        add_fact(HeaderId::Other, body.substr(0, std::min(body.find_first_of("\r\n"), body.size())),
                 buffer);
    }
    const bool fingerprints = session == nullptr || session->has_fingerprints;
    const bool candidates = session == nullptr || session->has_candidates;
    if ((fingerprints || candidates) &&
        istarts_with(message.value(HeaderId::ContentType), "application/sdp")) {
        if (fingerprints) {
            add_fingerprints(message.body(), buffer);
        }
        if (candidates) {
            add_candidates(message.body(), buffer);
        }
    }
    return buffer;
}

std::optional<Facts::Field> Facts::next() {
    if (rest_.empty()) {
        return std::nullopt;
    }
    const auto id = static_cast<HeaderId>(static_cast<unsigned char>(rest_.front()));
    rest_.remove_prefix(1);
    const auto end = std::min(rest_.find('\n'), rest_.size());
    const Field field{id, rest_.substr(0, end)};
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    return field;
}

std::string_view Facts::value(HeaderId id) const {
    auto copy = *this;
    while (const auto field = copy.next()) {
        if (field->id == id) {
            return field->value;
        }
    }
    return {};
}

} // namespace cw::flow
