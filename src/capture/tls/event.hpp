// What a TLS connection tells while it is read. All views are valid only during the call that
// brings them. Sides are those of the caller: see Connection::roles_swapped().
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "capture/packet.hpp"
#include "capture/side.hpp"
#include "flow/call.hpp"

namespace cw::capture::tls {

// A chain of certificates, the leaf first. Shared, because thousands of connections show the same.
using Chain = std::shared_ptr<const std::vector<flow::Certificate>>;

struct ClientHello {
    Side from = Side::Client;
    std::string_view offered = {}; // versions, lowest first: "TLSv1.2 TLSv1.3"
    std::string_view sni = {};     // may be empty
    std::string_view alpn = {};    // "sip,h2"; may be empty
    std::size_t ciphers = 0;       // how many suites it offers
    bool session_id = false;       // offers to resume by id,
    bool ticket = false;           // by ticket,
    bool psk = false;              // by pre-shared key (TLS 1.3)
    bool early_data = false;
    bool again = false; // the second one, after a HelloRetryRequest
    Bytes random = {};  // 32 bytes
};
struct HelloRetry {
    Side from = Side::Server;
    std::uint16_t suite = 0;
    std::uint16_t group = 0; // that the server asks for; 0: none
};
struct ServerHello {
    Side from = Side::Server;
    std::uint16_t version = 0; // version_name() and its kin in suite.hpp print these
    std::uint16_t suite = 0;
    std::uint16_t group = 0; // 0: not known (yet)
    bool resumed = false;
};
struct CertificateChain {
    Side from = Side::Server;
    const Chain& certificates; // never null; empty when a client declined
};
struct Finished {
    Side from = Side::Client;
};
struct AlertSeen {
    Side from = Side::Client;
    bool encrypted = false; // and not opened: then level and number are not known
    bool fatal = false;
    std::uint8_t number = 0;
    std::string_view name = {}; // static
};
struct CloseNotify {
    Side from = Side::Client;
};
struct KeyUpdate {
    Side from = Side::Client;
};
struct EarlyData {
    bool accepted = false;
};
// Why the connection, or the rest of one direction, cannot be read, in the words of product.md.
struct Trouble {
    Side from = Side::Client;
    std::string_view reason = {};
};

using Event = std::variant<ClientHello, HelloRetry, ServerHello, CertificateChain, Finished,
                           AlertSeen, CloseNotify, KeyUpdate, EarlyData, Trouble>;

struct Sink {
    virtual ~Sink() = default;
    // The application data of one record. `by` is the segment that completed the record (its
    // payload may be empty when the record had to wait for the other direction).
    virtual void on_plaintext(Side from, Bytes data, const Datagram& by) = 0;
    virtual void on_event(const Event& event, const Datagram& by) = 0;
    // Here application data is missing: about so many bytes, or an unknown number (0).
    virtual void on_plaintext_gap(Side from, std::uint64_t bytes, const Datagram& by) = 0;
};

} // namespace cw::capture::tls
