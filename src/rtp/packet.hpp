// The RTP header [RFC 3550 §5.1] and the question what a datagram on a media port is
// [RFC 7983 §7, RFC 5761 §4]. Views only: what parse() yields lives as long as the bytes given.
// Any thread.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace cw::rtp {

inline constexpr std::size_t header_size = 12; // without CSRCs and extension

struct Packet {
    std::uint8_t payload_type = 0;
    bool marker = false;
    bool padding_is_bad = false; // the padding bit is set, but the count does not fit
    std::uint8_t padding = 0;    // octets of padding, already taken off the payload
    std::uint16_t sequence = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t ssrc = 0;
    std::uint16_t extension_profile = 0; // 0xbede for one-byte headers [RFC 8285 §4.2]
    Bytes csrcs;                         // 4 octets each
    Bytes extension;                     // without its 4 octet header
    Bytes payload;                       // of SRTP: ciphertext and authentication tag
};

// Reads one datagram. Fails with Truncated when header, CSRCs or extension do not fit, with
// Malformed when the version is not 2. A padding count that does not fit is no error (it is
// ciphertext in SRTP), see padding_is_bad. With `cut`, the capture does not hold the end of the
// datagram: padding cannot be known and stays 0.
Result<Packet> parse(Bytes datagram, bool cut = false);

// What the first octet of a datagram says that it is, where several protocols share a port.
enum class Kind : std::uint8_t { Stun, Zrtp, Dtls, TurnChannel, Rtp, Rtcp, Unknown };
Kind demultiplex(Bytes datagram);

// RTCP by its packet type, 192 to 223, and a length that is possible: RTP on the same port must not
// use payload types 64 to 95 [RFC 5761 §4].
bool looks_like_rtcp(Bytes datagram);

} // namespace cw::rtp
