#include "host/trace_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace cw::host {
namespace {

constexpr std::uint32_t section_header = 0x0a0d0d0a;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::uint32_t decryption_secrets = 10;
constexpr std::uint32_t tls_key_log = 0x544c534b;
constexpr std::uint16_t raw_ip = 101; // LINKTYPE_RAW
constexpr std::uint8_t tcp = 6;
constexpr std::uint8_t udp = 17;

// Numbers of the file are little-endian, as its section header says; those of packets big-endian.
template <class T>
void put_le(std::string& out, T value) {
    for (std::size_t i = 0; i < sizeof value; ++i) {
        out += static_cast<char>(value >> (8 * i));
    }
}
void put16(std::string& out, std::size_t value) {
    out += static_cast<char>(value >> 8);
    out += static_cast<char>(value);
}
void put32(std::string& out, std::uint32_t value) {
    put16(out, value >> 16);
    put16(out, value & 0xffff);
}

// Opens a block; close_block() writes its lengths.
std::size_t open_block(std::string& out, std::uint32_t type) {
    const auto at = out.size();
    put_le(out, type);
    put_le(out, std::uint32_t{0});
    return at;
}
void close_block(std::string& out, std::size_t at) {
    out.append((4 - (out.size() - at) % 4) % 4, '\0');
    const auto total = static_cast<std::uint32_t>(out.size() - at + 4);
    put_le(out, total);
    std::string length;
    put_le(length, total);
    out.replace(at + 4, 4, length);
}

std::uint32_t sum16(std::string_view octets) {
    std::uint64_t sum = 0;
    std::size_t i = 0;
    for (; i + 1 < octets.size(); i += 2) {
        sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(octets[i])) << 8 |
               static_cast<std::uint8_t>(octets[i + 1]);
    }
    if (i < octets.size()) {
        sum += static_cast<std::uint32_t>(static_cast<std::uint8_t>(octets[i])) << 8;
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint32_t>(sum);
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

// An IP packet with `header` (TCP or UDP, its checksum at `checksum`) and `payload`, in a block.
struct Segment {
    std::uint8_t protocol;
    std::size_t checksum;
    std::string_view header;
    std::string_view payload;
};
void put_packet(std::string& out, Instant time, const IpAddress& from, const IpAddress& to,
                const Segment& segment) {
    const bool v4 = from.is_v4() && to.is_v4();
    const auto length = segment.header.size() + segment.payload.size();
    const auto at = open_block(out, enhanced_packet);
    put_le(out, std::uint32_t{0}); // the interface
    put_le(out, static_cast<std::uint32_t>(static_cast<std::uint64_t>(time.ns) >> 32));
    put_le(out, static_cast<std::uint32_t>(time.ns));
    const auto size = static_cast<std::uint32_t>(length + (v4 ? 20 : 40));
    put_le(out, size);
    put_le(out, size);
    const auto ip = out.size();
    if (v4) {
        out += "\x45";
        out += '\0';
        put16(out, size);
        put32(out, 0x4000); // identification 0, do not fragment
        out += '\x40';
        out += static_cast<char>(segment.protocol);
        put16(out, 0);
        out.append(octets_of(from, true)).append(octets_of(to, true));
        set16(out, ip + 10, folded(sum16(std::string_view{out}.substr(ip, 20))));
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
                     sum16(std::string_view{out}.substr(header, length));
    const auto checksum = folded(sum);
    // Of UDP, zero would mean that there is none [RFC 768].
    set16(out, header + segment.checksum, checksum == 0 ? 0xffff : checksum);
    close_block(out, at);
}

std::string file_head() {
    std::string out;
    auto at = open_block(out, section_header);
    put_le(out, std::uint32_t{0x1a2b3c4d});
    put_le(out, std::uint16_t{1});
    put_le(out, std::uint16_t{0});
    put_le(out, ~std::uint64_t{0}); // a section of unknown length
    close_block(out, at);
    at = open_block(out, interface_description);
    put_le(out, raw_ip);
    put_le(out, std::uint16_t{0});
    put_le(out, std::uint32_t{0}); // no snap length
    put_le(out, std::uint16_t{9}); // if_tsresol
    put_le(out, std::uint16_t{1});
    put_le(out, std::uint32_t{9}); // nanoseconds
    put_le(out, std::uint32_t{0}); // end of options
    close_block(out, at);
    return out;
}

} // namespace

std::expected<std::unique_ptr<TraceFile>, std::string> TraceFile::create(const std::string& path) {
    net::Descriptor fd{
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600)};
    // What was there before may have been readable by others.
    if (!fd.open() || fchmod(fd.get(), 0600) != 0) {
        return std::unexpected{path + ": " + std::strerror(errno)};
    }
    std::unique_ptr<TraceFile> file{new TraceFile(std::move(fd))};
    file->append(file_head());
    if (!file->good()) {
        return std::unexpected{path + ": cannot be written"};
    }
    return file;
}

void TraceFile::append(std::string_view blocks) {
    const std::lock_guard lock{mutex_};
    while (good_ && !blocks.empty()) {
        const auto wrote = ::write(fd_.get(), blocks.data(), blocks.size());
        if (wrote > 0) {
            blocks.remove_prefix(static_cast<std::size_t>(wrote));
        } else if (errno != EINTR) {
            good_ = false; // a block may be cut; readers stop there
        }
    }
}

bool TraceFile::good() {
    const std::lock_guard lock{mutex_};
    return good_;
}

void TraceFile::add_secret(std::string_view line) {
    std::string out;
    const auto at = open_block(out, decryption_secrets);
    put_le(out, tls_key_log);
    put_le(out, static_cast<std::uint32_t>(line.size() + 1));
    out.append(line) += '\n';
    close_block(out, at);
    append(out);
}

void put_tcp(std::string& out, Instant time, const TcpPacket& packet) {
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
    put_packet(out, time, packet.from.address, packet.to.address,
               {tcp, 16, header, as_text(packet.payload)});
}

void put_udp(std::string& out, Instant time, const Endpoint& from, const Endpoint& to,
             Bytes payload) {
    payload = payload.first(std::min(payload.size(), most_payload));
    std::string header;
    put16(header, from.port);
    put16(header, to.port);
    put16(header, payload.size() + 8);
    put16(header, 0);
    put_packet(out, time, from.address, to.address, {udp, 6, header, as_text(payload)});
}

} // namespace cw::host
