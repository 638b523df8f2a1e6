// What the bare loop costs, without SIP: a TLS 1.3 server of src/net in this process, its clients
// in another. Prints, with the server's CPU time only:
//   us_per_handshake N          full ECDSA P-256 handshake, from accept() to the end of the
//   connection us_per_resumption N         the same by ticket us_per_message N            600
//   octets in, 600 out, one at a time us_per_message_batched N    the same, forty at a time in one
//   direction kb_per_idle_connection N    resident memory, 3,000 open
#include <sys/wait.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "net/loop.hpp"
#include "net/test_certificates.hpp"

namespace {

using namespace cw;

double cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

double resident_kb() {
    std::ifstream file{"/proc/self/statm"};
    double all = 0;
    double resident = 0;
    file >> all >> resident;
    return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

class Echo : public net::Handler {
  public:
    net::Loop* loop = nullptr;
    std::function<bool()> until;
    std::size_t opened = 0;
    std::size_t closed = 0;
    void on_datagram(std::uint32_t, const Endpoint&, Bytes) override {}
    void on_open(net::Key, const net::ConnectionInfo&) override { ++opened; }
    void on_bytes(net::Key key, Bytes bytes) override { loop->send(key, as_text(bytes)); }
    void on_closed(net::Key, std::string_view) override {
        ++closed;
        loop->post([] {});
    }
    void on_failed(net::Key, const Endpoint&, bool, std::string_view why) override {
        fmt::print(stderr, "failed: {}\n", why);
    }
    void on_turn(Instant) override {
        if (until()) {
            loop->stop();
        }
    }
    Instant next_deadline() override { return {}; }
};

// ---- the clients' process

struct Client {
    int fd = -1;
    SSL* ssl = nullptr;
};

Client open_client(SSL_CTX* context, const Endpoint& to, SSL_SESSION* session) {
    sockaddr_storage address{};
    const auto length = net::to_sockaddr(to, address);
    Client c{socket(address.ss_family, SOCK_STREAM, 0), SSL_new(context)};
    const int one = 1;
    setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c.fd, reinterpret_cast<sockaddr*>(&address), length) != 0) {
        std::_Exit(1);
    }
    SSL_set_fd(c.ssl, c.fd);
    if (session != nullptr) {
        SSL_set_session(c.ssl, session);
    }
    if (SSL_connect(c.ssl) != 1) {
        std::_Exit(1);
    }
    return c;
}

void close_client(const Client& c) {
    SSL_shutdown(c.ssl);
    char rest[4096];
    while (SSL_read(c.ssl, rest, sizeof rest) > 0) {
    }
    SSL_free(c.ssl);
    close(c.fd);
}

void echo(const Client& c, int messages) {
    std::string text(static_cast<std::size_t>(messages) * 600, 'm');
    for (int i = 0; i < messages; ++i) {
        SSL_write(c.ssl, text.data(), 600);
    }
    for (std::size_t got = 0; got < text.size();) {
        const int n = SSL_read(c.ssl, text.data(), static_cast<int>(text.size() - got));
        if (n <= 0) {
            std::_Exit(1);
        }
        got += static_cast<std::size_t>(n);
    }
}

// Runs `work` in a process of its own and the loop until `so`; the loop's CPU time meanwhile.
double serve(net::Loop& loop, Echo& handler, const std::function<void()>& work,
             std::function<bool()> so) {
    const auto child = fork();
    if (child == 0) {
        work();
        std::_Exit(0);
    }
    handler.until = std::move(so);
    const auto begin = cpu_us();
    loop.run();
    const auto spent = cpu_us() - begin;
    waitpid(child, nullptr, 0);
    return spent;
}

} // namespace

int main() {
    const net::test::Folder folder;
    net::TlsSettings settings;
    settings.certificates = {net::test::write(folder, "server", {net::test::make({})})};
    settings.minimum_version = TLS1_3_VERSION;
    const auto tls = net::TlsContext::make(net::TlsContext::Role::Server, settings);
    auto fd = net::listen_stream({*IpAddress::parse("127.0.0.1"), 0}, true);
    if (!tls || !fd) {
        return 1;
    }
    const auto where = net::local_endpoint(fd->get());
    Echo handler;
    net::Loop loop{handler, {.handshakes_per_source = 4096}};
    handler.loop = &loop;
    loop.listen(std::move(*fd), 1, *tls);
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());

    const auto handshakes = [&](std::size_t count, bool resumed) {
        const auto until = handler.closed + count;
        return serve(
                   loop, handler,
                   [&] {
                       SSL_SESSION* session = nullptr;
                       for (std::size_t i = 0; i < count; ++i) {
                           const auto c = open_client(context, where, session);
                           if (resumed && session == nullptr) {
                               echo(c, 1); // the ticket comes before the answer
                               session = SSL_get1_session(c.ssl);
                           }
                           close_client(c);
                       }
                   },
                   [&handler, until] { return handler.closed >= until; }) /
               static_cast<double>(count);
    };
    const auto messages = [&](int rounds, int at_once) {
        const auto until = handler.closed + 1;
        return serve(
                   loop, handler,
                   [&] {
                       const auto c = open_client(context, where, nullptr);
                       for (int i = 0; i < rounds; ++i) {
                           echo(c, at_once);
                       }
                       close_client(c);
                   },
                   [&handler, until] { return handler.closed >= until; }) /
               (rounds * at_once);
    };
    handshakes(200, false);
    fmt::print("us_per_handshake {:.1f}\n", handshakes(1500, false));
    fmt::print("us_per_resumption {:.1f}\n", handshakes(1500, true));
    fmt::print("us_per_message {:.2f}\n", messages(20'000, 1));
    fmt::print("us_per_message_batched {:.2f}\n", messages(2'000, 40));

    constexpr std::size_t idle = 3000;
    const auto hold = [&](std::size_t count) {
        int ends[2];
        if (pipe(ends) != 0) {
            return 0.0;
        }
        const auto until = handler.opened + count;
        const auto before = resident_kb();
        double after = 0;
        serve(
            loop, handler,
            [&] {
                close(ends[1]);
                std::vector<Client> open;
                for (std::size_t i = 0; i < count; ++i) {
                    open.push_back(open_client(context, where, nullptr));
                }
                char end = 0;
                [[maybe_unused]] const auto n = read(ends[0], &end, 1); // held until then
            },
            [&, closing = false, begun = handler.closed]() mutable {
                if (!closing && handler.opened >= until) {
                    after = resident_kb();
                    closing = true;
                    close(ends[1]);
                }
                return closing && handler.closed >= begun + count;
            });
        close(ends[0]);
        return (after - before) / static_cast<double>(count);
    };
    hold(200);
    fmt::print("kb_per_idle_connection {:.2f}\n", hold(idle));
    SSL_CTX_free(context);
    return 0;
}
