// Captured packets in, flow events out. This is the wiring of the whole folder, and the life of a
// packet: headers off (Decapsulator), streams in order (TcpStream), records opened (tls), messages
// found (SipStream, WebSocket), and then to whoever listens: the Book.
// Not thread-safe. Memory is bounded by the connections and streams that are open.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include "capture/conversation.hpp"
#include "capture/decapsulate.hpp"
#include "capture/dtls.hpp"
#include "capture/packet.hpp"
#include "capture/sctp.hpp"
#include "crypto/key_log.hpp"
#include "flow/event.hpp"

namespace cw::capture {

class Decoder final : DatagramSink, Conversation::Sink {
  public:
    // Both must outlive the decoder. Keys may be added while it runs.
    Decoder(flow::Listener& listener, const crypto::KeyRing& keys);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    void on_packet(const Packet& packet);
    // The end of all captures: closes what is open, and tells the listener that it is over.
    void finish();

    // What was not understood of an input: the lower layers' and this one's.
    [[nodiscard]] std::vector<Ignored::Entry> ignored(std::uint16_t input) const;
    // A connection that is open, as it is now; false when there is none of this number.
    bool describe(std::uint32_t id, flow::Connection& connection) const;
    // Connections whose state is kept.
    [[nodiscard]] std::size_t connections() const { return conversations_.size(); }
    // TLS or DTLS was met before this packet: keys that come later may be too late.
    [[nodiscard]] bool has_seen_tls() const { return tls_seen_; }

  private:
    struct Words { // an endpoint
        std::uint64_t first;
        std::uint64_t second;
        std::uint16_t port;
        static Words of(const Endpoint& e) {
            Words words{0, 0, e.port};
            std::memcpy(&words.first, e.address.octets.data(), 8);
            std::memcpy(&words.second, e.address.octets.data() + 8, 8);
            return words;
        }
        bool operator==(const Words&) const = default;
        [[nodiscard]] bool is_below(const Words& w) const {
            return second != w.second ? second < w.second
                   : port != w.port   ? port < w.port
                                      : first < w.first;
        }
    };
    // The two ends of a connection, in an order of their own, so that both directions find it.
    struct Ends {
        Endpoint low;
        Endpoint high;
        // Of two ends, whichever way round. Asked for every packet, so in words.
        static Ends of(const Endpoint& a, const Endpoint& b) {
            return Words::of(a).is_below(Words::of(b)) ? Ends{a, b} : Ends{b, a};
        }
        bool operator==(const Ends& other) const {
            return Words::of(low) == Words::of(other.low) &&
                   Words::of(high) == Words::of(other.high);
        }
        friend std::size_t hash_value(const Ends& e) {
            return mix_hash(hash_value(e.low), hash_value(e.high));
        }
    };
    struct Association {
        std::array<SctpStream, 2> streams;
        std::uint32_t id = 0;
    };
    struct FromSctp;
    struct alignas(cache_line) Input {
        Decapsulator decapsulator;
        Ignored ignored;
    };

    Input& input(std::uint16_t number);
    void ignore(const Datagram& datagram, const char* what) {
        input(datagram.input).ignored.add(what);
    }
    void on_datagram(const Datagram& datagram) override;
    void on_sip(Conversation& on, Side from, std::string_view message, bool truncated,
                const Datagram& by) override;
    void on_hep(Bytes packet, const Datagram& by) override;

    void on_udp(const Datagram& datagram);
    void on_tcp(const Datagram& datagram);
    void on_sctp(const Datagram& datagram);
    std::unique_ptr<Conversation>& conversation_of(const Datagram& segment);
    Conversation*& recent(const Datagram& segment);
    void close(Conversation& conversation);
    void sweep(Instant now);

    flow::Listener& listener_;
    std::vector<std::unique_ptr<Input>> inputs_;
    Input* first_input_ = nullptr; // mostly there is no other
    tls::SessionCache sessions_;
    DtlsHandshakes dtls_;
    Conversation::Shared shared_;
    boost::unordered_flat_map<Ends, std::unique_ptr<Conversation>> conversations_;
    boost::unordered_flat_map<std::uint32_t, const Conversation*> by_id_; // of the same
    // The latest of the same by a hash of their ends, since every packet asks; null: none.
    static constexpr unsigned recent_bits = 9;
    std::array<Conversation*, std::size_t{1} << recent_bits> recent_{};
    boost::unordered_flat_map<Ends, std::unique_ptr<Association>> associations_;
    boost::unordered_flat_set<Endpoint> clients_; // of connections with SIP, see to_client
    boost::unordered_flat_set<Endpoint> servers_; // of the same
    std::uint32_t fruitless_ = 0;                 // connections that did not come about
    std::uint32_t unnamed_ = 0;                   // of those at a place of which nothing is known
    std::uint32_t next_id_ = 1;
    std::size_t sweep_at_ = 256; // conversations
    Instant last_;
    bool tls_seen_ = false;
};

} // namespace cw::capture
