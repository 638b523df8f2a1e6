#include "host/service.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <iterator>
#include <latch>
#include <mutex>
#include <utility>

#include <openssl/rand.h>

#include "crypto/ocsp.hpp"
#include "host/expiry.hpp"
#include "host/own_address.hpp"
#include "net/own_table.hpp"
#include "net/token_key.hpp"

namespace cw::host {
namespace {

constexpr Duration between_checkpoints = seconds(10);
constexpr std::size_t descriptors_besides_connections = 64;
constexpr std::size_t few_connections = 1000; // of a shard

// As many descriptors as the system allows; how many these are.
std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

std::uint64_t random_number() {
    std::uint64_t number = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number);
    return number;
}

bool speaks_tls(const server::Listener& listener) {
    return sip::is_secure(listener.transport);
}

std::string describe(const server::Listener& listener) {
    return std::string{sip::to_string(listener.transport)} + ":" + to_string(listener.at);
}

std::size_t shards_of(const Config& config) {
    const auto asked = config.shards != 0 ? config.shards : std::thread::hardware_concurrency();
    return std::clamp<std::size_t>(asked, 1, 64);
}

bool has_token_key(const Config& config) {
    const auto in_token = [](const net::CertificateFiles& files) {
        return net::is_token_key(files.key);
    };
    return std::ranges::any_of(config.tls.certificates, in_token) ||
           std::ranges::any_of(config.trunk_certificates, in_token, &TrunkCertificate::files);
}

Abilities abilities_of(const std::vector<server::Listener>& listeners) {
    Abilities can{.udp = false, .tcp = false, .tls = false, .v4 = false, .v6 = false};
    for (const auto& listener : listeners) {
        can.udp = can.udp || listener.transport == sip::Transport::Udp;
        can.tcp = can.tcp || listener.transport == sip::Transport::Tcp;
        can.tls = can.tls || listener.transport == sip::Transport::Tls;
        (listener.at.address.is_v4() ? can.v4 : can.v6) = true;
    }
    return can;
}

} // namespace

std::expected<std::unique_ptr<Service>, std::string>
Service::start(const Config& config, const Log& log, std::shared_ptr<TraceSink> watcher,
               OnReached on_reached) {
    std::unique_ptr<Service> service{new Service(log, std::move(watcher), std::move(on_reached))};
    if (auto opened = service->open(config); !opened) {
        return std::unexpected{std::move(opened.error())};
    }
    return service;
}

Service::~Service() {
    stop();
}

Service::Done Service::open(const Config& config) {
    auto folder = DataFolder::open(config.data);
    if (!folder) {
        return std::unexpected{folder.error()};
    }
    folder_ = std::make_unique<DataFolder>(std::move(*folder));
    auto location = store::Location::open(folder_->location_file(), config.durability);
    if (!location) {
        return std::unexpected{location.error()};
    }
    location_ = std::move(*location);
    if (!config.trace.empty()) {
        auto trace = TraceFile::create(config.trace);
        if (!trace) {
            return std::unexpected{trace.error()};
        }
        std::shared_ptr<TraceSink> file = std::move(*trace);
        trace_ = trace_ == nullptr ? std::move(file)
                                   : std::make_shared<TraceTee>(std::move(file), trace_);
    }
    tickets_ = std::make_shared<net::Tickets>();
    set_ticket_hours(config.ticket_hours);
    if (auto bound = bind(config); !bound) {
        return bound;
    }
    auto tls = make_tls(config);
    if (!tls) {
        return std::unexpected{tls.error()};
    }
    make_shards(config, std::move(*tls));
    if (auto loaded = load_bindings(); !loaded) {
        return loaded;
    }
    run_shards();
    return {};
}

// The first shard finds out whether a port is free, and which one when it asked for any; the others
// share it.
Service::Done Service::bind(const Config& config) {
    auto settings = config.settings;
    shard_count_ = shards_of(config);
    sockets_.resize(shard_count_);
    for (std::uint32_t number = 0; number < settings.listeners.size(); ++number) {
        auto& listener = settings.listeners[number];
        const bool datagrams = listener.transport == sip::Transport::Udp;
        for (std::size_t shard = 0; shard < shard_count_; ++shard) {
            auto fd = datagrams ? net::bind_datagram(listener.at, shard == 0)
                                : net::listen_stream(listener.at, shard == 0);
            if (!fd) {
                return std::unexpected{describe(listener) + ": " + fd.error()};
            }
            listener.at = net::local_endpoint(fd->get());
            if (listener.host.empty() && listener.at.address.is_unspecified()) {
                listener.host = own_address(listener.at.address.is_v4());
            }
            sockets_[shard].push_back({number, listener, std::move(*fd)});
        }
    }
    settings_ = std::make_shared<const server::Settings>(std::move(settings));
    return {};
}

std::expected<std::shared_ptr<const TlsSet>, std::string> Service::make_tls(const Config& config) {
    auto settings = config.tls;
    const bool wanted = std::ranges::any_of(settings_->listeners, speaks_tls);
    if (settings.certificates.empty() && wanted) {
        std::vector<std::string> domains;
        for (const auto& domain : config.settings.domains) {
            domains.push_back(domain.name);
        }
        std::vector<IpAddress> addresses;
        for (const auto& listener : settings_->listeners) {
            const auto address = listener.at.address.is_unspecified()
                                     ? IpAddress::parse(listener.host)
                                     : listener.at.address;
            if (address && std::ranges::find(addresses, *address) == addresses.end()) {
                addresses.push_back(*address);
            }
        }
        auto files = folder_->throw_away_certificate(domains, addresses, net::Loop::now());
        if (!files) {
            return std::unexpected{files.error()};
        }
        settings.certificates.push_back(std::move(*files));
        throw_away_ca_ = folder_->ca_file();
        if (settings.trusted.empty() && !settings.system_trust) {
            settings.trusted = throw_away_ca_;
        }
    }
    certificate_ =
        settings.certificates.empty() ? net::CertificateFiles{} : settings.certificates.front();
    settings.tickets = tickets_;
    if (trace_ != nullptr) {
        settings.key_log = [trace = trace_](std::string_view line) { trace->add_secret(line); };
    }
    if (config.peer_ocsp != Config::PeerOcsp::Ignore) {
        settings.accepts_staple = [required = config.peer_ocsp == Config::PeerOcsp::Require](
                                      Bytes response, const X509* certificate, const X509* issuer) {
            using State = crypto::OcspVerdict::State;
            if (response.empty()) {
                return !required;
            }
            const auto state = crypto::judge_ocsp(response, {.certificate = certificate,
                                                             .issuer = issuer,
                                                             .others = {},
                                                             .at = net::Loop::now()})
                                   .state;
            return state == State::Good || (!required && state != State::Revoked);
        };
    }
    auto set = std::make_shared<TlsSet>();
    set->policy = config.identity;
    if (!settings.certificates.empty()) {
        auto context = net::TlsContext::make(net::TlsContext::Role::Server, settings);
        if (!context) {
            return std::unexpected{context.error()};
        }
        set->server = std::move(*context);
    }
    std::vector<ShownCertificate> shown;
    const auto add_shown = [&shown](const std::string& file) {
        auto certificates = certificates_in(file);
        std::ranges::move(certificates, std::back_inserter(shown));
    };
    for (const auto& files : settings.certificates) {
        add_shown(files.certificate);
    }
    auto client = net::TlsContext::make(net::TlsContext::Role::Client, settings);
    if (!client) {
        return std::unexpected{client.error()};
    }
    set->client = std::move(*client);
    for (const auto& trunk : config.trunk_certificates) {
        settings.certificates = {trunk.files};
        auto own = net::TlsContext::make(net::TlsContext::Role::Client, settings);
        if (!own) {
            return std::unexpected{own.error()};
        }
        add_shown(trunk.files.certificate);
        set->client_for[trunk.domain] = std::move(*own);
    }
    shown_ = std::move(shown);
    first_expiry_ = first_to_expire(shown_).ns;
    look_at_expiry(net::Loop::now());
    return set;
}

// Of a shard. A system with a limit that is too low for what was asked for may still let each shard
// have a table of its own. Not where that was not asked for: such a process shows few of its
// sockets to /proc, and so to `ss -p` and `lsof`. And not with a key in a token, whose module may
// keep descriptors that it opened in any thread.
std::size_t Service::room_for_connections(const Config& config) {
    const auto descriptors = raise_descriptor_limit();
    const auto spare =
        descriptors_besides_connections + shard_count_ * (settings_->listeners.size() + 4);
    const auto all = descriptors > spare ? descriptors - spare : 1;
    own_tables_ = config.connections_asked && shard_count_ > 1 &&
                  all / shard_count_ < config.limits.net.connections && !has_token_key(config) &&
                  net::may_take_own_table();
    return std::max<std::size_t>(own_tables_ ? all : all / shard_count_, 1);
}

void Service::make_shards(const Config& config, std::shared_ptr<const TlsSet> tls) {
    const auto boot = static_cast<std::uint64_t>(net::Loop::now().ns);
    const auto fixed = std::make_shared<const FixedPlaces>(config.fixed_places);
    auto limits = config.limits;
    limits.net.loops = shard_count_;
    const auto room = room_for_connections(config);
    if (room < limits.net.connections) {
        // Less than was asked for, or hardly enough for anything: somebody has to know. Else the
        // default was a wish.
        const bool matters = config.connections_asked || room < few_connections;
        log_.line(matters ? LogLevel::Warning : LogLevel::Debug, "few_descriptors",
                  field("connections_a_shard", std::to_string(room)) +
                      field("wanted", std::to_string(limits.net.connections)));
        limits.net.connections = room;
    }
    Store store = [&location = *location_](auto rows, const auto& then) {
        return location.apply(rows, then);
    };
    if (own_tables_) {
        store_thread_ = std::make_unique<StoreThread>(*location_);
        store = [&thread = *store_thread_](auto rows, const auto& then) {
            return thread.apply(rows, then);
        };
    }
    std::vector<Shard*> all;
    for (std::size_t i = 0; i < shard_count_; ++i) {
        shards_.push_back(std::make_unique<Shard>(Shard::Setup{
            .identity = {static_cast<std::uint8_t>(i), boot, folder_->secret(), random_number()},
            .settings = settings_,
            .tls = tls,
            .fixed_places = fixed,
            .abilities = abilities_of(settings_->listeners),
            .dns_servers = config.dns_servers,
            .limits = limits,
            .store = store,
            .log = &log_,
            .trace = trace_.get(),
            .on_reached = on_reached_,
        }));
        all.push_back(shards_.back().get());
        for (auto& socket : sockets_[i]) {
            shards_.back()->add(std::move(socket));
        }
    }
    sockets_.clear();
    for (auto& shard : shards_) {
        shard->meet(all);
    }
}

Service::Done Service::load_bindings() {
    std::size_t count = 0;
    const auto loaded = location_->load(net::Loop::now().ns, [&](const store::LocationRow& row) {
        const server::LocationChange change{std::string{row.aor}, std::string{row.key},
                                            row.expires_ns, std::string{row.data}};
        for (auto& shard : shards_) {
            shard->restore(change);
        }
        ++count;
    });
    if (loaded) {
        log_.line(LogLevel::Info, "bindings_loaded", field("count", std::to_string(count)));
    }
    return loaded;
}

// All tables are copied before anybody goes on: what is opened afterwards is in one of them.
void Service::run_shards() {
    const auto copied = std::make_shared<std::latch>(static_cast<std::ptrdiff_t>(shard_count_));
    for (auto& shard : shards_) {
        threads_.emplace_back([this, &shard = *shard, copied, own = own_tables_] {
            if (own && !net::take_own_table()) {
                log_.line(LogLevel::Warning, "few_descriptors");
            }
            copied->arrive_and_wait();
            shard.run();
            if (own) {
                shard.close_all();
            }
        });
    }
    copied->wait();
}

template <class Job>
std::size_t Service::ask_shards(Job job) {
    struct Answers {
        std::mutex mutex;
        std::condition_variable changed;
        std::size_t missing = 0;
    };
    const auto answers = std::make_shared<Answers>();
    answers->missing = shards_.size();
    for (auto& shard : shards_) {
        const bool posted = shard->post([&it = *shard, job, answers] {
            job(it);
            const std::lock_guard lock{answers->mutex};
            --answers->missing;
            answers->changed.notify_one();
        });
        if (!posted) {
            log_.line(LogLevel::Warning, "shard_overloaded");
        }
    }
    std::unique_lock lock{answers->mutex};
    answers->changed.wait_for(lock, std::chrono::seconds(2), [&] { return answers->missing == 0; });
    return answers->missing;
}

Service::Done Service::reload(const Config& config) {
    if (own_tables_ && has_token_key(config)) {
        return std::unexpected{"a key in a token, with so many connections for the descriptors of "
                               "a process, needs another start"};
    }
    auto settings = config.settings;
    settings.listeners = settings_->listeners; // sockets stay
    auto tls = make_tls(config);
    if (!tls) {
        return std::unexpected{tls.error()};
    }
    set_ticket_hours(config.ticket_hours);
    settings_ = std::make_shared<const server::Settings>(std::move(settings));
    const auto fixed = std::make_shared<const FixedPlaces>(config.fixed_places);
    ask_shards([settings = settings_, set = std::move(*tls), fixed](Shard& shard) {
        shard.reload(settings, set, fixed);
    });
    return {};
}

void Service::set_ticket_hours(std::uint32_t hours) {
    if (hours == 0) {
        tickets_->replace({});
    } else if (ticket_hours_ == 0) {
        tickets_->rotate(); // none were sealed so far
    }
    ticket_hours_ = hours;
    next_tickets_ = net::Loop::now() + seconds(std::int64_t{3600} * hours);
}

void Service::look_at_expiry(Instant now) {
    warn_of_expiry(log_, shown_, now);
    next_expiry_ = now + seconds(86400);
}

void Service::tick(Instant now) {
    if (now >= next_expiry_) {
        look_at_expiry(now);
    }
    if (ticket_hours_ != 0 && now >= next_tickets_) {
        tickets_->rotate();
        next_tickets_ = now + seconds(std::int64_t{3600} * ticket_hours_);
    }
    if (now >= next_checkpoint_) {
        next_checkpoint_ = now + between_checkpoints;
        if (const auto done = location_->checkpoint(); !done) {
            log_.line(LogLevel::Warning, "checkpoint_failed", field("reason", done.error()));
        }
    }
}

void Service::drain() {
    ask_shards([](Shard& shard) { shard.drain(); });
}

bool Service::idle() {
    const auto busy = std::make_shared<std::atomic<bool>>(false);
    const auto silent = ask_shards([busy](Shard& shard) {
        if (!shard.idle()) {
            *busy = true;
        }
    });
    return silent == 0 && !*busy;
}

void Service::stop() {
    for (std::size_t i = 0; i < threads_.size(); ++i) {
        shards_[i]->stop();
    }
    for (auto& thread : threads_) {
        thread.join();
    }
    threads_.clear();
    if (location_ != nullptr) {
        static_cast<void>(location_->checkpoint().has_value());
    }
}

Totals Service::totals() {
    struct Sum {
        std::mutex mutex;
        Totals totals;
    };
    const auto sum = std::make_shared<Sum>();
    const auto silent = ask_shards([sum](Shard& shard) {
        const auto logic = shard.server_counters();
        const auto transport = shard.transport_counters();
        const std::lock_guard lock{sum->mutex};
        add(sum->totals, logic, transport);
    });
    const std::lock_guard lock{sum->mutex};
    auto totals = sum->totals;
    totals.silent = silent;
    totals.first_expiry = std::max<std::int64_t>(first_expiry_ / 1'000'000'000, 0);
    return totals;
}

} // namespace cw::host
