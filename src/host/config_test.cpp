#include "host/config.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace {

using namespace cw;
using namespace cw::host;

Config good(std::string_view toml) {
    auto config = parse_config(toml, "serve.toml");
    EXPECT_TRUE(config) << config.error().text();
    return config ? std::move(*config) : Config{};
}
std::string refused(std::string_view toml) {
    const auto config = parse_config(toml, "serve.toml");
    return config ? "taken" : config.error().text();
}

TEST(Config, TakesEveryPartOfAServer) {
    const auto config = good(R"(
listen = ["tls:0.0.0.0:5061", "udp:[::1]:5062", { at = "wss:127.0.0.1", host = "sip.example.com" }]
data = "/var/lib/callwright"
shards = 4
durability = "power-loss"
log_level = "debug"
[[domain]]
name = "Example.COM"
allow_md5 = true
[[domain.users]]
name = "alice"
password = "secret"
[[domain.users]]
name = "bob"
ha1_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"
[tls]
certificates = [{ certificate = "a.pem", key = "a.key" }]
clients = "optional"
minimum_version = "1.3"
[[trunk]]
domain = "carrier.example"
next_hop = "sips:sbc.carrier.example"
certificate = "trunk.pem"
key = "trunk.key"
[[resolve]]
name = "carrier.example"
to = ["tls:192.0.2.1:5061", "tcp:192.0.2.2"]
[proxy]
forking = "serial"
timer_c_s = 200
trying_ms = 50
[limits]
idle_s = 600
)");
    const auto& s = config.settings;
    ASSERT_EQ(s.listeners.size(), 3U);
    EXPECT_EQ(to_string(s.listeners[0].at), "0.0.0.0:5061");
    EXPECT_EQ(to_string(s.listeners[1].at), "[::1]:5062");
    EXPECT_EQ(s.listeners[2].at.port, 8443);
    EXPECT_EQ(s.listeners[2].host, "sip.example.com");
    ASSERT_EQ(s.domains.size(), 1U);
    EXPECT_EQ(s.domains[0].name, "example.com");
    ASSERT_EQ(s.domains[0].users.size(), 2U);
    EXPECT_EQ(config.durability, store::Durability::PowerLoss);
    EXPECT_EQ(config.tls.clients, net::ClientCertificates::Optional);
    EXPECT_EQ(config.tls.minimum_version, 0x0304);
    ASSERT_EQ(config.trunk_certificates.size(), 1U);
    EXPECT_EQ(config.trunk_certificates[0].files.key, "trunk.key");
    EXPECT_EQ(config.fixed_places.by_name.at("carrier.example").size(), 2U);
    EXPECT_EQ(s.forking, server::Forking::Serial);
    EXPECT_EQ(s.timer_c, seconds(200));
    EXPECT_EQ(s.trying, milliseconds(50));
    EXPECT_EQ(config.limits.idle, seconds(600));
}

// The hashes of RFC 7616 §3.9.1: Mufasa of http-auth@example.org.
TEST(Config, KeepsHashesOfAPasswordAlone) {
    const auto user = make_user("Mufasa", "http-auth@example.org", "Circle of Life");
    EXPECT_EQ(user.ha1_md5, "3d78807defe7de2157e2b0b6573a855f");
    EXPECT_EQ(user.ha1_sha256, "7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232");
}

TEST(Config, NamesTheKeyThatAnUnknownOneResembles) {
    EXPECT_EQ(refused("data = 'x'\nlisen = []\n"),
              "serve.toml:2:1: unknown key 'lisen'; did you mean 'listen'?\n"
              "  lisen = []\n"
              "  ^");
    EXPECT_EQ(refused("[tls]\n  xyzzy_quux_plugh = 1"),
              "serve.toml:2:3: unknown key 'xyzzy_quux_plugh'\n"
              "    xyzzy_quux_plugh = 1\n"
              "    ^");
}

TEST(Config, SaysWhatWasExpected) {
    EXPECT_EQ(refused("shards = 65"), "serve.toml:1:10: expected a whole number from 0 to 64\n"
                                      "  shards = 65\n"
                                      "           ^");
    EXPECT_TRUE(refused("shards = 'two'").contains("expected a whole number"));
    EXPECT_TRUE(refused("log_level = 'loud'")
                    .contains("expected 'error', 'warning', 'info' or 'debug', found 'loud'"));
    EXPECT_TRUE(refused("listen = ['tls']").contains("'tls' is not a listener: no transport"));
    EXPECT_TRUE(refused("listen = ['sctp:1.2.3.4']").contains("udp, tcp, tls, ws or wss"));
    EXPECT_TRUE(refused("[[domain]]").contains("a domain without a name"));
    EXPECT_TRUE(refused("domain = 5").contains("expected a table"));
    EXPECT_TRUE(refused("tls = 5").contains("expected a table"));
    EXPECT_TRUE(refused("[[trunk]]\ndomain='a'\nkey='k'").contains("belong together"));
    EXPECT_TRUE(refused("data = \"a\\nb\"").contains("a line end"));
    EXPECT_TRUE(refused("data = ").starts_with("serve.toml:1:"));
    EXPECT_TRUE(refused("data = 'a'\ndata = 'b'").starts_with("serve.toml:2:"));
}

TEST(Config, ShowsNoPassword) {
    for (const char* toml : {
             "[[domain]]\nname='a'\nusers=[{name='x', pwd='geheim'}]",
             "[[domain]]\nname='a'\nusers=[{name='', password='geheim'}]",
             "[[domain]]\nname='a'\n[[domain.users]]\nname='x'\nha1_md5='geheim'",
             "[[domain]]\nname='a'\n[[domain.users]]\nname='x'\npassword='geheim",
         }) {
        const auto text = refused(toml);
        EXPECT_TRUE(text.starts_with("serve.toml:")) << text;
        EXPECT_FALSE(text.contains("geheim")) << text;
    }
}

TEST(Config, SaysWhichFileIsNotThere) {
    const auto config = read_config("/nowhere/serve.toml");
    ASSERT_FALSE(config);
    EXPECT_TRUE(config.error().text().starts_with("/nowhere/serve.toml: "));
    EXPECT_EQ(config.error().line, 0U);
}

TEST(Config, IsDocumentedFromItsTable) {
    std::ifstream file{CALLWRIGHT_SOURCE_DIR "/docs/formats/serve-toml.md"};
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), config_help())
        << "callwright serve --config-help > docs/formats/serve-toml.md";
}

} // namespace
