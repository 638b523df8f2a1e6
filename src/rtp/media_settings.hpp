// What offer and answer have settled for one side of one audio stream: where to send, what to send
// and to accept, and the keys of both directions. A value: a re-INVITE makes another one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.hpp"
#include "base/time.hpp"
#include "rtp/g711.hpp"
#include "rtp/srtp_suite.hpp"

namespace cw::rtp {

constexpr std::string_view codec_name(Law law) {
    return law == Law::Mu ? "PCMU" : "PCMA";
}

struct PayloadLaw {
    std::uint8_t payload_type = 0;
    Law law = Law::Mu;
    bool operator==(const PayloadLaw&) const = default;
};

struct MediaSettings {
    Endpoint local = {};       // where we said that we receive; only its changes matter
    Endpoint remote = {};      // RTP goes there; port 0: nothing is sent
    Endpoint remote_rtcp = {}; // RTCP goes there; port 0: none is sent
    bool rtcp_mux = false;     // RTCP leaves from, and comes to, the port of RTP [RFC 5761]

    PayloadLaw codec = {};                           // what we send
    std::vector<PayloadLaw> accepted = {};           // what may come; empty: the same
    std::optional<std::uint8_t> event_type = {};     // telephone-event that we send [RFC 4733]
    std::optional<std::uint8_t> accepted_event = {}; // that may come; absent: the same
    std::uint32_t event_clock = 8000;                // Hz
    Duration ptime = milliseconds(20);               // 10 to 60 ms, in steps of 10

    bool send = true; // the direction of the description, as we see it [RFC 3264 §6.1]
    bool receive = true;

    std::optional<SrtpParameters> send_keys = {};    // absent: clear RTP
    std::optional<SrtpParameters> receive_keys = {}; // absent: clear RTP is expected

    // Send to where the peer's packets really come from, when nothing comes from where its
    // description said (a NAT in between).
    bool follow_source = true;

    bool operator==(const MediaSettings&) const = default;
};

// Who we are in the stream. Random where RFC 3550 §5.1 wants it: the caller has the dice.
struct MediaIdentity {
    std::uint32_t ssrc = 0;
    std::uint16_t first_sequence = 0; // its top bit is not used [RFC 3711 §3.3.1]
    std::uint32_t first_timestamp = 0;
    std::string cname = "callwright";
};

} // namespace cw::rtp
