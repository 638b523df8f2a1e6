// `watch --web` and `serve --web`: what is watched as a page. The calls stay in the thread of the
// watcher; the page asks for them through a queue, and is told what changed. What a change costs
// does not depend on how many calls there were.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/watch/call_keeper.hpp"
#include "host/watch/live_calls.hpp"
#include "host/watch/trends.hpp"
#include "host/watch/watch.hpp"
#include "net/socket.hpp"
#include "web/page_server.hpp"

namespace cw::cli {

struct WatchPageSettings {
    std::string at;               // "[HOST]:PORT"; without HOST loopback
    std::string certificate, key; // PEM; empty: a throw-away one
    std::string token_file;       // empty: a token of this run alone
    std::string store;            // its name, for commands that the page shows
    std::string command;          // that reads the packets of the calls, for the same; may be empty
    bool plain_http = false;      // no TLS; on loopback only
};

class WatchPage {
  public:
    struct Failure {
        int status = 0; // of the program
        std::string why;
    };
    static std::expected<std::unique_ptr<WatchPage>, Failure>
    open(const WatchPageSettings& settings);

    // Where it is; the same with the token; and how its certificate is known, if it has one of its
    // own.
    [[nodiscard]] const std::string& place() const { return place_; }
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }
    // Readable when a page asks for something.
    [[nodiscard]] int descriptor() const { return wake_.get(); }

    // For LiveCalls::Listener.
    void changed(std::uint32_t number, const flow::Call& call, bool live);
    void gone(std::uint32_t number, std::uint32_t into);
    // Answers what was asked. `keeper` may be null.
    void answer(host::Watch& watch, host::LiveCalls& calls, host::CallKeeper* keeper);
    // Tells all pages what changed since the last time: some times a second.
    void tell(host::Watch& watch, host::LiveCalls& calls, const std::string& problem);

  private:
    using Client = web::PageServer::Client;
    struct Visitor {
        bool rows = false;      // wants to be told what changes
        std::uint32_t open = 0; // the live call that it looks at
        bool stale = false;     // …has changed since it was sent
    };
    struct Asked {
        Client client = 0;
        std::string text;
        bool closed = false;
    };

    WatchPage() = default;
    void on_asked(Asked asked);
    void send_rows(Client client, host::Watch& watch);
    void send_call(Client client, std::string_view key, host::LiveCalls& calls,
                   host::CallKeeper* keeper);
    void send_found(Client client, std::string_view rest, host::CallKeeper* keeper);
    [[nodiscard]] std::string state_json(host::Watch& watch, const std::string& problem) const;

    std::string place_;
    std::string address_;
    std::string fingerprint_;
    std::string store_;
    std::string command_;
    net::Descriptor wake_;
    std::mutex mutex_; // of asked_
    std::vector<Asked> asked_;
    std::map<Client, Visitor> visitors_;
    std::map<std::uint32_t, std::string> rows_; // of all calls that are kept, as JSON
    std::map<std::uint32_t, bool> fresh_;       // changed since tell(), and whether it goes on
    std::vector<std::pair<std::uint32_t, std::uint32_t>> gone_;
    std::set<std::uint32_t> going_; // calls that are tried, ring or are up
    host::Trends trends_;
    std::string state_; // as it was told
    std::int64_t told_entries_ = 0;
    std::unique_ptr<web::PageServer> server_; // last: its thread ends before the rest
};

} // namespace cw::cli
