// The link layers of Decapsulator: LINKTYPE_ values of https://www.tcpdump.org/linktypes.html.
#include <algorithm>

#include "capture/decapsulate.hpp"

namespace cw::capture {
namespace {

namespace ether {
constexpr std::uint16_t ipv4 = 0x0800;
constexpr std::uint16_t ipv6 = 0x86dd;
} // namespace ether

std::uint16_t load_le16(const std::uint8_t* p) {
    return static_cast<std::uint16_t>(p[0] | p[1] << 8);
}

// Whether bytes begin with an IPv4 or IPv6 header that fits them.
bool looks_like_ip(Bytes b, std::uint32_t cut) {
    if (b.size() < 20) {
        return false;
    }
    if (b[0] >> 4 == 6) {
        return b.size() >= 40 && load_be16(b.data() + 4) + 40U <= b.size() + cut;
    }
    const auto total = load_be16(b.data() + 2);
    return b[0] >> 4 == 4 && (b[0] & 0x0f) >= 5 && (total == 0 || total <= b.size() + cut);
}

} // namespace

void Decapsulator::link(Frame& frame, std::uint32_t link_type, Bytes bytes) {
    switch (link_type) {
    case 1:
        return ethernet(frame, bytes);
    case 0:   // NULL
    case 108: // LOOP
        return bsd_loopback(frame, bytes);
    case 9:  // PPP
    case 50: // PPP_HDLC
        return ppp(frame, bytes);
    case 166: // PPP_PPPD, PPP_WITH_DIR
    case 204:
        return ppp_with_direction(frame, bytes);
    case 51:
        return pppoe(frame, bytes);
    case 104:
        return cisco_hdlc(frame, bytes);
    case 12: // RAW of some systems
    case 14:
    case 101:
    case 228: // IPV4
    case 229: // IPV6
        return raw_ip(frame, bytes);
    case 113:
        return linux_cooked(frame, bytes);
    case 276:
        return linux_cooked_2(frame, bytes);
    case 239:
        return nflog(frame, bytes);
    case 252:
        return exported_pdu(frame, bytes);
    default:
        ignored_.add("link type", link_type);
    }
}

void Decapsulator::ethernet(Frame& frame, Bytes bytes) {
    if (bytes.size() < 14) {
        ignored_.add("ethernet header cut");
        return;
    }
    ethertype(frame, load_be16(bytes.data() + 12), bytes.subspan(14));
}

void Decapsulator::ethertype(Frame& frame, std::uint16_t type, Bytes bytes) {
    if (!enter(frame)) {
        return;
    }
    switch (type) {
    case ether::ipv4:
        return ipv4(frame, bytes);
    case ether::ipv6:
        return ipv6(frame, bytes);
    case 0x8100: // IEEE 802.1Q
    case 0x88a8: // 802.1ad
    case 0x9100:
    case 0x9200:
        if (bytes.size() < 4) {
            return ignored_.add("vlan tag cut");
        }
        return ethertype(frame, load_be16(bytes.data() + 2), bytes.subspan(4));
    case 0x8847:
    case 0x8848:
        return mpls(frame, bytes);
    case 0x8863:
        return ignored_.add("pppoe discovery");
    case 0x8864:
        return pppoe(frame, bytes);
    case 0x880b:
        return ppp(frame, bytes);
    case 0x6558:
        return ethernet(frame, bytes);
    case 0x0806:
        return ignored_.add("arp");
    case 0x88cc:
        return ignored_.add("lldp");
    case 0x888e:
        return ignored_.add("eapol");
    case 0x88e5:
        return ignored_.add("macsec");
    default:
        break;
    }
    if (type <= 1500) {
        return length_field(frame, type, bytes);
    }
    ignored_.add("ethertype 0x", type);
}

// IEEE 802.3: up to 1500 it is a length, and LLC follows.
void Decapsulator::length_field(Frame& frame, std::uint16_t length, Bytes bytes) {
    if (length <= bytes.size()) {
        bytes = bytes.first(length);
        frame.cut = 0;
    }
    llc(frame, bytes);
}

void Decapsulator::llc(Frame& frame, Bytes bytes) {
    if (bytes.size() < 3) {
        return ignored_.add("llc");
    }
    if (bytes[0] == 0xaa && bytes[1] == 0xaa && bytes[2] == 3 && bytes.size() >= 8) { // SNAP
        const auto organisation = load_be32(bytes.data() + 2) & 0x00ff'ffff;
        if (organisation == 0 || organisation == 0xf8) {
            return ethertype(frame, load_be16(bytes.data() + 6), bytes.subspan(8));
        }
        return ignored_.add("llc snap");
    }
    if (bytes[0] == 6 && bytes[1] == 6 && bytes[2] == 3) {
        return raw_ip(frame, bytes.subspan(3));
    }
    ignored_.add(bytes[0] == 0x42 ? "stp" : "llc");
}

// [RFC 3032 §2.1] The label stack does not say what it carries; [RFC 4928 §3] the first nibble
// does: 4 and 6 are IP, 0 the control word of a pseudowire, and else Ethernet begins at once.
void Decapsulator::mpls(Frame& frame, Bytes bytes) {
    bool bottom = false;
    while (!bottom) {
        if (bytes.size() < 4) {
            return ignored_.add("mpls labels cut");
        }
        bottom = (bytes[2] & 1) != 0;
        bytes = bytes.subspan(4);
    }
    if (looks_like_ip(bytes, frame.cut)) {
        return raw_ip(frame, bytes);
    }
    if (bytes.size() >= 18 && bytes[0] == 0) {
        return ethernet(frame, bytes.subspan(4));
    }
    if (bytes.size() >= 14 && bytes[0] >> 4 != 1) { // 1: an associated channel, no user data
        return ethernet(frame, bytes);
    }
    ignored_.add("mpls payload");
}

// [RFC 2516 §4]
void Decapsulator::pppoe(Frame& frame, Bytes bytes) {
    if (bytes.size() < 6 || bytes[0] != 0x11) {
        return ignored_.add("pppoe malformed");
    }
    if (bytes[1] != 0) {
        return ignored_.add("pppoe discovery");
    }
    const std::size_t length = load_be16(bytes.data() + 4);
    bytes = bytes.subspan(6);
    if (length <= bytes.size()) {
        bytes = bytes.first(length);
        frame.cut = 0;
    }
    ppp(frame, bytes);
}

// [RFC 1661 §2], [RFC 1662 §3.1]: address and control may be left out, and the protocol number may
// be one byte, then an odd one.
void Decapsulator::ppp(Frame& frame, Bytes bytes) {
    if (bytes.size() >= 2 && (bytes[0] == 0x0f || bytes[0] == 0x8f) && bytes[1] == 0) {
        return cisco_hdlc(frame, bytes);
    }
    if (bytes.size() >= 2 && bytes[0] == 0xff && bytes[1] == 3) {
        bytes = bytes.subspan(2);
    }
    if (bytes.size() < 2) {
        return ignored_.add("ppp header cut");
    }
    const bool one_byte = (bytes[0] & 1) != 0;
    const std::uint16_t protocol = one_byte ? bytes[0] : load_be16(bytes.data());
    bytes = bytes.subspan(one_byte ? 1 : 2);
    switch (protocol) {
    case 0x0021:
        return ethertype(frame, ether::ipv4, bytes);
    case 0x0057:
        return ethertype(frame, ether::ipv6, bytes);
    case 0x0281:
    case 0x0283:
        return ethertype(frame, 0x8847, bytes);
    default:
        // [RFC 1661 §2] numbers from 8000 up are for control protocols.
        protocol >= 0x8000 ? ignored_.add("ppp control")
                           : ignored_.add("ppp protocol 0x", protocol);
    }
}

// Which way the packet went stands before it, or for its address.
void Decapsulator::ppp_with_direction(Frame& frame, Bytes bytes) {
    const std::size_t control = bytes.size() >= 2 && bytes[1] == 3 ? 2 : 1;
    ppp(frame, bytes.subspan(std::min(control, bytes.size())));
}

void Decapsulator::cisco_hdlc(Frame& frame, Bytes bytes) {
    if (bytes.size() < 4) {
        return ignored_.add("cisco hdlc header cut");
    }
    ethertype(frame, load_be16(bytes.data() + 2), bytes.subspan(4));
}

void Decapsulator::linux_cooked(Frame& frame, Bytes bytes) {
    if (bytes.size() < 16) {
        return ignored_.add("linux cooked header cut");
    }
    cooked_protocol(frame, load_be16(bytes.data() + 14), bytes.subspan(16));
}

void Decapsulator::linux_cooked_2(Frame& frame, Bytes bytes) {
    if (bytes.size() < 20) {
        return ignored_.add("linux cooked header cut");
    }
    cooked_protocol(frame, load_be16(bytes.data()), bytes.subspan(20));
}

void Decapsulator::cooked_protocol(Frame& frame, std::uint16_t protocol, Bytes bytes) {
    switch (protocol) {
    case 1: // Novell's frames without LLC
        return ignored_.add("ipx");
    case 4:
        return llc(frame, bytes);
    case 0:
        // An interface without a link layer (a tunnel) may give none.
        return looks_like_ip(bytes, frame.cut) ? raw_ip(frame, bytes)
                                               : ignored_.add("linux cooked without protocol");
    default:
        return ethertype(frame, protocol, bytes);
    }
}

// An address family in the byte order of the machine that captured; LOOP: in network order.
void Decapsulator::bsd_loopback(Frame& frame, Bytes bytes) {
    if (bytes.size() < 4) {
        return ignored_.add("loopback header cut");
    }
    auto family = load_be32(bytes.data());
    if (family > 0xffff) {
        family = __builtin_bswap32(family);
    }
    switch (family) {
    case 2:
        return ethertype(frame, ether::ipv4, bytes.subspan(4));
    case 10: // AF_INET6 of Linux, of NetBSD and OpenBSD, FreeBSD, Darwin, and 23 of Windows
    case 23:
    case 24:
    case 28:
    case 30:
        return ethertype(frame, ether::ipv6, bytes.subspan(4));
    default:
        ignored_.add("loopback family", family);
    }
}

// Attributes with a length, a type and padding to four bytes; the lengths are in the byte order of
// the machine that captured.
void Decapsulator::nflog(Frame& frame, Bytes bytes) {
    if (bytes.size() < 4 || bytes[1] != 0) {
        return ignored_.add("nflog malformed");
    }
    const auto family = bytes[0];
    bytes = bytes.subspan(4);
    while (bytes.size() >= 4) {
        const auto little = load_le16(bytes.data());
        const bool is_little = little >= 4 && little <= bytes.size() + frame.cut;
        const std::size_t length = is_little ? little : load_be16(bytes.data());
        const auto type = is_little ? load_le16(bytes.data() + 2) : load_be16(bytes.data() + 2);
        if (length < 4) {
            break;
        }
        const auto value = bytes.subspan(4, std::min(length, bytes.size()) - 4);
        if ((type & 0x7fff) == 9) { // NFULA_PAYLOAD
            return family == 2 || family == 10 ? raw_ip(frame, value)
                                               : ignored_.add("nflog family", family);
        }
        bytes = bytes.subspan(std::min(bytes.size(), (length + 3) & ~std::size_t{3}));
    }
    ignored_.add("nflog without payload");
}

} // namespace cw::capture
