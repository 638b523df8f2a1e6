// Where one SIP message ends and the next begins in a stream [RFC 3261 §7.5, §18.3], and whether
// bytes are SIP at all. No copying; every byte is looked at once, however small the pieces in which
// they come. Any thread, no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <variant>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "sip/policy.hpp"

namespace cw::sip {

// More bytes are needed: at least so many, which is 1 while the head is incomplete.
struct Need {
    std::size_t bytes = 1;
};

struct Frame {
    enum class Kind : std::uint8_t {
        Message,
        // A line end between messages. Two of them are a keep-alive ping, and one is its answer
        // [RFC 5626 §3.5.1, §4.4.1].
        LineEnd,
    };
    Kind kind = Kind::Message;
    std::size_t head = 0; // octets of start line and headers, with the empty line
    std::size_t body = 0; // octets after them
    [[nodiscard]] std::size_t size() const { return head + body; }
};

// Frames one stream. Give it what is there of the stream from the end of the last frame on; when it
// needs more, give it the same bytes and more behind them. After a Frame the caller drops size()
// bytes and goes on. After an Error the stream cannot be framed any more: the lengths in it are not
// to be trusted, so a server closes the connection [RFC 3261 §18.3, RFC 4475 §3.1.2.2].
//
// Errors: LimitExceeded for a head or body beyond the policy's limits; Malformed for a
// Content-Length that is missing, no number, or there twice with different values, and for line
// ends that the policy does not allow.
class Framer {
  public:
    // `policy` must outlive the framer.
    explicit Framer(const Policy& policy) : policy_(&policy) {}
    explicit Framer(Policy&&) = delete;

    std::variant<Need, Frame, Error> next(Bytes bytes);
    // Forgets what it has seen of the present message: the caller went elsewhere in the stream.
    void restart();

  private:
    std::variant<Need, Frame, Error> measure(Bytes bytes);

    const Policy* policy_;
    std::size_t scanned_ = 0;    // no head ends before here
    std::size_t frame_size_ = 0; // known once the head is complete
    std::size_t head_size_ = 0;
    bool bare_lf_ = false;
};

// Frames the first message of `bytes`; for a single call, where nothing is to be remembered.
std::variant<Need, Frame, Error> frame(Bytes bytes, const Policy& policy);

// Can a SIP message begin here?
enum class Likeness : std::uint8_t {
    No,
    Maybe, // so far; the bytes end too early to tell
    Yes,   // there is a whole start line: "SIP/2.0 200 …" or "METHOD uri SIP/2.0"
};
Likeness looks_like_sip(Bytes bytes);

// The offset, at or after `from`, of the first line in `bytes` where looks_like_sip() is Yes or
// Maybe; bytes.size() when there is none. `from` itself is taken for the start of a line. To find
// the next message after a gap. Linear.
std::size_t find_message(Bytes bytes, std::size_t from);

} // namespace cw::sip
