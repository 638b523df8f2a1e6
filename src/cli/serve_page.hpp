// `serve --web`: what this server does as a page, live. Everything happens on a thread of its own
// that gives way to those that serve; what it cannot keep up with is dropped and counted.
#pragma once

#include <atomic>
#include <expected>
#include <memory>
#include <string>
#include <thread>

#include "cli/watch_page.hpp"
#include "host/config.hpp"
#include "host/log.hpp"
#include "host/trace_queue.hpp"
#include "host/watch/call_keeper.hpp"
#include "host/watch/live_calls.hpp"
#include "host/watch/watch.hpp"

namespace cw::cli {

class ServePage {
  public:
    // `whole` is what the server was started with, and so is `queue`. `log` outlives this.
    static std::expected<std::unique_ptr<ServePage>, WatchPage::Failure>
    start(const host::Config& whole, const net::CertificateFiles& certificate,
          std::shared_ptr<host::TraceQueue> queue, const host::Log& log);
    ~ServePage(); // takes what is left in the queue, and stores it
    ServePage(const ServePage&) = delete;
    ServePage& operator=(const ServePage&) = delete;

    // For a person: where the page is, and how to log in. With the token itself where nobody but
    // who started the program reads it.
    [[nodiscard]] std::string welcome(bool with_token) const;

  private:
    ServePage(const host::WebConfig& config, const host::Log& log) : config_(config), log_(log) {}
    void run();

    host::WebConfig config_;
    const host::Log& log_;
    std::unique_ptr<host::Watch> watch_;
    std::unique_ptr<host::CallKeeper> keeper_;
    std::unique_ptr<WatchPage> page_;
    std::atomic<bool> over_ = false;
    std::thread thread_;
};

} // namespace cw::cli
