// Where the trace of a server goes: a file (trace_file.hpp), a watcher in the same process
// (trace_queue.hpp), or both. Any thread.
#pragma once

#include <memory>
#include <string_view>
#include <utility>

namespace cw::host {

class TraceSink {
  public:
    TraceSink() = default;
    TraceSink(const TraceSink&) = delete;
    TraceSink& operator=(const TraceSink&) = delete;
    virtual ~TraceSink() = default;

    // Whole pcapng blocks of packets, which stay together. Of interface 0, raw IP.
    virtual void append(std::string_view blocks) = 0;
    // A line of the NSS key log format, before the packets that need it.
    virtual void add_secret(std::string_view line) = 0;
};

class TraceTee final : public TraceSink {
  public:
    TraceTee(std::shared_ptr<TraceSink> one, std::shared_ptr<TraceSink> other)
        : one_(std::move(one)), other_(std::move(other)) {}
    void append(std::string_view blocks) override {
        one_->append(blocks);
        other_->append(blocks);
    }
    void add_secret(std::string_view line) override {
        one_->add_secret(line);
        other_->add_secret(line);
    }

  private:
    std::shared_ptr<TraceSink> one_, other_;
};

} // namespace cw::host
