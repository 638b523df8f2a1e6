#include "crypto/key_log.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

namespace cw::crypto {
namespace {

std::string hex(std::size_t bytes, unsigned fill) {
    std::string out;
    for (std::size_t i = 0; i < bytes; ++i) {
        out += fmt::format("{:02x}", (fill + i) & 0xff);
    }
    return out;
}
std::vector<std::uint8_t> bytes(std::size_t size, unsigned fill) {
    std::vector<std::uint8_t> out;
    for (std::size_t i = 0; i < size; ++i) {
        out.push_back(static_cast<std::uint8_t>(fill + i));
    }
    return out;
}
bool same(Bytes a, const std::vector<std::uint8_t>& b) {
    return std::ranges::equal(a, b);
}

std::string pem_of(EVP_PKEY* key, const char* password = nullptr) {
    auto* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, password != nullptr ? EVP_aes_128_cbc() : nullptr,
                                  password, password != nullptr ? 4 : 0, nullptr, nullptr);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
}

struct RsaPair {
    EVP_PKEY* key = EVP_RSA_gen(2048);
    std::string pem = pem_of(key);
    ~RsaPair() { EVP_PKEY_free(key); }
    [[nodiscard]] std::vector<std::uint8_t> encrypt(Bytes secret) const {
        auto* context = EVP_PKEY_CTX_new(key, nullptr);
        EVP_PKEY_encrypt_init(context);
        EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING);
        std::vector<std::uint8_t> out(256);
        auto size = out.size();
        EVP_PKEY_encrypt(context, out.data(), &size, secret.data(), secret.size());
        EVP_PKEY_CTX_free(context);
        return out;
    }
};

class Directory {
  public:
    Directory() {
        auto name = (std::filesystem::temp_directory_path() / "callwright-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~Directory() { std::filesystem::remove_all(path_); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::string write(const std::string& name, const std::string& text) const {
        const auto path = path_ + "/" + name;
        std::ofstream{path, std::ios::binary} << text;
        return path;
    }
    [[nodiscard]] const std::string& path() const { return path_; }

  private:
    std::string path_;
};

TEST(KeyLog, FindsEverySecretByClientRandom) {
    KeyRing ring;
    ring.add_text("# SSL/TLS secrets log file\n"
                  "CLIENT_RANDOM " +
                      hex(32, 1) + " " + hex(48, 2) +
                      "\n"
                      "CLIENT_EARLY_TRAFFIC_SECRET " +
                      hex(32, 9) + " " + hex(32, 3) +
                      "\n"
                      "CLIENT_HANDSHAKE_TRAFFIC_SECRET " +
                      hex(32, 9) + " " + hex(48, 4) +
                      "\n"
                      "SERVER_HANDSHAKE_TRAFFIC_SECRET " +
                      hex(32, 9) + " " + hex(48, 5) +
                      "\n"
                      "CLIENT_TRAFFIC_SECRET_0 " +
                      hex(32, 9) + " " + hex(48, 6) +
                      "\n"
                      "SERVER_TRAFFIC_SECRET_0 " +
                      hex(32, 9) + " " + hex(48, 7) +
                      "\n"
                      "EXPORTER_SECRET " +
                      hex(32, 9) + " " + hex(48, 8) +
                      "\n"
                      "EARLY_EXPORTER_SECRET " +
                      hex(32, 9) + " " + hex(48, 9) +
                      "\n"
                      "PMS_CLIENT_RANDOM " +
                      hex(32, 1) + " " + hex(66, 10) + "\n",
                  "tls.keys");
    EXPECT_TRUE(ring.problems().empty());
    EXPECT_EQ(ring.entries(), 2U);
    const auto old = ring.find(bytes(32, 1));
    ASSERT_NE(old, KeyRing::none);
    EXPECT_TRUE(same(ring.secret(old, Secret::Master), bytes(48, 2)));
    EXPECT_TRUE(same(ring.secret(old, Secret::PreMaster), bytes(66, 10)));
    EXPECT_TRUE(ring.secret(old, Secret::ClientTraffic).empty());
    const auto modern = ring.find(bytes(32, 9));
    ASSERT_NE(modern, KeyRing::none);
    EXPECT_TRUE(same(ring.client_random(modern), bytes(32, 9)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::ClientEarly), bytes(32, 3)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::ClientHandshake), bytes(48, 4)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::ServerHandshake), bytes(48, 5)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::ClientTraffic), bytes(48, 6)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::ServerTraffic), bytes(48, 7)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::Exporter), bytes(48, 8)));
    EXPECT_TRUE(same(ring.secret(modern, Secret::EarlyExporter), bytes(48, 9)));
    EXPECT_EQ(ring.find(bytes(32, 200)), KeyRing::none);
    EXPECT_EQ(ring.find(bytes(31, 1)), KeyRing::none);
    EXPECT_TRUE(ring.secret(KeyRing::none, Secret::Master).empty());
}

TEST(KeyLog, TheLatestLineCounts) {
    KeyRing ring;
    const auto line = [](unsigned fill, std::size_t size) {
        return "CLIENT_TRAFFIC_SECRET_0 " + hex(32, 1) + " " + hex(size, fill) + "\n";
    };
    ring.add_text(line(5, 48) + line(6, 48), "a");
    EXPECT_TRUE(same(ring.secret(0, Secret::ClientTraffic), bytes(48, 6)));
    ring.add_text(line(7, 32), "b");
    EXPECT_TRUE(same(ring.secret(0, Secret::ClientTraffic), bytes(32, 7)));
    ring.add_text(line(8, 48), "c");
    EXPECT_TRUE(same(ring.secret(0, Secret::ClientTraffic), bytes(48, 8)));
    EXPECT_EQ(ring.entries(), 1U);
}

TEST(KeyLog, TakesAnyLineEndsBlanksAndLetters) {
    KeyRing ring;
    auto upper = "CLIENT_RANDOM " + hex(32, 0xa1) + "\t" + hex(48, 0xb2);
    std::ranges::transform(upper, upper.begin(), [](char c) {
        return c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    });
    ring.add_text("\xef\xbb\xbf# comment\r\n\r\n   " + upper +
                      "   \r\n\n"
                      "CLIENT_RANDOM " +
                      hex(32, 1) + " " + hex(48, 2), // no line end
                  "tls.keys");
    EXPECT_TRUE(ring.problems().empty());
    EXPECT_TRUE(same(ring.secret(ring.find(bytes(32, 0xa1)), Secret::Master), bytes(48, 0xb2)));
    EXPECT_TRUE(same(ring.secret(ring.find(bytes(32, 1)), Secret::Master), bytes(48, 2)));
}

TEST(KeyLog, WhatItTellsReadsBack) {
    KeyRing ring;
    const auto note = "# callwright connection random=" + hex(32, 7) +
                      " client=192.0.2.1:40112 server=[2001:db8::1]:5061 version=0303 suite=c030 "
                      "server_random=" +
                      hex(32, 9) + "\n";
    ring.add_text(note + "CLIENT_RANDOM " + hex(32, 7) + " " + hex(48, 2) +
                      "\nSERVER_TRAFFIC_SECRET_0 " + hex(32, 7) + " " + hex(48, 3) +
                      "\nEARLY_EXPORTER_SECRET " + hex(32, 7) + " " + hex(32, 4) + "\n",
                  "tls.keys");
    std::string out;
    const auto notes = ring.notes_of(*parse_endpoint("192.0.2.1:40112", 0),
                                     *parse_endpoint("[2001:db8::1]:5061", 0), 8);
    ASSERT_EQ(notes.size(), 1U);
    append_note(out, *notes[0]);
    EXPECT_EQ(out, note);
    out.clear();
    ring.append_lines(out, ring.find(bytes(32, 7)));
    EXPECT_EQ(out, "CLIENT_RANDOM " + hex(32, 7) + " " + hex(48, 2) + "\nSERVER_TRAFFIC_SECRET_0 " +
                       hex(32, 7) + " " + hex(48, 3) + "\nEARLY_EXPORTER_SECRET " + hex(32, 7) +
                       " " + hex(32, 4) + "\n");
    out.clear();
    ring.append_lines(out, KeyRing::none);
    EXPECT_EQ(out, "");
}

TEST(KeyLog, CountsBrokenLinesAndReadsOn) {
    KeyRing ring;
    ring.add_text("# comment\n"
                  "CLIENT_RANDOM " +
                      hex(32, 1) + " " + hex(48, 2) +
                      "\n"
                      "CLIENT_RANDOM " +
                      hex(31, 1) + " " + hex(48, 2) +
                      "\n"
                      "what is this\n"
                      "CLIENT_RANDOM " +
                      hex(32, 3) + " " + hex(47, 2) +
                      "\n"
                      "CLIENT_RANDOM " +
                      hex(32, 3) + " " + hex(47, 2) +
                      "g0\n"
                      "CLIENT_RANDOM " +
                      hex(32, 3) + "\n" + std::string(100'000, 'a') +
                      "\n"
                      "CLIENT_TRAFFIC_SECRET_1 " +
                      hex(32, 1) + " " + hex(48, 2) +
                      "\n"
                      "CLIENT_RANDOM " +
                      hex(32, 4) + " " + hex(48, 5) + "\n",
                  "tls.keys");
    ASSERT_EQ(ring.problems().size(), 1U);
    EXPECT_EQ(ring.problems()[0], "tls.keys: 6 lines not understood, the first at line 3: the "
                                  "client random is not 64 hexadecimal digits");
    EXPECT_EQ(ring.entries(), 2U);
    EXPECT_NE(ring.find(bytes(32, 4)), KeyRing::none);
}

TEST(KeyLog, ProblemsNeverShowWhatTheLinesHold) {
    KeyRing ring;
    ring.add_text("CLIENT_RANDOM " + hex(32, 1) + " " + hex(48, 2) + "\nCLIENT_RANDOM " +
                      hex(32, 7) + " deadbeef\n",
                  "x");
    ASSERT_EQ(ring.problems().size(), 1U);
    EXPECT_EQ(ring.problems()[0],
              "x: one line not understood, at line 2: the secret has the wrong length");
}

TEST(KeyLog, ReadsTheOldLinesForRsa) {
    KeyRing ring;
    ring.add_text("RSA " + hex(8, 1) + " " + hex(48, 2) +
                      "\n"
                      "RSA Session-ID:" +
                      hex(32, 3) + " Master-Key:" + hex(48, 4) +
                      "\n"
                      "RSA " +
                      hex(9, 1) + " " + hex(48, 2) + "\n",
                  "x");
    EXPECT_EQ(ring.problems().size(), 1U);
    EXPECT_TRUE(same(ring.premaster_of(bytes(256, 1)), bytes(48, 2)));
    EXPECT_TRUE(ring.premaster_of(bytes(256, 2)).empty());
    EXPECT_TRUE(same(ring.master_of_session(bytes(32, 3)), bytes(48, 4)));
    EXPECT_TRUE(ring.master_of_session(bytes(32, 4)).empty());
}

TEST(KeyLog, HoldsManyConnectionsInLittleMemory) {
    KeyRing ring;
    std::string text;
    constexpr unsigned count = 20'000;
    for (unsigned i = 0; i < count; ++i) {
        text += fmt::format("CLIENT_TRAFFIC_SECRET_0 {:08x}{} {}\n", i, hex(28, i), hex(48, i));
    }
    ring.add_text(text, "x");
    ASSERT_EQ(ring.entries(), count);
    for (unsigned i = 0; i < count; ++i) {
        auto random = bytes(28, i);
        for (unsigned shift = 0; shift < 32; shift += 8) {
            random.insert(random.begin(), static_cast<std::uint8_t>(i >> shift));
        }
        ASSERT_TRUE(same(ring.secret(ring.find(random), Secret::ClientTraffic), bytes(48, i)));
    }
}

TEST(KeyLog, ForWhoeverReadsForWeeksForgetsTheOldest) {
    KeyRing ring;
    ring.keep_latest(1000);
    const auto random = [](unsigned i) {
        auto octets = bytes(28, i);
        for (unsigned shift = 0; shift < 32; shift += 8) {
            octets.insert(octets.begin(), static_cast<std::uint8_t>(i >> shift));
        }
        return octets;
    };
    // More chunks than their 16-bit numbers tell apart would take minutes; some dozens turn over.
    constexpr unsigned count = 30'000;
    for (unsigned i = 0; i < count; ++i) {
        ring.add_text(
            fmt::format("CLIENT_TRAFFIC_SECRET_0 {:08x}{} {}\n", i, hex(28, i), hex(48, i)), "x");
        if (i > 0) { // a line that comes late
            ring.add_text(fmt::format("SERVER_TRAFFIC_SECRET_0 {:08x}{} {}\n", i - 1,
                                      hex(28, i - 1), hex(48, i)),
                          "x");
        }
        const auto kept = std::min(i, 800U);
        const auto oldest = ring.find(random(i - kept));
        ASSERT_TRUE(same(ring.secret(oldest, Secret::ClientTraffic), bytes(48, i - kept))) << i;
        if (kept > 0) {
            ASSERT_TRUE(same(ring.secret(oldest, Secret::ServerTraffic), bytes(48, i - kept + 1)));
        }
    }
    EXPECT_EQ(ring.entries(), count);
    EXPECT_GT(ring.first_entry(), count - 1001);
    EXPECT_EQ(ring.find(random(7)), KeyRing::none);
    EXPECT_TRUE(ring.secret(7, Secret::ClientTraffic).empty());
    EXPECT_TRUE(ring.client_random(7).empty());
}

TEST(PrivateKeys, OpenPremasterSecretsOfTheirOwnCertificates) {
    const RsaPair a;
    const RsaPair b;
    KeyRing ring;
    ring.add_pem("some words\n" + a.pem + b.pem, "keys.pem");
    EXPECT_TRUE(ring.problems().empty());
    ASSERT_EQ(ring.private_keys(), 2U);
    EXPECT_TRUE(ring.has_key_for(b.key));
    auto secret = bytes(48, 3);
    std::array<std::uint8_t, 48> out{};
    EXPECT_TRUE(ring.open_premaster(b.encrypt(secret), b.key, out));
    EXPECT_TRUE(same(out, secret));
    out.fill(0);
    EXPECT_TRUE(ring.open_premaster(b.encrypt(secret), nullptr, out)); // by trial
    EXPECT_TRUE(same(out, secret));
    EXPECT_FALSE(ring.open_premaster(b.encrypt(secret), a.key, out));
    EXPECT_FALSE(ring.open_premaster(b.encrypt(bytes(47, 1)), b.key, out));
    EXPECT_FALSE(ring.open_premaster(bytes(256, 1), nullptr, out));
    EXPECT_FALSE(ring.open_premaster(bytes(300, 1), nullptr, out));
    EXPECT_FALSE(ring.open_premaster({}, nullptr, out));
}

TEST(PrivateKeys, ThatCannotHelpAreNamed) {
    const RsaPair pair;
    KeyRing ring;
    ring.add_pem(pem_of(pair.key, "1234"), "locked.pem");
    auto* ec = EVP_EC_gen("P-256");
    ring.add_pem(pem_of(ec), "ec.pem");
    EVP_PKEY_free(ec);
    ring.add_pem("nothing", "empty.pem");
    ring.add_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "bad.pem");
    ASSERT_EQ(ring.problems().size(), 4U);
    EXPECT_TRUE(ring.problems()[0].starts_with("locked.pem: its private key is protected by a "));
    EXPECT_TRUE(ring.problems()[1].starts_with("ec.pem: only RSA keys can open TLS"));
    EXPECT_EQ(ring.problems()[2], "empty.pem: holds no private key");
    EXPECT_EQ(ring.problems()[3], "bad.pem: its PRIVATE KEY is damaged");
    EXPECT_EQ(ring.private_keys(), 0U);
}

TEST(PrivateKeys, OfSixtyFourThousandOctetsOfNothingAreNamedAndPassedOver) {
    std::string pem = "-----BEGIN PRIVATE KEY-----\n";
    for (int line = 0; line < 1024; ++line) {
        pem += std::string(64, 'A') + "\n";
    }
    pem += "-----END PRIVATE KEY-----\n";
    KeyRing ring;
    ring.add_pem(pem, "keys.pem");
    EXPECT_EQ(ring.private_keys(), 0U);
    ASSERT_EQ(ring.problems().size(), 1U);
    EXPECT_EQ(ring.problems().front(), "keys.pem: its PRIVATE KEY is damaged");
    KeyRing log; // the same where a secret should be, and where a random should be
    log.add_text("CLIENT_RANDOM " + hex(32, 1) + " " + std::string(65536, 'a') + "\n" +
                     "CLIENT_RANDOM " + std::string(65536, 'a') + " " + hex(48, 1) + "\n" +
                     "CLIENT_RANDOM " + hex(32, 2) + " " + hex(48, 1) + "\n",
                 "tls.keys");
    EXPECT_EQ(log.entries(), 1U);
    ASSERT_EQ(log.problems().size(), 1U);
    EXPECT_EQ(log.problems().front(),
              "tls.keys: 2 lines not understood, the first at line 1: the line is too long");
}

TEST(KeyFiles, AreRecognisedByTheirBytes) {
    const Directory directory;
    const RsaPair pair;
    KeyRing ring;
    ASSERT_TRUE(ring.add_file(directory.write("a", pair.pem)));
    // Longer than the blocks that files are read in, with lines across their ends.
    std::string text;
    for (unsigned i = 0; i < 5'000; ++i) {
        text += fmt::format("CLIENT_RANDOM {:08x}{} {}\n", i, hex(28, 7), hex(48, i));
    }
    ASSERT_TRUE(ring.add_file(directory.write("b", text)));
    EXPECT_TRUE(ring.problems().empty());
    EXPECT_EQ(ring.private_keys(), 1U);
    EXPECT_EQ(ring.entries(), 5'000U);
    for (const auto& path : {directory.write("c", std::string("\x0a\x0d\x0d\x0a\0\0\0\x1c", 8)),
                             directory.write("d.txt", "neither\nnor\n")}) {
        const auto refused = ring.add_file(path);
        ASSERT_FALSE(refused) << path;
        EXPECT_STREQ(refused.error().what, "neither a key log nor a private key in PEM");
    }
    ASSERT_TRUE(ring.add_file(directory.write("e", "")));
    EXPECT_TRUE(ring.problems().empty());
    ASSERT_TRUE(ring.add_file(directory.path())); // in a folder they are passed over, and named
    ASSERT_EQ(ring.problems().size(), 2U);
    EXPECT_EQ(ring.problems()[0], "c: neither a key log nor a private key in PEM");
    EXPECT_EQ(ring.problems()[1], "d.txt: neither a key log nor a private key in PEM");
    const auto missing = ring.add_file(directory.path() + "/missing");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Code::NotFound);
}

TEST(KeyFiles, EndInZerosWhereTheWriterLostPower) {
    const Directory directory;
    const auto line = "CLIENT_RANDOM " + hex(32, 1) + " " + hex(48, 2) + "\n";
    KeyRing ring;
    ASSERT_TRUE(ring.add_file(directory.write("a", line + std::string(700, '\0'))));
    EXPECT_EQ(ring.entries(), 1U);
    EXPECT_EQ(ring.problems().size(), 1U);
}

TEST(KeyFiles, OfADirectoryAreAllTakenInTheOrderOfTheirNames) {
    const Directory directory;
    const RsaPair pair;
    directory.write("2.keys", "CLIENT_RANDOM " + hex(32, 1) + " " + hex(48, 2) + "\n");
    directory.write("1.keys", "CLIENT_RANDOM " + hex(32, 1) + " " + hex(48, 1) + "\n");
    directory.write("server.pem", pair.pem);
    std::filesystem::create_directory(directory.path() + "/inner");
    directory.write("inner/3.keys", "CLIENT_RANDOM " + hex(32, 9) + " " + hex(48, 1) + "\n");
    KeyRing ring;
    ASSERT_TRUE(ring.add_file(directory.path()));
    EXPECT_TRUE(ring.problems().empty());
    EXPECT_EQ(ring.private_keys(), 1U);
    ASSERT_EQ(ring.entries(), 1U);
    EXPECT_TRUE(same(ring.secret(0, Secret::Master), bytes(48, 2)));
}

TEST(Comments, OfCallwrightKeysNameTheEndsOfConnections) {
    const Endpoint client{*IpAddress::parse("192.0.2.1"), 40112};
    const Endpoint server{*IpAddress::parse("2001:db8::9"), 5061};
    KeyRing ring;
    const auto line = [](unsigned random, std::string_view more) {
        return fmt::format("# callwright connection random={} {}\n", hex(32, random), more);
    };
    const std::string ends = "client=192.0.2.1:40112 server=[2001:db8::9]:5061 ";
    ring.add_text(
        line(1, ends + "version=0303 suite=c030 server_random=" + hex(32, 77) + " by=x[1]") +
            line(2, "server=[2001:db8::9]:5061 client=192.0.2.1:40112 new=thing") +
            line(3, "client=192.0.2.1:40113 server=[2001:db8::9]:5061"),
        "a");
    const auto found = ring.notes_of(server, client, 8);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_TRUE(same(found[0]->client_random, bytes(32, 2))); // the latest first
    EXPECT_EQ(found[0]->version, 0);
    EXPECT_TRUE(same(found[1]->client_random, bytes(32, 1)));
    EXPECT_TRUE(same(found[1]->server_random, bytes(32, 77)));
    EXPECT_EQ(found[1]->version, 0x0303);
    EXPECT_EQ(found[1]->suite, 0xc030);
    EXPECT_EQ(found[1]->client, client);
    EXPECT_EQ(found[1]->server, server);
    EXPECT_EQ(ring.notes_of(client, server, 1).size(), 1U);
    EXPECT_TRUE(ring.notes_of(client, client, 8).empty());
    EXPECT_TRUE(ring.problems().empty());
}

TEST(Comments, ThatAreBrokenSayNothingAndAreNoFault) {
    const Endpoint client{*IpAddress::parse("192.0.2.1"), 40112};
    const Endpoint server{*IpAddress::parse("192.0.2.9"), 5061};
    const auto good = fmt::format("# callwright connection random={} client=192.0.2.1:40112 "
                                  "server=192.0.2.9:5061",
                                  hex(32, 1));
    for (std::size_t size = 0; size < good.size(); ++size) { // every beginning of it
        KeyRing ring;
        ring.add_text(good.substr(0, size), "a");
        const auto found = ring.notes_of(client, server, 8);
        EXPECT_TRUE(found.empty()) << good.substr(0, size);
        EXPECT_TRUE(ring.problems().empty());
    }
    KeyRing ring;
    ring.add_text("# something else\n# callwright connection \n# callwright connection = == =x\n",
                  "a");
    EXPECT_TRUE(ring.notes_of(client, server, 8).empty());
}

TEST(KeyRing, TellsThatSomethingWasAdded) {
    KeyRing ring;
    EXPECT_TRUE(ring.empty());
    const auto before = ring.generation();
    ring.add_text("CLIENT_RANDOM " + hex(32, 1) + " " + hex(48, 2) + "\n", "x");
    EXPECT_NE(ring.generation(), before);
    EXPECT_FALSE(ring.empty());
}

} // namespace
} // namespace cw::crypto
