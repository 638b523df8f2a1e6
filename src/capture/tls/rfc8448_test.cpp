// The traces of RFC 8448, read with the secrets that it prints.
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "capture/tls/test_listener.hpp"

namespace cw::capture::tls::test {
namespace {

struct Item {
    std::string section;
    std::string context;
    std::string name;
    std::string hex;
};

// The file is a flat list of objects whose texts hold no quotes but those in `context`.
std::vector<Item> read_items(const std::string& path) {
    std::ifstream file{path};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto field = [&](std::size_t from, const char* name) {
        const auto key = std::string{"\""} + name + "\": \"";
        const auto at = text.find(key, from) + key.size();
        auto end = at;
        while (text[end] != '"' || text[end - 1] == '\\') {
            ++end;
        }
        return text.substr(at, end - at);
    };
    std::vector<Item> items;
    for (auto at = text.find("\"section\""); at != std::string::npos;
         at = text.find("\"section\"", at + 1)) {
        items.push_back(
            {field(at, "section"), field(at, "context"), field(at, "name"), field(at, "hex")});
    }
    return items;
}

std::string from_hex(const std::string& hex) {
    std::string out;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        out += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
    }
    return out;
}

struct Trace {
    std::string key_log;
    std::vector<Peers::Piece> wire;
    std::array<std::string, 2> data; // application data
};

Trace read_trace(const std::vector<Item>& items, std::string_view section) {
    Trace trace;
    std::string random;
    const std::vector<std::pair<std::string, std::string>> labels{
        {"c e traffic", "CLIENT_EARLY_TRAFFIC_SECRET"},
        {"c hs traffic", "CLIENT_HANDSHAKE_TRAFFIC_SECRET"},
        {"s hs traffic", "SERVER_HANDSHAKE_TRAFFIC_SECRET"},
        {"c ap traffic", "CLIENT_TRAFFIC_SECRET_0"},
        {"s ap traffic", "SERVER_TRAFFIC_SECRET_0"},
    };
    for (const auto& item : items) {
        if (!item.section.starts_with(section)) {
            continue;
        }
        const auto from = item.context.starts_with("{client}") ? Side::Client : Side::Server;
        if (item.name == "complete record") {
            trace.wire.push_back({from, from_hex(item.hex)});
        } else if (item.name == "payload" &&
                   item.context.find("application_data") != std::string::npos) {
            trace.data[index_of(from)] += from_hex(item.hex);
        } else if (item.name == "ClientHello" && random.empty()) {
            random = item.hex.substr(12, 64);
        } else if (item.name == "expanded") {
            for (const auto& [name, label] : labels) {
                if (item.context.find("tls13 " + name) != std::string::npos) {
                    trace.key_log += label + " " + random + " " + item.hex + "\n";
                }
            }
        }
    }
    return trace;
}

class Rfc8448 : public testing::Test {
  protected:
    void SetUp() override {
        items_ = read_items(CALLWRIGHT_SHARED_DIR "/material/vectors/rfc8448.json");
        if (items_.empty()) {
            GTEST_SKIP() << "material/vectors/rfc8448.json is not here";
        }
    }
    // Feeds the trace in `chunk`s and expects all of its data, and both close_notifys.
    void read(std::string_view section, std::size_t chunk, auto check) {
        const auto trace = read_trace(items_, section);
        ASSERT_FALSE(trace.wire.empty());
        Tap tap{trace.key_log};
        ASSERT_TRUE(tap.ring.problems().empty());
        for (const auto& piece : trace.wire) {
            tap.feed(piece.from, piece.bytes, chunk);
        }
        tap.finish();
        EXPECT_EQ(tap.listener.heard[0], trace.data[0]);
        EXPECT_EQ(tap.listener.heard[1], trace.data[1]);
        EXPECT_EQ(tap.connection.summary().unopened, 0U);
        const auto out = tap.described();
        EXPECT_EQ(out.version, "TLSv1.3");
        EXPECT_EQ(out.cipher, "TLS_AES_128_GCM_SHA256");
        EXPECT_TRUE(out.handshake_done && out.close_notify_client && out.close_notify_server);
        check(tap, out);
    }
    void read_in_all_chunks(std::string_view section, auto check) {
        for (const std::size_t chunk : {SIZE_MAX, std::size_t{1}, std::size_t{7}}) {
            read(section, chunk, check);
        }
    }

    std::vector<Item> items_;
};

TEST_F(Rfc8448, SimpleHandshakeDecrypts) {
    read_in_all_chunks("3.", [](const Tap& tap, const flow::Connection& out) {
        EXPECT_EQ(tap.listener.heard[0].size(), 50U);
        EXPECT_EQ(out.sni, "server");
        EXPECT_EQ(out.group, "x25519");
        ASSERT_EQ(out.server_chain.size(), 1U);
        EXPECT_EQ(out.server_chain[0].subject, "CN=rsa");
    });
}

TEST_F(Rfc8448, ResumedHandshakeWithEarlyDataDecrypts) {
    read_in_all_chunks("4.", [](const Tap& tap, const flow::Connection& out) {
        EXPECT_TRUE(out.resumed);
        EXPECT_TRUE(tap.listener.heard[0].starts_with("ABCDEF"));
        EXPECT_TRUE(tap.connection.summary().early_data);
    });
}

TEST_F(Rfc8448, HelloRetryRequestDecrypts) {
    read_in_all_chunks("5.", [](const Tap& tap, const flow::Connection& out) {
        EXPECT_TRUE(out.hello_retry);
        EXPECT_EQ(out.group, "secp256r1");
        EXPECT_EQ(tap.listener.count("ClientHello"), 2U);
    });
}

TEST_F(Rfc8448, ClientAuthenticationDecrypts) {
    read_in_all_chunks("6.", [](const Tap&, const flow::Connection& out) {
        EXPECT_TRUE(out.mutual);
        ASSERT_EQ(out.client_chain.size(), 1U);
        EXPECT_EQ(out.client_chain[0].subject, "CN=client");
    });
}

TEST_F(Rfc8448, CompatibilityModeDecrypts) {
    read_in_all_chunks("7.", [](const Tap&, const flow::Connection&) {});
}

} // namespace
} // namespace cw::capture::tls::test
