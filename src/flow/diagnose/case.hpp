// A call prepared for the rules: its transactions hop by hop, and who is who. Made once a call, in
// time proportional to its messages. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flow/boxes.hpp"
#include "flow/call.hpp"
#include "flow/dtls_exchange.hpp"

namespace cw::flow::diagnose {

// From the first packet of the capture to its last.
struct Window {
    Instant begin;
    Instant end;
};

// One transaction on one hop. Indices are of Call::messages.
struct Transaction {
    std::uint32_t request = none;     // none: only responses were seen
    std::uint32_t trying = none;      // 100
    std::uint32_t provisional = none; // the first 101–199
    std::uint32_t final = none;
    std::uint32_t ack = none;    // of a final response that is no 2xx
    std::uint32_t cancel = none; // the CANCEL of this INVITE
    std::uint32_t last_sending = none;
    std::uint32_t last_final = none;
    std::uint32_t sendings = 0; // the request and its retransmissions
    std::uint32_t finals = 0;   // the final response and its retransmissions
    std::uint32_t cseq = 0;
    std::uint64_t branch = 0;
    Endpoint client;
    Endpoint server;
    sip::Method method = sip::Method::None;
    std::uint8_t leg = 0;
    bool in_dialog = false; // its request has a tag in To
    std::uint16_t status = 0;
};

class Case {
  public:
    // All must outlive it. `dtls`: handshakes for media between ends of the call, by time.
    Case(const Call& call, const Window& window, std::span<const DtlsExchange> dtls = {});

    [[nodiscard]] const Call& call() const { return call_; }
    [[nodiscard]] const Window& window() const { return window_; }
    [[nodiscard]] std::span<const DtlsExchange> dtls() const { return dtls_; }
    [[nodiscard]] const Message& at(std::uint32_t index) const { return call_.messages[index]; }
    [[nodiscard]] std::string_view text(Text t) const { return call_.text(t); }
    [[nodiscard]] std::span<const Transaction> transactions() const { return transactions_; }
    // ACKs that belong to no transaction: those of 2xx responses.
    [[nodiscard]] std::span<const std::uint32_t> acks() const { return acks_; }
    // The transaction of a message, as an index of transactions(); none when it has none.
    [[nodiscard]] std::uint32_t transaction_of(std::uint32_t message) const { return of_[message]; }
    // All copies of a message: itself, then its retransmissions; at most `most`.
    [[nodiscard]] std::vector<std::uint32_t> copies(std::uint32_t message,
                                                    std::size_t most = 12) const;

    // Are these two endpoints the same program, as far as the call tells?
    [[nodiscard]] bool same_party(const Endpoint& a, const Endpoint& b) const;
    // The ACK of this INVITE's 2xx on the same hop; none when there is none.
    [[nodiscard]] std::uint32_t ack_on_hop(const Transaction& invite) const;
    // By its number; nullptr when it is not one of the call's.
    [[nodiscard]] const Connection* connection(std::uint32_t id) const;
    // Was anything of the call seen on its way from one to the other? If not, the capture may lack
    // that direction, and what is not there proves nothing.
    [[nodiscard]] bool is_seen(const Endpoint& from, const Endpoint& to) const;
    // Time from the message to the end of the capture.
    [[nodiscard]] Duration watched_after(std::uint32_t message) const {
        return window_.end - at(message).time;
    }

  private:
    void add_request(std::uint32_t index);
    void add_response(std::uint32_t index);
    void add_retransmission(std::uint32_t index);
    [[nodiscard]] std::uint32_t find(const Message& m, sip::Method method) const;

    const Call& call_;
    const Window& window_;
    std::span<const DtlsExchange> dtls_;
    std::vector<Transaction> transactions_;
    std::vector<std::uint32_t> acks_;
    std::vector<std::uint32_t> of_;
    bool shared_addresses_ = false;        // both ends of a hop have the same address
    mutable std::unique_ptr<Boxes> boxes_; // made when somebody asks
};

// "192.0.2.1:5060"; for evidence.
std::string shown(const Endpoint& endpoint);
// "12.3 s", "350 ms".
std::string shown(Duration duration);
// At most so much of a text from the wire, without what could steer a terminal.
std::string quoted(std::string_view text, std::size_t most = 120);

} // namespace cw::flow::diagnose
