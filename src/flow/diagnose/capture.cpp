// The capture itself: what it lacks, so that nobody looks for it in the network.
#include <algorithm>

#include <fmt/format.h>

#include "flow/diagnose/diagnose.hpp"
#include "flow/diagnose/families.hpp"

namespace cw::flow::diagnose {
namespace {

using sip::Method;

// C1: an ACK proves that a final response came by; who has not seen it sees one direction only. So
// do responses whose requests are not there, once the capture has begun.
void check_one_direction(const Case& c, Findings& out) {
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
    std::uint32_t answers = 0;
    std::uint32_t requests = 0;
    std::uint32_t first = none;
    for (const auto& t : c.transactions()) {
        requests += t.request != none;
        if (t.request == none && t.final != none) {
            ++answers;
            first = first == none ? t.final : first;
        }
    }
    const bool began_before = first != none && c.at(first).time - c.window().begin < seconds(1);
    if (answers >= 2 && requests == 0 && !began_before) {
        out.add("C1", {first}, fmt::format("{} answers, and not one of their requests", answers));
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

// C5.
void check_cut(const Case& c, Findings& out) {
    std::vector<std::uint32_t> cut;
    for (std::uint32_t i = 0; i < c.call().messages.size() && cut.size() < 12; ++i) {
        if (c.at(i).truncated) {
            cut.push_back(i);
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
                               : "C5";
        if (!out.has(rule)) {
            out.add(rule, {}, fmt::format("{}: {}", input.name, quoted(problem, 200)));
        }
    }
    return out.take();
}

} // namespace cw::flow::diagnose
