#include "net/tls.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "net/test_certificates.hpp"
#include "net/test_loop.hpp"
#include "net/tls_facts.hpp"

namespace cw::net {
namespace {

using test::Certificate;

std::shared_ptr<const TlsContext> context(TlsContext::Role role, const TlsSettings& settings) {
    auto made = TlsContext::make(role, settings);
    EXPECT_TRUE(made) << (made ? "" : made.error());
    return made ? *made : nullptr;
}
std::shared_ptr<const TlsContext> server(const TlsSettings& settings) {
    return context(TlsContext::Role::Server, settings);
}
std::shared_ptr<const TlsContext> client(const TlsSettings& settings) {
    return context(TlsContext::Role::Client, settings);
}

// A CA that all trust, and its certificate for example.com.
class TlsTest : public test::LoopTest {
  protected:
    explicit TlsTest(const Limits& limits = {}) : LoopTest(limits) {
        test::write_certificates(trusted, {ca});
        basic.certificates = {example};
        basic.trusted = trusted;
        ours.trusted = trusted;
    }

    // What the two ends know at the end of a handshake, whether it works or not; and what each had
    // to say. The client goes on to send a byte, since in TLS 1.3 it is done before the server has
    // judged its certificate.
    struct Outcome {
        bool works = false;
        std::string client_why;
        std::string server_why;
        TlsFacts client;
        TlsFacts server;
        std::vector<std::string> client_chain; // common names of what it was shown
        std::vector<std::string> server_chain;
    };
    Outcome shake(std::shared_ptr<const TlsContext> s, std::shared_ptr<const TlsContext> c,
                  const std::string& name = "example.com", SSL_SESSION* session = nullptr) {
        const auto where = listen(std::move(s));
        h.opened.clear();
        h.closed.clear();
        h.failed.clear();
        h.received.clear();
        Outcome out;
        Key mine{};
        const auto learn = [&](Key key) {
            auto* ssl = loop.tls(key);
            if (ssl == nullptr) {
                return;
            }
            (key == mine ? out.client : out.server) = tls_facts(ssl);
            auto& chain = key == mine ? out.client_chain : out.server_chain;
            chain.clear();
            for (auto* x : peer_chain(ssl)) {
                char text[64] = "";
                X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, text, 64);
                chain.emplace_back(text);
            }
        };
        h.when_closed = learn;
        h.when_failed = learn;
        mine = loop.connect(where, c.get(), name, session);
        loop.send(mine, "?");
        h.when_bytes = [&](Key key, Bytes) {
            if (key != mine) {
                loop.send(key, "!");
            }
        };
        run_until([&] {
            return !h.received[mine.index].empty() || h.failed.size() + h.closed.size() == 2;
        });
        out.works = h.received[mine.index] == "!";
        if (out.works) {
            kept = TlsSession{SSL_get1_session(loop.tls(mine))};
            loop.close(mine, "done");
            EXPECT_TRUE(run_until([&] { return h.closed.size() == 2; }));
        }
        for (const auto* list : {&h.failed, &h.closed}) {
            for (const auto& e : *list) {
                (e.key == mine ? out.client_why : out.server_why) = e.why;
            }
        }
        loop.stop_listening();
        return out;
    }
    std::shared_ptr<const TlsContext> client_with(const CertificateFiles& files) {
        auto settings = ours;
        settings.certificates = {files};
        return client(settings);
    }

    test::Folder folder;
    Certificate ca = test::make_ca("Test CA");
    std::string trusted = folder.file("ca.pem");
    CertificateFiles example = test::write(folder, "example", {test::make({.issuer = &ca})});
    TlsSettings basic; // of a server
    TlsSettings ours;  // of a client
    TlsSession kept;
};

TEST_F(TlsTest, SpeaksTls13AndKnowsWhatWasAgreedUpon) {
    const auto r = shake(server(basic), client(ours));
    ASSERT_TRUE(r.works) << r.client_why << r.server_why;
    EXPECT_EQ("TLSv1.3", r.server.version);
    EXPECT_EQ("TLS_AES_128_GCM_SHA256", r.server.cipher);
    EXPECT_EQ("x25519", r.client.group);
    EXPECT_EQ("example.com", r.server.sni);
    EXPECT_FALSE(r.server.resumed);
    EXPECT_EQ(X509_V_OK, r.client.verify_result);
    EXPECT_EQ(std::vector<std::string>{"example.com"}, r.client_chain);
    EXPECT_TRUE(r.server_chain.empty());
}

TEST_F(TlsTest, EndsWithCloseNotifyOnBothSides) {
    const auto r = shake(server(basic), client(ours));
    ASSERT_TRUE(r.works);
    EXPECT_EQ("done", r.client_why);
    EXPECT_EQ("close_notify", r.server_why);
    EXPECT_EQ(0, r.server.alert_received);
    EXPECT_EQ(0, r.client.alert_sent);
    EXPECT_EQ(0, r.server.alert_sent);
}

TEST_F(TlsTest, WhatMayWaitIsReadWholeInOneTurn) {
    const auto where = listen(server(basic));
    const auto context = client(ours);
    const auto mine = loop.connect(where, context.get(), "example.com");
    loop.send(mine, "?");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2 && h.reads == 1; }));
    const auto theirs = h.end(true);
    loop.may_wait(theirs);
    const auto before = h.received[theirs.index].size();
    h.look = Loop::now() + seconds(3600);
    // Three records, three turns.
    for (int i = 0; i < 3; ++i) {
        loop.send(mine, std::string(15'000, 'x'));
        ASSERT_TRUE(run_until([] { return true; }));
    }
    EXPECT_EQ(before, h.received[theirs.index].size());
    h.look = Loop::now();
    ASSERT_TRUE(run_until([] { return true; }));
    EXPECT_EQ(before + 45'000, h.received[theirs.index].size());
}

TEST_F(TlsTest, VersionsAndCiphersArePolicy) {
    auto old = ours;
    old.maximum_version = TLS1_2_VERSION;
    const auto works = shake(server(basic), client(old));
    ASSERT_TRUE(works.works);
    EXPECT_EQ("TLSv1.2", works.client.version);
    EXPECT_EQ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", works.client.cipher); // the server's first

    auto strict = basic;
    strict.minimum_version = TLS1_3_VERSION;
    const auto refused = shake(server(strict), client(old));
    EXPECT_FALSE(refused.works);
    EXPECT_EQ("TLS handshake: alert protocol version from the peer", refused.client_why);
    EXPECT_EQ(SSL_AD_PROTOCOL_VERSION, refused.server.alert_sent);

    old.ciphers = "ECDHE-ECDSA-AES256-SHA";
    const auto weak = shake(server(basic), client(old));
    EXPECT_FALSE(weak.works);
    EXPECT_EQ(SSL_AD_HANDSHAKE_FAILURE, weak.client.alert_received);

    auto wrong = basic;
    wrong.ciphers = "NO-SUCH-CIPHER";
    EXPECT_FALSE(TlsContext::make(TlsContext::Role::Server, wrong));
    wrong = basic;
    wrong.suites = "TLS_NO_SUCH_SUITE";
    EXPECT_FALSE(TlsContext::make(TlsContext::Role::Server, wrong));
}

TEST_F(TlsTest, TheNameThatIsAskedForChoosesTheCertificate) {
    auto many = basic;
    many.certificates.push_back(test::write(
        folder, "other",
        {test::make({.name = "other", .alternative = "DNS:Other.Example.NET", .issuer = &ca})}));
    many.certificates.push_back(test::write(
        folder, "wild",
        {test::make({.name = "wild", .alternative = "DNS:*.example.org", .issuer = &ca})}));
    many.certificates.push_back(test::write(
        folder, "uri",
        {test::make({.name = "uri", .alternative = "URI:sip:uri.example.net", .issuer = &ca})}));
    const auto s = server(many);
    const std::pair<std::string, std::string> cases[] = {
        {"other.example.net", "other"}, {"OTHER.example.NET", "other"},
        {"a.example.org", "wild"},      {"a.b.example.org", "example.com"},
        {"uri.example.net", "uri"},     {"unknown.example", "example.com"},
        {"example.com", "example.com"}, {"", "example.com"},
        {"127.0.0.1", "example.com"},
    };
    for (const auto& [name, shown] : cases) {
        const auto r = shake(s, client(ours), name);
        ASSERT_TRUE(r.works) << name << r.client_why;
        EXPECT_EQ(shown, r.client_chain.at(0)) << name;
    }
    EXPECT_EQ("", shake(s, client(ours), "127.0.0.1").server.sni);
}

TEST_F(TlsTest, RsaAndEcdsaCertificatesOfOneNameServeWhatTheClientKnows) {
    auto two = basic;
    two.certificates.push_back(
        test::write(folder, "rsa", {test::make({.name = "rsa", .issuer = &ca, .rsa = true})}));
    const auto s = server(two);
    EXPECT_EQ("example.com", shake(s, client(ours)).client_chain.at(0));
    auto only_rsa = ours;
    only_rsa.maximum_version = TLS1_2_VERSION;
    only_rsa.ciphers = "ECDHE-RSA-AES128-GCM-SHA256";
    const auto r = shake(s, client(only_rsa));
    ASSERT_TRUE(r.works) << r.client_why;
    EXPECT_EQ("rsa", r.client_chain.at(0));
}

TEST_F(TlsTest, TheWholeChainIsShownAndVerified) {
    const auto between = test::make_ca("Between", &ca);
    auto chained = basic;
    chained.certificates = {
        test::write(folder, "chained", {test::make({.issuer = &between}), between})};
    const auto r = shake(server(chained), client(ours));
    ASSERT_TRUE(r.works) << r.client_why;
    EXPECT_EQ((std::vector<std::string>{"example.com", "Between"}), r.client_chain);
}

struct Fault {
    const char* name;
    long verdict;
    int alert;
};

TEST_F(TlsTest, AServerCertificateWithAFaultIsRefusedWithTheAlertForIt) {
    const auto stranger = test::make_ca("Stranger");
    const auto unfit = test::make({.name = "not a CA", .alternative = "", .issuer = &ca});
    const std::pair<Fault, std::vector<Certificate>> cases[] = {
        {{"expired", X509_V_ERR_CERT_HAS_EXPIRED, SSL_AD_CERTIFICATE_EXPIRED},
         {test::make({.issuer = &ca, .until_s = -60})}},
        {{"not yet valid", X509_V_ERR_CERT_NOT_YET_VALID, SSL_AD_BAD_CERTIFICATE},
         {test::make({.issuer = &ca, .from_s = 600})}},
        {{"of a stranger", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA},
         {test::make({.issuer = &stranger})}},
        {{"of a stranger who comes along", X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, SSL_AD_UNKNOWN_CA},
         {test::make({.issuer = &stranger}), stranger}},
        {{"self-signed", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SSL_AD_UNKNOWN_CA},
         {test::make({})}},
        {{"issued by no CA", X509_V_ERR_INVALID_CA, SSL_AD_UNKNOWN_CA},
         {test::make({.issuer = &unfit}), unfit}},
    };
    for (const auto& [fault, chain] : cases) {
        auto settings = basic;
        settings.certificates = {test::write(folder, "fault", chain)};
        const auto r = shake(server(settings), client(ours));
        EXPECT_FALSE(r.works) << fault.name;
        EXPECT_EQ(fault.verdict, r.client.verify_result) << fault.name << r.client.verify_text;
        EXPECT_EQ(fault.alert, r.client.alert_sent) << fault.name;
        EXPECT_EQ(fault.alert, r.server.alert_received) << fault.name << ": " << r.server_why;
        EXPECT_EQ("TLS handshake: " + r.client.verify_text, r.client_why);
        EXPECT_EQ(chain.size(), r.client_chain.size()) << fault.name; // for whoever explains it
    }
}

TEST_F(TlsTest, ClientCertificatesAreNotAskedForOptionalOrRequired) {
    const auto mine = test::write(
        folder, "alice",
        {test::make({.name = "alice", .alternative = "URI:sip:alice@example.com", .issuer = &ca})});
    const auto plain = client(ours);
    const auto named = client_with(mine);
    auto settings = basic;
    EXPECT_TRUE(shake(server(settings), named).server_chain.empty());
    settings.clients = ClientCertificates::Optional;
    EXPECT_TRUE(shake(server(settings), plain).works);
    EXPECT_EQ(std::vector<std::string>{"alice"}, shake(server(settings), named).server_chain);
    settings.clients = ClientCertificates::Required;
    EXPECT_EQ(std::vector<std::string>{"alice"}, shake(server(settings), named).server_chain);
    const auto refused = shake(server(settings), plain);
    EXPECT_FALSE(refused.works);
    EXPECT_EQ(SSL_AD_CERTIFICATE_REQUIRED, refused.client.alert_received) << refused.client_why;
    settings.maximum_version = TLS1_2_VERSION;
    EXPECT_EQ(SSL_AD_HANDSHAKE_FAILURE, shake(server(settings), plain).client.alert_received);
}

TEST_F(TlsTest, AClientCertificateWithAFaultIsRefusedWithTheAlertForIt) {
    const auto stranger = test::make_ca("Stranger");
    const std::pair<Fault, Certificate> cases[] = {
        {{"expired", X509_V_ERR_CERT_HAS_EXPIRED, SSL_AD_CERTIFICATE_EXPIRED},
         test::make({.issuer = &ca, .until_s = -60})},
        {{"of a stranger", X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, SSL_AD_UNKNOWN_CA},
         test::make({.issuer = &stranger})},
        {{"self-signed", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, SSL_AD_UNKNOWN_CA},
         test::make({})},
    };
    for (const auto clients : {ClientCertificates::Optional, ClientCertificates::Required}) {
        for (const auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
            auto settings = basic;
            settings.clients = clients;
            settings.maximum_version = static_cast<std::uint16_t>(version);
            const auto s = server(settings);
            for (const auto& [fault, certificate] : cases) {
                const auto r = shake(s, client_with(test::write(folder, "fault", {certificate})));
                EXPECT_FALSE(r.works) << fault.name;
                EXPECT_EQ(fault.verdict, r.server.verify_result) << fault.name;
                EXPECT_EQ(fault.alert, r.server.alert_sent) << fault.name;
                EXPECT_EQ(fault.alert, r.client.alert_received) << fault.name << r.client_why;
                EXPECT_EQ(1U, r.server_chain.size());
            }
        }
    }
}

TEST_F(TlsTest, ACertificateForServersOnlyMayServeAsAClients) {
    auto settings = basic;
    settings.clients = ClientCertificates::Required;
    const auto files =
        test::write(folder, "serverauth", {test::make({.issuer = &ca, .usage = "serverAuth"})});
    EXPECT_TRUE(shake(server(settings), client_with(files)).works);
}

TEST_F(TlsTest, RevokedCertificatesAreRefusedAnywhereInTheChain) {
    const auto between = test::make_ca("Between", &ca);
    const auto good = test::make({.issuer = &between});
    const auto bad = test::make({.issuer = &between});
    const auto lists = folder.file("lists.pem");
    auto checking = ours;
    checking.revoked = lists;
    const auto try_it = [&](const Certificate& leaf) {
        auto settings = basic;
        settings.certificates = {test::write(folder, "leaf", {leaf, between})};
        return shake(server(settings), client(checking));
    };
    test::write_lists(lists, {{between, {bad}}, {ca, {}}});
    EXPECT_TRUE(try_it(good).works);
    const auto revoked = try_it(bad);
    EXPECT_FALSE(revoked.works);
    EXPECT_EQ(X509_V_ERR_CERT_REVOKED, revoked.client.verify_result);
    EXPECT_EQ(SSL_AD_CERTIFICATE_REVOKED, revoked.server.alert_received);

    test::write_lists(lists, {{ca, {between}}}); // no list of the leaf's issuer
    EXPECT_EQ(X509_V_ERR_CERT_REVOKED, try_it(good).client.verify_result);
    test::write_lists(lists, {{ca, {}}});
    EXPECT_TRUE(try_it(good).works);
    test::write_lists(lists, {{between, {}, -60}});
    EXPECT_EQ(X509_V_ERR_CRL_HAS_EXPIRED, try_it(good).client.verify_result);
}

TEST_F(TlsTest, WhatCannotBeLoadedIsNamed) {
    const auto fails = [](TlsSettings settings, const std::string& file) {
        const auto made = TlsContext::make(TlsContext::Role::Server, settings);
        ASSERT_FALSE(made);
        EXPECT_TRUE(made.error().starts_with(file + ": ")) << made.error();
    };
    const auto empty = folder.file("empty.pem");
    std::ofstream{empty} << "nothing\n";
    auto settings = basic;
    settings.certificates[0].certificate = folder.file("absent.pem");
    fails(settings, settings.certificates[0].certificate);
    settings = basic;
    settings.certificates[0].key = test::write(folder, "foreign", {test::make({})}).key;
    fails(settings, settings.certificates[0].key);
    settings = basic;
    settings.trusted = empty;
    fails(settings, empty);
    settings = basic;
    settings.revoked = empty;
    fails(settings, empty);

    const auto locked = folder.file("locked.key"); // nobody is asked for its password
    const test::File file{std::fopen(locked.c_str(), "w"), std::fclose};
    const auto identity = test::make({});
    PEM_write_PrivateKey(file.get(), identity.key.get(), EVP_aes_256_cbc(),
                         reinterpret_cast<const unsigned char*>("secret"), 6, nullptr, nullptr);
    std::fflush(file.get());
    settings = basic;
    settings.certificates[0].key = locked;
    fails(settings, locked);
}

TEST_F(TlsTest, AClientResumesByTicketAcrossServersThatShareKeys) {
    for (const auto version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        auto settings = basic;
        settings.maximum_version = static_cast<std::uint16_t>(version);
        settings.tickets = std::make_shared<Tickets>();
        const auto c = client(ours);
        ASSERT_TRUE(shake(server(settings), c).works);
        const auto first = std::move(kept);
        const auto again = shake(server(settings), c, "example.com", first.get()); // restarted
        ASSERT_TRUE(again.works);
        EXPECT_TRUE(again.client.resumed);
        EXPECT_TRUE(again.server.resumed);
        EXPECT_EQ(X509_V_OK, again.client.verify_result);
        EXPECT_EQ(std::vector<std::string>{"example.com"}, again.client_chain);

        settings.tickets->rotate(); // the old key still opens, and the ticket is renewed
        ASSERT_TRUE(shake(server(settings), c, "example.com", first.get()).server.resumed);
        const auto renewed = std::move(kept);
        auto keys = *settings.tickets->keys();
        keys.pop_back();
        settings.tickets->replace(keys);
        EXPECT_FALSE(shake(server(settings), c, "example.com", first.get()).server.resumed);
        EXPECT_TRUE(shake(server(settings), c, "example.com", renewed.get()).server.resumed);
        EXPECT_FALSE(shake(server(basic), c, "example.com", renewed.get()).server.resumed);
    }
}

TEST_F(TlsTest, ASessionIsNotResumedWhereCertificatesWouldBeJudgedOtherwise) {
    auto settings = basic;
    settings.tickets = std::make_shared<Tickets>();
    settings.clients = ClientCertificates::Required;
    const auto c = client_with(example);
    ASSERT_TRUE(shake(server(settings), c).works);
    const auto session = std::move(kept);
    const auto again = shake(server(settings), c, "example.com", session.get());
    EXPECT_TRUE(again.server.resumed);
    EXPECT_EQ(std::vector<std::string>{"example.com"}, again.server_chain);
    settings.revoked = folder.file("list.pem");
    test::write_lists(settings.revoked, {{ca, {}}});
    EXPECT_FALSE(shake(server(settings), c, "example.com", session.get()).server.resumed);
}

TEST_F(TlsTest, ProtocolsAreAgreedUponByName) {
    auto settings = basic;
    settings.alpn = {"sip/2", "http/1.1"};
    auto wanted = ours;
    wanted.alpn = {"h2", "http/1.1"};
    EXPECT_EQ("http/1.1", shake(server(settings), client(wanted)).server.alpn);
    wanted.alpn = {"h2"};
    const auto r = shake(server(settings), client(wanted));
    EXPECT_TRUE(r.works);
    EXPECT_EQ("", r.client.alpn);
    settings.alpn = {std::string(256, 'x')};
    EXPECT_FALSE(TlsContext::make(TlsContext::Role::Server, settings));
}

TEST_F(TlsTest, KeysAreLoggedOnRequest) {
    std::vector<std::string> lines;
    auto settings = basic;
    settings.key_log = [&](std::string_view line) { lines.emplace_back(line); };
    ASSERT_TRUE(shake(server(settings), client(ours)).works);
    EXPECT_TRUE(std::ranges::any_of(
        lines, [](const auto& l) { return l.starts_with("CLIENT_TRAFFIC_SECRET_0 "); }));
}

class Tapping : public Tap {
  public:
    std::map<std::uint32_t, std::string> in;
    std::map<std::uint32_t, std::string> out;
    std::string messages;
    int opened = 0;
    int closed = 0;
    void on_opened(Key, const ConnectionInfo&) override { ++opened; }
    void on_raw(Key key, bool outgoing, Bytes bytes) override {
        (outgoing ? out : in)[key.index] += as_text(bytes);
    }
    void on_tls_message(Key, bool outgoing, int type, Bytes bytes) override {
        if (outgoing && type == 22 && !bytes.empty()) {
            messages += std::to_string(bytes[0]) + " ";
        }
    }
    void on_closed(Key) override { ++closed; }
};

TEST_F(TlsTest, ATapSeesTheBytesOfBothDirectionsAndTheMessagesOfTheHandshake) {
    Tapping tap;
    loop.set_tap(&tap);
    ASSERT_TRUE(shake(server(basic), client(ours)).works);
    ASSERT_TRUE(run_until([&] { return loop.connections() == 0 || (loop.post([] {}), false); }));
    EXPECT_EQ(2, tap.opened);
    EXPECT_EQ(2, tap.closed);
    ASSERT_EQ(2U, tap.in.size());
    EXPECT_EQ(tap.out[0], tap.in[1]);
    EXPECT_EQ(tap.in[0], tap.out[1]);
    EXPECT_EQ(22, tap.out[0][0]); // a handshake record
    // ClientHello; ServerHello, EncryptedExtensions, Certificate, CertificateVerify, Finished;
    // Finished; NewSessionTicket, once.
    EXPECT_EQ("1 2 8 11 15 20 20 4 ", tap.messages);
}

TEST_F(TlsTest, ATapSeesPlainConnectionsToo) {
    Tapping tap;
    loop.set_tap(&tap);
    const auto where = listen(nullptr);
    const auto mine = loop.connect(where, nullptr, "");
    loop.send(mine, "in clear");
    ASSERT_TRUE(run_until([&] { return h.reads == 1; }));
    EXPECT_EQ("in clear", tap.out[mine.index]);
    EXPECT_EQ("in clear", tap.in[h.end(true).index]);
}

TEST_F(TlsTest, ALargeMessagePassesInBothDirections) {
    const auto where = listen(server(basic));
    const auto c = client(ours);
    const auto mine = loop.connect(where, c.get(), "example.com");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    std::string large;
    for (int i = 0; i < 100'000; ++i) {
        large += static_cast<char>('a' + i % 26);
    }
    loop.send(mine, large);
    loop.send(h.end(true), large);
    ASSERT_TRUE(run_until(
        [&] { return h.received[mine.index] == large && h.received[h.end(true).index] == large; }));
}

TEST_F(TlsTest, ManyRecordsOfOneReadAreOnePiece) {
    const auto where = listen(server(basic));
    const auto c = client(ours);
    const auto mine = loop.connect(where, c.get(), "example.com");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    for (int i = 0; i < 10; ++i) { // ten records, written behind the loop's back
        ASSERT_EQ(4, SSL_write(loop.tls(mine), "ping", 4));
    }
    ASSERT_TRUE(run_until([&] { return h.reads > 0; }));
    EXPECT_EQ(1, h.reads);
    EXPECT_EQ(40U, h.received[h.end(true).index].size());
}

TEST_F(TlsTest, BytesThatAreNotTlsAreRefused) {
    const auto where = listen(server(basic));
    const auto peer = raw(where);
    const std::string_view request = "OPTIONS sip:example.com SIP/2.0\r\n\r\n";
    ASSERT_GT(send(peer.get(), request.data(), request.size(), 0), 0);
    ASSERT_TRUE(run_until([&] { return h.failed.size() == 1; }));
    EXPECT_TRUE(h.failed[0].why.starts_with("TLS handshake: ")) << h.failed[0].why;
    EXPECT_EQ(0U, loop.handshakes());
}

TEST_F(TlsTest, AContextThatIsReplacedServesItsConnectionsToTheEnd) {
    auto first = server(basic);
    const auto where = listen(first);
    const auto c = client(ours);
    const auto old = loop.connect(where, c.get(), "example.com");
    ASSERT_TRUE(run_until([&] { return loop.handshakes() == 1; })); // accepted under the old one
    auto other = basic;
    other.certificates = {test::write(
        folder, "second", {test::make({.name = "second", .alternative = "DNS:x", .issuer = &ca})})};
    loop.set_tls(1, server(other));
    first.reset();
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 2; }));
    const auto fresh = loop.connect(where, c.get(), "example.com");
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 4; }));
    const auto shown = [&](Key key) {
        char text[64] = "";
        X509_NAME_get_text_by_NID(X509_get_subject_name(peer_chain(loop.tls(key)).at(0)),
                                  NID_commonName, text, 64);
        return std::string{text};
    };
    EXPECT_EQ("example.com", shown(old));
    EXPECT_EQ("second", shown(fresh));
}

TEST_F(TlsTest, WritingToAPeerThatIsGoneEndsTheConnectionAndNothingElse) {
    const auto where = listen(server(basic));
    auto peer = raw(where);
    const auto c = client(ours);
    auto ssl = c->connection(peer.get(), "example.com");
    std::thread other{[&] { SSL_do_handshake(ssl.get()); }};
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    other.join();
    peer.reset();                 // a reset: it leaves the ticket unread
    for (int i = 0; i < 3; ++i) { // behind the loop's back: the first meets the reset
        SSL_write(loop.tls(h.end(true)), "x", 1);
    }
    loop.send(h.end(true), "are you there?");
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1; }));
}

TEST_F(TlsTest, ATruncatedConnectionIsSaidToBeOne) {
    const auto where = listen(server(basic));
    auto peer = raw(where);
    const auto c = client(ours);
    auto ssl = c->connection(peer.get(), "example.com");
    std::thread other{[&] { SSL_do_handshake(ssl.get()); }};
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    other.join();
    char ticket[1024]; // unread it would make the end a reset
    ASSERT_GT(recv(peer.get(), ticket, sizeof ticket, 0), 0);
    peer.reset();
    ASSERT_TRUE(run_until([&] { return h.closed.size() == 1; }));
    EXPECT_EQ("closed without close_notify", h.closed[0].why);
}

class GatheringTlsTest : public TlsTest {
  protected:
    static constexpr Duration gather = milliseconds(200);
    GatheringTlsTest() : TlsTest({.gather = gather}) {}
};

// What others send waits, on a busy loop, and newcomers do not.
TEST_F(GatheringTlsTest, NewcomersAreHandledWhileThingsAreGathered) {
    const auto newcomers = listen(server(basic));
    const auto peer = raw(listen(nullptr, "127.0.0.1", 2));
    ASSERT_TRUE(run_until([&] { return h.opened.size() == 1; }));
    const auto heard = [&] { return h.received[h.end(true).index].size(); };
    std::vector<Descriptor> strangers;
    std::vector<std::size_t> came_at; // each stranger, when so much had been heard
    int in_time = 0;
    h.when_failed = [&](Key) { in_time += came_at[h.failed.size() - 1] == heard() ? 1 : 0; };
    h.when_bytes = [&](Key, Bytes) {
        strangers.push_back(raw(newcomers));
        came_at.push_back(heard());
        EXPECT_EQ(7, send(strangers.back().get(), "no TLS\n", 7, 0));
        EXPECT_EQ(1, send(peer.get(), "a", 1, 0)); // is there for the next turn
    };
    ASSERT_EQ(1, send(peer.get(), "a", 1, 0));
    EXPECT_TRUE(run_until([&] { return in_time == 3; }));
}

} // namespace
} // namespace cw::net
