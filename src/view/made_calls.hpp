// Calls made by hand, for the tests of the views: what the Book would make of a capture, without a
// capture. Not for other use.
#pragma once

#include <string_view>

#include "flow/call.hpp"

namespace cw::view::made {

inline Endpoint at(std::string_view endpoint) {
    return parse_endpoint(endpoint, 0).value_or(Endpoint{});
}

// Builds a call message by message. Times are milliseconds after 2026-05-01T10:00:01.000Z.
class CallMaker {
  public:
    CallMaker(flow::Kind kind, std::string_view from, std::string_view to) {
        call_.id = 1;
        call_.kind = kind;
        call_.from = text(from);
        call_.to = text(to);
        leg("a84b4c76e66710@alice", from, to);
    }

    static Instant time(std::int64_t ms) {
        return Instant{1'777'629'601'000'000'000} + milliseconds(ms);
    }
    flow::Text text(std::string_view s) { return call_.pool.add(s); }

    CallMaker& leg(std::string_view call_id, std::string_view from, std::string_view to) {
        call_.legs.push_back({.call_id = text(call_id),
                              .from = text(from),
                              .to = text(to),
                              .from_name = {},
                              .to_name = {},
                              .start = {},
                              .end = {}});
        return *this;
    }
    CallMaker& names(std::string_view from, std::string_view to) {
        call_.legs.back().from_name = text(from);
        call_.legs.back().to_name = text(to);
        return *this;
    }
    CallMaker& over(flow::Transport transport) {
        transport_ = transport;
        return *this;
    }
    CallMaker& on_leg(std::uint8_t leg) {
        leg_ = leg;
        return *this;
    }

    flow::Message& request(std::int64_t ms, std::string_view from, std::string_view to,
                           std::string_view method, std::string_view uri = "sip:bob@example.com") {
        auto& m = message(ms, from, to);
        m.method_text = text(method);
        m.method = m.cseq_method = sip::method_of(method);
        m.request_uri = text(uri);
        m.sent_by = m.source;
        m.vias = 1;
        m.cseq = method == "BYE" ? 2 : 1;
        m.branch = ++branch_;
        last_ = m.cseq_method;
        return m;
    }
    flow::Message& response(std::int64_t ms, std::string_view from, std::string_view to,
                            std::uint16_t status, std::string_view reason,
                            std::string_view cseq_method = {}) {
        auto& m = message(ms, from, to);
        m.status = status;
        m.reason = text(reason);
        m.cseq_method = cseq_method.empty() ? last_ : sip::method_of(cseq_method);
        m.method_text = text(sip::to_string(m.cseq_method));
        m.cseq = m.cseq_method == sip::Method::Bye ? 2 : 1;
        m.to_tag = status > 100;
        return m;
    }
    // The message added last carries this session description.
    CallMaker& media(std::string_view receive, bool srtp, char direction = 'b') {
        auto& m = call_.messages.back();
        m.media_begin = static_cast<std::uint32_t>(call_.media_lines.size());
        m.media_count = 1;
        call_.media_lines.push_back({.receive = at(receive),
                                     .type = text("audio"),
                                     .profile = text(srtp ? "RTP/SAVP" : "RTP/AVP"),
                                     .codecs = text("PCMU telephone-event"),
                                     .crypto_suite = text(srtp ? "AES_CM_128_HMAC_SHA1_80" : ""),
                                     .dtls = false,
                                     .secure_profile = srtp,
                                     .direction = direction});
        return *this;
    }
    flow::Connection& tls(std::int64_t ms, std::string_view client, std::string_view server,
                          std::string_view sni) {
        flow::Connection c;
        c.id = static_cast<std::uint32_t>(call_.connections.size() + 1);
        c.client = at(client);
        c.server = at(server);
        c.transport = flow::Transport::Tls;
        c.start_seen = c.decrypted = c.handshake_done = true;
        c.opened = time(ms - 1);
        c.hello = time(ms);
        c.established = time(ms + 20);
        c.records = 41;
        c.bytes = 12'345;
        c.sip_messages = 6;
        c.version = "TLSv1.3";
        c.offered = "TLSv1.2 TLSv1.3";
        c.cipher = "TLS_AES_256_GCM_SHA384";
        c.group = "x25519";
        c.sni = sni;
        c.key_hint = "key log";
        call_.connections.push_back(std::move(c));
        return call_.connections.back();
    }
    flow::MediaStream& stream(std::int64_t ms, std::int64_t end_ms, std::string_view from,
                              std::string_view to, bool srtp) {
        flow::MediaStream s;
        s.first = time(ms);
        s.last = time(end_ms);
        s.source = at(from);
        s.destination = at(to);
        s.ssrc = 0x1a2b3c4d + static_cast<std::uint32_t>(call_.streams.size());
        s.announced = true;
        s.codec = text("PCMU/8000");
        s.srtp = text(srtp ? "AES_CM_128_HMAC_SHA1_80" : "");
        s.packets = s.expected = static_cast<std::uint64_t>((end_ms - ms) / 20);
        s.jitter_ms = 1.3;
        s.mean_jitter_ms = 0.4;
        s.mos = 4.4;
        call_.streams.push_back(std::move(s));
        return call_.streams.back();
    }
    flow::Call& call() { return call_; }
    // Sets start, end and what they imply.
    flow::Call finish(flow::State state, std::uint16_t final_status, std::int64_t duration_ms) {
        call_.state = state;
        call_.final_status = final_status;
        call_.duration_s = static_cast<double>(duration_ms) / 1000;
        if (!call_.messages.empty()) {
            call_.start = call_.messages.front().time;
            call_.end = call_.messages.back().time;
        }
        return std::move(call_);
    }

  private:
    flow::Message& message(std::int64_t ms, std::string_view from, std::string_view to) {
        flow::Message m;
        m.time = time(ms);
        m.frame = static_cast<std::uint32_t>(10 * call_.messages.size() + 17);
        m.source = at(from);
        m.destination = at(to);
        m.transport = transport_;
        m.leg = leg_;
        m.size = 800;
        call_.messages.push_back(m);
        return call_.messages.back();
    }

    flow::Call call_;
    flow::Transport transport_ = flow::Transport::Tls;
    std::uint8_t leg_ = 0;
    std::uint64_t branch_ = 100;
    sip::Method last_ = sip::Method::None;
};

// The call of the picture that every painter follows: TLS on two hops, UDP on the third, an ACK
// that never comes.
flow::Call dropped_call();
// A complete call over one hop, with a challenge, DTMF and a hold.
flow::Call good_call();
// Everything on 127.0.0.1: two agents and a proxy.
flow::Call loopback_call();
// A TLS connection that could not be read, an alert on another one, a refused third.
flow::Call unreadable_call();
// Names, reasons and notes that try to take over the terminal, the diagram or the JSON.
flow::Call hostile_call();
// A REGISTER over TCP that waits long for its answer, seen at two points.
flow::Call slow_registration();

} // namespace cw::view::made
