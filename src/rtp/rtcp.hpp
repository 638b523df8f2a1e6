// RTCP [RFC 3550 §6]: compound packets, sender and receiver reports, SDES, BYE, APP, the VoIP
// metrics block of extended reports [RFC 3611 §4.7] and feedback messages [RFC 4585 §6.1].
// Nothing is copied: what is handed out lives as long as the datagram.
//
//     rtp::CompoundReader reader{datagram};
//     while (const auto packet = reader.next()) {
//         for (const auto& block : rtp::report_blocks(*packet)) { … }
//     }
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.hpp"

namespace cw::rtp {

enum class RtcpType : std::uint8_t {
    SenderReport = 200,
    ReceiverReport = 201,
    SourceDescription = 202,
    Bye = 203,
    Application = 204,
    TransportFeedback = 205,
    PayloadFeedback = 206,
    ExtendedReport = 207,
};

struct RtcpPacket {
    RtcpType type{};        // any value from 192 to 223 can come, not only the named ones
    std::uint8_t count = 0; // RC, SC, subtype or FMT: the low five bits of the first octet
    std::uint32_t ssrc = 0; // the first word after the header, 0 when there is none
    Bytes body;             // after the four octet header, without padding
};

// Walks a compound packet. It stops at the first thing that is not RTCP; the rest of an SRTCP
// packet is ciphertext, and then only the first packet's header and SSRC mean anything
// [RFC 3711 §3.4].
class CompoundReader {
  public:
    explicit CompoundReader(Bytes datagram) : rest_(datagram) {}

    std::optional<RtcpPacket> next();
    // After next() gave nothing: whether all octets were used up in well-formed packets.
    [[nodiscard]] bool complete() const { return rest_.empty() && !bad_; }

  private:
    Bytes rest_;
    bool bad_ = false;
};

struct SenderReport {
    std::uint64_t ntp = 0; // seconds since 1900 in the upper half
    std::uint32_t rtp_timestamp = 0;
    std::uint32_t packets = 0;
    std::uint32_t octets = 0;
};

// How one receiver gets one sender [RFC 3550 §6.4.1].
struct ReportBlock {
    std::uint32_t ssrc = 0;         // of the stream that this is about
    double fraction_lost = 0;       // 0 to 1, since the report before
    std::int32_t lost = 0;          // cumulative; negative when duplicates came
    std::uint32_t highest = 0;      // extended highest sequence number
    std::uint32_t jitter = 0;       // in units of the media clock
    std::uint32_t last_report = 0;  // middle 32 bits of the NTP time of the last SR, 0: none
    std::uint32_t report_delay = 0; // since that SR, in 1/65536 s
};

// The report blocks of an SR or RR; empty for other packets. Blocks that do not fit are left out.
class ReportBlocks {
  public:
    class Iterator {
      public:
        explicit Iterator(const std::uint8_t* at) : at_(at) {}
        ReportBlock operator*() const;
        Iterator& operator++() {
            at_ += 24;
            return *this;
        }
        bool operator==(const Iterator&) const = default;

      private:
        const std::uint8_t* at_;
    };

    explicit ReportBlocks(Bytes blocks) : blocks_(blocks) {} // a multiple of 24 octets
    [[nodiscard]] std::size_t size() const { return blocks_.size() / 24; }
    [[nodiscard]] Iterator begin() const { return Iterator{blocks_.data()}; }
    [[nodiscard]] Iterator end() const { return Iterator{blocks_.data() + blocks_.size()}; }

  private:
    Bytes blocks_;
};

std::optional<SenderReport> sender_report(const RtcpPacket& packet);
ReportBlocks report_blocks(const RtcpPacket& packet);

// The text of the first CNAME item in an SDES packet [RFC 3550 §6.5.1].
std::optional<std::string_view> canonical_name(const RtcpPacket& packet);
// The reason for leaving in a BYE packet; empty when none is given [RFC 3550 §6.6].
std::string_view bye_reason(const RtcpPacket& packet);
// The four letter name in an APP packet [RFC 3550 §6.7].
std::string_view application_name(const RtcpPacket& packet);
// The SSRC that an RTPFB or PSFB message is about [RFC 4585 §6.1].
std::optional<std::uint32_t> feedback_source(const RtcpPacket& packet);

// What a VoIP device says of the call, from its own jitter buffer [RFC 3611 §4.7]. Fields that the
// device marks as unavailable are absent.
struct VoipMetrics {
    std::uint32_t ssrc = 0;
    double loss = 0;    // 0 to 1, lost in the network since reception began
    double discard = 0; // 0 to 1, thrown away for coming late or early
    double burst_density = 0;
    double gap_density = 0;
    std::uint16_t burst_ms = 0;
    std::uint16_t gap_ms = 0;
    std::uint16_t round_trip_ms = 0;
    std::uint16_t end_system_ms = 0;
    std::optional<int> signal_dbm;
    std::optional<int> noise_dbm;
    std::optional<int> echo_return_loss_db;
    std::optional<int> r_factor;
    std::optional<double> mos_listening;
    std::optional<double> mos_conversational;
    std::uint16_t buffer_nominal_ms = 0;
    std::uint16_t buffer_maximum_ms = 0;
};
// The first VoIP metrics block of an XR packet.
std::optional<VoipMetrics> voip_metrics(const RtcpPacket& packet);

} // namespace cw::rtp
