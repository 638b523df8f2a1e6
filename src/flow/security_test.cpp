#include "flow/security.hpp"

#include <string_view>

#include <gtest/gtest.h>

#include "flow/security_hops.hpp"

namespace cw::flow {
namespace {

constexpr std::string_view alice = "192.0.2.1:40112";
constexpr std::string_view proxy = "192.0.2.9:5061";
constexpr std::string_view proxy_out = "192.0.2.9:40200";
constexpr std::string_view bob = "192.0.2.7:5061";

// A call over two hops, INVITE and 200 on each, as good as calls are.
class Verdict : public testing::Test {
  protected:
    Verdict() {
        connect(1, alice, proxy, "proxy.example.com");
        connect(2, proxy_out, bob, "bob.example.com");
        say(1, alice, proxy, 0);
        say(2, proxy_out, bob, 0);
        say(2, bob, proxy_out, 200);
        say(1, proxy, alice, 200);
        stream("192.0.2.1:4000", "192.0.2.7:6000");
        stream("192.0.2.7:6000", "192.0.2.1:4000");
    }
    static Endpoint at(std::string_view text) { return *parse_endpoint(text, 0); }
    Text text(std::string_view words) { return call.pool.add(words); }
    void connect(std::uint32_t id, std::string_view client, std::string_view server,
                 const std::string& name) {
        Connection c;
        c.id = id;
        c.client = at(client);
        c.server = at(server);
        c.transport = Transport::Tls;
        c.sip_messages = 2;
        c.opened = Instant{1'790'000'000'000'000'000};
        c.version = "TLSv1.3";
        c.cipher = "TLS_AES_256_GCM_SHA384";
        c.sni = name;
        c.server_chain.push_back({.subject = "CN=" + name,
                                  .issuer = "CN=CA",
                                  .names = {"DNS:" + name},
                                  .not_before = {},
                                  .not_after = {},
                                  .key = {},
                                  .key_bits = 0,
                                  .signature = {}});
        call.connections.push_back(c);
    }
    Message& say(std::uint32_t connection, std::string_view from, std::string_view to,
                 std::uint16_t status) {
        Message m;
        m.source = at(from);
        m.destination = at(to);
        m.status = status;
        m.method = status == 0 ? sip::Method::Invite : sip::Method::None;
        m.cseq_method = sip::Method::Invite;
        m.transport = connection == 0 ? Transport::Udp : Transport::Tls;
        m.connection = connection;
        m.request_uri = status == 0 ? text("sip:bob@example.com") : Text{};
        return call.messages.emplace_back(m);
    }
    void stream(std::string_view from, std::string_view to) {
        MediaStream s;
        s.source = at(from);
        s.destination = at(to);
        s.srtp = s.suite = text("AES_CM_128_HMAC_SHA1_80");
        s.packets = s.opening.opened = 350;
        s.opening.by = KeyExchange::Sdes;
        call.streams.push_back(s);
    }
    void show_keys() {
        for (auto& m : call.messages) {
            m.media_begin = static_cast<std::uint32_t>(call.media_lines.size());
            m.media_count = 1;
            MediaLine line;
            line.receive = at("192.0.2.1:4000");
            line.crypto_suite = text("AES_CM_128_HMAC_SHA1_80");
            call.media_lines.push_back(line);
        }
    }
    Call call;
};

TEST_F(Verdict, NamesEachHopItsTlsAndWhoWasVerified) {
    const auto s = judge_security(call);
    EXPECT_EQ(s.signalling, Protection::Secure);
    EXPECT_EQ(s.media, Protection::Secure);
    ASSERT_EQ(s.hops.size(), 2U);
    EXPECT_EQ(s.hops[0].version, "TLSv1.3");
    EXPECT_EQ(s.hops[0].messages, 2U);
    EXPECT_EQ(s.hops[1].first, 1U);
    EXPECT_TRUE(s.hops[0].verified_good);
    EXPECT_EQ(s.hops[0].verified, "CN=proxy.example.com names proxy.example.com by DNS");
    EXPECT_FALSE(s.hops[0].weak);
    EXPECT_EQ(s.media_by, "SRTP with SDES keys (AES_CM_128_HMAC_SHA1_80), 2 streams, 700 packets "
                          "authentic");
    EXPECT_EQ(s.weakest, "TLS protects each hop; every server on the way can read the signalling");
}

TEST_F(Verdict, SaysToWhomTheKeysAreShown) {
    show_keys();
    EXPECT_EQ(judge_security(call).keys_exposed,
              "to the server at 192.0.2.9:5061, between the hops");
    EXPECT_EQ(judge_security(call).weakest, "the media keys are shown to the server at "
                                            "192.0.2.9:5061, between the hops");
    for (auto& m : call.messages) {
        m.transport = m.connection == 2 ? Transport::Udp : m.transport;
        m.connection = m.connection == 2 ? 0 : m.connection;
    }
    const auto s = judge_security(call);
    EXPECT_EQ(s.signalling, Protection::Mixed);
    EXPECT_EQ(s.keys_exposed, "to anyone on the way 192.0.2.9:40200 → 192.0.2.7:5061 (udp)");
    EXPECT_TRUE(s.weakest.ends_with("over udp: the media key is readable there")) << s.weakest;
}

TEST_F(Verdict, KeysThatAreEncryptedForTheOtherEndAreShownToNobody) {
    show_keys();
    for (auto& m : call.messages) {
        m.sealed = 1;
    }
    const auto s = judge_security(call);
    EXPECT_EQ(s.keys_exposed, "");
    EXPECT_FALSE(s.hops[0].keys_shown);
}

TEST_F(Verdict, APromiseOfSipsIsKeptOrBroken) {
    call.messages[0].sips = true;
    EXPECT_EQ(judge_security(call).sips, "kept on the 2 hops that were seen");
    for (std::size_t i : {1U, 2U}) {
        call.messages[i].transport = Transport::Tcp;
        call.messages[i].connection = 0;
    }
    const auto s = judge_security(call);
    EXPECT_TRUE(s.sips_broken);
    EXPECT_NE(s.weakest.find("a sips URI was called, and 192.0.2.9:40200 → 192.0.2.7:5061 went "
                             "over tcp (RFC 5630 §3.1.3)"),
              std::string::npos)
        << s.weakest;
}

TEST_F(Verdict, ACertificateThatNamesAnotherIsTheWeakestPoint) {
    call.connections[1].server_chain[0].names = {"DNS:other.example.com"};
    auto s = judge_security(call);
    EXPECT_FALSE(s.hops[1].verified_good);
    EXPECT_NE(s.weakest.find("does not name bob.example.com"), std::string::npos) << s.weakest;
    call.connections[1].server_chain[0].names = {"DNS:bob.example.com"};
    call.connections[1].server_chain[0].not_after = Instant{1'780'000'000'000'000'000};
    s = judge_security(call);
    EXPECT_NE(s.weakest.find("had expired"), std::string::npos) << s.weakest;
}

TEST_F(Verdict, WeakTlsIsNamedWithItsRfc) {
    call.connections[0].version = "TLSv1.0";
    call.connections[0].cipher = "TLS_RSA_WITH_AES_128_CBC_SHA";
    const auto s = judge_security(call);
    EXPECT_TRUE(s.hops[0].weak);
    ASSERT_EQ(s.hops[0].notes.size(), 2U);
    EXPECT_EQ(s.hops[0].notes[0], "TLSv1.0 must not be used any more (RFC 8996)");
    EXPECT_NE(s.hops[0].notes[1].find("no forward secrecy"), std::string::npos);
    EXPECT_TRUE(s.weakest.ends_with("TLSv1.0 must not be used any more (RFC 8996)"));
}

TEST_F(Verdict, SrtpThatIsNotEncryptedIsNoProtection) {
    call.streams[0].opening = {};
    call.streams[0].opening.failed = 350;
    call.streams[0].opening.encrypted = false;
    const auto s = judge_security(call);
    EXPECT_EQ(s.media, Protection::Mixed);
    EXPECT_NE(s.weakest.find("SRTP was agreed on, and the media 192.0.2.1:4000"), std::string::npos)
        << s.weakest;
}

TEST_F(Verdict, BodiesThatAreSecuredEndToEndAreCounted) {
    call.messages[0].is_signed = 1;
    call.messages[0].sealed = 1;
    call.messages[2].sealed = 2;
    EXPECT_EQ(judge_security(call).smime,
              "1 signed end to end, 1 encrypted end to end, 1 encrypted and not opened");
}

TEST(VerdictNames, AreUrisThenDnsThenTheCommonName) {
    const auto how = [](std::vector<std::string> names, std::string_view domain) {
        const Certificate certificate{.subject = "CN=cn.example,O=x",
                                      .issuer = "",
                                      .names = std::move(names),
                                      .not_before = {},
                                      .not_after = {},
                                      .key = {},
                                      .key_bits = 0,
                                      .signature = {}};
        return names_domain(certificate, domain);
    };
    EXPECT_EQ(how({"URI:sip:example.com", "DNS:host.example.com"}, "EXAMPLE.com"), "URI");
    EXPECT_EQ(how({"URI:sip:example.com", "DNS:host.example.com"}, "host.example.com"), "")
        << "with a SIP URI, DNS does not count";
    EXPECT_EQ(how({"URI:sip:alice@example.com"}, "example.com"), "");
    EXPECT_EQ(how({"DNS:host.example.com"}, "host.example.com"), "DNS");
    EXPECT_EQ(how({"DNS:*.example.com"}, "host.example.com"), "") << "no wildcards";
    EXPECT_EQ(how({}, "cn.example"), "CN");
    EXPECT_EQ(how({"DNS:other"}, "cn.example"), "");
}

TEST(VerdictWeakness, KnowsWhatTheRfcsForbid) {
    EXPECT_EQ(weakness_of_version("TLSv1.2"), "");
    EXPECT_EQ(weakness_of_version("TLSv1.3"), "");
    EXPECT_NE(weakness_of_version("TLSv1.1"), "");
    EXPECT_NE(weakness_of_version("SSLv3"), "");
    EXPECT_EQ(weakness_of_cipher("TLS_AES_128_GCM_SHA256"), "");
    EXPECT_EQ(weakness_of_cipher("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), "");
    for (const auto* weak :
         {"TLS_RSA_WITH_NULL_SHA", "TLS_DH_anon_WITH_AES_128_CBC_SHA", "TLS_RSA_WITH_RC4_128_SHA",
          "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_AES_128_GCM_SHA256"}) {
        EXPECT_NE(weakness_of_cipher(weak), "") << weak;
    }
}

} // namespace
} // namespace cw::flow
