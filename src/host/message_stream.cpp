#include "host/message_stream.hpp"

#include <variant>

namespace cw::host {

void MessageStream::feed(Bytes bytes) {
    if (tail_.empty()) {
        left_ = as_text(bytes);
        in_tail_ = false;
        return;
    }
    tail_ += as_text(bytes);
    left_ = tail_;
    in_tail_ = true;
}

MessageStream::Item MessageStream::next() {
    while (!left_.empty()) {
        const auto framed = framer_.next(as_bytes(left_));
        if (const auto* error = std::get_if<Error>(&framed)) {
            return {Kind::Broken, left_, *error};
        }
        const auto* frame = std::get_if<sip::Frame>(&framed);
        if (frame == nullptr) {
            break;
        }
        const auto text = left_.substr(0, frame->size());
        left_.remove_prefix(frame->size());
        if (frame->kind == sip::Frame::Kind::Message) {
            line_end_ = false;
            return {Kind::Message, text, {}};
        }
        if (line_end_) {
            line_end_ = false;
            return {Kind::Ping, {}, {}};
        }
        // Half of a ping of theirs is none, though a message follows our pong at once.
        if (pong_due_ && !left_.starts_with("\r\n")) {
            pong_due_ = false;
            return {Kind::Pong, {}, {}};
        }
        line_end_ = true;
        if (left_.empty()) {
            return {Kind::Pong, {}, {}};
        }
    }
    keep_rest();
    return {};
}

void MessageStream::keep_rest() {
    if (left_.empty()) {
        tail_ = std::string{}; // an idle connection holds no buffer
    } else if (in_tail_) {
        tail_.erase(0, tail_.size() - left_.size());
    } else {
        tail_ = left_;
    }
    left_ = {};
}

} // namespace cw::host
