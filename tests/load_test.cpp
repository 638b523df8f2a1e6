// callwright load as a user meets it: exit statuses, pass lines, what is kept of failed calls, the
// end by Ctrl-C, and words for what is wrong.
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <thread>

#include "program.hpp"

namespace {

using cw::tests::contains;
using cw::tests::content_of;
using cw::tests::Outcome;

constexpr std::string_view direct = R"(sequenceDiagram
    %% timeout: 5s
    actor alice as Alice
    actor bob as Bob

    alice->>bob: INVITE bob (SDP offer)
    bob-->>alice: 180 Ringing
    bob-->>alice: 200 OK (SDP answer)
    alice->>bob: BYE
    bob-->>alice: 200 OK
)";

// Through an embedded server, where bob has to be registered.
constexpr std::string_view served = R"(sequenceDiagram
    %% load: 600 calls/m for 1s, 10 calls
    %% pass: failures < 1%, 90% of answers < 20s, 90% of registrations < 20s
    actor alice as Alice
    participant proxy as Proxy
    actor bob as Bob

    alice->>proxy: INVITE bob (SDP offer)
    proxy->>bob: INVITE
    bob-->>proxy: 200 OK (SDP answer)
    proxy-->>alice: 200 OK
    alice->>proxy: BYE
    proxy->>bob: BYE
    bob-->>proxy: 200 OK
    proxy-->>alice: 200 OK
)";

// Sound that takes longer to be heard than an answer is waited for.
constexpr std::string_view talking = R"(sequenceDiagram
    actor alice as Alice
    actor bob as Bob

    alice->>bob: INVITE bob (SRTP offer)
    bob-->>alice: 200 OK (SRTP answer)
    alice<<-->>bob: SRTP both ways (3s)
    Note over alice: hears bob for 1s
    alice->>bob: BYE
    bob-->>alice: 200 OK
)";

// Somebody refuses what is drawn as accepted.
constexpr std::string_view refused = R"(sequenceDiagram
    actor alice as Alice
    participant proxy as Proxy

    alice->>proxy: INVITE sip:nobody@example.com (SDP offer)
    proxy-->>alice: 200 OK (SDP answer)
)";

class LoadProgram : public cw::tests::InFolder {};

TEST_F(LoadProgram, PerformsAFlowWithinItselfAndPasses) {
    file("direct.mmd", direct);
    const auto done = run("load direct.mmd --rate 20 --calls 20");
    EXPECT_EQ(done.status, 0) << done.text;
    EXPECT_TRUE(contains(done.text, "20 calls begun, 20 passed, 0 failed")) << done.text;
    EXPECT_TRUE(contains(done.text, "answer")) << done.text;
}

TEST_F(LoadProgram, CallsThatTalkComeToTheirEnd) {
    file("talking.mmd", talking);
    const auto done = run("load talking.mmd --rate 10 --calls 4");
    EXPECT_EQ(done.status, 0) << done.text;
    EXPECT_TRUE(contains(done.text, "4 calls begun, 4 passed, 0 failed")) << done.text;
}

TEST_F(LoadProgram, TheFlowSaysHowManyAndWhatDecides) {
    file("served.mmd", served);
    const auto done = run("load served.mmd --format json --csv seconds.csv");
    EXPECT_EQ(done.status, 0) << done.text;
    EXPECT_TRUE(contains(done.text, R"("begun":10,"held_back":0,"passed":10,"failed":0)"))
        << done.text;
    EXPECT_TRUE(contains(done.text, R"("criterion":"90% of registrations < 20s","met":true)"))
        << done.text;
    EXPECT_TRUE(content_of(path("seconds.csv")).starts_with("second,due,begun,"));
}

TEST_F(LoadProgram, OptionsOfSippAreAnsweredWithTheirCounterparts) {
    const auto outcome = run("load x.xml -r 10 -trace_msg 127.0.0.1:5060");
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.text, "-r is SIPp's. Here: --rate N/s")) << outcome.text;
    EXPECT_TRUE(contains(outcome.text, "-trace_msg is SIPp's. Here: run: --trace")) << outcome.text;
    EXPECT_FALSE(contains(run("load x.xml --nothing").text, "SIPp's"))
        << "it has none of that name";
}

TEST_F(LoadProgram, ACriterionThatIsNotMetIsStatus1) {
    file("direct.mmd", direct);
    auto done = run("load direct.mmd --rate 20 --calls 5 --pass '99% of answers < 1ms' --pass "
                    "'99% of registrations < 1s'");
    EXPECT_EQ(done.status, 1) << done.text;
    EXPECT_TRUE(contains(done.text, "registrations < 1s: nothing was measured")) << done.text;
}

TEST_F(LoadProgram, FailedCallsAreKeptWithTheirLadders) {
    file("refused.mmd", refused);
    const auto done = run("load refused.mmd --concurrency 2 --calls 5 --keep 3 --failed out");
    EXPECT_EQ(done.status, 1) << done.text;
    EXPECT_TRUE(contains(done.text, "line 6: 404 Not Found came in its place")) << done.text;
    EXPECT_TRUE(contains(done.text, "5 failed")) << done.text;
    std::size_t ladders = 0;
    for (const auto& entry : std::filesystem::directory_iterator{path("out")}) {
        if (entry.path().extension() == ".txt") {
            ++ladders;
            const auto ladder = content_of(entry.path().string());
            EXPECT_TRUE(contains(ladder, "INVITE") && contains(ladder, "404")) << ladder;
        }
    }
    EXPECT_EQ(ladders, 3U);
    const auto read = run("read out/call-1.pcapng --format json");
    EXPECT_EQ(read.status, 0) << read.text;
    EXPECT_TRUE(contains(read.text, R"("state":"rejected")")) << read.text;
}

double number_after(const std::string& text, std::string_view name) {
    const auto at = text.find(name);
    return at == std::string::npos ? -1 : std::strtod(text.c_str() + at + name.size(), nullptr);
}

// [RFC 7501 §3] and the methodology of RFC 7502.
TEST_F(LoadProgram, AttemptsAreCountedByTheNamesOfRfc7501) {
    file("served.mmd", served);
    auto done = run("load served.mmd --format json");
    const auto lasted = number_after(done.text, R"("duration_s":)");
    EXPECT_NEAR(number_after(done.text, R"("rfc7502":{"session_attempt_rate":)") * lasted, 10, 0.1)
        << done.text;
    EXPECT_EQ(number_after(done.text, R"("session_attempt_failures":)"), 0);
    EXPECT_GE(number_after(done.text, R"("registration_attempt_rate":)") * lasted, 0.9);
    EXPECT_EQ(number_after(done.text, R"("registration_attempt_failures":)"), 0);
    file("refused.mmd", refused);
    done = run("load refused.mmd --concurrency 2 --calls 5 --format json");
    EXPECT_EQ(number_after(done.text, R"("session_attempt_failures":)"), 5) << done.text;
    EXPECT_EQ(number_after(done.text, R"("registration_attempt_rate":)"), 0);
}

// At that rate several calls are due within a millisecond.
TEST_F(LoadProgram, CallsThatShareATurnComeToTheirEndAsOthersDo) {
    std::string flow{refused};
    flow.replace(flow.find("as Alice"), 8, "as Alice (UDP)");
    flow.replace(flow.find("as Proxy"), 8, "as Proxy (UDP)");
    flow.replace(flow.find("200 OK (SDP answer)"), 19, "404 Not Found");
    file("refused.mmd", flow);
    for (const std::string gather : {"1ms", "0s"}) {
        const auto done = run("load refused.mmd --rate 2000 --calls 600 --gather " + gather);
        EXPECT_EQ(done.status, 0) << done.text;
        EXPECT_TRUE(contains(done.text, "600 calls begun, 600 passed, 0 failed")) << done.text;
    }
}

// Accepts one connection over TCP after the other until it goes, and answers each request by 200
// and some pings by a pong. Everything comes to it in pieces as its peer wrote them.
class FewPongs {
  public:
    explicit FewPongs(int pongs) : pongs_(pongs), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
        EXPECT_EQ(::listen(listener_, 8), 0);
        EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size), 0);
        port = ntohs(at.sin_port);
        thread_ = std::thread{[this] { serve(); }};
    }
    ~FewPongs() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
    }
    int port = 0;

  private:
    void serve() {
        for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(fd)) {
            std::array<char, 65536> bytes{};
            for (ssize_t n = 0; (n = ::read(fd, bytes.data(), bytes.size())) > 0;) {
                const std::string_view text{bytes.data(), static_cast<std::size_t>(n)};
                const auto reply = text.starts_with("OPTIONS")          ? ok(text)
                                   : text == "\r\n\r\n" && pongs_-- > 0 ? std::string{"\r\n"}
                                                                        : std::string{};
                [[maybe_unused]] const auto sent =
                    ::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL);
            }
        }
    }
    static std::string ok(std::string_view request) {
        std::string out = "SIP/2.0 200 OK";
        for (const std::string_view name :
             {"\r\nVia:", "\r\nFrom:", "\r\nTo:", "\r\nCall-ID:", "\r\nCSeq:"}) {
            const auto at = request.find(name);
            out += request.substr(at, request.find("\r\n", at + 2) - at);
            out += name == "\r\nTo:" ? ";tag=far" : "";
        }
        return out + "\r\nContent-Length: 0\r\n\r\n";
    }

    int pongs_;
    int listener_;
    std::thread thread_;
};

// [RFC 5626 §4.4.1] "If a pong is not received within 10 seconds after sending a ping, then the
// client MUST treat the flow as failed". Not so where the server knows no pings at all.
TEST_F(LoadProgram, AConnectionWhosePongIsLostHasFailed) {
    file("twice.mmd", "sequenceDiagram\n    actor alice as Alice (TCP)\n"
                      "    participant pbx as PBX (under test)\n\n"
                      "    alice->>pbx: OPTIONS sip:pbx@example.com\n    pbx-->>alice: 200 OK\n"
                      "    Note over alice: waits 14s\n"
                      "    alice->>pbx: OPTIONS sip:pbx@example.com\n    pbx-->>alice: 200 OK\n");
    std::array<Outcome, 2> done;
    std::array<std::thread, 2> both;
    for (const int pongs : {0, 1}) { // at the same time
        both[static_cast<std::size_t>(pongs)] = std::thread{[this, pongs, &done] {
            const FewPongs pbx{pongs};
            done[static_cast<std::size_t>(pongs)] =
                run(fmt::format("load twice.mmd --at pbx=tcp:127.0.0.1:{} --concurrency 1 --calls "
                                "1 --keep-alive 1s --format json",
                                pbx.port));
        }};
    }
    for (auto& one : both) {
        one.join();
    }
    EXPECT_EQ(done[0].status, 0) << done[0].text;
    EXPECT_GE(number_after(done[0].text, R"("silent":)"), 1) << done[0].text;
    EXPECT_EQ(number_after(done[0].text, R"("lost":)"), 0) << done[0].text;
    EXPECT_GE(number_after(done[1].text, R"("silent":)"), 1) << done[1].text;
    EXPECT_EQ(number_after(done[1].text, R"("lost":)"), 1) << done[1].text;
}

TEST_F(LoadProgram, CtrlCEndsItWithItsResults) {
    file("direct.mmd", direct);
    const auto done =
        cw::tests::run_shell("cd '" + folder_.string() +
                             "' && LC_ALL=C.UTF-8 timeout -s INT 3 '" CALLWRIGHT_PROGRAM
                             "' load direct.mmd --rate 10 2>&1; echo status $?");
    EXPECT_TRUE(contains(done.text, "(interrupted)")) << done.text;
    EXPECT_TRUE(contains(done.text, " passed, 0 failed")) << done.text;
}

// A registrar rings all phones of a user, so calls that overlap have users of their own.
constexpr std::string_view bob_registers = "    bob->>proxy: REGISTER\n    proxy-->>bob: 200 OK\n";
constexpr std::string_view warning = "bob registers in each call";

TEST_F(LoadProgram, CallsThatOverlapDoNotRingEachOther) {
    std::string flow{served};
    flow.replace(flow.find("    bob-->>proxy"), 0, "    Note over bob: rings for 300ms\n");
    flow.replace(flow.find("    alice->>proxy"), 0, bob_registers);
    file("served.mmd", flow);
    for (const auto* how :
         {"--rate 40 --calls 40", "--rate 40 --calls 40 -j 2", "--concurrency 6 --calls 30 -j 2"}) {
        const auto done = run(std::string{"load served.mmd "} + how);
        EXPECT_EQ(done.status, 0) << done.text;
        EXPECT_TRUE(contains(done.text, "0 failed")) << how << done.text;
        EXPECT_FALSE(contains(done.text, warning)) << how << done.text;
    }
}

TEST_F(LoadProgram, PhonesThatAreCalledAreOnesOfTheirShard) {
    file("served.mmd", served); // where bob registers before the first call
    const auto done = run("load served.mmd -j 2 --rate 20 --calls 20 --pass 'failures < 1%'");
    EXPECT_EQ(done.status, 0) << done.text;
    EXPECT_TRUE(contains(done.text, "20 passed, 0 failed")) << done.text;
}

// Where a user is called by his name, the flow means him.
TEST_F(LoadProgram, APhoneThatAllCallsShareIsWarnedAbout) {
    std::string flow{served};
    flow.replace(flow.find("INVITE bob "), 11, "INVITE sip:bob@example.com ");
    flow.replace(flow.find("    alice->>proxy"), 0, bob_registers);
    file("served.mmd", flow);
    EXPECT_TRUE(contains(run("load served.mmd --rate 1 --calls 1").text, warning));
    const auto alone = run("load served.mmd --concurrency 1 --calls 3");
    EXPECT_FALSE(contains(alone.text, warning)) << alone.text;
    EXPECT_TRUE(contains(alone.text, "3 passed, 0 failed")) << alone.text;
    flow.replace(flow.find("    actor alice"), 0, "    %% set: rows from users.csv\n");
    flow.replace(flow.find("\n    bob->>proxy"), 0, "    %% uri: sip:{row.callee}@example.com\n");
    file("served.mmd", flow);
    file("users.csv", "callee\nbert\ndora\n");
    const auto rows = run("load served.mmd --rate 1 --calls 1");
    EXPECT_FALSE(contains(rows.text, warning)) << rows.text;
}

TEST_F(LoadProgram, UsersComeFromACsvFile) {
    std::string flow{served};
    flow.replace(flow.find("    actor alice"), 0, "    %% set: rows from users.csv\n");
    flow.replace(flow.find("    participant"), 0, "    %% uri: sip:{row.caller}@example.com\n");
    flow.replace(flow.find("\n    alice->>proxy"), 0, "    %% uri: sip:{row.callee}@example.com\n");
    file("users.mmd", flow);
    file("users.csv", "caller,callee\nann,bert\ncarl,dora\n");
    const auto done = run("load users.mmd --format json");
    EXPECT_EQ(done.status, 0) << done.text;
    file("users.csv", "caller,called\nann,bert\n");
    const auto unknown = run("load users.mmd");
    EXPECT_EQ(unknown.status, 2) << unknown.text;
    EXPECT_TRUE(contains(unknown.text, "no column 'callee'")) << unknown.text;
    std::filesystem::remove(path("users.csv"));
    EXPECT_EQ(run("load users.mmd").status, 3);
}

TEST_F(LoadProgram, WhatIsWrongHasWords) {
    file("direct.mmd", direct);
    struct Case {
        const char* arguments;
        int status;
        const char* words;
    };
    for (const auto& one :
         {Case{"load direct.mmd", 2, "how many?"},
          Case{"load direct.mmd --rate 0", 2, "no rate like"},
          Case{"load direct.mmd --rate -5", 2, "no rate like"},
          Case{"load direct.mmd --rate ten", 2, "no rate like"},
          Case{"load direct.mmd --rate 10 --concurrency 5", 2, "without --rate"},
          Case{"load direct.mmd --ramp 1s --concurrency 5 --calls 5", 2, "without --rate"},
          Case{"load direct.mmd --concurrency 5 --at-once 5 --calls 5", 2, "--at-once is for"},
          Case{"load direct.mmd --rate 10 --steps 10,20 --for 1s", 2, "say one of them"},
          Case{"load direct.mmd --rate 10,20 --for 1s", 2, "no rate like"},
          Case{"load direct.mmd --steps 10,20, --for 1s", 2, "no rates like"},
          Case{"load direct.mmd --rate 10 --source 127.0.0.9-127.0.0.2", 2, "ends before it"},
          Case{"load direct.mmd --rate 10 --source 192.0.2.1", 3, "from 192.0.2.1 (--source)"},
          Case{"load direct.mmd --rate 10 --failed direct.mmd/out", 3, "cannot be created"},
          Case{"load direct.mmd --rate 10 --at bob=udp:sip.invalid:5060", 3,
               "sip.invalid, where bob"},
          Case{"load direct.mmd --steps 10,20", 2, "needs --for"},
          Case{"load direct.mmd --rate 10 --gather 1s", 2, "no time like 1ms or 0s"},
          Case{"load direct.mmd --rate 10 --for 0s", 2, "no time like"},
          Case{"load direct.mmd --rate 10 --pass 'all < 3'", 2, "failures < 0.1%"},
          Case{"load direct.mmd --rate 10 --at carol=tls:127.0.0.1:9", 2, "no participant 'carol'"},
          Case{"load nothing.mmd --rate 10", 3, "nothing.mmd"}}) {
        const auto done = run(one.arguments);
        EXPECT_EQ(done.status, one.status) << one.arguments << "\n" << done.text;
        EXPECT_TRUE(contains(done.text, one.words)) << one.arguments << "\n" << done.text;
    }
}

// What the command line says of the rate is not the end, and the other way round.
TEST_F(LoadProgram, WhatTheCommandLineDoesNotSayIsTheFlows) {
    file("served.mmd", served); // 10 a second for 1 s, 10 calls
    EXPECT_TRUE(contains(run("load served.mmd --rate 5").text, "5 calls begun"));
    EXPECT_TRUE(contains(run("load served.mmd --calls 12").text, "12 calls begun"));
    EXPECT_TRUE(contains(run("load served.mmd --concurrency 2").text, "10 calls begun"));
}

// The calls of a second are those that are due in it.
TEST_F(LoadProgram, ASecondHasTheCallsThatAreDueInIt) {
    file("direct.mmd", direct);
    const auto done = run("load direct.mmd --rate 5 --for 3s --format json");
    const auto seconds =
        done.text.substr(std::min(done.text.find("\"seconds\""), done.text.size()));
    for (const auto* second : {"0", "1", "2"}) {
        EXPECT_TRUE(contains(seconds, fmt::format(R"("second":{},"due":5,)", second))) << done.text;
    }
}

TEST_F(LoadProgram, WhatCannotBeWrittenIsSaidAfterTheResults) {
    file("direct.mmd", direct);
    auto done = run("load direct.mmd --rate 20 --calls 2 --csv /dev/full");
    EXPECT_EQ(done.status, 3) << done.text;
    done = cw::tests::run_shell("cd '" + folder_.string() +
                                "' && '" CALLWRIGHT_PROGRAM
                                "' load direct.mmd --rate 20 --calls 2 2>&1 >/dev/full");
    EXPECT_EQ(done.status, 3) << done.text;
    EXPECT_TRUE(contains(done.text, "standard output: writing failed")) << done.text;
    file("refused.mmd", refused);
    std::filesystem::create_directories(path("out/call-1.txt"));
    done = run("load refused.mmd --rate 20 --calls 2 --failed out");
    EXPECT_EQ(done.status, 3) << done.text;
    EXPECT_TRUE(contains(done.text, "2 calls begun")) << done.text;
    EXPECT_TRUE(contains(done.text, "call-1.txt: cannot be written")) << done.text;
}

// ICMP says that nobody reads there: the caller need not wait for Timer B.
TEST_F(LoadProgram, DatagramsThatNobodyReadsFailAtOnce) {
    file("refused.mmd", refused);
    const auto done =
        run("load refused.mmd --concurrency 1 --calls 5 --at proxy=udp:127.0.0.1:1 --timeout 30s");
    EXPECT_EQ(done.status, 1) << done.text;
    EXPECT_TRUE(contains(done.text, "5  line 6: nobody listens where proxy should be (UDP"))
        << done.text;
}

// A datagram does not get from an IPv4 socket to an IPv6 address.
TEST_F(LoadProgram, WhoSpeaksWithIpv6OnlyHasAnIpv6Address) {
    file("refused.mmd", refused);
    for (const auto* how : {"load refused.mmd --concurrency 1 --calls 1", "run refused.mmd"}) {
        const auto done = run(std::string{how} + " --at proxy=udp:[::1]:1 --timeout 3s");
        EXPECT_EQ(done.status, 1) << done.text;
        EXPECT_TRUE(contains(done.text, "nobody listens where proxy should be (UDP [::1]:1)"))
            << done.text;
    }
    const auto done = run("load refused.mmd --rate 1 --calls 1 --at proxy=udp:[::1]:1 --source "
                          "127.0.0.2");
    EXPECT_EQ(done.status, 2) << done.text;
    EXPECT_TRUE(contains(done.text, "proxy is at ::1, of another family")) << done.text;
}

TEST_F(LoadProgram, GoesOnWhenNobodyReadsWhatItSays) {
    file("direct.mmd", direct);
    cw::tests::run_shell("cd '" + folder_.string() +
                         "' && { '" CALLWRIGHT_PROGRAM
                         "' load direct.mmd --rate 10 --for 3s --csv seconds.csv 2>errors; "
                         "echo $? >status; } | head -n 1; sleep 3");
    EXPECT_EQ(content_of(path("status")), "3\n") << content_of(path("errors"));
    const auto seconds = content_of(path("seconds.csv"));
    EXPECT_GE(std::ranges::count(seconds, '\n'), 4) << seconds;
}

TEST_F(LoadProgram, ATargetThatDoesNotListenIsSaid) {
    file("refused.mmd", refused);
    const auto done =
        run("load refused.mmd --rate 20 --for 60s --at proxy=tls:127.0.0.1:1 --timeout 5s");
    EXPECT_EQ(done.status, 3) << done.text;
    EXPECT_TRUE(contains(done.text, "proxy cannot be reached")) << done.text;
}

} // namespace
