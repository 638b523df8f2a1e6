#include "net/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace cw::net {
namespace {

constexpr std::uint32_t nowhere = 0xffff'ffff;
constexpr int accepts_a_turn = 64; // a flood of connections must not keep the open ones waiting
constexpr int reads_a_turn = 4;    // nor one that sends without end
constexpr std::size_t most_jobs = 100'000;
constexpr std::size_t largest_datagram = 65'535;
constexpr std::size_t datagrams_a_read = 16;

// What a ready descriptor belongs to, in epoll's 64 bits.
enum class Owner : std::uint8_t { Wake, Listener, Socket, Connection };
std::uint64_t tag_of(Owner owner, std::size_t index) {
    return std::uint64_t{static_cast<std::uint8_t>(owner)} << 56 | index;
}

void watch_input(int epoll, int fd, std::uint64_t tag) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = tag;
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

std::string said(const char* what, int error) {
    return std::string{what} + ": " + std::strerror(error);
}

} // namespace

// Kept small: a server holds a hundred thousand.
struct Loop::Connection {
    Descriptor fd;
    Ssl ssl;
    Endpoint remote;
    std::uint32_t index = 0;
    std::uint32_t generation = 0;
    std::uint32_t place = nowhere; // in deadlines_
    std::uint32_t listener = 0;
    Phase phase = Phase::Free;
    bool incoming = false;
    bool counted = false; // among the handshakes of its source
    bool output_watched = false;
    bool dirty = false;
    std::string out; // not yet written
    std::string why; // it is being closed
};

class Loop::Buffers {
  public:
    std::array<std::uint8_t, 65'536> stream;
    std::array<std::array<std::uint8_t, largest_datagram>, datagrams_a_read> datagrams;
    std::array<sockaddr_storage, datagrams_a_read> sources;
    std::array<iovec, datagrams_a_read> pieces;
    std::array<mmsghdr, datagrams_a_read> headers;
};

std::uint32_t& Loop::Places::place(std::uint32_t index) const {
    return loop->connections_[index]->place;
}

Loop::Loop(Handler& handler, const Limits& limits)
    : handler_(handler), limits_(limits), epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)), now_(now()), deadlines_(Places{this}),
      buffers_(std::make_unique<Buffers>()) {
    watch_input(epoll_.get(), wake_.get(), tag_of(Owner::Wake, 0));
}

Loop::~Loop() = default;

Instant Loop::now() {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

// ---- sockets of ours

void Loop::listen(Descriptor fd, std::uint32_t listener, std::shared_ptr<const TlsContext> tls) {
    watch_input(epoll_.get(), fd.get(), tag_of(Owner::Listener, listeners_.size()));
    listeners_.push_back(
        std::make_unique<Listener>(Listener{std::move(fd), listener, std::move(tls)}));
}

void Loop::set_tls(std::uint32_t listener, std::shared_ptr<const TlsContext> tls) {
    for (const auto& l : listeners_) {
        if (l->number == listener) {
            l->tls = tls;
        }
    }
}

void Loop::stop_listening() {
    for (const auto& l : listeners_) {
        l->fd.reset();
    }
}

void Loop::receive(Descriptor fd, std::uint32_t socket) {
    watch_input(epoll_.get(), fd.get(), tag_of(Owner::Socket, sockets_.size()));
    sockets_.push_back(std::make_unique<Socket>(Socket{std::move(fd), socket}));
}

void Loop::send_datagram(std::uint32_t socket, const Endpoint& to, std::string_view bytes) {
    for (const auto& s : sockets_) {
        if (s->number == socket) {
            sockaddr_storage address{};
            const auto length = to_sockaddr(to, address);
            // Note: a datagram that cannot be sent now is lost, as any may be; the transaction
            // sends it again.
            sendto(s->fd.get(), bytes.data(), bytes.size(), 0,
                   reinterpret_cast<const sockaddr*>(&address), length);
            return;
        }
    }
}

// ---- connections

Loop::Connection* Loop::find(Key key) const {
    if (key.index >= connections_.size()) {
        return nullptr;
    }
    auto* c = connections_[key.index].get();
    return c->generation == key.generation && c->phase != Phase::Free ? c : nullptr;
}

Key Loop::key_of(const Connection& c) const {
    return {c.index, c.generation};
}

Loop::Connection& Loop::add(Descriptor fd, const Endpoint& remote, bool incoming) {
    std::uint32_t index = 0;
    if (free_.empty()) {
        index = static_cast<std::uint32_t>(connections_.size());
        connections_.push_back(std::make_unique<Connection>());
        connections_.back()->index = index;
    } else {
        index = free_.back();
        free_.pop_back();
    }
    auto& c = *connections_[index];
    c.fd = std::move(fd);
    c.remote = remote;
    c.incoming = incoming;
    ++open_;
    deadlines_.arm(index, now_ + limits_.handshake);
    return c;
}

void Loop::watch(Connection& c, bool output) {
    if (c.output_watched == output) {
        return;
    }
    c.output_watched = output;
    epoll_event event{};
    event.events = output ? EPOLLIN | EPOLLOUT : EPOLLIN;
    event.data.u64 = tag_of(Owner::Connection, c.index);
    epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, c.fd.get(), &event);
}

Key Loop::connect(const Endpoint& to, const TlsContext* tls, const std::string& server_name) {
    auto fd = connect_stream(to);
    const bool failed = !fd;
    auto& c = add(failed ? Descriptor{} : std::move(*fd), to, false);
    c.phase = Phase::Connecting;
    if (failed) {
        c.why = fd.error();
        deadlines_.arm(c.index, now_); // told in the next turn, as every failure
        return key_of(c);
    }
    if (tls != nullptr) {
        c.ssl = tls->connection(c.fd.get(), server_name);
    }
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT;
    event.data.u64 = tag_of(Owner::Connection, c.index);
    c.output_watched = true;
    epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, c.fd.get(), &event);
    return key_of(c);
}

void Loop::accept(Listener& listener) {
    for (int i = 0; i < accepts_a_turn && listener.fd.open(); ++i) {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        Descriptor fd{accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&address), &length,
                              SOCK_NONBLOCK | SOCK_CLOEXEC)};
        if (!fd.open()) {
            return;
        }
        const auto remote = from_sockaddr(address);
        auto& in_progress = handshakes_[remote.address];
        if (open_ >= limits_.connections ||
            (listener.tls != nullptr && in_progress >= limits_.handshakes_per_source)) {
            if (in_progress == 0) {
                handshakes_.erase(remote.address);
            }
            handler_.on_failed({}, remote, true, "too many connections");
            continue;
        }
        const int one = 1;
        setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        auto& c = add(std::move(fd), remote, true);
        c.listener = listener.number;
        c.counted = true;
        ++in_progress;
        if (listener.tls != nullptr) {
            c.ssl = listener.tls->connection(c.fd.get(), {});
        }
        watch_input(epoll_.get(), c.fd.get(), tag_of(Owner::Connection, c.index));
        c.phase = Phase::Handshake;
        if (c.ssl == nullptr) {
            opened(c);
        }
    }
}

void Loop::release_source(Connection& c) {
    if (c.counted) {
        c.counted = false;
        if (const auto at = handshakes_.find(c.remote.address);
            at != handshakes_.end() && --at->second == 0) {
            handshakes_.erase(at);
        }
    }
}

void Loop::opened(Connection& c) {
    release_source(c);
    c.phase = Phase::Open;
    deadlines_.disarm(c.index);
    watch(c, !c.out.empty());
    handler_.on_open(key_of(c),
                     {local_endpoint(c.fd.get()), c.remote, c.incoming, c.listener, c.ssl.get()});
}

void Loop::handshake(Connection& c) {
    ERR_clear_error();
    const int done = SSL_do_handshake(c.ssl.get());
    if (done == 1) {
        opened(c);
        if (c.phase == Phase::Open) {
            read(c); // what came behind the last Finished is in OpenSSL's buffer already
        }
        return;
    }
    switch (SSL_get_error(c.ssl.get(), done)) {
    case SSL_ERROR_WANT_READ:
        watch(c, false);
        return;
    case SSL_ERROR_WANT_WRITE:
        watch(c, true);
        return;
    default: {
        const auto why = last_tls_error(c.ssl.get());
        end(c, why.empty() ? "closed during the TLS handshake" : "TLS handshake: " + why);
    }
    }
}

void Loop::on_ready(Connection& c, std::uint32_t events) {
    if (c.phase == Phase::Connecting) {
        if (const int error = connect_result(c.fd.get()); error != 0) {
            end(c, said("connect", error));
            return;
        }
        c.phase = Phase::Handshake;
        if (c.ssl == nullptr) {
            opened(c);
            return;
        }
    }
    if (c.phase == Phase::Handshake) {
        handshake(c);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        mark(c);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
        read(c);
    }
}

void Loop::read(Connection& c) {
    c.ssl != nullptr ? read_tls(c) : read_plain(c);
}

void Loop::read_tls(Connection& c) {
    const auto key = key_of(c);
    auto& buffer = buffers_->stream;
    for (int i = 0; i < reads_a_turn || SSL_has_pending(c.ssl.get()) == 1; ++i) {
        ERR_clear_error();
        const int got = SSL_read(c.ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
        if (got <= 0) {
            const int error = SSL_get_error(c.ssl.get(), got);
            if (error == SSL_ERROR_ZERO_RETURN) {
                end(c, "close_notify");
            } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
                const auto why = last_tls_error(c.ssl.get());
                end(c, why.empty() ? "closed without close_notify" : why);
            }
            return;
        }
        if (c.phase == Phase::Open) {
            handler_.on_bytes(key, {buffer.data(), static_cast<std::size_t>(got)});
        }
        // Level-triggered: more in the socket wakes us again, without a read that finds nothing.
        if (find(key) == nullptr || SSL_has_pending(c.ssl.get()) == 0) {
            return;
        }
    }
}

void Loop::read_plain(Connection& c) {
    const auto key = key_of(c);
    auto& buffer = buffers_->stream;
    const auto got = ::read(c.fd.get(), buffer.data(), buffer.size());
    if (got > 0) {
        if (c.phase == Phase::Open) {
            handler_.on_bytes(key, {buffer.data(), static_cast<std::size_t>(got)});
        }
    } else if (got == 0) {
        end(c, "closed");
    } else if (errno != EAGAIN && errno != EINTR) {
        end(c, std::strerror(errno));
    }
}

void Loop::mark(Connection& c) {
    if (!c.dirty) {
        c.dirty = true;
        dirty_.push_back(c.index);
    }
}

void Loop::send(Key key, std::string_view bytes) {
    auto* c = find(key);
    if (c == nullptr || c->phase == Phase::Closing) {
        return;
    }
    if (c->out.size() + bytes.size() > limits_.output) {
        close(key, "the peer does not read");
        c->out.clear();
        return;
    }
    c->out += bytes;
    if (c->phase == Phase::Open) {
        mark(*c);
    }
}

void Loop::close(Key key, std::string_view why) {
    auto* c = find(key);
    if (c == nullptr || c->phase == Phase::Closing) {
        return;
    }
    c->why = why;
    c->phase = Phase::Closing;
    deadlines_.arm(c->index, now_ + limits_.linger);
    mark(*c);
}

void Loop::set_deadline(Key key, Instant when) {
    if (const auto* c = find(key); c != nullptr && c->phase == Phase::Open) {
        when.known() ? deadlines_.arm(c->index, when) : deadlines_.disarm(c->index);
    }
}

long Loop::write_some(Connection& c, std::string_view bytes) {
    if (c.ssl == nullptr) {
        const auto wrote = ::send(c.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        return wrote >= 0 ? wrote : errno == EAGAIN || errno == EINTR ? 0 : -1;
    }
    ERR_clear_error();
    const int wrote = SSL_write(c.ssl.get(), bytes.data(),
                                static_cast<int>(std::min<std::size_t>(bytes.size(), 1 << 20)));
    if (wrote > 0) {
        return wrote;
    }
    const int error = SSL_get_error(c.ssl.get(), wrote);
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
}

void Loop::write(Connection& c) {
    std::size_t written = 0;
    while (written < c.out.size()) {
        const auto n = write_some(c, std::string_view{c.out}.substr(written));
        if (n < 0) {
            ERR_clear_error();
            end(c, "the peer is gone");
            return;
        }
        if (n == 0) {
            c.out.erase(0, written);
            watch(c, true);
            return;
        }
        written += static_cast<std::size_t>(n);
    }
    c.out = {}; // an idle connection holds no buffer
    watch(c, false);
    if (c.phase == Phase::Closing) {
        if (c.ssl != nullptr && SSL_is_init_finished(c.ssl.get()) == 1) {
            SSL_shutdown(c.ssl.get()); // close_notify
        }
        end(c, std::string{c.why});
    }
}

void Loop::flush() {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
        auto& c = *connections_[dirty_[i]];
        c.dirty = false;
        if (c.phase == Phase::Open || c.phase == Phase::Closing) {
            write(c);
        }
    }
    dirty_.clear();
}

void Loop::end(Connection& c, std::string_view why) {
    const auto key = key_of(c);
    const bool was_open = c.phase == Phase::Open || c.phase == Phase::Closing;
    const auto remote = c.remote;
    const bool incoming = c.incoming;
    release_source(c);
    deadlines_.disarm(c.index);
    const std::string reason{why};
    if (was_open) {
        handler_.on_closed(key, reason);
    } else {
        handler_.on_failed(key, remote, incoming, reason);
    }
    c.ssl.reset();
    c.fd.reset();
    c.out = {};
    c.why = {};
    c.phase = Phase::Free;
    c.output_watched = false;
    ++c.generation;
    free_.push_back(c.index);
    --open_;
}

// ---- turns

void Loop::read_datagrams(Socket& socket) {
    auto& b = *buffers_;
    for (std::size_t i = 0; i < datagrams_a_read; ++i) {
        b.pieces[i] = {b.datagrams[i].data(), b.datagrams[i].size()};
        b.headers[i] = {};
        b.headers[i].msg_hdr.msg_iov = &b.pieces[i];
        b.headers[i].msg_hdr.msg_iovlen = 1;
        b.headers[i].msg_hdr.msg_name = &b.sources[i];
        b.headers[i].msg_hdr.msg_namelen = sizeof b.sources[i];
    }
    const int got =
        recvmmsg(socket.fd.get(), b.headers.data(), datagrams_a_read, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < got; ++i) {
        const auto n = static_cast<std::size_t>(i);
        handler_.on_datagram(socket.number, from_sockaddr(b.sources[n]),
                             Bytes{b.datagrams[n].data(), b.headers[n].msg_len});
    }
}

void Loop::dispatch(std::uint64_t tag, std::uint32_t events) {
    const auto index = static_cast<std::size_t>(tag & 0xffff'ffff);
    switch (static_cast<Owner>(tag >> 56)) {
    case Owner::Wake: {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto n = ::read(wake_.get(), &count, sizeof count);
        break;
    }
    case Owner::Listener:
        accept(*listeners_[index]);
        break;
    case Owner::Socket:
        read_datagrams(*sockets_[index]);
        break;
    case Owner::Connection:
        if (auto& c = *connections_[index]; c.phase != Phase::Free) {
            on_ready(c, events);
        }
        break;
    }
}

void Loop::on_deadlines(Instant now) {
    while (!deadlines_.empty() && deadlines_.next() <= now) {
        auto& c = *connections_[deadlines_.first()];
        deadlines_.disarm(c.index);
        switch (c.phase) {
        case Phase::Connecting:
            end(c, c.why.empty() ? "connect: no answer" : std::string{c.why});
            break;
        case Phase::Handshake:
            end(c, "TLS handshake: took too long");
            break;
        case Phase::Open:
            close(key_of(c), "idle for too long");
            break;
        case Phase::Closing:
            end(c, std::string{c.why});
            break;
        case Phase::Free:
            break;
        }
    }
}

void Loop::run_jobs() {
    std::vector<std::function<void()>> jobs;
    {
        const std::lock_guard lock{jobs_mutex_};
        jobs.swap(jobs_);
    }
    for (const auto& job : jobs) {
        job();
    }
}

bool Loop::post(std::function<void()> job) {
    {
        const std::lock_guard lock{jobs_mutex_};
        if (jobs_.size() >= most_jobs) {
            return false;
        }
        jobs_.push_back(std::move(job));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake_.get(), &one, sizeof one);
    return true;
}

int Loop::wait_ms(Instant now) {
    auto next = handler_.next_deadline();
    if (!deadlines_.empty() && (!next.known() || deadlines_.next() < next)) {
        next = deadlines_.next();
    }
    if (!next.known()) {
        return -1;
    }
    if (next <= now) {
        return 0;
    }
    const auto ms = (next - now).ns / 1'000'000 + 1; // rounded up: never early
    return static_cast<int>(std::min<std::int64_t>(ms, 60'000));
}

void Loop::run() {
    std::array<epoll_event, 256> events;
    running_ = true;
    while (running_) {
        const int ready = epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     wait_ms(now_ = now()));
        now_ = now();
        // Mail first: what another shard was told before it answered is known here before its
        // answer can have had consequences.
        run_jobs();
        for (int i = 0; i < ready; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            dispatch(event.data.u64, event.events);
        }
        on_deadlines(now_);
        handler_.on_turn(now_);
        flush();
    }
    flush();
}

} // namespace cw::net
