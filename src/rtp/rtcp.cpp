#include "rtp/rtcp.hpp"

namespace cw::rtp {
namespace {

constexpr std::size_t report_block_size = 24;
constexpr std::uint8_t voip_metrics_block = 7;
constexpr std::uint8_t cname_item = 1;
constexpr std::uint8_t unavailable = 127; // [RFC 3611 §4.7.4], also for R and MOS

std::optional<int> signed_level(std::uint8_t octet) {
    return octet == unavailable ? std::nullopt
                                : std::optional<int>{static_cast<std::int8_t>(octet)};
}

std::optional<double> tenths(std::uint8_t octet) {
    return octet == unavailable ? std::nullopt : std::optional<double>{octet / 10.0};
}

VoipMetrics read_voip_metrics(Bytes block) {
    Reader r{block};
    VoipMetrics m;
    m.ssrc = r.be32();
    m.loss = r.u8() / 256.0;
    m.discard = r.u8() / 256.0;
    m.burst_density = r.u8() / 256.0;
    m.gap_density = r.u8() / 256.0;
    m.burst_ms = r.be16();
    m.gap_ms = r.be16();
    m.round_trip_ms = r.be16();
    m.end_system_ms = r.be16();
    m.signal_dbm = signed_level(r.u8());
    m.noise_dbm = signed_level(r.u8());
    if (const auto echo = r.u8(); echo != unavailable) {
        m.echo_return_loss_db = echo;
    }
    r.skip(1); // Gmin
    if (const auto factor = r.u8(); factor != unavailable) {
        m.r_factor = factor;
    }
    r.skip(1); // R factor of an external network
    m.mos_listening = tenths(r.u8());
    m.mos_conversational = tenths(r.u8());
    r.skip(2); // receiver configuration, reserved
    m.buffer_nominal_ms = r.be16();
    m.buffer_maximum_ms = r.be16();
    return m;
}

} // namespace

std::optional<RtcpPacket> CompoundReader::next() {
    if (rest_.empty() || bad_) {
        return std::nullopt;
    }
    bad_ = true;
    if (rest_.size() < 4 || rest_[0] >> 6 != 2 || rest_[1] < 192 || rest_[1] > 223) {
        return std::nullopt;
    }
    const std::size_t size = (load_be16(rest_.data() + 2) + 1U) * 4U;
    if (size > rest_.size()) {
        return std::nullopt;
    }
    RtcpPacket packet;
    packet.type = static_cast<RtcpType>(rest_[1]);
    packet.count = rest_[0] & 0x1f;
    packet.body = rest_.subspan(4, size - 4);
    if ((rest_[0] & 0x20) != 0) {
        const std::size_t padding = packet.body.empty() ? 0 : packet.body.back();
        if (padding == 0 || padding > packet.body.size()) {
            return std::nullopt;
        }
        packet.body = packet.body.first(packet.body.size() - padding);
    }
    packet.ssrc = packet.body.size() >= 4 ? load_be32(packet.body.data()) : 0;
    rest_ = rest_.subspan(size);
    bad_ = false;
    return packet;
}

ReportBlock ReportBlocks::Iterator::operator*() const {
    ReportBlock block;
    block.ssrc = load_be32(at_);
    block.fraction_lost = at_[4] / 256.0;
    // 24 bits in two's complement, moved up and back down to spread the sign.
    block.lost = static_cast<std::int32_t>(load_be32(at_ + 4) << 8) >> 8;
    block.highest = load_be32(at_ + 8);
    block.jitter = load_be32(at_ + 12);
    block.last_report = load_be32(at_ + 16);
    block.report_delay = load_be32(at_ + 20);
    return block;
}

std::optional<SenderReport> sender_report(const RtcpPacket& packet) {
    if (packet.type != RtcpType::SenderReport) {
        return std::nullopt;
    }
    Reader r{packet.body};
    r.skip(4);
    SenderReport report;
    report.ntp = r.be64();
    report.rtp_timestamp = r.be32();
    report.packets = r.be32();
    report.octets = r.be32();
    return r.ok() ? std::optional{report} : std::nullopt;
}

ReportBlocks report_blocks(const RtcpPacket& packet) {
    std::size_t skip = 0;
    if (packet.type == RtcpType::SenderReport) {
        skip = 24;
    } else if (packet.type == RtcpType::ReceiverReport) {
        skip = 4;
    }
    if (skip == 0 || packet.body.size() < skip) {
        return ReportBlocks{{}};
    }
    const auto rest = packet.body.subspan(skip);
    const auto fitting = rest.size() / report_block_size;
    const auto count = packet.count < fitting ? packet.count : fitting;
    return ReportBlocks{rest.first(count * report_block_size)};
}

std::optional<std::string_view> canonical_name(const RtcpPacket& packet) {
    if (packet.type != RtcpType::SourceDescription) {
        return std::nullopt;
    }
    Reader r{packet.body};
    for (unsigned chunk = 0; chunk < packet.count && r.ok(); ++chunk) {
        r.skip(4);
        while (r.left() > 0) {
            const auto item = r.u8();
            if (item == 0) {
                break;
            }
            const auto text = r.vec8();
            if (r.ok() && item == cname_item) {
                return as_text(text);
            }
        }
        // [RFC 3550 §6.5] a chunk starts on a 32-bit boundary.
        r.skip((4 - r.offset() % 4) % 4);
    }
    return std::nullopt;
}

std::string_view bye_reason(const RtcpPacket& packet) {
    if (packet.type != RtcpType::Bye) {
        return {};
    }
    Reader r{packet.body};
    r.skip(packet.count * 4U);
    return as_text(r.vec8());
}

std::string_view application_name(const RtcpPacket& packet) {
    if (packet.type != RtcpType::Application || packet.body.size() < 8) {
        return {};
    }
    return as_text(packet.body.subspan(4, 4));
}

std::optional<std::uint32_t> feedback_source(const RtcpPacket& packet) {
    const bool feedback =
        packet.type == RtcpType::TransportFeedback || packet.type == RtcpType::PayloadFeedback;
    if (!feedback || packet.body.size() < 8) {
        return std::nullopt;
    }
    return load_be32(packet.body.data() + 4);
}

std::optional<VoipMetrics> voip_metrics(const RtcpPacket& packet) {
    if (packet.type != RtcpType::ExtendedReport) {
        return std::nullopt;
    }
    Reader r{packet.body};
    r.skip(4);
    while (r.left() >= 4) {
        const auto type = r.u8();
        r.skip(1);
        const auto block = r.take(r.be16() * 4U);
        if (r.ok() && type == voip_metrics_block && block.size() >= 32) {
            return read_voip_metrics(block);
        }
    }
    return std::nullopt;
}

} // namespace cw::rtp
