#include "flow/redact.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/security.hpp"
#include "sip/name_addr.hpp"

namespace cw::flow {
namespace {

constexpr std::string_view phone_signs = "+-.() ";

bool is_number(std::string_view user) {
    return !user.empty() && std::ranges::all_of(user, [](char c) {
        return is_digit(c) || phone_signs.find(c) != std::string_view::npos;
    });
}

// "no key for client random 3f9a…" names a value that only its owner's key log has.
std::string without_random(std::string_view text) {
    constexpr std::string_view random = "client random";
    const auto at = text.find(random);
    return std::string{text.substr(0, at == std::string_view::npos ? at : at + random.size())};
}

// What joins legs, without the value that they share.
std::string_view evidence_kind(std::string_view evidence) {
    for (const std::string_view kind : {"same Session-ID", "same icid", "same Call-ID"}) {
        if (evidence.starts_with(kind)) {
            return kind;
        }
    }
    return evidence;
}

} // namespace

std::size_t Redactor::number(What what, std::string_view text) {
    auto& known = numbers_[static_cast<std::size_t>(what)];
    return known.try_emplace(std::string{text}, known.size() + 1).first->second;
}

IpAddress Redactor::address(const IpAddress& address) {
    if (address.is_unspecified() || address.is_loopback()) {
        return address;
    }
    const auto n = static_cast<std::uint32_t>(addresses_.size() + 1);
    const auto [at, fresh] = addresses_.try_emplace(address);
    if (fresh && address.is_v4()) {
        // 192.0.2.0/24, and when that is used up 198.18.0.0/15.
        const auto high = static_cast<std::uint8_t>(n >> 16 & 1U);
        const std::array octets =
            n < 256 ? std::array<std::uint8_t, 4>{192, 0, 2, static_cast<std::uint8_t>(n)}
                    : std::array<std::uint8_t, 4>{198, static_cast<std::uint8_t>(18 + high),
                                                  static_cast<std::uint8_t>(n >> 8),
                                                  static_cast<std::uint8_t>(n)};
        at->second = IpAddress::v4(octets.data());
    } else if (fresh) {
        const std::array<std::uint8_t, 16> octets{0x20,
                                                  0x01,
                                                  0x0d,
                                                  0xb8,
                                                  0,
                                                  0,
                                                  0,
                                                  0,
                                                  0,
                                                  0,
                                                  0,
                                                  0,
                                                  static_cast<std::uint8_t>(n >> 24),
                                                  static_cast<std::uint8_t>(n >> 16),
                                                  static_cast<std::uint8_t>(n >> 8),
                                                  static_cast<std::uint8_t>(n)};
        at->second = IpAddress::v6(octets.data());
    }
    return at->second;
}

Endpoint Redactor::endpoint(const Endpoint& endpoint) {
    return {address(endpoint.address), endpoint.port};
}

std::string Redactor::user(std::string_view user) {
    if (user.empty() || iequals(user, "anonymous")) {
        return std::string{user};
    }
    const auto n = number(What::User, user);
    return is_number(user) ? fmt::format("{:0{}}", n, std::max<std::size_t>(user.size(), 1))
                           : fmt::format("user{}", n);
}

std::string Redactor::host(std::string_view host) {
    if (const auto known = IpAddress::parse(host)) {
        const auto text = to_string(address(*known));
        return host.starts_with('[') ? "[" + text + "]" : text;
    }
    return host.empty() ? std::string{} : fmt::format("host{}.example", number(What::Host, host));
}

std::string Redactor::name(std::string_view display_name) {
    return display_name.empty() ? std::string{}
                                : fmt::format("Name {}", number(What::Name, display_name));
}

std::string Redactor::call_id(std::string_view call_id) {
    return call_id.empty() ? std::string{}
                           : fmt::format("call-id-{}", number(What::CallId, call_id));
}

std::string Redactor::uri(std::string_view uri) {
    if (uri.empty()) {
        return {};
    }
    const auto parsed = sip::parse_name_addr(uri);
    if (!parsed || parsed->uri.scheme == sip::Scheme::None) {
        return "sip:redacted.invalid";
    }
    const auto& parts = parsed->uri;
    if (parts.scheme != sip::Scheme::Sip && parts.scheme != sip::Scheme::Sips) {
        const auto whom = parts.user.empty() ? parts.opaque : parts.user;
        return fmt::format("{}:{}", parts.scheme_text, user(whom.substr(0, whom.find(';'))));
    }
    auto out = fmt::format("{}:{}", parts.scheme_text, user(parts.user));
    out += parts.user.empty() ? "" : "@";
    out += host(parts.host);
    if (parts.port != 0) {
        out += fmt::format(":{}", parts.port);
    }
    return out;
}

std::string Redactor::words(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const auto space = std::min(text.find(' ', i), text.size());
        const auto word = text.substr(i, space - i);
        const auto digits = std::ranges::count_if(word, is_digit);
        const bool tells = digits >= 4 || word.find('@') != std::string_view::npos;
        out.append(tells ? std::string_view{"xxxx"} : word);
        out.append(space < text.size() ? " " : "");
        i = space + 1;
    }
    return out;
}

// A digit that was dialled may be a PIN, and what headers say names hosts and calls.
std::string Redactor::note(std::string_view note) {
    if (note.starts_with("DTMF ")) {
        return "DTMF x";
    }
    if (note.starts_with("Reason: ")) {
        return words(note.substr(0, note.find(";text")));
    }
    const auto colon = note.find(": ");
    const auto bracket = note.find_first_of("<@");
    return colon < bracket ? fmt::format("{}: …", note.substr(0, colon)) : uri(note);
}

Message Redactor::message(const Message& m, const Call& from, TextPool& pool) {
    auto out = m;
    out.source = endpoint(m.source);
    out.destination = endpoint(m.destination);
    out.sent_by = endpoint(m.sent_by);
    out.method_text = pool.add(from.text(m.method_text));
    out.request_uri = pool.add(uri(from.text(m.request_uri)));
    out.reason = pool.add(words(from.text(m.reason)));
    out.body_type = pool.add(from.text(m.body_type));
    out.note = m.note.length > 0 ? pool.add(note(from.text(m.note))) : Text{};
    out.problem = pool.add(from.text(m.problem)); // our own words
    out.contact = pool.add(uri(from.text(m.contact)));
    out.facts = {}; // the findings are made already
    out.badge = pool.add(words(from.text(m.badge)));
    out.words = pool.add(m.words.length > 0 ? "…" : "");
    return out;
}

Call Redactor::call(const Call& call) {
    auto out = call;
    out.pool = {};
    auto& pool = out.pool;
    const auto said = [&](Text t) { return call.text(t); };
    out.from = pool.add(uri(said(call.from)));
    out.to = pool.add(uri(said(call.to)));
    out.from_name = pool.add(name(said(call.from_name)));
    out.to_name = pool.add(name(said(call.to_name)));
    for (auto& leg : out.legs) {
        leg.call_id = pool.add(call_id(said(leg.call_id)));
        leg.from = pool.add(uri(said(leg.from)));
        leg.to = pool.add(uri(said(leg.to)));
        leg.from_name = pool.add(name(said(leg.from_name)));
        leg.to_name = pool.add(name(said(leg.to_name)));
    }
    for (auto& join : out.joins) {
        join.evidence = pool.add(evidence_kind(said(join.evidence)));
    }
    for (auto& m : out.messages) {
        m = message(m, call, pool);
    }
    for (auto& line : out.media_lines) {
        line.receive = endpoint(line.receive);
        for (auto* text :
             {&line.type, &line.profile, &line.codecs, &line.crypto_suite, &line.cryptos}) {
            *text = pool.add(said(*text));
        }
    }
    for (auto& s : out.streams) {
        s = stream(s, call.pool, pool);
    }
    for (auto& c : out.connections) {
        c = connection(c);
    }
    for (auto& finding : out.findings) {
        finding.evidence.clear(); // names users and addresses
    }
    out.security = judge_security(out);
    return out;
}

void Redactor::certificates(std::vector<Certificate>& chain) {
    for (auto& certificate : chain) {
        certificate.subject = fmt::format("CN={}", host(certificate.subject));
        certificate.issuer = fmt::format("CN={}", host(certificate.issuer));
        for (auto& name : certificate.names) {
            const auto colon = std::min(name.find(':'), name.size());
            name =
                fmt::format("{}:{}", std::string_view{name}.substr(0, colon),
                            host(std::string_view{name}.substr(std::min(colon + 1, name.size()))));
        }
    }
}

Connection Redactor::connection(const Connection& connection) {
    auto out = connection;
    out.client = endpoint(connection.client);
    out.server = endpoint(connection.server);
    out.sni = host(connection.sni);
    out.reason = without_random(connection.reason);
    out.key_hint = without_random(connection.key_hint);
    certificates(out.server_chain);
    certificates(out.client_chain);
    return out;
}

MediaStream Redactor::stream(const MediaStream& stream, const TextPool& texts, TextPool& out) {
    auto masked = stream;
    masked.source = endpoint(stream.source);
    masked.destination = endpoint(stream.destination);
    masked.codec = out.add(texts.view(stream.codec));
    masked.srtp = out.add(texts.view(stream.srtp));
    masked.suite = out.add(texts.view(stream.suite));
    masked.srtp_problem = out.add(without_random(std::string{texts.view(stream.srtp_problem)}));
    for (auto& digit : masked.dtmf) {
        digit.digit = 'x';
    }
    return masked;
}

} // namespace cw::flow
