// Certificates and keys with which the parties of a flow sign and encrypt bodies: made when they
// are first needed, by the run's own CA, or those of files that the flow names. Also those that are
// wrong on purpose. One performance's, one thread.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "play/cast.hpp"
#include "play/papers.hpp"
#include "smime/keyring.hpp"

namespace cw::play {

class SmimeDesk {
  public:
    // `cast` outlives it. Certificates are good from `now` for a day.
    SmimeDesk(const Cast& cast, Instant now) : cast_(cast), now_(now) {}

    using Owned = std::expected<const crypto::Credential*, std::string>;
    // Of an external party only the certificate is there.
    Owned credential(script::PartyId party, std::optional<script::Fault> fault = {});
    // Certificates that came from an external party: one that speaks for it, and is trusted, is
    // what is encrypted for from then on [RFC 3261 §23.2].
    void learn(script::PartyId party, std::span<const crypto::CertificatePtr> sent);
    // What `party` reads with: its own key, the certificates that are known, the CAs.
    std::expected<smime::Keyring, std::string> keyring_of(script::PartyId party);
    // "alice@example.com"
    [[nodiscard]] std::string person(script::PartyId party) const;
    [[nodiscard]] std::optional<script::PartyId> party_of(std::string_view person) const;
    // Performance::papers()
    [[nodiscard]] std::vector<Papers> papers() const;

  private:
    std::expected<void, std::string> open();
    std::expected<crypto::Credential, std::string> own_file(script::PartyId party) const;

    const Cast& cast_;
    Instant now_;
    bool open_ = false;
    crypto::Credential ca_;
    crypto::Credential stranger_; // a CA that nobody trusts
    std::map<std::pair<script::PartyId, int>, crypto::Credential> made_;
};

} // namespace cw::play
