// User messages in the DATA chunks of SCTP [RFC 9260 §3.3.1] and its I-DATA chunks
// [RFC 8260 §2.1]. For SIP, one user message is one SIP message [RFC 4168 §5.2].
#pragma once

#include <bitset>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

// One direction of an association. Messages are handed on when their last fragment came, in the
// order of the capture: a receiver would put those of one stream in order first, but whoever reads
// a capture wants to see when each one travelled.
//
// A message in one chunk is handed on without being copied. Fragments wait in a bounded store. A
// TSN that was seen before is a retransmission, and dropped.
class SctpStream {
  public:
    struct Sink {
        virtual ~Sink() = default;
        // Valid during the call. `by` brought the last fragment; `truncated`: snaplen cut it.
        virtual void on_message(std::uint16_t stream, Bytes message, bool truncated,
                                const Datagram& by) = 0;
        // Fragments of messages that never became complete were dropped.
        virtual void on_lost(std::uint64_t bytes) = 0;
    };

    static constexpr std::size_t max_held_bytes = std::size_t{1024} * 1024;
    static constexpr std::size_t max_held_fragments = 1024;

    // The chunks of one packet, after the common header.
    void on_chunks(const Datagram& packet, Sink& sink);
    void flush(Sink& sink);

    // An INIT, or INIT ACK, was seen in this direction.
    [[nodiscard]] bool init_seen() const { return init_seen_; }
    // ABORT or SHUTDOWN COMPLETE.
    [[nodiscard]] bool closed() const { return closed_; }
    // Bytes between chunks that made no sense.
    [[nodiscard]] std::uint64_t malformed() const { return malformed_; }
    [[nodiscard]] std::size_t held_bytes() const { return held_bytes_; }

  private:
    // Fragments of one message follow each other in this order. Those of DATA have successive TSNs;
    // those of I-DATA name their message and their place in it.
    struct Key {
        std::uint32_t message = 0; // stream, kind and number; 0 for DATA
        std::uint32_t number = 0;  // the message identifier; 0 for DATA
        std::uint64_t place = 0;   // TSN, unwrapped, or fragment sequence number
        auto operator<=>(const Key&) const = default;
    };
    struct Fragment {
        std::vector<std::uint8_t> bytes;
        bool first = false;
        bool last = false;
        bool truncated = false;
    };
    struct Chunk {
        std::uint16_t stream = 0;
        std::uint8_t flags = 0;
        bool truncated = false;
        Key key;
        Bytes data;
    };

    void on_init(Bytes value);
    void on_data(std::uint8_t flags, bool interleaved, Bytes value, const Datagram& packet,
                 bool truncated, Sink& sink);
    bool is_new(std::uint32_t tsn);
    void on_fragment(const Chunk& chunk, const Datagram& packet, Sink& sink);
    void drop_oldest(Sink& sink);

    using Seen = std::bitset<4096>;

    std::map<Key, Fragment> fragments_;
    std::size_t held_bytes_ = 0;
    std::unique_ptr<Seen> seen_; // of the last TSNs, by their low bits
    std::uint64_t highest_ = 0;  // the highest TSN seen, unwrapped; 0 = none
    std::uint32_t initial_tsn_ = 0;
    std::uint64_t malformed_ = 0;
    bool init_seen_ = false;
    bool closed_ = false;
};

} // namespace cw::capture
