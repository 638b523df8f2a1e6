// `callwright load`: a flow performed many times by one or more shards, each with a thread of its
// own, and what they count added up second by second. run() may be ended from another thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "host/load/load_shard.hpp"
#include "host/log.hpp"
#include "host/stage/embedded.hpp"
#include "host/stage/scenery.hpp"
#include "play/load/crowd.hpp"
#include "play/load/tally.hpp"

namespace cw::host {

struct LoadOptions {
    std::vector<RealSystem> at;
    std::vector<std::string> trusted; // PEM files
    play::CrowdSettings crowd;        // of the whole load, before it is divided
    std::uint32_t shards = 1;
    std::optional<Duration> keep_alive;
    std::vector<RealSystem> listen; // where parties of ours are reached
    std::vector<IpAddress> sources; // what they send from, in turn; empty: as the system chooses
    bool real_time = false;         // shards run before everything that is not
    bool resume = false;            // connections resume the TLS session of an earlier one
};

// One second of the load, counted from the first call.
struct LoadSecond {
    std::uint64_t number = 0;
    play::Tally tally;
    std::size_t in_progress = 0; // when it ended
    std::size_t connections = 0;
    Duration cpu; // of our threads, embedded servers left out
};

struct LoadResult {
    play::Tally total;
    std::vector<play::FailedCall> failed;
    std::string hopeless; // why it could not be done at all; empty: it was done
    bool interrupted = false;
    Duration cpu;
    Duration lasted; // from the first call to the end
};

class Load {
  public:
    // Opens everything. Fails with a sentence.
    static std::expected<std::unique_ptr<Load>, std::string>
    make(script::Plan plan, play::Given given, std::optional<play::Rows> rows, LoadOptions options);
    ~Load();
    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    struct Watcher {
        std::function<void(const LoadSecond&, const LoadResult&)> on_second;
        // Before the first call: how many phones have registered by now.
        std::function<void(const LoadResult&)> on_enrolling;
    };
    // To its end. The watcher is called in this thread.
    const LoadResult& run(const Watcher& watcher);
    // From another thread: no call begins any more; those in progress have that time to end.
    void interrupt(Duration grace);

    [[nodiscard]] const script::Plan& plan() const { return scene_.plan; }
    // Calls differ in their users, by the rows given or because we made some.
    [[nodiscard]] bool has_users() const { return scene_.rows.has_value(); }
    [[nodiscard]] const play::Cast& cast() const { return scene_.cast; }

  private:
    Load(script::Plan plan, play::Given given, std::optional<play::Rows> rows, LoadOptions options);
    std::expected<void, std::string> open();
    [[nodiscard]] std::string what_cannot_be() const;
    [[nodiscard]] std::string unreachable() const;
    void make_users();
    std::expected<void, std::string> start_servers();
    void hear(LoadNews&& news);

    struct Pending {
        LoadSecond second;
        std::uint32_t told = 0; // shards
    };

    LoadOptions options_;
    LoadScene scene_;
    Log log_;
    std::unique_ptr<Embedded> embedded_;
    std::vector<std::unique_ptr<LoadShard>> shards_;

    std::mutex mutex_; // for what follows
    std::condition_variable news_;
    std::map<std::uint64_t, Pending> pending_;
    std::vector<Duration> cpu_; // by shard
    std::vector<std::size_t> in_progress_;
    std::vector<std::size_t> connections_;
    LoadResult result_;
    std::uint32_t over_ = 0;
    bool enrolling_told_ = false;
    std::atomic<bool> interrupted_ = false;
};

} // namespace cw::host
