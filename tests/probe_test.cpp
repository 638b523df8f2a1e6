// callwright probe against real peers: `callwright serve`, and OpenSSL's server where only a
// handshake is wanted.
#include <array>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "crypto/ca.hpp"
#include "crypto/private_file.hpp"
#include "program.hpp"

namespace {

using cw::tests::contains;
using cw::tests::Outcome;

// A program that runs beside the test until the test lets go of it.
class Peer {
  public:
    // Waits until it has written `ready`.
    Peer(const std::vector<std::string>& arguments, std::string_view ready) {
        std::array<int, 2> to{};
        std::array<int, 2> from{};
        if (::pipe2(to.data(), O_CLOEXEC) != 0 || ::pipe2(from.data(), O_CLOEXEC) != 0) {
            return;
        }
        std::vector<char*> list;
        for (const auto& argument : arguments) {
            list.push_back(const_cast<char*>(argument.c_str()));
        }
        list.push_back(nullptr);
        process_ = ::fork();
        if (process_ == 0) {
            ::dup2(to[0], 0); // held open and never written to
            ::dup2(from[1], 1);
            ::dup2(from[1], 2);
            ::execvp(list[0], list.data());
            ::_exit(127);
        }
        ::close(to[0]);
        ::close(from[1]);
        input_ = to[1];
        output_ = from[0];
        wait_for(ready);
    }
    ~Peer() {
        if (process_ > 0) {
            ::kill(process_, SIGTERM);
            ::waitpid(process_, nullptr, 0);
        }
        ::close(input_);
        ::close(output_);
    }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] bool ready() const { return ready_; }
    [[nodiscard]] const std::string& said() const { return said_; }

  private:
    void wait_for(std::string_view word) {
        std::array<char, 1024> buffer{};
        while (said_.find(word) == std::string::npos) {
            pollfd entry{.fd = output_, .events = POLLIN, .revents = 0};
            if (::poll(&entry, 1, 60'000) != 1) {
                return; // a peer that hangs must not hang the tests
            }
            const auto n = ::read(output_, buffer.data(), buffer.size());
            if (n <= 0) {
                return;
            }
            said_.append(buffer.data(), static_cast<std::size_t>(n));
        }
        ready_ = true;
    }

    pid_t process_ = -1;
    int input_ = -1;
    int output_ = -1;
    std::string said_;
    bool ready_ = false;
};

int free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    (void)::bind(fd, reinterpret_cast<sockaddr*>(&at), size);
    (void)::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &size);
    ::close(fd);
    return ntohs(at.sin_port);
}

class Probe : public cw::tests::InFolder {
  protected:
    void SetUp() override {
        InFolder::SetUp();
        port_ = free_port();
        ASSERT_EQ(run("certs init").status, 0);
        ASSERT_EQ(run("certs init --dir other --name 'Other CA'").status, 0);
        ASSERT_EQ(run("certs issue localhost").status, 0);
    }
    // `callwright serve` with this certificate; more options after it.
    void serve(const std::string& name, std::initializer_list<std::string> more = {}) {
        std::vector<std::string> arguments{CALLWRIGHT_PROGRAM,
                                           "serve",
                                           "--listen",
                                           fmt::format("tls:127.0.0.1:{}", port_),
                                           "--domain",
                                           "localhost",
                                           "--data",
                                           path("data"),
                                           "--cert",
                                           path(name + ".pem"),
                                           "--key",
                                           path(name + ".key")};
        arguments.insert(arguments.end(), more);
        peer_ = std::make_unique<Peer>(arguments, "callwright: ready");
        ASSERT_TRUE(peer_->ready()) << peer_->said();
    }
    void serve_with_openssl(std::initializer_list<std::string> more) {
        std::vector<std::string> arguments{"openssl", "s_server",
                                           "-accept", fmt::format("127.0.0.1:{}", port_),
                                           "-cert",   path("ca/localhost.pem"),
                                           "-key",    path("ca/localhost.key")};
        arguments.insert(arguments.end(), more);
        peer_ = std::make_unique<Peer>(arguments, "ACCEPT");
        ASSERT_TRUE(peer_->ready()) << peer_->said();
    }
    [[nodiscard]] Outcome probe(const std::string& more) const {
        const auto* patience = contains(more, "--timeout") ? "" : "--timeout 20";
        return run(fmt::format("probe tls:localhost:{} {} {}", port_, patience, more));
    }
    void expect(const std::string& more, int status, std::string_view words) const {
        const auto outcome = probe(more);
        EXPECT_EQ(outcome.status, status) << outcome.text;
        EXPECT_TRUE(contains(outcome.text, words)) << outcome.text;
    }

    int port_ = 0;
    std::unique_ptr<Peer> peer_;
};

TEST_F(Probe, AGoodServerIsShownWhole) {
    serve("ca/localhost");
    const auto outcome = probe("--ca ca/ca.pem --width 120");
    EXPECT_EQ(outcome.status, 0) << outcome.text;
    for (const auto* words :
         {"localhost is this machine", "ClientHello · for localhost", "ServerHello · TLS 1.3",
          "CertificateVerify", "OPTIONS", "200 OK", "✓ good: it speaks for localhost",
          "certificate  good: it speaks for localhost", "are not asked for a certificate",
          "resumption   works", "keep-alive   answered after", "all is well"}) {
        EXPECT_TRUE(contains(outcome.text, words)) << words << "\n" << outcome.text;
    }
}

TEST_F(Probe, ThatIsJsonAndADiagramToo) {
    serve("ca/localhost");
    const auto json = probe("--ca ca/ca.pem --format json --tls 1.2");
    EXPECT_EQ(json.status, 0) << json.text;
    for (const auto* words :
         {R"("reached":true,"good":true,"problems":[])", R"("version":"TLSv1.2")",
          R"({"from":"client","name":"ClientHello","detail":"for localhost"})",
          R"("resumption":"works")", R"("status":200)", R"("answered":true)",
          R"("domains":["localhost"])"}) {
        EXPECT_TRUE(contains(json.text, words)) << words << "\n" << json.text;
    }
    const auto mermaid = probe("--ca ca/ca.pem --format mermaid");
    EXPECT_TRUE(mermaid.text.starts_with("sequenceDiagram")) << mermaid.text;
}

TEST_F(Probe, WebSocketsAreVisitedToo) {
    const auto clear = free_port();
    const auto secure = free_port();
    serve("ca/localhost", {"--listen", fmt::format("ws:127.0.0.1:{}", clear), "--listen",
                           fmt::format("wss:127.0.0.1:{}", secure)});
    const auto visit = [&](const char* scheme, int port) {
        return run(fmt::format("probe {}:localhost:{} --ca ca/ca.pem --timeout 20", scheme, port));
    };
    for (const auto& outcome : {visit("ws", clear), visit("wss", secure)}) {
        EXPECT_EQ(outcome.status, 0) << outcome.text;
        for (const auto* words : {"200 OK", "keep-alive   answered after", "all is well"}) {
            EXPECT_TRUE(contains(outcome.text, words)) << words << "\n" << outcome.text;
        }
    }
    const auto mixed_up = visit("ws", secure);
    EXPECT_EQ(mixed_up.status, 1) << mixed_up.text;
    EXPECT_TRUE(contains(mixed_up.text, "where TLS is spoken, wss:")) << mixed_up.text;
}

TEST_F(Probe, WhatIsWrongWithACertificateIsNamed) {
    serve("ca/localhost");
    expect("--ca other/ca.pem", 1, "missing issuer: localhost: its issuer CN=Callwright CA");
    expect("--ca ca/ca.pem --name example.com", 1,
           "other names: localhost: it speaks for localhost, not for example.com");
    expect("--ca ca/ca.pem --policy strict", 1, "lacks sipDomain");
    (void)run("certs revoke localhost");
    expect("--ca ca/ca.pem --crl ca/crl.pem", 1, "revoked: localhost: was revoked by");
}

TEST_F(Probe, AnExpiredCertificateIsNamed) {
    ASSERT_EQ(run("certs issue localhost --force --from 2020-01-01 --days 9").status, 0);
    serve_with_openssl({});
    expect("--ca ca/ca.pem --timeout 2", 1, "expired: localhost: expired");
}

TEST_F(Probe, AMissingIntermediateIsNamedWithTheWayOut) {
    using namespace cw;
    const Instant now{static_cast<std::int64_t>(::time(nullptr)) * 1'000'000'000};
    const auto validity = crypto::valid_for(now, 9);
    const auto root = crypto::make_ca({.name = "Root", .validity = validity, .path_length = 1});
    const auto between =
        crypto::make_intermediate(*root, {.name = "Between", .validity = validity});
    const auto leaf = crypto::issue(*between, {.domains = {"localhost"}, .validity = validity});
    (void)file("root.pem", crypto::to_pem(root->certificate.get()));
    (void)file("short.pem", crypto::to_pem(leaf->certificate.get()));
    (void)file("short.key", crypto::to_pem(leaf->key.get()));
    (void)file("whole.pem", crypto::to_pem(leaf->certificate.get()) +
                                crypto::to_pem(between->certificate.get()));
    (void)file("whole.key", crypto::to_pem(leaf->key.get()));
    serve("short");
    expect("--ca root.pem", 1, "append it to the certificate's file there");
    peer_.reset();
    port_ = free_port();
    serve("whole");
    expect("--ca root.pem", 0, "2 of 2: Between");
}

TEST_F(Probe, ADemandForAClientCertificateIsToldAndMet) {
    ASSERT_EQ(run("certs issue client.example").status, 0);
    ASSERT_EQ(run("certs issue client.example --dir other").status, 0);
    for (const auto* version : {"1.2", "1.3"}) {
        port_ = free_port();
        serve_with_openssl({"-Verify", "1", "-verify_return_error", "-CAfile", path("ca/ca.pem")});
        const auto with = fmt::format("--ca ca/ca.pem --tls {} --timeout 3 ", version);
        expect(with, 1, "the server demands a client certificate");
        expect(with, 1, "are asked for a certificate, of one of: CN=Callwright CA");
        expect(with + "--cert other/client.example.pem --key other/client.example.key", 1,
               "the server refuses our certificate");
        expect(with + "--cert ca/client.example.pem --key ca/client.example.key", 1,
               "ours was given");
    }
}

TEST_F(Probe, AVersionThatTheServerDoesNotSpeakIsNamed) {
    serve_with_openssl({"-tls1_2"});
    expect("--ca ca/ca.pem --tls 1.3", 1, "the peer sent the alert");
}

TEST_F(Probe, NobodyThereIsStatus3) {
    expect("", 3, "connection refused");
    const auto datagrams = run(fmt::format("probe udp:127.0.0.1:{}", port_));
    EXPECT_EQ(datagrams.status, 3) << datagrams.text;
    EXPECT_TRUE(contains(datagrams.text, "not reached")) << datagrams.text;
}

TEST_F(Probe, MistakesAreNamed) {
    const auto status_of = [&](const std::string& arguments, std::string_view words) {
        const auto outcome = run("probe " + arguments);
        EXPECT_TRUE(contains(outcome.text, words)) << outcome.text;
        return outcome.status;
    };
    EXPECT_EQ(status_of("tls:a/b", "only a WebSocket has a path"), 2);
    EXPECT_EQ(status_of("tls:127.0.0.1:0", "no number from 1 to 65535"), 2);
    EXPECT_EQ(status_of("tls:127.0.0.1 --key ca/localhost.key", "--cert"), 2);
    EXPECT_EQ(status_of("tls:127.0.0.1 --at here", "no address like"), 2);
    EXPECT_EQ(status_of("tls:127.0.0.1 --ca nothing.pem", "nothing.pem: no such file"), 3);
    EXPECT_EQ(status_of("tls:127.0.0.1 --cert ca/localhost.pem --key other/ca.key",
                        "no private key that fits"),
              3);
}

} // namespace
