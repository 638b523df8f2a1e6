// Datagrams, in and out; and what waits until many things can be looked at in one turn.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "net/loop_state.hpp"

namespace cw::net {
namespace {

constexpr int most_old_errors = 4;
constexpr int most_reads = 64; // of one socket, before others get their turn
// Sockets that can be held: each is read without having been asked whether anything is there.
constexpr std::size_t most_held = 8;

// A socket that is told of what did not arrive says so at the next call too, whatever that is
// about.
bool is_of_another(int error) {
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

void watch_input(int epoll, int fd, bool input, std::uint64_t tag, int how) {
    epoll_event event{};
    event.events = input ? EPOLLIN : 0U;
    event.data.u64 = tag;
    epoll_ctl(epoll, how, fd, &event);
}

// When the system says that a datagram came, by its own clock; not known: it does not say.
Instant stamp_of(msghdr& header) {
    for (auto* c = CMSG_FIRSTHDR(&header); c != nullptr; c = CMSG_NXTHDR(&header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            timespec at{};
            std::memcpy(&at, CMSG_DATA(c), sizeof at);
            return {at.tv_sec * 1'000'000'000 + at.tv_nsec};
        }
    }
    return {};
}

Instant system_time() {
    timespec at{};
    clock_gettime(CLOCK_REALTIME, &at);
    return {at.tv_sec * 1'000'000'000 + at.tv_nsec};
}

} // namespace

// ---- in

Loop::Buffers::Buffers() {
    for (std::size_t i = 0; i < datagrams_a_read; ++i) {
        pieces[i] = {datagrams[i].data(), datagrams[i].size()};
        headers[i] = {};
        headers[i].msg_hdr.msg_iov = &pieces[i];
        headers[i].msg_hdr.msg_iovlen = 1;
        headers[i].msg_hdr.msg_name = &sources[i];
        headers[i].msg_hdr.msg_control = controls[i].data();
    }
    make_ready(datagrams_a_read);
}

void Loop::Buffers::make_ready(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        headers[i].msg_hdr.msg_namelen = sizeof sources[i];
        headers[i].msg_hdr.msg_controllen = controls[i].size();
    }
}

void Loop::receive(Descriptor fd, std::uint32_t socket, bool timed) {
    const int yes = timed ? 1 : 0;
    setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
    watch_input(epoll_.get(), fd.get(), true, tag_of(Owner::Socket, sockets_.size()),
                EPOLL_CTL_ADD);
    timed_sockets_ += timed ? 1 : 0;
    sockets_.push_back(std::make_unique<Socket>(Socket{std::move(fd), socket, timed, {}}));
}

bool Loop::read_datagrams(Socket& socket) {
    auto& b = *buffers_;
    const int got = recvmmsg(socket.fd.get(), b.headers.data(), Buffers::datagrams_a_read,
                             MSG_DONTWAIT, nullptr);
    mail_ += static_cast<std::size_t>(std::max(got, 0));
    const bool more = got == int{Buffers::datagrams_a_read};
    const auto read = now();
    // Between the system's clock, which may be set at any moment, and ours.
    const auto ahead = socket.timed && got > 0 ? system_time() - read : Duration{};
    for (int i = 0; i < got; ++i) {
        const auto n = static_cast<std::size_t>(i);
        const auto stamp = socket.timed ? stamp_of(b.headers[n].msg_hdr) : Instant{};
        arrived_ =
            stamp.known() ? std::clamp(stamp - ahead, std::min(socket.emptied, read), read) : read;
        handler_.on_datagram(socket.number, from_sockaddr(b.sources[n]),
                             Bytes{b.datagrams[n].data(), b.headers[n].msg_len});
    }
    b.make_ready(static_cast<std::size_t>(std::max(got, 0)));
    if (!more) {
        socket.emptied = read;
    }
    return more;
}

// ICMP errors, with the datagram that each is about. They cost one system call each, so no more
// than some a turn.
void Loop::read_undelivered(Socket& socket) {
    auto& b = *buffers_;
    for (std::size_t i = 0; i < Buffers::datagrams_a_read; ++i) {
        sockaddr_storage to{};
        iovec piece{b.datagrams[0].data(), b.datagrams[0].size()};
        std::array<std::uint8_t, 512> control; // the reason, which is all the same to us
        msghdr header{};
        header.msg_name = &to;
        header.msg_namelen = sizeof to;
        header.msg_iov = &piece;
        header.msg_iovlen = 1;
        header.msg_control = control.data();
        header.msg_controllen = control.size();
        const auto got = recvmsg(socket.fd.get(), &header, MSG_ERRQUEUE | MSG_DONTWAIT);
        if (got < 0) {
            return;
        }
        handler_.on_undelivered(socket.number, from_sockaddr(to),
                                Bytes{b.datagrams[0].data(), static_cast<std::size_t>(got)});
    }
}

// ---- what waits

// Held sockets are not waited for, so that what comes does not wake us, nor cost its sender a
// wake-up. Errors still do.
void Loop::hold(Instant until) {
    const bool held = until.known() && timed_sockets_ <= most_held;
    if (held != held_until_.known()) {
        for (std::size_t i = 0; i < sockets_.size(); ++i) {
            if (sockets_[i]->timed) {
                watch_input(epoll_.get(), sockets_[i]->fd.get(), !held, tag_of(Owner::Socket, i),
                            EPOLL_CTL_MOD);
            }
        }
        if (waiting_.open()) {
            watch_input(epoll_.get(), waiting_.get(), !held, tag_of(Owner::Waiting, 0),
                        EPOLL_CTL_MOD);
        }
    }
    held_until_ = held ? until : Instant{};
}

void Loop::read_held() {
    if (!held_until_.known() || now_ < held_until_) {
        return;
    }
    for (const auto& socket : sockets_) {
        for (int i = 0; socket->timed && i < most_reads && read_datagrams(*socket); ++i) {
        }
    }
    if (waiting_.open()) {
        look_at_waiting();
    }
}

void Loop::may_wait(Key key) {
    auto* c = find(key);
    if (c == nullptr || c->phase != Phase::Open || c->waits) {
        return;
    }
    if (!waiting_.open()) {
        waiting_ = Descriptor{epoll_create1(EPOLL_CLOEXEC)};
        watch_input(epoll_.get(), waiting_.get(), !held_until_.known(), tag_of(Owner::Waiting, 0),
                    EPOLL_CTL_ADD);
    }
    const int yes = 1;
    setsockopt(c->fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &yes, sizeof yes);
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, c->fd.get(), nullptr);
    c->waits = true;
    enrol(*c, c->output_watched);
}

// However many connections may wait, those that have something are found by one system call. Until
// nobody has: a read takes no more than a record or two, and what is left would wait once more.
void Loop::look_at_waiting() {
    std::array<epoll_event, 256> events;
    int ready = 1;
    for (int round = 0; round < most_reads && ready > 0; ++round) {
        ready = epoll_wait(waiting_.get(), events.data(), int{events.size()}, 0);
        for (int i = 0; i < ready; ++i) {
            const auto& event = events[static_cast<std::size_t>(i)];
            dispatch(event.data.u64, event.events);
        }
    }
    looked_ = now_;
}

// TCP joins what comes before it is read, and keeps the time of the last piece. With MSG_TRUNC
// nothing is copied.
Instant Loop::when_came(const Connection& c) {
    auto& buffer = buffers_->stream;
    iovec all{buffer.data(), buffer.size()};
    alignas(cmsghdr) Buffers::Control control;
    msghdr header{};
    header.msg_iov = &all;
    header.msg_iovlen = 1;
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    const auto got = recvmsg(c.fd.get(), &header, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    const auto stamp = got > 0 ? stamp_of(header) : Instant{};
    const auto read = now();
    return stamp.known() ? std::clamp(stamp - (system_time() - read), std::min(looked_, read), read)
                         : read;
}

// ---- out

void Loop::send_datagram(std::uint32_t socket, const Endpoint& to, std::string_view bytes) {
    for (const auto& s : sockets_) {
        if (s->number == socket) {
            datagrams_->add(s->fd.get(), to, bytes);
            return;
        }
    }
}

void Loop::Datagrams::add(int fd, const Endpoint& to, std::string_view bytes) {
    if (bytes_.size() + bytes.size() > most_bytes) {
        flush();
    }
    waiting_.push_back({fd, to, bytes_.size(), bytes.size()});
    bytes_ += bytes;
}

void Loop::Datagrams::flush() {
    for (std::size_t done = 0; done < waiting_.size();) {
        done += send_some(done);
    }
    waiting_.clear();
    bytes_.clear();
}

// One system call for those of one socket that stand together. How many are done with.
std::size_t Loop::Datagrams::send_some(std::size_t first) {
    std::array<sockaddr_storage, a_send> addresses;
    std::array<iovec, a_send> pieces;
    std::array<mmsghdr, a_send> headers;
    unsigned count = 0;
    for (auto i = first; i < waiting_.size() && count < a_send; ++i, ++count) {
        const auto& one = waiting_[i];
        if (one.fd != waiting_[first].fd) {
            break;
        }
        pieces[count] = {bytes_.data() + one.begin, one.size};
        headers[count] = {};
        headers[count].msg_hdr.msg_name = &addresses[count];
        headers[count].msg_hdr.msg_namelen = to_sockaddr(one.to, addresses[count]);
        headers[count].msg_hdr.msg_iov = &pieces[count];
        headers[count].msg_hdr.msg_iovlen = 1;
    }
    int sent = sendmmsg(waiting_[first].fd, headers.data(), count, 0);
    for (int i = 0; i < most_old_errors && sent < 0 && is_of_another(errno); ++i) {
        sent = sendmmsg(waiting_[first].fd, headers.data(), count, 0);
    }
    if (sent > 0) {
        return static_cast<std::size_t>(sent);
    }
    // Note: a datagram that cannot be sent now is lost, as any may be; whoever needs an answer
    // sends it again. With a full socket those behind it would fare no better.
    return errno == EAGAIN ? count : 1;
}

} // namespace cw::net
