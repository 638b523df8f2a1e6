// The structured log: one line an event, `time level what key=value …`, written with one write(2),
// so that lines of several shards do not mix. Values that come from outside are quoted and cannot
// begin a line of their own. Never a credential, a nonce or a key. Any thread.
#pragma once

#include <atomic>
#include <string>
#include <string_view>

#include "server/host_side.hpp"

namespace cw::host {

using server::LogLevel;

class Log {
  public:
    // `fd` is the caller's, and stays open longer than the log.
    Log(int fd, LogLevel least) : fd_(fd), least_(least) {}

    // `fields` are ready: see field().
    void line(LogLevel level, std::string_view what, std::string_view fields = {}) const;
    [[nodiscard]] bool takes(LogLevel level) const {
        return level <= least_.load(std::memory_order_relaxed);
    }
    void set_level(LogLevel least) { least_.store(least, std::memory_order_relaxed); }

  private:
    int fd_;
    std::atomic<LogLevel> least_;
};

// ` name=value`, the value quoted where it needs to be; to be added to other fields.
std::string field(std::string_view name, std::string_view value);

} // namespace cw::host
