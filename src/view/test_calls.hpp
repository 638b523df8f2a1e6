// Calls made by hand, for the tests of the views: what the Book would make of a capture, without a
// capture. Not for other use.
#pragma once

#include <algorithm>
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
                                     .cryptos = {},
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
        s.suite = s.srtp;
        s.opening.by = srtp ? flow::KeyExchange::Sdes : flow::KeyExchange::None;
        s.packets = s.expected = static_cast<std::uint64_t>((end_ms - ms) / 20);
        s.opening.opened = srtp ? s.packets : 0;
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
inline flow::Call dropped_call() {
    const auto* alice = "192.0.2.10:40112";
    const auto* edge = "203.0.113.5:5061";
    const auto* edge_out = "203.0.113.5:33412";
    const auto* sbc = "198.51.100.7:5061";
    const auto* sbc_udp = "198.51.100.7:5060";
    const auto* bob = "10.0.0.23:5060";
    CallMaker made{flow::Kind::Call, "sip:alice@atlanta.example", "sip:bob@biloxi.example"};
    made.names("Alice", "Bob");
    made.tls(120, alice, edge, "edge.atlanta.example");
    made.tls(158, edge_out, sbc, "sbc.biloxi.example").mutual = true;
    made.call().connections[1].group = "secp256r1";

    made.request(151, alice, edge, "INVITE");
    made.media("192.0.2.10:30000", true);
    made.request(171, edge_out, sbc, "INVITE").vias = 2;
    made.media("192.0.2.10:30000", true);
    made.over(flow::Transport::Udp).request(174, sbc_udp, bob, "INVITE").vias = 3;
    made.media("192.0.2.10:30000", true);
    made.response(402, bob, sbc_udp, 180, "Ringing").contact = made.text("sip:bob@10.0.0.23");
    made.over(flow::Transport::Tls).response(404, sbc, edge_out, 180, "Ringing");
    made.response(405, edge, alice, 180, "Ringing");
    made.over(flow::Transport::Udp).response(3880, bob, sbc_udp, 200, "OK").branch = 103;
    made.media("10.0.0.23:30070", true);
    made.over(flow::Transport::Tls).response(3882, sbc, edge_out, 200, "OK").branch = 102;
    made.media("10.0.0.23:30070", true);
    made.response(3883, edge, alice, 200, "OK").branch = 101;
    made.media("10.0.0.23:30070", true);
    made.over(flow::Transport::Udp);
    std::int64_t wait = 500;
    for (std::int64_t ms = 4382; ms < 35'900; ms += wait) {
        auto& again = made.response(ms, bob, sbc_udp, 200, "OK");
        again.retransmission_of = 6;
        wait = std::min<std::int64_t>(2 * wait, 4000); // T2 [RFC 3261 §13.3.1.4]
    }
    const auto last = static_cast<std::uint32_t>(made.call().messages.size());
    made.request(35'884, bob, sbc_udp, "BYE", "sip:alice@192.0.2.10").note =
        made.text("Reason: SIP ;cause=408 ;text=\"ACK timeout\"");
    made.call().messages.back().to_tag = true;
    made.response(35'890, sbc_udp, bob, 200, "OK");

    auto& stream = made.stream(3904, 38'904, "192.0.2.10:30000", "10.0.0.23:30070", true);
    stream.missing = 2;
    stream.lost = 2;
    made.call().security = {flow::Protection::Mixed, flow::Protection::Secure,
                            "sbc → Bob, UDP, media key readable"};
    made.call().findings = {
        {"D01",
         "error",
         "the 200 OK was never acknowledged",
         {9, 6, last},
         "RFC 3261 §13.3.1.4",
         "Let the SBC put itself into Contact and Record-Route."},
        {"D69", "error", "the media key crossed a clear hop", {2}, "RFC 4568 §8.3", ""},
    };
    return made.finish(flow::State::Completed, 200, 32'004);
}

// A complete call over one hop, with a challenge, PRACK and DTMF.
inline flow::Call good_call() {
    const auto* alice = "192.0.2.10:40112";
    const auto* proxy = "203.0.113.5:5061";
    CallMaker made{flow::Kind::Call, "sip:alice@example.com", "sip:7001@example.com"};
    made.tls(-600'000, alice, proxy, "sip.example.com").resumed = true;
    made.call().connections[0].close_notify_client = true;
    made.call().connections[0].fin = true;
    made.request(0, alice, proxy, "INVITE", "sip:7001@example.com");
    made.media("192.0.2.10:30000", true);
    made.response(4, proxy, alice, 407, "Proxy Authentication Required");
    made.request(5, alice, proxy, "ACK", "sip:7001@example.com");
    made.request(9, alice, proxy, "INVITE", "sip:7001@example.com").cseq = 2;
    const auto branch = made.call().messages.back().branch;
    made.media("192.0.2.10:30000", true);
    made.response(10, proxy, alice, 100, "Trying");
    made.response(180, proxy, alice, 183, "Session Progress");
    made.request(190, alice, proxy, "PRACK", "sip:7001@203.0.113.5");
    made.response(195, proxy, alice, 200, "OK");
    auto& ok = made.response(2200, proxy, alice, 200, "OK", "INVITE");
    ok.branch = branch;
    ok.cseq = 2;
    ok.contact = made.text("sip:7001@203.0.113.5:5061;transport=tls");
    made.media("203.0.113.5:20000", true);
    made.request(2210, alice, proxy, "ACK", "sip:7001@203.0.113.5");
    made.stream(2220, 14'600, "192.0.2.10:30000", "203.0.113.5:20000", true).dtmf = {
        {CallMaker::time(5000), '1', 100},
        {CallMaker::time(5400), '2', 100},
        {CallMaker::time(9000), '#', 120}};
    made.stream(2240, 14'600, "203.0.113.5:20000", "192.0.2.10:30000", true);
    made.request(14'600, alice, proxy, "BYE", "sip:7001@203.0.113.5").to_tag = true;
    made.response(14'603, proxy, alice, 200, "OK");
    made.call().security = {flow::Protection::Secure, flow::Protection::Secure, ""};
    return made.finish(flow::State::Completed, 200, 12'400);
}

// Everything on 127.0.0.1: two agents and a proxy.
inline flow::Call loopback_call() {
    const auto* alice = "127.0.0.1:50112"; // connections of Alice, who listens on 5071
    const auto* proxy = "127.0.0.1:5061";
    const auto* proxy_out = "127.0.0.1:50240";
    const auto* bob = "127.0.0.1:5072";
    CallMaker made{flow::Kind::Call, "sip:alice@localhost", "sip:bob@localhost"};
    made.tls(0, alice, proxy, "localhost");
    made.tls(30, proxy_out, bob, "localhost");
    auto& first = made.request(25, alice, proxy, "INVITE", "sip:bob@localhost");
    first.sent_by = made::at("127.0.0.1:5071");
    first.contact = made.text("sip:alice@127.0.0.1:5071;transport=tls");
    made.media("127.0.0.1:4000", true);
    auto& second = made.request(55, proxy_out, bob, "INVITE", "sip:bob@127.0.0.1:5072");
    second.sent_by = made::at(proxy);
    second.vias = 2;
    second.contact = made.text("sip:alice@127.0.0.1:5071;transport=tls");
    made.media("127.0.0.1:4000", true);
    auto& answer = made.response(70, bob, proxy_out, 200, "OK");
    answer.branch = 102;
    answer.contact = made.text("sip:bob@127.0.0.1:5072;transport=tls");
    made.media("127.0.0.1:4002", true);
    auto& passed = made.response(72, proxy, alice, 200, "OK");
    passed.branch = 101;
    passed.contact = made.text("sip:bob@127.0.0.1:5072;transport=tls");
    made.media("127.0.0.1:4002", true);
    made.request(75, alice, proxy, "ACK").sent_by = made::at("127.0.0.1:5071");
    auto& ack = made.request(76, proxy_out, bob, "ACK");
    ack.sent_by = made::at(proxy);
    ack.vias = 2;
    made.stream(80, 900, "127.0.0.1:4000", "127.0.0.1:4002", true);
    made.stream(81, 900, "127.0.0.1:4002", "127.0.0.1:4000", true);
    made.call().security = {flow::Protection::Secure, flow::Protection::Secure, ""};
    auto call = made.finish(flow::State::Answered, 200, 820);
    call.cut_off = true;
    return call;
}

// A TLS connection that could not be read, an alert on another one, a refused third.
inline flow::Call unreadable_call() {
    CallMaker made{flow::Kind::Call, "sip:alice@example.com", "sip:bob@example.com"};
    made.over(flow::Transport::Udp);
    made.request(0, "192.0.2.10:5060", "203.0.113.5:5060", "INVITE");
    made.response(12, "203.0.113.5:5060", "192.0.2.10:5060", 100, "Trying");
    auto& dark = made.tls(15, "203.0.113.5:33412", "198.51.100.7:5061", "trunk.example.net");
    dark.decrypted = false;
    dark.sip_messages = 0;
    dark.reason = "no key for client random 3f9a61c2…";
    dark.key_hint.clear();
    auto& refused = made.tls(4000, "203.0.113.5:33414", "198.51.100.8:5061", "backup.example.net");
    refused.handshake_done = false;
    refused.sip_messages = 0;
    refused.cipher = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";
    refused.version = "TLSv1.2";
    refused.alerts = {{CallMaker::time(4031), true, true, 48, "unknown_ca"}};
    auto& closed = made.tls(4100, "203.0.113.5:33416", "198.51.100.9:5061", "");
    closed = {};
    closed.client = made::at("203.0.113.5:33416");
    closed.server = made::at("198.51.100.9:5060");
    closed.transport = flow::Transport::Tcp;
    closed.start_seen = closed.rst = true;
    closed.opened = CallMaker::time(4100);
    closed.closed = CallMaker::time(4101);
    made.response(4110, "203.0.113.5:5060", "192.0.2.10:5060", 503, "Service Unavailable").note =
        made.text("Warning: 399 example.com \"no trunk left\"");
    made.request(4115, "192.0.2.10:5060", "203.0.113.5:5060", "ACK");
    made.call().security = {flow::Protection::Clear, flow::Protection::None,
                            "192.0.2.10:5060 → 203.0.113.5:5060 over udp: anyone can read it"};
    return made.finish(flow::State::Failed, 503, 0);
}

// Names, reasons and notes that try to take over the terminal, the diagram or the JSON.
inline flow::Call hostile_call() {
    CallMaker made{flow::Kind::Message, "sip:\x1b[2Jroot@example.com",
                   "sip:\xe2\x80\xae"
                   "evil@example.com"};
    made.names("\x1b]0;owned\x07;#%%{x}\"<b>end</b>",
               "名前 🔒 e\xcc\x81\xcc\x82\xcc\x83\xcc\x84\xcc\x85");
    made.over(flow::Transport::Udp);
    made.request(0, "[2001:db8::1]:5060", "[2001:db8::2]:5060", "MESSAGE", "sip:x@[2001:db8::2]");
    auto& broken =
        made.request(1, "[2001:db8::1]:5060", "[2001:db8::2]:5060", "M\xff\xc3(\x80; #1");
    broken.malformed = true;
    broken.problem = made.text("CSeq names another method\r\nthan the \x9b"
                               "31mrequest line");
    made.response(2, "[2001:db8::2]:5060", "[2001:db8::1]:5060", 399,
                  "end; loop $$x$$ &amp; `code` ```", "MESSAGE")
        .contact = made.text("sip:x@[2001:db8::2]");
    made.call().security = {flow::Protection::Clear, flow::Protection::None, "line\nbreak"};
    return made.finish(flow::State::Redirected, 399, 0);
}

// A REGISTER over TCP that waits long for its answer, seen at two points.
inline flow::Call slow_registration() {
    CallMaker made{flow::Kind::Registration, "sip:+15550100@example.com",
                   "sip:+15550100@example.com"};
    made.over(flow::Transport::Tcp);
    made.request(0, "192.0.2.10:40112", "203.0.113.5:5060", "REGISTER", "sip:example.com");
    made.request(1, "192.0.2.10:40112", "203.0.113.5:5060", "REGISTER", "sip:example.com")
        .duplicate_of = 0;
    made.response(14'000, "203.0.113.5:5060", "192.0.2.10:40112", 200, "OK");
    made.call().security = {flow::Protection::Clear, flow::Protection::None, ""};
    return made.finish(flow::State::Completed, 200, 0);
}

} // namespace cw::view::made
