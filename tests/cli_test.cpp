// What only the command line can show: exit statuses, and what is said when something is wrong.
#include <array>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>

#include "program.hpp"

namespace {

const std::string example = CALLWRIGHT_SOURCE_DIR "/examples/secure-call.pcapng";

using cw::tests::contains;
using cw::tests::content_of;

class Read : public cw::tests::InFolder {};

TEST_F(Read, ShowsTheExampleDecryptedByTheSecretsInside) {
    const auto all = run("read " + example);
    EXPECT_EQ(all.status, 0);
    EXPECT_TRUE(contains(all.text, "3 calls")) << all.text;
    EXPECT_TRUE(contains(all.text, "3 TLS connections, 3 decrypted")) << all.text;

    const auto call = run("read " + example + " --call 3 --format ladder");
    EXPECT_EQ(call.status, 0);
    EXPECT_TRUE(contains(call.text, "INVITE SRTP")) << call.text;
    EXPECT_TRUE(contains(call.text, "TLS 1.3")) << call.text;
}

// Some write the secrets when the connections have ended: behind all packets.
TEST_F(Read, UsesSecretsThatStandBehindThePackets) {
    constexpr std::uint32_t decryption_secrets = 10; // a pcapng block: type, length, …, length
    const auto whole = content_of(example);
    const auto number = [&](std::size_t at) {
        std::uint32_t value = 0;
        std::memcpy(&value, whole.data() + at, sizeof value);
        return value;
    };
    std::string packets;
    std::string secrets;
    for (std::size_t at = 0; at < whole.size(); at += number(at + 4)) {
        (number(at) == decryption_secrets ? secrets : packets) += whole.substr(at, number(at + 4));
    }
    ASSERT_FALSE(secrets.empty());
    const auto outcome = run("read " + file("behind.pcapng", packets + secrets));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(contains(outcome.text, "3 TLS connections, 3 decrypted")) << outcome.text;
}

TEST_F(Read, ShowsTheLadderTooWhenOneCallIsLeft) {
    const auto outcome = run("read " + example + " --filter 'kind == call'");
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(contains(outcome.text, "200 Answering")) << outcome.text;
}

TEST_F(Read, RefusesWhatIsNoCaptureWithStatusThree) {
    struct Case {
        std::string path;
        std::string_view says;
    };
    for (const auto& [path, says] : {
             Case{file("empty.pcap", ""), "is empty"},
             Case{file("letter.txt", "Dear all,\nthis is not a capture.\n"), "not a capture"},
             Case{folder_.string(), "is a directory"},
             Case{(folder_ / "nothing-here.pcap").string(), "no such file"},
         }) {
        const auto outcome = run("read '" + path + "'");
        EXPECT_EQ(outcome.status, 3) << outcome.text;
        EXPECT_TRUE(contains(outcome.text, says)) << outcome.text;
        EXPECT_TRUE(contains(outcome.text, path)) << outcome.text;
        EXPECT_TRUE(outcome.text.starts_with("callwright: ")) << outcome.text;
    }
}

TEST_F(Read, GivesWhatACutFileHoldsAndSaysSo) {
    const auto whole = content_of(example);
    const auto one_less = run("read " + file("cut.pcapng", whole.substr(0, whole.size() - 1)));
    EXPECT_EQ(one_less.status, 0);
    EXPECT_TRUE(contains(one_less.text, "3 calls")) << one_less.text;
    EXPECT_TRUE(contains(one_less.text, "cut in the middle of packet 790")) << one_less.text;

    const auto half = run("read " + file("half.pcapng", whole.substr(0, whole.size() / 2)));
    EXPECT_EQ(half.status, 0);
    EXPECT_TRUE(contains(half.text, "cut in the middle")) << half.text;
}

TEST_F(Read, CountsBrokenLinesOfAKeyLogAndGoesOn) {
    const std::string good(64, 'a');
    const std::string secret(96, 'b');
    const auto keys = file("tls.keys", "# comment\nCLIENT_RANDOM " + good + " " + secret +
                                           "\nCLIENT_RANDOM xyz 12\n");
    const auto outcome = run("read " + example + " --keys " + keys);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(contains(outcome.text, "one line not understood")) << outcome.text;
    EXPECT_TRUE(contains(outcome.text, "line 3")) << outcome.text;
    EXPECT_FALSE(contains(outcome.text, secret)) << "a secret was printed";
}

TEST_F(Read, RefusesKeyFilesThatHoldNoKeys) {
    EXPECT_EQ(
        run("read " + example + " --keys " + file("photo.jpg", "\xff\xd8\xff\xe0 JFIF")).status, 3);
    const auto missing = run("read " + example + " --keys /does/not/exist.keys");
    EXPECT_EQ(missing.status, 3);
    EXPECT_TRUE(contains(missing.text, "/does/not/exist.keys: no such file")) << missing.text;
}

TEST_F(Read, PointsAtTheMistakeInAFilter) {
    const auto outcome = run("read " + example + " --filter 'status >= 4xx'");
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.text, "column 11")) << outcome.text;
    EXPECT_TRUE(contains(outcome.text, "\n  status >= 4xx\n            ^\n")) << outcome.text;
    EXPECT_TRUE(contains(outcome.text, "expected a number")) << outcome.text;
}

TEST_F(Read, RefusesAWrongCommandLineWithStatusTwo) {
    for (const auto* arguments : {"", "read", "reed x.pcap", "read --no-such-option x.pcap",
                                  "read x.pcap --format pdf", "read x.pcap --width 3"}) {
        const auto outcome = run(arguments);
        EXPECT_EQ(outcome.status, 2) << arguments << ": " << outcome.text;
    }
}

TEST_F(Read, NamesTheCommandsWhereNoneOfThemIsMeant) {
    auto outcome = run("reed call.pcap");
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.text, "reed: no such command")) << outcome.text;
    EXPECT_TRUE(contains(outcome.text, "read, watch")) << outcome.text;
    outcome = run("");
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.text, "which command?")) << outcome.text;
}

// Whatever wrote it, by buffers of its own or not.
TEST_F(Read, AResultThatCannotBeWrittenIsStatusThree) {
    for (const auto* command : {"explain D01", "read --help", "--version"}) {
        const auto outcome = cw::tests::run_shell(
            fmt::format("'{}' {} 2>&1 >/dev/full", CALLWRIGHT_PROGRAM, command));
        EXPECT_EQ(outcome.status, 3) << command;
        EXPECT_TRUE(contains(outcome.text, "writing failed")) << command << outcome.text;
    }
}

// Complaints quote the lines that they are about.
TEST_F(Read, ACaptureIsNoFlowAndItsSecretsAreNotShown) {
    const auto outcome = run("run " + example);
    EXPECT_EQ(outcome.status, 2);
    EXPECT_TRUE(contains(outcome.text, "captures are for 'callwright read'")) << outcome.text;
    EXPECT_FALSE(contains(outcome.text, "TRAFFIC_SECRET")) << outcome.text;
}

TEST_F(Read, HelpsAndTellsItsVersion) {
    const auto help = run("read --help");
    EXPECT_EQ(help.status, 0);
    EXPECT_TRUE(contains(help.text, "Examples:")) << help.text;
    EXPECT_EQ(run("--version").status, 0);
}

TEST_F(Read, LeavesNoHalfWrittenFile) {
    const auto out = (folder_ / "calls.json").string();
    EXPECT_EQ(run("read " + example + " --format json -o " + out).status, 0);
    EXPECT_TRUE(content_of(out).ends_with("}\n"));
    EXPECT_EQ(run("read " + example + " -o /does/not/exist/x").status, 3);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator{folder_}) {
        ++files;
    }
    EXPECT_EQ(files, 1U) << "the temporary file was left behind";
}

TEST_F(Read, ReadsStandardInputAndSeveralFiles) {
    const auto piped = run("read - < " + example);
    EXPECT_EQ(piped.status, 0);
    EXPECT_TRUE(contains(piped.text, "3 calls")) << piped.text;
    const auto twice = run("read " + example + " " + example);
    EXPECT_EQ(twice.status, 0);
    EXPECT_TRUE(contains(twice.text, "1,580 packets")) << twice.text;
}

TEST_F(Read, HandsFindingsToCiAndCountsThemOverManyCalls) {
    const auto sarif = run("read " + example + " --format sarif");
    EXPECT_EQ(sarif.status, 0) << sarif.text;
    EXPECT_TRUE(contains(sarif.text, "\"version\":\"2.1.0\"")) << sarif.text.substr(0, 300);
    EXPECT_TRUE(contains(sarif.text, "\"id\":\"D01\"")) << "its rules are in it";
    const auto stats = run("read " + example + " --stats");
    EXPECT_EQ(stats.status, 0) << stats.text;
    EXPECT_TRUE(contains(stats.text, "answer-seizure ratio")) << stats.text;
    EXPECT_TRUE(contains(stats.text, "TLS by server")) << stats.text;
    EXPECT_TRUE(contains(run("read " + example + " --stats --format json").text, "\"SER\":1.0000"));
    EXPECT_EQ(run("read " + example + " --stats --format svg").status, 2);
}

TEST_F(Read, SavesACallSoThatItReadsBackAsItWas) {
    const auto path = (folder_ / "call.pcapng").string();
    const auto saved =
        run("read " + example + " --filter 'kind == call' --format pcapng -o " + path);
    EXPECT_EQ(saved.status, 0);
    EXPECT_TRUE(contains(saved.text, "it holds TLS secrets")) << saved.text;
    EXPECT_TRUE(contains(saved.text, "8 messages of other calls")) << saved.text;
    EXPECT_EQ(std::filesystem::status(path).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    const auto ladder = [&](const std::string& capture) {
        auto text = run("read " + capture + " --filter 'kind == call' --format ladder").text;
        return text.substr(text.find('\n')); // behind "Call 3 of 3"
    };
    EXPECT_EQ(ladder(path), ladder(example));
    // What belongs to other calls alone is not there: one registration of two is.
    EXPECT_TRUE(contains(run("read " + path).text, "2 TLS connections, 2 decrypted"));

    const auto none = run("read - --format pcapng -o " + path + " < " + example);
    EXPECT_EQ(none.status, 3);
    EXPECT_TRUE(contains(none.text, "--format messages")) << none.text;

    EXPECT_EQ(run("read " + example + " --call 3 --format messages -o " + path).status, 0);
    const auto messages = run("read " + path);
    EXPECT_TRUE(contains(messages.text, "13 SIP messages")) << messages.text;
}

// An IPv4 packet with part of a UDP datagram, in a file of raw IP.
void add_fragment(std::string& file, bool answer, std::uint8_t id, std::string_view udp,
                  bool first) {
    constexpr std::size_t cut = 1200;
    const auto part = first ? udp.substr(0, cut) : udp.substr(cut);
    const auto size = static_cast<std::uint32_t>(20 + part.size());
    for (const std::uint32_t word : {1'764'583'200U + id, first ? 1U : 2U, size, size}) {
        file.append(reinterpret_cast<const char*>(&word), 4);
    }
    const auto offset = static_cast<char>(first ? 0x20 : 0);
    const auto place = static_cast<char>(first ? 0 : cut / 8);
    file += std::string{'\x45',
                        0,
                        static_cast<char>(size >> 8),
                        static_cast<char>(size),
                        0,
                        static_cast<char>(id),
                        offset,
                        place,
                        64,
                        17,
                        0,
                        0};
    const std::string from{'\xc0', 0, 2, 1};
    const std::string to{'\xc0', 0, 2, 2};
    file += answer ? to + from : from + to;
    file += part;
}

TEST_F(Read, SavesAllFragmentsOfWhatIsWantedAndOfNothingElse) {
    const std::uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101};
    std::string capture{reinterpret_cast<const char*>(head), sizeof head};
    std::uint8_t id = 0;
    for (const std::string call : {"one", "two"}) {
        for (const bool answer : {false, true}) {
            const auto message =
                std::string{answer ? "SIP/2.0 486 Busy Here" : "INVITE sip:b@example.com SIP/2.0"} +
                "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK" + call +
                "\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: " +
                call + "\r\nCSeq: 1 INVITE\r\nSubject: " + std::string(1500, 'x') +
                "\r\nContent-Length: 0\r\n\r\n";
            const auto size = message.size() + 8;
            const auto udp = std::string{0x13,
                                         '\xc4',
                                         0x13,
                                         '\xc4',
                                         static_cast<char>(size >> 8),
                                         static_cast<char>(size),
                                         0,
                                         0} +
                             message;
            ++id;
            add_fragment(capture, answer, id, udp, true);
            add_fragment(capture, answer, id, udp, false);
        }
    }
    const auto path = (folder_ / "two.pcapng").string();
    EXPECT_EQ(
        run("read " + file("both.pcap", capture) + " --call two --format pcapng -o " + path).status,
        0);
    const auto read = run("read " + path);
    EXPECT_TRUE(contains(read.text, "1 call · 2 SIP messages · 4 packets")) << read.text;
}

// Several cores write the calls, each some at a time.
TEST_F(Read, WritesManyCallsInTheirOrder) {
    constexpr int calls = 1500;
    const std::uint32_t head[] = {0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101};
    std::string capture{reinterpret_cast<const char*>(head), sizeof head};
    for (int i = 0; i < calls; ++i) {
        const auto message = fmt::format("OPTIONS sip:b@example.com SIP/2.0\r\n"
                                         "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK{0}\r\n"
                                         "From: <sip:a@example.com>;tag=1\r\n"
                                         "To: <sip:b@example.com>\r\nCall-ID: number-{0}\r\n"
                                         "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
                                         i);
        const auto size = static_cast<std::uint32_t>(message.size()) + 28;
        const std::uint32_t record[] = {1'700'000'000U + static_cast<std::uint32_t>(i), 0, size,
                                        size};
        const std::array<unsigned, 28> headers{0x45,
                                               0,
                                               size >> 8,
                                               size & 255,
                                               0,
                                               1,
                                               0,
                                               0,
                                               64,
                                               17,
                                               0,
                                               0,
                                               192,
                                               0,
                                               2,
                                               1,
                                               192,
                                               0,
                                               2,
                                               2,
                                               0x13,
                                               0xc4,
                                               0x13,
                                               0xc4,
                                               (size - 20) >> 8,
                                               (size - 20) & 255,
                                               0,
                                               0};
        capture.append(reinterpret_cast<const char*>(record), sizeof record);
        for (const auto octet : headers) {
            capture += static_cast<char>(octet);
        }
        capture += message;
    }
    const auto path = file("many.pcap", capture);
    const auto in_order = [](const std::string& text, int step) {
        std::size_t at = 0;
        for (int i = 0; i < calls && at != std::string::npos; i += step) {
            at = text.find(fmt::format("{{\"id\":{},\"kind\":\"options\",\"call_ids\":"
                                       "[\"number-{}\"]",
                                       i + 1, i),
                           at);
        }
        return at != std::string::npos;
    };
    const auto all = run("read " + path + " --format json");
    EXPECT_EQ(all.status, 0);
    EXPECT_TRUE(in_order(all.text, 1)) << all.text.substr(0, 1000);
    // One of a piece, and pieces of which nothing is wanted.
    const auto some = run("read " + path + " --format json --call 1 --call 1001");
    EXPECT_TRUE(in_order(some.text, 1000)) << some.text.substr(0, 1000);
    EXPECT_FALSE(contains(some.text, "number-500"));
}

TEST_F(Read, ComparesTwoCalls) {
    const auto same = run("diff " + example + " " + example);
    EXPECT_EQ(same.status, 0) << same.text;
    EXPECT_TRUE(contains(same.text, "alike")) << same.text;
    const auto two = run("diff " + example + " --call 1 --call 2");
    EXPECT_EQ(two.status, 1) << two.text; // two phones register: each by its own name
    EXPECT_TRUE(contains(two.text, "Request-URI") || contains(two.text, "From")) << two.text;
    EXPECT_EQ(run("diff " + example).status, 2);
    EXPECT_EQ(run("diff " + example + " nothing.pcap").status, 3);
    EXPECT_EQ(run("diff " + example + " --call 1 --call 99").status, 3);
    EXPECT_TRUE(contains(run("diff " + example + " --call 1 --call 2 --format json").text,
                         "\"alike\":false"));
}

TEST_F(Read, ShowsWhyNothingCouldBeDecrypted) {
    // The same capture without its secrets: the block after the first two is taken out.
    auto capture = content_of(example);
    const std::string_view label{"KSLT", 4}; // 0x544c534b in little endian
    const auto at = capture.find(label);
    ASSERT_NE(at, std::string::npos);
    capture[at] = '?'; // another kind of secret, which nobody knows
    const auto outcome = run("read " + file("nokeys.pcapng", capture));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_TRUE(contains(outcome.text, "3 TLS connections, 0 decrypted")) << outcome.text;
    EXPECT_TRUE(contains(outcome.text, "no key for client random")) << outcome.text;
}

} // namespace
