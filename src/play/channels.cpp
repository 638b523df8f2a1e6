#include <algorithm>

#include <fmt/format.h>

#include "base/text.hpp"
#include "play/sound.hpp"
#include "play/state.hpp"
#include "script/registry.hpp"

namespace cw::play {

using sip::Transport;

namespace {

Transport transport_of(const State& s, const Arrow& a) {
    switch (std::get<script::Channel>(a.content).carrier) {
    case script::Carrier::Tls:
        return Transport::Tls;
    case script::Carrier::Tcp:
        return Transport::Tcp;
    case script::Carrier::Wss:
        return Transport::Wss;
    case script::Carrier::Dtls:
        break;
    }
    return s.cast.transport(a.from, a.to);
}

std::string version_name(std::uint8_t version) {
    return fmt::format("TLS {}.{}", version / 10, version % 10);
}
// "TLSv1.3" → "TLS 1.3"
std::string version_name(std::string_view facts) {
    return facts.empty()
               ? "no TLS"
               : "TLS " + std::string{facts.substr(std::min(facts.size(), std::size_t{4}))};
}

Handshake handshake_of(const State& s, const Arrow& a) {
    Handshake out;
    out.server_name = s.cast.members[a.to].name;
    out.version = std::get<script::Channel>(a.content).version;
    out.mutual = script::says(a.facts, script::Word::Mutual);
    out.resume = script::says(a.facts, script::Word::Resumed);
    if (const auto* name = script::find<script::ServerName>(a.facts)) {
        out.server_name = name->name;
    }
    if (const auto* cipher = script::find<script::Cipher>(a.facts)) {
        out.cipher = cipher->name;
    }
    if (const auto* key = script::find<script::Key>(a.facts)) {
        out.key = key->kind;
    }
    if (const auto* bad = script::find<script::BadCertificate>(a.facts)) {
        // "Unsaid: of the side that opens the connection."
        if (bad->of.value_or(a.from) == a.from) {
            out.own_fault = bad->fault;
            out.mutual = true;
        } else {
            out.peer_fault = bad->fault;
        }
    }
    return out;
}

} // namespace

std::optional<PartyId> State::peer_of(const Wire& wire, PartyId owner) const {
    for (const auto& line : lines) {
        if (line.owner == owner && line.wire == wire && line.peer) {
            return line.peer;
        }
    }
    if (!wire.reliable()) {
        if (const auto known = cast.find(wire.remote)) {
            return known;
        }
    }
    for (const auto& line : lines) { // the other end of a connection of ours
        if (line.owner != owner && line.wire.local == wire.remote &&
            line.wire.remote == wire.local) {
            return line.owner;
        }
    }
    return std::nullopt;
}

std::optional<PartyId> State::outsider_at(const Wire& wire, PartyId owner) const {
    if (const auto known = peer_of(wire, owner)) {
        return known;
    }
    std::optional<PartyId> other;
    for (PartyId i = 0; i < plan.parties.size(); ++i) {
        if (!ours(i)) {
            if (other) {
                return std::nullopt;
            }
            other = i;
        }
    }
    return other;
}

std::optional<Wire> State::way(StepId step, PartyId from, PartyId to) {
    auto& wait = waiting[step];
    auto found = find_way(wait.token, from, to);
    if (found) {
        return *found;
    }
    if (!found.error().empty()) {
        failed(step, Verdict::Missing, found.error());
        stop("");
    }
    return std::nullopt;
}

std::expected<Wire, std::string> State::find_way(std::optional<std::uint32_t>& token, PartyId from,
                                                 PartyId to) {
    const auto transport = cast.transport(from, to);
    const auto at = cast.reach(from, to, transport);
    if (!at) {
        return std::unexpected{fmt::format("{} is not reached over {}", plan.parties[to].id,
                                           via_transport(transport))};
    }
    if (!sip::is_reliable(transport)) {
        Wire wire;
        wire.transport = Transport::Udp;
        const auto& own = cast.members[from];
        const bool second = own.udp6 && !at->address.is_v4();
        wire.connection = second ? *own.udp6 : from;
        wire.remote = *at;
        wire.local = (second ? own.at6 : own.at)[static_cast<std::size_t>(Transport::Udp)].value_or(
            Endpoint{});
        return wire;
    }
    for (auto i = lines.size(); i-- > 0;) {
        const auto& line = lines[i];
        if (line.open && line.owner == from && line.peer == to &&
            line.wire.transport == transport) {
            return line.wire;
        }
    }
    if (token) {
        const auto asked = std::ranges::find(dialling, *token, &Dialling::token);
        if (asked != dialling.end() && asked->refused) {
            const bool stranger = !ours(to) && (asked->why.contains("issuer certificate") ||
                                                asked->why.contains("self-signed"));
            return std::unexpected{fmt::format("there is no connection to {}: {}{}",
                                               plan.parties[to].id, asked->why,
                                               stranger ? "; --trust FILE takes its CA" : "")};
        }
        return std::unexpected{std::string{}};
    }
    // Somebody else may be dialling the same way.
    for (const auto& other : dialling) {
        const bool there =
            std::ranges::any_of(lines, [&](const Line& line) { return line.token == other.token; });
        if (other.from == from && other.to == to && other.transport == transport && !other.step &&
            !there) {
            token = other.token;
            return std::unexpected{std::string{}};
        }
    }
    Connect connect;
    connect.token = next_token++;
    connect.from = from;
    connect.to = to;
    connect.at = *at;
    connect.transport = transport;
    connect.handshake.server_name = cast.members[to].name;
    token = connect.token;
    dialling.push_back({connect.token, from, to, transport, std::nullopt, false, ""});
    wants.connects.push_back(std::move(connect));
    return std::unexpected{std::string{}};
}

// A connection that is drawn.
bool State::perform_channel(StepId step) {
    const auto& a = arrow(step);
    auto& wait = waiting[step];
    const auto transport = transport_of(*this, a);
    if (std::get<script::Channel>(a.content).carrier == script::Carrier::Dtls) {
        return sound->perform_dtls(step, a);
    }
    const bool must_fail = script::is_lost(a.link);
    const auto* bad = script::find<script::BadCertificate>(a.facts);
    if (bad != nullptr &&
        plan.parties[bad->of.value_or(a.from)].control == script::Control::Embedded) {
        schedule.received(step, now);
        failed(step, Verdict::Failed,
               "an embedded server shows no wrong certificate: say (played) of it");
        return true;
    }
    if (!ours(a.from)) { // it comes to us
        const auto line = std::ranges::find_if(lines, [&](const Line& l) {
            return l.owner == a.to && !l.opened_by_us && !l.claimed &&
                   l.wire.transport == transport && l.peer.value_or(a.from) == a.from;
        });
        auto* attempt = unaccepted(a.to, a.from, transport);
        if (line == lines.end() && attempt == nullptr) {
            return false;
        }
        schedule.received(step, now);
        report_of(step).at = now;
        if (line == lines.end()) {
            attempt->claimed = true;
            refusal(step, must_fail, attempt->why, attempt->facts);
            return true;
        }
        line->claimed = true;
        line->peer = a.from;
        if (must_fail) {
            failed(step, Verdict::Unexpected, "the handshake was accepted");
            return true;
        }
        passed(step);
        check_channel(step, *line);
        return true;
    }
    if (const auto* after = script::find<script::After>(a.facts);
        after != nullptr && now < wait.since + after->time) {
        return false;
    }
    if (!wait.token) {
        const auto at = cast.reach(a.from, a.to, transport);
        if (!at) {
            failed(step, Verdict::Missing,
                   fmt::format("{} is not reached over {}", plan.parties[a.to].id,
                               via_transport(transport)));
            stop("");
            return true;
        }
        Connect connect;
        connect.token = next_token++;
        connect.from = a.from;
        connect.to = a.to;
        connect.at = *at;
        connect.transport = transport;
        connect.handshake = handshake_of(*this, a);
        connect.drawn = true;
        wait.token = connect.token;
        dialling.push_back({connect.token, a.from, a.to, transport, step, false, ""});
        wants.connects.push_back(std::move(connect));
        return false;
    }
    const auto asked = std::ranges::find(dialling, *wait.token, &Dialling::token);
    const auto line =
        std::ranges::find_if(lines, [&](const Line& l) { return l.token == *wait.token; });
    auto& here = report_of(step);
    here.at = now;
    if (asked->refused || (must_fail && line != lines.end() && !line->open)) {
        const auto& facts = asked->refused ? asked->facts : line->facts;
        const auto why = asked->refused ? asked->why : line->why_closed;
        schedule.received(step, now);
        refusal(step, must_fail, why, facts);
        return true;
    }
    if (line == lines.end()) {
        return false;
    }
    if (!line->open && !must_fail) {
        schedule.received(step, now);
        failed(step, Verdict::Failed, "the connection was refused: " + line->why_closed);
        stop("");
        return true;
    }
    // In TLS 1.3 the refusal of a client's certificate comes after the handshake.
    const bool judged = bad != nullptr || script::says(a.facts, script::Word::Mutual);
    if (judged && !must_fail && !ours(a.to) && now < line->since + milliseconds(300)) {
        return false;
    }
    if (must_fail) {
        // In TLS 1.3 a client is done before the server has looked at its certificate.
        if (now < wait.since + seconds(3)) {
            return false;
        }
        schedule.received(step, now);
        failed(step, Verdict::Unexpected, "the handshake was accepted");
        wants.closes.push_back(line->wire);
        line->open = false;
        return true;
    }
    // Both ends, where both are played.
    const auto other = std::ranges::find_if(
        lines, [&](const Line& l) { return l.owner == a.to && l.wire.remote == line->wire.local; });
    if (ours(a.to) && other == lines.end()) {
        return false;
    }
    line->claimed = true;
    schedule.received(step, now);
    passed(step);
    auto seen = *line;
    if (other != lines.end()) {
        other->claimed = true;
        seen.facts.client_certificate = other->facts.peer_certificate;
    }
    check_channel(step, seen);
    return true;
}

// The connection that is drawn came to nothing: as it should (`drawn_so`), or the flow ends here.
void State::refusal(StepId step, bool drawn_so, const std::string& why,
                    const HandshakeFacts& facts) {
    if (!drawn_so) {
        failed(step, Verdict::Failed, "the connection was refused: " + why);
        stop("");
        return;
    }
    passed(step);
    const auto* alert = script::find<script::Alert>(arrow(step).facts);
    if (alert != nullptr && facts.alert != alert->code) {
        failed(step, Verdict::Failed, "it was refused, but otherwise",
               {"alert", std::string{script::alert_name(alert->code)},
                facts.alert < 0
                    ? why
                    : std::string{script::alert_name(static_cast<std::uint8_t>(facts.alert))}});
    }
}

void State::check_channel(StepId step, const Line& line) {
    const auto& a = arrow(step);
    const auto& channel = std::get<script::Channel>(a.content);
    const auto differs = [&](std::string_view where, std::string expected, std::string received) {
        failed(step, Verdict::Failed, fmt::format("{} is not as drawn", where),
               {std::string{where}, std::move(expected), std::move(received)});
    };
    const auto wanted = version_name(channel.version);
    if (channel.version != 0 && version_name(line.facts.version) != wanted) {
        differs("the version", wanted, version_name(line.facts.version));
        return;
    }
    if (const auto* cipher = script::find<script::Cipher>(a.facts);
        cipher != nullptr && !iequals(cipher->name, line.facts.cipher)) {
        differs("the cipher", cipher->name, line.facts.cipher);
        return;
    }
    if (script::says(a.facts, script::Word::Resumed) && !line.facts.resumed) {
        differs("resumption", "a resumed session", "a full handshake");
        return;
    }
    if (!script::says(a.facts, script::Word::Resumed) && line.facts.resumed) {
        differs("resumption", "a full handshake", "a resumed session");
        return;
    }
    if (const auto* key = script::find<script::Key>(a.facts); key != nullptr && line.opened_by_us) {
        const std::string_view name = key->kind == script::KeyKind::Rsa     ? "RSA"
                                      : key->kind == script::KeyKind::Ecdsa ? "ECDSA"
                                                                            : "Ed25519";
        if (line.facts.peer_key != name) {
            differs("the server's key", std::string{name}, line.facts.peer_key);
            return;
        }
    }
    const bool shown = line.opened_by_us ? line.facts.client_certificate || !ours(a.to)
                                         : line.facts.peer_certificate;
    if (script::says(a.facts, script::Word::Mutual) && !shown) {
        differs("the client's certificate", "one that verifies", "none");
    }
}

} // namespace cw::play
