// Calls through the server's logic, in memory: no sockets, no TLS. Prints the CPU time of the
// server for a call of 13 messages (INVITE, 100, 180, 200, ACK, BYE, 200, in and out) and for a
// REGISTER with digest. For instructions:
//   valgrind --tool=callgrind --toggle-collect='*Bench::serve*' proxy_calls 2000 1
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/digest_client.hpp"
#include "server/server.hpp"
#include "sip/message.hpp"

namespace {

using namespace cw;

transaction::Wire wire_of(std::uint32_t n) {
    transaction::Wire w;
    w.transport = sip::Transport::Tls;
    w.connection = n;
    w.generation = 1;
    w.local = *parse_endpoint("192.0.2.1:5061", 0);
    w.remote = *parse_endpoint("198.51.100." + std::to_string(n % 200) + ":40000", 0);
    return w;
}

std::shared_ptr<const server::Settings> settings(bool authenticate) {
    auto s = std::make_shared<server::Settings>();
    s->listeners.push_back(
        {sip::Transport::Tls, *parse_endpoint("192.0.2.1:5061", 0), "proxy.example.com"});
    server::Domain domain;
    domain.name = "example.com";
    domain.authenticate = authenticate;
    crypto::Digester digester;
    for (const auto* name : {"alice", "bob"}) {
        const auto ha1 =
            digester.ha1(crypto::DigestAlgorithm::Sha256, name, "example.com", "secret");
        domain.users.push_back({name, {}, std::string{ha1.text()}, {}});
    }
    s->domains.push_back(std::move(domain));
    return s;
}

struct Bench {
    explicit Bench(bool authenticate)
        : server(settings(authenticate), {0, 1, std::string(32, 's'), 42}) {}

    // All that a host does for a message that has come, but for moving its bytes.
    __attribute__((noinline)) void serve(std::string_view bytes, const transaction::Wire& wire) {
        const auto message = sip::parse(bytes, index);
        if (message) {
            server.on_message({*message, wire, {}}, now, out);
        }
    }
    void deliver(std::string_view bytes, const transaction::Wire& wire) {
        out.clear();
        const auto from = std::chrono::steady_clock::now();
        serve(bytes, wire);
        spent += std::chrono::steady_clock::now() - from;
        sent.clear();
        for (const auto& s : out.outbox.sends()) {
            sent.emplace_back(out.outbox.bytes(s));
        }
    }

    server::Server server;
    server::Requests out;
    sip::HeaderIndex index;
    std::vector<std::string> sent;
    Instant now{1'777'629'601'000'000'000};
    std::chrono::steady_clock::duration spent{};
};

std::string lines(std::string_view message, std::string_view name) {
    std::string result;
    for (std::size_t at = 0; at < message.size();) {
        const auto end = message.find("\r\n", at);
        if (message.substr(at).starts_with(name)) {
            result += message.substr(at, end + 2 - at);
        }
        at = end == std::string_view::npos ? message.size() : end + 2;
    }
    return result;
}

std::string respond(std::string_view request, std::string_view status, std::string_view contact) {
    auto to = lines(request, "To:");
    if (to.find(";tag=") == std::string::npos) {
        to.insert(to.size() - 2, ";tag=314159");
    }
    return "SIP/2.0 " + std::string{status} + "\r\n" + lines(request, "Via:") +
           lines(request, "Record-Route:") + lines(request, "From:") + to +
           lines(request, "Call-ID:") + lines(request, "CSeq:") + std::string{contact} +
           "Content-Length: 0\r\n\r\n";
}

std::string request(std::string_view method, std::string_view uri, std::string_view to, int call,
                    int cseq, std::string_view more, std::string_view body = {}) {
    const auto n = std::to_string(call);
    return std::string{method} + " " + std::string{uri} +
           " SIP/2.0\r\nVia: SIP/2.0/TLS 10.1.2.3:40000;branch=z9hG4bK" + n + "x" +
           std::to_string(cseq) + std::string{method} + ";rport\r\nMax-Forwards: 70\r\n" +
           "From: \"Alice\" <sip:alice@example.com>;tag=9fxced76sl" + n +
           "\r\nTo: " + std::string{to} + "\r\nCall-ID: " + n +
           "-3848276298220188511@10.1.2.3\r\nCSeq: " + std::to_string(cseq) + " " +
           std::string{method} +
           "\r\nContact: <sip:alice@10.1.2.3:40000;transport=tls>\r\nAllow: INVITE, ACK, BYE, "
           "CANCEL, OPTIONS\r\nSupported: replaces, timer\r\nUser-Agent: bench\r\n" +
           std::string{more} + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
           std::string{body};
}

std::string routes_of(std::string_view response) {
    std::string result;
    auto left = lines(response, "Record-Route:");
    for (std::size_t at = 0; at < left.size();) {
        const auto end = left.find("\r\n", at) + 2;
        result.insert(0, left.substr(at + 7, end - at - 7)); // "Record-" off, last one first
        at = end;
    }
    return result;
}

const std::string contact_of_bob = "Contact: <sip:bob@10.9.8.7:40000;transport=tls>\r\n";
const std::string body(300, 'v');

bool call(Bench& b, int n) {
    const auto alice = wire_of(1);
    const auto bob = wire_of(2);
    b.deliver(request("INVITE", "sip:bob@example.com", "<sip:bob@example.com>", n, 1, "", body),
              alice);
    if (b.sent.size() != 2) {
        return false;
    }
    const auto invite = b.sent[1];
    b.deliver(respond(invite, "180 Ringing", contact_of_bob), bob);
    b.deliver(respond(invite, "200 OK", contact_of_bob), bob);
    if (b.sent.size() != 1) {
        return false;
    }
    const auto ok = b.sent[0];
    const auto routes = routes_of(ok);
    const std::string to = "<sip:bob@example.com>;tag=314159";
    const std::string target = "sip:bob@10.9.8.7:40000;transport=tls";
    b.deliver(request("ACK", target, to, n, 1, routes), alice);
    b.deliver(request("BYE", target, to, n, 2, routes), alice);
    if (b.sent.size() != 1) {
        return false;
    }
    b.deliver(respond(std::string{b.sent[0]}, "200 OK", ""), bob);
    b.now = b.now + milliseconds(3);
    const auto from = std::chrono::steady_clock::now();
    b.out.clear();
    b.server.advance(b.now, b.out);
    b.spent += std::chrono::steady_clock::now() - from;
    return b.sent.size() == 1;
}

bool register_bob(Bench& b, int n) {
    const std::string contact = "Contact: <sip:bob@10.9.8.7:40000;transport=tls>\r\n";
    auto make = [&](int cseq, const std::string& more) {
        auto text = request("REGISTER", "sip:example.com", "<sip:bob@example.com>", n, cseq, more);
        const auto at = text.find("Contact:");
        return text.replace(at, text.find("\r\n", at) + 2 - at, contact);
    };
    b.deliver(make(1, ""), wire_of(2));
    if (b.sent.size() != 1) {
        return false;
    }
    if (b.sent[0].starts_with("SIP/2.0 200")) {
        return true;
    }
    const auto line = lines(b.sent[0], "WWW-Authenticate:");
    const auto challenge = crypto::parse_challenge(std::string_view{line}.substr(18));
    if (!challenge) {
        return false;
    }
    crypto::Digester digester;
    const auto answer = crypto::answer_challenge(digester, *challenge,
                                                 {.username = "bob",
                                                  .password = "secret",
                                                  .method = "REGISTER",
                                                  .uri = "sip:example.com",
                                                  .body = {},
                                                  .cnonce = "0a4f113b"});
    b.deliver(make(2, "Authorization: " + answer + "\r\n"), wire_of(2));
    return b.sent.size() == 1 && b.sent[0].starts_with("SIP/2.0 200");
}

double microseconds_each(const Bench& b, int n) {
    return std::chrono::duration<double, std::micro>(b.spent).count() / n;
}

} // namespace

int main(int argc, char** argv) {
    const int calls = argc > 1 ? std::atoi(argv[1]) : 100'000;
    const int registrations = argc > 2 ? std::atoi(argv[2]) : 20'000;
    Bench open{false};
    if (!register_bob(open, 0)) {
        return 1;
    }
    open.spent = {};
    for (int n = 1; n <= calls; ++n) {
        if (!call(open, n)) {
            std::fprintf(stderr, "call %d failed\n", n);
            return 1;
        }
    }
    std::printf("us_per_call %.2f\n", microseconds_each(open, calls));
    Bench closed{true};
    for (int n = 1; n <= registrations; ++n) {
        if (!register_bob(closed, n)) {
            std::fprintf(stderr, "registration %d failed\n", n);
            return 1;
        }
    }
    std::printf("us_per_registration %.2f\n", microseconds_each(closed, registrations));
    return 0;
}
