// For tests: a loop whose handler writes down what it is told. Server and client live in the same
// loop; a test runs it until something is so. What takes 10 s is taken for never.
#pragma once

#include <sys/socket.h>

#include <cerrno>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "net/loop.hpp"

namespace cw::net::test {

class Recorder : public Handler {
  public:
    struct Opened {
        Key key;
        ConnectionInfo info;
    };
    struct Ended {
        Key key;
        std::string why;
    };
    std::vector<Opened> opened;
    std::vector<Ended> closed;
    std::vector<Ended> failed;
    std::vector<std::pair<Endpoint, std::string>> datagrams;
    struct Came {
        Instant at;   // as the loop has it
        Instant told; // when we heard
        int turn = 0;
    };
    std::vector<Came> came;       // the same datagrams
    std::vector<Came> bytes_came; // what connections brought
    Instant look;                 // what may wait is not looked at before
    std::vector<std::pair<Endpoint, std::string>> undelivered;
    std::map<std::uint32_t, std::string> received; // by Key::index
    int reads = 0;
    int turns = 0;
    std::function<void(Key, const ConnectionInfo&)> when_open;
    std::function<void(Key, Bytes)> when_bytes;
    std::function<void(Key)> when_closed;
    std::function<void(Key)> when_failed;
    std::function<void(Instant)> when_turn;
    std::function<bool()> until;
    Instant guard;
    Loop* loop = nullptr;

    void on_datagram(std::uint32_t, const Endpoint& remote, Bytes bytes) override {
        datagrams.emplace_back(remote, as_text(bytes));
        came.push_back({loop->arrived(), Loop::now(), turns});
    }
    void on_undelivered(std::uint32_t, const Endpoint& remote, Bytes bytes) override {
        undelivered.emplace_back(remote, as_text(bytes));
    }
    void on_open(Key key, const ConnectionInfo& info) override {
        opened.push_back({key, info});
        if (when_open) {
            when_open(key, info);
        }
    }
    void on_bytes(Key key, Bytes bytes) override {
        ++reads;
        received[key.index] += as_text(bytes);
        bytes_came.push_back({loop->arrived(), Loop::now(), turns});
        if (when_bytes) {
            when_bytes(key, bytes);
        }
    }
    void on_closed(Key key, std::string_view why) override {
        closed.push_back({key, std::string{why}});
        loop->post([] {}); // it may be told after the last on_turn()
        if (when_closed) {
            when_closed(key);
        }
    }
    void on_failed(Key key, const Endpoint&, bool, std::string_view why) override {
        failed.push_back({key, std::string{why}});
        loop->post([] {});
        if (when_failed) {
            when_failed(key);
        }
    }
    void on_turn(Instant now) override {
        ++turns;
        if (when_turn) {
            when_turn(now);
        }
        if (until() || now >= guard) {
            loop->stop();
        }
    }
    Instant next_deadline() override { return guard; }
    Instant next_look() override { return look; }

    // The key of our end, or of the other.
    [[nodiscard]] Key end(bool incoming) const {
        for (const auto& o : opened) {
            if (o.info.incoming == incoming) {
                return o.key;
            }
        }
        return {};
    }
};

class LoopTest : public testing::Test {
  protected:
    explicit LoopTest(const Limits& limits = {}) : loop(h, limits) { h.loop = &loop; }

    bool run_until(std::function<bool()> so) {
        h.until = std::move(so);
        h.guard = Loop::now() + seconds(10);
        loop.post([] {}); // a first turn
        loop.run();
        return h.until();
    }
    Endpoint listen(std::shared_ptr<const TlsContext> tls, const char* at = "127.0.0.1",
                    std::uint32_t number = 1) {
        auto fd = listen_stream({*IpAddress::parse(at), 0}, true);
        const auto where = local_endpoint(fd->get());
        loop.listen(std::move(*fd), number, std::move(tls));
        return where;
    }
    // A peer that the test moves by hand, blocking.
    static Descriptor raw(const Endpoint& to) {
        sockaddr_storage address{};
        const auto length = to_sockaddr(to, address);
        Descriptor fd{socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        EXPECT_EQ(0, connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length));
        return fd;
    }

    Recorder h;
    Loop loop;
};

} // namespace cw::net::test
