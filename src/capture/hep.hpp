// The Homer encapsulation protocol, versions 1 to 3: a capture agent's copy of a packet, with the
// addresses, ports and time that it saw. https://github.com/sipcapture/HEP
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "sip/transport.hpp"

namespace cw::capture {

struct HepPacket {
    std::uint8_t version = 3;
    std::uint8_t transport = 0; // IP protocol number that carried the payload: 17 UDP, 6 TCP…
    std::uint8_t type = 1;      // what the payload is: 1 SIP, 4 RTP, 5 RTCP; others exist
    bool compressed = false;    // the payload is in zlib or gzip form
    std::uint32_t agent = 0;
    Instant time; // as the agent saw it; not known in version 1
    Endpoint source;
    Endpoint destination;
    Bytes correlation_id; // often the Call-ID; may be empty
    Bytes payload;

    // What carried it, as far as an IP protocol tells: TLS is TCP here, and what is neither TCP nor
    // SCTP is UDP.
    [[nodiscard]] sip::Transport carrier() const;
};

// Where a HEP 3 packet ends that starts with these bytes: 0 when it takes more bytes to tell,
// nothing when this is not HEP 3. For HEP over TCP; never more than 65,535.
std::optional<std::size_t> hep_length(Bytes start);

// One whole packet; nothing when it is not one. The views live as long as `packet`.
std::optional<HepPacket> parse_hep(Bytes packet);

} // namespace cw::capture
