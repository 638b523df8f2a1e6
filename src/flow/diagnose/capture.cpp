// The capture itself: what it lacks, so that nobody looks for it in the network.
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/diagnose.hpp"
#include "flow/diagnose/families.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::Method;

// A request that its sender could not have made without an answer to another, (it, that other),
// when nothing at all came the other way: it has the tag that only the answer tells, or credentials
// for a challenge.
std::pair<std::uint32_t, std::uint32_t> asked_of_unseen_answer(const Case& c) {
    constexpr std::size_t most_later = 32;
    for (std::size_t i = 0; i < c.transactions().size(); ++i) {
        const auto& t = c.transactions()[i];
        if (t.request == none || t.final != none || t.trying != none || t.provisional != none ||
            t.in_dialog) {
            continue;
        }
        for (const auto& later : c.transactions().subspan(i + 1).first(
                 std::min(most_later, c.transactions().size() - i - 1))) {
            if (later.request == none || later.leg != t.leg || later.cseq <= t.cseq ||
                !c.same_party(later.client, t.client) || !c.same_party(later.server, t.server)) {
                continue;
            }
            const bool in_its_dialog = later.in_dialog && t.method == Method::Invite;
            const bool challenged = later.method == t.method &&
                                    c.at(later.request).has(Trait::Credentials) &&
                                    !c.at(t.request).has(Trait::Credentials);
            if ((in_its_dialog || challenged) && !c.is_seen(t.server, t.client)) {
                return {later.request, t.request};
            }
        }
    }
    return {none, none};
}

// C1: an ACK proves that a final response came by; who has not seen it sees one direction only. So
// do responses whose requests are not there, once the capture has begun.
void check_one_direction(const Case& c, Findings& out) {
    if (std::ranges::any_of(c.call().messages, &Message::truncated)) {
        return; // it may be there, and not tell what it answers: C5
    }
    for (const auto index : c.acks()) {
        const auto& ack = c.at(index);
        const auto found = std::ranges::find_if(c.transactions(), [&](const Transaction& t) {
            return t.method == Method::Invite && t.leg == ack.leg && t.cseq == ack.cseq &&
                   t.request != none && c.same_party(t.client, ack.source) &&
                   c.same_party(t.server, ack.destination);
        });
        // An answer before its request is another matter: C6.
        const bool came_early = std::ranges::any_of(c.transactions(), [&](const Transaction& t) {
            return t.request == none && t.method == Method::Invite && t.leg == ack.leg &&
                   t.cseq == ack.cseq;
        });
        if (!came_early && found != c.transactions().end() && found->final == none &&
            found->trying == none && found->provisional == none) {
            out.add("C1", {index, found->request},
                    fmt::format("{} acknowledges an answer of {} that the capture does not have",
                                shown(ack.source), shown(ack.destination)));
            return;
        }
    }
    if (const auto proof = asked_of_unseen_answer(c); proof.first != none) {
        out.add("C1", {proof.first, proof.second},
                fmt::format("{} goes on after an answer of {} that the capture does not have",
                            shown(c.at(proof.first).source), shown(c.at(proof.first).destination)));
        return;
    }
    for (const auto& t : c.transactions()) {
        if (t.request != none || t.final == none || c.is_seen(t.client, t.server) ||
            c.at(t.final).time - c.window().begin < seconds(1)) {
            continue; // the request may have come before the capture began
        }
        const auto messages = std::ranges::count_if(c.transactions(), [&](const Transaction& o) {
            const auto known = o.request != none ? o.request : o.final;
            return known != none && c.same_party(c.at(known).source, t.server) &&
                   c.same_party(c.at(known).destination, t.client);
        });
        if (messages >= 2) {
            out.add("C1", {t.final},
                    fmt::format("{} answers {}, and nothing that is sent to it is there",
                                shown(t.server), shown(t.client)));
            return;
        }
    }
}

// C2: connections of which not everything was captured.
void check_connections(const Case& c, Findings& out) {
    for (const auto& connection : c.call().connections) {
        if (connection.missing_bytes > 0 && !out.has("C2")) {
            out.add("C2", {},
                    fmt::format("{} → {}: {} bytes are not in the capture",
                                shown(connection.client), shown(connection.server),
                                connection.missing_bytes))
                .connections = {connection.id};
        }
    }
}

// C4: the same packet on two interfaces, not the same message on two hops.
void check_copies(const Case& c, Findings& out) {
    std::vector<std::uint32_t> copies;
    std::size_t count = 0;
    std::size_t looked_at = 0;
    const auto& messages = c.call().messages;
    for (std::uint32_t i = 0; i < messages.size(); ++i) {
        const auto& m = messages[i];
        ++looked_at;
        if (m.duplicate_of == none || messages[m.duplicate_of].source != m.source ||
            messages[m.duplicate_of].destination != m.destination) {
            continue;
        }
        ++count;
        if (copies.size() < 12) {
            copies.push_back(i);
        }
    }
    if (count >= 2 && count * 3 >= looked_at) {
        out.add("C4", std::move(copies),
                fmt::format("{} of {} messages are there twice", count, looked_at));
    }
}

// Its connection lacks nothing, and yet the rest of the message never came: then its sender has not
// sent it, or has announced more than there is.
bool is_left_unfinished(const Case& c, const Message& m) {
    constexpr Duration patience = seconds(5);
    const auto* connection = c.connection(m.connection);
    return connection != nullptr && connection->missing_bytes == 0 &&
           (connection->fin || connection->rst || c.window().end - m.time >= patience);
}

// C5; D58 where it was not the capture that cut the message.
void check_cut(const Case& c, Findings& out) {
    std::vector<std::uint32_t> cut;
    for (std::uint32_t i = 0; i < c.call().messages.size() && cut.size() < 12; ++i) {
        if (!c.at(i).truncated) {
            continue;
        }
        if (!is_left_unfinished(c, c.at(i))) {
            cut.push_back(i);
        } else if (!out.has("D58")) {
            out.add("D58", {i},
                    fmt::format("{} bytes came of a message whose Content-Length announces more, "
                                "and then no further ones",
                                c.at(i).size));
        }
    }
    if (!cut.empty()) {
        const auto size = c.at(cut.front()).size;
        out.add("C5", std::move(cut), fmt::format("only {} bytes of the first are there", size));
    }
}

// C6: an answer before its request.
void check_order(const Case& c, Findings& out) {
    for (const auto& t : c.transactions()) {
        if (t.request == none || t.branch == 0) {
            continue;
        }
        for (const auto& o : c.transactions()) {
            if (o.request == none && o.branch == t.branch && o.method == t.method &&
                o.cseq == t.cseq && o.leg == t.leg && o.final != none &&
                c.at(o.final).time < c.at(t.request).time && o.client == t.client) {
                out.add("C6", {o.final, t.request},
                        fmt::format("the answer stands {} before its request",
                                    shown(c.at(t.request).time - c.at(o.final).time)),
                        Confidence::Likely);
                return;
            }
        }
    }
}

} // namespace

void check_readable(const Connection& connection, Findings& out) {
    if (!connection.is_tls() || connection.decrypted || connection.reason.empty()) {
        return;
    }
    const bool handshake = connection.reason.starts_with("handshake not captured");
    const auto* rule = handshake ? "C7" : "C8";
    // A handshake that failed has nothing to decrypt.
    if (handshake || connection.handshake_done) {
        out.add(rule, {},
                fmt::format("{} → {}: {}", shown(connection.client), shown(connection.server),
                            quoted(connection.reason, 200)))
            .connections = {connection.id};
    }
}

void check_capture(const Case& c, Findings& out) {
    check_one_direction(c, out);
    check_connections(c, out);
    check_copies(c, out);
    check_cut(c, out);
    if (c.transactions().size() <= 64) {
        check_order(c, out);
    }
}

std::vector<Finding> judge_input(const InputFacts& input) {
    Findings out;
    const auto sum = [&](std::string_view part) {
        std::uint64_t count = 0;
        for (const auto& [name, n] : input.ignored) {
            count += name.find(part) != std::string::npos ? n : 0;
        }
        return count;
    };
    if (const auto n = sum("incomplete fragments"); n > 0) {
        out.add("C3", {},
                fmt::format("{}: {} IP packets lack some of their fragments", input.name, n));
    }
    std::string unknown;
    for (const auto& [name, n] : input.ignored) {
        const bool foreign =
            name.starts_with("link type") || name.starts_with("ethertype") || name == "esp";
        if (foreign && unknown.size() < 200) {
            unknown += fmt::format("{}{} {}", unknown.empty() ? "" : ", ", quoted(name, 40), n);
        }
    }
    if (!unknown.empty()) {
        out.add("C9", {}, fmt::format("{}: {}", input.name, unknown));
    }
    for (const auto& [name, n] : input.ignored) {
        const bool beyond = name.find("too deep") != std::string::npos ||
                            name.find("too many") != std::string::npos;
        if (beyond && !out.has("C10")) {
            out.add("C10", {}, fmt::format("{}: {} packets, {}", input.name, n, quoted(name, 40)));
        }
    }
    for (const auto& problem : input.problems) {
        const auto* rule = problem.find("lost") != std::string::npos ||
                                   problem.find("dropped") != std::string::npos
                               ? "C2"
                           : problem.find("limit") != std::string::npos ||
                                   problem.find("too many") != std::string::npos
                               ? "C10"
                           : problem.find("before the packet") != std::string::npos ? "C6"
                                                                                    : "C5";
        if (!out.has(rule)) {
            out.add(rule, {}, fmt::format("{}: {}", input.name, quoted(problem, 200)));
        }
    }
    return out.take();
}

} // namespace cw::flow::diagnose
