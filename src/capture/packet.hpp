// What passes between the steps of the decoder: a frame as a file holds it, and the transport
// payload that unwrapping its headers gives. Both are views: valid until the source reads on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "sip/transport.hpp"

namespace cw::capture {

// What is asked or changed for every packet begins at such a boundary, and has the place up to the
// next one for itself: on one line of a cache with something that another core changes, each packet
// would wait for that core.
inline constexpr std::size_t cache_line = 64;

// One captured frame.
struct Packet {
    Instant time;
    std::uint32_t frame = 0;           // number in its file, from 1, as Wireshark counts
    std::uint16_t input = 0;           // which of the files given, from 0
    std::uint16_t interface = 0;       // pcapng interface within its section, else 0
    std::uint32_t link_type = 0;       // LINKTYPE_ value
    std::uint32_t original_length = 0; // on the wire; larger than data.size() when cut by snaplen
    Bytes data;
};

enum class Protocol : std::uint8_t { Udp, Tcp, Sctp, Hep, Sip };

// The payload of one UDP datagram, TCP segment or SCTP packet, with all lower headers taken off and
// IP fragments put together.
struct Datagram {
    Instant time;
    std::uint32_t frame = 0;
    std::uint16_t input = 0;
    std::uint16_t ip_id = 0; // IPv4 identification: tells a copy of a packet from a retransmission
    Protocol protocol = Protocol::Udp;
    bool truncated = false; // the capture does not hold the payload's last bytes (snaplen)
    // Of Protocol::Sip: what had carried the message, as far as the source says; most say TCP where
    // it was TLS.
    sip::Transport carried_over = sip::Transport::Udp;
    Endpoint source;
    Endpoint destination;
    // The fields of the TCP header, which is not part of the payload; zero for the others.
    std::uint32_t tcp_sequence = 0;
    std::uint32_t tcp_acknowledged = 0;
    std::uint8_t tcp_flags = 0; // as on the wire: FIN 1, SYN 2, RST 4, PSH 8, ACK 16
    std::uint32_t missing = 0;  // payload bytes that were on the wire and are not in the capture
    Bytes payload;              // for SCTP: the chunks, after the common header
};

namespace tcp_flag {
inline constexpr std::uint8_t fin = 1;
inline constexpr std::uint8_t syn = 2;
inline constexpr std::uint8_t rst = 4;
inline constexpr std::uint8_t ack = 16;
} // namespace tcp_flag

} // namespace cw::capture
