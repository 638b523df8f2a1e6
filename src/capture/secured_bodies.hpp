// Opens the S/MIME bodies of what was captured, with the keys and CAs that were given, and
// remembers the certificates that came with good signatures: who signs later need not send his
// again, and a signer whose certificate has changed is told [RFC 3261 §23.2]. Dates are judged at
// the time of the message. One thread.
#pragma once

#include <map>
#include <string>

#include "flow/secured_body.hpp"
#include "smime/opening.hpp"

namespace cw::capture {

class SecuredBodies final : public flow::BodyOpener {
  public:
    explicit SecuredBodies(smime::Keyring keys) : keys_(std::move(keys)) {}

    std::optional<flow::SecuredBody> open(const sip::MessageView& message, Instant at) override;

  private:
    static constexpr std::size_t most_remembered = 1000; // persons

    [[nodiscard]] std::string remember(const smime::Opened& opened);

    smime::Keyring keys_;
    std::map<std::string, std::string> remembered_; // fingerprints, by person
};

} // namespace cw::capture
