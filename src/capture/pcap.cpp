#include "capture/pcap.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace cw::capture {
namespace {

constexpr std::uint32_t magic_micro = 0xa1b2c3d4;
constexpr std::uint32_t magic_nano = 0xa1b23c4d;
constexpr std::uint32_t magic_kuznetzov = 0xa1b2cd34;
constexpr std::size_t file_header = 24;

bool is_magic(std::uint32_t m) {
    return m == magic_micro || m == magic_nano || m == magic_kuznetzov;
}

std::uint32_t load_le32(const std::uint8_t* p) {
    return __builtin_bswap32(load_be32(p));
}

} // namespace

bool PcapReader::recognises(Bytes start) {
    return start.size() >= 4 &&
           (is_magic(load_be32(start.data())) || is_magic(load_le32(start.data())));
}

PcapReader::PcapReader(ByteSource& source, FileNotes& notes) : source_(source), notes_(notes) {
    const auto head = source_.peek(file_header);
    if (head.size() < file_header) {
        notes_.problems.add("header", fmt::format("cut in the file header ({} of {} bytes)",
                                                  head.size(), file_header));
        return;
    }
    big_endian_ = is_magic(load_be32(head.data()));
    const auto magic = u32(head.data());
    fraction_ns_ = magic == magic_nano ? 1 : 1000;
    record_header_ = magic == magic_kuznetzov ? 24 : 16;
    const auto versions = u32(head.data() + 4); // two halves, in the file's byte order
    const auto minor = big_endian_ ? versions & 0xffff : versions >> 16;
    const auto major = big_endian_ ? versions >> 16 : versions & 0xffff;
    swapped_lengths_ = major == 2 && minor < 3;
    // Bits above say whether a frame check sequence follows; the length in IP tells that as well.
    link_type_ = u32(head.data() + 20) & 0xffff;
    source_.consume(file_header);
    usable_ = true;
}

std::uint32_t PcapReader::u32(const std::uint8_t* p) const {
    return big_endian_ ? load_be32(p) : load_le32(p);
}

PcapReader::Record PcapReader::record_at(const std::uint8_t* p) const {
    Record r{u32(p), u32(p + 4), u32(p + 8), u32(p + 12)};
    if (swapped_lengths_) {
        std::swap(r.captured, r.original);
    }
    return r;
}

bool PcapReader::plausible(const Record& r) const {
    constexpr std::uint32_t day = 86'400;
    const auto apart =
        r.seconds > last_seconds_ ? r.seconds - last_seconds_ : last_seconds_ - r.seconds;
    return (packets_ == 0 || apart <= day) && r.fraction < 1'000'000'000 / fraction_ns_ &&
           r.captured > 0 && r.captured <= max_frame && r.original >= r.captured &&
           r.original <= 16 * max_frame;
}

bool PcapReader::next(Packet& packet) {
    while (usable_) {
        const auto head = source_.peek(record_header_);
        if (head.size() < record_header_) {
            if (!head.empty()) {
                notes_.problems.add("cut",
                                    fmt::format("cut in the header of packet {} ({} of {} bytes)",
                                                packets_ + 1, head.size(), record_header_));
                source_.consume(head.size());
            }
            return false;
        }
        const auto record = record_at(head.data());
        if (record.captured > max_frame) {
            notes_.problems.add(
                "size",
                fmt::format("packet {} claims {} bytes, more than the {} that any link carries",
                            packets_ + 1, record.captured, max_frame));
            usable_ = resynchronise();
            continue;
        }
        const std::size_t whole = record_header_ + record.captured;
        const auto bytes = source_.peek(whole);
        if (bytes.size() < whole) {
            notes_.problems.add(
                "cut", fmt::format("cut in the middle of packet {} ({} of {} bytes)", packets_ + 1,
                                   bytes.size() - record_header_, record.captured));
            source_.consume(bytes.size());
            return false;
        }
        packet.time = {static_cast<std::int64_t>(record.seconds) * 1'000'000'000 +
                       static_cast<std::int64_t>(record.fraction) * fraction_ns_};
        packet.interface = 0;
        packet.link_type = link_type_;
        packet.original_length = std::max(record.original, record.captured);
        packet.data = bytes.subspan(record_header_, record.captured);
        last_seconds_ = record.seconds;
        ++packets_;
        source_.consume(whole);
        return true;
    }
    return false;
}

// Finds the next place where a packet header makes sense and is followed by another that does, or
// by the end of the file. Every byte is looked at once.
bool PcapReader::resynchronise() {
    const auto from = source_.offset();
    const std::size_t window = 2 * record_header_ + max_frame;
    source_.consume(1);
    for (;;) {
        const auto bytes = source_.peek(window);
        const bool last = bytes.size() < window;
        const auto tries = last ? bytes.size() : bytes.size() - window + 1;
        for (std::size_t i = 0; i < tries; ++i) {
            if (bytes.size() - i < record_header_) {
                break;
            }
            const auto here = record_at(bytes.data() + i);
            const auto after = i + record_header_ + here.captured;
            if (!plausible(here) || after > bytes.size()) {
                continue;
            }
            if (after == bytes.size() ? last
                                      : bytes.size() - after >= record_header_ &&
                                            plausible(record_at(bytes.data() + after))) {
                source_.consume(i);
                notes_.problems.add("skipped",
                                    fmt::format("{} damaged bytes before packet {} were left out",
                                                source_.offset() - from, packets_ + 1));
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
