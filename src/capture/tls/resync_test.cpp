// Lost bytes, and connections whose start was not captured.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "capture/tls/test_listener.hpp"

namespace cw::capture::tls::test {
namespace {

constexpr std::size_t messages = 60;

std::string message(std::size_t i) {
    return fmt::format("[message {:04} {}]", i, std::string(i * 7 % 300, 'x'));
}

// A conversation in which the client sends all messages, each in a piece of the wire of its own.
struct Talk {
    explicit Talk(Options options, std::size_t count = messages) : peers(options) {
        good = peers.handshake();
        begin = peers.wire().size();
        for (std::size_t i = 0; i < count; ++i) {
            good = good && peers.send(Side::Client, message(i));
        }
        std::size_t at = 0;
        for (std::size_t i = 0; i < peers.wire().size(); ++i) {
            if (i == begin) {
                data_offset = at;
            }
            if (peers.wire()[i].from == Side::Client) {
                ends.push_back(at += peers.wire()[i].bytes.size());
            }
        }
        stream = peers.bytes_of(Side::Client);
    }
    // What is heard when [from, to) of the client's bytes are lost after the handshake.
    [[nodiscard]] std::string without(std::size_t from, std::size_t to, std::size_t chunk,
                                      bool size_known) const {
        Tap tap{peers.key_log()};
        for (std::size_t i = 0; i < begin; ++i) {
            tap.feed(peers.wire()[i].from, peers.wire()[i].bytes);
        }
        const auto text = std::string_view{stream};
        tap.feed(Side::Client, text.substr(data_offset, from - data_offset), chunk);
        tap.gap(Side::Client, size_known ? to - from : 0);
        tap.feed(Side::Client, text.substr(to), chunk);
        tap.finish();
        return tap.listener.heard[0];
    }

    Peers peers;
    bool good = false;
    std::size_t begin = 0;         // the first piece after the handshake
    std::size_t data_offset = 0;   // where it stands in the client's stream
    std::vector<std::size_t> ends; // of the client's pieces
    std::string stream;
};

struct Case {
    int version;
    const char* cipher;
    bool encrypt_then_mac = true;
    std::size_t more_lost = 0; // messages that may be lost besides those in the hole
};

class LostBytes : public testing::TestWithParam<Case> {};

TEST_P(LostBytes, CostOnlyTheRecordsTheyBelongTo) {
    const auto& param = GetParam();
    Options options{.version = param.version, .encrypt_then_mac = param.encrypt_then_mac};
    (param.version == TLS1_3_VERSION ? options.suites : options.ciphers) = param.cipher;
    const Talk talk{options};
    ASSERT_TRUE(talk.good);
    const auto first_piece = talk.ends.size() - messages; // of the client's, that is a message
    struct Range {
        std::size_t from;
        std::size_t to;
    };
    std::vector<Range> ranges;
    const auto end_of = [&](std::size_t i) { return talk.ends[first_piece + i]; };
    ranges.push_back({end_of(9), end_of(10)});            // a record
    ranges.push_back({end_of(9), end_of(30)});            // many
    ranges.push_back({end_of(9) + 1, end_of(10) - 1});    // the middle of one
    ranges.push_back({end_of(9) + 40, end_of(9) + 41});   // a byte of one
    ranges.push_back({end_of(9) + 3, end_of(12) + 30});   // from a header into a body
    ranges.push_back({end_of(9) + 12, end_of(12) + 3});   // from a body into a header
    ranges.push_back({end_of(9) + 12, end_of(12)});       // from a body to a boundary
    ranges.push_back({end_of(9) - 1, end_of(9)});         // the last byte of one
    ranges.push_back({talk.data_offset, end_of(3) + 20}); // the first records
    for (const auto& range : ranges) {
        for (const bool size_known : {true, false}) {
            for (const std::size_t chunk : {SIZE_MAX, std::size_t{1}, std::size_t{100}}) {
                const auto heard = talk.without(range.from, range.to, chunk, size_known);
                std::string least;
                std::string most;
                std::size_t extra = 0;
                std::size_t at = 0;
                std::size_t lost_seen = 0;
                for (std::size_t i = 0; i < messages; ++i) {
                    const auto start = i == 0 ? talk.data_offset : end_of(i - 1);
                    const bool hit = start < range.to && end_of(i) > range.from;
                    const auto text = message(i);
                    // The messages that come out stand in order, with gaps between them.
                    while (heard.compare(at, 5, "<gap>") == 0) {
                        at += 5;
                        ++lost_seen;
                    }
                    const bool there = heard.compare(at, text.size(), text) == 0;
                    // (In TLS 1.0 a piece is two records, of which the first is empty.)
                    EXPECT_FALSE(hit && there && param.version != TLS1_VERSION) << i;
                    extra += !hit && !there ? 1 : 0;
                    at += there ? text.size() : 0;
                }
                EXPECT_EQ(heard.substr(at), "") << "strange bytes";
                EXPECT_LE(extra, param.more_lost) << range.from << "-" << range.to << " chunk "
                                                  << chunk << (size_known ? "" : " ?");
                EXPECT_GE(lost_seen, range.from == talk.data_offset ? 0U : 1U);
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Ciphers, LostBytes,
    testing::Values(
        Case{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
        Case{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
        Case{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
        Case{TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256"},
        Case{TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256"}, Case{TLS1_2_VERSION, "AES256-CCM8"},
        Case{TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305"}, Case{TLS1_2_VERSION, "AES128-SHA"},
        Case{TLS1_2_VERSION, "AES128-SHA256", false},
        Case{TLS1_1_VERSION, "AES256-SHA:@SECLEVEL=0", false},
        // The chain of TLS 1.0 breaks with the hole: the record after it starts it anew.
        Case{TLS1_VERSION, "AES128-SHA:@SECLEVEL=0", true, 1},
        Case{TLS1_VERSION, "AES128-SHA:@SECLEVEL=0", false, 1}),
    [](const auto& each) {
        auto name = fmt::format("{}_{}_{}", each.param.version & 0xf, each.param.cipher,
                                each.param.encrypt_then_mac ? "etm" : "mte");
        std::ranges::replace_if(
            name, [](char c) { return c == '-' || c == ':' || c == '@' || c == '='; }, '_');
        return name;
    });

TEST(LostBytes, OfAnyNumberAreCrossedWhereTheTagTellsTheNumber) {
    const Talk talk{{.suites = "TLS_AES_128_GCM_SHA256"}, 3000};
    ASSERT_TRUE(talk.good);
    const auto last = talk.ends[talk.ends.size() - 2];
    EXPECT_EQ(talk.without(talk.data_offset, last, SIZE_MAX, true), "<gap>" + message(2999));
}

TEST(LostBytes, OfAnyNumberAreCrossedWhereNoncesCount) {
    const Talk talk{{.version = TLS1_2_VERSION, .ciphers = "AES128-GCM-SHA256"}, 3000};
    ASSERT_TRUE(talk.good);
    const auto last = talk.ends[talk.ends.size() - 2];
    EXPECT_EQ(talk.without(talk.data_offset, last, SIZE_MAX, true), "<gap>" + message(2999));
}

TEST(LostBytes, InTheHandshakeOfTls13LeaveTheDataReadable) {
    for (const char* suite : {"TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
        Peers peers{{.suites = suite, .client_certificate = true}};
        ASSERT_TRUE(peers.handshake());
        ASSERT_TRUE(peers.send(Side::Client, "question"));
        ASSERT_TRUE(peers.send(Side::Server, "answer"));
        Tap tap{peers.key_log()};
        std::array<int, 2> seen{};
        for (const auto& piece : peers.wire()) {
            if (seen[index_of(piece.from)]++ == (piece.from == Side::Server ? 0 : 1)) {
                // Of the server's first flight what follows the ServerHello and 200 bytes more,
                // of the client's second all but its last 30 bytes.
                const auto keep = piece.from == Side::Server ? std::size_t{330} : std::size_t{0};
                const auto lost = piece.bytes.size() - keep - 30;
                tap.feed(piece.from, piece.bytes.substr(0, keep));
                tap.gap(piece.from, lost);
                tap.feed(piece.from, piece.bytes.substr(keep + lost));
                continue;
            }
            tap.feed(piece.from, piece.bytes);
        }
        EXPECT_TRUE(tap.listener.heard[0].ends_with("question")) << tap.listener.heard[0];
        EXPECT_TRUE(tap.listener.heard[1].ends_with("answer")) << tap.listener.heard[1];
    }
}

TEST(LostBytes, InTheHandshakeOfTls12LeaveTheDataReadable) {
    for (const char* cipher : {"AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-SHA"}) {
        Peers peers{{.version = TLS1_2_VERSION, .ciphers = cipher}};
        ASSERT_TRUE(peers.handshake());
        ASSERT_TRUE(peers.send(Side::Client, "question"));
        ASSERT_TRUE(peers.send(Side::Server, "answer"));
        Tap tap{peers.key_log()};
        std::array<int, 2> seen{};
        for (const auto& piece : peers.wire()) {
            // The whole second flight of both: key exchange, ChangeCipherSpec, Finished.
            if (seen[index_of(piece.from)]++ == 1) {
                tap.gap(piece.from, piece.bytes.size());
            } else {
                tap.feed(piece.from, piece.bytes);
            }
        }
        EXPECT_EQ(tap.listener.heard[0], "question") << cipher;
        EXPECT_EQ(tap.listener.heard[1], "answer") << cipher;
    }
}

TEST(LostBytes, InTheFirstFlightOfAServerOfTls12LeaveTheDataReadable) {
    for (const char* cipher : {"AES128-GCM-SHA256", "ECDHE-RSA-CHACHA20-POLY1305", "AES128-SHA"}) {
        Peers peers{{.version = TLS1_2_VERSION, .ciphers = cipher}};
        ASSERT_TRUE(peers.handshake());
        ASSERT_TRUE(peers.send(Side::Client, "question"));
        ASSERT_TRUE(peers.send(Side::Server, "answer"));
        Tap tap{peers.key_log()};
        std::array<int, 2> seen{};
        for (const auto& piece : peers.wire()) {
            // From within the certificate to within the record after it; what follows the hole,
            // the ticket and the ChangeCipherSpec are there.
            if (piece.from == Side::Server && seen[1]++ == 0) {
                const std::size_t keep = 330;
                const auto lost = piece.bytes.size() - keep - 4;
                tap.feed(piece.from, piece.bytes.substr(0, keep));
                tap.gap(piece.from, lost);
                tap.feed(piece.from, piece.bytes.substr(keep + lost));
            } else {
                tap.feed(piece.from, piece.bytes);
            }
        }
        EXPECT_EQ(tap.listener.heard[0], "question") << cipher;
        EXPECT_EQ(tap.listener.heard[1], "answer") << cipher;
    }
}

// --- no start

TEST(MissingStart, IsNoHindranceWhereKeysOfTls13AreGiven) {
    for (const char* suite :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
        Peers other_peers{{.suites = suite}};
        ASSERT_TRUE(other_peers.handshake());
        Peers peers{{.suites = suite}};
        ASSERT_TRUE(peers.handshake());
        for (std::size_t i = 0; i < 20; ++i) {
            ASSERT_TRUE(peers.send(Side::Client, message(i)));
            ASSERT_TRUE(peers.send(Side::Server, message(i)));
        }
        const auto& wire = peers.wire();
        for (const bool swapped : {false, true}) {
            for (std::size_t into : {0, 20}) { // whole records, or the middle of one
                Tap tap{other_peers.key_log() + peers.key_log()};
                for (std::size_t i = wire.size() - 20; i < wire.size(); ++i) {
                    const auto side = swapped ? other(wire[i].from) : wire[i].from;
                    tap.feed(side, wire[i].bytes.substr(i == wire.size() - 20 ? into : 0));
                }
                std::string expected;
                for (std::size_t i = 10; i < 20; ++i) {
                    expected += message(i);
                }
                const auto client = swapped ? Side::Server : Side::Client;
                auto heard = tap.listener.heard[index_of(client)];
                EXPECT_EQ(heard, into == 0 ? expected : expected.substr(message(10).size()));
                EXPECT_EQ(tap.listener.heard[index_of(other(client))], expected);
                EXPECT_EQ(tap.connection.key_hint(), "start not captured; keys found by trial");
                EXPECT_EQ(tap.connection.roles_swapped(), swapped);
                EXPECT_EQ(tap.connection.reason(), "");
                EXPECT_EQ(tap.described().version, "TLSv1.3");
                EXPECT_EQ(tap.described().cipher, suite);
                EXPECT_FALSE(tap.described().start_seen);
            }
        }
    }
}

TEST(MissingStart, IsFoundFromTheLastHandshakeRecordsToo) {
    Peers peers{{}};
    ASSERT_TRUE(peers.handshake());
    ASSERT_TRUE(peers.send(Side::Client, "question"));
    Tap tap{peers.key_log()};
    for (std::size_t i = 2; i < peers.wire().size(); ++i) { // without the hellos
        tap.feed(peers.wire()[i].from, peers.wire()[i].bytes);
    }
    EXPECT_EQ(tap.listener.heard[0], "question");
    EXPECT_EQ(tap.connection.summary().unopened, 0U);
}

TEST(MissingStart, AMissingServerHelloIsNoHindranceInTls13) {
    Peers peers{{}};
    ASSERT_TRUE(peers.handshake());
    ASSERT_TRUE(peers.send(Side::Client, "question"));
    ASSERT_TRUE(peers.send(Side::Server, "answer"));
    Tap one_side{peers.key_log()};
    one_side.feed(Side::Client, peers.bytes_of(Side::Client));
    one_side.finish();
    EXPECT_EQ(one_side.listener.heard[0], "question");
    Tap other_side{peers.key_log()};
    other_side.feed(Side::Server, peers.bytes_of(Side::Server));
    other_side.finish();
    EXPECT_EQ(other_side.listener.heard[1], "answer");
}

// As `callwright keys` writes it: up to TLS 1.2 only this makes the records readable.
std::string note(const Peers& peers, std::string_view version, std::string_view suite) {
    const auto hello = peers.bytes_of(Side::Client);
    const auto answer = peers.bytes_of(Side::Server);
    const auto random = [](std::string_view record) { // behind headers of record, message, version
        std::string hex;
        for (const auto c : record.substr(11, 32)) {
            hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
        }
        return hex;
    };
    return fmt::format("# callwright connection random={} client=192.0.2.1:40112 "
                       "server=192.0.2.9:5061 version={}{} server_random={} at=1 by=x[1]\n",
                       random(hello), version, suite, random(answer));
}

// Of TLS 1.2 and before the ServerHello and the key log say all but which line it is.
TEST(MissingStart, AMissingClientHelloAloneIsNoHindranceInAnyVersion) {
    struct Row {
        int version;
        const char* ciphers;
        bool extended_master;
        bool resume;
    };
    for (const auto& row : {Row{TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", true, false},
                            Row{TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", false, false},
                            Row{TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256", true, true},
                            Row{TLS1_2_VERSION, "AES256-SHA256", true, false},
                            Row{TLS1_1_VERSION, "AES128-SHA:@SECLEVEL=0", true, true},
                            Row{TLS1_VERSION, "AES128-SHA:@SECLEVEL=0", true, false}}) {
        Options options{
            .version = row.version, .ciphers = row.ciphers, .extended_master = row.extended_master};
        Peers stranger{options};
        ASSERT_TRUE(stranger.handshake());
        Peers first{options};
        ASSERT_TRUE(first.handshake());
        ASSERT_TRUE(first.send(Side::Client, "before"));
        options.resume = row.resume ? first.session() : nullptr;
        first.close(Side::Client);
        Peers peers{options, &first};
        ASSERT_TRUE(peers.handshake());
        ASSERT_EQ(peers.resumed(), row.resume);
        ASSERT_TRUE(peers.send(Side::Client, "question"));
        ASSERT_TRUE(peers.send(Side::Server, "answer"));
        for (const bool key_given : {true, false}) {
            Tap tap{stranger.key_log() + (key_given ? peers.key_log() : std::string{})};
            for (std::size_t i = 1; i < peers.wire().size(); ++i) {
                tap.feed(peers.wire()[i].from, peers.wire()[i].bytes);
            }
            tap.finish();
            EXPECT_EQ(tap.listener.heard[0], key_given ? "question" : "") << row.ciphers;
            EXPECT_EQ(tap.listener.heard[1], key_given ? "answer" : "") << row.ciphers;
            EXPECT_EQ(tap.connection.key_hint(),
                      key_given ? "ClientHello not captured; keys found by trial" : "");
            EXPECT_EQ(tap.connection.reason(), key_given ? ""
                                                         : "handshake not captured: the "
                                                           "ClientHello is missing, and no key "
                                                           "given fits by trial");
        }
    }
}

const Endpoint noted_client{*IpAddress::parse("192.0.2.1"), 40112};
const Endpoint noted_server{*IpAddress::parse("192.0.2.9"), 5061};

TEST(NotedEnds, OpenTls12WhereTheServerHelloAloneIsMissing) {
    Peers peers{{.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"}};
    ASSERT_TRUE(peers.handshake());
    ASSERT_TRUE(peers.send(Side::Client, "question"));
    ASSERT_TRUE(peers.send(Side::Server, "answer"));
    Tap tap{note(peers, "0303", " suite=c02f") + peers.key_log()};
    tap.connection.set_ends(noted_client, noted_server);
    for (std::size_t i = 0; i < peers.wire().size(); ++i) {
        if (i == 1) {
            tap.gap(Side::Server, peers.wire()[i].bytes.size());
        } else {
            tap.feed(peers.wire()[i].from, peers.wire()[i].bytes);
        }
    }
    tap.finish();
    EXPECT_EQ(tap.listener.heard[0], "question");
    EXPECT_EQ(tap.listener.heard[1], "answer");
    EXPECT_EQ(tap.connection.key_hint(), "start not captured; the key log names the two ends");
}

TEST(NotedEnds, OpenWhatWasJoinedInTheMiddleInEveryVersion) {
    struct Row {
        int version;
        const char* name;
        const char* ciphers;
        const char* suite;
        bool rsa;
    };
    for (const auto& c :
         {Row{TLS1_3_VERSION, "0304", "", " suite=1302", true},
          Row{TLS1_2_VERSION, "0303", "ECDHE-RSA-AES256-GCM-SHA384", " suite=c030", true},
          Row{TLS1_2_VERSION, "0303", "ECDHE-RSA-AES128-GCM-SHA256", "", true},
          Row{TLS1_2_VERSION, "0303", "ECDHE-ECDSA-CHACHA20-POLY1305", "", false},
          Row{TLS1_2_VERSION, "0303", "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0", " suite=c027",
              true}}) {
        for (const bool swapped : {false, true}) {
            Options options{.version = c.version, .rsa = c.rsa};
            if (*c.ciphers != '\0') {
                options.ciphers = c.ciphers;
            }
            Peers peers{options};
            ASSERT_TRUE(peers.handshake());
            const std::size_t before = 1500; // more than is tried without a note
            std::size_t first = 0;
            for (std::size_t i = 0; i < before + 10; ++i) {
                first = i == before ? peers.wire().size() : first;
                ASSERT_TRUE(peers.send(Side::Client, message(i)));
                ASSERT_TRUE(peers.send(Side::Server, message(i)));
            }
            Tap tap{note(peers, c.name, c.suite) + peers.key_log()};
            tap.connection.set_ends(swapped ? noted_server : noted_client,
                                    swapped ? noted_client : noted_server);
            std::string expected;
            for (std::size_t i = before; i < before + 10; ++i) {
                expected += message(i);
            }
            for (std::size_t i = first; i < peers.wire().size(); ++i) {
                const auto& piece = peers.wire()[i];
                tap.feed(swapped ? other(piece.from) : piece.from, piece.bytes);
            }
            EXPECT_EQ(tap.listener.heard[0], expected) << c.name << c.ciphers;
            EXPECT_EQ(tap.listener.heard[1], expected) << c.name << c.ciphers;
            EXPECT_EQ(tap.connection.roles_swapped(), swapped);
            EXPECT_EQ(tap.connection.key_hint(),
                      "start not captured; the key log names the two ends");
            EXPECT_EQ(tap.connection.reason(), "");
        }
    }
}

TEST(NotedEnds, OfSomebodyElseOrWithOtherKeysOpenNothing) {
    Peers peers{{.version = TLS1_2_VERSION}};
    ASSERT_TRUE(peers.handshake());
    const auto start = peers.wire().size();
    ASSERT_TRUE(peers.send(Side::Client, "question"));
    Peers stranger{{.version = TLS1_2_VERSION}};
    ASSERT_TRUE(stranger.handshake());
    for (const auto& log :
         {note(stranger, "0303", "") + stranger.key_log(), // other keys
          note(peers, "0303", "") + stranger.key_log(),    // no key
          note(peers, "0399", "") + peers.key_log(),       // no such version
          note(peers, "0303", " suite=ffff") + peers.key_log(),
          std::string{"# callwright connection random=12 client=x server=\n"} + peers.key_log()}) {
        Tap tap{log};
        tap.connection.set_ends(noted_client, noted_server);
        for (std::size_t i = start; i < peers.wire().size(); ++i) {
            tap.feed(peers.wire()[i].from, peers.wire()[i].bytes);
        }
        tap.finish();
        EXPECT_EQ(tap.listener.heard[0], "");
        EXPECT_TRUE(tap.connection.reason().starts_with("handshake not captured"));
        EXPECT_EQ(tap.described().version, "");
    }
    Tap elsewhere{note(peers, "0303", "") + peers.key_log()};
    elsewhere.connection.set_ends(noted_client, noted_client);
    for (std::size_t i = start; i < peers.wire().size(); ++i) {
        elsewhere.feed(peers.wire()[i].from, peers.wire()[i].bytes);
    }
    EXPECT_EQ(elsewhere.listener.heard[0], "");
}

TEST(MissingStart, IsSaidInWords) {
    Peers old{{.version = TLS1_2_VERSION}};
    ASSERT_TRUE(old.handshake());
    ASSERT_TRUE(old.send(Side::Client, "question"));
    const auto& last = old.wire().back();
    Tap without{""};
    without.feed(last.from, last.bytes);
    without.finish();
    EXPECT_EQ(without.connection.reason(), "handshake not captured");
    Tap with{old.key_log()};
    with.feed(last.from, last.bytes);
    with.finish();
    EXPECT_EQ(with.connection.reason(),
              "handshake not captured: no TLS 1.3 key given fits by trial, "
              "and earlier versions need the handshake");
    EXPECT_EQ(with.listener.count("Trouble"), 1U);
    Tap no_answer{old.key_log()};
    no_answer.feed(Side::Client, old.bytes_of(Side::Client));
    no_answer.finish();
    EXPECT_EQ(
        no_answer.connection.reason(),
        "handshake not captured: the ServerHello is missing, and versions before TLS 1.3 need "
        "the random in it");
}

} // namespace
} // namespace cw::capture::tls::test
