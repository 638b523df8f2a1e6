// The whole server in this process, with real sockets on loopback and four shards: which connection
// lands on which shard is the kernel's choice, so calls cross them.
#include "host/service.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <sqlite3.h>

#include "host/stun.hpp"
#include "host/test_phone.hpp"
#include "net/own_table.hpp"

namespace {

using namespace cw;
using namespace cw::host;
using test::Phone;

class ServiceTest : public testing::Test {
  protected:
    void SetUp() override {
        std::signal(SIGPIPE, SIG_IGN);
        std::string pattern = testing::TempDir() + "callwright-service-XXXXXX";
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        log_fd_.reset(::open((folder_ / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600));
        log_ = std::make_unique<Log>(log_fd_.get(), LogLevel::Debug);
        config_ = *parse_config(R"(
listen = ["udp:127.0.0.1:0", "tcp:127.0.0.1:0", "tls:127.0.0.1:0", "ws:127.0.0.1:0"]
shards = 4
[[domain]]
name = "localhost"
authenticate = false
)",
                                "test");
        config_.data = folder_ / "data";
        // Sanitizers take descriptors for nothing; a test needs few connections.
        config_.limits.net.connections = 100;
    }
    void TearDown() override {
        service_.reset();
        std::filesystem::remove_all(folder_);
    }
    void start() {
        auto started = Service::start(config_, *log_);
        ASSERT_TRUE(started) << started.error();
        service_ = std::move(*started);
        // Noted here: phones run on threads of their own, and the service is for one.
        listeners_ = service_->listeners();
        ca_ = service_->throw_away_ca();
    }
    [[nodiscard]] Endpoint at(sip::Transport transport) const {
        for (const auto& listener : listeners_) {
            if (listener.transport == transport) {
                return listener.at;
            }
        }
        return {};
    }
    [[nodiscard]] std::unique_ptr<Phone> phone(const std::string& name,
                                               sip::Transport transport = sip::Transport::Tls) {
        auto made = std::make_unique<Phone>(name, at(transport),
                                            transport == sip::Transport::Tls ? ca_ : std::string{});
        EXPECT_TRUE(made->connected()) << name;
        return made;
    }
    [[nodiscard]] std::string logged() const {
        std::ifstream file{folder_ / "log"};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    std::filesystem::path folder_;
    net::Descriptor log_fd_;
    std::unique_ptr<Log> log_;
    Config config_;
    std::vector<server::Listener> listeners_;
    std::string ca_;
    std::unique_ptr<Service> service_;
};

// INVITE, 180, 200, ACK, BYE, 200. Says what went wrong, or nothing.
std::string call(Phone& caller, Phone& callee) {
    const auto uri = callee.aor().substr(1, callee.aor().size() - 2);
    const auto invite = caller.request("INVITE", uri, callee.aor());
    caller.write(invite);
    const auto arrived = callee.read();
    if (!arrived.starts_with("INVITE ")) {
        return "the callee got: " + arrived;
    }
    callee.write(callee.response(arrived, "180 Ringing"));
    callee.write(callee.response(arrived, "200 OK"));
    const auto answer = caller.read_final();
    if (!answer.starts_with("SIP/2.0 200")) {
        return "the caller got: " + answer;
    }
    const auto target = callee.contact().substr(1, callee.contact().size() - 2);
    const auto to = Phone::value_of(answer, sip::HeaderId::To);
    const auto routes = Phone::routes_of(answer);
    const auto cseq = std::stoi(Phone::value_of(answer, sip::HeaderId::CSeq));
    caller.write(caller.request("ACK", target, to, routes, cseq));
    const auto ack = callee.read();
    if (!ack.starts_with("ACK ")) {
        return "instead of the ACK: " + ack;
    }
    caller.write(caller.request("BYE", target, to, routes));
    const auto bye = callee.read();
    if (!bye.starts_with("BYE ")) {
        return "instead of the BYE: " + bye;
    }
    callee.write(callee.response(bye, "200 OK"));
    const auto over = caller.read_final();
    return over.starts_with("SIP/2.0 200") ? "" : "the BYE was answered: " + over;
}

TEST_F(ServiceTest, CertificatesThatEndAreToldOnceADayWhileItRuns) {
    start();
    const auto told = [this](std::string_view event) {
        const auto log = logged();
        std::size_t count = 0;
        for (auto at = log.find(event); at != std::string::npos; at = log.find(event, at + 1)) {
            ++count;
        }
        return count;
    };
    EXPECT_EQ(told("event=certificate_"), 0U);
    const Instant end{service_->totals().first_expiry * 1'000'000'000};
    ASSERT_GT(end, net::Loop::now());
    service_->tick(end - seconds(5 * 86400));
    const auto once = told("event=certificate_expires_soon");
    EXPECT_GE(once, 1U);
    service_->tick(end - seconds(5 * 86400 - 3600));
    EXPECT_EQ(told("event=certificate_expires_soon"), once) << "within the same day";
    service_->tick(end - seconds(3 * 86400));
    EXPECT_EQ(told("event=certificate_expires_soon"), 2 * once);
    service_->tick(end + seconds(86400));
    EXPECT_GE(told("event=certificate_out_of_date"), 1U);
    EXPECT_NE(metrics_text(service_->totals())
                  .find(fmt::format("callwright_certificate_expiry_timestamp_seconds {}\n",
                                    end.ns / 1'000'000'000)),
              std::string::npos);
}

TEST_F(ServiceTest, CarriesACallOverTls) {
    start();
    const auto alice = phone("alice");
    const auto bob = phone("bob");
    EXPECT_EQ(alice->do_register(), "SIP/2.0 200 OK");
    EXPECT_EQ(bob->do_register(), "SIP/2.0 200 OK");
    EXPECT_EQ(call(*alice, *bob), "");
    EXPECT_EQ(call(*bob, *alice), "");
    const auto totals = service_->totals();
    EXPECT_EQ(totals.shards, 4U);
    EXPECT_EQ(totals.server.registrations, 2U);
    EXPECT_EQ(totals.server.bindings_now, 2U);
    EXPECT_EQ(totals.transport.connections_now, 2U);
}

// Registrations and calls from many connections at once. Under the thread sanitizer this is the
// proof that shards share nothing.
TEST_F(ServiceTest, CarriesManyCallsAtOnceOnFourShards) {
    start();
    constexpr int pairs = 12;
    constexpr int calls = 5;
    std::atomic<int> good = 0;
    std::vector<std::thread> threads;
    for (int pair = 0; pair < pairs; ++pair) {
        threads.emplace_back([&, pair] {
            const auto transport = pair % 3 == 0 ? sip::Transport::Tcp : sip::Transport::Tls;
            const auto caller = phone("caller" + std::to_string(pair), transport);
            const auto callee = phone("callee" + std::to_string(pair));
            for (int i = 0; i < calls; ++i) {
                EXPECT_EQ(caller->do_register(), "SIP/2.0 200 OK");
                EXPECT_EQ(callee->do_register(), "SIP/2.0 200 OK");
                const auto wrong = call(*caller, *callee);
                EXPECT_EQ(wrong, "");
                good += wrong.empty() ? 1 : 0;
            }
        });
    }
    for (int i = 0; i < 5; ++i) { // meanwhile
        EXPECT_TRUE(service_->reload(config_));
        service_->tick(net::Loop::now());
        EXPECT_EQ(service_->totals().silent, 0U);
    }
    for (auto& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(good, pairs * calls);
    EXPECT_EQ(service_->totals().server.bindings_now, 2U * pairs);
}

TEST_F(ServiceTest, KnowsItsBindingsAfterARestart) {
    start();
    EXPECT_EQ(phone("alice", sip::Transport::Tcp)->do_register(), "SIP/2.0 200 OK");
    const auto alice = phone("carol");
    EXPECT_EQ(alice->do_register(), "SIP/2.0 200 OK");
    service_.reset();
    start();
    EXPECT_GE(service_->totals().server.bindings_now, 1U);
    EXPECT_TRUE(logged().contains("event=bindings_loaded"));
}

TEST_F(ServiceTest, AnswersAPingAndClosesWhatCannotBeFramed) {
    start();
    const auto alice = phone("alice");
    alice->write("\r\n\r\n");
    EXPECT_EQ(alice->read_some(), "\r\n");
    alice->write("OPTIONS sip:localhost SIP/2.0\r\nContent-Length: -5\r\n\r\n");
    std::string rest;
    for (auto more = alice->read_some(); !more.empty(); more = alice->read_some()) {
        rest += more;
    }
    const auto bob = phone("bob");
    EXPECT_EQ(bob->do_register(), "SIP/2.0 200 OK") << "and goes on for others";
}

TEST_F(ServiceTest, ClosesAConnectionOnWhichNothingComes) {
    config_.limits.idle = milliseconds(200);
    start();
    const auto alice = phone("alice", sip::Transport::Tcp);
    EXPECT_EQ(alice->do_register(), "SIP/2.0 200 OK");
    EXPECT_EQ(alice->read_some(), "");
    EXPECT_TRUE(logged().contains("event=closed")) << logged();
}

// A byte now and then keeps no message alive for ever, however long a connection may be idle.
TEST_F(ServiceTest, ClosesAConnectionWhoseMessageDoesNotEnd) {
    config_.limits.unfinished = milliseconds(200);
    start();
    const auto slow = phone("slow", sip::Transport::Tcp);
    const auto alice = phone("alice", sip::Transport::Tcp);
    slow->write("REGISTER sip:localhost SIP/2.0\r\nVia: ");
    bool ended = false;
    std::jthread drip{[&](const std::stop_token& stop) {
        while (!stop.stop_requested() && slow->write("x")) {
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }};
    ended = slow->read_some().empty();
    EXPECT_TRUE(ended);
    EXPECT_EQ(alice->do_register(), "SIP/2.0 200 OK") << "others stay";
}

TEST_F(ServiceTest, SpeaksSipOverWebSocket) {
    start();
    Phone browser{"browser", at(sip::Transport::Ws), {}};
    ASSERT_TRUE(browser.connected());
    net::WebSocket machine{net::WebSocket::Role::Client, "sip", {}, [] { return 0x12345678U; }};
    machine.request({.host = "localhost"});
    std::string answer;
    bool open = false;
    const auto exchange = [&] {
        browser.write(machine.output());
        machine.output().clear();
        const auto bytes = browser.read_some();
        machine.feed(as_bytes(std::string_view{bytes}), [&](const net::WebSocket::Event& event) {
            open = open || event.kind == net::WebSocket::Event::Kind::Open;
            answer = event.text;
        });
    };
    exchange();
    ASSERT_TRUE(open);
    machine.send(
        "REGISTER sip:localhost SIP/2.0\r\nVia: SIP/2.0/WS df7jal23ls0d.invalid;branch=z9hG4bKw\r\n"
        "Max-Forwards: 70\r\nFrom: <sip:web@localhost>;tag=1\r\nTo: <sip:web@localhost>\r\n"
        "Call-ID: w\r\nCSeq: 1 REGISTER\r\nContact: <sip:web@df7jal23ls0d.invalid;transport=ws>\r\n"
        "Expires: 600\r\nContent-Length: 0\r\n\r\n");
    exchange();
    EXPECT_EQ(Phone::status_of(answer), "SIP/2.0 200 OK");
}

// Asks over UDP, and waits for an answer.
class Asker {
  public:
    explicit Asker(const Endpoint& server) : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
        const timeval patience{10, 0};
        setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        sockaddr_storage address{};
        const auto length = net::to_sockaddr(server, address);
        EXPECT_EQ(connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    }
    std::string operator()(std::string_view text) const {
        EXPECT_EQ(send(fd_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        std::string buffer(65'536, '\0');
        const auto got = recv(fd_.get(), buffer.data(), buffer.size(), 0);
        buffer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
        return buffer;
    }

  private:
    net::Descriptor fd_;
};

// [RFC 3261 §17.2.2] A retransmission is answered as the request was: not with what could not be
// kept.
TEST_F(ServiceTest, ABindingThatCannotBeStoredIsRefusedEachTime) {
    start();
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open((folder_ / "data" / "location.db").c_str(), &database), SQLITE_OK);
    const auto run = [&](const char* sql) {
        return sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
    };
    ASSERT_EQ(run("CREATE TRIGGER full BEFORE INSERT ON binding BEGIN "
                  "SELECT RAISE(ABORT, 'no room'); END"),
              SQLITE_OK);
    const Asker ask{at(sip::Transport::Udp)};
    const auto enrol = [&](int cseq) {
        return Phone::status_of(
            ask(fmt::format("REGISTER sip:localhost SIP/2.0\r\n"
                            "Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKr{0}\r\n"
                            "Max-Forwards: 70\r\nFrom: <sip:a@localhost>;tag=1\r\n"
                            "To: <sip:a@localhost>\r\nCall-ID: r\r\nCSeq: {0} REGISTER\r\n"
                            "Contact: <sip:a@127.0.0.1:9>\r\nContent-Length: 0\r\n\r\n",
                            cseq)));
    };
    EXPECT_EQ(enrol(1), "SIP/2.0 500 Binding Not Stored");
    EXPECT_EQ(enrol(1), "SIP/2.0 500 Binding Not Stored") << "the same request again";
    EXPECT_EQ(run("DROP TRIGGER full"), SQLITE_OK);
    sqlite3_close(database);
    EXPECT_EQ(enrol(2), "SIP/2.0 200 OK");
    EXPECT_EQ(enrol(2), "SIP/2.0 200 OK");
}

TEST_F(ServiceTest, WarnsOfFewDescriptorsOnlyWhenTheyWereAskedFor) {
    config_.limits.net.connections = 10'000'000;
    start();
    EXPECT_FALSE(logged().contains("level=warning event=few_descriptors"));
    service_.reset();
    config_.connections_asked = true;
    start();
    EXPECT_TRUE(logged().contains("level=warning event=few_descriptors"));
}

std::size_t descriptors_of_this_thread() {
    const std::filesystem::directory_iterator all{"/proc/thread-self/fd"};
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

TEST_F(ServiceTest, WhereDescriptorsAreFewEachShardHasATableOfItsOwn) {
    if (!net::may_take_own_table()) {
        GTEST_SKIP() << "the system refuses";
    }
    config_.connections_asked = true;
    config_.limits.net.connections = 10'000'000;
    start();
    const auto before = descriptors_of_this_thread();
    std::vector<std::unique_ptr<Phone>> phones;
    for (int i = 0; i < 12; ++i) {
        phones.push_back(phone("phone" + std::to_string(i)));
        EXPECT_EQ(phones.back()->do_register(), "SIP/2.0 200 OK");
    }
    EXPECT_EQ(before + phones.size(), descriptors_of_this_thread()) << "our ends alone";
    for (std::size_t i = 1; i < phones.size(); ++i) {
        EXPECT_EQ("", call(*phones[i - 1], *phones[i]));
    }
    EXPECT_TRUE(service_->reload(config_));
    service_->tick(net::Loop::now()); // a checkpoint, from our table
    EXPECT_EQ(phones[0]->do_register(), "SIP/2.0 200 OK");
    service_->drain();
    EXPECT_FALSE(Phone("late", at(sip::Transport::Tcp), "").connected());
    service_->stop();
    for (const auto& phone : phones) {
        EXPECT_EQ(phone->read_some(), "");
    }
    phones.clear();
    service_.reset();
    EXPECT_GT(before, descriptors_of_this_thread());
    start();
    EXPECT_TRUE(logged().contains("event=bindings_loaded count=12")) << logged();
}

TEST_F(ServiceTest, AnswersOverUdpAndTellsItsAddressByStun) {
    start();
    const Asker exchange{at(sip::Transport::Udp)};
    const std::string stun{"\x00\x01\x00\x00\x21\x12\xa4\x42"
                           "123456789abc",
                           20};
    EXPECT_TRUE(exchange(stun).starts_with("\x01\x01"));
    EXPECT_TRUE(exchange("OPTIONS sip:localhost SIP/2.0\r\n"
                         "Via: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKu\r\nMax-Forwards: 70\r\n"
                         "From: <sip:a@localhost>;tag=1\r\nTo: <sip:localhost>\r\nCall-ID: u\r\n"
                         "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
                    .starts_with("SIP/2.0 "));
}

// Its name for itself is ours where we listen, and of nobody where we do not: both at once.
TEST_F(ServiceTest, ARouteThatLeadsNowhereIsAnsweredAtOnce) {
    start();
    const auto alice = phone("alice");
    const auto bob = phone("bob");
    EXPECT_EQ(bob->do_register(), "SIP/2.0 200 OK");
    const auto invite = [&](const std::string& route) {
        alice->write(alice->request("INVITE", "sip:bob@localhost", bob->aor(),
                                    fmt::format("Route: <sip:{};lr>\r\n", route)));
    };
    const auto free = [] {
        const auto there = net::bind_datagram({*IpAddress::parse("127.0.0.1"), 0}, true);
        return net::local_endpoint(there->get()).port;
    }();
    for (const auto& route :
         {fmt::format("phone.localhost:{}", free), fmt::format("127.0.0.1:{};transport=tcp", free),
          fmt::format("127.0.0.1:{}", free), std::string{"nowhere.invalid"}}) {
        invite(route);
        EXPECT_EQ(Phone::status_of(alice->read_final()), "SIP/2.0 502 Bad Gateway") << route;
    }
    invite(fmt::format("phone.localhost:{};transport=tls", at(sip::Transport::Tls).port));
    EXPECT_TRUE(bob->read().starts_with("INVITE "));
}

TEST_F(ServiceTest, ABadReloadChangesNothing) {
    start();
    const auto alice = phone("alice");
    auto bad = config_;
    bad.tls.certificates = {{"/nowhere/cert.pem", "/nowhere/key.pem"}};
    const auto refused = service_->reload(bad);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().contains("/nowhere/cert.pem")) << refused.error();
    EXPECT_EQ(alice->do_register(), "SIP/2.0 200 OK");
    EXPECT_EQ(phone("bob")->do_register(), "SIP/2.0 200 OK") << "new connections too";
}

TEST_F(ServiceTest, APortThatIsTakenIsNamed) {
    start();
    auto second = config_;
    second.data = folder_ / "second";
    second.settings.listeners = {*parse_listener("tls:" + to_string(at(sip::Transport::Tls)))};
    const auto started = Service::start(second, *log_);
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().starts_with("tls:" + to_string(at(sip::Transport::Tls)) + ": "))
        << started.error();
    EXPECT_TRUE(started.error().contains("in use")) << started.error();
}

TEST_F(ServiceTest, ASecondProcessDoesNotGetTheFolder) {
    start();
    const auto started = Service::start(config_, *log_);
    ASSERT_FALSE(started);
    EXPECT_TRUE(started.error().contains("in use by another callwright serve"));
}

TEST_F(ServiceTest, SaysGoodbyeWhenItStops) {
    start();
    const auto alice = phone("alice");
    EXPECT_EQ(alice->do_register(), "SIP/2.0 200 OK");
    service_->drain();
    service_->stop();
    EXPECT_EQ(alice->read_some(), "") << "close_notify: an orderly end";
}

TEST_F(ServiceTest, LogsNoSecrets) {
    config_.settings.domains[0].authenticate = true;
    config_.settings.domains[0].users = {make_user("alice", "localhost", "geheim")};
    start();
    const auto alice = phone("alice");
    EXPECT_EQ(alice->do_register(), "SIP/2.0 401 Unauthorized");
    alice->write(alice->request("REGISTER", "sip:localhost", alice->aor(),
                                "Authorization: Digest username=\"alice\", realm=\"localhost\", "
                                "nonce=\"made-up-nonce\", uri=\"sip:localhost\", "
                                "response=\"0123456789abcdef0123456789abcdef\"\r\n"));
    EXPECT_TRUE(alice->read().starts_with("SIP/2.0 40"));
    for (const char* secret : {"geheim", "made-up-nonce", "0123456789abcdef"}) {
        EXPECT_FALSE(logged().contains(secret)) << secret;
    }
    EXPECT_FALSE(logged().contains(config_.settings.domains[0].users[0].ha1_sha256));
}

} // namespace
