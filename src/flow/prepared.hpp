// What the bytes of a message tell by themselves, whatever came before it: so whoever has the time
// for it may find it out, on any thread. It lies in few and neighbouring places, as the core that
// reads it then is mostly another one. For the same reason a session description is left to be
// parsed by who wants to know it.
#pragma once

#include <string>
#include <string_view>

#include "flow/message_digest.hpp"
#include "sip/message.hpp"

namespace cw::flow {

struct PreparedMessage {
    MessageDigest digest; // of the message, if it is one: by digest_head()
    bool is_message = false;
};

// Not thread-safe; for many messages, one after the other.
class Preparer {
  public:
    // The views in `out` live as long as the bytes and `texts`, which is added to and never moves:
    // false, and nothing is prepared, when it has no room left.
    bool prepare(std::string_view bytes, PreparedMessage& out, std::string& texts);

  private:
    sip::HeaderIndex headers_;
    DigestTexts texts_;
};

} // namespace cw::flow
