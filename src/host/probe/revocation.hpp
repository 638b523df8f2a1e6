// What is said about the revocation of a server's certificate: the OCSP response that it staples
// [RFC 6066 §8], or the one that its CA's responder gives when we ask [RFC 6960 §A.1]. One thread;
// asking blocks until the timeout at most.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "base/bytes.hpp"
#include "base/time.hpp"
#include "crypto/chain.hpp"
#include "crypto/ocsp.hpp"

namespace cw::host {

struct ProbeOcsp {
    std::string from; // "stapled", or the responder's URL
    crypto::OcspVerdict verdict;
};

struct RevocationQuestion {
    std::span<const crypto::CertificatePtr> presented; // the server's own first
    std::span<const crypto::CertificatePtr> trusted;
    Bytes stapled;    // empty: nothing was
    bool ask = false; // the responder, where nothing was stapled
    Instant at;
    Duration timeout;
    const std::string& dns_servers;
};

// Nothing: nothing was stapled, and nobody was to be asked. A revoked certificate, or one of which
// the responder that was to be asked gives no proof, becomes a fault of `verdict`.
std::optional<ProbeOcsp> look_at_revocation(const RevocationQuestion& question,
                                            crypto::ChainVerdict& verdict);

} // namespace cw::host
