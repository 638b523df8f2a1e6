// Every key of the configuration file, in the order of its documentation.
#include <algorithm>

#include "base/text.hpp"
#include "host/config_section.hpp"

namespace cw::host {
namespace {

using toml::node;

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(), ascii_lower);
    return text;
}

// ---- listen

bool add_listener(const node& at, std::string_view text, std::string host, Config& config,
                  Problem& problem) {
    auto listener = parse_listener(text);
    if (!listener) {
        return problem.say(at, listener.error());
    }
    listener->host = std::move(host);
    config.settings.listeners.push_back(std::move(*listener));
    return true;
}

struct ListenTable {
    std::string at, host;
};
constexpr Key<ListenTable> listen_keys[] = {
    {"at", "a string", "", "where: `\"tls:0.0.0.0:5061\"`",
     [](const node& n, ListenTable& t, Problem& p) { return read_string(n, t.at, p); }},
    {"host", "a string", "the address",
     "the name or address by which others reach it, written into Via and Record-Route",
     [](const node& n, ListenTable& t, Problem& p) { return read_string(n, t.host, p); }},
};

bool read_listen(const node& n, Config& config, Problem& problem) {
    const auto* array = n.as_array();
    if (array == nullptr) {
        return problem.say(n, "expected an array of listeners");
    }
    for (const auto& element : *array) {
        if (const auto* table = element.as_table()) {
            ListenTable listen;
            if (!read_table<ListenTable>(*table, listen_keys, listen, problem) ||
                !add_listener(element, listen.at, listen.host, config, problem)) {
                return false;
            }
            continue;
        }
        std::string text;
        if (!read_string(element, text, problem) ||
            !add_listener(element, text, {}, config, problem)) {
            return false;
        }
    }
    return true;
}

// ---- [[domain]]

struct UserTable {
    server::User user;
    std::string password;
};
bool read_ha1(const node& n, std::size_t digits, std::string& into, Problem& problem) {
    if (!read_string(n, into, problem)) {
        return false;
    }
    into = lower(into);
    if (into.size() != digits || into.find_first_not_of("0123456789abcdef") != std::string::npos) {
        return problem.say(n, "expected " + std::to_string(digits) + " hexadecimal digits");
    }
    return true;
}
constexpr Key<UserTable> user_keys[] = {
    {"name", "a string", "", "the user part of the address of record, and the digest username",
     [](const node& n, UserTable& t, Problem& p) { return read_string(n, t.user.name, p); }},
    {"password", "a string", "", "in clear; or, instead of it, one or more of the hashes:",
     [](const node& n, UserTable& t, Problem& p) { return read_string(n, t.password, p); }},
    {"ha1_md5", "32 digits", "", "MD5 of `name:domain:password`",
     [](const node& n, UserTable& t, Problem& p) { return read_ha1(n, 32, t.user.ha1_md5, p); }},
    {"ha1_sha256", "64 digits", "", "SHA-256 of the same",
     [](const node& n, UserTable& t, Problem& p) { return read_ha1(n, 64, t.user.ha1_sha256, p); }},
    {"ha1_sha512_256", "64 digits", "", "SHA-512/256 of the same",
     [](const node& n, UserTable& t, Problem& p) {
         return read_ha1(n, 64, t.user.ha1_sha512_256, p);
     }},
};

struct DomainTable {
    server::Domain domain;
    std::vector<std::pair<std::string, std::string>> passwords; // hashed when the domain is known
};
bool read_users(const node& n, DomainTable& into, Problem& problem) {
    problem.hide_lines(true);
    const bool good = each_table(n, problem, [&](const toml::table& table) {
        UserTable user;
        if (!read_table<UserTable>(table, user_keys, user, problem)) {
            return false;
        }
        if (user.user.name.empty()) {
            return problem.say(table, "a user without a name");
        }
        if (!user.password.empty()) {
            into.passwords.emplace_back(user.user.name, user.password);
            return true;
        }
        if (user.user.ha1_md5.empty() && user.user.ha1_sha256.empty() &&
            user.user.ha1_sha512_256.empty()) {
            return problem.say(table, "a user without a password or a hash of it");
        }
        into.domain.users.push_back(std::move(user.user));
        return true;
    });
    problem.hide_lines(false);
    return good;
}
constexpr Key<DomainTable> domain_keys[] = {
    {"name", "a string", "", "the domain, which is also the realm",
     [](const node& n, DomainTable& t, Problem& p) {
         return read_string(n, t.domain.name, p) &&
                (!(t.domain.name = lower(t.domain.name)).empty() || p.say(n, "an empty name"));
     }},
    {"authenticate", "true, false", "true", "ask for credentials (digest) in every request",
     [](const node& n, DomainTable& t, Problem& p) {
         return read_bool(n, t.domain.authenticate, p);
     }},
    {"allow_md5", "true, false", "false",
     "offer MD5 too, last, for phones that know nothing better",
     [](const node& n, DomainTable& t, Problem& p) { return read_bool(n, t.domain.allow_md5, p); }},
    {"users", "array of tables", "none", "who may register and call; see `[[domain.users]]`",
     read_users},
};
bool read_domains(const node& n, Config& config, Problem& problem) {
    return each_table(n, problem, [&](const toml::table& table) {
        DomainTable it;
        if (!read_table<DomainTable>(table, domain_keys, it, problem)) {
            return false;
        }
        if (it.domain.name.empty()) {
            return problem.say(table, "a domain without a name");
        }
        for (const auto& [user, password] : it.passwords) {
            it.domain.users.push_back(make_user(user, it.domain.name, password));
        }
        config.settings.domains.push_back(std::move(it.domain));
        return true;
    });
}

// ---- [[trunk]]

struct TrunkTable {
    server::Trunk trunk;
    net::CertificateFiles files;
};
constexpr Key<TrunkTable> trunk_keys[] = {
    {"domain", "a string", "", "requests for this domain go there; `\"*\"`: all that is nobody's",
     [](const node& n, TrunkTable& t, Problem& p) {
         return read_string(n, t.trunk.domain, p) &&
                (!(t.trunk.domain = lower(t.trunk.domain)).empty() || p.say(n, "an empty name"));
     }},
    {"next_hop", "a SIP URI", "the domain, by DNS", "where requests for it are sent",
     [](const node& n, TrunkTable& t, Problem& p) { return read_string(n, t.trunk.next_hop, p); }},
    {"require_tls", "true, false", "true",
     "TLS both ways, and the peer must prove `domain` or `identity`",
     [](const node& n, TrunkTable& t, Problem& p) { return read_bool(n, t.trunk.require_tls, p); }},
    {"identity", "a string", "`domain`", "what the peer's certificate must say",
     [](const node& n, TrunkTable& t, Problem& p) { return read_string(n, t.trunk.identity, p); }},
    {"inbound", "true, false", "true", "requests of its users are taken without digest",
     [](const node& n, TrunkTable& t, Problem& p) { return read_bool(n, t.trunk.inbound, p); }},
    {"from_domains", "array of strings", "none", "domains besides `domain` that it may speak for",
     [](const node& n, TrunkTable& t, Problem& p) {
         return read_strings(n, t.trunk.from_domains, p);
     }},
    {"certificate", "a file", "that of `[tls]`", "PEM: the certificate to show to this peer",
     [](const node& n, TrunkTable& t, Problem& p) {
         return read_string(n, t.files.certificate, p);
     }},
    {"key", "a file", "", "PEM: its private key",
     [](const node& n, TrunkTable& t, Problem& p) { return read_string(n, t.files.key, p); }},
};
bool read_trunks(const node& n, Config& config, Problem& problem) {
    return each_table(n, problem, [&](const toml::table& table) {
        TrunkTable it;
        if (!read_table<TrunkTable>(table, trunk_keys, it, problem)) {
            return false;
        }
        if (it.trunk.domain.empty()) {
            return problem.say(table, "a trunk without a domain");
        }
        if (it.files.certificate.empty() != it.files.key.empty()) {
            return problem.say(table, "certificate and key belong together");
        }
        if (!it.files.certificate.empty()) {
            config.trunk_certificates.push_back({it.trunk.domain, std::move(it.files)});
        }
        config.settings.trunks.push_back(std::move(it.trunk));
        return true;
    });
}

// ---- [[resolve]]

struct ResolveTable {
    std::string name;
    std::vector<FixedPlaces::Place> places;
};
constexpr Key<ResolveTable> resolve_keys[] = {
    {"name", "a string", "", "the host of a URI",
     [](const node& n, ResolveTable& t, Problem& p) {
         return read_string(n, t.name, p) &&
                (!(t.name = lower(t.name)).empty() || p.say(n, "an empty name"));
     }},
    {"to", "array of strings", "", "where it is, in this order: `\"tls:192.0.2.1:5061\"`",
     [](const node& n, ResolveTable& t, Problem& p) {
         std::vector<std::string> texts;
         if (!read_strings(n, texts, p)) {
             return false;
         }
         for (const auto& text : texts) {
             const auto place = parse_listener(text);
             if (!place) {
                 return p.say(n, place.error());
             }
             t.places.push_back({place->transport, place->at});
         }
         return true;
     }},
};
bool read_resolve(const node& n, Config& config, Problem& problem) {
    return each_table(n, problem, [&](const toml::table& table) {
        ResolveTable it;
        if (!read_table<ResolveTable>(table, resolve_keys, it, problem)) {
            return false;
        }
        if (it.name.empty()) {
            return problem.say(table, "a place without a name");
        }
        config.fixed_places.by_name[it.name] = std::move(it.places);
        return true;
    });
}

// ---- [tls]

constexpr Key<net::CertificateFiles> certificate_keys[] = {
    {"certificate", "a file", "", "PEM: the certificate, and the chain behind it",
     [](const node& n, net::CertificateFiles& t, Problem& p) {
         return read_string(n, t.certificate, p);
     }},
    {"key", "a file, pkcs11:…", "",
     "PEM: its private key; or a PKCS#11 URI, of a key that stays in its token",
     [](const node& n, net::CertificateFiles& t, Problem& p) { return read_string(n, t.key, p); }},
    {"ocsp", "a file", "none",
     "DER: an OCSP response that is stapled to handshakes, until its nextUpdate; read again at "
     "SIGHUP",
     [](const node& n, net::CertificateFiles& t, Problem& p) { return read_string(n, t.ocsp, p); }},
};
constexpr Word<net::ClientCertificates> client_words[] = {
    {"none", net::ClientCertificates::None},
    {"optional", net::ClientCertificates::Optional},
    {"required", net::ClientCertificates::Required},
};
constexpr Word<Config::PeerOcsp> ocsp_words[] = {
    {"ignore", Config::PeerOcsp::Ignore},
    {"check", Config::PeerOcsp::Check},
    {"require", Config::PeerOcsp::Require},
};
constexpr Word<std::uint16_t> version_words[] = {{"1.2", 0x0303}, {"1.3", 0x0304}};
constexpr Word<crypto::PurposePolicy> purpose_words[] = {
    {"strict", crypto::PurposePolicy::Strict},
    {"by-role", crypto::PurposePolicy::ByRole},
    {"accept-server-auth", crypto::PurposePolicy::AcceptServerAuth},
    {"ignore", crypto::PurposePolicy::Ignore},
};
constexpr Key<Config> tls_keys[] = {
    {"certificates", "array of tables", "a throw-away one",
     "what we show: `{ certificate = FILE, key = FILE, ocsp = FILE }`; the first where no other "
     "has "
     "the name that a client asks for",
     [](const node& n, Config& c, Problem& p) {
         return each_table(n, p, [&](const toml::table& table) {
             auto& files = c.tls.certificates.emplace_back();
             return read_table<net::CertificateFiles>(table, certificate_keys, files, p) &&
                    ((!files.certificate.empty() && !files.key.empty()) ||
                     p.say(table, "certificate and key belong together"));
         });
     }},
    {"trusted", "a file", "none", "PEM: the CAs that peers and phones are verified against",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.tls.trusted, p); }},
    {"system_trust", "true, false", "false", "trust the CAs of the system too",
     [](const node& n, Config& c, Problem& p) { return read_bool(n, c.tls.system_trust, p); }},
    {"revoked", "a file", "none", "PEM: revocation lists; with them, every CA needs one",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.tls.revoked, p); }},
    {"peer_ocsp", "ignore, check, require", "check",
     "OCSP responses that servers staple towards us: one that says revoked refuses with check, one "
     "that proves nothing or is missing with require",
     [](const node& n, Config& c, Problem& p) { return read_word(n, ocsp_words, c.peer_ocsp, p); }},
    {"clients", "none, optional, required", "none", "certificates of those who connect to us",
     [](const node& n, Config& c, Problem& p) {
         return read_word(n, client_words, c.tls.clients, p);
     }},
    {"minimum_version", "1.2, 1.3", "1.2", "the lowest version of TLS, as a string",
     [](const node& n, Config& c, Problem& p) {
         return read_word(n, version_words, c.tls.minimum_version, p);
     }},
    {"ciphers", "a string", "forward secrecy with AEAD",
     "cipher suites of TLS 1.2, as OpenSSL writes them",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.tls.ciphers, p); }},
    {"purposes", "strict, by-role, accept-server-auth, ignore", "accept-server-auth",
     "which extended key usage a peer's certificate needs",
     [](const node& n, Config& c, Problem& p) {
         return read_word(n, purpose_words, c.identity.purposes, p);
     }},
    {"wildcards", "true, false", "false", "let `*.example.com` stand for one label more",
     [](const node& n, Config& c, Problem& p) { return read_bool(n, c.identity.wildcards, p); }},
    {"ticket_hours", "0 to 168", "12",
     "how often the keys of session tickets change; 0: no tickets",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<0, 168>(n, c.ticket_hours, p);
     }},
};

// ---- [registrar], [proxy], [limits]

constexpr std::int64_t year = 31'536'000;
constexpr Key<Config> registrar_keys[] = {
    {"minimum_expires_s", "1 to 31536000", "60", "shorter ones are answered 423",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, year>(n, c.settings.minimum_expires_s, p);
     }},
    {"maximum_expires_s", "1 to 31536000", "7200", "longer ones are made shorter",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, year>(n, c.settings.maximum_expires_s, p);
     }},
    {"default_expires_s", "1 to 31536000", "3600", "when the phone does not say",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, year>(n, c.settings.default_expires_s, p);
     }},
    {"contacts_per_user", "1 to 1000", "10", "bindings of one address of record",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, 1000>(n, c.settings.contacts_per_user, p);
     }},
    {"gruu", "true, false", "true", "give phones that ask a URI of their own (RFC 5627)",
     [](const node& n, Config& c, Problem& p) { return read_bool(n, c.settings.gruu, p); }},
    {"service_route", "a SIP URI", "none", "what phones are told to route by (RFC 3608)",
     [](const node& n, Config& c, Problem& p) {
         return read_string(n, c.settings.service_route, p);
     }},
};
constexpr Word<server::Forking> forking_words[] = {
    {"parallel", server::Forking::Parallel},
    {"serial", server::Forking::Serial},
};
constexpr Key<Config> proxy_keys[] = {
    {"forking", "parallel, serial", "parallel",
     "contacts of one q value; q values are always tried in order",
     [](const node& n, Config& c, Problem& p) {
         return read_word(n, forking_words, c.settings.forking, p);
     }},
    {"redirect", "true, false", "false", "answer 302 with the contacts instead of forwarding",
     [](const node& n, Config& c, Problem& p) { return read_bool(n, c.settings.redirect, p); }},
    {"federation", "true, false", "false",
     "exchange requests with domains that are no trunk, by DNS and their certificates",
     [](const node& n, Config& c, Problem& p) { return read_bool(n, c.settings.federation, p); }},
    {"timer_c_s", "180 to 3600", "180", "how long a call may ring",
     [](const node& n, Config& c, Problem& p) {
         return read_seconds<180, 3600>(n, c.settings.timer_c, p);
     }},
    {"trying_ms", "0 to 200", "200",
     "how long 100 Trying waits, over TCP, TLS and WebSocket, for a response that makes it "
     "needless; 0: it comes at once",
     [](const node& n, Config& c, Problem& p) {
         std::uint32_t ms = 0;
         const bool good = read_integer<0, 200>(n, ms, p);
         c.settings.trying = good ? milliseconds(ms) : c.settings.trying;
         return good;
     }},
    {"serial_wait_s", "1 to 180", "20", "how long before the next q value is tried",
     [](const node& n, Config& c, Problem& p) {
         return read_seconds<1, 180>(n, c.settings.serial_wait, p);
     }},
    {"branches", "1 to 100", "16", "places that one request may be forwarded to",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, 100>(n, c.settings.branches, p);
     }},
    {"transactions", "100 to 10000000", "500000", "in progress at once, of one shard",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<100, 10'000'000>(n, c.settings.transactions, p);
     }},
};
constexpr Key<Config> limit_keys[] = {
    {"connections", "10 to 10000000", "100000",
     "open at once, of one shard; where the system gives a process fewer descriptors: without this "
     "key fewer, with it each of several shards gets a table of its own",
     [](const node& n, Config& c, Problem& p) {
         c.connections_asked = true;
         return read_integer<10, 10'000'000>(n, c.limits.net.connections, p);
     }},
    {"handshakes", "1 to 1000000", "8192",
     "in progress at once, of one shard; beyond these the oldest gives way",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, 1'000'000>(n, c.limits.net.handshakes, p);
     }},
    {"handshakes_per_source", "1 to 100000", "128", "in progress, from one address",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, 100'000>(n, c.limits.net.handshakes_per_source, p);
     }},
    {"handshake_s", "1 to 600", "10", "from the connection to the end of the handshake",
     [](const node& n, Config& c, Problem& p) {
         return read_seconds<1, 600>(n, c.limits.net.handshake, p);
     }},
    {"idle_s", "60 to 604800", "3600", "a connection on which nothing comes is closed",
     [](const node& n, Config& c, Problem& p) {
         return read_seconds<60, 604'800>(n, c.limits.idle, p);
     }},
    {"output_bytes", "65536 to 1073741824", "1048576", "waiting for a peer that does not read",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<65'536, 1'073'741'824>(n, c.limits.net.output, p);
     }},
};
constexpr Key<Config> web_keys[] = {
    {"at", "a string", "no page", "`\":8080\"` for this machine alone, `\"192.0.2.1:8443\"`",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.web.at, p); }},
    {"certificate", "a file", "as on TLS", "PEM certificate and chain of the page",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.web.certificate, p); }},
    {"key", "a file", "as on TLS", "its private key",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.web.key, p); }},
    {"token_file", "a file", "web-token in `data`",
     "who has it sees everything; made with mode 0600",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.web.token_file, p); }},
    {"plain_http", "true, false", "false", "no TLS; on loopback only",
     [](const node& n, Config& c, Problem& p) { return read_bool(n, c.web.plain_http, p); }},
    {"keep", "1 to 1000000", "20000", "calls that ended, on the page",
     [](const node& n, Config& c, Problem& p) {
         return read_integer<1, 1'000'000>(n, c.web.keep, p);
     }},
    {"store", "a file", "none", "keeps what ended for the page and `callwright search`",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.web.store, p); }},
    {"store_days", "1 to 100000", "30", "in the store, calls of the latest so many days",
     [](const node& n, Config& c, Problem& p) {
         std::int64_t days = 0;
         const bool good = read_integer<1, 100'000>(n, days, p);
         c.web.kept.age = good ? seconds(86'400 * days) : c.web.kept.age;
         return good;
     }},
    {"store_mb", "1 to 10000000", "1024", "in the store, about so many megabytes",
     [](const node& n, Config& c, Problem& p) {
         std::uint64_t megabytes = 0;
         const bool good = read_integer<1, 10'000'000>(n, megabytes, p);
         c.web.kept.bytes = good ? megabytes << 20 : c.web.kept.bytes;
         return good;
     }},
};

template <std::size_t N>
bool read_group(const node& n, const Key<Config> (&keys)[N], Config& config, Problem& problem) {
    const auto* table = n.as_table();
    return table != nullptr ? read_table<Config>(*table, keys, config, problem)
                            : problem.say(n, "expected a table");
}

// ---- the file

constexpr Word<store::Durability> durability_words[] = {
    {"process-death", store::Durability::ProcessDeath},
    {"power-loss", store::Durability::PowerLoss},
};
constexpr Word<LogLevel> level_words[] = {
    {"error", LogLevel::Error},
    {"warning", LogLevel::Warning},
    {"info", LogLevel::Info},
    {"debug", LogLevel::Debug},
};
constexpr Key<Config> root_keys[] = {
    {"listen", "array", "loopback",
     "listeners: `\"tls:0.0.0.0:5061\"`, or `{ at = …, host = \"sip.example.com\" }`; udp, tcp, "
     "tls, ws, wss",
     read_listen},
    {"data", "a folder", "callwright-data", "bindings, the sealing secret and the throw-away CA",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.data, p); }},
    {"shards", "0 to 64", "0: one a core", "threads that serve",
     [](const node& n, Config& c, Problem& p) { return read_integer<0, 64>(n, c.shards, p); }},
    {"gather_us", "0 to 100000", "4000",
     "when the shards together are busy, from one look at what has come to the next, so that "
     "messages share system calls "
     "and TLS records; 0: nothing waits",
     [](const node& n, Config& c, Problem& p) {
         std::int64_t us = 0;
         const bool good = read_integer<0, 100'000>(n, us, p);
         c.limits.net.gather = good ? microseconds(us) : c.limits.net.gather;
         return good;
     }},
    {"durability", "process-death, power-loss", "process-death",
     "what an acknowledged binding survives",
     [](const node& n, Config& c, Problem& p) {
         return read_word(n, durability_words, c.durability, p);
     }},
    {"trace", "a file", "none", "a pcapng of all that is served, with the TLS secrets to open it",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.trace, p); }},
    {"metrics", "a string", "none",
     "ADDRESS:PORT of HTTP with `/metrics` (Prometheus) and `/healthz`",
     [](const node& n, Config& c, Problem& p) {
         return read_string(n, c.metrics, p) &&
                (parse_endpoint(c.metrics, 9600) || p.say(n, "expected ADDRESS:PORT"));
     }},
    {"log_level", "error, warning, info, debug", "info", "what is written to standard error",
     [](const node& n, Config& c, Problem& p) {
         return read_word(n, level_words, c.log_level, p);
     }},
    {"drain_s", "0 to 3600", "30", "how long calls in progress are waited for at the end",
     [](const node& n, Config& c, Problem& p) { return read_integer<0, 3600>(n, c.drain_s, p); }},
    {"dns_servers", "a string", "those of the system", "`\"192.0.2.1,192.0.2.2:5353\"`",
     [](const node& n, Config& c, Problem& p) { return read_string(n, c.dns_servers, p); }},
    {"domain", "tables", "localhost", "see `[[domain]]`", read_domains},
    {"trunk", "tables", "none", "see `[[trunk]]`", read_trunks},
    {"resolve", "tables", "none", "see `[[resolve]]`", read_resolve},
    {"tls", "a table", "", "see `[tls]`",
     [](const node& n, Config& c, Problem& p) { return read_group(n, tls_keys, c, p); }},
    {"registrar", "a table", "", "see `[registrar]`",
     [](const node& n, Config& c, Problem& p) { return read_group(n, registrar_keys, c, p); }},
    {"proxy", "a table", "", "see `[proxy]`",
     [](const node& n, Config& c, Problem& p) { return read_group(n, proxy_keys, c, p); }},
    {"limits", "a table", "", "see `[limits]`",
     [](const node& n, Config& c, Problem& p) { return read_group(n, limit_keys, c, p); }},
    {"web", "a table", "", "see `[web]`",
     [](const node& n, Config& c, Problem& p) { return read_group(n, web_keys, c, p); }},
};

// ---- documentation

template <class T, std::size_t N>
void document(std::string& out, const char* title, const char* about, const Key<T> (&keys)[N]) {
    out += "\n## ";
    out.append(title).append("\n\n").append(about);
    out += "\n\n| key | value | default | meaning |\n|---|---|---|---|\n";
    for (const auto& key : keys) {
        out.append("| `").append(key.name).append("` | ").append(key.value).append(" | ");
        out.append(key.absent).append(" | ").append(key.meaning).append(" |\n");
    }
}

} // namespace

bool read_root(const toml::table& root, Config& config, Problem& problem) {
    return read_table<Config>(root, root_keys, config, problem);
}

std::string config_help() {
    std::string out =
        "# The configuration of `callwright serve`\n\n"
        "A TOML file, given with `-c`. This page is what `callwright serve --config-help` prints. "
        "A\n"
        "key that is not here is refused, with its line and the key that it resembles. SIGHUP "
        "reads\n"
        "the file again: certificates, domains, users, trunks and policies take effect for what\n"
        "comes from then on, and nothing that is in progress is disturbed; listeners, `data`,\n"
        "`shards`, `gather_us` and `[limits]` are read at the start only.\n";
    document(out, "The file", "Keys at the top, before the first table.", root_keys);
    document(out, "[[domain]]", "A domain that this server is responsible for.", domain_keys);
    document(out, "[[domain.users]]", "A user of the domain above.", user_keys);
    document(out, "[tls]", "What we show and whom we trust, on all TLS and WSS listeners.",
             tls_keys);
    document(out, "[[trunk]]", "Another domain, or a carrier.", trunk_keys);
    document(out, "[[resolve]]", "A name that is not asked of DNS.", resolve_keys);
    document(out, "[registrar]", "Bindings.", registrar_keys);
    document(out, "[proxy]", "Calls and other requests.", proxy_keys);
    document(out, "[limits]", "What a hostile peer cannot exceed.", limit_keys);
    document(out, "[web]",
             "A page of what is served: calls, registrations, handshakes, live (docs/seeing.md). "
             "Read at the start only.",
             web_keys);
    return out;
}

} // namespace cw::host
