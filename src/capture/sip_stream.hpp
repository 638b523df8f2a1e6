// SIP messages in a byte stream: TCP, or the plaintext of TLS [RFC 3261 §7.5, §18.3].
//
// A message ends where its Content-Length says. Several messages in a chunk and one message over
// many chunks are the same to this class, and every byte is looked at once. A message that lies
// whole in one chunk is handed on without being copied.
//
// What is no message is skipped up to the next start line, and counted. After a gap the message
// that it cut is handed on as truncated, and the search for a start line begins anew.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "capture/packet.hpp"

namespace cw::capture {

class SipStream {
  public:
    struct Sink {
        virtual ~Sink() = default;
        // From the start line to the end of the body. `truncated`: the message has bytes that are
        // not in the view, since the capture lacks them or a limit was reached; it may end in the
        // middle of a header then. `by` brought the last byte of the view. Both are valid during
        // the call only. Must not call back into the stream.
        virtual void on_message(std::string_view message, bool truncated, const Datagram& by) = 0;
        // This many bytes were no part of a message, keep-alives not counted.
        virtual void on_junk(std::uint64_t bytes) = 0;
    };

    // A header section is hardly ever over 4 KiB, and 64 KiB is what a UDP message could hold.
    static constexpr std::size_t max_header = std::size_t{64} * 1024;
    // A Content-Length above this is taken for damage; the search for a start line begins after the
    // header.
    static constexpr std::uint64_t max_body = std::uint64_t{16} * 1024 * 1024;
    // Of a body, this much is kept, and the rest is skipped.
    static constexpr std::size_t max_kept_body = std::size_t{1024} * 1024;

    void on_bytes(Bytes bytes, const Datagram& by, Sink& sink);
    // Bytes are missing here, 0 when their number is not known.
    void on_gap(std::uint64_t missing, Sink& sink);
    // The stream ended: what is incomplete is handed on as truncated.
    void flush(Sink& sink);

    // Blank lines between messages: a keep-alive is two of them from the client, and one from the
    // server [RFC 5626 §3.5.1].
    [[nodiscard]] std::uint64_t blank_lines() const { return blank_lines_; }
    // Bytes of an incomplete message that are kept; at most max_header + max_kept_body.
    [[nodiscard]] std::size_t held_bytes() const { return held_ ? held_->text.size() : 0; }

  private:
    enum class State : std::uint8_t {
        Between, // at the beginning of a line that may be a start line
        InJunk,  // in the middle of a line that is none
        Header,  // after a start line, looking for the blank line
        Body,    // the header is complete, and size_ is known
    };
    enum class Verdict : std::uint8_t { Yes, No, NeedMore };

    // What is kept of an incomplete message, or of a line between messages.
    struct Held {
        std::string text;
        Datagram by; // brought its last byte; without payload
    };
    // The chunk, or held bytes with the chunk after them, and how much of it is done with.
    struct Cursor {
        std::string_view data;
        const Datagram& by;
        std::size_t at = 0;
        [[nodiscard]] std::string_view rest() const { return data.substr(at); }
    };

    // Each takes one step and returns whether another one is possible with the bytes there.
    bool step(Cursor& cursor, Sink& sink);
    bool between(Cursor& cursor);
    bool in_junk(Cursor& cursor);
    bool in_header(Cursor& cursor, Sink& sink);
    bool in_body(Cursor& cursor, Sink& sink);

    bool skip_blank_lines(Cursor& cursor);
    void skip_junk(Cursor& cursor, std::size_t size);
    [[nodiscard]] Verdict is_start(std::string_view rest, std::size_t line_size) const;
    void end_header(Cursor& cursor, Sink& sink);
    void hand_on(Cursor& cursor, std::size_t size, bool truncated, Sink& sink);
    void keep(const Cursor& cursor);
    void hand_on_partial(Sink& sink);
    void report_junk(Sink& sink);

    State state_ = State::Between;
    bool in_step_ = true;    // the last message ended here, so a start line is due
    bool after_gap_ = false; // the line may lack its beginning
    // In the current message, or line between messages; all below max_header.
    std::uint32_t line_ = 0;      // where the current line begins
    std::uint32_t searched_ = 0;  // up to where its end was looked for
    std::uint32_t length_at_ = 0; // where the value of Content-Length stands; 0 = not seen
    std::uint32_t size_ = 0;      // in Body: header and kept body
    std::uint64_t beyond_ = 0;    // in Body: bytes of the body that will not be kept
    std::uint64_t to_skip_ = 0;   // of those, still to come
    std::uint64_t junk_ = 0;      // not yet reported
    std::uint64_t blank_lines_ = 0;
    std::unique_ptr<Held> held_;
};

} // namespace cw::capture
