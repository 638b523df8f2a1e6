// The messages in one direction of a WebSocket, after the handshake [RFC 6455 §5, RFC 7692].
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "capture/inflater.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

// "One WebSocket message carries one SIP message" [RFC 7118 §5.1], in one frame or in fragments,
// with control frames between them.
//
// Frames have no mark to find them by. After a gap the bytes are lost until a chunk, which is where
// a segment or a TLS record begins, starts with a frame that holds the beginning of a SIP message.
class WebSocketFrames {
  public:
    struct Sink {
        virtual ~Sink() = default;
        // Valid during the call. `truncated`: the capture lacks the end of the message.
        virtual void on_frames_message(std::string_view message, bool truncated,
                                       const Datagram& by) = 0;
        // Bytes that could not be understood as frames, or of messages too large or damaged.
        virtual void on_frames_lost(std::uint64_t bytes) = 0;
    };

    // The largest message that is put together; larger ones are skipped and reported as lost.
    static constexpr std::size_t max_message = std::size_t{1024} * 1024;
    // A frame that says to be longer is taken for damage.
    static constexpr std::uint64_t max_frame = std::uint64_t{16} * 1024 * 1024;

    // For a direction of which the beginning was not seen, in_step is false.
    explicit WebSocketFrames(bool in_step = true) : in_step_(in_step) {}

    void on_bytes(Bytes bytes, const Datagram& by, Sink& sink);
    void on_gap(Sink& sink);
    void flush(Sink& sink);

    // A Close frame was seen.
    [[nodiscard]] bool closed() const { return closed_; }
    // Bounded by max_message and a chunk.
    [[nodiscard]] std::size_t held_bytes() const { return held_.size() + message_.size(); }

  private:
    struct Frame {
        std::uint8_t opcode = 0;
        bool final = false;
        bool compressed = false;
        bool masked = false;
        std::uint8_t key[4] = {};
        std::size_t header_size = 0;
        std::uint64_t payload_size = 0;
    };
    enum class Found : std::uint8_t { Frame, NeedMore, Damage };

    static Found read_header(Bytes bytes, Frame& frame);
    friend bool looks_like_websocket_frame(Bytes first_bytes);

    [[nodiscard]] bool begins_in_step(Bytes bytes);
    std::size_t process(Bytes data, const Datagram& by, Sink& sink);
    void on_frame(const Frame& frame, Bytes payload, const Datagram& by, Sink& sink);
    void on_data_frame(const Frame& frame, Bytes payload, const Datagram& by, Sink& sink);
    void end_message(Bytes message, const Datagram& by, Sink& sink);
    Bytes unmask(const Frame& frame, Bytes payload);
    void hand_on_partial(Sink& sink);
    void lose_step();

    bool in_step_;
    bool closed_ = false;
    bool in_message_ = false;   // fragments of one were seen, and the last one was not
    bool compressed_ = false;   // that message is
    bool too_large_ = false;    // that message is, and its fragments are dropped
    std::uint64_t to_skip_ = 0; // bytes of an oversized frame still to come
    std::string held_;          // an incomplete frame
    std::string message_;       // the fragments so far
    std::string unmasked_;      // payload of the current frame
    std::unique_ptr<Inflater> inflater_;
    std::unique_ptr<Datagram> held_by_; // brought the last held byte; without payload
};

// Whether a stream whose handshake was not captured begins with a frame that holds the beginning of
// a SIP message, masked or not. Compressed ones are not recognised.
bool looks_like_websocket_frame(Bytes first_bytes);

} // namespace cw::capture
