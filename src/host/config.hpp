// What `callwright serve` is told by its options and its TOML file. The keys stand in one table
// (config_keys.cpp) from which they are read, checked and documented; docs/formats/serve-toml.md is
// that table.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/identity.hpp"
#include "host/log.hpp"
#include "host/resolver.hpp"
#include "host/shard.hpp"
#include "net/tls.hpp"
#include "server/settings.hpp"
#include "store/call_store.hpp"
#include "store/location.hpp"

namespace cw::host {

struct TrunkCertificate {
    std::string domain;
    net::CertificateFiles files;
};

// A page of what goes on (`serve --web`), and calls that ended in a store.
struct WebConfig {
    std::string at;               // "[HOST]:PORT"; empty: no page
    std::string certificate, key; // PEM; empty: what the server shows on TLS
    std::string token_file;       // empty: DATA/web-token
    bool plain_http = false;      // on loopback only
    std::size_t keep = 20'000;    // calls that ended, on the page
    std::string store;            // empty: none
    store::CallStore::Settings kept;
};

struct Config {
    server::Settings settings; // listeners as asked for, not yet bound
    std::string data = "callwright-data";
    std::uint32_t shards = 0; // 0: one a core
    store::Durability durability = store::Durability::ProcessDeath;
    std::string trace;   // a pcapng file; empty: none
    std::string metrics; // ADDR:PORT of the HTTP listener; empty: none
    WebConfig web;
    LogLevel log_level = LogLevel::Info;
    std::uint32_t drain_s = 30;
    std::string dns_servers; // empty: those of the system
    net::TlsSettings tls;
    std::uint32_t ticket_hours = 12; // how often ticket keys are changed; 0: no tickets
    // What the servers that we connect to staple: not looked at; taken where it is there; demanded.
    enum class PeerOcsp : std::uint8_t { Ignore, Check, Require };
    PeerOcsp peer_ocsp = PeerOcsp::Check;
    crypto::IdentityPolicy identity;
    std::vector<TrunkCertificate> trunk_certificates;
    FixedPlaces fixed_places;
    ShardLimits limits{.net = {.gather = milliseconds(4)}};
    bool connections_asked = false; // limits.net.connections is no default
};

// What is wrong with a configuration, and where.
struct ConfigError {
    std::string file;
    std::uint32_t line = 0; // from 1; 0: of the file as a whole
    std::uint32_t column = 0;
    std::string what;
    std::string source; // the line itself

    // "FILE:3:5: unknown key 'lisen'…", and the line with a caret under the place.
    [[nodiscard]] std::string text() const;
};

std::expected<Config, ConfigError> read_config(const std::string& path);
// The same for text that is here already; `name` is said in errors.
std::expected<Config, ConfigError> parse_config(std::string_view toml, const std::string& name);

// Every key with its value, default and meaning, in Markdown.
std::string config_help();

// "tls:0.0.0.0:5061", "udp:[::1]:5060", "tcp:5060" (all addresses), "wss:127.0.0.1".
std::expected<server::Listener, std::string> parse_listener(std::string_view text);
// With one hash an algorithm that `domain` may ask for.
server::User make_user(std::string_view name, std::string_view domain, std::string_view password);

} // namespace cw::host
