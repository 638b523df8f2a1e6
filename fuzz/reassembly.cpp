// TCP reassembly with SIP framing behind it, WebSocket, SCTP and HEP framing. The input is a series
// of operations; what the streams deliver must agree with itself whatever they are.
#include <algorithm>
#include <string>
#include <vector>

#include "capture/hep_stream.hpp"
#include "capture/sctp.hpp"
#include "capture/sip_stream.hpp"
#include "capture/tcp_stream.hpp"
#include "capture/websocket.hpp"
#include "fuzz.hpp"

namespace {

using namespace cw;
using namespace cw::capture;

// All messages and all figures, for comparing two ways of feeding the same bytes.
struct Heard : SipStream::Sink, WebSocket::Sink, SctpStream::Sink, HepStream::Sink {
    void note(std::string_view message, bool truncated) {
        text += truncated ? "~" : "|";
        text += message;
        bytes += message.size();
    }
    void on_message(std::string_view message, bool truncated, const Datagram& /*by*/) override {
        require(!message.empty());
        note(message, truncated);
    }
    void on_message(Side /*from*/, std::string_view message, bool truncated,
                    const Datagram& /*by*/) override {
        note(message, truncated);
    }
    void on_message(std::uint16_t /*stream*/, Bytes message, bool truncated,
                    const Datagram& /*by*/) override {
        note(as_text(message), truncated);
    }
    void on_hep(Bytes packet, const Datagram& /*by*/) override { note(as_text(packet), false); }
    void on_junk(std::uint64_t size) override { junk += size; }
    void on_lost(Side /*from*/, std::uint64_t size) override { junk += size; }
    void on_lost(std::uint64_t size) override { junk += size; }

    std::string text;
    std::uint64_t bytes = 0;
    std::uint64_t junk = 0;
};

// Takes what a stream delivers and frames it.
struct Delivered : TcpStream::Sink {
    void on_bytes(Bytes bytes, const Datagram& by) override {
        require(!bytes.empty());
        size += bytes.size();
        copy += as_text(bytes);
        sip.on_bytes(bytes, by, heard);
        require(sip.held_bytes() <= SipStream::max_header + SipStream::max_kept_body);
    }
    void on_gap(std::uint64_t missing, const Datagram& /*by*/) override {
        size += missing;
        contiguous = false;
        rebased = rebased || missing == 0 || missing >= TcpStream::plausible_distance;
        sip.on_gap(missing, heard);
    }

    SipStream sip;
    Heard heard;
    std::string copy;
    std::uint64_t size = 0;
    bool contiguous = true;
    bool rebased = false;
};

// Operations of eight bytes: kind, flags, sequence number (16 bits, signed, from the last end),
// payload size, missing, time step. Payload follows the operations' bytes in the input.
void tcp(Bytes input) {
    Reader in(input);
    TcpStream stream;
    Delivered out;
    Instant now{1'000'000'000};
    std::uint32_t end = in.be32();
    std::uint64_t given = 0;
    while (in.left() >= 8) {
        const auto kind = in.u8();
        Datagram segment;
        segment.protocol = Protocol::Tcp;
        segment.tcp_flags = in.u8();
        const auto offset = static_cast<std::uint32_t>(static_cast<std::int16_t>(in.be16()));
        segment.tcp_sequence =
            (kind & 1) != 0 ? end + offset * ((kind & 2) != 0 ? 70'000 : 1) : end;
        segment.payload = in.take(std::min<std::size_t>(in.be16(), in.left()));
        segment.missing = (kind & 4) != 0 ? in.u8() : 0;
        now = now + milliseconds(in.u8() * ((kind & 8) != 0 ? 40 : 1));
        segment.time = now;
        if ((kind & 0x30) == 0x30) {
            segment.tcp_acknowledged = segment.tcp_sequence;
            stream.on_peer_segment(segment, out);
        } else {
            given += segment.payload.size();
            (void)stream.starts_new_connection(segment);
            stream.on_segment(segment, out);
            end = segment.tcp_sequence + static_cast<std::uint32_t>(segment.payload.size());
        }
        require(stream.held_bytes() <= TcpStream::max_held_bytes);
        require(out.copy.size() + stream.held_bytes() <= given);
        if (kind == 0xff) {
            stream.ignore();
        }
    }
    stream.flush(out);
    require(stream.held_bytes() == 0);
    require(out.copy.size() <= given);
    out.sip.flush(out.heard);
    require(out.heard.bytes + out.heard.junk + out.sip.blank_lines() <= out.copy.size());
    if (out.contiguous) {
        require(out.copy.size() == out.size);
        // The same bytes at once give the same messages.
        SipStream whole;
        Heard heard;
        whole.on_bytes(as_bytes(out.copy), {}, heard);
        whole.flush(heard);
        require(heard.text == out.heard.text && heard.junk == out.heard.junk);
    }
}

// A stream cut at the same bytes is one in order: everything must come out.
void cut_and_shuffled(Bytes input) {
    Reader in(input);
    const auto first = in.be32();
    const auto plan = in.vec8();
    const auto bytes = in.rest();
    if (plan.empty() || bytes.empty() || bytes.size() > 60'000) {
        return;
    }
    std::vector<Datagram> segments;
    std::size_t at = 0;
    for (std::size_t i = 0; at < bytes.size() && segments.size() < 1000; ++i) {
        Datagram segment;
        const auto size = std::min<std::size_t>(1 + plan[i % plan.size()] * 5U, bytes.size() - at);
        segment.tcp_sequence = first + 1 + static_cast<std::uint32_t>(at);
        segment.payload = bytes.subspan(at, size);
        segments.push_back(segment);
        at += size;
    }
    for (std::size_t i = 0; i < segments.size(); ++i) {
        std::swap(segments[i], segments[(i + plan[i % plan.size()]) % segments.size()]);
    }
    TcpStream stream;
    Delivered out;
    Datagram syn;
    syn.tcp_flags = tcp_flag::syn;
    syn.tcp_sequence = first;
    stream.on_segment(syn, out);
    for (const auto& segment : segments) {
        stream.on_segment(segment, out);
    }
    require(out.copy == as_text(bytes.first(at)) && out.contiguous);
}

template <class Feed>
std::string in_chunks(Bytes bytes, std::size_t size, Feed feed) {
    Heard heard;
    feed(bytes, size, heard);
    return heard.text + std::to_string(heard.junk);
}

template <class Feed>
void whole_and_split_agree(Bytes input, Feed feed) {
    Reader in(input);
    const std::size_t size = 1 + in.u8();
    const auto bytes = in.rest();
    require(in_chunks(bytes, SIZE_MAX, feed) == in_chunks(bytes, size, feed));
}

template <class Take>
void each_chunk(Bytes bytes, std::size_t size, Take take) {
    for (std::size_t at = 0; at < bytes.size(); at += std::min(size, bytes.size() - at)) {
        take(bytes.subspan(at, std::min(size, bytes.size() - at)));
    }
}

void sip_stream(Bytes bytes, std::size_t size, Heard& heard) {
    SipStream stream;
    each_chunk(bytes, size, [&](Bytes chunk) { stream.on_bytes(chunk, {}, heard); });
    stream.flush(heard);
}

void hep(Bytes bytes, std::size_t size, Heard& heard) {
    HepStream stream;
    each_chunk(bytes, size, [&](Bytes chunk) { stream.on_bytes(chunk, {}, heard); });
    stream.flush(heard);
}

// After damage, WebSocket looks at the beginnings of chunks, so that the chunks do matter.
void websocket(Bytes input) {
    Reader in(input);
    const auto options = in.u8();
    const std::size_t size = 1 + in.u8();
    WebSocket socket((options & 1) != 0 ? WebSocket::Begin::InFrames
                                        : WebSocket::Begin::WithHandshake);
    Heard heard;
    const Side from = (options & 2) != 0 ? Side::Client : Side::Server;
    std::size_t n = 0;
    each_chunk(in.rest(), size, [&](Bytes chunk) {
        if ((options & 4) != 0 && ++n % 16 == 0) {
            socket.on_gap(from, heard);
        }
        socket.on_bytes(from, chunk, {}, heard);
        require(socket.held_bytes() <= 2 * WebSocketFrames::max_message);
    });
    socket.flush(heard);
}

void sctp(Bytes input) {
    Reader in(input);
    SctpStream stream;
    Heard heard;
    while (in.left() > 3) {
        Datagram packet;
        packet.truncated = (in.u8() & 1) != 0;
        packet.payload = in.take(std::min<std::size_t>(in.be16(), in.left()));
        stream.on_chunks(packet, heard);
        require(stream.held_bytes() <= SctpStream::max_held_bytes);
    }
    stream.flush(heard);
    require(heard.bytes + heard.junk <= input.size());
}

} // namespace

void fuzz(std::span<const std::uint8_t> input) {
    if (input.empty()) {
        return;
    }
    const auto rest = input.subspan(1);
    switch (input[0] % 6) {
    case 0:
        return tcp(rest);
    case 1:
        return cut_and_shuffled(rest);
    case 2:
        return whole_and_split_agree(rest, sip_stream);
    case 3:
        return whole_and_split_agree(rest, hep);
    case 4:
        return websocket(rest);
    default:
        return sctp(rest);
    }
}
