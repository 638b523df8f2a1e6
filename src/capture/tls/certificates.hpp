// Certificates as people read them, each chain parsed once however often it is shown.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include <openssl/evp.h>

#include "base/bytes.hpp"
#include "capture/tls/event.hpp"
#include "capture/tls/key_schedule.hpp"

namespace cw::capture::tls {

struct KnownChain {
    Chain certificates;                       // never null
    std::shared_ptr<const EVP_PKEY> leaf_key; // null when it has none that we understand
};

class CertificateCache {
  public:
    // Distinct chains kept; past that the cache starts anew, and what is in use stays alive.
    static constexpr std::size_t most_chains = 4096;
    static constexpr std::size_t longest_chain = 16;

    // `body` is that of a Certificate message of TLS 1.3 (`modern`) or an earlier version. A
    // certificate that cannot be parsed is shown as one with the subject "(malformed)".
    KnownChain get(Bytes body, bool modern, Hasher& hasher);

  private:
    std::map<std::array<std::uint8_t, 32>, KnownChain> chains_; // by SHA-256 of the message
};

// One certificate in DER: names after RFC 2253, dates.
flow::Certificate read_certificate(Bytes der);

} // namespace cw::capture::tls
