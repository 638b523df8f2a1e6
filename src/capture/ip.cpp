// IP and the transports of Decapsulator.
#include <algorithm>

#include "capture/decapsulate.hpp"

namespace cw::capture {
namespace {

namespace protocol_number {
constexpr std::uint8_t hop_by_hop = 0;
constexpr std::uint8_t routing = 43;
constexpr std::uint8_t fragment = 44;
constexpr std::uint8_t authentication = 51;
constexpr std::uint8_t destination_options = 60;
constexpr std::uint8_t mobility = 135;
constexpr std::uint8_t hip = 139;
constexpr std::uint8_t shim6 = 140;
} // namespace protocol_number

constexpr int most_extension_headers = 32;

} // namespace

void Decapsulator::raw_ip(Frame& frame, Bytes bytes) {
    if (!enter(frame)) {
        return;
    }
    const auto version = bytes.empty() ? 0 : bytes[0] >> 4;
    if (version == 4) {
        ipv4(frame, bytes);
    } else if (version == 6) {
        ipv6(frame, bytes);
    } else {
        ignored_.add("not ip");
    }
}

// [RFC 791 §3.1]
void Decapsulator::ipv4(Frame& frame, Bytes bytes) {
    if (bytes.size() < 20 || bytes[0] >> 4 != 4) {
        return ignored_.add(bytes.size() < 20 ? "ipv4 header cut" : "ipv4 malformed");
    }
    const auto* p = bytes.data();
    const std::size_t header = (p[0] & 0x0fU) * 4;
    std::size_t total = load_be16(p + 2);
    if (total == 0) { // segmentation left to the network card: all of the frame
        total = bytes.size() + frame.cut;
    }
    if (header < 20 || header > bytes.size() || total < header) {
        return ignored_.add("ipv4 malformed");
    }
    // What follows the datagram is padding of the link layer; what lacks was cut.
    frame.cut = total > bytes.size() ? static_cast<std::uint32_t>(total - bytes.size()) : 0;
    bytes = bytes.first(std::min(total, bytes.size())).subspan(header);
    frame.out.source.address = IpAddress::v4(p + 12);
    frame.out.destination.address = IpAddress::v4(p + 16);
    frame.out.ip_id = load_be16(p + 4);

    const auto fragment_field = load_be16(p + 6);
    const bool more = (fragment_field & 0x2000) != 0;
    const auto offset = (fragment_field & 0x1fffU) * 8;
    if (more || offset != 0) [[unlikely]] {
        Fragment part;
        part.key.id = frame.out.ip_id;
        part.key.protocol = p[9];
        part.protocol = p[9];
        part.more = more;
        part.offset = offset;
        part.data = bytes;
        return fragment(frame, part);
    }
    ip_payload(frame, p[9], bytes);
}

// [RFC 8200 §3, §4]
void Decapsulator::ipv6(Frame& frame, Bytes bytes) {
    if (bytes.size() < 40 || bytes[0] >> 4 != 6) {
        return ignored_.add(bytes.size() < 40 ? "ipv6 header cut" : "ipv6 malformed");
    }
    const auto* p = bytes.data();
    std::size_t length = load_be16(p + 4);
    auto next = p[6];
    frame.out.source.address = IpAddress::v6(p + 8);
    frame.out.destination.address = IpAddress::v6(p + 24);
    frame.out.ip_id = 0;
    bytes = bytes.subspan(40);
    if (length == 0) { // a jumbogram, or segmentation left to the network card
        length = bytes.size() + frame.cut;
    }
    frame.cut = length > bytes.size() ? static_cast<std::uint32_t>(length - bytes.size()) : 0;
    bytes = bytes.first(std::min(length, bytes.size()));

    for (int i = 0; i < most_extension_headers; ++i) {
        std::size_t header = 0;
        switch (next) {
        case protocol_number::hop_by_hop:
        case protocol_number::routing:
        case protocol_number::destination_options:
        case protocol_number::mobility:
        case protocol_number::hip:
        case protocol_number::shim6:
            header = bytes.size() < 8 ? 8 : (bytes[1] + 1U) * 8;
            break;
        case protocol_number::fragment:
            header = 8;
            break;
        default:
            return ip_payload(frame, next, bytes);
        }
        if (header > bytes.size()) {
            return ignored_.add("ipv6 extension header cut");
        }
        const auto* extension = bytes.data();
        bytes = bytes.subspan(header);
        if (next == protocol_number::fragment) {
            const auto field = load_be16(extension + 2);
            const bool more = (field & 1) != 0;
            const std::uint32_t offset = field & 0xfff8U;
            if (more || offset != 0) { // else an atomic fragment [RFC 6946]
                Fragment part;
                part.key.id = load_be32(extension + 4);
                part.protocol = extension[0];
                part.more = more;
                part.offset = offset;
                part.data = bytes;
                return fragment(frame, part);
            }
        }
        next = extension[0];
    }
    ignored_.add("ipv6 too many extension headers");
}

void Decapsulator::fragment(Frame& frame, Fragment part) {
    part.key.source = frame.out.source.address;
    part.key.destination = frame.out.destination.address;
    part.key.place = frame.place;
    part.time = frame.out.time;
    part.frame = frame.out.frame;
    part.input = frame.out.input;
    part.cut = frame.cut;
    if (const auto whole = fragments_.add(part)) {
        frame.cut = whole->missing;
        ip_payload(frame, whole->protocol, whole->bytes);
    }
}

void Decapsulator::ip_payload(Frame& frame, std::uint8_t protocol, Bytes bytes) {
    switch (protocol) {
    case 6:
        return tcp(frame, bytes);
    case 17:
        return udp(frame, bytes);
    case 132:
        return sctp(frame, bytes);
    case 4:
    case 41:
        return raw_ip(frame, bytes);
    case 47:
        return gre(frame, bytes);
    case 137:
        return enter(frame) ? mpls(frame, bytes) : void();
    case protocol_number::authentication: { // [RFC 4302 §2.2] its length counts from -2
        const std::size_t header = bytes.size() < 12 ? 12 : (bytes[1] + 2U) * 4;
        if (header > bytes.size()) {
            return ignored_.add("ah cut");
        }
        return enter(frame) ? ip_payload(frame, bytes[0], bytes.subspan(header)) : void();
    }
    // Note: an ICMP error quotes the packet that caused it; it must not count as one.
    case 1:
        return ignored_.add("icmp");
    case 58:
        return ignored_.add("icmpv6");
    case 2:
        return ignored_.add("igmp");
    case 50:
        return ignored_.add("esp");
    case 59:
        return ignored_.add("ipv6 no next header");
    case 89:
        return ignored_.add("ospf");
    case 103:
        return ignored_.add("pim");
    case 112:
        return ignored_.add("vrrp");
    default:
        ignored_.add("ip protocol", protocol);
    }
}

// [RFC 768]
void Decapsulator::udp(Frame& frame, Bytes bytes) {
    if (bytes.size() < 8) {
        return ignored_.add("udp header cut");
    }
    const auto* p = bytes.data();
    frame.out.source.port = load_be16(p);
    frame.out.destination.port = load_be16(p + 2);
    std::size_t length = load_be16(p + 4);
    if (length == 0) { // longer than the field can say, or left to the network card
        length = bytes.size() + frame.cut;
    }
    if (length < 8) {
        return ignored_.add("udp malformed");
    }
    frame.cut = length > bytes.size() ? static_cast<std::uint32_t>(length - bytes.size()) : 0;
    const auto payload = bytes.first(std::min(length, bytes.size())).subspan(8);
    if (!udp_tunnel(frame, payload)) {
        emit(frame, Protocol::Udp, payload);
    }
}

// [RFC 9293 §3.1]
void Decapsulator::tcp(Frame& frame, Bytes bytes) {
    if (bytes.size() < 20) {
        return ignored_.add("tcp header cut");
    }
    const auto* p = bytes.data();
    const std::size_t header = (p[12] >> 4U) * 4U;
    if (header < 20) {
        return ignored_.add("tcp malformed");
    }
    if (header > bytes.size()) {
        return ignored_.add(frame.cut != 0 ? "tcp header cut" : "tcp malformed");
    }
    frame.out.source.port = load_be16(p);
    frame.out.destination.port = load_be16(p + 2);
    frame.out.tcp_sequence = load_be32(p + 4);
    frame.out.tcp_acknowledged = load_be32(p + 8);
    frame.out.tcp_flags = p[13];
    emit(frame, Protocol::Tcp, bytes.subspan(header));
}

// [RFC 9260 §3.1]
void Decapsulator::sctp(Frame& frame, Bytes bytes) {
    if (bytes.size() < 12) {
        return ignored_.add("sctp header cut");
    }
    frame.out.source.port = load_be16(bytes.data());
    frame.out.destination.port = load_be16(bytes.data() + 2);
    emit(frame, Protocol::Sctp, bytes.subspan(12));
}

void Decapsulator::emit(Frame& frame, Protocol protocol, Bytes payload) {
    frame.out.protocol = protocol;
    frame.out.truncated = frame.cut != 0;
    frame.out.missing = frame.cut;
    frame.out.payload = payload;
    frame.sink.on_datagram(frame.out);
}

} // namespace cw::capture
