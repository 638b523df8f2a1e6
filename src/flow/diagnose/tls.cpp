// Connections: TLS that is refused, weak or too old, sips that is not kept, streams that break off.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "base/text.hpp"
#include "flow/box_names.hpp"
#include "flow/diagnose/families.hpp"
#include "flow/facts.hpp"
#include "flow/secured_body.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::Method;

std::string ends_of(const Connection& c) {
    return fmt::format("{} → {}", shown(c.client), shown(c.server));
}

std::string day_of(Instant time) {
    return to_rfc3339(time).substr(0, 10);
}

// The rule that a fatal alert belongs to; empty for one that says nothing of its own.
std::string_view rule_of_alert(const Alert& alert) {
    switch (alert.number) {
    case 40: // handshake_failure
    case 70: // protocol_version
    case 71: // insufficient_security
        return "D47";
    case 42: // bad_certificate
    case 43: // unsupported_certificate
    case 46: // certificate_unknown
    case 48: // unknown_ca
        return "D48";
    case 45: // certificate_expired
        return "D49";
    case 116: // certificate_required
        return "D51";
    case 112: // unrecognized_name
        return "D52";
    default:
        return {};
    }
}

// D47, D48, D49, D51, D52: an alert says who refuses whom.
void check_alerts(const Connection& c, Findings& out) {
    for (const auto& alert : c.alerts) {
        const auto rule = alert.fatal ? rule_of_alert(alert) : std::string_view{};
        if (rule.empty()) {
            continue;
        }
        auto words = fmt::format("{}: alert {} ({}) from the {}", ends_of(c), alert.name,
                                 alert.number, alert.from_client ? "client" : "server");
        if (rule == "D47" && !c.offered.empty()) {
            words += fmt::format("; the client offers {}", quoted(c.offered, 80));
        }
        const auto& refused = alert.from_client ? c.server_chain : c.client_chain;
        if ((rule == "D48" || rule == "D49") && !refused.empty()) {
            words +=
                fmt::format("; it refuses {} issued by {}, sent with {} of its chain",
                            quoted(refused.front().subject, 60), quoted(refused.front().issuer, 60),
                            refused.size() == 1 ? std::string{"nothing more"}
                                                : std::to_string(refused.size() - 1));
        }
        out.add(rule, {}, std::move(words)).connections = {c.id};
        return;
    }
}

// D49, by the dates: the clock is that of the capture.
void check_dates(const Connection& c, Findings& out) {
    const auto now = c.hello.known() ? c.hello : c.opened;
    for (const auto* chain : {&c.server_chain, &c.client_chain}) {
        if (chain->empty() || !now.known() || out.has("D49")) {
            continue;
        }
        const auto& leaf = chain->front();
        const auto* whose = chain == &c.server_chain ? "server" : "client";
        if (leaf.not_after.known() && leaf.not_after < now) {
            out.add(
                   "D49", {},
                   fmt::format("{}: the certificate of the {} ended on {}, the handshake was on {}",
                               ends_of(c), whose, day_of(leaf.not_after), day_of(now)))
                .connections = {c.id};
        } else if (leaf.not_before.known() && now < leaf.not_before) {
            out.add("D49", {},
                    fmt::format("{}: the certificate of the {} begins on {}, the handshake was on "
                                "{}: is a clock wrong?",
                                ends_of(c), whose, day_of(leaf.not_before), day_of(now)))
                .connections = {c.id};
        } else if (leaf.not_after.known() && leaf.not_before.known() &&
                   leaf.not_after - now < seconds(14 * 86'400) &&
                   leaf.not_after - leaf.not_before > seconds(60 * 86'400)) {
            auto& finding = out.add("D49", {},
                                    fmt::format("{}: the certificate of the {} ends on {}",
                                                ends_of(c), whose, day_of(leaf.not_after)));
            finding.connections = {c.id};
            set_severity(finding, Severity::Warning);
        }
    }
}

// The CN of "CN=example.com,O=Example"; empty when there is none.
std::string_view common_name(std::string_view subject) {
    const auto at = subject.starts_with("CN=") ? 3 : subject.find(",CN=");
    if (at == std::string_view::npos) {
        return {};
    }
    const auto name = subject.substr(at == 3 ? 3 : at + 4);
    return name.substr(0, name.find_first_of(",+"));
}

// D50: what the client asked for stands in no subjectAltName.
void check_name(const Connection& c, Findings& out) {
    if (c.server_chain.empty() || c.sni.empty()) {
        return;
    }
    bool wildcard = false;
    for (const auto& name : c.server_chain.front().names) {
        auto value = std::string_view{name};
        value.remove_prefix(std::min(value.find(':') + 1, value.size()));
        if (istarts_with(name, "URI:")) {
            value = host_of(value);
        }
        if (iequals(value, c.sni)) {
            return;
        }
        wildcard |= value.starts_with("*.") && c.sni.ends_with(value.substr(1));
    }
    // "If the certificate has no subjectAltName […]" the CN of its subject may be looked at
    // [RFC 5922 §7.1].
    const auto& leaf = c.server_chain.front();
    if (leaf.names.empty() && iequals(common_name(leaf.subject), c.sni)) {
        return;
    }
    const bool refused = std::ranges::any_of(
        c.alerts, [](const Alert& alert) { return alert.fatal && alert.from_client; });
    std::string names;
    for (const auto& name : c.server_chain.front().names) {
        names += names.empty() ? "" : ", ";
        names += quoted(name, 60);
        if (names.size() > 200) {
            break;
        }
    }
    auto& finding = out.add("D50", {},
                            fmt::format("{}: asked for {}, the certificate has {}", ends_of(c),
                                        quoted(c.sni, 80), names.empty() ? "no names" : names));
    finding.connections = {c.id};
    if (!refused) {
        set_severity(finding, wildcard ? Severity::Note : Severity::Warning);
    }
}

// D53.
void check_no_server_hello(const Connection& c, const Window& window, Findings& out) {
    // Where not even the server's SYN is there, nothing of its side was captured.
    if (!c.hello.known() || !c.start_seen || !c.accepted || !c.cipher.empty() ||
        !c.alerts.empty() || c.handshake_done || c.missing_bytes > 0 || c.sip_messages > 0) {
        return;
    }
    const auto end = c.fin || c.rst ? c.closed : window.end;
    const auto waited = end - c.hello;
    if (waited < seconds(3) && !c.fin && !c.rst) {
        return;
    }
    out.add("D53", {},
            fmt::format("{}: ClientHello, and no answer; {} after {}", ends_of(c),
                        c.rst   ? "reset"
                        : c.fin ? "closed"
                                : "nothing",
                        shown(waited)),
            Confidence::Likely)
        .connections = {c.id};
}

// D55.
void check_close(const Connection& c, Findings& out) {
    if (c.is_tls() && c.decrypted && c.sip_messages > 0 && (c.fin || c.rst) &&
        !c.close_notify_client && !c.close_notify_server && c.alerts.empty() &&
        c.missing_bytes == 0) {
        out.add("D55", {},
                fmt::format("{}: {} without close_notify", ends_of(c), c.rst ? "reset" : "closed"))
            .connections = {c.id};
    }
}

// What of a chain is too short or signed by a broken hash [RFC 9325 §4.5]. A root's own signature
// proves nothing to anybody.
std::string weakness_of(const std::vector<Certificate>& chain) {
    constexpr std::uint16_t least_rsa = 2048;
    constexpr std::uint16_t least_ec = 224;
    for (const auto& one : chain) {
        const bool rsa = one.key.starts_with("RSA");
        const auto least = rsa ? least_rsa : one.key == "EC" ? least_ec : std::uint16_t{0};
        const auto* whose =
            &one == &chain.front() ? "the certificate" : "a certificate of the chain";
        if (one.key_bits > 0 && one.key_bits < least) {
            return fmt::format("{} has an {} key of {} bits", whose, one.key, one.key_bits);
        }
        const bool broken = one.signature.find("sha1") != std::string::npos ||
                            one.signature.find("SHA1") != std::string::npos ||
                            one.signature.find("md5") != std::string::npos;
        if (broken && one.subject != one.issuer) {
            return fmt::format("{} is signed by {}", whose, one.signature);
        }
    }
    return {};
}

// D62.
void check_weak(const Connection& c, Findings& out) {
    if (c.cipher.empty()) {
        return;
    }
    std::string why;
    if (c.version == "SSLv3" || c.version == "TLSv1.0" || c.version == "TLSv1" ||
        c.version == "TLSv1.1") {
        why = c.version;
    }
    for (const std::string_view bad : {"NULL", "EXPORT", "RC4", "3DES", "_anon_", "MD5"}) {
        if (c.cipher.find(bad) != std::string::npos) {
            why += why.empty() ? "" : ", ";
            why += bad;
        }
    }
    bool broken = !why.empty();
    const auto weak_chain = weakness_of(c.server_chain);
    if (!weak_chain.empty()) {
        why += why.empty() ? "" : ", ";
        why += weak_chain;
    }
    if (c.cipher.starts_with("TLS_RSA_WITH")) {
        why += why.empty() ? "" : ", ";
        why += "no forward secrecy";
    }
    if (why.empty()) {
        return;
    }
    auto& finding =
        out.add("D62", {}, fmt::format("{}: {} with {}: {}", ends_of(c), c.version, c.cipher, why));
    finding.connections = {c.id};
    broken = broken || !weak_chain.empty();
    set_severity(finding, broken ? Severity::Warning : Severity::Note);
}

// D56: the connection that the call was set up over is gone, and the call is not.
void check_closed_within_call(const Case& c, Findings& out) {
    const auto& call = c.call();
    if (!call.answered.known()) {
        return;
    }
    for (const auto& connection : call.connections) {
        if ((!connection.fin && !connection.rst) || connection.closed <= call.answered) {
            continue;
        }
        Instant last;
        bool carried = false;
        for (const auto& m : call.messages) {
            if (m.connection == connection.id && m.time <= connection.closed) {
                last = m.time;
                carried |= m.cseq_method == Method::Invite;
            }
        }
        if (!carried) {
            continue;
        }
        for (const auto& t : c.transactions()) {
            if (t.request == none || !t.in_dialog || t.method == Method::Cancel ||
                c.at(t.request).time <= connection.closed ||
                c.at(t.request).connection == connection.id) {
                continue;
            }
            const bool ends_fit = c.at(t.request).source.address == connection.server.address ||
                                  c.at(t.request).source.address == connection.client.address;
            const bool lost = t.final == none || t.status >= 400;
            if (!ends_fit || c.watched_after(t.request) < seconds(1)) {
                continue;
            }
            auto& finding = out.add(
                "D56", {t.request},
                fmt::format("{} {} after {} of silence; then {} over another connection{}",
                            ends_of(connection), connection.rst ? "was reset" : "was closed",
                            shown(connection.closed - last),
                            quoted(c.text(c.at(t.request).method_text), 16),
                            t.final == none ? ", unanswered"
                            : lost          ? fmt::format(", answered {}", t.status)
                                            : std::string{}),
                Confidence::Likely);
            finding.connections = {connection.id};
            if (!lost) {
                set_severity(finding, Severity::Note);
            }
            return;
        }
    }
}

// D58: on a stream the length is the only end of a message [RFC 3261 §18.3].
void check_framing(const Case& c, Findings& out) {
    std::vector<std::uint32_t> found;
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size() && found.size() < 12; ++i) {
        const auto& m = messages[i];
        const bool stream = m.transport == Transport::Tcp || m.transport == Transport::Tls;
        if (stream && m.has(Trait::NoLength) && m.is_first() && !m.truncated) {
            found.push_back(i);
        }
    }
    if (!found.empty()) {
        out.add("D58", std::move(found), "a message on a stream has no Content-Length");
        return;
    }
    for (const auto& connection : c.call().connections) {
        if (connection.stray.frame == 0 || connection.missing_bytes > 0) {
            continue;
        }
        for (auto i = static_cast<std::uint32_t>(messages.size()); i-- > 0;) {
            const auto& m = messages[i];
            if (m.connection != connection.id || m.frame != connection.stray.frame ||
                (m.source == connection.client) != connection.stray.from_client) {
                continue;
            }
            out.add("D58", {i},
                    fmt::format("{} bytes follow this message that belong to no message: its "
                                "Content-Length says less than it has",
                                connection.stray.bytes))
                .connections = {connection.id};
            return;
        }
    }
}

// D60: "If a request is within 200 bytes of the path MTU, or if it is larger than 1300 bytes and
// the path MTU is unknown, the request MUST be sent using […] TCP" [RFC 3261 §18.1.1].
void check_size(const Case& c, Findings& out) {
    constexpr std::uint32_t largest = 1300;
    for (const auto& t : c.transactions()) {
        if (t.request == none || c.at(t.request).transport != Transport::Udp ||
            c.at(t.request).size <= largest) {
            continue;
        }
        const bool lost = t.final == none && t.provisional == none && t.trying == none;
        if (lost && t.sendings < 3) {
            continue;
        }
        auto& finding = out.add("D60", {t.request},
                                fmt::format("{} of {} bytes over UDP{}",
                                            quoted(c.text(c.at(t.request).method_text), 16),
                                            c.at(t.request).size,
                                            lost ? ", sent again and again without an answer" : ""),
                                lost ? Confidence::Likely : Confidence::Certain);
        if (!lost) {
            set_severity(finding, Severity::Note);
        }
        return;
    }
}

// D61.
void check_sips(const Case& c, Findings& out) {
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        if (!m.sips || m.status != 0 || !m.is_first()) {
            continue;
        }
        if (m.transport == Transport::Udp || m.transport == Transport::Tcp ||
            m.transport == Transport::Ws) {
            out.add("D61", {i},
                    fmt::format("{} {} went to {} over {}", quoted(c.text(m.method_text), 16),
                                quoted(c.text(m.request_uri), 80), shown(m.destination),
                                to_string(m.transport)));
            return;
        }
        // "If the Request-URI […] contains a SIPS URI, the Contact header field MUST contain a SIPS
        // URI as well." [RFC 3261 §8.1.1.8]
        if (m.method == Method::Invite && m.vias == 1 && m.contact.length > 0 &&
            istarts_with(c.text(m.contact), "sip:")) {
            auto& finding = out.add("D61", {i},
                                    fmt::format("the Request-URI is sips and the Contact {}",
                                                quoted(c.text(m.contact), 80)));
            set_severity(finding, Severity::Warning);
            return;
        }
        // "[…] the Contact header field in the response MUST be a SIPS URI" [RFC 3261 §12.1.1]
        const auto number = c.transaction_of(i);
        const auto answer = number == none ? none : c.transactions()[number].final;
        if (m.method == Method::Invite && answer != none && c.at(answer).status < 300 &&
            istarts_with(c.text(c.at(answer).contact), "sip:")) {
            auto& finding =
                out.add("D61", {answer, i},
                        fmt::format("the Request-URI is sips and the answer has Contact "
                                    "{}",
                                    quoted(c.text(c.at(answer).contact), 80)));
            set_severity(finding, Severity::Warning);
            return;
        }
    }
}

// D64.
void check_smime(const Case& c, Findings& out) {
    const auto& messages = c.call().messages;
    const auto damaged = std::ranges::find_if(messages, [](const Message& m) {
        return m.is_first() &&
               m.sealed == static_cast<std::uint32_t>(SecuredBody::Sealed::Unreadable);
    });
    if (damaged != messages.end()) {
        out.add("D64", {static_cast<std::uint32_t>(damaged - messages.begin())},
                quoted(c.text(damaged->badge), 200));
        return;
    }
    for (const auto& t : c.transactions()) {
        if (t.request == none || (t.status != 493 && t.status != 415)) {
            continue;
        }
        const auto type = c.text(c.at(t.request).body_type);
        const bool smime =
            type.find("pkcs7") != std::string_view::npos || istarts_with(type, "multipart/signed");
        if (t.status == 493 || smime) {
            out.add("D64", {t.final, t.request},
                    fmt::format("{} to a body of type {}", t.status, quoted(type, 60)));
            return;
        }
    }
}

// D65.
void check_signatures(const Case& c, Findings& out) {
    constexpr auto not_good = static_cast<std::uint32_t>(SecuredBody::Signed::Bad);
    for (std::uint32_t i = 0; i < c.call().messages.size(); ++i) {
        const auto& m = c.at(i);
        if (m.is_signed == not_good && m.is_first()) {
            out.add("D65", {i}, quoted(c.text(m.badge), 200));
            return;
        }
    }
}

} // namespace

void check_connection(const Connection& connection, const Window& window, Findings& out) {
    if (!connection.is_tls()) {
        return;
    }
    check_alerts(connection, out);
    check_dates(connection, out);
    check_name(connection, out);
    check_no_server_hello(connection, window, out);
    check_close(connection, out);
    check_weak(connection, out);
}

void check_transport(const Case& c, Findings& out) {
    check_closed_within_call(c, out);
    check_framing(c, out);
    check_size(c, out);
    check_sips(c, out);
    check_smime(c, out);
    check_signatures(c, out);
}

} // namespace cw::flow::diagnose
