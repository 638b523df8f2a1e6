#include "flow/diagnose/diagnose.hpp"

#include <algorithm>
#include <array>

#include "flow/diagnose/families.hpp"

namespace cw::flow::diagnose {

namespace {

// A handshake at the port of the web or of mail that did not fail is hardly one of SIP, nor is one
// there whose beginning was not captured.
bool is_of_others(const Connection& connection) {
    constexpr std::array<std::uint16_t, 9> theirs{443, 465, 563, 587, 636, 853, 990, 993, 995};
    if (connection.sip_messages > 0 ||
        std::ranges::find(theirs, connection.server.port) == theirs.end()) {
        return false;
    }
    const bool failed = std::ranges::any_of(connection.alerts, &Alert::fatal);
    return !failed &&
           (connection.handshake_done || !connection.hello.known() || !connection.cipher.empty());
}

} // namespace

const std::vector<Finding>& ConnectionFindings::of(const Connection& connection,
                                                   const Window& window) {
    constexpr std::size_t most = 512;
    const bool closed = connection.fin || connection.rst;
    const auto at = known_.find(connection.id);
    if (at != known_.end() && at->second.records == connection.records &&
        at->second.closed == closed) {
        return at->second.findings;
    }
    if (!connection.handshake_done) { // what is found then depends on how long one has waited
        return passing_ = judge_connection(connection, window);
    }
    if (known_.size() >= most) {
        known_.clear();
    }
    auto& known = known_[connection.id];
    known = {connection.records, closed, judge_connection(connection, window)};
    return known.findings;
}

void judge(Call& call, const Window& window) {
    ConnectionFindings connections;
    judge(call, window, connections);
}

void judge(Call& call, const Window& window, ConnectionFindings& connections,
           std::span<const DtlsExchange> dtls) {
    const Case prepared{call, window, dtls};
    Findings found;
    check_capture(prepared, found);
    check_setup(prepared, found);
    check_dialog(prepared, found);
    check_refusal(prepared, found);
    check_session(prepared, found);
    check_registration(prepared, found);
    for (const auto& connection : call.connections) {
        for (const auto& finding : connections.of(connection, window)) {
            // One expired certificate, and one connection without keys, will do.
            const bool once = finding.rule == "D49" || finding.rule == "C7" || finding.rule == "C8";
            if (!once || !found.has(finding.rule)) {
                found.add(finding);
            }
        }
    }
    check_transport(prepared, found);
    check_streams(prepared, found);
    check_media(prepared, found);
    check_path(prepared, found);
    call.findings = found.take();
}

std::vector<Finding> judge_connection(const Connection& connection, const Window& window) {
    Findings found;
    if (is_of_others(connection)) {
        return {};
    }
    check_readable(connection, found);
    check_connection(connection, window, found);
    check_stream(connection, window, found);
    return found.take();
}

} // namespace cw::flow::diagnose
