#include "rtp/rtcp_writer.hpp"

#include <algorithm>
#include <cmath>

namespace cw::rtp {
namespace {

constexpr std::uint64_t unix_epoch_in_ntp = 2'208'988'800; // 1970 in seconds since 1900
constexpr std::size_t most_blocks = 31;
constexpr std::uint8_t cname_item = 1;

void put16(std::vector<std::uint8_t>& out, std::uint32_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8U));
    out.push_back(static_cast<std::uint8_t>(value));
}
void put32(std::vector<std::uint8_t>& out, std::uint32_t value) {
    put16(out, value >> 16U);
    put16(out, value);
}
void put_header(std::vector<std::uint8_t>& out, RtcpType type, std::size_t count,
                std::size_t words_behind) {
    out.push_back(static_cast<std::uint8_t>(0x80U | count));
    out.push_back(static_cast<std::uint8_t>(type));
    put16(out, static_cast<std::uint32_t>(words_behind));
}

void put_block(std::vector<std::uint8_t>& out, const ReportBlock& block) {
    const auto fraction = std::clamp(block.fraction_lost * 256, 0.0, 255.0);
    // [RFC 3550 §A.3] cumulative loss is clamped to 24 bits with sign.
    const auto lost = std::clamp(block.lost, -0x80'0000, 0x7f'ffff);
    put32(out, block.ssrc);
    put32(out, static_cast<std::uint32_t>(fraction) << 24U |
                   (static_cast<std::uint32_t>(lost) & 0xff'ffffU));
    put32(out, block.highest);
    put32(out, block.jitter);
    put32(out, block.last_report);
    put32(out, block.report_delay);
}

} // namespace

std::uint64_t ntp_time(Instant time) {
    const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(time.ns, 0));
    const auto seconds = ns / 1'000'000'000 + unix_epoch_in_ntp;
    const auto fraction = ((ns % 1'000'000'000) << 32U) / 1'000'000'000;
    return seconds << 32U | fraction;
}

void write_report(std::vector<std::uint8_t>& out, std::uint32_t ssrc, const SenderReport* sent,
                  std::span<const ReportBlock> blocks) {
    blocks = blocks.first(std::min(blocks.size(), most_blocks));
    const auto type = sent != nullptr ? RtcpType::SenderReport : RtcpType::ReceiverReport;
    put_header(out, type, blocks.size(), 1 + (sent != nullptr ? 5 : 0) + 6 * blocks.size());
    put32(out, ssrc);
    if (sent != nullptr) {
        put32(out, static_cast<std::uint32_t>(sent->ntp >> 32U));
        put32(out, static_cast<std::uint32_t>(sent->ntp));
        put32(out, sent->rtp_timestamp);
        put32(out, sent->packets);
        put32(out, sent->octets);
    }
    for (const auto& block : blocks) {
        put_block(out, block);
    }
}

void write_cname(std::vector<std::uint8_t>& out, std::uint32_t ssrc, std::string_view cname) {
    cname = cname.substr(0, 255);
    // [RFC 3550 §6.5] the item list ends with one to four null octets, at a boundary of 32 bits.
    const auto items = 2 + cname.size();
    const auto padding = 4 - items % 4;
    put_header(out, RtcpType::SourceDescription, 1, 1 + (items + padding) / 4);
    put32(out, ssrc);
    out.push_back(cname_item);
    out.push_back(static_cast<std::uint8_t>(cname.size()));
    out.insert(out.end(), cname.begin(), cname.end());
    out.insert(out.end(), padding, 0);
}

void write_bye(std::vector<std::uint8_t>& out, std::uint32_t ssrc) {
    put_header(out, RtcpType::Bye, 1, 1);
    put32(out, ssrc);
}

} // namespace cw::rtp
