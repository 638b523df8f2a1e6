#include <sys/resource.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>
#include <thread>

#include "net/own_table.hpp"
#include "net/test_loop.hpp"

namespace cw::net {
namespace {

using test::LoopTest;

TEST_F(LoopTest, CarriesBytesBothWaysOverIpv4AndIpv6) {
    for (const char* at : {"127.0.0.1", "::1"}) {
        const auto where = listen(nullptr, at);
        h.opened.clear();
        h.received.clear();
        const auto client = loop.connect(where, nullptr, "");
        loop.send(client, "early "); // before it is open: kept
        ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; })) << at;
        const auto server = h.end(true);
        loop.send(client, "hello");
        loop.send(server, "welcome");
        ASSERT_TRUE(run_until([&] {
            return h.received[server.index] == "early hello" &&
                   h.received[client.index] == "welcome";
        }));
        EXPECT_EQ(where,
                  h.opened[0].info.incoming ? h.opened[0].info.local : h.opened[0].info.remote);
        loop.close(client, "done");
        const auto before = h.closed.size();
        ASSERT_TRUE(run_until([&] { return h.closed.size() == before + 2; }));
    }
}

TEST_F(LoopTest, WritesEverythingOfATurnAtOnce) {
    const auto where = listen(nullptr);
    const auto client = loop.connect(where, nullptr, "");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    for (int i = 0; i < 100; ++i) {
        loop.send(client, "0123456789");
    }
    const auto server = h.end(true);
    ASSERT_TRUE(run_until([&] { return h.received[server.index].size() == 1000; }));
    EXPECT_EQ(1, h.reads);
}

TEST_F(LoopTest, ConnectionsThatMayWaitShareATurnAndTellWhenTheLastOfItCame) {
    const auto where = listen(nullptr);
    h.when_open = [&](Key key, const ConnectionInfo&) { loop.may_wait(key); };
    const std::array peers{raw(where), raw(where), raw(where)};
    ASSERT_TRUE(run_until([&] { return h.opened.size() == peers.size(); }));
    bool timed = false;
    // The system begins to note times some time after it was first asked to.
    for (int i = 0; i < 100 && !timed; ++i) {
        h.bytes_came.clear();
        h.received.clear();
        h.look = Loop::now() + milliseconds(40);
        const auto sent = Loop::now();
        for (const std::string_view text : {"one ", "two"}) {
            for (const auto& peer : peers) {
                ASSERT_EQ(static_cast<ssize_t>(text.size()),
                          ::send(peer.get(), text.data(), text.size(), 0));
            }
        }
        ASSERT_TRUE(run_until([&] { return h.bytes_came.size() == peers.size(); }));
        for (const auto& came : h.bytes_came) { // each has been read once
            EXPECT_EQ(came.turn, h.bytes_came.front().turn);
            EXPECT_GE(came.told, h.look);
            EXPECT_LE(came.at, came.told);
            EXPECT_GE(came.at + milliseconds(1), sent); // our clock, by way of the system's
        }
        for (const auto& [index, text] : h.received) {
            EXPECT_EQ("one two", text);
        }
        timed = std::ranges::all_of(h.bytes_came, [&](const auto& c) { return c.at < h.look; });
        h.look = {};
    }
    EXPECT_TRUE(timed);
}

TEST_F(LoopTest, AConnectionWaitsNoLongerWhenNobodyAsks) {
    const auto where = listen(nullptr);
    const auto client = loop.connect(where, nullptr, "");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    const auto server = h.end(true);
    loop.may_wait(server);
    h.look = Loop::now() + seconds(3600);
    loop.send(client, "held");
    loop.send(server, "at once");
    ASSERT_TRUE(run_until([&] { return h.received[client.index] == "at once"; }));
    EXPECT_EQ("", h.received[server.index]);
    h.look = {};
    ASSERT_TRUE(run_until([&] { return h.received[server.index] == "held"; }));
    loop.close(client, "done");
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 2; }));
    // Whoever takes its place waits for nothing.
    h.look = Loop::now() + seconds(3600);
    const auto next = loop.connect(where, nullptr, "");
    loop.send(next, "not held");
    ASSERT_TRUE(run_until([&] {
        return std::ranges::any_of(h.received,
                                   [](const auto& r) { return r.second.ends_with("not held"); });
    }));
}

TEST_F(LoopTest, AConnectionThatIsRefusedFailsInALaterTurn) {
    Endpoint nobody;
    {
        const auto fd = listen_stream({*IpAddress::parse("127.0.0.1"), 0}, true);
        nobody = local_endpoint(fd->get());
    }
    const auto key = loop.connect(nobody, nullptr, "");
    EXPECT_TRUE(h.failed.empty());
    ASSERT_TRUE(run_until([&] { return h.failed.size() == 1; }));
    EXPECT_EQ(key, h.failed[0].key);
    EXPECT_EQ("connect: Connection refused", h.failed[0].why);
    EXPECT_EQ(0U, loop.connections());
}

TEST_F(LoopTest, AnAddressThatCannotBeReachedFailsInALaterTurnToo) {
    const auto key = loop.connect({*IpAddress::parse("255.255.255.255"), 5061}, nullptr, "");
    EXPECT_TRUE(loop.is_open(key));
    loop.close(key, "changed my mind"); // too late to change anything
    ASSERT_TRUE(run_until([&] { return h.failed.size() == 1; }));
    EXPECT_FALSE(loop.is_open(key));
    EXPECT_EQ(0U, loop.connections());
}

TEST_F(LoopTest, ClosingBeforeItIsOpenIsAFailure) {
    const auto where = listen(nullptr);
    const auto key = loop.connect(where, nullptr, "");
    loop.close(key, "not needed");
    ASSERT_TRUE(run_until([&] { return !h.failed.empty(); }));
    EXPECT_EQ("not needed", h.failed[0].why);
    EXPECT_TRUE(std::ranges::none_of(h.opened, [](const auto& o) { return !o.info.incoming; }));
}

TEST_F(LoopTest, APeerThatIsDoneSendingStillGetsItsAnswer) {
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    std::vector<Key> asked;
    h.when_bytes = [&](Key key, Bytes) { asked.push_back(key); };
    h.when_turn = [&](Instant) { // as a server does: the answer is ready at the end of the turn
        for (const auto key : std::exchange(asked, {})) {
            loop.send(key, std::string(300'000, 'a'));
        }
    };
    ASSERT_EQ(8, ::write(peer.get(), "question", 8));
    shutdown(peer.get(), SHUT_WR);
    std::size_t got = 0;
    ASSERT_TRUE(run_until([&] {
        char buffer[65'536];
        ssize_t n = 0;
        while ((n = recv(peer.get(), buffer, sizeof buffer, MSG_DONTWAIT)) > 0) {
            got += static_cast<std::size_t>(n);
        }
        if (n < 0) {
            loop.post([] {});
        }
        return n == 0;
    }));
    EXPECT_EQ(300'000U, got);
    EXPECT_EQ("closed", h.closed.at(0).why);
}

TEST_F(LoopTest, WhatWasSentBeforeClosingArrivesThoughThePeerKeepsSending) {
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    ASSERT_EQ(6, ::write(peer.get(), "unread", 6));
    loop.send(h.end(true), "last words");
    loop.close(h.end(true), "enough");
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1; }));
    EXPECT_EQ(6, send(peer.get(), "unread", 6, MSG_NOSIGNAL));
    char buffer[32];
    EXPECT_EQ(10, recv(peer.get(), buffer, sizeof buffer, MSG_WAITALL)); // no reset
    EXPECT_EQ(1U, loop.connections()); // it waits for the peer's end, unseen
    shutdown(peer.get(), SHUT_WR);
    ASSERT_TRUE(run_until([&] { return loop.connections() == 0; }));
    EXPECT_EQ(1U, h.closed.size());
}

class Impatient : public LoopTest {
  protected:
    Impatient()
        : LoopTest({.handshakes = 8,
                    .handshakes_per_source = 4,
                    .handshake = milliseconds(20),
                    .linger = milliseconds(20),
                    .output = 100'000}) {}
};

TEST_F(Impatient, APeerThatDoesNotReadLosesTheConnection) {
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    const auto key = h.end(true);
    h.when_turn = [&](Instant) {
        loop.send(key, std::string(50'000, 'x'));
        loop.post([] {});
    };
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1; }));
    EXPECT_EQ("the peer does not read", h.closed[0].why);
    EXPECT_EQ(0U, loop.connections());
}

TEST_F(Impatient, ClosingDoesNotWaitForeverForAPeerThatDoesNotRead) {
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    const auto key = h.end(true);
    for (int i = 0; i < 100 && h.closed.empty(); ++i) {
        loop.send(key, std::string(90'000, 'x'));
        const auto turn = h.turns;
        run_until([&] { return h.turns > turn; });
        if (i == 3) {
            loop.close(key, "goodbye");
        }
    }
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1 && loop.connections() == 0; }));
    EXPECT_EQ("goodbye", h.closed[0].why);
}

TEST_F(Impatient, AnIdleConnectionIsClosedAtItsDeadlineUnlessThatIsMoved) {
    const auto where = listen(nullptr);
    const auto one = raw(where);
    const auto two = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    loop.set_deadline(h.opened[0].key, Loop::now() + milliseconds(5));
    loop.set_deadline(h.opened[1].key, Loop::now() + milliseconds(5));
    loop.set_deadline(h.opened[1].key, {});
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1; }));
    EXPECT_EQ(h.opened[0].key, h.closed[0].key);
    EXPECT_EQ("idle for too long", h.closed[0].why);
    EXPECT_TRUE(loop.is_open(h.opened[1].key));
}

TEST_F(LoopTest, AKeyOfAConnectionThatIsGoneFindsNothing) {
    const auto where = listen(nullptr);
    auto peer = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    const auto old = h.opened[0].key;
    peer.reset();
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1; }));
    const auto next = raw(where); // takes the place of the old one
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    const auto fresh = h.opened[1].key;
    EXPECT_EQ(old.index, fresh.index);
    loop.send(old, "for somebody else");
    loop.close(old, "somebody else");
    loop.set_deadline(old, Loop::now());
    loop.send(fresh, "yours");
    EXPECT_FALSE(loop.is_open(old));
    const auto turn = h.turns;
    ASSERT_TRUE(run_until([&] { return h.turns > turn + 1 || (loop.post([] {}), false); }));
    char buffer[32];
    EXPECT_EQ(5, recv(next.get(), buffer, sizeof buffer, MSG_DONTWAIT));
    EXPECT_TRUE(loop.is_open(fresh));
}

TEST_F(LoopTest, TheHandlerMayCallEverythingFromEverywhere) {
    const auto where = listen(nullptr);
    int connects = 0;
    const auto everything = [&](Key key) {
        loop.send(key, "more");
        loop.set_deadline(key, Loop::now());
        loop.close(key, "from the handler");
        loop.send(key, "too late");
        loop.close(key, "again");
        if (connects++ < 20) {
            loop.connect(where, nullptr, "");
        }
    };
    h.when_open = [&](Key key, const ConnectionInfo&) { everything(key); };
    h.when_bytes = [&](Key key, Bytes) { everything(key); };
    h.when_closed = everything;
    h.when_failed = everything;
    loop.connect(where, nullptr, "");
    ASSERT_TRUE(run_until([&] { return connects > 20 && loop.connections() == 0; }));
    EXPECT_EQ(h.opened.size(), h.closed.size());
    for (const auto& [index, text] : h.received) {
        EXPECT_EQ(std::string::npos, text.find("late"));
    }
}

TEST_F(LoopTest, APeerThatSendsWithoutEndGetsItsShareOnly) {
    const auto where = listen(nullptr);
    const auto loud = raw(where);
    const auto quiet = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    const std::string much(200'000, 'x');
    send(loud.get(), much.data(), much.size(), MSG_DONTWAIT);
    send(quiet.get(), "q", 1, 0);
    std::size_t most = 0;
    h.when_bytes = [&](Key, Bytes bytes) { most = std::max(most, bytes.size()); };
    ASSERT_TRUE(run_until([&] { return h.received[h.opened[1].key.index] == "q"; }));
    EXPECT_LE(most, 65'536U);
    EXPECT_LE(h.received[h.opened[0].key.index].size(), 2U * 65'536U);
}

TEST_F(LoopTest, WithoutDescriptorsTheListenerRestsAndGoesOnLater) {
    const auto where = listen(nullptr);
    std::vector<Descriptor> peers;
    for (int i = 0; i < 3; ++i) {
        peers.push_back(raw(where));
    }
    rlimit before{};
    getrlimit(RLIMIT_NOFILE, &before);
    const Descriptor next{dup(0)};
    // One more descriptor than are open now: one is accepted, the others wait.
    const rlimit tight{static_cast<rlim_t>(next.get()) + 2, before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &tight);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    const auto turns = h.turns;
    h.until = [&] { return false; };
    h.guard = Loop::now() + milliseconds(50);
    loop.run();
    EXPECT_LE(h.turns, turns + 3); // it did not spin
    EXPECT_EQ(1U, h.opened.size());
    setrlimit(RLIMIT_NOFILE, &before);
    EXPECT_TRUE(run_until([&] { return h.opened.size() == 3; }));
}

TEST_F(LoopTest, ConnectionsBeyondTheLimitAreRefused) {
    Limits limits;
    limits.connections = 1;
    test::Recorder other;
    Loop small{other, limits};
    other.loop = &small;
    auto fd = listen_stream({*IpAddress::parse("127.0.0.1"), 0}, true);
    const auto where = local_endpoint(fd->get());
    small.listen(std::move(*fd), 1, nullptr);
    const auto one = raw(where);
    const auto two = raw(where);
    other.until = [&] { return other.failed.size() == 1; };
    other.guard = Loop::now() + seconds(10);
    small.run();
    ASSERT_EQ(1U, other.failed.size());
    EXPECT_EQ("too many connections", other.failed[0].why);
    EXPECT_EQ(Key{}, other.failed[0].key);
}

TEST_F(LoopTest, ListeningEndsAndOpenConnectionsLiveOn) {
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    loop.stop_listening();
    const auto late = loop.connect(where, nullptr, "");
    loop.send(h.end(true), "still here");
    ASSERT_TRUE(run_until([&] { return h.failed.size() == 1; }));
    EXPECT_EQ(late, h.failed[0].key);
    char buffer[16];
    EXPECT_EQ(10, recv(peer.get(), buffer, sizeof buffer, 0));
}

TEST_F(LoopTest, WhereListeningHasEndedAnotherMayListen) {
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    loop.stop_listening();
    const auto again = listen_stream(where, true);
    EXPECT_TRUE(again) << again.error();
}

// What the loop's thread opened is in its table alone: here a number of it is nothing, or
// another's.
TEST_F(LoopTest, InATableOfItsOwnItsThreadClosesWhatItOpened) {
    if (!may_take_own_table()) {
        GTEST_SKIP() << "the system refuses";
    }
    const auto where = listen(nullptr);
    const auto peer = raw(where);
    std::thread{[&] {
        ASSERT_TRUE(take_own_table());
        EXPECT_TRUE(run_until([&] { return h.opened.size() == 1; }));
        loop.stop_listening();
        loop.close_all();
    }}.join();
    EXPECT_EQ(0U, loop.connections());
    EXPECT_TRUE(h.closed.empty());
    char nothing = 0;
    EXPECT_EQ(0, recv(peer.get(), &nothing, 1, 0));
    EXPECT_TRUE(listen_stream(where, true));
}

TEST_F(LoopTest, JobsFromOtherThreadsRunInOrder) {
    std::vector<int> ran; // touched by the loop's thread alone
    std::thread other{[&] {
        for (int i = 0; i < 1000; ++i) {
            ASSERT_TRUE(loop.post([&ran, i] { ran.push_back(i); }));
        }
    }};
    EXPECT_TRUE(run_until([&] { return ran.size() == 1000; }));
    other.join();
    EXPECT_TRUE(std::ranges::is_sorted(ran));
}

TEST_F(LoopTest, JobsThatNobodyRunsAreBounded) {
    std::size_t taken = 0;
    while (loop.post([] {})) {
        ASSERT_LT(++taken, 1'000'000U);
    }
    EXPECT_EQ(100'000U, taken);
}

TEST_F(LoopTest, AnotherThreadStopsItByAJob) {
    h.until = [] { return false; };
    h.guard = Loop::now() + seconds(10);
    std::thread other{[&] { loop.post([&] { loop.stop(); }); }};
    loop.run();
    other.join();
    EXPECT_LT(Loop::now(), h.guard);
}

TEST_F(LoopTest, ListenersPassTheirSocketOptionsOn) {
    const auto fd = listen_stream({*IpAddress::parse("127.0.0.1"), 0}, true);
    const auto client = raw(local_endpoint(fd->get())); // then it waits to be accepted
    const Descriptor server{accept(fd->get(), nullptr, nullptr)};
    int value = 0;
    socklen_t size = sizeof value;
    getsockopt(server.get(), IPPROTO_TCP, TCP_NODELAY, &value, &size);
    EXPECT_EQ(1, value);
    getsockopt(server.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
    EXPECT_EQ(30'000, value);
}

class Guesting : public Guest {
  public:
    Descriptor fd;
    std::string got;
    Instant when;
    int deadlines = 0;
    void on_ready(int ready, bool input, bool) override {
        char buffer[64];
        if (const auto n = input ? ::read(ready, buffer, sizeof buffer) : 0; n > 0) {
            got.append(buffer, static_cast<std::size_t>(n));
        }
    }
    Instant next_deadline() override { return when; }
    void on_deadline(Instant) override {
        ++deadlines;
        when = {};
    }
};

TEST_F(LoopTest, AGuestIsToldOfItsDescriptorsAndItsDeadline) {
    int ends[2];
    ASSERT_EQ(0, pipe(ends));
    const Descriptor writer{ends[1]};
    Guesting guest;
    guest.fd.reset(ends[0]);
    guest.when = Loop::now() + milliseconds(2);
    loop.add(guest);
    loop.watch(guest, guest.fd.get(), true, false);
    ASSERT_EQ(4, ::write(writer.get(), "ping", 4));
    EXPECT_TRUE(run_until([&] { return guest.got == "ping" && guest.deadlines == 1; }));
    loop.watch(guest, guest.fd.get(), false, false);
    ASSERT_EQ(4, ::write(writer.get(), "pong", 4));
    const auto turn = h.turns;
    EXPECT_TRUE(run_until([&] { return h.turns > turn + 1 || (loop.post([] {}), false); }));
    EXPECT_EQ("ping", guest.got);
    loop.remove(guest);
}

class Gathering : public LoopTest {
  protected:
    static constexpr Duration gather = milliseconds(50);
    Gathering() : LoopTest({.gather = gather}) {}
};

// Twenty peers, whose words are there before the next turn whenever all of the last were heard.
TEST_F(Gathering, WhatComesToABusyLoopSoonAfterATurnSharesTheNext) {
    const auto where = listen(nullptr);
    std::vector<Descriptor> peers(20);
    for (auto& peer : peers) {
        peer = raw(where);
    }
    ASSERT_TRUE(run_until([&] { return h.opened.size() == peers.size(); }));
    std::vector<Instant> began;     // by turn, from here on
    std::vector<std::size_t> heard; // the turns of what came
    std::size_t sent = 0;
    h.when_bytes = [&](Key, Bytes) { heard.push_back(began.size()); };
    h.when_turn = [&](Instant now) {
        if (heard.size() == sent) {
            for (const auto& peer : peers) {
                EXPECT_EQ(1, ::send(peer.get(), "a", 1, 0));
            }
            sent += peers.size();
        }
        began.push_back(now);
    };
    const auto after_pause = [&](std::size_t turn) {
        return turn > 0 && turn < began.size() && began[turn] - began[turn - 1] >= gather;
    };
    EXPECT_TRUE(run_until([&] { // until it is busy, and then some turns
        int pauses = 0;
        for (std::size_t i = 0; i + peers.size() <= heard.size(); i += peers.size()) {
            if (after_pause(heard[i])) {
                ++pauses;
                EXPECT_EQ(heard[i], heard[i + peers.size() - 1]);
            }
        }
        return pauses >= 3;
    }));
}

TEST(Now, NeverGoesBackAndIsThePresent) {
    const auto first = Loop::now();
    const auto second = Loop::now();
    EXPECT_LE(first, second);
    EXPECT_GT(first.ns, 1'700'000'000'000'000'000);
}

} // namespace
} // namespace cw::net
