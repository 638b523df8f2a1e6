#include "capture/netmon.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>

#include <fmt/format.h>

namespace cw::capture {
namespace {

constexpr std::size_t file_header = 128;
constexpr std::size_t frame_header = 16;
constexpr std::uint32_t link_other = 0xffff'ffff;

// The format's own numbers of media to LINKTYPE_ values.
std::uint32_t link_type_of(std::uint16_t network) {
    constexpr std::uint16_t linktype_base = 0xe000; // later versions: this and a LINKTYPE_ value
    if ((network & 0xf000) == linktype_base) {
        return network & 0x0fffU;
    }
    return network == 1 ? 1 : link_other; // 1: Ethernet, in both
}

Instant instant_of(Reader& r) { // SYSTEMTIME: eight numbers of 16 bits
    const auto year = r.le16();
    const auto month = r.le16();
    r.le16(); // day of the week
    const auto day = r.le16();
    const auto hour = r.le16();
    const auto minute = r.le16();
    const auto second = r.le16();
    const auto millisecond = r.le16();
    const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{month},
                                           std::chrono::day{day}};
    if (!date.ok() || year < 1970 || year > 2261) {
        return {};
    }
    const auto days = std::chrono::sys_days{date}.time_since_epoch().count();
    const auto of_day = (hour * 60 + minute) * 60 + second;
    return Instant{} + seconds(static_cast<std::int64_t>(days) * 86'400 + of_day) +
           milliseconds(millisecond);
}

} // namespace

bool NetmonReader::recognises(Bytes start) {
    return as_text(start).starts_with("GMBU");
}

NetmonReader::NetmonReader(ByteSource& source, FileNotes& notes) : source_(source), notes_(notes) {
    const auto head = source_.peek(file_header);
    if (head.size() < file_header) {
        notes_.problems.add("header", "cut in the file header");
        return;
    }
    Reader r{head.first(file_header)};
    r.skip(4);
    const auto minor = r.u8();
    const auto major = r.u8();
    link_type_ = link_type_of(r.le16());
    start_ = instant_of(r);
    table_at_ = r.le32();
    frames_ = r.le32() / 4;
    if (major == 2) {
        constexpr std::array<std::uint32_t, 4> trailers{0, 2, 6, 15};
        trailer_ = trailers[std::min<std::size_t>(minor, 3)];
    }
    source_.consume(file_header);
}

bool NetmonReader::next(Packet& packet) {
    if (packets_ == frames_ || source_.offset() >= table_at_) {
        if (packets_ < frames_) {
            notes_.problems.add(
                "table", fmt::format("{} of {} frames do not stand in order and were left out",
                                     frames_ - packets_, frames_));
            frames_ = packets_;
        }
        return false;
    }
    const auto head = source_.peek(frame_header);
    Reader r{head};
    const auto low = r.le32();
    const auto high = r.le32();
    const auto original = r.le32();
    const auto captured = r.le32();
    const std::size_t whole = frame_header + std::size_t{captured} + trailer_;
    const bool sane = r.ok() && captured <= max_frame;
    const auto bytes = sane ? source_.peek(whole) : head;
    if (!sane || bytes.size() < whole) {
        notes_.problems.add("cut", fmt::format("cut or damaged in packet {}", packets_ + 1));
        frames_ = packets_;
        return false;
    }
    const auto micros = static_cast<std::uint64_t>(high) << 32 | low;
    constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max() / 4'000;
    packet.time = start_ + microseconds(static_cast<std::int64_t>(std::min(micros, most)));
    packet.interface = 0;
    packet.link_type = link_type_;
    packet.original_length = std::max(original, captured);
    packet.data = bytes.subspan(frame_header, captured);
    if (trailer_ >= 2) {
        packet.link_type = link_type_of(Reader{bytes.subspan(frame_header + captured)}.le16());
    }
    source_.consume(whole);
    ++packets_;
    return true;
}

} // namespace cw::capture
