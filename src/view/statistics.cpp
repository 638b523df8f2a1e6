#include "view/statistics.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "view/cells.hpp"
#include "view/findings_text.hpp"
#include "view/json_writer.hpp"

namespace cw::view {
namespace {

using flow::Delays;
using flow::Statistics;
using Counts = std::map<std::string, std::uint64_t>;

// The most frequent first; "192.0.2.1 (12), 192.0.2.9 (3), and 4 more".
std::string ranked(const Counts& counts, std::size_t most) {
    std::vector<std::pair<std::string, std::uint64_t>> sorted{counts.begin(), counts.end()};
    std::ranges::stable_sort(sorted, std::ranges::greater{},
                             [](const auto& one) { return one.second; });
    std::string out;
    for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i) {
        out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", printable(sorted[i].first, 80),
                           sorted[i].second);
    }
    if (sorted.size() > most) {
        out += fmt::format(", and {} more", sorted.size() - most);
    }
    return out;
}

std::string percent(double share) {
    return share < 0 ? "–" : fmt::format("{:.1f} %", 100 * share);
}

std::string moment(Instant time) {
    return to_rfc3339(time).substr(0, 19);
}

std::string seconds_text(double value) {
    return value < 1 ? fmt::format("{:.0f} ms", 1000 * value) : fmt::format("{:.1f} s", value);
}

void add_delays(std::string& out, std::string_view name, const Delays& delays) {
    if (delays.count > 0) {
        out += fmt::format("  {:<44} median {}, 95 % within {}, at most {}\n", name,
                           seconds_text(delays.median), seconds_text(delays.p95),
                           seconds_text(delays.most));
    }
}

void add_faults(std::string& out, const Statistics& statistics) {
    std::vector<std::pair<std::string, const flow::FaultCount*>> sorted;
    for (const auto& [rule, fault] : statistics.faults()) {
        sorted.emplace_back(rule, &fault);
    }
    const auto grave = [](const flow::FaultCount& fault) {
        return fault.severity == "error" ? 0 : fault.severity == "warning" ? 1 : 2;
    };
    std::ranges::stable_sort(sorted, [&](const auto& a, const auto& b) {
        return std::pair{grave(*a.second), b.second->calls} <
               std::pair{grave(*b.second), a.second->calls};
    });
    out += sorted.empty() ? "\nNo faults were found.\n" : "\nFaults, by the calls that have them\n";
    for (const auto& [rule, fault] : sorted) {
        out += fmt::format("  {} {:<4} {:>6}  {}\n",
                           grave(*fault) == 0   ? "✗"
                           : grave(*fault) == 1 ? "!"
                                                : "·",
                           rule, fault->calls, fault->title);
        out += fmt::format("                 {}{}",
                           fault->calls == 1 ? fmt::format("at {}", moment(fault->first))
                                             : fmt::format("from {} to {}", moment(fault->first),
                                                           moment(fault->last)),
                           fault->consequences > 0 ? fmt::format("; brought about by another in {}",
                                                                 fault->consequences)
                                                   : std::string{});
        out += fault->peers.empty() ? "\n" : fmt::format("; at {}\n", ranked(fault->peers, 3));
    }
}

void add_tls(std::string& out, const Statistics& statistics) {
    constexpr std::size_t most = 20;
    if (statistics.tls().empty()) {
        return;
    }
    std::vector<std::pair<std::string, const flow::TlsPeer*>> sorted;
    for (const auto& [name, peer] : statistics.tls()) {
        sorted.emplace_back(name, &peer);
    }
    std::ranges::stable_sort(sorted, std::ranges::greater{},
                             [](const auto& one) { return one.second->connections; });
    out += "\nTLS by server\n";
    for (std::size_t i = 0; i < std::min(most, sorted.size()); ++i) {
        const auto& peer = *sorted[i].second;
        out += fmt::format("  {}: {} {}{}{}{}\n", sorted[i].first, peer.connections,
                           peer.connections == 1 ? "connection" : "connections",
                           peer.failed > 0 ? fmt::format(", {} failed", peer.failed) : "",
                           peer.resumed > 0 ? fmt::format(", {} resumed", peer.resumed) : "",
                           peer.mutual > 0 ? fmt::format(", {} mutual", peer.mutual) : "");
        if (!peer.versions.empty()) {
            out += fmt::format("    {}\n", ranked(peer.versions, 4));
        }
        if (!peer.ciphers.empty()) {
            out += fmt::format("    {}\n", ranked(peer.ciphers, 4));
        }
    }
    if (sorted.size() > most) {
        out += fmt::format("  and {} servers more: --format json has them\n", sorted.size() - most);
    }
}

void write_counts(JsonWriter& json, const Counts& counts) {
    json.open_object();
    for (const auto& [name, count] : counts) {
        json.any_key(name);
        json.value(count);
    }
    json.close_object();
}

void write_delays(JsonWriter& json, const Delays& delays) {
    json.open_object();
    json.member("count", delays.count);
    json.key("median_s");
    json.value(delays.median, 3);
    json.key("p95_s");
    json.value(delays.p95, 3);
    json.key("max_s");
    json.value(delays.most, 3);
    json.close_object();
}

template <std::size_t N>
void write_share(JsonWriter& json, const char (&name)[N], double share) {
    json.key(name);
    if (share < 0) {
        json.null();
    } else {
        json.value(share, 4);
    }
}

} // namespace

std::string statistics_text(const Statistics& statistics, bool ascii) {
    const auto& s = statistics.sessions();
    std::string out = fmt::format("{} calls of all kinds: {}\n", statistics.calls(),
                                  ranked(statistics.kinds(), 6));
    if (!statistics.states().empty()) {
        out += fmt::format("Calls: {}\n", ranked(statistics.states(), 10));
    }
    if (s.asked + s.registrations > 0) {
        out += "\nMeasures (RFC 6076)\n";
    }
    const auto share = [&out](std::string_view name, double value) {
        if (value >= 0) {
            out += fmt::format("  {:<44} {}\n", name, percent(value));
        }
    };
    share("answer-seizure ratio", s.answer_seizure());
    share("session establishment ratio, SER", s.ser());
    share("session establishment effectiveness, SEER", s.seer());
    share("ineffective session attempts, ISA", s.isa());
    share("session completion ratio, SCR", s.scr());
    share("ineffective registration attempts, IRA", s.ira());
    add_delays(out, "session request delay, SRD", statistics.ringing());
    add_delays(out, "the same of those that failed", statistics.failing());
    add_delays(out, "session duration, SDT", statistics.lengths());
    add_delays(out, "session disconnect delay, SDD", statistics.hanging_up());
    add_delays(out, "registration request delay, RRD", statistics.registering());
    if (const auto clusters = statistics.clusters(); !clusters.empty()) {
        out += "\nCalls that end after the same time (a timer, a NAT, a limit)\n";
        for (std::size_t i = 0; i < std::min<std::size_t>(clusters.size(), 10); ++i) {
            const auto& one = clusters[i];
            out += fmt::format("  {:>6} calls after {:.1f} s, {} ended by the caller, {} by the "
                               "other side\n",
                               one.calls, one.seconds, one.by_caller, one.calls - one.by_caller);
        }
    }
    add_faults(out, statistics);
    add_tls(out, statistics);
    return said_in(out, ascii);
}

std::string statistics_json(const Statistics& statistics, std::string_view version) {
    JsonWriter json;
    const auto& s = statistics.sessions();
    json.open_object();
    json.member("callwright", version);
    json.member("calls", statistics.calls());
    json.key("kinds");
    write_counts(json, statistics.kinds());
    json.key("states");
    write_counts(json, statistics.states());
    json.line();
    json.key("rfc6076");
    json.open_object();
    json.member("asked", s.asked);
    json.member("answered", s.answered);
    write_share(json, "ASR", s.answer_seizure());
    write_share(json, "SER", s.ser());
    write_share(json, "SEER", s.seer());
    write_share(json, "ISA", s.isa());
    write_share(json, "SCR", s.scr());
    write_share(json, "IRA", s.ira());
    json.key("SRD");
    write_delays(json, statistics.ringing());
    json.key("SRD_failed");
    write_delays(json, statistics.failing());
    json.key("SDT");
    write_delays(json, statistics.lengths());
    json.key("SDD");
    write_delays(json, statistics.hanging_up());
    json.key("RRD");
    write_delays(json, statistics.registering());
    json.close_object();
    json.line();
    json.key("lengths");
    json.open_array();
    for (const auto& one : statistics.clusters()) {
        json.open_object();
        json.key("seconds");
        json.value(one.seconds, 1);
        json.member("calls", one.calls);
        json.member("by_caller", one.by_caller);
        json.close_object();
    }
    json.close_array();
    json.line();
    json.key("faults");
    json.open_array();
    for (const auto& [rule, fault] : statistics.faults()) {
        json.line();
        json.open_object();
        json.member("rule", std::string_view{rule});
        json.member("severity", std::string_view{fault.severity});
        json.member("title", std::string_view{fault.title});
        json.member("calls", fault.calls);
        json.member("consequences", fault.consequences);
        json.member("first", std::string_view{to_rfc3339(fault.first)});
        json.member("last", std::string_view{to_rfc3339(fault.last)});
        json.key("peers");
        write_counts(json, fault.peers);
        json.close_object();
    }
    json.close_array();
    json.line();
    json.key("tls");
    json.open_array();
    for (const auto& [name, peer] : statistics.tls()) {
        json.line();
        json.open_object();
        json.member("server", std::string_view{name});
        json.member("connections", peer.connections);
        json.member("failed", peer.failed);
        json.member("resumed", peer.resumed);
        json.member("mutual", peer.mutual);
        json.key("versions");
        write_counts(json, peer.versions);
        json.key("ciphers");
        write_counts(json, peer.ciphers);
        json.close_object();
    }
    json.close_array();
    json.close_object();
    return std::string{json.text()} + "\n";
}

} // namespace cw::view
