// One direction of a TCP connection put back in order: segments go in as they were captured, bytes
// come out as the receiver read them, with a note where the capture holds none
// [RFC 9293 §3.4, §3.10.7.4].
//
// While segments arrive in order, nothing is copied and nothing is allocated: the sink sees the
// payload itself. Segments from the future wait in a bounded store until the hole before them is
// filled, or given up as a gap. Of bytes seen twice, the first copy wins.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

class TcpStream {
  public:
    // Where the bytes go. All views are valid during the call only. A sink may call ignore() on the
    // stream that calls it, and no other function of that stream.
    struct Sink {
        virtual ~Sink() = default;
        // The next bytes of the stream. `by` is the segment that brought them; its payload may
        // differ from `bytes` where that segment overlapped earlier ones.
        virtual void on_bytes(Bytes bytes, const Datagram& by) = 0;
        // The capture lacks the next `missing` bytes; 0 when their number cannot be known. `by` is
        // the segment after the hole, or the one that showed that there is a hole.
        virtual void on_gap(std::uint64_t missing, const Datagram& by) = 0;
    };

    // Bounds of what waits behind a hole. A SIP or TLS peer rarely has more than a window of 64 KiB
    // in flight, so four of those hold what reordering alone can put there; small segments are
    // bounded by number, because each costs its bookkeeping.
    static constexpr std::size_t max_held_bytes = std::size_t{256} * 1024;
    static constexpr std::size_t max_held_segments = 1024;
    // A sender retransmits a lost segment after 0.2 to 3 s [RFC 6298 §2]; what has not come 5 s
    // later was lost by the capture and not by the network.
    static constexpr Duration hole_patience = seconds(5);
    // Bytes that the receiver acknowledged are not sent again. They can only be late in the capture
    // itself: several queues or several files merged, a matter of milliseconds.
    static constexpr Duration acknowledged_patience = milliseconds(100);
    // Sequence numbers further off than this are no part of the stream as far as we can tell.
    static constexpr std::int64_t plausible_distance = std::int64_t{16} * 1024 * 1024;

    // SYN, data, FIN and RST of this direction.
    void on_segment(const Datagram& segment, Sink& sink);
    // A segment of the other direction: what it acknowledges and we never saw is lost from the
    // capture, and will be reported as a gap when it had its time to turn up.
    void on_peer_segment(const Datagram& segment, Sink& sink);
    // The end of the capture, or of the connection: delivers what is held, with the gaps before it.
    // For a gap at the very end `by` is an empty Datagram.
    void flush(Sink& sink);

    // True for a SYN that cannot belong to this stream: the ports are used again. The caller then
    // flushes this stream and begins a new one with that segment.
    [[nodiscard]] bool starts_new_connection(const Datagram& segment) const;

    // The owner has no use for this stream: everything held is dropped, and nothing more comes.
    // After this a segment costs one comparison.
    void ignore();

    [[nodiscard]] bool ignored() const { return ignored_; }
    [[nodiscard]] bool started() const { return started_; }   // a SYN or data was seen
    [[nodiscard]] bool syn_seen() const { return syn_seen_; } // the capture holds the first byte
    [[nodiscard]] bool reset() const { return reset_; }       // a RST was seen
    // All bytes up to the FIN were delivered or reported as gaps.
    [[nodiscard]] bool finished() const { return fin_ != 0 && next_ >= fin_; }
    // Bytes that wait behind a hole; at most max_held_bytes.
    [[nodiscard]] std::size_t held_bytes() const { return held_ ? held_->bytes : 0; }

  private:
    // A position in the stream: 64 bits, of which the low 32 are the sequence number. They begin at
    // 2^32, so that positions before the first one seen are not negative.
    using Position = std::uint64_t;

    struct Piece {
        Datagram by; // without payload
        std::vector<std::uint8_t> bytes;
        std::uint32_t lost = 0; // bytes that snaplen cut away; then `bytes` is empty
        [[nodiscard]] std::uint64_t size() const { return bytes.size() + lost; }
    };
    struct Held {
        std::map<Position, Piece> pieces; // they do not overlap
        std::size_t bytes = 0;
    };

    [[nodiscard]] Position position_of(std::uint32_t sequence) const;
    bool start(const Datagram& segment);
    void deliver(Bytes bytes, const Datagram& by, Sink& sink);
    void skip(std::uint64_t missing, const Datagram& by, Sink& sink);
    void on_data(const Datagram& segment, Position at, Sink& sink);
    bool is_stray(const Datagram& segment, Position at, Sink& sink);
    void hold(const Datagram& segment, Position at);
    void hold_piece(const Datagram& by, Position at, Position end, Bytes bytes);
    void drain(Sink& sink);
    void give_up_to(Position end, const Datagram& by, Sink& sink);
    void keep_bounds(const Datagram& now, Sink& sink);

    Position next_ = 0;
    Position fin_ = 0;             // where the FIN stands; 0 = not seen
    Position acknowledged_ = 0;    // the peer has everything up to here; 0 = no hole known by it
    Instant acknowledged_since_{}; // when it said so first
    Instant hole_since_{};         // when the first hole was seen; meant only while pieces are held
    std::unique_ptr<Held> held_;   // made with the first piece from the future
    std::uint32_t initial_ = 0;    // sequence number of the SYN, or the one before the first byte
    std::uint32_t stray_next_ = 0; // where a stray segment ended
    bool started_ = false;
    bool syn_seen_ = false;
    bool reset_ = false;
    bool ignored_ = false;
    bool stray_seen_ = false;
};

} // namespace cw::capture
