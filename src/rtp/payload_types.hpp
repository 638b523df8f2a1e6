// The payload types whose meaning is fixed [RFC 3551 §6, tables 4 and 5].
#pragma once

#include <cstdint>
#include <string_view>

namespace cw::rtp {

struct PayloadType {
    std::string_view name;     // as SDP's rtpmap writes it: "PCMU"; static text
    std::uint32_t clock = 0;   // Hz
    std::uint8_t channels = 1; // 0 for video
};

inline constexpr std::uint8_t comfort_noise = 13;     // [RFC 3389 §4]
inline constexpr std::uint8_t comfort_noise_old = 19; // reserved in RFC 3551 because of this use

// The static payload type `number`, or nullptr when it is unassigned, reserved or dynamic.
const PayloadType* static_payload_type(std::uint8_t number);

constexpr bool is_comfort_noise(std::uint8_t number) {
    return number == comfort_noise || number == comfort_noise_old;
}
constexpr bool is_dynamic(std::uint8_t number) {
    return number >= 96 && number <= 127;
}
// 64 to 95 cannot be told from RTCP on one port [RFC 5761 §4]; 72 to 76 are what SR, RR, SDES, BYE
// and APP look like when read as RTP [RFC 3551 §6].
constexpr bool conflicts_with_rtcp(std::uint8_t number) {
    return number >= 72 && number <= 76;
}

} // namespace cw::rtp
