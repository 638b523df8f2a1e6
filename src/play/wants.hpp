// What a performance wants done: connections opened and closed, bytes sent, sockets that die. The
// host does it when the function has returned, and tells how it went.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/address.hpp"
#include "script/plan.hpp"
#include "sip/transport.hpp"
#include "transaction/outbox.hpp"
#include "transaction/wire.hpp"

namespace cw::play {

// What is asked of a TLS handshake, by the flow.
struct Handshake {
    std::uint8_t version = 0; // 13: exactly TLS 1.3; 0: whatever comes
    std::string server_name;  // SNI, and the identity that must be proved; empty: the peer's own
    std::string cipher;       // empty: any
    bool resume = false;      // with the session of an earlier connection to the same peer
    bool mutual = false;      // the opener shows its certificate, and the other asks for it
    // What is wrong with the certificates, on purpose.
    std::optional<script::Fault> own_fault;
    std::optional<script::Fault> peer_fault;
    std::optional<script::KeyKind> key; // of the peer's certificate
};

struct Connect {
    std::uint32_t token = 0; // comes back with what happened
    script::PartyId from = 0;
    script::PartyId to = 0;
    Endpoint at;
    sip::Transport transport = sip::Transport::Tls;
    Handshake handshake;
    bool drawn = false; // by an arrow; else any connection that leads there will do
};

struct MediaPacket {
    std::uint32_t socket = 0; // number of the party's media socket, see Cast
    Endpoint to;
    std::string bytes;
};

// A DTLS handshake on a media socket, for SRTP keys [RFC 5764]. The host performs it.
struct DtlsStart {
    std::uint32_t socket = 0;
    Endpoint to;
    bool client = false;
    std::string peer_fingerprint;
    script::PartyId party = 0;
};
// What came of it. Keys as RFC 5764 §4.2 exports them: master key and salt in one.
struct DtlsKeys {
    std::string failure;       // empty: it succeeded
    std::uint16_t profile = 0; // [RFC 5764 §4.1.2]
    std::vector<std::uint8_t> send;
    std::vector<std::uint8_t> receive;
};

struct Wants {
    std::vector<Connect> connects;
    std::vector<transaction::Wire> closes; // after what is to be sent
    std::vector<script::PartyId> opens;    // `create`: its listeners open
    std::vector<script::PartyId> deaths;   // `destroy`: all its sockets close
    std::vector<MediaPacket> media;
    std::vector<DtlsStart> dtls;

    [[nodiscard]] bool empty() const {
        return connects.empty() && closes.empty() && opens.empty() && deaths.empty() &&
               media.empty() && dtls.empty();
    }
    void clear() {
        connects.clear();
        closes.clear();
        opens.clear();
        deaths.clear();
        media.clear();
        dtls.clear();
    }
};

// What a handshake showed, as far as a flow asks for it.
struct HandshakeFacts {
    std::string version; // "TLSv1.3"; empty without TLS
    std::string cipher;
    bool resumed = false;
    bool peer_certificate = false;   // the other end showed one that verified
    bool client_certificate = false; // our own was asked for and taken, as far as we know
    std::string peer_key;            // "RSA", "ECDSA", "Ed25519"
    int alert = -1;                  // that ended it [RFC 8446 §6]; -1: none
};

} // namespace cw::play
