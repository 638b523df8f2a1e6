// Is this UDP flow RTP, though no SDP announced it? One datagram cannot tell: any that begins with
// the bits 10 looks like it. So a flow's datagrams are watched until an SSRC has shown five packets
// in sequence with timestamps that agree with the clock on the wall. Missing some RTP is better
// than inventing a stream.
//
// One recogniser for one direction of a flow, about 700 bytes, no allocation. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "rtp/packet.hpp"
#include "rtp/stream.hpp"

namespace cw::rtp {

class Recogniser {
  public:
    static constexpr std::size_t needed = 5; // packets, unless its payload type is an unusual one

    // Looks at the next datagram of the flow; `cut` as in rtp::parse(). Datagrams that are no RTP
    // (STUN, DTLS, RTCP…) are ignored. True when this datagram made its SSRC certain, or the SSRC
    // was certain before: it is an RTP packet then.
    bool add(Bytes datagram, Instant time, bool cut = false);

    // After add() returned true for the first time with an SSRC: the packets of that stream that
    // came before and were held back (without the one just added), to be counted now. Their clock
    // is that of the static payload type, or 0. Valid until the next add().
    [[nodiscard]] std::span<const Arrival> held() const { return held_; }

  private:
    static constexpr std::size_t most_held = 7;
    struct Candidate {
        std::uint32_t ssrc = 0; // 0: free
        std::uint8_t good = 0;
        bool certain = false;
        bool moved = false; // its timestamp has changed
        std::array<Arrival, most_held> packets;
    };

    Candidate& place_for(std::uint32_t ssrc);

    // SSRCs under watch; a WebRTC flow carries several.
    std::array<Candidate, 4> candidates_{};
    std::uint8_t next_victim_ = 0;
    std::span<const Arrival> held_;
};

// Whether RTP without announcement may have this payload type: assigned in RFC 3551 or dynamic.
bool is_plausible_payload_type(std::uint8_t number);

} // namespace cw::rtp
