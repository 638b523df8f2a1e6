// Phones that give up when they are asked by a digest algorithm that they do not know, although a
// client "MUST ignore any challenge it does not understand" [RFC 8760 §2.4]. They are known by
// their User-Agent and asked for what they can. Only the offer follows it, and only within what the
// domain allows: what a phone answers with is judged the same for all. Pure.
#pragma once

#include <string_view>

#include "crypto/digest.hpp"

namespace cw::server {

// Does a phone that calls itself this get through a challenge that offers `algorithm` among others?
bool copes_with(std::string_view user_agent, crypto::DigestAlgorithm algorithm);

} // namespace cw::server
