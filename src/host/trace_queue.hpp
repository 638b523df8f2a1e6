// The trace of a server on its way to a watcher in the same process (watch/watch.hpp). Whoever
// serves copies what it did once a turn, and never waits: when the watcher is behind by more than
// the queue may hold, packets are dropped and counted. Any thread appends, one takes.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "host/trace_sink.hpp"
#include "net/socket.hpp"

namespace cw::host {

class TraceQueue final : public TraceSink {
  public:
    static constexpr std::size_t default_most = std::size_t{32} << 20;

    // `most`: octets that wait. Secrets may take a quarter more: without them all that follows
    // would be lost, too. Or a sentence that says what failed.
    static std::expected<std::shared_ptr<TraceQueue>, std::string>
    create(std::size_t most = default_most);

    void append(std::string_view blocks) override;
    void add_secret(std::string_view line) override;

    // Readable when something waits.
    [[nodiscard]] int descriptor() const { return wake_.get(); }
    // All that waits, in the order in which it came, as a pcapng file; empty when nothing does.
    // `into` is replaced; what it had room for is used again.
    void take(std::string& into);
    // Packets that were dropped.
    [[nodiscard]] std::uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

  private:
    TraceQueue(net::Descriptor wake, std::size_t most) : most_(most), wake_(std::move(wake)) {}
    void put(std::string_view blocks);

    const std::size_t most_;
    net::Descriptor wake_;
    std::mutex mutex_; // of waiting_
    std::string waiting_;
    std::atomic<std::uint64_t> lost_ = 0;
};

} // namespace cw::host
