#include "capture/hep.hpp"

#include <algorithm>
#include <string_view>

namespace cw::capture {
namespace {

constexpr std::string_view magic = "HEP3";
constexpr std::size_t v3_header = 6;
constexpr std::uint8_t family_v4 = 2;
constexpr std::uint8_t family_v6 = 10;

// Unsigned numbers of one to four bytes, as the chunk's length says.
std::uint32_t number(Bytes value) {
    std::uint32_t n = 0;
    for (const auto byte : value.first(std::min<std::size_t>(value.size(), 4))) {
        n = n << 8 | byte;
    }
    return n;
}

void take_chunk(HepPacket& packet, std::uint16_t type, Bytes value, std::uint32_t& whole_seconds,
                std::uint32_t& micros) {
    const auto port = static_cast<std::uint16_t>(number(value));
    const auto byte = static_cast<std::uint8_t>(number(value));
    switch (type) {
    case 2:
        packet.transport = byte;
        break;
    case 3:
    case 4:
        if (value.size() == 4) {
            (type == 3 ? packet.source : packet.destination).address = IpAddress::v4(value.data());
        }
        break;
    case 5:
    case 6:
        if (value.size() == 16) {
            (type == 5 ? packet.source : packet.destination).address = IpAddress::v6(value.data());
        }
        break;
    case 7:
        packet.source.port = port;
        break;
    case 8:
        packet.destination.port = port;
        break;
    case 9:
        whole_seconds = number(value);
        break;
    case 10:
        micros = number(value);
        break;
    case 11:
        packet.type = byte;
        break;
    case 12:
        packet.agent = number(value);
        break;
    case 15:
    case 16:
        packet.payload = value;
        packet.compressed = type == 16;
        break;
    case 17:
        packet.correlation_id = value;
        break;
    default: // a capture password, names, loss and delay figures…
        break;
    }
}

std::optional<HepPacket> parse_v3(Bytes bytes) {
    const auto length = hep_length(bytes);
    if (!length || *length == 0 || *length > bytes.size()) {
        return std::nullopt;
    }
    HepPacket packet;
    std::uint32_t whole_seconds = 0;
    std::uint32_t micros = 0;
    Reader r{bytes.first(*length).subspan(v3_header)};
    while (r.left() >= 6) {
        const auto vendor = r.be16();
        const auto type = r.be16();
        const std::size_t chunk = r.be16();
        if (chunk < 6 || chunk - 6 > r.left()) {
            return std::nullopt;
        }
        const auto value = r.take(chunk - 6);
        if (vendor == 0) {
            take_chunk(packet, type, value, whole_seconds, micros);
        }
    }
    packet.time = Instant{} + seconds(whole_seconds) + microseconds(micros);
    return packet;
}

// A header of eight bytes, two addresses, and in version 2 the time in little-endian order with the
// agent's number and two bytes of padding (which some agents leave out, as the length shows).
std::optional<HepPacket> parse_v1_v2(Bytes bytes) {
    Reader r{bytes};
    HepPacket packet;
    packet.version = r.u8();
    const std::size_t length = r.u8();
    const auto family = r.u8();
    packet.transport = r.u8();
    packet.source.port = r.be16();
    packet.destination.port = r.be16();
    const std::size_t address = family == family_v4 ? 4 : 16;
    const auto fixed = 8 + 2 * address;
    const auto source = r.take(address);
    const auto destination = r.take(address);
    const bool v2 = packet.version == 2;
    const bool sane_length =
        length == fixed || (v2 && (length == fixed + 12 || length == fixed + 10));
    if (!r.ok() || (!v2 && packet.version != 1) || !sane_length ||
        (family != family_v4 && family != family_v6) ||
        (packet.transport != 17 && packet.transport != 6 && packet.transport != 132)) {
        return std::nullopt;
    }
    packet.source.address =
        family == family_v4 ? IpAddress::v4(source.data()) : IpAddress::v6(source.data());
    packet.destination.address =
        family == family_v4 ? IpAddress::v4(destination.data()) : IpAddress::v6(destination.data());
    if (v2) {
        const auto whole_seconds = r.le32();
        const auto micros = r.le32();
        packet.agent = r.le16();
        if (micros >= 1'000'000) {
            return std::nullopt;
        }
        packet.time = Instant{} + seconds(whole_seconds) + microseconds(micros);
        if (length != fixed + 10) {
            r.skip(2);
        }
    }
    packet.payload = r.rest();
    // Nothing in the header is a magic number, so the payload must begin as SIP does: with a
    // letter.
    const bool text = !packet.payload.empty() && (packet.payload[0] | 0x20) >= 'a' &&
                      (packet.payload[0] | 0x20) <= 'z';
    return r.ok() && text ? std::optional{packet} : std::nullopt;
}

} // namespace

sip::Transport HepPacket::carrier() const {
    constexpr std::uint8_t tcp = 6;
    constexpr std::uint8_t sctp = 132;
    return transport == tcp    ? sip::Transport::Tcp
           : transport == sctp ? sip::Transport::Sctp
                               : sip::Transport::Udp;
}

std::optional<std::size_t> hep_length(Bytes start) {
    const auto n = std::min(start.size(), magic.size());
    if (as_text(start.first(n)) != magic.substr(0, n)) {
        return std::nullopt;
    }
    if (start.size() < v3_header) {
        return 0;
    }
    const std::size_t length = load_be16(start.data() + 4);
    return length >= v3_header ? std::optional{length} : std::nullopt;
}

std::optional<HepPacket> parse_hep(Bytes packet) {
    if (packet.size() < 8) {
        return std::nullopt;
    }
    return packet[0] == 'H' ? parse_v3(packet) : parse_v1_v2(packet);
}

} // namespace cw::capture
