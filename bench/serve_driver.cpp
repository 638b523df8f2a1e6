// Drives a SIP server over TLS for the benchmarks, both ends of every call, one thread:
//   serve_driver calls ADDR:PORT --rate R --seconds S [--users N] [--connections C]
//   serve_driver registers ADDR:PORT --count N [--connections C] [--domain D --password P]
//   serve_driver handshakes ADDR:PORT --count N [--resume 1] [--tls12 1]
//   serve_driver idle ADDR:PORT --count N [--users N]: that many registered over these connections,
//     who are called by none of the others
// --source ADDR: connections leave from this address of loopback. With a password each user asks
// once for a challenge and answers it with every REGISTER, as a phone that refreshes does.
// When everything is set up it prints `ready` and waits for a line; then it does the work and
// prints one JSON object. Between the two the caller reads what CPU and memory the server has used.
// Arrivals keep their schedule whatever the answers do.
#include <sys/epoll.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "base/address.hpp"
#include "base/text.hpp"
#include "crypto/digest_client.hpp"
#include "driver_connection.hpp"
#include "sip/list.hpp"
#include "sip/message.hpp"
#include "sip/name_addr.hpp"

namespace {

using namespace cw;
using bench::Connection;
using bench::stop;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string mode;
    Endpoint server;
    Endpoint source; // of our connections; unspecified: as the system chooses
    double rate = 300;
    double seconds = 5;
    int users = 0;
    int connections = 8;
    int count = 1000;
    bool resume = false;
    bool tls12 = false; // at most
    std::string domain = "localhost";
    std::string password; // empty: nobody is asked
};

class Driver {
  public:
    explicit Driver(Options options) : options_(std::move(options)) {
        context_.reset(SSL_CTX_new(TLS_client_method()));
        SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                             SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (options_.tls12) {
            SSL_CTX_set_max_proto_version(context_.get(), TLS1_2_VERSION);
        }
        if (options_.resume) {
            session_.keep_those_of(context_.get());
        }
        poll_ = epoll_create1(EPOLL_CLOEXEC);
    }

    void run() {
        if (options_.mode == "calls") {
            run_calls();
        } else if (options_.mode == "registers") {
            run_registers();
        } else if (options_.mode == "handshakes") {
            run_handshakes();
        } else if (options_.mode == "idle") {
            run_idle();
        } else {
            stop("unknown mode " + options_.mode);
        }
    }

  private:
    struct Call {
        Clock::time_point begun;
        bool answered = false;
        bool done = false;
    };

    std::unique_ptr<Connection> connect(int index) {
        return std::make_unique<Connection>(context_.get(), options_.server, options_.source, poll_,
                                            index, session_.get());
    }
    void open(int n) {
        for (int i = 0; i < n; ++i) {
            connections_.push_back(connect(static_cast<int>(connections_.size())));
        }
    }
    static void wait_for_go() {
        fmt::print("ready\n");
        std::fflush(stdout);
        char line[64];
        if (std::fgets(line, sizeof line, stdin) == nullptr) {
            stop("nobody said go");
        }
    }

    // One turn: what has come is taken, what is to go is written.
    void turn(int wait_ms) {
        epoll_event events[64];
        const int n = epoll_wait(poll_, events, 64, wait_ms);
        for (int i = 0; i < n; ++i) {
            auto& connection = *connections_[events[i].data.u32];
            connection.read([&](std::string_view message) { take(connection, message); });
            if (connection.closed) {
                stop("the server closed a connection");
            }
        }
        for (auto& connection : connections_) {
            connection->flush();
        }
    }

    void take(Connection& connection, std::string_view bytes) {
        const auto message = sip::index(bytes, index_);
        if (!message) {
            stop("a message that is none");
        }
        if (message->is_request()) {
            answer(connection, *message);
        } else if (message->value(sip::HeaderId::CSeq).ends_with("REGISTER")) {
            on_registered(*message);
        } else {
            on_response(connection, *message);
        }
    }

    // ---- the callee ----
    void answer(Connection& connection, const sip::MessageView& request) {
        if (request.method() == sip::Method::Ack) {
            ++acks_;
            return;
        }
        if (request.method() == sip::Method::Invite) {
            connection.send(response(request, "180 Ringing", connection.port));
        }
        connection.send(response(request, "200 OK", connection.port));
    }
    static std::string response(const sip::MessageView& request, std::string_view status,
                                int port) {
        std::string text = fmt::format("SIP/2.0 {}\r\n", status);
        for (const auto& header : request.headers()) {
            using enum sip::HeaderId;
            if (header.id == Via || header.id == RecordRoute || header.id == From ||
                header.id == CallId || header.id == CSeq) {
                text += fmt::format("{}: {}\r\n", header.name, header.value);
            } else if (header.id == To) {
                text += fmt::format("To: {}{}\r\n", header.value,
                                    header.value.contains(";tag=") ? "" : ";tag=callee");
            }
        }
        text += fmt::format("Contact: <sip:callee@127.0.0.1:{};transport=tls>\r\n", port);
        const bool with_sdp = request.method() == sip::Method::Invite && status.starts_with("200");
        const std::string_view body = with_sdp ? sdp : "";
        if (with_sdp) {
            text += "Content-Type: application/sdp\r\n";
        }
        return text + fmt::format("Content-Length: {}\r\n\r\n{}", body.size(), body);
    }

    // ---- the caller ----
    void invite(std::size_t n) {
        auto& connection = *connections_[n % static_cast<std::size_t>(options_.connections)];
        calls_.push_back({Clock::now()});
        connection.send(fmt::format(
            "INVITE sip:u{0}@localhost SIP/2.0\r\nVia: SIP/2.0/TLS "
            "127.0.0.1:{1};branch=z9hG4bKi{2}-{3}\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:caller@localhost>;tag=c{2}\r\nTo: "
            "<sip:u{0}@localhost>\r\n"
            "Call-ID: {2}-{3}@bench\r\nCSeq: 1 INVITE\r\n"
            "Contact: <sip:caller@127.0.0.1:{1};transport=tls>\r\nContent-Type: application/sdp\r\n"
            "Content-Length: {4}\r\n\r\n{5}",
            n % static_cast<std::size_t>(options_.users), connection.port, n, run_, sdp.size(),
            sdp));
    }
    void on_response(Connection& connection, const sip::MessageView& response) {
        const auto id = response.value(sip::HeaderId::CallId);
        const auto n = parse_number<std::size_t>(id.substr(0, id.find('-')));
        if (!n || *n >= calls_.size() || response.status() < 200) {
            return;
        }
        auto& call = calls_[*n];
        if (response.status() >= 300) {
            failed_ += call.done ? 0 : 1;
            call.done = true;
            first_failure_ = first_failure_ == 0 ? response.status() : first_failure_;
        } else if (response.value(sip::HeaderId::CSeq).ends_with("INVITE") && !call.answered) {
            call.answered = true;
            setup_ms_.push_back(milliseconds_since(call.begun));
            connection.send(in_dialog(response, "ACK", 1, connection.port, *n));
            connection.send(in_dialog(response, "BYE", 2, connection.port, *n));
        } else if (response.value(sip::HeaderId::CSeq).ends_with("BYE") && !call.done) {
            call.done = true;
            ++completed_;
        }
    }
    std::string in_dialog(const sip::MessageView& response, std::string_view method, int cseq,
                          int port, std::size_t n) const {
        const auto contact = sip::parse_name_addr(response.value(sip::HeaderId::Contact));
        std::string text = fmt::format(
            "{0} {1} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:{2};branch=z9hG4bK{0}{3}-{4}\r\n"
            "Max-Forwards: 70\r\n",
            method, contact ? contact->uri_text : "", port, n, run_);
        std::vector<std::string_view> routes;
        sip::ValueCursor cursor{response, sip::HeaderId::RecordRoute};
        while (const auto value = cursor.next()) {
            routes.push_back(*value);
        }
        for (auto route = routes.rbegin(); route != routes.rend(); ++route) {
            text += fmt::format("Route: {}\r\n", *route);
        }
        return text +
               fmt::format(
                   "From: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {}\r\nContent-Length: 0\r\n\r\n",
                   response.value(sip::HeaderId::From), response.value(sip::HeaderId::To),
                   response.value(sip::HeaderId::CallId), cseq, method);
    }
    static double milliseconds_since(Clock::time_point then) {
        return std::chrono::duration<double, std::milli>(Clock::now() - then).count();
    }

    void send_register(Connection& connection, int user, int n) {
        send_register(connection, user, n,
                      fmt::format("<sip:{}{}@127.0.0.1:{};transport=tls>\r\nExpires: 3600",
                                  user_prefix(), user, connection.port));
    }
    void send_register(Connection& connection, int user, int n, std::string_view contact) {
        connection.send(fmt::format(
            "REGISTER sip:{4} SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:{0};branch=z9hG4bKr{2}\r\n"
            "Max-Forwards: 70\r\nFrom: <sip:{6}{1}@{4}>;tag=r{2}\r\nTo: <sip:{6}{1}@{4}>\r\n"
            "Call-ID: {1}-register@bench\r\nCSeq: {3} REGISTER\r\n"
            "Contact: {7}\r\n{5}Content-Length: 0\r\n\r\n",
            connection.port, user, n, n + 1, options_.domain, credentials(user), user_prefix(),
            contact));
    }
    [[nodiscard]] std::string_view user_prefix() const {
        return options_.mode == "idle" ? "idle" : "u";
    }
    // A line, or nothing where the user was not challenged.
    std::string credentials(int user) {
        if (static_cast<std::size_t>(user) >= challenged_.size()) {
            return {};
        }
        auto& own = challenged_[static_cast<std::size_t>(user)];
        const auto challenge = crypto::parse_challenge(own.challenge);
        if (!challenge) {
            return {};
        }
        return fmt::format("Authorization: {}\r\n",
                           crypto::answer_challenge(digester_, *challenge,
                                                    {.username = fmt::format("u{}", user),
                                                     .password = options_.password,
                                                     .method = "REGISTER",
                                                     .uri = fmt::format("sip:{}", options_.domain),
                                                     .body = {},
                                                     .cnonce = "0a4f113b",
                                                     .nc = ++own.count}));
    }
    void on_registered(const sip::MessageView& response) {
        const auto id = response.value(sip::HeaderId::CallId);
        const auto user = parse_number<std::size_t>(id.substr(0, id.find('-')));
        if (response.status() == 401 && user && *user < challenged_.size() &&
            challenged_[*user].challenge.empty()) {
            constexpr std::string_view scheme = "Digest ";
            auto value = response.value(sip::HeaderId::WwwAuthenticate);
            value.remove_prefix(value.starts_with(scheme) ? 0 : value.size());
            challenged_[*user].challenge = value;
        } else if (response.status() != 200) {
            stop(fmt::format("REGISTER answered with {}", response.status()));
        }
        ++registered_;
    }

    // `count` REGISTERs of so many users over all connections, of which at most so many are
    // unanswered that it is the server that limits.
    void register_users(int users, int count) {
        registered_ = 0;
        for (int sent = 0; registered_ < count;) {
            for (; sent < count && sent - registered_ < 64; ++sent, ++sent_) {
                const auto user = sent % users;
                send_register(*connections_[static_cast<std::size_t>(user) % connections_.size()],
                              user, sent_);
            }
            turn(1000);
        }
    }

    void run_calls() {
        open(2 * options_.connections); // first the callers', then the callees'
        options_.users = options_.users != 0 ? options_.users : 64;
        for (int user = 0; user < options_.users; ++user) {
            send_register(callee_connection(user), user, user);
        }
        wait_until([&] { return registered_ == options_.users; }, "registrations");
        warm_up();
        wait_for_go();
        const auto begin = Clock::now();
        drive(options_.rate, options_.seconds);
        const double took = milliseconds_since(begin) / 1e3;
        std::ranges::sort(setup_ms_);
        const auto percentile = [&](double p) {
            return setup_ms_.empty() ? 0.0
                                     : setup_ms_[static_cast<std::size_t>(
                                           p * static_cast<double>(setup_ms_.size() - 1))];
        };
        fmt::print("{{\"calls\": {}, \"completed\": {}, \"failed\": {}, \"first_failure\": {}, "
                   "\"acks\": {}, \"seconds\": {:.3f}, "
                   "\"setup_ms_p50\": {:.3f}, \"setup_ms_p99\": {:.3f}}}\n",
                   calls_.size(), completed_, failed_, first_failure_, acks_, took, percentile(0.5),
                   percentile(0.99));
        // Else the server would look for these phones in the next run's calls.
        registered_ = 0;
        for (int user = 0; user < options_.users; ++user) {
            send_register(callee_connection(user), user, options_.users + user, "*\r\nExpires: 0");
        }
        wait_until([&] { return registered_ == options_.users; }, "end of registrations");
    }
    Connection& callee_connection(int user) {
        return *connections_[static_cast<std::size_t>(options_.connections +
                                                      user % options_.connections)];
    }
    void warm_up() {
        drive(std::min(options_.rate, 500.0), 0.5);
        calls_.clear();
        setup_ms_.clear();
        completed_ = failed_ = acks_ = 0;
        ++run_;
    }
    void drive(double rate, double seconds) {
        const auto begin = Clock::now();
        const auto total = static_cast<std::size_t>(rate * seconds);
        while (calls_.size() < total) {
            const double passed = std::chrono::duration<double>(Clock::now() - begin).count();
            while (calls_.size() < std::min(total, static_cast<std::size_t>(passed * rate) + 1)) {
                invite(calls_.size());
            }
            turn(1);
        }
        const auto end = Clock::now();
        while (completed_ + failed_ < total && Clock::now() - end < std::chrono::seconds(5)) {
            turn(1);
        }
    }

    void run_registers() {
        open(options_.connections);
        const int users = options_.users != 0 ? options_.users : 64;
        if (!options_.password.empty()) {
            challenged_.resize(static_cast<std::size_t>(users));
            register_users(users, users); // refused, with a challenge
        }
        wait_for_go();
        const auto begin = Clock::now();
        register_users(users, options_.count);
        fmt::print("{{\"registered\": {}, \"seconds\": {:.3f}}}\n", registered_,
                   milliseconds_since(begin) / 1e3);
    }
    void run_idle() {
        open(options_.count);
        if (options_.users != 0) {
            register_users(options_.users, options_.users);
        }
        wait_for_go();
        fmt::print("{{\"connections\": {}}}\n", connections_.size());
    }
    void wait_until(const std::function<bool()>& done, const char* what) {
        const auto begin = Clock::now();
        while (!done()) {
            turn(10);
            if (Clock::now() - begin > std::chrono::seconds(10)) {
                stop(fmt::format("no answer to {}", what));
            }
        }
    }

    void run_handshakes() {
        if (options_.resume) { // one that is full, and waits for its tickets
            const auto first = connect(0);
            first->wait_for([&] { return session_.get() != nullptr; });
        }
        wait_for_go();
        const auto begin = Clock::now();
        int resumed = 0;
        for (int i = 0; i < options_.count; ++i) {
            resumed += connect(0)->resumed() ? 1 : 0;
        }
        fmt::print("{{\"handshakes\": {}, \"resumed\": {}, \"seconds\": {:.3f}}}\n", options_.count,
                   resumed, milliseconds_since(begin) / 1e3);
    }

    static constexpr std::string_view sdp =
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        "m=audio 40000 RTP/SAVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 "
        "telephone-event/8000\r\n"
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";

    struct Challenged {
        std::string challenge;
        std::uint32_t count = 0; // how often it was answered
    };

    Options options_;
    std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{nullptr, SSL_CTX_free};
    bench::KeptSession session_;
    int poll_ = -1;
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Call> calls_;
    std::vector<double> setup_ms_;
    sip::HeaderIndex index_;
    std::size_t completed_ = 0;
    std::size_t failed_ = 0;
    std::size_t acks_ = 0;
    int first_failure_ = 0;
    std::vector<Challenged> challenged_; // by user
    crypto::Digester digester_;
    int registered_ = 0;
    int sent_ = 0;
    int run_ = 0;
};

// Loopback, or what nobody has but who gave it to a network namespace of their own [RFC 5737 §3].
bool is_own(const IpAddress& address) {
    return address.is_loopback() || to_string(address).starts_with("192.0.2.");
}

Options parse(int argc, char** argv) {
    Options options;
    if (argc < 3) {
        stop("usage: serve_driver calls|registers|handshakes|idle ADDR:PORT [--option N]…");
    }
    options.mode = argv[1];
    const auto server = parse_endpoint(argv[2], 5061);
    if (!server || !is_own(server->address)) {
        stop("an address of loopback or of 192.0.2.0/24, please: this is a load");
    }
    options.server = *server;
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const double value = std::atof(argv[i + 1]);
        if (name == "--rate") {
            options.rate = std::min(value, 50'000.0);
        } else if (name == "--seconds") {
            options.seconds = std::min(value, 600.0);
        } else if (name == "--users") {
            options.users = static_cast<int>(value);
        } else if (name == "--connections") {
            options.connections = static_cast<int>(value);
        } else if (name == "--count") {
            options.count = static_cast<int>(value);
        } else if (name == "--resume") {
            options.resume = value != 0;
        } else if (name == "--tls12") {
            options.tls12 = value != 0;
        } else if (name == "--domain") {
            options.domain = argv[i + 1];
        } else if (name == "--password") {
            options.password = argv[i + 1];
        } else if (name == "--source") {
            const auto source = parse_endpoint(argv[i + 1], 0);
            if (!source || !source->address.is_loopback()) {
                stop("--source: an address of loopback, please");
            }
            options.source = *source;
        } else {
            stop(fmt::format("unknown option {}", name));
        }
    }
    return options;
}

} // namespace

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    try {
        Driver{parse(argc, argv)}.run();
    } catch (const std::exception& error) {
        fmt::print(stderr, "serve_driver: {}\n", error.what());
        return 1;
    }
    return 0;
}
