#include "host/load/load.hpp"

#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <thread>

#include <fmt/format.h>

#include "play/load/own_users.hpp"

namespace cw::host {

using script::Control;

namespace {

Duration cpu_of_this_thread() {
    timespec spent{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return seconds(spent.tv_sec) + Duration{spent.tv_nsec};
}

// A connection is a descriptor: as many as the system lets us have. Who may (CAP_SYS_RESOURCE)
// raises the limit itself.
void raise_descriptor_limit() {
    constexpr rlim_t plenty = 1'048'576; // fs.nr_open, unless it was changed
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    const rlimit wanted{plenty, std::max(limit.rlim_max, plenty)};
    if (limit.rlim_cur >= plenty || setrlimit(RLIMIT_NOFILE, &wanted) == 0) {
        return;
    }
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

} // namespace

Load::Load(script::Plan plan, play::Given given, std::optional<play::Rows> rows,
           LoadOptions options)
    : options_(std::move(options)), log_(STDERR_FILENO, LogLevel::Error) {
    scene_.plan = std::move(plan);
    scene_.given = std::move(given);
    scene_.rows = std::move(rows);
}

Load::~Load() {
    shards_.clear();
    if (embedded_ != nullptr) {
        embedded_->stop();
    }
}

std::expected<std::unique_ptr<Load>, std::string> Load::make(script::Plan plan, play::Given given,
                                                             std::optional<play::Rows> rows,
                                                             LoadOptions options) {
    std::unique_ptr<Load> load{
        new Load(std::move(plan), std::move(given), std::move(rows), std::move(options))};
    if (auto opened = load->open(); !opened) {
        return std::unexpected{opened.error()};
    }
    return load;
}

// What `run` performs and a load does not; empty: nothing of it is in the flow.
std::string Load::what_cannot_be() const {
    const auto& plan = scene_.plan;
    for (const auto& step : plan.steps) {
        const auto at = [&](std::string_view what) {
            return fmt::format("line {}: {} is not performed under load", step.place.line, what);
        };
        const auto* declares = std::get_if<script::Declare>(&step.what);
        if ((declares != nullptr && plan.parties[declares->party].created) ||
            std::holds_alternative<script::Destroy>(step.what)) {
            return at("create or destroy");
        }
        const auto* arrow = std::get_if<script::Arrow>(&step.what);
        const auto* channel =
            arrow != nullptr ? std::get_if<script::Channel>(&arrow->content) : nullptr;
        if (channel == nullptr) {
            continue;
        }
        if (channel->carrier == script::Carrier::Dtls) {
            return at("DTLS");
        }
        const bool special = script::says(arrow->facts, script::Word::Mutual) ||
                             script::find<script::BadCertificate>(arrow->facts) != nullptr ||
                             script::find<script::Key>(arrow->facts) != nullptr;
        if (special && plan.parties[arrow->to].control == Control::Played) {
            return at("a special certificate of a party that is played");
        }
    }
    return {};
}

// Whom a literal party is to call, and nobody has said where he is; empty: there is nobody like
// that.
std::string Load::unreachable() const {
    using Kind = script::literal::Instruction::Kind;
    for (const auto& program : scene_.cast.programs) {
        for (const auto& one : program->steps) {
            if (one.kind == Kind::Receive) {
                break; // who calls shows where he is
            }
            if (one.kind != Kind::Send) {
                continue;
            }
            const auto transport = scene_.cast.transport(program->party, one.peer);
            if (!scene_.cast.reach(program->party, one.peer, transport)) {
                const auto& peer = scene_.plan.parties[one.peer];
                return fmt::format("line {}: where is {}? Say --at {}=udp:HOST:PORT",
                                   scene_.plan.steps[one.step].place.line, peer.id, peer.id);
            }
            break;
        }
    }
    return {};
}

// Where nobody has named users and calls would reach each other's phones at a server of ours. More
// calls at once than users share them in turn.
void Load::make_users() {
    constexpr std::uint64_t most = 1000;
    const auto& crowd = options_.crowd;
    const auto registers = play::registrars(scene_.plan, play::Enrol::AtEmbedded);
    const bool enrols =
        std::ranges::any_of(registers, [](const auto& server) { return server.has_value(); });
    std::uint64_t count = 0;
    if (crowd.at_once > 1 && play::shared_phone(scene_.plan)) {
        count = std::min({most, std::uint64_t{crowd.at_once}, crowd.calls.value_or(most)});
    } else if (enrols && options_.shards > 1) { // each registers once
        count = options_.shards;
    }
    if (count != 0 && !scene_.rows) {
        scene_.rows =
            play::make_own_users(scene_.plan, std::max(count, std::uint64_t{options_.shards}));
    }
}

std::expected<void, std::string> Load::open() {
    raise_descriptor_limit();
    auto& plan = scene_.plan;
    if (auto done = mark_listeners(plan, options_.listen); !done) {
        return done;
    }
    if (auto done = mark_real_systems(plan, options_.at); !done) {
        return done;
    }
    if (auto why = what_cannot_be(); !why.empty()) {
        return std::unexpected{std::move(why)};
    }
    make_users();
    auto first = scene_.given;
    if (scene_.rows) {
        first.row = scene_.rows->row(0);
    }
    auto cast = play::make_cast(plan, first);
    if (!cast) {
        return std::unexpected{
            fmt::format("line {}: {}", cast.error().place.line, cast.error().what)};
    }
    scene_.cast = std::move(*cast);
    if (auto done = find_real_systems(plan, scene_.cast); !done) {
        return done;
    }
    for (const auto& member : scene_.cast.members) {
        for (const auto& at : member.at) {
            if (member.control == Control::External && at && !options_.sources.empty() &&
                options_.sources.front().is_v4() != at->address.is_v4()) {
                return std::unexpected{fmt::format("--source {}: {} is at {}, of another family",
                                                   to_string(options_.sources.front()), member.id,
                                                   to_string(at->address))};
            }
        }
    }
    auto places = Places::make(scene_.cast, options_.listen);
    if (!places) {
        return std::unexpected{places.error()};
    }
    scene_.places = std::move(*places);
    if (auto why = unreachable(); !why.empty()) {
        return std::unexpected{std::move(why)};
    }
    auto wardrobe = Wardrobe::make(scene_.cast, names_in_handshakes(plan), scene_.given.folder,
                                   {.cas = options_.trusted, .revoked = {}}, net::Loop::now(), {});
    if (!wardrobe) {
        return std::unexpected{wardrobe.error()};
    }
    scene_.wardrobe = std::move(*wardrobe);
    if (auto done = start_servers(); !done) {
        return done;
    }
    const auto registers = play::registrars(plan, options_.crowd.enrol);
    const bool enrols =
        std::ranges::any_of(registers, [](const auto& server) { return server.has_value(); });
    if (options_.shards > 1 && enrols && !scene_.rows) {
        return std::unexpected{std::string{
            "with more than one shard, phones that register need users of their own: name them in "
            "a CSV file (--users)"}};
    }
    if (options_.shards > 1 && options_.crowd.answers) {
        return std::unexpected{
            std::string{"--jobs: a flow that waits to be called is answered by one shard"}};
    }
    if (scene_.rows && scene_.rows->rows.size() < options_.shards) {
        return std::unexpected{std::string{"there are fewer users than shards"}};
    }
    if (options_.real_time) {
        if (!take_real_time()) {
            return std::unexpected{std::string{
                "--real-time: the system does not permit it; it takes CAP_SYS_NICE, or a limit "
                "(ulimit -r) of 1 and more"}};
        }
        leave_real_time(); // it is for the shards' own threads
    }
    const auto divided = [&](std::uint32_t all, std::uint32_t shard) {
        return all / options_.shards + (shard < all % options_.shards ? 1 : 0);
    };
    for (std::uint32_t i = 0; i < options_.shards; ++i) {
        LoadShardOptions shard;
        shard.crowd = options_.crowd;
        shard.crowd.shard = i;
        shard.crowd.shards = options_.shards;
        shard.crowd.at_once = divided(options_.crowd.at_once, i);
        shard.keep_alive = options_.keep_alive;
        shard.sources = options_.sources;
        shard.resume = options_.resume;
        shard.real_time = options_.real_time;
        shard.tell = [this](LoadNews&& news) { hear(std::move(news)); };
        auto made = LoadShard::make(scene_, std::move(shard));
        if (!made) {
            return std::unexpected{made.error()};
        }
        shards_.push_back(std::move(*made));
    }
    cpu_.resize(options_.shards);
    in_progress_.resize(options_.shards);
    connections_.resize(options_.shards);
    return {};
}

std::expected<void, std::string> Load::start_servers() {
    std::vector<play::Cast> users;
    const bool any = std::ranges::any_of(
        scene_.plan.parties, [](const auto& p) { return p.control == Control::Embedded; });
    for (std::size_t i = 1; any && scene_.rows && i < scene_.rows->rows.size(); ++i) {
        auto given = scene_.given;
        given.row = scene_.rows->row(i);
        auto cast = play::make_cast(scene_.plan, given);
        if (!cast) {
            return std::unexpected{
                fmt::format("line {}: {}", cast.error().place.line, cast.error().what)};
        }
        users.push_back(std::move(*cast));
    }
    embedded_ = std::make_unique<Embedded>(log_);
    return embedded_->start(scene_.plan, scene_.cast, *scene_.wardrobe, scene_.places, users);
}

// ---- the run

// On a shard's thread.
void Load::hear(LoadNews&& news) {
    const std::lock_guard lock{mutex_};
    const auto shard = news.shard;
    const auto cpu = cpu_of_this_thread();
    const auto spent = cpu - cpu_[shard];
    cpu_[shard] = cpu;
    in_progress_[shard] = news.in_progress;
    connections_[shard] = news.connections;
    result_.total.merge(*news.tally);
    result_.cpu = result_.cpu + spent;
    for (auto& call : news.failed) {
        if (result_.failed.size() < options_.crowd.keep_failed) {
            result_.failed.push_back(std::move(call));
        }
    }
    if (!news.hopeless.empty()) {
        result_.hopeless = std::move(news.hopeless);
    }
    if (news.second) {
        auto& pending = pending_[*news.second];
        pending.second.number = *news.second;
        pending.second.tally.merge(*news.tally);
        pending.second.cpu = pending.second.cpu + spent;
        ++pending.told;
    } else {
        enrolling_told_ = true;
    }
    news_.notify_one();
}

const LoadResult& Load::run(const Watcher& watcher) {
    const auto began = net::Loop::now();
    std::vector<std::thread> threads;
    for (auto& shard : shards_) {
        threads.emplace_back([this, &shard] {
            shard->run();
            const std::lock_guard lock{mutex_};
            ++over_;
            news_.notify_one();
        });
    }
    std::unique_lock lock{mutex_};
    for (;;) {
        const auto ready = [this] {
            return over_ == shards_.size() ||
                   (!pending_.empty() && pending_.begin()->second.told >= shards_.size()) ||
                   enrolling_told_;
        };
        news_.wait(lock, ready);
        const bool last = over_ == shards_.size();
        while (!pending_.empty() && (last || pending_.begin()->second.told >= shards_.size())) {
            auto second = std::move(pending_.begin()->second.second);
            pending_.erase(pending_.begin());
            second.in_progress =
                std::accumulate(in_progress_.begin(), in_progress_.end(), std::size_t{0});
            second.connections =
                std::accumulate(connections_.begin(), connections_.end(), std::size_t{0});
            if (watcher.on_second) {
                watcher.on_second(second, result_);
            }
        }
        if (enrolling_told_ && watcher.on_enrolling) {
            watcher.on_enrolling(result_);
        }
        enrolling_told_ = false;
        if (last) {
            break;
        }
    }
    lock.unlock();
    for (auto& thread : threads) {
        thread.join();
    }
    result_.lasted = net::Loop::now() - began;
    result_.interrupted = interrupted_;
    embedded_->stop();
    return result_;
}

void Load::interrupt(Duration grace) {
    interrupted_ = true;
    for (auto& shard : shards_) {
        shard->interrupt(grace);
    }
}

} // namespace cw::host
