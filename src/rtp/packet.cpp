#include "rtp/packet.hpp"

namespace cw::rtp {

Result<Packet> parse(Bytes datagram, bool cut) {
    if (datagram.size() < header_size) {
        return fail(Code::Truncated, datagram.size(), "RTP header is shorter than 12 octets");
    }
    const auto* p = datagram.data();
    if (p[0] >> 6 != 2) {
        return fail(Code::Malformed, 0, "RTP version is not 2");
    }
    Packet packet;
    packet.marker = (p[1] & 0x80) != 0;
    packet.payload_type = p[1] & 0x7f;
    packet.sequence = load_be16(p + 2);
    packet.timestamp = load_be32(p + 4);
    packet.ssrc = load_be32(p + 8);

    Reader r{datagram.subspan(header_size)};
    packet.csrcs = r.take((p[0] & 0x0fU) * 4U);
    if ((p[0] & 0x10) != 0) {
        packet.extension_profile = r.be16();
        packet.extension = r.take(r.be16() * 4U);
    }
    if (!r.ok()) {
        return fail(Code::Truncated, datagram.size(), "CSRC list or header extension is cut");
    }
    packet.payload = r.rest();
    if ((p[0] & 0x20) != 0 && !cut) {
        const std::size_t count = packet.payload.empty() ? 0 : packet.payload.back();
        // [RFC 3550 §5.1] "The last octet of the padding contains a count of how many padding
        // octets should be ignored, including itself."
        packet.padding_is_bad = count == 0 || count > packet.payload.size();
        if (!packet.padding_is_bad) {
            packet.padding = static_cast<std::uint8_t>(count);
            packet.payload = packet.payload.first(packet.payload.size() - count);
        }
    }
    return packet;
}

bool looks_like_rtcp(Bytes datagram) {
    if (datagram.size() < 8 || datagram[0] >> 6 != 2 || datagram[1] < 192 || datagram[1] > 223) {
        return false;
    }
    return (load_be16(datagram.data() + 2) + 1U) * 4U <= datagram.size();
}

Kind demultiplex(Bytes datagram) {
    if (datagram.empty()) {
        return Kind::Unknown;
    }
    // [RFC 7983 §7] the table of first octets.
    const auto first = datagram[0];
    if (first <= 3) {
        return Kind::Stun;
    }
    if (first >= 16 && first <= 19) {
        return Kind::Zrtp;
    }
    if (first >= 20 && first <= 63) {
        return Kind::Dtls;
    }
    if (first >= 64 && first <= 79) {
        return Kind::TurnChannel;
    }
    if (first >= 128 && first <= 191) {
        return looks_like_rtcp(datagram)        ? Kind::Rtcp
               : datagram.size() >= header_size ? Kind::Rtp
                                                : Kind::Unknown;
    }
    return Kind::Unknown;
}

} // namespace cw::rtp
