// What is in the packets of media, for those who want to hear it: see Book::tap_media().
#pragma once

#include <cstdint>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"

namespace cw::flow {

// An RTP packet in clear: one that was sent so, or that a key has opened.
struct MediaPacket {
    Instant time;
    Endpoint source;
    Endpoint destination;
    std::uint32_t ssrc = 0;
    std::uint32_t timestamp = 0;
    std::uint32_t clock = 0; // Hz of its payload type, 0: not known
    std::uint16_t sequence = 0;
    std::uint8_t payload_type = 0;
    bool marker = false;
    std::string_view encoding; // "PCMU", as the description wrote it; empty: not known
    Bytes payload;
};

// The packets of one stream come in the order of the capture. Packets of SRTP that wait for their
// key come when it is known.
class MediaTap {
  public:
    virtual ~MediaTap() = default;
    // The views of `packet` are valid during the call alone.
    virtual void on_media_packet(const MediaPacket& packet) = 0;
};

} // namespace cw::flow
