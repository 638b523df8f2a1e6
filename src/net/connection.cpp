// Loop: the life of one connection.
//
//   connect()  → Connecting ─┐
//   accept     ──────────────┴→ Handshake → Open → Closing ─┬→ Ending → Draining → Free
//                                   └───────────────────────┘ (told)    (silent)
//
// Only the functions of the loop end a connection, never those that a Handler calls: these set a
// flag and mark(). So no connection vanishes while its bytes are being handled.
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "net/loop_state.hpp"
#include "net/tls_facts.hpp"

namespace cw::net {
namespace {

constexpr std::size_t largest_record = 16'384; // [RFC 8446 §5.1] in clear

constexpr std::size_t small_message = 512; // bytes

std::string said(const char* what, int error) {
    return std::string{what} + ": " + std::strerror(error);
}

std::uint32_t events_of(bool input, bool output) {
    return (input ? EPOLLIN : 0U) | (output ? EPOLLOUT : 0U);
}

// What a connection's SSL needs to reach the tap.
struct Tapped {
    Tap* tap;
    Key key;
};

long see_raw(BIO* bio, int operation, const char* bytes, std::size_t, int, long, int result,
             std::size_t* processed) {
    const bool read = operation == (BIO_CB_READ | BIO_CB_RETURN);
    if ((read || operation == (BIO_CB_WRITE | BIO_CB_RETURN)) && result > 0) {
        const auto* tapped = reinterpret_cast<const Tapped*>(BIO_get_callback_arg(bio));
        tapped->tap->on_raw(tapped->key, !read,
                            {reinterpret_cast<const std::uint8_t*>(bytes), *processed});
    }
    if (operation == BIO_CB_FREE) {
        delete reinterpret_cast<Tapped*>(BIO_get_callback_arg(bio));
    }
    return result;
}

void see_message(int outgoing, int /*version*/, int type, const void* bytes, std::size_t size,
                 SSL* ssl, void* /*arg*/) {
    if (type != SSL3_RT_HANDSHAKE && type != SSL3_RT_ALERT) {
        return;
    }
    const auto* tapped = reinterpret_cast<const Tapped*>(BIO_get_callback_arg(SSL_get_rbio(ssl)));
    tapped->tap->on_tls_message(tapped->key, outgoing != 0, type,
                                {static_cast<const std::uint8_t*>(bytes), size});
}

} // namespace

std::uint32_t& Loop::Places::place(std::uint32_t index) const {
    return loop->connections_[index]->place;
}

Loop::Connection* Loop::find(Key key) const {
    if (key.index >= connections_.size()) {
        return nullptr;
    }
    auto* c = connections_[key.index].get();
    const bool alive =
        c->phase != Phase::Free && c->phase != Phase::Ending && c->phase != Phase::Draining;
    return c->generation == key.generation && alive ? c : nullptr;
}

Key Loop::key_of(const Connection& c) const {
    return {c.index, c.generation};
}

SSL* Loop::tls(Key key) const {
    if (key.index >= connections_.size()) {
        return nullptr;
    }
    const auto& c = *connections_[key.index];
    return c.generation == key.generation ? c.ssl.get() : nullptr;
}

// ---- beginning

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
    c.phase = Phase::Connecting;
    ++open_;
    deadlines_.arm(index, now_ + limits_.handshake);
    return c;
}

Key Loop::connect(const Endpoint& to, const TlsContext* tls, const std::string& server_name,
                  SSL_SESSION* session) {
    auto fd = connect_stream(to);
    const bool failed = !fd;
    auto& c = add(failed ? Descriptor{} : std::move(*fd), to, false);
    if (failed) {
        c.why = fd.error();
        c.abandoned = true; // told in the next turn, as every failure
        deadlines_.arm(c.index, now_);
        return key_of(c);
    }
    if (tls != nullptr) {
        c.tls = tls->shared_from_this();
        c.ssl = tls->connection(c.fd.get(), server_name);
        if (c.ssl != nullptr && session != nullptr) {
            SSL_set_session(c.ssl.get(), session);
        }
    }
    enrol(c, true);
    return key_of(c);
}

int Loop::epoll_of(const Connection& c) const {
    return c.newcomer ? newcomers_.get() : c.waits ? waiting_.get() : epoll_.get();
}

void Loop::enrol(Connection& c, bool output) {
    c.input_watched = true;
    c.output_watched = output;
    epoll_event event{};
    event.events = events_of(true, output);
    event.data.u64 = tag_of(Owner::Connection, c.index, c.generation);
    epoll_ctl(epoll_of(c), EPOLL_CTL_ADD, c.fd.get(), &event);
}

void Loop::watch(Connection& c, bool output) {
    const bool input = !c.ended;
    if (c.output_watched == output && c.input_watched == input) {
        return;
    }
    c.input_watched = input;
    c.output_watched = output;
    epoll_event event{};
    event.events = events_of(input, output);
    event.data.u64 = tag_of(Owner::Connection, c.index, c.generation);
    epoll_ctl(epoll_of(c), EPOLL_CTL_MOD, c.fd.get(), &event);
}

// Where we are is asked of the system only where the listener does not say it.
ConnectionInfo Loop::info_of(const Connection& c) const {
    const auto at = std::ranges::find_if(listeners_, [&](const auto& l) {
        return c.incoming && l->number == c.listener &&
               l->local.address.is_v4() == c.remote.address.is_v4();
    });
    const bool known = at != listeners_.end() && !(*at)->local.address.is_unspecified();
    return {known ? (*at)->local : local_endpoint(c.fd.get()), c.remote, c.incoming, c.listener,
            c.ssl.get()};
}

void Loop::on_connected(Connection& c) {
    c.phase = Phase::Handshake;
    if (tap_ != nullptr) {
        c.tapped = true;
        tap_->on_opened(key_of(c), info_of(c));
    }
    if (c.tls == nullptr) {
        opened(c);
    } else if (c.ssl == nullptr) {
        end(c, "no memory for TLS", Leave::AtOnce);
    } else if (c.tapped) {
        tap_tls(c);
    }
}

void Loop::tap_tls(Connection& c) {
    auto* bio = SSL_get_rbio(c.ssl.get()); // the same for writing
    BIO_set_callback_arg(bio, reinterpret_cast<char*>(new Tapped{tap_, key_of(c)}));
    BIO_set_callback_ex(bio, see_raw);
    SSL_set_msg_callback(c.ssl.get(), see_message);
}

void Loop::opened(Connection& c) {
    if (c.hands != Handshakes::nowhere) {
        handshakes_.leave(std::exchange(c.hands, Handshakes::nowhere));
    }
    c.phase = Phase::Open;
    deadlines_.disarm(c.index);
    if (c.ssl != nullptr) {
        settle_memory(c.ssl.get());
    }
    if (c.newcomer) {
        epoll_ctl(newcomers_.get(), EPOLL_CTL_DEL, c.fd.get(), nullptr);
        c.newcomer = false;
        enrol(c, false);
    } else {
        watch(c, false);
    }
    if (!c.out.empty()) {
        mark(c);
    }
    handler_.on_open(key_of(c), info_of(c));
}

void Loop::handshake(Connection& c) {
    ERR_clear_error();
    const int done = SSL_do_handshake(c.ssl.get());
    if (done == 1) {
        opened(c);
        if (c.phase == Phase::Open && SSL_has_pending(c.ssl.get()) == 1) {
            read(c); // it came behind the last Finished: epoll does not know of it
        }
        return;
    }
    const int reason = errno;
    switch (SSL_get_error(c.ssl.get(), done)) {
    case SSL_ERROR_WANT_READ:
        watch(c, false);
        return;
    case SSL_ERROR_WANT_WRITE:
        watch(c, true);
        return;
    case SSL_ERROR_SYSCALL:
        if (reason != 0 && ERR_peek_error() == 0) {
            end(c, said("TLS handshake", reason), Leave::AtOnce);
            return;
        }
        [[fallthrough]];
    default:
        // Our alert is on its way, and must not be overtaken by a reset.
        end(c, "TLS handshake: " + last_tls_error(c.ssl.get()), Leave::Drain);
    }
}

// ---- reading

void Loop::on_ready(Connection& c, std::uint32_t events) {
    if (c.phase == Phase::Draining) {
        drain(c);
        return;
    }
    if (c.abandoned) {
        return; // flush() ends it in this turn
    }
    if (c.phase == Phase::Connecting) {
        if (const int error = connect_result(c.fd.get()); error != 0) {
            end(c, said("connect", error), Leave::AtOnce);
            return;
        }
        on_connected(c);
        if (c.phase != Phase::Handshake) {
            return;
        }
    }
    if (c.phase == Phase::Handshake) {
        handshake(c);
        return;
    }
    constexpr std::uint32_t broken = EPOLLERR | EPOLLHUP;
    c.hung_up = (events & EPOLLHUP) != 0; // nothing more can be written
    if ((events & (EPOLLOUT | broken)) != 0) {
        mark(c);
    }
    if (!c.ended && (events & (EPOLLIN | broken)) != 0) {
        read(c);
    } else if (c.ended && (events & broken) != 0) {
        end(c, c.why, Leave::AtOnce);
    }
}

void Loop::read(Connection& c) {
    if (c.waits) {
        arrived_ = when_came(c);
    }
    c.ssl != nullptr ? read_tls(c) : read_plain(c);
}

void Loop::deliver(Connection& c, std::size_t count) {
    if (count > 0 && c.phase == Phase::Open) {
        mail_ += 1 + count / small_message;
        handler_.on_bytes(key_of(c), {buffers_->stream.data(), count});
    }
}

// All records that the socket gave at once, in one piece. A peer that never stops gets its share
// of each turn.
void Loop::read_tls(Connection& c) {
    auto& buffer = buffers_->stream;
    std::size_t count = 0;
    do {
        if (buffer.size() - count < largest_record) {
            more_.push_back(key_of(c));
            break;
        }
        ERR_clear_error();
        const int got = SSL_read(c.ssl.get(), buffer.data() + count, largest_record);
        if (got > 0) {
            count += static_cast<std::size_t>(got);
            continue;
        }
        const int reason = errno;
        const int error = SSL_get_error(c.ssl.get(), got);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            break;
        }
        const auto why = error == SSL_ERROR_ZERO_RETURN ? std::string{"close_notify"}
                         : error == SSL_ERROR_SYSCALL && reason != 0
                             ? std::string{std::strerror(reason)}
                             : last_tls_error(c.ssl.get());
        deliver(c, count);
        if (error == SSL_ERROR_ZERO_RETURN) {
            at_end(c, why);
        } else {
            end(c, why, error == SSL_ERROR_SSL && !c.hung_up ? Leave::Drain : Leave::AtOnce);
        }
        return;
        // Level-triggered: more in the socket wakes us again, without a read that finds nothing.
    } while (SSL_has_pending(c.ssl.get()) == 1);
    deliver(c, count);
}

void Loop::read_plain(Connection& c) {
    auto& buffer = buffers_->stream;
    const auto got = ::read(c.fd.get(), buffer.data(), buffer.size());
    if (got > 0) {
        const auto count = static_cast<std::size_t>(got);
        if (c.tapped) {
            tap_->on_raw(key_of(c), false, {buffer.data(), count});
        }
        deliver(c, count);
    } else if (got == 0) {
        at_end(c, "closed");
    } else if (errno != EAGAIN && errno != EINTR) {
        end(c, std::strerror(errno), Leave::AtOnce);
    }
}

// The peer sends no more; what is given to send() in this turn, it still gets.
void Loop::at_end(Connection& c, std::string_view why) {
    c.ended = true;
    if (c.phase == Phase::Open) {
        c.why = why;
    }
    watch(c, c.output_watched);
    mark(c);
}

// ---- writing

void Loop::mark(Connection& c) {
    if (!c.dirty) {
        c.dirty = true;
        dirty_.push_back(c.index);
    }
}

void Loop::send(Key key, std::string_view bytes) {
    auto* c = find(key);
    if (c == nullptr || c->phase == Phase::Closing || c->abandoned) {
        return;
    }
    if (c->out.size() + bytes.size() > limits_.output) {
        close(key, "the peer does not read");
        c->aborted = true;
        return;
    }
    c->out += bytes;
    if (c->phase == Phase::Open) {
        mark(*c);
    }
}

void Loop::close(Key key, std::string_view why) {
    auto* c = find(key);
    if (c == nullptr || c->phase == Phase::Closing || c->abandoned) {
        return;
    }
    c->why = why;
    if (c->phase == Phase::Open) {
        c->phase = Phase::Closing;
        deadlines_.arm(c->index, now_ + limits_.linger);
    } else {
        c->abandoned = true;
    }
    mark(*c);
}

void Loop::set_deadline(Key key, Instant when) {
    if (const auto* c = find(key); c != nullptr && c->phase == Phase::Open) {
        when.known() ? deadlines_.arm(c->index, when) : deadlines_.disarm(c->index);
    }
}

// Bytes written; 0 when the socket is full; negative when the connection is broken.
long Loop::write_some(Connection& c, std::string_view bytes) {
    if (c.ssl == nullptr) {
        const auto wrote = ::send(c.fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (wrote > 0 && c.tapped) {
            tap_->on_raw(key_of(c), true,
                         as_bytes(bytes.substr(0, static_cast<std::size_t>(wrote))));
        }
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
    std::size_t count = 0;
    while (count < c.out.size()) {
        const auto n = write_some(c, std::string_view{c.out}.substr(count));
        if (n < 0) {
            ERR_clear_error();
            end(c, "the peer is gone", Leave::AtOnce);
            return;
        }
        if (n == 0) {
            c.out.erase(0, count);
            if (c.ended && c.phase == Phase::Open) {
                c.phase = Phase::Closing;
                deadlines_.arm(c.index, now_ + limits_.linger);
            }
            watch(c, true);
            return;
        }
        count += static_cast<std::size_t>(n);
    }
    c.out = {}; // an idle connection holds no buffer
    written(c);
}

void Loop::written(Connection& c) {
    if (c.phase != Phase::Closing && !c.ended) {
        watch(c, false);
        return;
    }
    if (c.ssl != nullptr) {
        ERR_clear_error();
        SSL_shutdown(c.ssl.get()); // close_notify
        ERR_clear_error();
    }
    end(c, c.why, c.ended ? Leave::AtOnce : Leave::Drain);
}

void Loop::flush() {
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
        auto& c = *connections_[dirty_[i]];
        c.dirty = false;
        if (c.abandoned || c.aborted) {
            end(c, c.why, Leave::AtOnce);
        } else if (c.phase == Phase::Open || c.phase == Phase::Closing) {
            write(c);
        }
    }
    dirty_.clear();
    datagrams_->flush();
}

// ---- the end

void Loop::on_deadline(Connection& c) {
    switch (c.phase) {
    case Phase::Connecting:
        end(c, c.abandoned ? c.why : "connect: no answer", Leave::AtOnce);
        break;
    case Phase::Handshake:
        end(c, "TLS handshake: took too long", Leave::AtOnce);
        break;
    case Phase::Open:
        close(key_of(c), "idle for too long");
        break;
    case Phase::Closing:
        end(c, c.why, Leave::AtOnce);
        break;
    case Phase::Draining:
        free(c);
        break;
    case Phase::Free:
    case Phase::Ending:
        break;
    }
}

void Loop::end(Connection& c, std::string_view why, Leave leave) {
    const auto key = key_of(c);
    const bool was_open = c.phase == Phase::Open || c.phase == Phase::Closing;
    const std::string reason{why}; // it may be c.why
    c.phase = Phase::Ending;
    deadlines_.disarm(c.index);
    if (c.hands != Handshakes::nowhere) {
        handshakes_.leave(std::exchange(c.hands, Handshakes::nowhere));
    }
    if (was_open) {
        handler_.on_closed(key, reason);
    } else {
        handler_.on_failed(key, c.remote, c.incoming, reason);
    }
    c.abandoned = false;
    c.aborted = false;
    c.out = {};
    c.why = {};
    c.ssl.reset();
    c.tls.reset();
    // Bytes of the peer that nobody reads make close() a reset, which would overtake what we sent
    // last: an answer, an alert. So the peer's end, or its silence, is waited for.
    if (leave == Leave::Drain && ::shutdown(c.fd.get(), SHUT_WR) == 0) {
        c.phase = Phase::Draining;
        watch(c, false);
        deadlines_.arm(c.index, now_ + limits_.linger);
    } else {
        free(c);
    }
}

void Loop::drain(Connection& c) {
    auto& buffer = buffers_->stream;
    const auto got = ::read(c.fd.get(), buffer.data(), buffer.size());
    if (got > 0 && c.tapped) {
        tap_->on_raw(key_of(c), false, {buffer.data(), static_cast<std::size_t>(got)});
    }
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        free(c);
    }
}

void Loop::close_all() {
    for (const auto& c : connections_) {
        if (c->hands != Handshakes::nowhere) {
            handshakes_.leave(std::exchange(c->hands, Handshakes::nowhere));
        }
        if (c->phase != Phase::Free) {
            c->ssl.reset();
            c->tls.reset();
            free(*c);
        }
    }
    waiting_.reset();
}

void Loop::free(Connection& c) {
    deadlines_.disarm(c.index);
    c.fd.reset();
    if (std::exchange(c.tapped, false)) {
        tap_->on_closed(key_of(c));
    }
    c.phase = Phase::Free;
    c.newcomer = false;
    c.waits = false;
    c.ended = false;
    c.hung_up = false;
    ++c.generation;
    free_.push_back(c.index);
    --open_;
    wake_listeners(true);
}

} // namespace cw::net
