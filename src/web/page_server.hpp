// A page over HTTP, and texts to and from it over a WebSocket: fixed files for anybody, everything
// else for who has the token. Serves on a thread of its own.
//
// Login: POST /login with the token as its body gives a session, a cookie that no script can read
// and no other site can send. The WebSocket wants the session, and that the page is our own
// (Origin is Host). Who guesses is slowed down.
#pragma once

#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/address.hpp"
#include "net/loop.hpp"
#include "net/tls.hpp"
#include "net/websocket.hpp"
#include "web/http.hpp"

namespace cw::web {

struct Asset {
    std::string path; // "/", "/page.js"
    std::string type;
    std::string body;
};

struct PageSettings {
    Endpoint at;
    std::shared_ptr<const net::TlsContext> tls; // null: HTTP, which is for loopback
    std::string token;                          // not empty
    std::vector<Asset> assets;
    std::string policy; // Content-Security-Policy
};

class PageServer final : private net::Handler {
  public:
    // A page that is open; never given again.
    using Client = std::uint64_t;
    // Both are called on the server's thread.
    struct Listener {
        std::function<void(Client client, std::string_view text)> said;
        std::function<void(Client client)> closed;
    };

    static std::expected<std::unique_ptr<PageServer>, std::string> start(PageSettings settings,
                                                                         Listener listener);
    ~PageServer() override;
    PageServer(const PageServer&) = delete;
    PageServer& operator=(const PageServer&) = delete;

    [[nodiscard]] const Endpoint& at() const { return at_; }
    // From any thread. Of a page that is gone nothing is said.
    void send(Client client, std::string text);

  private:
    struct Visitor {
        std::string input; // not yet a whole request
        std::unique_ptr<net::WebSocket> socket;
        std::uint32_t generation = 0;
        bool answered = false;
    };
    struct Session {
        std::string name;
        Instant until;
    };

    PageServer(PageSettings settings, Listener listener);
    void on_datagram(std::uint32_t, const Endpoint&, Bytes) override {}
    void on_open(net::Key key, const net::ConnectionInfo& info) override;
    void on_bytes(net::Key key, Bytes bytes) override;
    void on_closed(net::Key key, std::string_view why) override;
    void on_failed(net::Key, const Endpoint&, bool, std::string_view) override {}
    void on_turn(Instant) override {}
    Instant next_deadline() override { return {}; }

    void answer(net::Key key, const Answer& answer);
    void on_request(net::Key key, const Request& request, std::string_view bytes);
    void log_in(net::Key key, const Request& request);
    void open_socket(net::Key key, const Request& request, std::string_view bytes);
    void feed(net::Key key, Visitor& visitor, Bytes bytes);
    [[nodiscard]] bool has_session(const Request& request) const;
    [[nodiscard]] bool is_own_page(const Request& request) const;
    static Client client_of(net::Key key) {
        return std::uint64_t{key.index} << 32 | key.generation;
    }

    PageSettings settings_;
    Listener listener_;
    Endpoint at_;
    std::string cookie_;            // its name
    std::vector<Visitor> visitors_; // by connection
    std::deque<Session> sessions_;
    double guesses_ = 10; // that are free; they come back with the time
    Instant guessed_;
    net::Loop loop_;
    std::thread thread_;
};

} // namespace cw::web
