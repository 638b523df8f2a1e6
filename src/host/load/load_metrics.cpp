#include "host/load/load_metrics.hpp"

#include <fmt/format.h>

#include "host/metrics.hpp"

namespace cw::host {
namespace {

// Percentiles of the whole load, in seconds, as a summary has them.
void add_times(std::string& out, const char* name, const char* help, const play::Histogram& times) {
    out += fmt::format("# HELP callwright_load_{0}_seconds {1}\n"
                       "# TYPE callwright_load_{0}_seconds summary\n",
                       name, help);
    for (const double share : {0.5, 0.9, 0.95, 0.99, 0.999}) {
        out += fmt::format("callwright_load_{}_seconds{{quantile=\"{}\"}} {:.6f}\n", name, share,
                           times.at(share).seconds());
    }
    out += fmt::format("callwright_load_{0}_seconds_sum {1:.6f}\n"
                       "callwright_load_{0}_seconds_count {2}\n",
                       name, times.mean().seconds() * static_cast<double>(times.count()),
                       times.count());
}

} // namespace

std::string load_metrics_text(const LoadSecond& second, const LoadResult& total) {
    const auto& t = total.total;
    std::string out;
    add_metric(out, "load_calls_due", "Calls that the schedule wanted", false, t.due);
    add_metric(out, "load_calls_begun", "Calls that began", false, t.started);
    add_metric(out, "load_calls_held_back", "Calls that did not, as too many were in progress",
               false, t.held_back);
    add_metric(out, "load_calls_passed", "Calls in which all was as drawn", false, t.passed);
    add_metric(out, "load_calls_failed", "Calls in which something was not", false, t.failed);
    add_metric(out, "load_calls_in_progress", "Calls in progress", true, second.in_progress);
    add_metric(out, "load_connections", "Connections open", true, second.connections);
    add_metric(out, "load_connections_refused", "Connections that were not opened", false,
               t.refused);
    add_metric(out, "load_connections_lost", "Connections closed by others while they were needed",
               false, t.lost);
    add_metric(out, "load_keep_alives_unanswered", "Pings for which no pong came in 10 seconds",
               false, t.silent);
    add_metric(out, "load_messages_sent", "Messages sent", false, t.sent);
    add_metric(out, "load_messages_received", "Messages received", false, t.received);
    add_metric(out, "load_registrations_asked", "Registrations begun", false,
               t.registrations_asked);
    add_metric(out, "load_registrations_failed", "Registrations refused or not answered", false,
               t.registrations_failed);
    add_times(out, "lateness", "How late calls began, against the schedule", t.lateness);
    add_times(out, "ringing", "From INVITE to the first response above 100", t.ringing);
    add_times(out, "answers", "From INVITE to its 2xx", t.answers);
    add_times(out, "registrations", "From REGISTER to its 2xx, a challenge included",
              t.registrations);
    add_times(out, "handshakes", "From opening a connection until it can be used", t.handshakes);
    return out;
}

} // namespace cw::host
