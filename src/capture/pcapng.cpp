#include "capture/pcapng.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include <fmt/format.h>

namespace cw::capture {
namespace {

namespace type {
constexpr std::uint32_t section_header = 0x0a0d0d0a;
constexpr std::uint32_t interface_description = 1;
constexpr std::uint32_t obsolete_packet = 2;
constexpr std::uint32_t simple_packet = 3;
constexpr std::uint32_t name_resolution = 4;
constexpr std::uint32_t interface_statistics = 5;
constexpr std::uint32_t enhanced_packet = 6;
constexpr std::uint32_t decryption_secrets = 10;
} // namespace type

constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint32_t tls_key_log = 0x544c534b;
constexpr std::size_t block_overhead = 12; // type, length, and the length again
// Blocks up to this size are read in one piece: a frame and its options.
constexpr std::uint32_t largest_whole = max_frame + 64 * 1024;
constexpr std::uint32_t largest_skipped = 64 * 1024 * 1024;
constexpr std::uint64_t most_secrets = 256 * 1024 * 1024;
constexpr std::size_t most_interfaces = 65'536;
constexpr std::size_t most_names = 10'000;

std::uint32_t load_le32(const std::uint8_t* p) {
    return __builtin_bswap32(load_be32(p));
}
std::size_t padded(std::size_t n) {
    return (n + 3) & ~std::size_t{3};
}

bool is_known(std::uint32_t t) {
    return t == type::section_header || t == type::interface_description ||
           t == type::obsolete_packet || t == type::simple_packet || t == type::name_resolution ||
           t == type::interface_statistics || t == type::enhanced_packet ||
           t == type::decryption_secrets;
}

} // namespace

Instant Clock::at(std::uint64_t ticks) const {
    constexpr std::uint64_t billion = 1'000'000'000;
    std::uint64_t whole = 0; // seconds
    std::uint64_t ns = 0;
    const unsigned n = resolution & 0x7fU;
    if ((resolution & 0x80U) != 0) {
        whole = n < 64 ? ticks >> n : 0;
        // The fraction as 32 bits: 2^-32 s is finer than a nanosecond.
        const auto fraction = n == 0 ? 0 : n < 64 ? ticks & ((std::uint64_t{1} << n) - 1) : ticks;
        const auto bits = n <= 32 ? fraction << (32 - n) : n < 96 ? fraction >> (n - 32) : 0;
        ns = (bits * billion) >> 32;
    } else {
        std::uint64_t per_second = 1;
        unsigned digits = 0;
        while (digits < n && digits < 19) {
            per_second *= 10;
            ++digits;
        }
        if (n <= 19) {
            whole = ticks / per_second;
            ns = ticks % per_second;
            for (; digits > 9; --digits) {
                ns /= 10;
            }
            for (; digits < 9; ++digits) {
                ns *= 10;
            }
        }
    }
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
    const auto seconds_since =
        static_cast<std::int64_t>(std::min<std::uint64_t>(whole, static_cast<std::uint64_t>(most)));
    const auto shifted = std::clamp(offset_seconds, -most, most) + seconds_since;
    return {std::clamp<std::int64_t>(shifted, 0, most) * 1'000'000'000 +
            static_cast<std::int64_t>(ns)};
}

bool PcapngReader::recognises(Bytes start) {
    return start.size() >= 4 && load_be32(start.data()) == type::section_header;
}

std::uint16_t PcapngReader::u16(const std::uint8_t* p) const {
    const auto value = load_be16(p);
    return big_endian_ ? value : __builtin_bswap16(value);
}
std::uint32_t PcapngReader::u32(const std::uint8_t* p) const {
    return big_endian_ ? load_be32(p) : load_le32(p);
}

bool PcapngReader::next(Packet& packet) {
    for (;;) {
        const auto head = source_.peek(block_overhead);
        if (head.size() < block_overhead) {
            if (!head.empty()) {
                notes_.problems.add(
                    "cut", fmt::format("cut in the head of a block after packet {}", packets_));
                source_.consume(head.size());
            }
            return false;
        }
        const bool starts_section = load_be32(head.data()) == type::section_header;
        bool good = starts_section ? section_header(head) : in_section_;
        const auto kind = starts_section ? type::section_header : u32(head.data());
        const std::uint64_t total = padded(u32(head.data() + 4));
        good = good && total >= block_overhead;
        if (good && (total > largest_whole || kind == type::decryption_secrets)) {
            if (long_block(kind, total)) {
                continue;
            }
            good = false;
        }
        if (good) {
            const auto bytes = source_.peek(total);
            if (bytes.size() < total) {
                const bool is_packet = kind == type::enhanced_packet ||
                                       kind == type::simple_packet || kind == type::obsolete_packet;
                notes_.problems.add(
                    "cut",
                    is_packet
                        ? fmt::format("cut in the middle of packet {} ({} of {} bytes)",
                                      packets_ + 1, bytes.size(), total)
                        : fmt::format("cut in the middle of a block after packet {}", packets_));
                source_.consume(bytes.size());
                return false;
            }
            if (padded(u32(bytes.data() + total - 4)) != total) {
                good = false;
            } else {
                const auto outcome = block(kind, bytes.subspan(8, total - block_overhead), packet);
                source_.consume(total);
                if (outcome == Outcome::Packet) {
                    ++packets_;
                    return true;
                }
                if (outcome == Outcome::Damaged) {
                    notes_.problems.add(
                        "damaged",
                        fmt::format("a damaged block after packet {} was left out", packets_));
                }
                continue;
            }
        }
        if (!resynchronise()) {
            return false;
        }
    }
}

bool PcapngReader::section_header(Bytes head) {
    const auto magic = load_be32(head.data() + 8);
    if (magic != byte_order_magic && magic != __builtin_bswap32(byte_order_magic)) {
        return false;
    }
    big_endian_ = magic == byte_order_magic;
    in_section_ = true;
    return true;
}

PcapngReader::Outcome PcapngReader::block(std::uint32_t kind, Bytes body, Packet& packet) {
    switch (kind) {
    case type::enhanced_packet:
        return enhanced(body, packet);
    case type::simple_packet:
        return simple(body, packet);
    case type::obsolete_packet:
        return obsolete(body, packet);
    case type::section_header:
        interfaces_.clear(); // their numbers hold within one section
        return Outcome::Nothing;
    case type::interface_description:
        if (body.size() < 8 || interfaces_.size() >= most_interfaces) {
            return Outcome::Damaged;
        }
        interface_description(body);
        return Outcome::Nothing;
    case type::name_resolution:
        names(body);
        return Outcome::Nothing;
    default:
        return Outcome::Nothing;
    }
}

PcapngReader::Outcome PcapngReader::enhanced(Bytes body, Packet& packet) {
    if (body.size() < 20) {
        return Outcome::Damaged;
    }
    return timed(u32(body.data()), body.subspan(4, 16), body.subspan(20), packet);
}

PcapngReader::Outcome PcapngReader::obsolete(Bytes body, Packet& packet) {
    if (body.size() < 20) {
        return Outcome::Damaged;
    }
    return timed(u16(body.data()), body.subspan(4, 16), body.subspan(20), packet);
}

// `numbers`: time (high, low), captured length, original length.
PcapngReader::Outcome PcapngReader::timed(std::uint32_t interface, Bytes numbers, Bytes data,
                                          Packet& packet) {
    const auto captured = u32(numbers.data() + 8);
    if (interface >= interfaces_.size() || captured > data.size() || captured > max_frame) {
        return Outcome::Damaged;
    }
    const auto& from = interfaces_[interface];
    const auto ticks =
        static_cast<std::uint64_t>(u32(numbers.data())) << 32 | u32(numbers.data() + 4);
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max() / 1000;
    packet.time = from.plain_micro && ticks <= most
                      ? Instant{static_cast<std::int64_t>(ticks) * 1000}
                      : from.clock.at(ticks);
    packet.interface = static_cast<std::uint16_t>(interface);
    packet.link_type = from.link_type;
    packet.original_length = std::max(u32(numbers.data() + 12), captured);
    packet.data = data.first(captured);
    return Outcome::Packet;
}

PcapngReader::Outcome PcapngReader::simple(Bytes body, Packet& packet) {
    if (body.size() < 4 || interfaces_.empty()) {
        return Outcome::Damaged;
    }
    const auto& from = interfaces_.front();
    const auto original = u32(body.data());
    const auto room = static_cast<std::uint32_t>(body.size() - 4);
    auto captured = std::min(original, room);
    if (from.snap_length != 0) {
        captured = std::min(captured, from.snap_length);
    }
    if (captured > max_frame) {
        return Outcome::Damaged;
    }
    packet.time = {}; // this block has none
    packet.interface = 0;
    packet.link_type = from.link_type;
    packet.original_length = original;
    packet.data = body.subspan(4, captured);
    return Outcome::Packet;
}

void PcapngReader::interface_description(Bytes body) {
    Interface made;
    made.link_type = u16(body.data());
    made.snap_length = u32(body.data() + 4);
    auto options = body.subspan(8);
    while (options.size() >= 4) {
        const auto code = u16(options.data());
        const std::size_t length = u16(options.data() + 2);
        if (code == 0 || 4 + length > options.size()) {
            break;
        }
        const auto* value = options.data() + 4;
        if (code == 9 && length >= 1) { // if_tsresol
            made.clock.resolution = value[0];
        } else if (code == 14 && length >= 8) { // if_tsoffset
            const auto high = static_cast<std::uint64_t>(u32(value + (big_endian_ ? 0 : 4)));
            const auto low = u32(value + (big_endian_ ? 4 : 0));
            made.clock.offset_seconds = static_cast<std::int64_t>(high << 32 | low);
        }
        options = options.subspan(std::min(options.size(), 4 + padded(length)));
    }
    made.plain_micro = made.clock.resolution == 6 && made.clock.offset_seconds == 0;
    interfaces_.push_back(made);
}

void PcapngReader::names(Bytes body) {
    while (body.size() >= 4) {
        const auto kind = u16(body.data());
        const std::size_t length = u16(body.data() + 2);
        if (kind == 0 || 4 + length > body.size()) {
            return;
        }
        const auto record = body.subspan(4, length);
        const std::size_t address_length = kind == 1 ? 4 : kind == 2 ? 16 : length;
        if (length > address_length && notes_.names.size() < most_names) {
            const auto address =
                kind == 1 ? IpAddress::v4(record.data()) : IpAddress::v6(record.data());
            // Several names may follow, each with a zero at its end; the first is the main one.
            const auto text = as_text(record.subspan(address_length));
            notes_.names.emplace_back(address,
                                      text.substr(0, std::min<std::size_t>(text.find('\0'), 255)));
        }
        body = body.subspan(std::min(body.size(), 4 + padded(length)));
    }
}

// A block of keys, or one too large to be read in one piece. False: its length cannot be right.
bool PcapngReader::long_block(std::uint32_t kind, std::uint64_t total) {
    if (kind == type::decryption_secrets) {
        return secrets(total);
    }
    if (kind == type::enhanced_packet || kind == type::obsolete_packet ||
        kind == type::simple_packet) {
        notes_.problems.add("size",
                            fmt::format("packet {} claims {} bytes, more than any link carries",
                                        packets_ + 1, total));
        return false;
    }
    if (total > largest_skipped) {
        return false;
    }
    if (!source_.skip(total)) {
        notes_.problems.add("cut",
                            fmt::format("cut in the middle of a block after packet {}", packets_));
    }
    return true;
}

bool PcapngReader::secrets(std::uint64_t total) {
    const auto head = source_.peek(16);
    if (total < 20 || head.size() < 16) {
        return false;
    }
    const auto kind = u32(head.data() + 8);
    const std::uint64_t length = u32(head.data() + 12);
    if (length > total - 20 || total > most_secrets) {
        return false;
    }
    if (kind != tls_key_log || secret_bytes_ + length > most_secrets) {
        notes_.problems.add("secrets",
                            kind != tls_key_log
                                ? "holds secrets of a kind other than TLS, not used here"
                                : "holds more than 256 MiB of secrets; the rest is not used");
        source_.skip(total);
        return true;
    }
    source_.consume(16);
    std::string text;
    while (text.size() < length) {
        const auto there = source_.peek(1);
        if (there.empty()) {
            notes_.problems.add("cut",
                                fmt::format("cut in the middle of a block of keys ({} of {} bytes)",
                                            text.size(), length));
            break;
        }
        const auto step = std::min<std::size_t>(there.size(), length - text.size());
        text += as_text(there.first(step));
        source_.consume(step);
    }
    source_.skip(total - 16 - text.size());
    secret_bytes_ += text.size();
    notes_.secrets.push_back(std::move(text));
    return true;
}

// Finds the next block that says its length twice. Every byte is looked at once, and the second
// length of a candidate only.
bool PcapngReader::resynchronise() {
    const auto from = source_.offset();
    source_.consume(std::min<std::size_t>(4, source_.peek(4).size()));
    for (;;) {
        const auto bytes = source_.peek(largest_whole + block_overhead);
        const bool last = bytes.size() < largest_whole + block_overhead;
        const auto tries = last ? bytes.size() : bytes.size() - largest_whole;
        for (std::size_t i = 0; i < tries && bytes.size() - i >= block_overhead; ++i) {
            const auto* p = bytes.data() + i;
            const bool section =
                load_be32(p) == type::section_header &&
                (load_be32(p + 8) == byte_order_magic || load_le32(p + 8) == byte_order_magic);
            if (!section && (!in_section_ || !is_known(u32(p)))) {
                continue;
            }
            const bool big = section ? load_be32(p + 8) == byte_order_magic : big_endian_;
            const auto length = [big](const std::uint8_t* at) {
                return padded(big ? load_be32(at) : load_le32(at));
            };
            const auto total = length(p + 4);
            if (total >= block_overhead && total <= bytes.size() - i &&
                length(p + total - 4) == total) {
                source_.consume(i);
                notes_.problems.add("skipped",
                                    fmt::format("{} damaged bytes after packet {} were left out",
                                                source_.offset() - from, packets_));
                return true;
            }
        }
        source_.consume(tries);
        if (last) {
            notes_.problems.add("lost",
                                fmt::format("the last {} bytes, after packet {}, make no sense",
                                            source_.offset() - from, packets_));
            return false;
        }
    }
}

} // namespace cw::capture
