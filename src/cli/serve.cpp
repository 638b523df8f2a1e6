// callwright serve: options and file → a configuration → a running service, until a signal.
#include <csignal>
#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/heap.hpp"
#include "cli/serve_page.hpp"
#include "host/config.hpp"
#include "host/metrics.hpp"
#include "host/notify.hpp"
#include "host/service.hpp"
#include "host/zero_config.hpp"
#include "script/value.hpp"

namespace cw::cli {
namespace {

using host::Config;
using host::LogLevel;

struct ServeOptions {
    std::string file;
    std::vector<std::string> listen, domains, users;
    std::string data, trace, metrics, certificate, key, trusted, gather;
    host::WebConfig web; // what was said of it
    bool require_client_certificate = false;
    bool verbose = false;
    bool config_help = false;
};

int complain(int status, const std::string& what) {
    fmt::print(stderr, "callwright: serve: {}\n", what);
    return status;
}

// A configuration, and what of it a person has to be shown.
struct Made {
    Config config;
    std::vector<host::NamedPassword> shown; // users that nobody gave us
};
struct Refused {
    int status = BadUsage;
    std::string why;
};

std::expected<void, Refused> add_users(const ServeOptions& options, Made& made) {
    std::vector<host::NamedPassword> users;
    for (const auto& text : options.users) {
        auto user = host::parse_user(text);
        if (!user) {
            return std::unexpected{Refused{BadUsage, "--user: " + user.error()}};
        }
        users.push_back(std::move(*user));
    }
    auto& domains = made.config.settings.domains;
    if (users.empty() && options.file.empty()) {
        auto kept = host::default_users(made.config.data);
        if (!kept) {
            return std::unexpected{Refused{BadInput, kept.error()}};
        }
        users = made.shown = std::move(*kept);
    }
    for (auto& domain : domains) {
        for (const auto& user : users) {
            domain.users.push_back(host::make_user(user.name, domain.name, user.password));
        }
    }
    return {};
}

std::expected<Made, Refused> make_config(const ServeOptions& options) {
    Made made;
    auto& config = made.config;
    if (!options.file.empty()) {
        auto read = host::read_config(options.file);
        if (!read) {
            return std::unexpected{
                Refused{read.error().line == 0 ? BadInput : BadUsage, read.error().text()}};
        }
        config = std::move(*read);
    }
    for (const auto& text : options.listen) {
        auto listener = host::parse_listener(text);
        if (!listener) {
            return std::unexpected{Refused{BadUsage, "--listen: " + listener.error()}};
        }
        config.settings.listeners.push_back(std::move(*listener));
    }
    for (const auto& name : options.domains) {
        auto& domain = config.settings.domains.emplace_back();
        domain.name = name;
        domain.allow_md5 = options.file.empty();
    }
    if (options.certificate.empty() != options.key.empty()) {
        return std::unexpected{Refused{BadUsage, "--cert and --key belong together"}};
    }
    if (!options.certificate.empty()) {
        config.tls.certificates.insert(config.tls.certificates.begin(),
                                       {options.certificate, options.key});
    }
    const auto take = [](const std::string& option, std::string& into) {
        into = option.empty() ? into : option;
    };
    take(options.data, config.data);
    take(options.trace, config.trace);
    take(options.metrics, config.metrics);
    take(options.trusted, config.tls.trusted);
    take(options.web.at, config.web.at);
    take(options.web.certificate, config.web.certificate);
    take(options.web.key, config.web.key);
    take(options.web.token_file, config.web.token_file);
    take(options.web.store, config.web.store);
    config.web.plain_http = config.web.plain_http || options.web.plain_http;
    if (config.web.at.empty() && !config.web.store.empty()) {
        return std::unexpected{Refused{BadUsage, "--store belongs to --web"}};
    }
    if (!options.gather.empty()) {
        const auto gather = script::parse_duration(options.gather);
        if (!gather || gather->ns < 0 || *gather > milliseconds(100)) {
            return std::unexpected{
                Refused{BadUsage, fmt::format("--gather {}: no time like 1ms or 0s, 100ms at most",
                                              options.gather)}};
        }
        config.limits.net.gather = *gather;
    }
    if (options.require_client_certificate) {
        config.tls.clients = net::ClientCertificates::Required;
    }
    if (options.verbose) {
        config.log_level = LogLevel::Debug;
    }
    host::add_default_places(config);
    if (auto users = add_users(options, made); !users) {
        return std::unexpected{users.error()};
    }
    return made;
}

// ---- what a person needs to connect a phone

void print_welcome(const host::Service& service, const Made& made) {
    const server::Listener* tls = nullptr;
    for (const auto& listener : service.listeners()) {
        fmt::print("listening on {}:{}\n", sip::to_string(listener.transport),
                   to_string(listener.at));
        if (listener.transport == sip::Transport::Tls && tls == nullptr) {
            tls = &listener;
        }
    }
    if (!service.throw_away_ca().empty()) {
        fmt::print("phones have to trust {}\n", service.throw_away_ca());
    }
    if (made.shown.empty()) {
        return;
    }
    const auto& domain = made.config.settings.domains.front().name;
    for (const auto& user : made.shown) {
        fmt::print("user {}@{}  password {}\n", user.name, domain, user.password);
    }
    if (tls != nullptr && ::isatty(STDOUT_FILENO) != 0) {
        const auto& user = made.shown.front();
        fmt::print("\nbaresip   accounts: <sip:{0}@{1}:{2};transport=tls>;auth_pass={3};"
                   "mediaenc=srtp-mand\n"
                   "          config:   sip_cafile {4}\n"
                   "linphone  linphonecsh register --username {0} --host {1}:{2} --password {3}\n"
                   "          ~/.linphonerc, [sip]: root_ca={4}\n\n",
                   user.name, domain, tls->at.port, user.password, service.throw_away_ca());
    }
}

// ---- until a signal

sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGHUP, SIGTERM, SIGINT}) {
        sigaddset(&set, signal);
    }
    return set;
}

// The next signal; 0 when a second has passed without one.
int wait_for_signal(const sigset_t& set) {
    const timespec second{1, 0};
    const int signal = sigtimedwait(&set, nullptr, &second);
    return signal > 0 ? signal : 0;
}

void reload(const ServeOptions& options, host::Service& service, host::Log& log) {
    host::notify_systemd("RELOADING=1");
    auto made = make_config(options);
    std::expected<void, std::string> done;
    if (!made) {
        done = std::unexpected{made.error().why};
    } else {
        done = service.reload(made->config);
        log.set_level(made->config.log_level);
    }
    if (done) {
        log.line(LogLevel::Info, "reloaded");
    } else {
        log.line(LogLevel::Error, "reload_refused", host::field("reason", done.error()));
    }
    host::notify_systemd("READY=1");
}

void serve_until_told(const ServeOptions& options, host::Service& service, host::Log& log,
                      const sigset_t& signals, std::uint32_t drain_s) {
    for (int signal = 0; signal != SIGTERM && signal != SIGINT;) {
        signal = wait_for_signal(signals);
        if (signal == SIGHUP) {
            reload(options, service, log);
        }
        service.tick(net::Loop::now());
    }
    host::notify_systemd("STOPPING=1");
    log.line(LogLevel::Info, "draining");
    service.drain();
    const auto until = net::Loop::now() + seconds(drain_s);
    while (!service.idle() && net::Loop::now() < until) {
        if (const int signal = wait_for_signal(signals); signal == SIGTERM || signal == SIGINT) {
            break; // asked twice
        }
    }
    service.stop();
    log.line(LogLevel::Info, "stopped");
}

int run(const ServeOptions& options) {
    if (options.config_help) {
        fmt::print("{}", host::config_help());
        return Good;
    }
    restart_with_large_pages();
    auto made = make_config(options);
    if (!made) {
        return complain(made.error().status, made.error().why);
    }
    prepare_thread_heaps();
    std::signal(SIGPIPE, SIG_IGN);
    const auto signals = our_signals(); // of this thread alone: those that follow inherit the mask
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);

    host::Log log{STDERR_FILENO, made->config.log_level};
    std::shared_ptr<host::TraceQueue> queue;
    if (!made->config.web.at.empty()) {
        auto created = host::TraceQueue::create();
        if (!created) {
            return complain(BadInput, created.error());
        }
        queue = std::move(*created);
    }
    auto service = host::Service::start(made->config, log, queue);
    if (!service) {
        return complain(BadInput, service.error());
    }
    std::unique_ptr<ServePage> page;
    if (queue != nullptr) {
        auto started = ServePage::start(made->config, (*service)->certificate(), queue, log);
        if (!started) {
            return complain(started.error().status, started.error().why);
        }
        page = std::move(*started);
    }
    std::unique_ptr<host::MetricsServer> metrics;
    if (!made->config.metrics.empty()) {
        auto started = host::MetricsServer::start(
            *parse_endpoint(made->config.metrics, 9600), [&it = **service] {
                const auto totals = it.totals();
                return host::MetricsServer::Page{host::metrics_text(totals), totals.silent == 0};
            });
        if (!started) {
            return complain(BadInput, started.error());
        }
        metrics = std::move(*started);
    }
    print_welcome(**service, *made);
    if (page != nullptr) {
        // Note: what is not a terminal may be a log, and no secret belongs there.
        fmt::print("{}", page->welcome(::isatty(STDOUT_FILENO) == 1));
    }
    fmt::print("callwright: ready\n");
    std::fflush(stdout);
    host::notify_systemd("READY=1");
    serve_until_told(options, **service, log, signals, made->config.drain_s);
    return Good;
}

} // namespace

Command add_serve(CLI::App& app) {
    auto* serve = app.add_subcommand("serve", "a secure registrar and proxy");
    auto options = std::make_shared<ServeOptions>();
    serve->add_option("-c,--config", options->file, "TOML file; --config-help documents it")
        ->type_name("FILE");
    serve->add_option("--listen", options->listen, "udp, tcp, tls, ws or wss; repeatable")
        ->type_name("tls:ADDR:PORT");
    serve->add_option("--domain", options->domains, "a domain of ours; repeatable")
        ->type_name("NAME");
    serve->add_option("--user", options->users, "who may register, in every domain; repeatable")
        ->type_name("NAME:PASSWORD");
    serve->add_option("--data", options->data, "bindings and the throw-away CA (callwright-data)")
        ->type_name("DIR");
    serve
        ->add_option("--trace", options->trace,
                     "write all that is served, with its TLS secrets, as pcapng")
        ->type_name("FILE");
    serve->add_option("--cert", options->certificate, "PEM: certificate and chain")
        ->type_name("FILE");
    serve->add_option("--key", options->key, "PEM: its private key")->type_name("FILE");
    serve->add_option("--trust", options->trusted, "PEM: CAs that peers are verified against")
        ->type_name("FILE");
    serve->add_flag("--require-client-cert", options->require_client_certificate,
                    "no TLS without a certificate of the client");
    serve
        ->add_option("--gather", options->gather,
                     "when busy, what comes within this time is handled together (4ms)")
        ->type_name("TIME");
    serve->add_option("--metrics", options->metrics, "HTTP: /metrics and /healthz")
        ->type_name("ADDR:PORT");
    serve
        ->add_option("--web", options->web.at,
                     "a page of what is served, over TLS; without HOST for this machine alone")
        ->type_name("[HOST]:PORT");
    serve->add_flag("--web-http", options->web.plain_http,
                    "the page without TLS; on loopback only");
    serve
        ->add_option("--web-cert", options->web.certificate,
                     "PEM certificate of the page (default: the server's)")
        ->type_name("FILE");
    serve->add_option("--web-key", options->web.key, "its private key")->type_name("FILE");
    serve
        ->add_option("--web-token-file", options->web.token_file,
                     "who has this token sees the page (DATA/web-token)")
        ->type_name("FILE");
    serve
        ->add_option("--store", options->web.store,
                     "keep what has ended, for the page and callwright search (mode 0600)")
        ->type_name("FILE");
    serve->add_flag("-v,--verbose", options->verbose, "log more");
    serve->add_flag("--config-help", options->config_help, "print every key of the file");
    serve->footer(
        "Examples:\n"
        "  callwright serve                    localhost, its own CA, two users\n"
        "  callwright serve --listen tls:0.0.0.0:5061 --domain example.com \\\n"
        "      --cert cert.pem --key key.pem --user alice:secret --data /var/lib/callwright\n"
        "  callwright serve -c serve.toml      SIGHUP reads it again\n"
        "  callwright serve --web :8080        a page of its calls, registrations and handshakes\n"
        "  callwright serve --trace t.pcapng   then: callwright read t.pcapng");
    return [options] { return run(*options); };
}

} // namespace cw::cli
