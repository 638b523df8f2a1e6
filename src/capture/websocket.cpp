#include "capture/websocket.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "capture/recognise.hpp"

namespace cw::capture {

namespace {

// Where the head ends, after its blank line; npos when it is not complete. `from` is where the last
// search ended.
std::size_t end_of_head(std::string_view text, std::size_t from) {
    const auto at = text.find("\r\n\r\n", from < 3 ? 0 : from - 3);
    return at == std::string_view::npos ? at : at + 4;
}

// Whether the comma-separated list in header `name` has `wanted`, in any case of letters.
bool header_has(std::string_view head, std::string_view name, std::string_view wanted) {
    while (!head.empty()) {
        const auto end = head.find('\n');
        const auto line = head.substr(0, end);
        head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !iequals(trim(line.substr(0, colon)), name)) {
            continue;
        }
        auto values = line.substr(colon + 1);
        while (!values.empty()) {
            const auto comma = values.find(',');
            if (iequals(trim(values.substr(0, comma)), wanted)) {
                return true;
            }
            values.remove_prefix(comma == std::string_view::npos ? values.size() : comma + 1);
        }
    }
    return false;
}

} // namespace

// Between the frames of one direction and the caller's sink.
struct WebSocket::Forward : WebSocketFrames::Sink {
    Forward(WebSocket& socket_, Side from_, WebSocket::Sink& sink_)
        : socket(socket_), from(from_), sink(sink_) {}
    void on_frames_message(std::string_view message, bool truncated, const Datagram& by) override {
        if (looks_like_sip(message)) {
            sink.on_message(from, message, truncated, by);
        } else {
            ++socket.other_messages_;
        }
    }
    void on_frames_lost(std::uint64_t bytes) override { sink.on_lost(from, bytes); }

    WebSocket& socket;
    Side from;
    WebSocket::Sink& sink;
};

WebSocket::WebSocket(Begin begin) {
    if (begin == Begin::InFrames) {
        for (auto& direction : directions_) {
            direction.phase = Phase::Frames;
            direction.frames = WebSocketFrames(false);
        }
    }
}

void WebSocket::on_bytes(Side from, Bytes bytes, const Datagram& by, Sink& sink) {
    auto& direction = directions_[index_of(from)];
    if (direction.phase == Phase::Head) {
        bytes = read_head(direction, from, bytes);
    }
    if (direction.phase == Phase::Frames && !bytes.empty()) {
        Forward forward(*this, from, sink);
        direction.frames.on_bytes(bytes, by, forward);
    }
}

Bytes WebSocket::read_head(Direction& direction, Side from, Bytes bytes) {
    const auto before = direction.head.size();
    // What is beyond the bound cannot belong to a head that we take.
    direction.head += as_text(bytes.first(std::min(bytes.size(), max_http_head - before)));
    const auto end = end_of_head(direction.head, before);
    if (end == std::string_view::npos) {
        if (direction.head.size() == max_http_head ||
            !looks_like_websocket_handshake(direction.head)) {
            direction.phase = Phase::Refused;
            direction.head = {};
        }
        return {};
    }
    judge_head(direction, from, std::string_view{direction.head}.substr(0, end));
    direction.head = {};
    return bytes.subspan(end - before);
}

void WebSocket::judge_head(Direction& direction, Side from, std::string_view head) {
    const bool right = head.starts_with(from == Side::Client ? "GET " : "HTTP/1.1 101");
    direction.phase =
        right && header_has(head, "Upgrade", "websocket") ? Phase::Frames : Phase::Refused;
    if (direction.phase == Phase::Frames && from == Side::Server) {
        speaks_sip_ = header_has(head, "Sec-WebSocket-Protocol", "sip");
    }
}

void WebSocket::on_gap(Side from, Sink& sink) {
    auto& direction = directions_[index_of(from)];
    if (direction.phase == Phase::Head) {
        // The rest of the head is lost; frames may follow.
        direction.head = {};
        direction.phase = Phase::Frames;
        direction.frames = WebSocketFrames(false);
        return;
    }
    Forward forward(*this, from, sink);
    direction.frames.on_gap(forward);
}

void WebSocket::flush(Sink& sink) {
    for (const auto from : {Side::Client, Side::Server}) {
        auto& direction = directions_[index_of(from)];
        direction.head = {};
        Forward forward(*this, from, sink);
        direction.frames.flush(forward);
    }
}

WebSocket::State WebSocket::state() const {
    const auto has = [this](Phase phase) {
        return std::ranges::any_of(directions_,
                                   [phase](const Direction& d) { return d.phase == phase; });
    };
    if (has(Phase::Refused)) {
        return State::Refused;
    }
    return has(Phase::Head) ? State::Handshake : State::Open;
}

std::size_t WebSocket::held_bytes() const {
    std::size_t bytes = 0;
    for (const auto& direction : directions_) {
        bytes += direction.head.size() + direction.frames.held_bytes();
    }
    return bytes;
}

bool looks_like_websocket_handshake(std::string_view first_bytes) {
    for (const std::string_view begin : {"GET ", "HTTP/1.1 101"}) {
        const auto size = std::min(begin.size(), first_bytes.size());
        if (size > 0 && first_bytes.substr(0, size) == begin.substr(0, size)) {
            return true;
        }
    }
    return false;
}

} // namespace cw::capture
