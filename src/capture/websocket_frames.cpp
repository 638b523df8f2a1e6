#include "capture/websocket_frames.hpp"

#include <algorithm>

#include "capture/recognise.hpp"

namespace cw::capture {

namespace {

namespace opcode {
constexpr std::uint8_t continuation = 0;
constexpr std::uint8_t text = 1;
constexpr std::uint8_t binary = 2;
constexpr std::uint8_t close = 8;
constexpr std::uint8_t pong = 10;
} // namespace opcode

// Enough for the longest "SUBSCRIBE sips:" with line ends before it.
constexpr std::size_t enough_to_recognise = 64;
// A buffer that grew above this is given back when it is not in use.
constexpr std::size_t buffer_to_keep = std::size_t{16} * 1024;

bool is_control(std::uint8_t code) {
    return (code & 8) != 0;
}

void unmask_into(std::string& out, Bytes payload, const std::uint8_t (&key)[4]) {
    out.resize(payload.size());
    for (std::size_t i = 0; i < payload.size(); ++i) {
        out[i] = static_cast<char>(payload[i] ^ key[i & 3]);
    }
}

void give_back(std::string& buffer) {
    if (buffer.capacity() > buffer_to_keep) {
        std::string().swap(buffer);
    } else {
        buffer.clear();
    }
}

} // namespace

// Takes the fields of a frame's header [RFC 6455 §5.2].
WebSocketFrames::Found WebSocketFrames::read_header(Bytes bytes, Frame& frame) {
    Reader in(bytes);
    const auto first = in.u8();
    const auto second = in.u8();
    frame.opcode = first & 15;
    frame.final = (first & 0x80) != 0;
    frame.compressed = (first & 0x40) != 0; // RSV1 [RFC 7692 §6]
    frame.masked = (second & 0x80) != 0;
    frame.payload_size = second & 0x7f;
    if (frame.payload_size == 126) {
        frame.payload_size = in.be16();
    } else if (frame.payload_size == 127) {
        frame.payload_size = in.be64();
    }
    const auto key = frame.masked ? in.take(4) : Bytes{};
    if (bytes.empty()) {
        return Found::NeedMore;
    }
    const bool known =
        is_control(frame.opcode) ? frame.opcode <= opcode::pong : frame.opcode <= opcode::binary;
    if (!known || (first & 0x30) != 0) {
        return Found::Damage; // RSV2 and RSV3 belong to no extension that is in use
    }
    if (bytes.size() >= 2 && is_control(frame.opcode) &&
        (!frame.final || frame.compressed || (second & 0x7f) > 125)) {
        return Found::Damage; // [RFC 6455 §5.5]
    }
    if (!in.ok()) {
        return Found::NeedMore;
    }
    if (frame.payload_size > max_frame) {
        return Found::Damage;
    }
    std::ranges::copy(key, frame.key);
    frame.header_size = in.offset();
    return Found::Frame;
}

bool looks_like_websocket_frame(Bytes first_bytes) {
    WebSocketFrames::Frame frame;
    if (WebSocketFrames::read_header(first_bytes, frame) != WebSocketFrames::Found::Frame ||
        frame.compressed || (frame.opcode != opcode::text && frame.opcode != opcode::binary)) {
        return false;
    }
    const auto there = std::min<std::uint64_t>(
        {first_bytes.size() - frame.header_size, frame.payload_size, enough_to_recognise});
    std::string beginning;
    unmask_into(beginning, first_bytes.subspan(frame.header_size, static_cast<std::size_t>(there)),
                frame.key);
    return looks_like_sip(beginning);
}

// Out of step: whether a frame that we know for certain begins here.
bool WebSocketFrames::begins_in_step(Bytes bytes) {
    if (looks_like_websocket_frame(bytes)) {
        return true;
    }
    Frame frame;
    if (read_header(bytes, frame) != Found::Frame || !frame.compressed || !frame.final ||
        frame.payload_size > bytes.size() - frame.header_size) {
        return false;
    }
    Inflater fresh; // a message that needs no earlier one
    const auto payload =
        bytes.subspan(frame.header_size, static_cast<std::size_t>(frame.payload_size));
    const auto message = fresh.inflate(unmask(frame, payload));
    return message && looks_like_sip(*message);
}

void WebSocketFrames::on_bytes(Bytes bytes, const Datagram& by, Sink& sink) {
    if (!in_step_) {
        if (!begins_in_step(bytes)) {
            sink.on_frames_lost(bytes.size());
            return;
        }
        in_step_ = true;
    }
    if (!held_.empty()) {
        held_ += as_text(bytes);
        const auto done = process(as_bytes(held_), by, sink);
        held_.erase(0, done);
    } else {
        const auto done = process(bytes, by, sink);
        held_ = as_text(bytes.subspan(done));
    }
    if (held_.empty()) {
        give_back(held_);
    } else {
        held_by_ = held_by_ ? std::move(held_by_) : std::make_unique<Datagram>();
        *held_by_ = by;
        held_by_->payload = {};
    }
}

// Takes all complete frames, and returns how many bytes they had.
std::size_t WebSocketFrames::process(Bytes data, const Datagram& by, Sink& sink) {
    std::size_t at = 0;
    while (at < data.size()) {
        if (to_skip_ != 0) {
            const auto size = std::min<std::uint64_t>(to_skip_, data.size() - at);
            at += static_cast<std::size_t>(size);
            to_skip_ -= size;
            continue;
        }
        Frame frame;
        const auto found = read_header(data.subspan(at), frame);
        if (found == Found::NeedMore) {
            return at;
        }
        if (found == Found::Damage) {
            sink.on_frames_lost(data.size() - at);
            lose_step();
            return data.size();
        }
        if (frame.payload_size > max_message) {
            sink.on_frames_lost(frame.payload_size);
            to_skip_ = frame.payload_size;
            in_message_ = !frame.final; // its further fragments are of no use
            too_large_ = true;
            give_back(message_);
            at += frame.header_size;
            continue;
        }
        const auto size = static_cast<std::size_t>(frame.payload_size);
        if (data.size() - at - frame.header_size < size) {
            return at;
        }
        on_frame(frame, data.subspan(at + frame.header_size, size), by, sink);
        at += frame.header_size + size;
    }
    return at;
}

void WebSocketFrames::on_frame(const Frame& frame, Bytes payload, const Datagram& by, Sink& sink) {
    if (is_control(frame.opcode)) {
        closed_ = closed_ || frame.opcode == opcode::close;
        return;
    }
    on_data_frame(frame, unmask(frame, payload), by, sink);
    give_back(unmasked_);
}

void WebSocketFrames::on_data_frame(const Frame& frame, Bytes payload, const Datagram& by,
                                    Sink& sink) {
    if (frame.opcode != opcode::continuation) {
        if (in_message_ && !too_large_) {
            sink.on_frames_lost(message_.size()); // its last fragment never came
        }
        message_.clear();
        in_message_ = true;
        too_large_ = false;
        compressed_ = frame.compressed; // said by the first fragment only [RFC 7692 §6.1]
    } else if (!in_message_) {
        sink.on_frames_lost(payload.size());
        return;
    }
    if (too_large_ || message_.size() + payload.size() > max_message) {
        sink.on_frames_lost(payload.size() + message_.size());
        too_large_ = true;
        message_.clear();
    } else if (frame.final && message_.empty()) {
        end_message(payload, by, sink);
    } else {
        message_ += as_text(payload);
        if (frame.final) {
            end_message(as_bytes(message_), by, sink);
        }
    }
    if (frame.final) {
        in_message_ = false;
        give_back(message_);
    }
}

void WebSocketFrames::end_message(Bytes message, const Datagram& by, Sink& sink) {
    if (!compressed_) {
        sink.on_frames_message(as_text(message), false, by);
        return;
    }
    if (!inflater_) {
        inflater_ = std::make_unique<Inflater>();
    }
    if (const auto inflated = inflater_->inflate(message)) {
        sink.on_frames_message(*inflated, false, by);
    } else {
        sink.on_frames_lost(message.size());
    }
}

// The payload in clear; valid until the next call.
Bytes WebSocketFrames::unmask(const Frame& frame, Bytes payload) {
    if (!frame.masked) {
        return payload;
    }
    unmask_into(unmasked_, payload, frame.key);
    return as_bytes(unmasked_);
}

// Hands on what there is of a message whose end will not come.
void WebSocketFrames::hand_on_partial(Sink& sink) {
    Frame frame;
    const auto bytes = as_bytes(held_);
    if (held_by_ && read_header(bytes, frame) == Found::Frame && !is_control(frame.opcode)) {
        const auto first = frame.opcode != opcode::continuation;
        if (!(first ? frame.compressed : compressed_) && (first || (in_message_ && !too_large_))) {
            const auto text = (first ? std::string() : message_) +
                              std::string(as_text(unmask(frame, bytes.subspan(frame.header_size))));
            sink.on_frames_message(text, true, *held_by_);
            return;
        }
    }
    if (!held_.empty() || !message_.empty()) {
        sink.on_frames_lost(held_.size() + message_.size());
    }
}

void WebSocketFrames::lose_step() {
    give_back(held_);
    give_back(message_);
    inflater_.reset(); // later messages refer to the window that was lost
    held_by_.reset();
    to_skip_ = 0;
    in_message_ = false;
    too_large_ = false;
    in_step_ = false;
}

void WebSocketFrames::on_gap(Sink& sink) {
    hand_on_partial(sink);
    lose_step();
}

void WebSocketFrames::flush(Sink& sink) {
    on_gap(sink);
}

} // namespace cw::capture
