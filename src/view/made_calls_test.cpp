#include "view/made_calls.hpp"

namespace cw::view::made {

flow::Call dropped_call() {
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
         {6, 7, 8, 9, last},
         "RFC 3261 §13.3.1.4",
         "Let the SBC put itself into Contact and Record-Route."},
        {"D69", "error", "the media key crossed a clear hop", {2}, "RFC 4568 §8.3", ""},
    };
    return made.finish(flow::State::Completed, 200, 32'004);
}

flow::Call good_call() {
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

flow::Call loopback_call() {
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

flow::Call unreadable_call() {
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

flow::Call hostile_call() {
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

flow::Call slow_registration() {
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
