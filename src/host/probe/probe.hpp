// The work of `callwright probe`: goes to a SIP server as a client would, and tells what happened:
// where its name leads, who answers there, the handshake and the verdict on the certificate,
// whether a connection can be resumed, what OPTIONS brings, and whether keep-alives are answered.
//
// What is sent and received is told to a flow::Listener as the capture decoder would tell it, so
// that a probe is drawn like any other flow [architecture.md, decision 2]. Blocks until it is done;
// each step ends by its timeout. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "crypto/chain.hpp"
#include "flow/event.hpp"
#include "host/probe/resolution.hpp"
#include "host/probe/revocation.hpp"
#include "host/probe/target.hpp"
#include "host/probe/wire.hpp"

namespace cw::host {

struct ProbeSettings {
    ProbeTarget target;
    std::string expected;       // the identity; empty: the target's host
    std::optional<Endpoint> at; // go there, instead of where DNS leads; port 0: the target's
    std::string dns_servers;    // "192.0.2.1,192.0.2.2:5353"; empty: those of the system
    std::vector<crypto::CertificatePtr> trusted; // CAs
    bool system_trust = true;
    std::vector<crypto::CrlPtr> crls;
    bool ask_ocsp = false; // the CA's responder, where the server staples nothing
    crypto::IdentityPolicy identity;
    std::string certificate; // PEM files that we show when we are asked; may be empty
    std::string key;
    std::uint16_t minimum_version = 0x0303;
    std::uint16_t maximum_version = 0x0304;
    Duration timeout = seconds(5); // of each step
};

struct ProbeAttempt {
    Place place;
    bool reached = false;
    std::string why; // when it was not
};

struct ProbeTls {
    bool done = false;   // the handshake
    std::string failure; // why it was not, or why the connection ended right behind it
    std::string version, cipher, group, alpn, sni;
    Duration took;
    std::vector<crypto::CertificateFacts> chain; // as it was sent
    crypto::ChainVerdict verdict;
    std::optional<ProbeOcsp> ocsp;
    bool certificate_asked = false;
    std::vector<std::string> acceptable; // CAs that a client's certificate may come from
    bool certificate_given = false;
    bool certificate_demanded = false; // the server goes no further without one
    enum class Resumption : std::uint8_t { NotTried, NotOffered, Refused, Works };
    Resumption resumption = Resumption::NotTried;
};

// A digest challenge, as far as it is a fact for a person.
struct ProbeChallenge {
    std::string realm;
    std::string algorithm; // "SHA-256"
};

struct ProbeOptions {
    bool sent = false;
    std::uint16_t status = 0; // 0: no final answer
    std::string reason;
    std::string server; // Server or User-Agent
    std::string allow;
    std::string supported;
    std::vector<ProbeChallenge> challenges;
    Duration took;
    std::string failure;
    std::uint32_t retransmissions = 0;
};

struct ProbeKeepAlive {
    bool tried = false;
    bool answered = false;
    Duration took;
    std::string failure; // of the connection, meanwhile
};

struct ProbeReport {
    Resolution resolution;
    std::vector<ProbeAttempt> attempts;
    bool reached = false;
    std::optional<ProbeTls> tls;
    std::vector<flow::HandshakeStep> handshake; // of the connection that was reached
    ProbeOptions options;
    ProbeKeepAlive keep_alive;
    std::vector<std::string> problems; // what failed, a sentence each; none: all is well

    [[nodiscard]] bool good() const { return reached && problems.empty(); }
};

// Fails with a sentence when the settings cannot be used: a key that does not fit its certificate.
// `listener` is told everything and, at the end, that it is over.
std::expected<ProbeReport, std::string> probe(const ProbeSettings& settings,
                                              flow::Listener& listener);

} // namespace cw::host
