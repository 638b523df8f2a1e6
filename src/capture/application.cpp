#include "capture/application.hpp"

#include <algorithm>

#include "capture/recognise.hpp"

namespace cw::capture {
namespace {

// Junk is of interest where it follows a message whose end the stream has told: then that message
// announced less than it brought.
struct SipForward final : SipStream::Sink {
    SipForward(Side from, std::array<std::uint32_t, 2>& ended_in, flow::StrayBytes& counted,
               Application::Sink& to)
        : side(from), message_frame(ended_in[index_of(from)]), stray(counted), sink(to) {}
    void on_message(std::string_view message, bool truncated, const Datagram& by) override {
        message_frame = truncated ? 0 : by.frame;
        sink.on_sip(side, message, truncated, by);
    }
    void on_junk(std::uint64_t bytes) override {
        if (message_frame == 0) {
            return;
        }
        if (stray.frame == 0) {
            stray.frame = message_frame;
            stray.from_client = side == Side::Client;
        }
        stray.bytes += bytes;
    }
    Side side;
    std::uint32_t& message_frame;
    flow::StrayBytes& stray;
    Application::Sink& sink;
};

struct WebSocketForward final : WebSocket::Sink {
    explicit WebSocketForward(Application::Sink& to) : sink(to) {}
    void on_message(Side from, std::string_view message, bool truncated,
                    const Datagram& by) override {
        sink.on_sip(from, message, truncated, by);
    }
    void on_lost(Side, std::uint64_t) override {}
    Application::Sink& sink;
};

struct HepForward final : HepStream::Sink {
    explicit HepForward(Application::Sink& to) : sink(to) {}
    void on_hep(Bytes packet, const Datagram& by) override { sink.on_hep(packet, by); }
    void on_junk(std::uint64_t) override {}
    Application::Sink& sink;
};

// A stream that is joined in the middle of a message: SipStream finds the next start line itself.
bool mentions_sip(std::string_view text) {
    return text.find(" SIP/2.0\r\n") != std::string_view::npos ||
           text.find("\r\nSIP/2.0 ") != std::string_view::npos ||
           text.find(": SIP/2.0/") != std::string_view::npos; // a Via
}

bool is_only_line_ends(std::string_view text) {
    return text.find_first_not_of("\r\n") == std::string_view::npos;
}

} // namespace

bool is_for_us_in_the_middle(Bytes bytes) {
    const auto text = as_text(bytes);
    return looks_like_sip(text) || mentions_sip(text) || looks_like_hep3(bytes) ||
           looks_like_websocket_frame(bytes) || looks_like_websocket_handshake(text);
}

void Application::decide(Side from, Bytes bytes) {
    const auto text = as_text(bytes);
    if (is_only_line_ends(text)) { // a keep-alive says nothing yet
        return;
    }
    if (looks_like_sip(text) || (!from_start_ && mentions_sip(text))) {
        content_ = Content::Sip;
    } else if (looks_like_hep3(bytes)) {
        content_ = Content::Hep;
        hep_ = std::make_unique<std::array<HepStream, 2>>();
    } else if (looks_like_websocket_handshake(text)) {
        content_ = Content::WebSocket;
        websocket_ = std::make_unique<WebSocket>();
    } else if (!from_start_ && looks_like_websocket_frame(bytes)) {
        content_ = Content::WebSocket;
        websocket_ = std::make_unique<WebSocket>(WebSocket::Begin::InFrames);
    } else if (from_start_ && prefix_[index_of(from)].size() >= enough) {
        content_ = Content::Other;
    } else if (++tried_ > patience) {
        content_ = Content::Other;
    }
}

void Application::on_bytes(Side from, Bytes bytes, const Datagram& by, Sink& sink) {
    if (content_ != Content::Undecided) {
        deliver(from, bytes, by, sink);
        return;
    }
    // A chunk alone first: that is how SIP comes, and how a stream without a beginning is resumed.
    auto& prefix = prefix_[index_of(from)];
    if (prefix.empty() || !from_start_) {
        decide(from, bytes);
        if (content_ != Content::Undecided) {
            prefix.clear();
            deliver(from, bytes, by, sink);
        } else if (from_start_) {
            prefix.append(as_text(bytes.first(std::min(bytes.size(), enough))));
            if (prefix.size() >= enough && !is_only_line_ends(prefix)) {
                content_ = Content::Other;
            }
        }
    } else {
        prefix.append(as_text(bytes));
        decide(from, as_bytes(prefix));
        if (content_ != Content::Undecided) {
            const auto whole = std::move(prefix);
            deliver(from, as_bytes(whole), by, sink);
        } else if (is_only_line_ends(prefix)) {
            prefix.clear();
        }
    }
}

void Application::deliver(Side from, Bytes bytes, const Datagram& by, Sink& sink) {
    switch (content_) {
    case Content::Sip: {
        SipForward forward{from, ended_in_, stray_, sink};
        sip_[index_of(from)].on_bytes(bytes, by, forward);
        return;
    }
    case Content::WebSocket: {
        WebSocketForward forward{sink};
        websocket_->on_bytes(from, bytes, by, forward);
        if (websocket_->state() == WebSocket::State::Refused) {
            content_ = Content::Other;
        }
        return;
    }
    case Content::Hep: {
        HepForward forward{sink};
        (*hep_)[index_of(from)].on_bytes(bytes, by, forward);
        return;
    }
    case Content::Undecided:
    case Content::Other:
        return;
    }
}

void Application::on_gap(Side from, std::uint64_t missing, Sink& sink) {
    switch (content_) {
    case Content::Sip: {
        SipForward forward{from, ended_in_, stray_, sink};
        sip_[index_of(from)].on_gap(missing, forward);
        ended_in_[index_of(from)] = 0;
        return;
    }
    case Content::WebSocket: {
        WebSocketForward forward{sink};
        websocket_->on_gap(from, forward);
        return;
    }
    case Content::Hep: {
        HepForward forward{sink};
        (*hep_)[index_of(from)].on_gap(forward);
        return;
    }
    case Content::Undecided:
        prefix_[index_of(from)].clear();
        from_start_ = false;
        return;
    case Content::Other:
        return;
    }
}

void Application::flush(Sink& sink) {
    for (const auto side : {Side::Client, Side::Server}) {
        if (content_ == Content::Sip) {
            SipForward forward{side, ended_in_, stray_, sink};
            sip_[index_of(side)].flush(forward);
        }
    }
    if (websocket_ != nullptr) {
        WebSocketForward forward{sink};
        websocket_->flush(forward);
    }
}

} // namespace cw::capture
