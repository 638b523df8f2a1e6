#include "web/page_server.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/rand.h>

namespace cw::web {
namespace {

constexpr Duration request_patience = seconds(10);
constexpr Duration session_lasts = seconds(12 * 3600);
constexpr std::size_t most_sessions = 64;
constexpr double most_guesses = 10; // at once; one more each second
constexpr std::string_view subprotocol = "callwright";

std::string random_name() {
    std::array<unsigned char, 24> octets{};
    if (RAND_bytes(octets.data(), octets.size()) != 1) {
        return {};
    }
    std::string out;
    for (const auto octet : octets) {
        constexpr std::string_view digits = "0123456789abcdef";
        out += digits[octet >> 4];
        out += digits[octet & 0xf];
    }
    return out;
}

} // namespace

PageServer::PageServer(PageSettings settings, Listener listener)
    : settings_(std::move(settings)), listener_(std::move(listener)),
      loop_(*this, {.connections = 256,
                    .handshakes_per_source = 32,
                    .handshake = request_patience,
                    .output = std::size_t{64} << 20}) {}

std::expected<std::unique_ptr<PageServer>, std::string> PageServer::start(PageSettings settings,
                                                                          Listener listener) {
    if (settings.token.empty()) {
        return std::unexpected{"a page without a token would be open to anybody"};
    }
    auto fd = net::listen_stream(settings.at, true);
    if (!fd) {
        return std::unexpected{"page on " + to_string(settings.at) + ": " + fd.error()};
    }
    std::unique_ptr<PageServer> server{new PageServer(std::move(settings), std::move(listener))};
    server->at_ = net::local_endpoint(fd->get());
    // Cookies do not tell ports apart: two servers of one host would take each other's away.
    server->cookie_ = "callwright-" + std::to_string(server->at_.port);
    server->loop_.listen(std::move(*fd), 0, server->settings_.tls);
    server->thread_ = std::thread{[&loop = server->loop_] { loop.run(); }};
    return server;
}

PageServer::~PageServer() {
    loop_.post([this] { loop_.stop(); });
    if (thread_.joinable()) {
        thread_.join();
    }
}

void PageServer::send(Client client, std::string text) {
    loop_.post([this, client, text = std::move(text)] {
        const net::Key key{static_cast<std::uint32_t>(client >> 32),
                           static_cast<std::uint32_t>(client)};
        if (!loop_.is_open(key) || key.index >= visitors_.size() ||
            visitors_[key.index].socket == nullptr) {
            return;
        }
        auto& socket = *visitors_[key.index].socket;
        socket.send(text);
        loop_.send(key, socket.output());
        socket.output().clear();
    });
}

void PageServer::on_open(net::Key key, const net::ConnectionInfo&) {
    if (visitors_.size() <= key.index) {
        visitors_.resize(key.index + std::size_t{1});
    }
    visitors_[key.index] = {};
    loop_.set_deadline(key, net::Loop::now() + request_patience);
}

void PageServer::on_closed(net::Key key, std::string_view) {
    const bool had_socket = visitors_[key.index].socket != nullptr;
    visitors_[key.index] = {};
    if (had_socket) {
        listener_.closed(client_of(key));
    }
}

void PageServer::answer(net::Key key, const Answer& answer) {
    std::string out;
    append_answer(out, answer);
    loop_.send(key, out);
    loop_.close(key, "answered");
    visitors_[key.index].answered = true;
}

void PageServer::on_bytes(net::Key key, Bytes bytes) {
    auto& visitor = visitors_[key.index];
    if (visitor.socket != nullptr) {
        feed(key, visitor, bytes);
        return;
    }
    if (visitor.answered) {
        return; // one request a connection
    }
    visitor.input += as_text(bytes);
    const auto read = read_request(visitor.input);
    if (read.request) {
        const auto input = visitor.input;
        const auto again = read_request(input); // views of what stays
        on_request(key, *again.request, input);
    } else if (read.fault == RequestFault::Malformed) {
        answer(key, {"400 Bad Request", "text/plain", "not a request\n", {}});
    } else if (read.fault == RequestFault::TooLong) {
        answer(key, {"413 Content Too Large", "text/plain", "too long\n", {}});
    }
}

bool PageServer::has_session(const Request& request) const {
    const auto shown = request.cookie(cookie_);
    const auto now = net::Loop::now();
    return std::ranges::any_of(sessions_, [&](const Session& session) {
        return session.until > now && equal_secrets(shown, session.name);
    });
}

// A browser says from which page a request comes; another site's may not act for whoever is logged
// in here.
bool PageServer::is_own_page(const Request& request) const {
    const auto origin = request.header("Origin");
    const auto host = request.header("Host");
    return !host.empty() &&
           origin == (settings_.tls != nullptr ? "https://" : "http://") + std::string{host};
}

void PageServer::on_request(net::Key key, const Request& request, std::string_view bytes) {
    const bool get = request.method == "GET";
    const bool head = request.method == "HEAD";
    if (request.path == "/login" && request.method == "POST") {
        log_in(key, request);
        return;
    }
    if (request.path == "/live" && get) {
        open_socket(key, request, bytes);
        return;
    }
    if (request.path == "/session" && get) {
        answer(key, {"200 OK", "text/plain", has_session(request) ? "yes\n" : "no\n", {}});
        return;
    }
    if (!get && !head) {
        answer(key, {"405 Method Not Allowed", "text/plain", "GET it\n", "Allow: GET, HEAD\r\n"});
        return;
    }
    const auto asset = std::ranges::find(settings_.assets, request.path, &Asset::path);
    if (asset == settings_.assets.end()) {
        answer(key, {"404 Not Found", "text/plain", "there is only /\n", {}});
        return;
    }
    const auto policy = "Content-Security-Policy: " + settings_.policy + "\r\n";
    answer(key, {"200 OK", asset->type, asset->body, policy, head});
}

void PageServer::log_in(net::Key key, const Request& request) {
    const auto now = net::Loop::now();
    guesses_ = std::min(most_guesses, guesses_ + (now - guessed_).seconds());
    guessed_ = now;
    if (guesses_ < 1) {
        answer(key, {"429 Too Many Requests", "text/plain", "too many wrong tokens\n",
                     "Retry-After: 2\r\n"});
        return;
    }
    const auto name = random_name();
    if (!is_own_page(request) || !equal_secrets(request.body, settings_.token) || name.empty()) {
        guesses_ -= 1;
        answer(key, {"403 Forbidden", "text/plain", "this is not the token\n", {}});
        return;
    }
    sessions_.push_back({name, now + session_lasts});
    if (sessions_.size() > most_sessions) {
        sessions_.pop_front();
    }
    const auto cookie = "Set-Cookie: " + cookie_ + "=" + name +
                        "; Path=/; HttpOnly; SameSite=Strict" +
                        (settings_.tls != nullptr ? "; Secure" : "") + "\r\n";
    answer(key, {"204 No Content", "text/plain", {}, cookie});
}

void PageServer::open_socket(net::Key key, const Request& request, std::string_view bytes) {
    if (!has_session(request)) {
        answer(key, {"401 Unauthorized", "text/plain", "log in first\n", {}});
        return;
    }
    if (!is_own_page(request)) {
        answer(key, {"403 Forbidden", "text/plain", "asked by another site\n", {}});
        return;
    }
    auto& visitor = visitors_[key.index];
    visitor.input.clear();
    visitor.socket =
        std::make_unique<net::WebSocket>(net::WebSocket::Role::Server, std::string{subprotocol},
                                         net::WebSocketLimits{.message = std::size_t{64} << 10});
    loop_.set_deadline(key, {});
    feed(key, visitor, as_bytes(bytes));
}

void PageServer::feed(net::Key key, Visitor& visitor, Bytes bytes) {
    auto& socket = *visitor.socket;
    bool over = false;
    socket.feed(bytes, [&](const net::WebSocket::Event& event) {
        using Kind = net::WebSocket::Event::Kind;
        if (event.kind == Kind::Message && !event.binary) {
            listener_.said(client_of(key), event.text);
        }
        over = over || event.kind == Kind::Closed || event.kind == Kind::Failed;
    });
    loop_.send(key, socket.output());
    socket.output().clear();
    if (over || socket.done()) {
        loop_.close(key, "the page is closed");
    }
}

} // namespace cw::web
