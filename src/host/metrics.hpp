// What the server has counted, as Prometheus reads it, and the small HTTP server that says it:
// /metrics and /healthz. One table names every counter.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/address.hpp"
#include "host/counters.hpp"
#include "net/loop.hpp"
#include "server/server.hpp"

namespace cw::host {

// What all shards have counted.
struct Totals {
    server::Counters server;
    TransportCounters transport;
    std::size_t shards = 0;
    std::size_t silent = 0;        // shards that did not answer in time
    std::int64_t first_expiry = 0; // of the certificates shown, seconds since 1970; 0: none is
};
void add(Totals& totals, const server::Counters& logic, const TransportCounters& transport);

// In the text format of Prometheus.
std::string metrics_text(const Totals& totals);
// One metric, "callwright_NAME": a gauge when it may go down, else a counter, with "_total".
void add_metric(std::string& out, std::string_view name, std::string_view help, bool goes_down,
                std::uint64_t value);

// Serves on a thread of its own. Not for the outside: no TLS, nobody is asked who he is.
class MetricsServer final : private net::Handler {
  public:
    struct Page {
        std::string text; // of /metrics
        bool well = true; // what /healthz says
    };
    using Ask = std::function<Page()>; // called on the server's thread

    static std::expected<std::unique_ptr<MetricsServer>, std::string> start(const Endpoint& at,
                                                                            Ask ask);
    ~MetricsServer() override;
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

    [[nodiscard]] const Endpoint& at() const { return at_; }
    // The whole answer to a request. `head` ends with an empty line.
    [[nodiscard]] std::string answer(std::string_view head) const;

  private:
    explicit MetricsServer(Ask ask);
    void on_datagram(std::uint32_t, const Endpoint&, Bytes) override {}
    void on_open(net::Key key, const net::ConnectionInfo& info) override;
    void on_bytes(net::Key key, Bytes bytes) override;
    void on_closed(net::Key key, std::string_view why) override;
    void on_failed(net::Key, const Endpoint&, bool, std::string_view) override {}
    void on_turn(Instant) override {}
    Instant next_deadline() override { return {}; }

    Ask ask_;
    Endpoint at_;
    std::vector<std::string> heads_; // by connection: what has come of its request
    net::Loop loop_;
    std::thread thread_;
};

} // namespace cw::host
