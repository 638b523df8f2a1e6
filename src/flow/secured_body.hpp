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
    enum class Sealed : std::uint8_t { No, Opened, Closed };
    Signed is_signed = Signed::No;
    Sealed sealed = Sealed::No;
    std::string badge;   // "signed by alice@example.com", or why not, or why it cannot be read
    std::string text;    // the words inside, where they are words
    std::string session; // the session description inside
};

class BodyOpener {
  public:
    virtual ~BodyOpener() = default;
    // Nothing when the body is neither. Called by the Book's thread.
    virtual std::optional<SecuredBody> open(const sip::MessageView& message, Instant at) = 0;
};

} // namespace cw::flow
