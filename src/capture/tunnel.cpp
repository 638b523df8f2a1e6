// Tunnels of Decapsulator. Those in UDP are known by their destination port, and must have a header
// that makes sense; else the datagram is what it seems. HEP is known by its bytes on any port.
#include <algorithm>

#include "capture/decapsulate.hpp"
#include "capture/hep.hpp"

namespace cw::capture {
namespace {

constexpr std::uint16_t ethernet_in_gre = 0x6558;

// What can stand in an Ethernet frame that a tunnel carries; a guess against false tunnels.
bool is_likely_ethernet(Bytes frame) {
    if (frame.size() < 14) {
        return false;
    }
    switch (const auto type = load_be16(frame.data() + 12)) {
    case 0x0800:
    case 0x86dd:
    case 0x0806:
    case 0x8100:
    case 0x88a8:
    case 0x8847:
    case 0x8863:
    case 0x8864:
    case 0x88cc:
    case 0x888e:
    case 0x88e5:
        return true;
    default:
        return type <= 1500;
    }
}

} // namespace

bool Decapsulator::udp_tunnel(Frame& frame, Bytes payload) {
    if (payload.size() < 8) {
        return false;
    }
    switch (frame.out.destination.port) {
    case 4789:
    case 8472: // of Linux before the number was assigned
        return vxlan(frame, payload);
    case 6081:
        return geneve(frame, payload);
    case 2152:
        return gtp_user(frame, payload);
    case 37008:
        return tzsp(frame, payload);
    default:
        break;
    }
    const auto first = payload[0];
    return (first == 'H' || first == 1 || first == 2) && hep(frame, payload);
}

// [RFC 7348 §5], and the group policy extension of its flags.
bool Decapsulator::vxlan(Frame& frame, Bytes payload) {
    const auto flags = payload[0];
    const bool group_policy = (flags & 0x80) != 0;
    if ((flags & 0x7f) != 0x08 || payload[7] != 0 ||
        (!group_policy && (load_be32(payload.data()) & 0x00ff'ffff) != 0) ||
        !is_likely_ethernet(payload.subspan(8))) {
        return false;
    }
    ethernet(frame, payload.subspan(8));
    return true;
}

// [RFC 8926 §3.4]
bool Decapsulator::geneve(Frame& frame, Bytes payload) {
    const std::size_t header = 8 + (payload[0] & 0x3fU) * 4;
    const auto type = load_be16(payload.data() + 2);
    if (payload[0] >> 6 != 0 || (payload[1] & 0x3f) != 0 || payload[7] != 0 ||
        header > payload.size() || (type != ethernet_in_gre && type != 0x0800 && type != 0x86dd)) {
        return false;
    }
    ethertype(frame, type, payload.subspan(header));
    return true;
}

// GTP version 1, user plane [3GPP TS 29.281 §5].
bool Decapsulator::gtp_user(Frame& frame, Bytes payload) {
    const auto flags = payload[0];
    const std::size_t length = load_be16(payload.data() + 2);
    if ((flags & 0xf0) != 0x30 || length + 8 > payload.size() + frame.cut) {
        return false;
    }
    constexpr std::uint8_t user_data = 255;
    if (payload[1] != user_data) {
        ignored_.add("gtp control");
        return true;
    }
    Reader r{payload};
    r.skip(8);
    if ((flags & 0x07) != 0) {
        r.skip(3); // sequence number, N-PDU number
        auto extension = (flags & 0x04) != 0 ? r.u8() : (r.skip(1), std::uint8_t{0});
        while (extension != 0 && r.ok()) {
            const std::size_t size = r.u8() * 4U; // with this byte and the next type
            if (size == 0) {
                return false;
            }
            r.skip(size - 2);
            extension = r.u8();
        }
    }
    const auto inside = r.rest();
    const auto version = inside.empty() ? 0 : inside[0] >> 4;
    if (!r.ok() || (version != 4 && version != 6)) {
        ignored_.add("gtp payload");
        return true;
    }
    raw_ip(frame, inside);
    return true;
}

// TaZmen Sniffer Protocol, version 1: what routers send to a capturing machine.
bool Decapsulator::tzsp(Frame& frame, Bytes payload) {
    if (payload[0] != 1 || payload[1] > 1 || load_be16(payload.data() + 2) != 1) {
        return false;
    }
    Reader r{payload};
    r.skip(4);
    for (;;) {
        const auto tag = r.u8();
        if (!r.ok()) {
            return false;
        }
        if (tag == 1) {
            break;
        }
        if (tag != 0) { // 0 is padding, without a length
            r.vec8();
        }
    }
    if (!is_likely_ethernet(r.rest())) {
        return false;
    }
    ethernet(frame, r.rest());
    return true;
}

bool Decapsulator::hep(Frame& frame, Bytes payload) {
    const auto packet = parse_hep(payload);
    if (!packet) {
        return false;
    }
    frame.out.source = packet->source;
    frame.out.destination = packet->destination;
    if (packet->time.known()) {
        frame.out.time = packet->time;
    }
    frame.out.ip_id = 0;
    if (packet->compressed) {
        ignored_.add("hep compressed");
    } else if (packet->type == 1) {
        frame.out.carried_over = packet->carrier();
        emit(frame, Protocol::Sip, packet->payload);
    } else if (packet->type == 4) {
        emit(frame, Protocol::Udp, packet->payload);
    } else if (packet->type == 5) {
        ignored_.add("hep rtcp");
    } else {
        ignored_.add("hep type", packet->type);
    }
    return true;
}

// [RFC 2784 §2], with the key and sequence number of [RFC 2890]; version 1 is PPTP's [RFC 2637 §4].
void Decapsulator::gre(Frame& frame, Bytes bytes) {
    if (!enter(frame)) {
        return;
    }
    Reader r{bytes};
    const auto flags = r.be16();
    const auto type = r.be16();
    const bool checksum = (flags & 0x8000) != 0;
    const bool routing = (flags & 0x4000) != 0;
    const bool key = (flags & 0x2000) != 0;
    const bool sequence = (flags & 0x1000) != 0;
    const auto version = static_cast<std::uint32_t>(flags & 7);
    if (routing || version > 1) {
        return ignored_.add(routing ? "gre routing" : "gre version", version);
    }
    r.skip((checksum ? 4U : 0U) + (key ? 4U : 0U) + (sequence ? 4U : 0U));
    if (version == 1 && (flags & 0x0080) != 0) {
        r.skip(4); // acknowledgment
    }
    if (!r.ok()) {
        return ignored_.add("gre header cut");
    }
    if (type == 0x88be || type == 0x22eb) {
        return erspan(frame, type, sequence, r.rest());
    }
    if (version == 1 && r.left() == 0) {
        return ignored_.add("gre acknowledgment");
    }
    ethertype(frame, type, r.rest());
}

// draft-foschiano-erspan: type I has no header of its own and no GRE sequence number.
void Decapsulator::erspan(Frame& frame, std::uint16_t type, bool sequenced, Bytes bytes) {
    if (type == 0x88be && !sequenced) {
        return ethernet(frame, bytes);
    }
    std::size_t header = 8;
    bool is_ethernet = true;
    if (type == 0x22eb) {
        if (bytes.size() < 12) {
            return ignored_.add("erspan header cut");
        }
        const auto last = load_be16(bytes.data() + 10); // P, FT(5), Hw(6), D, Gra(2), O
        header = (last & 1) != 0 ? 20 : 12;
        is_ethernet = (last >> 10 & 0x1f) == 0;
    }
    if (header > bytes.size()) {
        return ignored_.add("erspan header cut");
    }
    bytes = bytes.subspan(header);
    is_ethernet ? ethernet(frame, bytes) : raw_ip(frame, bytes);
}

} // namespace cw::capture
