// RTCP that is sent [RFC 3550 §6]: a compound packet begins with a report, has the CNAME, and at
// the end of a session the BYE. Appends to octets that the caller keeps. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "rtp/rtcp.hpp"

namespace cw::rtp {

// Seconds since 1900 in the upper half, a fraction in the lower [RFC 3550 §4].
std::uint64_t ntp_time(Instant time);

// With one SenderReport (SR) or without (RR); at most 31 blocks are written.
void write_report(std::vector<std::uint8_t>& out, std::uint32_t ssrc, const SenderReport* sent,
                  std::span<const ReportBlock> blocks);
// An SDES packet with this CNAME, of which 255 octets are written.
void write_cname(std::vector<std::uint8_t>& out, std::uint32_t ssrc, std::string_view cname);
void write_bye(std::vector<std::uint8_t>& out, std::uint32_t ssrc);

} // namespace cw::rtp
