// The whole server in one process: the data folder, the listeners, a thread for each shard, and
// what is done once for all of them: reload, draining, ticket keys, the store's log, metrics.
// Threads: everything here is called from one thread, which is none of the shards'.
// docs/ownership.md tells who creates and destroys what.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "host/config.hpp"
#include "host/data_folder.hpp"
#include "host/expiry.hpp"
#include "host/log.hpp"
#include "host/metrics.hpp"
#include "host/shard.hpp"
#include "host/store_thread.hpp"
#include "host/tls_set.hpp"
#include "host/trace_file.hpp"
#include "host/trace_sink.hpp"
#include "net/tickets.hpp"
#include "store/location.hpp"

namespace cw::host {

class Service {
  public:
    // Binds everything, loads the bindings, starts the threads. On failure nothing is left running.
    // `log` outlives the service. `watcher`: who is told all that is served, or null. `on_reached`:
    // who is told of connections from others, in a shard's thread; or empty.
    static std::expected<std::unique_ptr<Service>, std::string>
    start(const Config& config, const Log& log, std::shared_ptr<TraceSink> watcher = nullptr,
          OnReached on_reached = {});
    ~Service(); // stop()
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    // As bound: port 0 has become a port.
    [[nodiscard]] const std::vector<server::Listener>& listeners() const {
        return settings_->listeners;
    }
    // The CA that issued our throw-away certificate; empty when certificates were configured.
    [[nodiscard]] const std::string& throw_away_ca() const { return throw_away_ca_; }
    // What we show on TLS, where no server name is asked for; empty when nothing speaks TLS.
    [[nodiscard]] const net::CertificateFiles& certificate() const { return certificate_; }

    // All of it or, when it fails, nothing. Listeners, data and shards stay as they are.
    std::expected<void, std::string> reload(const Config& config);
    // Once a second or so: what is due.
    void tick(Instant now);
    // No new connections, no new calls.
    void drain();
    // Nothing is in progress any more.
    [[nodiscard]] bool idle();
    // Closes all connections, ends the threads.
    void stop();
    [[nodiscard]] Totals totals();

  private:
    Service(const Log& log, std::shared_ptr<TraceSink> watcher, OnReached on_reached)
        : log_(log), trace_(std::move(watcher)), on_reached_(std::move(on_reached)) {}
    using Done = std::expected<void, std::string>;

    Done open(const Config& config);
    Done bind(const Config& config);
    Done load_bindings();
    std::expected<std::shared_ptr<const TlsSet>, std::string> make_tls(const Config& config);
    [[nodiscard]] std::size_t room_for_connections(const Config& config);
    void make_shards(const Config& config, std::shared_ptr<const TlsSet> tls);
    void run_shards();
    // Runs `job(shard)` in each shard's thread and waits for all of them, two seconds at most.
    void look_at_expiry(Instant now);
    void set_ticket_hours(std::uint32_t hours);
    template <class Job>
    std::size_t ask_shards(Job job);

    const Log& log_;
    std::unique_ptr<DataFolder> folder_;
    std::unique_ptr<store::Location> location_;
    std::unique_ptr<StoreThread> store_thread_; // null unless shards have tables of their own
    std::shared_ptr<TraceSink> trace_; // TLS contexts hold it too, for their secrets; may be null
    OnReached on_reached_;
    std::shared_ptr<const server::Settings> settings_;
    std::string throw_away_ca_;
    net::CertificateFiles certificate_;
    std::size_t shard_count_ = 0;
    bool own_tables_ = false; // shards have tables of descriptors of their own
    std::vector<std::vector<ListeningSocket>> sockets_; // by shard, until they are handed over
    std::vector<std::unique_ptr<Shard>> shards_;
    std::vector<std::thread> threads_;
    Instant next_checkpoint_;
    std::shared_ptr<net::Tickets> tickets_;
    std::uint32_t ticket_hours_ = 0;
    Instant next_tickets_;
    std::vector<ShownCertificate> shown_; // by all listeners and trunks
    Instant next_expiry_;
    std::atomic<std::int64_t> first_expiry_ = 0; // ns; metrics ask for it on their own thread
};

} // namespace cw::host
