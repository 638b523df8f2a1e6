#include "host/trace.hpp"

#include <algorithm>

namespace cw::host {
namespace {

constexpr std::size_t flush_early = std::size_t{1} << 20;

} // namespace

void Trace::packet(Stream& from, const Stream& to, const TcpFlags& flags, Bytes payload) {
    put_tcp(buffer_, net::Loop::now(),
            {from.from, to.from, from.sequence, to.sequence, flags, payload});
    from.sequence += static_cast<std::uint32_t>(payload.size()) + (flags.syn || flags.fin ? 1 : 0);
}

void Trace::on_opened(net::Key key, const net::ConnectionInfo& info) {
    if (connections_.size() <= key.index) {
        connections_.resize(key.index + 1);
    }
    auto& c = connections_[key.index];
    c = {true, {info.local}, {info.remote}};
    auto& client = info.incoming ? c.in : c.out;
    auto& server = info.incoming ? c.out : c.in;
    packet(client, server, {.syn = true, .ack = false}, {});
    packet(server, client, {.syn = true}, {});
    packet(client, server, {}, {});
}

void Trace::on_raw(net::Key key, bool outgoing, Bytes bytes) {
    if (key.index >= connections_.size() || !connections_[key.index].open) {
        return;
    }
    auto& c = connections_[key.index];
    auto& from = outgoing ? c.out : c.in;
    const auto& to = outgoing ? c.in : c.out;
    while (!bytes.empty()) {
        const auto piece = bytes.first(std::min(bytes.size(), most_payload));
        packet(from, to, {.push = true}, piece);
        bytes = bytes.subspan(piece.size());
    }
    if (buffer_.size() > flush_early) {
        flush();
    }
}

void Trace::on_closed(net::Key key) {
    if (key.index >= connections_.size() || !connections_[key.index].open) {
        return;
    }
    auto& c = connections_[key.index];
    packet(c.out, c.in, {.fin = true}, {});
    packet(c.in, c.out, {.fin = true}, {});
    packet(c.out, c.in, {}, {});
    c.open = false;
}

void Trace::datagram(const Endpoint& from, const Endpoint& to, Bytes bytes) {
    put_udp(buffer_, net::Loop::now(), from, to, bytes);
}

void Trace::flush() {
    if (!buffer_.empty()) {
        sink_.append(buffer_);
        buffer_.clear();
    }
}

} // namespace cw::host
