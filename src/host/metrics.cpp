#include "host/metrics.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cw::host {
namespace {

constexpr std::size_t longest_head = 8192;
constexpr Duration patience = seconds(5);

template <class T>
struct Metric {
    const char* name;
    const char* help;
    std::uint64_t T::* value;
    bool goes_down = false;
};
constexpr Metric<server::Counters> logic[] = {
    {"requests", "Requests received", &server::Counters::requests},
    {"responses", "Responses received", &server::Counters::responses},
    {"malformed", "Messages that could not be parsed", &server::Counters::malformed},
    {"calls", "INVITEs forwarded", &server::Counters::calls},
    {"calls_answered", "Calls answered", &server::Counters::answered},
    {"calls_failed", "Calls that ended without an answer", &server::Counters::failed},
    {"registrations", "REGISTERs answered 200", &server::Counters::registrations},
    {"challenges", "Requests answered 401 or 407", &server::Counters::challenges},
    {"rejected_credentials", "Requests with wrong credentials",
     &server::Counters::rejected_credentials},
    {"forbidden", "Requests answered 403", &server::Counters::forbidden},
    {"transactions", "Transactions in progress", &server::Counters::transactions_now, true},
    {"bindings", "Bindings known", &server::Counters::bindings_now, true},
};
constexpr Metric<TransportCounters> transport[] = {
    {"messages_in", "Messages received", &TransportCounters::messages_in},
    {"messages_out", "Messages sent", &TransportCounters::messages_out},
    {"connections", "Connections open", &TransportCounters::connections_now, true},
    {"connections_opened", "Connections opened, handshake included",
     &TransportCounters::connections},
    {"connections_failed", "Connections that were not opened or whose handshake failed",
     &TransportCounters::connections_failed},
    {"pings", "Keep-alives answered", &TransportCounters::pings},
    {"handed_over", "Messages that went from shard to shard", &TransportCounters::handed_over},
    {"commits", "Batches of bindings made durable", &TransportCounters::commits},
    {"commits_failed", "Batches that could not be", &TransportCounters::commits_failed},
};

std::string response(std::string_view status, std::string_view type, std::string_view body) {
    return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
                       "Connection: close\r\n\r\n{}",
                       status, type, body.size(), body);
}

} // namespace

void add_metric(std::string& out, std::string_view name, std::string_view help, bool goes_down,
                std::uint64_t value) {
    const auto* suffix = goes_down ? "" : "_total";
    const auto* type = goes_down ? "gauge" : "counter";
    fmt::format_to(std::back_inserter(out),
                   "# HELP callwright_{0}{1} {2}\n# TYPE callwright_{0}{1} {3}\n"
                   "callwright_{0}{1} {4}\n",
                   name, suffix, help, type, value);
}

void add(Totals& totals, const server::Counters& more, const TransportCounters& moved) {
    for (const auto& metric : logic) {
        // Every shard knows all bindings.
        if (metric.value == &server::Counters::bindings_now) {
            totals.server.bindings_now = std::max(totals.server.bindings_now, more.bindings_now);
        } else {
            totals.server.*metric.value += more.*metric.value;
        }
    }
    for (const auto& metric : transport) {
        totals.transport.*metric.value += moved.*metric.value;
    }
    ++totals.shards;
}

std::string metrics_text(const Totals& totals) {
    std::string out;
    for (const auto& metric : logic) {
        add_metric(out, metric.name, metric.help, metric.goes_down, totals.server.*metric.value);
    }
    for (const auto& metric : transport) {
        add_metric(out, metric.name, metric.help, metric.goes_down, totals.transport.*metric.value);
    }
    add_metric(out, "shards", "Shards that answer", true, totals.shards);
    if (totals.first_expiry > 0) {
        add_metric(out, "certificate_expiry_timestamp_seconds",
                   "When the first of the certificates that are shown expires", true,
                   static_cast<std::uint64_t>(totals.first_expiry));
    }
    return out;
}

// ---- HTTP [RFC 9112], as much as a scraper and a health check need

MetricsServer::MetricsServer(Ask ask)
    : ask_(std::move(ask)), loop_(*this, {.connections = 64, .handshake = patience}) {}

std::expected<std::unique_ptr<MetricsServer>, std::string> MetricsServer::start(const Endpoint& at,
                                                                                Ask ask) {
    auto fd = net::listen_stream(at, true);
    if (!fd) {
        return std::unexpected{"metrics on " + to_string(at) + ": " + fd.error()};
    }
    std::unique_ptr<MetricsServer> server{new MetricsServer(std::move(ask))};
    server->at_ = net::local_endpoint(fd->get());
    server->loop_.listen(std::move(*fd), 0, nullptr);
    server->thread_ = std::thread{[&loop = server->loop_] { loop.run(); }};
    return server;
}

MetricsServer::~MetricsServer() {
    loop_.post([this] { loop_.stop(); });
    if (thread_.joinable()) {
        thread_.join();
    }
}

std::string MetricsServer::answer(std::string_view head) const {
    const auto line = head.substr(0, head.find('\r'));
    const auto method = line.substr(0, line.find(' '));
    const auto rest = line.substr(std::min(method.size() + 1, line.size()));
    const auto path = rest.substr(0, rest.find_first_of(" ?"));
    if (method != "GET" && method != "HEAD") {
        return response("405 Method Not Allowed", "text/plain", "GET it\n");
    }
    if (path == "/metrics") {
        return response("200 OK", "text/plain; version=0.0.4", ask_().text);
    }
    if (path == "/healthz") {
        const bool well = ask_().well;
        return response(well ? "200 OK" : "503 Service Unavailable", "text/plain",
                        well ? "ok\n" : "a shard does not answer\n");
    }
    return response("404 Not Found", "text/plain", "/metrics or /healthz\n");
}

void MetricsServer::on_open(net::Key key, const net::ConnectionInfo&) {
    if (heads_.size() <= key.index) {
        heads_.resize(key.index + 1);
    }
    loop_.set_deadline(key, net::Loop::now() + patience);
}

void MetricsServer::on_bytes(net::Key key, Bytes bytes) {
    auto& head = heads_[key.index];
    head += as_text(bytes);
    if (head.contains("\r\n\r\n")) {
        loop_.send(key, answer(head));
        loop_.close(key, "answered");
    } else if (head.size() > longest_head) {
        loop_.close(key, "too long a request");
    }
}

void MetricsServer::on_closed(net::Key key, std::string_view) {
    heads_[key.index].clear();
}

} // namespace cw::host
