// A TLS connection of serve_driver to the server that it drives.
#pragma once

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <functional>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <variant>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "base/address.hpp"
#include "sip/frame.hpp"

namespace cw::bench {

[[noreturn]] inline void stop(const std::string& why) {
    throw std::runtime_error(why);
}

// The latest session that the server gave us to come back with [RFC 8446 §4.6.1].
class KeptSession {
  public:
    KeptSession() = default;
    KeptSession(const KeptSession&) = delete;
    KeptSession& operator=(const KeptSession&) = delete;
    ~KeptSession() { SSL_SESSION_free(session_); }

    void keep_those_of(SSL_CTX* context) {
        SSL_CTX_set_app_data(context, this);
        SSL_CTX_set_session_cache_mode(context,
                                       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
        SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
            auto& self = *static_cast<KeptSession*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
            SSL_SESSION_free(self.session_);
            self.session_ = session;
            return 1; // it is ours now
        });
    }
    [[nodiscard]] SSL_SESSION* get() const { return session_; }

  private:
    SSL_SESSION* session_ = nullptr;
};

// Output is gathered and written once a turn.
class Connection {
  public:
    // Connected, with its handshake done. `source` unspecified: whatever address the system
    // chooses. `session` null: a full handshake.
    Connection(SSL_CTX* context, const Endpoint& server, const Endpoint& source, int poll,
               int index, SSL_SESSION* session)
        : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        const int one = 1;
        if (source.address.is_loopback()) {
            const auto from = address_of(source);
            setsockopt(fd_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
            if (bind(fd_, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) {
                stop(fmt::format("bind: {}", std::strerror(errno)));
            }
        }
        const auto to = address_of(server);
        if (connect(fd_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
            stop(fmt::format("connect: {}", std::strerror(errno)));
        }
        setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        ssl_ = SSL_new(context);
        SSL_set_fd(ssl_, fd_);
        SSL_set_tlsext_host_name(ssl_, "localhost");
        if (session != nullptr) {
            // A copy: OpenSSL uses a session of TLS 1.3 once.
            SSL_SESSION* copy = SSL_SESSION_dup(session);
            SSL_set_session(ssl_, copy);
            SSL_SESSION_free(copy);
        }
        if (SSL_connect(ssl_) != 1) {
            stop("TLS handshake failed");
        }
        fcntl(fd_, F_SETFL, O_NONBLOCK);
        sockaddr_in local{};
        socklen_t length = sizeof local;
        getsockname(fd_, reinterpret_cast<sockaddr*>(&local), &length);
        port = ntohs(local.sin_port);
        epoll_event event{.events = EPOLLIN, .data = {.u32 = static_cast<unsigned>(index)}};
        epoll_ctl(poll, EPOLL_CTL_ADD, fd_, &event);
    }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection() {
        // Else OpenSSL takes the session for broken off, and would not resume it.
        SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
        SSL_free(ssl_);
        close(fd_);
    }

    [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_) == 1; }
    void send(std::string_view text) { out_ += text; }
    void flush() {
        while (!out_.empty()) {
            const int wrote = SSL_write(
                ssl_, out_.data(), static_cast<int>(std::min<std::size_t>(out_.size(), 16'384)));
            if (wrote <= 0) {
                return; // the next turn tries again
            }
            out_.erase(0, static_cast<std::size_t>(wrote));
        }
    }
    // Calls `take` for each whole message that has come.
    void read(const std::function<void(std::string_view)>& take) {
        char buffer[16'384];
        int got = 0;
        while ((got = SSL_read(ssl_, buffer, sizeof buffer)) > 0) {
            in_.append(buffer, static_cast<std::size_t>(got));
        }
        const int error = SSL_get_error(ssl_, got);
        closed = error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
        std::size_t at = 0;
        for (;;) {
            const auto framed = sip::frame(as_bytes(std::string_view{in_}.substr(at)), policy_);
            const auto* frame = std::get_if<sip::Frame>(&framed);
            if (frame == nullptr) {
                break;
            }
            if (frame->kind == sip::Frame::Kind::Message) {
                take(std::string_view{in_}.substr(at, frame->size()));
            }
            at += frame->size();
        }
        in_.erase(0, at);
    }
    // Reads what comes until `there`, for five seconds at most.
    void wait_for(const std::function<bool()>& there) {
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        while (!there()) {
            if (std::chrono::steady_clock::now() > until) {
                stop("the server gives no session to resume");
            }
            usleep(1000);
            read([](std::string_view) {});
        }
    }

    std::uint16_t port = 0;
    bool closed = false;

  private:
    static sockaddr_in address_of(const Endpoint& endpoint) {
        sockaddr_in out{};
        out.sin_family = AF_INET;
        out.sin_port = htons(endpoint.port);
        std::memcpy(&out.sin_addr, endpoint.address.octets.data() + 12, 4);
        return out;
    }

    int fd_;
    SSL* ssl_ = nullptr;
    std::string out_;
    std::string in_;
    sip::Policy policy_ = sip::Policy::tolerant();
};

} // namespace cw::bench
