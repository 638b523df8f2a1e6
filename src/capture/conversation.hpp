// One TCP connection as the decoder follows it: both directions put in order, TLS opened where
// there is any, and the application's messages handed on. Keeps the record of the connection that
// the ladder shows.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "capture/application.hpp"
#include "capture/packet.hpp"
#include "capture/side.hpp"
#include "capture/tcp_stream.hpp"
#include "capture/tls/connection.hpp"
#include "flow/call.hpp"

namespace cw::capture {

class Conversation {
  public:
    struct Sink {
        // A SIP message on this connection; valid during the call.
        virtual void on_sip(Conversation& on, Side from, std::string_view message, bool truncated,
                            const Datagram& by) = 0;
        virtual void on_hep(Bytes packet, const Datagram& by) = 0;

      protected:
        ~Sink() = default;
    };
    // What all conversations of a capture share. Must outlive them.
    struct Shared {
        const crypto::KeyRing& keys;
        tls::SessionCache& sessions;
        Sink& sink;
    };

    // `first` is the first segment seen; who is the client is guessed from it when it has no SYN.
    Conversation(std::uint32_t id, const Datagram& first, const Shared& shared);

    void on_segment(const Datagram& segment);
    // The connection has ended, or the capture has: what is held is delivered.
    void finish();

    // A SYN that begins another connection between the same ports.
    [[nodiscard]] bool starts_new_connection(const Datagram& segment) const;
    // Whichever way round.
    [[nodiscard]] bool is_between(const Endpoint& a, const Endpoint& b) const;
    // FIN from both sides, or RST.
    [[nodiscard]] bool is_closed() const;
    // Neither TLS nor SIP: of no interest, and nothing is kept of it.
    [[nodiscard]] bool is_ignored() const { return layer_ == Layer::Other; }
    [[nodiscard]] Instant last_activity() const { return last_; }
    [[nodiscard]] flow::Transport transport() const;
    [[nodiscard]] std::uint32_t id() const { return id_; }
    [[nodiscard]] std::uint16_t input() const { return input_; } // of its first segment
    [[nodiscard]] Endpoint endpoint(Side side) const {
        return side == Side::Client ? client_ : server_;
    }
    // Returns how many there are now.
    std::uint32_t count_message() { return ++messages_; }

    // True when the ladder may want it: it is TLS, or carried SIP.
    [[nodiscard]] bool is_worth_keeping() const { return tls_ != nullptr || messages_ > 0; }
    // It carried what was captured elsewhere.
    [[nodiscard]] bool carries_hep() const;
    // It has a beginning and nothing more: the server refused it, or did not answer.
    [[nodiscard]] bool is_fruitless() const {
        return from_start_ && bytes_ == 0 && missing_ == 0 && !streams_[1].syn_seen();
    }
    // The record as it is now. Complete after finish().
    [[nodiscard]] flow::Connection record() const;

  private:
    enum class Layer : std::uint8_t { Undecided, Plain, Tls, Other };
    struct FromTcp;
    struct FromTls;
    struct FromApplication;

    void on_stream_bytes(Side from, Bytes bytes, const Datagram& by);
    void on_stream_gap(Side from, std::uint64_t missing, const Datagram& by);
    void begin(Side from, Bytes bytes, const Datagram& by);
    void on_decided_bytes(Side from, Bytes bytes, const Datagram& by);
    void decide(Bytes bytes);
    void on_application_bytes(Side from, Bytes bytes, const Datagram& by);
    void note_keep_alive(Side from, Bytes bytes, Instant time);
    void give_up();

    const Shared& shared_;
    std::uint32_t id_;
    std::uint32_t first_frame_;
    std::uint16_t input_;
    std::uint32_t messages_ = 0;
    std::uint32_t tried_ = 0;
    Layer layer_ = Layer::Undecided;
    bool from_start_;
    std::uint8_t fins_ = 0; // a bit for each side
    bool reset_ = false;
    Endpoint client_;
    Endpoint server_;
    Instant opened_;
    Instant last_;
    Instant ping_;            // of the client, not answered yet
    Instant unanswered_ping_; // the first that was not answered in time
    bool heard_after_ping_ = false;
    std::uint64_t bytes_ = 0;
    std::uint64_t missing_ = 0;
    std::vector<flow::LostBytes> lost_;
    std::array<TcpStream, 2> streams_;
    std::array<std::string, 2> prefix_; // the first bytes, while they are too few to tell
    std::unique_ptr<Application> application_;
    std::unique_ptr<tls::Connection> tls_;
};

} // namespace cw::capture
