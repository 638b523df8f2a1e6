// The trace of one shard: taps the bytes of its connections as they are on the wire, and writes
// them as packets of a TCP that loses nothing, into a buffer that goes to a sink once a turn.
#pragma once

#include <string>
#include <vector>

#include "host/trace_file.hpp"
#include "host/trace_sink.hpp"
#include "net/loop.hpp"

namespace cw::host {

class Trace final : public net::Tap {
  public:
    // `sink` must outlive it.
    explicit Trace(TraceSink& sink) : sink_(sink) {}
    ~Trace() override { flush(); }
    Trace(const Trace&) = delete;
    Trace& operator=(const Trace&) = delete;

    void on_opened(net::Key key, const net::ConnectionInfo& info) override;
    void on_raw(net::Key key, bool outgoing, Bytes bytes) override;
    void on_tls_message(net::Key, bool, int, Bytes) override {}
    void on_closed(net::Key key) override;
    void datagram(const Endpoint& from, const Endpoint& to, Bytes bytes);
    // Once a turn.
    void flush();

  private:
    struct Stream { // one direction
        Endpoint from;
        std::uint32_t sequence = 1;
    };
    struct Connection {
        bool open = false;
        Stream out, in;
    };
    void packet(Stream& from, const Stream& to, const TcpFlags& flags, Bytes payload);

    TraceSink& sink_;
    std::string buffer_;
    std::vector<Connection> connections_; // by net::Key::index
};

} // namespace cw::host
