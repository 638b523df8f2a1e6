// One connection of the probe: a socket, TLS on it where wanted, and waits that end at a deadline.
// Unlike net/loop it does one thing after another, goes on with a peer whose certificate is bad
// (the probe judges it afterwards and says why), and keeps every handshake message. One thread.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/call.hpp"
#include "net/socket.hpp"
#include "net/tls.hpp"

namespace cw::host {

// What the handshake said, in the order in which it came.
struct HandshakeLog {
    std::vector<flow::HandshakeStep> steps;
    std::vector<flow::Alert> alerts; // close_notify too
    bool certificate_asked = false;  // the server sent a CertificateRequest
    bool hello_retry = false;
    bool ticket = false; // the server gave something to resume with
    std::string offered; // versions of our hello: "TLSv1.2 TLSv1.3"

    void on_handshake(bool from_client, Bytes message, Instant now);
    void on_alert(bool from_client, Bytes alert, Instant now);
};

class Wire {
  public:
    enum class End : std::uint8_t { None, Closed, TimedOut, Failed };
    struct Outcome {
        End end = End::None; // None: it went well
        std::string why;     // in words, when it did not
        [[nodiscard]] bool good() const { return end == End::None; }
    };

    Wire() = default;
    // Connects, or says why not: "connection refused".
    Outcome connect(const Endpoint& to, Instant deadline);
    // UDP: only sets the peer.
    Outcome connect_datagrams(const Endpoint& to);
    // The handshake. `context` and `log` must outlive the Wire.
    Outcome secure(SSL_CTX* context, const std::string& name, SSL_SESSION* session,
                   HandshakeLog& log, Instant deadline);

    Outcome write(std::string_view bytes, Instant deadline);
    // Appends what came, at least a byte when it went well.
    Outcome read(std::string& into, Instant deadline);
    // With close_notify, without waiting for the peer's.
    void close();

    [[nodiscard]] bool connected() const { return connected_; }
    [[nodiscard]] Endpoint local() const { return local_; } // also of an attempt that failed
    [[nodiscard]] Endpoint remote() const { return remote_; }
    [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

  private:
    Outcome wait(short events, Instant deadline) const;
    Outcome tls_outcome(int result, Instant deadline);

    net::Descriptor fd_;
    net::Ssl ssl_;
    Endpoint local_;
    Endpoint remote_;
    std::uint64_t bytes_ = 0; // both ways
    bool connected_ = false;
};

} // namespace cw::host
