// Live connections of OpenSSL, read from outside: every version and cipher, resumption, and so on.
#include "capture/tls/connection.hpp"

#include <gtest/gtest.h>

#include "capture/tls/test_listener.hpp"
#include "capture/tls/test_peers.hpp"

namespace cw::capture::tls::test {
namespace {

constexpr std::string_view question = "OPTIONS sip:bob@example.com SIP/2.0\r\n\r\n";
constexpr std::string_view answer = "SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";

std::string long_text(std::size_t size) {
    std::string text;
    while (text.size() < size) {
        text += std::to_string(text.size());
        text += ' ';
    }
    return text;
}

// A conversation with small, large and crossing messages, and a close from both sides.
void talk(Peers& peers) {
    ASSERT_TRUE(peers.send(Side::Client, question));
    ASSERT_TRUE(peers.send(Side::Server, answer));
    ASSERT_TRUE(peers.send(Side::Server, long_text(40'000)));
    ASSERT_TRUE(peers.send(Side::Client, long_text(17'000)));
    ASSERT_TRUE(peers.send(Side::Client, "x"));
}

void expect_all_heard(const Peers& peers, std::string_view key_log, std::size_t chunk) {
    Tap reader{key_log};
    reader.feed(peers, chunk);
    reader.finish();
    const auto& listener = reader.listener;
    EXPECT_TRUE(listener.heard[0] == peers.sent(Side::Client)) << "chunk " << chunk;
    EXPECT_TRUE(listener.heard[1] == peers.sent(Side::Server)) << "chunk " << chunk;
    const auto& summary = reader.connection.summary();
    EXPECT_TRUE(summary.decrypted);
    EXPECT_TRUE(summary.handshake_done);
    EXPECT_TRUE(summary.close_notify_client && summary.close_notify_server);
    EXPECT_EQ(summary.unopened, 0U);
    EXPECT_EQ(reader.connection.reason(), "");
    EXPECT_EQ(suite_name(summary.suite), peers.cipher());
    EXPECT_EQ(listener.sni, "sip.example.com");
    EXPECT_EQ(listener.count("Finished"), 2U);
    EXPECT_EQ(listener.count("Trouble"), 0U);
}

struct Case {
    int version;
    const char* cipher;
    bool rsa = true;
    bool psk = false;
};

class EveryCipher : public testing::TestWithParam<Case> {};

TEST_P(EveryCipher, GivesAllThatWasSentInAnyChunks) {
    const auto& param = GetParam();
    Options options{.version = param.version, .rsa = param.rsa, .psk = param.psk};
    (param.version == TLS1_3_VERSION ? options.suites : options.ciphers) = param.cipher;
    if (param.version < TLS1_3_VERSION) {
        options.ciphers += ":@SECLEVEL=0";
    }
    for (const bool plain : {false, true}) { // without the two extensions that change the keys
        options.encrypt_then_mac = options.extended_master = !plain;
        Peers peers{options};
        ASSERT_TRUE(peers.handshake());
        talk(peers);
        peers.close(Side::Client);
        peers.close(Side::Server);
        for (const std::size_t chunk : {SIZE_MAX, std::size_t{1}, std::size_t{1460}}) {
            expect_all_heard(peers, peers.key_log(), chunk);
        }
        if (param.version == TLS1_3_VERSION) {
            break;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(
    Ciphers, EveryCipher,
    testing::Values(Case{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
                    Case{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
                    Case{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256", false},
                    Case{TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256"},
                    Case{TLS1_3_VERSION, "TLS_AES_128_CCM_8_SHA256"},
                    Case{TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256"},
                    Case{TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384", false},
                    Case{TLS1_2_VERSION, "DHE-RSA-AES256-GCM-SHA384"},
                    Case{TLS1_2_VERSION, "AES128-GCM-SHA256"},
                    Case{TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305"},
                    Case{TLS1_2_VERSION, "AES128-CCM"},
                    Case{TLS1_2_VERSION, "ECDHE-ECDSA-AES256-CCM8", false},
                    Case{TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA"},
                    Case{TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256"},
                    Case{TLS1_2_VERSION, "ECDHE-RSA-AES256-SHA384"},
                    Case{TLS1_2_VERSION, "AES256-SHA256"}, Case{TLS1_2_VERSION, "CAMELLIA128-SHA"},
                    Case{TLS1_2_VERSION, "ECDHE-RSA-CAMELLIA256-SHA384"},
                    Case{TLS1_2_VERSION, "ARIA128-GCM-SHA256"},
                    Case{TLS1_2_VERSION, "ECDHE-ARIA256-GCM-SHA384"},
                    Case{TLS1_2_VERSION, "NULL-SHA256"}, Case{TLS1_2_VERSION, "ADH-AES128-SHA"},
                    Case{TLS1_2_VERSION, "PSK-AES128-CBC-SHA256", true, true},
                    Case{TLS1_2_VERSION, "ECDHE-PSK-CHACHA20-POLY1305", true, true},
                    Case{TLS1_1_VERSION, "ECDHE-RSA-AES256-SHA"},
                    Case{TLS1_1_VERSION, "AES128-SHA"}, Case{TLS1_VERSION, "AES128-SHA"},
                    Case{TLS1_VERSION, "ECDHE-ECDSA-AES256-SHA", false},
                    Case{TLS1_VERSION, "NULL-SHA"}),
    [](const auto& each) {
        std::string name = std::to_string(each.param.version & 0xf) + "_" + each.param.cipher;
        std::ranges::replace(name, '-', '_');
        return name;
    });

// --- TLS 1.3

TEST(Tls13Connection, TellsItsHandshake) {
    Peers peers{{.client_certificate = true, .alpn = std::string{"\x02h2\x03sip"}}};
    ASSERT_TRUE(peers.handshake());
    talk(peers);
    peers.close(Side::Client);
    Tap reader{peers.key_log()};
    reader.feed(peers);
    const auto out = reader.described();
    EXPECT_EQ(out.version, "TLSv1.3");
    EXPECT_EQ(out.offered, "TLSv1.3");
    EXPECT_EQ(out.cipher, "TLS_AES_256_GCM_SHA384");
    EXPECT_EQ(out.group, "x25519");
    EXPECT_EQ(out.sni, "sip.example.com");
    EXPECT_EQ(out.alpn, "sip");
    EXPECT_TRUE(out.start_seen && out.decrypted && out.mutual && out.handshake_done);
    EXPECT_FALSE(out.resumed || out.hello_retry);
    EXPECT_TRUE(out.close_notify_client);
    EXPECT_FALSE(out.close_notify_server);
    ASSERT_EQ(out.server_chain.size(), 1U);
    EXPECT_EQ(out.server_chain[0].subject, "CN=rsa.example.com");
    EXPECT_EQ(out.server_chain[0].issuer, "CN=rsa.example.com");
    EXPECT_EQ(out.server_chain[0].names,
              (std::vector<std::string>{"DNS:example.com", "URI:sip:example.com", "IP:192.0.2.1"}));
    EXPECT_LT(out.server_chain[0].not_before, out.server_chain[0].not_after);
    ASSERT_EQ(out.client_chain.size(), 1U);
    EXPECT_EQ(out.client_chain[0].subject, "CN=ec.example.com");
    EXPECT_TRUE(out.key_hint.starts_with("key log line for client random "));
    EXPECT_EQ(out.key_hint.size(), std::string{"key log line for client random 01234567…"}.size());
}

TEST(Tls13Connection, FollowsHelloRetryRequest) {
    Peers peers{{.client_groups = "X25519:P-384", .server_groups = "P-384"}};
    ASSERT_TRUE(peers.handshake());
    talk(peers);
    Tap reader{peers.key_log()};
    reader.feed(peers);
    EXPECT_EQ(reader.listener.heard[0], peers.sent(Side::Client));
    EXPECT_EQ(reader.listener.heard[1], peers.sent(Side::Server));
    EXPECT_TRUE(reader.described().hello_retry);
    EXPECT_EQ(reader.described().group, "secp384r1");
    EXPECT_EQ(reader.listener.count("ClientHello"), 2U);
    EXPECT_EQ(reader.listener.count("HelloRetry"), 1U);
}

TEST(Tls13Connection, FollowsKeyUpdatesOfBothSides) {
    for (const char* suite :
         {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}) {
        Peers peers{{.suites = suite}};
        ASSERT_TRUE(peers.handshake());
        for (int i = 0; i < 3; ++i) {
            talk(peers);
            ASSERT_TRUE(peers.update_key(Side::Client, i == 1));
            talk(peers);
            ASSERT_TRUE(peers.update_key(Side::Server, i == 2));
        }
        talk(peers);
        Tap reader{peers.key_log()};
        reader.feed(peers, 777);
        EXPECT_TRUE(reader.listener.heard[0] == peers.sent(Side::Client));
        EXPECT_TRUE(reader.listener.heard[1] == peers.sent(Side::Server));
        EXPECT_EQ(reader.listener.count("KeyUpdate"), 8U);
    }
}

TEST(Tls13Connection, ResumesWithPskAndReadsAcceptedEarlyData) {
    Peers first{{}};
    ASSERT_TRUE(first.handshake());
    talk(first);
    ASSERT_NE(first.session(), nullptr);
    Peers second{{.early_data = std::string{question}, .resume = first.session()}, &first};
    ASSERT_TRUE(second.handshake());
    ASSERT_TRUE(second.early_data_accepted());
    talk(second);
    for (const std::size_t chunk : {SIZE_MAX, std::size_t{1}}) {
        Tap reader{second.key_log()};
        reader.feed(second, chunk);
        EXPECT_TRUE(reader.listener.heard[0] == second.sent(Side::Client));
        EXPECT_TRUE(reader.listener.heard[1] == second.sent(Side::Server));
        EXPECT_TRUE(reader.listener.heard[0].starts_with(question));
        EXPECT_TRUE(reader.described().resumed);
        EXPECT_TRUE(reader.connection.summary().early_data);
        EXPECT_TRUE(reader.listener.early_data && reader.listener.psk);
    }
}

TEST(Tls13Connection, EarlyDataKeepsTheTimeAtWhichItWasSent) {
    Peers first{{}};
    ASSERT_TRUE(first.handshake());
    Peers second{{.early_data = "early", .resume = first.session()}, &first};
    ASSERT_TRUE(second.handshake());
    Tap reader{second.key_log()};
    reader.feed(second);
    ASSERT_FALSE(reader.listener.frames.empty());
    EXPECT_EQ(reader.listener.frames.front(), 1U); // it came with the ClientHello
}

TEST(Tls13Connection, SkipsEarlyDataThatTheServerRejected) {
    Peers first{{}};
    ASSERT_TRUE(first.handshake());
    // A group that the server does not take leads to a HelloRetryRequest, and that to a rejection.
    Peers second{{.client_groups = "P-256:X25519",
                  .server_groups = "X25519",
                  .early_data = "never taken",
                  .resume = first.session()},
                 &first};
    ASSERT_TRUE(second.handshake());
    ASSERT_FALSE(second.early_data_accepted());
    talk(second);
    for (const bool with_early_secret : {true, false}) {
        std::string keys;
        for (std::size_t at = 0; at < second.key_log().size();) {
            const auto end = second.key_log().find('\n', at) + 1;
            const auto line = second.key_log().substr(at, end - at);
            if (with_early_secret || !line.starts_with("CLIENT_EARLY")) {
                keys += line;
            }
            at = end;
        }
        Tap reader{keys};
        reader.feed(second);
        EXPECT_TRUE(reader.listener.heard[0] == second.sent(Side::Client)) << with_early_secret;
        EXPECT_TRUE(reader.listener.heard[1] == second.sent(Side::Server));
        EXPECT_EQ(reader.connection.reason(), "");
        EXPECT_FALSE(reader.connection.summary().early_data);
    }
}

TEST(Tls13Connection, ReadsTheDataWithTrafficSecretsAlone) {
    Peers peers{{}};
    ASSERT_TRUE(peers.handshake());
    talk(peers);
    std::string keys;
    for (std::size_t at = 0; at < peers.key_log().size();) {
        const auto end = peers.key_log().find('\n', at) + 1;
        const auto line = peers.key_log().substr(at, end - at);
        if (line.find("_TRAFFIC_SECRET_0") != std::string::npos) {
            keys += line;
        }
        at = end;
    }
    Tap reader{keys};
    reader.feed(peers);
    EXPECT_TRUE(reader.listener.heard[0] == peers.sent(Side::Client));
    EXPECT_TRUE(reader.listener.heard[1] == peers.sent(Side::Server));
}

// --- up to TLS 1.2

struct Legacy {
    int version;
    bool tickets;
    bool extended_master;
};
class Resumption : public testing::TestWithParam<Legacy> {};

TEST_P(Resumption, WorksWithAnRsaKeyThatSawTheFirstHandshake) {
    const auto [version, tickets, extended] = GetParam();
    Options options{.version = version,
                    .ciphers = "AES128-SHA:@SECLEVEL=0",
                    .tickets = tickets,
                    .extended_master = extended};
    Peers first{options};
    ASSERT_TRUE(first.handshake());
    talk(first);
    options.resume = first.session();
    first.close(Side::Client); // else OpenSSL takes the session for a broken one
    Peers second{options, &first};
    ASSERT_TRUE(second.handshake());
    ASSERT_TRUE(second.resumed());
    talk(second);

    Tap reader{""};
    reader.ring.add_pem(rsa_key_pem(), "server.pem");
    ASSERT_EQ(reader.ring.private_keys(), 1U);
    reader.feed(first, 100);
    EXPECT_TRUE(reader.listener.heard[0] == first.sent(Side::Client));
    EXPECT_TRUE(reader.listener.heard[1] == first.sent(Side::Server));
    EXPECT_EQ(reader.connection.key_hint(), "RSA key");

    Connection next{reader.ring, reader.sessions};
    Listener listener;
    for (const auto& piece : second.wire()) {
        next.on_bytes(piece.from, as_bytes(piece.bytes), reader.by, listener);
    }
    EXPECT_TRUE(listener.heard[0] == second.sent(Side::Client));
    EXPECT_TRUE(listener.heard[1] == second.sent(Side::Server));
    EXPECT_TRUE(next.summary().resumed);

    // Without the first handshake there is no way, and it says so.
    Tap late{""};
    late.ring.add_pem(rsa_key_pem(), "server.pem");
    late.feed(second);
    EXPECT_EQ(late.connection.reason(),
              "RSA key given, but the session was resumed and its start is not in the capture");
    // With the key log there is.
    Tap logged{second.key_log()};
    logged.feed(second);
    EXPECT_TRUE(logged.listener.heard[0] == second.sent(Side::Client));
}

INSTANTIATE_TEST_SUITE_P(
    All, Resumption,
    testing::Values(Legacy{TLS1_2_VERSION, true, true}, Legacy{TLS1_2_VERSION, false, true},
                    Legacy{TLS1_2_VERSION, true, false}, Legacy{TLS1_1_VERSION, true, true},
                    Legacy{TLS1_1_VERSION, false, false}, Legacy{TLS1_VERSION, true, true},
                    Legacy{TLS1_VERSION, false, true}));

TEST(Tls12Connection, FollowsARenegotiation) {
    Peers peers{{.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-SHA256"}};
    ASSERT_TRUE(peers.handshake());
    talk(peers);
    ASSERT_TRUE(peers.renegotiate());
    talk(peers);
    Tap reader{peers.key_log()};
    reader.feed(peers);
    EXPECT_TRUE(reader.listener.heard[0] == peers.sent(Side::Client));
    EXPECT_TRUE(reader.listener.heard[1] == peers.sent(Side::Server));
    EXPECT_EQ(reader.listener.count("ClientHello"), 2U);
    EXPECT_EQ(reader.listener.count("Finished"), 4U);
}

TEST(Tls12Connection, TellsMutualAuthentication) {
    Peers peers{{.version = TLS1_2_VERSION, .client_certificate = true}};
    ASSERT_TRUE(peers.handshake());
    talk(peers);
    Tap reader{""}; // certificates are in the clear
    reader.feed(peers);
    EXPECT_TRUE(reader.described().mutual);
    EXPECT_EQ(reader.described().client_chain.at(0).subject, "CN=ec.example.com");
    EXPECT_EQ(reader.described().group, "x25519");
    EXPECT_TRUE(reader.described().handshake_done);
}

TEST(TlsConnection, ReadsSmallFragments) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Peers peers{{.version = version, .client_certificate = true, .max_fragment = 512}};
        ASSERT_TRUE(peers.handshake());
        talk(peers);
        Tap reader{peers.key_log()};
        reader.feed(peers);
        EXPECT_TRUE(reader.listener.heard[0] == peers.sent(Side::Client));
        EXPECT_TRUE(reader.listener.heard[1] == peers.sent(Side::Server));
        EXPECT_EQ(reader.listener.count("Certificate"), 2U);
    }
}

// --- order

TEST(TlsConnection, TakesTheSidesInAnyOrder) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Peers peers{{.version = version}};
        ASSERT_TRUE(peers.handshake());
        talk(peers);
        for (const auto first : {Side::Client, Side::Server}) {
            Tap reader{peers.key_log()};
            reader.feed(first, peers.bytes_of(first));
            reader.feed(other(first), peers.bytes_of(other(first)));
            reader.finish();
            EXPECT_TRUE(reader.listener.heard[0] == peers.sent(Side::Client)) << version;
            EXPECT_TRUE(reader.listener.heard[1] == peers.sent(Side::Server)) << version;
        }
    }
}

TEST(TlsConnection, FindsOutWhoIsTheClient) {
    Peers peers{{}};
    ASSERT_TRUE(peers.handshake());
    talk(peers);
    Tap reader{peers.key_log()};
    for (const auto& piece : peers.wire()) {
        reader.feed(other(piece.from), piece.bytes);
    }
    EXPECT_TRUE(reader.connection.roles_swapped());
    EXPECT_TRUE(reader.listener.heard[1] == peers.sent(Side::Client));
    EXPECT_TRUE(reader.listener.heard[0] == peers.sent(Side::Server));
}

// --- reasons

TEST(TlsConnection, SaysWhyItCannotBeRead) {
    Peers modern{{}};
    ASSERT_TRUE(modern.handshake());
    talk(modern);
    Tap none{""};
    none.feed(modern);
    none.finish();
    EXPECT_TRUE(none.connection.reason().starts_with("no key for client random "));
    EXPECT_TRUE(none.connection.reason().ends_with("…"));
    EXPECT_EQ(none.listener.reason, none.connection.reason());
    EXPECT_EQ(none.listener.count("Trouble"), 1U);
    EXPECT_TRUE(none.described().handshake_done);

    Tap rsa{""};
    rsa.ring.add_pem(rsa_key_pem(), "server.pem");
    rsa.feed(modern);
    EXPECT_EQ(rsa.connection.reason(),
              "RSA key given, but the cipher is ephemeral (TLS_AES_256_GCM_SHA384)");

    Peers ephemeral{{.version = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"}};
    ASSERT_TRUE(ephemeral.handshake());
    talk(ephemeral);
    Tap rsa12{""};
    rsa12.ring.add_pem(rsa_key_pem(), "server.pem");
    rsa12.feed(ephemeral);
    EXPECT_EQ(rsa12.connection.reason(), "RSA key given, but the cipher is ephemeral "
                                         "(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256)");
}

TEST(TlsConnection, GivesNothingOutWithWrongKeys) {
    for (const int version : {TLS1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
        Peers peers{{.version = version}};
        ASSERT_TRUE(peers.handshake());
        talk(peers);
        auto keys = peers.key_log();
        for (std::size_t at = keys.find('\n'); at != std::string::npos;
             at = keys.find('\n', at + 1)) {
            keys[at - 1] = keys[at - 1] == '0' ? '1' : '0';
        }
        Tap reader{keys};
        reader.feed(peers);
        EXPECT_EQ(reader.listener.heard[0] + reader.listener.heard[1], "");
        EXPECT_FALSE(reader.connection.summary().decrypted);
        EXPECT_TRUE(
            reader.connection.reason().ends_with("… does not fit (record authentication failed)"))
            << reader.connection.reason();
    }
}

TEST(TlsConnection, UsesKeysThatComeLate) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        Peers peers{{.version = version}};
        ASSERT_TRUE(peers.handshake());
        talk(peers);
        ASSERT_TRUE(peers.send(Side::Client, question));
        Tap reader{""};
        const auto& wire = peers.wire();
        for (std::size_t i = 0; i < wire.size(); ++i) {
            if (i + 1 == wire.size()) {
                reader.ring.add_text(peers.key_log(), "late");
            }
            reader.feed(wire[i].from, wire[i].bytes);
        }
        EXPECT_EQ(reader.listener.heard[0], question) << version;
        EXPECT_EQ(reader.connection.reason(), "");
    }
}

TEST(TlsConnection, TellsAHandshakeThatFailed) {
    Peers peers{{.client_groups = "X25519", .server_groups = "P-256"}};
    EXPECT_FALSE(peers.handshake());
    Tap reader{peers.key_log()};
    reader.feed(peers);
    reader.finish();
    EXPECT_EQ(reader.connection.reason(),
              "the handshake was not completed (the server sent alert handshake_failure)");
    ASSERT_EQ(reader.described().alerts.size(), 1U);
    EXPECT_TRUE(reader.described().alerts[0].fatal);
    EXPECT_FALSE(reader.described().alerts[0].from_client);
}

TEST(TlsConnection, IsSmall) {
    EXPECT_LT(sizeof(Connection), 1024U);
    EXPECT_LT(sizeof(DirectionKeys), 256U);
}

} // namespace
} // namespace cw::capture::tls::test
