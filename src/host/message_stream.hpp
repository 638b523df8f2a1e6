// The SIP messages in the bytes of one connection [RFC 3261 §18.3], and the keep-alives between
// them [RFC 5626 §4.4.1]. Bytes that hold whole messages are not copied; only what a message still
// lacks an end for is kept.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "sip/frame.hpp"
#include "sip/policy.hpp"

namespace cw::host {

class MessageStream {
  public:
    // `policy` must outlive it.
    explicit MessageStream(const sip::Policy& policy) : framer_(policy) {}
    explicit MessageStream(sip::Policy&&) = delete;

    // Takes what came; then next() hands out what is in it, until it says that there is no more.
    // `bytes` must live until then.
    void feed(Bytes bytes);

    enum class Kind : std::uint8_t {
        None,    // wait for more bytes
        Message, // `text` is one, valid until the next feed()
        Ping,    // a double CRLF: answer with one
        Pong,    // a single CRLF: the answer to a ping of ours, or half of a ping
        Broken,  // it cannot be framed any more, `error` says why; `text` is the rest. Close it
    };
    struct Item {
        Kind kind = Kind::None;
        std::string_view text;
        Error error;
    };
    Item next();

    // A ping of ours is on its way: the next single CRLF is its pong and nothing else. Without it
    // two pongs, one after the other, would be a ping.
    void expect_pong() { pong_due_ = true; }

    // Bytes of an unfinished message that are being held.
    [[nodiscard]] std::size_t held() const { return tail_.size(); }

  private:
    void keep_rest();

    sip::Framer framer_;
    std::string tail_; // an unfinished message
    std::string_view left_;
    bool in_tail_ = false;  // left_ points into tail_
    bool line_end_ = false; // the frame before was a single line end
    bool pong_due_ = false;
};

} // namespace cw::host
