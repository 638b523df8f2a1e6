// Keys and packets as the reader meets them: the input is a=crypto lines up to a zero octet, then
// datagrams between the two ends that told them. Whatever they hold, each packet is counted once,
// and what is heard fits on a time line.
#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "capture/dtls.hpp"
#include "flow/book.hpp"
#include "flow/media_tape.hpp"
#include "fuzz.hpp"
#include "rtp/audio_track.hpp"

namespace {

using namespace cw;

constexpr Instant start{1'700'000'000'000'000'000};

void describe(flow::Book& book, std::string_view lines, bool answer) {
    std::string body = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nt=0 0\r\n";
    body += answer ? "c=IN IP4 10.0.0.2\r\nm=audio 6000 RTP/SAVP 0 9 101\r\n"
                   : "c=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/SAVP 0 9 101\r\n";
    body += "a=rtpmap:101 telephone-event/8000\r\n";
    for (int n = 0; !lines.empty() && n < 64; ++n) {
        const auto line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(lines.size(), line.size() + 1));
        body.append("a=crypto:").append(line).append("\r\n");
    }
    const std::string text =
        std::string{answer ? "SIP/2.0 200 OK" : "INVITE sip:b@x SIP/2.0"} +
        "\r\nVia: SIP/2.0/TLS 10.0.0.1;branch=z9hG4bKa\r\nFrom: <sip:a@x>;tag=1\r\nTo: "
        "<sip:b@x>\r\nCall-ID: c@x\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
    book.on_sip({.at = {.time = start,
                        .frame = 1,
                        .source = *parse_endpoint(answer ? "10.0.0.2" : "10.0.0.1", 5061),
                        .destination = *parse_endpoint(answer ? "10.0.0.1" : "10.0.0.2", 5061)},
                 .transport = flow::Transport::Tls,
                 .bytes = text});
}

void hear(flow::MediaTape& tape, const flow::MediaStream& stream) {
    rtp::AudioTrack track;
    for (const auto& [number, name] : {std::pair{0, "PCMU"}, std::pair{9, "G722"}}) {
        track.codec(static_cast<std::uint16_t>(number), name, 8000);
    }
    tape.play(stream, [&](const flow::MediaPacket& p) {
        track.add({.time = p.time,
                   .timestamp = p.timestamp,
                   .clock = p.clock,
                   .sequence = p.sequence,
                   .codec = p.payload_type,
                   .payload = {p.payload.begin(), p.payload.end()}});
    });
    if (track.empty()) {
        return;
    }
    track.lay_out(track.first(), 16'000);
    std::vector<std::int16_t> out(16'000);
    for (std::uint64_t at = 0; at < std::min<std::uint64_t>(track.end(), 160'000);
         at += out.size()) {
        track.mix(at, out);
    }
}

} // namespace

void fuzz(std::span<const std::uint8_t> data) {
    const auto* const zero = std::find(data.data(), data.data() + data.size(), std::uint8_t{0});
    const auto size = static_cast<std::size_t>(zero - data.data());
    const auto lines = as_text(Bytes{data}.first(size));
    Reader input{Bytes{data}.subspan(std::min(size + 1, data.size()))};
    flow::MediaTape tape;
    flow::Book book;
    book.tap_media(tape);
    crypto::KeyRing keys;
    capture::DtlsHandshakes handshakes{keys};
    describe(book, lines.substr(0, lines.size() / 2), false);
    std::uint32_t frame = 1;
    bool answered = false;
    while (input.left() > 3) {
        const auto how = input.u8();
        const auto body = input.take(std::min<std::size_t>(input.be16(), input.left()));
        if ((how & 0x10U) != 0 && !answered) { // media may come before the answer
            answered = true;
            describe(book, lines, true);
        }
        ++frame;
        flow::Sighting at{.time = start + milliseconds(20 * frame),
                          .frame = frame,
                          .source = *parse_endpoint("10.0.0.2:6000", 0),
                          .destination = *parse_endpoint("10.0.0.1:4000", 0)};
        if ((how & 1U) != 0) {
            std::swap(at.source, at.destination);
        }
        if ((how & 2U) != 0) {
            capture::Datagram datagram;
            datagram.time = at.time;
            datagram.frame = frame;
            datagram.source = at.source;
            datagram.destination = at.destination;
            datagram.payload = body;
            book.on_dtls(at);
            handshakes.on_datagram(datagram, book);
        } else {
            book.on_media({.at = at, .payload = body, .missing = (how & 4U) != 0 ? 9U : 0U});
        }
    }
    book.finish(start + seconds(3600));
    book.for_each_call([&](const flow::Call& call) {
        for (const auto& stream : call.streams) {
            const auto& o = stream.opening;
            require(o.opened + o.failed + o.cut <= stream.packets);
            require(o.failed == 0 || stream.srtp_problem.length > 0);
            hear(tape, stream);
        }
        return true;
    });
}
