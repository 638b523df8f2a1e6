#include "net/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <unistd.h>
#include <utility>

#include "net/loop_state.hpp"

namespace cw::net {
namespace {

constexpr int accepts_a_turn = 32;                     // a listener
constexpr int newcomers_a_turn = 16;                   // and no more than
constexpr Duration newcomers_time = milliseconds(1);   // whichever is less
constexpr Duration listeners_rest = milliseconds(200); // when no descriptor is left
// Deadlines are met so late at most, and those that lie within it share a turn.
constexpr Duration grain = milliseconds(1);
constexpr std::size_t most_jobs = 100'000;

void watch_input(int epoll, int fd, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

// Edge-triggered: each write wakes once, and nothing need be read. What is posted after the jobs of
// a turn were taken wakes the next.
void watch_wake(int epoll, int fd) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.u64 = tag_of(Owner::Wake, 0);
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

bool out_of_descriptors(int error) {
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// OpenSSL writes to its socket without MSG_NOSIGNAL.
void block_sigpipe() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

std::int64_t since_epoch_at_steady_zero() {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count() -
           duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

} // namespace

Loop::Loop(Handler& handler, const Limits& limits)
    : handler_(handler), limits_(limits), pace_(limits.gather, limits.loops),
      epoll_(epoll_create1(EPOLL_CLOEXEC)), newcomers_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), now_(now()), deadlines_(Places{this}),
      buffers_(std::make_unique_for_overwrite<Buffers>()),
      datagrams_(std::make_unique<Datagrams>()) {
    watch_wake(epoll_.get(), wake_.get());
    watch_input(epoll_.get(), newcomers_.get(), tag_of(Owner::Newcomers, 0));
}

Loop::~Loop() = default;

Instant Loop::now() {
    static const std::int64_t zero = since_epoch_at_steady_zero();
    const auto steady = std::chrono::steady_clock::now().time_since_epoch();
    return {zero + std::chrono::duration_cast<std::chrono::nanoseconds>(steady).count()};
}

// ---- sockets of ours

void Loop::listen(Descriptor fd, std::uint32_t listener, std::shared_ptr<const TlsContext> tls) {
    watch_input(tls != nullptr ? newcomers_.get() : epoll_.get(), fd.get(),
                tag_of(Owner::Listener, listeners_.size()));
    const auto local = local_endpoint(fd.get());
    listeners_.push_back(
        std::make_unique<Listener>(Listener{std::move(fd), listener, std::move(tls), local}));
}

void Loop::set_tls(std::uint32_t listener, std::shared_ptr<const TlsContext> tls) {
    for (const auto& l : listeners_) {
        if (l->number == listener && l->tls != nullptr) {
            l->tls = tls;
        }
    }
}

// Other threads may have copies of the descriptors (net/own_table.hpp): closing ours would not end
// what they are of, nor take it out of the epoll.
void Loop::stop_listening() {
    for (const auto& l : listeners_) {
        if (!std::exchange(l->ended, true)) {
            epoll_ctl(l->tls != nullptr ? newcomers_.get() : epoll_.get(), EPOLL_CTL_DEL,
                      l->fd.get(), nullptr);
            ::shutdown(l->fd.get(), SHUT_RDWR);
        }
    }
}

// ---- guests

void Loop::add(Guest& guest) {
    guests_.push_back(&guest);
}

void Loop::remove(Guest& guest) {
    std::erase(guests_, &guest);
    for (const auto& w : watched_) {
        if (w->guest == &guest && w->fd >= 0) {
            watch(guest, w->fd, false, false);
        }
    }
}

void Loop::watch(Guest& guest, int fd, bool input, bool output) {
    auto at = std::ranges::find_if(watched_, [fd](const auto& w) { return w->fd == fd; });
    const bool known = at != watched_.end();
    if (!input && !output) {
        if (known) {
            epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
            **at = {};
        }
        return;
    }
    if (!known) {
        at = std::ranges::find_if(watched_, [](const auto& w) { return w->fd < 0; });
        if (at == watched_.end()) {
            at = watched_.insert(at, std::make_unique<Watched>());
        }
    }
    **at = {&guest, fd};
    epoll_event event{};
    event.events = (input ? EPOLLIN : 0U) | (output ? EPOLLOUT : 0U);
    event.data.u64 = tag_of(Owner::Guest, static_cast<std::size_t>(at - watched_.begin()));
    epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event);
}

// ---- newcomers

void Loop::accept(Listener& listener) {
    for (int i = 0; i < listener.accepts && !listener.ended; ++i) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        Descriptor fd{accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), &length,
                              SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (fd.open()) {
            admit(std::move(fd), from_sockaddr(address), listener);
        } else if (out_of_descriptors(errno)) {
            rest_listeners();
            return;
        } else if (errno == EAGAIN) {
            listener.accepts = std::max(1, i);
            return;
        }
    }
    listener.accepts = std::min(2 * listener.accepts, accepts_a_turn);
}

void Loop::admit(Descriptor fd, const Endpoint& remote, const Listener& listener) {
    if (open_ >= limits_.connections) {
        handler_.on_failed({}, remote, true, "too many connections");
        return;
    }
    if (listener.tls != nullptr) {
        if (handshakes_.size_of(remote.address) >= limits_.handshakes_per_source) {
            end(*connections_[handshakes_.oldest_of(remote.address)],
                "TLS handshake: too many from this address", Leave::AtOnce);
        } else if (handshakes_.size() >= limits_.handshakes) {
            end(*connections_[handshakes_.oldest()], "TLS handshake: too many", Leave::AtOnce);
        }
    }
    auto& c = add(std::move(fd), remote, true);
    c.listener = listener.number;
    c.newcomer = listener.tls != nullptr;
    c.tls = listener.tls;
    if (c.tls != nullptr) {
        c.ssl = c.tls->connection(c.fd.get(), {});
        c.hands = handshakes_.enter(c.index, remote.address);
    }
    enrol(c, false);
    on_connected(c);
}

// The connections that wait to be accepted make their listener ready: while accept() cannot work,
// nobody may ask, or the loop would spin.
void Loop::rest_listeners() {
    listeners_rest_until_ = now_ + listeners_rest;
    for (const auto& l : listeners_) {
        if (!l->ended) {
            epoll_ctl(l->tls != nullptr ? newcomers_.get() : epoll_.get(), EPOLL_CTL_DEL,
                      l->fd.get(), nullptr);
        }
    }
}

void Loop::wake_listeners(bool always) {
    if (!listeners_rest_until_.known() || (!always && now_ < listeners_rest_until_)) {
        return;
    }
    listeners_rest_until_ = {};
    for (std::size_t i = 0; i < listeners_.size(); ++i) {
        if (const auto& l = *listeners_[i]; !l.ended) {
            watch_input(l.tls != nullptr ? newcomers_.get() : epoll_.get(), l.fd.get(),
                        tag_of(Owner::Listener, i));
        }
    }
}

void Loop::shake_hands() {
    std::array<epoll_event, newcomers_a_turn> events;
    const int ready = epoll_wait(newcomers_.get(), events.data(), newcomers_a_turn, 0);
    const auto until = now() + newcomers_time;
    for (int i = 0; i < ready && (i == 0 || now() < until); ++i) {
        const auto& event = events[static_cast<std::size_t>(i)];
        dispatch(event.data.u64, event.events);
    }
}

void Loop::welcome() {
    shake_hands();
    handler_.on_turn(now_);
    flush();
}

// ---- turns

void Loop::dispatch(std::uint64_t tag, std::uint32_t events) {
    const auto index = static_cast<std::size_t>(tag & 0xffff'ffff);
    switch (static_cast<Owner>(tag >> 56)) {
    case Owner::Wake: // that is all
        break;
    case Owner::Newcomers:
        newcomers_ready_ = true;
        break;
    case Owner::Waiting:
        look_at_waiting();
        break;
    case Owner::Listener:
        accept(*listeners_[index]);
        break;
    case Owner::Socket:
        if ((events & EPOLLERR) != 0) {
            read_undelivered(*sockets_[index]);
        }
        read_datagrams(*sockets_[index]);
        break;
    case Owner::Connection:
        // The generation: the place may have a new owner since epoll_wait().
        if (auto& c = *connections_[index];
            c.phase != Phase::Free && tag_of(Owner::Connection, index, c.generation) == tag) {
            on_ready(c, events);
        }
        break;
    case Owner::Guest:
        if (const auto w = *watched_[index]; w.fd >= 0) {
            constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
            w.guest->on_ready(w.fd, (events & (EPOLLIN | broken)) != 0,
                              (events & (EPOLLOUT | broken)) != 0);
        }
        break;
    }
}

void Loop::read_again() {
    const auto keys = std::exchange(more_, {});
    for (const auto key : keys) {
        if (auto* c = find(key); c != nullptr && !c->ended) {
            read(*c);
        }
    }
}

void Loop::on_deadlines() {
    while (!deadlines_.empty() && deadlines_.next() <= now_) {
        auto& c = *connections_[deadlines_.first()];
        deadlines_.disarm(c.index);
        on_deadline(c);
    }
    for (std::size_t i = 0; i < guests_.size(); ++i) {
        if (const auto when = guests_[i]->next_deadline(); when.known() && when <= now_) {
            guests_[i]->on_deadline(now_);
        }
    }
    wake_listeners(false);
}

void Loop::run_jobs() {
    std::vector<std::function<void()>> jobs;
    {
        const std::lock_guard lock{jobs_mutex_};
        jobs.swap(jobs_);
    }
    mail_ += jobs.size();
    for (const auto& job : jobs) {
        job();
    }
}

bool Loop::post(std::function<void()> job) {
    bool first = false;
    {
        const std::lock_guard lock{jobs_mutex_};
        if (jobs_.size() >= most_jobs) {
            return false;
        }
        first = jobs_.empty(); // those that follow find the loop woken already
        jobs_.push_back(std::move(job));
    }
    if (first) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
    }
    return true;
}

std::optional<Duration> Loop::patience() {
    if (!more_.empty()) {
        return Duration{};
    }
    auto next = handler_.next_deadline();
    const auto earlier = [&next](Instant when) {
        if (when.known() && (!next.known() || when < next)) {
            next = when;
        }
    };
    earlier(deadlines_.empty() ? Instant{} : deadlines_.next());
    earlier(listeners_rest_until_);
    for (auto* guest : guests_) {
        earlier(guest->next_deadline());
    }
    now_ = now();
    if (next.known() && next <= now_) {
        return Duration{};
    }
    if (next.known()) {
        next.ns = (next.ns / grain.ns + 1) * grain.ns; // never early
    }
    const auto look = handler_.next_look();
    hold(look);
    earlier(look);
    if (!next.known()) {
        return std::nullopt;
    }
    return std::clamp(next - now_, Duration{}, seconds(60));
}

// Waits for newcomers alone: what else comes shall not end it. Whoever stops the loop does so by a
// job, which may wait as long. A signal may end it: then less is gathered.
void Loop::gather() {
    std::array<epoll_event, 1> newcomer;
    for (auto rest = pace_.rest(now()); rest.ns > 0 && more_.empty() && running_;
         rest = pace_.rest(now())) {
        if (wait(newcomers_, newcomer, rest) <= 0) {
            return;
        }
        now_ = now();
        welcome();
    }
}

int Loop::wait(const Descriptor& epoll, std::span<epoll_event> events,
               std::optional<Duration> time) {
    const auto most = static_cast<int>(events.size());
    if (waits_precisely_) {
        const timespec until{.tv_sec = time ? time->ns / 1'000'000'000 : 0,
                             .tv_nsec = time ? time->ns % 1'000'000'000 : 0};
        const int ready =
            epoll_pwait2(epoll.get(), events.data(), most, time ? &until : nullptr, nullptr);
        if (ready >= 0 || (errno != ENOSYS && errno != EPERM)) {
            return ready;
        }
        waits_precisely_ = false; // before Linux 5.11, or where a sandbox does not know the call
    }
    const auto ms = time ? static_cast<int>((time->ns + 999'999) / 1'000'000) : -1;
    return epoll_wait(epoll.get(), events.data(), most, ms);
}

void Loop::run() {
    block_sigpipe();
    std::array<epoll_event, 256> events;
    running_ = true;
    while (running_) {
        gather();
        if (!running_) {
            break;
        }
        const int ready = wait(epoll_, events, patience());
        now_ = now();
        const auto began = now_;
        // Mail first: what another shard was told before it answered is known here before its
        // answer can have had consequences.
        run_jobs();
        read_again();
        for (int i = 0; i < ready; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            dispatch(event.data.u64, event.events);
        }
        read_held();
        on_deadlines();
        handler_.on_turn(now_);
        flush();
        if (std::exchange(newcomers_ready_, false)) {
            welcome();
        }
        pace_.turn(began, std::exchange(mail_, 0));
    }
    flush();
}

} // namespace cw::net
