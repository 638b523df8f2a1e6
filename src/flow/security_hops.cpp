#include "flow/security_hops.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/secured_body.hpp"

namespace cw::flow {
namespace {

constexpr std::size_t most_hops = 64;
constexpr std::string_view uri_mark = "URI:sip:";
constexpr std::string_view dns_mark = "DNS:";

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// The CN in "CN=lab.example,O=Lab"; empty when there is none.
std::string_view common_name(std::string_view subject) {
    const auto at = subject.find("CN=");
    return at == std::string_view::npos ? std::string_view{}
                                        : subject.substr(at + 3, subject.find(',', at) - at - 3);
}

// "example.com" of "sip:bob@example.com:5061;transport=tls".
std::string_view host_of_uri(std::string_view uri) {
    uri.remove_prefix(std::min(uri.find(':') + 1, uri.size()));
    if (const auto at = uri.find('@'); at != std::string_view::npos) {
        uri.remove_prefix(at + 1);
    }
    return uri.substr(0, uri.find_first_of(uri.starts_with('[') ? "];>" : ":;>?"));
}

bool is_name(std::string_view host) {
    return host.find_first_not_of("0123456789.") != std::string_view::npos &&
           host.find(':') == std::string_view::npos && !host.starts_with('[');
}

const Connection* connection_of(const Call& call, std::uint32_t id) {
    const auto at = std::ranges::find(call.connections, id, &Connection::id);
    return id == 0 || at == call.connections.end() ? nullptr : &*at;
}

// What S/MIME encrypts, no server reads.
bool shows_key(const Call& call, const Message& m) {
    if (hides_session(m.sealed)) {
        return false;
    }
    for (std::uint32_t i = 0; i < m.media_count; ++i) {
        if (call.media_lines[m.media_begin + i].crypto_suite.length > 0) {
            return true;
        }
    }
    return false;
}

// The name that the client asked for: in its hello, or the domain of its first request.
std::string_view name_asked(const Call& call, const Hop& hop, const Connection& c) {
    if (!c.sni.empty()) {
        return c.sni;
    }
    for (const auto& m : call.messages) {
        if (m.connection == c.id && m.status == 0 && m.source == hop.client) {
            const auto host = host_of_uri(call.text(m.request_uri));
            return is_name(host) ? host : std::string_view{};
        }
    }
    return {};
}

void verify(const Call& call, const Connection& c, Hop& hop) {
    if (!c.verdict.empty()) { // somebody with the CAs at hand has judged
        hop.verified = c.verdict;
        hop.verified_good = c.verdict_good;
        return;
    }
    if (c.server_chain.empty()) {
        hop.verified = c.resumed ? "the session was resumed: its certificate was shown before"
                                 : "no certificate of the server was seen";
        return;
    }
    const auto& leaf = c.server_chain.front();
    const auto asked = name_asked(call, hop, c);
    const auto how = asked.empty() ? std::string_view{} : names_domain(leaf, asked);
    if (asked.empty()) {
        hop.verified = fmt::format("{}: no name to verify it against was seen", leaf.subject);
    } else if (how.empty()) {
        hop.verified = fmt::format("{} does not name {}, which was asked for (RFC 5922 §7.2)",
                                   leaf.subject, asked);
    } else {
        hop.verified = fmt::format("{} names {} by {}", leaf.subject, asked, how);
        hop.verified_good = true;
    }
    if (leaf.not_after.known() && c.opened > leaf.not_after) {
        hop.notes.emplace_back("the certificate of the server had expired");
        hop.verified_good = false;
    }
    if (!leaf.subject.empty() && leaf.subject == leaf.issuer) {
        hop.notes.emplace_back("the certificate of the server is signed by itself");
    }
    if (c.mutual && !c.client_chain.empty()) {
        hop.verified += fmt::format("; the client is {}", c.client_chain.front().subject);
    }
}

void describe_tls(const Call& call, const Connection& c, Hop& hop) {
    hop.client = c.client;
    hop.server = c.server;
    hop.version = c.version;
    hop.cipher = c.cipher;
    hop.mutual = c.mutual;
    const auto note = [&hop](std::string weakness) {
        if (!weakness.empty()) {
            hop.weak = true;
            hop.notes.push_back(std::move(weakness));
        }
    };
    note(weakness_of_version(c.version));
    note(weakness_of_cipher(c.cipher));
    verify(call, c, hop);
}

} // namespace

std::string_view names_domain(const Certificate& certificate, std::string_view domain) {
    bool any_uri = false;
    bool any_name = false;
    bool by_dns = false;
    for (const std::string_view name : certificate.names) {
        if (istarts_with(name, uri_mark)) {
            any_uri = true;
            // "sip:example.com", without user and parameters.
            if (iequals(name.substr(uri_mark.size()), domain)) {
                return "URI";
            }
        } else if (istarts_with(name, dns_mark)) {
            by_dns = by_dns || iequals(name.substr(dns_mark.size()), domain);
        }
        any_name = true;
    }
    // [RFC 5922 §7.1] DNS counts where no SIP URI is there, and the CN where no name is.
    if (by_dns && !any_uri) {
        return "DNS";
    }
    return !any_name && iequals(common_name(certificate.subject), domain) ? "CN" : "";
}

std::string weakness_of_version(std::string_view version) {
    if (version.starts_with("SSL")) {
        return fmt::format("{} is broken and must not be used (RFC 6176, RFC 7568)", version);
    }
    if (version == "TLSv1.0" || version == "TLSv1.1") {
        return fmt::format("{} must not be used any more (RFC 8996)", version);
    }
    return {};
}

// [RFC 9325 §4.1] what MUST NOT and what SHOULD NOT be negotiated.
std::string weakness_of_cipher(std::string_view cipher) {
    if (!has(cipher, "_WITH_")) { // of TLS 1.3, which has no weak ones [RFC 8446 §B.4]
        return {};
    }
    const auto says = [&](std::string_view what) {
        return fmt::format("{} {} (RFC 9325 §4.1)", cipher, what);
    };
    if (has(cipher, "_NULL_")) {
        return says("does not encrypt");
    }
    if (has(cipher, "_anon_")) {
        return says("authenticates nobody");
    }
    if (has(cipher, "_RC4_")) {
        return fmt::format("{} must not be used: RC4 is broken (RFC 7465)", cipher);
    }
    if (has(cipher, "EXPORT") || has(cipher, "_DES_") || has(cipher, "_3DES_") ||
        has(cipher, "_RC2_") || has(cipher, "_IDEA_")) {
        return says("has less than 112 bits of strength, or blocks of 64 bits");
    }
    if (cipher.starts_with("TLS_RSA_") || cipher.starts_with("TLS_DH_") ||
        cipher.starts_with("TLS_ECDH_")) {
        return says("has no forward secrecy: who gets the server's key reads what was recorded");
    }
    return {};
}

std::vector<Hop> hops_of(const Call& call) {
    std::vector<Hop> hops;
    Hop* last = nullptr; // most messages go where the one before went
    const auto is_on = [](const Hop& hop, const Message& m) {
        return m.connection != 0 ? hop.connection == m.connection
                                 : hop.connection == 0 && hop.transport == m.transport &&
                                       ((hop.client == m.source && hop.server == m.destination) ||
                                        (hop.server == m.source && hop.client == m.destination));
    };
    for (std::uint32_t i = 0; i < call.messages.size(); ++i) {
        const auto& m = call.messages[i];
        if (last == nullptr || !is_on(*last, m)) {
            const auto at = std::ranges::find_if(hops, [&](const Hop& h) { return is_on(h, m); });
            if (at != hops.end()) {
                last = &*at;
            } else if (hops.size() < most_hops) {
                last = &hops.emplace_back();
                last->client = m.source;
                last->server = m.destination;
                last->transport = m.transport;
                last->connection = m.connection;
                last->first = i;
                last->secure = is_secure(m.transport);
                if (const auto* c = connection_of(call, m.connection); c != nullptr) {
                    last->client = c->client;
                    last->server = c->server;
                    if (last->secure) {
                        describe_tls(call, *c, *last);
                    }
                }
            } else {
                continue;
            }
        }
        ++last->messages;
        last->keys_shown = last->keys_shown || shows_key(call, m);
    }
    return hops;
}

} // namespace cw::flow
