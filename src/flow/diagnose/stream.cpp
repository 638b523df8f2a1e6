// Connections: those that are refused, that speak the wrong language, that are made anew for each
// request, or that die under it.
#include <algorithm>
#include <span>
#include <tuple>
#include <vector>

#include <fmt/format.h>

#include "flow/diagnose/diagnose.hpp"
#include "flow/diagnose/families.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::Method;

constexpr std::uint16_t plain_port = 5060; // [RFC 3261 §19.1.2]
constexpr std::uint16_t tls_port = 5061;

std::string between(const Connection& c) {
    return fmt::format("{} → {}", shown(c.client), shown(c.server));
}

// D45, D41.
void check_refused_connection(const Connection& c, const Window& window, Findings& out) {
    if (c.bytes > 0 || c.accepted || !c.start_seen || c.hello.known() || c.sip_messages > 0 ||
        (!c.rst && window.end - c.opened < seconds(3))) {
        return;
    }
    const auto how = c.rst ? "refused" : "not answered";
    if (c.to_client) {
        out.add("D41", {},
                fmt::format("{}: {}; that is the port from which a connection to a SIP server was "
                            "opened, and nobody listens there",
                            between(c), how))
            .connections = {c.id};
        return;
    }
    out.add("D45", {}, fmt::format("{}: {}", between(c), how),
            c.rst ? Confidence::Certain : Confidence::Likely)
        .connections = {c.id};
}

// D46: a ClientHello at the port where SIP is spoken without TLS.
void check_tls_at_plain_port(const Connection& c, Findings& out) {
    if (c.hello.known() && c.server.port == plain_port && c.cipher.empty() && c.accepted &&
        !c.handshake_done && c.missing_bytes == 0 && (c.fin || c.rst)) {
        out.add("D46", {},
                fmt::format("{}: ClientHello, and no ServerHello; port {} is for SIP without TLS",
                            between(c), plain_port),
                Confidence::Likely)
            .connections = {c.id};
    }
}

// D46, the other way round.
void check_plain_at_tls_port(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.request == none || t.final != none || t.provisional != none || t.trying != none ||
            c.at(t.request).transport != Transport::Tcp || t.server.port != tls_port) {
            continue;
        }
        const auto* connection = c.connection(c.at(t.request).connection);
        if (connection != nullptr && (connection->fin || connection->rst)) {
            out.add("D46", {t.request},
                    fmt::format("{} in clear to port {}, and the connection is {}",
                                quoted(c.text(c.at(t.request).method_text), 16), tls_port,
                                connection->rst ? "reset" : "closed"),
                    Confidence::Likely)
                .connections = {connection->id};
            return;
        }
    }
}

// D59.
void check_keep_alive(const Connection& c, const Window& window, Findings& out) {
    if (!c.unanswered_ping.known()) {
        return;
    }
    constexpr Duration patience = seconds(10); // [RFC 5626 §4.4.1]
    const auto end = c.fin || c.rst ? c.closed : window.end;
    if (end - c.unanswered_ping < patience) {
        return;
    }
    auto& finding =
        out.add("D59", {},
                fmt::format("{}: CRLF CRLF from the client, and no CRLF from the server in {}{}",
                            between(c), shown(end - c.unanswered_ping),
                            c.heard_after_ping ? "; later it sent something else" : ""),
                Confidence::Likely);
    finding.connections = {c.id};
    // It lives, and only does not know the keep-alive [RFC 5626 §4.4.1 asks that of edge proxies].
    if (c.heard_after_ping) {
        set_severity(finding, Severity::Note);
    }
}

// D54: connections of one client to one server, each with a whole handshake.
void check_handshakes_again(const Case& c, Findings& out) {
    constexpr std::size_t many = 4;
    std::vector<const Connection*> full;
    for (const auto& connection : c.call().connections) {
        const bool carried = std::ranges::any_of(
            c.call().messages, [&](const Message& m) { return m.connection == connection.id; });
        if (carried && connection.is_tls() && connection.start_seen && connection.handshake_done &&
            !connection.resumed) {
            full.push_back(&connection);
        }
    }
    std::ranges::stable_sort(full, {}, [](const Connection* one) { return one->opened.ns; });
    for (std::size_t i = 0; i + many <= full.size(); ++i) {
        std::vector<std::uint32_t> same;
        Instant last;
        for (auto j = i; j < full.size() && full[j]->opened - full[i]->opened < seconds(60); ++j) {
            if (full[j]->client.address == full[i]->client.address &&
                full[j]->server == full[i]->server) {
                same.push_back(full[j]->id);
                last = full[j]->opened;
            }
        }
        if (same.size() >= many) {
            const auto count = same.size();
            out.add("D54", {},
                    fmt::format("{} connections from {} to {} within {}, each with a full "
                                "handshake",
                                count, to_string(full[i]->client.address), shown(full[i]->server),
                                shown(last - full[i]->opened)))
                .connections = std::move(same);
            return;
        }
    }
}

// D57: the answer goes over the connection on which the request came [RFC 3261 §18.2.2].
void check_died_under_request(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.request == none || t.method == Method::Ack) {
            continue;
        }
        const auto& request = c.at(t.request);
        const auto* connection = c.connection(request.connection);
        if (connection == nullptr || (!connection->fin && !connection->rst) ||
            connection->closed < request.time || c.window().end - connection->closed < seconds(1) ||
            connection->missing_bytes > 0) {
            continue;
        }
        const bool elsewhere = t.final != none && c.at(t.final).connection != connection->id &&
                               c.at(t.final).time > connection->closed;
        if (t.final != none && !elsewhere) {
            continue;
        }
        auto& finding =
            out.add("D57", {t.request, t.final},
                    fmt::format("{}: {} {} after {}, {}", between(*connection),
                                connection->rst ? "reset" : "closed",
                                shown(connection->closed - request.time),
                                quoted(c.text(request.method_text), 16),
                                elsewhere ? "whose answer then came over another connection"
                                          : "which was never answered"),
                    Confidence::Likely);
        finding.connections = {connection->id};
        if (elsewhere) {
            set_severity(finding, Severity::Note);
        }
        return;
    }
}

} // namespace

void ConnectionCrowd::add(const Connection& connection) {
    const auto lasted = connection.closed - connection.opened;
    if (connection.is_tls() && connection.start_seen && connection.handshake_done &&
        !connection.resumed && connection.sip_messages > 0 && (connection.fin || connection.rst) &&
        lasted < seconds(60)) {
        brief_.push_back({connection.client.address, connection.server, connection.opened, lasted,
                          connection.id});
    }
}

std::vector<Finding> ConnectionCrowd::judge() const {
    constexpr std::size_t many = 4;
    constexpr std::size_t most_named = 12;
    auto sorted = brief_;
    std::ranges::sort(sorted, {}, [](const Brief& one) {
        return std::tuple{one.client, one.server, one.opened.ns};
    });
    std::span<const Brief> worst;
    for (std::size_t begin = 0, end = 0; end < sorted.size(); ++end) {
        while (sorted[begin].client != sorted[end].client ||
               sorted[begin].server != sorted[end].server ||
               sorted[end].opened - sorted[begin].opened >= seconds(60)) {
            ++begin;
        }
        if (end + 1 - begin > worst.size()) {
            worst = std::span{sorted}.subspan(begin, end + 1 - begin);
        }
    }
    if (worst.size() < many) {
        return {};
    }
    Duration longest;
    std::vector<std::uint32_t> ids;
    for (const auto& one : worst) {
        longest = std::max(longest, one.lasted);
        if (ids.size() < most_named) {
            ids.push_back(one.id);
        }
    }
    Findings out;
    out.add("D54", {},
            fmt::format("{} connections from {} to {} within {}, each with a full handshake and "
                        "closed after {} at most",
                        worst.size(), to_string(worst.front().client), shown(worst.front().server),
                        shown(worst.back().opened - worst.front().opened), shown(longest)))
        .connections = std::move(ids);
    return out.take();
}

void check_stream(const Connection& connection, const Window& window, Findings& out) {
    check_refused_connection(connection, window, out);
    check_tls_at_plain_port(connection, out);
    check_keep_alive(connection, window, out);
}

void check_streams(const Case& c, Findings& out) {
    check_plain_at_tls_port(c, out);
    check_handshakes_again(c, out);
    check_died_under_request(c, out);
}

} // namespace cw::flow::diagnose
