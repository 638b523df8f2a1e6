#include "capture/proxy_protocol.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "capture/conversation.hpp"

namespace cw::capture {
namespace {

using namespace std::string_literals;
using Found = ProxyHeader::Found;

const std::string text_header = "PROXY TCP4 198.51.100.7 192.0.2.9 40112 5061\r\n";
// Version 2, PROXY, TCP over IPv4, 12 bytes of addresses and a TLV of 4.
const std::string binary_header = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x10"s
                                  "\xc6\x33\x64\x07\xc0\x00\x02\x09\x9c\xb0\x13\xc5"
                                  "\x04\x00\x01\x00"s;
const std::string request = "OPTIONS sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TCP "
                            "192.0.2.1;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n";

TEST(ProxyHeader, IsFoundWholeOrInPart) {
    for (const auto& header : {text_header, binary_header, "PROXY UNKNOWN\r\n"s,
                               "\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00"s}) {
        const auto whole = find_proxy_header(as_bytes(header + request));
        EXPECT_EQ(whole.found, Found::Whole);
        EXPECT_EQ(whole.size, header.size());
        for (std::size_t size = 5; size < header.size(); ++size) {
            EXPECT_EQ(find_proxy_header(as_bytes(header).first(size)).found, Found::Part) << size;
        }
    }
}

TEST(ProxyHeader, IsNotFoundInWhatOnlyBeginsLikeOne) {
    for (const auto& text :
         {"PROXY sip:b@example.com SIP/2.0\r\n"s, "\r\n\r\n"s,
          "\r\n\r\nOPTIONS sip:b@example.com SIP/2.0\r\n"s, request,
          "PROXY TCP4 "s + std::string(100, 'x'), "\r\n\r\n\0\r\nQUIT\n\x31\x11\x00\x0c"s,
          "\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff"s}) {
        EXPECT_EQ(find_proxy_header(as_bytes(text)).found, Found::None) << text;
    }
}

// Remembers the messages of a conversation.
struct Recorder final : Conversation::Sink {
    void on_sip(Conversation& on, Side from, std::string_view message, bool truncated,
                const Datagram& /*by*/) override {
        on.count_message();
        EXPECT_FALSE(truncated);
        (from == Side::Client ? client : server) += message;
    }
    void on_hep(Bytes /*packet*/, const Datagram& /*by*/) override {}
    std::string client;
    std::string server;
};

Datagram segment(std::uint32_t sequence, std::string_view payload, std::uint8_t flags) {
    Datagram d;
    d.protocol = Protocol::Tcp;
    d.time = {1};
    d.source = *parse_endpoint("192.0.2.1:40000", 0);
    d.destination = *parse_endpoint("192.0.2.9:5060", 0);
    d.tcp_sequence = sequence;
    d.tcp_flags = flags;
    d.payload = as_bytes(payload);
    return d;
}

TEST(ProxyHeader, IsPassedOverInFrontOfSipHoweverItIsCut) {
    for (const auto& header : {text_header, binary_header}) {
        const auto stream = header + request;
        for (const std::size_t chunk :
             {std::size_t{1}, header.size(), header.size() + 3, stream.size()}) {
            crypto::KeyRing keys;
            tls::SessionCache sessions;
            Recorder sink;
            const Conversation::Shared shared{keys, sessions, sink};
            const auto syn = segment(99, "", tcp_flag::syn);
            Conversation conversation{1, syn, shared};
            conversation.on_segment(syn);
            for (std::size_t at = 0; at < stream.size(); at += chunk) {
                conversation.on_segment(segment(static_cast<std::uint32_t>(100 + at),
                                                std::string_view{stream}.substr(at, chunk),
                                                tcp_flag::ack));
            }
            conversation.finish();
            EXPECT_EQ(sink.client, request) << chunk;
            EXPECT_EQ(conversation.transport(), flow::Transport::Tcp);
        }
    }
}

TEST(ProxyHeader, IsPassedOverInFrontOfTls) {
    crypto::KeyRing keys;
    tls::SessionCache sessions;
    Recorder sink;
    const Conversation::Shared shared{keys, sessions, sink};
    const auto syn = segment(99, "", tcp_flag::syn);
    Conversation conversation{1, syn, shared};
    conversation.on_segment(syn);
    conversation.on_segment(segment(100, binary_header, tcp_flag::ack));
    const std::string record = "\x16\x03\x01\x00\x04\x01\x00\x00\x00"s; // the shortest there is
    conversation.on_segment(
        segment(static_cast<std::uint32_t>(100 + binary_header.size()), record, tcp_flag::ack));
    EXPECT_EQ(conversation.transport(), flow::Transport::Tls);
}

} // namespace
} // namespace cw::capture
