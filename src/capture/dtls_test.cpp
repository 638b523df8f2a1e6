// Two OpenSSL peers shake hands over DTLS for SRTP; what we find in their datagrams and key log is
// what they export.
#include "capture/dtls.hpp"

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include "crypto/ca.hpp"

namespace cw::capture {
namespace {

struct FreeSsl {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};

struct Heard final : flow::Listener {
    void on_sip(const flow::SipEvent&) override {}
    void on_media(const flow::MediaEvent&) override {}
    void on_dtls(const flow::Sighting&) override {}
    void on_dtls_srtp(const flow::DtlsSrtp& handshake) override { told.push_back(handshake); }
    void on_dtls_exchange(const flow::DtlsExchange& exchange) override {
        exchanges.push_back(exchange);
    }
    void on_connection(const flow::Connection&) override {}
    void finish(Instant) override {}
    std::vector<flow::DtlsSrtp> told;
    std::vector<flow::DtlsExchange> exchanges; // as each was told
};

class DtlsPeers {
  public:
    DtlsPeers(const char* profiles, int version, int mtu) : context_{SSL_CTX_new(DTLS_method())} {
        const auto validity = crypto::valid_for(Instant{1'790'000'000'000'000'000}, 365);
        const auto ca = crypto::make_ca({.name = "Test", .validity = validity});
        const auto leaf = crypto::issue(*ca, {.domains = {"example.com"}, .validity = validity});
        SSL_CTX_set_min_proto_version(context_.get(), version);
        SSL_CTX_set_max_proto_version(context_.get(), version);
        SSL_CTX_set_cipher_list(context_.get(), "ALL:!aNULL:@SECLEVEL=0");
        SSL_CTX_use_certificate(context_.get(), leaf->certificate.get());
        SSL_CTX_use_PrivateKey(context_.get(), leaf->key.get());
        SSL_CTX_set_tlsext_use_srtp(context_.get(), profiles);
        SSL_CTX_set_ex_data(context_.get(), 0, this);
        SSL_CTX_set_keylog_callback(context_.get(), [](const SSL* ssl, const char* line) {
            auto* peers = static_cast<DtlsPeers*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
            peers->key_log += std::string{line} + "\n";
        });
        for (auto* side : {&client_, &server_}) {
            side->reset(SSL_new(context_.get()));
            SSL_set_bio(side->get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
            BIO_set_mem_eof_return(SSL_get_rbio(side->get()), -1);
            SSL_set_options(side->get(), SSL_OP_NO_QUERY_MTU);
            SSL_set_mtu(side->get(), mtu);
        }
        SSL_set_connect_state(client_.get());
        SSL_set_accept_state(server_.get());
    }
    // Datagrams go to `each(from_client, bytes)` as well.
    template <class Each>
    bool handshake(Each each) {
        for (int turn = 0; turn < 20; ++turn) {
            SSL_do_handshake(client_.get());
            carry(client_.get(), server_.get(), [&](Bytes bytes) { each(true, bytes); });
            SSL_do_handshake(server_.get());
            carry(server_.get(), client_.get(), [&](Bytes bytes) { each(false, bytes); });
        }
        return SSL_is_init_finished(client_.get()) == 1 && SSL_is_init_finished(server_.get()) == 1;
    }
    std::vector<std::uint8_t> exported(std::size_t size) {
        constexpr std::string_view label = "EXTRACTOR-dtls_srtp";
        std::vector<std::uint8_t> out(size);
        SSL_export_keying_material(client_.get(), out.data(), size, label.data(), label.size(),
                                   nullptr, 0, 0);
        return out;
    }
    std::string key_log;

  private:
    template <class Each>
    static void carry(SSL* from, SSL* to, Each each) {
        char* data = nullptr;
        const auto size = BIO_get_mem_data(SSL_get_wbio(from), &data);
        if (size > 0) {
            each(as_bytes({data, static_cast<std::size_t>(size)}));
            BIO_write(SSL_get_rbio(to), data, static_cast<int>(size));
            BIO_reset(SSL_get_wbio(from));
        }
    }
    std::unique_ptr<SSL_CTX, FreeSsl> context_;
    std::unique_ptr<SSL, FreeSsl> client_;
    std::unique_ptr<SSL, FreeSsl> server_;
};

struct Wire {
    bool from_client = false;
    std::string bytes;
};

// All that both ends send until they are ready.
std::vector<Wire> handshake_of(DtlsPeers& peers) {
    std::vector<Wire> wire;
    EXPECT_TRUE(peers.handshake([&](bool from_client, Bytes bytes) {
        wire.push_back({from_client, std::string{as_text(bytes)}});
    }));
    return wire;
}

void tell(DtlsHandshakes& handshakes, Heard& heard, const std::vector<Wire>& wire) {
    std::uint32_t frame = 0;
    for (const auto& datagram : wire) {
        Datagram d;
        d.time = Instant{1'000'000'000 + frame};
        d.frame = ++frame;
        d.source = *parse_endpoint(datagram.from_client ? "10.0.0.1:4000" : "10.0.0.2:6000", 0);
        d.destination =
            *parse_endpoint(datagram.from_client ? "10.0.0.2:6000" : "10.0.0.1:4000", 0);
        d.payload = as_bytes(datagram.bytes);
        handshakes.on_datagram(d, heard);
    }
}

// A Binding request between two agents, "to:from".
std::string stun(std::string_view names) {
    std::string attribute{"\0\6\0", 3};
    attribute += static_cast<char>(names.size());
    attribute += names;
    attribute.resize((attribute.size() + 3) / 4 * 4);
    std::string out{"\0\1\0", 3};
    out += static_cast<char>(attribute.size());
    out += std::string{"\x21\x12\xa4\x42transaction."} + attribute;
    return out;
}

Datagram between(const char* source, const char* destination, const std::string& bytes) {
    Datagram d;
    d.time = Instant{1'000'000'000};
    d.source = *parse_endpoint(source, 0);
    d.destination = *parse_endpoint(destination, 0);
    d.payload = as_bytes(bytes);
    return d;
}

// Each side sends on another pair of addresses, as two that use ICE may.
TEST(DtlsOverIce, HellosOverDifferentPairsAreOneHandshake) {
    DtlsPeers peers{"SRTP_AES128_CM_SHA1_80", DTLS1_2_VERSION, 1400};
    const auto wire = handshake_of(peers);
    crypto::KeyRing keys;
    keys.add_text(peers.key_log, "test");
    for (const bool checked : {true, false}) {
        DtlsHandshakes handshakes{keys};
        Heard heard;
        const auto there = stun("serv:clie");
        const auto back = stun("clie:serv");
        for (std::size_t size = 0; size < there.size(); ++size) { // nothing is learned of these
            const auto cut = back.substr(0, size);                // a Datagram is a view
            handshakes.on_stun(between("10.1.0.2:6001", "10.1.0.1:4001", cut), heard);
        }
        for (const auto* names : {"", ":", "a:", ":a", "a:a", "nothing"}) {
            const auto odd = stun(names);
            handshakes.on_stun(between("10.1.0.2:6001", "10.1.0.1:4001", odd), heard);
        }
        if (checked) {
            handshakes.on_stun(between("10.0.0.1:4000", "10.0.0.2:6000", there), heard);
            handshakes.on_stun(between("10.1.0.2:6001", "10.1.0.1:4001", back), heard);
            handshakes.on_stun(between("10.0.0.1:4000", "10.0.0.9:6000", stun("serv:other")),
                               heard);
        }
        for (const auto& datagram : wire) {
            handshakes.on_datagram(datagram.from_client
                                       ? between("10.0.0.1:4000", "10.0.0.2:6000", datagram.bytes)
                                       : between("10.1.0.2:6001", "10.1.0.1:4001", datagram.bytes),
                                   heard);
        }
        if (!checked) {
            EXPECT_TRUE(heard.told.empty());
            continue;
        }
        ASSERT_EQ(heard.told.size(), 2U); // where it began, and where media may go as well
        EXPECT_EQ(to_string(heard.told[0].at.source), "10.0.0.1:4000");
        EXPECT_EQ(to_string(heard.told[1].at.source), "10.1.0.1:4001");
        EXPECT_EQ(to_string(heard.told[1].at.destination), "10.1.0.2:6001");
        ASSERT_TRUE(heard.told[1].client_key);
        EXPECT_TRUE(std::ranges::equal(heard.told[0].client_key->keys[0].secret.octets(),
                                       heard.told[1].client_key->keys[0].secret.octets()));
        EXPECT_TRUE(heard.exchanges.back().agreed && heard.exchanges.back().server_went_on);
        // A pair that is checked later, from the server's side.
        handshakes.on_stun(between("10.2.0.2:6002", "10.2.0.1:4002", back), heard);
        ASSERT_EQ(heard.told.size(), 3U);
        EXPECT_EQ(to_string(heard.told[2].at.source), "10.2.0.1:4002");
    }
}

struct Case {
    const char* profile;
    const char* suite;
    int version = DTLS1_2_VERSION;
    int mtu = 1400;
};
class DtlsKeys : public testing::TestWithParam<Case> {};

TEST_P(DtlsKeys, AreWhatBothEndsExport) {
    DtlsPeers peers{GetParam().profile, GetParam().version, GetParam().mtu};
    const auto wire = handshake_of(peers);
    crypto::KeyRing keys;
    DtlsHandshakes handshakes{keys};
    Heard heard;
    tell(handshakes, heard, wire);
    ASSERT_EQ(heard.told.size(), 1U);
    EXPECT_FALSE(heard.told[0].client_key);
    EXPECT_TRUE(heard.told[0].reason.starts_with("no key for client random "));

    keys.add_text(peers.key_log, "test"); // the key log comes late
    tell(handshakes, heard, {wire.back()});
    ASSERT_EQ(heard.told.size(), 2U);
    const auto& told = heard.told[1];
    ASSERT_TRUE(told.client_key && told.server_key);
    EXPECT_EQ(rtp::to_string(told.client_key->suite), GetParam().suite);
    EXPECT_EQ(told.version, GetParam().version == DTLS1_2_VERSION ? "DTLSv1.2" : "DTLSv1.0");
    EXPECT_EQ(to_string(told.at.source), "10.0.0.1:4000");
    const auto& facts = rtp::facts_of(told.client_key->suite);
    const auto all = peers.exported(2 * (std::size_t{facts.key} + facts.salt));
    const Bytes bytes{all};
    const auto joined = [](Bytes key, Bytes salt) {
        std::vector<std::uint8_t> out{key.begin(), key.end()};
        out.insert(out.end(), salt.begin(), salt.end());
        return out;
    };
    const auto client = joined(bytes.first(facts.key), bytes.subspan(2 * facts.key, facts.salt));
    const auto server = joined(bytes.subspan(facts.key, facts.key), bytes.last(facts.salt));
    EXPECT_TRUE(std::ranges::equal(told.client_key->keys[0].secret.octets(), client));
    EXPECT_TRUE(std::ranges::equal(told.server_key->keys[0].secret.octets(), server));
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, DtlsKeys,
    testing::Values(Case{"SRTP_AES128_CM_SHA1_80", "AES_CM_128_HMAC_SHA1_80"},
                    Case{"SRTP_AES128_CM_SHA1_32", "AES_CM_128_HMAC_SHA1_32"},
                    Case{"SRTP_AEAD_AES_128_GCM", "AEAD_AES_128_GCM"},
                    Case{"SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80", "AEAD_AES_256_GCM"},
                    Case{"SRTP_AES128_CM_SHA1_80", "AES_CM_128_HMAC_SHA1_80", DTLS1_VERSION},
                    // The ClientHello comes in fragments.
                    Case{"SRTP_AES128_CM_SHA1_80", "AES_CM_128_HMAC_SHA1_80", DTLS1_2_VERSION,
                         256}));

std::vector<Wire> whole_handshake(int mtu = 1400) {
    DtlsPeers peers{"SRTP_AES128_CM_SHA1_80", DTLS1_2_VERSION, mtu};
    return handshake_of(peers);
}

TEST(DtlsHandshakes, TellHowFarTheyCome) {
    for (const int mtu : {1400, 256}) { // the second one's certificate comes in fragments
        crypto::KeyRing keys;
        DtlsHandshakes handshakes{keys};
        Heard heard;
        tell(handshakes, heard, whole_handshake(mtu));
        ASSERT_GE(heard.exchanges.size(), 2U);
        EXPECT_EQ(heard.exchanges.front().hellos, 1U);
        EXPECT_FALSE(heard.exchanges.front().answered);
        const auto& last = heard.exchanges.back();
        EXPECT_EQ(to_string(last.client), "10.0.0.1:4000");
        EXPECT_EQ(last.frame, 1U);
        EXPECT_TRUE(last.answered && last.agreed && !last.no_profile);
        EXPECT_TRUE(last.client_went_on && last.server_went_on);
        EXPECT_EQ(last.alert, 0);
        EXPECT_NE(last.server_certificate.find(" sha-256 "), std::string::npos);
        EXPECT_TRUE(last.client_certificate.empty()) << "nobody asked for it";
    }
}

TEST(DtlsHandshakes, CountTheHellosThatNobodyAnswers) {
    const auto hello = whole_handshake().front();
    crypto::KeyRing keys;
    DtlsHandshakes handshakes{keys};
    Heard heard;
    tell(handshakes, heard, {hello, hello, hello});
    ASSERT_FALSE(heard.exchanges.empty());
    EXPECT_EQ(heard.exchanges.back().hellos, 3U);
    EXPECT_EQ(heard.exchanges.back().first, heard.exchanges.front().first);
    EXPECT_FALSE(heard.exchanges.back().answered);
}

TEST(DtlsHandshakes, TellWhenBothEndsBegin) {
    auto own = whole_handshake().front();
    auto other = whole_handshake().front();
    other.from_client = false;
    crypto::KeyRing keys;
    DtlsHandshakes handshakes{keys};
    Heard heard;
    tell(handshakes, heard, {own, other, own, other});
    ASSERT_EQ(heard.exchanges.size(), 4U);
    EXPECT_EQ(heard.exchanges[2].hellos, 2U);
    EXPECT_EQ(heard.exchanges[3].hellos, 2U);
    EXPECT_EQ(heard.exchanges[2].client, heard.exchanges[3].server);
}

TEST(DtlsHandshakes, TellWhoRefuses) {
    auto wire = whole_handshake();
    wire.resize(2); // ClientHello and the server's flight
    wire.push_back({true, std::string("\x15\xfe\xfd\0\0\0\0\0\0\0\x05\0\x02\x02\x2a", 15)});
    crypto::KeyRing keys;
    DtlsHandshakes handshakes{keys};
    Heard heard;
    tell(handshakes, heard, wire);
    ASSERT_FALSE(heard.exchanges.empty());
    EXPECT_EQ(heard.exchanges.back().alert, 42);
    EXPECT_EQ(heard.exchanges.back().alert_name, "bad_certificate");
    EXPECT_TRUE(heard.exchanges.back().alert_from_client);
}

TEST(DtlsHandshakes, AnyPrefixOfAHandshakeAndAnythingElseDoesNoHarm) {
    DtlsPeers peers{"SRTP_AES128_CM_SHA1_80", DTLS1_2_VERSION, 1400};
    const auto wire = handshake_of(peers);
    crypto::KeyRing keys;
    keys.add_text(peers.key_log, "test");
    for (std::size_t size = 0; size <= wire[0].bytes.size(); ++size) {
        DtlsHandshakes handshakes{keys};
        Heard heard;
        auto cut = wire;
        cut[0].bytes.resize(size);
        tell(handshakes, heard, cut);
        EXPECT_LE(heard.told.size(), 1U);
    }
}

TEST(DtlsHandshakes, WithoutUseSrtpThereAreNoKeys) {
    DtlsPeers peers{"", DTLS1_2_VERSION, 1400};
    const auto wire = handshake_of(peers);
    crypto::KeyRing keys;
    keys.add_text(peers.key_log, "test");
    DtlsHandshakes handshakes{keys};
    Heard heard;
    tell(handshakes, heard, wire);
    ASSERT_EQ(heard.told.size(), 1U);
    EXPECT_EQ(heard.told[0].reason, "its DTLS handshake agreed on no SRTP profile");
}

} // namespace
} // namespace cw::capture
