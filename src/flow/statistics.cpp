#include "flow/statistics.hpp"

#include <algorithm>
#include <set>

namespace cw::flow {
namespace {

using sip::Method;

std::uint64_t& counted(std::map<std::string, std::uint64_t>& counts, std::string_view name,
                       std::size_t most) {
    const auto known = counts.find(std::string{name});
    return known != counts.end()  ? known->second
           : counts.size() < most ? counts[std::string{name}]
                                  : counts["others"];
}

// The side that was asked: where the request went, or where the response came from.
std::string asked_peer(const Call& call, const Finding& finding) {
    if (!finding.messages.empty()) {
        const auto& m = call.messages[finding.messages.front()];
        return to_string(m.status == 0 ? m.destination.address : m.source.address);
    }
    if (!finding.connections.empty()) {
        const auto at =
            std::ranges::find(call.connections, finding.connections.front(), &Connection::id);
        if (at != call.connections.end()) {
            return to_string(at->server.address);
        }
    }
    return {};
}

int gravity(std::string_view severity) {
    return severity == "error" ? 2 : severity == "warning" ? 1 : 0;
}

// The first final or, with `ringing`, the first sign of the other side that answers this request.
const Message* answer_to(const Call& call, const Message& request, bool ringing) {
    for (const auto& m : call.messages) {
        if (m.status > 100 && (ringing || m.status >= 200) && m.branch == request.branch &&
            m.cseq == request.cseq && m.cseq_method == request.method && m.time >= request.time) {
            return &m;
        }
    }
    return nullptr;
}

const Message* request_of(const Call& call, Method method) {
    const auto at = std::ranges::find_if(call.messages, [method](const Message& m) {
        return m.status == 0 && m.method == method && m.vias <= 1 && m.is_first();
    });
    return at == call.messages.end() ? nullptr : &*at;
}

bool is_challenge(const Message& m) {
    return m.status == 401 || m.status == 402 || m.status == 407;
}

// The INVITE that opened the session, with credentials when these were asked for, and the first
// sign of the other side; nullptr where there is none.
std::pair<const Message*, const Message*> first_sign(const Call& call) {
    for (const auto& m : call.messages) {
        if (m.status != 0 || m.method != Method::Invite || m.vias > 1 || !m.is_first()) {
            continue;
        }
        const auto* sign = answer_to(call, m, true);
        if (sign != nullptr && !is_challenge(*sign)) {
            return {&m, sign};
        }
    }
    return {nullptr, nullptr};
}

// Both on one machine: then the port has to tell.
bool is_same_side(const Message& a, const Message& b) {
    return a.source == b.source ||
           (a.source.address == b.source.address && a.source.address != a.destination.address);
}

float between_them(const Message& a, const Message& b) {
    return static_cast<float>((b.time - a.time).seconds());
}

} // namespace

void Statistics::add(const Call& call) {
    ++calls_;
    ++kinds_[std::string{to_string(call.kind)}];
    if (call.kind == Kind::Call) {
        ++states_[std::string{to_string(call.state)}];
        count_session(call);
    } else if (call.kind == Kind::Registration) {
        count_registration(call);
    }
    count_findings(call);
}

void Statistics::count_session(const Call& call) {
    const auto* invite = request_of(call, Method::Invite);
    if (invite == nullptr || (call.final_status == 0 && call.cut_off)) {
        return; // it began before the capture, or goes on after it
    }
    ++sessions_.asked;
    const auto status = call.answered.known() ? 200 : call.final_status;
    sessions_.answered += call.answered.known();
    sessions_.challenged += status == 401 || status == 402 || status == 407;
    sessions_.redirected += status >= 300 && status < 400;
    sessions_.refused += status == 480 || status == 486 || status == 600 || status == 603;
    sessions_.ineffective +=
        status == 0 || status == 408 || status == 500 || status == 503 || status == 504;
    if (const auto [asked, sign] = first_sign(call); sign != nullptr) {
        (call.answered.known() ? ringing_ : failing_).push_back(between_them(*asked, *sign));
    }
    if (!call.answered.known() || call.cut_off) {
        return;
    }
    const auto* bye = request_of(call, Method::Bye);
    lengths_.push_back(
        {static_cast<float>(call.duration_s), bye != nullptr && is_same_side(*bye, *invite)});
    if (bye == nullptr) {
        return;
    }
    if (const auto* over = answer_to(call, *bye, false); over != nullptr && over->status < 300) {
        ++sessions_.completed;
        hanging_up_.push_back(between_them(*bye, *over));
    }
}

void Statistics::count_registration(const Call& call) {
    const Message* begun = nullptr; // the first of those that a challenge divides
    for (const auto& m : call.messages) {
        if (m.status != 0 || m.method != Method::Register || m.vias > 1 || !m.is_first()) {
            continue;
        }
        const auto* answer = answer_to(call, m, false);
        if (answer == nullptr) {
            if (!call.cut_off) { // it has timed out
                ++sessions_.registrations;
                ++sessions_.registrations_failed;
            }
            begun = nullptr;
            continue;
        }
        begun = begun == nullptr ? &m : begun;
        // A challenge is no failure [RFC 6076 §4.2], and its time is part of the delay [§4.1].
        if (is_challenge(*answer)) {
            continue;
        }
        ++sessions_.registrations;
        sessions_.registrations_failed += answer->status >= 400;
        if (answer->status < 300) {
            registering_.push_back(between_them(*begun, *answer));
        }
        begun = nullptr;
    }
}

void Statistics::count_findings(const Call& call) {
    std::set<std::string_view> seen;
    for (const auto& finding : call.findings) {
        if (!seen.insert(finding.rule).second) {
            continue; // once a call
        }
        auto& fault = faults_[std::string{finding.rule}];
        if (fault.calls == 0) {
            fault.title = finding.title;
            fault.first = call.start;
        }
        if (gravity(finding.severity) >= gravity(fault.severity)) {
            fault.severity = finding.severity;
        }
        ++fault.calls;
        fault.consequences += finding.cause != none;
        fault.first = std::min(fault.first, call.start);
        fault.last = std::max(fault.last, call.start);
        if (const auto peer = asked_peer(call, finding); !peer.empty()) {
            ++counted(fault.peers, peer, most_peers);
        }
    }
}

void Statistics::add(const Connection& connection) {
    if (!connection.is_tls()) {
        return;
    }
    const auto name = to_string(connection.server);
    auto& peer = tls_[tls_.contains(name) || tls_.size() < most_peers ? name : "others"];
    ++peer.connections;
    peer.failed += !connection.handshake_done && connection.hello.known();
    peer.resumed += connection.resumed;
    peer.mutual += connection.mutual;
    if (!connection.version.empty()) {
        ++peer.versions[connection.version];
    }
    if (!connection.cipher.empty()) {
        ++peer.ciphers[connection.cipher];
    }
}

Delays Statistics::of(std::vector<float> values) {
    Delays out{.count = values.size(), .median = 0, .p95 = 0, .most = 0};
    if (values.empty()) {
        return out;
    }
    std::ranges::sort(values);
    out.median = values[values.size() / 2];
    out.p95 = values[std::min(values.size() - 1, values.size() * 95 / 100)];
    out.most = values.back();
    return out;
}

Delays Statistics::lengths() const {
    std::vector<float> values;
    values.reserve(lengths_.size());
    for (const auto& length : lengths_) {
        values.push_back(length.seconds);
    }
    return of(std::move(values));
}

// Within a second there are as many as chance would put into four, and at least three: then
// something ends them there. Chance is what lies within 30 % to both sides.
std::vector<LengthCluster> Statistics::clusters() const {
    constexpr float shortest = 5;
    constexpr std::size_t least = 3;
    auto sorted = lengths_;
    std::ranges::sort(sorted, {}, &Length::seconds);
    const auto below = [&sorted](float seconds) {
        return static_cast<std::size_t>(
            std::ranges::lower_bound(sorted, seconds, {}, &Length::seconds) - sorted.begin());
    };
    std::vector<LengthCluster> out;
    for (std::size_t i = below(shortest); i < sorted.size();) {
        const auto end = below(sorted[i].seconds + 1);
        const auto count = end - i;
        const auto middle = sorted[i + count / 2].seconds;
        const auto wide = static_cast<float>(below(middle * 1.3F) - below(middle * 0.7F));
        const auto by_chance = wide / (0.6F * middle);
        if (count < least || static_cast<float>(count) < 4 * by_chance ||
            count * 20 < sorted.size()) {
            ++i;
            continue;
        }
        LengthCluster cluster{.seconds = middle, .calls = count, .by_caller = 0};
        for (auto j = i; j < end; ++j) {
            cluster.by_caller += sorted[j].by_caller;
        }
        out.push_back(cluster);
        i = end;
    }
    std::ranges::stable_sort(out, std::ranges::greater{}, &LengthCluster::calls);
    return out;
}

} // namespace cw::flow
