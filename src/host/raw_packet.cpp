#include "host/raw_packet.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

namespace cw::host {
namespace {

constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;

void put16(std::string& out, std::size_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value);
}
void put32(std::string& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}

// The sum of 16-bit words in one's complement. Four are taken at once as they lie in memory, and
// the octets of the sum are changed at the end where the machine has them the other way round [RFC
// 1071 §2 (B), (C)].
std::uint32_t sum16(std::string_view octets) {
    constexpr std::uint64_t low = 0xffff'ffff;
    std::uint64_t sum = 0;
    std::uint64_t words = 0;
    for (; octets.size() >= sizeof words; octets.remove_prefix(sizeof words)) {
        std::memcpy(&words, octets.data(), sizeof words);
        sum += (words & low) + (words >> 32);
    }
    words = 0; // zero stands behind an octet that has no other
    std::memcpy(&words, octets.data(), octets.size());
    sum += (words & low) + (words >> 32);
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    const auto word = static_cast<std::uint32_t>(sum);
    return std::endian::native == std::endian::big ? word : (word & 0xff) << 8 | word >> 8;
}
std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}
void set16(std::string& out, std::size_t at, std::uint16_t value) {
    out[at] = static_cast<char>(value >> 8);
    out[at + 1] = static_cast<char>(value & 0xff);
}

std::string_view octets_of(const IpAddress& address, bool v4) {
    return as_text(Bytes{address.octets}.subspan(v4 ? 12 : 0));
}

// An IP packet with `header` (TCP or UDP, its checksum at `checksum`) and `payload`.
struct Segment {
    std::uint8_t protocol;
    std::size_t checksum;
    std::string_view header;
    std::string_view payload;
};
std::string make_ip_packet(const IpAddress& from, const IpAddress& to, const Segment& segment) {
    const bool v4 = from.is_v4() && to.is_v4();
    const auto length = segment.header.size() + segment.payload.size();
    std::string out;
    out.reserve(length + 40);
    if (v4) {
        out += "\x45";
        out += '\0';
        put16(out, length + 20);
        put32(out, 0x4000); // identification 0, do not fragment
        out += '\x40';
        out += static_cast<char>(segment.protocol);
        put16(out, 0);
        out.append(octets_of(from, true)).append(octets_of(to, true));
        set16(out, 10, folded(sum16(out)));
    } else {
        put32(out, 0x60000000);
        put16(out, length);
        out += static_cast<char>(segment.protocol);
        out += '\x40';
        out.append(octets_of(from, false)).append(octets_of(to, false));
    }
    const auto header = out.size();
    out.append(segment.header).append(segment.payload);
    const auto sum = sum16(octets_of(from, v4)) + sum16(octets_of(to, v4)) + segment.protocol +
                     static_cast<std::uint32_t>(length) +
                     sum16(std::string_view{out}.substr(header));
    const auto checksum = folded(sum);
    // Of UDP, zero would mean that there is none [RFC 768].
    set16(out, header + segment.checksum, checksum == 0 ? 0xffff : checksum);
    return out;
}

} // namespace

std::string make_tcp_packet(const TcpPacket& packet) {
    std::string header;
    put16(header, packet.from.port);
    put16(header, packet.to.port);
    put32(header, packet.sequence);
    put32(header, packet.flags.ack ? packet.acknowledged : 0);
    header += '\x50'; // five words
    header += static_cast<char>((packet.flags.fin ? 1 : 0) | (packet.flags.syn ? 2 : 0) |
                                (packet.flags.push ? 8 : 0) | (packet.flags.ack ? 16 : 0));
    put16(header, 0xffff); // window
    put32(header, 0);      // checksum, urgent pointer
    return make_ip_packet(packet.from.address, packet.to.address,
                          {tcp, 16, header, as_text(packet.payload)});
}

std::string make_udp_packet(const Endpoint& from, const Endpoint& to, Bytes payload) {
    payload = payload.first(std::min(payload.size(), most_payload));
    std::string header;
    put16(header, from.port);
    put16(header, to.port);
    put16(header, payload.size() + 8);
    put16(header, 0);
    return make_ip_packet(from.address, to.address, {udp, 6, header, as_text(payload)});
}

} // namespace cw::host
