// What the sources of flows (the capture decoder, HEP, later the tap in host/) tell the Book.
// Events are arguments: their views are valid only during the call that brings them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/address.hpp"
#include "base/bytes.hpp"
#include "base/time.hpp"
#include "flow/call.hpp"
#include "flow/dtls_exchange.hpp"
#include "rtp/srtp_suite.hpp"
#include "sip/message.hpp"

namespace cw::flow {

struct PreparedMessage; // prepared.hpp

// Where and when something was seen.
struct Sighting {
    Instant time;
    std::uint32_t frame = 0; // packet number in its input, from 1
    std::uint16_t input = 0;
    std::uint16_t ip_id = 0; // IPv4 identification: equal in two copies of one packet; 0: not known
    Endpoint source;
    Endpoint destination;
};

// A SIP message as its bytes, with what carried it.
struct SipEvent {
    Sighting at;
    Transport transport = Transport::Udp;
    std::uint32_t connection = 0; // Connection::id; 0 for UDP
    bool truncated = false;       // the capture does not hold all of it
    std::string_view bytes;
    // Where somebody had the time for it; it lasts as long as the bytes. nullptr: nobody had.
    const PreparedMessage* prepared = nullptr;
};

// The same, indexed.
struct MessageEvent {
    Sighting at;
    Transport transport = Transport::Udp;
    std::uint32_t connection = 0; // Connection::id; 0 for UDP
    bool truncated = false;       // the capture does not hold all of it
    const sip::MessageView& message;
};

// A UDP payload that could be RTP or RTCP by its first bytes (RFC 7983).
struct MediaEvent {
    Sighting at;
    Bytes payload;
    std::uint32_t missing = 0; // bytes of the payload that were not captured
};

// What a DTLS handshake between two ends of media has agreed on [RFC 5764].
struct DtlsSrtp {
    Sighting at; // source: the DTLS client; destination: its server
    // What each side sends with; nothing: the secrets are not known, see reason.
    std::optional<rtp::SrtpParameters> client_key = {};
    std::optional<rtp::SrtpParameters> server_key = {};
    std::string version = {}; // "DTLSv1.2"
    std::string cipher = {};
    std::string reason = {};
};

// Who wants to know what was seen. Sources tell it in the order of their packets.
class Listener {
  public:
    virtual ~Listener() = default;
    virtual void on_sip(const SipEvent& event) = 0;
    // A hint: this one comes after the next on_sip(), so what it needs of memory can be fetched
    // meanwhile. Its bytes stay where they are until it has come.
    virtual void expect(const SipEvent& event) { static_cast<void>(event); }
    virtual void on_media(const MediaEvent& event) = 0;
    // DTLS was seen between these two: what follows there as RTP is DTLS-SRTP.
    virtual void on_dtls(const Sighting& at) = 0;
    // A handshake has agreed on SRTP keys, or would have told them if its secrets were known.
    virtual void on_dtls_srtp(const DtlsSrtp& handshake) = 0;
    // How far a DTLS handshake has come; told again each time that something is added to it.
    virtual void on_dtls_exchange(const DtlsExchange& /*exchange*/) {}
    // A connection that has ended, or is still open at the end of the capture.
    virtual void on_connection(const Connection& connection) = 0;
    // Nothing more will come. `end` is the time of the last packet.
    virtual void finish(Instant end) = 0;
};

} // namespace cw::flow
