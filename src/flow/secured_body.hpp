// A body that is signed or encrypted, as the Book wants it: opened by somebody who has the keys,
// whom this folder does not know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "sip/message.hpp"

namespace cw::flow {

struct SecuredBody {
    // Unproven: it fits, and nobody here knows whether its certificate is to be trusted.
    enum class Signed : std::uint8_t { No, Good, Bad, Unproven };
    // Unreadable: something is S/MIME by its type and cannot be made out: damaged, none at all, or
    // of a kind or a size that is not opened. Partly: something is encrypted, and the session
    // description stands in clear.
    enum class Sealed : std::uint8_t { No, Opened, Closed, Unreadable, Partly };
    Signed is_signed = Signed::No;
    Sealed sealed = Sealed::No;
    std::string badge;   // "signed by alice@example.com", or why not, or why it cannot be read
    std::string text;    // the words inside, where they are words
    std::string session; // the session description inside
};

// Of Message::sealed: whether the session description is encrypted for the other end alone.
inline bool hides_session(std::uint32_t sealed) {
    return sealed == static_cast<std::uint32_t>(SecuredBody::Sealed::Opened) ||
           sealed == static_cast<std::uint32_t>(SecuredBody::Sealed::Closed);
}

class BodyOpener {
  public:
    virtual ~BodyOpener() = default;
    // Nothing when the body is neither. Called by the Book's thread.
    virtual std::optional<SecuredBody> open(const sip::MessageView& message, Instant at) = 0;
};

} // namespace cw::flow
